"""What of a wrong answer is right all the same, property by property: what a course may give partial credit for.

All hangs on the values: an answer whose numbers are wrong on the secret inputs has no property. So shapes alone,
constants, arguments handed back, or a function that does nothing, earn nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from starter.support.compare import Arrays

PROPERTIES = {  # as course.toml has them -> in words
    "value": "the numbers on ordinary inputs",
    "shape": "shapes and types",
    "gradient": "the gradients",
    "corners": "the corner cases",
}
WHOLE = ("vq-2",)  # tasks whose value is an argument: the gradient alone tells an answer from none


def agreed(got: "Arrays", want: "Arrays") -> tuple[str, ...]:
    """The properties that are right in one call; none without the values, nor one that the probe does not ask.

    Whether inputs and settings are left as they were is no property, and earns nothing.
    """
    from starter.support.compare import same

    asked: dict[str, Arrays] = {name: {} for name in ("value", "gradient", "corners", "")}
    for name in want:
        asked[property_of(name)][name] = want[name]
    values, returned = asked["value"], asked["value"] | asked["corners"]
    if not values or not all(name in got and numbers(got[name], values[name]) for name in values):
        return ()
    more = any(property_of(name) in ("value", "corners") for name in got.keys() - want.keys())
    formed = all(name in got and form(got[name]) == form(returned[name]) for name in returned)
    right = {"value": True, "shape": formed and not more}
    for name in ("gradient", "corners"):
        part = {one: got[one] for one in asked[name] if one in got}
        right[name] = bool(part) and same(part, asked[name])
    return tuple(name for name in PROPERTIES if right[name])


def property_of(name: str) -> str:
    """Of an array, by the name that its probe gives it; empty for what is told about inputs and settings."""
    from starter.support.compare import KEPT, SETTING
    from starter.support.differences import CASES

    if name.startswith((KEPT, SETTING)):
        return ""
    if any(word in name for word in CASES):
        return "corners"
    return "gradient" if name.startswith("gradient") else "value"


def numbers(got: "np.ndarray", want: "np.ndarray") -> bool:
    """Are these the right numbers in the right order, in whatever shape and type?"""
    from starter.support.compare import TOLERANCE, error

    if "U" in (got.dtype.kind, want.dtype.kind) or got.size != want.size:
        return form(got) == form(want) and got.tolist() == want.tolist()
    if want.dtype.kind != "f":
        return got.ravel().tolist() == want.ravel().tolist()
    return error(got.ravel().astype(float), want.ravel().astype(float)) <= TOLERANCE


def form(array: "np.ndarray") -> tuple[str, tuple[int, ...]]:
    return array.dtype.kind if array.dtype.kind == "U" else array.dtype.name, array.shape
