"""Probes of lab 3: starter/beta_vae.py."""

from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from ..compare import Arrays
from .core import Draw, array, observe, probe, tensor


@probe("beta-1")
def beta_elbo(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim", low=3)
    inputs = {"nll": draw.uniform(b, low=1, high=3), "kl_per_dim": draw.uniform(b, latent_dim, low=0.2, high=1)}
    beta, penalty = draw.number(2, 3), {"penalty": tensor(np.array(draw.number(4, 5)))}
    seen = observe(module.beta_elbo, inputs, ("nll", "kl_per_dim"), beta=beta)
    other = observe(module.beta_elbo, inputs | penalty, ("nll", "penalty"), beta=beta)
    plain = observe(module.beta_elbo, inputs)
    return (
        seen
        | {f"{name} (penalty given)": value for name, value in other.items()}
        | {"loss (beta not given)": plain.get("loss", np.array("missing"))}
    )


@probe("beta-2")
def active_units(module: ModuleType, draw: Draw) -> Arrays:
    """Columns of every kind, in an order of their own: what matters is the variance, on the scale of the threshold."""
    (n,) = draw.dims("N", low=24, high=31)
    seen = {}
    for threshold in (draw.number(0.15, 0.25), draw.number(0.3, 0.4)):
        # deviation over the square root of the threshold, and mean
        kinds = [(0.3, 3.0), (0.3, -3.0), (0.75, 0.4), (0.75, -0.4), (1.3, 0.4), (1.3, -2.0), (3.0, 0.3), (0.2, 0.02)]
        kinds = [kinds[i] for i in draw.rng.permutation(len(kinds))]
        mu = torch.stack([column(draw, n, deviation * threshold**0.5, mean) for deviation, mean in kinds], dim=1)
        found = observe(module.active_units, {"mu": mu}, threshold=threshold)
        seen |= {f"{name} (threshold {len(seen) // len(found) + 1})": value for name, value in found.items()}
    draw.sizes["latent_dim"] = mu.shape[1]
    small = 0.4 * mu / mu.std(dim=0) * tensor(np.where(draw.rng.permutation(mu.shape[1]) % 2, 0.15, 0.4))
    return seen | {"result (threshold not given)": observe(module.active_units, {"mu": small})["result"]}


def column(draw: Draw, n: int, deviation: float, mean: float) -> Tensor:
    values = draw.mixed(n)
    return mean + deviation * (values - values.mean()) / values.std()


@probe("beta-3")
def linear_warmup(module: ModuleType, draw: Draw) -> Arrays:
    n, beta = draw.whole(5, 9), draw.number(2, 3)
    steps = [*range(n + 4), 3 * n + 1]
    seen = {"beta_t": curve(lambda t: module.linear_warmup(t, n, beta), steps)}
    return seen | {"beta_t (beta not given)": curve(lambda t: module.linear_warmup(t, n), steps)}


@probe("beta-4")
def cyclical(module: ModuleType, draw: Draw) -> Arrays:
    period, ramp, beta = draw.whole(9, 13), draw.number(0.55, 0.8), draw.number(2, 3)
    steps = range(2 * period + 5)
    seen = {
        f"beta_t ({shape})": curve(lambda t, shape=shape: module.cyclical(t, period, ramp, beta, shape), steps)
        for shape in ("linear", "cosine")
    }
    return seen | {"beta_t (defaults)": curve(lambda t: module.cyclical(t, period), steps)}


def curve(schedule: Callable[[int], float], steps: Iterable[int]) -> np.ndarray:
    """A schedule's value at every step; where it is no number, what it is."""
    values = [schedule(step) for step in steps]
    strange = [value for value in values if not isinstance(value, int | float | np.number | Tensor)]
    if strange or any(np.size(value) != 1 for value in values):
        return array(strange[0] if strange else values[0])
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
    return seen | {"result (floor above all)": observe(module.free_bits, small, floor=draw.number(1.6, 2))["result"]}


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


@probe("beta-6")
def mutual_information(module: ModuleType, draw: Draw) -> Arrays:
    inputs, bins = codes_and_factors(draw), draw.whole(7, 9)
    draw.sizes["bins"] = bins
    return observe(module.mutual_information, inputs, bins=bins)


@probe("beta-7", "mutual_information")
def mutual_information_gap(module: ModuleType, draw: Draw) -> Arrays:
    seen = {}
    for i in range(3):
        found = observe(module.mutual_information_gap, codes_and_factors(draw), bins=draw.whole(7, 9))
        seen |= {f"{name} ({i + 1})": value for name, value in found.items()}
    return seen
