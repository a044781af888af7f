"""What happens between the steps of a run, and behind the last one; only the first process writes.

What is done at a step, and all that goes into a checkpoint, depends on the number of the step and never on where the
run was stopped: what the last step wants besides is done behind the last checkpoint.
"""

import json
import math
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from .. import runs
from ..data import Images
from ..nets import parameter_count
from ..recipes import Recipe
from . import gallery, scores
from .checkpoint import save, snapshot
from .job import Job, Parts
from .parallel import Processes

BATCH = 500  # images of one batch when nothing is learned
LOG_EVERY = 50  # steps


class Keeper:
    """Validation, pictures, scores, checkpoints, results."""

    def __init__(
        self, job: Job, recipe: Recipe, parts: Parts, group: Processes, held: Images, test: Images, saved: dict
    ) -> None:
        self.job, self.recipe, self.parts, self.group = job, recipe, parts, group
        self.held, self.test = measured_on(held, job.measure), measured_on(test, job.measure)
        self.best, self.waited = saved.get("best", math.inf), saved.get("waited", 0)
        self.validation = saved.get("validation", {})  # step -> terms
        self.board = None
        if group.first and job.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(job.out / "tensorboard", purge_step=parts.history.steps)

    def between(self, step: int) -> bool:
        """What is due after a step; whether the run has waited long enough for something better."""
        job, epoch = self.job, self.parts.stream.steps_of_epoch
        if step % LOG_EVERY == 0:
            self.log("training", self.losses(), step)
        if step % epoch == 0:
            self.validate(step)
        if step % (job.pictures * epoch) == 0:
            self.draw(step)
        if step % job.fid_every == 0:
            self.score(step)
        if step % job.save_every == 0:
            self.save()
        return job.patience is not None and self.waited >= job.patience

    def save(self) -> None:
        kept = {"best": self.best, "waited": self.waited, "validation": self.validation}
        state = snapshot(self.job, self.parts, self.group, kept)  # all processes send their noise
        if self.group.first:
            save(state, self.job.out / "last.pt")

    def results(self) -> dict:
        """What the last step has not had yet, the last pictures, and results.json."""
        model, history, step = self.parts.model, self.parts.history, self.parts.history.steps
        if step not in self.validation:
            self.validate(step)
        if not self.group.first:
            return {}
        self.log("training", self.losses(), step)
        self.draw(step)
        x = self.test.pixels(slice(BATCH))
        for name in ("interpolation", "traversal"):
            gallery.save(self.measured(partial(getattr(gallery, name), model, x)), self.job.out / f"{name}.png")
        test = self.measured(lambda: scores.test_scores(model, self.test, BATCH))
        self.log("test", test, step)
        if self.board:
            self.board.close()
        found = {
            "recipe": self.job.recipe,
            "reported": self.recipe.reported,
            "data": self.job.data,
            "settings": {name: value for name, value in asdict(self.job).items() if name not in ("out", "resume")},
            "parameters": parameter_count(model),
            "steps": step,
            "epochs": round(step / self.parts.stream.steps_of_epoch, 2),
            "seconds": round(history.seconds, 1),
            "training": self.losses(),
            "validation": {str(step): terms for step, terms in self.validation.items()},
            "samples": {str(step): found for step, found in history.watched.items()},
            "test": test,
            "test_images": len(self.test),
            "environment": environment(self.parts.stream.device, self.group),
        }
        runs.replace(self.job.out / "results.json", json.dumps(found, indent=1).encode())
        return found

    def losses(self) -> dict[str, float]:
        return {name: self.parts.history.last(name) for name in self.parts.history.terms}

    def validate(self, step: int) -> None:
        """The loss on images that were held out; the weights with the lowest one are kept. A game has no such loss."""
        if self.recipe.lr is None:
            return
        self.validation[step] = terms = scores.mean_terms(self.parts.model, self.held, BATCH)
        self.log("validation", terms, step)
        if self.parts.plateau:
            self.parts.plateau.step(self.watched(terms))
        self.waited = 0 if terms["loss"] < self.best else self.waited + 1
        if terms["loss"] < self.best:
            self.best = terms["loss"]
            if self.group.first:
                weights = {"recipe": self.job.recipe, "step": step, "model": self.parts.model.state_dict()}
                save(weights, self.job.out / "best.pt")

    def watched(self, terms: dict[str, float]) -> float:
        """The validation number that the learning rate follows."""
        if self.recipe.plateau == "weighted":
            return terms["reconstruction"] + self.parts.model.beta * terms["kl"]
        return terms["loss"]

    def draw(self, step: int) -> None:
        x = self.test.pixels(slice(10 * gallery.COLUMNS))
        for name, picture in (("samples", gallery.grid), ("reconstructions", gallery.reconstructions)):
            path = self.job.out / name / f"step-{step:06}.png"
            if not self.group.first or path.exists():
                continue
            images = self.measured(partial(picture, self.parts.model, x))
            gallery.save(images, path)
            if self.board and images is not None:
                self.board.add_images(name, images, step)

    def score(self, step: int) -> None:
        found = self.measured(lambda: scores.sample_scores(self.parts.model, self.test)) if self.group.first else {}
        if found:
            self.parts.history.watched[step] = found
            self.log("samples", found, step)

    def measured(self, measure: Callable):
        """In evaluation mode, without a trace in the noise of the training."""
        model = self.parts.model.eval()
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(0)
            found = measure()
        model.train()
        return found

    def log(self, group: str, values: dict[str, float], step: int) -> None:
        for name, value in values.items() if self.board else ():
            self.board.add_scalar(f"{group}/{name}", value, step)


def measured_on(images: Images, count: int | None) -> Images:
    return replace(images, x=images.x[:count], y=images.y[:count])


def environment(device: str, group: Processes) -> dict:
    name = torch.cuda.get_device_name() if device.startswith("cuda") else processor()
    threads = torch.get_num_threads()
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {"device": device, "name": name, "threads": threads, "processes": group.world, **versions}


def processor() -> str:
    """Its name as Linux tells it, where platform knows the architecture only."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
