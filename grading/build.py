"""What is generated in starter/: the blanks, and what check() knows."""

import json
import re
from pathlib import Path

from starter.support import compare, probes
from starter.support.checks import AUTOTEST_SEED, PUBLIC_SEED

from . import catalogue
from .knife import cut
from .overlay import ROOT

CHECKS = ROOT / "starter/support/checks.json"


def blanks() -> dict[Path, str]:
    """Path in starter/ -> the text that the solutions say it should have."""
    labs = (ROOT / "solutions").glob("[!_]*.py")
    return {ROOT / "starter" / path.name: cut(path.read_text(encoding="utf-8")) for path in sorted(labs)}


def facts() -> dict[str, dict]:
    """What check() needs and a learner may see: reference arrays, and fingerprints of wrong answers; no code."""
    return {task: task_facts(task) for task in catalogue.TASKS}


def task_facts(task: str) -> dict:
    row = catalogue.TASKS[task]
    reference = catalogue.reference(catalogue.module_of(task))
    public = catalogue.tables(task, PUBLIC_SEED)
    wrong = [
        {
            "says": entry["says"],
            "fingerprint": compare.fingerprint(
                catalogue.observed(task, catalogue.variant("wrong", task, i), PUBLIC_SEED, public)
            ),
        }
        for i, entry in enumerate(catalogue.answers("wrong")[task])
    ]
    return {
        "lab": row["lab"],
        "module": catalogue.module_of(task),
        **{key: row[key] for key in ("symbol", "points", "statement", "hints")},
        "sizes": probes.sizes(task, reference, PUBLIC_SEED),
        "reference": compare.stored(probes.arrays(task, reference, PUBLIC_SEED, public)),
        "wrong": wrong,
        "tables": {str(PUBLIC_SEED): public, str(AUTOTEST_SEED): catalogue.tables(task, AUTOTEST_SEED, ("right",))},
    }


def compact(table: dict) -> str:
    """JSON with one line per list of numbers: short, and it diffs."""
    text = json.dumps(rounded(table), indent=1, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m[0].split()), text) + "\n"


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return compare.short(value)


def write(path: Path, text: str) -> bool:
    """Write what differs; True if it did."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def build() -> list[Path]:
    """Bring starter/ in line with solutions/; the files that changed."""
    changed = [path for path, text in blanks().items() if write(path, text)]
    text = compact(facts())
    return changed + ([CHECKS] if write(CHECKS, text) else [])
