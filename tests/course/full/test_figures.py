"""What the reports draw, drawn from the folders of runs; what is missing there is left out, with a line."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from starter.support import recipes
from starter.support.full import cli, figures, gallery
from starter.support.full.found import Missing, readable, tiles
from starter.support.recipes import SQUARED, Recipe

SETS = ("mnist", "fashion-mnist")


def recipe(source: str, lr: float | None = 1e-3) -> Recipe:
    return Recipe(data=SETS, shape=(1, 8, 8), build=lambda lab: None, reported="", source=source, epochs=2, lr=lr)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Systems of two reports, in small pictures."""
    monkeypatch.setattr(figures, "DPI", 20)
    made = {f"ae-tiny-{size}": recipe("report 901, compression") for size in (4, 16)}
    made |= {f"vae-{name}": recipe("report 901, VAE") for name in ("one", "two")}
    made |= {f"{name}": recipe("report 902, games", None) for name in ("gan-tiny", "cgan-tiny", "lsgan-tiny")}
    made |= {"realnvp-tiny": recipe("ours: report 901's flow")}
    monkeypatch.setattr(recipes, "RECIPES", made)


def curve(first: float, last: float, name: str = "loss") -> dict:
    return {name: np.linspace(first, last, 4).tolist()}


def save(home: Path, name: str, data: str = "mnist", test: dict | None = None, pictures: bool = True, **groups) -> Path:
    """A run of 40 steps, 10 in an epoch, as `train` leaves it."""
    steps = {"steps": [10, 20, 30, 40]}
    result = {"recipe": name, "data": data, "steps": 40, "steps_of_epoch": 10, "epochs": 4.0, "parameters": 1234}
    result |= {"curves": {group: steps | points for group, points in groups.items()}, "test": test or {}}
    folder = home / f"{name}-{data}"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(result))
    kinds = ["samples"] * (not name.startswith("ae")) + ["reconstructions"] * ("ae" in name)
    for kind in kinds if pictures else ():
        (folder / kind).mkdir()
        for step in (10, 20, 40):
            (folder / kind / f"step-{step:06}.png").write_bytes(gallery.png(torch.full((40, 1, 8, 8), step / 50)))
    if pictures:
        (folder / "interpolation.png").write_bytes(gallery.png(torch.rand(100, 1, 8, 8)))
    return folder


@pytest.fixture
def home(tmp_path) -> Path:
    """One run of everything."""
    similar = curve(0.2, 0.9, "SSIM") | curve(300, 80, "BCE")
    for size, error in ((4, 60.0), (16, 20.0)):
        scores = {"loss": error / 4, SQUARED: error, "SSIM": 1 - error / 100}
        save(tmp_path, f"ae-tiny-{size}", test=scores, training=curve(50, error), validation=curve(55, error) | similar)
    for name, nats in (("vae-one", 100.0), ("vae-two", 90.0)):
        terms = curve(200, nats) | curve(190, nats - 20, "reconstruction") | curve(10, 20, "kl")
        test = {
            "loss": nats,
            "kl": 20.0,
            SQUARED: 30.0,
            "SSIM": 0.6,
            "FID, features of digits": nats / 10,
            "diversity": 80.0,
        }
        spread = curve(50, 80, "diversity") | curve(40, nats / 10, "FID, features of digits")
        save(tmp_path, name, test=test, training=terms, validation=terms | similar, samples=spread)
    for name in ("gan-tiny", "cgan-tiny", "lsgan-tiny"):
        terms = curve(1.4, 1.1, "discriminator") | curve(0.7, 1.5, "generator")
        spread = curve(50, 99, "diversity") | curve(40, 5, "FID, features of digits")
        test = {"FID, features of digits": 5.0, "diversity": 99.0}
        for data in SETS[: 2 if name == "gan-tiny" else 1]:
            save(tmp_path, name, data, test=test, training=terms, samples=spread)
    terms = curve(5, 2) | curve(9, 8, "prior") | curve(-4, -6, "volume")
    save(tmp_path, "realnvp-tiny", test={"loss": 1.5}, training=terms, validation=terms)
    return tmp_path


def drawn(home: Path, *names: str) -> tuple[dict[str, str], list[str]]:
    """Name of every picture -> the text that it carries; and what was left out."""
    files, remarks = figures.figures(home, home / "figures", names)
    return {path.stem: figures.alternative(path) for path in files if path.suffix == ".png"}, remarks


