"""Lab 6 against scikit-image, torchmetrics, clean-fid, scipy, scikit-learn and closed forms."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.metrics import mutual_info_score
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from grading.content.overlay import ROOT
from solutions import metrics as met
from starter.support import data, features


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return data.load("digits16").pixels(slice(600))


@pytest.fixture(scope="module")
def pair(digits) -> tuple[Tensor, Tensor]:
    """Features of real images and of noisy ones, sets of different sizes."""
    noise = 0.2 * torch.randn(250, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    fake = (digits[:250] + noise).clamp(0, 1)
    return torch.from_numpy(features.features(digits[250:])), torch.from_numpy(features.features(fake))


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


# ---- SSIM


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image_with_the_settings_of_the_paper(channels):
    from skimage.metrics import structural_similarity

    x = torch.rand(4, channels, 14, 19)
    y = (0.6 * x + 0.3 * torch.rand(4, channels, 14, 19) + torch.tensor([0.0, 0.05, 0.1, 0.0]).view(4, 1, 1, 1)).clamp(
        0, 1
    )
    settings = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": 0}
    theirs = [structural_similarity(a, b, **settings) for a, b in zip(x.double().numpy(), y.double().numpy())]
    np.testing.assert_allclose(met.ssim(x.double(), y.double()), theirs, rtol=1e-10)
    np.testing.assert_allclose(met.ssim(x, y), theirs, atol=1e-5)


def test_ssim_is_that_of_torchmetrics_where_no_window_leaves_the_image():
    """torchmetrics mirrors the image at its border and averages over all windows; ours lie inside, as in the paper."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, y = torch.rand(3, 2, 17, 20), torch.rand(3, 2, 17, 20)
    _, every = structural_similarity_index_measure(x, y, data_range=1.0, return_full_image=True)
    inside = every[:, :, 5:-5, 5:-5]
    torch.testing.assert_close(met.ssim(x, y), inside.flatten(1).mean(1), atol=1e-5, rtol=0)


def test_ssim_is_1_for_equal_images_symmetric_and_low_for_negatives(digits):
    x, y = digits[:20], digits[20:40]
    torch.testing.assert_close(met.ssim(x, x), torch.ones(20))
    torch.testing.assert_close(met.ssim(x, y), met.ssim(y, x))
    assert (met.ssim(x, 1 - x) < 0).all()


