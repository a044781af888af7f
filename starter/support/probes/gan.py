"""Probes of lab 7: starter/gan.py."""

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..compare import Arrays
from .core import Draw, array, case, first, named, observe, probe, scaled, tensor, weights


def from_logits(draw: Draw, function: Callable, names: tuple[str, ...], **constants: object) -> Arrays:
    """A loss of one logit per image, of a patch of logits per image, and of logits that no exponential survives."""
    *counts, h, w = draw.dims(*names, "h", "w", low=3, high=7)
    sizes = dict(zip(names, counts))
    inputs = {f"{name}_logits": draw.mixed(size) for name, size in sizes.items()}
    patches = {f"{name}_logits": draw.mixed(size, h, w) for name, size in sizes.items()}
    far = {name: 120 * logits.sign() for name, logits in inputs.items()}  # half of them on the wrong side
    seen = observe(function, inputs, tuple(inputs), **constants)
    for what, logits in (("patches", patches), ("extreme logits +-120", far), ("one example", first(inputs))):
        seen |= case(what, observe(function, logits, (), **constants))
    return seen


@probe("gan-1", spared={"is 0": "real_label must be above 0"})
def discriminator_loss(module: ModuleType, draw: Draw) -> Arrays:
    seen = from_logits(draw, module.discriminator_loss, ("real", "fake"), real_label=draw.number(0.6, 0.8))
    unequal = {"real_logits": draw.mixed(4), "fake_logits": draw.mixed(5)}
    seen |= case("unequal batches, real_label not given", observe(module.discriminator_loss, unequal))
    return seen | case("extreme real_label", observe(module.discriminator_loss, unequal, real_label=0.05))


@probe("gan-2")
def generator_loss(module: ModuleType, draw: Draw) -> Arrays:
    return from_logits(draw, module.generator_loss, ("fake",))


@probe("gan-3")
def saturating_loss(module: ModuleType, draw: Draw) -> Arrays:
    return from_logits(draw, module.saturating_loss, ("fake",))


class Match:
    """Two small networks, their inputs, and what becomes of them in two steps of an optimiser with a memory.

    The first step is one of training mode; in the second both networks are in evaluation mode, and see one example.
    """

    def __init__(self, draw: Draw, moved: str, kept: str) -> None:
        n, c, h, w = draw.batch()
        m, latent_dim = draw.dims("M", "latent_dim", low=7, high=10)
        self.inputs = {"real": draw.mixed(n, c, h, w), "z": draw.mixed(m, latent_dim)}
        norm = nn.BatchNorm1d(c * h * w)  # its answer depends on the mode
        self.generator = nn.Sequential(draw.linear(latent_dim, c * h * w), norm, nn.Tanh(), nn.Unflatten(1, (c, h, w)))
        hidden = (nn.Flatten(), draw.linear(c * h * w, 5), nn.Tanh())
        self.discriminator = nn.Sequential(*hidden, draw.linear(5, 1), nn.Flatten(0))
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.moved, self.kept, self.names = networks[moved], networks[kept], (moved, kept)
        for weight in self.moved.parameters():
            weight.grad = draw.mixed(*weight.shape)  # of an earlier step
        self.optimizer = torch.optim.SGD(self.moved.parameters(), lr=draw.number(0.5, 0.9), momentum=0.8)
        self.modes: list[bool] = []
        for net in networks.values():
            net.register_forward_pre_hook(lambda net, _: self.modes.append(net.training))

    def played(self, step: Callable, inputs: dict[str, Tensor]) -> Arrays:
        seen = self.one_step(step, inputs, training=True)
        for net in (self.moved, self.kept):
            net.eval()
        one = {name: a[:1] for name, a in inputs.items()}
        second = self.one_step(step, one, training=False)
        return seen | case("second step, one example, evaluation mode", second)

    def one_step(self, step: Callable, inputs: dict[str, Tensor], training: bool) -> Arrays:
        moved, kept = self.names
        before, self.modes = {name: weights(net) for name, net in zip(self.names, (self.moved, self.kept))}, []
        learns = [weight.requires_grad for net in (self.moved, self.kept) for weight in net.parameters()]
        seen = observe(step, inputs)
        learn = [weight.requires_grad for net in (self.moved, self.kept) for weight in net.parameters()]
        modes = [*self.modes, self.moved.training, self.kept.training]
        return seen | {
            f"change of the {moved}'s weights": array(weights(self.moved) - before[moved]),
            f"the {kept}'s weights are kept": np.array(torch.equal(weights(self.kept), before[kept])),
            "mode as found, in every call and after": np.array(all(mode == training for mode in modes)),
            "what can learn is as found": np.array(learn == learns),
        }


