"""Tasks, and the answers to them that are known: wrong ones with what to say, right ones that look different."""

import importlib
import inspect
import textwrap
import tomllib
import typing
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypedDict

from .knife import regions
from .overlay import ROOT
from .reference_text import solution
from .tasks import TASKS, module_of, tasks_of

if TYPE_CHECKING:  # what is only read here is read without torch
    from starter.support.compare import Arrays
    from starter.support.standins import Tables

KINDS = {  # of wrong answers
    "constant": "a factor, an exponent or a summand that is another number",
    "sign": "plus for minus, one direction for the other",
    "axis": "the wrong dimension, or dimensions in another order",
    "reduction": "a sum for a mean, over too much or too little",
    "broadcasting": "one number where everything has its own, or the other way round",
    "graph": "a gradient that is cut off, or one that should be",
    "mode": "training for evaluation, or the other way round",
    "order": "the right steps in another order",
    "dtype": "whole numbers, truth values or precision; another device",
    "in-place": "an argument is changed",
    "off-by-one": "an end missed by one",
    "unstable": "right on paper, and not in float32",
    "ignored": "an argument, or a case, that is not used",
    "special": "right for special values only",
    "argument": "the right function of the wrong thing",
    "formula": "another formula, or a part of it missing",
}
RETURNED = {list: "a list", float: "a float", int: "an int", bool: "True or False (a bool)", None: "None"}
LONGEST = 400  # characters of what a learner reads at once
AROUND = 80  # of them stand around a message: "vae-1 is not right yet (starter/vae.py, ...): ... Hint 1 of 3: ..."
Entry = dict[str, Any]  # of answers/*.toml


class Rule(TypedDict):
    """The function of a task, and full names of calls that do all of it."""

    symbol: str
    calls: list[str]


@cache
def answers(kind: str) -> dict[str, list[Entry]]:
    """Task id -> its `wrong` or `right` entries of answers/*.toml. Raises ValueError for an unknown task."""
    entries: dict[str, list[Entry]] = {task: [] for task in TASKS}
    for path in sorted((ROOT / "grading/content/answers").glob("*.toml")):
        try:
            known = tomllib.loads(path.read_text(encoding="utf-8")).get(kind, [])
        except tomllib.TOMLDecodeError as wrong:
            raise ValueError(f"{path.name}: {wrong}") from None
        for entry in known:
            task = "-".join(entry.get("id", "").split("-")[:2])
            if task not in entries:
                raise ValueError(f"{path.name}: {entry.get('id', entry)} belongs to no task of tasks.toml")
            entries[task].append(entry | {"task": task})
    return entries


def hands_over(lab: str) -> dict[str, Rule]:
    """Task -> its function, and the calls that do all of it, where there are any."""
    rows = {task: TASKS[task] for task in tasks_of(lab) if "hands_over" in TASKS[task]}
    return {task: {"symbol": row["symbol"], "calls": row["hands_over"]} for task, row in rows.items()}


def changed(source: str, entry: Entry) -> str:
    """A solution's text with one region changed. Raises ValueError when the entry no longer fits it."""
    lines, region = source.splitlines(), regions(source)[entry["task"]]
    new = replaced("\n".join(lines[region]), entry)
    return "\n".join([*lines[: region.start], new, *lines[region.stop :]]) + "\n"


def replaced(answer: str, entry: Entry) -> str:
    """What stands in a region instead of the reference's answer. Raises ValueError when the entry does not fit it."""
    if "region" in entry:
        indent = answer[: len(answer) - len(answer.lstrip())]
        return textwrap.indent(textwrap.dedent(entry["region"]).strip("\n"), indent)
    if answer.count(entry["find"]) != entry.get("count", 1):
        raise ValueError(f"{entry['id']}: {entry['find']!r} occurs {answer.count(entry['find'])} times")
    return answer.replace(entry["find"], entry["replace"])


def answer_text(entry: Entry) -> str:
    """The whole module with an entry's answer in it."""
    return changed(solution(module_of(entry["task"])).read_text(encoding="utf-8"), entry)


def module(name: str, source: str | None = None) -> ModuleType:
    """solutions/<name>.py, or another text in its place, as a fresh module (its relative imports work)."""
    path = solution(name)
    fresh = ModuleType(f"solutions.{name}")
    fresh.__file__, fresh.__package__ = str(path), "solutions"
    importlib.import_module(fresh.__name__)  # dataclasses look their module up, others import it: always the reference
    exec(compile(source or path.read_text(encoding="utf-8"), fresh.__file__, "exec"), vars(fresh))
    return fresh


@cache
def reference(name: str) -> ModuleType:
    return module(name)


@cache
def variant(kind: str, task: str, index: int) -> ModuleType:
    """The module that one catalogued answer makes; compiled once, probed on many seeds."""
    return module(module_of(task), answer_text(answers(kind)[task][index]))


def expects(task: str) -> str:
    """What a task's function returns, in words; the parts of a tuple are tensors."""
    function = getattr(reference(module_of(task)), TASKS[task]["symbol"])
    returned = inspect.signature(function).return_annotation
    return RETURNED.get(typing.get_origin(returned) or returned, "a tensor")


def probe_arrays(task: str, candidate: ModuleType, seed: int, tables: "Tables") -> "Arrays":
    """A probe's arrays; for an answer that raises, the name of what it raises."""
    from starter.support import probes

    try:
        return probes.arrays(task, candidate, seed, tables)
    except Exception as mistake:
        return probes.raised(mistake)


def tables(task: str, seed: int, kinds: tuple[str, ...] = ("wrong", "right")) -> "Tables":
    """Stand-ins for a task's neighbours that know the calls of catalogued answers."""
    from starter.support import probes

    modules = [variant(kind, task, i) for kind in kinds for i in range(len(answers(kind)[task]))]
    return probes.record(task, reference(module_of(task)), modules if probes.NEIGHBOURS[task] else [], seed)
