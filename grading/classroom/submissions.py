"""What lies in submitted/ and whether it is graded: read without nbgrader, whose import takes longer than the look."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ..content.harmless_text import line
from ..content.tasks import TASKS, files_of, tasks_of
from ..judge.job import judged_by
from ..judge.submitted_cells import NOTEBOOK
from .course_folder import Course

MODULE = 1 << 20  # bytes of a module, at most
NOTES = ("name", "refused", "missing", "unreadable", "late")  # what autograde and feedback take from intake.json


@dataclass(frozen=True)
class Submission:
    """What is taken from a submitted folder: two files, when they came, and intake's note."""

    student: str
    module: bytes | None
    notebook: bytes | None
    note: dict[str, str]  # "refused": why nothing of it is graded
    stamp: str | None

    @property
    def digest(self) -> str:
        parts = (self.module or b"", self.notebook or b"", json.dumps(self.note, sort_keys=True).encode())
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def submission(course: Course, lab: str, student: str) -> Submission:
    folder = course.folder("submitted", lab, student)
    note, places = {}, files_of(lab)
    with contextlib.suppress(ValueError, TypeError, RecursionError):  # it may be anybody's file
        given = dict(json.loads(taken(folder / "intake.json", 1 << 16) or "{}"))
        note = {name: line(str(given[name])) for name in NOTES if given.get(name)}
    module = taken(folder / places[".py"], MODULE) if ".py" in places else None
    stamp = (taken(folder / "timestamp.txt", 200) or b"").decode("utf-8", "replace").strip() or None
    return Submission(student, module, taken(folder / places[".ipynb"], NOTEBOOK), note, stamp)


def taken(path: Path, limit: int) -> bytes | None:
    """A plain file of bounded size; None for anything else: a link could show what lies behind it."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file() or path.stat().st_size > limit:
        return None
    return path.read_bytes()


def differences(notebook: Mapping[str, Any], lab: str) -> list[str]:
    """What a released notebook says of tasks that today's table says otherwise.

    Raises:
        LookupError: it is no notebook with tasks.
    """
    rules = [cell["metadata"].get("nbgrader", {}) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    then = {rule["grade_id"]: rule["points"] for rule in rules if rule.get("grade")}
    return [*compared(then, {task: TASKS[task]["points"] for task in tasks_of(lab)})]


def compared(then: dict[str, float], now: dict[str, float]) -> Iterator[str]:
    yield from (f"{task} is new" for task in now if task not in then)
    yield from (f"{task} is gone" for task in then if task not in now)
    same = (task for task in now if task in then and now[task] != then[task])
    yield from (f"{task} has {now[task]:g} points, not {then[task]:g}" for task in same)


def graded_as(course: Course, lab: str, student: str) -> str | None:
    """By which probes and answers what lies in submitted/ was graded; None when it is not graded yet."""
    record = course.record(lab, student)
    if not record.exists():
        return None
    digest, _, version = record.read_text().partition("\n")[0].partition(" ")
    return version if digest == submission(course, lab, student).digest else None


def entered(url: str, lab: str) -> set[str]:
    """Students who have grades of a lab; nobody where no gradebook answers."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").is_file():
        return set()  # to connect would make one
    words = (
        "SELECT student_id FROM submitted_assignment s JOIN assignment a ON s.assignment_id = a.id WHERE a.name = :lab"
    )
    engine = create_engine(place)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT * FROM base_cell")).all()  # a damaged one is told by the full look
            return {*connection.execute(text(words), {"lab": lab}).scalars()}
    finally:
        engine.dispose()


def all_graded(course: Course, lab: str, student: str | None) -> list[str] | None:
    """What is to be said where nothing is left to grade; None: there may be, and `autograde` has to look."""
    with contextlib.suppress(SQLAlchemyError, ImportError, ValueError, LookupError, TypeError):
        students = course.submitted(lab, student)
        known = entered(course.db_url, lab)
        versions = [graded_as(course, lab, name) if name in known else None for name in students]
        released = json.loads(course.released(lab).read_text(encoding="utf-8"))
        if None not in versions and not differences(released, lab):
            old = sum(version != judged_by(lab) for version in versions)
            return [*summary(lab, len(students), 0, 0, old)]
    return None


def summary(lab: str, students: int, pending: int, failed: int, old: int) -> Iterator[str]:
    if old:
        yield f"{lab}: {old} were graded by other probes or answers than today's: --regrade grades them again."
    before = f", {students - pending} were graded before" if students > pending else ""
    trouble = f", {failed} NOT SAVED: run it again" if failed else ""
    yield f"{lab}: {pending - failed} of {students} submissions graded{before}{trouble}."
