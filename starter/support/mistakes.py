"""Changes of right answers, and what each does to a probe's numbers: names for mistakes that nobody catalogued.

Generated, like checks.json: python -m grading build. Read only when an answer is wrong and has no name yet.
"""

import base64
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
NUMBERS, VALUES = 3, 2  # of them for what comes back
ENOUGH = 2  # wrong numbers that are those of a mistake by no chance; fewer need other inputs to agree, too
TOGETHER = "These are the numbers of two mistakes together. One: {} The other: {}"
WHEN = "These are the numbers you get when {}."
NOT_WHOLE = ("These are the numbers", "What comes back has the numbers")
TIMES, DULL = 3e-5, 2e-2  # how well a factor fits, and how badly it must fit what is right
LONG = 4  # numbers of an array that are no other array's times a number by chance
ROW = np.dtype(  # of a mistake, or of two together
    [
        ("place", "<u2"),  # in "forms"; of a single output in "spoils"
        ("which", "<i2", 2),  # what is said: places in the catalogue, and behind it in "says"; -1: no second mistake
        ("here", "<f4", NUMBERS),
        ("there", "<f4"),  # on other inputs; nan: unknown
    ]
)


@cache
def known() -> dict[str, dict]:
    """Task -> its table.

    "says": what changes do; "forms": of all arrays together; "rows": packed; "parts": single outputs, name -> packed
    rows; "spoils": which outputs a mistake makes wrong, as bits in the order of `outputs`.
    """
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def packed(rows: list[tuple]) -> str:
    return base64.b85encode(np.array(rows, dtype=ROW).tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b85decode(text), dtype=ROW)


def form(arrays: compare.Arrays) -> str:
    """Names and forms of all arrays, in short."""
    return f"{zlib.crc32(compare.fingerprint(arrays).rsplit(' | ', 1)[0].encode()):08x}"


def off(got: compare.Arrays, want: compare.Arrays, names: list[str]) -> np.ndarray:
    """All that is wrong. What is right counts nothing, so that nothing hides behind it."""
    return np.concatenate([np.zeros(0), *(away(got[name], want[name]) for name in names if name in got)])


def numbers(got: compare.Arrays, want: compare.Arrays) -> np.ndarray:
    """A few numbers that stand for all that is wrong: two for what comes back, one for gradients and all the rest."""
    values = outputs(want)
    rest = [name for name in sorted(want) if name not in values]
    both = [compare.projections(off(got, want, names), n) for names, n in ((values, VALUES), (rest, NUMBERS - VALUES))]
    return np.concatenate(both)


