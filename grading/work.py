"""The work: one submission judged. The same function for the processes of this machine and for those of a cluster.

Bytes, numbers and texts go in and come out. Each process keeps one warm runner, whose server is a program of its own:
nothing is ever forked from the process that does this work.
"""

import atexit
import hashlib
import json
import threading
import time
from functools import cache

from . import table
from .overlay import ROOT

LOCK = threading.Lock()  # a process that is given several jobs at once does them one after another
COOLING = threading.Lock()
warm: dict = {}  # lab, limits, jail -> the runner that this process keeps


class OtherVersion(RuntimeError):
    """This process would judge by other probes or answers than the grader that sent the work."""


def work(
    lab: str,
    version: str,
    module: bytes,
    secret: bytes,
    student: str,
    limits: dict,
    jail: bool = True,
    notebook: bytes | None = None,
) -> dict:
    """Seconds, for each task its state and a message, what is taken from the notebook, and why it cannot be read.

    Args:
        version: by what the grader wants it judged.
        secret: of this learner in this run; nobody else's inputs follow from it.
        limits: of one question, by their names in `Limits`.
        jail: False lets the module do whatever this process may.
        notebook: pictures in it are decoded here, not where the gradebook is.

    Raises:
        OtherVersion: this checkout of the course is another one.
    """
    from .cells import cells_of, complaint
    from .verdicts import judged, seeds  # torch: not for whoever only hands work out

    if judged_by(lab) != version:
        raise OtherVersion(f"a worker has another version of {lab}: bring its checkout of the course up to date")
    with LOCK:
        begun = time.monotonic()
        found = judged(runner(lab, limits, jail), lab, module, seeds(secret, student)) if table.tasks_of(lab) else {}
        seconds = round(time.monotonic() - begun, 3)
    tasks = {task: [verdict.state, verdict.message] for task, verdict in found.items()}
    cells = cells_of(notebook)
    unreadable = "" if cells or notebook is None else complaint(notebook)
    return {"seconds": seconds, "tasks": tasks, "cells": cells, "unreadable": unreadable}


def runner(lab: str, limits: dict, jail: bool):
    """The one place where a runner is made. How it starts its server, and in which jail, is decided here."""
    from .runner import Limits, Runner, plain_launch
    from .verdicts import needed, published

    key = (lab, json.dumps(limits, sort_keys=True), jail)
    if key not in warm:
        cool()
        launch = {} if jail else {"launch": plain_launch}
        warm[key] = Runner(set(published(lab)), Limits(**limits), warm=needed(lab), **launch)
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
    name = table.MODULES.get(lab)
    support = ROOT / "starter/support"
    files = [*(ROOT / "solutions").glob("*.py"), *(support / name for name in ("compare.py", "standins.py"))]
    files += [support / "probes/core.py", support / f"probes/{name}.py", ROOT / f"grading/answers/{name}.toml"]
    rows = json.dumps([table.TASKS[task] for task in table.tasks_of(lab)], sort_keys=True).encode()
    parts = [rows, *(path.read_bytes() for path in sorted(files) if path.exists())]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]
