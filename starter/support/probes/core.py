"""What probes are made of: seeded inputs, one observed call, and stand-ins for neighbouring blanks."""

import contextlib
import itertools
import math
import random
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .. import standins
from ..compare import KEPT, SETTING, Arrays
from ..standins import Tables


class Class(NamedTuple):
    """A class of holes: answers that are right but for one corner, which no probe may leave out by mistake."""

    asks: str  # what a probe asks so that none passes
    of: str  # pattern of the signatures that it concerns, written as text


SETS = r"^\((features|codes|mu: Tensor, threshold|real: Tensor, fake: Tensor(, k|\)))"
CLASSES = {  # a word in the names of the arrays that ask -> the class; `probe` may switch one off, with a reason
    "one example": Class(
        "A batch of one keeps its dimension, as do an image of one channel and a table of one column.", r"Tensor.*->"
    ),
    "extreme": Class(
        "Both ends of a range: what a clamp cuts off, what a naive formula overflows with.", r"Tensor.*->"
    ),
    "is 0": Class(
        "Zero is a number, no missing argument; what it switches off is still reported.", r"(float|Tensor \| None) ="
    ),
    "evaluation": Class("Training and evaluation mode: each is asked, and left as it was found.", r"Module|Flow\b"),
    "as found": Class("What can learn can do so afterwards; in place means the same tensors.", r"Module"),
    "second step": Class("An optimiser with a memory makes two steps: a fresh one in each is seen.", r"Optimizer"),
    "alike": Class("Equal rows, a constant column, a value that never occurs.", SETS),
    "unequal": Class(
        "Two batches of different sizes.", r"real_logits: Tensor, fake_logits|^\(real: Tensor, fake: Tensor(, k|\))"
    ),
    "stride 1": Class("Convolutions of stride 1 and padding 0 beside the usual ones.", r"plan: |layer: Layer"),
    "points": Class(
        "Points (B, D) beside images, where the text says (B, …).", r"mask: |^\(real: Tensor, fake: Tensor, eps"
    ),
}
Probe = Callable[[ModuleType, "Draw"], Arrays]
PROBES: dict[str, Probe] = {}
NEIGHBOURS: dict[str, tuple[str, ...]] = {}  # other blanks of the module that a task may call
SPARED: dict[str, dict[str, str]] = {}  # task -> class that its probe does not ask -> why
PUBLIC_SEED, AUTOTEST_SEED = 0, 7  # of check(), and of nbgrader's AUTOTEST lines; official grades use a secret one
TERMS, NUMBERS = 16, 10_000  # at most: results of an answer, and numbers of one; right ones have some hundred


class TooLarge(Exception):
    """A result with more numbers than are worth a look. Nothing more is asked: each result may fill the memory."""


def probe(task: str, *neighbours: str, spared: dict[str, str] | None = None) -> Callable[[Probe], Probe]:
    """Register a task's probe.

    Args:
        neighbours: other blanks of the module that a task may call.
        spared: class of holes that the probe does not ask -> why.
    """

    def register(function: Probe) -> Probe:
        PROBES[task], NEIGHBOURS[task], SPARED[task] = function, neighbours, spared or {}
        return function

    return register


