"""Is every wrong answer seen and named, every right one accepted, and is there room between the two?

The catalogue's answers, two mistakes at once, and every small change of a reference are judged on many seeds and in
different surroundings. Nothing here decides about a learner: it is the proof that what decides can be trusted.
"""

import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from types import ModuleType
from typing import NamedTuple

import torch

from starter.support import checks, compare, differences, probes
from starter.support.standins import Tables

from ..content import known_answers
from ..content.tasks import TASKS, module_of
from . import mutants
from .surroundings import SURROUNDINGS, restyled

NAMED = 50  # seeds which also ask for the name of the mistake, and for right answers in other styles
PAIRED = 4  # seeds for two mistakes at once
ROOM = 30  # tolerances between the reference and a wrong answer; a right one keeps within a tenth of one


class Seeds(NamedTuple):
    answers: int  # of the catalogue
    changes: int  # of the reference, machine-made


USUAL, FULL = Seeds(50, 8), Seeds(1000, 100)  # minutes; hours, or minutes for one task


class Flaw(NamedTuple):
    lacks: str  # "caught", "named" or "accepted"; "paired"; "killed"; "told" or "listed"
    answer: str
    words: str


@dataclass
class Score:
    """What the audit found about one task."""

    task: str
    wrong: int
    right: int
    pairs: int = 0
    mutants: int = 0  # without those that are no change
    seconds: float = 0.0  # of computing
    flaws: Counter[Flaw] = field(default_factory=Counter)  # Flaw -> on how many seeds

    def share(self, what: str, of: int) -> str:
        return f"{of - len({flaw.answer for flaw in self.flaws if flaw.lacks == what})}/{of}"

    @property
    def row(self) -> tuple[str, ...]:
        wrong = (self.share(what, self.wrong) for what in ("caught", "named"))
        rest = (("accepted", self.right), ("paired", self.pairs), ("killed", self.mutants))
        return (self.task, *wrong, *(self.share(*pair) for pair in rest))

    @property
    def complaints(self) -> list[str]:
        return [f"{self.task}: {flaw.answer} {flaw.words} (on {n} seeds)" for flaw, n in self.flaws.items()]


def audit(seeds: Iterable[int], tasks: Iterable[str] = tuple(TASKS)) -> list[str]:
    """Complaints, one per line; empty when the catalogue and the probes agree on every seed."""
    return [complaint for task in tasks for complaint in answers_judged(task, [*seeds]).complaints]


def answers_judged(task: str, seeds: Sequence[int]) -> Score:
    """The catalogue's answers to one task, each seed in one of the surroundings."""
    wrong, right = (len(known_answers.answers(kind)[task]) for kind in ("wrong", "right"))
    score = Score(task, wrong, right)
    restyled(task)  # compiles every answer, before anything around changes
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.script", FutureWarning)  # torch itself, inside torch.func.jvp
        for number, surroundings in enumerate(SURROUNDINGS):
            with surroundings():
                for i, seed in list(enumerate(seeds))[number :: len(SURROUNDINGS)]:
                    score.flaws.update(flaws(task, seed, named=i < NAMED))
    return score


def expected(task: str, seed: int, kinds: tuple[str, ...] = ("wrong", "right")) -> tuple[Tables, compare.Arrays]:
    tables = known_answers.tables(task, seed, kinds)
    return tables, probes.arrays(task, known_answers.reference(module_of(task)), seed, tables)


def arrays_of(task: str, modules: dict[str, ModuleType], seed: int, tables: Tables) -> dict[str, compare.Arrays]:
    return {name: known_answers.probe_arrays(task, module, seed, tables) for name, module in modules.items()}


def variants(kind: str, task: str) -> dict[str, ModuleType]:
    return {
        entry["id"]: known_answers.variant(kind, task, i) for i, entry in enumerate(known_answers.answers(kind)[task])
    }


