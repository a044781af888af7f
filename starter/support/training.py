"""One training loop for every lab: in-memory batches, a progress bar, a history of every named loss term."""

import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .data import Images, batches

SEED = int(os.environ.get("SEED", 0))  # of notebooks; another one shows how much a result depends on luck


class TrainingError(RuntimeError):
    """Training met a number it cannot go on with; one line says which."""


@dataclass
class History:
    """Every named loss term at every step, as plain floats."""

    terms: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        return len(next(iter(self.terms.values()), []))

    def append(self, terms: NamedTuple) -> None:
        for name, value in terms._asdict().items():
            self.terms.setdefault(name, []).append(value.item())

    def last(self, name: str = "loss", count: int = 20) -> float:
        """Mean of the last `count` values of one term: single batches are noisy."""
        values = self.terms[name][-count:]
        return sum(values) / len(values)


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
    device: str | None = None,
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
        device: where to train; a GPU when there is one.

    Raises:
        TrainingError: a term is nan or infinite; says at which step.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    home = next(model.parameters()).device
    model.to(device).train()
    terms, history = terms or model.terms, History()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    order = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    steps = epochs * math.ceil(len(images) / batch_size) if steps is None else steps
    steps = min(steps, int(os.environ.get("MAX_STEPS", sys.maxsize)))
    started = time.perf_counter()
    with progress(steps) as bar:
        while history.steps < steps:
            for x, _ in batches(images, batch_size, order, device):
                losses = terms(x)
                optimizer.zero_grad()
                losses.loss.backward()
                optimizer.step()
                history.append(losses)
                stop_at_nonsense(history)
                bar.set_postfix_str(f"loss {history.terms['loss'][-1]:.4g}", refresh=False)
                bar.update()
                if history.steps == steps:
                    break
    history.seconds = time.perf_counter() - started
    model.to(home).eval()  # pictures and measures are made where the model came from
    return history


def stop_at_nonsense(history: History) -> None:
    for name, values in history.terms.items():
        if not math.isfinite(values[-1]):
            raise TrainingError(f"step {history.steps}: {name} is {values[-1]}; a smaller learning rate is worth a try")


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
