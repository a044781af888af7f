"""Probes of lab 12: starter/flow_matching.py."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from .conditional_gan import labels
from .core import Draw, array, case, first, observe, probe, scaled, weights


def images(draw: Draw, *names: str) -> dict[str, Tensor]:
    """Images (B, C, H, W) of six numbers, with times inside of (0, 1)."""
    (b,), (c, h, w) = draw.dims("B", low=4, high=5), draw.dims("C", "H", "W", low=1, high=3)
    return {name: draw.mixed(b, c, h, w) for name in names} | {"t": draw.uniform(b)}


def points(draw: Draw, *names: str) -> dict[str, Tensor]:
    """Points (B, D), as many as no image has numbers of a kind."""
    d, b = draw.rng.permutation([2, 4]).tolist()[0], 5
    return {name: draw.mixed(b, d) for name in names} | {"t": draw.uniform(b)}


@probe("fm-1")
def interpolate(module: ModuleType, draw: Draw) -> Arrays:
    inputs = images(draw, "x_0", "x_1")
    seen = observe(module.interpolate, inputs)
    seen |= case("points", observe(module.interpolate, points(draw, "x_0", "x_1")))
    rows = {"x_0": draw.mixed(2, 3, 4), "x_1": draw.mixed(2, 3, 4), "t": torch.tensor([0.0, 1.0])}
    seen |= case("sequences, extreme t of 0 and 1", observe(module.interpolate, rows))
    return seen | case("one example", observe(module.interpolate, first(inputs)))


class Field(nn.Module):
    """A velocity with a closed form: it turns, bends, and changes with time; its Jacobian is not symmetric."""

    def __init__(self, draw: Draw, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(draw.mixed(size, size) / size**0.5 + torch.eye(size))  # its trace is not near 0
        self.pull = draw.number(0.5, 0.9)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if t.shape != x.shape[:1]:
            raise ValueError(f"a velocity is asked with one time per example, not with times of shape {tuple(t.shape)}")
        flat, late = x.flatten(1) + 0.8, t[:, None]  # x and -x are not alike
        bent = torch.tanh(flat @ self.weight.T) * (1 + late) + self.pull * late * flat.sin()
        return (bent + torch.cos(4 * late)).view_as(x)  # the mean of two times is not their middle


@probe("fm-2", "interpolate")
def training_step(module: ModuleType, draw: Draw) -> Arrays:
    """Gradients of an earlier step lie there, and the optimiser remembers; the first step weighs its examples.

    The third has one of them, with the weight 0. Times reach from 0 to 1.
    """
    inputs = images(draw, "x_0", "x_1")
    inputs["t"][:2] = torch.tensor([0.0, 1.0])
    field = Field(draw, inputs["x_0"][0].numel())
    field.weight.grad = draw.mixed(*field.weight.shape)
    optimizer = torch.optim.SGD(field.parameters(), lr=draw.number(0.02, 0.03), momentum=0.8)
    weighed = inputs | {"weight": draw.uniform(len(inputs["t"]), low=1.3, high=2.4)}
    seen = stepped(module, field, optimizer, weighed)
    seen |= case("second step, no weights, extreme t", stepped(module, field, optimizer, inputs))
    one = {name: value[-1:] for name, value in inputs.items()} | {"weight": torch.zeros(1)}
    return seen | case("one example, weight is 0", stepped(module, field, optimizer, one))


def stepped(module: ModuleType, field: Field, optimizer: torch.optim.Optimizer, inputs: dict[str, Tensor]) -> Arrays:
    before, graphs = weights(field), list[bool]()

    def step(**tensors: Tensor) -> object:
        loss = module.training_step(field, optimizer, **tensors)
        graphs.append(isinstance(loss, Tensor) and loss.requires_grad)
        return loss

    seen, change = observe(step, inputs), array(weights(field) - before)
    found = {"change of the weights": change, "graph left": np.array(graphs)}
    return seen | found | {"learns as found": np.array(field.weight.requires_grad)}


def moved(step: Callable, draw: Draw) -> Arrays:
    """A step of images, one of points back, and one from end to end."""
    inputs, few = images(draw, "x"), points(draw, "x")
    length, field = draw.number(0.2, 0.4), Field(draw, inputs["x"][0].numel())
    early, late = inputs | {"t": inputs["t"] / 2}, few | {"t": 0.5 + few["t"] / 2}
    seen = observe(step, early, velocity=field, dt=length)
    back = observe(step, late, velocity=Field(draw, few["x"].shape[1]), dt=-length)
    seen |= case("points, a step back", back)
    ends = {"x": inputs["x"][:1, :1], "t": torch.zeros(1)}
    field = Field(draw, ends["x"].numel())
    return seen | case("one example, extreme step from 0 to 1", observe(step, ends, velocity=field, dt=1.0))


@probe("fm-3")
def euler_step(module: ModuleType, draw: Draw) -> Arrays:
    return moved(module.euler_step, draw)


@probe("fm-4")
def midpoint_step(module: ModuleType, draw: Draw) -> Arrays:
    return moved(module.midpoint_step, draw)


@probe("fm-5")
def divergence(module: ModuleType, draw: Draw) -> Arrays:
    """Exact and guessed; where gradients are recorded, and where they are not."""
    inputs, few = images(draw, "x", "eps"), points(draw, "x", "eps")
    field, narrow = Field(draw, inputs["x"][0].numel()), Field(draw, few["x"].shape[1])
    exact = {name: inputs[name] for name in ("x", "t")}
    seen = spread(module, field, exact) | case("with eps", spread(module, field, inputs))
    zeros = few | {"eps": torch.zeros_like(few["eps"]), "t": torch.ones_like(few["t"])}
    seen |= case("points, eps is 0, extreme t of 1", spread(module, narrow, zeros))
    with torch.no_grad():
        seen |= case("points, no gradients", spread(module, narrow, few))
        one = {name: few[name][:1] for name in ("x", "t")}  # exact, and of another size
        return seen | case("one example, no gradients", spread(module, narrow, one))


def spread(module: ModuleType, field: Field, inputs: dict[str, Tensor]) -> Arrays:
    graphs: list[bool] = []

    def ask(**tensors: Tensor) -> object:
        found = module.divergence(field, **tensors)
        graphs.append(isinstance(found, Tensor) and found.requires_grad)
        return found

    seen = observe(ask, inputs)
    return seen | {"graph left": np.array(graphs), "grad in the field": array(field.weight.grad)}


@probe("fm-6")
def score(module: ModuleType, draw: Draw) -> Arrays:
    inputs, few = images(draw, "v", "x_t"), points(draw, "v", "x_t")
    seen = observe(module.score, inputs) | case("points", observe(module.score, few))
    ends = {name: value[:2] for name, value in few.items()}
    seen |= case("extreme t", observe(module.score, ends | {"t": torch.tensor([0.0, 0.96])}))
    late = observe(module.score, ends | {"t": torch.tensor([1 - 2**-10, 1 - 2**-9])})
    seen |= case("extreme t, near 1, in thousands", scaled(late, 0.001))
    return seen | case("one example", observe(module.score, first(inputs)))


@probe("fm-7")
def guided(module: ModuleType, draw: Draw) -> Arrays:
    inputs = images(draw, "conditional", "unconditional")
    inputs.pop("t")
    seen = observe(module.guided, inputs, weight=draw.number(1.5, 2.5))
    one = {name: value[:1] for name, value in inputs.items()}
    seen |= case("weight is 0", observe(module.guided, one, weight=0.0))
    seen |= case("weight is 1", observe(module.guided, one, weight=1.0))
    return seen | case("one example, extreme weight", observe(module.guided, first(inputs), weight=8.0))


class Labelled(nn.Module):
    """A velocity that depends on the label, on "no label", and by a dropout and a BatchNorm on the mode."""

    def __init__(self, draw: Draw, n_classes: int, size: int) -> None:
        super().__init__()
        self.n_classes, self.norm = n_classes, nn.BatchNorm1d(size)
        self.norm.running_mean, self.norm.running_var = draw.mixed(size), draw.uniform(size, low=1.0, high=2.0)
        maps = draw.mixed(n_classes + 1, size)
        maps[-1] = -maps[0]  # "no label" is far from class 0, which it is taken for
        self.maps = nn.Parameter(maps)
        self.modes: list[bool] = []

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        self.modes.append(self.training)
        flat = torch.tanh(self.norm(x.flatten(1))) * (0.5 + t[:, None]) + self.maps[y] * t.cos()[:, None]
        return flat.view_as(x)


@probe("fm-8")
def sample(module: ModuleType, draw: Draw) -> Arrays:
    """With a step and a guide that are nobody's, and images of one channel.

    The second time the network is found in evaluation mode, and has one point.
    """
    (b, d), (n_classes,) = draw.dims("B", "D", low=2, high=4), draw.dims("n_classes", low=5, high=6)
    net, bend = Labelled(draw, n_classes, d), draw.number(0.4, 0.6)
    for weight in net.norm.parameters():
        weight.requires_grad_(False)
    before, learns = {n: a.clone() for n, a in net.state_dict().items()}, learning(net)

    def step(velocity: Callable, x: Tensor, t: Tensor, dt: float) -> Tensor:
        return x.sin() + dt * velocity(x + bend * t.view(-1, *[1] * (x.ndim - 1)), t)

    def guide(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
        return (weight + 0.3) * conditional.sin() + unconditional  # never one of the two alone

    def drawn(inputs: dict[str, Tensor], steps: int, weight: float) -> Arrays:
        graphs: list[bool] = []
        net.modes.clear()
        mode = net.training

        def call(x_0: Tensor, y: Tensor) -> object:
            x = module.sample(net, x_0, y, steps, weight, step, guide)
            graphs.append(isinstance(x, Tensor) and x.requires_grad)
            return x

        seen = observe(call, inputs)
        return seen | {
            "graph left": np.array(graphs),
            "asked in evaluation mode": np.array(not any(net.modes)),
            "mode as found": np.array([part.training for part in net.modules()] == [mode, mode]),
        }

    inputs = {"x_0": draw.mixed(b, 1, d), "y": labels(draw, b, n_classes)}
    inputs["y"][0] = n_classes - 1
    seen = drawn(inputs, 3, draw.number(1.4, 2.2))
    net.eval()
    one = {"x_0": inputs["x_0"][:1, 0], "y": inputs["y"][:1]}
    seen |= case("one example, evaluation mode, extreme: weight is 0", drawn(one, 1, 0.0))
    seen |= case("one example, weight is 1", drawn(one, 1, 1.0))
    kept = [torch.equal(value, before[name]) for name, value in net.state_dict().items()]
    return seen | {"weights kept": np.array(kept), "learns as found": np.array(learning(net) == learns)}


def learning(net: nn.Module) -> list[bool]:
    return [weight.requires_grad for weight in net.parameters()]
