"""RESULTS.md, from the results that are kept in git and from nothing else."""

import json
from pathlib import Path

from ..recipes import RECIPES, Recipe
from .describe import OURS, group
from .record import dumped, duration, settings_of

HEAD = """# Results

Every named system of the course, trained by `python -m starter reproduce`, beside what its report says. This file is
made from the files in `results/`: settings, curves, scores and machine of every run stand there.

- Scores are those of test images that no training saw: of the last weights, or where the report has it so, of those
  with the lowest validation loss.
- `loss` is in nats per image, the KL with weight 1; of a RealNVP it is in bits per dimension, which mean nothing for
  `realnvp-cifar`, which is not dequantized; of an autoencoder it is the squared error, of pixels in [0, 1] (with a
  tanh: in [-1, 1]), or the cross-entropy, summed over an image.
- SSIM, cross-entropy (`BCE`) and squared error compare images with their reconstructions, a VAE's from the mean of its
  posterior.
- FIDs are Fréchet distances of 1,000 samples in the features of the course's own small networks. They compare rows of
  one data set, and never with a published FID.
- An epoch leaves out the last images where they do not fill a batch: which ones, changes from epoch to epoch.
- `diversity` is the mean squared distance of two samples; that of the test images is another for every data set.
- `reported` and `ratio`, ours over theirs, stand only where the report has a number for the same quantity. All of these
  are the better the lower.
- A time is a CPU's work in all, of one thread or several, on the machine that the row's file names; where it says so it
  is that of training alone by the clock, on a GPU, or on a machine that may have done other things, too.

"""
EMPTY = "None yet.\n"
ENDED = {"budget": "time was up", "trained": "as asked", "settled": "settled"}
SHORTER = "trained for less, or otherwise than reported"
REMARKS = {  # beside a data set's name
    "birds-2010": "birds-2010 (6,030 photographs, not CUB-200-2011)",
    "cub": "cub (CUB-200-2011, 1.2 GB that `prepare.py` downloads)",
}
HIDDEN = ("prior", "volume", "noise", "BCE", "SSIM")  # parts of a flow's loss; what 1 - SSIM and the error say, too


def text(folder: Path) -> str:
    """
    Raises:
        ValueError: a file in the folder is no result of a recipe.
    """
    found = results(folder)
    whole = {row: result for row, result in found.items() if is_whole(result)}
    less = {row: result for row, result in found.items() if row not in whole}
    ours = {row: whole.pop(row) for row in list(whole) if group(RECIPES[row[0]]) == OURS}
    rows = [(name, own) for name, recipe in RECIPES.items() for own in recipe.data]
    rest = [row for row in rows if row not in found]
    return (
        f"{HEAD}## Trained as reported\n\n{table(whole, ('epochs', 'time'))}\n"
        f"## Systems of our own, trained whole\n\n{table(ours, ('epochs', 'time'))}\n"
        f"## Trained for less\n\n{table(less, ('epochs', 'of', 'time', 'ended'))}\n"
        f"## Built, and stepping only\n\n{needs(rest)}\n{reports(folder)}"
    )


def results(folder: Path) -> dict[tuple[str, str], dict]:
    """(recipe, data) -> result, in the order of the recipes."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            row = result["recipe"], result["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the result of a run ({error}): bring it back from git") from None
        if row[0] not in RECIPES or path.stem != "-".join(row):
            raise ValueError(f"{path} is of no recipe that there is: remove it")
        found[row] = result
    names = list(RECIPES)
    return dict(sorted(found.items(), key=lambda item: (names.index(item[0][0]), item[0][1])))


def is_whole(result: dict) -> bool:
    settings = settings_of(RECIPES[result["recipe"]], result["data"])
    return result["as_reported"] and result["recipe_settings"] == json.loads(dumped(settings))


def table(found: dict[tuple[str, str], dict], length: tuple[str, ...]) -> str:
    if not found:
        return EMPTY
    head = ("recipe", "data", *length, "measured", "reported", "ratio")
    return markdown([head, *(cells(RECIPES[name], own, result, length) for (name, own), result in found.items())])


def cells(recipe: Recipe, own: str, result: dict, length: tuple[str, ...]) -> tuple[str, ...]:
    test, targets = result["test"], recipe.targets.get(own, {})
    shown = sorted(
        (name for name in test if name not in HIDDEN or name in targets), key=lambda name: name not in targets
    )
    measured = ", ".join(f"{name} {number(test[name])}" for name in shown) or "–"
    measured = f"ended at {result['ended']}" if is_whole(result) and result["ended"] not in ENDED else measured
    reported = ", ".join(f"{name} {value:g}" for name, value in targets.items())
    ratios = [f"{test[name] / value:.3g}" for name, value in targets.items() if test.get(name) is not None]
    ended = ENDED.get(result["ended"], result["ended"])
    words = {
        "epochs": f"{result['epochs']:g}",
        "of": planned(recipe, own),
        "time": time(result),
        "ended": ended,
    }
    said = [words[name] for name in length]
    return (f"`{result['recipe']}`", REMARKS.get(own, own), *said, measured, reported, ", ".join(ratios))


def time(result: dict) -> str:
    """Work where a processor did it, beside which others may have worked; else what the clock said."""
    worked = result["environment"]["device"] == "cpu" and result.get("cpu_seconds")
    return duration(worked) if worked else f"{duration(result['seconds'])} by the clock"


def number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def planned(recipe: Recipe, own: str) -> str:
    return f"{recipe.epochs_on(own):,}" if recipe.epochs_on(own) else f"{recipe.steps:,} steps"


def needs(rows: list[tuple[str, str]]) -> str:
    """What every row that has no result waits for."""
    if not rows:
        return "None: every system has been trained.\n"
    lines: list[tuple[str, ...]] = [("recipe", "data", "epochs", "hours of one CPU thread, estimated")]
    for name, own in rows:
        recipe = RECIPES[name]
        hours = recipe.hours * (recipe.epochs_on(own) / recipe.epochs_on(recipe.data[0]) if recipe.epochs else 1)
        said = f"{hours:.2g}" if hours else "not known"
        lines.append((f"`{name}`", REMARKS.get(own, own), planned(recipe, own), said))
    return markdown(lines)


def reports(folder: Path) -> str:
    """For each report what came of it, and, folded, what it says of every system and what we chose."""
    groups: dict[str, list[str]] = {}
    for name, recipe in RECIPES.items():
        groups.setdefault(group(recipe), []).append(name)
    parts = []
    for title, names in sorted(groups.items(), key=lambda item: (item[0] == OURS, item[0])):
        words = folder / f"{title.replace(' ', '_')}.md"
        said = words.read_text(encoding="utf-8").strip() + "\n\n" if words.is_file() else ""
        parts.append(f"## {title[:1].upper()}{title[1:]}\n\n{said}{folded(names)}")
    return "\n".join(parts)


def folded(names: list[str]) -> str:
    lines = ["<details><summary>What it says of each system, and what is our choice</summary>\n"]
    for name in names:
        recipe = RECIPES[name]
        lines.append(f"- `{name}` ({recipe.source}): {recipe.reported}")
        lines += [f"  - choice: {choice}" for choice in recipe.choices]
    return "\n".join([*lines, "\n</details>\n"])


def markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines) + "\n"
