"""Probes of lab 9: starter/wgan_gp.py."""

from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import KEPT, Arrays
from .core import Draw, array, case, first, gradients_of, named, nature, observe, probe, scaled, tensor, weights


@probe("wgan-1")
def critic_loss(module: ModuleType, draw: Draw) -> Arrays:
    """A critic that is mostly right, though not about every pair; and one that prefers fake images."""
    (b,) = draw.dims("B", low=4, high=9)
    low = draw.mixed(b)
    high = low + draw.mixed(b, low=1.0) + draw.number(0.7, 0.9)
    seen = observe(module.critic_loss, {"real_scores": high, "fake_scores": low}, ("real_scores", "fake_scores"))
    other = {"real_scores": low, "fake_scores": high}
    seen |= case("fake images score higher", observe(module.critic_loss, other))
    far = {name: 1000 * scores for name, scores in first(other).items()}
    return seen | case("one example, extreme scores, in thousands", scaled(observe(module.critic_loss, far), 1e-3))


@probe("wgan-2")
def generator_loss(module: ModuleType, draw: Draw) -> Arrays:
    (b,) = draw.dims("B", low=4, high=9)
    scores = draw.mixed(b)
    seen = observe(module.generator_loss, {"fake_scores": scores + draw.number(0.5, 0.8)}, ("fake_scores",))
    low = observe(module.generator_loss, {"fake_scores": scores - draw.number(0.9, 1.2)})
    far = {"fake_scores": 1000 * scores[:1]}
    seen |= case("one example, extreme scores, in thousands", scaled(observe(module.generator_loss, far), 1e-3))
    return seen | case("lower scores", low)


@probe("wgan-3")
def clip_weights(module: ModuleType, draw: Draw) -> Arrays:
    """Weights inside the bound and beyond it to both sides, in two layers; one of them is frozen, and a weight, too.

    Gradients, and a buffer, are nobody's business.
    """
    n, m = draw.dims("n_in", "n_out", low=4)
    outer, inner = draw.linear(n, m), draw.linear(m, 1)
    critic = nn.Sequential(outer, nn.Sequential(nn.Tanh(), inner))
    outer.weight.data, outer.bias.data = draw.mixed(m, n, low=0.2), draw.mixed(m, low=0.9)
    inner.weight.data, inner.bias.data = draw.mixed(1, m, low=0.2), draw.mixed(1, low=0.9)
    inner.weight.requires_grad_(False)
    critic.register_buffer("buffer", draw.mixed(n, low=0.9))
    given, trained = dict(critic.named_parameters()), [weight.requires_grad for weight in critic.parameters()]
    for weight in given.values():
        weight.grad = draw.mixed(*weight.shape)
    module.clip_weights(critic, draw.number(0.5, 0.8))
    learns = [weight.requires_grad for weight in critic.parameters()]
    trains, other = critic.training, draw.linear(m, 1).eval()
    other.weight.data = 5 * other.weight.data
    module.clip_weights(other, draw.number(1.1, 1.3))
    return {
        "training and evaluation mode as found": np.array([trains, not other.training]),
        "weights (bound above 1)": array(other.weight).ravel(),
        "same tensors as found": np.array([critic.get_parameter(name) is weight for name, weight in given.items()]),
        "what can learn is as found": np.array(learns == trained),
        "inner weights": np.concatenate([array(weight).ravel() for weight in critic[1].parameters()]),
        **{name: array(value) for name, value in critic.named_buffers()},
        **{name: array(value) for name, value in critic[0].state_dict().items()},
        **{f"grad of {name}": array(weight.grad) for name, weight in critic[0].named_parameters()},
    }


