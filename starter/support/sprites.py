"""Images whose causes are known: every combination of a shape, its size, its angle and its place, drawn by formula.

5,760 images of 32x32 pixels, in the manner of dSprites: 3 shapes, 5 scales, 6 angles, 8 columns, 8 rows.
"""

import math

import numpy as np
import torch
from torch import Tensor

SIZE = 32  # pixels, rows and columns
FACTORS = ("shape", "scale", "rotation", "x", "y")  # columns of a table of factors
SHAPES = ("square", "ellipse", "triangle")
RADII = np.linspace(3.4, 6.2, 5)  # pixels, of the disc with the same area: so the area tells nothing about the shape
ANGLES = np.arange(6) * math.pi / 12  # up to 75 degrees: a square turned by 90 is the same square
PLACES = np.linspace(-4.8, 4.8, 8)  # of the centre, in pixels from the middle; y grows downwards
LEVELS = (len(SHAPES), len(RADII), len(ANGLES), len(PLACES), len(PLACES))


def all_factors(seed: int = 0) -> Tensor:
    """Every combination of factor values once, int64 (5760, 5), in an order that depends on the seed only."""
    table = np.indices(LEVELS).reshape(len(LEVELS), -1).T
    return torch.from_numpy(table[np.random.RandomState(seed).permutation(len(table))])


def draw(factors: Tensor) -> Tensor:
    """The images of rows of factors, uint8 (N, 1, 32, 32): white on black, edges one pixel soft.

    A pixel's grey is the share of it that the shape covers, from its signed distance to the edge.

    Raises:
        ValueError: a factor outside its levels.
    """
    if factors.ndim != 2 or factors.shape[1:] != (5,) or (factors < 0).any() or (factors >= torch.tensor(LEVELS)).any():
        raise ValueError(f"factors {tuple(factors.shape)} must have 5 columns {FACTORS}, each below {LEVELS}")
    shape, scale, rotation, column, row = factors.T.unsqueeze(-1).unsqueeze(-1)  # (N, 1, 1) each
    centre = (SIZE - 1) / 2
    at = torch.arange(SIZE, dtype=torch.float32)
    dx = at - centre - torch.tensor(PLACES, dtype=torch.float32)[column]  # (N, 1, SIZE)
    dy = at[:, None] - centre - torch.tensor(PLACES, dtype=torch.float32)[row]  # (N, SIZE, 1)
    angle = torch.tensor(ANGLES, dtype=torch.float32)[rotation]
    u, v = angle.cos() * dx + angle.sin() * dy, angle.cos() * dy - angle.sin() * dx  # in the shape's own frame
    radius = torch.tensor(RADII, dtype=torch.float32)[scale]
    distances = torch.stack([edge(u, v, radius) for edge in (square, ellipse, triangle)])  # in the order of SHAPES
    distance = distances[shape.flatten(), torch.arange(len(factors))]  # (N, SIZE, SIZE)
    return ((0.5 - distance).clamp(0, 1) * 255).round().byte().unsqueeze(1)


# Signed distances to the edge in pixels, negative inside; exact near the edge, which is where they count.


def square(u: Tensor, v: Tensor, radius: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) - 0.89 * radius


def ellipse(u: Tensor, v: Tensor, radius: Tensor) -> Tensor:
    """Twice as long as wide; the value of the implicit function over the length of its gradient."""
    a, b = 1.42 * radius, 0.71 * radius
    level = ((u / a).square() + (v / b).square()).sqrt()
    slope = ((u / a.square()).square() + (v / b.square()).square()).sqrt() / level.clamp(min=1e-6)
    return (level - 1) / slope.clamp(min=1e-6)


def triangle(u: Tensor, v: Tensor, radius: Tensor) -> Tensor:
    """Equilateral, one corner up."""
    sides = [math.sin(turn) * u + math.cos(turn) * v for turn in (0.0, 2 * math.pi / 3, -2 * math.pi / 3)]
    return torch.maximum(torch.maximum(sides[0], sides[1]), sides[2]) - 0.78 * radius
