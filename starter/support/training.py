"""One training loop for every lab: in-memory batches, a progress bar, a history of every named loss term."""

import itertools
import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import runs
from .data import Images, batches

SEED = int(os.environ.get("SEED", 0))  # of notebooks; another one shows how much a result depends on luck
KEEP_EVERY = 20  # steps between the copies of a model that `fit` can go back to


class TrainingError(RuntimeError):
    """Training met a number it cannot go on with; one line says which."""


@dataclass
class History:
    """Every named loss term at every step, as plain floats, and what was measured now and then on the way."""

    terms: dict[str, list[float]] = field(default_factory=dict)
    watched: dict[int, dict[str, float]] = field(default_factory=dict)  # step -> scores; see `play`
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        return len(next(iter(self.terms.values()), []))

    @property
    def first(self) -> str:
        """Name of the first term."""
        return next(iter(self.terms))

    def append(self, terms: NamedTuple) -> None:
        for name, value in terms._asdict().items():
            self.terms.setdefault(name, []).append(value.item())

    def last(self, name: str = "loss", count: int = 20) -> float:
        """Mean of the last `count` values of one term: single batches are noisy."""
        values = self.terms[name][-count:]
        return sum(values) / len(values)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of one score of `watch`."""
        return list(self.watched), [scores[name] for scores in self.watched.values()]


def fit(
    model: nn.Module,
    images: Images,
    *,
    epochs: int = 10,
    steps: int | None = None,
    batch_size: int = 128,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    seed: int = SEED,
    terms: Callable[[Tensor], NamedTuple] | None = None,
    beta: Callable[[int], float] | None = None,
    device: str | None = None,
    run: str | None = None,
) -> History:
    """Minimise the `loss` of `model.terms(x)` with Adam, and return the history of every term.

    Args:
        model: has `terms(x) -> NamedTuple` with a scalar `loss`.
        images: the training set, kept in memory as uint8.
        epochs: passes over it.
        steps: updates, in place of `epochs`: then a large data set takes no longer than a small one. The environment
            variable MAX_STEPS, when set, caps either: tools that run a whole notebook do not want to train.
        batch_size, lr, weight_decay: as in every paper.
        seed: of the batches' order and of the noise that `terms` draws.
        terms: another function of a batch, in place of `model.terms`.
        beta: step -> weight of the KL: `model.beta` is set to beta(0) before the first batch, and so on.
        device: where to train; a GPU when there is one.
        run: a name: the run is written down under it, for the comparison of the last lab (see runs.py).

    Raises:
        TrainingError: a term is nan or infinite; says which, and at which step. The model then has its last good
            weights: those of at most KEEP_EVERY steps ago, when every term was finite.
    """
    device = device or best_device()
    optimizer = torch.optim.Adam(model.to(device).parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    terms, step = terms or model.terms, itertools.count()

    def update(x: Tensor, y: Tensor) -> NamedTuple:
        if beta:
            model.beta = beta(next(step))
        losses = terms(x)
        optimizer.zero_grad()
        losses.loss.backward()
        optimizer.step()
        return losses

    history = repeated(update, model, images, epochs, steps, batch_size, seed, device)
    if run:
        runs.write(run, model, images, history, seed=seed, batch_size=batch_size, lr=lr, device=device)
    return history


def play(
    gan: nn.Module,
    images: Images,
    *,
    epochs: int = 10,
    steps: int | None = None,
    batch_size: int = 64,
    seed: int = SEED,
    device: str | None = None,
    watch: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int = 100,
    run: str | None = None,
) -> History:
    """Train a game of two networks, which has steps and optimisers of its own: `gan.update(x, y)` gets every batch.

    Args:
        gan: has `update(x, y) -> NamedTuple` of scalars, for images x in [0, 1] and their labels y.
        watch: gan -> scores by name, measured in evaluation mode before the first step, after every `every` steps and
            after the last; kept in `history.watched`. Noise that it draws does not change the training.
        epochs, steps, batch_size, seed, device, run: as in `fit`.

    Raises:
        TrainingError: as in `fit`.
    """
    device = device or best_device()
    history = repeated(gan.update, gan, images, epochs, steps, batch_size, seed, device, watch, every)
    if run:
        runs.write(run, gan, images, history, seed=seed, batch_size=batch_size, device=device)
    return history


def best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def repeated(
    update: Callable[[Tensor, Tensor], NamedTuple],
    model: nn.Module,
    images: Images,
    epochs: int,
    steps: int | None,
    batch_size: int,
    seed: int,
    device: str,
    watch: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int = 100,
) -> History:
    """One update for every batch, until the budget is spent; what `fit` and `play` share."""
    home = next(model.parameters()).device
    history, order = History(), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    steps = epochs * math.ceil(len(images) / batch_size) if steps is None else steps
    steps = min(steps, int(os.environ.get("MAX_STEPS", sys.maxsize)))
    good = kept = Checkpoint(model.to(device).train())
    started = time.perf_counter()
    with progress(steps) as bar:
        for x, y in endless(images, batch_size, order, device):
            if watch and (history.steps % every == 0 or history.steps == steps):
                history.watched[history.steps] = watched(model, watch)
            if history.steps == steps:
                break
            if history.steps % KEEP_EVERY == 0:
                kept = Checkpoint(model, history.steps + 1)
            history.append(update(x, y))
            if nonsense := nonsense_in(history):
                good.restore(model.to(home).eval())
                raise TrainingError(f"{nonsense}; {good}; a smaller learning rate is worth a try")
            good = kept
            bar.set_postfix_str(f"{history.first} {history.terms[history.first][-1]:.4g}", refresh=False)
            bar.update()
    history.seconds = time.perf_counter() - started
    model.to(home).eval()  # pictures and measures are made where the model came from
    return history


def endless(images: Images, batch_size: int, order: torch.Generator, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from batches(images, batch_size, order, device)


@torch.no_grad()
def watched(model: nn.Module, watch: Callable[[nn.Module], dict[str, float]]) -> dict[str, float]:
    with torch.random.fork_rng():
        scores = watch(model.eval())
    model.train()
    return scores


class Checkpoint:
    """A model's weights and buffers in memory, as they were before a step."""

    def __init__(self, model: nn.Module, step: int = 1) -> None:
        self.step, self.state = step, {name: value.detach().clone() for name, value in model.state_dict().items()}

    def restore(self, model: nn.Module) -> None:
        model.load_state_dict(self.state)

    def __str__(self) -> str:
        return f"the model is back at step {self.step}, its last good checkpoint"


