"""What is generated: the blanks, what check() and answer know, tables of tasks.toml, RESULTS.md, and the notebooks."""

import json
import re
from pathlib import Path

from starter.support import compare, probes
from starter.support.checks import AUTOTEST_SEED, PUBLIC_SEED
from starter.support.differences import FEW
from starter.support.full import table

from ..content import known_answers
from ..content.overlay import ROOT, blanks
from ..content.tasks import (
    LABS,
    MODEL_ANSWERS,
    MODULES,
    QUESTIONS,
    TASKS,
    UNANSWERED,
    module_of,
    outcomes_of,
    tasks_of,
)
from ..judge.verdicts import published

CHECKS = ROOT / "starter/support/checks.json"
ANSWERS = ROOT / "starter/support/questions.json"
RESULTS = ROOT / "RESULTS.md"
Row = tuple[object, ...]  # of a table


def facts() -> dict[str, dict]:
    """What check() needs and a learner may see: reference arrays, and fingerprints of wrong answers; no code."""
    return {task: task_facts(task) for task in TASKS}


def task_facts(task: str) -> dict:
    row = TASKS[task]
    reference = known_answers.reference(module_of(task))
    public, other = known_answers.tables(task, PUBLIC_SEED), known_answers.tables(task, AUTOTEST_SEED, ("right",))
    wrong = [
        {
            "says": entry["says"],
            "fingerprint": compare.fingerprint(
                known_answers.observed(task, known_answers.variant("wrong", task, i), PUBLIC_SEED, public)
            ),
        }
        for i, entry in enumerate(known_answers.answers("wrong")[task])
    ]
    elsewhere = probes.arrays(task, reference, AUTOTEST_SEED, other)
    small = {name: array for name, array in elsewhere.items() if array.dtype.kind == "f" and array.size <= FEW}
    return {
        "lab": row["lab"],
        "module": module_of(task),
        **{key: row[key] for key in ("symbol", "points", "statement", "hints")},
        "sizes": probes.sizes(task, reference, PUBLIC_SEED),
        "reference": compare.stored(probes.arrays(task, reference, PUBLIC_SEED, public)),
        "fingerprint": compare.fingerprint(elsewhere),
        "elsewhere": {
            "sizes": probes.sizes(task, reference, AUTOTEST_SEED),
            "reference": compare.stored(small),
        },
        "expects": known_answers.expects(task),
        "parts": row.get("returns", []),
        "wrong": wrong,
        "tables": {str(PUBLIC_SEED): public, str(AUTOTEST_SEED): other},
    }


def answers() -> str:
    """What `python -m starter answer` shows. Rubrics and misconceptions are the grader's."""
    questions = {
        name: {"lab": row["lab"], "answer": MODEL_ANSWERS.get(name, {}).get("answer", "").strip()}
        for name, row in QUESTIONS.items()
    }
    exercises = {lab: [text.strip() for text in outcomes_of(lab)] for lab in LABS}
    table = {"unanswered": UNANSWERED, "questions": questions, "exercises": exercises}
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


def compact(table: dict) -> str:
    """JSON with one line per list of numbers: short, and it diffs."""
    text = json.dumps(rounded(table), indent=1, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m[0].split()), text) + "\n"


def alike(one, other, key: str = "") -> bool:
    """The same facts, up to the last digits of a float: another processor rounds differently."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name], name) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-4 * max(1.0, abs(other)) or one != one and other != other
    return compare.alike(one, other) if key == "fingerprint" else one == other


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


def page(name: str) -> str:
    """A page, with what stands between its two marks, such as `<!-- labs -->` and `<!-- /labs -->`, made anew.

    Raises:
        ValueError: it lacks a mark.
    """
    text, (mark, rows) = (ROOT / name).read_text(encoding="utf-8"), PAGES[name]
    start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    before, found, rest = text.partition(start)
    if not found or end not in rest:
        raise ValueError(f"{name} lacks the marks {start.strip()} and {end}")
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows()]
    lines.insert(1, "| --- " * len(rows()[0]) + "|")
    return before + start + "\n".join(lines) + "\n" + rest[rest.index(end) :]


def lab_rows() -> list[Row]:
    rows: list[Row] = [("#", "notebook", "module", "builds on", "you learn", "tasks", "points", "minutes")]
    numbers = {MODULES.get(name): number for number, name in enumerate(LABS, 1)}
    for number, (name, lab) in enumerate(LABS.items(), 1):
        points = sum(row["points"] for row in (*TASKS.values(), *QUESTIONS.values()) if row["lab"] == name)
        book = f"[`{name}`](notebooks/{name}.ipynb)"
        module = f"`starter/{MODULES[name]}.py`" if name in MODULES else "–"
        before = ", ".join(map(str, sorted(numbers[module] for module in published(name)))) or "–"
        rows.append((number, book, module, before, lab["teaches"], len(tasks_of(name)), points, lab["minutes"]))
    return rows


def task_rows() -> list[Row]:
    rows: list[Row] = [("task", "function", "what it must do", "points", "minutes", "difficulty")]
    for task, row in TASKS.items():
        hard = "●" * row["difficulty"]
        rows.append((f"`{task}`", f"`{row['symbol']}`", row["statement"], row["points"], row["minutes"], hard))
    return rows


PAGES = {"README.md": ("labs", lab_rows), "docs/tasks.md": ("tasks", task_rows)}


def build() -> list[Path]:
    """Bring starter/, the pages with tables and the notebooks in line with their sources; the files that changed."""
    from . import notebooks

    changed = [path for path, text in blanks().items() if write(path, text)]
    text = compact(facts())
    if not CHECKS.exists() or not alike(json.loads(CHECKS.read_text(encoding="utf-8")), json.loads(text)):
        changed += [CHECKS] if write(CHECKS, text) else []
    changed += [ANSWERS] if write(ANSWERS, answers()) else []
    changed += [ROOT / name for name in PAGES if write(ROOT / name, page(name))]
    changed += [RESULTS] if write(RESULTS, table.text(ROOT / "results")) else []
    for twin in notebooks.texts():
        if notebooks.stale(twin):
            print(f"running {twin.name} ...", flush=True)
            notebooks.build(twin)
            changed.append(twin.with_suffix(".ipynb"))
    return changed
