"""results.json: what a run was, how it went, and what came out."""

import json
import math
import platform
import re
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .. import data, runs
from ..nets import parameter_count
from ..recipes import Recipe
from .job import Job
from .parallel import Processes

if TYPE_CHECKING:
    from .keeper import Keeper

RESULTS = "results.json"
PROGRESS = "progress.json"  # how far a run is, for who looks on
POINTS = 200  # of a curve, at most
CODE = ("starter", "solutions", "datasets")  # what a run depends on; results/ changes with every run
OF_RECIPE = (
    "epochs",
    "steps",
    "batch_size",
    "lr",
    "weight_decay",
    "schedule",
    "plateau",
    "held_out",
    "scored",
    "patience",
    "warmup",
)


def write(keeper: "Keeper", ended: str, chosen: int, test: dict[str, float]) -> dict:
    """
    Args:
        ended: as in `Keeper.results`.
        chosen: the step whose weights were tested.
    """
    job, recipe, parts, history = keeper.job, keeper.recipe, keeper.parts, keeper.parts.history
    found = {
        "recipe": job.recipe,
        "data": job.data,
        "reported": recipe.reported,
        "source": recipe.source,
        "choices": list(recipe.choices),
        "recipe_settings": settings_of(recipe, job.data),
        "settings": {name: value for name, value in asdict(job).items() if name not in ("out", "resume")},
        "sessions": keeper.sessions,
        "parameters": parameter_count(parts.model),
        "images": {"train": len(parts.stream.images), "held_out": len(keeper.held or ()), "test": len(keeper.test)},
        "steps": history.steps,
        "steps_of_epoch": keeper.epoch,
        "epochs": round(history.steps / keeper.epoch, 2),
        "seconds": round(history.seconds, 1),
        "cpu_seconds": keeper.cpu and round(keeper.cpu, 1),
        "ended": ended,
        "as_reported": as_reported(job, recipe, ended, keeper.group.world),
        "training": keeper.losses(),
        "curves": {"training": means(history.terms)} | {name: curve(points) for name, points in keeper.curves.items()},
        "test": test,
        "tested_step": chosen,
        "environment": environment(parts.stream.device, keeper.group),
        "commit": commit(),
    }
    runs.replace(job.out / RESULTS, dumped(found))
    return json.loads(dumped(found))


def settings_of(recipe: Recipe, own: str) -> dict:
    """What the recipe says of a run on this data set."""
    return {name: recipe.epochs_on(own) if name == "epochs" else getattr(recipe, name) for name in OF_RECIPE}


def as_reported(job: Job, recipe: Recipe, ended: str, processes: int) -> bool:
    """Whether the run was the recipe's, whole, on data that the report names.

    Where the report has no epochs, the validation loss decides: a run that met our own limit before was not whole. Each
    process takes a batch of its own: of several the batch is another.
    """
    asked = (job.epochs, job.steps, job.batch_size, job.lr, job.patience, job.measure)
    to_its_end = ended == ("settled" if recipe.patience else "trained")
    to_its_end |= recipe.unstable and ended not in ("budget", "stopped")
    plain = asked == (None,) * 6 and job.clip == math.inf and processes == 1
    return to_its_end and plain and job.data in recipe.data


def curve(points: dict[int, dict[str, float]]) -> dict[str, list]:
    """Steps, and the values of every score at them; None where one was not measured."""
    steps = thinned(sorted(points))
    names = dict.fromkeys(name for step in steps for name in points[step])
    return {"steps": steps} | {name: [short(points[step].get(name)) for step in steps] for name in names}


def thinned(steps: list[int]) -> list[int]:
    """At most POINTS of them, evenly, the last one among them."""
    every = math.ceil(len(steps) / POINTS) or 1
    return steps[::-1][::every][::-1]


def means(terms: dict[str, list[float]]) -> dict[str, list]:
    """Of every term, over at most POINTS equal stretches of steps; a stretch is named by its last step."""
    count = len(next(iter(terms.values()), []))
    size = math.ceil(count / POINTS) or 1
    ends = [min(start + size, count) for start in range(0, count, size)]
    stretches = list(zip([0, *ends], ends))
    return {"steps": ends} | {
        name: [short(sum(values[start:end]) / (end - start)) for start, end in stretches]
        for name, values in terms.items()
    }


def short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def dumped(found: dict) -> bytes:
    """JSON as the standard has it: what is not finite is null."""
    text = json.dumps(finite(found), indent=1, allow_nan=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda numbers: " ".join(numbers[0].split()), text).encode()  # a list is a line


def finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(line: str) -> None:
    """A line that leaves the progress bar alone."""
    from tqdm import tqdm

    tqdm.write(line)


def duration(seconds: float) -> str:
    """As people say it: 45 s, 12 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


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


def commit() -> str | None:
    """Of the checkout that runs, with a mark where its code is another; None where there is no checkout."""

    def git(*arguments: str) -> subprocess.CompletedProcess:
        command = ["git", "-C", str(data.course()), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10)

    try:
        found = git("rev-parse", "--short=10", "HEAD").stdout.strip()
        changed = bool(found) and git("diff", "--quiet", "HEAD", "--", *CODE).returncode == 1
    except (OSError, subprocess.TimeoutExpired):
        return None
    return f"{found}{'-dirty' * changed}" if found else None
