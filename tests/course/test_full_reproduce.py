"""RESULTS.md holds measured numbers, says what was not run, and survives whatever ends the list of runs."""

import json
import subprocess
from dataclasses import asdict

import pytest

from starter.support import data
from starter.support.full import cli, reproduce
from starter.support.full.job import Job

SQUARED = "squared error on [-1, 1]"


def result(recipe: str, own: str, **test: float) -> dict:
    settings = {name: value for name, value in asdict(Job(recipe, own, None, seconds=9.0)).items() if name != "out"}
    machine = {"device": "cpu", "name": "abacus", "threads": 1}
    numbers = {"epochs": 0.5, "seconds": 9.1, "parameters": 1234567, "test": test}
    return {"recipe": recipe, "data": own, "settings": settings, "environment": machine, **numbers}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """`reproduce` with runs that take no time; the commands that it gave."""
    commands = []

    def run(command, **_):
        commands.append(command[3:])
        recipe, own, folder = (command[command.index(option) + 1] for option in ("--recipe", "--data", "--out"))
        if recipe == "vae-mlp":
            raise KeyboardInterrupt
        if recipe == "gan-fc":
            return subprocess.CompletedProcess(command, 2, stderr=f"some\nlines\ntrain: {folder}/last.pt is damaged")
        (tmp_path / "out" / f"{recipe}-{own}").mkdir(parents=True)
        found = result(recipe, own, SSIM=0.5, **{SQUARED: 60.0})
        (tmp_path / "out" / f"{recipe}-{own}" / "results.json").write_text(json.dumps(found))
        return subprocess.CompletedProcess(command, 0, stderr="")

    def load(name, split):
        if name == "cub":
            raise data.DataError(f"cub is not in {data.cache_folder()}: python datasets/prepare.py cub")

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    monkeypatch.setattr(reproduce.data, "load", load)
    return commands


def table(tmp_path) -> dict[tuple[str, str], list[str]]:
    """Recipe and data -> cells."""
    lines = (tmp_path / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {(line[0].strip("`"), line[1]): line[2:] for line in cells}


def reproduced(tmp_path, *given: str) -> int:
    return cli.reproduce([*given, "--out", str(tmp_path / "out"), "--table", str(tmp_path / "RESULTS.md")])


def test_every_recipe_has_a_row_with_what_was_measured_or_why_not(runs, tmp_path):
    assert reproduced(tmp_path, "ae-latent-1024", "ae-small", "gan-fc", "cub-gan", "--seconds", "9") == 1
    rows, text = table(tmp_path), (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert {name for name, _ in rows} == set(reproduce.RECIPES)
    command = "`train --recipe ae-latent-1024 --data cifar10 --seconds 9`"
    assert rows["ae-latent-1024", "cifar10"][1:] == [
        *(f"SSIM 0.5, {SQUARED} 60", "", "0.5", "9", "1,234,567", "abacus, 1 thread"),
        command,
    ]
    assert rows["ae-small", "cifar10"][2] == "", "nothing was reported to compare with"
    assert rows["vae-cifar-10", "cifar10"][1] == "not run"
    assert rows["cub-gan", "cub"][1].startswith("not run: cub is not in the cache: python")
    assert rows["gan-fc", "mnist"][1] == "stopped: train: gan-fc-mnist/last.pt is damaged"
    assert str(tmp_path) not in text and str(data.cache_folder()) not in text
    assert "9 seconds of training" in text and "**no result" in text


def test_the_table_is_written_after_every_run_and_a_second_call_goes_on(runs, tmp_path, capsys):
    assert reproduced(tmp_path, "ae-small", "vae-mlp", "ae-cifar") == 130
    assert "interrupted; the next call goes on" in capsys.readouterr().err
    assert "SSIM 0.5" in table(tmp_path)["ae-small", "cifar10"][1]
    assert table(tmp_path)["vae-mlp", "mnist"][1] == "not run"
    runs.clear()
    assert reproduced(tmp_path, "ae-small", "ae-cifar") == 0
    assert [command[2] for command in runs] == ["ae-cifar"]


def test_birds_of_another_edition_are_not_taken_for_those_of_the_report(runs, tmp_path):
    reproduced(tmp_path, "cub-gan", "--data", "birds-2010")
    rows = table(tmp_path)
    assert ("cub-gan", "birds-2010 (CUB-200-2010, 6,030 photographs), not CUB-200-2011") in rows
    assert rows["cub-gan", "cub"][1] == "not run"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["vae-mpl"], "there is no recipe 'vae-mpl'; the nearest is 'vae-mlp'"),
        (["vae-mlp", "--data", "cub"], "python datasets/prepare.py cub"),
        (["vae-mlp", "--second", "x"], "--seconds: must be a number above 0, not 'x'"),
    ],
)
def test_wrong_use_is_one_line_before_anything_runs(runs, tmp_path, given, words, capsys):
    try:
        code = reproduced(tmp_path, *given)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2 and words in said and said.count("\n") == 1 and not runs