def test_flat_images_are_compared_by_brightness_alone():
    a, b = torch.full((1, 1, 12, 12), 0.2), torch.full((1, 1, 12, 12), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    torch.testing.assert_close(met.ssim(a.double(), b.double()).item(), expected, rtol=1e-6, atol=0)
    assert met.ssim(torch.zeros(1, 1, 12, 12), torch.zeros(1, 1, 12, 12)).item() == 1


def test_the_window_is_a_gaussian_of_121_weights_that_sum_to_1():
    spot = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    spot[0, 0, 10, 10] = 1
    seen = met.local_mean(spot)[0, 0]
    assert seen.shape == (11, 11) and seen.sum().item() == pytest.approx(1)
    assert (seen[5, 5] / seen[5, 6]).item() == pytest.approx(math.exp(1 / (2 * 1.5**2)))
    assert (seen[5, 5] / seen[2, 9]).item() == pytest.approx(math.exp((9 + 16) / (2 * 1.5**2)))


def test_the_gradient_of_ssim_is_that_of_finite_differences():
    x, y = torch.rand(2, 1, 12, 11, dtype=torch.float64), torch.rand(2, 1, 12, 11, dtype=torch.float64)
    assert torch.autograd.gradcheck(met.ssim, ((0.1 + 0.8 * x).requires_grad_(), y))


# ---- inception score


def test_the_inception_score_is_that_of_torchmetrics():
    from torchmetrics.image.inception import InceptionScore

    logits = 2 * torch.randn(60, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = InceptionScore(feature=torch.nn.Identity(), splits=1)
        theirs.update(logits)
        expected = theirs.compute()[0]
    torch.testing.assert_close(met.inception_score(logits.softmax(1)), expected)


def test_the_inception_score_is_the_exponential_of_what_a_label_tells_about_the_image():
    """Certain labels: the mean KL is the mutual information of image and label, which is the entropy of the labels."""
    labels = torch.tensor([0, 0, 0, 2, 2, 5])
    probs = torch.nn.functional.one_hot(labels, 8).double()
    expected = math.exp(mutual_info_score(range(6), labels.tolist()))
    assert met.inception_score(probs).item() == pytest.approx(expected)


def test_the_inception_score_goes_from_1_to_the_number_of_classes():
    assert met.inception_score(torch.full((9, 4), 0.25)).item() == pytest.approx(1)
    assert met.inception_score(torch.tensor([[0.0, 1.0, 0.0]] * 5)).item() == pytest.approx(1)
    assert met.inception_score(torch.eye(4).repeat(3, 1)).item() == pytest.approx(4)


# ---- Fréchet distance


def test_mean_and_covariance_are_numpys():
    f = 3 * double(9, 4) + 5
    mu, cov = met.mean_and_covariance(f)
    np.testing.assert_allclose(mu, f.numpy().mean(axis=0))
    np.testing.assert_allclose(cov, np.cov(f.numpy(), rowvar=False))


def moments(n: int, d: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    return met.mean_and_covariance(scale * double(n, d) @ double(d, d) + double(d))


@pytest.mark.parametrize("n", [60, 9])
def test_the_frechet_distance_is_the_definition_and_clean_fids(n):
    """60 rows of 12 features, and 9: then both covariances are singular."""
    from cleanfid.fid import frechet_distance

    given = *moments(n, 12), *moments(n + 2, 12, 0.7)
    mu_1, cov_1, mu_2, cov_2 = (t.numpy() for t in given)
    ours = met.frechet_distance(*given)
    assert ours.dtype == torch.float64 and ours.shape == ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours.item() == pytest.approx(frechet_distance(mu_1, cov_1, mu_2, cov_2), rel=1e-6)
        root = scipy.linalg.sqrtm(cov_1 @ cov_2).real
    definition = np.square(mu_1 - mu_2).sum() + np.trace(cov_1 + cov_2 - 2 * root)
    assert ours.item() == pytest.approx(definition, rel=1e-6)
    assert met.frechet_distance(*given[2:], *given[:2]).item() == pytest.approx(ours.item(), rel=1e-7)


def test_the_frechet_distance_has_its_closed_forms():
    """Commuting covariances: the sum of (sigma_1 - sigma_2)^2. A Gaussian and a point: |mu|^2 + tr S."""
    turn, _ = torch.linalg.qr(double(5, 5))
    s, t, mu = torch.rand(5).double() + 0.1, torch.rand(5).double() + 0.1, double(5)
    covs = [turn @ torch.diag(v**2) @ turn.T for v in (s, t)]
    zero, nothing = torch.zeros(5, dtype=torch.float64), torch.zeros(5, 5, dtype=torch.float64)
    apart = met.frechet_distance(mu, covs[0], zero, covs[1])
    torch.testing.assert_close(apart, mu.square().sum() + (s - t).square().sum())
    torch.testing.assert_close(met.frechet_distance(mu, covs[0], zero, nothing), mu.square().sum() + s.square().sum())
    torch.testing.assert_close(met.frechet_distance(zero, nothing, mu, covs[0]), mu.square().sum() + s.square().sum())
    assert abs(met.frechet_distance(mu, covs[0], mu, covs[0]).item()) < 1e-12


def test_a_covariance_that_rounding_made_indefinite_gives_a_real_number():
    """Eigenvalues of -1e-11 are zeros that met the last digit."""
    turn, _ = torch.linalg.qr(double(6, 6))
    cov = turn @ torch.diag(torch.tensor([2.0, 1.0, 0, 0, 0, 0]).double() - 1e-11) @ turn.T
    d = met.frechet_distance(torch.zeros(6).double(), cov, torch.zeros(6).double(), 4 * cov)
    assert d.item() == pytest.approx(3.0, abs=1e-6)  # (2 - 1)^2 times the trace


def test_fid_is_that_of_torchmetrics_and_of_the_course(pair):
    from torchmetrics.image.fid import _compute_fid

    real, fake = pair
    ours = met.fid(real, fake).item()
    given = [m for f in pair for m in (f.double().mean(0), torch.cov(f.double().T))]
    assert ours == pytest.approx(_compute_fid(*given).item(), rel=1e-6)
    assert ours == pytest.approx(features.frechet(real.numpy(), fake.numpy()), rel=1e-6)


# ---- KID


def test_kid_is_that_of_torchmetrics_and_of_clean_fid(pair):
    from cleanfid.fid import kernel_distance
    from torchmetrics.image.kid import poly_mmd

    real, fake = (f[:200].double() for f in pair)  # both packages want sets of one size
    ours = met.kid(real, fake).item()
    assert ours == pytest.approx(poly_mmd(real, fake).item(), rel=1e-9)
    assert ours == pytest.approx(kernel_distance(real.numpy(), fake.numpy(), num_subsets=1), rel=1e-9)


def test_kid_of_sets_of_different_sizes_is_the_estimator_word_for_word():
    real, fake = double(7, 3), double(5, 3) + 1
    k = [polynomial_kernel(a, b, degree=3, gamma=1 / 3, coef0=1) for a, b in ((real, real), (fake, fake), (real, fake))]
    within = [np.mean([m[i, j] for i in range(len(m)) for j in range(len(m)) if i != j]) for m in k[:2]]
    assert met.kid(real, fake).item() == pytest.approx(sum(within) - 2 * k[2].mean())


def test_kid_is_unbiased_and_fid_is_not():
    """Many small sets of one distribution: KID averages to 0 within its own scatter, FID far above."""
    generator = torch.Generator().manual_seed(1)
    sets = torch.randn(300, 2, 20, 4, generator=generator)
    kids = torch.stack([met.kid(real, fake) for real, fake in sets])
    assert abs(kids.mean()) < 3 * kids.std() / math.sqrt(300)
    fids = torch.stack([met.fid(real, fake) for real, fake in sets])
    assert fids.mean() > 20 * fids.std() / math.sqrt(300)


# ---- precision and recall


@pytest.mark.parametrize("k", [1, 3, 5])
def test_radii_are_those_of_scikit_learn(k):
    f = torch.randn(40, 6)
    theirs = NearestNeighbors(n_neighbors=k).fit(f).kneighbors()[0][:, -1]  # without the point itself
    np.testing.assert_allclose(met.radii(f, k), theirs, rtol=1e-4)


def test_precision_and_recall_are_those_of_scikit_learns_neighbours(pair):
    real, fake = (f[:150] for f in pair)
    shares = []
    for centres, points in ((real, fake), (fake, real)):
        reach = NearestNeighbors(n_neighbors=3).fit(centres).kneighbors()[0][:, -1]
        inside = [np.any(np.linalg.norm(centres.numpy() - point, axis=1) <= reach) for point in points.numpy()]
        shares.append(np.mean(inside))
    np.testing.assert_allclose(met.precision_recall(real, fake), shares, atol=1 / 150)  # a tie may fall either way


def test_precision_and_recall_tell_a_dropped_mode_from_a_stray_one():
    """Two far clusters. Fakes in one only: all fit, half of the real are missed. And the other way round."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(2, 50, 3, generator=generator)
    right = torch.randn(50, 3, generator=generator) + 100
    both = torch.cat([left[0], right])
    dropped, stray = met.precision_recall(both, left[1]), met.precision_recall(left[1], both)
    assert dropped.precision > 0.9 and 0.4 < dropped.recall <= 0.5
    assert stray.recall > 0.9 and 0.4 < stray.precision <= 0.5


def test_one_image_again_and_again_has_precision_1_and_no_recall():
    real = torch.randn(30, 4)
    fake = real[:1].expand(20, -1).clone()
    scores = met.precision_recall(real, fake)
    assert scores.precision == 1 and scores.recall <= 1 / 30 + 1e-6


# ---- all together


def test_the_metrics_tell_what_was_done_to_the_images(digits):
    """At a similar FID precision tells images that are spoilt from classes that are missing."""
    y = data.load("digits16").y[:600]
    real = torch.from_numpy(features.features(digits[:300]))
    rest, labels = digits[300:], y[300:]
    spoilt = {
        "noise": (rest + 0.2 * torch.randn(rest.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1),
        "dropped": rest[labels < 6],
        "as they are": rest,
    }
    scores = {name: torch.from_numpy(features.features(x)) for name, x in spoilt.items()}
    fids = {name: met.fid(real, f).item() for name, f in scores.items()}
    precision = {name: met.precision_recall(real, f).precision.item() for name, f in scores.items()}
    recall = {name: met.precision_recall(real, f).recall.item() for name, f in scores.items()}
    assert fids["as they are"] < 1 and 3 < fids["noise"] < 12 and 3 < fids["dropped"] < 12
    assert precision["dropped"] > 0.75 > 0.5 > precision["noise"]
    assert recall["dropped"] < recall["as they are"] - 0.15
    assert met.kid(real, scores["as they are"]) < 0.05 < met.kid(real, scores["noise"])


# ---- bad input

WHOLE = torch.rand(4, 1, 16, 16)


def test_an_evaluation_is_what_numpy_makes_of_the_scores_of_each_draw():
    real, others, fake = torch.randn(90, 4), torch.randn(60, 4), torch.randn(70, 4) + 0.5
    draws = torch.stack([torch.randperm(60)[:30] for _ in range(5)])
    fakes, floor = (np.stack([met.quality(real, t[rows]).numpy() for rows in draws]) for t in (fake, others))
    found = met.evaluation(real, others, fake, draws)
    np.testing.assert_allclose(found.mean, fakes.mean(axis=0))
    np.testing.assert_allclose(found.spread, fakes.std(axis=0, ddof=1))
    np.testing.assert_allclose(found.yardstick, floor.mean(axis=0))


def test_the_yardstick_has_the_bias_of_the_draws():
    """FID of real images falls with their number; of fakes that are real images the mean lies at the yardstick."""
    real, others, fake = torch.randn(3, 400, 4, dtype=torch.float64)
    found = [
        met.evaluation(real, others, fake, torch.stack([torch.randperm(400)[:count] for _ in range(40)]))
        for count in (20, 200)
    ]
    assert found[0].yardstick[0] > 3 * found[1].yardstick[0]
    for one in found:
        assert (one.mean[0] - one.yardstick[0]).abs() < one.spread[0]


SETS = torch.rand(9, 4), torch.rand(9, 4), torch.rand(8, 4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: met.ssim(WHOLE, WHOLE[:3]), r"x \(4, 1, 16, 16\) and y \(3, 1, 16, 16\) must have the same shape"),
        (lambda: met.ssim(WHOLE, WHOLE[:1]), r"y \(1, 1, 16, 16\)"),
        (lambda: met.ssim(WHOLE, WHOLE.expand(-1, 3, -1, -1)), r"y \(4, 3, 16, 16\) must have the same shape"),
        (lambda: met.ssim(WHOLE[:, 0], WHOLE[:, 0]), r"same shape \(B, C, H, W\)"),
        (lambda: met.ssim(WHOLE[..., :8], WHOLE[..., :8]), "images of 16x8 pixels are smaller than a window of 11x11"),
        (lambda: met.ssim(255 * WHOLE, WHOLE), r"x must lie in \[0, 1\].*: divide them by 255$"),
        (lambda: met.ssim(WHOLE, 2 * WHOLE - 1), r"y must lie in \[0, 1\].*: data.unit brings \[-1, 1\] to \[0, 1\]$"),
        (lambda: met.ssim(WHOLE, WHOLE * math.nan), r"y must lie in \[0, 1\], these go from nan to nan"),
        (lambda: met.inception_score(torch.randn(5, 3)), r"probs \(5, 3\) must be probabilities.*softmax"),
        (lambda: met.inception_score(torch.rand(5, 3)), "rows that sum to 1"),
        (lambda: met.inception_score(torch.ones(5)), r"probs \(5,\)"),
        (lambda: met.inception_score(torch.ones(0, 3)), r"probs \(0, 3\)"),
        (lambda: met.mean_and_covariance(torch.rand(1, 3)), r"features \(1, 3\).*N at least 2"),
        (lambda: met.mean_and_covariance(torch.rand(5, 3, 2)), r"features \(5, 3, 2\) must have the shape \(N, D\)"),
        (lambda: met.frechet_distance(*[torch.ones(3), torch.eye(3)], *[torch.ones(4), torch.eye(4)]), r"\(4, 4\)\]$"),
        (lambda: met.frechet_distance(torch.ones(3), torch.ones(3), torch.ones(3), torch.eye(3)), "must have shapes"),
        (lambda: met.frechet_distance(torch.ones(3, 1), torch.eye(3), torch.ones(3), torch.eye(3)), r"\(3, 1\)"),
        (lambda: met.fid(torch.rand(9, 3), torch.rand(9, 4)), "different numbers of features: {'real': 3, 'fake': 4}"),
        (
            lambda: met.fid(torch.rand(9, 4), torch.rand(4, 4)),
            "FID of 4 images in 4 features: take at least 5.*not how g",
        ),
        (lambda: met.fid(torch.rand(9, 4), torch.full((9, 4), math.nan)), "fake holds 36 nan or infinite numbers"),
        (lambda: met.kid(torch.rand(1, 4), torch.rand(9, 4)), r"real \(1, 4\) must have.*N at least 2"),
        (lambda: met.kid(torch.rand(9, 4), torch.rand(9, 3)), "different numbers of features"),
        (lambda: met.radii(torch.rand(3, 4), 3), r"features \(3, 4\) must have.*N at least 4"),
        (lambda: met.radii(torch.rand(3, 4), 0), "k must be at least 1, and is 0"),
        (lambda: met.precision_recall(torch.rand(9, 4), torch.rand(3, 4)), r"fake \(3, 4\) must have.*N at least 4"),
        (lambda: met.precision_recall(torch.rand(9, 4), torch.rand(9, 3)), "different numbers of features"),
        (lambda: met.evaluation(*SETS, torch.rand(2, 3)), r"draws \(2, 3\) of torch.float32 must be int64"),
        (lambda: met.evaluation(*SETS, torch.arange(3)), r"draws \(3,\) of torch.int64 must be int64 of the shape"),
        (lambda: met.evaluation(*SETS, torch.tensor([[0, 8]])), "draws ask for rows 0 to 8, and a set has rows 0 to 7"),
        (lambda: met.evaluation(*SETS, torch.tensor([[-1, 2]])), "draws ask for rows -1 to 2"),
    ],
)
def test_bad_input_is_named_with_its_number(call, says):
    with pytest.raises(ValueError, match=says) as raised:
        call()
    assert "\n" not in str(raised.value)


# ---- the packages that the notebook compares with


def test_the_packages_come_late_and_quietly_and_ask_nobody():
    """In a process of its own: no part of the course imports them, no line on stderr, no connection."""
    code = """
import socket, sys
def refuse(*_): raise SystemExit("a connection")
socket.socket.connect = refuse
import solutions.metrics, starter.support.features, starter.support.image_folders, starter.support.inception_features
print(sorted({"torchmetrics", "torchvision", "skimage", "cleanfid", "scipy"} & sys.modules.keys()))
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import poly_mmd
from cleanfid.fid import frechet_distance, kernel_distance
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
