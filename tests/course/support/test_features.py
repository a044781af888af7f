"""starter/support/features.py: a distance between sets of images that sees noise, blur and dropped modes."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F

from grading.content.overlay import ROOT
from grading.maintain import train_features
from starter.support import data, features


@pytest.fixture(scope="module", autouse=True)
def digits():
    """Grey images are looked at by the network of scikit-learn's digits, whatever the notebooks work on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA", "digits16")
        yield


@pytest.fixture(scope="module")
def real(train, test):
    """FID of real against real images: the floor that sampling noise leaves."""
    return features.fid(train.pixels(), test.pixels())


def noisy(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return (x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def blurred(x: torch.Tensor) -> torch.Tensor:
    """The mean over 3x3 pixels."""
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def symmetric(f: np.ndarray, g: np.ndarray) -> float:
    """tr (S T)^(1/2) from eigenvalues only: S T has those of the symmetric S^(1/2) T S^(1/2)."""
    s, t = np.cov(f.astype(float), rowvar=False), np.cov(g.astype(float), rowvar=False)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    trace = np.sqrt(np.linalg.eigvalsh(root @ t @ root).clip(0)).sum()
    return np.square(f.mean(0, dtype=float) - g.mean(0, dtype=float)).sum() + np.trace(s + t) - 2 * trace


def by_sqrtm(f: np.ndarray, g: np.ndarray) -> float:
    """The definition (Heusel et al. 2017), word for word."""
    f, g = f.astype(float), g.astype(float)
    s, t = np.cov(f.T), np.cov(g.T)
    root = scipy.linalg.sqrtm(s @ t).real
    return np.linalg.norm(f.mean(0) - g.mean(0)) ** 2 + np.trace(s + t - 2 * root)


# ---- the network


def test_the_network_reads_at_least_97_percent_of_the_test_digits(test):
    assert features.accuracy(test.pixels(), test.y) >= 0.97
    assert features.accuracy(test.pixels(), (test.y + 1) % 10) <= 0.03
    assert features.accuracy(test.pixels()[:10], torch.zeros(10)) == (test.y[:10] == 0).float().mean()


def test_no_test_image_is_among_the_training_images(train, test):
    assert torch.cdist(test.pixels().flatten(1), train.pixels().flatten(1)).min() > 0.5


def test_class_probabilities_sum_to_one_and_are_sure_of_digits(test):
    probs = features.class_probs(test.pixels())
    assert probs.shape == (297, 10)
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(297))
    assert probs.max(dim=1).values.mean() > 0.9


def test_features_of_the_training_digits_have_mean_0_and_variance_1(train):
    f = features.features(train.pixels())
    assert (f.shape, f.dtype) == ((1500, features.DIM), np.float32)
    np.testing.assert_allclose(f.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(f.var(0), 1, atol=0.01)
    assert np.linalg.cond(np.cov(f.T)) < 1e4, "features that copy each other make the covariance nearly singular"


@pytest.mark.parametrize(
    ("network", "name", "size", "numbers"),
    [
        (features.DIGITS, "digits", 300_000, "F32"),
        (features.MNIST, "mnist", 300_000, "F32"),
        (features.CIFAR10, "cifar10", 1_000_000, "F16"),
    ],
    ids=["digits", "mnist", "cifar10"],
)
def test_the_weights_are_a_small_file_of_plain_numbers(network, name, size, numbers):
    """safetensors: 8 bytes of length, a JSON header, then the arrays back to back; nothing in it can run."""
    blob = network.weights.read_bytes()
    assert len(blob) <= size
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + length])
    told = header.pop("__metadata__")
    assert told["made by"] == f"python -m grading.maintain.train_features {name}"
    assert f" {told['right']} of " in network.untrained.__doc__, "it says what was measured"
    assert {entry["dtype"] for entry in header.values()} <= {numbers, "I64"}
    spans = sorted(entry["data_offsets"] for entry in header.values())
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert 8 + length + spans[-1][1] == len(blob)


def test_the_network_is_read_once_and_cannot_learn():
    for channels in (1, 3):
        net = features.load(channels)
        assert net is features.load(channels) and not net.training
        assert not any(p.requires_grad for p in net.parameters())
        assert {p.dtype for p in net.parameters()} == {torch.float32}


