"""Probes of lab 5: starter/realnvp.py."""

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from ..flows import Flow
from .core import Draw, array, case, first, gradients_of, named, observe, probe, scaled, tensor


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
    return seen | {"checkerboard of one channel": array(module.coupling_mask((1, w, h), "checkerboard"))}


def answering(weight: Tensor, steep: float = 0.0) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A network in which every number of an example reaches every output: tanh of one matrix product, in two halves.

    A `steep` one gives a log s that goes from 0 up to this number.
    """

    def net(h: Tensor) -> tuple[Tensor, Tensor]:
        first, second = torch.tanh(h.flatten(1) @ weight).chunk(2, dim=1)
        log_s = steep * first.square() if steep else 0.8 * first
        return log_s.reshape(h.shape), second.reshape(h.shape)

    return net


def coupling_inputs(draw: Draw, name: str) -> tuple[dict[str, Tensor], Tensor]:
    """A batch of images, the weight of `answering`, and a mask without any pattern."""
    b, c, h, w = draw.batch()
    size = c * h * w
    mask = tensor(draw.rng.permutation(np.arange(size) % 2).reshape(c, h, w).astype(float))
    return {name: draw.mixed(b, c, h, w), "weight": 1.5 * draw.mixed(size, 2 * size) / size**0.5}, mask


def coupled(couple: Callable, draw: Draw, name: str) -> Arrays:
    """A coupling of images, of one of them, and of points; apart, scales that a clamp would cut off, or a product."""
    inputs, mask = coupling_inputs(draw, name)

    def through(mask: Tensor, steep: float = 0.0) -> Callable:
        return lambda weight, **given: couple(given[name], mask, answering(weight, steep))

    seen = observe(through(mask), inputs, (name, "weight"))
    one = {name: inputs[name][:1], "weight": inputs["weight"]}
    far = scaled(observe(through(mask, 7.0 if name == "x" else -7.0), one), 0.01, "item 0")
    seen |= case("one example, extreme log s, in hundreds", far)
    log_s = 40.0 if name == "x" else -40.0  # exp() of the sum is infinite

    def level(h: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full_like(h, log_s), h

    grey = {name: one[name][:, :1]}
    stripes = (torch.arange(mask[:1].numel()) % 2).view_as(mask[:1]).float()
    far = scaled(observe(lambda **given: couple(given[name], stripes, level), grey), math.exp(-40), "item 0")
    seen |= case("one example, one channel, extreme log s of 40, log_det in hundreds", scaled(far, 0.01, "item 1"))
    flat = {name: inputs[name].flatten(1), "weight": inputs["weight"]}
    return seen | case("points", observe(through(mask.flatten()), flat))


@probe("nvp-2")
def coupling_forward(module: ModuleType, draw: Draw) -> Arrays:
    return coupled(module.coupling_forward, draw, "x")


@probe("nvp-3")
def coupling_inverse(module: ModuleType, draw: Draw) -> Arrays:
    return coupled(module.coupling_inverse, draw, "z")


@probe("nvp-4", spared={"extreme": "numbers only change their places"})
def squeeze(module: ModuleType, draw: Draw) -> Arrays:
    """Numbers that only change their places are short to store, and each another one."""
    b, c = draw.rng.permutation([5, 7]).tolist()  # none is another, or twice or four times another
    half_h, half_w = draw.rng.permutation([3, 4]).tolist()
    draw.sizes |= {"B": b, "C": c, "half_H": half_h, "half_W": half_w}

    def hundredths(*shape: int) -> Tensor:
        size = math.prod(shape)
        return tensor(draw.rng.permutation(np.arange(size) - size // 2).reshape(shape) / 100)

    seen = observe(module.squeeze, {"x": hundredths(b, c, 2 * half_h, 2 * half_w)})
    back = observe(module.squeeze, {"x": hundredths(b, 4 * c, half_h, half_w)}, inverse=True)
    one, other = {"x": hundredths(1, 1, 2 * half_w, 2 * half_h)}, {"x": hundredths(1, 4, half_h, half_w)}
    seen |= case("one example, one channel", observe(module.squeeze, one, ("x",)))
    seen |= case("inverse, one example, one channel", observe(module.squeeze, other, ("x",), inverse=True))
    return seen | case("inverse", back)


@probe("nvp-5", spared={"is 0": "alpha keeps p away from 0"})
def dequantize(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    (levels,) = draw.dims("levels", low=9, high=14)
    k = draw.rng.permuted(np.arange(b * c * h * w) % levels).reshape(b, c, h, w)  # black and white among them
    inputs = {"x": tensor(k / (levels - 1)), "u": draw.uniform(b, c, h, w)}
    alpha = draw.number(0.05, 0.1)
    seen = observe(module.dequantize, inputs, ("u",), levels=levels, alpha=alpha)
    empty = observe(module.dequantize, inputs | {"u": torch.zeros(b, c, h, w)}, levels=levels, alpha=alpha)
    edges = {"x": torch.zeros(1, 1, h, w), "u": inputs["u"][:1, :1].clone()}  # black and white alone, in 256 levels
    edges["x"][..., 1:], edges["u"][..., 0], edges["u"][..., -1] = 1, 0, 1 - 2**-5
    seen |= case("one example, extreme p, alpha not given", observe(module.dequantize, edges, levels=256))
    return seen | {"z without noise": empty.get("item 0", np.array("missing"))}


@probe("nvp-6", spared={"extreme": "a square and a constant"})
def split(module: ModuleType, draw: Draw) -> Arrays:
    half_c, h, w = draw.dims("half_C", "H", "W", low=3, high=5)
    (b,) = draw.dims("B", low=6, high=7)
    seen = observe(module.split, {"h": draw.mixed(b, 2 * half_c, h, w)}, ("h",))
    return seen | case("one example of two channels", observe(module.split, {"h": draw.mixed(1, 2, h, w)}))


@probe("nvp-7", spared={"extreme": "a division"})
def bits_per_dim(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    size = c * h * w
    inputs = {"log_prob": size * draw.mixed(b)}  # densities of real numbers have either sign
    seen = observe(module.bits_per_dim, inputs, ("log_prob",), shape=(c, h, w))
    return seen | case("one example, one channel", observe(module.bits_per_dim, first(inputs), shape=(1, h, w)))


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
    one = first(inputs, "stretch", "push") | {"stretch": 1 + inputs["stretch"][:1] / 3, "push": inputs["push"][:1]}
    one["u"] = 2.0**-18 + (1 - 2.0**-17) * one["u"].round()
    seen |= case("one example, extreme u near 0 and 1", observe(bent, one))
    return seen | {f"{name}, b beyond +-60": far[name] for name in ("item 0", "item 1") if name in far}


class Bend(Flow):
    """A layer whose log-determinant is no Jacobian's, so that it shows."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # one number per feature or channel
        self.modes: list[bool] = []  # of every call

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        self.modes.append(self.training)
        weight = self.weight[: h.shape[1]].view(-1, *[1] * (h.dim() - 2))
        return h + (weight * h).sin(), (weight + h.cos()).flatten(1).mean(dim=1)


