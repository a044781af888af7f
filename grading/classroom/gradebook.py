"""nbgrader's gradebook: opened wherever it is, and a submission's grades written into it."""

import contextlib
import logging
import os
import zlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    InvalidEntry,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config, PyFileConfigLoader

from ..content.mistake import Mistake
from .course_folder import COURSE_ID, Course, for_nbgrader

INDEXES = ("grade (notebook_id)", "comment (notebook_id)", "submitted_notebook (assignment_id)")
MISSING = "its driver is not installed: run `pip install -r grading/requirements.txt` first"
RECOVER = "put your copy of it back; `sqlite3 gradebook.db .recover` prints what can still be read of this one"
HELP = {  # what a database says -> what to do
    "malformed": RECOVER,
    "not a database": RECOVER,
    "disk is full": "make room there and run it again; nothing that was saved is lost",
    "No space left": "make room there and run it again; nothing that was saved is lost",
    "locked": "another program holds it; wait until it has ended, and run it again",
    "readonly": "you may not write to it; see whose file and whose folder it is",
}
GONE = (
    "the gradebook {url} knows nothing of the submissions that are graded in {root}: put your copy of it back. "
    "To begin again without it, delete the folder autograded, run release and autograde: points given by hand are lost"
)


def open_for(course: Course) -> Gradebook:
    """The gradebook of a course.

    Raises:
        Mistake: there is none, it does not open, or it has lost what the course's files say is graded.
    """
    not_lost(course)
    if not course.has_gradebook():
        raise Mistake(f"there is no gradebook in {course.root}: run `python -m grading release LAB` first")
    book = open_gradebook(course.db_url)
    with told(course.db_url):
        if any_graded(course) and not book.db.query(SubmittedAssignment.id).first():
            book.close()
            raise gone(course)
        return book


def not_lost(course: Course) -> None:
    """
    Raises:
        Mistake: the gradebook was a file, and is gone or empty, though submissions are graded.
    """
    parts = make_url(course.db_url)
    file = Path(parts.database or "") if parts.get_backend_name() == "sqlite" else None
    if file and any_graded(course) and not (file.is_file() and file.stat().st_size):
        raise gone(course)


def gone(course: Course) -> Mistake:
    before = course.root / "gradebook.db"
    stranded = before.exists() and str(before) not in course.db_url
    back = f"; {before} may have them: delete gradebook.url, and give --db again" * stranded
    return Mistake(GONE.format(url=without_password(course.db_url), root=course.root) + back)


def any_graded(course: Course) -> bool:
    return next(course.root.glob("autograded/[!.]*/[!.]*/graded.txt"), None) is not None


def entered(book: Gradebook, lab: str) -> set[str]:
    """Students who have grades of a lab."""
    found = book.db.query(SubmittedAssignment.student_id).join(SubmittedAssignment.assignment)
    return {student for (student,) in found.filter(Assignment.name == lab)}


@contextlib.contextmanager
def told(url: str) -> Iterator[None]:
    """Trouble with a gradebook in one line.

    Raises:
        Mistake: what happens inside is trouble of the database.
    """
    try:
        yield
    except (SQLAlchemyError, InvalidEntry) as trouble:  # nbgrader makes the second of many a first
        raise Mistake(f"the gradebook {without_password(url)}: {helpful(trouble)}") from None


def helpful(trouble: Exception) -> str:
    """What the database says, in one line, and what to do where that is known."""
    words = str(getattr(trouble, "orig", None) or trouble).strip().splitlines()[0]
    return ": ".join([words, *(tip for sign, tip in HELP.items() if sign in words)])


def open_gradebook(url: str) -> Gradebook:
    """A gradebook, made when there is none; with indexes, or reading one learner's grades would read everybody's.

    Raises:
        Mistake: no gradebook opens at this address.
    """
    for_nbgrader()
    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)  # nbgrader raises what it logs, SQL and all
    try:
        book = Gradebook(url, COURSE_ID)
        for columns in INDEXES:
            book.db.execute(text(f"CREATE INDEX IF NOT EXISTS of_{columns.split()[0]} ON {columns}"))
        book.db.commit()
        return book
    except ImportError:
        raise Mistake(f"the gradebook {without_password(url)} does not open: {MISSING}") from None
    except SQLAlchemyError as trouble:
        raise Mistake(f"the gradebook {without_password(url)} does not open: {helpful(trouble)}") from None


def address(url: str) -> str:
    """A database's address as SQLAlchemy has it, with the driver that is installed.

    Raises:
        Mistake: it is none.
    """
    try:
        parts = make_url(url)
    except SQLAlchemyError:
        raise Mistake("--db is no address: it looks like postgresql://user:password@host/database") from None
    if parts.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise Mistake(f"--db names a {parts.get_backend_name()} database: SQLite and PostgreSQL are supported")
    if parts.get_backend_name() == "sqlite":
        parts = parts.set(database=str(Path(parts.database or "gradebook.db").resolve()))  # formgrader starts elsewhere
    else:
        parts = parts.set(drivername="postgresql+psycopg")
    return parts.render_as_string(hide_password=False)


def without_password(url: str) -> str:
    return make_url(url).render_as_string()  # without its password


