"""Patterns between the numbers that an answer gives and those that are expected.

One is told only where it holds for every number. Whatever could be an accident, such as a lone number that lies near
1/B, is told only when the same answer shows it on other inputs, too, whose sizes differ.
"""

import math
from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

from .compare import TOLERANCE

CLOSE = 2e-4  # relative: how well a pattern fits every number, and a name its constant
NOISE = 1e-5  # of an array's largest number
SIZES = 3  # factors of a product of sizes
ENDS = (-1, 0, 1)  # where people cut numbers off
PLAIN = 12  # whole numbers below it people write down; a product of sizes above it is no accident
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the square": np.square,
    "the square root": np.sqrt,
    "the exponential": np.exp,
    "the logarithm": np.log,
    "1 over": lambda a: 1 / a,
    "the absolute value": np.abs,
    "1 minus": lambda a: 1 - a,
}


class Pair(NamedTuple):
    got: np.ndarray
    want: np.ndarray
    sizes: dict[str, int]


def pattern(pairs: list[Pair]) -> str | None:
    """What holds between all numbers that are given and those that are expected; the best known thing first.

    Args:
        pairs: of the inputs in question, and of other ones where these are known.
    """
    first = pairs[0]
    if not first.got.any():
        return "is 0, and should not be" if first.got.size == 1 else "is 0 everywhere"
    if np.isin(first.want, (0, 1)).all() and (swapped := exchanged(first)):
        return swapped
    known = [*filter(None, (factor(pairs), offset(pairs), function(pairs)))]
    said = [text for text, name in known if name] + [text for text, _ in known if first.got.size > 1]
    return said[0] if said else cut_off(first) or exchanged(first)


def close(got: np.ndarray, want: np.ndarray, scale: np.ndarray) -> bool:
    """Every number for itself, up to the noise of the largest."""
    room = CLOSE * np.abs(want) + NOISE * np.abs(scale).max(initial=0)
    return bool((np.abs(got.astype(float) - want) <= room).all())


def ratio(pair: Pair) -> float | None:
    """The one number that all expected numbers are multiplied by."""
    want = pair.want.astype(float)
    value = float((pair.got * want).sum() / max((want * want).sum(), 1e-30))
    usable = want.any() and abs(value - 1) > 2 * TOLERANCE and value
    return value if usable and close(pair.got, value * want, value * want) else None


def factor(pairs: list[Pair]) -> tuple[str, str] | None:
    """One number times what it should be: a constant, or what a mean in place of a sum makes."""
    if (value := ratio(pairs[0])) is None:
        return None
    name = shared(pairs, ratio, factors)
    return f"is {value:.4g} times what it should be{name}", name


def factors(sizes: dict[str, int]) -> Iterator[tuple[str, str, float]]:
    yield from (("-", "the sign is flipped", -1.0), ("2", "a factor 1/2 is missing", 2.0))
    yield from (("1/2", "a factor 1/2 too many", 0.5), ("-2", "a factor -1/2 is missing", -2.0))
    yield "-1/2", "the sign is flipped, and a factor 1/2 too many", -0.5
    yield from (("bits", "as bits are of nats", 1 / math.log(2)), ("nats", "as nats are of bits", math.log(2)))
    for name, n in products(sizes):
        short = f"({name})" if "*" in name else name
        yield (
            f"1/{short}",
            f"1/{short} = 1/{n}, as a mean, not a sum, over {name.replace('*', 'and')} gives",
            1 / n,
        )
        yield short, f"{name} = {n}, as a sum, not a mean, over {name.replace('*', 'and')} gives", float(n)
        yield f"-1/{short}", f"-1/{short} = -1/{n}", -1 / n
        yield f"-{short}", f"-{short} = -{n}", -float(n)
    for name, n in sizes.items():
        yield f"({name} - 1)/{name}", f"({name} - 1)/{name} = {n - 1}/{n}", (n - 1) / n
        yield f"{name}/({name} - 1)", f"{name}/({name} - 1) = {n}/{n - 1}", n / max(n - 1, 1)
    for (name, n), (other, m) in permutations(sizes.items(), 2):
        yield f"{name} / {other}", f"{name}/{other} = {n}/{m}, as a mean over {other}, not over {name}, gives", n / m