def flaws(task: str, seed: int, named: bool) -> list[Flaw]:
    """What is wrong with the judgement of the catalogued answers on one seed.

    Stand-ins know what wrong answers ask them where names are compared; elsewhere asking is wrong enough.
    """
    tables, want = expected(task, seed, ("wrong", "right") if named else ("right",))
    wrong = arrays_of(task, variants("wrong", task), seed, tables)
    right = arrays_of(task, variants("right", task) | (restyled(task) if named else {}), seed, tables)
    room = compare.TOLERANCE / 10
    found = [Flaw("caught", name, "passes") for name, got in wrong.items() if not is_far(got, want)]
    found += [Flaw("accepted", name, "fails") for name, got in right.items() if compare.distance(got, want) > room]
    says = hints(task)
    for one, other in combinations(wrong, 2) if named else ():
        if says[one] != says[other] and compare.same(wrong[one], wrong[other]):
            found.append(Flaw("named", other, f"and {one} look alike, and say different things"))
    return found


def is_far(got: compare.Arrays, want: compare.Arrays) -> bool:
    far = ROOM * compare.TOLERANCE
    return got.keys() != want.keys() or any(compare.error(got[name], want[name]) >= far for name in want)


def hints(task: str) -> dict[str, str]:
    return {entry["id"]: entry["says"] for entry in known_answers.answers("wrong")[task]}


def unnamed(task: str) -> Iterator[Flaw]:
    """Wrong answers that a learner's check() does not name, from what is stored and on the public seed."""
    tables = checks.fact(task)["tables"][str(checks.PUBLIC_SEED)]
    found = arrays_of(task, variants("wrong", task), checks.PUBLIC_SEED, tables)
    for name, says in hints(task).items():
        if (told := checks.recognised(task, found[name])) != says:
            yield Flaw("named", name, f"is not named on the public seed: {told}")


def pairs(task: str) -> Iterator[tuple[str, str, str]]:
    """Two mistakes at once, wherever their edits leave each other alone; with the module's text."""
    source = known_answers.solution(module_of(task)).read_text(encoding="utf-8")
    for one, other in combinations([e for e in known_answers.answers("wrong")[task] if "find" in e], 2):
        with suppress(ValueError):  # where one has been, the other does not fit any more
            both = known_answers.changed(known_answers.changed(source, one), other)
            if both == known_answers.changed(known_answers.changed(source, other), one):
                yield one["id"], other["id"], both


def judge_pairs(score: Score) -> None:
    """Two mistakes at once are wrong; who made them reads about one of them, or what can be said in general."""
    task, says, known = score.task, hints(score.task), {}
    for seed in range(PAIRED):
        tables, want = expected(task, seed)
        known[seed] = tables, want, arrays_of(task, variants("wrong", task), seed, tables)
    accepted = mutants.equivalents()[task]
    for one, other, text in pairs(task):
        score.pairs += 1
        name, module = f"{one} + {other}", known_answers.module(module_of(task), text)
        for seed, (tables, want, wrong) in known.items() if name not in accepted else ():
            got = known_answers.probe_arrays(task, module, seed, tables)
            told = next((says[third] for third, arrays in wrong.items() if compare.same(got, arrays)), says[one])
            if compare.same(got, want):
                score.flaws[Flaw("paired", name, "passes")] += 1
            elif told not in (says[one], says[other]):
                score.flaws[Flaw("paired", name, f"is told something else: {told}")] += 1


