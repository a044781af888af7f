"""Are generated images like real ones? The Fréchet distance, in the features of a small classifier.

There are three of them: a classifier of handwritten digits looks at grey images, one of scikit-learn's where the
notebooks work on those, else one of MNIST's; and one of CIFAR-10's photographs looks at coloured images. The distance
is clean-fid's; only the networks are ours. Published FIDs are distances in the features of
Inception, which was trained on ImageNet: numbers of this module compare with each other, within one network, and never
with those.
"""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from . import data

DIM = 32  # features of one image
CHUNK = 1024  # images at a time


class FeatureNet(nn.Module):
    """Ten classes of images; the layer before the last gives the features.

    That layer ends in a normalisation: over the training images each feature has mean 0 and variance 1, so that none
    rules the distance, and none is dead (a dead one would make the covariance singular).
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers, nn.BatchNorm1d(DIM, affine=False))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(DIM, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], of the network's size, to logits (B, 10)."""
        return self.head(self.body(x))


class Residual(nn.Sequential):
    """Layers beside which the input passes by."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def conv(n_in: int, n_out: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]


def digits_net() -> FeatureNet:
    """Of (B, 1, 16, 16). Trained on digits16, it names 100.00% of its 297 test images; on mnist16, 98.80% of 2,000."""
    return FeatureNet(
        *(*conv(1, 16), *conv(16, 32, 2), *conv(32, 64, 2)),
        *(nn.Flatten(), nn.Linear(64 * 4 * 4, DIM, bias=False)),
    )


def photographs_net() -> FeatureNet:
    """Of (B, 3, 32, 32). It names 88.78% of CIFAR-10's 10,000 test images."""
    return FeatureNet(
        *(nn.BatchNorm2d(3, affine=False), *conv(3, 32)),
        *(*conv(32, 64, 2), Residual(*conv(64, 64))),
        *(*conv(64, 128, 2), Residual(*conv(128, 128))),
        *(*conv(128, 128, 2), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(128 * 2 * 2, DIM, bias=False)),
    )


class Network(NamedTuple):
    """A trained classifier, and the images that it was made for."""

    data: str  # what it has learned to see
    side: int  # pixels of its images
    untrained: Callable[[], FeatureNet]
    weights: Path  # made by python -m grading.maintain.train_features

    @property
    def score(self) -> str:
        """Name of the distance in its features."""
        return f"FID, features of {self.data}"


HERE = Path(__file__).parent
DIGITS = Network("digits", 16, digits_net, HERE / "features.safetensors")
MNIST = Network("MNIST", 16, digits_net, HERE / "features_mnist.safetensors")
CIFAR10 = Network("CIFAR-10", 32, photographs_net, HERE / "features_colour.safetensors")


def network(channels: int) -> Network:
    """Which network looks at images of so many channels; at grey ones that of the notebooks' data set ($DATA)."""
    if channels == 3:
        return CIFAR10
    return MNIST if "mnist" in data.default() else DIGITS


def load(channels: int = 1) -> FeatureNet:
    """The trained network of grey (1) or of coloured images (3), read once, in evaluation mode, without gradients."""
    return read(network(channels))


@functools.cache
def read(known: Network) -> FeatureNet:
    net = known.untrained()
    net.load_state_dict(load_file(known.weights))
    return net.eval().requires_grad_(False)


def features(x: Tensor) -> np.ndarray:
    """Features (N, 32), float32, of images (N, 1 or 3, H, W) in [0, 1]; any size is resized.

    Raises:
        ValueError: another shape, no image, or a pixel outside [0, 1].
    """
    return torch.cat([load(chunk.shape[1]).body(prepared(chunk)) for chunk in checked(x).split(CHUNK)]).numpy()


def class_probs(x: Tensor) -> Tensor:
    """p(class | image), shape (N, 10), of images as `features` takes them: digits for grey ones, CIFAR-10's for others.

    Each network of digits knows one handwriting, and reads about 3 in 4 of the other digits. That of MNIST reads
    98.9 % of MNIST's test images at 28x28, too.
    """
    return torch.cat([load(chunk.shape[1])(prepared(chunk)).softmax(dim=1) for chunk in checked(x).split(CHUNK)])


