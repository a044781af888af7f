"""The small MNIST that comes with the course: what it holds, and that the official files give it."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from datasets import make_mnist16, prepare
from grading.content.overlay import ROOT
from starter.support import data

OFFICIAL = Path(os.environ.get("COURSE_DATA") or ROOT.parent / "shared" / "data")
needs_official = pytest.mark.skipif(
    not (OFFICIAL / "MNIST").is_dir(), reason=f"official files not found: set COURSE_DATA (looked in {OFFICIAL})"
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """MNIST, prepared from the official files."""
    cache = tmp_path_factory.mktemp("cache")
    assert prepare.main(["mnist", "--source", str(OFFICIAL), "--cache", str(cache)]) == 0
    return cache


@pytest.mark.parametrize(("split", "each"), [("train", 800), ("test", 200)])
def test_each_split_has_as_many_of_every_digit_in_every_part(split, each):
    images = data.load("mnist16", split)
    assert (images.shape, images.levels, images.classes, images.name) == ((1, 16, 16), 256, 10, "mnist16")
    assert (images.x.dtype, images.y.dtype, len(images)) == (torch.uint8, torch.int64, 10 * each)
    assert images.y.bincount().tolist() == [each] * 10
    assert (images.x.amin().item(), images.x.amax().item()) == (0, 255)
    quarters = images.y.reshape(4, -1)
    assert all(0.5 * each < 4 * count < 1.5 * each for part in quarters for count in part.bincount(minlength=10))


def test_no_image_is_there_twice():
    both = np.concatenate([data.load("mnist16", split).x.numpy() for split in ("train", "test")])
    assert len(np.unique(both.reshape(10_000, -1), axis=0)) == 10_000


def test_pixels_are_means_of_the_area_that_they_cover():
    x = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    for crop in (16, 20, 22, 24, 28):
        margin = (28 - crop) // 2
        middle = torch.from_numpy(x[:, margin : 28 - margin, margin : 28 - margin])[:, None].double()
        fine = F.interpolate(middle, scale_factor=16, mode="nearest")  # 16 parts a side: means of crop x crop of them
        expected = F.avg_pool2d(fine, crop)[:, 0].numpy()
        seen = make_mnist16.shrunk(x, crop)
        assert seen.shape == (20, 16, 16) and seen.dtype == np.uint8
        assert np.abs(seen - expected).max() <= 0.5 + 1e-9
    assert (make_mnist16.shrunk(np.full((1, 28, 28), 255, np.uint8)) == 255).all()


@needs_official
def test_the_official_files_give_the_kept_file(cache, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DATASETS_CACHE", str(cache))
    kept = data.MNIST16.read_bytes()
    arrays = data.mnist16()
    monkeypatch.setattr(data, "MNIST16", tmp_path / "mnist16" / "mnist16.npz")
    assert make_mnist16.main() == 0
    assert data.MNIST16_SHA256 in capsys.readouterr().out
    assert all(np.array_equal(array, arrays[name]) for name, array in data.mnist16().items())
    if sys.platform == "linux":  # elsewhere zip files carry another mark of their system
        assert data.MNIST16.read_bytes() == kept


@needs_official
def test_its_test_images_are_of_the_official_test_file(cache):
    """And those that it trains on of the other: no writer is in both."""
    for split in ("train", "test"):
        known = make_mnist16.shrunk(np.load(cache / "mnist" / f"{split}-x.npy")[:, 0])
        known = {image.tobytes() for image in known}
        assert all(image.numpy().tobytes() in known for image in data.load("mnist16", split).x)


def test_without_mnist_the_script_says_how_to_get_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DATASETS_CACHE", str(tmp_path))
    kept = data.MNIST16.read_bytes()
    assert make_mnist16.main() == 2
    assert capsys.readouterr().err == (
        f"make_mnist16: mnist is not in {tmp_path}: prepare it with: python datasets/prepare.py mnist\n"
    )
    assert data.MNIST16.read_bytes() == kept


@pytest.mark.parametrize("damage", ["missing", "cut", "no archive", "other images", "code"])
def test_a_damaged_file_is_one_line(damage, monkeypatch, tmp_path):
    arrays, path = data.mnist16(), tmp_path / "mnist16.npz"
    monkeypatch.setattr(data, "MNIST16", path)
    if damage == "cut":
        path.write_bytes((ROOT / "starter/support/mnist16/mnist16.npz").read_bytes()[:100_000])
    if damage == "no archive":
        path.write_bytes(gzip.compress(b"?"))
    if damage == "other images":
        np.savez_compressed(path, **arrays | {"train-x": arrays["train-x"][::-1]})
    if damage == "code":

        class Trap:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "sprung"),)

        np.savez_compressed(path, **arrays | {"train-x": np.array([Trap()], dtype=object)})
    with pytest.raises(data.DataError) as raised:
        data.load("mnist16")
    assert "\n" not in str(raised.value) and str(raised.value).startswith(f"{path} is damaged (")
    assert not (tmp_path / "sprung").exists()


def test_its_licence_and_checksum_stand_beside_it():
    note = (data.MNIST16.parent / "README.md").read_text(encoding="utf-8")
    licence = "https://creativecommons.org/licenses/by-sa/3.0/"
    assert all(said in note for said in ("Yann LeCun and Corinna Cortes", licence, data.MNIST16_SHA256))
    assert data.MNIST16.stat().st_size < 1_400_000


def test_loading_it_imports_neither_scikit_learn_nor_pillow():
    slow = "{'sklearn', 'PIL', 'scipy'} & set(sys.modules)"
    code = f"import sys; from starter.support import data; data.load('mnist16'); print({slow})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
