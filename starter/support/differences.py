"""What is wrong with arrays that no catalogue knows, in one sentence that is true of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .compare import KEPT, NAMED, SETTING, TOLERANCE, Arrays, error
from .patterns import Pair, close, pattern

SHOWN = 2  # names of right arrays in one message, of cases in which something is wrong
LONGEST = 200  # characters of a sentence with a question behind it
ROOM = 60  # characters for the names of right arrays
FEW = 8  # numbers that are shown one by one, and that are stored of other inputs
FIRST = 3  # numbers that are stored of an array with more
YES = {True: "yes", False: "no"}
CHANGED = "Your code changes one of its inputs: look for `+=` or a method that ends in `_` on an argument."
CUT_OFF = "look for detach(), item(), no_grad() or numpy."
ONES, LOOK = "dimensions of length 1", ": look at keepdim, squeeze and unsqueeze"
CASES = {  # a word in the name of a case, and what to look for where only that is wrong; classes of holes, see probes
    "one example": "Is a dimension of length 1 dropped, or a size written down?",
    "extreme": "Is something cut off, does something overflow, or do large numbers cancel?",
    " is 0": "A 0 is a number, and no missing argument.",
    "second step": "Does the optimiser keep its memory?",
    "alike": "What if two rows are equal, or a column is constant?",
    "unequal": "The two sizes may differ.",
    "stride 1": "Is a stride or a padding written down?",
    "not given": "Is the default that of the text?",
    "points": "Not only images have a batch.",
}
TENSOR = "a tensor"  # what most functions return
FORMS = ("one example", "points")  # cases that are about the form of what comes in


class Seen(NamedTuple):
    """What an answer gave for some inputs, and what it should have given. Of other inputs not all may be known."""

    got: Arrays
    want: Arrays
    sizes: dict[str, int]
    firsts: Arrays = {}  # of arrays that are not in `want`: their first numbers


def firsts(arrays: Arrays) -> Arrays:
    """What is stored of the arrays that are not `small`: enough to see a factor in."""
    large = {name: array for name, array in arrays.items() if array.dtype.kind == "f" and array.size > FEW}
    return {name: array.ravel()[:FIRST] for name, array in large.items()}


def small(arrays: Arrays) -> Arrays:
    """What is stored of the reference on other inputs."""
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f" and array.size <= FEW}


def explain(seen: Seen, other: Seen | None = None, expects: str = TENSOR) -> str:
    """Form first, then values, then gradients.

    Args:
        other: the same answer on other inputs.
        expects: what the function returns, should it be something else.
    """
    got, want = seen.got, seen.want
    order = sorted(want, key=lambda name: (name.startswith("gradient"), name.startswith(KEPT)))
    wrong = [name for name in order if is_wrong(name, got, want)]
    if changed := [name.removeprefix(SETTING) for name in got if name.startswith(SETTING)]:
        return f"Your code changes {', '.join(changed)}, for everything that runs after it."
    if not wrong:
        return f"It returns something more: {', '.join(sorted(set(got) - set(want)))}."
    sure = [name for name in order if name in got and error(got[name], want[name]) <= NAMED]  # not by chance
    right = [f"`{name}`" for name in sure if not name.startswith(KEPT)]
    if cases := only_with(wrong, want):
        return of_cases(cases, wrong[0], seen, other, expects)
    text = described(wrong[0], seen, other, expects)
    return text + beside(right, min(ROOM, LONGEST - len(text) - len(" ( and 99 more: right.)")))


def beside(right: list[str], room: int = ROOM) -> str:
    """The arrays that are right, as many of their names as there is room for."""
    shown = right[:SHOWN]
    while shown and len("".join(shown)) > room:
        shown.pop()
    more = f"{len(right) - len(shown)} more" if len(right) > len(shown) else ""
    return f" ({' and '.join(filter(None, (', '.join(shown), more)))}: right.)" if shown else ""


def of_cases(cases: list[str], name: str, seen: Seen, other: Seen | None, expects: str) -> str:
    """The sentence about an array, with the cases that are all that is wrong, and what to look for."""
    text = described(name, seen._replace(sizes={}), other, expects)  # a case may have sizes of its own
    found = f"Wrong only for: {'; '.join(cases)}. {text.replace(name.removeprefix(plain(name)), '')}"
    for part in (LOOK, f": they differ in {ONES}"):  # what can be seen of the shapes
        found = found.replace(part, "") if len(found) > LONGEST else found
    got, want = seen.got.get(name, np.zeros(0)), seen.want[name]
    of_form = got.shape != want.shape or not any(", " in case for case in cases)  # else the other condition is why
    told = {word: hint for word, hint in CASES.items() if of_form or word not in FORMS}
    hints = [hint for word, hint in told.items() if all(word in case for case in cases)]
    numbers = not name.startswith("gradient") and name in seen.got and got.dtype == want.dtype
    silent = found.endswith("?") or ONES in found
    asked = f"{found} {hints[0]}" if len(hints) == 1 and numbers and not silent else found
    return asked if len(asked) <= LONGEST else found


def plain(name: str) -> str:
    """An array's name without the case in which it was asked."""
    return name.partition(" (")[0]


