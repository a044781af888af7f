"""Are generated images like real ones? The Fréchet distance, in the features of a small classifier of digits.

The distance is clean-fid's; only the network is ours. Published FIDs are distances in the features of Inception, which
was trained on ImageNet: numbers of this module compare with each other, never with those.
"""

import functools
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("features.safetensors")  # made by python -m grading.train_features
SIDE = 16  # the net sees images of SIDE x SIDE
DIM = 32  # features of one image
CHUNK = 1024  # images at a time


class FeatureNet(nn.Module):
    """Ten digits from 16x16 pixels; the layer before the last gives the features.

    That layer ends in a normalisation: over the training digits each feature has mean 0 and variance 1, so that none
    rules the distance, and none is dead (a dead one would make the covariance singular).
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(64 * 4 * 4, DIM, bias=False), nn.BatchNorm1d(DIM, affine=False)),
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(DIM, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Grey images (B, 1, 16, 16) in [0, 1] to logits (B, 10)."""
        return self.head(self.body(x))


@functools.cache
def load() -> FeatureNet:
    """The trained network, read once, in evaluation mode and without gradients."""
    net = FeatureNet()
    net.load_state_dict(load_file(WEIGHTS))
    return net.eval().requires_grad_(False)


def features(x: Tensor) -> np.ndarray:
    """Features (N, 32), float32, of images (N, 1 or 3, H, W) in [0, 1]; colours are averaged, any size is resized.

    Raises:
        ValueError: another shape, no image, or a pixel outside [0, 1].
    """
    return torch.cat([load().body(prepared(chunk)) for chunk in checked(x).split(CHUNK)]).numpy()


def class_probs(x: Tensor) -> Tensor:
    """p(digit | image), shape (N, 10), of images as `features` takes them.

    The network knows the handwriting of digits16 (all of its 297 test images); of MNIST's it reads about 3 in 4.
    """
    return torch.cat([load()(prepared(chunk)).softmax(dim=1) for chunk in checked(x).split(CHUNK)])


def accuracy(x: Tensor, y: Tensor) -> float:
    """Share of the images that the network takes for the digit y, shape (N,): does a sample show its label?"""
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
    """Grey float images of the network's size; enlarged as digits16 is made from digits."""
    x = x.float().mean(dim=1, keepdim=True)
    if x.shape[2:] == (SIDE, SIDE):
        return x
    return F.interpolate(x, (SIDE, SIDE), mode="bicubic", antialias=max(x.shape[2:]) > SIDE).clamp(0, 1)
