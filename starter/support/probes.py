"""What each task must do, as arrays. A probe decides nothing: comparing is somebody else's work.

A probe gets the module under test and a `Draw`, calls one blank on fresh random inputs, and returns named arrays:
values, gradients, which inputs were left as they were. Sizes differ from each other and change with the seed.
"""

import contextlib
import itertools
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from . import standins
from .compare import KEPT, Arrays
from .nets import Conv
from .standins import Tables, UnknownCall

PROBES: dict[str, Callable] = {}
NEIGHBOURS: dict[str, tuple[str, ...]] = {}  # other blanks of the module that a task may call


def probe(task: str, *neighbours: str):
    def register(function):
        PROBES[task], NEIGHBOURS[task] = function, neighbours
        return function

    return register


class Draw:
    """The random inputs of one probe. `sizes` remembers what its dimensions are called, for the messages."""

    def __init__(self, task: str, seed: int) -> None:
        self.rng = np.random.default_rng([seed, *task.encode()])
        self.sizes: dict[str, int] = {}

    def dims(self, *names: str, low: int = 2, high: int = 7) -> list[int]:
        """One size per name, all different; a batch `B` has at least 3 examples."""
        while True:
            sizes = self.rng.choice(np.arange(low, high + 1), len(names), replace=False).tolist()
            if dict(zip(names, sizes)).get("B", 3) >= 3:
                self.sizes |= dict(zip(names, sizes))
                return sizes

    def batch(self) -> list[int]:
        """B, C, H, W, all different, and small: an image of 24 numbers shows every mistake that a large one does."""
        sizes = self.dims("C", "H", "W", low=2, high=4)
        return [*self.dims("B", low=5, high=6), *sizes]

    def mixed(self, *shape: int, low: float = 0.3, high: float = 1.6) -> Tensor:
        """Both signs, and nothing near 0: half of the numbers in [low, high], the others in [-high, -low]."""
        size = int(np.prod(shape))
        signs = self.rng.permutation(np.where(np.arange(size) % 2, 1.0, -1.0))
        return tensor((signs * self.rng.uniform(low, high, size)).reshape(shape))

    def uniform(self, *shape: int, low: float = 0.1, high: float = 0.9) -> Tensor:
        """Pixels, say: strictly inside (0, 1)."""
        return tensor(self.rng.uniform(low, high, shape))

    def number(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def linear(self, n_in: int, n_out: int) -> nn.Linear:
        """A network with weights of our own: a stand-in for whatever a learner trains."""
        layer = nn.Linear(n_in, n_out)
        layer.weight.data, layer.bias.data = self.mixed(n_out, n_in) / n_in**0.5, self.mixed(n_out)
        return layer


def tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def record(task: str, reference: ModuleType, candidates: list[ModuleType], seed: int) -> Tables:
    """The tables that stand in for a task's neighbours on one seed.

    They hold the reference's values for the calls that the reference and the candidates make: a mistake in how a
    neighbour is called is then seen in the numbers, and named, instead of ending in an unknown call.
    """
    tables = {name: {} for name in NEIGHBOURS[task]}
    functions = {name: standins.recorder(getattr(reference, name), table) for name, table in tables.items()}
    for module in [reference, *candidates] if tables else []:
        with contextlib.suppress(Exception), standins.swapped(module, functions):
            PROBES[task](module, Draw(task, seed))
    return tables


def arrays(task: str, module: ModuleType, seed: int, tables: Tables) -> Arrays:
    """What the module's answer to a task does on the inputs of a seed."""
    functions = {name: standins.replay(name, table) for name, table in tables.items()}
    with standins.swapped(module, functions):
        return PROBES[task](module, Draw(task, seed))


def raised(mistake: BaseException) -> Arrays:
    """What a probe of an answer that raises amounts to: enough to recognise the mistake."""
    kind = type(mistake).__name__
    return {"raises": np.array((f"{kind}: {mistake}" if isinstance(mistake, UnknownCall) else kind)[:80])}


def sizes(task: str, module: ModuleType, seed: int) -> dict[str, int]:
    """What the dimensions of the inputs are called and how long they are."""
    draw = Draw(task, seed)
    PROBES[task](module, draw)
    return draw.sizes


def observe(function: Callable, inputs: dict[str, Tensor], gradients: tuple[str, ...] = (), **constants) -> Arrays:
    """Call once; return every output, the gradient at each named input, and which inputs were not touched."""
    leaves = {name: value.clone().requires_grad_(name in gradients) for name, value in inputs.items()}
    given = {name: leaf.clone() for name, leaf in leaves.items()}  # not leaves: in-place work is seen, not refused
    terms = named(function(**given, **constants))
    seen = {name: array(term) for name, term in terms.items()}
    seen[KEPT] = np.array([torch.equal(given[name], inputs[name]) for name in inputs])
    return seen | gradients_of(terms, {name: leaves[name] for name in gradients})


def gradients_of(terms: dict, leaves: dict[str, Tensor]) -> Arrays:
    """Gradients of all outputs together, each number of them with a weight of its own, so that none cancel."""
    live = [term for term in terms.values() if isinstance(term, Tensor) and term.requires_grad]
    if not live or not leaves:
        return {}
    total = sum((1 + 0.4 * i) * (term * ramp(term)).sum() for i, term in enumerate(live))
    found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    return {f"gradient at {name}": array(g) for name, g in zip(leaves, found, strict=True) if g is not None}


def ramp(term: Tensor) -> Tensor:
    return torch.linspace(0.6, 1.4, term.numel(), dtype=term.dtype).reshape(term.shape)


def named(result) -> dict:
    if isinstance(result, tuple):
        return result._asdict() if hasattr(result, "_asdict") else {f"item {i}": t for i, t in enumerate(result)}
    return {"result": result}


def array(term) -> np.ndarray:
    """A copy of a tensor's numbers; of anything else only what it is."""
    if isinstance(term, Tensor) and term.dtype in (torch.float32, torch.float64, torch.int64, torch.bool):
        return term.detach().numpy().copy()
    if isinstance(term, Tensor):
        return np.array(f"a tensor of {term.dtype}")
    return np.array("None" if term is None else f"a {type(term).__name__}"[:40])


def whole_numbers(rows) -> np.ndarray:
    """A list of rows of whole numbers as an array; of anything else only what it is."""
    try:
        found = np.array([[*itertools.chain.from_iterable(np.atleast_1d(item) for item in row)] for row in rows])
    except (TypeError, ValueError):
        return array(rows)
    return found.astype(np.int64) if found.dtype.kind in "iu" else np.array(f"rows of {found.dtype}")


# Lab 1


def drawn_plan(draw: Draw) -> tuple[Conv, ...]:
    """Three convolutions that halve an image, none like another."""
    channels = draw.rng.choice(np.arange(2, 9), 4, replace=False).tolist()
    kinds = draw.rng.permutation([(3, 2, 1), (4, 2, 0), (5, 2, 2)]).tolist()  # kernel_size, stride, padding
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
    seen = {}
    for kind in ("bce", "mse"):
        found = observe(lambda x, eps, kind=kind: module.denoising_loss(network, x, eps, sigma, kind), inputs)
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
        result = module.denoising_loss(network, inputs["x"].clone(), inputs["eps"].clone(), sigma, kind)
        seen |= gradients_of({"result": result}, {f"the network's weight ({kind})": network.weight})
    return seen


# Lab 2


@probe("vae-1")
def reparameterize(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim")
    inputs = {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var", "eps")}
    return observe(module.reparameterize, inputs, ("mu", "log_var"))


@probe("vae-2")
def kl_divergence(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim")
    inputs = {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var")}
    return observe(module.kl_divergence, inputs, ("mu", "log_var"))


@probe("vae-3")
def bernoulli_nll(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    far = inputs | {"logits": 60 * inputs["logits"].sign()}  # sigmoid of it is 0 or 1 in float32
    seen = observe(module.bernoulli_nll, inputs, ("logits",))
    return seen | {"result of logits +-60": observe(module.bernoulli_nll, far)["result"]}


@probe("vae-4")
def gaussian_nll(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"x_hat": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs["log_sigma"] = tensor(np.array(draw.number(0.2, 0.5)))
    return observe(module.gaussian_nll, inputs, ("x_hat", "log_sigma"))


@probe("vae-5", "bernoulli_nll", "gaussian_nll", "kl_divergence")
def elbo(module: ModuleType, draw: Draw) -> Arrays:
    (b, c, h, w), (latent_dim,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs |= {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var")}
    beta, log_sigma = draw.number(2, 3), {"log_sigma": tensor(np.array(draw.number(0.2, 0.5)))}
    seen = observe(module.elbo, inputs, ("logits", "mu", "log_var"), beta=beta)
    gaussian = observe(module.elbo, inputs | log_sigma, ("logits", "log_sigma"), beta=beta)
    plain = observe(module.elbo, inputs)
    return (
        seen
        | {f"{name} (Gaussian)": value for name, value in gaussian.items()}
        | {"loss (beta not given)": plain.get("loss", np.array("missing"))}
    )


@probe("vae-6")
def importance_weighted_bound(module: ModuleType, draw: Draw) -> Arrays:
    k, b = draw.dims("K", "B", low=3)
    inputs = {name: draw.mixed(k, b) for name in ("log_p_x_given_z", "log_p_z", "log_q_z")}
    seen = observe(module.importance_weighted_bound, inputs, tuple(inputs))
    inputs["log_p_x_given_z"] -= 400  # an image of a few hundred pixels: exp() of it is 0 in float32
    far = observe(module.importance_weighted_bound, inputs)["result"]
    return seen | {"result + 400 when log p is near -400": far + 400 if far.dtype.kind == "f" else far}


@probe("vae-7")
def sample_prior(module: ModuleType, draw: Draw) -> Arrays:
    (n, c, h, w), (latent_dim,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    decoder = nn.Sequential(draw.linear(latent_dim, c * h * w), nn.Unflatten(1, (c, h, w)))
    inputs = {"eps": draw.mixed(n, latent_dim)}
    temperature = draw.number(0.3, 0.5)
    seen = observe(lambda eps: module.sample_prior(decoder, eps, temperature), inputs)
    plain = observe(lambda eps: module.sample_prior(decoder, eps), inputs)
    return seen | {"result (temperature not given)": plain["result"]}