def only_with(wrong: list[str], want: Arrays) -> list[str]:
    """The cases without which everything is right; empty where there are many, or where something else is wrong.

    The same was asked in another case, too: this one is not all there is.
    """
    found = list(dict.fromkeys(name.partition(" (")[2].removesuffix(")").replace(") (", ", ") for name in wrong))
    others = [name for name in want if name not in wrong and plain(name) in map(plain, wrong)]
    inputs = any(name.startswith((KEPT, SETTING)) for name in wrong)
    nameless = any(case.isdigit() or not case for case in found)
    return [] if nameless or len(found) > SHOWN or not others or inputs else found


def is_wrong(name: str, got: Arrays, want: Arrays) -> bool:
    return name not in got or error(got[name], want[name]) > TOLERANCE


def described(name: str, seen: Seen, other: Seen | None, expects: str) -> str:
    """One sentence about the first array that is wrong."""
    got, want = seen.got.get(name), seen.want[name]
    if got is None and name.startswith("gradient at "):
        return f"No {name.replace(' at ', ' reaches ', 1)}: {CUT_OFF}"
    if got is None:
        there = [n for n in seen.got if not n.startswith(("gradient", KEPT)) and not n.endswith(")")]
        return f"`{name}` is missing; you return {', '.join(there[:SHOWN]) or 'nothing'}."
    if "U" in (got.dtype.kind, want.dtype.kind):
        return in_kind(name, got, want, expects)
    if name.startswith(KEPT):
        return CHANGED
    if got.shape != want.shape:
        return in_shape(name, got, want, seen.sizes)
    if got.dtype != want.dtype:
        return f"`{name}` is {got.dtype}, expected {want.dtype}."
    bad = ~np.isfinite(got)
    if bad.any() and not np.array_equal(bad, ~np.isfinite(want)):
        which = f"{int(bad.sum())} of {bad.size} numbers of `{name}` are" if bad.size > 1 else f"`{name}` is"
        return f"{which} nan or infinite: log(0), 0/0, or exp() of something large?"
    pairs = [Pair(got, want, seen.sizes), *pair_of(name, other, want)]
    found = pattern(pairs) if np.isfinite(want).all() and want.dtype.kind == "f" else None
    found = found or of_another(name, seen)
    return f"`{name}` {found}." if found else in_place(name, got, want, seen.sizes)


def in_kind(name: str, got: np.ndarray, want: np.ndarray, expects: str) -> str:
    """Something that is no tensor, or should be none."""
    if want.dtype.kind == "U":
        given = f"a tensor of shape {got.shape}" if got.dtype.kind != "U" else got
        return f"`{name}` is {given}, and must be {want}."
    if expects == TENSOR and want.dtype.kind == "i" and want.size == 1:
        expects = "a whole number"  # a part of a tuple may be no tensor
    if expects == TENSOR and str(got).startswith("a tensor"):
        return f"`{name}` is {got}, expected {want.dtype} of shape {want.shape}."
    return f"`{name}` is {got}, {expects} is expected" + (": is there a `return`?" if str(got) == "None" else ".")


