"""Export: the gradebook as tables. grades.csv has everything; canvas.csv and moodle-LAB.csv are what an LMS imports.

Canvas takes a column for the assignment whose name it has; `ID` is the number that it put into the names of the files
(the id that `collect` found), and the row `Points Possible` says what an assignment is out of. Upload it under Grades,
Import: a column that Canvas does not know is offered as a new assignment. Students without a submission stay empty.

Moodle takes a grading worksheet for one assignment, with that assignment's Upload grading worksheet (its feedback type
Offline grading worksheet must be on, its maximum grade the lab's, its language English). It knows a participant by the
number that it put into the names of the folders.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import func

from ..content.harmless_text import line
from ..content.mistake import Mistake
from ..content.tasks import LABS, QUESTIONS, TASKS
from .course_folder import Course, replace

Row = Sequence[object]

GRADED = [*TASKS, *QUESTIONS]
COLUMNS = ["student", "id", "first_name", "last_name", "lab", "submitted", "seconds_late", "penalty", "to_read"]
MOODLE = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Grade can be changed"]
MODIFIED = ["Last modified (submission)", "Last modified (grade)"]


@dataclass
class Result:
    """One submission, as the gradebook has it."""

    person: Student
    stamp: datetime | None
    late: float  # seconds
    penalty: float
    out_of: float
    to_read: bool = False
    rescaled: bool = False  # a task was worth other points when this was graded
    scores: dict[str, float] = field(default_factory=dict)  # by task and question; none for an answer that nobody read

    @property
    def total(self) -> float:
        return max(sum(self.scores.values()) - self.penalty, 0)


def results(course: Course, gradebook: Gradebook, lab: str) -> dict[str, Result]:
    """By student, what is graded to the end. Two queries, however large the class is."""
    done, people = set(course.graded(lab)), {person.id: person for person in gradebook.students}
    try:
        out_of = gradebook.find_assignment(lab).max_score
    except MissingEntry:  # not released
        return {}
    sheets = gradebook.db.query(SubmittedAssignment, SubmittedNotebook).join(SubmittedNotebook.assignment)
    found = {
        one.student_id: Result(
            people[one.student_id], one.timestamp, one.total_seconds_late, sheet.late_submission_penalty or 0, out_of
        )
        for one, sheet in sheets.join(SubmittedAssignment.assignment).filter(Assignment.name == lab)
        if one.student_id in done
    }
    known = func.coalesce(Grade.manual_score, Grade.auto_score, Grade.extra_credit).is_not(None)
    most = func.coalesce(Grade.max_score_gradecell, Grade.max_score_taskcell, 0.0)
    # We give all points of a task or none, so that others are of another scale; a human's word (manual_score) stands.
    rescaled = Grade.auto_score.not_in((0.0, most)) & Grade.manual_score.is_(None)
    columns = (SubmittedAssignment.student_id, BaseCell.name, Grade.score, known, Grade.needs_manual_grade, rescaled)
    grades = gradebook.db.query(*columns).select_from(Grade).join(Grade.cell).join(Grade.notebook)
    grades = grades.join(SubmittedNotebook.assignment).join(SubmittedAssignment.assignment)
    for student, name, score, is_known, waits, other in grades.filter(Assignment.name == lab):
        if student in found:
            found[student].scores |= {name: score} if is_known else {}
            found[student].to_read |= waits
            found[student].rescaled |= bool(other)
    return found


def export(course: Course, say: Callable[[str], None] = print, partial: bool = False) -> list[Path]:
    """Write the tables; their paths.

    Args:
        partial: what an LMS imports takes in unfinished labs, too.

    Raises:
        Mistake: nothing is graded yet; or labs are unfinished, and were left out of what an LMS imports.
    """
    with course.gradebook() as gradebook:
        labs = {lab: results(course, gradebook, lab) for lab in LABS}
        labs = {lab: found for lab, found in labs.items() if found}
        if not labs:
            raise Mistake(f"nothing is graded in {course.root}: run `python -m grading autograde LAB` first")
        words = {lab: [*unfinished(course, lab, found)] for lab, found in labs.items()}
        final = {lab: found for lab, found in labs.items() if partial or not words[lab]}
        tables = {"grades.csv": grades(labs)}
        tables |= {"canvas.csv": canvas(gradebook.students, final)} if final else {}
        tables |= {f"moodle-{lab}.csv": moodle(found) for lab, found in final.items()}
    for name, rows in tables.items():
        replace(course.root / name, text(rows))
    for sentence in (sentence for lab in labs for sentence in words[lab]):
        say(sentence)
    say(f"{sum(map(len, labs.values()))} submissions in {', '.join(tables)}, in {course.root}.")
    if left_out := [lab for lab in labs if lab not in final]:
        raise Mistake(
            f"{', '.join(left_out)}: not finished, and left out of what Canvas and Moodle import (see --partial)"
        )
    return [course.root / name for name in tables]


def unfinished(course: Course, lab: str, found: dict[str, Result]) -> Iterator[str]:
    """What is missing for a lab's points to be final."""
    if missing := len({*course.students("submitted", lab)} - {*found}):
        yield f"{lab}: {missing} submissions are not graded yet and not in the tables: run autograde."
    if unread := sum(result.to_read for result in found.values()):
        yield f"{lab}: {unread} of {len(found)} submissions have answers that nobody has read: see formgrader."
    if rescaled := sum(result.rescaled for result in found.values()):
        yield f"{lab}: {rescaled} of {len(found)} have points of before the tasks' points changed: autograde --regrade."


