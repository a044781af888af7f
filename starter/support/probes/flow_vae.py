"""Probes of lab 4: starter/flow_vae.py."""

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from .core import Draw, case, first, gradients_of, named, observe, probe, scaled


def parameters_of_step(draw: Draw, b: int, d: int) -> dict[str, Tensor]:
    """w, u, b of planar steps, one row per example, small enough that tanh does not saturate."""
    inputs = {"w": draw.mixed(b, d, low=0.5, high=1.2) / d**0.5, "u": draw.mixed(b, d, low=0.5, high=1.2)}
    return inputs | {"b": draw.mixed(b, low=0.2, high=0.5)}


@probe("flow-1")
def u_hat(module: ModuleType, draw: Draw) -> Arrays:
    b, d = draw.dims("B", "latent_dim")
    inputs = {"w": draw.mixed(b, d), "u": draw.mixed(b, d)}
    along = draw.mixed(b, 1, low=0.1, high=0.8) - (inputs["w"] * inputs["u"]).sum(dim=1, keepdim=True)
    inputs["u"] = inputs["u"] + along * inputs["w"] / inputs["w"].square().sum(dim=1, keepdim=True)  # w . u near 0
    far = {"w": inputs["w"], "u": 120 * inputs["w"] / inputs["w"].square().sum(dim=1, keepdim=True)}
    far["u"] = far["u"] + 0.1 * inputs["u"]  # w . u near 120: exp() of it is infinite in float32
    seen = observe(module.u_hat, inputs, ("w", "u"))
    seen |= case("one example", observe(module.u_hat, first(inputs)))
    short = {"w": inputs["w"] / 10_000, "u": 10_000 * inputs["u"]}
    seen |= case("extreme w, 10,000 times as short", scaled(observe(module.u_hat, short), 0.0001))
    below = {"w": inputs["w"], "u": 0.1 * inputs["u"] - 1 / 40 * (far["u"] - 0.1 * inputs["u"])}  # w . u near -3
    seen |= case("w . u is near -3", observe(module.u_hat, below))
    seen |= case("extreme w . u near -120", observe(module.u_hat, {"w": far["w"], "u": 0.2 * inputs["u"] - far["u"]}))
    return seen | case("extreme w . u near 120", observe(module.u_hat, far, ("w", "u")))


@probe("flow-2", "u_hat", spared={"extreme": "tanh bears any number; far u are u_hat's task"})
def planar(module: ModuleType, draw: Draw) -> Arrays:
    b, d = draw.dims("B", "latent_dim")
    inputs = {"z": draw.mixed(b, d)} | parameters_of_step(draw, b, d)
    seen = observe(module.planar, inputs, tuple(inputs))
    return seen | case("one example", observe(module.planar, first(inputs)))


@probe("flow-3", "u_hat")
def planar_log_det(module: ModuleType, draw: Draw) -> Arrays:
    b, d = draw.dims("B", "latent_dim", low=3)
    inputs = {"z": draw.mixed(b, d)} | parameters_of_step(draw, b, d)
    seen = observe(module.planar_log_det, inputs, tuple(inputs))
    seen |= case("one example", observe(module.planar_log_det, first(inputs)))
    flat = {name: value.clone() for name, value in inputs.items()}
    flat["w"][:], flat["w"][:, 0], flat["u"][:, 0] = 0, 1, -7.25  # exact numbers: little is left of 1
    flat["b"] = -flat["z"][:, 0]  # on the plane itself the step presses hardest
    return seen | case("extreme: a determinant near 0", observe(module.planar_log_det, flat))