def test_every_picture_of_the_reports_is_drawn_and_carries_a_text(home):
    texts, _ = drawn(home)
    assert {
        "losses-report-901-ae-mnist",
        "losses-report-901-vae-mnist",
        "losses-report-901-realnvp-mnist",
        "losses-report-902-gan-mnist",
        "losses-report-902-gan-fashion-mnist",
        "similarity-report-901-ae-mnist",
        "fid-report-902-gan-mnist",
        "diversity-report-902-gan-mnist",
        "sizes-report-901-ae-mnist",
        "variants-reconstructions-report-901-ae-mnist",
        "variants-samples-report-902-gan-mnist",
        "stages-samples-gan-tiny-mnist",
        "stages-reconstructions-vae-one-mnist",
        "classes-cgan-tiny-mnist",
        "interpolation-gan-tiny-mnist",
        "interpolation-ae-tiny-4-mnist",
        "data-gan-tiny",
    } <= texts.keys()
    assert all(len(text) > 20 and "\n" not in text for text in texts.values())
    assert f"{SQUARED}: ae-tiny-N 60 to 20" in texts["sizes-report-901-ae-mnist"]
    assert "kl: vae-one 10 to 20, vae-two 10 to 20" in texts["losses-report-901-vae-mnist"]
    assert "epoch 1, epoch 2, epoch 4" in texts["stages-samples-gan-tiny-mnist"]


def test_curves_differ_in_colour_and_in_dashes_and_every_axis_says_what_it_shows(home):
    found, _ = readable(home)
    for kind in ("losses", "fid", "diversity", "similarity", "sizes"):
        for family in figures.families(found, figures.DRAWINGS[kind]).values():
            with contextlib.suppress(Missing):
                picture = figures.DRAWINGS[kind].draw(family)
                for ax in picture.figure.axes if picture else ():
                    looks = [
                        (line.get_color(), line.get_linestyle()) for line in ax.lines if line.get_linestyle() != "None"
                    ]
                    assert len({colour for colour, _ in looks}) == len({dash for _, dash in looks}) == len(looks)
                    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title()


def test_curves_hold_the_numbers_of_the_run_over_epochs(home):
    found, _ = readable(home)
    (family,) = [[run for run in found if run.name == "gan-tiny" and run.data == "mnist"]]
    lines = {line.get_label(): line for line in figures.losses(family).figure.axes[0].lines}
    assert lines["discriminator"].get_xdata().tolist() == [1, 2, 3, 4]
    assert lines["generator"].get_ydata() == pytest.approx(np.linspace(0.7, 1.5, 4))
    assert figures.fid(family).figure.axes[0].lines[0].get_xdata().tolist() == [10, 20, 30, 40], "iterations"


def test_a_leap_of_the_loss_does_not_flatten_the_curve(tmp_path):
    values = {"steps": list(range(40)), "loss": [*np.linspace(50, 20, 40)]}
    folder = save(tmp_path, "ae-tiny-4", training=curve(1, 1))
    for leap, top in ((None, 60), (1e6, 120)):
        values["loss"][20] = leap or values["loss"][20]
        result = json.loads((folder / "results.json").read_text()) | {"curves": {"training": values}}
        (folder / "results.json").write_text(json.dumps(result))
        low, high = figures.losses(readable(tmp_path)[0]).figure.axes[0].get_ylim()
        assert low < 20 and 47 < high < top


def test_learning_rates_are_told_where_they_differ(home):
    for size, rate in ((4, 5e-4), (16, 1e-2)):
        path = home / f"ae-tiny-{size}-mnist" / "results.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"recipe_settings": {"lr": rate}}))
    texts, _ = drawn(home, "losses", "variants-reconstructions", "ae-tiny-4", "ae-tiny-16")
    assert "ae-tiny-4, rate 0.0005 50 to 60" in texts["losses-report-901-ae-mnist"]
    assert "ae-tiny-16, rate 0.01" in texts["variants-reconstructions-report-901-ae-mnist"]


def test_images_of_a_run_come_back_from_its_pictures(tmp_path):
    x = torch.randint(0, 256, (2 * gallery.COLUMNS, 3, 8, 8), dtype=torch.uint8)
    (tmp_path / "grid.png").write_bytes(gallery.png(x.float() / 255))
    found = tiles(tmp_path / "grid.png")
    assert found.shape == (2, gallery.COLUMNS, 8, 8, 4) and (found[..., 3] == 255).all()
    assert torch.from_numpy(found[..., :3]).flatten(0, 1).permute(0, 3, 1, 2).equal(x)


def test_rows_of_different_lengths_are_as_long_as_the_shortest():
    picture = figures.rows("both", {"five": np.zeros((2, 5, 8, 8, 4)), "ten": np.ones((10, 8, 8, 4))})
    assert picture.figure.axes[0].images[0].get_array().shape == (3 * 10 - 2, 5 * 10 - 2, 4)


