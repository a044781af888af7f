"""Arrays of a submission against the reference's: right, wrong or blank, and which mistake it is."""

import hashlib
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from itertools import takewhile
from pathlib import Path

from starter.support import compare, mistakes, probes
from starter.support.checks import AUTOTEST_SEED, PUBLIC_SEED
from starter.support.differences import Seen, small
from starter.support.standins import Tables
from starter.support.verdict import NOISE, Case, Outcome, Verdict, blank, decide, remembered, right, stopped

from ..content import known_answers
from ..content.harmless_text import line
from ..content.tasks import MODULES, TASKS, module_of, tasks_of
from .agreement import PROPERTIES, WHOLE, agreed
from .ready_made_calls import NOTE, Rules
from .runner import Limits, Runner

PROBES = 2  # secret seeds for each task: code that is right only once earns nothing
TOGETHER, LEAST = 0.5, 10  # of the limits of one question, or so many seconds: what all tasks have together at first
SUBMISSION = 6  # times the wall-clock limit of one question: what all of a submission may take
REFERENCE = threading.Lock()  # stand-ins are put into the reference's modules while they are asked
ENDED = {
    "time": "It did not end: look for a loop that goes on for ever.",
    "exit -9": "It was stopped after {cpu} seconds of computing, or for its memory: look for a loop that never ends.",
    "exit -31": "It asked the kernel for something that is forbidden here, and was stopped (SIGSYS): call no system "
    "functions by their numbers.",
    "flood": "It reported far more than was asked for.",
    "unreadable": "What it reported cannot be read: leave the output of the grader to the grader.",
    "server gone": "It ended the process that was to grade it.",
    "late": "Not run to the end: a submission has {total:g} seconds, used up here: look for a loop that never ends.",
}


def needed(lab: str) -> tuple[str, ...]:
    """What a lab's probes import by and by: torch loads its compiler, seconds of it, for the first optimiser."""
    text = Path(str(sys.modules[f"{probes.__name__}.{MODULES[lab]}"].__file__)).read_text(encoding="utf-8")
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


@dataclass(frozen=True)
class Inquiry:
    """One submission before its judge. Each turn begins with another seed and goes on to the later ones."""

    runner: Runner
    module: str
    text: bytes
    source: str  # the text as its author sees it
    seeds: list[int]
    rules: Rules
    deadline: float  # of the monotonic clock

    def turn(self, number: int, tasks: list[str], share: float = 1) -> tuple[Outcome, dict[str, list[Outcome]]]:
        """One process: what came of the import; task -> an outcome for each seed of the turn."""
        seeds = self.seeds[number:]
        asked = [(task, seed, expected(task, seed)[0]) for task in tasks for seed in seeds]
        imported, *outcomes = self.runner.ask_all(self.module, self.text, asked, self.rules, share, self.deadline)
        outcomes = [imported] * len(outcomes) if imported.stop else outcomes
        return imported, {task: outcomes[i * len(seeds) : (i + 1) * len(seeds)] for i, task in enumerate(tasks)}

    def together(self, number: int, tasks: list[str]) -> tuple[Outcome, dict[str, list[Outcome]]]:
        """A turn of several tasks. The one under which a process ends is missing; those behind it get another."""
        share = min(1.0, max(TOGETHER, LEAST / self.runner.limits.cpu))
        found: dict[str, list[Outcome]] = {}
        while True:
            imported, outcomes = self.turn(number, tasks, share)
            whole = dict(takewhile(lambda item: all(map(reported, item[1])), outcomes.items()))
            found |= whole
            tasks = tasks[len(whole) + 1 :]
            if not tasks or not reported(imported):
                return imported, found

    def alone(self, task: str, number: int) -> list[Outcome]:
        return self.turn(number, [task])[1][task]

    def again(self, task: str, number: int) -> Outcome:
        return self.alone(task, number)[0]

    def imported(self) -> Outcome:
        """With all the time that one question has."""
        return self.runner.ask(self.module, self.text, rules=self.rules, deadline=self.deadline)

    def unfinished(self, task: str, outcome: Outcome) -> Verdict:
        return unfinished(task, outcome, self.source, self.runner.limits)


