"""What verdicts are worth on Gradescope: course.toml travels in the zip, and is counted there as by the gradebook.

Gradescope knows learners by their addresses, and when each of them handed in. What no autograder of one lab can know,
free late days of a whole term, is left to the instructor, and said.
"""

import contextlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from ..content.mistake import Mistake
from ..content.tasks import TASKS, tasks_of
from .counting import Scale, days_late, partly_right, penalties, scale
from .course_folder import Course
from .groups import group_of
from .rules import FILE, Rules, parsed, used
from .rules import written as rules_text

Shown = dict[str, object]  # as Gradescope takes it, in JSON
ADDRESSES = "addresses.json"  # a name of course.toml -> the address of who is called so
ME = "learner"
UNTIMED = "Lateness is not counted: Gradescope does not say here when this was handed in."
FREE = (
    "It came {days:.1f} days after the due date. Free late days are counted over the whole term, by your instructor: "
    "nothing is taken off here."
)
LATE = "It came {days:.1f} days after the due date: {share:.4g} % of the points that are judged here, {cost:.4g}."


def shipped(course: Course, lab: str) -> dict[str, str]:
    """The files of the zip that the rules are read from.

    Raises:
        Mistake: the course does not use this lab, or nobody knows the address of somebody who has an extension.
    """
    from .roster import roster_of  # with what the container does not have

    roster, addresses = roster_of(course), {}
    for one in used(course, lab).extensions:
        person = roster.by_folder.get(roster.named(one.student) or "")
        address = person.email if person else one.student
        if one.lab in ("", lab) and "@" not in address:
            raise Mistake(
                f"{FILE}: Gradescope knows learners by their address, and {one.student!r} is none: write it there, or "
                "let `python -m grading roster CSV` take in a table with addresses"
            )
        addresses[one.student] = address.casefold()
    return {FILE: rules_text(course), ADDRESSES: json.dumps(addresses)}


@dataclass(frozen=True)
class Points:
    """Of one submission.

    Args:
        rules: with the extensions of who handed it in, as those of ME.
        time: when she did; None: nobody says.
    """

    lab: str
    rules: Rules
    time: datetime | None = None

    @cached_property
    def scale(self) -> Scale:
        return scale(self.rules, self.lab, {task: TASKS[task]["points"] for task in tasks_of(self.lab)})

    def test(self, task: str, state: str, message: str, *, agreed: Collection[str] = ()) -> Shown:
        """A bonus is out of nothing."""
        worth, named = self.scale.worth[task], self.rules.named.get(group_of(task, message))
        share = 1.0 if state == "right" else self.rules.credit(self.lab, task, agreed)
        partly = [partly_right([*agreed], share * worth, worth)] if 0 < share < 1 else []
        bonus = task in self.scale.bonus
        return {
            "name": f"{task}: {TASKS[task]['statement']}" + " (bonus)" * bonus,
            "score": share * worth,
            "max_score": 0 if bonus else worth,
            "status": "passed" if state == "right" else "failed",
            "output": "\n".join(filter(None, [message, named, *partly])),
            "output_format": "text",
            "visibility": "visible",
        }

    def lateness(self) -> tuple[float, str]:
        """Points that it costs, and a sentence."""
        if not self.rules.due(self.lab, ME) or not self.time:
            return 0.0, UNTIMED if self.rules.due(self.lab, ME) else ""
        if not (days := days_late(self.rules, self.lab, ME, self.time)):
            return 0.0, ""
        share = penalties(self.rules, {self.lab: days}, ME)[0][self.lab]
        if self.rules.late.free_days and share < 1:  # closed is closed
            return 0.0, FREE.format(days=days)
        cost = share * self.scale.out_of
        return cost, LATE.format(days=days, share=100 * share, cost=cost) if cost else ""


def found(lab: str, source: Path, metadata: Path) -> Points:
    """In the container.

    Raises:
        Mistake: course.toml is not as it must be.
    """
    rules = parsed((source / FILE).read_text(encoding="utf-8") if (source / FILE).exists() else "")
    addresses, emails, time = {}, set[str](), None
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        addresses = json.loads((source / ADDRESSES).read_text(encoding="utf-8"))
        given = json.loads(metadata.read_text(encoding="utf-8"))
        emails = {str(user["email"]).casefold() for user in given["users"]}
        time = datetime.fromisoformat(given["created_at"])
        time = time if time.tzinfo else time.astimezone()
    hers = [replace(one, student=ME) for one in rules.extensions if addresses.get(one.student) in emails]
    return Points(lab, replace(rules, extensions=tuple(hers)), time)


def result(points: Points, tests: list[Shown], words: str) -> Shown:
    """With `score`, which stands for the sum, only where lateness costs something."""
    cost, late = points.lateness()
    total = max(math.fsum(float(str(test["score"])) for test in tests) - cost, 0.0)
    return {"tests": tests, "output": " ".join(filter(None, [words, late]))} | ({"score": total} if cost else {})
