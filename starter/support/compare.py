"""Arrays against arrays: one tolerance, one explanation. Used by notebooks, tests and the trusted grader alike."""

from functools import lru_cache

import numpy as np

TOLERANCE = 1e-3  # of an array's largest number: float32 noise stays below 1e-6, wrong answers above 3e-2
SHOWN = 2  # names of right arrays in one message
KEPT = "inputs kept"  # name of the array that says which inputs a blank left as they were
Arrays = dict[str, np.ndarray]


def error(got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference over the largest expected number; inf where the two cannot be compared."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return np.inf
    if want.dtype.kind != "f":  # whole numbers, truth values and texts are right or wrong
        return 0.0 if np.array_equal(got, want) else np.inf
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)) or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return np.inf
    difference = np.abs(got[finite].astype(float) - want[finite])
    return float(difference.max(initial=0) / max(np.abs(want[finite]).max(initial=0), 1e-3))


def distance(got: Arrays, want: Arrays) -> float:
    return max(error(got[name], want[name]) for name in want) if got.keys() == want.keys() else np.inf


def same(got: Arrays, want: Arrays) -> bool:
    return got.keys() == want.keys() and all(error(got[name], want[name]) <= TOLERANCE for name in want)


def repeats(later: Arrays, first: Arrays) -> bool:
    """Does a later call, which was asked something else, give numbers of the first?"""
    results = [n for n, a in later.items() if a.dtype.kind == "f" and n in first and not n.startswith("gradient")]
    return any(later[name].size and error(later[name], first[name]) <= TOLERANCE for name in results)


@lru_cache(maxsize=256)
def directions(size: int, count: int) -> np.ndarray:
    return np.random.RandomState(0).randn(size, count).T.copy()  # a frozen stream, unlike default_rng


def projections(flat: np.ndarray, count: int = 6) -> np.ndarray:
    """A few numbers that two long arrays share only if they are alike; of many arrays, each in a row, a row each.

    Sums, not a product of matrices: a row's numbers are then the same to the last bit, whatever stands beside it.
    """
    flat = flat.astype(float)
    if not np.isfinite(flat).all():
        flat = np.nan_to_num(flat, nan=7.7, posinf=8.8, neginf=9.9)
    return (flat[..., None, :] * directions(flat.shape[-1], count)).sum(axis=-1)


def fingerprint(arrays: Arrays) -> str:
    """Form | projections: recognises arrays within the tolerance without holding them."""
    ordered = sorted(arrays.items())
    form = ", ".join(
        f"{name} {a.item() if a.dtype.kind == 'U' else f'{a.dtype}{list(a.shape)}'}" for name, a in ordered
    )
    flat = np.concatenate([np.zeros(0), *(a.astype(float).ravel() for _, a in ordered if a.dtype.kind != "U")])
    return f"{form} | {' '.join(f'{number:.6g}' for number in projections(flat))}"


def alike(one: str, other: str) -> bool:
    """Two fingerprints of the same arrays, up to float32 noise."""
    (form, numbers), (other_form, other_numbers) = one.rsplit(" | ", 1), other.rsplit(" | ", 1)
    got, want = np.array(numbers.split(), dtype=float), np.array(other_numbers.split(), dtype=float)
    return form == other_form and bool(np.abs(got - want).max() <= TOLERANCE * max(np.abs(want).max(), 1e-3))


def matches(mark: str, expected: str, what: str) -> None:
    """What an AUTOTEST line becomes: the fingerprint that the reference had, within the tolerance."""
    form, reference = (text.rsplit(" | ", 1)[0] for text in (mark, expected))
    assert form == reference, f"{what} has the form ({form}); the reference has ({reference})."
    assert alike(mark, expected), f"{what} has the right form, but its values differ from the reference."


def explain(got: Arrays, want: Arrays, sizes: dict[str, int]) -> str:
    """Say what is wrong with arrays that nobody has catalogued: form first, then values, then gradients."""
    order = sorted(want, key=lambda name: (name.startswith("gradient"), name.startswith(KEPT)))
    wrong = [name for name in order if name not in got or error(got[name], want[name]) > TOLERANCE]
    if not wrong:
        return f"It returns something more: {', '.join(sorted(set(got) - set(want)))}."
    right = [f"`{name}`" for name in order if name not in wrong and not name.startswith(KEPT)]
    some = ", ".join(right[:SHOWN]) + (f" and {len(right) - SHOWN} more" if len(right) > SHOWN else "")
    return described(wrong[0], got, want[wrong[0]], sizes) + (f" ({some}: right.)" if right else "")


