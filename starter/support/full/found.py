"""Runs that lie in folders, as pictures and tables need them; what an older version wrote is read, too."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import recipes
from ..plots import cell, winners
from ..recipes import SQUARED
from . import gallery

SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10", "cub": "CUB-200-2011"}
NAMES = {  # kinds of models
    "vae": "VAE",
    "gan": "GAN",
    "realnvp": "RealNVP",
    "flow-matching": "flow matching",
    "ae": "AE",
    "other": "other",
}
FID = "FID, features of "  # a score's name begins so; the network follows
RESULT = "results.json"


class Missing(ValueError):
    """A run does not hold what is asked for; one line says what."""


class Curve(NamedTuple):
    """A number on its way."""

    x: np.ndarray  # steps, or epochs
    values: np.ndarray

    def per(self, steps: float) -> "Curve":
        return Curve(self.x / steps, self.values)


def curves(points: dict[str, list]) -> dict[str, Curve]:
    """Of `steps` and a list of numbers for every name; None where one was not measured, which is left out."""
    steps, found = np.array(points.get("steps", []), dtype=float), {}
    for name, values in points.items():
        known = np.isfinite(numbers := np.array(values, dtype=float))  # None becomes nan
        if name != "steps" and known.any():
            found[name] = Curve(steps[known], numbers[known])
    return found


def columns(points: dict[str, dict[str, float]]) -> dict[str, list]:
    """What older versions wrote, step -> name -> number, as newer ones do."""
    steps = sorted(points, key=int)
    names = dict.fromkeys(name for step in steps for name in points[step])
    return {"steps": [int(step) for step in steps]} | {name: [points[s].get(name) for s in steps] for name in names}


@dataclass(frozen=True, eq=False)
class Run:
    """What a run has left in its folder."""

    folder: Path
    found: dict  # its results.json

    @property
    def name(self) -> str:
        return self.found["recipe"]

    @property
    def data(self) -> str:
        return self.found["data"]

    @property
    def of(self) -> str:
        """Its data set, as people write it."""
        return SETS.get(self.data, self.data)

    @property
    def test(self) -> dict[str, float]:
        """Scores; what was not finite is none."""
        return {name: value for name, value in self.found.get("test", {}).items() if value is not None}

    @property
    def kind(self) -> str:
        """The first that is part of its recipe's name."""
        return next((kind for kind in NAMES if kind in self.name), "other")

    @property
    def conditional(self) -> bool:
        """Does it draw a class that one names?"""
        return "cgan" in self.name or self.kind == "flow-matching"

    @property
    def report(self) -> str:
        """Of its recipe: "report 001", or "ours"."""
        source = getattr(recipes.RECIPES.get(self.name), "source", "")
        return next(iter(re.findall(r"report \d+", source)), "ours")

    @property
    def size(self) -> float | None:
        """The number in its name: of a code's length, or beta."""
        numbers = re.findall(r"(?<=-)\d+(?:\.\d+)?(?=-|$)", self.name)
        return float(numbers[0]) if numbers else None

    @property
    def rate(self) -> float | None:
        """Its learning rate; none of a game, whose networks have their own."""
        return self.found.get("settings", {}).get("lr") or self.found.get("recipe_settings", {}).get("lr")

    @property
    def epoch(self) -> float:
        """Steps of one."""
        return self.found.get("steps_of_epoch") or self.found["steps"] / (self.found.get("epochs") or 1)

    @cached_property
    def training(self) -> dict[str, Curve]:
        """Every term of the loss, over steps."""
        return curves(self.found.get("curves", {}).get("training", {}))

    @cached_property
    def watched(self) -> dict[str, Curve]:
        """Whatever was measured on the way, over steps: on samples, and on images that were not learned."""
        old = {group: columns(self.found.get(group, {})) for group in ("validation", "samples")}
        groups = old | self.found.get("curves", {})
        parts = [curves(groups.get(group, {})) for group in ("test", "validation", "samples")]
        return {name: curve for part in parts for name, curve in part.items()}

    def pictures(self, what: str) -> dict[int, Path]:
        """Step -> file, of its samples or its reconstructions."""
        files = sorted((self.folder / what).glob("step-*.png"))
        return {int(file.stem.removeprefix("step-")): file for file in files}


