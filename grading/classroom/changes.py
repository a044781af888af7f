"""Which rules are in force, and what others would change for whom.

What points were last counted by is kept beside course.toml. A change that moves nobody's points is in force at once.
One that does waits for a word: until then nothing is read out, so that no table holds what nobody has looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ..content.mistake import Mistake
from ..judge.agreement import PROPERTIES
from . import course_folder
from .course_folder import Course
from .roster import nearest, roster_of
from .rules import FILE, Rules, graded_in, parsed, rules_of, written

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

    from .results import Readout

KEPT = ".in-force.toml"
TERM = "term"
Standing = dict[tuple[str, str], tuple[float, float]]  # lab or the term, student -> points, out of


@dataclass(frozen=True)
class Change:
    lab: str
    student: str
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.lab:20} {self.student:14} {self.name:24} {self.before} -> {self.after}"


def readout(course: Course, gradebook: "Gradebook") -> "Readout":
    """What reads points out by the rules in force.

    Raises:
        Mistake: course.toml is not as it must be, or would change points that were counted before.
    """
    from .results import Readout

    text = written(course)
    if text == kept(course):
        return Readout(course, gradebook, resolved(course, gradebook, parsed(text)))
    changed = [*changes(course, gradebook)]
    if changed:
        who = len({change.student for change in changed})
        raise Mistake(
            f"{FILE} changes the points of {who} learners: `python -m grading course` says whose, and "
            "`python -m grading course --apply` lets it count"
        )
    put_in_force(course)
    return Readout(course, gradebook, resolved(course, gradebook, parsed(text)))


def settle(course: Course) -> None:
    """Let course.toml count from now on where that moves nobody's points; before a lab is graded, say."""
    if written(course) == kept(course):
        return
    from .gradebook import any_graded  # seconds

    if not any_graded(course):
        return put_in_force(course)
    with course.gradebook() as gradebook:
        if next(changes(course, gradebook), None) is None:
            put_in_force(course)


def kept(course: Course) -> str:
    path = course.root / KEPT
    return path.read_text(encoding="utf-8") if path.exists() else ""


def put_in_force(course: Course) -> None:
    if course.root.exists():
        course_folder.replace(course.root / KEPT, written(course))


def changes(course: Course, gradebook: "Gradebook") -> Iterator[Change]:
    """What course.toml as it is now changes, lab by lab, then for the whole term."""
    from .results import Readout

    after = Readout(course, gradebook, resolved(course, gradebook, rules_of(course)))
    before = Readout(course, gradebook, resolved(course, gradebook, parsed(kept(course)), strict=False))
    was, will = standing(before), standing(after)
    names = {one: " ".join(filter(None, (p.first_name, p.last_name))) for one, p in after.people.items()}
    for lab, student in sorted(was.keys() | will.keys(), key=lambda one: (one[0] == TERM, *one)):
        old, new = was.get((lab, student)), will.get((lab, student))
        if old is None or new is None or any(abs(a - b) > 1e-9 for a, b in zip(old, new)):
            yield Change(lab, student, names.get(student, ""), words(lab, old), words(lab, new))


def words(lab: str, points: tuple[float, float] | None) -> str:
    if points is None:
        return "not counted"
    return f"{points[0]:.1f} %" if lab == TERM else f"{points[0]:.4g} of {points[1]:.4g}"


def standing(read: "Readout") -> Standing:
    from .results import term_percent

    labs = {lab: read.results(lab) for lab in read.rules.use}
    found = {
        (lab, student): (result.total, result.out_of)
        for lab, results in labs.items()
        for student, result in results.items()
        if not result.excused
    }
    people = {student for results in labs.values() for student in results}
    shares = {student: term_percent(read.rules, labs, student) for student in people}
    return found | {(TERM, student): (share, 100.0) for student, share in shares.items() if share is not None}


def resolved(course: Course, gradebook: "Gradebook", rules: Rules, strict: bool = True) -> Rules:
    """Extensions by the names that the gradebook has for learners.

    Raises:
        Mistake: nobody is called as an extension says, and somebody is known at all.
    """
    if not rules.extensions:
        return rules
    roster = roster_of(course)
    known = {one: p.id for p in gradebook.students for one in (p.id, p.lms_user_id, p.email) if one}
    found = []
    for count, one in enumerate(rules.extensions, 1):
        student = roster.named(one.student) or known.get(one.student)
        if not student and known and strict:
            near = nearest(one.student, [*known])
            raise Mistake(f"{FILE}: extension {count}: nobody is called {one.student!r}; did you mean {near}?")
        found.append(replace(one, student=student or one.student))
    return replace(rules, extensions=tuple(found))


def described(rules: Rules, now: datetime) -> Iterator[str]:
    """The rules, as sentences and a table."""
    zone = rules.zone or now.astimezone().tzinfo
    yield f"{'lab':20} {'weight':>6} {'points':>6}  due ({rules.zone or 'this machine: ' + str(zone)})"
    for lab in rules.use:
        given = rules.of(lab)
        worth = {name: given.points.get(name, points) for name, points in graded_in(lab).items()}
        total = sum(points for name, points in worth.items() if name not in {*given.drop, *given.bonus})
        due = f"{given.due.astimezone(zone):%a %Y-%m-%d %H:%M}" if given.due else "-"
        past = ", past" if given.due and given.due < now else ""
        more = "".join(f"; {w}: {', '.join(n)}" for w, n in (("dropped", given.drop), ("bonus", given.bonus)) if n)
        yield f"{lab:20} {given.weight:6g} {total:6g}  {due}{past}{more}"
    late = rules.late
    if late.per_day or late.closed_after is not None:
        yield f"Late: {late.grace:g} minutes of grace, {late.free_days} free days, then {late.per_day:g} % of the " + (
            f"points a day, {late.most:g} % at most"
            + (f"; closed {late.closed_after:g} days after the due date." if late.closed_after is not None else ".")
        )
    if parts := ", ".join(f"{share:g} % for {PROPERTIES[name]}" for name, share in rules.partial.items() if share):
        only = [task for lab in rules.use for task in rules.of(lab).partial or ()]
        some = [lab for lab in rules.use if rules.of(lab).partial is not None]
        yield (
            f"Partial credit for wrong answers whose numbers on ordinary inputs are right: {parts}; others earn none."
            + f" In {', '.join(some)} only of {', '.join(only) or 'no task'}." * bool(some)
        )
    for one in rules.extensions:
        what = "excused" if one.excused else f"{one.days:g} days more" if one.days else f"due {one.due}"
        yield f"{one.student}: {what} for {one.lab or 'all labs'}."
    yield f"Resubmissions: the {rules.resubmissions} one counts." + " Marking is anonymous." * rules.anonymous


def course_rules(course: Course, apply: bool, now: datetime, say: Callable[[str], None]) -> int:
    """Say what the rules are and what they change; with `apply`, let them count. How many learners' points change.

    Raises:
        Mistake: course.toml is not as it must be.
    """
    for sentence in described(rules_of(course), now):
        say(sentence)
    if not course.has_gradebook():
        return 0
    with course.gradebook() as gradebook:
        found = [*changes(course, gradebook)]
    for change in found:
        say(str(change))
    who = len({change.student for change in found})
    if apply or not found:
        put_in_force(course)
        say(f"In force; the points of {who} learners changed." if found else "In force; nobody's points change.")
    else:
        say(f"The points of {who} learners change once you say `python -m grading course --apply`. Nothing is changed.")
    return who