def test_training_twice_gives_the_same_network():
    plan = train_features.PLANS["digits"]._replace(epochs=1)
    for once in (plan, plan._replace(half=True)):
        first, second = (train_features.train(once).state_dict() for _ in range(2))
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_photographs_are_moved_by_whole_pixels_and_mirrored():
    x = torch.rand(1500, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    moved = train_features.moved_photographs(x)
    assert moved.shape == x.shape
    inner = x[:, :, 3:-3, 3:-3].flatten(1)  # in sight whatever the shift
    mirrored = x.flip(3)[:, :, 3:-3, 3:-3].flatten(1)
    seen = []
    for image, plain, turned in zip(moved, inner, mirrored):
        windows = image.unfold(1, 3, 1).unfold(2, 2, 1).permute(1, 2, 0, 3, 4).flatten(2)
        as_it_was = [tuple(place) for place in (windows == plain).all(dim=2).nonzero().tolist()]
        as_mirror = [tuple(place) for place in (windows == turned).all(dim=2).nonzero().tolist()]
        assert len(as_it_was) + len(as_mirror) >= 1
        seen += [(place, False) for place in as_it_was] + [(place, True) for place in as_mirror]
    assert len(set(seen)) == 7 * 7 * 2, "every shift of up to 3 pixels, with and without a mirror"


def test_a_network_that_does_not_exist_is_one_line(capsys):
    assert train_features.main(["faces"]) == 2
    assert capsys.readouterr().err == "train_features: there is no 'faces': take digits, mnist, cifar10\n"


def test_importing_the_module_imports_nothing_slow():
    slow = ["torchvision", "scipy", "cleanfid", "sklearn", "matplotlib", "PIL"]
    code = f"import sys, starter.support.features; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---- which images it takes


def test_each_kind_of_image_has_its_own_network(test):
    grey = test.pixels()
    assert not np.allclose(features.features(grey.expand(-1, 3, -1, -1)), features.features(grey), atol=0.5)
    assert [features.network(channels).score for channels in (1, 3)] == [
        "FID, features of digits",
        "FID, features of CIFAR-10",
    ]


@pytest.mark.parametrize("name", ["mnist16", "mnist"])
def test_where_the_notebooks_work_on_mnist_its_own_network_looks_at_grey_images(name, monkeypatch):
    small = data.load("mnist16", "test")
    others = features.accuracy(small.pixels(), small.y)
    monkeypatch.setenv("DATA", name)
    assert (features.network(1), features.network(3)) == (features.MNIST, features.CIFAR10)
    assert features.accuracy(small.pixels(), small.y) >= 0.98 > 0.85 > others
    f = features.features(data.load("mnist16").pixels())
    np.testing.assert_allclose(f.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(f.var(0), 1, atol=0.01)
    assert features.fid(small.pixels(slice(1000)), small.pixels(slice(1000, 2000))) < 0.3


def test_digits_of_8x8_pixels_give_the_features_of_their_16x16_version(test):
    small = data.load("digits", "test").pixels()
    np.testing.assert_allclose(features.features(small), features.features(test.pixels()), atol=0.03)


def test_a_digit_is_read_at_any_size(test):
    for size in ((28, 28), (64, 48)):
        x = F.interpolate(test.pixels(), size, mode="bilinear")
        assert features.accuracy(x, test.y) >= 0.97
    for x, side in ((torch.rand(2, 3, 9, 5), 32), (torch.rand(1, 1, 100, 40), 16)):
        resized = features.prepared(x.round())  # bicubic overshoots: still pixels afterwards
        assert resized.shape == (*x.shape[:2], side, side) and 0 <= resized.min() and resized.max() <= 1
    stripes = (torch.arange(62) % 2).float().expand(1, 1, 62, 62)
    assert (features.prepared(stripes) - 0.5).abs().max() < 0.1, "shrinking averages, or fine noise becomes coarse"


def test_an_image_has_the_same_features_in_any_company(test, monkeypatch):
    x = test.pixels()
    together = features.features(x)
    monkeypatch.setattr(features, "CHUNK", 50)
    np.testing.assert_allclose(features.features(x), together, atol=1e-4)
    np.testing.assert_allclose(features.features(x[7:8]), together[7:8], atol=1e-4)


def test_images_that_carry_a_gradient_and_arrays_are_taken_and_left_alone(test):
    x = test.pixels()[:40].requires_grad_()
    before = x.detach().clone()
    f = features.features(x)
    assert torch.equal(x, before) and x.grad is None
    np.testing.assert_array_equal(features.features(before.numpy()), f)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.rand(50, 16, 16), "images must have the shape (N, 1 or 3, H, W), not (50, 16, 16)"),
        (torch.rand(50, 2, 16, 16), "images must have the shape (N, 1 or 3, H, W), not (50, 2, 16, 16)"),
        (torch.rand(0, 1, 16, 16), "images must have the shape (N, 1 or 3, H, W), not (0, 1, 16, 16)"),
        (torch.full((50, 1, 2, 2), -0.5), "pixels must lie in [0, 1], these go from -0.5 to -0.5"),
        (torch.tensor([0.0, 1.25]).view(2, 1, 1, 1), "pixels must lie in [0, 1], these go from 0 to 1.25"),
        (
            torch.tensor([0, 255]).byte().view(2, 1, 1, 1),
            "pixels must lie in [0, 1], these go from 0 to 255: divide them by 255",
        ),
        (
            torch.tensor([-1.0, 0.9]).view(2, 1, 1, 1),
            "pixels must lie in [0, 1], these go from -1 to 0.9: data.unit brings [-1, 1] to [0, 1]",
        ),
        (torch.full((50, 1, 2, 2), torch.nan), "pixels must lie in [0, 1], these go from nan to nan"),
    ],
)
def test_what_is_not_a_set_of_images_is_refused_in_one_line(x, says):
    for call in (features.features, features.class_probs, lambda x: features.fid(x, x)):
        with pytest.raises(ValueError) as raised:
            call(x)
        assert str(raised.value) == says


