"""starter/support/inception_features.py with a small network in Inception's place, in a file of the same kind."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from datasets import prepare
from starter.support import data, features, inception_features


class Layers(nn.Module):
    """What comes after resizing: (B, 3, 299, 299) around 0 to 2,048 numbers, each from another place of the image."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(x.mean(dim=1), (32, 64)).flatten(1)


class Stub(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()

    def forward(self, x: Tensor, return_features: bool = True) -> Tensor:
        return self.layers(x)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A cache with a network in it."""
    monkeypatch.setenv("DATASETS_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("something opened a connection"))
    path = tmp_path / "inception" / inception_features.FILE
    path.parent.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Stub()).save(str(path))
    return path


def test_without_the_weights_the_one_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DATASETS_CACHE", str(tmp_path))
    assert not inception_features.ready()
    with pytest.raises(data.DataError) as raised:
        inception_features.features(torch.rand(2, 1, 16, 16))
    assert str(raised.value).endswith(inception_features.COMMAND) and "\n" not in str(raised.value)


def test_the_file_is_where_prepare_puts_it():
    sets = prepare.tomllib.loads((prepare.HERE / "registry.toml").read_text(encoding="utf-8"))
    assert [file["name"] for file in sets["inception"]["files"]] == [inception_features.FILE]
    assert sets["inception"]["format"] == "as-is" and inception_features.COMMAND.endswith(" inception")


def test_the_address_is_the_one_that_clean_fid_asks():
    from cleanfid.downloads_helper import inception_url

    sets = prepare.tomllib.loads((prepare.HERE / "registry.toml").read_text(encoding="utf-8"))
    assert sets["inception"]["mirrors"][0] + inception_features.FILE == inception_url


def test_features_are_those_that_clean_fid_reads_from_files(weights, tmp_path, capfd):
    """clean-fid's own folder mode: its reading, resizing and scaling, and its wrapper around the weights."""
    inception_features.load.cache_clear()
    from cleanfid.fid import get_folder_features
    from cleanfid.inception_torchscript import InceptionV3W

    x, folder = torch.randint(0, 256, (5, 1, 12, 16), dtype=torch.uint8), tmp_path / "files"
    folder.mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image[0].numpy()).save(folder / f"{i}.png")
    cpu = torch.device("cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # ours is silent
        ours = inception_features.features(x.float() / 255)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = InceptionV3W(str(weights.parent), download=False)
    theirs = get_folder_features(str(folder), net, num_workers=0, device=cpu, mode="clean", verbose=False)
    assert ours.shape == (5, inception_features.DIM) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.ptp(ours, axis=0).max() > 0.1, "different images have different features"
    assert capfd.readouterr() == ("", "")


def test_chunks_do_not_show(weights, monkeypatch):
    x = torch.rand(5, 3, 16, 16)
    together = inception_features.features(x)
    monkeypatch.setattr(inception_features, "CHUNK", 2)
    np.testing.assert_array_equal(inception_features.features(x), together)


def test_bad_images_and_damaged_weights_are_one_line(weights):
    with pytest.raises(ValueError, match="divide them by 255"):
        inception_features.features(torch.full((2, 1, 16, 16), 255.0))
    weights.write_bytes(weights.read_bytes()[:1000])
    inception_features.load.cache_clear()
    with pytest.raises(data.DataError, match=f"is damaged: repair it with: {inception_features.COMMAND}$"):
        inception_features.features(torch.rand(2, 1, 16, 16))


def test_too_few_images_for_2048_features_are_refused(weights):
    f = inception_features.features(torch.rand(40, 1, 16, 16))
    with pytest.raises(ValueError, match="FID of 40 images in 2048 features"):
        features.frechet(f, f)


def few_features(x: Tensor) -> np.ndarray:
    """Five numbers of an image, in place of 2,048."""
    return x.flatten(1)[:, :5].numpy()


@pytest.fixture
def birds(tmp_path, monkeypatch):
    monkeypatch.setenv("DATASETS_CACHE", str(tmp_path))
    calls = []
    monkeypatch.setattr(inception_features, "features", lambda x: calls.append(len(x)) or few_features(x))
    pixels = torch.randint(0, 256, (1500, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return data.Images(pixels, torch.zeros(1500), 256, "birds"), calls


def test_the_statistics_of_a_set_are_measured_once_and_kept_in_the_cache(birds, tmp_path):
    images, calls = birds
    first, again = inception_features.statistics(images), inception_features.statistics(images)
    seen = few_features(images.pixels())
    assert calls == [1024, 476]
    for (mu, sigma), kept in ((first, again), (again, np.load(tmp_path / "birds/inception.npz").values())):
        np.testing.assert_allclose(mu, seen.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(sigma, np.cov(seen.T), rtol=1e-4, atol=1e-7)
        np.testing.assert_array_equal(mu, list(kept)[0])


def test_fid_against_a_set_is_the_distance_of_its_features(birds):
    images, _ = birds
    x = torch.rand(300, 3, 4, 4, generator=torch.Generator().manual_seed(1)) ** 2
    expected = features.frechet(few_features(x), few_features(images.pixels()))
    assert inception_features.fid(x, images) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="FID of 4 images in 5 features"):
        inception_features.fid(x[:4], images)
