"""Probes of lab 1: starter/autoencoder.py."""

from types import ModuleType

import numpy as np
from torch import nn

from ..compare import Arrays
from ..nets import Conv
from .core import Draw, gradients_of, observe, probe, whole_numbers


def drawn_plan(draw: Draw) -> tuple[Conv, ...]:
    """Three convolutions that halve an image, none like another."""
    channels = draw.rng.choice(np.arange(2, 9), 4, replace=False).tolist()
    kinds = draw.rng.permutation([(3, 2, 1), (4, 2, 0), (7, 2, 3)]).tolist()  # kernel_size, stride, padding
    return tuple(Conv(n, m, *kind) for n, m, kind in zip(channels, channels[1:], kinds))


@probe("ae-1")
def feature_shapes(module: ModuleType, draw: Draw) -> Arrays:
    seen = {}
    for name in ("one", "another"):
        plan, half = drawn_plan(draw), draw.rng.permutation([draw.whole(9, 12), draw.whole(16, 20)])
        shape = (plan[0].in_channels, int(2 * half[0]), int(2 * half[1] + 1))  # odd and even: rounding shows
        seen[f"shapes of {name} plan"] = whole_numbers(module.feature_shapes(shape, plan))
    return seen


@probe("ae-2")
def mirror(module: ModuleType, draw: Draw) -> Arrays:
    seen = {}
    for name in ("one", "another"):
        plan, sizes = drawn_plan(draw), [draw.rng.choice(np.arange(2, 7), 2, replace=False)]
        for conv, odd in zip(reversed(plan), ([0, 1], [1, 0], draw.rng.permutation([0, 1]))):  # from code to image
            sizes.append((sizes[-1] - 1) * conv.stride - 2 * conv.padding + conv.kernel_size + odd)
        channels = [plan[0].in_channels, *(conv.out_channels for conv in plan)]
        shapes = [(c, *size.tolist()) for c, size in zip(channels, reversed(sizes))]
        seen[f"mirror of {name} plan"] = whole_numbers(module.mirror(plan, shapes))
    return seen


@probe("ae-3")
def reconstruction_loss(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    far = inputs | {"logits": 60 * inputs["logits"].sign()}  # sigmoid of it is 0 or 1 in float32
    seen = {}
    for kind in ("bce", "mse"):
        found = observe(lambda logits, x, kind=kind: module.reconstruction_loss(logits, x, kind), inputs, ("logits",))
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
    return seen | {"result (bce) of logits +-60": observe(module.reconstruction_loss, far, kind="bce")["result"]}


@probe("ae-4")
def interpolate(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim, steps = draw.dims("B", "latent_dim", "steps", low=3)
    inputs = {name: draw.mixed(b, latent_dim) for name in ("z_start", "z_end")}
    return observe(module.interpolate, inputs, tuple(inputs), steps=steps)


@probe("ae-5")
def corrupt(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"x": draw.uniform(b, c, h, w), "eps": draw.mixed(b, c, h, w)}
    return observe(module.corrupt, inputs, ("x",), sigma=draw.number(0.3, 0.6))


@probe("ae-6", "corrupt", "reconstruction_loss")
def denoising_loss(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    network = nn.Conv2d(c, c, 1)
    network.weight.data, network.bias.data = draw.mixed(c, c, 1, 1), draw.mixed(c)
    inputs, sigma = {"x": draw.uniform(b, c, h, w), "eps": draw.mixed(b, c, h, w)}, draw.number(0.3, 0.6)
    seen, modes = {}, []
    network.register_forward_pre_hook(lambda network, _: modes.append(network.training))
    for kind in ("bce", "mse"):
        found = observe(lambda x, eps, kind=kind: module.denoising_loss(network, x, eps, sigma, kind), inputs)
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
        result = module.denoising_loss(network, inputs["x"].clone(), inputs["eps"].clone(), sigma, kind)
        seen |= gradients_of({"result": result}, {f"the network's weight ({kind})": network.weight})
    return seen | {"training mode, in every call and after": np.array([all(modes), network.training])}
