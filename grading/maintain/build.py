"""What is generated: the blanks, what check() and answer know, tables of tasks.toml, RESULTS.md, and the notebooks."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from starter.support import compare

from ..content import known_answers
from ..content.mistake import Mistake
from ..content.overlay import ROOT, blanks
from ..content.reference_text import published
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

CHECKS = ROOT / "starter/support/checks.json"
ANSWERS = ROOT / "starter/support/questions.json"
NAMES = ROOT / "starter/support/labs.json"
GIVEN = ROOT / "starter/support/given.json"
RESULTS = ROOT / "RESULTS.md"
Row = tuple[object, ...]  # of a table


def facts() -> dict[str, dict]:
    """What check() needs and a learner may see: reference arrays, and fingerprints of wrong answers; no code.

    Raises:
        ValueError: a probe cannot ask its reference.
    """
    return {task: task_facts(task) for task in TASKS}


@cache
def task_facts(task: str) -> dict:
    try:
        return asked(task)
    except Exception as error:
        words = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(
            f"starter/support/probes/{module_of(task)}.py: {task}'s probe fails on its answer: {words}"
        ) from error


def asked(task: str) -> dict:
    from starter.support import probes
    from starter.support.checks import AUTOTEST_SEED, PUBLIC_SEED
    from starter.support.differences import firsts, small

    row = TASKS[task]
    reference = known_answers.reference(module_of(task))
    public, other = known_answers.tables(task, PUBLIC_SEED), known_answers.tables(task, AUTOTEST_SEED, ("right",))
    want = probes.arrays(task, reference, PUBLIC_SEED, public)
    wrong = []
    for i, entry in enumerate(known_answers.answers("wrong")[task]):
        got = known_answers.probe_arrays(task, known_answers.variant("wrong", task, i), PUBLIC_SEED, public)
        wrong.append({"says": entry["says"], "fingerprint": compare.fingerprint(got, want)})
    elsewhere = probes.arrays(task, reference, AUTOTEST_SEED, other)
    return {
        "lab": row["lab"],
        "module": module_of(task),
        **{key: row[key] for key in ("symbol", "points", "statement", "hints")},
        "sizes": probes.sizes(task, reference, PUBLIC_SEED),
        "reference": compare.stored(want),
        "fingerprint": compare.fingerprint(elsewhere),
        "elsewhere": {
            "sizes": probes.sizes(task, reference, AUTOTEST_SEED),
            "reference": compare.stored(small(elsewhere)),
            "firsts": compare.stored(firsts(elsewhere)),
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
    table = {"questions": questions, "exercises": exercises}
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


def needed(lab: str) -> set[str]:
    """Modules of other labs that a lab's module or its notebook imports, and what these import."""
    lines = re.findall(
        r"^from starter import (.+)$", (ROOT / f"notebooks/{lab}.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = {part.split()[0] for line in lines for part in line.split(",")} & set(MODULES.values())
    labs = {name for name, module in MODULES.items() if module in named}
    return named.union(published(lab), *map(published, labs)) - {MODULES.get(lab)}


def labs() -> str:
    """What a learner's commands know of labs, tasks and questions: names, points, minutes."""
    names = {module: name for name, module in MODULES.items()}
    table = {
        name: {
            **{key: lab[key] for key in ("title", "teaches", "minutes")},
            "module": lab.get("module"),
            "builds_on": sorted(names[module] for module in needed(name)),
            "tasks": {
                task: {key: TASKS[task][key] for key in ("symbol", "points", "minutes", "statement")}
                for task in tasks_of(name)
            },
            "questions": {question: row["points"] for question, row in QUESTIONS.items() if row["lab"] == name},
        }
        for name, lab in LABS.items()
    }
    return json.dumps({"unanswered": UNANSWERED, "labs": table}, indent=1, ensure_ascii=False) + "\n"


def given() -> str:
    """Every module with its blanks, for `python -m starter reset`: a learner's own copy is filled."""
    return json.dumps({path.stem: text for path, text in blanks().items()}, indent=1, ensure_ascii=False) + "\n"


def compact(table: dict) -> str:
    """JSON with one line for each array, wrong answer and row of a table: short, and it diffs."""
    return lines(rounded(table), 0) + "\n"


def lines(value: Any, depth: int) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not ("[{" in text or isinstance(value, dict) and value and depth < 3):
        return text
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    items = [(f"{json.dumps(name)}: " if name else "") + lines(item, depth + 1) for name, item in pairs]
    before = "\n" + depth * " "
    return f"{text[0]}{before} {f',{before} '.join(items)}{before}{text[-1]}"


def alike(one: Any, other: Any, key: str = "") -> bool:
    """The same facts, up to the last digits of a float: another processor rounds differently."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name], name) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-4 * max(1.0, abs(other)) or one != one and other != other
    return compare.alike(one, other) if key == "fingerprint" else one == other


def as_stored(one: dict) -> dict:
    return json.loads(compact(one))


def rounded(value: Any) -> Any:
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
    numbers = {MODULES.get(name): int(name.split("_")[0]) for name in LABS}
    for name, lab in LABS.items():
        points = sum(row["points"] for row in (*TASKS.values(), *QUESTIONS.values()) if row["lab"] == name)
        book = f"[`{name}`](notebooks/{name}.ipynb)"
        module = f"`starter/{MODULES[name]}.py`" if name in MODULES else "–"
        before = ", ".join(map(str, sorted(numbers[module] for module in needed(name)))) or "–"
        rows.append(
            (int(name.split("_")[0]), book, module, before, lab["teaches"], len(tasks_of(name)), points, lab["minutes"])
        )
    return rows


def task_rows() -> list[Row]:
    rows: list[Row] = [("task", "function", "what it must do", "points", "minutes", "difficulty")]
    for task, row in TASKS.items():
        hard = "●" * row["difficulty"]
        rows.append((f"`{task}`", f"`{row['symbol']}`", row["statement"], row["points"], row["minutes"], hard))
    return rows


PAGES = {"README.md": ("labs", lab_rows), "docs/tasks.md": ("tasks", task_rows)}


def build() -> list[Path]:
    """Bring starter/, the pages with tables and the notebooks in line with their sources; the files that changed.

    Raises:
        Mistake: something cannot be made, and nothing is written; or a cell of a notebook fails.
    """
    from starter.support.full import table

    from . import made as uncatalogued
    from . import notebooks

    try:
        made = {**blanks(), CHECKS: compact(facts()), RESULTS: table.text(ROOT / "results")}
        made |= {ANSWERS: answers(), NAMES: labs(), GIVEN: given()}
        made |= {ROOT / name: page(name) for name in PAGES}
        late = [twin for twin in notebooks.texts() if notebooks.stale(twin)]
    except ValueError as wrong:
        raise Mistake(f"nothing is written: {wrong}") from wrong
    if CHECKS.exists() and alike(json.loads(CHECKS.read_text(encoding="utf-8")), json.loads(made[CHECKS])):
        del made[CHECKS]
    changed = [path for path, text in made.items() if write(path, text)]
    changed += uncatalogued.build()
    for twin in late:
        if not notebooks.reworded(twin):
            print(f"running {twin.name} ...", flush=True)
            notebooks.build(twin)
        changed.append(twin.with_suffix(".ipynb"))
    return changed
