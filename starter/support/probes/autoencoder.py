"""Probes of lab 1: starter/autoencoder.py."""

from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from ..nets import Conv
from .core import Draw, alone, array, case, first, gradients_of, named, observe, probe, weights, whole_numbers


def drawn_plan(draw: Draw) -> tuple[Conv, ...]:
    """Three convolutions that halve an image, none like another."""
    channels = draw.rng.choice(np.arange(2, 9), 4, replace=False).tolist()
    kinds = draw.rng.permutation([(3, 2, 1), (4, 2, 0), (7, 2, 3)]).tolist()  # kernel_size, stride, padding
    return tuple(Conv(n, m, *kind) for n, m, kind in zip(channels, channels[1:], kinds))


def plain_plan(draw: Draw) -> tuple[Conv, ...]:
    """Of one channel; strides of 3 and 1, no padding behind the first."""
    n, m = draw.rng.choice(np.arange(2, 9), 2, replace=False).tolist()
    return Conv(1, n, draw.whole(3, 5), 3, 1), Conv(n, m, draw.whole(2, 3), 1, 0)


@probe("ae-1")
def feature_shapes(module: ModuleType, draw: Draw) -> Arrays:
    seen: Arrays = {}
    for name in ("one", "another"):
        plan, half = drawn_plan(draw), draw.rng.permutation([draw.whole(9, 12), draw.whole(16, 20)])
        shape = (plan[0].in_channels, int(2 * half[0]), int(2 * half[1] + 1))  # odd and even: rounding shows
        seen[f"shapes of {name} plan"] = whole_numbers(module.feature_shapes(shape, plan))
    plan = plain_plan(draw)
    short = plan[0].kernel_size - 2 + 3 * draw.whole(4, 6)  # two of its numbers are left over, or one
    shape = (1, short + 2, short + 7)
    return seen | {"shapes of a plan with stride 1": whole_numbers(module.feature_shapes(shape, plan))}


@probe("ae-2")
def mirror(module: ModuleType, draw: Draw) -> Arrays:
    seen: Arrays = {}
    for name in ("one", "another"):
        plan, sizes = drawn_plan(draw), [draw.rng.choice(np.arange(2, 7), 2, replace=False)]
        for conv, odd in zip(reversed(plan), ([0, 1], [1, 0], draw.rng.permutation([0, 1]))):  # from code to image
            sizes.append((sizes[-1] - 1) * conv.stride - 2 * conv.padding + conv.kernel_size + odd)
        channels = [plan[0].in_channels, *(conv.out_channels for conv in plan)]
        shapes = [(c, *size.tolist()) for c, size in zip(channels, reversed(sizes))]
        seen[f"mirror of {name} plan"] = whole_numbers(module.mirror(plan, shapes))
    plan, code = plain_plan(draw), draw.rng.choice(np.arange(2, 7), 2, replace=False)
    middle = code - 1 + plan[1].kernel_size
    image = 3 * (middle - 1) - 2 + plan[0].kernel_size + [2, 1]
    shapes = [(c, *size.tolist()) for c, size in zip((1, *(conv.out_channels for conv in plan)), (image, middle, code))]
    return seen | {"mirror of a plan with stride 1": whole_numbers(module.mirror(plan, shapes))}


