"""Make the networks of starter/support/features.py: python -m grading.maintain.train_features [NAME ...]

`digits` and `mnist` take about 20 s of one core each. `cifar10` takes about 10 minutes of one that knows bfloat16, and
the data set: python datasets/prepare.py cifar10.

The same machine and versions give the same bytes. Other machines may round differently, and with another network every
FID of the course means something else: measure the bands again after a run.
"""

import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from starter.support import data, features

SETTLED = 10_000  # images that means and variances come from


class Plan(NamedTuple):
    """How one of the networks is trained."""

    network: features.Network
    images: str  # a data set
    moved: Callable[[Tensor], Tensor]  # a batch -> copies that show the same things
    epochs: int
    lr: float
    weight_decay: float
    half: bool  # trained in bfloat16, kept in float16; else float32


def train(plan: Plan, batch_size: int = 100, seed: int = 0) -> features.FeatureNet:
    """A classifier of the training images, from slightly moved copies of them."""
    torch.manual_seed(seed)
    images, net = data.load(plan.images), plan.network.untrained()
    steps = plan.epochs * (len(images) // batch_size)
    layout = torch.channels_last if plan.half else torch.contiguous_format
    net.to(memory_format=layout)
    optimizer = torch.optim.AdamW(net.parameters(), lr=plan.lr, weight_decay=plan.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.lr, steps)
    for _ in range(plan.epochs):
        for x, y in data.batches(images, batch_size, drop_last=True):
            with torch.autocast("cpu", torch.bfloat16) if plan.half else nullcontext():
                loss = F.cross_entropy(net(plan.moved(x).contiguous(memory_format=layout)), y, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return settled(net.half().float() if plan.half else net, images.pixels(slice(SETTLED)))


def moved_digits(x: Tensor) -> Tensor:
    """Each image turned by up to 15 degrees, shifted by up to a pixel, shrunk by 0.85 to 1.6 (MNIST has margins)."""
    turn, zoom, dx, dy = torch.rand(4, len(x)) * 2 - 1
    angle, zoom, pixel = math.radians(15) * turn, 1.225 + 0.375 * zoom, 2 / x.shape[-1]  # the image is [-1, 1] wide
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    theta = torch.stack([cos, -sin, dx * pixel, sin, cos, dy * pixel], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def moved_photographs(x: Tensor, reach: int = 3) -> Tensor:
    """Each image mirrored or not, and shifted by up to 3 pixels; what comes in at the border is its mirror image."""
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x, x.flip(3))
    windows = F.pad(x, (reach,) * 4, mode="reflect").unfold(2, x.shape[2], 1).unfold(3, x.shape[3], 1)
    down, right = torch.randint(2 * reach + 1, (2, len(x)))
    return windows[torch.arange(len(x)), :, down, right]


PLANS = {
    "digits": Plan(features.DIGITS, "digits16", moved_digits, epochs=60, lr=5e-3, weight_decay=1e-2, half=False),
    "mnist": Plan(features.MNIST, "mnist16", moved_digits, epochs=12, lr=5e-3, weight_decay=1e-2, half=False),
    "cifar10": Plan(features.CIFAR10, "cifar10", moved_photographs, epochs=12, lr=6e-3, weight_decay=5e-2, half=True),
}


def settled(net: features.FeatureNet, x: Tensor) -> features.FeatureNet:
    """The network with every normalisation set to the mean and variance of the images as they are."""
    for layer in net.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.momentum = 1.0  # keep nothing of the moved copies
    with torch.no_grad():
        net.train()(x)
    return net.eval()


def stored(net: features.FeatureNet, half: bool) -> dict[str, Tensor]:
    """Its numbers as they are kept."""
    return {
        key: value.half() if half and value.is_floating_point() else value for key, value in net.state_dict().items()
    }


@torch.no_grad()
def share_right(net: features.FeatureNet, images: data.Images) -> float:
    parts = [slice(i, i + 1000) for i in range(0, len(images), 1000)]
    return sum((net(images.pixels(p)).argmax(dim=1) == images.y[p]).sum().item() for p in parts) / len(images)


def make(name: str) -> None:
    """Train a network, and write its weights beside features.py, with its share of right answers."""
    plan, started = PLANS[name], time.perf_counter()
    net = train(plan)
    numbers = stored(net, plan.half)
    net.load_state_dict(numbers)
    right = {split: f"{share_right(net, data.load(plan.images, split)):.2%}" for split in ("train", "test")}
    weights = plan.network.weights
    command = f"python -m grading.maintain.train_features {name}"
    save_file(numbers, weights, metadata={"made by": command, "right": right["test"]})
    features.read.cache_clear()
    size, seconds = weights.stat().st_size / 1000, time.perf_counter() - started
    print(f"{name}: right {right['train']} of train, {right['test']} of test; {size:.0f} kB, {seconds:.0f} s")


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in PLANS]:
        print(f"train_features: there is no {unknown[0]!r}: take {', '.join(PLANS)}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    try:
        for name in names or PLANS:
            make(name)
    except data.DataError as missing:
        print(f"train_features: {missing}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
