"""Eight Gaussians on a ring: the smallest data on which a generator can collapse, and everybody can see it.

Points lie in the unit square, as pixels do. They are kept as whole numbers on a grid of 65,536 steps, so that a
training loop for images takes them as images of shape (2,).
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from . import plots
from .data import Images

MODES = 8
ANGLES = torch.arange(MODES) * 2 * math.pi / MODES
CENTRES = 0.5 + 0.4 * torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)  # (8, 2)
SIGMA = 0.02  # of every Gaussian: a fifteenth of the way to the next one
LEVELS = 2**16


def points(count: int = 5000, seed: int = 0) -> Images:
    """As many draws from every mode; labels say which."""
    mode = torch.arange(count) % MODES
    x = CENTRES[mode] + SIGMA * torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return Images((x * (LEVELS - 1)).round().int(), mode, LEVELS, "ring")


def snapshots(runs: Mapping[str, Mapping[str, Tensor]], title: str = "") -> None:
    """Clouds of points (N, 2) in the unit square, a row for each run, a column for each moment; circles: the modes."""
    columns = max(map(len, runs.values()))
    width = plots.WIDEST / columns
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = 3 * SIGMA * np.stack([np.cos(turn), np.sin(turn)])
    height = (width + 0.1) * len(runs) + 0.5
    with plots.figure(plots.WIDEST, height, title, nrows=len(runs), ncols=columns, shared=True) as axes:
        for row, (name, clouds) in zip(axes, runs.items()):
            row[0].set_ylabel(name.replace(" ", "\n"))
            for ax, (moment, cloud) in zip(row, clouds.items()):
                for centre in CENTRES.numpy():
                    ax.plot(*(centre[:, None] + circle), color=plots.GREY, linewidth=0.8)
                ax.scatter(*plots.array(cloud).T, s=3, alpha=0.4, linewidths=0, color=plots.COLOURS[0])
                ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
                ax.set_title(moment)
                ax.grid(False)