def described(name: str, arrays: Arrays, want: np.ndarray, sizes: dict[str, int]) -> str:
    """One sentence about the first array that is wrong."""
    if name not in arrays and name.startswith("gradient at "):
        return f"No {name.replace(' at ', ' reaches ')}: look for detach(), item(), no_grad() or numpy."
    if name not in arrays:
        there = [n for n in arrays if not n.startswith(("gradient", KEPT))]
        return f"`{name}` is missing; you return {', '.join(there[:SHOWN]) or 'nothing'}."
    got = arrays[name]
    if got.dtype.kind == "U" and str(got).startswith("a tensor"):
        return f"`{name}` is {got}, expected {want.dtype} of shape {want.shape}."
    if got.dtype.kind == "U":
        return f"`{name}` is {got}, a tensor is expected" + (": is there a `return`?" if str(got) == "None" else ".")
    if name.startswith(KEPT):
        return "Your code changes one of its inputs: look for `+=` or a method that ends in `_` on an argument."
    if got.shape != want.shape:
        return f"`{name}` has shape {got.shape}, expected {want.shape}; sizes here: {listed(sizes)}."
    if got.dtype != want.dtype:
        return f"`{name}` is {got.dtype}, expected {want.dtype}."
    if bad := int((~np.isfinite(got)).sum()):
        return f"{bad} of {got.size} numbers of `{name}` are nan or infinite: log(0), 0/0, or exp() of something large?"
    if pattern := factor(got, want, sizes) or offset(got, want, sizes):
        return f"`{name}` {pattern}"
    if got.size > 1 and np.allclose(np.sort(got, axis=None), np.sort(want, axis=None), rtol=TOLERANCE):
        return f"`{name}` has the right numbers in the wrong order."
    right = agreeing(got, want)
    where = tuple(int(i) for i in np.argwhere(~right)[0])
    place = f"; the first wrong one, at {where}," if where else ","
    return (
        f"`{name}`: {int(right.sum())} of {right.size} numbers are right{place} "
        f"is {got[where]:.5g}, expected {want[where]:.5g}."
    )


def agreeing(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Which numbers are right, as `error` has it."""
    if want.dtype.kind != "f":
        return got == want
    return np.abs(got.astype(float) - want) <= TOLERANCE * max(np.abs(want).max(), 1e-3)


def listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def factor(got: np.ndarray, want: np.ndarray, sizes: dict[str, int]) -> str | None:
    """One number times what it should be: a constant, a mean in place of a sum, or the other way round."""
    large = np.abs(want) > TOLERANCE * np.abs(want).max(initial=0)
    if want.dtype.kind != "f" or not large.any():
        return None
    ratio = got[large] / want[large]
    if np.ptp(ratio) > 10 * TOLERANCE * np.abs(ratio).max():
        return None
    value = float(np.median(ratio))
    names = {-1: "the sign is flipped", 2: "a factor 1/2 is missing", 0.5: "a factor 1/2 too many", 0: "all zero"}
    names |= {1 / n: f"1/{k} = 1/{n}: a mean over {k} that should be a sum" for k, n in sizes.items()}
    names |= {n: f"{k} = {n}: a sum over {k} that should be a mean" for k, n in sizes.items()}
    known = nearest(value, names)
    return f"is {value:.4g} times what it should be{known}." if known or got.size > 1 else None


def offset(got: np.ndarray, want: np.ndarray, sizes: dict[str, int]) -> str | None:
    """One number away from what it should be: a constant that was dropped."""
    gap = got.astype(float) - want
    if got.size < 2 or want.dtype.kind != "f" or np.ptp(gap) > 10 * TOLERANCE * np.abs(gap).max():
        return None
    names = {sign * np.log(n): f"log {k}, {k} = {n}" for k, n in sizes.items() for sign in (1, -1)}
    names |= {sign * n / 2: f"{k}/2, {k} = {n}" for k, n in sizes.items() for sign in (1, -1)}
    names |= {sign * n * np.log(2 * np.pi) / 2: f"{k}/2 log(2 pi)" for k, n in sizes.items() for sign in (1, -1)}
    return f"is off by the constant {gap.mean():+.4g}{nearest(float(gap.mean()), names)}."


def nearest(value: float, names: dict[float, str]) -> str:
    return next((f" ({text})" for number, text in names.items() if abs(value - number) < 5e-3), "")


def stored(arrays: Arrays) -> dict[str, list]:
    """As JSON takes it: dtype, shape, numbers."""
    return {name: [str(a.dtype), list(a.shape), [short(x) for x in a.ravel().tolist()]] for name, a in arrays.items()}


def short(value):
    return float(f"{value:.7g}") if isinstance(value, float) else value


def restored(entry: dict[str, list]) -> Arrays:
    return {name: np.array(values).astype(dtype).reshape(shape) for name, (dtype, shape, values) in entry.items()}