class Linear(nn.Linear):
    """With given weights: to draw random ones first would take longer than the layer's work."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)


@lru_cache(maxsize=64)
def origin(task: str, seed: int) -> np.random.SeedSequence:
    """One for all answers that are asked the same: it takes longer to make than some of them to run."""
    return np.random.SeedSequence([seed, *task.encode()])


@lru_cache(maxsize=1024)
def sizes_of(task: str, seed: int, call: int, names: tuple[str, ...], low: int, high: int) -> tuple[int, ...]:
    """The sizes of a probe's n-th call: one per name, all different; a batch `B` has at least 3 examples.

    Those of AUTOTEST lines are others than those of check(), wherever the range has room: what both seeds say of an
    answer is then no coincidence of one size, as 2 / latent_dim is 1/2 for four latents.
    """
    rng, span = np.random.default_rng(origin(f"{task}, sizes {call}", seed)), np.arange(low, high + 1)

    def drawn() -> tuple[int, ...]:
        while True:
            sizes = tuple(rng.choice(span, len(names), replace=False).tolist())
            if dict(zip(names, sizes)).get("B", 3) >= 3:
                return sizes

    if seed != AUTOTEST_SEED:
        return drawn()
    public = sizes_of(task, PUBLIC_SEED, call, names, low, high)
    return min((drawn() for _ in range(100)), key=lambda sizes: sum(a == b for a, b in zip(sizes, public)))


class Draw:
    """The random inputs of one probe. `sizes` remembers what its dimensions are called, for the messages."""

    def __init__(self, task: str, seed: int) -> None:
        self.rng, self.task, self.seed, self.calls = np.random.default_rng(origin(task, seed)), task, seed, 0
        self.sizes: dict[str, int] = {}

    def dims(self, *names: str, low: int = 2, high: int = 7) -> list[int]:
        """Sizes by name, see `sizes_of`."""
        sizes = sizes_of(self.task, self.seed, self.calls, names, low, high)
        self.calls += 1
        self.sizes |= dict(zip(names, sizes))
        return [*sizes]

    def batch(self) -> list[int]:
        """B, C, H, W, all different, and small: an image of 24 numbers shows every mistake that a large one does."""
        sizes = self.dims("C", "H", "W", low=2, high=4)
        return [*self.dims("B", low=5, high=6), *sizes]

    def mixed(self, *shape: int, low: float = 0.3, high: float = 1.6) -> Tensor:
        """Both signs, and nothing near 0: half of the numbers in [low, high], the others in [-high, -low]."""
        size = math.prod(shape)
        signs = self.rng.permutation(2.0 * (np.arange(size) % 2) - 1)
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
        return Linear(self.mixed(n_out, n_in) / n_in**0.5, self.mixed(n_out))


@contextlib.contextmanager
def at_home() -> Iterator[None]:
    """float32 on the CPU with gradients, whatever the caller has made the default: the same question everywhere.

    Without oneDNN, whose convolutions take four times as long where images have some twenty pixels.
    """
    dtype, elsewhere = torch.get_default_dtype(), torch.get_default_device().type != "cpu"
    one_dnn = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # a property of torch's
    torch.set_default_dtype(torch.float32)
    try:
        with torch.enable_grad(), torch.device("cpu") if elsewhere else contextlib.nullcontext():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.backends.mkldnn.enabled = one_dnn


Setting = tuple[Callable[[], Any], Callable[..., object]]  # how to read it, and to put it back


def flag(owner: Any, name: str) -> Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def is_general(entry: tuple) -> bool:
    """Is a filter of warnings about all of them? Libraries add some about their own when they are imported."""
    _, message, category, module, _ = entry
    return message is None and category is Warning and module is None


SETTINGS: dict[str, Setting] = {  # of all that runs in this process; seeds go back with their streams
    "the seed of torch's random numbers": (torch.initial_seed, lambda _: None),
    "the seed of NumPy's random numbers": (lambda: np.random.get_state()[1].tobytes(), lambda _: None),  # type: ignore[index]
    "the seed of Python's random numbers": (lambda: random.getstate()[1][:-1], lambda _: None),
    "which warnings are shown": (lambda: [f for f in warnings.filters if is_general(f)], lambda _: None),
    "the default type of new tensors": (torch.get_default_dtype, torch.set_default_dtype),
    "whether gradients are recorded": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "whether torch is deterministic": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "whether cuDNN is deterministic": flag(torch.backends.cudnn, "deterministic"),
    "whether cuDNN tries what is fastest": flag(torch.backends.cudnn, "benchmark"),
    "whether torch looks for anomalies": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
}


@contextlib.contextmanager
def settings() -> Iterator[Arrays]:
    """Yields a dict that in the end names the settings which were changed; all are then as they were.

    Random numbers begin at a seed of their own: to draw some changes no setting, and the caller's go on undisturbed.
    """
    streams, changed = (torch.get_rng_state(), np.random.get_state(), random.getstate()), Arrays()
    torch.default_generator.seed()
    for begin, one in ((np.random.seed, np.random.random), (random.seed, random.random)):
        begin(), one()  # a first number makes the state that the next hundreds come from
    with warnings.catch_warnings():
        before = {name: value() for name, (value, _) in SETTINGS.items()}
        try:
            yield changed
        finally:
            for name, (value, put_back) in SETTINGS.items():
                if value() != before[name]:
                    changed[f"{SETTING}{name}"] = np.array(True)
                    put_back(before[name])
            torch.set_rng_state(streams[0])
            np.random.set_state(streams[1])
            random.setstate(streams[2])


def tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))


def record(task: str, reference: ModuleType, candidates: list[ModuleType], seed: int) -> Tables:
    """The tables that stand in for a task's neighbours on one seed.

    They hold the reference's values for the calls that the reference and the candidates make: a mistake in how a
    neighbour is called is then seen in the numbers, and named, instead of ending in an unknown call.
    """
    tables: Tables = {name: {} for name in NEIGHBOURS[task]}
    functions = {name: standins.recorder(getattr(reference, name), table) for name, table in tables.items()}
    for module in [reference, *candidates] if tables else []:
        with contextlib.suppress(Exception), at_home(), standins.swapped(module, functions):
            PROBES[task](module, Draw(task, seed))
    return tables


def arrays(task: str, module: ModuleType, seed: int, tables: Tables) -> Arrays:
    """What the module's answer to a task does on the inputs of a seed."""
    functions = {name: standins.replay(name, table) for name, table in tables.items()}
    with at_home(), standins.swapped(module, functions), settings() as changed:
        found = PROBES[task](module, Draw(task, seed))
    return found | changed


