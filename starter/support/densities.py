"""Densities on the plane: four targets, grids to sum over, a fit, and pictures.

The targets are U_1 … U_4 of Rezende & Mohamed 2015, table 1, as densities exp(-U(z)) / Z. U_2, U_3 and U_4 are waves
without an end: their exp(-U) has no finite integral. Soft walls at |z_i| = 4, the border of the paper's pictures, make
densities of them, so that a distance to them in nats exists.
"""

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from . import plots
from .training import SEED, progress

EDGE = 4.0


def wave(z: Tensor) -> Tensor:
    """w_1 of the paper: the middle of the first ridge."""
    return torch.sin(0.5 * torch.pi * z[:, 0])


def bump(z: Tensor) -> Tensor:
    """w_2: how far below it a second ridge lies, for a while."""
    return 3 * torch.exp(-0.5 * ((z[:, 0] - 1) / 0.6) ** 2)


def ramp(z: Tensor) -> Tensor:
    """w_3: the same, for good."""
    return 3 * torch.sigmoid((z[:, 0] - 1) / 0.3)


def ridges(*distances: Tensor) -> Tensor:
    """-log of a sum of Gaussian ridges, from the distance to each in its own standard deviations."""
    return -torch.logsumexp(torch.stack([-0.5 * distance**2 for distance in distances]), dim=0)


TARGETS: dict[str, Callable[[Tensor], Tensor]] = {
    "$U_1$": lambda z: 0.5 * ((z.norm(dim=1) - 2) / 0.4) ** 2 + ridges((z[:, 0] - 2) / 0.6, (z[:, 0] + 2) / 0.6),
    "$U_2$": lambda z: ridges((z[:, 1] - wave(z)) / 0.4),
    "$U_3$": lambda z: ridges((z[:, 1] - wave(z)) / 0.35, (z[:, 1] - wave(z) + bump(z)) / 0.35),
    "$U_4$": lambda z: ridges((z[:, 1] - wave(z)) / 0.4, (z[:, 1] - wave(z) + ramp(z)) / 0.35),
}


def energies(z: Tensor) -> Tensor:
    """U of points (4 n, 2), walls included, shape (4 n,): each quarter of the points has a target of its own."""
    wall = 0.5 * ((z.abs() - EDGE).clamp(min=0) / 0.2).square().sum(dim=1)
    return torch.cat([energy(quarter) for energy, quarter in zip(TARGETS.values(), z.chunk(4), strict=True)]) + wall


def grid(size: int = 160, edge: float = EDGE + 1) -> tuple[Tensor, float]:
    """Points (size * size, 2), row by row from the top left, and the area that belongs to each."""
    at = (torch.arange(size) + 0.5) / size * 2 * edge - edge
    y, x = torch.meshgrid(at.flip(0), at, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2), (2 * edge / size) ** 2


def log_integral(log_density: Tensor, area: float) -> Tensor:
    """log of the integral of exp(log_density), known on a grid (..., size * size) whose points have this area."""
    return torch.logsumexp(log_density, dim=-1) + np.log(area)


def targets() -> tuple[Tensor, Tensor]:
    """-U of the four targets on the grid, shape (4, size * size), and their log Z, shape (4,)."""
    points, area = grid()
    log_density = -energies(points.repeat(4, 1)).reshape(4, -1)
    return log_density, log_integral(log_density, area)


def histogram(points: Tensor, size: int = 100, edge: float = EDGE + 1) -> np.ndarray:
    """How many of the points (N, 2) lie in each of size * size squares, oriented as `grid`."""
    edges = np.linspace(-edge, edge, size + 1)
    x, y = points.detach().numpy().T
    return np.histogram2d(x, y, bins=[edges, edges])[0].T[::-1]


def minimise(loss: Callable[[float], Tensor], model: nn.Module, steps: int, lr: float, seed: int = SEED) -> None:
    """Adam on loss(share of the steps done), for losses that draw their own points. MAX_STEPS caps it, as in `fit`."""
    steps = min(steps, int(os.environ.get("MAX_STEPS", steps)))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 10), pct_start=0.2)
    torch.manual_seed(seed)
    with progress(steps) as bar:
        for step in range(steps):
            value = loss(step / steps)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
            bar.update()


Map = tuple[str, np.ndarray | Tensor]  # its title, and its values: square, or a square grid's in one row


def maps(
    rows: Mapping[str, Sequence[Map]],
    title: str = "",
    edge: float = EDGE + 1,
    zoom: float = EDGE + 1,
    inches: float = 2.0,
) -> None:
    """Densities as heat maps, a labelled row of them for every name, each with a scale of its own.

    The values reach from -edge to edge, oriented as `grid`; `zoom` shows the part from -zoom to zoom.
    """
    columns, zoom = max(map(len, rows.values())), zoom or edge
    labels = 0.3 * any(rows)
    width = min(columns * inches + labels, plots.WIDEST)
    height = len(rows) * ((width - labels) / columns + 0.2) + 0.3 * bool(title)
    with plots.figure(width, height, title, nrows=len(rows), ncols=columns) as axes:
        for line, (label, row) in zip(axes, rows.items(), strict=True):
            line[0].set_ylabel(label)
            for ax, (name, values) in zip(line, row, strict=True):
                values = plots.array(values)
                square = values.reshape(int(values.size**0.5), -1)
                ax.imshow(square, extent=(-edge, edge, -edge, edge), interpolation="bilinear")
                ax.set(xticks=[], yticks=[], title=name, xlim=(-zoom, zoom), ylim=(-zoom, zoom))
                ax.grid(False)


def dots(named: Mapping[str, Mapping[str, Tensor]], title: str = "", y: str = "") -> None:
    """Repeated results side by side: a column for every name, in it a dot for every run, a look for every kind."""
    kinds = list(next(iter(named.values())))
    with plots.figure(1.3 * len(named), 3.2, title) as axes:
        ax = axes[0, 0]
        for i, kind in enumerate(kinds):
            shift = 0.3 * (i - (len(kinds) - 1) / 2)
            runs = [plots.array(results[kind]) for results in named.values()]
            at = np.repeat(np.arange(len(runs)) + shift, [len(values) for values in runs])
            look = {"color": plots.COLOURS[i], "marker": plots.MARKERS[i], "linestyle": "none", "alpha": 0.7}
            ax.plot(at, np.concatenate(runs), label=kind, **look)
        ax.axhline(0, color=plots.GREY, linestyle="--", linewidth=1.2)
        ax.set_xticks(range(len(named)), list(named))
        ax.grid(axis="x", visible=False)
        plots.finish(ax, "", y, legend=True)