def in_shape(name: str, got: np.ndarray, want: np.ndarray, sizes: dict[str, int]) -> str:
    turned = want.ndim == 2 and got.T.shape == want.shape and error(got.T, want) <= TOLERANCE
    hint = "rows and columns are exchanged" if turned else of_shapes(got.shape, want.shape, sizes)
    here = f"; sizes here: {listed(sizes)}" if sizes else ""
    words = f": {hint}{'' if hint.endswith('?') else '.'}" if hint else f"{here}."
    return f"`{name}` has shape {got.shape}, expected {want.shape}{words}"


def of_shapes(got: tuple[int, ...], want: tuple[int, ...], sizes: dict[str, int]) -> str:
    """What two shapes alone tell of a mistake; nothing where they tell nothing."""
    if [n for n in got if n > 1] == [n for n in want if n > 1]:
        return f"they differ in {ONES}{LOOK}"
    if not sizes:
        return ""  # a dimension would have no name
    if more := left_over(got, want):
        return f"{called(more, sizes)} too much: is a sum or a mean missing?"
    if less := left_over(want, got):
        return f"{called(less, sizes)} gone: is a sum or a mean taken over too much?"
    if sorted(got) == sorted(want):
        return "the same dimensions in another order"
    return "as many numbers, in another form" if np.prod(got) == np.prod(want) else ""


def called(lengths: list[int], sizes: dict[str, int]) -> str:
    names = {size: f"{name} = {size}" for name, size in sizes.items()}
    said = [names.get(length, f"a dimension of length {length}") for length in lengths]
    return f"{' and '.join(said)} {'is' if len(said) == 1 else 'are'}"


def left_over(longer: tuple[int, ...], shorter: tuple[int, ...]) -> list[int]:
    """The lengths that are in the one and not in the other, where all else stands in the same order."""
    rest, found = list(shorter), []
    for length in longer:
        if rest and length == rest[0]:
            rest.pop(0)
        else:
            found.append(length)
    return [] if rest else found


def pair_of(name: str, other: Seen | None, want: np.ndarray) -> list[Pair]:
    """The same array on other inputs, or its first numbers, where both sides of them are known."""
    if other is None or name not in other.got:
        return []
    got, there = other.got[name], other.want.get(name)
    if got.dtype != want.dtype or got.ndim != want.ndim:
        return []
    if there is None:
        got, there = got.ravel()[:FIRST], other.firsts.get(name)
    if there is None or got.shape != there.shape or not np.isfinite([got, there]).all():
        return []
    return [Pair(got, there, other.sizes)]


def of_another(name: str, seen: Seen) -> str | None:
    """The numbers that should have been another output's, or this one's in another case."""
    got = seen.got[name]
    for other, want in seen.want.items():
        usable = (
            other != name
            and not other.startswith(("gradient", KEPT))
            and (not other.endswith(")") or name.endswith(")") and plain(other) == plain(name))
            and want.shape == got.shape
            and want.any()
        )
        if usable and want.dtype == got.dtype and got.dtype.kind == "f" and close(got, want, want):
            return f"has the numbers that `{other}` should have"
    return None


