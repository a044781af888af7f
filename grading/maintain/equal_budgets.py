"""Every model of the course, trained for the same seconds of one core, for the comparison in the last lab.

    python -m grading equal-budgets [LAB ...]

Each notebook is run as it is, on the notebooks' default data set: what it trains under a name gets the seconds of
runs.PRICE, everything else three steps. A model's runs of three seeds are written down as those of the data sets
DATA-equal-0, -1 and -2, with the seconds that they had: the last lab refuses others.
"""

import json
import shutil
import tempfile
from pathlib import Path

from starter.support import data, runs

from ..content.tasks import LABS, MODULES

SEEDS = (0, 1, 2)


def folder(seed: int) -> Path:
    return runs.REFERENCE / f"{data.default()}-equal-{seed}"


def trained(lab: str, seed: int) -> list[str]:
    """Names of the runs that a lab's notebook writes down, kept in the seed's folder."""
    from .notebooks import FOLDER, executed

    own, text = data.default(), FOLDER / f"{lab}.py"
    with tempfile.TemporaryDirectory() as place:
        settings = {"RUN_CPU_SECONDS": str(runs.PRICE), "MAX_STEPS": "3", "SEED": str(seed), "DATA": own, "RUNS": place}
        executed(text, None, True, **settings)
        found = sorted(Path(place).glob(f"{own}/*.json"))
        for path in found:
            keep(path, folder(seed))
    return [path.stem for path in found]


def keep(path: Path, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    record = json.loads(path.read_text(encoding="utf-8")) | {"data": place.name}
    record["settings"]["cpu_seconds"] = runs.PRICE
    shutil.copy(path.with_suffix(".png"), place)
    (place / path.name).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main(labs: list[str] | None = None) -> int:
    for seed in SEEDS:
        for lab in labs or [lab for lab in LABS if lab in MODULES]:
            names = trained(lab, seed)
            print(f"{lab}, seed {seed}: {', '.join(names) or 'no run has a name'}", flush=True)
    return 0