STEPS = {"extreme": "that is the loss's task"}


class Stepped(NamedTuple):
    result: object
    has_a_graph: Tensor


def stepped(value: object) -> Stepped:
    return Stepped(value, torch.tensor(isinstance(value, Tensor) and value.requires_grad))


@probe("gan-4", spared=STEPS)
def discriminator_step(module: ModuleType, draw: Draw) -> Arrays:
    game, a, calls = Match(draw, "discriminator", "generator"), draw.number(0.5, 1.5), []

    def loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:  # not the lab's: any will do
        calls.append(True)  # asked again, after the step, it is lower by more than any step can raise it
        return torch.sin(a * real_logits + 0.5).mean() + 2 * torch.cos(fake_logits + 1).mean() + 18 - 8 * len(calls)

    def step(real: Tensor, z: Tensor) -> Stepped:
        return stepped(module.discriminator_step(game.generator, game.discriminator, game.optimizer, real, z, loss))

    found = game.played(step, game.inputs)
    reached = any(w.grad is not None and w.grad.any() for w in game.generator.parameters())
    return found | {"a gradient reaches the generator": np.array(reached)}


@probe("gan-5", spared=STEPS)
def generator_step(module: ModuleType, draw: Draw) -> Arrays:
    game, a, passed, calls = Match(draw, "generator", "discriminator"), draw.number(0.5, 1.5), [], []

    def watch(generator: nn.Module, z: tuple, images: Tensor) -> None:  # tells a cut graph from a missing step
        if images.requires_grad:
            images.register_hook(lambda gradient: passed.append(True))

    game.generator.register_forward_hook(watch)

    def loss(fake_logits: Tensor) -> Tensor:
        calls.append(True)  # as in gan-4
        return 3 * torch.sin(a * fake_logits + 0.5).mean() + 18 - 7 * len(calls)

    def step(z: Tensor) -> Stepped:
        return stepped(module.generator_step(game.generator, game.discriminator, game.optimizer, z, loss))

    found = game.played(step, {"z": game.inputs["z"]})
    return found | {"a gradient reaches the images": np.array(any(passed))}


FAR = 5.0  # from 0, where rounding is all that two right answers differ by; and the two losses from each other


class Round(nn.Module):
    """Two players, their optimisers, which remember, and what is seen when they play a round.

    It counts how often the generator draws, and how often a gradient is computed for a player's first weight.
    """

    def __init__(
        self,
        draw: Draw,
        generator: nn.Module,
        discriminator: nn.Module,
        held: tuple[str, ...],
        rates: dict[str, tuple[float, float]],
    ) -> None:
        """held: names of weights that cannot learn, and stay so; rates: of whose optimiser -> lowest and highest."""
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        for name in held:
            self.get_parameter(name).requires_grad_(False)
        self.draws, self.modes, self.computed = 0, list[bool](), dict.fromkeys(rates, 0)
        self.generator.register_forward_pre_hook(self.drawn)
        self.opt_g, self.opt_d = (self.optimizer(name, draw, *rates[name]) for name in ("generator", "discriminator"))
        self.a, self.b = draw.number(0.5, 1.5), draw.number(0.5, 1.5)

    def optimizer(self, name: str, draw: Draw, low: float, high: float) -> torch.optim.Optimizer:
        net = self.get_submodule(name)
        net.register_forward_pre_hook(lambda net, _: self.modes.append(net.training))
        for weight in (weight for weight in net.parameters() if weight.requires_grad):
            weight.grad = draw.mixed(*weight.shape)  # of an earlier round
        first = next(net.parameters())
        first.register_hook(lambda _: self.computed.update({name: self.computed[name] + 1}))
        return torch.optim.SGD(net.parameters(), lr=draw.number(low, high), momentum=0.8)

    def drawn(self, *_: object) -> None:
        self.draws += 1

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:  # not the lab's: any will do
        return FAR + torch.sin(self.a * real_logits + 0.5).mean() + 2 * torch.cos(fake_logits + 1).mean()

    def learning(self) -> list[bool]:
        return [weight.requires_grad for weight in self.parameters()]

    def played(self, step: Callable, inputs: dict[str, Tensor], training: bool = True) -> Arrays:
        """step(self, **inputs), and what it leaves; the next round finds again what can learn."""
        before, learns = {name: weights(net) for name, net in self.named_children()}, self.learning()
        self.draws, self.modes, self.computed = 0, [], dict.fromkeys(self.computed, 0)
        graphs: list[bool] = []

        def watched(**given: Tensor) -> tuple:
            terms = step(self, **given)
            graphs.extend(isinstance(term, Tensor) and term.requires_grad for term in named(terms).values())
            return terms

        seen = observe(watched, inputs)
        modes, learn = [*self.modes, *(net.training for net in self.children())], self.learning()
        for weight, learned in zip(self.parameters(), learns):
            weight.requires_grad_(learned)
        moved = {name: array(weights(net) - before[name]) for name, net in self.named_children()}
        return (
            seen
            | {f"change of the {name}'s weights": change for name, change in moved.items()}
            | {
                "the terms have a graph": np.array(graphs),
                "calls of the generator": np.array(self.draws),
                "gradients computed for the generator's, the discriminator's weights": np.array(
                    [*self.computed.values()]
                ),
                "mode as found, in every call and after": np.array(all(mode == training for mode in modes)),
                "what can learn, as found": np.array(learn),
            }
        )


