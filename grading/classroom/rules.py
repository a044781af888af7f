"""course.toml: the rules of one course, read and checked. `results` applies them, `changes` says what others change."""

import difflib
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starter.support.course import labs

from ..content.mistake import Mistake
from ..content.tasks import LABS, QUESTIONS, TASKS, tasks_of
from ..judge.agreement import PROPERTIES, WHOLE
from .course_folder import Course, replace
from .groups import ID

FILE = "course.toml"
HEAD = """# The rules of this course: every command reads them. What stands behind a # is off: an example.
# After a change, `python -m grading course` says what it changes for whom; a change of points that were counted before
# counts from `python -m grading course --apply` on. Verdicts in the gradebook stay what they are: late work, points,
# bonus and weights are worked out whenever points are read.

use = [
{use}
]
# zone = "Europe/Berlin"     # of all times here, and of times in downloads that name none; else this machine's
# resubmissions = "last"     # or "best": a new submission counts only where it is worth at least as many points
# anonymous = false          # true: marking sheets have numbers in place of names
# drop_lowest = 0            # so many labs of each learner do not count, the weakest first

[late]
# grace = 0                  # minutes after the due date that cost nothing
# free_days = 0              # days that each learner may be late in the whole term without cost, spent as they come
# per_day = 0                # percent of a lab's points that each day begun after that costs
# most = 100                 # percent that lateness costs at most
# closed_after = 14          # days after which nothing counts; without this line, everything does

# Partial credit for code: percent of a task's points for what is right of an answer that is wrong. It must give the
# right numbers on secret inputs first: blanks, crashes, constants and arguments handed back earn nothing.
[partial]
# value = 40                 # the numbers on ordinary inputs are right
# shape = 10                 # more where all shapes and types are right, too
# gradient = 20              # where the gradients are right, too; a task that asks for none gives nothing for them
# corners = 20               # where the corner cases are right, too: one example, extreme values, defaults

# One of these for each who has another date. student: an id of the roster. Without a lab it is for all labs.
# [[extension]]
# student = "5001"
# lab = "02_vae"
# days = 3                   # or due = "2026-10-22 12:00", or excused = true: the lab does not count for her

# Wrong answers that have no name: groups as `report` shows them, and what learners read with their verdict.
[named]
# "vae-2/3f9a12" = "Summed over the batch: write down what each dimension of the result is."

# Comments for marking sheets: #bound in a sheet stands for its text.
[comments]
# bound = "Say of which of the two terms you speak, and in nats."
"""
LAB = """
[lab.{lab}]
# due = "2026-10-19 23:59"
# weight = 1
# points = {{ {task} = {points} }}
# drop = ["{task}"]           # tasks and questions that do not count
# bonus = ["{task}"]          # that count for who has them, and are not in what the lab is out of
# partial = ["{task}"]        # tasks of which [partial] holds; without this line, of all
"""


@dataclass(frozen=True)
class Lab:
    due: datetime | None = None
    weight: float = 1.0
    points: Mapping[str, float] = field(default_factory=dict)  # of a task or question, where they are others
    drop: Collection[str] = ()
    bonus: Collection[str] = ()
    partial: Collection[str] | None = None  # tasks with partial credit; None: all


@dataclass(frozen=True)
class Extension:
    student: str
    lab: str = ""  # all of them
    days: float = 0.0
    due: datetime | None = None
    excused: bool = False


@dataclass(frozen=True)
class Late:
    grace: float = 0.0  # minutes
    free_days: int = 0
    per_day: float = 0.0  # percent
    most: float = 100.0  # percent
    closed_after: float | None = None  # days


