"""Train a named recipe in full size: python -m starter train --recipe vae-gelu --data mnist [--resume]

A run lives in one folder: `last.pt`, from which it goes on bit for bit; `best.pt`, the weights with the lowest
validation loss; `results.json`; pictures; TensorBoard's log. Everything is written whole or not at all.
"""

import contextlib
import json
import math
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import data, recipes, runs, training
from ..data import Images
from ..nets import parameter_count
from ..recipes import Recipe
from ..training import History, Stream, TrainingError, Update
from . import gallery, scores
from .checkpoint import restored, save, snapshot
from .job import Job, JobError, Parts
from .parallel import Processes, processes

HELD_OUT = 0.1  # share of the training images that tells which weights are the best ones
BATCH = 500  # images of one batch when nothing is learned


def train(job: Job) -> dict:
    """Run a job to its end, or to its last good step; the contents of results.json.

    Raises:
        JobError: it cannot start.
        TrainingError: a term became nan or infinite; the last checkpoint is kept.
    """
    recipe, device = recipe_of(job), device_of(job.device)
    full, test = (fitted(data.load(job.data, split), recipe, job) for split in ("train", "test"))
    held_out = min(int(HELD_OUT * len(full)), 5000)
    images, held = part(full, slice(held_out, None), device), part(full, slice(held_out), device)
    with processes(device) as group, until_stopped() as stopped:
        if device == "cuda" and group.world > 1:
            torch.cuda.set_device(device := f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
        parts = assembled(job, recipe, images, device, group)
        saved = restored(job, parts, group) if job.resume else {}
        keeper = Keeper(job, recipe, parts, group, held, part(test, slice(None), device), saved)
        keeper.run(total_steps(job, recipe, images, group), stopped)
        return keeper.results() if group.first else {}


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


# ---- what a run is made of


def assembled(job: Job, recipe: Recipe, images: Images, device: str, group: Processes) -> Parts:
    model, lab = built(job, recipe, images)
    model = model.to(device).train()
    group.same_weights(model)
    torch.manual_seed(job.seed + group.rank)  # of the noise: each process draws its own
    size = job.batch_size or recipe.batch_size
    stream = Stream(images, size, job.seed, device, drop_last=True, shard=(group.rank, group.world))
    if len(images) < size * group.world:
        raise JobError(f"a batch of {size * group.world} is more than the {len(images)} images that there are")
    plateau, history = None, History()
    if recipe.lr is None:
        optimizers, update = optimizers_of(model), model.update
    else:
        fused = {"fused": True} if device != "mps" else {}
        adam = torch.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, **fused)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, patience=5) if recipe.plateau else None
        beta = beta_of(recipe, model, lab, steps_of_epoch(stream))
        optimizers, update = {"adam": adam}, training.descent(model, adam, history, beta=beta, clip=job.clip)
    for optimizer in optimizers.values():
        group.average_gradients(optimizer)
    return Parts(model, optimizers, faster(update, model, job, device), plateau, stream, history)


def built(job: Job, recipe: Recipe, images: Images) -> tuple[nn.Module, Callable]:
    """The model, and the function that finds lab modules.

    Raises:
        JobError: blanks of its labs are empty.
    """
    used = []

    def lab(name: str):
        used.append(name)
        return recipes.lab_module(job.impl, name)

    try:
        torch.manual_seed(job.seed)
        model = recipe.build(lab)
        trial = recipe.build(lab)  # blanks show only when they are called: a step with a model of their own
        if recipe.lr is None:
            trial.update(images.pixels(slice(4)).cpu(), images.y[:4].cpu())
        else:
            trial.terms(images.pixels(slice(4)).cpu())
        return model, lab
    except NotImplementedError as blank:
        empty = recipes.blanks(job.impl, used) or [str(blank)]
        what = f"{', '.join(empty)} of its labs are still blank in {job.impl}/"
        raise JobError(f"{job.recipe}: {what}: fill them, or take --impl solutions") from None


def optimizers_of(game: nn.Module) -> dict[str, torch.optim.Optimizer]:
    return {name: value for name, value in vars(game).items() if isinstance(value, torch.optim.Optimizer)}


def beta_of(recipe: Recipe, model: nn.Module, lab: Callable, epoch: int) -> Callable[[int], float] | None:
    """The recipe's schedule of the KL's weight; sets the model's free bits."""
    if recipe.schedule == "constant":
        return None
    schedule = lab("beta_vae").SCHEDULES[recipe.schedule]
    model.floor = schedule.floor
    return schedule.weights(model.beta, epoch)


def steps_of_epoch(stream: Stream) -> int:
    return len(stream.images) // stream.size


def faster(update: Update, model: nn.Module, job: Job, device: str) -> Update:
    """On a GPU: convolutions in the layout that it likes, and bfloat16 when asked for."""
    if not device.startswith("cuda"):
        return update
    if any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        model.to(memory_format=torch.channels_last)
    if not job.amp:
        return update

    def update_in_bfloat16(x: Tensor, y: Tensor) -> NamedTuple:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            return update(x, y)

    return update_in_bfloat16


def total_steps(job: Job, recipe: Recipe, images: Images, group: Processes) -> int:
    epoch = len(images) // ((job.batch_size or recipe.batch_size) * group.world)
    steps = job.steps if job.steps is not None else recipe.steps if job.epochs is None else None
    return steps if steps is not None else (job.epochs or recipe.epochs) * epoch


