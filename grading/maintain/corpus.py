"""Answers by people who saw neither catalogue nor probes: wrong ones are caught and right ones accepted, on every seed.

The catalogue shows that known mistakes are seen; these show what the checks are worth for mistakes that nobody listed.
Each answer is judged in a process of its own, because some leave a mess behind.
"""

import contextlib
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import ModuleType
from typing import NamedTuple

import torch

from starter.support import checks, compare, probes
from starter.support.standins import Tables

from ..content import known_answers
from ..content.overlay import ROOT
from ..content.tasks import MODULES, TASKS, module_of
from . import mutants

FOLDER = ROOT / "tests/course/maintain/corpus"
SEEDS = (
    checks.PUBLIC_SEED,
    checks.AUTOTEST_SEED,
    *range(101, 119),
)  # what a learner's own check asks; what grading may
KINDS = ("right", "everyday", "subtle", "two")
Asked = tuple[Tables, compare.Arrays]  # stand-ins for neighbours, and what is right
SECONDS = 30.0  # of computing for all that is asked of one answer


class Answer(NamedTuple):
    kind: str  # "right", or of a wrong one "everyday", "subtle" or "two" (mistakes at once)
    task: str
    words: str  # what is wrong, or the style
    region: str


class Judged(NamedTuple):
    answer: Answer
    passed: tuple[int, ...]  # seeds on which it is right, asked first and asked later
    told: str  # by check(); empty where it was not asked

    def state(self, seeds: Sequence[int]) -> str:
        """Caught on all seeds, on some, or on none."""
        return "all" if not self.passed else "none" if len(self.passed) == len(seeds) else "some"


@cache
def answers() -> tuple[Answer, ...]:
    """Of all dates."""
    found = []
    for path in sorted(FOLDER.glob("*/*.toml")):
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [Answer(e["kind"], e["task"], e["what"], e["answer"]) for e in entries.get("wrong", [])]
        found += [Answer("right", e["task"], e["style"], e["answer"]) for e in entries.get("right", [])]
    return tuple(found)


@cache
def accepted() -> dict[tuple[str, str], str]:
    """Task and words of a wrong answer that passes on every seed -> why no check refuses it."""
    entries = [e for path in FOLDER.glob("*/accepted.toml") for e in tomllib.loads(path.read_text("utf-8"))["accepted"]]
    return {(entry["task"], entry["what"]): entry["because"] for entry in entries}


def judged(
    tasks: Iterable[str], seeds: Sequence[int] = SEEDS, told: bool = True, kinds: Sequence[str] = KINDS
) -> Iterator[Judged]:
    """Every answer to these tasks that is of one of these kinds.

    Args:
        told: ask check(), too.
    """
    torch.set_num_threads(1)  # before anything is forked
    for task in tasks:
        given = {seed: (known_answers.tables(task, seed), seed) for seed in seeds}
        want = {s: probes.arrays(task, known_answers.reference(module_of(task)), s, t) for s, (t, _) in given.items()}
        for answer in (a for a in answers() if a.task == task and a.kind in kinds):
            yield alone(answer, {seed: (given[seed][0], want[seed]) for seed in seeds}, told)


def alone(answer: Answer, given: dict[int, Asked], told: bool) -> Judged:
    """In a process of its own; one that ends it is right nowhere."""
    here, there = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=report, args=(there, answer, given, told))
    process.start()
    there.close()
    try:
        passed, words = here.recv()
    except EOFError:
        passed, words = (), "it ended its own process"
    process.join()
    return Judged(answer, passed, words)


def report(pipe: Connection, answer: Answer, given: dict[int, Asked], told: bool) -> None:
    """What a process says of one answer."""
    mutants.confined()
    passed: tuple[int, ...] = ()
    words = "it did not end"
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.suppress(mutants.Endless):
        with mutants.in_time(SECONDS):
            passed, words = found(answer, given), said(answer) if told else ""
    pipe.send((passed, words))


def found(answer: Answer, given: dict[int, Asked]) -> tuple[int, ...]:
    """The seeds on which an answer is right where it is asked first, and behind another call."""
    modules = [made(answer) for _ in given]
    first = [is_right(answer.task, module, seed, *given[seed]) for module, seed in zip(modules, given)]
    others = [modules[-1], *modules]
    return tuple(
        seed
        for seed, right, other in zip(given, first, others)
        if right and is_right(answer.task, other, seed, *given[seed])
    )


def made(answer: Answer) -> ModuleType | None:
    """The solution's module with the answer in it; None where it is no Python."""
    entry = {"task": answer.task, "id": answer.words, "region": answer.region}
    with contextlib.suppress(SyntaxError):
        return known_answers.module(module_of(answer.task), known_answers.answer_text(entry))
    return None


def is_right(task: str, module: ModuleType | None, seed: int, tables: Tables, want: compare.Arrays) -> bool:
    return module is not None and compare.same(known_answers.probe_arrays(task, module, seed, tables), want)


def said(answer: Answer) -> str:
    """What check() says. (This process is the answer's own: nothing has to be put back.)"""

    def load(task: str) -> ModuleType:
        """As check() does it: what is no Python raises."""
        if module := made(answer):
            return module
        compile(answer.region, "answer", "exec")
        raise SyntaxError("it is no Python in its place")

    checks.load = load
    return checks.verdict(answer.task).message


def row(lab: str, results: list[Judged], seeds: Sequence[int]) -> str:
    wrong = [one.state(seeds) for one in results if one.answer.kind != "right"]
    right = [one.state(seeds) for one in results if one.answer.kind == "right"]
    states = (wrong.count("all"), wrong.count("some"), wrong.count("none"), f"{right.count('none')}/{len(right)}")
    return "{:18} {:>8} {:>8} {:>8} {:>8} {:>9}".format(lab, len(wrong), *states)


def complaints(results: Iterable[Judged], seeds: Sequence[int]) -> Iterator[str]:
    """Right answers that are refused, wrong ones that pass unlisted, and a list that is out of date."""
    for one in results:
        answer, state = one.answer, one.state(seeds)
        name = f"{answer.task}: {answer.words}"
        known = (answer.task, answer.words) in accepted()
        if answer.kind == "right" and state != "none":
            yield f"{name}: right, and refused on {len(seeds) - len(one.passed)} of {len(seeds)} seeds. {one.told}"
        elif answer.kind != "right" and state != "all" and not known:
            yield f"{name}: wrong, and passes on {len(one.passed)} of {len(seeds)} seeds. {one.told}"
        elif answer.kind != "right" and state != "none" and known:
            yield f"{name}: listed as accepted, and is caught on {len(seeds) - len(one.passed)} of {len(seeds)} seeds."


def main(tasks: list[str], told: bool) -> int:
    """A row for each lab, what is amiss, and with `told` what check() says of each answer. 0: nothing is amiss."""
    print("{:18} {:>8} {:>8} {:>8} {:>8} {:>9}".format("lab", "wrong", "caught", "at times", "never", "accepted"))
    amiss: list[str] = []
    for lab in MODULES:
        results = [*judged([task for task in tasks if TASKS[task]["lab"] == lab])]
        if results:
            print(row(lab, results, SEEDS), flush=True)
        for one in results if told else ():
            print(f"{one.answer.task} ({one.answer.kind}) {one.answer.words}\n    {one.told}")
        amiss += complaints(results, SEEDS)
    print(*amiss, sep="\n", end="\n" * bool(amiss), file=sys.stderr)
    return 1 if amiss else 0
