"""Changes of right answers, and what each does to a probe's numbers: names for mistakes that nobody catalogued.

Generated, like checks.json: python -m grading build. Read only when an answer is wrong and has no name yet.
"""

import json
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from . import compare
from .differences import Seen, is_wrong, plain

FILE = Path(__file__).with_name("mistakes.json")
CLOSE = 1e-4  # of a mark's largest number: noise stays below, and a lone number is easily near another
NUMBERS = 3
TOGETHER = "These are the numbers of two mistakes together. One: {} The other: {}"
WHEN = "These are the numbers you get when "  # begins what is said of a change; of a catalogued mistake something else
LONG = 4  # numbers of an array that are no other array's times a number by chance


@cache
def known() -> dict[str, dict]:
    """Task -> {"says": sentences, "marks": rows [form, numbers, numbers on other inputs, which sentence], "parts"}.

    Which sentence: its place in "says", or the places of one or two in the catalogue. "parts" has such rows for single
    outputs, without a form: name -> rows [numbers, numbers on other inputs, which sentence].
    """
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def form(arrays: compare.Arrays) -> str:
    """Names and forms of all arrays, in short."""
    return f"{zlib.crc32(compare.fingerprint(arrays).rsplit(' | ', 1)[0].encode()):08x}"


def numbers(got: compare.Arrays, want: compare.Arrays) -> list[float]:
    """A few numbers that stand for all that is wrong. What is right counts nothing, so that nothing hides behind it."""
    off = [np.zeros(0), *(away(got[name], want[name]) for name in sorted(want) if name in got)]
    return [float(f"{number:.5g}") for number in compare.projections(np.concatenate(off), NUMBERS)]


def away(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """How far numbers are from those expected, in shares of the largest; as they are, where they have another form."""
    if got.dtype.kind == "U":
        return np.zeros(0)
    if got.shape != want.shape or want.dtype.kind == "U":
        return got.astype(float).ravel()
    if compare.error(got, want) <= compare.TOLERANCE:
        return np.zeros(got.size)
    got, want = np.nan_to_num(got.astype(float).ravel(), posinf=1e9, neginf=-1e9), want.astype(float).ravel()
    return (got - np.nan_to_num(want)) / max(np.abs(want[np.isfinite(want)]).max(initial=0), 1e-3)


def finite(arrays: compare.Arrays) -> bool:
    """Without nan: they are alike, wherever they come from."""
    return all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


def alike(one: list[float], other: list[float]) -> bool:
    largest = np.abs(other).max(initial=0)
    return bool(np.abs(np.subtract(one, other)).max(initial=0) <= CLOSE * largest) if largest < 1e30 else one == other


def made(task: str, seen: Seen, other: Seen | None, catalogue: list[str]) -> str | None:
    """Which change of a right answer gives just these numbers.

    Args:
        seen: on the public seed.
        other: on the AUTOTEST seed, as far as it is known; two answers that are alike here may differ there.
        catalogue: what is said of each catalogued wrong answer.
    """
    if not finite(seen.got):
        return None
    mark, here = form(seen.got), numbers(seen.got, seen.want)
    there = None if other is None else numbers(other.got, other.want)
    table = known().get(task, {"says": [], "marks": []})
    for its_form, its_here, its_there, which in table["marks"]:
        agree = there is None or its_there is None or alike(there, its_there)
        if mark == its_form and alike(here, its_here) and agree:
            return table["says"][which] if isinstance(which, int) else TOGETHER.format(*(catalogue[i] for i in which))
    return of_parts(table, seen, other, catalogue)


def outputs(arrays: compare.Arrays) -> list[str]:
    """One name for each output: of the cases in which it was asked, the first."""
    found: dict[str, str] = {}
    for name, array in arrays.items():
        if not name.startswith(("gradient", compare.KEPT, compare.SETTING)) and array.dtype.kind in "fi":
            found.setdefault(plain(name), name)
    return list(found.values())


def part(array: np.ndarray) -> list[float]:
    """A few numbers that stand for those of one array."""
    flat = np.nan_to_num(array.astype(float).ravel(), posinf=1e9, neginf=-1e9)
    return [float(f"{number:.5g}") for number in compare.projections(flat, NUMBERS)]


def of_parts(table: dict, seen: Seen, other: Seen | None, catalogue: list[str]) -> str | None:
    """Of an answer that is no known one as a whole: what single outputs come from, two at most."""
    found: dict[str, str] = {}  # what is said of an output, once
    for name in outputs(seen.want):
        if not is_wrong(name, seen.got, seen.want) or name not in seen.got:
            continue
        got, want = seen.got[name], seen.want[name]
        there = other.got.get(name) if other and name in other.want else None
        if got.shape != want.shape or got.dtype != want.dtype:
            continue
        for times, which in parts_like(table.get("parts", {}).get(name, []), got, there):
            said = table["says"][which].removeprefix(WHEN) if isinstance(which, int) else catalogue[which[0]]
            many = "the numbers" if times == 1 else f"{times:.4g} times the numbers"
            how = f"you get when {said}" if isinstance(which, int) else f"of this mistake: {said}"
            found.setdefault(said, f"`{name}` has {many} {how}")
            break
    return " ".join([*found.values()][:2]) or None


def parts_like(rows: list, got: np.ndarray, there: np.ndarray | None) -> Iterator[tuple[float, int | list[int]]]:
    """Factor, and which sentence, of the rows whose numbers an array has, or has times a factor; the former first."""
    here, elsewhere = part(got), None if there is None else part(there)
    if not any(here):
        return  # 0 comes from everywhere
    for its_here, its_there, which in rows:
        agree = elsewhere is None or its_there is None or alike(elsewhere, its_there)
        if (got.size > 1 or elsewhere is not None and its_there is not None) and alike(here, its_here) and agree:
            yield 1, which
    for its_here, _, which in rows if got.size >= LONG else ():
        largest = int(np.abs(its_here).argmax())
        times = here[largest] / its_here[largest] if its_here[largest] else 0.0
        if times and alike(here, [times * number for number in its_here]):
            yield times, which