def judged(
    runner: Runner, lab: str, module: bytes, student_seeds: list[int], tasks: list[str] | None = None
) -> dict[str, Verdict]:
    """A verdict on each task of a lab.

    At first all tasks share a process, every other time from the last to the first: what is right in all of them does
    not live on what was asked before. The rest is asked again, each task in processes of its own: no task pays for a
    neighbour's crash, hang or mess.
    """
    runner.begin()
    deadline, rules = time.monotonic() + SUBMISSION * runner.limits.wall, known_answers.hands_over(lab)
    source, tasks = module.decode("utf-8", "replace"), tasks or tasks_of(lab)
    inquiry = Inquiry(runner, MODULES[lab], readable(module), source, student_seeds, rules, deadline)
    imported, found, right = first_round(inquiry, tasks)
    if not reported(imported):
        imported = inquiry.imported()
    if imported.arrays is None:
        return {task: inquiry.unfinished(task, imported) for task in tasks}
    for task in tasks:
        if right[task] == PROBES:
            found[task] = positive(task, right[task])
        elif task not in found:
            found[task] = verdict(task, inquiry)
    return {task: noted(found[task], str(imported.arrays.get(task)), rules.get(task)) for task in tasks}


def first_round(inquiry: Inquiry, tasks: list[str]) -> tuple[Outcome, dict[str, Verdict], Counter[str]]:
    """What came of the import, verdicts on tasks that are blank, and how often each task was right in all its calls."""
    found: dict[str, Verdict] = {}
    right: Counter[str] = Counter()
    for number in range(len(inquiry.seeds)):
        imported, outcomes = inquiry.together(number, tasks)
        for task, calls in outcomes.items():
            if calls[0].blank and not right[task]:
                found[task] = inquiry.unfinished(task, calls[0])
            right[task] += all(map(partial(is_right, task), inquiry.seeds[number:], calls))
        tasks = [task for task in reversed(tasks) if right[task]]
        if not tasks:
            break
    return imported, found, right


def reported(outcome: Outcome) -> bool:
    return outcome.arrays is not None or outcome.stop is not None


def is_right(task: str, seed: int, outcome: Outcome) -> bool:
    return outcome.arrays is not None and compare.same(outcome.arrays, expected(task, seed)[1])


@lru_cache(maxsize=64)
def expected(task: str, seed: int) -> tuple[Tables, compare.Arrays]:
    """Stand-ins for a task's neighbours, and the reference's arrays."""
    with REFERENCE:
        tables = known_answers.tables(task, seed)
        return tables, probes.arrays(task, known_answers.reference(module_of(task)), seed, tables)


def noted(verdict: Verdict, call: str, rule: known_answers.Rule | None) -> Verdict:
    """With a word on the call that did it all. Only names of tasks.toml are repeated: the rest is anybody's word."""
    if not verdict.right or rule is None or call not in rule["calls"]:
        return verdict
    return replace(verdict, message=f"{verdict.message} {NOTE} {call} does the whole of it; no points are lost.")


def verdict(task: str, inquiry: Inquiry) -> Verdict:
    """Of a task that is asked by itself. Right only when every seed was compared and was right, first and later."""
    wrong, asked = [], list[tuple[int, Outcome]]()
    for number, seed in enumerate(inquiry.seeds):
        outcomes = inquiry.alone(task, number)
        asked += zip(inquiry.seeds[number:], outcomes, strict=True)
        if not reported(outcomes[0]) or outcomes[0].blank:
            return inquiry.unfinished(task, outcomes[0])
        known = in_public(case(task, seed), inquiry)
        found = decide(known, outcomes[0], partial(inquiry.again, task, number))
        if not found.right:
            return replace(found, message=line(found.message), agreed=partly(task, asked))
        rights = map(partial(is_right, task), inquiry.seeds[number:], outcomes)
        wrong += [(number, place, outcomes) for place, right in enumerate(rights) if not right]
    if wrong:
        return Verdict("wrong", line(lasting(task, inquiry, *wrong[0])), agreed=partly(task, asked))
    return positive(task, len(inquiry.seeds))


