"""The images of the course: small sets in memory as uint8, turned into floats one batch at a time.

`digits` and `digits16` come with scikit-learn, `mnist16` with the course, and `shapes` is drawn, so that every notebook
works without a download; the others are prepared once by `python datasets/prepare.py NAME`. The environment variable
DATA names the set that `load()` takes.
"""

import difflib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import sprites

EMBEDDED = ("digits", "digits16", "mnist16", "shapes")
PREPARED = ("mnist", "fashion-mnist", "cifar10", "cub", "birds-2010")  # and whatever else has its arrays in the cache
DEFAULT = "mnist16"
DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"  # of images, then labels, as uint8
MNIST16 = Path(__file__).with_name("mnist16") / "mnist16.npz"  # made by python datasets/make_mnist16.py
MNIST16_SHA256 = (
    "fb38bc5e80715e483e2379cafb905a01c6a2821a4f2df331058e86bf25514e8f"  # of its arrays, one after the other
)
DIGITS_TRAIN = 1500  # the other 297 are the test split
SHAPES_TRAIN = 5000  # the other 760 are the test split


class DataError(ValueError):
    """A data set that is unknown, missing or damaged; the message is one line that says what to do."""


@dataclass(frozen=True)
class Images:
    """A set of images and their labels."""

    x: Tensor  # uint8, shape (N, C, H, W), values 0 .. levels - 1
    y: Tensor  # int64, shape (N,)
    levels: int  # grey levels: 17 for the digits as they are, otherwise 256; bits per dimension depend on it
    name: str
    factors: Tensor | None = None  # int64, shape (N, n_factors): the known causes of drawn images (see shapes.FACTORS)

    def __len__(self) -> int:
        return len(self.x)

    def pixels(self, index: int | slice | Tensor = slice(None)) -> Tensor:
        """The chosen images as float32 in [0, 1]."""
        return self.x[index].float() / (self.levels - 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.x.shape[1:]
        return channels, height, width

    @property
    def classes(self) -> int:
        """Number of classes, for labels 0 .. classes - 1."""
        return int(self.y.max()) + 1


def load(name: str | None = None, split: str = "train", cache: str | Path | None = None) -> Images:
    """One split of a data set, always in the same shuffled order.

    Shuffled, because the digits are ordered by writer and MNIST's test file by difficulty: a slice of the result is a
    fair sample.

    Args:
        name: digits (8x8, 17 levels), digits16 (16x16), mnist16 (16x16), shapes (32x32, drawn, with their factors),
            mnist, fashion-mnist, cifar10, cub; by default $DATA, or else mnist16.
        split: train or test.
        cache: where prepare.py keeps its arrays; by default $DATASETS_CACHE, or else datasets/cache.

    Raises:
        DataError: unknown name or split, or a set that is not prepared.
    """
    name = name or default()
    if split not in ("train", "test"):
        raise DataError(f"there is no split {split!r}: take train or test")
    if name in EMBEDDED:
        return embedded(name, split)
    home = Path(cache) if cache else cache_folder()
    if name in PREPARED or (home / name / f"{split}-x.npy").is_file():
        return prepared(name, split, home)
    known = (*EMBEDDED, *PREPARED)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"take {', '.join(known)}"
    raise DataError(f"there is no data set {name!r}: {hint}")


def default() -> str:
    """Name of the set that the notebooks work on: $DATA, or else DEFAULT."""
    return os.environ.get("DATA") or DEFAULT


def cache_folder() -> Path:
    """Where `datasets/prepare.py` keeps its arrays."""
    named = os.environ.get("DATASETS_CACHE")
    return Path(named).expanduser() if named else course() / "datasets" / "cache"


def course() -> Path:
    """The folder that holds starter/ and datasets/.

    In a test or a graded run starter/ is a copy elsewhere: then the repository is where we run, or just above.
    """
    places = [Path(__file__).resolve().parents[2], Path.cwd(), Path.cwd().parent]
    return next((place for place in places if (place / "datasets" / "prepare.py").is_file()), places[0])


def fixed_order(n: int) -> np.ndarray:
    """The same permutation for ever: NumPy keeps the stream of RandomState frozen, those of newer generators not."""
    return np.random.RandomState(0).permutation(n)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits: uint8 (1797, 8, 8) with values 0..16, and int64 labels."""
    from sklearn.datasets import load_digits  # here, because importing it takes a second

    bunch = load_digits()
    return bunch.images.astype(np.uint8), bunch.target.astype(np.int64)


def mnist16() -> dict[str, np.ndarray]:
    """train-x, train-y, test-x and test-y of the small MNIST: uint8, images (N, 1, 16, 16) and labels (N,).

    Raises:
        DataError: the file is missing, or holds something else.
    """
    try:
        with np.load(MNIST16, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ("train-x", "train-y", "test-x", "test-y")}
    except Exception as error:  # numpy raises a dozen types on a damaged file
        found, fault = {}, type(error).__name__
    else:
        fault = "" if checksum(*found.values()) == MNIST16_SHA256 else "it holds other images"
    if fault:
        raise DataError(f"{MNIST16} is damaged ({fault}): get the course's file again")
    return found


def checksum(*arrays: np.ndarray) -> str:
    """SHA-256 of the arrays' bytes, one after the other."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def embedded(name: str, split: str) -> Images:
    if name == "shapes":
        part = slice(SHAPES_TRAIN) if split == "train" else slice(SHAPES_TRAIN, None)
        factors = sprites.all_factors()[part]
        return Images(sprites.draw(factors), factors[:, 0].clone(), levels=256, name=name, factors=factors)
    if name == "mnist16":  # shuffled when it was made
        arrays = mnist16()
        x, y = (torch.from_numpy(arrays[f"{split}-{part}"]) for part in "xy")
        return Images(x, y.long(), levels=256, name=name)
    pixels, labels = digits()
    order = fixed_order(len(pixels))
    chosen = order[:DIGITS_TRAIN] if split == "train" else order[DIGITS_TRAIN:]
    x, y = torch.from_numpy(pixels[chosen]).unsqueeze(1), torch.from_numpy(labels[chosen])
    images = Images(x, y, levels=17, name=name)
    if name == "digits":
        return images
    smooth = F.interpolate(images.pixels(), size=(16, 16), mode="bicubic").clamp(0, 1)  # bicubic overshoots
    return replace(images, x=(smooth * 255).round().byte(), levels=256)


def prepared(name: str, split: str, cache: Path) -> Images:
    command = f"python datasets/prepare.py {name}"
    arrays = []
    for part in ("x", "y"):
        path = cache / name / f"{split}-{part}.npy"
        if not path.exists():
            raise DataError(f"{name} is not in {cache}: prepare it with: {command}")
        try:
            arrays.append(np.load(path, allow_pickle=False))
        except Exception as error:  # numpy raises a dozen types on a damaged file
            raise DataError(f"{path} is damaged ({type(error).__name__}): repair it with: {command}") from None
    x, y = arrays
    if (x.dtype, y.dtype, x.ndim, y.shape) != (np.uint8, np.uint8, 4, x.shape[:1]):
        raise DataError(f"{path.parent} holds {x.dtype} {x.shape} and labels {y.shape}: repair it with: {command}")
    order = fixed_order(len(x))
    return Images(torch.from_numpy(x[order]), torch.from_numpy(y[order]).long(), levels=256, name=name)


def batches(
    images: Images,
    batch_size: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """One shuffled pass over the images, as pairs x float32 (B, C, H, W) in [0, 1] and y int64 (B,).

    Each batch is one indexing of uint8, moved as uint8 (a quarter of the bytes) and scaled where it arrives. The last
    batch may be smaller, unless `drop_last`.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    n = len(images)
    order = torch.randperm(n, generator=generator)
    for start in range(0, n - batch_size + 1 if drop_last else n, batch_size):
        index = order[start : start + batch_size].to(images.x.device)
        yield images.x[index].to(device).float().div_(images.levels - 1), images.y[index].to(device)


def signed(x: Tensor) -> Tensor:
    """Pixels in [0, 1] as a GAN sees them: in [-1, 1], the range of a tanh."""
    return 2 * x - 1


def unit(x: Tensor) -> Tensor:
    """The way back: from [-1, 1] to pixels in [0, 1]."""
    return (x + 1) / 2


def check_labels(y: Tensor, count: int, n_classes: int) -> None:
    """One class for every example, or a ValueError that says what was seen.

    A column of labels (N, 1) compared with (N,) would broadcast to (N, N), and a label of -1 index the last class.
    """
    if tuple(y.shape) != (count,):
        raise ValueError(f"labels must have shape ({count},), one per example, not {tuple(y.shape)}")
    if y.dtype != torch.int64:
        raise ValueError(f"labels must be whole numbers (torch.int64), not {y.dtype}")
    outside = y[(y < 0) | (y >= n_classes)]
    if len(outside):
        raise ValueError(f"labels must be classes 0 .. {n_classes - 1}, one of them is {outside[0].item()}")


def pad(images: Images, size: int) -> Images:
    """Black around the images, up to size x size: no pixel is invented or changed (28x28 becomes 32x32)."""
    _, height, width = images.shape
    top, left = (size - height) // 2, (size - width) // 2
    if min(top, left) < 0:
        raise ValueError(f"images of {height}x{width} do not fit into {size}x{size}: take resized")
    return replace(images, x=F.pad(images.x, (left, size - width - left, top, size - height - top)))


def resized(images: Images, size: int, channels: int | None = None) -> Images:
    """The images at size x size (bilinear, antialiased, 256 levels), grey repeated to `channels` if given."""
    x, (depth, height, width) = images.x, images.shape
    if channels not in (None, depth) and depth != 1:
        raise ValueError(f"only grey images can be repeated to {channels} channels, these have {depth}")
    levels = images.levels
    if (height, width) != (size, size):
        chunks = (images.pixels(slice(i, i + 4096)) for i in range(0, len(images), 4096))  # floats are 4 times as large
        scaled = [F.interpolate(chunk, (size, size), mode="bilinear", antialias=True) for chunk in chunks]
        x, levels = torch.cat([(chunk * 255).round().byte() for chunk in scaled]), 256
    return replace(images, x=x.expand(-1, channels or depth, -1, -1), levels=levels)


def verify() -> str:
    """Compare the embedded data with what the course was made with; one sentence, or a DataError."""
    try:
        x, y = digits()
    except ImportError as error:
        raise DataError(f"the embedded digits need scikit-learn ({error}): pip install -r requirements.txt") from None
    if (len(x), x.min(), x.max(), checksum(x, y.astype(np.uint8))) != (1797, 0, 16, DIGITS_SHA256):
        raise DataError("scikit-learn's digits are not those of the course: pip install -r requirements.txt")
    mnist16()
    return "Embedded images: 1,797 digits of 8x8 pixels in 17 grey levels and 10,000 of MNIST in 16x16, as expected."