# ---- one run


class Keeper:
    """What happens between two steps: validation, pictures, scores, checkpoints; only the first process writes."""

    def __init__(
        self, job: Job, recipe: Recipe, parts: Parts, group: Processes, held: Images, test: Images, saved: dict
    ) -> None:
        self.job, self.recipe, self.parts, self.group, self.held, self.test = job, recipe, parts, group, held, test
        self.best, self.waited = saved.get("best", math.inf), saved.get("waited", 0)
        self.validation = saved.get("validation", {})  # step -> terms
        self.epoch = steps_of_epoch(parts.stream)
        self.board = None
        if group.first and job.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(job.out / "tensorboard", purge_step=parts.history.steps)

    def run(self, total: int, stopped: Callable[[], bool]) -> None:
        started, update = time.monotonic(), partial(self.averaged, self.parts.update)
        try:
            for step in training.updates(update, self.parts.model, self.parts.stream, self.parts.history, total):
                done = step == total
                if step % self.epoch == 0 or done:
                    done = self.after_epoch(step) or done
                self.now_and_then(step, done)
                late = time.monotonic() - started > self.job.seconds
                if self.group.agreed(done or late or stopped()):
                    break
        except TrainingError as nonsense:
            kept = self.job.out / "last.pt"
            where = f"the last checkpoint is {kept}" if kept.exists() else "there is no checkpoint yet"
            raise TrainingError(f"{nonsense} ({where})") from None
        self.save()
        if self.board:
            self.board.close()

    def averaged(self, update: Update, x: Tensor, y: Tensor) -> NamedTuple:
        return self.group.mean(update(x, y))

    def after_epoch(self, step: int) -> bool:
        """Validate; whether the run has waited long enough for something better."""
        if self.recipe.lr is None:
            return False
        terms = scores.mean_terms(self.parts.model, self.held, BATCH)
        self.validation[step] = terms
        self.log({f"validation/{name}": value for name, value in terms.items()}, step)
        if self.parts.plateau:
            self.parts.plateau.step(terms["loss"])
        self.waited = 0 if terms["loss"] < self.best else self.waited + 1
        if terms["loss"] < self.best:
            self.best = terms["loss"]
            if self.group.first:
                weights = {"recipe": self.job.recipe, "step": step, "model": self.parts.model.state_dict()}
                save(weights, self.job.out / "best.pt")
        return self.job.patience is not None and self.waited >= self.job.patience

    def now_and_then(self, step: int, done: bool) -> None:
        history = self.parts.history
        if step % 50 == 0 or done:
            self.log({f"training/{name}": history.last(name) for name in history.terms}, step)
        if self.group.first and (done or step % (self.job.pictures * self.epoch) == 0):
            self.draw(step)
        if self.group.first and (done or step % self.job.fid_every == 0):
            history.watched[step] = self.measured(lambda: scores.sample_scores(self.parts.model, self.test))
            self.log({f"samples/{name}": value for name, value in history.watched[step].items()}, step)
        if step % self.job.save_every == 0:
            self.save()

    def save(self) -> None:
        kept = {"best": self.best, "waited": self.waited, "validation": self.validation}
        state = snapshot(self.job, self.parts, self.group, kept)  # all processes send their noise
        if self.group.first:
            save(state, self.job.out / "last.pt")

    def measured(self, measure: Callable):
        """In evaluation mode, without a trace in the noise of the training."""
        model = self.parts.model.eval()
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(0)
            found = measure()
        model.train()
        return found

    def draw(self, step: int) -> None:
        x = self.test.pixels(slice(100))
        for name, picture in (
            ("samples", partial(gallery.samples, count=100)),
            ("reconstructions", gallery.reconstructions),
        ):
            images = self.measured(lambda picture=picture: picture(self.parts.model, x))
            gallery.save(images, self.job.out / name / f"step-{step:06}.png")
            if self.board and images is not None:
                self.board.add_images(name, images, step)

    def log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items() if self.board else ():
            self.board.add_scalar(name, value, step)

    def results(self) -> dict:
        """The last pictures, and results.json."""
        model, history, x = self.parts.model, self.parts.history, self.test.pixels(slice(500))
        for name in ("interpolation", "traversal"):
            gallery.save(self.measured(partial(getattr(gallery, name), model, x)), self.job.out / f"{name}.png")
        metrics = self.measured(lambda: scores.test_scores(model, self.test, BATCH))
        found = {
            "recipe": self.job.recipe,
            "reported": self.recipe.reported,
            "data": self.job.data,
            "settings": {name: value for name, value in asdict(self.job).items() if name not in ("out", "resume")},
            "parameters": parameter_count(model),
            "steps": history.steps,
            "epochs": round(history.steps / self.epoch, 2),
            "seconds": round(history.seconds, 1),
            "training": {name: history.last(name) for name in history.terms},
            "test": metrics,
            "environment": environment(self.parts.stream.device, self.group),
        }
        runs.replace(self.job.out / "results.json", json.dumps(found, indent=1).encode())
        return found


def environment(device: str, group: Processes) -> dict:
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {"device": device, "name": name, "threads": threads, "processes": group.world, **versions}


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
