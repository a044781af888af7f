"""Probes of lab 3: starter/beta_vae.py."""

import math
from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from .core import Draw, alone, array, case, named, nature, observe, probe, tensor, weights


@probe("beta-1")
def beta_elbo(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim", low=3)
    inputs = {"nll": draw.uniform(b, low=1, high=3), "kl_per_dim": draw.uniform(b, latent_dim, low=0.2, high=1.4)}
    beta, penalty = draw.number(2, 3), {"penalty": tensor(np.array(draw.number(4, 5)))}
    seen = observe(module.beta_elbo, inputs, ("nll", "kl_per_dim"), beta=beta)
    other = observe(module.beta_elbo, inputs | penalty, ("nll", "penalty"), beta=beta)
    plain = observe(module.beta_elbo, inputs)
    none, one = inputs | {"penalty": torch.zeros(())}, {name: value[:1] for name, value in inputs.items()}
    return (
        seen
        | case("penalty given", other)
        | {"loss (beta not given)": plain.get("loss", np.array("missing"))}
        | case("beta below 1, penalty is 0", observe(module.beta_elbo, none, beta=draw.number(0.3, 0.6)))
        | case("one example, beta is 0", observe(module.beta_elbo, one, beta=0.0))
        | case(
            "extreme nll, of a density above 1", observe(module.beta_elbo, inputs | {"nll": 20 - 25 * inputs["nll"]})
        )
    )


@probe("beta-2", spared={"one example": "a variance needs two"})
def active_units(module: ModuleType, draw: Draw) -> Arrays:
    """Columns of every kind, in an order of their own: what matters is the variance, on the scale of the threshold."""
    (n,) = draw.dims("N", low=24, high=31)
    seen: Arrays = {}
    for threshold in (draw.number(0.15, 0.25), draw.number(2, 2.5)):
        # deviation over the square root of the threshold, and mean
        kinds = [(0.3, 3.0), (0.3, -3.0), (0.75, 0.4), (0.75, -0.4), (1.3, 0.4), (1.3, -2.0), (3.0, 0.3), (0.2, 0.02)]
        kinds = [kinds[i] for i in draw.rng.permutation(len(kinds))]
        mu = torch.stack([column(draw, n, deviation * threshold**0.5, mean) for deviation, mean in kinds], dim=1)
        found = observe(module.active_units, {"mu": mu}, threshold=threshold)
        seen |= {f"{name} (threshold {len(seen) // len(found) + 1})": value for name, value in found.items()}
    draw.sizes["latent_dim"] = mu.shape[1]
    small = 0.4 * mu / mu.std(dim=0) * tensor(np.where(draw.rng.permutation(mu.shape[1]) % 2, 0.15, 0.4))
    seen["result (threshold not given)"] = alone(observe(module.active_units, {"mu": small}))
    still = (
        0.05 * mu * tensor(draw.rng.permutation(np.arange(mu.shape[1]) % 2)) + 0.5
    )  # half of the columns are constant
    seen |= case("threshold is 0, some alike", observe(module.active_units, {"mu": still}, threshold=0.0))
    far = torch.stack([column(draw, n, deviation, 1e4) for deviation in (0.3, 1.5) * 6], dim=1)
    seen |= case("extreme means", observe(module.active_units, {"mu": far}, threshold=0.5))
    few = torch.stack([column(draw, 4, (0.5 * d) ** 0.5, 0.3) for d in draw.rng.permutation([1.15, 0.85] * 3)], dim=1)
    seen |= case("4 images", observe(module.active_units, {"mu": few}, threshold=0.5))  # / 4 is not / 3
    turns = torch.arange(n)[:, None] % 2 == torch.arange(4) % 2  # every other image says nothing
    return seen | case(
        "every other image", observe(module.active_units, {"mu": turns * draw.mixed(n, 4)}, threshold=0.1)
    )


def column(draw: Draw, n: int, deviation: float, mean: float) -> Tensor:
    values = draw.mixed(n)
    return mean + deviation * (values - values.mean()) / values.std()


@probe("beta-3")
def linear_warmup(module: ModuleType, draw: Draw) -> Arrays:
    n, beta = draw.whole(5, 9), draw.number(2, 3)
    steps = [*range(n + 4), 3 * n + 1]
    seen = {"beta_t": curve(lambda t: module.linear_warmup(t, n, beta), steps)}
    seen["beta_t (one step, beta is 0)"] = curve(lambda t: module.linear_warmup(t, 1, 0.0), range(3))
    return seen | {"beta_t (beta not given)": curve(lambda t: module.linear_warmup(t, n), steps)}


@probe("beta-4")
def cyclical(module: ModuleType, draw: Draw) -> Arrays:
    period, ramp, beta = 2 * draw.whole(4, 6) + 1, draw.number(0.55, 0.8), draw.number(2, 3)  # half of it is not whole
    steps = range(2 * period + 5)

    def schedule(shape: str) -> Callable[[int], float]:
        return lambda t: module.cyclical(t, period, ramp, beta, shape)

    seen = {f"beta_t ({shape})": curve(schedule(shape), steps) for shape in ("linear", "cosine")}
    seen["beta_t (beta is 0)"] = curve(lambda t: module.cyclical(t, period, ramp, 0.0), range(3))
    seen["beta_t (ramp of 1, beta below 1)"] = curve(lambda t: module.cyclical(t, period, 1.0, 0.7), range(period + 2))
    return seen | {"beta_t (defaults)": curve(lambda t: module.cyclical(t, period), steps)}


def curve(schedule: Callable[[int], float], steps: Iterable[int]) -> np.ndarray:
    """A schedule's value at every step; where it is no number, what it is."""
    values = [schedule(step) for step in steps]
    strange = [value for value in values if not isinstance(value, int | float | np.number | Tensor)]
    if strange or any(np.size(value) != 1 for value in values):
        return nature(strange[0] if strange else values[0])
    return np.array([float(value) for value in values])


@probe("beta-5")
def free_bits(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim", low=4)
    kl_per_dim = draw.uniform(b, latent_dim, low=0.1, high=1.5)
    levels = kl_per_dim.mean(dim=0).sort().values  # a floor between two of them, in the middle
    middle = latent_dim // 2
    floor = float(levels[middle - 1] + levels[middle]) / 2
    inputs = {"kl_per_dim": kl_per_dim}
    seen = observe(module.free_bits, inputs, ("kl_per_dim",), floor=floor)
    small = {"kl_per_dim": 0.1 * kl_per_dim}  # even their sum is below the floor
    seen |= case("extreme floor, above all", observe(module.free_bits, small, floor=draw.number(1.6, 2)))
    one = {"kl_per_dim": kl_per_dim[:1]}
    return seen | case("one example, floor is 0", observe(module.free_bits, one, floor=0.0))


def codes_and_factors(draw: Draw) -> dict[str, Tensor]:
    """Fewer examples than cells of a table, so that some are empty; factors with different numbers of values.

    One code knows the factor with the fewest of them, so that gaps are large, and unlike each other.
    """
    latent_dim, n_factors = draw.dims("latent_dim", "n_factors", low=3, high=5)
    (n,) = draw.dims("N", low=13, high=16)
    levels = [4, *draw.rng.choice(np.arange(5, 9), n_factors - 1, replace=False)]  # entropies are above 1
    factors = np.stack([draw.rng.permutation(np.minimum(np.arange(n) % (k + 2), k - 1)) for k in levels], axis=1)
    codes = draw.mixed(n, latent_dim)
    codes[:, draw.whole(0, latent_dim - 1)] += tensor(5 * factors[:, 0])
    return {"codes": codes, "factors": torch.from_numpy(factors)}


def with_copies(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The latent that knows the first factor, twice; one that never moves; and a value that never occurs."""
    codes, factors = inputs["codes"], inputs["factors"].clone()
    known = codes.abs().amax(dim=0).argmax()
    factors[:, 0] += factors[:, 0] > 1  # no example has the value 2
    return {"codes": torch.cat([codes, codes[:, [known]], 0 * codes[:, :1]], dim=1), "factors": factors}


KINDS_OF_CODES = {
    "one example": "one says nothing about a distribution",
    "extreme": "codes fall into bins, however far apart",
}


@probe("beta-6", spared=KINDS_OF_CODES)
def mutual_information(module: ModuleType, draw: Draw) -> Arrays:
    inputs, bins = codes_and_factors(draw), draw.whole(7, 9)
    draw.sizes["bins"] = bins
    seen = observe(module.mutual_information, inputs, bins=bins)
    seen |= case(
        "some alike, a value that never occurs", observe(module.mutual_information, with_copies(inputs), bins=bins)
    )
    single = {name: table[:, :1] for name, table in inputs.items()}
    rare = {"codes": inputs["codes"].repeat(10, 1), "factors": torch.zeros(10 * len(inputs["codes"]), 1).long()}
    rare["factors"][0] = 1
    seen |= case("one image has another value", observe(module.mutual_information, rare, bins=bins))
    return seen | case("one latent, one factor", observe(module.mutual_information, single, bins=bins))


@probe("beta-7", "mutual_information", spared=KINDS_OF_CODES)
def mutual_information_gap(module: ModuleType, draw: Draw) -> Arrays:
    seen: Arrays = {}
    for i in range(3):
        found = observe(module.mutual_information_gap, codes_and_factors(draw), bins=draw.whole(7, 9))
        seen |= {f"{name} ({i + 1})": value for name, value in found.items()}
    inputs = codes_and_factors(draw)
    other = inputs["codes"].abs().amax(dim=0).argmin()  # knows another factor: a copy leaves no gap for the first
    inputs["codes"][:, other] += 5 * inputs["factors"][:, 1]
    found = observe(module.mutual_information_gap, with_copies(inputs), bins=8)
    return seen | case("some alike, a value that never occurs", found)


class Speaker(nn.Module):
    """A model that spends 0.6 to 1.1 nats, misses images by more, and counts its calls; one of its weights is held."""

    def __init__(self, module: ModuleType, draw: Draw, size: int, beta: float) -> None:
        super().__init__()
        self.module, self.beta, self.modes = module, beta, list[bool]()
        self.layer = draw.linear(size, 3)
        self.layer.bias.requires_grad_(False)
        self.layer.weight.grad = draw.mixed(*self.layer.weight.shape)  # of an earlier step
        self.optimizer = torch.optim.SGD(self.parameters(), lr=draw.number(0.3, 0.6), momentum=0.8)

    def terms(self, x: Tensor) -> tuple:
        self.modes.append(self.training)
        h = self.layer(x.flatten(1))  # (B, 3)
        reconstruction = 1.8 + 0.2 * torch.sin(h + 1).sum(dim=1).mean()
        kl = 0.6 + 0.15 * h.tanh().square().sum(dim=1).mean()
        return self.module.ELBO(reconstruction + self.beta * kl, reconstruction, kl)

    def moved(self, x: Tensor, training: bool = True, **settings: float) -> Arrays:
        """One step, and what it leaves."""
        self.modes.clear()
        before, graphs = weights(self), list[bool]()

        def step(x: Tensor) -> tuple:
            terms = self.module.step_at_rate(self, self.optimizer, x, **settings)
            graphs.extend(isinstance(term, Tensor) and term.requires_grad for term in named(terms).values())
            return terms

        seen = observe(step, {"x": x})
        seen["change of the weights"] = array(weights(self) - before)
        seen["beta"] = np.array(float(self.beta))
        seen["beta is a number"] = np.array(isinstance(self.beta, float))
        seen["the terms have a graph"] = np.array(graphs)
        seen["calls of the model"] = np.array(len(self.modes))
        modes = {*self.modes, self.training, self.layer.training}
        return seen | {"mode as found, in every call and after": np.array(modes == {training})}


@probe("beta-8")
def step_at_rate(module: ModuleType, draw: Draw) -> Arrays:
    """Above the wanted rate, below it, far above; at last one example in evaluation mode, gain not given."""
    b, *shape = draw.batch()
    model, gain = Speaker(module, draw, math.prod(shape), draw.number(0.6, 0.9)), draw.number(1.2, 1.5)
    seen: Arrays = {}
    for what, rate in (("above", draw.number(0.5, 0.55)), ("below, second step", draw.number(2, 3))):
        seen |= case(what, model.moved(draw.mixed(b, *shape), rate=rate, gain=gain))
    seen |= case("extreme miss", model.moved(draw.mixed(b, *shape), rate=0.01, gain=gain))
    seen |= case("gain is 0", model.moved(draw.mixed(b, *shape), rate=0.5, gain=0.0))
    model.eval()
    last = model.moved(draw.mixed(1, *shape), training=False, rate=draw.number(0.5, 0.55))
    return seen | case("one example, evaluation mode, gain not given", last)