def judge_mutants(score: Score, count: int = USUAL.changes) -> None:
    """Every change of the reference is seen on every seed, or listed with the reason why it is none."""
    task, seeds = score.task, range(count)
    given = [expected(task, seed) for seed in seeds]
    sizes = probes.sizes(task, known_answers.reference(module_of(task)), seeds[0])
    room = known_answers.LONGEST - known_answers.AROUND - max(map(len, TASKS[task]["hints"]))
    equivalent, alive = mutants.equivalents()[task], set()
    for change, found in mutants.arrays_of_each(task, seeds, [tables for tables, _ in given]):
        passed = sum(compare.same(got, want) for got, (_, want) in zip(found, given))
        if mutants.REMEMBERS in change and passed < len(given):
            passed = 0  # what was kept of one seed is right there, and may be so on others by chance
        if passed:
            alive.add(change)
        if passed and change not in equivalent:
            score.flaws[Flaw("killed", change, "survives")] += passed
        elif not passed and "raises" not in found[0]:
            told = differences.explain(differences.Seen(found[0], given[0][1], sizes))
            if len(told) > room or "\n" in told or not told.endswith((".", ")", "?")):
                score.flaws[Flaw("told", change, f"gets {len(told)} characters, {room} are left: {told}")] += 1
    score.mutants = len(mutants.mutants(task)) - len(alive & equivalent.keys())
    for change in equivalent.keys() - alive - {f"{one} + {other}" for one, other, _ in pairs(task)}:
        score.flaws[Flaw("listed", change, "is listed as equivalent, and is not: remove it from equivalents.toml")] += 1


def audited(task: str, seeds: Seeds) -> Score:
    """Everything about one task."""
    torch.set_num_threads(1)
    start = time.process_time()
    score = answers_judged(task, range(seeds.answers))
    score.flaws.update(unnamed(task))
    judge_pairs(score)
    judge_mutants(score, seeds.changes)
    score.seconds = time.process_time() - start
    return score


def details(task: str) -> Iterator[str]:
    """Of every wrong answer: what its author believed, which outputs of the probe tell it apart, and what she reads."""
    tables, want = expected(task, checks.PUBLIC_SEED)
    found = arrays_of(task, variants("wrong", task), checks.PUBLIC_SEED, tables)
    for entry in known_answers.answers("wrong")[task]:
        yield f'{entry["id"]} ({entry["kind"]}): "{entry["believes"]}"'
        yield f"    differs in {differing(found[entry['id']], want)}"
        yield f"    {entry['says']}"


def differing(got: compare.Arrays, want: compare.Arrays) -> str:
    """Names of the outputs that are not as they should be."""
    if "raises" in got:
        return f"everything: it raises {got['raises']}"
    wrong = [name for name in want if name not in got or compare.error(got[name], want[name]) > compare.TOLERANCE]
    return ", ".join(wrong + sorted(got.keys() - want.keys()))


def processors() -> int:
    """How many this process may use, where the system tells; else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(tasks: list[str], full: bool, told: bool) -> int:
    """The table, a row as soon as a task is done; then what is lacking. 0 only when nothing is."""
    torch.set_num_threads(1)  # before the workers are forked
    start, scores, seeds = time.perf_counter(), [], FULL if full else USUAL
    columns = "{:8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}"
    print(columns.format("task", "caught", "named", "accepted", "in pairs", "mutants", "seconds"), flush=True)
    with ProcessPoolExecutor(processors(), mp_context=get_context("fork"), initializer=mutants.confined) as pool:
        for score in pool.map(partial(audited, seeds=seeds), tasks):
            scores.append(score)
            print(columns.format(*score.row, f"{score.seconds:.1f}"), flush=True)
    complaints = [complaint for score in scores for complaint in score.complaints]
    for line in [line for task in tasks if told for line in details(task)]:
        print(line)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(summary(scores, seeds, time.perf_counter() - start), flush=True)
    return 1 if complaints else 0


def summary(scores: list[Score], seeds: Seeds, seconds: float) -> str:
    wrong, pairs_, right, mutated = (sum(getattr(s, n) for s in scores) for n in ("wrong", "pairs", "right", "mutants"))
    lacking = sum(len(score.flaws) for score in scores)
    return (
        f"{len(scores)} tasks: {wrong} wrong answers and {right} right ones on {seeds.answers} seeds, {pairs_} pairs, "
        f"{mutated} changes of a reference on {seeds.changes}; {lacking or 'nothing'} amiss; {seconds / 60:.1f} min."
    )
