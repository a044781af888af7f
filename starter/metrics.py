"""Lab 6: metrics. Numbers that say how alike two images are, or two sets of images.

Images x are float32 (B, C, H, W) in [0, 1]. Features are what a network makes of images, one row for each; `real` and
`fake` are the features of two sets. Squared error, cross-entropy and KL are those of labs 1 and 2.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from starter.support.features import enough_images, unit_range

WINDOW, SIGMA = 11, 1.5  # pixels: side of SSIM's window, and the standard deviation of its weights
C_1, C_2 = 0.01**2, 0.03**2  # for pixels in [0, 1]; they keep SSIM finite where an image is black or flat


def local_mean(x: Tensor) -> Tensor:
    """Weighted mean around every pixel whose window lies inside the image: (B, C, H, W) to (B, C, H - 10, W - 10)."""
    at = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = torch.softmax(-at.square() / (2 * SIGMA**2), dim=0)  # a Gaussian that sums to 1
    channels = x.reshape(-1, 1, *x.shape[2:])
    means = F.conv2d(F.conv2d(channels, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return means.reshape(*x.shape[:2], *means.shape[2:])


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of images and their counterparts: brightness, contrast and pattern in every window.

    SSIM = mean of (2 mu_x mu_y + C_1) (2 s_xy + C_2) / [ (mu_x^2 + mu_y^2 + C_1) (s_x^2 + s_y^2 + C_2) ] over windows

    mu, s^2 and s_xy are weighted means, variances and covariance in a window, all three by `local_mean`; the variances
    are E[x^2] - mu^2, without a correction of N - 1. Differentiable, so that it can serve as a loss.

    Args:
        x, y: images in [0, 1], shape (B, C, H, W), at least 11 pixels high and wide; y[i] belongs to x[i].

    Returns:
        One number per pair, shape (B,): the mean over windows and channels; 1 for equal images.

    Raises:
        ValueError: the shapes differ, an image is smaller than a window, or a pixel lies outside [0, 1].

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    """
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must have the same shape (B, C, H, W)")
    if min(x.shape[2:]) < WINDOW:
        raise ValueError(f"images of {x.shape[2]}x{x.shape[3]} pixels are smaller than a window of {WINDOW}x{WINDOW}")
    unit_range(x=x, y=y)
    # TODO met-1: five local means, from them variances and covariance; the quotient; its mean per image.
    raise NotImplementedError("met-1")  # YOUR CODE HERE


def inception_score(probs: Tensor) -> Tensor:
    """Is a classifier sure of every image, and does it see every class equally often?

    IS = exp( mean_i KL(p_i || p) ),  p = mean_i p_i,  KL(p_i || p) = sum_k p_ik log(p_ik / p_k),  0 log 0 = 0

    The score of one set, without splits: papers report the mean over ten parts of it, which is lower.

    Args:
        probs: p(class | image), shape (N, classes); probabilities, not logits.

    Returns:
        A scalar from 1 to the number of classes.

    Raises:
        ValueError: the rows are no probabilities.

    Source: Salimans et al. 2016, "Improved techniques for training GANs", section 4.
    """
    if probs.ndim != 2 or not len(probs) or not (probs >= 0).all() or not ((probs.sum(1) - 1).abs() < 1e-3).all():
        raise ValueError(f"probs {tuple(probs.shape)} must be probabilities, rows that sum to 1: logits need a softmax")
    # TODO met-2: the mean of the rows; the KL of every row to it; the exponential of their mean.
    raise NotImplementedError("met-2")  # YOUR CODE HERE


def mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a set of features: all that the Fréchet distance looks at.

    mu = 1/N sum_i f_i,  S = 1/(N - 1) sum_i (f_i - mu) (f_i - mu)^T

    Args:
        features: one row per image, shape (N, D).

    Returns:
        mu, shape (D,), and S, shape (D, D).

    Raises:
        ValueError: fewer than 2 rows.
    """
    rows_of_features(2, features=features)
    # TODO met-3: the mean over the images, and one matrix product of what is left after subtracting it.
    raise NotImplementedError("met-3")  # YOUR CODE HERE


def frechet_distance(mu_1: Tensor, cov_1: Tensor, mu_2: Tensor, cov_2: Tensor) -> Tensor:
    """Squared Fréchet distance of two Gaussians. FID is this, for the means and covariances of two sets of features.

    d^2 = |mu_1 - mu_2|^2 + tr(S_1) + tr(S_2) - 2 tr((S_1 S_2)^(1/2))

    S_1 S_2 is not symmetric: its root is slow, and at times complex. With any A such that A A^T = S_1, the matrix
    A^T S_2 A has the same eigenvalues and is symmetric, so that they are real; the trace is the sum of their roots.
    Rounding can put an eigenvalue that is 0 a little below it.

    Args:
        mu_1, mu_2: means, shape (D,).
        cov_1, cov_2: covariances, symmetric, shape (D, D); they may be singular.

    Returns:
        d^2, a real scalar.

    Raises:
        ValueError: the shapes do not fit each other.

    Source: Dowson & Landau 1982, "The Fréchet distance between multivariate normal distributions"; as a score of
    generators: Heusel et al. 2017, "GANs trained by a two time-scale update rule".
    """
    dim = mu_1.numel()
    shapes = [tuple(t.shape) for t in (mu_1, cov_1, mu_2, cov_2)]
    if shapes != [(dim,), (dim, dim)] * 2:
        raise ValueError(f"mu_1, cov_1, mu_2, cov_2 must have shapes (D,), (D, D), (D,), (D, D), not {shapes}")
    # TODO met-4: A from the eigenvalues and eigenvectors of cov_1; the eigenvalues of the product; four terms.
    raise NotImplementedError("met-4")  # YOUR CODE HERE


def fid(real: Tensor, fake: Tensor) -> Tensor:
    """`frechet_distance` of two sets of features, shapes (N, D) and (M, D); in float64, where it has digits to spare.

    Raises:
        ValueError: another number of features, or no more images in a set than features.
    """
    rows_of_features(2, real=real, fake=fake)
    enough_images(real, fake)
    return frechet_distance(*mean_and_covariance(real.double()), *mean_and_covariance(fake.double()))


def kid(real: Tensor, fake: Tensor) -> Tensor:
    """Kernel distance: squared maximum mean discrepancy with a cubic kernel, estimated without bias.

    KID = mean_{i != j} k(r_i, r_j) + mean_{i != j} k(f_i, f_j) - 2 mean_{i, j} k(r_i, f_j),  k(a, b) = (a.b / D + 1)^3

    A feature's kernel with itself is left out: it would add a bias that falls with N. Without it the mean over many
    draws is right for any N, and for equal distributions the number lies around 0, below or above.

    Args:
        real, fake: features, shapes (N, D) and (M, D), at least 2 rows each.

    Returns:
        A scalar.

    Raises:
        ValueError: different numbers of features, or fewer than 2 rows.

    Source: Bińkowski et al. 2018, "Demystifying MMD GANs", section 4; the estimator: Gretton et al. 2012.
    """
    rows_of_features(2, real=real, fake=fake)
    # TODO met-5: three matrices of kernels; two means without the diagonal, one with everything.
    raise NotImplementedError("met-5")  # YOUR CODE HERE


def radii(features: Tensor, k: int = 3) -> Tensor:
    """How far away each feature's k-th nearest neighbour in its own set is.

    radius_i = the k-th smallest of |f_i - f_j|, j != i

    Args:
        features: shape (N, D), N above k.
        k: which neighbour counts, at least 1.

    Returns:
        Euclidean distances, shape (N,).

    Raises:
        ValueError: k is below 1, or no set of k + 1 features.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, and is {k}")
    rows_of_features(k + 1, features=features)
    # TODO met-6: all distances within the set; the k-th smallest of every row that is not the row's own.
    raise NotImplementedError("met-6")  # YOUR CODE HERE


