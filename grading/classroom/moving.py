"""Grades move to another database: all of them or none, and nothing is taken from where they were."""

from collections.abc import Iterator, Sequence
from typing import Any

from nbgrader.api import Base, Gradebook
from sqlalchemy import Connection, Row, Table, func, insert, select

from ..content.mistake import Mistake
from .course_folder import Course
from .gradebook import address, not_lost, open_for, open_gradebook, told, without_password

TABLES: list[Table] = Base.metadata.sorted_tables  # what refers to another comes after it
TABLE = Base.metadata.tables
CHUNK = 1000  # rows in memory at a time


def copied(course: Course, url: str) -> tuple[str, int]:
    """The address as SQLAlchemy has it, and how many submissions were copied.

    Raises:
        Mistake: no database answers there, or it and the course's hold different grades.
    """
    there, count = address(url), 0
    not_lost(course)
    with open_gradebook(there) as new, told(there):
        if there != course.db_url and course.has_gradebook():
            with open_for(course) as old:
                count = copy(old, new, there)
    return there, count


def copy(old: Gradebook, new: Gradebook, there: str) -> int:
    with old.engine.connect() as source, new.engine.begin() as target:
        if not used(source):
            return 0
        if not used(target):
            for table in TABLES:
                rows_copied(table, source, target)
        elif any(rows(table, source) != rows(table, target) for table in TABLES):
            raise Mistake(
                f"--db: {without_password(there)} holds other grades than this course's: "
                "name an empty database to copy them to"
            )
        return target.execute(select(func.count()).select_from(TABLE["submitted_assignment"])).scalar()


def used(database: Connection) -> bool:
    return any(database.execute(select(TABLE[name]).limit(1)).first() for name in ("assignment", "student"))


def rows_copied(table: Table, source: Connection, target: Connection) -> None:
    have = rows(table, target) if table.name == "course" else set()  # a gradebook is made with a course
    for part in parts(table, source):
        fresh = [row._asdict() for row in part if tuple(row) not in have]
        if fresh:
            target.execute(insert(table), fresh)


def parts(table: Table, source: Connection) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    with told(source.engine.url.render_as_string(hide_password=False)):  # not of the database that is written to
        yield from source.execution_options(yield_per=CHUNK).execute(select(table)).partitions()


def rows(table: Table, database: Connection) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in database.execute(select(table))}
