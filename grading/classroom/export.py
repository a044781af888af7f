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
from pathlib import Path

from nbgrader.api import Student

from ..content.harmless_text import line
from ..content.mistake import Mistake
from ..content.tasks import LABS, QUESTIONS, TASKS
from .changes import readout
from .collect import collected
from .counting import DAY, penalties
from .course_folder import Course, replace
from .results import Readout, Result, term_percent
from .roster import Person, Roster, roster_of

Row = Sequence[object]

GRADED = [*TASKS, *QUESTIONS]
COLUMNS = ["student", "id", "first_name", "last_name", "section", "lab", "status"]
COLUMNS += ["submitted", "seconds_late", "penalty", "to_read"]
TERM = ["student", "id", "first_name", "last_name", "section", "not_handed_in", "free_days_spent", "percent"]
MOODLE = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Grade can be changed"]
MODIFIED = ["Last modified (submission)", "Last modified (grade)"]
NOTHING = Person("")


def export(course: Course, say: Callable[[str], None] = print, partial: bool = False) -> list[Path]:
    """Write the tables; their paths.

    Args:
        partial: what an LMS imports takes in unfinished labs, too.

    Raises:
        Mistake: nothing is graded yet; or labs are unfinished, and were left out of what an LMS imports.
    """
    with course.gradebook() as gradebook:
        read, roster = readout(course, gradebook), roster_of(course)
        labs = {lab: read.results(lab) for lab in read.rules.use}
        labs = {lab: found for lab, found in labs.items() if found}
        if not labs:
            raise Mistake(f"nothing is graded in {course.root}: run `python -m grading autograde LAB` first")
        words = {lab: [*unfinished(course, lab, found)] for lab, found in labs.items()}
        final = {lab: found for lab, found in labs.items() if partial or not words[lab]}
        everybody = Class(read, roster, labs)
        tables = {"grades.csv": everybody.grades(), "term.csv": everybody.term()}
        tables |= {"canvas.csv": everybody.canvas([*final])} if final else {}
        tables |= {f"moodle-{lab}.csv": everybody.moodle(lab) for lab in final}
    for name, rows in tables.items():
        replace(course.root / name, text(rows))
    for sentence in (sentence for lab in labs for sentence in (*words[lab], *untimed(lab, labs[lab]))):
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


def untimed(lab: str, found: dict[str, Result]) -> Iterator[str]:
    if unknown := [result for result in found.values() if not result.timed]:
        marked = sum(result.late > 0 for result in unknown)
        yield (
            f"{lab}: no platform says when {len(unknown)} of {len(found)} came: {marked} that it marks late "
            "count as one day late, the others as in time; collect again with --times."
        )


class Class:
    """The tables: everybody who handed in, and everybody of the roster."""

    def __init__(self, read: Readout, roster: Roster, labs: dict[str, dict[str, Result]]) -> None:
        self.read, self.roster, self.labs = read, roster, labs
        handed_in = {name for found in labs.values() for name in found}
        known = {name: Student(id=name, **person.entered()) for name, person in roster.by_folder.items()}
        known |= read.people
        self.people = [known[name] for name in sorted(handed_in | roster.by_folder.keys())]

    def of_roster(self, person: Student) -> Person:
        return self.roster.by_folder.get(person.id, NOTHING)

    def status(self, lab: str, student: str) -> str:
        if self.read.rules.excused(lab, student):
            return "excused"
        if student in self.labs[lab]:
            return "graded"
        here = self.read.course.folder("submitted", lab, student).exists()
        return "not graded yet" if here else "not handed in"

    def grades(self) -> list[Row]:
        """One row for each student and lab."""
        rows: list[Row] = [[*COLUMNS, *GRADED, "total", "out_of"]]
        for person in self.people:
            for lab, found in self.labs.items():
                who = [person.id, person.lms_user_id, person.first_name, person.last_name]
                who += [self.of_roster(person).section, lab, self.status(lab, person.id)]
                if result := found.get(person.id):
                    who += [result.stamp or "", result.late, result.penalty, "yes" if result.to_read else "no"]
                    who += [result.scores.get(task, "") for task in GRADED]
                    rows.append([*who, result.total, result.out_of])
                elif self.roster.people:
                    rows.append([*who, *[""] * (4 + len(GRADED) + 2)])
        return rows

    def term(self) -> list[Row]:
        """One row for each student: percent of each lab, and of the term so far."""
        rows: list[Row] = [[*TERM, *self.labs]]
        for person in self.people:
            name = person.id
            has = {lab: found[name] for lab, found in self.labs.items() if name in found}
            missing = [lab for lab in self.labs if self.status(lab, name) == "not handed in"]
            percent = term_percent(self.read.rules, self.labs, name)
            who = [name, person.lms_user_id, person.first_name, person.last_name, self.of_roster(person).section]
            who += [" ".join(missing), self.spent(name, has), "" if percent is None else percent]
            rows.append([*who, *(100 * has[lab].share if lab in has else "" for lab in self.labs)])
        return rows

    def spent(self, student: str, has: dict[str, Result]) -> float:
        """Free days, of those that the term has."""
        days = {lab: result.late / DAY.total_seconds() for lab, result in has.items() if self.read.rules.of(lab).due}
        return penalties(self.read.rules, days, student)[1]

    def canvas(self, labs: list[str]) -> list[Row]:
        head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        rows: list[Row] = [head + [f"{LABS[lab]['title']} ({lab})" for lab in labs]]
        out_of = [next(iter(self.labs[lab].values())).out_of for lab in labs]
        rows.append(["    Points Possible", "", "", "", "", *out_of])
        for person in self.people if self.roster.people else self.read.people.values():
            names = ", ".join(name for name in (person.last_name, person.first_name) if name) or person.id
            points = [self.labs[lab][person.id].total if person.id in self.labs[lab] else "" for lab in labs]
            known = self.of_roster(person)
            rows.append([names, person.lms_user_id or person.id, known.sis, known.login, known.section] + points)
        return rows

    def moodle(self, lab: str) -> list[Row]:
        """Who handed in: only the downloads say which number somebody has in an assignment."""
        rows: list[Row] = [MOODLE + MODIFIED]
        for name, result in sorted(self.labs[lab].items()):
            person, when = result.person, result.stamp or ""
            names = " ".join(name for name in (person.first_name, person.last_name) if name)
            note = collected(self.read.course.folder("submitted", lab, name))
            number = f"Participant {note.get('id') or person.lms_user_id or name}"
            status = "Submitted for grading"
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
