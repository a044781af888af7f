"""What happens between the steps of a run, and behind the last one; only the first process writes.

What is done at a step, and all that goes into a checkpoint, depends on the number of the step and never on where the
run was stopped: what the last step wants besides is done behind the last checkpoint.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch

from .. import runs
from ..data import Images
from ..recipes import Recipe
from . import gallery, record, scores
from .checkpoint import BEST, LAST, PREVIOUS, read, save, snapshot
from .job import Job, Parts
from .parallel import Processes

Measure = TypeVar("Measure")
BATCH = 500  # images of one batch when nothing is learned
LOG_EVERY = 50  # steps
TELL_EVERY = 10  # seconds between two writings of PROGRESS
SAVE_AFTER = 300  # seconds, where save_every steps take longer
SETTLED = 1e-3  # share by which the best validation loss must fall


class Keeper:
    """Validation, curves, pictures, scores, checkpoints, results."""

    def __init__(
        self,
        job: Job,
        recipe: Recipe,
        parts: Parts,
        group: Processes,
        held: Images | None,
        test: Images,
        total: int,
        saved: dict,
    ) -> None:
        self.job, self.recipe, self.parts, self.group, self.total = job, recipe, parts, group, total
        self.held, self.test = held and measured_on(held, job.measure), measured_on(test, job.measure)
        self.best, self.waited = saved.get("best", math.inf), saved.get("waited", 0)
        self.mark = saved.get("mark", math.inf)  # the loss that patience wants to see fall
        self.curves = saved.get("curves", {})  # group -> step -> scores
        self.sessions = saved.get("sessions", [])
        self.worked = saved.get("cpu", None if saved else 0.0)  # seconds of the processor before this call
        self.epoch = parts.stream.steps_of_epoch
        self.patience = job.patience or recipe.patience
        self.began, self.first = time.monotonic(), parts.history.steps
        self.saved, self.told = self.began, -math.inf
        self.board = None
        if group.first and job.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(job.out / "tensorboard", purge_step=parts.history.steps)

    def between(self, step: int) -> bool:
        """What is due after a step; whether the run has waited long enough for something better."""
        job, passes = self.job, step // self.epoch
        if step % LOG_EVERY == 0:
            self.log("training", self.losses(), step)
        if step % self.epoch == 0:
            self.validate(step)
            if self.group.first and passes % math.ceil(self.total / self.epoch / record.POINTS) == 0:
                self.watch(step)
            if self.pictured(passes):
                self.draw(step)
        if self.group.first and step % job.fid_every == 0:
            self.score(step)
        if step % job.save_every == 0 or (self.group.world == 1 and time.monotonic() - self.saved > SAVE_AFTER):
            self.save()
        if self.group.first:
            self.tell(step)
        return self.patience is not None and self.waited >= self.patience

    def save(self) -> None:
        names = ("best", "waited", "mark", "curves", "sessions", "cpu")
        state = snapshot(self.job, self.parts, self.group, {name: getattr(self, name) for name in names})
        if self.group.first:  # all processes have sent their noise
            save(state, self.job.out / LAST, before=self.job.out / PREVIOUS)
        self.saved = time.monotonic()

    @property
    def cpu(self) -> float | None:
        """Seconds of the processor for the run so far; None where an older version has written no record of them."""
        return None if self.worked is None else self.worked + time.process_time()

    def results(self, ended: str = "trained") -> dict:
        """What the last step has not had yet, the last pictures, the scores, and results.json.

        Args:
            ended: why there are no more steps: "trained", "settled", "budget", "stopped", or what was not finite.
        """
        if not self.group.first:
            return {}
        model, step = self.parts.model, self.parts.history.steps
        if self.held and step not in self.curves.get("validation", {}):
            self.add("validation", step, scores.mean_terms(model, self.held, BATCH))
        self.log("training", self.losses(), step)
        self.draw(step)
        self.tell(step, ended)
        chosen = self.choose()
        if ended == "stopped":  # somebody waits
            self.test = measured_on(self.test, scores.SAMPLES)
        x = self.test.pixels(slice(BATCH))
        for name in ("interpolation", "traversal"):
            gallery.save(self.measured(partial(getattr(gallery, name), model, x)), self.job.out / f"{name}.png")
        test = self.measured(lambda: scores.test_scores(model, self.test, BATCH))
        if "validation loss" in self.recipe.targets.get(self.job.data, {}) and self.held:
            test["validation loss"] = self.curves["validation"][chosen]["loss"]
        self.log("test", test, step)
        if self.board:
            self.board.close()
        return record.write(self, ended, chosen, test)

    def choose(self) -> int:
        """Let the model have the weights that are to be tested; the step that they are of."""
        path, step = self.job.out / BEST, self.parts.history.steps
        if self.recipe.scored != "best" or not path.exists():
            return step
        best = read(path)
        self.parts.model.load_state_dict(best["model"])
        return best["step"]

    def losses(self) -> dict[str, float]:
        return {name: self.parts.history.last(name) for name in self.parts.history.terms}

    def validate(self, step: int) -> None:
        """The losses on images that were held out; the weights with the lowest one are kept."""
        if self.held is None:
            return
        terms = scores.mean_terms(self.parts.model, self.held, BATCH)
        self.add("validation", step, terms)
        if self.recipe.lr is None:  # losses of a game tell nothing of its quality
            return
        loss = terms["loss"]
        counts = step > self.recipe.warmup * self.epoch
        if self.parts.plateau and counts:
            self.parts.plateau.step(self.watched(terms))
        self.waited += counts
        if loss < (self.mark - SETTLED * abs(self.mark) if self.mark < math.inf else math.inf):
            self.mark, self.waited = loss, 0
        if loss < self.best:
            self.best = loss
            if self.group.first:
                weights = {"recipe": self.job.recipe, "step": step, "model": self.parts.model.state_dict()}
                save(weights, self.job.out / BEST)

    def watch(self, step: int) -> None:
        """A point of the curves that reports draw: on held-out images, or on test images where none are held out."""
        images, group = (self.held, "validation") if self.held else (self.test, "test")
        images = measured_on(images, scores.SAMPLES)
        found = self.measured(lambda: scores.curve_scores(self.parts.model, images, BATCH))
        if not self.held:
            found = scores.mean_terms(self.parts.model, images, BATCH) | found
        of_samples = {name: found.pop(name) for name in (scores.DIVERSITY, scores.UNPAIRED) if name in found}
        self.add(group, step, found)
        self.add("samples", step, of_samples)

    def pictured(self, passes: int) -> bool:
        if self.job.pictures:
            return passes % self.job.pictures == 0
        return passes in (self.recipe.pictures or (1, self.total // self.epoch // 2))

    def watched(self, terms: dict[str, float]) -> float:
        """The validation number that the learning rate follows."""
        if self.recipe.plateau == "weighted":
            return terms["reconstruction"] + self.parts.model.beta * terms["kl"]
        return terms["loss"]

    def draw(self, step: int) -> None:
        x = self.test.pixels(slice(10 * gallery.COLUMNS))
        columns = self.recipe.columns
        grid = partial(gallery.grid, columns=columns)
        for name, picture, width in (("samples", grid, columns), ("reconstructions", gallery.reconstructions, None)):
            path = self.job.out / name / f"step-{step:06}.png"
            if not self.group.first or path.exists():
                continue
            images = self.measured(partial(picture, self.parts.model, x))
            gallery.save(images, path, width)
            if self.board and images is not None:
                self.board.add_images(name, images, step)

    def score(self, step: int) -> None:
        x = self.test.pixels(slice(scores.SAMPLES))

        def measure() -> dict[str, float]:
            fake = gallery.samples(self.parts.model, x, len(x))
            return {} if fake is None or not fake.isfinite().all() else scores.distance(fake, x)

        self.add("samples", step, self.measured(measure))

    def measured(self, measure: Callable[[], Measure]) -> Measure:
        """In evaluation mode, without a trace in the noise of the training."""
        model = self.parts.model.eval()
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(0)
            found = measure()
        model.train()
        return found

    def add(self, group: str, step: int, values: dict[str, float]) -> None:
        if values:
            self.curves.setdefault(group, {}).setdefault(step, {}).update(values)
            self.log(group, values, step)

    def log(self, group: str, values: dict[str, float], step: int) -> None:
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(f"{group}/{name}", value, step)

    def tell(self, step: int, ended: str = "") -> None:
        """For `reproduce --status`, and for who waits at a screen."""
        now = time.monotonic()
        if self.job.print_every and step % self.job.print_every == 0 and not ended:
            losses = ", ".join(f"{name} {value:.4g}" for name, value in self.losses().items())
            record.say(f"epoch {step / self.epoch:.2f}, step {step} of {self.total}: {losses}")
        if now - self.told < TELL_EVERY and not ended:
            return
        seconds = now - self.began
        rate = (step - self.first) / seconds if seconds else 0.0
        if self.told > -math.inf and self.told - self.began < TELL_EVERY and not ended:  # the second time
            rest = min((self.total - step) / rate, self.job.seconds - self.parts.history.seconds)
            record.say(f"{rate:.3g} steps a second: about {record.duration(rest)} more")
        self.told = now
        told = {"step": step, "total": self.total, "epoch": self.epoch, "rate": rate, "ended": ended}
        runs.replace(self.job.out / record.PROGRESS, record.dumped(told))


def measured_on(images: Images, count: int | None) -> Images:
    return replace(images, x=images.x[:count], y=images.y[:count])