@dataclass(frozen=True)
class Rules:
    use: tuple[str, ...] = tuple(LABS)
    zone: tzinfo | None = None
    resubmissions: str = "last"
    anonymous: bool = False
    drop_lowest: int = 0
    late: Late = Late()
    partial: Mapping[str, float] = field(default_factory=dict)  # percent, by property (see judge/agreement.py)
    labs: Mapping[str, Lab] = field(default_factory=dict)
    extensions: tuple[Extension, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)  # groups of wrong answers (see groups.py)
    comments: Mapping[str, str] = field(default_factory=dict)  # of markers, by their codes

    def of(self, lab: str) -> Lab:
        return self.labs.get(lab, Lab())

    def due(self, lab: str, student: str) -> datetime | None:
        """When a lab is due for a learner: the last of all that she was given."""
        if not (due := self.of(lab).due):
            return None
        given = [one for one in self.extensions if one.student == student and one.lab in ("", lab)]
        return max([due, *(one.due or due + timedelta(days=one.days) for one in given)])

    def last_due(self, lab: str) -> datetime | None:
        """When it is due for whoever has the longest extension."""
        due = self.due(lab, "")
        return due and max([due, *(self.due(lab, one.student) or due for one in self.extensions)])

    def excused(self, lab: str, student: str) -> bool:
        return any(one.excused for one in self.extensions if one.student == student and one.lab in ("", lab))

    def credit(self, lab: str, task: str, agreed: Collection[str]) -> float:
        """Share of a task's points that a wrong answer earns of which these properties are right."""
        only = self.of(lab).partial
        return sum(self.partial.get(name, 0) for name in agreed) / 100 if only is None or task in only else 0.0


class Kind(NamedTuple):
    """What a value may be, in words, and what reads it or raises ValueError."""

    allowed: str
    read: Callable[[Any], Any]


def number(low: float, high: float, whole: bool = False) -> Kind:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a {'whole ' * whole}number from {low:g} to {high:g}", read)


def one_of(*values: Any) -> Kind:
    def read(value: Any) -> Any:
        if not any(value is known or isinstance(value, str) and value == known for known in values):
            raise ValueError
        return value

    return Kind(" or ".join("true" if v is True else "false" if v is False else f'"{v}"' for v in values), read)


def names(known: Collection[str], what: str) -> Kind:
    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or len({*map(str, value)}) < len(value):
            raise ValueError
        if unknown := next((name for name in value if name not in known), None):
            raise ValueError(near(str(unknown), known))
        return tuple(value)

    return Kind(f"a list of {what}, each once", read)


def when(zone: tzinfo | None) -> Kind:
    """A date means its last minute."""

    def read(value: Any) -> datetime:
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time(23, 59, 59))
        if not isinstance(value, datetime):
            raise ValueError
        return (value if value.tzinfo else value.replace(tzinfo=zone) if zone else value).astimezone(UTC)

    return Kind('a time such as "2026-10-19 23:59", or a date', read)


def points(known: Collection[str]) -> Kind:
    def read(value: Any) -> dict[str, float]:
        if unknown := next((name for name in value if name not in known), None):
            raise ValueError(near(unknown, known))
        return {name: number(0, 1000).read(worth) for name, worth in value.items()}

    return Kind("tasks with points from 0 to 1000, such as { vae-1 = 3 }", read)


def zone(value: Any) -> tzinfo:
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, LookupError, TypeError, AttributeError):
        raise ValueError from None


def near(name: str, known: Collection[str]) -> str:
    return f"{name!r} is none; did you mean {difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]}?"


def graded_in(lab: str) -> dict[str, int]:
    """Tasks and questions of a lab, and their points."""
    return {name: row["points"] for name, row in (TASKS | QUESTIONS).items() if row["lab"] == lab}


def some_text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


TEXT = Kind("a text, in quotes", some_text)
TOP = {
    "use": names(LABS, "labs"),
    "zone": Kind("a time zone such as Europe/Berlin", zone),
    "resubmissions": one_of("last", "best"),
    "anonymous": one_of(True, False),
    "drop_lowest": number(0, len(LABS) - 1, whole=True),
}
LATE = {
    "grace": number(0, 100_000),
    "free_days": number(0, 1000, whole=True),
    "per_day": number(0, 100),
    "most": number(0, 100),
    "closed_after": number(0, 1000),
}


