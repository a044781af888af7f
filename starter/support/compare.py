"""Arrays against arrays: one tolerance. Used by notebooks, tests and the trusted grader alike."""

from functools import lru_cache

import numpy as np

TOLERANCE = 1e-3  # of an array's largest number: float32 noise stays below 1e-6, wrong answers above 3e-2
NAMED = TOLERANCE / 10  # as near as that are two answers with the same mistake; right ones are no farther apart
KEPT = "inputs kept"  # name of the array that says which inputs a blank left as they were
SETTING = "setting: "  # begins the name of a setting of torch that a blank has changed for everybody
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


def same(got: Arrays, want: Arrays, room: float = TOLERANCE) -> bool:
    return got.keys() == want.keys() and all(error(got[name], want[name]) <= room for name in want)


def repeats(later: Arrays, first: Arrays) -> bool:
    """Does a later call, which was asked something else, give numbers of the first?"""
    results = [n for n, a in later.items() if a.dtype.kind == "f" and n in first and not n.startswith("gradient")]
    return any(later[name].size and error(later[name], first[name]) <= TOLERANCE for name in results)


def repeats_itself(got: Arrays, want: Arrays) -> bool:
    """Is the result for one example, of which a probe asks later, the right one of the batch that it asked first?"""
    later = {name: name.split(" (")[0] for name in want if "(one example" in name and not name.startswith("gradient")}
    return any(
        name in got
        and first in got
        and error(got[first], want[first]) <= TOLERANCE
        and got[name].shape != want[name].shape
        and error(got[name], got[first]) <= TOLERANCE
        for name, first in later.items()
        if first in want
    )


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


def fingerprint(arrays: Arrays, like: Arrays | None = None) -> str:
    """Form | projections: recognises arrays within the tolerance without holding them.

    Args:
        like: arrays that are known, such as the reference's: the form then says only what is not as in these.
    """
    ordered = sorted(arrays.items())
    flat = np.concatenate([np.zeros(0), *(a.astype(float).ravel() for _, a in ordered if a.dtype.kind != "U")])
    return f"{', '.join(form(arrays, like or {}))} | {' '.join(f'{number:.6g}' for number in projections(flat))}"


def form(arrays: Arrays, like: Arrays) -> list[str]:
    """Every array's name, with its type and shape or its text; of two that have something in common, the difference."""
    parts, known = ({name: kind(a) for name, a in sorted(some.items())} for some in (arrays, like))
    if not parts.items() & known.items():
        known = {}
    here = [f"{name} {what}" for name, what in parts.items() if known.get(name) != what]
    return here + [f"no {name}" for name in known if name not in parts]


def kind(array: np.ndarray) -> str:
    return array.item() if array.dtype.kind == "U" else f"{array.dtype}{list(array.shape)}"


def alike(one: str, other: str, room: float = TOLERANCE) -> bool:
    """Two fingerprints of the same arrays, up to float32 noise."""
    (form, numbers), (other_form, other_numbers) = one.rsplit(" | ", 1), other.rsplit(" | ", 1)
    got, want = np.array(numbers.split(), dtype=float), np.array(other_numbers.split(), dtype=float)
    return form == other_form and bool(np.abs(got - want).max() <= room * max(np.abs(want).max(), 1e-3))


def matches(mark: str, expected: str, what: str) -> None:
    """What an AUTOTEST line becomes: the fingerprint that the reference had, within the tolerance."""
    form, reference = (text.rsplit(" | ", 1)[0] for text in (mark, expected))
    assert form == reference, f"{what} has the form ({form}); the reference has ({reference})."
    assert alike(mark, expected), f"{what} has the right form, but its values differ from the reference."


def stored(arrays: Arrays) -> dict[str, list]:
    """As JSON takes it: dtype, shape, numbers."""
    return {
        name: [str(a.dtype), list(a.shape), [short(x, 6) for x in a.ravel().tolist()]] for name, a in arrays.items()
    }


def short(value: object, digits: int = 7) -> object:
    """Seven are all of float32, which stand-ins need; six are enough of what is only compared."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def restored(entry: dict[str, list]) -> Arrays:
    return {name: np.array(values).astype(dtype).reshape(shape) for name, (dtype, shape, values) in entry.items()}
