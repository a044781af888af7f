"""CIFAR-10 and the birds: small archives of the same layout, from the server of test_datasets and from this disk."""

import gzip
import hashlib
import io
import json
import os
import pickle
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import archives, prepare
from starter.support import data
from tests.course.datasets.test_prepare import LIMITS, OFFICIAL, server  # noqa: F401  (a fixture)

CIFAR, BIRDS = "cifar-10-python.tar.gz", "train-x.gz"  # the second: the name with which the server is ill-mannered
SIZES = {"train": 14, "test": 5}


def packed(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(memory.getvalue(), mtime=0)


def batch(seed: int, count: int = 3) -> bytes:
    """As Python 2 pickled it, up to how bytes are written."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    content = {b"data": images, b"labels": rng.integers(0, 10, count).tolist(), b"batch_label": b"one"}
    return pickle.dumps(content, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def cifar_files() -> dict[str, bytes]:
    return {f"cifar-10-batches-py/{name}": batch(i) for i, name in enumerate(archives.BATCHES)}


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (90, 60)) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", size, colour).save(memory, "JPEG", quality=95)
    return memory.getvalue()


def bird_files() -> dict[str, bytes]:
    """19 birds in colour, whose red says which they are, two grey ones, and what else lies in the archive."""
    birds = {f"CUB_200_2011/images/{1 + i % 4:03}.Kind/Bird_{i:04}.jpg": jpeg((10 * i, 90, 200)) for i in range(19)}
    grey = {f"CUB_200_2011/images/007.Gull/{name}.jpg": jpeg((9, 9, 9)) for name in sorted(archives.GREY)[:2]}
    return birds | grey | {"CUB_200_2011/images.txt": b"1 a", "attributes.txt": b"x", "CUB_200_2011/README": b"x"}


@pytest.fixture
def birds(server, tmp_path, monkeypatch, capsys):  # noqa: F811
    """Prepare the birds from mirrors that behave as they are called."""
    monkeypatch.setattr(archives, "TEST_BIRDS", SIZES["test"])

    def call(*argv: str, code: int = 0, mirrors: tuple[str, ...] = ("good",), files: dict | None = None) -> str:
        content = packed(bird_files() if files is None else files)
        server.files = {BIRDS: content}
        lines = ["[cub]", 'format = "birds"', "size = 32", 'title = ""', 'licence = ""', 'folder = "CUB"']
        lines += [f"mirrors = {json.dumps([f'{server.url}/{manner}/' for manner in mirrors])}", "[[cub.files]]"]
        lines += [f'name = "{BIRDS}"', f"size = {len(content)}", f'sha256 = "{hashlib.sha256(content).hexdigest()}"']
        lines += ['gives = ["train-x", "train-y", "test-x", "test-y"]', "[cub.arrays]"]
        for split, count in SIZES.items():
            lines += [f"{split}-x = {{ shape = [{count}, 3, 32, 32] }}", f"{split}-y = {{ shape = [{count}] }}"]
        (tmp_path / "registry.toml").write_text("\n".join(lines))
        argv = [*(argv or ("cub",)), "--cache", str(tmp_path / "cache")]
        assert prepare.main(argv, tmp_path / "registry.toml", LIMITS) == code
        out, err = capsys.readouterr()
        assert err.count("\n") == (code != 0)
        return out + err

    return call


def kept(tmp_path: Path, name: str = "cub") -> dict[str, np.ndarray]:
    return {path.stem: np.load(path) for path in sorted((tmp_path / "cache" / name).glob("*.npy"))}


# ---- CIFAR-10


@pytest.mark.parametrize("as_folder", [False, True])
def test_five_batches_are_the_training_set_and_the_sixth_the_test_set(tmp_path, as_folder):
    if as_folder:
        path = tmp_path / "cifar-10-batches-py"
        path.mkdir()
        for name, content in cifar_files().items():
            (path / Path(name).name).write_bytes(content)
    else:
        path = tmp_path / CIFAR
        path.write_bytes(packed(cifar_files()))
    train_x, train_y, test_x, test_y = archives.read_cifar(path, {})
    assert (train_x.shape, test_x.shape) == ((15, 3, 32, 32), (3, 3, 32, 32)) and train_x.dtype == np.uint8
    assert (train_y.shape, test_y.shape, test_y.dtype) == ((15,), (3,), np.uint8)
    rng = np.random.default_rng(1)
    second = rng.integers(0, 256, (3, 3072), dtype=np.uint8)  # rows, then columns, of red, then green, then blue
    assert np.array_equal(train_x[3:6, 1, 4, 7], second[:, 1024 + 4 * 32 + 7])
    assert train_y[3:6].tolist() == rng.integers(0, 10, 3).tolist()


def test_a_pickle_that_asks_for_a_program_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    files = cifar_files() | {"cifar-10-batches-py/data_batch_3": pickle.dumps({b"data": Evil()}, protocol=3)}
    (tmp_path / CIFAR).write_bytes(packed(files))
    with pytest.raises(
        prepare.Problem, match=r"data_batch_3 is no batch of CIFAR-10 \(it asks for (posix|nt)\.mkdir\)"
    ):
        archives.read_cifar(tmp_path / CIFAR, {})
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no archive", "is a broken archive"),
        (packed(cifar_files())[:-300], "is a broken archive"),
        (packed({"a": b""}), "data_batch_1 is missing"),
        (packed(cifar_files() | {"x/data_batch_1": b"nonsense"}), "data_batch_1 is no batch"),
    ],
)
def test_a_damaged_archive_is_one_line(tmp_path, content, words):
    (tmp_path / CIFAR).write_bytes(content)
    with pytest.raises(prepare.Problem, match=words):
        archives.read_cifar(tmp_path / CIFAR, {})


@pytest.mark.skipif(
    not (OFFICIAL / "CIFAR10").is_dir(), reason=f"official files not found: set COURSE_DATA (looked in {OFFICIAL})"
)
def test_the_official_batches_are_what_the_registry_says(tmp_path):
    """Rebuilt from lossless packs by the script beside them, which compares them with their published MD5."""
    import subprocess
    import sys

    script = OFFICIAL / "CIFAR10/unpack_cifar10.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    assert prepare.main(["cifar10", "--source", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 0
    images = data.load("cifar10", "test", cache=tmp_path / "cache")
    assert images.shape == (3, 32, 32) and images.classes == 10 and len(images) == 10_000


# ---- birds


def test_birds_are_shrunk_and_the_grey_ones_left_out(birds, tmp_path):
    assert "ready" in birds()
    arrays = kept(tmp_path)
    assert {name: array.shape for name, array in arrays.items()} == {
        "train-x": (14, 3, 32, 32),
        "train-y": (14,),
        "test-x": (5, 3, 32, 32),
        "test-y": (5,),
    }
    reds = np.concatenate([arrays["train-x"], arrays["test-x"]])[:, 0].mean(axis=(1, 2))
    which = np.rint(reds / 10).astype(int)  # whole numbers of ten: nothing of the colour is lost
    assert sorted(which) == list(range(19)) and np.abs(reds - 10 * which).max() < 2.5
    assert np.concatenate([arrays["train-y"], arrays["test-y"]]).tolist() == [i % 4 for i in which]
    assert which.tolist() == np.random.RandomState(0).permutation(19).tolist()


def test_shrinking_averages_over_what_a_pixel_covers():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # every second column: picking single pixels would give black or white
    memory = io.BytesIO()
    Image.fromarray(stripes).save(memory, "JPEG", quality=100, subsampling=0)
    _, _, small = archives.shrunk(("stripes", 0, memory.getvalue(), 16))
    assert small.shape == (3, 16, 16) and np.abs(small.astype(int) - 127).max() < 12


def test_another_size_has_a_place_of_its_own(birds, tmp_path):
    birds("cub-16")
    assert kept(tmp_path, "cub-16")["train-x"].shape == (14, 3, 16, 16)
    assert data.load("cub-16", cache=tmp_path / "cache").shape == (3, 16, 16)
    assert "in order" in birds("--check", "cub-16")
    birds("--remove", "cub-16")
    assert not (tmp_path / "cache/cub-16").exists()


@pytest.mark.parametrize("name", ["cub-4", "cub-x", "cub-1000", "mnist-64"])
def test_a_size_that_makes_no_sense_is_refused(birds, name):
    assert f"there is no data set '{name}'" in birds(name, code=2)


@pytest.mark.parametrize("manner", ["once", "restarts", "stalls", "wrong", "lies", "longer", "404"])
def test_an_archive_survives_a_mirror_that_misbehaves(birds, tmp_path, manner):
    birds(mirrors=(manner, "good"))
    assert len(kept(tmp_path)["train-x"]) == 14


def test_a_set_without_checksums_in_the_registry_is_verified_by_those_of_its_making(birds, tmp_path, server):  # noqa: F811
    birds()
    server.log.clear()
    birds()
    assert not server.log, "nothing is fetched twice"
    path = tmp_path / "cache/cub/train-x.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert "train-x.npy holds other values" in birds("--check", code=2)
    birds()
    assert "in order" in birds("--check")


def test_what_was_never_finished_is_made_again(birds, tmp_path):
    birds()
    (tmp_path / "cache/cub/made.json").unlink()
    assert "holds other values" in birds("--check", code=2)
    birds()
    assert "in order" in birds("--check")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"CUB_200_2011/images/001.Kind/Bird_0004.jpg": b"no jpeg"}, "Bird_0004.jpg cannot be read"),
        ({"CUB_200_2011/images/001.Kind/More.jpg": jpeg((1, 2, 3))}, "holds 20 photographs in colour, 19 are expected"),
    ],
)
def test_an_archive_of_other_content_is_refused_and_leaves_nothing(birds, tmp_path, change, words):
    assert words in birds(code=2, files=bird_files() | change)
    assert not list((tmp_path / "cache").rglob("*.np*"))


def test_the_eight_grey_photographs_have_names_of_the_archive():
    assert len(archives.GREY) == 8
    assert all(re.fullmatch(r"[A-Z][A-Za-z_]+_\d{4}_\d+", name) for name in archives.GREY)
