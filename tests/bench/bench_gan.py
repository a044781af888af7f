"""Step and epoch of a GAN fed by the course's batches against torchvision datasets and a DataLoader: `make bench`.

Both sides train the same networks with the same two steps; only what brings the images differs. Theirs: the same images
as torchvision's MNIST (in memory, a PIL image each) and as an ImageFolder of PNG files, through ToTensor and Normalize.
Epochs of the two sides alternate, so that a busy machine slows both; a ratio is the median over pairs of
(theirs / ours): above 1, the course's is faster. An epoch includes the start of the workers; a step does not.

    python tests/bench/bench_gan.py [--pairs 9] [--batch 64] [--data digits16]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import numpy as np
import PIL
import torch
import torchvision
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from solutions import gan
from starter.support import data
from starter.support.nets import mlp_discriminator, mlp_generator

Update = Callable[[Tensor, Tensor], object]
NORMALIZE = [transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]  # to [-1, 1]


def in_memory(images: data.Images, folder: Path) -> Dataset:
    """torchvision's MNIST, reading our images from files in MNIST's format."""
    raw = folder / "MNIST/raw"
    raw.mkdir(parents=True)
    for name, array in (("images-idx3", images.x.squeeze(1)), ("labels-idx1", images.y)):
        head = np.array([0x0800 + array.ndim, *array.shape], dtype=">i4").tobytes()
        for part in ("train", "t10k"):
            (raw / f"{part}-{name}-ubyte").write_bytes(head + array.byte().numpy().tobytes())
    return torchvision.datasets.MNIST(folder, transform=transforms.Compose(NORMALIZE))


def on_disk(images: data.Images, folder: Path) -> Dataset:
    """An ImageFolder of PNG files, in the order of the labels."""
    for i, (image, label) in enumerate(zip(images.x, images.y.tolist())):
        path = folder / "png" / str(label) / f"{i:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image.squeeze(0).numpy()).save(path)
    return torchvision.datasets.ImageFolder(folder / "png", transforms.Compose([transforms.Grayscale(), *NORMALIZE]))


def difference(dataset: Dataset, images: data.Images) -> float:
    """Between the mean grey levels of the same images, whatever their order."""
    theirs = torch.stack([data.unit(x).mean() for x, _ in dataset]).sort().values
    return (theirs - images.pixels().flatten(1).mean(dim=1).sort().values).abs().max().item()


def new_gan(shape: tuple[int, int, int]) -> gan.GAN:
    torch.manual_seed(0)
    return gan.GAN(mlp_generator(32, (128, 256), shape), mlp_discriminator(shape, (256, 128)), 32)


def update_signed(model: gan.GAN, x: Tensor, y: Tensor) -> None:
    """`GAN.update` for images that come in [-1, 1]."""
    model.update(data.unit(x), y)


def epoch(batches: Callable[[], Iterable], update: Update) -> tuple[float, float]:
    """Seconds of one pass, and of its median step; a step begins when the one before has ended."""
    ends = [time.perf_counter()]
    for x, y in batches():
        update(x, y)
        ends.append(time.perf_counter())
    steps = [end - start for start, end in zip(ends[1:], ends[2:])]  # the first waits for the workers
    return ends[-1] - ends[0], statistics.median(steps)


def compare(name: str, ours: Callable, theirs: Callable, updates: tuple[Update, Update], pairs: int) -> None:
    epoch(ours, updates[0]), epoch(theirs, updates[1])
    times = []
    for pair in range(pairs):  # who goes first takes turns
        order = [(ours, updates[0]), (theirs, updates[1])][:: 1 if pair % 2 else -1]
        both = [epoch(*side) for side in order][:: 1 if pair % 2 else -1]
        times.append(both)
    for i, what in enumerate(("epoch", "step")):
        ratio = statistics.median(their[i] / own[i] for own, their in times)
        own, their = (1000 * statistics.median(side[i] for side in column) for column in zip(*times))
        print(f"{name}: {what} {ratio:.2f} times ours ({their:.2f} ms against {own:.2f} ms)", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--data", default="digits16")
    given = parser.parse_args()
    torch.set_num_threads(1)
    images = data.load(given.data)
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}"
    print(f"{versions}; one thread, {len(images)} images {images.shape}, batch {given.batch}, {given.pairs} pairs")
    ours = partial(data.batches, images, given.batch)
    with tempfile.TemporaryDirectory() as folder:
        for name, dataset in (("MNIST", in_memory), ("ImageFolder", on_disk)):
            dataset = dataset(images, Path(folder))
            model, other = new_gan(images.shape), new_gan(images.shape)
            updates = (model.update, partial(update_signed, other))
            print(f"\n{name}: brightness of an image differs by at most {difference(dataset, images):.1e}")
            for feed, both in (("batches alone", (lambda x, y: None,) * 2), ("GAN", updates)):
                for workers in (0, 2):
                    loader = DataLoader(dataset, given.batch, shuffle=True, num_workers=workers)
                    label = f"{name}, {workers} workers, {feed}"
                    compare(label, ours, lambda loader=loader: loader, both, given.pairs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