class Game(Round):
    """Players who change with their mode, and losses that are nobody's."""

    def __init__(self, draw: Draw, latent_dim: int, shape: tuple[int, ...]) -> None:
        size, hidden_dim = int(np.prod(shape)), 5
        norm = nn.BatchNorm1d(size, eps=0.5)  # a column that hardly varies would blow rounding up
        generator = nn.Sequential(draw.linear(latent_dim, size), norm, nn.Tanh(), nn.Unflatten(1, shape))
        hidden = (nn.Flatten(), draw.linear(size, hidden_dim), nn.Tanh())
        discriminator = nn.Sequential(*hidden, draw.linear(hidden_dim, 1), nn.Flatten(0))
        rates = dict.fromkeys(("generator", "discriminator"), (0.4, 0.7))
        super().__init__(draw, generator, discriminator, ("generator.1.bias", "discriminator.1.bias"), rates)

    def g_loss(self, fake_logits: Tensor) -> Tensor:
        return 3 * torch.sin(self.b * fake_logits + 0.5).mean() - FAR


@probe("gan-8", spared=STEPS)
def gan_step(module: ModuleType, draw: Draw) -> Arrays:
    """Batches of two sizes; then a second round, in evaluation mode, with one example."""
    n, c, h, w = draw.batch()
    m, latent_dim = draw.dims("M", "latent_dim", low=7, high=10)
    game, inputs = Game(draw, latent_dim, (c, h, w)), {"x": draw.uniform(n, c, h, w), "z": draw.mixed(m, latent_dim)}
    seen = game.played(module.gan_step, inputs)
    game.eval()
    one = {name: value[:1] for name, value in inputs.items()}
    return seen | case("second round, one example, evaluation mode", game.played(module.gan_step, one, training=False))


Reach = tuple[float, float]  # in radii
Cloud = tuple[int, Reach, np.ndarray | None]  # how many points around a centre, how far away, in which direction


