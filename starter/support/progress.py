"""How far a learner is. Verdicts are kept by the content of her files: torch is asked only about what has changed."""

import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import course

STORE = Path(__file__).parents[1] / ".verdicts.json"
COLOURS = {"right": 32, "written": 32, "wrong": 31, "blank": 0, "empty": 0, "given": 0}  # of a terminal


@dataclass(frozen=True)
class Standing:
    """What is known of a task."""

    state: str  # "right", "wrong", "blank"; or "given", with a module that the course has completed
    message: str


@dataclass(frozen=True)
class LabStanding:
    """How far a lab is."""

    lab: course.Lab
    tasks: dict[str, Standing]
    answers: dict[str, str]  # question -> "written", or "empty"
    trouble: str = ""  # why no task can be checked

    @property
    def right(self) -> list[str]:
        return [task for task, found in self.tasks.items() if found.state == "right"]

    @property
    def unwritten(self) -> list[str]:
        return [question for question, state in self.answers.items() if state == "empty"]

    @property
    def points(self) -> int:
        """Of right tasks. What a human will give for answers, nobody knows."""
        return sum(self.lab.tasks[task].points for task in self.right)

    @property
    def is_begun(self) -> bool:
        untouched = ("blank", "given")
        is_tried = any(found.state not in untouched for found in self.tasks.values())
        return bool(self.trouble) or is_tried or self.has_answers

    @property
    def has_answers(self) -> bool:
        return len(self.unwritten) < len(self.answers)

    @property
    def is_done(self) -> bool:
        return len(self.right) == len(self.lab.tasks) and not self.unwritten

    @property
    def is_given(self) -> bool:
        return any(found.state == "given" for found in self.tasks.values())

    @property
    def is_usable(self) -> bool:
        """Can a later lab build on its module?"""
        return self.is_given or len(self.right) == len(self.lab.tasks)

    def summary(self) -> str:
        lab, parts = self.lab, []
        if self.is_given:
            parts.append("given by the course")
        elif lab.tasks:
            parts.append(f"{len(self.right)} of {len(lab.tasks)} tasks right")
        if self.answers:
            parts.append(f"{len(self.answers) - len(self.unwritten)} of {len(self.answers)} questions written")
        later = sum(points for question, points in lab.questions.items() if question not in self.unwritten)
        graded = f", {later} more are a human's to give" if later else ""
        return f"{', '.join(parts)}, {self.points} of {lab.points} points{graded}"


def of_lab(lab: course.Lab) -> LabStanding:
    tasks, trouble = verdicts(lab) if lab.tasks else ({}, "")
    return LabStanding(lab, tasks, answers(lab), trouble)


def answers(lab: course.Lab) -> dict[str, str]:
    """Of each question whether its cell holds an answer; of a notebook that cannot be read, none does."""
    texts = dict.fromkeys(lab.questions, "")
    with contextlib.suppress(course.Missing):
        path = course.notebook_of(lab.name)
        texts = {question: course.written(question, path) for question in lab.questions}
    return {question: "empty" if text in ("", course.unanswered()) else "written" for question, text in texts.items()}


def verdicts(lab: course.Lab) -> tuple[dict[str, Standing], str]:
    """Of each task of a lab, and why none can be checked, where that is so."""
    try:
        key = content_of(lab)
    except course.Missing as missing:
        return dict.fromkeys(lab.tasks, Standing("wrong", str(missing))), str(missing)
    if state := unasked(lab):  # most labs, most of the time
        return dict.fromkeys(lab.tasks, Standing(state, "")), ""
    known = course.noted(STORE).get(lab.name, {})
    if known.get("key") != key:
        known = {"key": key, **judged(lab)}
        keep(lab.name, known)
    return {task: Standing(*known["tasks"][task]) for task in lab.tasks}, known["trouble"]


def unasked(lab: course.Lab) -> str | None:
    """What all of its tasks are, where the text alone tells."""
    from . import blanks

    text = course.module_of(lab).read_bytes().replace(b"\r\n", b"\n")
    if blanks.is_completed(text):
        return "given"
    return "blank" if text == blanks.given()[str(lab.module)].encode() else None


def judged(lab: course.Lab) -> dict:
    from . import checks  # torch: not for whoever only reads

    if trouble := checks.broken(next(iter(lab.tasks))):
        return {"tasks": dict.fromkeys(lab.tasks, ["wrong", trouble]), "trouble": trouble}
    found = {task: checks.verdict(task) for task in lab.tasks}
    return {"tasks": {task: [one.state, one.message] for task, one in found.items()}, "trouble": ""}


def keep(lab: str, known: dict) -> None:
    fresh = STORE.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):  # a read-only copy is only slower
        fresh.write_text(json.dumps(course.noted(STORE) | {lab: known}), encoding="utf-8")
        fresh.replace(STORE)