def grades(labs: dict[str, dict[str, Result]]) -> list[Row]:
    """One row for each student and lab."""
    rows: list[Row] = [[*COLUMNS, *GRADED, "total", "out_of"]]
    for name, lab, found in sorted((name, lab, found) for lab, of in labs.items() for name, found in of.items()):
        person = found.person
        rows.append(
            [name, person.lms_user_id, person.first_name, person.last_name, lab, found.stamp or ""]
            + [found.late, found.penalty, "yes" if found.to_read else "no"]
            + [found.scores.get(task, "") for task in GRADED]
            + [found.total, found.out_of]
        )
    return rows


def canvas(people: list[Student], labs: dict[str, dict[str, Result]]) -> list[Row]:
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows: list[Row] = [head + [f"{LABS[lab]['title']} ({lab})" for lab in labs]]
    rows.append(["    Points Possible", "", "", "", ""] + [next(iter(of.values())).out_of for of in labs.values()])
    for person in people:
        names = ", ".join(name for name in (person.last_name, person.first_name) if name) or person.id
        points = [of[person.id].total if person.id in of else "" for of in labs.values()]
        rows.append([names, person.lms_user_id or person.id, "", "", ""] + points)
    return rows


def moodle(found: dict[str, Result]) -> list[Row]:
    rows: list[Row] = [MOODLE + MODIFIED]
    for name, result in sorted(found.items()):
        person, when = result.person, result.stamp or ""
        names = " ".join(name for name in (person.first_name, person.last_name) if name)
        status = "Submitted for grading"
        number = f"Participant {person.lms_user_id or name}"
        rows.append([number, names, person.email or "", status, result.total, result.out_of, "Yes", when, ""])
    return rows


def text(rows: Iterable[Row]) -> str:
    memory = io.StringIO()
    csv.writer(memory).writerows([[cell(value) for value in row] for row in rows])
    return "\ufeff" + memory.getvalue()  # the mark by which spreadsheets know UTF-8


def cell(value: object) -> str:
    """A stranger's text that a spreadsheet would take for a formula is quoted."""
    if isinstance(value, float | int):
        return number(value)
    shown = str(value) if value is not None else ""
    shown = shown if shown.startswith("    Points") else line(shown)
    return ";".join(f"'{part}" if starts_formula(part) else part for part in shown.split(";"))


def starts_formula(text: str) -> bool:
    """Also behind a semicolon, at which half of the world's spreadsheets split, quoted or not."""
    return unicodedata.normalize("NFKC", text).lstrip(" \"'")[:1] in set("=+-@|")


def number(value: float) -> str:
    """At most four decimals, and no exponent: 1234567, 15.0667."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if value else "0"
