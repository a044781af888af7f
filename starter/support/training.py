"""One training loop for every lab: in-memory batches, a progress bar, a history of every named loss term."""

import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from . import runs
from .data import Images, batches, default
from .history import History
from .models import Model, Terms

if TYPE_CHECKING:
    from tqdm import tqdm

SEED = int(os.environ.get("SEED", 0))  # of notebooks; another one shows how much a result depends on luck
KEEP_EVERY = 20  # steps between the copies of a model that `fit` can go back to


class TrainingError(RuntimeError):
    """Training met a number it cannot go on with; one line says which."""


def fit(
    model: Model,
    images: Images,
    *,
    epochs: int = 10,
    steps: int | None = None,
    batch_size: int = 128,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    seed: int = SEED,
    terms: Callable[[Tensor], Terms] | None = None,
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
    history = History()
    update = descent(model, optimizer, history, terms, beta)
    repeated(
        update, model, images, history, budget_of(run, images, epochs, steps, batch_size), batch_size, seed, device
    )
    if run:
        runs.write(run, model, images, history, seed=seed, batch_size=batch_size, lr=lr, device=device)
    return history


Update = Callable[[Tensor, Tensor], NamedTuple]  # images and labels of a batch -> the terms of one step


def descent(
    model: Model,
    optimizer: torch.optim.Optimizer,
    history: History,
    terms: Callable[[Tensor], Terms] | None = None,
    beta: Callable[[int], float] | None = None,
    clip: float = math.inf,
) -> Update:
    """One step down the gradient of `model.terms(x).loss`; the history counts the steps, `clip` bounds the norm."""

    def update(x: Tensor, y: Tensor) -> NamedTuple:
        if beta:
            model.beta = beta(history.steps)
        losses = (terms or model.terms)(x)
        optimizer.zero_grad()
        losses.loss.backward()
        if clip < math.inf:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return losses

    return update


def play(
    gan: Model,
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
    history = History()
    total = budget_of(run, images, epochs, steps, batch_size)
    repeated(gan.update, gan, images, history, total, batch_size, seed, device, watch, every)
    if run:
        runs.write(run, gan, images, history, seed=seed, batch_size=batch_size, device=device)
    return history


def best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


class Budget(NamedTuple):
    """When training ends: after so many steps, or after so many seconds of the processor."""

    steps: int
    cpu_seconds: float = math.inf


def budget_of(run: str | None, images: Images, epochs: int, steps: int | None, batch_size: int) -> Budget:
    """What the caller asks for, unless the environment knows better: MAX_STEPS caps every training.

    One with a name gets RUN_CPU_SECONDS instead, if they are set: so that models can be compared at one price.
    """
    if run and "RUN_CPU_SECONDS" in os.environ:
        return Budget(sys.maxsize, float(os.environ["RUN_CPU_SECONDS"]))
    total = epochs * math.ceil(len(images) / batch_size) if steps is None else steps
    return Budget(min(total, int(os.environ.get("MAX_STEPS", sys.maxsize))))


def repeated(
    update: Update,
    model: nn.Module,
    images: Images,
    history: History,
    budget: Budget,
    batch_size: int,
    seed: int,
    device: str,
    watch: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int = 100,
) -> None:
    """One update for every batch, until the budget is spent; what `fit` and `play` share."""
    home = next(model.parameters()).device
    stream = Stream(images, batch_size, seed, device)
    torch.manual_seed(seed)
    model.to(device).train()
    if watch:
        history.watched[0] = watched(model, watch)
    spent = -time.process_time()
    try:
        for step in updates(update, model, stream, history, budget.steps):
            ends = step == budget.steps or spent + time.process_time() >= budget.cpu_seconds
            if watch and (step % every == 0 or ends):
                spent += time.process_time()
                history.watched[step] = watched(model, watch)
                spent -= time.process_time()
            if ends:
                break
    finally:
        model.to(home).eval()  # pictures and measures are made where the model came from


class Stream:
    """Shuffled batches without end. Its state says where it is: a run that was stopped goes on with the same batches.

    With `shard = (rank, world)`, this process gets every world-th image of batches that are world times as large.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        seed: int,
        device: str,
        drop_last: bool = False,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        self.images, self.size, self.device, self.drop_last = images, batch_size * shard[1], device, drop_last
        self.shard = slice(shard[0], None, shard[1])
        self.order, self.done = torch.Generator().manual_seed(seed), 0
        self.start = self.order.get_state()  # of this pass over the images, `done` batches of which were taken

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            self.start, taken = self.order.get_state(), self.done
            for i, (x, y) in enumerate(batches(self.images, self.size, self.order, self.device, self.drop_last)):
                if i >= taken:
                    self.done = i + 1
                    yield x[self.shard], y[self.shard]
            self.done = 0

    @property
    def steps_of_epoch(self) -> int:
        """Batches of one pass."""
        full, rest = divmod(len(self.images), self.size)
        return full if self.drop_last else full + (rest > 0)

    def state_dict(self) -> dict:
        return {"start": self.start, "done": self.done}

    def load_state_dict(self, state: dict) -> None:
        self.order.set_state(state["start"])
        self.start, self.done = state["start"], state["done"]


def updates(
    update: Update, model: nn.Module, stream: Stream, history: History, total: int, seconds: float = math.inf
) -> Iterator[int]:
    """One update for every batch until the history has `total` steps; yields the number of steps after each.

    The bar counts seconds where the caller means to end at so many; ending then is up to the caller.

    Raises:
        TrainingError: a term is nan or infinite; the model then has its last good weights.
    """
    good = kept = Checkpoint(model, history.steps + 1)
    started = time.perf_counter()
    with progress(total, history.steps) if seconds == math.inf else budget(seconds, history.seconds) as bar:
        for x, y in stream if history.steps < total else ():
            if history.steps % KEEP_EVERY == 0:
                kept = Checkpoint(model, history.steps + 1)
            history.append(update(x, y))
            if nonsense := nonsense_in(history):
                good.restore(model)
                raise TrainingError(f"{nonsense}; {good}; a smaller learning rate is worth a try")
            good = kept
            took = time.perf_counter() - started
            history.seconds += took
            bar.set_postfix_str(f"{history.first} {history.terms[history.first][-1]:.4g}", refresh=False)
            bar.update(1 if seconds == math.inf else took)
            yield history.steps
            if history.steps >= total:
                break
            started = time.perf_counter()  # what happens between two steps is no training


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


def progress(total: int, done: int = 0) -> "tqdm":
    """A bar that vanishes when done; the environment variable TQDM_DISABLE=1 turns all bars off.

    On stdout: what a cell writes to stderr looks like an error.
    """
    from tqdm import tqdm

    return tqdm(total=total, initial=done, file=sys.stdout, leave=False, ncols=80, mininterval=0.5, unit="step")


def budget(seconds: float, done: float = 0.0) -> "tqdm":
    """A bar over seconds of training."""
    from tqdm import tqdm

    shape = "{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s {postfix}"
    return tqdm(total=seconds, initial=done, file=sys.stdout, leave=False, ncols=80, mininterval=0.5, bar_format=shape)


def within(name: str, value: float) -> None:
    """Print whether a result lies in its band (support/bands.toml): a line that is the same on every machine.

    The number itself belongs into a picture. On a data set for which no bands were measured, nothing is printed. With
    the environment variable BANDS_LOG, the number is also appended to that file: this is how the bands were measured.
    """
    if bands():
        low, high = band(name)
        print(f"{name} within [{low:g}, {high:g}]: {'yes' if low <= value <= high else f'no, {value:.4g}'}")
    if log := os.environ.get("BANDS_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "value": value}) + "\n")


def band(name: str) -> tuple[float, float]:
    """Lowest and highest value that a result may have on this data set."""
    low, high = bands().get(name, (-math.inf, math.inf))
    return low, high


def bands() -> dict[str, list[float]]:
    """Of all results on this data set."""
    every = tomllib.loads(Path(__file__).with_name("bands.toml").read_text(encoding="utf-8"))
    return every.get(default(), {})
