"""Small changes of right answers, and what each of them does to a probe's numbers: names for what nobody catalogued.

Generated, like checks.json: python -m grading build. Loaded only when an answer is wrong and has no name yet.
"""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from . import compare

FILE = Path(__file__).with_name("mistakes.json")
CLOSE = 1e-4  # of the largest number of a mark: noise stays below 1e-5, and a lone number is easily near another
NUMBERS = 3


@cache
def known() -> dict[str, dict]:
    """Task -> {"says": sentences, "marks": [form, numbers, indices of sentences]}."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def mark(arrays: compare.Arrays) -> tuple[str, list[float]]:
    """What arrays look like, in short: their names and forms, and a few numbers that stand for all of theirs."""
    form, numbers = compare.fingerprint(arrays).rsplit(" | ", 1)
    return f"{zlib.crc32(form.encode()):08x}", [float(number) for number in numbers.split()[:NUMBERS]]


def alike(one: list[float], other: list[float]) -> bool:
    gap = np.abs(np.subtract(one, other)).max()
    return bool(gap <= CLOSE * max(np.abs(other).max(), 1e-3))


def made(task: str, got: compare.Arrays) -> str | None:
    """The change of a right answer that gives these arrays on the public seed, as a sentence."""
    form, numbers = mark(got)
    table = known().get(task, {"says": [], "marks": []})
    for its_form, its_numbers, *says in table["marks"]:
        if form == its_form and alike(numbers, its_numbers):
            return " ".join(table["says"][i] for i in says)
    return None