def away(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """How far numbers are from those expected, in shares of the largest; as they are, where they have another form.

    Large shares count less: what should be 0, and is not, would hide all else.
    """
    if got.dtype.kind == "U":
        return np.zeros(0)
    if got.shape != want.shape or want.dtype.kind == "U":
        return np.arcsinh(np.nan_to_num(got.astype(float).ravel(), posinf=1e9, neginf=-1e9))
    if compare.error(got, want) <= compare.TOLERANCE:
        return np.zeros(got.size)
    got, want = np.nan_to_num(got.astype(float).ravel(), posinf=1e9, neginf=-1e9), want.astype(float).ravel()
    return np.arcsinh((got - np.nan_to_num(want)) / max(np.abs(want[np.isfinite(want)]).max(initial=0), 1e-3))


def finite(arrays: compare.Arrays) -> bool:
    """Without nan: they are alike, wherever they come from."""
    return all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


def near(rows: np.ndarray, here: np.ndarray, there: float) -> np.ndarray:
    """Which rows have these numbers, up to noise; what is unknown on other inputs contradicts nothing."""
    its = rows["here"][:, : len(here)]
    apart = np.abs(rows["there"] - there) > CLOSE * np.maximum(np.abs(rows["there"]), 1e-3)
    return (np.abs(its - here).max(axis=1) <= CLOSE * np.abs(its).max(axis=1)) & ~apart


def made(task: str, seen: Seen, other: Seen | None, catalogue: list[str]) -> str | None:
    """Which change of a right answer, or which two, give just these numbers.

    Args:
        seen: on the public seed.
        other: on the AUTOTEST seed, as far as it is known; two answers that are alike here may differ there.
        catalogue: what is said of each catalogued wrong answer.
    """
    table = known().get(task)
    if table is None:
        return None
    sentences = [*catalogue, *map(WHEN.format, table["says"])]
    args = table, seen, other, sentences, len(catalogue)
    return as_a_whole(*args) or of_parts(*args)


def as_a_whole(table: dict, seen: Seen, other: Seen | None, sentences: list[str], catalogued: int) -> str | None:
    """Of an answer all of whose numbers are known; or all that come back, where only a gradient is another."""
    got, want = seen.got, seen.want
    if not finite(got):
        return None
    rows, here = unpacked(table["rows"]), numbers(got, want)
    there = np.nan if other is None else numbers(other.got, other.want)[0]
    values = near(rows, here[:VALUES], there)
    rest = np.abs(rows["here"][:, VALUES:] - here[VALUES:]).max(axis=1) <= CLOSE * np.abs(here[VALUES:]).max()
    place = table["forms"].index(mark) if (mark := form(got)) in table["forms"] else -1
    for fits, names in ((values & rest & (rows["place"] == place), [*want]), (values, outputs(want))):
        wrong, whole = np.count_nonzero(off(got, want, names)), len(names) == len(want)
        if 0 < wrong <= ENOUGH:
            fits &= np.isfinite(rows["there"] - there) | ((rows["which"][:, 1] < 0) & (wrong == ENOUGH))
        if (wrong or whole) and fits.any():  # with a gradient gone, no number may be wrong
            which = [int(one) for one in rows["which"][fits][0] if one >= 0]
            return told(which, sentences, catalogued, whole)
    return None


def told(which: list[int], sentences: list[str], catalogued: int, whole: bool) -> str:
    """What is said of one mistake, or of two; not whole: that give just what comes back."""
    found = [sentences[one] for one in which]
    if whole or len(found) > 1:
        text = TOGETHER.format(*found) if len(found) > 1 else found[0]
        return text if whole else text.replace(*NOT_WHOLE, 1)
    known = which[0] < catalogued
    return f"{NOT_WHOLE[1]} of this mistake: {found[0]}" if known else found[0].replace(*NOT_WHOLE, 1)


def outputs(arrays: compare.Arrays) -> list[str]:
    """Names of what comes back, in each case in which it was asked."""
    return [
        name
        for name, array in arrays.items()
        if not name.startswith(("gradient", compare.KEPT, compare.SETTING)) and array.dtype.kind != "U"
    ]


def parts(arrays: compare.Arrays) -> list[str]:
    """One name for each output in numbers: of the cases in which it was asked, the first."""
    found = {plain(name): name for name in reversed(outputs(arrays)) if arrays[name].dtype.kind in "fi"}
    return [*reversed(found.values())]


def spoiled(got: compare.Arrays, want: compare.Arrays) -> int:
    """Which outputs are wrong, as bits."""
    return sum(1 << i for i, name in enumerate(outputs(want)) if is_wrong(name, got, want))


def comparable(got: np.ndarray, want: np.ndarray) -> bool:
    return got.shape == want.shape and got.dtype == want.dtype and bool(np.isfinite(got).all())


def part(array: np.ndarray) -> np.ndarray:
    """A few numbers that stand for those of one array."""
    return compare.projections(array.astype(float).ravel(), NUMBERS)


def of_parts(table: dict, seen: Seen, other: Seen | None, sentences: list[str], catalogued: int) -> str | None:
    """Of an answer that is no known one as a whole: what single outputs come from, two at most."""
    found: dict[str, str] = {}  # what is said of an output, once
    for name in parts(seen.want):
        got, want = seen.got.get(name), seen.want[name]
        if got is None or not comparable(got, want) or not is_wrong(name, seen.got, seen.want):
            continue
        there = other.got.get(name) if other else None
        if other is None or there is None or name not in other.want or not comparable(there, other.want[name]):
            there = None
        rows = unpacked(table["parts"].get(name, ""))
        too_much = np.array([excess(bits, name, seen) for bits in table["spoils"]])[rows["place"]]
        for alone in (0, 1):
            if like := next(parts_like(rows[too_much == alone], got, there, want), None):
                times, which = like
                said = sentences[which].removeprefix(WHEN.partition("{")[0])
                many = "the numbers" if times == 1 else f"{times:.4g} times the numbers"
                how = "that this mistake gives:" if which < catalogued else "you get when"
                found.setdefault(said, f"`{name}`{' alone' * alone} has {many} {how} {said}")
                break
    return " ".join([*found.values()][:2]) or None


def excess(bits: int, name: str, seen: Seen) -> int:
    """Would a mistake spoil something that is right here? 0: no; 1: another case of the same output; 2: another output.

    In the last case it is none of those that were made.
    """
    names = [
        one for i, one in enumerate(outputs(seen.want)) if bits >> i & 1 and not is_wrong(one, seen.got, seen.want)
    ]
    return 2 if {plain(one) for one in names} - {plain(name)} else int(bool(names))


def parts_like(
    rows: np.ndarray, got: np.ndarray, there: np.ndarray | None, want: np.ndarray
) -> Iterator[tuple[float, int]]:
    """Factor, and which sentence, of the rows whose numbers an array has, or has times a factor; the former first."""
    here, elsewhere = part(got), np.nan if there is None else part(there)[0]
    if not here.any():
        return  # 0 comes from everywhere
    fits = near(rows, here, elsewhere)
    if got.size < ENOUGH:
        fits &= np.isfinite(rows["there"] - elsewhere)
    yield from ((1, int(one)) for one in rows["which"][fits, 0])
    right = part(want)
    if got.size < LONG or (got == got.flat[0]).all() or is_times(right, here, DULL):
        return  # one number everywhere is so of any other; what is nearly what is right, of many mistakes
    for row in rows:
        if not is_times(right, row["here"], DULL) and is_times(row["here"], here, TIMES):
            yield float(here[largest(row["here"])] / row["here"][largest(row["here"])]), int(row["which"][0])


def is_times(one: np.ndarray, other: np.ndarray, room: float) -> bool:
    """Is the other one a number times the one?"""
    if not one.any():
        return False
    times = other[largest(one)] / one[largest(one)]
    return bool(np.abs(times * one - other).max() <= room * np.abs(other).max())


def largest(numbers: np.ndarray) -> int:
    return int(np.abs(numbers).argmax())
