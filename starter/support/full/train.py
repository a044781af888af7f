"""Train a named recipe in full size: python -m starter train --recipe vae-gelu --data mnist [--resume]

A run lives in one folder: `last.pt`, from which it goes on bit for bit, and `last.previous.pt`, the checkpoint before
it; `best.pt`, the weights with the lowest validation loss; `results.json`; pictures; TensorBoard's log. Everything is
written whole or not at all.
"""

import contextlib
import math
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from .. import data, recipes, training
from ..data import Images
from ..nets import parameter_count
from ..recipes import Recipe
from ..training import TrainingError
from .assemble import assembled
from .checkpoint import LAST, PREVIOUS, restored
from .folder import mine, sweep
from .job import Job, JobError
from .keeper import Keeper
from .parallel import own_device, processes
from .record import say

HELD_OUT = 0.2  # share of the training images that may be held out, at most
TOLD = ("impl", "epochs", "steps", "seconds", "clip", "patience", "precision")  # what may change when a run goes on


def train(job: Job) -> dict:
    """Run a job to its end, or until somebody stops it; the contents of results.json.

    Raises:
        JobError: it cannot start.
        TrainingError: a number became nan or infinite; the last checkpoint is kept.
    """
    recipe, device = recipe_of(job), own_device(device_of(job.device))
    full, test = (fitted(data.load(job.data, split), recipe, job) for split in ("train", "test"))
    held_out = min(recipe.held_out, int(HELD_OUT * len(full)))
    images, held = part(full, slice(held_out, None), device), part(full, slice(held_out), device)
    with processes(device) as group, until_stopped() as stopped:
        parts, job = assembled(job, recipe, images, device, group)
        saved = restored(job, parts, group) if job.resume else {}
        total = total_steps(job, recipe, parts.stream.steps_of_epoch)
        with mine(job.out) if group.first else contextlib.nullcontext():  # can it be written to? then it can be trained
            sweep(job.out)
            test = part(test, slice(None), device)
            keeper = Keeper(job, recipe, parts, group, held if held_out else None, test, total, saved)
            announce(keeper, device)
            return run(keeper, stopped)


def announce(keeper: Keeper, device: str) -> None:
    """What the run is about to do, and what is not as it was when it was stopped."""
    job, parts, total = keeper.job, keeper.parts, keeper.total
    now = {name: getattr(job, name) for name in TOLD}
    now = {name: None if value == math.inf else value for name, value in now.items()}
    before, step = (keeper.sessions[-1]["settings"] if keeper.sessions else now), parts.history.steps
    keeper.sessions.append({"step": step, "settings": now})
    if not keeper.group.first:
        return
    counts = f"{len(parts.stream.images):,} images to learn, {len(keeper.held or ()):,} held out"
    length = f"{total:,} steps ({total / keeper.epoch:.4g} epochs of {keeper.epoch:,})"
    budget = f", at most {job.seconds:g} s" if job.seconds < math.inf else ""
    threads = f"{torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"
    place = f"{device}, {threads}, {job.precision}, modules of {job.impl}/"
    name = f"{job.recipe} on {job.data}"
    say(f"{name}: {parameter_count(parts.model):,} parameters; {counts}, {len(keeper.test):,} to test")
    say(f"{length}{budget}, batches of {parts.stream.size}; {place}; {job.out}")
    if step:
        say(f"goes on behind step {step:,}")
    for name, then in before.items():
        if name in now and then != now[name]:
            say(f"--{name} was {then} until step {step:,}, and is {now[name]} from now on")


def recipe_of(job: Job) -> Recipe:
    try:
        recipe = recipes.recipe(job.recipe)
    except ValueError as unknown:
        raise JobError(str(unknown)) from None
    if recipe.lr is None and job.clip < math.inf:
        raise JobError(f"--clip: {job.recipe} is a game, whose networks have steps of their own: leave it out")
    if (job.patience or recipe.patience or recipe.plateau) and (recipe.lr is None or not recipe.held_out):
        raise JobError(f"--patience: {job.recipe} has no validation loss that could stop falling: leave it out")
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
    if channels == 1 < images.shape[0]:
        sets = " or ".join(recipe.data)
        raise JobError(f"{job.recipe} takes grey images {recipe.shape}, those of {job.data} have colours: take {sets}")
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
        if steps:
            return steps
        if epochs:
            return epochs * epoch
    raise JobError(f"{job.recipe} does not say how long it is trained: add --epochs or --steps")


def run(keeper: Keeper, stopped: Callable[[], bool]) -> dict:
    """To the last step, to the end of the budget, or until nothing gets better; then a checkpoint, and results."""
    job, parts, group, ended = keeper.job, keeper.parts, keeper.group, "trained"

    def update(x: Tensor, y: Tensor) -> NamedTuple:
        return group.mean(parts.update(x, y))

    steps = training.updates(update, parts.model, parts.stream, parts.history, keeper.total, job.seconds)
    try:
        for step in steps:
            tired = keeper.between(step)
            if group.agreed(tired or stopped() or parts.history.seconds > job.seconds):
                asked = group.agreed(stopped())
                ended = "stopped" if asked else "settled" if tired else "budget"
                break
    except TrainingError as nonsense:
        kept = [path for path in (job.out / LAST, job.out / PREVIOUS) if path.exists()]
        where = f"the last checkpoint is {kept[0]}" if kept else "there is no checkpoint yet"
        keeper.results(str(nonsense).split(";")[0])
        raise TrainingError(f"{nonsense} ({where})") from None
    keeper.save()
    found = keeper.results(ended)
    if bad := [name for name, value in found.get("test", {}).items() if value is None]:
        raise TrainingError(f"test: {', '.join(bad)} is not finite; {job.out / 'results.json'} has null there")
    return found


@contextlib.contextmanager
def until_stopped() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end the run behind the step that is under way, with a checkpoint; twice, at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
