"""Autograde: every submission of a lab judged, in nbgrader's gradebook and layout. Can be killed and resumed.

A submission is done when autograded/STUDENT/LAB/graded.txt names it. It is taken away first and comes back last, with
its folder, after the grades are in the gradebook: whatever happens in between, the next run grades it again. Its first
line says which files were judged and by which probes, the second which version of the course did.
"""

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat import NotebookNode

from ..content.edition import edition
from ..content.harmless_text import line
from ..content.mistake import Mistake
from ..content.tasks import TASKS, files_of, tasks_of
from ..judge.executors import Local, Pool, as_done, finished
from ..judge.job import Judgement, judge, judged_by
from ..judge.ready_made_calls import NOTE
from . import tries
from .collect import earlier
from .counting import penalties
from .course_folder import Course, kept, replace
from .gradebook import Writer, told
from .graded_notebook import guided, rebuilt, scored, written
from .results import handed_in, lateness
from .rules import Rules, used
from .submissions import Submission, differences, graded_as, submission, summary

if TYPE_CHECKING:
    from ..judge.runner import SomeLimits


def released(course: Course, lab: str) -> NotebookNode:
    """The notebook that learners got.

    Raises:
        Mistake: there is none that can be read, or its tasks are not today's: points would be lost in silence.
    """
    path, again = course.released(lab), f"run `python -m grading release {lab}` again"
    try:
        notebook = nbformat.read(path, as_version=4)
        changed = differences(notebook, lab)
    except (ValueError, AttributeError, LookupError, nbformat.ValidationError):
        raise Mistake(f"{path} cannot be read: {again}") from None
    if changed:
        raise Mistake(f"{lab} was released with other tasks ({', '.join(changed)}): {again}, then autograde --regrade")
    return notebook


def submissions(course: Course, lab: str, students: list[str], regrade: bool) -> Iterator[Submission]:
    """Asked for the first one, once there is somebody to judge it, it marks all that is graded again as not graded."""
    for student in students if regrade else ():
        if not earlier(course.folder("submitted", lab, student)).exists():  # what was graded is still to be compared
            course.record(lab, student).unlink(missing_ok=True)
    yield from (submission(course, lab, student) for student in students)


