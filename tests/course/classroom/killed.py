"""Kill a grading run before each of its writes, run it again, and compare: prints what differs. See test_stopped.py.

Each run is a fork of this process, which has one thread and no open gradebook.
"""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

from nbgrader.api import Gradebook
from sqlalchemy import event
from sqlalchemy.engine import Engine

from grading.classroom.autograde import autograde
from grading.classroom.course_folder import COURSE_ID, Course
from grading.content.tasks import tasks_of
from grading.judge.executors import finished

LAB = "02_vae"
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


class Recorded:
    @contextlib.contextmanager
    def executor(self):
        yield self, 2

    def submit(self, *_, **__):
        tasks = {task: ["right", "right"] for task in tasks_of(LAB)}
        return finished({"seconds": 0.5, "tasks": tasks, "cells": []})


def forked(function) -> int:
    pid = os.fork()
    if not pid:
        try:
            function()
        except BaseException as trouble:
            print(trouble, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(course: Course, last: int = -1, regrade: bool = False) -> None:
    """Grade; with `last`, die before that write, of a file or to the gradebook."""
    left = [last]

    def count() -> None:
        left[0] -= 1
        if left[0] == -1:
            os._exit(9)

    def heard(name: str, given: tuple) -> None:
        writes = name in WRITES or (name == "open" and given[2] & (os.O_WRONLY | os.O_RDWR))
        if writes and str(given[0]).startswith(str(course.root)):
            count()

    if last >= 0:
        sys.addaudithook(heard)
        event.listen(Engine, "commit", lambda connection: count())
    if autograde(course, LAB, pool=Recorded(), regrade=regrade, say=lambda words: None):
        os._exit(1)


def read(course: Course) -> None:
    """A human has graded what anna wrote, and what she programmed."""
    with course.gradebook() as book:
        for name in ("vae-q1", "vae-1"):
            grade = book.find_grade(name, LAB, LAB, "anna")
            grade.manual_score, grade.needs_manual_grade = 1.5, False
        book.db.commit()


def state(course: Course) -> str:
    """Every submission's grades, and its files."""
    book = Gradebook(course.db_url, COURSE_ID)
    grades = sorted(
        (one.student_id, grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
        for one in book.assignment_submissions(LAB)
        for grade in one.notebooks[0].grades
    )
    book.close()
    names = [path for path in sorted((course.root / "autograded").rglob("*")) if path.is_file()]
    return json.dumps([grades, [(str(p.relative_to(course.root)), p.read_text()) for p in names]])


def main(given: str, scratch: str, regrade: bool) -> None:
    original = Course(Path(given))
    if regrade:
        assert forked(lambda: run(original)) == 0 and forked(lambda: read(original)) == 0
    expected = Course(Path(scratch) / "expected")
    shutil.copytree(original.root, expected.root)
    assert forked(lambda: run(expected, regrade=regrade)) == 0
    points, wrong, same = 0, [], Path(scratch) / "same"
    while True:
        course = Course(Path(scratch) / "killed")
        shutil.copytree(original.root, course.root)
        code = forked(lambda course=course, last=points: run(course, last, regrade))
        assert code in (0, 9), code
        again = forked(lambda course=course: run(course))
        forked(lambda course=course: same.write_text(str(state(course) == state(expected))))
        if again or same.read_text() != "True":
            wrong.append(points)
        shutil.rmtree(course.root)
        if code == 0:
            break
        points += 1
    print(json.dumps({"points": points, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "regrade")
