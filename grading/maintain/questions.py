"""Written questions and exercises: has each what a grader and a learner need? Complaints, one line each."""

import re
from collections import Counter
from collections.abc import Iterator

from ..content.overlay import ROOT
from ..content.tasks import GUIDE, LABS, QUESTIONS, uneven

GUIDES, BOOKS = "grading/content/questions.toml", "notebooks"
WANTED = {"answer": "a model answer", "misconceptions": "what is often written instead, and the reply"}


def questions_are_guided() -> Iterator[str]:
    """Each question has a model answer, a rubric whose points are the question's, and misconceptions."""
    rows = {row["id"]: row for row in GUIDE["question"]}
    yield from doubled("question", [row["id"] for row in GUIDE["question"]])
    yield from (f"{GUIDES}: {name} is no question of tasks.toml: remove it" for name in rows.keys() - QUESTIONS.keys())
    for name in QUESTIONS:
        row = rows.get(name, {})
        for key, words in WANTED.items():
            if not str(row.get(key, "")).strip():
                yield f"{GUIDES}: {name} has no {key}: write {words}"
        if not row.get("rubric"):
            yield f'{GUIDES}: {name} has no rubric: write lines such as {{ points = 1, says = "…" }}'
            continue
        if not all(line.get("says", "").strip() and line.get("points", 0) > 0 for line in row["rubric"]):
            yield f"{GUIDES}: each line of the rubric of {name} needs says, and points above 0"
        elif words := uneven(row):
            yield f"{GUIDES}: {words}"


def exercises_are_guided() -> Iterator[str]:
    """Each exercise of a notebook has an expected outcome, and each outcome its exercise."""
    rows = [(row["lab"], row["number"]) for row in GUIDE["exercise"]]
    yield from doubled("exercise", [f"{number} of {lab}" for lab, number in rows])
    asked = {(lab, number) for lab in LABS for number in exercises(lab)}
    for lab, number in sorted(asked - set(rows)):
        yield f"{GUIDES}: exercise {number} of {BOOKS}/{lab}.py has no row: write what it should show"
    for lab, number in sorted(set(rows) - asked):
        yield f"{GUIDES}: {BOOKS}/{lab}.py has no exercise {number}: remove the row, or write the exercise"
    for row in GUIDE["exercise"]:
        if not row.get("expected", "").strip():
            yield f"{GUIDES}: exercise {row['number']} of {row['lab']} has no expected: write what it should show"


def doubled(kind: str, names: list[str]) -> Iterator[str]:
    yield from (f"{GUIDES} has {count} rows of {kind} {name}" for name, count in Counter(names).items() if count > 1)


def exercises(lab: str) -> list[int]:
    """Numbers of the list below the heading of a notebook's exercises."""
    path = ROOT / BOOKS / f"{lab}.py"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r"^# ## [\d.]+ Exercises$(.*?)(?=^# %%|^# ##|\Z)", text, re.MULTILINE | re.DOTALL)
    return [int(number) for number in re.findall(r"^# (\d+)\. ", found[1], re.MULTILINE)] if found else []
