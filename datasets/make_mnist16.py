"""Make the small MNIST that comes with the course, starter/support/mnist16: python datasets/make_mnist16.py

8,000 images to train and 2,000 to test, as many of each digit: the middle 22x22 of the 28x28 pixels, averaged to 16x16.
Everything is counted in whole numbers, so that every machine makes the same images. It needs MNIST, which
python datasets/prepare.py mnist brings.
"""

import math
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # behind all others: tests put the reference first
from datasets.convert import whole
from starter.support import data

CROP, SIDE = 22, 16  # pixels of a side, before and after
EACH = {"train": 800, "test": 200}  # images of each digit, from the official file of that name


def shrunk(x: np.ndarray, crop: int = CROP, side: int = SIDE) -> np.ndarray:
    """The middle crop x crop pixels of images uint8 (N, H, W), each new pixel the mean of the area that it covers.

    22 pixels become 16: a new one covers 11/8 of an old one. In eighths of a pixel all weights are whole numbers; only
    the last division rounds, half up.
    """
    margin, step = (x.shape[-1] - crop) // 2, math.gcd(crop, side)
    covers = crop // step  # of the side // step parts that an old pixel is cut into
    weights = np.eye(crop, dtype=np.int64).repeat(side // step, axis=0).reshape(side, covers, crop).sum(axis=1)
    middle = x[:, margin : margin + crop, margin : margin + crop].astype(np.int64)
    total = weights @ middle @ weights.T
    return ((2 * total + covers**2) // (2 * covers**2)).astype(np.uint8)


def made() -> dict[str, np.ndarray]:
    """train-x, train-y, test-x and test-y, from the prepared MNIST.

    Raises:
        DataError: it is not prepared.
    """
    arrays = {}
    for split, each in EACH.items():
        images = data.load("mnist", split)
        firsts = [np.flatnonzero(images.y.numpy() == digit)[:each] for digit in range(10)]
        index = np.concatenate(firsts)[data.fixed_order(10 * each)]  # every slice is a fair sample
        arrays[f"{split}-x"] = shrunk(images.x[index, 0].numpy())[:, None]
        arrays[f"{split}-y"] = images.y[index].numpy().astype(np.uint8)
    return arrays


def main() -> int:
    try:
        arrays = made()
    except data.DataError as missing:
        print(f"make_mnist16: {missing}", file=sys.stderr)
        return 2
    data.MNIST16.parent.mkdir(exist_ok=True)
    with whole(data.MNIST16) as file:
        np.savez_compressed(file, **arrays)
    size = data.MNIST16.stat().st_size
    print(f"{data.MNIST16}: {size / 1e6:.2f} MB, SHA-256 of its images and labels {data.checksum(*arrays.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
