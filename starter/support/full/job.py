"""What a run is asked for, and what it is made of."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..training import History, Stream, Update


class JobError(ValueError):
    """A run that cannot start or go on; one line says what to do."""


@dataclass(frozen=True)
class Job:
    """What the command line says. None: as the recipe has it."""

    recipe: str
    data: str
    out: Path
    impl: str = "starter"
    epochs: int | None = None
    steps: int | None = None
    seconds: float = math.inf  # of training, in all: a budget, not a promise of equal results
    batch_size: int | None = None
    seed: int = 0
    device: str = "auto"
    amp: bool = False  # bfloat16 where autocast thinks that it is safe; CUDA only
    clip: float = math.inf  # norm of the gradient, at most
    patience: int | None = None  # epochs without a better validation loss before the run ends
    pictures: int = 10  # epochs from one set of pictures to the next
    fid_every: int = 1000  # steps
    save_every: int = 1000  # steps
    measure: int | None = None  # images of validation and of the test, at most
    resume: bool = False
    tensorboard: bool = True


class Parts(NamedTuple):
    """What a run is made of, and a checkpoint holds."""

    model: nn.Module
    optimizers: dict[str, torch.optim.Optimizer]
    update: Update
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None
    stream: Stream
    history: History