def nonsense_in(history: History) -> str | None:
    """Which term of the last step is nan or infinite; the loss is named only when all its parts are finite."""
    last = {name: values[-1] for name, values in history.terms.items()}
    bad = [name for name, value in last.items() if not math.isfinite(value)]
    name = next((name for name in bad if name != "loss"), "loss")
    return f"step {history.steps}: {name} is {last[name]}" if bad else None


def progress(total: int):
    """A bar that vanishes when done; the environment variable TQDM_DISABLE=1 turns all bars off.

    On stdout: what a cell writes to stderr looks like an error.
    """
    from tqdm import tqdm

    return tqdm(total=total, file=sys.stdout, leave=False, ncols=80, mininterval=0.5, unit="step")


def within(name: str, value: float) -> None:
    """Print whether a result lies in its band (support/bands.toml): a line that is the same on every machine.

    The number itself belongs into a picture. With the environment variable BANDS_LOG, the number is also appended
    to that file: this is how the bands were measured.
    """
    low, high = band(name)
    print(f"{name} within [{low:g}, {high:g}]: {'yes' if low <= value <= high else f'no, {value:.4g}'}")
    if log := os.environ.get("BANDS_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "value": value}) + "\n")


def band(name: str) -> tuple[float, float]:
    """Lowest and highest value that a result may have on this data set."""
    bands = tomllib.loads(Path(__file__).with_name("bands.toml").read_text(encoding="utf-8"))
    return tuple(bands.get(os.environ.get("DATA", "digits16"), {}).get(name, (-math.inf, math.inf)))