@dataclass
class Run:
    """One call of autograde: what its parts share."""

    course: Course
    lab: str
    limits: "SomeLimits"
    jail: bool
    rules: Rules
    version: str = field(init=False)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        self.version, module = judged_by(self.lab), files_of(self.lab).get(".py")
        self.released = released(self.course, self.lab)
        self.blank = (self.course.folder("release", self.lab) / module).read_bytes() if module else b""

    def give(self, executor: Executor, found: Submission) -> Future[Judgement]:
        """Have a submission judged. A refused one is."""
        if refused := found.note.get("refused"):
            tasks = {task: ["refused", f"Nothing was graded: {refused}"] for task in tasks_of(self.lab)}
            return finished(Judgement(seconds=0, tasks=tasks, cells=[]))
        module = self.blank if found.module is None else found.module
        own = hashlib.sha256(self.secret + found.student.encode()).digest()
        return executor.submit(
            judge,
            lab=self.lab,
            version=self.version,
            module=module,
            secret=own,
            student=found.student,
            limits=self.limits,
            jail=self.jail,
            notebook=found.notebook,
        )

    def save(self, found: Submission, result: Judgement, writer: Writer) -> float:
        """Grades into the gradebook, files to autograded/, in an order that survives an end at any point; the points.

        Raises:
            Exception: of any type, and nothing is saved as graded.
        """
        points = {t: TASKS[t]["points"] * (state == "right") for t, (state, _) in result["tasks"].items()}
        marks = {task: (float(points[task]), message) for task, (_, message) in result["tasks"].items()}
        shown = rebuilt(self.released, result["cells"], unreadable(found, result), found.notebook or b"")
        module = found.module or b""
        notebook = guided(scored(shown, marks, module), module)
        target = self.course.folder("autograded", self.lab, found.student)
        fresh = target.with_name(f".{self.lab}.new")
        before = self.before(target) or self.before(fresh)  # a run that died last of all has left only that one
        tried = self.tried(tries.kept_in(target) or tries.kept_in(fresh), found, result)
        self.course.record(self.lab, found.student).unlink(missing_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "starter").mkdir(parents=True)
        for name, content in (self.files(found, result, notebook) | {tries.FILE: json.dumps(tried)}).items():
            kept(fresh / name, content, 0o444)
        now = written(notebook, module)
        same = {name for name in now if before.get(name) == now[name]}
        with told(writer.url):
            writer.enter(found.student, notebook, found.stamp, same)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
        return sum(points.values())

    def outdone(self, found: Submission, result: Judgement) -> str:
        """Where the best submission counts: an earlier one that was graded stays, or comes back, when it is worth more.

        Worth is what tasks earn by the rules, less what lateness costs. Nothing where the new one counts.
        """
        folder = self.course.folder("submitted", self.lab, found.student)
        aside, record = earlier(folder), self.course.record(self.lab, found.student)
        if not aside.exists():
            return ""
        before, graded = 0.0, record.parent
        if self.rules.resubmissions == "best" and record.exists():
            verdicts = self.course.noted(self.lab, found.student, "verdicts.json")
            before = self.worth(found.student, verdicts, aside)
        if before <= (now := self.worth(found.student, result, folder)):
            shutil.rmtree(aside)
            return ""
        replace(graded / tries.FILE, json.dumps(self.tried(tries.kept_in(graded), found, result)))
        shutil.rmtree(folder)
        aside.rename(folder)
        return f"an earlier submission counts on, worth {before:g} points for its code; this one is worth {now:g}"

    def tried(self, before: list[tries.Try], found: Submission, result: Judgement) -> list[tries.Try]:
        """All that this learner has had graded of the lab, this one too."""
        time, timed, _ = handed_in(self.course.folder("submitted", self.lab, found.student))
        return tries.with_this(before, found, result, time if timed else None)

    def worth(self, student: str, result: Judgement, folder: Path) -> float:
        given = self.rules.of(self.lab)
        most = {task: given.points.get(task, TASKS[task]["points"]) for task in result["tasks"] if task in TASKS}
        counted, parts = [task for task in most if task not in given.drop], result.get("agreed", {})
        credit = {task: self.rules.credit(self.lab, task, parts.get(task, ())) for task in counted}
        points = sum(most[t] * (1 if result["tasks"][t][0] == "right" else credit[t]) for t in counted)
        days, _ = lateness(self.rules, self.lab, student, folder)
        share = penalties(self.rules, {self.lab: days}, student)[0][self.lab]
        return max(points - share * sum(most.values()), 0)

    def before(self, folder: Path) -> dict[str, tuple[str, float]]:
        """What was graded last (see `written`), from its folder; nothing when that is not whole."""
        module = files_of(self.lab).get(".py")
        try:
            notebook = nbformat.v4.reads((folder / f"{self.lab}.ipynb").read_text(encoding="utf-8"))
            return written(notebook, (folder / module).read_bytes() if module else b"")
        except (OSError, ValueError, KeyError, AttributeError):
            return {}

    def files(self, found: Submission, result: Judgement, notebook: NotebookNode) -> dict[str, str | bytes]:
        """What lies in autograded/: nbgrader's own files, and what feedback and report are made from."""
        module, stamp = files_of(self.lab).get(".py"), found.stamp
        note = found.note | ({"unreadable": why} if (why := unreadable(found, result)) else {})
        return {
            f"{self.lab}.ipynb": nbformat.v4.writes(notebook) + "\n",  # nbformat.write would check our own cells again
            **({module: found.module or b""} if module else {}),
            **({"timestamp.txt": stamp} if stamp else {}),
            "intake.json": json.dumps(note),
            "verdicts.json": json.dumps({k: result[k] for k in ("seconds", "tasks", "agreed") if k in result}),
            "graded.txt": f"{found.digest} {self.version}\n{edition()}\n",
        }

    def settle(self, found: Submission, future: Future[Judgement], writer: Writer) -> tuple[bool, str]:
        """Save what was judged: did it work, and a line about it. Trouble of any type must not stop the others."""
        who = f"{found.student} ({found.note.get('name', 'unnamed')})"
        try:
            result = future.result()
            if words := self.outdone(found, result):
                return True, f"{who}: {words}"
            points = self.save(found, result, writer)
        except CancelledError:
            return False, f"{who}: NOT SAVED: the scheduler that was to have it judged is gone"
        except Exception as trouble:
            words = str(trouble) if isinstance(trouble, Mistake) else f"{type(trouble).__name__}: {trouble}"
            return False, f"{who}: NOT SAVED: {line(words)}"
        noted = [task for task, (state, words) in result["tasks"].items() if state == "right" and NOTE in words]
        note = f" (one call does it all: {', '.join(noted)})" if noted else ""
        return True, f"{who}: {points:g} of {sum(TASKS[task]['points'] for task in result['tasks'])} points{note}"


def unreadable(found: Submission, result: Judgement) -> str:
    """Why nobody can see what is written in the notebook, also where nobody collected it; else nothing."""
    return found.note.get("unreadable") or result.get("unreadable") or ""


def autograde(
    course: Course,
    lab: str,
    *,
    student: str | None = None,
    regrade: bool = False,
    limits: "SomeLimits | None" = None,
    pool: Pool | None = None,
    jail: bool = True,
    say: Callable[[str], None] = print,
    show: Callable[[str], None] | None = None,
) -> int:
    """Grade what is not graded yet; the number of submissions that could not be saved.

    Args:
        regrade: also what is graded; when this is interrupted, a run without it goes on.
        limits: of one question.
        pool: processes of this machine, or a cluster.
        jail: False lets submissions do whatever this user may.
        say, show: take a line that stays, and one that the next may replace.
    """
    run, show = Run(course, lab, limits or {}, jail, used(course, lab)), show or say
    students = course.submitted(lab, student)
    with course.alone(), Writer(course, lab) as writer:
        known = set() if regrade else writer.entered
        versions = {name: graded_as(course, lab, name) if name in known else None for name in students}
        pending = [name for name in students if versions[name] is None]
        jobs, begun, failed = submissions(course, lab, pending, regrade), time.monotonic(), 0
        for done, (found, future) in enumerate(as_done(pool or Local(), run.give, jobs) if pending else (), 1):
            saved, words = run.settle(found, future, writer)
            failed += not saved
            ahead = progress(done, len(pending), failed, time.monotonic() - begun)
            (show if saved else say)(f"[{ahead}] {words}")
    old = sum(version not in (None, run.version) for version in versions.values())
    for words in summary(lab, len(students), len(pending), failed, old):
        say(words)
    return failed


def progress(done: int, of: int, failed: int, seconds: float) -> str:
    rate = done / max(seconds, 1e-3)
    minutes, rest = divmod(round((of - done) / rate), 60)
    return f"{done}/{of}, {failed} failed, {60 * rate:.0f} a minute, {minutes}:{rest:02} left"
