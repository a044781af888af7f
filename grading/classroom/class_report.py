"""Report: what a class knows of a lab, and which mistakes it makes. The most frequent one is what to teach next."""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ..content.mistake import Mistake
from ..content.tasks import QUESTIONS, tasks_of
from ..judge.job import Judgement
from .changes import readout
from .course_folder import Course, replace
from .export import text, untimed
from .groups import OTHER, grouped
from .report_page import of_lab, of_term, way
from .results import Result
from .roster import roster_of
from .tries import kept_in, steps, took

STATES = ("right", "wrong", "blank", "refused")
BAR = 20  # characters of a whole class
UNNAMED = "other"
MODULE, UNREADABLE, MISSING = "all", "unreadable", "nothing graded"
RAISES = re.compile(r"(?:line \d+ of )?starter/\w+\.py raises (\w{1,40}):")  # as `verdict.stopped` says it
Row = tuple[str, str, int, float, str]
HEAD = ("task", "what", "learners", "share", "says")


def report(course: Course, lab: str, say: Callable[[str], None] = print) -> Path:
    """Print the tables of a lab, write them as report-LAB.csv, and more as report-LAB.html; the path of the first.

    Raises:
        Mistake: nothing is graded yet.
    """
    course.released(lab)
    with course.gradebook() as gradebook:
        read = readout(course, gradebook)
        found, scale = read.results(lab), read.scale(lab)
    if not found or not scale:
        raise Mistake(f"nothing of {lab} is graded in {course.root}: run `python -m grading autograde {lab}` first")
    by_name: dict[str, Judgement] = {name: course.noted(lab, name, "verdicts.json") for name in sorted(found)}
    notes = [*by_name.values()]
    taken_in = {name: course.noted(lab, name, "intake.json") for name in sorted(found)}
    unread = [name for name, note in taken_in.items() if UNREADABLE in note]
    marked = {name for name, note in taken_in.items() if "late" in note}
    met = [*mistakes(lab, notes, read.rules.named)]
    rows = [*states(lab, notes), *questions(lab, found), *missing(course, found)]
    rows += [*unreadable(unread, len(notes)), *met]
    said = [times(notes), spread(found, marked), *untimed(lab, found)]
    for words in (*shown(lab, rows, len(notes), scale.worth), *said):
        say(words)
    path = course.root / f"report-{lab}.csv"
    replace(path, text([HEAD, *rows]))
    sections = {person.folder: person.section for person in roster_of(course).people}
    gone = [f"Nothing graded: {says}." for _, what, _, _, says in rows if what == MISSING]
    tried = {name: several for name in found if len(several := kept_in(course.record(lab, name).parent)) > 1}
    tried_ways = way(steps(tried, namer(lab, read.rules.named)), took(tried.values()), len(tried))
    replace(path.with_suffix(".html"), of_lab(lab, found, by_name, scale, sections, met, [*said, *gone], tried_ways))
    say(f"{len(notes)} submissions of {lab}; the same as a table: {path}; with more, as a page: {path.stem}.html.")
    return path


def term_report(course: Course, say: Callable[[str], None] = print) -> Path:
    """The report of every graded lab, and report.html over all of them; its path.

    Raises:
        Mistake: nothing is graded yet.
    """
    from ..content.known_answers import answers

    with course.gradebook() as gradebook:
        read = readout(course, gradebook)
        labs = {lab: found for lab in read.rules.use if (found := read.results(lab))}
    if not labs:
        raise Mistake(f"nothing is graded in {course.root}: run `python -m grading autograde LAB` first")
    kinds: dict[str, dict[str, int]] = {}
    for lab, found in labs.items():
        report(course, lab, say)
        says = {entry["says"]: entry["kind"] for task in tasks_of(lab) for entry in answers("wrong")[task]}
        for name in found:
            verdicts = course.noted(lab, name, "verdicts.json")["tasks"].values()
            for kind in {says.get(named(message, says), "") for state, message in verdicts if state == "wrong"} - {""}:
                kinds.setdefault(kind, {}).setdefault(lab, 0)
                kinds[kind][lab] += 1
    path = course.root / "report.html"
    replace(path, of_term(labs, dict(sorted(kinds.items())), roster_of(course).by_folder))
    say(f"{len(labs)} labs side by side: {path}.")
    return path


def states(lab: str, notes: list[Judgement]) -> Iterator[Row]:
    for task in tasks_of(lab):
        count = Counter(note["tasks"][task][0] for note in notes if task in note["tasks"])
        yield from ((task, state, count[state], count[state] / len(notes), "") for state in STATES)


def questions(lab: str, found: dict[str, Result]) -> Iterator[Row]:
    """Written answers: the mean of the points that humans gave, and how many wait for theirs."""
    for name, row in QUESTIONS.items():
        scores = [result.scores[name] for result in found.values() if name in result.scores]
        if row["lab"] == lab and scores:
            yield name, "points", len(scores), statistics.fmean(scores), "mean of the points given so far"
        if row["lab"] == lab and (waiting := len(found) - len(scores)):
            yield name, "to read", waiting, waiting / len(found), "written answers that nobody has graded yet"


