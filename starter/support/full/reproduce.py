"""Train a list of recipes, each in a process of its own, and write what came out beside what was reported.

    python -m starter reproduce --seconds 60              every recipe, a minute of training each
    python -m starter reproduce realnvp-multiscale        one of them, in full size

A recipe whose folder has results is not run again; RESULTS.md holds measured numbers only.
"""

import json
import subprocess
import sys
from pathlib import Path

from .. import data, recipes
from ..data import DataError
from ..recipes import RECIPES, Recipe
from ..runs import replace

HEAD = """# Results

Every named system of the course, trained by `python -m starter train`, beside what its report says. Only measured
numbers stand here. A budget that is a fraction of the report's gives no result to compare; it shows that the system
trains. Seconds are those of training alone.

"""
COLUMNS = ("recipe", "data", "reported", "ours", "ratio", "epochs", "seconds", "parameters", "hardware", "command")
RESULT = "results.json"


def jobs(names: list[str], sets: list[str]) -> list[tuple[str, str]]:
    """(recipe, data) to run; all data sets of a recipe's report unless some are named.

    Raises:
        ValueError: no such recipe; names the nearest.
    """
    chosen = {name: recipes.recipe(name) for name in names} or RECIPES
    return [(name, own) for name, recipe in chosen.items() for own in sets or recipe.data]


def reproduce(names: list[str], sets: list[str], out: Path, table: Path, options: list[str]) -> int:
    """Run what has no results yet, then write the table; how many runs failed."""
    failed, notes = 0, {}
    for name, own in jobs(names, sets):
        folder = out / f"{name}-{own}"
        if (folder / RESULT).exists():
            continue
        try:
            data.load(own, "test")
        except DataError as missing:
            notes[name, own] = f"not run: {missing}"
            continue
        command = ["train", "--recipe", name, "--data", own, *options]
        print(f"python -m starter {' '.join(command)}", flush=True)
        more = ["--out", str(folder), *(["--resume"] if (folder / "last.pt").exists() else [])]
        run = subprocess.run([sys.executable, "-m", "starter", *command, *more], stderr=subprocess.PIPE, text=True)
        if run.returncode:
            failed += 1
            notes[name, own] = f"stopped: {(run.stderr.strip() or 'no reason given').splitlines()[-1]}"
            print(notes[name, own], flush=True)
        else:
            found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
            replace(folder / RESULT, json.dumps(found | {"command": " ".join(command)}, indent=1).encode())
    replace(table, (HEAD + markdown(rows(out, notes))).encode())
    return failed


def rows(out: Path, notes: dict[tuple[str, str], str]) -> list[tuple]:
    """A row for every recipe and data set of its report, and for whatever else has results."""
    found = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"*/{RESULT}"))}
    table = []
    for name, recipe in RECIPES.items():
        mine = [result for result in found.values() if result["recipe"] == name]
        table += [row(recipe, result) for result in mine]
        for own in [own for own in recipe.data if own not in {result["data"] for result in mine}]:
            note = notes.get((name, own), "not run")
            table.append((f"`{name}`", own, recipe.reported, note, *[""] * 6))
    return table


def row(recipe: Recipe, result: dict) -> tuple:
    test, machine = result["test"], result["environment"]
    metric, target = recipe.targets.get(result["data"], (None, None))
    shown = [metric] if metric in test else [name for name in test if name not in ("prior", "volume", "noise")]
    ours = ", ".join(f"{name} {test[name]:.4g}" for name in shown) or "no number can be measured offline"
    ratio = f"{test[metric] / target:.3f}" if metric in test else ""
    hardware = f"{machine['name']}, {machine['threads']} threads" if machine["device"] == "cpu" else machine["name"]
    command = f"`{result['command']}`" if "command" in result else ""
    parts = (f"`{result['recipe']}`", result["data"], recipe.reported, ours, ratio, f"{result['epochs']:g}")
    return (*parts, f"{result['seconds']:.0f}", f"{result['parameters']:,}", hardware, command)


def markdown(table: list[tuple]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *table]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines) + "\n"
