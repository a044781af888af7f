"""Bands: how far a reference result may lie from seed to seed, measured, and shown to fail for broken models.

    python -m grading bands [LAB ...]    # reference seeds and broken models, writes bands.json and bands.toml
    python -m grading bands --fresh 5    # other seeds against the bands as they are
    DATA=digits16 python -m grading bands    # those of another data set than the notebooks' default

Notebooks are run as they are, with SEED and BANDS_LOG set; nothing here knows what they train. Each data set has bands
of its own.
"""

import json
import math
import statistics
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from starter.support import data, training

from ..content import known_answers
from ..content.overlay import ROOT
from ..content.tasks import LABS, MODULES, TABLE

# Data set -> lab -> model ("reference" or a wrong answer) -> result -> value per seed
RECORD = ROOT / "grading/maintain/bands.json"
BANDS = Path(training.__file__).with_name("bands.toml")
SEEDS = (0, 1, 2, 3, 4)


def measured(lab: str, seed: int, answer: str | None = None) -> dict[str, float]:
    """The results that a notebook prints, for one seed, on the reference or with one wrong answer in it."""
    from .notebooks import FOLDER, executed

    modules = None
    if answer:
        entry = next(e for entries in known_answers.answers("wrong").values() for e in entries if e["id"] == answer)
        modules = {MODULES[lab]: known_answers.answer_text(entry)}
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as log:
        executed(FOLDER / f"{lab}.py", modules, keep_going=bool(answer), SEED=str(seed), BANDS_LOG=log.name)
        rows = [json.loads(line) for line in log.read().splitlines()]
    return {row["name"]: row["value"] for row in rows}


def width(name: str, images: str) -> dict:
    rule: dict = next((rule for rule in TABLE["band"] if rule["name"] == name), {})
    return rule.get(images, rule)


def band(name: str, values: list[float], images: str = data.DEFAULT) -> tuple[float, float]:
    """From tasks.toml: `spread` around the median to both sides, or `factor` times the median on one side."""
    rule, middle = width(name, images), statistics.median(values)
    if "factor" in rule:
        return 0.0, rounded(middle * rule["factor"])
    return rounded(middle * (1 - rule["spread"])), rounded(middle * (1 + rule["spread"]))


def rounded(value: float) -> float:
    return float(f"{value:.3g}")


def measure(lab: str) -> dict:
    """Model -> result -> values, for the reference's seeds and for the lab's broken models."""
    runs = {"reference": [measured(lab, seed) for seed in SEEDS]}
    for answer in LABS[lab]["broken"]:
        runs[answer] = [measured(lab, SEEDS[0], answer)]
    return {model: columns(results) for model, results in runs.items()}


def columns(results: list[dict[str, float]]) -> dict[str, list[float]]:
    return {name: [float(f"{result[name]:.5g}") for result in results if name in result] for name in results[0]}


def main(labs: list[str] | None = None, fresh: int = 0) -> int:
    labs = labs or list(MODULES)
    if fresh:
        return check_fresh(labs, fresh)
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    for lab in labs:
        known = record.get(data.default(), {}) | {lab: measure(lab)}
        record[data.default()] = {lab: known[lab] for lab in LABS if lab in known}
        print(f"{lab}: {json.dumps(known[lab])}", flush=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    BANDS.write_text(as_toml(record), encoding="utf-8")
    complaints = list(results_stay_in_their_bands())
    print(
        "\n".join([*complaints, f"bands: {len(labs)} labs measured on {data.default()}, {len(complaints)} complaints."])
    )
    return 1 if complaints else 0


def as_toml(record: dict) -> str:
    lines = ["# Lowest and highest value of each result, per data set. Generated: make bands"]
    for images, labs in record.items():
        lines.append(f"[{images}]")
        for runs in labs.values():
            lines += [f'"{name}" = {list(band(name, values, images))}' for name, values in runs["reference"].items()]
    return "\n".join(lines) + "\n"


def check_fresh(labs: list[str], count: int) -> int:
    outside = 0
    for lab in labs:
        for seed in range(100, 100 + count):
            for name, value in measured(lab, seed).items():
                low, high = training.band(name)
                inside = low <= value <= high
                outside += not inside
                print(f"{lab} seed {seed}: {name} {value:.4g} {'in' if inside else 'OUTSIDE'} [{low:g}, {high:g}]")
    print(f"bands: {outside} results outside on {count} fresh seeds.")
    return 1 if outside else 0


def results_stay_in_their_bands() -> Iterator[str]:
    """Every reference seed inside its band, and for every band at least one broken model outside."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    known = tomllib.loads(BANDS.read_text(encoding="utf-8"))
    for images in record.keys() | known.keys() | {data.DEFAULT}:
        yield from on_one_set(record.get(images, {}), known.get(images, {}), images)


def on_one_set(record: dict, bands: dict, images: str) -> Iterator[str]:
    names = {name for runs in record.values() for name in runs["reference"]}
    if not names:
        yield f"{images}: no result was measured: run `DATA={images} make bands`"
    for name in names ^ bands.keys():
        yield f"{name}: in only one of grading/maintain/bands.json and starter/support/bands.toml: run `make bands`"
    for lab, runs in record.items():
        for name, values in runs["reference"].items():
            low, high = bands.get(name, (math.nan, math.nan))
            if len(values) < len(SEEDS) or not all(low <= value <= high for value in values):
                yield f"{lab}: {name} has {values} on the reference, not all in [{low}, {high}]"
            broken = {model: runs[model].get(name, []) for model in runs if model != "reference"}
            stays = all(low <= value <= high for values in broken.values() for value in values)
            if stays and width(name, images).get("telling", True):
                yield f"{lab}: {name} stays in [{low}, {high}] for every broken model: {broken}"
        for model, results in runs.items():
            if model != "reference" and all(inside(bands.get(name), values) for name, values in results.items()):
                yield f"{lab}: {model} leaves no band on {images}: {results}"


def inside(band: list[float] | None, values: list[float]) -> bool:
    return band is not None and all(band[0] <= value <= band[1] for value in values)