def test_fid_of_too_few_images_is_refused_and_says_what_it_would_measure(train):
    x, enough = train.pixels(), features.DIM + 1
    for pair in ((x[: enough - 1], x), (x, x[: enough - 1])):
        with pytest.raises(ValueError, match=f"FID of {features.DIM} images in .* at least {enough}.*not how good$"):
            features.fid(*pair)
    assert features.fid(x, x[:enough]) > 0


def test_labels_that_do_not_fit_the_images_are_refused(test):
    with pytest.raises(ValueError, match=r"297 images need labels of shape \(297,\), not \(297, 1\)"):
        features.accuracy(test.pixels(), test.y[:, None])


# ---- the distance


def test_the_distance_agrees_with_two_other_formulas(train, test):
    f, g = features.features(train.pixels()), features.features(noisy(test.pixels(), 0.2))
    assert features.frechet(f, g) == pytest.approx(symmetric(f, g), rel=1e-6)
    assert features.frechet(f, g) == pytest.approx(by_sqrtm(f, g), rel=1e-6)
    assert features.frechet(g, f) == pytest.approx(features.frechet(f, g), rel=1e-6)
    assert features.fid(train.pixels(), noisy(test.pixels(), 0.2)) == pytest.approx(symmetric(f, g), rel=1e-6)


def test_the_distance_agrees_with_closed_forms():
    """Shifted: |c|^2. Stretched by a: (a - 1)^2 (|mu|^2 + tr S), because then the square root is a S."""
    f = np.random.default_rng(0).normal(0.3, 2.0, (400, 7))
    c = np.arange(7) / 4
    assert features.frechet(f, f + c) == pytest.approx((c**2).sum(), rel=1e-6)
    norm = (f.mean(0) ** 2).sum() + np.trace(np.cov(f.T))
    assert features.frechet(f, 1.7 * f) == pytest.approx(0.7**2 * norm, rel=1e-6)


def test_identical_sets_have_distance_zero(train, test):
    for x in (train.pixels(), test.pixels(), test.pixels()[:40]):
        assert abs(features.fid(x, x.flip(0))) < 1e-3


