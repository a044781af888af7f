"""The work: one submission judged. The same function for the processes of this machine and for those of a cluster.

Bytes, numbers and texts go in and come out. Each process keeps one warm runner, whose server is a program of its own:
nothing is ever forked from the process that does this work.
"""

import ast
import atexit
import hashlib
import json
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from ..content.overlay import NOT_FOR_A_JUDGE, ROOT, copied
from ..content.tasks import MODULES, TASKS, tasks_of

if TYPE_CHECKING:
    from .runner import Runner, SomeLimits
    from .submitted_cells import Cell

LOCK = threading.Lock()  # a process that is given several jobs at once does them one after another
COOLING = threading.Lock()
warm: "dict[tuple[str, str, bool], Runner]" = {}  # lab, limits, jail -> the runner that this process keeps


class OtherVersion(RuntimeError):
    """This process would judge by other probes or answers than the grader that sent the work."""


class Judgement(TypedDict):
    """What came of a submission: plain data."""

    seconds: float
    tasks: dict[str, list[str]]  # each a state and a message
    agreed: NotRequired[dict[str, list[str]]]  # of wrong answers: properties that are right (see agreement.py)
    cells: "list[Cell]"
    unreadable: NotRequired[str]  # why there are no cells


def judge(
    *,
    lab: str,
    version: str,
    module: bytes,
    secret: bytes,
    student: str,
    limits: "SomeLimits",
    jail: bool = True,
    notebook: bytes | None = None,
) -> Judgement:
    """Verdicts on each task, what is taken from the notebook, and why it cannot be read.

    Args:
        version: by what the grader wants it judged.
        secret: of this learner in this run; nobody else's inputs follow from it.
        limits: of one question.
        jail: False lets the module do whatever this process may.
        notebook: pictures in it are decoded here, not where the gradebook is.

    Raises:
        OtherVersion: this checkout of the course is another one.
    """
    from .submitted_cells import cells_of, complaint
    from .verdicts import judged, seeds  # torch: not for whoever only hands work out

    if judged_by(lab) != version:
        raise OtherVersion(f"a worker has another version of {lab}: bring its checkout of the course up to date")
    with LOCK:
        begun = time.monotonic()
        found = judged(runner(lab, limits, jail), lab, module, seeds(secret, student)) if tasks_of(lab) else {}
        seconds = round(time.monotonic() - begun, 3)
    tasks = {task: [verdict.state, verdict.message] for task, verdict in found.items()}
    agreed = {task: [*verdict.agreed] for task, verdict in found.items() if verdict.agreed}
    cells = cells_of(notebook)
    unreadable = "" if cells or notebook is None else complaint(notebook)
    return {"seconds": seconds, "tasks": tasks, "agreed": agreed, "cells": cells, "unreadable": unreadable}


def runner(lab: str, limits: "SomeLimits", jail: bool) -> "Runner":
    """The one place where a runner is made. How it starts its server, and in which jail, is decided here."""
    import torch

    from ..content.reference_text import published
    from .jail.outside import launch
    from .runner import Limits, Runner, plain_launch
    from .verdicts import needed

    key = (lab, json.dumps(limits, sort_keys=True), jail)
    if key not in warm:
        cool()
        torch.set_num_threads(1)  # the reference's arrays are small: a second thread would only spin beside a server
        start = launch if jail else plain_launch
        warm[key] = Runner(set(published(lab)), Limits(**limits), start, needed(lab))
    return warm[key]


@atexit.register
def cool() -> None:
    """End what this process keeps warm; also from another thread, which is why the server dies first."""
    with COOLING:
        for key in [*warm]:
            kept = warm.pop(key)
            kept.abandon()
            kept.__exit__()


@cache
def judged_by(lab: str) -> str:
    """A mark of everything that a verdict on this lab follows from."""
    rows = json.dumps([TASKS[task] for task in tasks_of(lab)], sort_keys=True).encode()
    parts = [rows, *(path.read_bytes() for path in sources(lab))]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def sources(lab: str, root: Path = ROOT) -> list[Path]:
    """The files of a checkout that decide about a lab: its answers, all solutions, what judges, and what it sees."""
    here = root / Path(__file__).relative_to(ROOT)
    found = {here, *imported(here.with_name("verdicts.py")), *copied(NOT_FOR_A_JUDGE, root)}
    answers = (root / "grading").glob(f"**/answers/{MODULES.get(lab)}.toml")
    return sorted(found.union((root / "solutions").glob("*.py"), answers))


def imported(path: Path) -> set[Path]:
    """A file of this package, with those that it imports, and they, and the packages that they lie in."""
    found, open_ = set[Path](), [path]
    while open_:
        found.add(path := open_.pop())
        packages = {folder / "__init__.py" for folder in path.parents}
        open_ += [file for file in packages - found if file.is_file()]
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                names = [base, *(base / alias.name for alias in node.names)]
                files = {file for name in names for file in (name.with_suffix(".py"), name / "__init__.py")}
                open_ += [file for file in files - found if file.is_file()]
    return found