def content_of(lab: course.Lab) -> str:
    """A mark of all that a lab's verdicts depend on: its module, those that it names, and what judges.

    Raises:
        Missing: the module is not there.
    """
    course.module_of(lab)
    modules = {other.module: other for other in course.labs().values() if other.module}
    texts: dict[str, bytes] = {}
    open_ = [str(lab.module)]
    while open_:
        name = open_.pop()
        with contextlib.suppress(course.Missing, OSError):
            texts[name] = b""
            texts[name] = course.module_of(modules[name]).read_bytes()
        words = set(re.findall(r"\w+", texts[name].decode("utf-8", "replace")))
        open_ += (words & modules.keys()) - texts.keys()
    parts = [repr(sorted(texts.items())), judge()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def judge() -> str:
    """A mark of what judges: Python, and the files of the course as they are on this disk."""
    files = sorted(path for path in Path(__file__).parent.rglob("*") if path.suffix in (".py", ".json"))
    sizes = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return repr((sys.version, sizes))


def line_of(task: str) -> str:
    """Where a task's blank is, or was: file, line and function."""
    lab = course.lab_of(task)
    symbol = lab.tasks[task].symbol
    with contextlib.suppress(course.Missing, OSError):
        lines = course.module_of(lab).read_text(encoding="utf-8", errors="replace").splitlines()
        for pattern in (rf"NotImplementedError\(.{task}\b", rf"def {symbol}\b"):
            if found := [number for number, line in enumerate(lines, 1) if re.search(pattern, line)]:
                return f"{lab.place}, line {found[0]}, {symbol}"
    return f"{lab.place}, {symbol}"


def following(found: LabStanding, task: str | None = None) -> str | None:
    """The next task that is not right: after this one, or else from the first."""
    tasks = [] if found.is_given else [*found.lab.tasks]
    start = tasks.index(task) + 1 if task in tasks else 0
    return next((other for other in tasks[start:] + tasks[:start] if found.tasks[other].state != "right"), None)


def after(task: str) -> str:
    """What a task that is right is worth, how far its lab is, and what comes next."""
    found = of_lab(course.lab_of(task))
    lab = found.lab
    if found.is_given:
        return f"No points: {lab.place} is given by the course. {coming(found)}"
    points = lab.tasks[task].points
    return f"✓ +{points} point{'s' * (points > 1)}. Lab {lab.number}: {found.summary()}.\n{coming(found, task)}"


def check_each(tasks: Iterable[str]) -> list[str]:
    """Check some tasks, say of each what there is to say, and how far the lab of the last right one is; those right."""
    from . import checks

    found = []
    for task in tasks:
        try:
            checks.check(task)
            found.append(task)
        except checks.Wrong as wrong:
            print(wrong)
    if found:
        print(after(found[-1]))
    return found


def coming(found: LabStanding, task: str | None = None) -> str:
    """What to do next, in a line."""
    lab = found.lab
    if other := following(found, task):
        row = lab.tasks[other]
        return f"Next: {other}, {row.statement}, about {row.minutes} minutes ({line_of(other)})."
    if found.unwritten and not found.is_given:
        return f"Next: {' and '.join(found.unwritten)}, in the notebook {lab.name}."
    order = [*course.labs().values()]
    later = order[order.index(lab) + 1 :]
    state = "given by the course" if found.is_given else "done"
    return f"Lab {lab.number} is {state}." + (f" Next: lab {later[0].number}, {later[0].name}." if later else "")


def present() -> list[course.Lab]:
    """The labs whose notebooks are here: all of them in the repository, one in a lab's zip."""
    found = []
    for lab in course.labs().values():
        with contextlib.suppress(course.Missing):
            course.notebook_of(lab.name)
            found.append(lab)
    return found or [*course.labs().values()]


def table(labs: list[course.Lab] | None = None, colour: bool = False) -> str:
    """A heading for each lab, and a row for each task and question of those that are begun or asked for."""
    asked = labs is not None
    standings = [of_lab(lab) for lab in (labs if labs is not None else present())]
    lines = [line for found in standings for line in rows(found, asked or found.is_begun and not found.is_done, colour)]
    right, tasks = (sum(map(len, part)) for part in ([s.right for s in standings], [s.lab.tasks for s in standings]))
    points, total = sum(found.points for found in standings), sum(found.lab.points for found in standings)
    graded = sum(sum(found.lab.questions.values()) for found in standings)
    lines.append(
        f"{right} of {tasks} tasks right, {points} of {total} points; {graded} of them are for written answers."
    )
    return "\n".join(lines)


def rows(found: LabStanding, in_full: bool, colour: bool) -> Iterator[str]:
    from . import blanks

    lab, given_up = found.lab, blanks.shown()
    yield f"Lab {lab.number:<2} {lab.name}: {found.summary()}; {lab.minutes} minutes"
    if found.trouble:
        reach = f"{next(iter(lab.tasks))} to {[*lab.tasks][-1]}"
        yield f"  {found.trouble} ({reach} cannot be checked)"
    elif in_full:
        for task, standing in found.tasks.items():
            more = ", given up" if task in given_up else ""
            yield f"  {task:8} {tinted(standing.state, colour)} {lab.tasks[task].points:2}  {line_of(task)}{more}"
    if in_full:
        for question, state in found.answers.items():
            yield f"  {question:8} {tinted(state, colour)} {lab.questions[question]:2}  {lab.name}.ipynb"


def in_colour() -> bool:
    """Is it read on a terminal that wants colour? https://no-color.org"""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def tinted(state: str, colour: bool) -> str:
    padded = f"{state:7}"
    return f"\033[{COLOURS[state]}m{padded}\033[0m" if colour and COLOURS[state] else padded
