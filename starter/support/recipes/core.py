"""What a named system is, and what it is trained with."""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

from ..models import Model
from ..nets import Shape

Lab = Callable[[str], ModuleType]  # name of a lab module -> the module
Weights = Callable[[int], float]  # step -> weight of the KL

SQUARED = "squared error on [-1, 1]"  # a test score: summed over the pixels of an image
SSIM_LOSS = "1 - SSIM"


@dataclass(frozen=True)
class Recipe:
    """One system: `build` gets the lab modules by name and returns the model."""

    source: str  # report and section; "ours: ..." for a system of the course
    data: tuple[str, ...]  # data sets it was reported on
    shape: Shape  # C, H, W of its images
    build: Callable[[Lab], Model]
    reported: str  # what the report says, and nothing else
    choices: tuple[str, ...] = ()  # what the report leaves open or contradicts, and what we took
    epochs: int | Mapping[str, int] | None = None  # passes over the data, on each data set where they differ; or
    steps: int | None = None  # updates
    batch_size: int = 128
    lr: float | None = 1e-3  # None: a game, whose networks bring their optimisers along
    weight_decay: float = 0.0
    schedule: str = "constant"  # of beta, a name of beta_vae.SCHEDULES or of SCHEDULES below
    # a tenth of the learning rate when "loss" (the KL at weight 1) or "weighted" (as the schedule has it) stops falling
    plateau: str | None = None
    targets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # data -> score -> reported value
    held_out: int = 5000  # training images kept for validation; 0: every image is trained on
    scored: str = "last"  # or "best": the weights with the lowest validation loss are tested
    patience: int | None = None  # epochs in which the best validation loss fell by less than 0.1 %, then the end
    warmup: int = 0  # epochs, of a rising weight, that count for neither patience nor plateau
    columns: int | None = None  # of a square grid of samples; None: 10, and a row for each class where there are some
    pictures: tuple[int, ...] = ()  # epochs whose pictures the report shows
    unstable: bool = False  # as its report says: a run that ends in what is not finite is whole, too
    hours: float = 0.0  # of one CPU thread in float32, on the first data set, estimated

    @property
    def ours(self) -> bool:
        return self.source.startswith("ours")

    def epochs_on(self, data: str) -> int | None:
        """Passes over this data set; over one that the report does not name, those over its first."""
        if not isinstance(self.epochs, Mapping):
            return self.epochs
        return self.epochs.get(data, self.epochs[self.data[0]])


game = partial(Recipe, lr=None, held_out=0)  # for training.play; all others are for training.fit


def rising_line(lab: Lab, beta: float, epoch: int) -> Weights:
    """From 0 at the first step to the whole weight after 20 epochs of so many steps."""
    return lambda step: lab("beta_vae").linear_warmup(step, 20 * epoch, beta)


def falling_cosine(lab: Lab, beta: float, epoch: int, warmup: int = 10, cycle: int = 100) -> Weights:
    """A line for 10 epochs, then cycles of 100 in which the weight falls from beta to 0; constant within an epoch.

    beta * e / 10 for e < 10, then beta * (0.5 + 0.5 cos(pi * progress)), progress = ((e - 10) mod 100) / 100
    """

    def weight(step: int) -> float:
        done = step // epoch
        if done < warmup:
            return beta * done / warmup
        return beta * (0.5 + 0.5 * math.cos(math.pi * ((done - warmup) % cycle) / cycle))

    return weight


def rising_cosine(lab: Lab, beta: float, epoch: int, warmup: int = 10, cycle: int = 100) -> Weights:
    """The same line, then cycles of 100 epochs in which the weight rises from 0 to beta along lab 3's cosine."""

    def weight(step: int) -> float:
        if step < warmup * epoch:
            return lab("beta_vae").linear_warmup(step, warmup * epoch, beta)
        return lab("beta_vae").cyclical(step - warmup * epoch, cycle * epoch, 1.0, beta, "cosine")

    return weight


SCHEDULES = {  # of recipes only; those of lab 3 are beta_vae.SCHEDULES
    "linear-20-epochs": rising_line,
    "warm-up-then-falling-cosine": falling_cosine,
    "warm-up-then-rising-cosine": rising_cosine,
}


def lab_module(package: str, name: str) -> ModuleType:
    return importlib.import_module(f"{package}.{name}")