def test_reconstructions_stand_below_what_they_are_to_look_like(tmp_path):
    for value, name in ((0.2, "ae-tiny-4"), (0.6, "ae-tiny-16")):
        path = save(tmp_path, name) / "reconstructions" / "step-000040.png"
        rows = torch.tensor([0.0, value]).repeat_interleave(gallery.COLUMNS).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
        path.write_bytes(gallery.png(rows))
    found, _ = readable(tmp_path)
    strips = figures.strips({run.name: run.pictures("reconstructions")[40] for run in found}, "reconstructions")
    greys = {name: set((strip[..., 0] / 255).round(1).flatten().tolist()) for name, strip in strips.items()}
    assert greys == {"test images": {0.0}, "ae-tiny-4": {0.2}, "ae-tiny-16": {0.6}}


def test_what_is_missing_is_left_out_with_a_line(home):
    (home / "gan-tiny-mnist" / "interpolation.png").write_bytes(b"no picture")
    (home / "cgan-tiny-mnist" / "interpolation.png").unlink()
    (home / "lsgan-tiny-mnist" / "results.json").write_text('{"recipe": "lsgan-tiny"')
    (home / "vae-one-mnist" / "results.json").write_text("[1]")
    old = {"recipe": "realnvp-tiny", "data": "mnist", "steps": 40, "epochs": 4.0, "test": {"loss": None}}
    (home / "realnvp-tiny-mnist" / "results.json").write_text(json.dumps(old | {"validation": {"10": {"loss": 3.0}}}))
    texts, remarks = drawn(home, "interpolation", "losses", "fid")
    assert "interpolation-gan-tiny-mnist" not in texts and "interpolation-vae-two-mnist" in texts
    for start in (
        "interpolation-cgan-tiny-mnist: no picture of an interpolation",
        f"interpolation-gan-tiny-mnist: {home / 'gan-tiny-mnist' / 'interpolation.png'} is no picture of a run",
        f"{home / 'lsgan-tiny-mnist' / 'results.json'} is no record of a run (JSONDecodeError)",
        f"{home / 'vae-one-mnist' / 'results.json'} is no record of a run (TypeError)",
        "losses-report-901-realnvp-mnist: no run holds the curves of its loss",
        "fid-report-901-realnvp-mnist: no run has measured FID",
    ):
        assert start in remarks
    assert all("\n" not in line for line in remarks)


def test_results_without_pictures_give_their_curves(home, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in home.glob("vae-*/results.json"):
        (kept / f"{path.parent.name}.json").write_bytes(path.read_bytes())
    texts, _ = drawn(kept)
    assert {name.split("-")[0] for name in texts} == {"losses", "similarity", "fid", "diversity"}


def test_names_choose_recipes_and_kinds_of_pictures(home, capsys):
    texts, _ = drawn(home, "losses", "gan-tiny")
    assert set(texts) == {"losses-report-902-gan-mnist", "losses-report-902-gan-fashion-mnist"}
    assert cli.figures(["--home", str(home), "fid", "--out", str(home / "other")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "left out: fid-report-901-realnvp-mnist: no run has measured FID",
        f"3 pictures; {home / 'other' / 'README.md'} shows them all",
    ]
    for wrong, says in (
        (["losss"], "figures: there is no recipe or picture 'losss': pictures are losses, "),
        (["--home", str(home / "nowhere")], f"figures: there is no run with results in {home / 'nowhere'}: train one "),
        (["--out", str(home / "cgan-tiny-mnist" / "results.json"), "fid"], "figures: "),
    ):
        assert cli.figures([*(["--home", str(home)] if "--home" not in wrong else []), *wrong]) == 2
        err = capsys.readouterr().err
        assert err.startswith(says) and err.count("\n") == 1


def test_the_page_shows_every_picture_with_its_text_and_the_table(home):
    files, _ = figures.figures(home, home / "figures", ["losses"])
    page = files[-1].read_text()
    for path in files[:-1]:
        assert f"![{figures.alternative(path)}]({path.name})" in page
    rows = {
        line.split("|")[2].strip(): [cell.strip() for cell in line.split("|")[3:-1]]
        for line in page.splitlines()
        if line.startswith("| MNIST")
    }
    assert rows["VAE: `vae-two`"][2:5] == ["9", "80", "90 nats at most"]  # the lower FID of two
    assert rows["AE: `ae-tiny-16`"][-2:] == [f"{SQUARED}, SSIM", "cannot sample, gives no likelihood"]
    assert rows["GAN: `gan-tiny`"][-2:] == ["FID, diversity", "cannot reconstruct, gives no likelihood"]
    assert rows["RealNVP: `realnvp-tiny`"][4] == "1.5 bits/dim at most"