def readable(home: Path) -> tuple[list[Run], list[str]]:
    """All runs in a folder, by the order of the recipes; and a line for each whose results cannot be read.

    A run is a folder with results.json, or, where only numbers were kept, a file RECIPE-DATA.json.
    """
    found, unread = [], []
    for path in [*sorted(home.glob(f"*/{RESULT}")), *sorted(home.glob("*.json"))]:
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            run = Run(path.parent if path.name == RESULT else path.with_suffix(""), entry)
            if run.name and run.data and run.epoch:
                found.append(run)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError) as damage:
            unread.append(f"{path} is no record of a run ({type(damage).__name__})")
    order = {row: i for i, row in enumerate((name, data) for name, r in recipes.RECIPES.items() for data in r.data)}
    found.sort(key=lambda run: (order.get((run.name, run.data), len(order)), run.name, run.data))
    return found, unread


def tiles(path: Path) -> np.ndarray:
    """The images of one of gallery's pictures, uint8 (rows, columns, side, side, 4).

    Raises:
        Missing: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            columns = int(picture.info.get(gallery.COUNT, gallery.COLUMNS))
            seen = np.asarray(picture.convert("RGBA"))[:: gallery.SCALE, :: gallery.SCALE]
        side = (seen.shape[1] + 1) // columns - 1
        framed = np.pad(seen, ((0, 1), (0, 1), (0, 0)))
        parts = framed.reshape(-1, side + 1, columns, side + 1, 4)
    except (OSError, ValueError, SyntaxError, ZeroDivisionError):
        raise Missing(f"{path} is no picture of a run") from None
    return parts[:, :side, :, :side].transpose(0, 2, 1, 3, 4)


# ---- the table

BETTER = {SQUARED: "low", "SSIM": "high", "FID": "low", "diversity": "high"}
WORSE = {"low": "high", "high": "low"}
UNABLE = {
    "ae": ("cannot sample", "gives no likelihood"),
    "gan": ("cannot reconstruct", "gives no likelihood"),
    "flow-matching": ("cannot reconstruct",),
}


def table(found: list[Run]) -> str:
    """AE, VAE, GAN and RealNVP beside each other on every data set, and what each is good and bad at, in Markdown.

    Of each kind it shows the run with the lowest FID, or, where there is none, with the lowest squared error.
    """
    head = ("data", "model", *BETTER, "-log p(x)", "parameters", "epochs", "best at", "worst at")
    lines = [head, ["---"] * len(head)]
    for data in dict.fromkeys(run.data for run in found):
        kinds = ([run for run in found if (run.data, run.kind) == (data, kind)] for kind in NAMES)
        chosen = {run.name: run for run in (min(own, key=rank) for own in kinds if own)}
        numbers = {name: scores(run) for name, run in chosen.items()}
        for name, run in chosen.items():
            cells = [cell(numbers[name].get(column)) for column in (*BETTER, "-log p(x)")]
            size = (f"{run.found.get('parameters', 0):,}", f"{run.found.get('epochs', 0):g}")
            best, worst = verdict(name, numbers)
            good, bad = ", ".join(best), ", ".join([*worst, *UNABLE.get(run.kind, ())])
            lines.append([run.of, f"{NAMES[run.kind]}: `{name}`", *cells, *size, good, bad])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def scores(run: Run) -> dict[str, float | str]:
    named = {"FID" if name.startswith(FID) else name: value for name, value in run.test.items()}
    found: dict[str, float | str] = {name: value for name, value in named.items() if name in BETTER}
    if run.kind in ("vae", "realnvp") and "loss" in run.test:
        found["-log p(x)"] = f"{run.test['loss']:.4g} {'nats' if run.kind == 'vae' else 'bits/dim'} at most"
    return found


def rank(run: Run) -> tuple[float, float]:
    known = {name: value for name, value in scores(run).items() if not isinstance(value, str)}
    return known.get("FID", np.inf), known.get(SQUARED, np.inf)


def verdict(name: str, numbers: dict[str, dict]) -> tuple[list[str], list[str]]:
    """The scores in which a model is the best of several, and those in which it is the worst."""
    several = [column for column in BETTER if sum(column in found for found in numbers.values()) > 1]
    best = [column for column in several if name in winners(numbers, column, BETTER[column])]
    worst = [column for column in several if name in winners(numbers, column, WORSE[BETTER[column]])]
    return best, worst