@probe("ae-3")
def reconstruction_loss(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    far = inputs | {"logits": 60 * inputs["logits"].sign()}  # sigmoid of it is 0 or 1 in float32
    seen: Arrays = {}
    for kind in ("bce", "mse"):
        found = observe(lambda logits, x, kind=kind: module.reconstruction_loss(logits, x, kind), inputs, ("logits",))
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
        seen |= case(f"{kind}, one example", observe(module.reconstruction_loss, first(inputs), kind=kind))
    return seen | case("bce, extreme logits +-60", observe(module.reconstruction_loss, far, kind="bce"))


FRACTIONS = (7, 10, 22, 50)  # of steps, where 1 / (steps - 1) added to 1 is a little too much


@probe("ae-4", spared={"extreme": "codes have no range, and no formula is near one"})
def interpolate(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim, steps = draw.dims("B", "latent_dim", "steps", low=3)
    inputs = {name: draw.mixed(b, latent_dim) for name in ("z_start", "z_end")}
    seen = observe(module.interpolate, inputs, tuple(inputs), steps=steps)
    seen |= case("one example, two steps", observe(module.interpolate, first(inputs), steps=2))
    ends = {name: codes[:1, :1] for name, codes in inputs.items()}
    lines = [alone(observe(module.interpolate, ends, steps=count)).ravel() for count in FRACTIONS]
    return seen | {f"result ({', '.join(map(str, FRACTIONS))} steps)": np.concatenate(lines)}


@probe("ae-5")
def corrupt(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"x": draw.uniform(b, c, h, w), "eps": draw.mixed(b, c, h, w)}
    seen = observe(module.corrupt, inputs, ("x",), sigma=draw.number(0.3, 0.6))
    seen |= case("one example, sigma is 0", observe(module.corrupt, first(inputs), sigma=0.0))
    return seen | case("extreme noise", observe(module.corrupt, inputs, sigma=20.0))


@probe(
    "ae-6",
    "corrupt",
    "reconstruction_loss",
    spared={"extreme": "that is its neighbours' task", "as found": "nothing is trained"},
)
def denoising_loss(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    network = nn.Conv2d(c, c, 1)
    for weight in network.parameters():
        weight.data = draw.mixed(*weight.shape)
    inputs, sigma = {"x": draw.uniform(b, c, h, w), "eps": draw.mixed(b, c, h, w)}, draw.number(0.3, 0.6)
    seen, modes = Arrays(), list[bool]()
    network.register_forward_pre_hook(lambda network, _: modes.append(network.training))
    for kind in ("bce", "mse"):
        found = observe(lambda x, eps, kind=kind: module.denoising_loss(network, x, eps, sigma, kind), inputs)
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
        result = module.denoising_loss(network, inputs["x"].clone(), inputs["eps"].clone(), sigma, kind)
        seen |= gradients_of({"result": result}, {f"the network's weight ({kind})": network.weight})
    seen["training mode, in every call and after"] = np.array([all(modes), network.training])
    network.eval()
    modes.clear()
    one = {name: images[:1] for name, images in inputs.items()}
    found = observe(lambda x, eps: module.denoising_loss(network, x, eps, 1 + sigma), one)
    seen |= case("one example, evaluation mode", found)
    seen["evaluation mode, in every call and after"] = np.array([not any(modes), not network.training])
    return seen


class Loss(NamedTuple):
    half: Tensor  # a term that nobody is to minimise
    loss: Tensor


class Learner(nn.Module):
    """It moves to the mean of what it learns from; what it holds back of an image depends on its mode.

    On its way it comes near the held-out images, and leaves them again. It notes how it is asked.
    """

    seen: Tensor  # a running mean
    optimizer: torch.optim.Optimizer

    def __init__(self, draw: Draw, size: int, script: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.place, self.held = nn.Parameter(0.1 * draw.mixed(size)), nn.Parameter(draw.mixed(size))
        self.held.requires_grad_(False)
        self.register_buffer("seen", draw.mixed(size))
        self.script, self.asked = script, list[list[bool]]()  # of what the held-out images shall cost after each epoch

    def terms(self, x: Tensor) -> Loss:
        flat = x.flatten(1)
        epoch = sum(not training for training, _ in self.asked) // 2
        self.asked.append([self.training, torch.is_grad_enabled()])
        if self.training:
            self.seen.lerp_(flat.detach().mean(dim=0), 0.3)
        distance = (self.place - flat - 0.1 * self.held * self.seen.clone()).square().sum(dim=1).mean()
        told = 0 * distance + self.script[epoch] if self.script and not self.training else distance
        return Loss(distance / 2, told)


@probe("ae-7", spared={"extreme": "that is the loss's task"})
def train(module: ModuleType, draw: Draw) -> Arrays:
    """Six epochs, the best none at the ends; one more; nine with ups and downs, two alike; two, the first is better."""
    c, h, w = draw.dims("C", "H", "W", low=2, high=4)
    size, far = c * h * w, draw.mixed(c, h, w, low=0.8, high=1.2)

    def images(counts: list[int], low: float, high: float) -> list[Tensor]:
        return [
            near * far + 0.2 * draw.mixed(n, c, h, w) for n, near in zip(counts, np.linspace(low, high, len(counts)))
        ]

    sizes = draw.rng.permutation([3, 6, 4]).tolist()
    batches, held_out = images(sizes, 0.7, 1.3), images(sizes[::2], 0.45, 0.75)
    model = Learner(draw, size)
    seen = trained(module, draw, model, batches, held_out, 6)
    model.eval()
    again = trained(module, draw, model, batches[:1], [held_out[0][:1]], 1)
    scripted = Learner(draw, size, (2.5, 3.0, 2.2, 2.1, 2.0, 2.6, 2.0, 2.4, 2.3)).eval()
    alike = trained(module, draw, scripted, [batches[1][:1], batches[2]], held_out, 9)
    scripted.script = (2.0, 2.4)
    early = trained(module, draw, scripted, batches[:1], held_out, 2)
    seen |= case("second step, one example, evaluation mode", again) | case("two epochs alike", alike)
    return seen | case("the first epoch is the best", early)


def trained(
    module: ModuleType, draw: Draw, model: Learner, batches: list[Tensor], held_out: list[Tensor], epochs: int
) -> Arrays:
    """The optimiser remembers, also from one call to the next, and gradients of an earlier step lie there."""
    if not hasattr(model, "optimizer"):
        model.optimizer = torch.optim.SGD([model.place], lr=draw.number(0.02, 0.03), momentum=0.5)
        model.place.grad = 5 * draw.mixed(len(model.place))  # one step with it can be seen after many
    given, tensors = [x.clone() for x in (*batches, *held_out)], dict(model.state_dict(keep_vars=True))
    mode, model.asked = model.training, []
    found = module.train(model, model.optimizer, batches, held_out, epochs)
    terms = named(found)
    best = terms.pop("best", None)
    return {name: array(term) for name, term in terms.items()} | {
        "best": np.array(int(best)) if isinstance(best, int | np.integer) else array(best),
        "weights": array(weights(model)),
        "running mean": array(model.seen),
        "asked in training mode, and with a graph": np.array(model.asked).ravel(),
        "mode as found": np.array(model.training == mode),
        "what can learn is as found": np.array([model.place.requires_grad, model.held.requires_grad]),
        "same tensors as found": np.array([getattr(model, name) is value for name, value in tensors.items()]),
        "images kept": np.array([torch.equal(a, b) for a, b in zip(given, (*batches, *held_out))]),
    }
