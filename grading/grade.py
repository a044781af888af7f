"""Autograde: every submission of a lab judged, in nbgrader's gradebook and layout. Can be killed and resumed."""

import contextlib
import hashlib
import json
import logging
import queue
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from . import catalogue
from .course import COURSE_ID, Course, Mistake, for_nbgrader, modules_kept, replace
from .jail import outside
from .names import folder_name
from .plain import line
from .rebuild import NOTEBOOK, rebuilt, scored
from .runner import Launch, Limits, Runner
from .table import handed_in
from .verdicts import NOTE, judged, published, seeds

PREPARED = ".prepared"  # what nbgrader converts: made from a submission, never the submission itself
MODULE = 1 << 20  # bytes of a module, at most


@dataclass(frozen=True)
class Submission:
    """What is taken from a submitted folder: two files, and intake's note."""

    student: str
    module: bytes | None
    notebook: bytes | None
    note: dict[str, str]  # "refused": why nothing of it is graded

    @property
    def digest(self) -> str:
        parts = (self.module or b"", self.notebook or b"", json.dumps(self.note, sort_keys=True).encode())
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def submission(course: Course, lab: str, student: str) -> Submission:
    folder = course.folder("submitted", lab, student)
    note, places = {}, handed_in(lab)
    with contextlib.suppress(ValueError, TypeError, RecursionError):  # it may be anybody's file
        given = dict(json.loads(taken(folder / "intake.json", 1 << 16) or "{}"))
        note = {name: line(str(given[name])) for name in ("name", "refused", "missing") if given.get(name)}
    module = taken(folder / places[".py"], MODULE) if ".py" in places else None
    return Submission(student, module, taken(folder / places[".ipynb"], NOTEBOOK), note)


