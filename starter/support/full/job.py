"""What a run is asked for, and what it is made of."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from ..history import History
from ..models import Model
from ..training import Stream, Update


class JobError(ValueError):
    """A run that cannot start or go on; one line says what to do."""


@dataclass(frozen=True)
class Job:
    """What the command line says. None: as the recipe has it."""

    recipe: str
    data: str
    out: Path
    impl: str | None = None  # package of the lab modules; None: yours, or the reference's where yours are blank
    epochs: int | None = None
    steps: int | None = None
    seconds: float = math.inf  # of training, in all: a budget, not a promise of equal results
    batch_size: int | None = None
    lr: float | None = None  # of every network
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"  # of the networks in a step: one of precision.PRECISIONS
    clip: float = math.inf  # norm of the gradient, at most
    patience: int | None = None  # epochs in which the best validation loss fell by less than 0.1 %, then the end
    pictures: int | None = None  # epochs from one set of pictures to the next
    fid_every: int = 1000  # steps
    save_every: int = 1000  # steps; five minutes, where so many take longer
    print_every: int | None = None  # steps
    measure: int | None = None  # images of validation and of the test, at most
    resume: bool = False
    tensorboard: bool = True


class Parts(NamedTuple):
    """What a run is made of, and a checkpoint holds."""

    model: Model
    optimizers: dict[str, torch.optim.Optimizer]
    update: Update
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None
    stream: Stream
    history: History
