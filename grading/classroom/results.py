"""What everybody has: the gradebook's points, read out by the rules of the course. Nothing is written here.

A task's points follow course.toml's scale, what is dropped goes, a bonus is in nobody's total of points that can be
had, and what came late loses what the rules say. So a rule can change at any time, and verdicts stay.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.utils import parse_utc
from sqlalchemy import func
from sqlalchemy.orm import Query

from .collect import collected
from .counting import DAY, Scale, days_late, penalties, scale
from .course_folder import Course
from .rules import Rules

MARKED = 1.0  # days: of what a platform marks as late without a time


@dataclass
class Result:
    """One submission, as the gradebook has it and the rules count it."""

    person: Student
    stamp: datetime | None
    late: float  # seconds
    penalty: float
    out_of: float
    waits: set[str] = field(default_factory=set)  # tasks and questions that wait for a human
    rescaled: bool = False  # a task was worth other points when this was graded
    excused: bool = False
    timed: bool = True  # False: a due date holds, and no platform says when it came
    scores: dict[str, float] = field(default_factory=dict)  # by task and question; none for an answer that nobody read
    partly: dict[str, list[str]] = field(default_factory=dict)  # tasks with partial credit -> what of them is right

    @property
    def to_read(self) -> bool:
        return bool(self.waits)

    @property
    def total(self) -> float:
        return max(sum(self.scores.values()) - self.penalty, 0)

    @property
    def share(self) -> float:
        return self.total / self.out_of if self.out_of else 0.0


def handed_in(folder: Path) -> tuple[datetime | None, bool, bool]:
    """When, by what was collected; whether a platform or a list says so; and whether a platform marks it as late."""
    note = collected(folder)
    try:
        time = parse_utc(str(note["time"])).replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None, False, bool(note.get("late"))
    return time, note.get("clock") != "file", bool(note.get("late"))


def lateness(rules: Rules, lab: str, student: str, folder: Path) -> tuple[float, bool]:
    """Days after the due date and the grace, 0 for what is in time; and whether a clock says so.

    Without a clock a platform's mark counts, but not against who has an extension: the platform need not know of it.

    Args:
        folder: of the submission.
    """
    due = rules.due(lab, student)
    if not due:
        return 0.0, True
    time, timed, marked = handed_in(folder)
    if not timed or not time:
        return MARKED if marked and due == rules.of(lab).due else 0.0, False
    return days_late(rules, lab, student, time), True


class Readout:
    """Reads points out, by the rules of a course. What concerns all labs is read once."""

    def __init__(self, course: Course, gradebook: Gradebook, rules: Rules) -> None:
        self.course, self.gradebook, self.rules = course, gradebook, rules
        self.people = {person.id: person for person in gradebook.students}
        self._days: dict[str, dict[str, tuple[float, bool]]] = {}

    def days(self, lab: str) -> dict[str, tuple[float, bool]]:
        """Student -> days late, and whether a clock says so."""
        if lab not in self._days:
            due = self.rules.of(lab).due
            found = self.course.students("submitted", lab) if due else []
            self._days[lab] = {
                name: lateness(self.rules, lab, name, self.course.folder("submitted", lab, name)) for name in found
            }
        return self._days[lab]

    def cost(self, lab: str, student: str) -> float:
        """Share of a lab's points that lateness costs."""
        if not self.rules.of(lab).due:
            return 0.0
        labs = [one for one in self.rules.use if self.rules.of(one).due] if self.rules.late.free_days else [lab]
        days = {one: self.days(one)[student][0] for one in {*labs, lab} if student in self.days(one)}
        return penalties(self.rules, days, student)[0].get(lab, 0.0)

    def scale(self, lab: str) -> Scale | None:
        """None: it is not released."""
        try:
            cells = self.gradebook.find_notebook(lab, lab).grade_cells
        except MissingEntry:
            return None
        return scale(self.rules, lab, {cell.name: cell.max_score for cell in cells})

    def results(self, lab: str) -> dict[str, Result]:
        """By student, what is graded to the end. Few queries, however large the class is."""
        scale = self.scale(lab)
        if not scale:
            return {}
        done, due = {*self.course.graded(lab)}, self.rules.of(lab).due
        found = {}
        for one, sheet in self.sheets(lab):
            if one.student_id not in done:
                continue
            late, timed = self.days(lab).get(one.student_id, (0.0, True))
            cost = self.cost(lab, one.student_id) * scale.out_of
            found[one.student_id] = Result(
                self.people[one.student_id],
                one.timestamp,
                late * DAY.total_seconds() if due else one.total_seconds_late,
                cost if due else sheet.late_submission_penalty or 0,
                scale.out_of,
                excused=self.rules.excused(lab, one.student_id),
                timed=timed,
            )
        agreed = self.agreed(lab, found)
        for student, name, score, is_known, waits, other, by_hand in self.grades(lab):
            if student in found and name in scale.factors:
                found[student].scores |= {name: score * scale.factors[name]} if is_known else {}
                if not by_hand and (parts := agreed.get(student, {}).get(name)):
                    self.credit(found[student], lab, name, parts, scale)
                found[student].waits |= {name} if waits else set()
                found[student].rescaled |= bool(other)
        return found

    def agreed(self, lab: str, students: Collection[str]) -> dict[str, dict[str, list[str]]]:
        """Student -> task -> what of a wrong answer is right; read only where there is partial credit."""
        whose = students if any(self.rules.partial.values()) else ()
        return {one: self.course.noted(lab, one, "verdicts.json").get("agreed", {}) for one in whose}

    def credit(self, one: Result, lab: str, task: str, parts: list[str], scale: Scale) -> None:
        """Add to a wrong answer's points what the rules give for what is right of it."""
        if share := self.rules.credit(lab, task, parts):
            one.scores[task] = one.scores.get(task, 0) + share * scale.worth[task]
            one.partly[task] = parts

    def sheets(self, lab: str) -> Query[Any]:
        sheets = self.gradebook.db.query(SubmittedAssignment, SubmittedNotebook).join(SubmittedNotebook.assignment)
        return sheets.join(SubmittedAssignment.assignment).filter(Assignment.name == lab)

    def comments(self, lab: str) -> dict[str, dict[str, str]]:
        """Student -> what is said of each answer."""
        found: dict[str, dict[str, str]] = {}
        comments = self.gradebook.db.query(SubmittedAssignment.student_id, BaseCell.name, Comment.comment)
        comments = comments.select_from(Comment).join(Comment.cell).join(Comment.notebook)
        comments = comments.join(SubmittedNotebook.assignment).join(SubmittedAssignment.assignment)
        for student, name, comment in comments.filter(Assignment.name == lab):
            found.setdefault(student, {})[name] = comment
        return found

    def grades(self, lab: str) -> Query[Any]:
        known = func.coalesce(Grade.manual_score, Grade.auto_score, Grade.extra_credit).is_not(None)
        most = func.coalesce(Grade.max_score_gradecell, Grade.max_score_taskcell, 0.0)
        # We give all points of a task or none, so others are of another scale; a human's word (manual_score) stands.
        rescaled = Grade.auto_score.not_in((0.0, most)) & Grade.manual_score.is_(None)
        by_hand = Grade.manual_score.is_not(None)
        columns = (SubmittedAssignment.student_id, BaseCell.name, Grade.score, known, Grade.needs_manual_grade)
        grades = self.gradebook.db.query(*columns, rescaled, by_hand).select_from(Grade).join(Grade.cell)
        grades = grades.join(Grade.notebook)
        grades = grades.join(SubmittedNotebook.assignment).join(SubmittedAssignment.assignment)
        return grades.filter(Assignment.name == lab)


def term_percent(rules: Rules, labs: Mapping[str, Mapping[str, Result]], student: str) -> float | None:
    """Weighted percent over the labs that anybody has been graded in; what she did not hand in is 0, excused is out.

    None where no lab counts for her.
    """
    shares = []
    for lab, found in labs.items():
        result, weight = found.get(student), rules.of(lab).weight
        if found and weight and not rules.excused(lab, student):
            shares.append((result.share if result else 0.0, weight))
    shares = sorted(shares)[min(rules.drop_lowest, max(len(shares) - 1, 0)) :]
    return 100 * sum(share * weight for share, weight in shares) / sum(w for _, w in shares) if shares else None