def words_of(mistake: BaseException) -> str:
    """On one line; none of an exception that cannot say what it is; of an allocator what it was asked for."""
    with contextlib.suppress(Exception):
        words = " ".join(str(mistake).split())
        asked = re.search(r"tried to allocate (\d+) bytes", words)
        return f"{int(asked[1]) / 1e9:.3g} GB of memory are asked for, and not there" if asked else words
    return ""


def raised(mistake: BaseException) -> Arrays:
    """What a probe of an answer that raises amounts to: enough to recognise the mistake, whatever sizes it meets."""
    words = re.sub(r"0x\w+|\d+", "#", words_of(mistake))
    return {"raises": np.array(f"{type(mistake).__name__}: {words}"[:80])}


def sizes(task: str, module: ModuleType, seed: int) -> dict[str, int]:
    """What the dimensions of the inputs are called and how long they are."""
    draw = Draw(task, seed)
    with at_home():
        PROBES[task](module, draw)
    return draw.sizes


def observe(
    function: Callable, inputs: dict[str, Tensor], gradients: tuple[str, ...] = (), **constants: object
) -> Arrays:
    """Call once; return every output, the gradient at each named input, and which inputs (and graphs) were kept."""
    leaves = {name: value.clone().requires_grad_(name in gradients) for name, value in inputs.items()}
    given = {name: leaf.clone() for name, leaf in leaves.items()}  # not leaves: in-place work is seen, not refused
    terms = named(function(**given, **constants))
    seen = {name: array(term) for name, term in terms.items()}
    alike = (torch.equal(given[n], inputs[n]) and given[n].requires_grad == leaves[n].requires_grad for n in inputs)
    seen[KEPT] = np.array([*alike])
    return seen | gradients_of(terms, {name: leaves[name] for name in gradients})


def alone(found: Arrays) -> np.ndarray:
    """The only output of a call that was observed; nothing where there are several, which other arrays tell."""
    return found.get("result", np.zeros(0))


def case(name: str, found: Arrays) -> Arrays:
    """Arrays of one more question, each under its name; what the first one told about its inputs is told once."""
    return {f"{what} ({name})": array for what, array in found.items() if what != KEPT}


def first(inputs: dict[str, Tensor], *others: str) -> dict[str, Tensor]:
    """One example, of an image one channel, of a table one column. `others` have no batch, nor has a scalar."""
    return {n: a if n in others or not a.ndim else a[:1, :1] if a.ndim in (2, 4) else a[:1] for n, a in inputs.items()}


