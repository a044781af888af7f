"""Sets of images that lie in folders of files: read them, or let clean-fid do everything."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import features

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def load(folder: str | Path) -> Tensor:
    """The images in a folder and below it, float32 (N, 1 or 3, H, W) in [0, 1], by the order of their paths.

    Raises:
        ValueError: no folder, no image in it, one that cannot be read, or images of different shapes.
    """
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        what = "a folder without images" if Path(folder).is_dir() else "no folder"
        raise ValueError(f"{folder} is {what}: name one that holds {', '.join(SUFFIXES)}")
    images = []
    for file in files:
        images.append(pixels(file))
        if images[-1].shape != images[0].shape:
            shapes = f"{tuple(images[-1].shape)} and {files[0].name} {tuple(images[0].shape)}"
            raise ValueError(f"{file} has shape (C, H, W) = {shapes}: images of a set have one shape")
    return torch.stack(images).float() / 255


def pixels(file: Path) -> Tensor:
    """uint8 (1 or 3, H, W)."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            seen = np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
    except Exception as error:  # Pillow raises a dozen types on a damaged file
        raise ValueError(f"{file} is no readable image ({type(error).__name__}): replace or remove it") from None
    return torch.from_numpy(seen).reshape(*seen.shape[:2], -1).permute(2, 0, 1)


def fid(real: str | Path, fake: str | Path, network: Callable[[Tensor], np.ndarray] = features.features) -> float:
    """What clean-fid says of two folders: its reading and its distance, in the features of a network that you name.

    It reads every image as RGB. Nothing is fetched.

    Args:
        network: images (N, 1 or 3, H, W) in [0, 1] to features: those of the course, or `inception_features.features`.

    Raises:
        ValueError: as `load`, or too few images, or a grey set and a coloured one; clean-fid itself would end in a
            traceback, or in a wrong number.
    """
    channels = {}
    for folder in (real, fake):
        images = load(folder)
        features.enough_images(np.empty((len(images), network(images[:1]).shape[1])))
        channels[images.shape[1]] = folder
    if len(channels) > 1:
        raise ValueError(f"{channels[1]} is grey, {channels[3]} is not: compare grey or coloured images only")
    from cleanfid.fid import compute_fid  # here, because it imports torchvision, which takes seconds

    def extract(rgb: Tensor) -> Tensor:
        return torch.from_numpy(network(rgb[:, : max(channels)].float() / 255))  # of a grey file they are all the same

    settings = {"num_workers": 0, "device": torch.device("cpu"), "verbose": False, "custom_fn_resize": lambda rgb: rgb}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in features.frechet
        return float(compute_fid(str(real), str(fake), custom_feat_extractor=extract, **settings))