class Step(nn.Module):
    """Two maps that do not undo each other and two numbers that belong to no Jacobian: the order of calls shows."""

    def __init__(self, draw: Draw, d: int) -> None:
        super().__init__()
        self.there, self.back = draw.linear(d, d + 1), draw.linear(d, d + 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        moved = self.there(x).tanh()
        return moved[:, :-1], moved[:, -1]

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        moved = self.back(z).tanh()
        return moved[:, :-1], moved[:, -1]


@probe("flow-4", spared={"extreme": "each flow's own task", "evaluation": "as each flow has it"})
def chain(module: ModuleType, draw: Draw) -> Arrays:
    b, d, count = draw.dims("B", "latent_dim", "flows", low=3, high=6)
    x, seen = draw.mixed(b, d), Arrays()
    for direction in ("forward", "inverse"):
        steps = [Step(draw, d) for _ in range(count)]
        found = observe(lambda x, s=steps, to=direction: module.chain(s, x, to), {"x": x}, ("x",))
        weights = {"weights of the first flow": steps[0].there.weight, "weights of the last": steps[-1].there.weight}
        if direction == "inverse":
            weights = {"weights of the first flow": steps[0].back.weight, "weights of the last": steps[-1].back.weight}
        found |= gradients_of(named(module.chain(steps, x.clone(), direction)), weights)
        lone = Step(draw, 1)
        for weight in lone.parameters():
            weight.data.abs_()  # so that nothing cancels
        single = observe(lambda x, s=lone, to=direction: module.chain([s], x, to), {"x": x[:1, :1].abs()})
        found |= case("one example and flow", single)
        seen |= {f"{name} ({direction})": value for name, value in found.items()}
    return seen


@probe("flow-5", "bernoulli_nll")
def flow_elbo(module: ModuleType, draw: Draw) -> Arrays:
    (b, c, h, w), (d,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs |= {name: draw.mixed(b, d, high=1.2) for name in ("mu", "log_var", "z_0", "z_k")}
    inputs["log_det"] = draw.mixed(b, low=1.0, high=2.0)
    slope, beta = draw.mixed(d), draw.number(2, 3)

    def with_prior(**tensors: Tensor) -> object:
        return module.flow_elbo(**tensors, log_prior=lambda z: z @ slope, beta=beta)

    seen = observe(with_prior, inputs, ("logits", "mu", "log_var", "z_0", "z_k", "log_det"))
    plain = observe(module.flow_elbo, inputs)
    seen |= {f"{name} (prior and beta not given)": a for name, a in plain.items() if name in ("loss", "kl")}
    far = first(inputs | {"logits": 60 * inputs["logits"].sign(), "log_det": 20 * inputs["log_det"]})
    far["log_var"][..., 0] = -12  # a latent that is all but certain, and sampled where it is
    far["z_0"][..., 0] = far["mu"][..., 0]
    seen |= case("one example, extreme logits +-60, beta is 0", observe(module.flow_elbo, far, beta=0.0))
    sure = {name: value[:1] for name, value in inputs.items()}
    sure |= {"mu": torch.zeros(1, d), "log_var": torch.full((1, d), -20.0)}  # exp() of the sum is 0
    sure["z_0"] = 3 * torch.exp(0.5 * sure["log_var"]) * inputs["z_0"][:1]
    return seen | case("one example, extreme log_var of -20", observe(module.flow_elbo, sure))


@probe("flow-6")
def coupling(module: ModuleType, draw: Draw) -> Arrays:
    b, half = draw.dims("B", "half of latent_dim", low=3)
    x, seen, steepest = draw.mixed(b, 2 * half), Arrays(), Arrays()
    for direction in ("forward", "inverse"):
        layer = draw.linear(half, 2 * half)

        def net(first: Tensor, layer: nn.Linear = layer) -> tuple[Tensor, ...]:
            return layer(first).tanh().chunk(2, dim=1)

        found = observe(lambda x, to=direction, net=net: module.coupling(x, net, to), {"x": x}, ("x",))
        results = named(module.coupling(x.clone(), net, direction))
        found |= gradients_of(results, {"the net's weight": layer.weight})

        def steep(first: Tensor, net: Callable = net, to: str = direction) -> tuple[Tensor, ...]:
            log_s, t = net(first)
            return (7 if to == "forward" else -7) * log_s.square(), t

        far = observe(lambda x, to=direction, net=steep: module.coupling(x, net, to), {"x": x[:1]})
        steepest |= case(f"{direction}, one example, extreme log_s, in hundreds", scaled(far, 0.01, "item 0"))

        def level(first: Tensor, to: str = direction) -> tuple[Tensor, ...]:
            return torch.full_like(first, 40 if to == "forward" else -40), first  # exp() of their sum is infinite

        far = observe(lambda x, to=direction, net=level: module.coupling(x, net, to), {"x": x[:1]})
        far = scaled(scaled(far, math.exp(-40), "item 0"), 0.01, "item 1")
        steepest |= case(f"{direction}, one example, extreme log_s of 40, log_det in hundreds", far)
        seen |= {f"{name} ({direction})": value for name, value in found.items()}
    return seen | steepest


@probe("flow-7", spared={"extreme": "log_normal bears any number"})
def flow_log_prob(module: ModuleType, draw: Draw) -> Arrays:
    b, d = draw.dims("B", "dim")
    step = Step(draw, d)
    seen = observe(lambda x: module.flow_log_prob(step, x), {"x": draw.mixed(b, d)}, ("x",))
    seen["training before and after"] = np.array([True, step.training])
    result = module.flow_log_prob(step, draw.mixed(b, d))
    one = {"x": draw.mixed(1, d)}
    seen |= case("one example, evaluation mode", observe(lambda x: module.flow_log_prob(step.eval(), x), one))
    seen["evaluation mode before and after"] = np.array([True, not step.training])
    return seen | gradients_of({"result": result}, {"the flow's weight": step.there.weight})


@probe("flow-8", "u_hat", "planar_log_det")  # planar may be asked on the way, wherever a search looks
def undo_planar(module: ModuleType, draw: Draw) -> Arrays:
    """Before and behind the plane, and close to it; pushed a little, far, a hundred times as far, and nearly folded."""
    b, d = draw.dims("B", "latent_dim", low=4)
    inputs = {"z": draw.mixed(b, d)} | parameters_of_step(draw, b, d)
    along, numbers = inputs["w"] / inputs["w"].square().sum(dim=1, keepdim=True), torch.arange(b)[:, None]
    side, other = 1 - 2 * (numbers % 2), 1 - 2 * (numbers // 2 % 2)  # (B, 1), +-1 in all four combinations

    def at(w_z: Tensor, w_u: Tensor) -> dict[str, Tensor]:
        """The same inputs where w . z and w . u are these, each (B, 1)."""
        across = {name: inputs[name] - (inputs[name] * inputs["w"]).sum(dim=1, keepdim=True) * along for name in "zu"}
        return inputs | {"z": across["z"] + w_z * along, "u": 0.1 * across["u"] + w_u * along}

    seen = observe(module.undo_planar, inputs)
    beyond, ones = 4 * side - inputs["b"][:, None], torch.ones(b, 1)
    seen |= case("one example", observe(module.undo_planar, first(at(0.5 * side, ones))))
    seen |= case("w . u is 4", observe(module.undo_planar, at(beyond, 4 * ones)))
    seen |= case("extreme w . u of 120", observe(module.undo_planar, at(15 * beyond, 120 * ones)))
    seen |= case("so far that item 1 is 0", observe(module.undo_planar, at(60 * side, ones)))
    seen |= case("off the plane", observe(module.undo_planar, at(1.5 * side, 0.4 + 0.8 * other)))
    fold = at(0.05 * side, -3 * ones) | {"b": 0.05 * inputs["b"]}  # it presses hardest on the plane itself
    return seen | case("near a fold", observe(module.undo_planar, fold))
