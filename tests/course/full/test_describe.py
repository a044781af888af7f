"""python -m starter recipes: what a report says of a system, what we chose, and the system itself."""

import subprocess
import sys

from grading.content.overlay import ROOT
from starter.__main__ import main
from starter.support.full import describe
from starter.support.recipes import RECIPES


def test_every_recipe_stands_under_its_report_and_ours_come_last(capsys):
    assert main(["recipes"]) == 0
    said = capsys.readouterr().out
    heads = [line for line in said.splitlines() if line and not line.startswith(" ")]
    assert heads[:-1] == [*(f"Report 00{number}" for number in range(5)), "Ours"]
    listed = [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted(RECIPES)
    assert said.index("Report 002") < said.index("  dcgan-cifar ") < said.index("Report 003")


def test_one_is_told_in_full(capsys):
    assert main(["recipes", "dcgan-cifar"]) == 0
    said, recipe = capsys.readouterr().out, RECIPES["dcgan-cifar"]
    for words in (recipe.source, recipe.reported, *recipe.choices):
        assert words in said
    assert "6,333,248 parameters" in said and "ConvTranspose2d(100, 512, kernel_size=(4, 4)" in said
    assert "opt_d: Adam, lr 0.0002, betas (0.5, 0.999)" in said and "epochs 100" in said
    assert "reported on cifar10: 1 - SSIM of samples and real images, unpaired 0.775" in said


def test_an_unknown_one_is_one_line(capsys):
    assert main(["recipes", "vae-mpl"]) == 2
    said = capsys.readouterr().err
    assert "there is no recipe 'vae-mpl'; did you mean vae-mlp?" in said and said.count("\n") == 1


def test_blanks_hide_nothing_but_the_layers(monkeypatch):
    def empty(*_, **__):
        raise NotImplementedError("gan-1")

    monkeypatch.setattr("starter.gan.GAN.__init__", empty)
    monkeypatch.setattr(describe.importlib.util, "find_spec", lambda name: name == "starter" or None)
    said = describe.description("gan-mlp")
    assert said.endswith("layers: gan-1 is still blank in starter/") and RECIPES["gan-mlp"].reported in said


def test_whoever_has_read_enough_gets_no_traceback():
    command = [sys.executable, "-m", "starter", "recipes", "vae-mlp"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdout.close()
        assert run.stderr.read() == "" and run.wait() == 0