def partly(task: str, asked: list[tuple[int, Outcome]]) -> tuple[str, ...]:
    """What of a wrong answer is right in every call that was asked; nothing where one gave no arrays."""
    found = [() if one.arrays is None else agreed(one.arrays, expected(task, seed)[1]) for seed, one in asked]
    return tuple(name for name in PROPERTIES if task not in WHOLE and all(name in one for one in found))


def case(task: str, seed: int) -> Case:
    return Case(
        task=task,
        statement=TASKS[task]["statement"],
        symbol=TASKS[task]["symbol"],
        where=f"starter/{module_of(task)}.py",
        want=lambda: expected(task, seed)[1],
        sizes=partial(sizes, task, seed),
        recognise=partial(recognised, task, seed),
        elsewhere=lambda: None,
        made=lambda seen, other: None,
        expects=known_answers.expects(task),
        parts=tuple(TASKS[task].get("returns", ())),
    )


def in_public(known: Case, inquiry: Inquiry) -> Case:
    """With what the answer gives on the two public seeds: what changes of a reference give is stored for these alone.

    To compute it for a secret seed would run a hundred changed references, some without end, in the trusted process.
    """
    task, says = known.task, [entry["says"] for entry in known_answers.answers("wrong")[known.task]]

    @cache
    def seen() -> list[Seen | None]:
        public = (PUBLIC_SEED, AUTOTEST_SEED)
        gots = [outcome.arrays for outcome in replace(inquiry, seeds=[*public]).alone(task, 0)]
        wants = (expected(task, PUBLIC_SEED)[1], small(expected(task, AUTOTEST_SEED)[1]))
        found = zip(gots, wants, (sizes(task, seed) for seed in public))
        return [None if got is None else Seen(got, want, sized) for got, want, sized in found]

    def made(*_: Seen | None) -> str | None:
        public, other = seen()
        return None if public is None else mistakes.made(task, public, other, says)

    return replace(known, elsewhere=lambda: seen()[0], made=made)


def sizes(task: str, seed: int) -> dict[str, int]:
    with REFERENCE:
        return probes.sizes(task, known_answers.reference(module_of(task)), seed)


def recognised(task: str, seed: int, got: compare.Arrays) -> str | None:
    """What the catalogue says about the wrong answer that gives these arrays on this seed."""
    tables, _ = expected(task, seed)
    for i, entry in enumerate(known_answers.answers("wrong")[task]):
        with REFERENCE:
            known = known_answers.probe_arrays(task, known_answers.variant("wrong", task, i), seed, tables)
        if compare.same(got, known, compare.NAMED):
            return entry["says"]
    return None


def lasting(task: str, inquiry: Inquiry, number: int, place: int, outcomes: list[Outcome]) -> str:
    """Of an answer that is right where it is asked first, and not behind another call."""
    first, later = outcomes[0].arrays, outcomes[place]
    assert first is not None, "it is right"
    if later.arrays is None:
        words = inquiry.unfinished(task, later).message
        return words if later.ended == "late" else remembered(first, None, words)
    second = inquiry.alone(task, number)[place].arrays
    differs = second is not None and not compare.same(later.arrays, second)
    return NOISE if differs else remembered(first, later.arrays)


def positive(task: str, seeds: int) -> Verdict:
    """
    Raises:
        ValueError: too few seeds were compared.
    """
    if seeds != PROBES:
        raise ValueError(f"{task} needs {PROBES} seeds, got {seeds}")
    return right(case(task, 0))


def unfinished(task: str, outcome: Outcome, source: str, limits: Limits) -> Verdict:
    """No arrays, and nothing to compare: a blank, an exception, or an end without a word."""
    known = case(task, 0)
    if outcome.stop is None:
        return Verdict("wrong", ending(outcome.ended, limits))
    if outcome.blank:
        words = outcome.stop.words
        return blank(known, words if words in tasks_of(TASKS[task]["lab"]) else task, known.where, source)
    return Verdict("wrong", line(stopped(outcome.stop, known.where, known.symbol)))


def ending(ended: str, limits: Limits) -> str:
    """Of a process that ended without a report, for its author."""
    words = ENDED.get(ended, "It ended its own process ({ended}): look for exit(), or for a crash.")
    return words.format(cpu=limits.cpu, ended=ended, total=SUBMISSION * limits.wall)
