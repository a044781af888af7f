"""Changes of right answers, and what each does to a probe's numbers: names for mistakes that nobody catalogued.

Generated, like checks.json: python -m grading build. Read only when an answer is wrong and has no name yet.
"""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from . import compare
from .differences import Seen

FILE = Path(__file__).with_name("mistakes.json")
CLOSE = 1e-4  # of a mark's largest number: noise stays below, and a lone number is easily near another
NUMBERS = 3
TOGETHER = "These are the numbers of two mistakes together. One: {} The other: {}"


@cache
def known() -> dict[str, dict]:
    """Task -> {"says": sentences, "marks": rows [form, numbers, numbers on other inputs, which sentence]}.

    Which sentence: its place in "says", or the places of two in the catalogue.
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
    return None