class PrecisionRecall(NamedTuple):
    """Two shares, from 0 to 1."""

    precision: Tensor  # of the fake that look real: quality
    recall: Tensor  # of the real that could have been made: variety


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> PrecisionRecall:
    """Where a set lies, as balls: one around each feature, as large as its `radii` say.

    precision = share of fake features that lie in a ball of the real set, whichever;  recall: the same, sets exchanged

    Args:
        real, fake: features, shapes (N, D) and (M, D).
        k: the neighbour that sets the radius of a ball, as in `radii`.

    Returns:
        PrecisionRecall(precision, recall), two scalars.

    Raises:
        ValueError: different numbers of features, or fewer than k + 1 rows.

    Source: Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models", section 2.
    """
    rows_of_features(k + 1, real=real, fake=fake)
    # TODO met-7: distances between the sets; whose balls decide for precision, and whose for recall?
    raise NotImplementedError("met-7")  # YOUR CODE HERE


def quality(real: Tensor, fake: Tensor) -> Tensor:
    """FID, KID, precision and recall of two sets of features, (N, D) and (M, D): float64, shape (4,)."""
    numbers = fid(real, fake), kid(real, fake), *precision_recall(real, fake)
    return torch.stack([number.double() for number in numbers])


class Evaluation(NamedTuple):
    """What is reported of a generator, each of the shape that `scores` gives."""

    mean: Tensor  # over the draws
    spread: Tensor  # standard deviation of one draw, divided by draws - 1 in its square; 0 where there is only one
    yardstick: Tensor  # the mean for real images in the place of the fakes


def evaluation(
    real: Tensor,
    others: Tensor,
    fake: Tensor,
    draws: Tensor,
    scores: Callable[[Tensor, Tensor], Tensor] = quality,
) -> Evaluation:
    """Build it: a whole evaluation of a generator, whose numbers may be compared. No formula here, only what must hold.

    - A draw names some of the images of a set. Each draw is judged by itself, against all the real images.
    - The yardstick is what a perfect generator would get: real images that are not among `real`, judged in the place of
      the fakes. It has the bias that the fakes have: from `others` the same rows are taken, draw by draw.
    - What is reported is the mean over the draws, and how far a single draw of fakes is off.
    - Scores are expensive: they are asked once for each draw of each set.
    - Nothing learns from it: no graph is recorded, even where features have one.

    Args:
        real: features of real images, shape (N, D).
        others: features of other real images, shape (L, D).
        fake: features of generated images, shape (M, D).
        draws: numbers of rows, int64, shape (draws, count): each row is a draw of `count` images. A number may repeat.
        scores: (real, images) -> numbers, shape (S,): `quality`, or any others.

    Returns:
        Evaluation(mean, spread, yardstick), each of shape (S,).

    Raises:
        ValueError: another number of features, draws that are no table of int64, or a row that a set does not have.
    """
    rows_of_features(1, real=real, others=others, fake=fake)
    known_rows(draws, min(len(others), len(fake)))
    # TODO met-8: the scores of each draw of either set; what is reported of them.
    raise NotImplementedError("met-8")  # YOUR CODE HERE


def known_rows(draws: Tensor, count: int) -> None:
    """A ValueError unless draws is a table of row numbers below `count`."""
    if draws.ndim != 2 or draws.dtype != torch.int64 or not draws.numel():
        raise ValueError(f"draws {tuple(draws.shape)} of {draws.dtype} must be int64 of the shape (draws, count)")
    if not 0 <= draws.min() <= draws.max() < count:
        raise ValueError(f"draws ask for rows {draws.min()} to {draws.max()}, and a set has rows 0 to {count - 1}")


def rows_of_features(least: int, **sets: Tensor) -> None:
    """A ValueError unless the sets are tables (N, D) of finite numbers with one D, and at least `least` rows each."""
    for name, table in sets.items():
        if table.ndim != 2 or len(table) < least:
            raise ValueError(f"{name} {tuple(table.shape)} must have the shape (N, D), N at least {least}")
        if bad := int((~table.isfinite()).sum()):
            raise ValueError(f"{name} holds {bad} nan or infinite numbers among its {table.numel()}")
    dims = {name: table.shape[1] for name, table in sets.items()}
    if len(set(dims.values())) > 1:
        raise ValueError(f"the sets have different numbers of features: {dims}")