@probe("wgan-4")
def mix(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    (n,) = draw.dims("N", low=7, high=9)
    images = {"real": draw.mixed(b, c, h, w), "fake": draw.mixed(b, c, h, w), "eps": draw.uniform(b)}
    points = {"real": draw.mixed(n, 2), "fake": draw.mixed(n, 2), "eps": draw.uniform(n)}
    seen = observe(module.mix, images)
    rows = {"real": draw.mixed(2, 3, 4), "fake": draw.mixed(2, 3, 4), "eps": torch.tensor([0.0, 1.0])}
    seen |= case("points", observe(module.mix, points)) | case("one example", observe(module.mix, first(images)))
    seen |= case("one example, points", observe(module.mix, first(points)))
    return seen | case("sequences, extreme eps of 0 and 1", observe(module.mix, rows))


class Bowl(nn.Module):
    """A critic with a closed form, f(x) = (x - bottom)^T W (x - bottom) / 2: x and -x are not alike."""

    bottom: Tensor

    def __init__(self, weight: Tensor, bottom: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.register_buffer("bottom", bottom)

    def forward(self, x: Tensor) -> Tensor:
        flat = (x - self.bottom).flatten(1)
        return torch.einsum("bi,ij,bj->b", flat, self.weight, flat) / 2


@probe("wgan-5", spared={"extreme": "a slope of 0 is asked"})
def gradient_penalty(module: ModuleType, draw: Draw) -> Arrays:
    """Slopes below and above 1; apart, the same with one example at the bottom of the bowl, where the slope is 0."""
    b, c, h, w = draw.batch()
    size = c * h * w
    bowl = Bowl(draw.mixed(size, size) / size**0.5, draw.mixed(c, h, w))
    x, steepness = draw.mixed(b, size), tensor(draw.rng.permutation(np.linspace(0.4, 1.9, b)))
    steep = x @ (bowl.weight.data + bowl.weight.data.T) / 2
    x = (x * (steepness / steep.square().sum(dim=1).sqrt())[:, None]).reshape(b, c, h, w) + bowl.bottom
    flat = x.clone()
    flat[draw.whole(0, b - 1)] = bowl.bottom
    bottom = penalised(module, bowl, flat)
    point = penalised(module, Bowl(bowl.weight.data[:2, :2], bowl.bottom.flatten()[:2]), x.flatten(1)[:1, :2])
    return penalised(module, bowl, x) | case("one slope is 0", bottom) | case("one example, a point", point)


def penalised(module: ModuleType, bowl: Bowl, x: Tensor) -> Arrays:
    """The penalty, its gradient in the critic's weight, and what the call left behind."""
    given, bowl = x.clone(), Bowl(bowl.weight.detach().clone(), bowl.bottom.clone())
    penalty = module.gradient_penalty(bowl, given)
    seen = {"penalty": array(penalty), "grad left in the critic": array(bowl.weight.grad)}
    seen[KEPT] = np.array([torch.equal(given, x)])
    return seen | gradients_of({"penalty": penalty}, {"the critic's weight": bowl.weight})


@probe("wgan-6", "critic_loss", "mix", spared={"extreme": "that is its neighbours' task"})
def critic_step(module: ModuleType, draw: Draw) -> Arrays:
    """A penalty that is none, so that it shows; gradients of an earlier step, so that they show, too.

    The optimiser remembers; its second step has one example, networks in evaluation mode, and a weight of 0. The critic
    begins it as it began the first: after a wrong first step, too, its neighbours know what they are asked.
    """
    b, c, h, w = draw.batch()
    size, (latent_dim, hidden_dim) = c * h * w, draw.dims("latent_dim", "hidden_dim", low=7, high=9)
    generator = nn.Sequential(draw.linear(latent_dim, size), nn.Tanh(), nn.Unflatten(1, (c, h, w)))
    layers = draw.linear(size, hidden_dim), nn.Tanh(), draw.linear(hidden_dim, 1), nn.Flatten(0)
    critic = nn.Sequential(nn.Flatten(), *layers)
    for weight in critic.parameters():
        weight.grad = draw.mixed(*weight.shape)
    optimizer = torch.optim.SGD(critic.parameters(), lr=draw.number(0.2, 0.3), momentum=0.8)
    inputs = {"real": draw.mixed(b, c, h, w), "z": draw.mixed(b, latent_dim), "eps": draw.uniform(b)}
    strength = draw.number(2, 3)
    before, start = ({n: w.clone() for n, w in net.state_dict().items()} for net in (generator, critic))

    def penalty(critic: nn.Module, x: Tensor) -> Tensor:
        return (critic(x) - x.flatten(1).sum(dim=1) / 4).square().mean() + 0.5  # never near 0

    def stepped(inputs: dict[str, Tensor], strength: float) -> Arrays:
        graphs: list[bool] = []

        def step(real: Tensor, z: Tensor, eps: Tensor) -> tuple:
            terms = module.critic_step(generator, critic, optimizer, real, z, eps, strength, penalty)
            graphs.extend(isinstance(term, Tensor) and term.requires_grad for term in named(terms).values())
            return terms

        return observe(step, inputs) | {"terms still have a graph": np.array(graphs)}

    seen = stepped(inputs, strength)
    seen |= {f"{name} of the critic": array(value) for name, value in critic.state_dict().items()}
    seen["grad of the generator"] = array(generator[0].weight.grad)
    seen["in training mode"] = np.array([generator.training, critic.training])
    generator.eval(), critic.eval()
    critic.load_state_dict(start)
    last = "second step, one example, weight is 0"
    seen |= case(last, stepped({name: a[:1] for name, a in inputs.items()}, 0.0))
    learns = [weight.requires_grad for net in (generator, critic) for weight in net.parameters()]
    return seen | {
        f"weights of the critic ({last})": array(weights(critic)),
        "generator kept": np.array([torch.equal(value, before[n]) for n, value in generator.state_dict().items()]),
        "evaluation mode is left": np.array([not generator.training, not critic.training]),
        "what can learn is as found": np.array(all(learns)),
    }


@probe("wgan-7")
def generator_moves(module: ModuleType, draw: Draw) -> Arrays:
    few, more = draw.whole(3, 4), draw.whole(3, 9)
    turns = {
        n: [module.generator_moves(step, n) for step in range(4 * n + more)] for n in (1, few, few + draw.whole(2, 3))
    }
    return {f"turns, n_critic {i}": truths(values) for i, values in enumerate(turns.values(), 1)}


def truths(values: list) -> np.ndarray:
    """Truth values as an array; where one is none, what it is."""
    strange = [value for value in values if not isinstance(value, bool | np.bool_)]
    return nature(strange[0]) if strange else np.array(values)


def elsewhere(critic: nn.Module, x: Tensor) -> Tensor:
    """A penalty that nobody gave."""
    return critic(x).mean() + 5


class Player(Protocol):
    """A network whose moves change one of its layers."""

    def __call__(self, x: Tensor) -> Tensor: ...

    def __getitem__(self, layer: int) -> nn.Linear: ...


class Match(nn.Module):
    """A game whose moves have a closed form in all that they are given: whatever is left out, or too early, shows.

    No optimiser steps: who moves only notes whose it got. Noise comes from a list, and so it shows who drew.
    """

    modes: list[bool]  # of its players, as found

    def __init__(self, draw: Draw, module: ModuleType, n_critic: int, step: int, clip: float | None) -> None:
        super().__init__()
        (b, d), (self.latent_dim,) = draw.dims("B", "D", low=3, high=5), draw.dims("latent_dim", low=6, high=8)
        self.b, self.d, self.module, self.n_critic, self.clip = b, d, module, n_critic, clip
        self.generator = nn.Sequential(draw.linear(self.latent_dim, d), nn.Tanh(), nn.Unflatten(1, (1, d, 1)))
        judged = draw.linear(d, 1)
        self.discriminator = nn.Sequential(nn.Flatten(), judged, nn.Flatten(0))
        judged.bias.requires_grad_(False)
        self.opt_g, self.opt_d = (torch.optim.SGD(net.parameters(), lr=0.1) for net in self.children())
        self.register_buffer("step", torch.tensor(step))
        self.register_buffer("generator_value", torch.tensor(draw.number(0.5, 0.9)))
        self.weight, self.a, self.noises, self.drawn = draw.number(2, 3), draw.number(0.6, 0.9), draw.mixed(20, b, 8), 0
        self.notes: dict[str, list[bool]] = {}  # of every move

    def noise(self, count: int) -> Tensor:
        self.drawn += 1
        return self.noises[self.drawn - 1, :count, : self.latent_dim].clone()

    def penalty(self, critic: nn.Module, x: Tensor) -> Tensor:
        return (critic(x) - self.a).square().mean()

    def g_loss(self, fake_scores: Tensor) -> Tensor:
        return 1 + self.a * fake_scores.mean() / 3

    def learning(self, net: nn.Module) -> list[bool]:
        return [weight.requires_grad for weight in net.parameters()]

    def note(self, optimizer: object, own: object, can_learn: bool) -> None:
        found = {
            "the optimisers are their own": optimizer is own,
            "the critic learns in its move alone": self.learning(self.discriminator) == [can_learn, False],
            "mode as found, in every move": [net.training for net in self.children()] == self.modes,
        }
        for name, flag in found.items():
            self.notes.setdefault(name, []).append(flag)

    @torch.no_grad()
    def move_critic(
        self,
        generator: Player,
        critic: Player,
        optimizer: object,
        real: Tensor,
        z: Tensor,
        eps: Tensor,
        weight: float = 10.0,
        penalty: Callable[..., Tensor] = elsewhere,
    ) -> tuple:
        self.note(optimizer, self.opt_d, can_learn=True)
        fake, steepness = generator(z), penalty(critic, real)
        distance = 2 + torch.sin(critic(real).mean() - (eps * critic(fake)).mean())
        critic[1].weight.add_(torch.sin(distance + 0.1 * weight * steepness + real.mean()))
        return self.module.CriticTerms(distance.clone(), steepness.clone())

    @torch.no_grad()
    def clip_weights(self, critic: Player, c: float) -> None:
        critic[1].bias.sub_(1 + c)

    @torch.no_grad()
    def move_generator(
        self, generator: Player, discriminator: Player, optimizer: object, z: Tensor, loss: Callable = torch.mean
    ) -> Tensor:
        self.note(optimizer, self.opt_g, can_learn=False)
        value = loss(discriminator(generator(z)))
        generator[0].weight.add_(0.5 * torch.cos(value + z.mean()))
        return value


@probe("wgan-8", "generator_moves", spared={"extreme": "that is its neighbours' task"})
def wgan_step(module: ModuleType, draw: Draw) -> Arrays:
    """Five updates of a run that goes on; then one, in evaluation mode, of one example, with a bound."""
    n_critic = draw.whole(3, 4)
    other = Match(draw, module, 2, step=2 * draw.whole(3, 4), clip=draw.number(0.2, 0.4)).eval()
    game = Match(draw, module, n_critic, step=n_critic * draw.whole(2, 3), clip=None)
    x, eps = draw.uniform(5, game.b, 1, game.d, 1), draw.uniform(5, game.b)
    seen = updated(module, game, [{"x": x[i], "eps": eps[i]} for i in range(5)])
    one = {"x": draw.uniform(1, 1, other.d, 1), "eps": draw.uniform(1)}
    return seen | case("one example, evaluation mode, clip", updated(module, other, [one, one]))


def updated(module: ModuleType, game: Match, batches: list[dict[str, Tensor]]) -> Arrays:
    buffers, returned = dict(game.named_buffers()), []
    game.modes = [net.training for net in game.children()]

    def step(x: Tensor, eps: Tensor) -> tuple:
        moves = {"move_critic": game.move_critic, "clip": game.clip_weights, "move_generator": game.move_generator}
        returned.append(module.wgan_step(game, x, eps, **moves))
        return returned[-1]

    kept = [observe(step, batch)[KEPT] for batch in batches]
    terms = {
        f"{name}, update {i}": array(term)
        for i, result in enumerate(returned, 1)
        for name, term in named(result).items()
    }
    graphs = [isinstance(t, Tensor) and t.requires_grad for result in returned for t in named(result).values()]
    return terms | {
        KEPT: np.concatenate(kept),
        "weights of the critic": array(weights(game.discriminator)),
        "weights of the generator": array(weights(game.generator)),
        "step": array(game.step),
        "generator_value": array(game.generator_value),
        "how often noise is drawn": np.array(game.drawn),
        **{name: np.array(all(flags)) for name, flags in game.notes.items()},
        "the terms have a graph": np.array(graphs),
        "same buffers as found": np.array([getattr(game, name) is value for name, value in buffers.items()]),
        "what can learn, as found": np.array(game.learning(game)),
        "mode as found": np.array([net.training for net in game.children()] == game.modes),
    }