def of_lab(lab: str, place: tzinfo | None) -> dict[str, Kind]:
    known, what = graded_in(lab), f"tasks and questions of {lab}"
    lists = names(known, what)
    kinds = {"due": when(place), "weight": number(0, 1000), "points": points(known), "drop": lists, "bonus": lists}
    whole = [task for task in tasks_of(lab) if task in WHOLE]
    but = f" but {', '.join(whole)}, all or nothing for what it is" * bool(whole)
    return kinds | {"partial": names({*tasks_of(lab)} - {*whole}, f"tasks of {lab}{but}")}


def of_extension(place: tzinfo | None) -> dict[str, Kind]:
    known = Kind("a lab", lambda value: names(LABS, "labs").read([value])[0])
    days = number(0, 1000)
    return {"student": TEXT, "lab": known, "days": days, "due": when(place), "excused": one_of(True, False)}


def checked(where: str, table: Any, kinds: Mapping[str, Kind], inner: Collection[str] = ()) -> dict[str, Any]:
    """A table's values as they are used.

    Raises:
        Mistake: it is no table, has a key that nobody knows, or a value that is not allowed.
    """
    if not isinstance(table, dict):
        raise Mistake(f"{FILE}: {where.rstrip('.')} is {table!r}: a table [{where.rstrip('.')}] is needed")
    found = {}
    for key, value in table.items():
        if key in inner:
            continue
        if key not in kinds:
            near = difflib.get_close_matches(key, [*kinds, *inner], n=1, cutoff=0.0)[0]
            raise Mistake(
                f"{FILE}: there is no {where}{key}; did you mean {near}? Keys here: {', '.join([*kinds, *inner])}"
            )
        try:
            found[key] = kinds[key].read(value)
        except (ValueError, TypeError, AttributeError, OverflowError) as wrong:
            why = f" ({wrong})" if str(wrong).endswith("?") else ""
            shown = str(value) if isinstance(value, date) else repr(value)
            raise Mistake(f"{FILE}: {where}{key} is {shown}: {kinds[key].allowed} is needed{why}") from None
    return found


