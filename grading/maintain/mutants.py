"""Machine-made wrong answers: every small change of a reference's region, one at a time, judged by the task's probe.

Our own, because tools such as mutmut and cosmic-ray start one test run per change, which here means importing torch
for each of some thousand changes, and know neither tensors (`dim`, `keepdim`, `detach`, `*_`) nor regions.
"""

import ast
import signal
import tomllib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

from starter.support import probes
from starter.support.compare import Arrays
from starter.support.standins import Tables

from ..content import known_answers
from ..content.overlay import ROOT
from ..content.reference_text import parameters, parsed
from ..content.tasks import TASKS, module_of
from .edits import changes

EQUIVALENTS = ROOT / "grading/content/equivalents.toml"
MEMORY = 6 << 30  # bytes of a process that runs mutants
REMEMBERS = "globals()"  # in a change that keeps a value of the first call for all that follow
SECONDS = 2.0  # of computing for all that is asked of one mutant: a changed loop may go on for ever


class Endless(BaseException):
    """A mutant has used up its time."""


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """
    Raises:
        Endless: the block computes for longer. (A signal of this process: nothing goes on in the background.)
    """

    def stop(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.1)  # again and again, should somebody catch the first one
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@cache
def mutants(task: str) -> dict[str, str]:
    """Change, as `old lines => new lines`, -> the region with it.

    Where a probe watches no gradient, as in a measurement, nothing is detached, and a lone number is not squeezed: it
    would be no change.
    """
    tree, names = parsed(task)
    old, found = ast.unparse(tree), dict[str, str]()
    for _ in changes(tree, names, parameters(task)):
        new = ast.unparse(tree)
        idle = any(new.count(cut) > old.count(cut) for cut in idle_in(task))
        if new != old and new and not idle:
            found.setdefault(difference(old, new), new)
    return found


def difference(old: str, new: str) -> str:
    """The lines that changed, without what is the same above and below them."""
    one, other = old.splitlines(), new.splitlines()
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return f"{' | '.join(map(str.strip, one))} => {' | '.join(map(str.strip, other))}"


@cache
def idle_in(task: str) -> tuple[str, ...]:
    """Calls that change nothing that the task's probe sees."""
    want = probes.arrays(task, known_answers.reference(module_of(task)), 0, known_answers.tables(task, 0, ()))
    cuts = () if any("gradient" in name for name in want) else (".detach()", ".data")
    return (
        cuts
        if any(a.ndim for name, a in want.items() if name.startswith(("result", "item")))
        else (*cuts, ".squeeze()", ".squeeze(1)")
    )


def arrays_of_each(task: str, seeds: Sequence[int], tables: list[Tables]) -> Iterator[tuple[str, list[Arrays]]]:
    """Every change with what its probe sees on each seed. One that never ends, or does not compile, only raises."""
    for change, region in mutants(task).items():
        text = known_answers.answer_text({"task": task, "id": change, "region": region})
        yield change, arrays_of(task, text, seeds, tables)


def arrays_of(task: str, text: str, seeds: Sequence[int], tables: list[Tables]) -> list[Arrays]:
    """What the probe sees of a module with a wrong answer, on each seed."""
    found: list[Arrays] = []
    with suppress(Endless, SyntaxError), in_time(SECONDS):
        module = known_answers.module(module_of(task), text)
        found += (known_answers.probe_arrays(task, module, seed, known) for seed, known in zip(seeds, tables))
    return found or [probes.raised(Endless())]


def confined() -> None:
    """Of a process that runs mutants: what grows without end stops for want of memory; nobody reads their warnings."""
    import resource  # only where there are forks

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


@cache
def equivalents() -> dict[str, dict[str, str]]:
    """Task -> change -> why no probe can or should refuse it.

    Raises:
        ValueError: an entry lacks something, or names a task that is not there.
    """
    found: dict[str, dict[str, str]] = {task: {} for task in TASKS}
    for entry in tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8")).get("equivalent", []):
        if entry.keys() != {"task", "because", "changes"} or entry["task"] not in found:
            raise ValueError(f"{EQUIVALENTS.name}: an entry needs task, because and changes, and a known task: {entry}")
        found[entry["task"]] |= dict.fromkeys(entry["changes"], entry["because"])
    return found
