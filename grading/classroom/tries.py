"""Tries: what was found of each submission of a lab that a learner has had graded, in that order, and when it came.

autograde keeps them beside the verdicts; what is graded again, with the same files, stays one try. The report reads
out of them what was met before what, and how long learners took.
"""

import contextlib
import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypedDict

from ..judge.job import Judgement
from .submissions import Submission

FILE = "tries.json"
MOST = 50  # tries that are kept of a learner, the last ones
HOUR = 3600


class Try(TypedDict):
    files: str  # a mark of what was handed in
    time: str  # by the platform's clock; empty where none says
    tasks: dict[str, list[str]]  # each a state and a message


class Step(NamedTuple):
    task: str
    before: str  # what was found in a try
    after: str  # and in the next one that changed it
    learners: int  # who went this way
    right: int  # who of them had the task right at last


def kept_in(folder: Path) -> list[Try]:
    """Of an autograded submission; nothing where it was graded before tries were kept."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return found if isinstance(found, list) else []
    return []


def with_this(before: Iterable[Try], found: Submission, result: Judgement, time: datetime | None) -> list[Try]:
    """A try more, or the same one with today's verdicts."""
    parts = (found.module or b"", found.notebook or b"")
    files = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]
    this: Try = {"files": files, "time": time.isoformat() if time else "", "tasks": result["tasks"]}
    tries = [this if one["files"] == files else one for one in before]
    return (tries if this in tries else [*tries, this])[-MOST:]


def steps(tried: Mapping[str, Sequence[Try]], name: Callable[[str, str, str], str]) -> list[Step]:
    """What was met before what, the most frequent first.

    Args:
        tried: learner -> her tries.
        name: of a task's state and message, for people.
    """
    ways, arrived = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for tries in tried.values():
        for task in dict.fromkeys(task for one in tries for task in one["tasks"]):
            verdicts = [one["tasks"][task] for one in tries if task in one["tasks"]]
            met = [name(task, state, message) for state, message in verdicts]
            went = {(task, a, b) for a, b in zip(met, met[1:]) if a != b}
            ways.update(went)
            arrived.update(went if verdicts[-1][0] == "right" else ())
    ordered = sorted(ways.items(), key=lambda one: (-one[1], one[0]))
    return [Step(*way, learners, arrived[way]) for way, learners in ordered]


def took(tried: Iterable[Sequence[Try]]) -> str:
    """From the first try to the last, of those who had several; empty where no clock says when they came."""
    hours = []
    for tries in tried:
        times = [datetime.fromisoformat(one["time"]) for one in tries if one["time"]]
        hours += [(max(times) - min(times)).total_seconds() / HOUR] if len(times) > 1 else []
    if not hours:
        return ""
    low, high = (sorted(hours)[round(part * (len(hours) - 1))] for part in (0.25, 0.75))
    middle = f"{statistics.median(hours):.1f} hours in the median, the middle half from {low:.1f} to {high:.1f}"
    return f"From the first try to the last of {len(hours)} learners: {middle}."