def gap(pair: Pair) -> float | None:
    """The one number that is added to all expected numbers."""
    gaps, scale = pair.got.astype(float) - pair.want, np.abs(pair.want).max()
    value = float(gaps.mean())
    fits = (np.abs(gaps - value) <= CLOSE * abs(value) + NOISE * scale).all()
    return value if fits and abs(value) > 2 * TOLERANCE * scale else None


def offset(pairs: list[Pair]) -> tuple[str, str] | None:
    """One number away from what it should be: a constant that was dropped, or added."""
    if (value := gap(pairs[0])) is None:
        return None
    name = shared(pairs, gap, offsets)
    return f"is off by the constant {value:+.4g}{name}", name


def offsets(sizes: dict[str, int]) -> Iterator[tuple[str, str, float]]:
    """Every constant by itself, and once for each of so many things."""
    found = {"1/2": 0.5, "1": 1.0, "log 2": math.log(2), "1/2 log(2 pi)": math.log(2 * math.pi) / 2}
    found |= {"log(2 pi)": math.log(2 * math.pi)}
    found |= {
        f"{many}log {name}": times * math.log(n) for name, n in sizes.items() for many, times in (("", 1), ("2 ", 2))
    }
    for name, value in found.items():
        for product, n in (("", 1), *products(sizes)):
            text = f"{product} * {name}" if product else name
            yield from ((text, text, n * value), (f"-{text}", f"-{text}", -n * value))


def products(sizes: dict[str, int]) -> Iterator[tuple[str, int]]:
    for count in range(1, SIZES + 1):
        for some in combinations(sizes.items(), count):
            yield " * ".join(name for name, _ in some), math.prod(n for _, n in some)


def shared(pairs: list[Pair], measure: Callable, names: Callable) -> str:
    """What a constant is called on all inputs, in brackets; empty where two names or more fit equally well.

    A lone number is near to some name or other too often: it takes other inputs to believe it. And a small number, or 1
    over it, that is the same there may be written down: it is called by sizes only if these give another one.
    """
    if len(pairs) == 1 and pairs[0].got.size == 1:
        return ""
    found = []
    for pair in pairs:
        value = measure(pair)
        known = names(pair.sizes) if value is not None else ()
        found.append({key: (text, n) for key, text, n in known if abs(value - n) <= CLOSE * abs(n)})
    constant, others = {key for key, _, _ in names({})}, found[1:]
    both = [key for key in found[0] if all(key in other for other in others)]
    simple = [key for key in both if " / " not in key]  # most numbers are near the ratio of some two sizes
    if len(simple) == 1 and simple[0] not in constant:
        both = simple
    if len(both) != 1:
        return ""
    text, n = found[0][both[0]]
    whole = max(abs(n), abs(1 / n))
    plain = both != simple or both[0] not in constant and whole < PLAIN and abs(whole - round(whole)) < CLOSE
    same = all(other[both[0]][1] == n for other in others)  # also where nothing else is known
    return "" if plain and same else f" ({text})"


def function(pairs: list[Pair]) -> tuple[str, str] | None:
    """A well-known function of what it should be."""
    for name, call in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            made = [call(pair.want.astype(float)) for pair in pairs]
        fits = (np.isfinite(m).all() and close(pair.got, m, m) for m, pair in zip(made, pairs))
        if all(fits) and (pairs[0].got.size > 1 or len(pairs) > 1):
            return f"is {name} {'' if name.startswith('1 ') else 'of '}what it should be", name
    return None


def cut_off(pair: Pair) -> str | None:
    """Every number as it should be, but none above a highest, or below a lowest, at which several lie; or 0 or 1 is."""
    got, want = pair.got.astype(float), pair.want.astype(float)
    low, high, room = got.min(), got.max(), TOLERANCE * np.abs(want).max(initial=0)
    ends = [("below", low)] * bool((want < low - room).any()) + [("above", high)] * bool((want > high + room).any())
    telling = all((got == end).sum() > 1 or end in ENDS for _, end in ends)
    inside = ((got > low) & (got < high)).any()
    if not ends or not telling or not inside or not close(got, want.clip(low, high), want):
        return None
    return "is cut off " + " and ".join(f"{side} {end + 0:.4g}" for side, end in ends)


def exchanged(pair: Pair) -> str | None:
    """0 for 1 and 1 for 0, everywhere."""
    low, high = pair.want.min(), pair.want.max()
    swapped = low < high and np.isin(pair.want, (low, high)).all() and np.array_equal(pair.got, low + high - pair.want)
    return f"has {low:g} and {high:g} exchanged, everywhere" if swapped else None
