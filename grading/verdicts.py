"""Arrays of a submission against the reference's: right, wrong or blank, and which mistake it is."""

import ast
import hashlib
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path

from starter.support import checks, compare, probes
from starter.support.checks import Verdict
from starter.support.standins import Tables

from . import catalogue
from .lint import NOTE
from .plain import line
from .runner import Limits, Outcome, Runner

PROBES = 2  # secret seeds for each task: code that is right only once earns nothing
TOGETHER = 0.5  # of the limits of one question: what all tasks have together before they are asked one by one
SUBMISSION = 10  # times the wall-clock limit of one question: what all of a submission may take
REFERENCE = threading.Lock()  # stand-ins are put into the reference's modules while they are asked
ENDED = {
    "time": "It did not end: look for a loop that goes on for ever.",
    "exit -9": "It was stopped after {cpu} seconds of computing, or for its memory: look for a loop that never ends.",
    "flood": "It reported far more than was asked for.",
    "unreadable": "What it reported cannot be read: leave the output of the grader to the grader.",
    "worker gone": "It ended the process that was to grade it.",
}


@cache
def published(lab: str) -> frozenset[str]:
    """Earlier modules that a lab's module imports, and what they import: learners of this lab may know them."""
    known = set(catalogue.MODULES.values())
    found, open_ = set(), [catalogue.MODULES[lab]] if lab in catalogue.MODULES else []
    while open_:
        for node in ast.walk(ast.parse(catalogue.solution(open_.pop()).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = {node.module} if node.module else {alias.name for alias in node.names}
                open_ += (names & known) - found
                found |= names & known
    return frozenset(found)


def needed(lab: str) -> tuple[str, ...]:
    """What a lab's probes import by and by: torch loads its compiler, seconds of it, for the first optimiser."""
    text = Path(sys.modules[f"{probes.__name__}.{catalogue.MODULES[lab]}"].__file__).read_text(encoding="utf-8")
    return ("torch._dynamo",) if "torch.optim" in text else ()


def seeds(secret: bytes, student: str) -> list[int]:
    """Of one learner in one run: a neighbour's inputs, or yesterday's, are of no use."""
    marks = [hashlib.sha256(secret + f"{student}/{i}".encode()).digest() for i in range(PROBES)]
    return [int.from_bytes(mark[:12], "big") for mark in marks]


def readable(module: bytes) -> bytes:
    """As Python can read it: a file in neither UTF-8 nor a declared encoding was written in Latin-1."""
    try:
        module.decode("utf-8")
        return module
    except UnicodeDecodeError:
        declared = any(re.search(rb"coding[=:]", text) for text in module.splitlines()[:2])
        return module if declared else module.decode("latin-1").encode("utf-8")


def judged(
    runner: Runner, lab: str, module: bytes, student_seeds: list[int], tasks: list[str] | None = None
) -> dict[str, Verdict]:
    """A verdict on each task of a lab.

    For each seed one process is asked for all tasks, every other one from the last to the first: what is right in all
    of them does not live on what was asked before. The rest is asked again, in a process for each task and seed: no
    task pays for a neighbour's crash, hang or mess.
    """
    name, text, source = catalogue.MODULES[lab], readable(module), module.decode("utf-8", "replace")
    rules, tasks, limits = catalogue.hands_over(lab), tasks or catalogue.tasks_of(lab), runner.limits
    deadline = time.monotonic() + SUBMISSION * limits.wall
    found, right, going = {}, Counter(), tasks
    for seed in student_seeds:
        asked = [(task, seed, expected(task, seed)[0]) for task in going]
        imported, *outcomes = runner.ask_all(name, text, asked, rules, share=TOGETHER)
        for task, outcome in zip(going, outcomes):
            if is_blank(outcome) and not right[task]:
                found[task] = unfinished(task, outcome, source, limits)
            right[task] += outcome.arrays is not None and compare.same(outcome.arrays, expected(task, seed)[1])
        going = [task for task in reversed(going) if right[task]]
        if not going:
            break
    ask = partial(runner.ask, name, text)
    if imported.arrays is None and imported.stop is None:
        imported = ask(rules=rules)
    if imported.arrays is None:
        return {task: unfinished(task, imported, source, limits) for task in tasks}
    for task in tasks:
        if right[task] == PROBES:
            found[task] = positive(task, right[task])
        elif task not in found:
            found[task] = verdict(task, ask, student_seeds, source, limits, deadline)
    return {task: noted(found[task], str(imported.arrays.get(task)), rules.get(task)) for task in tasks}


@lru_cache(maxsize=64)
def expected(task: str, seed: int) -> tuple[Tables, compare.Arrays]:
    """Stand-ins for a task's neighbours, and the reference's arrays."""
    with REFERENCE:
        tables = catalogue.tables(task, seed)
        return tables, probes.arrays(task, catalogue.reference(catalogue.module_of(task)), seed, tables)


def is_blank(outcome: Outcome) -> bool:
    return outcome.stop is not None and outcome.stop.kind == "NotImplementedError"


def noted(verdict: Verdict, call: str, rule: dict | None) -> Verdict:
    """With a word on the call that did it all. Only names of tasks.toml are repeated: the rest is anybody's word."""
    if not verdict.right or rule is None or call not in rule["calls"]:
        return verdict
    return replace(verdict, message=f"{verdict.message} {NOTE} {call} does the whole of it; no points are lost.")


def verdict(task: str, ask, student_seeds: list[int], source: str, limits: Limits, deadline: float) -> Verdict:
    """Of a task that is asked by itself. Right only when every seed was compared and was right."""
    if time.monotonic() > deadline:
        return Verdict("wrong", "Not run: the tasks before it took all the time that a submission has.")
    right = 0
    for seed in student_seeds:
        tables, want = expected(task, seed)
        again = partial(ask, task, seed, tables)
        outcome = again()
        if outcome.arrays is None:
            return unfinished(task, outcome, source, limits, seed, tables)
        if not compare.same(outcome.arrays, want):
            return Verdict("wrong", line(diagnosis(task, outcome.arrays, want, again, seed, tables)))
        right += 1
    return positive(task, right)


def positive(task: str, right: int) -> Verdict:
    """
    Raises:
        ValueError: too few seeds were compared.
    """
    if right != PROBES:
        raise ValueError(f"{task} needs {PROBES} seeds, got {right}")
    return Verdict("right", f"{task} is right: {catalogue.TASKS[task]['statement']}.")


def diagnosis(task: str, got: compare.Arrays, want: compare.Arrays, again, seed: int, tables: dict) -> str:
    """The most specific thing that can be said about arrays that are wrong."""
    try:
        if says := recognised(task, got, seed, tables):
            return says
        second = again().arrays
        if second is not None and not compare.same(got, second):
            return "Two calls with the same inputs differ: the noise is an argument, draw none inside."
        with REFERENCE:
            sizes = probes.sizes(task, catalogue.reference(catalogue.module_of(task)), seed)
        return compare.explain(got, want, sizes)
    except Exception:  # arrays of a form that nobody thought of are still only wrong
        return "What it returns cannot be compared with the expected result."


def recognised(task: str, got: compare.Arrays, seed: int, tables: dict) -> str | None:
    """What the catalogue says about the wrong answer that gives these arrays on this seed."""
    for i, entry in enumerate(catalogue.answers("wrong")[task]):
        with REFERENCE:
            known = catalogue.observed(task, catalogue.variant("wrong", task, i), seed, tables)
        if compare.same(got, known):
            return entry["says"]
    return None


def unfinished(
    task: str, outcome: Outcome, source: str, limits: Limits, seed: int | None = None, tables: dict | None = None
) -> Verdict:
    """No arrays: a blank, an exception, or an end without a word."""
    row, where = catalogue.TASKS[task], f"starter/{catalogue.module_of(task)}.py"
    if outcome.stop is None:
        unknown = "It ended its own process ({ended}): look for exit(), or for a crash."
        return Verdict("wrong", ENDED.get(outcome.ended, unknown).format(cpu=limits.cpu, ended=outcome.ended))
    if is_blank(outcome):
        words = outcome.stop.words
        missing = words if words in catalogue.tasks_of(row["lab"]) else task
        return Verdict("blank", checks.still_blank(task, missing, row["statement"], where, source))
    sentence = line(checks.stopped(outcome.stop, where, row["symbol"]))
    says = None if seed is None else recognised(task, outcome.raises, seed, tables)
    return Verdict("wrong", f"{says} ({sentence})" if says else sentence)