def missing(course: Course, found: dict[str, Result]) -> Iterator[Row]:
    """Who of the roster has nothing that is graded."""
    people = roster_of(course).by_folder
    if gone := sorted(people.keys() - found.keys()):
        names = ", ".join(f"{people[one].name} ({one})" for one in gone)
        yield "roster", MISSING, len(gone), len(gone) / len(people), names


def unreadable(students: list[str], of: int) -> Iterator[Row]:
    if students:
        says = f"their written answers wait for a human, who opens the files in submitted/: {', '.join(students)}"
        yield "notebook", UNREADABLE, len(students), len(students) / of, says


def mistakes(lab: str, notes: list[Judgement], given: Mapping[str, str]) -> Iterator[Row]:
    """Catalogued wrong answers by how many learners gave them, and what stops with an exception.

    What stops a whole module, such as a syntax error, is one mistake, and not one of each task. Answers without a name
    are together where they do the same.

    Args:
        given: names of such groups, by an instructor.
    """
    from ..content.known_answers import answers

    tasks = tasks_of(lab)
    whole = [alike(note, tasks) for note in notes]
    met = Counter(f"the whole module {named(message, ())}" for message in whole if message)
    yield from ((MODULE, UNNAMED, n, n / len(notes), words) for words, n in met.most_common())
    parts = [note for note, message in zip(notes, whole) if not message]
    for task in tasks:
        says = {entry["says"]: entry["id"] for entry in answers("wrong")[task]}
        wrong = [note["tasks"][task][1] for note in parts if note["tasks"].get(task, [""])[0] == "wrong"]
        alike_ones = Counter(grouped(task, named(message, says), message) for message in wrong)
        for (group, name), n in alike_ones.most_common():
            known = f"{given[group]} ({group})" if group in given else f"{name} ({group})" if group else name
            yield task, says.get(name, group if group in given else UNNAMED), n, n / len(notes), known


def alike(note: Judgement, tasks: list[str]) -> str | None:
    """What is said of every task, when it is one thing."""
    said = {tuple(note["tasks"].get(task, ("", ""))) for task in tasks}
    state, message = said.pop()
    return message if state == "wrong" and not said and len(tasks) > 1 else None


def namer(lab: str, given: Mapping[str, str]) -> Callable[[str, str, str], str]:
    """What people call a verdict on a task: by the catalogue, by the instructor's name of its group, or its state."""
    from ..content.known_answers import answers

    says = {task: [entry["says"] for entry in answers("wrong")[task]] for task in tasks_of(lab)}

    def name(task: str, state: str, message: str) -> str:
        if state != "wrong":
            return state
        group, words = grouped(task, named(message, says.get(task, ())), message)
        return given.get(group, words)

    return name


def named(message: str, says: Iterable[str]) -> str:
    if known := next((words for words in says if message.startswith(words)), None):
        return known
    raised = RAISES.match(message)
    return f"stops with {raised[1]}" if raised else OTHER


def shown(lab: str, rows: list[Row], learners: int, worth: Mapping[str, float]) -> Iterator[str]:
    share = {(task, what): part for task, what, _, part, _ in rows}
    count = {(task, what): n for task, what, n, _, _ in rows}
    yield f"{'task':8} {' '.join(f'{state:>7}' for state in STATES)}  share of {learners} that have it right"
    for task in tasks_of(lab):
        bar = "#" * round(BAR * share[task, "right"])
        yield f"{task:8} {' '.join(f'{count[task, s]:7}' for s in STATES)}  {bar:{BAR}} {share[task, 'right']:.0%}"
    for task, what, n, mean, says in rows:
        if what == "points":
            yield f"{task:8} {mean:.2f} of {worth[task]:g} points on average (of {n})"
        if what == "to read":
            yield f"{task:8} still to be read: {n}"
        if what == MISSING:
            yield f"{task:8} has nothing graded: {n}; {says}"
        if what == UNREADABLE:
            yield f"{task:8} cannot be read: {n}; {says}"
    wrong = [row for row in rows if row[1] not in (*STATES, "points", "to read", UNREADABLE, MISSING)]
    yield "What to teach next:" if wrong else "Nothing is wrong."
    wrong.sort(key=lambda row: (-row[2], row[1] == UNNAMED))  # of two that as many met, what has a name can be taught
    yield from (f"{n:6}  {task:8} {says}" for task, _, n, _, says in wrong[:12])


def times(notes: list[Judgement]) -> str:
    seconds = sorted(note["seconds"] for note in notes)
    return f"Judging took {statistics.median(seconds):.1f} s a submission, {seconds[-1]:.1f} s the slowest."


def spread(found: dict[str, Result], marked: set[str]) -> str:
    """The middle half of the points, and how many came late: by the due date, or as the platform marks them."""
    totals = sorted(result.total for result in found.values())
    low, middle, high = (totals[round(part * (len(totals) - 1))] for part in (0.25, 0.5, 0.75))
    late = {name for name, result in found.items() if result.late > 0}
    only = f" ({len(marked - late)} by the platform's mark alone)" if marked - late else ""
    most = next(iter(found.values())).out_of
    points = f"Points: median {middle:g} of {most:g}, the middle half from {low:g} to {high:g}"
    return f"{points}; {len(late | marked)} came late{only}."
