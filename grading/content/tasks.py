"""Labs, tasks and questions, from tasks.toml and questions.toml. No torch: looking something up is quick."""

import sys
import tomllib
from collections.abc import Mapping

from .overlay import ROOT

FILE = ROOT / "grading/content/tasks.toml"


def by_name(table: dict, kind: str, *keys: str) -> dict[str, dict]:
    """Rows of one kind by the first of the keys that every one of them needs; ends the program where one lacks it."""
    for number, row in enumerate(table[kind], 1):
        if lacking := [key for key in keys if not isinstance(row.get(key), str)]:
            sys.exit(f"{FILE.relative_to(ROOT)}: [[{kind}]] number {number} has no {lacking[0]}, a text")
    return {row[keys[0]]: row for row in table[kind]}


try:
    TABLE = tomllib.loads(FILE.read_text(encoding="utf-8"))
except tomllib.TOMLDecodeError as wrong:
    sys.exit(f"{FILE.relative_to(ROOT)}: {wrong}")  # nothing of the course can be run without it
LABS, TASKS = by_name(TABLE, "lab", "name"), by_name(TABLE, "task", "id", "lab")
QUESTIONS = by_name(TABLE, "question", "id", "lab")
GUIDE = tomllib.loads((ROOT / "grading/content/questions.toml").read_text(encoding="utf-8"))
MODEL_ANSWERS = {row["id"]: row for row in GUIDE["question"]}  # answer, rubric, misconceptions
UNANSWERED = "Your answer."  # stands where an answer is to be written: whoever leaves it has given none

MODULES = {name: lab["module"] for name, lab in LABS.items() if "module" in lab}  # the last lab only asks questions


def module_of(task: str) -> str:
    return MODULES[TASKS[task]["lab"]]


def files_of(lab: str) -> dict[str, str]:
    """Suffix -> path of what a learner hands in: the notebook, and the module when the lab has one."""
    module = {".py": f"starter/{MODULES[lab]}.py"} if lab in MODULES else {}
    return {".ipynb": f"{lab}.ipynb"} | module


def tasks_of(lab: str) -> list[str]:
    return [task for task, row in TASKS.items() if row["lab"] == lab]


def outcomes_of(lab: str) -> list[str]:
    """What a lab's exercises should show, in their order."""
    rows = sorted((row for row in GUIDE["exercise"] if row["lab"] == lab), key=lambda row: row["number"])
    return [row.get("expected", "") for row in rows]


def uneven(row: Mapping) -> str:
    """What is wrong with the rubric of a question's row, if its points are not the question's; else nothing."""
    total, points = sum(line["points"] for line in row["rubric"]), QUESTIONS[row["id"]]["points"]
    return "" if total == points else f"the rubric of {row['id']} has {total:g} points, tasks.toml gives it {points:g}"


def rubric_of(question: str) -> list[str]:
    """What must be said, and its points: a line each."""
    rows = MODEL_ANSWERS[question]["rubric"]
    return [f"{row['points']:g} point{'s' * (row['points'] != 1)}: {row['says']}" for row in rows]