def in_place(name: str, got: np.ndarray, want: np.ndarray, sizes: dict[str, int]) -> str:
    """Which numbers are wrong, and where."""
    right = agreeing(got, want)
    show = (lambda a: YES[bool(a)]) if want.dtype.kind == "b" else (lambda a: f"{a + 0:.5g}")
    if got.size == 1:
        here = f"; sizes here: {listed(sizes)}" if sizes and want.dtype.kind == "f" else ""
        must = "and must be" if want.dtype.kind == "b" else "expected"
        return f"`{name}` is {show(got.item())}, {must} {show(want.item())}{here}."
    if want.dtype.kind == "b" and got.size <= FEW:
        return f"`{name}` is ({all_of(got, show)}), and must be ({all_of(want, show)})."
    if want.dtype.kind == "b" and not (got == want).any():
        return f"`{name}` has yes and no exchanged, everywhere."
    if ordered := in_order(got, want):
        return f"`{name}` {ordered}."
    where = tuple(int(i) for i in np.argwhere(~right)[0])
    noun = "values" if want.dtype.kind == "b" else "numbers"
    first = f"at {where}, is {show(got[where])}, expected {show(want[where])}."
    if places := stripes(right):
        shared = " Is one used for all?" if only_first(right) and want.dtype.kind == "f" else ""
        return f"`{name}` is right but {places}; the first, {first}{shared}"
    which = f"{int(right.sum())} of {right.size} {noun} are right{always(got, right) or limits(got, want, right)}"
    return f"`{name}`: {which}; the first wrong one, {first}"


def all_of(values: np.ndarray, show: Callable) -> str:
    return ", ".join(map(show, values.ravel()))


def in_order(got: np.ndarray, want: np.ndarray) -> str | None:
    """The right numbers elsewhere: only where they differ so much that it is no chance, as it is of a few sizes."""
    if len(np.unique(want)) <= 3 or not close(np.sort(got, axis=None), np.sort(want, axis=None), want):
        return None
    for axis in range(want.ndim):
        if close(np.flip(got, axis), want, want):
            return f"runs backwards along dimension {axis}"
    if want.ndim == 2 and got.shape[0] == got.shape[1] and close(got.T, want, want):
        return "has rows and columns exchanged"
    return "has the right numbers in the wrong order" if len(np.unique(want)) > want.size / 2 else None


def stripes(right: np.ndarray) -> str:
    """Wrong at some places of one dimension, and right at all others."""
    for axis in range(right.ndim):
        rest = tuple(i for i in range(right.ndim) if i != axis)
        good, bad = right.all(axis=rest), (~right).all(axis=rest)
        if rest and (good | bad).all() and good.any() and bad.any():
            runs = np.split(places := np.flatnonzero(bad), np.flatnonzero(np.diff(places) > 1) + 1)
            if len(runs) <= FEW:  # a list that is cut short would say that the others are right
                told = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
                return f"at {', '.join(told)} of dimension {axis}"
    return ""


def only_first(right: np.ndarray) -> bool:
    """Is the first example right, and no other?"""
    return len(right) > 2 and bool(right[0].all()) and not any(row.all() for row in right[1:])


def always(got: np.ndarray, right: np.ndarray) -> str:
    """One and the same wrong number, as where something is cut off."""
    wrong = got[~right]
    same = len(wrong) > 1 and (wrong == wrong[0]).all() and got.dtype.kind == "f"
    return f", and all {'others ' if right.any() else ''}are {wrong[0] + 0:.5g}" if same else ""


def limits(got: np.ndarray, want: np.ndarray, right: np.ndarray) -> str:
    """A highest or lowest number that is there again and again, where right ones go beyond: something is cut off."""
    found, beyond = [], 0.05 * np.abs(want).max()
    for sign, word in ((-1, "below"), (1, "above")):
        here, end = sign * got, float((sign * got).max())
        if got.dtype.kind == "f" and ((here == end) & ~right).sum() > 1 and (sign * want).max() > end + beyond:
            found.append(f"{word} {sign * end + 0:.5g}")
    return f", and none is {' or '.join(found)} (is something cut off?)" if found else ""


def agreeing(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Which numbers are right, as `error` has it."""
    if want.dtype.kind != "f":
        return got == want
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    largest = np.abs(want[np.isfinite(want)]).max(initial=0)
    with np.errstate(invalid="ignore"):
        return same | (np.abs(got.astype(float) - want) <= TOLERANCE * max(largest, 1e-3))


def listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())