def parsed(text: str) -> Rules:
    """
    Raises:
        Mistake: something in it is not allowed; names the key, the value, and what is.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise Mistake(f"{FILE}: {wrong}") from None
    top = checked("", table, TOP, ("late", "partial", "lab", "named", "comments", "extension"))
    place, use = top.get("zone"), top.get("use", tuple(LABS))
    late = Late(**checked("late.", table.get("late", {}), LATE))
    each = {lab: Kind("a table", lambda value: value) for lab in LABS}
    rows = checked("lab.", table.get("lab", {}), each)
    labs = {lab: Lab(**checked(f"lab.{lab}.", row, of_lab(lab, place))) for lab, row in rows.items()}
    for lab, row in labs.items():
        if both := [name for name in row.drop if name in row.bonus]:
            raise Mistake(f"{FILE}: lab.{lab}: {both[0]} is in drop and in bonus: leave it in one of them")
    given = table.get("extension", [])
    if not isinstance(given, list):
        raise Mistake(f"{FILE}: extension is one table: write [[extension]], with two brackets, above each")
    names = groups(table.get("named", {}))
    bank = table.get("comments", {})
    bank = checked("comments.", bank, dict.fromkeys(bank, TEXT) if isinstance(bank, dict) else {})
    partial = shares(table.get("partial", {}), labs)
    more = {"late": late, "partial": partial, "labs": labs, "named": names, "comments": bank}
    more |= {"extensions": tuple(extensions(given, labs, place))}
    return Rules(**top | {"use": use} | more)


def shares(table: Any, labs: Mapping[str, Lab]) -> dict[str, float]:
    """
    Raises:
        Mistake: they give all points to a wrong answer, or tasks are named and no share.
    """
    found = checked("partial.", table, dict.fromkeys(PROPERTIES, number(0, 100)))
    if (total := sum(found.values())) >= 100:
        raise Mistake(f"{FILE}: partial sums up to {total:g}: less than 100 is needed, for a wrong answer is not right")
    if not total and (named := next((lab for lab, row in labs.items() if row.partial), None)):
        raise Mistake(f"{FILE}: lab.{named}.partial names tasks, and [partial] gives them nothing: set value = 40, say")
    return found


def groups(table: Any) -> dict[str, str]:
    """
    Raises:
        Mistake: a key is no group, or a name is no text.
    """
    if isinstance(table, dict) and (unknown := next((key for key in table if not ID.fullmatch(key)), None)):
        raise Mistake(f'{FILE}: named has {unknown!r}, which is no group: `report` writes them, such as "vae-2/3f9a12"')
    return checked("named.", table, dict.fromkeys(table, TEXT) if isinstance(table, dict) else {})


def extensions(given: list[Any], labs: Mapping[str, Lab], place: tzinfo | None) -> list[Extension]:
    found = []
    for count, row in enumerate(given, 1):
        one = Extension(**{"student": ""} | checked(f"extension {count}: ", row, of_extension(place)))
        where = f"{FILE}: extension {count}"
        if not one.student:
            raise Mistake(f"{where} has no student: name the one that it is for")
        if bool(one.days) + bool(one.due) + one.excused != 1:
            raise Mistake(f"{where} ({one.student}) needs one of days, due and excused = true")
        if one.lab and not one.excused and not labs.get(one.lab, Lab()).due:
            raise Mistake(f"{where} ({one.student}): {one.lab} has no due date: set it in [lab.{one.lab}], as due")
        found.append(one)
    return found


def written(course: Course) -> str:
    """What course.toml holds; nothing where there is none.

    Raises:
        Mistake: it is no text.
    """
    path = course.root / FILE
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError:
        raise Mistake(f"{path} is no text in UTF-8: save it as one") from None


def rules_of(course: Course) -> Rules:
    """
    Raises:
        Mistake: course.toml is not as it must be.
    """
    return parsed(written(course))


def used(course: Course, lab: str) -> Rules:
    """The same, for a command about a lab.

    Raises:
        Mistake: the course does not use this lab.
    """
    rules = rules_of(course)
    if lab not in rules.use:
        raise Mistake(f"{lab} is none of this course's labs: add it to `use` in {course.root / FILE}")
    return rules


def not_past(course: Course, lab: str, rules: Rules) -> None:
    """
    Raises:
        Mistake: a lab that nobody has handed in yet was due before now: nobody could be in time.
    """
    due = rules.of(lab).due
    if due and due < datetime.now(UTC) and not course.students("submitted", lab):
        raise Mistake(f"{lab} was due {due:%Y-%m-%d %H:%M} UTC, which is past: correct {course.root / FILE} first")


def none_due(course: Course, lab: str, rules: Rules) -> None:
    """
    Raises:
        Mistake: a lab that this one builds on is still due: its answers are not to be given out yet.
    """
    for earlier in labs()[lab].builds_on:
        if (due := rules.last_due(earlier)) and due > datetime.now(UTC):
            when = f"{due:%Y-%m-%d %H:%M} UTC"
            raise Mistake(f"{earlier} is due until {when} in {course.root / FILE}: --given would give its answers out")


def template() -> str:
    first = {lab: next(iter(graded_in(lab).items())) for lab in LABS}
    use = "\n".join(f'    "{lab}",' for lab in LABS)
    return HEAD.replace("{use}", use) + "".join(
        LAB.format(lab=lab, task=task, points=worth) for lab, (task, worth) in first.items()
    )


def begun(course: Course) -> bool:
    """Write a course.toml in which nothing is set yet; False where there is one."""
    course.root.mkdir(parents=True, exist_ok=True)
    if (course.root / FILE).exists():
        return False
    replace(course.root / FILE, template())
    return True