@probe("gan-6", spared={"extreme": "centres near and far are asked"})
def modes_covered(module: ModuleType, draw: Draw) -> Arrays:
    """One cloud for every way in which a centre is nearly found, beside centres that really are."""
    (dims,) = draw.dims("D", low=2, high=3)
    radius, least = draw.number(0.4, 0.6), 8 / 128  # a share that every arithmetic has exactly
    near, axis, corner = (0.7, 0.9), np.eye(dims)[0], np.full(dims, dims**-0.5)
    clouds: dict[str, Cloud] = {
        "one stray point": (1, near, None),
        "just as many as asked for": (8, near, axis),
        "points along an axis": (12, near, axis),
        "few points, most are noise": (6, near, None),
        "few points, most are elsewhere": (4, near, None),
        "points just outside, along a diagonal": (12, (1.15, 1.2), corner),
        "points just outside, along an axis": (12, (1.15, 1.25), axis),
        "points within two radii, along an axis": (12, (1.7, 1.9), axis),
        "points far outside": (12, (2.1, 2.3), None),
    }
    seen = {}
    for name, (count, reach, direction) in clouds.items():
        elsewhere = name == "few points, most are elsewhere"
        found, other = draw.whole(2, 3) + 3 * elsewhere, draw.whole(2, 3)
        centres = 6 * np.arange(found + other)[:, None] * axis + draw.rng.uniform(-1, 1, (found + other, dims))
        parts = [around(draw, centres[:found], 13, near, None, radius)]
        parts += [around(draw, centres[found:], count, reach, direction, radius)]
        noise = around(draw, np.full((1, dims), -20.0), 128 - sum(map(len, parts)), (3, 9), None, radius)
        inputs = {"samples": draw.rng.permutation(np.concatenate([*parts, noise])), "centres": centres}
        inputs = {key: tensor(values) for key, values in inputs.items()}
        seen[f"modes ({name})"] = whole(module.modes_covered(**inputs, radius=radius, least=least))
        if elsewhere:
            seen["modes (least not given)"] = whole(module.modes_covered(**inputs, radius=radius))
    seen["modes (least is 0)"] = whole(module.modes_covered(**inputs, radius=radius, least=0.0))
    wide = {name: 4 * values for name, values in inputs.items()}
    seen["modes (radius above 1)"] = whole(module.modes_covered(**wide, radius=4 * radius, least=least))
    inputs["samples"] = inputs["centres"][:1] + 0.1 * radius
    return seen | {"modes (one example)": whole(module.modes_covered(**inputs, radius=radius))}


def around(
    draw: Draw, centres: np.ndarray, count: int, reach: Reach, direction: np.ndarray | None, radius: float
) -> np.ndarray:
    """Points at a distance of `reach` radii from each centre, to both sides of a direction or all around."""
    each, dims = (len(centres), count, 1), centres.shape[1]
    aim = direction  # of length 1
    if direction is None:
        aim = draw.rng.normal(size=(*each[:2], dims))
        aim /= np.sqrt(np.square(aim).sum(axis=-1, keepdims=True))
    length = radius * draw.rng.uniform(*reach, each) * draw.rng.choice([-1, 1], each)
    return (centres[:, None] + length * aim).reshape(-1, dims)


def whole(count: object) -> np.ndarray:
    """A whole number, also when it comes as a tensor; of anything else only what it is."""
    if isinstance(count, Tensor) and count.numel() == 1 and not count.is_floating_point():
        count = count.item()
    return np.array(int(count)) if isinstance(count, int | np.integer) else array(count)


@probe("gan-7", spared={"one example": "it has nothing to be unlike"})
def diversity(module: ModuleType, draw: Draw) -> Arrays:
    """Every place has its own mean, and the images grow brighter: no part of the pairs stands for all of them.

    All distances are below 1, where no square is near its root. Contrasts differ: so do the results of two seeds.
    """
    (n, *shape), contrast = draw.batch(), draw.number(0.7, 1.0)
    places, drift = draw.uniform(*shape), torch.linspace(0, 1, n).reshape(-1, 1, 1, 1)
    x = contrast * (0.7 * places + 0.12 * drift + 0.06 * draw.uniform(n, *shape))
    seen = observe(module.diversity, {"x": x})
    two = draw.uniform(2, 1, *shape[1:])[[0, 1, 1]]  # of one channel, the last two alike
    seen |= case("some alike", observe(module.diversity, {"x": two})) | case(
        "two", observe(module.diversity, {"x": two[:2]})
    )
    near = places + 0.001 * draw.uniform(n, *shape)  # as after mode collapse: means of squares would cancel
    seen |= case("extreme images, a thousandth apart", scaled(observe(module.diversity, {"x": near}), 1e6))
    many = draw.uniform(60, 1, 4, 5)
    with Largest() as held:
        module.diversity(many)
    return seen | {"it never holds N x N images": np.array(held.numbers < len(many) * many.numel())}


class Largest(TorchFunctionMode):
    """How many numbers the largest tensor has that a block makes."""

    numbers = 0

    def __torch_function__(
        self, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numbers = max(self.numbers, result.numel())
        return result