def test_collapsed_generators_get_a_right_number_without_a_warning(train, capfd):
    """One or a few images again and again: a singular covariance is news about the generator, not an error."""
    f = features.features(train.pixels())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for distinct in (1, 2, 20):
            g = f[:distinct].repeat(100, axis=0)
            assert features.frechet(f, g) == pytest.approx(symmetric(f, g), rel=1e-5)
    assert capfd.readouterr() == ("", "")


def test_real_images_are_near_and_spoilt_ones_far(train, test, real):
    x = train.pixels()
    assert real < 0.8
    assert features.fid(x, noisy(test.pixels(), 0.2)) > 8 * real
    assert features.fid(x, blurred(test.pixels())) > 4 * real
    assert features.fid(x, torch.rand(300, 1, 16, 16, generator=torch.Generator().manual_seed(0))) > 30 * real
    assert features.fid(x, torch.zeros(300, 1, 16, 16)) > 100 * real


def test_the_distance_grows_with_the_noise(train, test, real):
    distances = [real, *(features.fid(train.pixels(), noisy(test.pixels(), s)) for s in (0.1, 0.15, 0.2, 0.3, 0.4))]
    assert all(b > 1.1 * a for a, b in zip(distances, distances[1:])), distances


def test_the_distance_grows_with_the_modes_that_are_dropped(train):
    """Each image is perfect; only some digits never come."""
    x, y = train.pixels(), train.y
    distances = [features.fid(x, x[y < kept]) for kept in (10, 9, 7, 5, 3)] + [features.fid(x, x[y == 3])]
    assert all(b > 1.3 * max(a, 0.5) for a, b in zip(distances, distances[1:])), distances
    assert distances[-1] > 20


def test_grey_and_coloured_images_are_not_compared(test):
    x = test.pixels()[:50]
    with pytest.raises(ValueError, match="images of 1 and of 3 channels: compare"):
        features.fid(x, x.expand(-1, 3, -1, -1))


# ---- colours: the photographs that come with scikit-learn, cut into pieces


@pytest.fixture(scope="module")
def photos() -> dict[str, torch.Tensor]:
    """Name -> pieces of 32x32 in [0, 1] of one photograph, in a random order."""
    from sklearn.datasets import load_sample_image

    cut = {}
    for name in ("china", "flower"):
        picture = torch.from_numpy(load_sample_image(f"{name}.jpg").copy()).permute(2, 0, 1).float() / 255
        pieces = picture.unfold(1, 32, 16).unfold(2, 32, 16).permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)
        cut[name] = pieces[torch.randperm(len(pieces), generator=torch.Generator().manual_seed(0))]
    return cut


@pytest.fixture(scope="module")
def halves(photos) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of both photographs."""
    return tuple(torch.cat([pieces[part::2] for pieces in photos.values()]) for part in (0, 1))


def test_features_of_photographs_are_alive(halves):
    f = features.features(halves[0])
    assert (f.shape[1], f.dtype) == (features.DIM, np.float32)
    assert (f.var(0) > 0.02).all() and np.linalg.cond(np.cov(f.T)) < 1e4


def test_class_probabilities_of_photographs_sum_to_one(halves):
    probs = features.class_probs(halves[0][:50])
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(50))


@pytest.mark.parametrize("spoil", ["noise", "blur", "grey levels", "modes", "copies"])
def test_the_distance_of_photographs_grows_with_what_is_wrong(spoil, photos, halves):
    real, other = halves
    floor = features.fid(real, other)
    if spoil == "noise":
        spoilt = [noisy(other, sigma) for sigma in (0.02, 0.05, 0.2)]
    elif spoil == "blur":
        spoilt = [F.interpolate(F.avg_pool2d(other, k), (32, 32), mode="bilinear") for k in (2, 4, 8)]
    elif spoil == "grey levels":
        grey = other.mean(dim=1, keepdim=True)
        spoilt = [grey + share * (other - grey) for share in (0.5, 0.25, 0.0)]
    elif spoil == "modes":
        count = len(photos["china"])
        spoilt = [torch.cat([photos["china"], photos["flower"][: count // few]]) for few in (4, 20, count)]
    else:
        spoilt = [other[:few].repeat(len(other) // few, 1, 1, 1) for few in (100, 20, 2)]
    distances = [floor, *(features.fid(real, x) for x in spoilt)]
    assert all(b > 1.1 * a for a, b in zip(distances, distances[1:])), distances
