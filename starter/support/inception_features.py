"""Inception's features, those of published FIDs: clean-fid's network and resizing, on weights that are fetched once.

The weights are 96 MB and not part of the course: `python datasets/prepare.py inception` brings them. Nothing here opens
a connection. Before you call a number of these "the FID", mind that papers compare 50,000 generated images.
"""

import functools
import io
import warnings

import numpy as np
import torch
from torch import Tensor

from .data import DataError, Images, cache_folder
from .features import checked, distance, enough_images, moments
from .runs import replace

FILE = "inception-2015-12-05.pt"  # the name that clean-fid expects
COMMAND = "python datasets/prepare.py inception"
DIM = 2048  # features of one image
CHUNK = 32  # images at a time: each becomes 3 x 299 x 299 numbers


def ready() -> bool:
    """Are the weights here? If not, COMMAND fetches them."""
    return (cache_folder() / "inception" / FILE).is_file()


@functools.cache
def load(path: str) -> torch.nn.Module:
    from cleanfid.inception_torchscript import InceptionV3W  # here, because it takes seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file is TorchScript, which torch means to retire
        return InceptionV3W(path, download=False).eval().requires_grad_(False)


def features(x: Tensor) -> np.ndarray:
    """Features (N, 2048), float32, of images (N, 1 or 3, H, W) in [0, 1], as clean-fid gets them from 8-bit files.

    `features.frechet` of two such sets is clean-fid's FID.

    Raises:
        DataError: the weights are not here, or damaged; says what to do.
        ValueError: images of another shape or range.
    """
    folder = cache_folder() / "inception"
    if not ready():
        raise DataError(f"Inception's weights (96 MB) are not in {folder}: fetch them once with: {COMMAND}")
    try:
        net = load(str(folder))
    except RuntimeError:
        raise DataError(f"{folder / FILE} is damaged: repair it with: {COMMAND}") from None
    return np.concatenate([net(enlarged(chunk)).numpy() for chunk in checked(x).split(CHUNK)])


def statistics(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the features of a whole set; made once, and kept beside its arrays in the cache.

    The file has clean-fid's form: an npz with `mu` and `sigma`.
    """
    path = cache_folder() / images.name / "inception.npz"
    if not path.exists():
        parts = (images.pixels(slice(i, i + 1024)) for i in range(0, len(images), 1024))
        mu, sigma = moments(np.concatenate([features(part) for part in parts]))
        memory = io.BytesIO()
        np.savez(memory, mu=mu, sigma=sigma)
        replace(path, memory.getvalue())
    with np.load(path, allow_pickle=False) as kept:
        return kept["mu"], kept["sigma"]


def fid(x: Tensor, images: Images) -> float:
    """FID of images (N, C, H, W) in [0, 1], N above 2,048, against the statistics of a whole set.

    Raises:
        ValueError: too few images for their covariance to have full rank.
    """
    seen = features(x)
    enough_images(seen)
    return distance(*moments(seen), *statistics(images))


def enlarged(x: Tensor) -> Tensor:
    """Images as clean-fid feeds them to the network: 8 bits, three channels, bicubic to 299 x 299, values 0 to 255."""
    from cleanfid.resize import build_resizer

    resize = build_resizer("clean")
    pixels = (x * 255).round().byte().expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()  # (N, H, W, 3)
    return torch.from_numpy(np.stack([resize(image) for image in pixels])).permute(0, 3, 1, 2)
