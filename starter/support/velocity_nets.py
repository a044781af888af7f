"""Networks of velocities for lab 12: they see where a particle is, at which time, and which class it belongs to.

Both take (x, t, y): x of any batch, times (B,) in [0, 1], and classes, int64 (B,), where the number `n_classes` stands
for "no label". Both give velocities of the shape of x, and 0 before they have learned anything.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .nets import Shape

WAVES = 8  # a time is seen through so many sines and cosines


class Conditions(nn.Module):
    """Time and class as one vector (B, dim)."""

    pitches: Tensor

    def __init__(self, n_classes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("pitches", math.pi * torch.arange(1, WAVES + 1))
        self.time, self.label = nn.Linear(2 * WAVES, dim), nn.Embedding(n_classes + 1, dim)
        self.mixed = nn.Linear(dim, dim)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        angles = t[:, None] * self.pitches
        seen = self.time(torch.cat([angles.sin(), angles.cos()], dim=1)) + self.label(y)
        return F.silu(self.mixed(F.silu(seen)))


class PointNet(nn.Module):
    """Velocities of points (B, D): fully connected layers, each of which is told time and class."""

    def __init__(self, dim: int, n_classes: int, hidden_dim: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.n_classes, self.conditions = n_classes, Conditions(n_classes, hidden_dim)
        sizes = [dim] + layers * [hidden_dim]
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in zip(sizes, sizes[1:]))
        self.told = nn.ModuleList(nn.Linear(hidden_dim, hidden_dim) for _ in range(layers))
        self.last = started_at_zero(nn.Linear(hidden_dim, dim))

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        told = self.conditions(t, y)
        for layer, shift in zip(self.layers, self.told):
            x = F.silu(layer(x) + shift(told))
        return self.last(x)


class UNet(nn.Module):
    """Velocities of images (B, C, H, W): down to a quarter of their size and up again, with bridges in between.

    Convolutions without normalisation; every level is told time and class. What the way down saw at a size is added
    on the way up, where fine detail would be missing otherwise.

    Raises:
        ValueError: a side of the images is not a multiple of 4.

    Source: Ronneberger et al. 2015, "U-Net"; for diffusion: Ho et al. 2020, appendix B. This one is far smaller.
    """

    def __init__(self, shape: Shape, n_classes: int, channels: int = 16, dim: int = 64, middle: int = 2) -> None:
        super().__init__()
        if shape[1] % 4 or shape[2] % 4:
            raise ValueError(f"two halvings need a multiple of 4, not {shape[1]}x{shape[2]} pixels: use data.pad")
        self.n_classes, self.conditions = n_classes, Conditions(n_classes, dim)
        large, medium, small = channels, 2 * channels, 4 * channels
        self.first = nn.Conv2d(shape[0], large, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(large, medium, 4, 2, 1), nn.Conv2d(medium, small, 4, 2, 1)])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(small, medium, 4, 2, 1), nn.ConvTranspose2d(medium, large, 4, 2, 1)]
        )
        self.detail = nn.ModuleList(nn.Conv2d(medium, medium, 3, padding=1) for _ in range(2))
        self.middle = nn.ModuleList(nn.Conv2d(small, small, 3, padding=1) for _ in range(middle))
        self.told = nn.ModuleList(nn.Linear(dim, width) for width in (large, medium, small, medium, large))
        self.last = started_at_zero(nn.Conv2d(large, shape[0], 3, padding=1))
        self.to(memory_format=torch.channels_last)  # a third faster on a CPU

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        told, x = self.conditions(t, y), x.contiguous(memory_format=torch.channels_last)
        shifts = [shift(told)[:, :, None, None] for shift in self.told]
        fine = F.silu(self.first(x) + shifts[0])
        half = F.silu(self.down[0](fine) + shifts[1])
        half = half + F.silu(self.detail[0](half))
        h = F.silu(self.down[1](half) + shifts[2])
        for layer in self.middle:
            h = h + F.silu(layer(h))
        h = F.silu(self.up[0](h) + half + shifts[3])
        h = h + F.silu(self.detail[1](h))
        return self.last(F.silu(self.up[1](h) + fine + shifts[4])).contiguous()


def started_at_zero(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """The same layer, whose answer is 0 until it has learned."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer
