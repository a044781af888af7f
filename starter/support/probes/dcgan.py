"""Probes of lab 8: starter/dcgan.py."""

import math
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from .core import Draw, alone, array, case, first, named, observe, probe, scaled, whole_numbers


@probe("dc-1")
def initialize(module: ModuleType, draw: Draw) -> Arrays:
    n, m, k = draw.dims("in_channels", "out_channels", "kernel_size", low=2, high=5)
    layers: dict[str, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d | nn.Linear] = {
        "Conv2d": nn.Conv2d(n, m, (k, 2)),
        "ConvTranspose2d": nn.ConvTranspose2d(m, n, (2, k)),
        "unbiased ConvTranspose2d": nn.ConvTranspose2d(n, m, k, bias=False),
        "BatchNorm2d": nn.BatchNorm2d(n * m),
        "Linear": nn.Linear(n, m),
    }
    seen: Arrays = {}  # name of a layer -> its weight, then its bias
    for name, layer in layers.items():
        for parameter in layer.parameters():
            parameter.data = draw.mixed(*parameter.shape)
        module.initialize(layer, torch.Generator().manual_seed(draw.whole(0, 10**6)))
        shift = 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0  # so that small deviations from 1 show
        flat = [array(part).ravel() for part in (layer.weight - shift, layer.bias) if part is not None]
        seen[f"{name}{' - 1' * (shift > 0)}"] = np.concatenate(flat)
    for other in (nn.ReLU(), nn.GroupNorm(1, n)):
        other.eval()  # the layers above are in training mode
        before = [parameter.clone() for parameter in other.parameters()]
        module.initialize(other, torch.Generator().manual_seed(draw.whole(0, 10**6)))
        kept = all(map(torch.equal, before, other.parameters())) and not other.training
        seen[f"{type(other).__name__} stays as it is"] = np.array(kept)
    trained = [parameter.requires_grad for layer in layers.values() for parameter in layer.parameters()]
    twins = nn.Conv2d(n, m, 1), nn.Conv2d(n, m, 1)
    for layer in twins:
        module.initialize(layer)
    seen["without rng two layers differ"] = np.array(not torch.equal(twins[0].weight, twins[1].weight))
    modes = [layer.training for layer in layers.values()]
    return seen | {"can be trained as found": np.array(trained), "training, not evaluation, as found": np.array(modes)}


def drawn_config(module: ModuleType, draw: Draw, depth: int, batch_norm: bool) -> object:
    """Sides of different length, channels that grow and shrink: no row of a plan is like another."""
    channels, sides = draw.rng.permutation(np.arange(5, 12))[:depth], draw.rng.permutation([2, 3, 5])[:2]
    shape = (draw.whole(2, 4), *(2**depth * sides).tolist())
    return module.DCGANConfig(shape, draw.whole(12, 15), tuple(channels.tolist()), batch_norm)


def recurring(module: ModuleType, draw: Draw) -> object:
    """Channels between the ends that are as many as the image's, and one: only its place tells the first layer."""
    colours = draw.whole(2, 4)
    return module.DCGANConfig((colours, 32, 48), draw.whole(12, 15), (6, colours, 1, 7), True)


CONFIGS = {"two channels": (2, True), "three channels": (3, True), "no BatchNorm": (3, False), "one channel": (1, True)}


def configs(module: ModuleType, draw: Draw) -> dict:
    """What both plans are asked about."""
    drawn = {name: drawn_config(module, draw, *kind) for name, kind in CONFIGS.items()}
    return drawn | {"channels like the image's": recurring(module, draw)}


@probe("dc-2")
def generator_plan(module: ModuleType, draw: Draw) -> Arrays:
    return {f"plan of {name}": whole_numbers(module.generator_plan(c)) for name, c in configs(module, draw).items()}


@probe("dc-3")
def discriminator_plan(module: ModuleType, draw: Draw) -> Arrays:
    return {f"plan of {name}": whole_numbers(module.discriminator_plan(c)) for name, c in configs(module, draw).items()}


@probe("dc-4", spared={"as found": "its layers are new"})
def block(module: ModuleType, draw: Draw) -> Arrays:
    b, n, m = draw.dims("B", "in_channels", "out_channels", low=2, high=4)
    whole = module.block(module.Layer(2, 2, (2, 1), 1, 0, False), nn.Tanh(), False)
    seen = {"a Sequential comes back": np.array(isinstance(whole, nn.Sequential))}
    for transposed in (False, True) if seen["a Sequential comes back"] else ():
        for batch_norm in (False, True):
            layer = module.Layer(n, m, tuple(draw.rng.permutation([3, 4]).tolist()), 2, 1, batch_norm)
            plain = module.block(module.Layer(n, m, (2, 1), 1, 0, batch_norm), nn.Tanh(), transposed)
            x = draw.mixed(b, n, 3, 4)
            built = module.block(layer, nn.Softplus(), transposed)
            for parameter in built.parameters():
                parameter.data = draw.mixed(*parameter.shape) / parameter[0].numel() ** 0.5
            found = observe(lambda x, built=built: built(x), {"x": x}, ("x",))
            found["parameters' sizes"] = np.array([parameter.numel() for parameter in built.parameters()])
            found["one example, evaluation mode"] = array(built.eval()(x[:1]))
            plain[0].weight.data = draw.mixed(*plain[0].weight.shape) / n
            if plain[0].bias is not None:
                plain[0].bias.data = draw.mixed(m)
            found["stride 1"] = array(plain(x))
            kind = ("transposed" if transposed else "plain") + ", BatchNorm" * batch_norm
            seen |= {f"{name} ({kind})": value for name, value in found.items()}
    return seen


@probe("dc-5", spared={"one example": "corners have no batch", "extreme": "codes have no range"})
def interpolate_2d(module: ModuleType, draw: Draw) -> Arrays:
    latent_dim, steps = draw.dims("latent_dim", "steps", low=4, high=6)  # of 3 steps the middle one is a simple mean
    corners = {name: draw.mixed(latent_dim) for name in ("z00", "z01", "z10", "z11")}
    seen = observe(module.interpolate_2d, corners, tuple(corners), steps=steps)
    single = {name: corner[:1] for name, corner in corners.items()}
    # Seven, because arange(0, 1 + 1 / 6, 1 / 6) has eight.
    seen |= case("one latent, seven steps", observe(module.interpolate_2d, single, steps=7))
    return seen | case("one latent, two steps", observe(module.interpolate_2d, single, steps=2))


@probe("ls-1")
def least_squares_discriminator_loss(module: ModuleType, draw: Draw) -> Arrays:
    (b,), (h, w) = draw.dims("B", low=4, high=6), draw.dims("H", "W", low=2, high=3)
    inputs = {name: draw.mixed(b) for name in ("real_logits", "fake_logits")}
    patches = {name: draw.mixed(b, 1, h, w) for name in inputs}
    loss, targets = module.least_squares_discriminator_loss, {"a": draw.number(-2, -1), "b": draw.number(2, 3)}
    seen = observe(loss, inputs, tuple(inputs), **targets)
    seen["result (a, b not given)"] = alone(observe(loss, inputs))
    unequal = inputs | {"fake_logits": draw.mixed(2 * b)}
    seen |= case("unequal batches, b is 0", observe(loss, unequal, a=targets["a"], b=0.0))
    seen |= case("one example, a above 1", observe(loss, first(inputs), tuple(inputs), a=2.5, b=3.5))
    far = {name: 30 * logits for name, logits in inputs.items()}
    seen |= case("extreme logits, in thousands", scaled(observe(loss, far, (), **targets), 1e-3))
    return seen | case("patches", observe(loss, patches, tuple(inputs)))


@probe("ls-2")
def least_squares_generator_loss(module: ModuleType, draw: Draw) -> Arrays:
    (b,), (h, w) = draw.dims("B", low=4, high=6), draw.dims("H", "W", low=2, high=3)
    inputs, patches = {"fake_logits": draw.mixed(b)}, {"fake_logits": draw.mixed(b, 1, h, w)}
    loss = module.least_squares_generator_loss
    seen = observe(loss, inputs, tuple(inputs), c=draw.number(2, 3))
    seen["result (c not given)"] = alone(observe(loss, inputs))
    seen |= case("one example, c is 0", observe(loss, first(inputs), c=0.0))
    far = {"fake_logits": 30 * inputs["fake_logits"]}
    seen |= case("extreme logits, in thousands", scaled(observe(loss, far), 1e-3))
    return seen | case("patches", observe(loss, patches, tuple(inputs)))


class Painter(nn.Module):
    """A generator with BatchNorm, one weight of which is held, and what is seen when codes are sought for it.

    It notes its mode in every call, and counts the gradients that are computed for its first weight.
    """

    def __init__(self, draw: Draw, latent_dim: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        size, self.modes, self.computed = math.prod(shape), list[bool](), 0
        self.layer, self.norm = draw.linear(latent_dim, size), nn.BatchNorm1d(size)
        self.norm.running_mean, self.norm.running_var = draw.mixed(size), draw.uniform(size, low=0.5, high=2.0)
        self.paint = nn.Sequential(self.layer, self.norm, nn.Tanh(), nn.Unflatten(1, shape))
        self.norm.bias.requires_grad_(False)
        for weight in self.layer.parameters():
            weight.grad = draw.mixed(*weight.shape)  # of an earlier step
        self.layer.weight.register_hook(self.counted)

    def counted(self, gradient: Tensor) -> None:
        self.computed += 1

    def forward(self, z: Tensor) -> Tensor:
        self.modes.append(self.training)
        return self.paint(z)

    def state(self) -> Tensor:
        """Weights, BatchNorm's statistics and the gradients that lie there, in one row."""
        gradients = [torch.zeros(1) if weight.grad is None else weight.grad for weight in self.parameters()]
        return torch.cat([part.detach().reshape(-1).double() for part in (*self.state_dict().values(), *gradients)])

    def asked(self, module: ModuleType, inputs: dict[str, Tensor], settings: dict[str, float]) -> Arrays:
        """One search, and what it leaves."""
        self.modes.clear()
        before, learns = self.state().clone(), [weight.requires_grad for weight in self.parameters()]
        self.computed, graphs = 0, list[bool]()

        def search(**given: Tensor) -> tuple:
            found = module.inpaint(self, **given, **settings)
            graphs.extend(isinstance(term, Tensor) and term.requires_grad for term in named(found).values())
            return found

        seen, now = observe(search, inputs), [weight.requires_grad for weight in self.parameters()]
        after = self.state()
        for weight, learned in zip(self.parameters(), learns):
            weight.requires_grad_(learned)
        return seen | {
            "graph left": np.array(graphs),
            "in evaluation mode": np.array(not any(self.modes)),
            "training mode afterwards": np.array([self.training, self.norm.training]),
            "gradients computed for the generator's weights": np.array(self.computed),
            "the generator is as it was": np.array(torch.equal(before, after)),
            "what can learn, as found": np.array(now),
        }


def with_holes(draw: Draw, masks: int) -> dict[str, Tensor]:
    """Images, masks that each know a half of their pixels, and codes."""
    b, c, h, w = draw.batch()
    (latent_dim,) = draw.dims("latent_dim", low=7, high=8)
    known = draw.mixed(masks or b, 1, h, w) > 0
    return {"x": draw.uniform(b, c, h, w), "known": known, "z": draw.mixed(b, latent_dim)}


@probe("dc-6")
def inpaint(module: ModuleType, draw: Draw) -> Arrays:
    """A mask for each image; one for all, the prior switched off; nothing known; a rate of 0; one example."""
    inputs = with_holes(draw, 0)
    painter = Painter(draw, inputs["z"].shape[1], tuple(inputs["x"].shape[1:]))
    settings = {"prior": draw.number(0.5, 0.9), "steps": draw.whole(3, 4), "lr": draw.number(0.4, 0.6)}
    seen = painter.asked(module, inputs, settings)
    alike = inputs | {"known": inputs["known"][:1]}
    seen |= case("prior is 0", painter.asked(module, alike, settings | {"prior": 0.0}))
    nothing = inputs | {"known": torch.zeros_like(inputs["known"])}
    far = {"prior": draw.number(1.2, 1.4), "steps": 3, "lr": draw.number(1.1, 1.2)}
    seen |= case("extreme hole", painter.asked(module, nothing, far))
    seen["images (lr is 0)"] = painter.asked(module, inputs, settings | {"lr": 0.0}).get("images", np.zeros(0))
    one = {name: value[1:2] for name, value in inputs.items()}
    painter.eval()
    return seen | case("one example, evaluation mode", painter.asked(module, one, settings))
