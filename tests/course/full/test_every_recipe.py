"""Every named system trains from the command line, and leaves its pictures and its numbers."""

import json

import numpy as np
import pytest

from starter.support import recipes
from starter.support.full import cli, gallery

GAMES = [name for name, recipe in recipes.RECIPES.items() if recipe.lr is None]
MAPS = ("ae-small", "vqvae-mnist", "vqvae-cifar10")  # their code is a map, not a vector
PICTURES = {"samples": "samples/step-000002.png", "reconstructions": "reconstructions/step-000002.png"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Noise in the shapes of the real data sets, where `prepare.py` would have put them."""
    home, noise = tmp_path_factory.mktemp("cache"), np.random.default_rng(0)
    for name, shape in {shape: recipe.shape for recipe in recipes.RECIPES.values() for shape in recipe.data}.items():
        (home / name).mkdir()
        for split, count in (("train", 60), ("test", 40)):
            np.save(home / name / f"{split}-x.npy", noise.integers(0, 256, (count, *shape), dtype=np.uint8))
            np.save(home / name / f"{split}-y.npy", np.arange(count, dtype=np.uint8) % 10)
    return home


@pytest.fixture
def trained(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("DATASETS_CACHE", str(cache))
    monkeypatch.setattr(gallery, "COLUMNS", 3)

    def train(name: str, *options: str) -> dict:
        given = ["--recipe", name, "--impl", "starter", "--out", str(tmp_path), "--steps", "2", "--batch-size", "4"]
        assert cli.train([*given, "--no-tensorboard", *options]) == 0
        return json.loads((tmp_path / "results.json").read_text())

    return train


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_trains_and_leaves_its_pictures_and_scores(name, trained, tmp_path):
    found, recipe = trained(name), recipes.RECIPES[name]
    assert found["steps"] == 2 and found["images"]["test"] == 40
    drawn = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    encoder = name not in GAMES and not name.startswith("realnvp")
    assert (PICTURES["reconstructions"] in drawn) == ("SSIM" in found["test"]) == encoder
    assert ("traversal.png" in drawn) == (encoder and name not in MAPS)
    assert (PICTURES["samples"] in drawn) != name.startswith("ae-"), "an autoencoder is no generator"
    assert "interpolation.png" in drawn
    assert ("loss" in found["test"]) == (name not in GAMES)
    assert ("validation" in found["curves"]) == bool(recipe.held_out), "on the last step at least"
    judge = {1: "FID, features of MNIST", 3: "FID, features of CIFAR-10"}[recipe.shape[0]]
    draws = "diversity" in found["test"]  # its samples are finite numbers
    assert [name for name in found["test"] if name.startswith("FID")] == [judge] * draws
    assert draws or name.startswith(("ae-", "realnvp-cifar"))
    assert set(found["training"]) and recipe.reported == found["reported"]
