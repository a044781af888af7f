"""Train a list of recipes, each in a process of its own, and write what came out beside what was reported.

    python -m starter reproduce --seconds 60              every recipe, a minute of training each
    python -m starter reproduce realnvp-multiscale        one of them, in full size

A recipe whose folder has results is not run again; RESULTS.md holds measured numbers only.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

from .. import data, recipes
from ..data import DataError
from ..recipes import RECIPES, Recipe
from ..runs import replace

HEAD = """# Results

Every named system of the course, trained by `python -m starter train`, beside what its report says. Only measured
numbers stand here. {budget}A ratio, ours over theirs,
stands only where the same quantity was measured as reported.

- Scores are those of the last weights on test images that no training saw: all of them, or as many as `--measure` says.
- `loss` is in nats per image, the KL with weight 1; of a RealNVP it is in bits per dimension, which mean nothing for
  `realnvp-cifar`, which is not dequantized; of an autoencoder it is the squared error, of pixels in [0, 1] (with a
  tanh: in [-1, 1]), or the cross-entropy, summed over an image.
- SSIM and squared error compare images with their reconstructions, a VAE's from the mean of its posterior. The
  ratio supposes that the report's are from there, too; after few steps those from a sample are quite different.
- `FID, features of digits` is a Fréchet distance of at most 1,000 samples, in the features of the course's own network
  for digits. It compares rows of one data set and one `--measure`, and never with a published FID. Colours have none
  where Inception's weights are not at hand (`python datasets/prepare.py inception`).
- Seconds are those of training alone, by the clock: on a machine that does other things, too, they hold fewer steps.
  Options that differ from the report's settings stand in the command.

"""
BUDGET = """The budgets here, at most {low:g} to {high:g} seconds of training, are fractions of the reports' epochs:
**no result to compare**; they show that the system trains.{whole} """
WHOLE = "\nTrained for as many epochs as reported: {names}."
REMARKS = {"birds-2010": "birds-2010 (CUB-200-2010, 6,030 photographs), not CUB-200-2011"}
HIDDEN = ("prior", "volume", "noise")  # parts of a flow's loss
COLUMNS = ("recipe", "data", "reported", "ours", "ratio", "epochs", "seconds", "parameters", "hardware", "command")
RESULT = "results.json"


def jobs(names: list[str], sets: list[str]) -> list[tuple[str, str]]:
    """(recipe, data) to run; all data sets of a recipe's report unless some are named.

    Raises:
        ValueError: no such recipe; names the nearest. Or no such data set as one that is named, or not prepared.
    """
    for own in sets:
        data.load(own, "test")
    chosen = {name: recipes.recipe(name) for name in names} or RECIPES
    return [(name, own) for name, recipe in chosen.items() for own in sets or recipe.data]


def reproduce(names: list[str], sets: list[str], out: Path, table: Path, options: list[str]) -> int:
    """Run what has no results yet, and write the table after each; how many runs failed."""
    notes = {}
    for name, own in jobs(names, sets):
        if not (out / f"{name}-{own}" / RESULT).exists() and (note := one(name, own, out / f"{name}-{own}", options)):
            print(f"{name} on {own}: {note}", file=sys.stderr, flush=True)
            notes[name, own] = note.replace(f"{out}/", "").replace(f"{data.cache_folder()}", "the cache")
        replace(table, text(out, notes).encode())
    return sum(note.startswith("stopped") for note in notes.values())


def one(name: str, own: str, folder: Path, options: list[str]) -> str | None:
    """Run one recipe in a process of its own; why it has no results, if it has none."""
    try:
        data.load(own, "test")
    except DataError as missing:
        return f"not run: {missing}"
    command = ["train", "--recipe", name, "--data", own, *options]
    print(f"python -m starter {' '.join(command)}", flush=True)
    more = ["--out", str(folder), *(["--resume"] if (folder / "last.pt").exists() else [])]
    run = subprocess.run([sys.executable, "-m", "starter", *command, *more], stderr=subprocess.PIPE, text=True)
    if run.returncode:
        return f"stopped: {(run.stderr.strip() or 'no reason given').splitlines()[-1]}"
    found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    replace(folder / RESULT, json.dumps(found | {"command": " ".join(command)}, indent=1).encode())


def text(out: Path, notes: dict[tuple[str, str], str]) -> str:
    """The whole of RESULTS.md."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"*/{RESULT}"))]
    seconds = [result["settings"]["seconds"] for result in found]
    short = seconds and max(seconds) < math.inf
    names = [
        result["recipe"] for result in found if result["epochs"] == RECIPES[result["recipe"]].epochs_on(result["data"])
    ]
    whole = WHOLE.format(names=", ".join(f"`{name}`" for name in dict.fromkeys(names))) if names else ""
    budget = BUDGET.format(low=min(seconds), high=max(seconds), whole=whole) if short else ""
    return HEAD.format(budget=budget) + markdown(rows(found, notes))


def rows(found: list[dict], notes: dict[tuple[str, str], str]) -> list[tuple]:
    """A row for every recipe and data set of its report, and for whatever else has results."""
    table = []
    for name, recipe in RECIPES.items():
        mine = [result for result in found if result["recipe"] == name]
        table += [row(recipe, result) for result in mine]
        for own in [own for own in recipe.data if own not in {result["data"] for result in mine}]:
            note = notes.get((name, own), "not run")
            table.append((f"`{name}`", own, recipe.reported, note, *[""] * 6))
    return table


def row(recipe: Recipe, result: dict) -> tuple:
    test, machine, own = result["test"], result["environment"], result["data"]
    metric, target = next(iter(recipe.targets.get(own, {}).items()), (None, None))
    shown = sorted((name for name in test if name not in HIDDEN), key=lambda name: name != metric)  # the reported first
    ours = ", ".join(f"{name} {test[name]:.4g}" for name in shown) or "samples, no number"
    ratio = f"{test[metric] / target:.3f}" if metric in test else ""
    threads = f", {machine['threads']} thread{'s' * (machine['threads'] > 1)}" if machine["device"] == "cpu" else ""
    hardware, command = machine["name"] + threads, f"`{result['command']}`" if "command" in result else ""
    trained = f"{result['epochs']:g}", f"{result['seconds']:.0f}", f"{result['parameters']:,}"
    return (f"`{result['recipe']}`", REMARKS.get(own, own), recipe.reported, ours, ratio, *trained, hardware, command)


def markdown(table: list[tuple]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *table]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines) + "\n"
