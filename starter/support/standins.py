"""Stand-ins for a blank's neighbours, so that a neighbour's mistake stays his.

A stand-in is a table and no code: the values and first derivatives that the reference gives for the calls which this
probe's inputs lead to. It therefore answers nothing else, and whoever reads it learns no formula.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .compare import projections

ROOM = 1e-4  # of a call's key, within which it is that call
Tables = dict[str, dict]  # neighbour -> {"parameters", "batched", "rows"}: plain lists and numbers, it goes to JSON


class UnknownCall(ValueError):
    """A neighbour was called with something that no right answer gives it."""


def keys(examples: dict[str, Tensor]) -> np.ndarray:
    """Two numbers for each example that stand for its arguments, whatever their shapes."""
    return projections(np.concatenate([a.detach().numpy().astype(float) for a in examples.values()], axis=1), 2)


def split(arguments: dict) -> list[dict]:
    """The calls on single examples that a call on a batch amounts to. Scalars belong to every example."""
    batched = {name: a for name, a in arguments.items() if isinstance(a, Tensor) and a.ndim}
    return [arguments | {name: a[i] for name, a in batched.items()} for i in range(batch(arguments))]


def lengths(arguments: dict) -> set[int]:
    """Of the first dimensions; one, where a call is about a batch."""
    return {len(a) for a in arguments.values() if isinstance(a, Tensor) and a.ndim}


def batch(arguments: dict) -> int:
    """How many examples a call is about."""
    sizes = lengths(arguments)
    if len(sizes) != 1:
        raise UnknownCall(f"the batch has {' or '.join(map(str, sorted(sizes))) or 'no'} examples")
    return sizes.pop()


def flattened(arguments: dict, batched: bool) -> dict[str, Tensor]:
    """Every argument with one row for each example; a call that is answered as a whole is one example."""
    size, found = batch(arguments) if batched else 1, {}
    for name, a in arguments.items():
        a = a if isinstance(a, Tensor) else torch.from_numpy(np.asarray(a).astype(float))
        found[name] = a.reshape(size, -1) if a.ndim and batched else a.reshape(1, -1).expand(size, -1)
    return found


@contextlib.contextmanager
def swapped(module: ModuleType, functions: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """Names of a module replaced for a while; names it does not have are added for the while."""
    kept = {name: vars(module)[name] for name in functions if name in vars(module)}
    vars(module).update(functions)
    try:
        yield
    finally:
        for name in functions:
            del vars(module)[name]
        vars(module).update(kept)


def recorder(function: Callable[..., Any], table: dict[str, Any]) -> Callable[..., Any]:
    """The reference's function, noting each call's arguments, value and derivatives in a table."""
    signature = inspect.signature(function)
    table |= {"parameters": list(signature.parameters), "batched": True, "rows": []}
    asked: dict[tuple, int] = {}  # a call's key and words -> with derivatives at how many arguments it was noted

    def recorded(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        words = {name: a for name, a in given.items() if isinstance(a, str)}
        numbers = {name: a.detach() if isinstance(a, Tensor) else a for name, a in given.items() if name not in words}
        live = [name for name in numbers if isinstance(given[name], Tensor) and given[name].requires_grad]
        known = [asked.get((*mark, *words.values()), -1) for mark in marks(numbers)]
        if min(known, default=-1) < len(live):  # most calls of an alternative are those of the reference
            leaves = {name: numbers[name].clone().requires_grad_() for name in live}  # derivatives are asked for here
            note(numbers | leaves, words, leaves)
        return function(*args, **kwargs)

    def marks(numbers: dict) -> list[list[float]]:
        return keys(flattened(numbers, table["batched"] and len(lengths(numbers)) == 1)).tolist()

    def note(numbers: dict, words: dict, live: dict) -> None:
        value = torch.as_tensor(function(**numbers, **words))  # some give True or False
        table["batched"] = value.ndim > 0 and lengths(numbers) == {
            len(value)
        }  # otherwise a call is answered as a whole
        rows = split(numbers) if table["batched"] else [numbers]
        flat = flattened(numbers, table["batched"])
        parts = {name: keys({name: a}).tolist() for name, a in flat.items()} if len(flat) > 1 else {}
        for i, (row, mark) in enumerate(zip(rows, marks(numbers), strict=True)):
            result = value[i] if table["batched"] else value
            asked[*mark, *words.values()] = len(live)
            smooth = result.requires_grad and result.ndim <= 1  # a number, or a vector: one row of derivatives for each
            if noted(table, mark, words, len(live) if smooth else 0):
                continue
            found = {}
            for n, a in live.items() if smooth else ():
                slopes = [
                    torch.autograd.grad(r, a, retain_graph=True, allow_unused=True)[0] for r in result.reshape(-1)
                ]
                if any(g is None for g in slopes):  # what the function cuts off has no slope here, either
                    continue
                own = [(g if row[n] is numbers[n] else g[i]).ravel().tolist() for g in slopes]
                found[n] = own if result.ndim else own[0]
            own_parts = {n: marks[i] for n, marks in parts.items()}
            noted_row = {"key": mark, "parts": own_parts, "words": words, "value": result.tolist(), "gradients": found}
            table["rows"].append(noted_row)

    return recorded


def nearly(mark: list[float], other: list[float]) -> bool:
    """Of the same call: rounding is another wherever there are more threads."""
    return all(abs(a - b) <= ROOM / 10 * max(1.0, abs(b)) for a, b in zip(mark, other))


def noted(table: dict, mark: list[float], words: dict, wanted: int) -> bool:
    """Is a call in the table with as many gradients as are wanted now? One with fewer makes room."""
    known = [row for row in table["rows"] if row["words"] == words and nearly(row["key"], mark)]
    if known and len(known[0]["gradients"]) < wanted:
        table["rows"].remove(known[0])
    return bool(known) and len(known[0]["gradients"]) >= wanted


def replay(name: str, table: dict[str, Any]) -> Callable[..., Any]:
    """A function that knows the recorded calls, in batches of any size, and nothing else."""

    rows = table["rows"]
    marks = np.array([row["key"] for row in rows]).reshape(-1, 2)
    room = ROOM * np.abs(marks).max(axis=1, initial=1.0)
    values = [plain(row["value"]) for row in rows]
    slopes = [{argument: plain(numbers) for argument, numbers in row["gradients"].items()} for row in rows]

    def looked_up(examples: dict[str, Tensor], words: dict) -> Tensor:
        asked = keys(examples)
        known = np.array([row["words"] == words for row in rows], dtype=bool)
        for mark, number in zip(marks.T, asked.T):
            known = known & (np.abs(mark - number[:, None]) <= room)  # (examples, rows)
        if not known.any(axis=1).all():
            stranger = int(np.flatnonzero(~known.any(axis=1))[0])
            one = {n: a[stranger : stranger + 1] for n, a in examples.items()}
            raise UnknownCall(f"{name}() is called with {unlike(one, words, rows)} than a right answer gives it")
        found = known.argmax(axis=1)
        value = torch.from_numpy(np.stack([values[i] for i in found]))
        for argument in dict.fromkeys(n for i in found for n in slopes[i]):
            flat = examples[argument]  # float64, where an answer works in it
            flat = (flat - flat.detach()).reshape(len(found), *[1] * (value.ndim - 1), -1)
            none = np.zeros((*value.shape[1:], flat.shape[-1]), dtype=np.float32)
            steep = torch.from_numpy(np.stack([slopes[i].get(argument, none) for i in found]))
            value = value + (steep.to(flat.dtype) * flat).sum(dim=-1)  # right to first order
        return value

    def replayed(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(table["parameters"], args)) | kwargs
        given = {parameter: given[parameter] for parameter in table["parameters"] if parameter in given}
        words = {n: a for n, a in given.items() if isinstance(a, str)}
        numbers = {n: a for n, a in given.items() if n not in words}
        values = looked_up(flattened(numbers, table["batched"]), words)
        wide = any(a.dtype == torch.float64 for a in numbers.values() if isinstance(a, Tensor) and a.ndim)
        if wide and values.is_floating_point():  # an answer works in float64: it cannot multiply that by float32
            values = values.double()
        return values if table["batched"] else values[0]

    return replayed


def unlike(example: dict[str, Tensor], words: dict, rows: list[dict]) -> str:
    """Which arguments of an unknown call differ from those of the nearest known one, and how, where that is plain."""
    own = {name: keys({name: a})[0] for name, a in example.items()}
    differing = min((strangers(own, words, row) for row in rows), key=len, default={})
    texts = [f"another {argument}{how}" for argument, how in differing.items()]
    return " and ".join(texts) if texts and len(own) > 1 else f"another {' or '.join(own) or 'input'}"


def strangers(own: dict[str, np.ndarray], words: dict, row: dict) -> dict[str, str]:
    """Argument -> in which way it is not that of a known call."""
    found = {n: f" ({words.get(n)!r}, not {word!r})" for n, word in row["words"].items() if words.get(n) != word}
    right = {name: np.array(mark) for name, mark in row.get("parts", {}).items()}
    for argument, mark in own.items():
        known = right.get(argument, np.full(2, np.nan))
        if not is_mark(mark, known):
            share = mark / np.where(known == 0, np.nan, known)
            times = abs(share[0] - share[1]) <= 1e-4 * abs(share[0]) and len(own) > 1
            others = [name for name, other in right.items() if is_mark(mark, other)]
            how = f"{share[0]:.4g} times it" if times else f"the numbers of {others[0]}" if others else ""
            found[argument] = f" ({how})" if how else ""
    return found


def is_mark(mark: np.ndarray, known: np.ndarray) -> bool:
    return bool(np.abs(known - mark).max() <= 1e-4 * max(np.abs(known).max(), 1.0))


def plain(numbers: Any) -> np.ndarray:
    """Numbers of a table as an array of the type that torch would make of them."""
    found = np.array(numbers)
    return found.astype(np.float32) if found.dtype.kind == "f" else found