def taken(path: Path, limit: int) -> bytes | None:
    """A plain file of bounded size; None for anything else: a link could show what lies behind it."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file() or path.stat().st_size > limit:
        return None
    return path.read_bytes()


def is_graded(course: Course, lab: str, found: Submission) -> bool:
    path = course.record(lab, found.student)
    return path.exists() and path.read_text() == found.digest


def nbgrader_api(course: Course) -> NbGraderAPI:
    """nbgrader with its own lists of steps, less the two that would run code and clear what we put in."""
    for_nbgrader()
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    c = Config()
    c.CourseDirectory.root, c.CourseDirectory.course_id = str(course.root), COURSE_ID
    c.CourseDirectory.db_url, c.CourseDirectory.submitted_directory = course.db_url, PREPARED
    c.Autograde.exclude_overwriting = modules_kept()
    c.CourseDirectory.ignore = [*CourseDirectory().ignore, "support"]  # the same for all: not copied 300 times
    for name in ("sanitize_preprocessors", "autograde_preprocessors"):
        steps = getattr(Autograde, name).default()
        c.Autograde[name] = [step for step in steps if step.__name__ not in ("ClearOutput", "Execute")]
    return NbGraderAPI(config=c)


def judge(runner: Runner, lab: str, found: Submission, secret: bytes, blank: bytes) -> dict[str, tuple[float, str]]:
    """Task -> points and message."""
    points = {task: catalogue.TASKS[task]["points"] for task in catalogue.tasks_of(lab)}
    if refused := found.note.get("refused"):
        return {task: (0.0, f"Nothing was graded: {refused}") for task in points}
    if not points:
        return {}  # a lab of written answers only
    module = blank if found.module is None else found.module
    verdicts = judged(runner, lab, module, seeds(secret, found.student))
    return {task: (points[task] if verdict.right else 0.0, verdict.message) for task, verdict in verdicts.items()}


def save(course: Course, lab: str, found: Submission, verdicts: dict, api: NbGraderAPI, released) -> None:
    """Into the gradebook and autograded/, through nbgrader.

    Raises:
        RuntimeError: nbgrader failed; its last words.
    """
    folder = course.folder(PREPARED, lab, found.student)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "starter").mkdir(parents=True)
    nbformat.write(scored(rebuilt(released, found.notebook), verdicts), folder / f"{lab}.ipynb")
    if module := handed_in(lab).get(".py"):
        (folder / module).write_bytes(found.module or b"")
    (folder / "intake.json").write_text(json.dumps(found.note))
    if stamp := taken(course.folder("submitted", lab, found.student) / "timestamp.txt", 200):
        (folder / "timestamp.txt").write_bytes(stamp)
    result = api.autograde(lab, found.student, force=True)
    if not result["success"]:
        words = (result.get("error") or result.get("log") or "nbgrader failed").strip().splitlines()[-1]
        raise KeyboardInterrupt if words == "KeyboardInterrupt" else RuntimeError(words)  # nbgrader catches both
    replace(course.record(lab, found.student), found.digest)


def judgements(
    course: Course, lab: str, pending: list[str], workers: int, limits: Limits | None, launch: Launch
) -> Iterator[tuple[str, Future]]:
    """Students as their work is judged, each with the verdicts to come. One warm worker for each thread."""
    secret = secrets.token_bytes(32)
    module = handed_in(lab).get(".py")
    blank = (course.folder("release", lab) / module).read_bytes() if module else b""
    with contextlib.ExitStack() as stack:
        runners = [Runner(set(published(lab)), limits, launch) for _ in range(min(max(workers, 1), len(pending)))]
        idle: queue.Queue[Runner] = queue.Queue()
        for runner in runners:
            idle.put(stack.enter_context(runner))
        pool = ThreadPoolExecutor(max(1, len(runners)))
        stack.callback(pool.shutdown, cancel_futures=True)
        for runner in runners:
            stack.callback(runner.abandon)  # first of all, so that nobody waits for a hanging answer

        def work(student: str) -> dict[str, tuple[float, str]]:
            runner = idle.get()
            try:
                return judge(runner, lab, submission(course, lab, student), secret, blank)
            finally:
                idle.put(runner)

        futures = {pool.submit(work, student): student for student in pending}
        for future in as_completed(futures):
            yield futures[future], future


def settle(course: Course, lab: str, student: str, future: Future, api: NbGraderAPI, released) -> tuple[bool, str]:
    """Save what was judged: did it work, and a line about it. Trouble of any type must not stop the others."""
    found = submission(course, lab, student)  # read again: a class of thousands does not fit into memory
    who = f"{student} ({found.note.get('name', 'unnamed')})"
    try:
        verdicts = future.result()
        save(course, lab, found, verdicts, api, released)
    except Exception as trouble:
        return False, f"{who}: NOT SAVED: {line(f'{type(trouble).__name__}: {trouble}')}"
    most = sum(catalogue.TASKS[task]["points"] for task in verdicts)
    noted = [task for task, (points, words) in verdicts.items() if points and NOTE in words]
    note = f" (one call does it all: {', '.join(noted)})" if noted else ""
    return True, f"{who}: {sum(points for points, _ in verdicts.values()):g} of {most} points{note}"


def autograde(
    course: Course,
    lab: str,
    student: str | None = None,
    force: bool = False,
    workers: int = 2,
    limits: Limits | None = None,
    say: Callable[[str], None] = print,
    launch: Launch = outside.launch,
) -> int:
    """Grade what is not graded yet; the number of submissions that could not be saved."""
    released = nbformat.read(course.released(lab), as_version=4)
    students = chosen(course.students("submitted", lab), student, course, lab)
    with course.alone():
        pending = [name for name in students if force or not is_graded(course, lab, submission(course, lab, name))]
        api, failed = nbgrader_api(course), 0
        for number, (name, future) in enumerate(judgements(course, lab, pending, workers, limits, launch), 1):
            saved, words = settle(course, lab, name, future, api, released)
            failed += not saved
            say(f"[{number}/{len(pending)}] {words}")
        shutil.rmtree(course.root / PREPARED, ignore_errors=True)
    before = f", {len(students) - len(pending)} were graded before" if len(students) > len(pending) else ""
    trouble = f", {failed} NOT SAVED: run it again" if failed else ""
    say(f"{lab}: {len(pending) - failed} of {len(students)} submissions graded{before}{trouble}.")
    return failed


def chosen(students: list[str], student: str | None, course: Course, lab: str) -> list[str]:
    if not students:
        raise Mistake(f"no submissions of {lab} in {course.root}: run `python -m grading collect {lab} FOLDER` first")
    if student is None:
        return students
    for name in (student, folder_name(student)):
        if name in students:
            return [name]
    raise Mistake(f"no submission of {lab} by {student!r}; there are {', '.join(students[:20])}")
