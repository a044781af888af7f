"""starter/support/data.py: the images that every lab trains on."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets import prepare
from grading.content.overlay import ROOT
from starter.support import data

OFFICIAL = Path(os.environ.get("COURSE_DATA") or ROOT.parent / "shared" / "data")
needs_official = pytest.mark.skipif(
    not (OFFICIAL / "MNIST").is_dir(), reason=f"official files not found: set COURSE_DATA (looked in {OFFICIAL})"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("DATA", raising=False)
    monkeypatch.delenv("DATASETS_CACHE", raising=False)


@pytest.fixture
def images():
    """5 images of 2x3 pixels whose value is their index, so that a pixel tells which image it came from."""
    index = torch.arange(5, dtype=torch.uint8)
    return data.Images(index.view(5, 1, 1, 1).expand(5, 1, 2, 3).clone(), index.long() * 10, levels=5, name="five")


def save_prepared(cache: Path, name: str = "mnist", **arrays: np.ndarray) -> Path:
    """A prepared set of 20 images whose pixels equal their label."""
    y = np.arange(20, dtype=np.uint8)
    x = np.tile(y[:, None, None, None], (1, 1, 4, 5))
    (cache / name).mkdir(parents=True)
    for key, array in ({"train_x": x, "train_y": y, "test_x": x, "test_y": y} | arrays).items():
        np.save(cache / name / f"{key.replace('_', '-')}.npy", array)
    return cache


def one_line(raised: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- the embedded digits


@pytest.mark.parametrize(("name", "side", "levels"), [("digits", 8, 17), ("digits16", 16, 256)])
def test_the_embedded_digits_split_into_1500_and_297_images(name, side, levels):
    train, test = data.load(name), data.load(name, "test")
    assert (len(train), len(test)) == (1500, 297)
    for images in (train, test):
        assert (images.shape, images.levels, images.classes, images.name) == ((1, side, side), levels, 10, name)
        assert (images.x.dtype, images.y.dtype) == (torch.uint8, torch.int64)
        assert 0 == images.x.min() and images.x.max() == levels - 1


def test_the_splits_together_are_exactly_scikit_learns_digits():
    from sklearn.datasets import load_digits

    bunch = load_digits()
    official = Counter((x.tobytes(), y) for x, y in zip(bunch.images.astype(np.uint8), bunch.target.tolist()))
    splits = [data.load("digits", split) for split in ("train", "test")]
    ours = Counter((x.numpy().tobytes(), int(y)) for images in splits for x, y in zip(images.x, images.y))
    assert ours == official


def test_a_slice_of_the_digits_is_a_fair_sample():
    """In file order the labels run 0, 1, ..., 9, 0, 1, ...: people wrote them one after another."""
    from sklearn.datasets import load_digits

    y = data.load("digits").y
    assert y[:10].tolist() != load_digits().target[:10].tolist()
    assert torch.bincount(y[:300], minlength=10).min() >= 15


def test_loading_twice_gives_the_same_order_whatever_the_seed():
    torch.manual_seed(1)
    first = data.load("digits16")
    torch.manual_seed(2)
    second = data.load("digits16")
    assert first.x.equal(second.x) and first.y.equal(second.y)
    assert first.y[:10].tolist() == [2, 8, 2, 6, 6, 7, 1, 9, 8, 5], "the order that reference outputs were made with"


def test_digits16_are_the_digits_enlarged():
    small, large = data.load("digits", "test"), data.load("digits16", "test")
    assert small.y.equal(large.y)
    shrunk = torch.nn.functional.avg_pool2d(large.pixels(), 2)
    assert (shrunk - small.pixels()).abs().mean() < 0.05
    assert torch.corrcoef(torch.stack([shrunk.flatten(), small.pixels().flatten()]))[0, 1] > 0.98


def test_verify_says_that_the_embedded_data_are_as_expected():
    says = "Embedded images: 1,797 digits of 8x8 pixels in 17 grey levels and 10,000 of MNIST in 16x16, as expected."
    assert data.verify() == says


@pytest.mark.parametrize("change", ["pixel", "label", "missing"])
def test_verify_notices_other_data(monkeypatch, change):
    x, y = data.digits()
    if change == "pixel":
        x[1000, 3, 3] ^= 1
    if change == "label":
        y[1000] = (y[1000] + 1) % 10
    kept = 1796 if change == "missing" else 1797
    monkeypatch.setattr(data, "digits", lambda: (x[:kept], y[:kept]))
    with pytest.raises(data.DataError, match="pip install") as raised:
        data.verify()
    one_line(raised)


def test_importing_the_module_does_not_import_scikit_learn():
    code = "import sys; from starter.support import data; sys.exit(bool({'sklearn', 'torchvision'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# ---- which set


def test_the_environment_names_the_default_set(monkeypatch):
    assert data.load().name == data.DEFAULT
    monkeypatch.setenv("DATA", "digits")
    assert data.load().name == "digits"
    assert data.load("digits16").name == "digits16"
    monkeypatch.setenv("DATA", "")
    assert data.load().name == data.DEFAULT


@pytest.mark.parametrize(
    ("name", "says"),
    [("digit", "digits"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"), ("imagenet", "take digits")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, says):
    with pytest.raises(data.DataError, match=says) as raised:
        data.load(name)
    assert name in one_line(raised)


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_an_unknown_split_is_one_line(name):
    with pytest.raises(data.DataError, match="take train or test") as raised:
        data.load(name, "valid")
    one_line(raised)


# ---- prepared sets


@pytest.mark.parametrize("name", data.PREPARED)
def test_a_missing_set_names_the_command_that_prepares_it(name, tmp_path):
    with pytest.raises(data.DataError) as raised:
        data.load(name, cache=tmp_path)
    assert one_line(raised).endswith(f"python datasets/prepare.py {name}")


def test_images_and_labels_of_a_prepared_set_are_shuffled_together(tmp_path):
    images = data.load("mnist", "test", cache=save_prepared(tmp_path))
    assert images.x[:, 0, 0, 0].equal(images.y.byte()) and images.shape == (1, 4, 5)
    assert images.y.tolist() != list(range(20)) and sorted(images.y.tolist()) == list(range(20))
    assert images.y.equal(data.load("mnist", "test", cache=tmp_path).y)


def test_the_cache_is_where_prepare_puts_it(tmp_path, monkeypatch, capsys):
    for folder in (ROOT, ROOT / "datasets"):  # where tests run, and one below, as notebooks do
        monkeypatch.chdir(folder)
        assert data.cache_folder() == prepare.HERE / "cache"
    monkeypatch.setenv("DATASETS_CACHE", str(save_prepared(tmp_path)))
    assert len(data.load("mnist")) == 20
    prepare.main(["--list"])
    assert "here" in capsys.readouterr().out


def test_every_set_that_prepare_knows_can_be_loaded():
    import tomllib

    registry = tomllib.loads((ROOT / "datasets" / "registry.toml").read_text(encoding="utf-8"))
    assert tuple(name for name, spec in registry.items() if spec["format"] != "as-is") == data.PREPARED


@pytest.mark.parametrize(
    "damage",
    [
        {"train_x": np.zeros((20, 4, 5), np.uint8)},
        {"train_x": np.zeros((20, 1, 4, 5), np.float32)},
        {"train_y": np.zeros(19, np.uint8)},
        {"train_y": np.zeros(20, np.float64)},
    ],
    ids=["no-channel", "floats", "labels-missing", "labels-float"],
)
def test_a_damaged_set_names_the_command_that_repairs_it(tmp_path, damage):
    save_prepared(tmp_path, **damage)
    with pytest.raises(data.DataError, match="repair it with: python datasets/prepare.py mnist") as raised:
        data.load("mnist", cache=tmp_path)
    one_line(raised)


@pytest.mark.parametrize("content", [b"", b"?", b"PK\3\4"])
def test_a_file_that_is_no_array_names_the_command_that_repairs_it(tmp_path, content):
    (save_prepared(tmp_path) / "mnist" / "train-y.npy").write_bytes(content)
    with pytest.raises(data.DataError, match="repair it with"):
        data.load("mnist", cache=tmp_path)


def test_a_prepared_file_cannot_run_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    save_prepared(tmp_path, train_x=np.array([Trap()], dtype=object))
    with pytest.raises(data.DataError, match="repair it with"):
        data.load("mnist", cache=tmp_path)
    assert not (tmp_path / "sprung").exists()


@needs_official
def test_mnist_from_the_official_files_is_mnist(tmp_path, capsys):
    assert prepare.main(["mnist", "--source", str(OFFICIAL), "--cache", str(tmp_path)]) == 0
    train, test = data.load("mnist", cache=tmp_path), data.load("mnist", "test", cache=tmp_path)
    assert (len(train), len(test), train.shape, train.classes) == (60_000, 10_000, (1, 28, 28), 10)
    assert train.pixels().mean().item() == pytest.approx(0.1307, abs=1e-4)  # the mean that every tutorial subtracts
    ones, eights = test.pixels(test.y == 1).mean(), test.pixels(test.y == 8).mean()
    assert ones < 0.6 * eights, "labels belong to their images: a 1 has half the ink of an 8"


# ---- batches


def test_pixels_run_from_0_to_1(images):
    assert images.pixels().dtype == torch.float32
    assert images.pixels()[:, 0, 0, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert images.pixels(slice(3)).shape == (3, 1, 2, 3) and images.pixels(4).shape == (1, 2, 3)
    assert images.pixels(torch.tensor([4, 0])).shape == (2, 1, 2, 3)


def test_one_pass_sees_every_image_once_with_its_own_label(images):
    passed = list(data.batches(images, 2))
    assert [len(x) for x, _ in passed] == [2, 2, 1]
    x, y = (torch.cat(parts) for parts in zip(*passed))
    assert x.dtype == torch.float32 and x.shape == (5, 1, 2, 3) and y.dtype == torch.int64
    assert sorted(y.tolist()) == [0, 10, 20, 30, 40]
    assert (x[:, 0, 1, 2] * 40).long().equal(y)


def test_batches_leave_the_images_alone(images):
    before = images.x.clone()
    for x, _ in data.batches(images, 2):
        x.zero_()
    assert images.x.equal(before)


@pytest.mark.parametrize(("batch_size", "sizes"), [(2, [2, 2]), (5, [5]), (6, []), (1, [1] * 5)])
def test_drop_last_gives_full_batches_only(images, batch_size, sizes):
    assert [len(x) for x, _ in data.batches(images, batch_size, drop_last=True)] == sizes


def test_the_generator_decides_the_order_and_nothing_else_does():
    images = data.load("digits", "test")

    def labels(seed: int) -> list[int]:
        torch.rand(1)  # the global generator has moved on
        return torch.cat([y for _, y in data.batches(images, 50, torch.Generator().manual_seed(seed))]).tolist()

    assert labels(0) == labels(0) != labels(1)
    generator = torch.Generator().manual_seed(0)
    passes = [torch.cat([y for _, y in data.batches(images, 50, generator)]).tolist() for _ in range(2)]
    assert passes[0] == labels(0) != passes[1], "each epoch has an order of its own"


def test_a_batch_size_below_1_is_refused(images):
    with pytest.raises(ValueError, match="batch_size"):
        next(data.batches(images, 0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device to load images onto")
def test_batches_arrive_on_the_device(images):
    for x, y in data.batches(images, 2, device="cuda"):
        assert x.is_cuda and y.is_cuda and (x[:, 0, 0, 0] * 40).long().equal(y)


# ---- other sizes


def test_pad_puts_black_around_unchanged_images(images):
    padded = data.pad(images, 6)
    assert padded.shape == (1, 6, 6) and padded.levels == 5 and padded.x[:, :, 2:4, 1:4].equal(images.x)
    assert padded.x.sum() == images.x.sum()
    assert data.pad(images, 4).shape == (1, 4, 4), "an odd difference is split as evenly as it goes"
    with pytest.raises(ValueError, match="resized"):
        data.pad(images, 2)


def test_resized_keeps_flat_images_flat_and_counts_in_256_levels(images):
    large = data.resized(images, 7, channels=3)
    assert (large.shape, large.levels, large.x.dtype) == ((3, 7, 7), 256, torch.uint8)
    assert large.pixels().sub(images.pixels()[:, :, :1, :1]).abs().max() < 1 / 255
    assert large.y.equal(images.y)


def test_resized_to_the_same_size_changes_no_pixel():
    images = data.load("digits", "test")
    same, rgb = data.resized(images, 8), data.resized(images, 8, channels=3)
    assert same.x.equal(images.x) and same.levels == rgb.levels == 17
    assert all(rgb.x[:, c].equal(images.x[:, 0]) for c in range(3))


def test_resized_is_antialiased_so_that_fine_stripes_turn_grey():
    stripes = torch.zeros(1, 1, 33, 33, dtype=torch.uint8)
    stripes[..., ::2] = 255
    grey = data.resized(data.Images(stripes, torch.zeros(1).long(), 256, "stripes"), 11).pixels()
    assert (grey[..., 1:-1] - 0.5).abs().max() < 0.1


def test_resized_is_the_same_in_one_go_and_in_chunks():
    images = data.load("digits", "test")
    many = data.Images(images.x.repeat(16, 1, 1, 1), images.y.repeat(16), 17, "many")
    assert len(many) > 4096
    assert data.resized(many, 12).x[-297:].equal(data.resized(images, 12).x)


def test_colour_is_not_repeated():
    rgb = data.resized(data.load("digits", "test"), 8, channels=3)
    assert data.resized(rgb, 16, channels=3).shape == (3, 16, 16)
    with pytest.raises(ValueError, match="grey"):
        data.resized(rgb, 16, channels=1)