class Writer:
    """Writes the grades of one lab, one submission after the other. Use as a context manager."""

    def __init__(self, course: Course, lab: str) -> None:
        """
        Raises:
            Mistake: the lab is not in the gradebook, or somebody else writes to it.
        """
        self.lab, self.url, self.book = lab, course.db_url, open_for(course)
        self.config = configured(course.root)
        try:
            with told(self.url):
                cells = self.book.find_notebook(lab, lab)
                self.graded = {cell.name: cell.id for cell in cells.grade_cells}
                self.answered = {cell.name: cell.id for cell in cells.solution_cells}
                self.entered = entered(self.book, lab)
                self.book.db.commit()
        except MissingEntry:
            self.book.close()
            raise Mistake(f"{lab} is not in the gradebook: run `python -m grading release {lab}` first") from None
        self.alone = self.book.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            self.hold()
        except Mistake:
            self.__exit__()
            raise

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(SQLAlchemyError):  # a server that is gone has let go of all
            self.alone.close()
        with contextlib.suppress(SQLAlchemyError):
            self.book.close()

    def hold(self) -> None:
        """A lock on the data itself, since other machines see no file of ours; a server that came back forgot it.

        Raises:
            Mistake: another grader has it.
        """
        if self.book.engine.dialect.name != "postgresql":
            return
        mark = {"mark": zlib.crc32(COURSE_ID.encode())}
        ask = partial(self.alone.execute, text("SELECT pg_try_advisory_lock(:mark)"), mark)
        try:
            held = ask().scalar()
        except SQLAlchemyError:  # all connections to that server are void: the next ones are new
            self.alone.rollback()
            held = ask().scalar()
        if not held:
            raise Mistake(f"another grader is at work in {without_password(self.url)}: wait until it has ended")

    def enter(self, student: str, notebook: NotebookNode, stamp: str | None, same: Collection[str] = ()) -> None:
        """Grades and comments of a submission, as nbgrader's autograde writes them; again changes nothing.

        Args:
            same: graded cells whose work and points are those that were graded before.
        """
        db, cells = self.book.db, [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        self.hold()
        try:
            one = self.submission(student, stamp)
            sheet, late = self.book.find_submission_notebook(self.lab, self.lab, student), one.total_seconds_late > 0
            grades = {grade.cell_id: grade for grade in sheet.grades}
            comments = {comment.cell_id: comment for comment in sheet.comments}
            for cell in filter(utils.is_grade, cells):
                self.grade(cell, grades, sheet, cell.metadata.nbgrader.grade_id in same)
            for cell in filter(utils.is_solution, cells):
                unchanged = cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
                key = self.answered[cell.metadata.nbgrader.grade_id]
                comment = comments.get(key) or Comment(cell_id=key, notebook=sheet)
                comment.auto_comment = "No response." if unchanged else None
                db.add(comment)
            sheet.late_submission_penalty = None
            db.commit()
        except BaseException:
            db.rollback()
            raise
        if late:  # nbgrader's plug-in decides
            names = {"student": student, "assignment": self.lab, "notebook": self.lab, "db_url": self.url}
            AssignLatePenalties(config=self.config).preprocess(notebook, {"nbgrader": names})

    def submission(self, student: str, stamp: str | None) -> SubmittedAssignment:
        """A learner's submission, made when there is none, as nbgrader's `update_or_create_submission` leaves it.

        That one commits at each step. Here all of a submission is saved or nothing, and the disk is waited for once.
        """
        db, assignment = self.book.db, self.book.find_assignment(self.lab)
        whose = {"assignment_id": assignment.id, "student_id": student}
        one = db.query(SubmittedAssignment).filter_by(**whose).one_or_none()
        if one is None:
            learner = db.get(Student, student) or Student(id=student)
            one = SubmittedAssignment(assignment=assignment, student=learner)
            db.add(one)
            db.add_all(SubmittedNotebook(notebook=notebook, assignment=one) for notebook in assignment.notebooks)
        if stamp:
            one.timestamp = utils.parse_utc(stamp)
        db.flush()
        db.expire_all()  # as a commit does: times are read back as the database has them
        return one

    def grade(self, cell: NotebookNode, grades: dict[str, Grade], sheet: SubmittedNotebook, same: bool) -> None:
        """The rule of nbgrader's SaveAutoGrades: what a human gave stays, and is shown to her again.

        Not when the work is the same, and what we say of it: then it is settled, or not, as she left it.
        """
        key = self.graded[cell.metadata.nbgrader.grade_id]
        grade = grades.get(key) or Grade(cell_id=key, notebook=sheet)
        before, (grade.auto_score, _) = grade.auto_score, utils.determine_grade(cell)
        if grade.manual_score is None or not same or grade.auto_score != before:
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        self.book.db.add(grade)


def configured(root: Path) -> Config:
    """What the course's nbgrader_config.py says, as nbgrader reads it."""
    found = root / "nbgrader_config.py"
    with patch.dict(os.environ):  # it sets some for nbgrader's own processes, and this is the grader
        return PyFileConfigLoader(found.name, path=str(root)).load_config() if found.exists() else Config()
