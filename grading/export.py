"""Export: the gradebook as tables. grades.csv has everything; canvas.csv is what Canvas imports.

Canvas takes a column for the assignment whose name it has; `ID` is the number that it put into the names of the files
(the id that `collect` found), and the row `Points Possible` says what an assignment is out of. Upload it under Grades,
Import: a column that Canvas does not know is offered as a new assignment. Students without a submission stay empty.
"""

import csv
import io
import unicodedata
from collections.abc import Callable
from pathlib import Path

from nbgrader.api import Gradebook, SubmittedAssignment

from . import table
from .course import Course, Mistake, replace
from .plain import line

GRADED = [*table.TASKS, *table.QUESTIONS]
COLUMNS = ["student", "id", "first_name", "last_name", "lab", "submitted", "seconds_late", "penalty", "to_read"]


def export(course: Course, say: Callable[[str], None] = print) -> list[Path]:
    """
    Raises:
        Mistake: nothing is graded yet.
    """
    if not (course.root / "gradebook.db").exists():
        raise Mistake(f"there is no gradebook in {course.root}: run `python -m grading release LAB` first")
    with course.gradebook() as gradebook:
        found = submissions(course, gradebook)
        if not found:
            raise Mistake(f"nothing is graded in {course.root}: run `python -m grading autograde LAB` first")
        tables = {"grades.csv": grades(found), "canvas.csv": canvas(gradebook, found)}
    for name, rows in tables.items():
        replace(course.root / name, text(rows))
    say(f"{len(found)} submissions in {' and '.join(str(course.root / name) for name in tables)}.")
    return [course.root / name for name in tables]


def submissions(course: Course, gradebook: Gradebook) -> dict[tuple[str, str], SubmittedAssignment]:
    """(student, lab) -> what the gradebook has; only what is graded to the end."""
    return {
        (student, lab): gradebook.find_submission(lab, student) for lab in table.LABS for student in course.graded(lab)
    }


def grades(found: dict) -> list[list]:
    """One row for each student and lab."""
    rows = [[*COLUMNS, *GRADED, "total", "out_of"]]
    for (name, lab), one in sorted(found.items()):
        scores = {grade.name: grade.score for notebook in one.notebooks for grade in notebook.grades}
        person, penalty = one.student, penalty_of(one)
        rows.append(
            [name, person.lms_user_id, person.first_name, person.last_name, lab, one.timestamp or ""]
            + [one.total_seconds_late, penalty, "yes" if one.needs_manual_grade else "no"]
            + [scores.get(task, "") for task in GRADED]
            + [total(one), one.max_score]
        )
    return rows


def canvas(gradebook: Gradebook, found: dict) -> list[list]:
    labs = [lab for lab in table.LABS if any(lab == graded for _, graded in found)]
    most = {lab: next(one.max_score for (_, graded), one in found.items() if graded == lab) for lab in labs}
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [head + [f"{table.LABS[lab]['title']} ({lab})" for lab in labs]]
    rows.append(["    Points Possible", "", "", "", ""] + [most[lab] for lab in labs])
    for person in gradebook.students:
        names = ", ".join(name for name in (person.last_name, person.first_name) if name) or person.id
        points = [total(found[person.id, lab]) if (person.id, lab) in found else "" for lab in labs]
        rows.append([names, person.lms_user_id or person.id, "", "", ""] + points)
    return rows


def penalty_of(one: SubmittedAssignment) -> float:
    return sum(notebook.late_submission_penalty or 0 for notebook in one.notebooks)


def total(one: SubmittedAssignment) -> float:
    return max(one.score - penalty_of(one), 0)


def text(rows: list[list]) -> str:
    memory = io.StringIO()
    csv.writer(memory).writerows([[cell(value) for value in row] for row in rows])
    return "\ufeff" + memory.getvalue()  # the mark by which spreadsheets know UTF-8


def cell(value) -> str:
    """A stranger's text that a spreadsheet would take for a formula is quoted."""
    if isinstance(value, float | int):
        return f"{value:g}"
    shown = str(value) if value is not None else ""
    shown = shown if shown.startswith("    Points") else line(shown)
    first = unicodedata.normalize("NFKC", shown.lstrip())[:1]
    return f"'{shown}" if first and first in "=+-@|" else shown