def scaled(found: Arrays, factor: float, name: str = "") -> Arrays:
    """Results, or the one of this name, as numbers of order 1, beside which nothing small is lost."""
    large = {n for n, a in found.items() if a.dtype.kind == "f" and name in (n, "")}
    return {n: (a * factor).astype(a.dtype) if n in large else a for n, a in found.items()}


def gradients_of(terms: dict, leaves: Mapping[str, Tensor]) -> Arrays:
    """Gradients of all outputs together, each number of them with a weight of its own, so that none cancel."""
    live = [term for term in terms.values() if isinstance(term, Tensor) and term.requires_grad and not oddity(term)]
    if not live or not leaves:
        return {}
    shares = [ramp(term.numel(), term.dtype, 1 + 0.4 * i).view(term.shape) for i, term in enumerate(live)]
    parts = [(term * share).sum() for term, share in zip(live, shares)]  # as grad_outputs they would load sympy
    total = sum(parts[1:], parts[0])
    found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, retain_graph=True)  # a cached result's
    return {f"gradient at {name}": array(g) for name, g in zip(leaves, found, strict=True) if g is not None}


def weights(net: nn.Module) -> Tensor:
    """All of a network's parameters in one row, a copy."""
    return torch.cat([weight.detach().reshape(-1) for weight in net.parameters()])


@lru_cache(maxsize=256)
def ramp(count: int, dtype: torch.dtype, height: float) -> Tensor:
    return torch.from_numpy(height * np.linspace(0.6, 1.4, count)).to(dtype)  # of numpy: the same in all surroundings


def named(result: object) -> dict:
    if isinstance(result, tuple) and len(result) <= TERMS:
        return result._asdict() if hasattr(result, "_asdict") else {f"item {i}": t for i, t in enumerate(result)}
    return {"result": result}


def array(term: object) -> np.ndarray:
    """A copy of a tensor's numbers; of anything else only what it is.

    Raises:
        TooLarge: it has more than NUMBERS.
    """
    words = oddity(term)
    if not words and isinstance(term, Tensor) and term.numel() > NUMBERS:
        raise TooLarge(f"a tensor of shape {tuple(term.shape)}")
    if words or not isinstance(term, Tensor):
        return np.array(words[:80])
    return term.detach().resolve_neg().numpy().copy()


def oddity(term: object) -> str:
    """What something is whose numbers cannot be compared. Empty for others."""
    if not isinstance(term, Tensor):
        return "None" if term is None else f"a {type(term).__name__}"[:40]
    if term.is_nested or term.layout != torch.strided:
        return f"a tensor of layout {'nested' if term.is_nested else term.layout}"
    if term.dtype not in (torch.float32, torch.float64, torch.int64, torch.bool):
        return f"a tensor of {term.dtype}"
    return f"a tensor on {term.device}" if term.device.type != "cpu" else ""


def nature(term: object) -> np.ndarray:
    """What something is, where another kind of thing is wanted than a tensor."""
    return np.array(oddity(term) or f"a tensor of shape {tuple(getattr(term, 'shape', ()))}")


def whole_numbers(rows: object) -> np.ndarray:
    """A list of rows of whole numbers as an array; of anything else only what it is: a generator is used up by a look.

    Raises:
        TooLarge: there are more than NUMBERS rows, or numbers in one.
    """
    if not isinstance(rows, list | tuple):
        return array(rows)
    if len(rows) > NUMBERS:
        raise TooLarge(f"a {type(rows).__name__} of {len(rows)} rows")
    try:
        found = np.array([numbers_of(row) for row in rows])
    except (TypeError, ValueError):
        return array(rows)
    return found.astype(np.int64) if found.dtype.kind in "iu" or not found.size else np.array(f"rows of {found.dtype}")


def numbers_of(row: Any) -> list:
    """Of a row, whose items may be pairs."""
    found = [*itertools.islice(itertools.chain.from_iterable(np.atleast_1d(item) for item in row), NUMBERS + 1)]
    if len(found) > NUMBERS:
        raise TooLarge(f"a list with a row of more than {NUMBERS} numbers")
    return found
