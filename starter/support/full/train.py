"""Train a named recipe in full size: python -m starter train --recipe vae-gelu --data mnist [--resume]

A run lives in one folder: `last.pt`, from which it goes on bit for bit; `best.pt`, the weights with the lowest
validation loss; `results.json`; pictures; TensorBoard's log. Everything is written whole or not at all.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from .. import data, recipes, training
from ..data import Images
from ..recipes import Recipe
from ..training import TrainingError
from .assemble import assembled
from .checkpoint import restored
from .job import Job, JobError, Parts
from .keeper import Keeper
from .parallel import Processes, own_device, processes

HELD_OUT = 0.1  # share of the training images that tells which weights are the best ones


def train(job: Job) -> dict | None:
    """Run a job to its end; the contents of results.json, or None when somebody stopped it before.

    Raises:
        JobError: it cannot start.
        TrainingError: a term became nan or infinite; the last checkpoint is kept.
    """
    recipe, device = recipe_of(job), own_device(device_of(job.device))
    if job.amp and not device.startswith("cuda"):
        raise JobError(f"--amp is for CUDA devices, this one is {device}: leave it out")
    full, test = (fitted(data.load(job.data, split), recipe, job) for split in ("train", "test"))
    held_out = min(int(HELD_OUT * len(full)), 5000)
    images, held = part(full, slice(held_out, None), device), part(full, slice(held_out), device)
    with processes(device) as group, until_stopped() as stopped:
        parts = assembled(job, recipe, images, device, group)
        saved = restored(job, parts, group) if job.resume else {}
        job.out.mkdir(parents=True, exist_ok=True)  # where nothing can be written, nothing need be trained
        keeper = Keeper(job, recipe, parts, group, held, part(test, slice(None), device), saved)
        run(keeper, parts, group, total_steps(job, recipe, parts.stream.steps_of_epoch), stopped)
        return None if group.agreed(stopped()) else keeper.results()


def recipe_of(job: Job) -> Recipe:
    try:
        recipe = recipes.recipe(job.recipe)
    except ValueError as unknown:
        raise JobError(str(unknown)) from None
    if job.out.exists() and not job.resume and any(job.out.glob("*.pt")):
        raise JobError(f"{job.out} holds a run: add --resume to go on with it, or name another place with --out")
    return recipe


def device_of(wanted: str) -> str:
    if wanted == "auto":
        return training.best_device()
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise JobError(f"--device {wanted}: this machine has no CUDA device that torch {torch.__version__} can use")
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise JobError(f"--device {wanted}: torch {torch.__version__} has none here: take auto, cpu or cuda") from None
    return wanted


def fitted(images: Images, recipe: Recipe, job: Job) -> Images:
    """The images at the recipe's size and number of channels."""
    channels, height, width = recipe.shape
    if images.shape == recipe.shape:
        return images
    if height != width:
        raise JobError(f"{job.recipe} takes images {recipe.shape}, {job.data} has {images.shape}")
    try:
        return data.resized(images, height, channels)
    except ValueError as unfit:
        raise JobError(f"{job.recipe} takes images {recipe.shape}, {job.data} has {images.shape}: {unfit}") from None


def part(images: Images, chosen: slice, device: str) -> Images:
    return replace(images, x=images.x[chosen].to(device), y=images.y[chosen].to(device), factors=None)


def total_steps(job: Job, recipe: Recipe, epoch: int) -> int:
    """What was asked for, or else as the report has it; an epoch is so many steps."""
    for steps, epochs in ((job.steps, job.epochs), (recipe.steps, recipe.epochs_on(job.data))):
        if steps or epochs:
            return steps or epochs * epoch


def run(keeper: Keeper, parts: Parts, group: Processes, total: int, stopped: Callable[[], bool]) -> None:
    """To the last step, to the end of the budget, or until nothing gets better; then a checkpoint."""
    job = keeper.job

    def update(x: Tensor, y: Tensor) -> NamedTuple:
        return group.mean(parts.update(x, y))

    try:
        for step in training.updates(update, parts.model, parts.stream, parts.history, total):
            tired = keeper.between(step)
            if group.agreed(tired or stopped() or parts.history.seconds > job.seconds):
                break
    except TrainingError as nonsense:
        kept = job.out / "last.pt"
        where = f"the last checkpoint is {kept}" if kept.exists() else "there is no checkpoint yet"
        raise TrainingError(f"{nonsense} ({where})") from None
    keeper.save()


@contextlib.contextmanager
def until_stopped() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end the run behind the step that is under way, with a checkpoint; twice, at once."""
    asked = []

    def ask(number, frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
