"""What the rules of a course make of verdicts and times: by this gradebook and autograders elsewhere count alike."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..judge.agreement import PROPERTIES
from .rules import Rules

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Scale:
    """What tasks and questions of a lab are worth by the rules, over what they are worth in the gradebook."""

    factors: Mapping[str, float]  # of what counts
    worth: Mapping[str, float]
    bonus: Collection[str]
    out_of: float


def scale(rules: Rules, lab: str, most: Mapping[str, float]) -> Scale:
    """
    Args:
        most: points that can be had, by the gradebook.
    """
    given = rules.of(lab)
    worth = {name: float(given.points.get(name, points)) for name, points in most.items() if name not in given.drop}
    factors = {name: worth[name] / most[name] if most[name] else 0.0 for name in worth}
    return Scale(factors, worth, given.bonus, sum(points for name, points in worth.items() if name not in given.bonus))


def days_late(rules: Rules, lab: str, student: str, time: datetime) -> float:
    """After the due date and the grace; 0 for what is in time, or due at no time."""
    due = rules.due(lab, student)
    return max((time - due - timedelta(minutes=rules.late.grace)) / DAY, 0.0) if due else 0.0


def penalties(rules: Rules, days: Mapping[str, float], student: str) -> tuple[dict[str, float], float]:
    """Share of each lab's points that lateness costs a learner, and the free days that she has spent.

    These are spent in the order of the due dates, whole ones.

    Args:
        days: late, of each lab that she handed in.
    """
    late, left, found = rules.late, float(rules.late.free_days), {}
    for lab in sorted(days, key=lambda lab: rules.due(lab, student) or datetime.max.replace(tzinfo=UTC)):
        begun = math.ceil(days[lab])
        spent = min(begun, left)
        left -= spent
        closed = late.closed_after is not None and days[lab] > late.closed_after
        found[lab] = 1.0 if closed else min((begun - spent) * late.per_day, late.most if begun else 0) / 100
    return found, rules.late.free_days - left


def partly_right(right: Sequence[str], points: float, worth: float) -> str:
    """Why a wrong answer has points."""
    words = [PROPERTIES[name] for name in right if name in PROPERTIES]
    return f"Right all the same: {', '.join(words)}. By this course's rules that is {points:.4g} of {worth:.4g} points."
