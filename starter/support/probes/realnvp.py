"""Probes of lab 5: starter/realnvp.py."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from ..compare import Arrays
from .core import Draw, array, observe, probe, tensor


@probe("nvp-1")
def coupling_mask(module: ModuleType, draw: Draw) -> Arrays:
    c, h, w = draw.dims("C", "H", "W")
    other = (c + 3, h, w + 1)  # one of the two has an odd number of channels, one an odd width
    seen = {}
    for kind in ("checkerboard", "channel"):
        for flip in (False, True):
            seen[f"{kind}{' flipped' * flip}"] = array(module.coupling_mask((c, h, w), kind, flip))
            seen[f"{kind}{' flipped' * flip} of C + 3, H, W + 1"] = array(module.coupling_mask(other, kind, flip))
        seen[f"{kind} (flip not given)"] = array(module.coupling_mask((c, h, w), kind))
    return seen


def answering(weight: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A network in which every number of an example reaches every output: tanh of one matrix product, in two halves."""

    def net(h: Tensor) -> tuple[Tensor, Tensor]:
        first, second = torch.tanh(h.flatten(1) @ weight).chunk(2, dim=1)
        return 0.8 * first.reshape(h.shape), second.reshape(h.shape)

    return net


def coupling_inputs(draw: Draw, name: str) -> tuple[dict[str, Tensor], Tensor]:
    """A batch of images, the weight of `answering`, and a mask without any pattern."""
    b, c, h, w = draw.batch()
    size = c * h * w
    mask = tensor(draw.rng.permutation(np.arange(size) % 2).reshape(c, h, w).astype(float))
    return {name: draw.mixed(b, c, h, w), "weight": 1.5 * draw.mixed(size, 2 * size) / size**0.5}, mask


@probe("nvp-2")
def coupling_forward(module: ModuleType, draw: Draw) -> Arrays:
    inputs, mask = coupling_inputs(draw, "x")
    return observe(lambda x, weight: module.coupling_forward(x, mask, answering(weight)), inputs, ("x", "weight"))


@probe("nvp-3")
def coupling_inverse(module: ModuleType, draw: Draw) -> Arrays:
    inputs, mask = coupling_inputs(draw, "z")
    return observe(lambda z, weight: module.coupling_inverse(z, mask, answering(weight)), inputs, ("z", "weight"))


@probe("nvp-4")
def squeeze(module: ModuleType, draw: Draw) -> Arrays:
    b, c = draw.rng.choice([5, 7, 9], 2, replace=False).tolist()  # none is another, or twice or four times another
    half_h, half_w = draw.rng.permutation([3, 4]).tolist()
    draw.sizes |= {"B": b, "C": c, "half_H": half_h, "half_W": half_w}
    seen = observe(module.squeeze, {"x": draw.mixed(b, c, 2 * half_h, 2 * half_w)}, ("x",))
    back = observe(module.squeeze, {"x": draw.mixed(b, 4 * c, half_h, half_w)}, ("x",), inverse=True)
    return seen | {f"{name} (inverse)": value for name, value in back.items()}


@probe("nvp-5")
def dequantize(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    (levels,) = draw.dims("levels", low=9, high=14)
    k = draw.rng.permuted(np.arange(b * c * h * w) % levels).reshape(b, c, h, w)  # black and white among them
    inputs = {"x": tensor(k / (levels - 1)), "u": draw.uniform(b, c, h, w)}
    alpha = draw.number(0.05, 0.1)
    seen = observe(module.dequantize, inputs, ("u",), levels=levels, alpha=alpha)
    empty = observe(module.dequantize, inputs | {"u": torch.zeros(b, c, h, w)}, levels=levels, alpha=alpha)
    return seen | {"z without noise": empty.get("item 0", np.array("missing"))}


@probe("nvp-6")
def split(module: ModuleType, draw: Draw) -> Arrays:
    half_c, h, w = draw.dims("half_C", "H", "W", low=3, high=5)
    (b,) = draw.dims("B", low=6, high=7)
    return observe(module.split, {"h": draw.mixed(b, 2 * half_c, h, w)}, ("h",))


@probe("nvp-7")
def bits_per_dim(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    size = c * h * w
    inputs = {"log_prob": size * draw.mixed(b)}  # densities of real numbers have either sign
    return observe(module.bits_per_dim, inputs, ("log_prob",), shape=(c, h, w))


@probe("nvp-8")
def variational_noise(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"x": draw.uniform(b, c, h, w), "u": draw.uniform(b, c, h, w)}
    inputs |= {"stretch": draw.uniform(c, h, w, low=0.5, high=1.5), "push": draw.mixed(c, h, w)}

    def bent(x: Tensor, u: Tensor, stretch: Tensor, push: Tensor, factor: float = 1.0) -> tuple[Tensor, Tensor]:
        """The answer with a flow that knows the image; its log-determinant is no Jacobian's, so that it shows."""
        log_det = (x * stretch).flatten(1).sum(dim=1)
        return module.variational_noise(x, u, lambda a, x: (factor * (a * stretch + push * x), log_det))

    seen = observe(bent, inputs, ("u", "stretch", "push"))
    clear = {"x": draw.uniform(b, c, h, w, low=0.6), "push": inputs["push"].sign(), "stretch": inputs["stretch"] / 10}
    far = observe(bent, inputs | clear, factor=90.0)  # a sigmoid of +-60 is 0 or 1 in float32
    return seen | {f"{name}, b beyond +-60": far[name] for name in ("item 0", "item 1") if name in far}
