"""Make starter/support/features.safetensors: python -m grading.train_features (about 20 s of one core).

The same machine and versions give the same bytes. Other machines may round differently, and with another network every
FID of the course means something else: measure the bands again after a run.
"""

import math
import time

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from starter.support import data, features


def train(epochs: int = 60, batch_size: int = 100, lr: float = 5e-3, seed: int = 0) -> features.FeatureNet:
    """A classifier of the training digits, from slightly moved copies of them."""
    torch.manual_seed(seed)
    images, net = data.load("digits16"), features.FeatureNet()
    steps = epochs * (len(images) // batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    for _ in range(epochs):
        for x, y in data.batches(images, batch_size, drop_last=True):
            loss = F.cross_entropy(net(moved(x)), y, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return settled(net, images.pixels())


def moved(x: Tensor) -> Tensor:
    """Each image turned by up to 15 degrees, shifted by up to a pixel, shrunk by 0.85 to 1.6 (MNIST has margins)."""
    turn, zoom, dx, dy = torch.rand(4, len(x)) * 2 - 1
    angle, zoom, pixel = math.radians(15) * turn, 1.225 + 0.375 * zoom, 2 / x.shape[-1]  # the image is [-1, 1] wide
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    theta = torch.stack([cos, -sin, dx * pixel, sin, cos, dy * pixel], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def settled(net: features.FeatureNet, x: Tensor) -> features.FeatureNet:
    """The network with every normalisation set to the mean and variance of the images as they are."""
    for layer in net.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.momentum = 1.0  # keep nothing of the moved copies
    with torch.no_grad():
        net.train()(x)
    return net.eval()


def main() -> None:
    torch.set_num_threads(1)
    started = time.perf_counter()
    net = train()
    save_file(net.state_dict(), features.WEIGHTS, metadata={"made by": "python -m grading.train_features"})
    features.load.cache_clear()
    for split in ("train", "test"):
        images = data.load("digits16", split)
        print(f"{split} accuracy {features.accuracy(images.pixels(), images.y):.4f}")
    print(f"{features.WEIGHTS.stat().st_size / 1000:.0f} kB, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