def accuracy(x: Tensor, y: Tensor) -> float:
    """Share of the images that their network takes for the class y, shape (N,): does a sample show its label?"""
    if tuple(y.shape) != (len(x),):
        raise ValueError(f"{len(x)} images need labels of shape ({len(x)},), not {tuple(y.shape)}")
    return (class_probs(x).argmax(dim=1) == y.cpu()).float().mean().item()


def fid(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of two sets of images, each (N, 1 or 3, H, W) in [0, 1]; see `frechet`.

    Raises:
        ValueError: grey images against coloured ones, or as `features` and `frechet`.
    """
    f, g = features(x), features(y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"images of {x.shape[1]} and of {y.shape[1]} channels: compare grey or coloured ones only")
    return frechet(f, g)


def frechet(f: np.ndarray, g: np.ndarray) -> float:
    """Fréchet distance of two Gaussians that have the mean and covariance of two sets of features.

    d^2 = |mu_f - mu_g|^2 + tr(S_f + S_g - 2 (S_f S_g)^(1/2))

    For equal sets it is 0 up to rounding, which can make it negative. For samples of one and the same distribution it
    is above 0, and the more the fewer they are: compare only numbers that come from sets of the same sizes.

    Args:
        f, g: features, shapes (N, D) and (M, D).

    Raises:
        ValueError: fewer than D + 1 images in a set: their covariance cannot have full rank.

    Source: Heusel et al. 2017, https://arxiv.org/abs/1706.08500; code: clean-fid (Parmar et al. 2022).
    """
    enough_images(f, g)
    return distance(*moments(f), *moments(g))


def moments(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and covariance (D, D) of features (N, D), in float64."""
    return f.mean(axis=0, dtype=np.float64), np.cov(f.astype(np.float64).T)


def distance(mu: np.ndarray, cov: np.ndarray, other_mu: np.ndarray, other_cov: np.ndarray) -> float:
    """clean-fid's Fréchet distance of two Gaussians."""
    from cleanfid.fid import frechet_distance  # here, because it imports torchvision, which takes seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sqrtm(disp=...) is deprecated; a collapsed generator's covariance is singular
        return float(frechet_distance(mu, cov, other_mu, other_cov))


def enough_images(*sets: np.ndarray | Tensor) -> None:
    """A ValueError if a set (N, D) has no more images than features."""
    for count, dim in (table.shape for table in sets):
        if count <= dim:
            raise ValueError(
                f"FID of {count} images in {dim} features: take at least {dim + 1}, with fewer the covariance is"
                " singular and the number says how few images there are, not how good"
            )


def unit_range(**images: Tensor) -> None:
    """A ValueError if a pixel lies outside [0, 1]."""
    for name, x in images.items():
        low, high = x.min().item(), x.max().item()
        if not (low >= 0 and high <= 1):  # also when they are nan
            raise ValueError(f"{name} must lie in [0, 1], these go from {low:.4g} to {high:.4g}{remedy(low, high)}")


def remedy(low: float, high: float) -> str:
    """What brings pixels of another usual range to [0, 1]."""
    if 0 <= low and 1.5 < high <= 255:
        return ": divide them by 255"
    return ": data.unit brings [-1, 1] to [0, 1]" if -1 <= low < -0.5 and high <= 1 else ""


def checked(x: Tensor) -> Tensor:
    """The same images; a ValueError if they are not (N, 1 or 3, H, W) with pixels in [0, 1]."""
    x = torch.as_tensor(x)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.numel():
        raise ValueError(f"images must have the shape (N, 1 or 3, H, W), not {tuple(x.shape)}")
    unit_range(pixels=x)
    return x.detach().cpu()


def prepared(x: Tensor) -> Tensor:
    """Float images of their network's size; enlarged as digits16 is made from digits."""
    side = network(x.shape[1]).side
    if x.shape[2:] == (side, side):
        return x.float()
    return F.interpolate(x.float(), (side, side), mode="bicubic", antialias=max(x.shape[2:]) > side).clamp(0, 1)