@probe("nvp-9", spared={"extreme": "that is its layers' task"})
def encode(module: ModuleType, draw: Draw) -> Arrays:
    """Three scales; then one, of points, and none; then two of one example in evaluation mode, the second is empty."""
    (b, quarter, h, w), (d,) = draw.batch(), draw.dims("D", low=7, high=8)
    image, point = draw.mixed(b, 4 * quarter, h, w), draw.mixed(b, d)
    layers = [Bend(draw.mixed(4 * quarter)) for _ in range(5)]
    seen = encoded(module, [layers[:2], layers[2:4], layers[4:]], image)
    seen |= case("one stage, points", encoded(module, [layers[:2]], point))
    seen |= case("an empty stage alone, log_det is 0", encoded(module, [[]], point))
    bare = encoded(module, [layers[1:2], []], image[:1], training=False)
    return seen | case("one example, an empty stage, evaluation mode", bare)


def encoded(module: ModuleType, stages: list[list[Bend]], x: Tensor, training: bool = True) -> Arrays:
    layers = [layer.train(training) for stage in stages for layer in stage]
    left: list[tuple[int, ...]] = []
    for layer in layers:
        layer.modes.clear()

    def leave(h: Tensor) -> tuple:
        """The halves are not those of the lab's, and what they cost is no sum."""
        left.append(tuple(h.shape))
        kept, z = h[:, 1::2], h[:, ::2]
        return module.Split(kept, z, (2 + z.flatten(1).square().sum(dim=1)).log())

    def log_density(z: Tensor) -> Tensor:
        return (1 + (z - 0.3).square().sum(dim=-1)).sqrt()

    def through(x: Tensor) -> tuple:
        found.append(module.encode(nn.ModuleList(map(nn.ModuleList, stages)), x, leave, log_density))
        return found[0]

    found: list[tuple] = []
    seen = observe(through, {"x": x}, ("x",))
    seen |= gradients_of(named(found[0]), {"the first layer's weight": layers[0].weight} if layers else {})
    seen["shapes of what is halved"] = np.array(left).ravel()
    seen["how often each layer is asked"] = np.array([len(layer.modes) for layer in layers])
    modes = [mode for layer in layers for mode in (*layer.modes, layer.training)]
    seen["mode as found, in every call and after"] = np.array(all(mode == training for mode in modes))
    return seen
