"""What became of an answer, decided from its arrays: the one judgement of `check` and of the grader.

Both ask an answer elsewhere, and bring what came of it here: numbers, or the words of what stopped it. Nothing here
imports, opens or runs anything of a learner's.
"""

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from . import compare, differences, probes

NOISE = "Two calls with the same inputs differ: noise comes from what is given (an argument, a generator)."
LONGEST = 300  # characters of a mistake's name together with its numbers
STATE = "is a result cached, in a global variable or a mutable default argument?"

REPEATED = f"The second call, with other inputs, gave the numbers of the first: {STATE}"


@dataclass(frozen=True)
class Verdict:
    """What became of one task. `right` is a finding of its own, never the absence of a complaint."""

    state: str  # "right", "wrong" or "blank"
    message: str
    clue: str = ""  # of a wrong one: "named", when the message is about the mistake itself; "broken": it could not run
    agreed: tuple[str, ...] = ()  # of a wrong one: what is right all the same, for the grader

    @property
    def right(self) -> bool:
        return self.state == "right"


class Stop(NamedTuple):
    """What stopped an answer, in words alone."""

    kind: str  # the exception's type
    words: str
    line: int  # of the learner's file; 0 when the exception came from elsewhere


@dataclass(frozen=True)
class Outcome:
    """What came of one question. Without arrays and stop the process ended without a report; `ended` says how."""

    arrays: compare.Arrays | None = None
    stop: Stop | None = None
    raises: compare.Arrays | None = None  # of a stop: what the catalogue knows wrong answers by
    ended: str = ""

    @property
    def blank(self) -> bool:
        """A blank names its task, or nothing; torch raises the same for what it has not for a type, with more words."""
        stop = self.stop
        return stop is not None and stop.kind == "NotImplementedError" and bool(re.fullmatch(r"(\w+-\d+)?", stop.words))


MEANINGS = {  # words of PyTorch -> what they say of an answer
    "modified by an inplace operation": "A tensor that a gradient still needs is changed in place, by += or a method "
    "whose name ends in _: make a new tensor.",
    "Expected more than 1 value per channel when training": "BatchNorm is asked about a single example, in "
    "training mode: should the network be in that mode?",
}


@dataclass(frozen=True)
class Case:
    """A task as it is judged on one seed."""

    task: str
    statement: str  # what a right answer does
    symbol: str  # the function or method
    where: str  # the learner's file
    want: Callable[[], compare.Arrays]
    sizes: Callable[[], dict[str, int]]
    recognise: Callable[[compare.Arrays], str | None]  # what the catalogue says about these arrays
    elsewhere: Callable[[], differences.Seen | None]  # the same answer on other inputs
    made: Callable[[differences.Seen, differences.Seen | None], str | None]  # which change of a right answer it is
    expects: str = differences.TENSOR  # what the function returns
    parts: tuple[str, ...] = ()  # names of a plain tuple's


def decide(case: Case, found: Outcome, again: Callable[[], Outcome]) -> Verdict:
    """A verdict on one call, with the most specific thing that can be said.

    Args:
        found: of an answer that reported: arrays, or a stop.
        again: asks the same answer the same question once more.
    """
    if found.arrays is None:
        assert found.stop and found.raises is not None, "what gave no report is not decided here"
        says = None if found.blank else case.recognise(found.raises)
        sentence, meaning = in_short(stopped(found.stop, case.where, case.symbol), case.sizes())
        if says:  # other mistakes end in the same words
            return Verdict("wrong", f"{sentence} Often this means: {says}", "named")
        clue = "broken" if found.stop.kind == "NameError" else ""  # a typing mistake: nothing to be understood
        return Verdict("wrong", f"{sentence} {meaning}".rstrip(), clue)
    if compare.same(found.arrays, case.want()):
        return right(case)
    try:
        if says := case.recognise(found.arrays):
            return Verdict("wrong", says, "named")
        return unnamed(case, found.arrays, again().arrays)
    except Exception:  # arrays of a form that nobody thought of are still only wrong
        return Verdict("wrong", "What it returns cannot be compared with the expected result.")


def in_short(sentence: str, sizes: dict[str, int]) -> tuple[str, str]:
    """An exception up to what it says first, and what that means: a broken rule, or sizes that do not fit, by name."""
    for words, meaning in MEANINGS.items():
        if words in sentence:
            return f"{sentence.partition(words)[0]}{words}.", meaning
    names = {str(size): f"{name} = {size}" for name, size in sizes.items()}
    found = re.search(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", sentence)
    if found is None or not {*found.groups()} <= names.keys():
        return sentence, ""
    return sentence, f"{names[found[1]]} meets {names[found[2]]}: is a dimension of length 1 missing?"


def right(case: Case) -> Verdict:
    return Verdict("right", f"{case.task} is right: {case.statement}.")


def unnamed(case: Case, got: compare.Arrays, second: compare.Arrays | None) -> Verdict:
    """Of an answer that the catalogue does not know."""
    if second is not None and not compare.same(got, second):
        return Verdict("wrong", NOISE, "named")
    if compare.repeats_itself(got, case.want()):
        return Verdict("wrong", REPEATED, "named")
    other = case.elsewhere()
    seen = differences.Seen(got, case.want(), case.sizes())
    told = with_names(differences.explain(seen, other, case.expects), case.parts)
    if says := with_names("" if of_another_kind(got, seen.want) else case.made(seen, other) or "", case.parts):
        return Verdict("wrong", f"{says} {told}" if len(says) + len(told) < LONGEST else says, "named")
    return Verdict("wrong", told)


def of_another_kind(got: compare.Arrays, want: compare.Arrays) -> bool:
    """Is something no number that should be one, as where `return` is forgotten? Then numbers tell nothing."""
    return any(not name.startswith(("gradient", compare.KEPT)) for name in texts(got) - texts(want))


def texts(arrays: compare.Arrays) -> set[str]:
    return {name for name, array in arrays.items() if array.dtype.kind == "U"}


def with_names(text: str, parts: tuple[str, ...]) -> str:
    """Parts of a plain tuple by the names that the docstring has for them."""
    for i, part in enumerate(parts):
        text = re.sub(rf"\bitem {i}\b", part, text)
    return text


def blank(case: Case, missing: str, where: str, source: str) -> Verdict:
    """Says which blank is missing, the task's own or a neighbour's, and where it stands.

    Args:
        where: the file of the missing one.
        source: its text.
    """
    found = [
        n for n, line in enumerate(source.splitlines(), 1) if re.search(rf"NotImplementedError\(.{missing}\b", line)
    ]
    line = f", line {found[0]}" if found else ""
    if missing != case.task:
        return Verdict("blank", f"{case.task} needs {missing}, which is still blank: {where}{line}.")
    return Verdict("blank", f"{case.task} is still blank: {where}{line}. To do: {case.statement}.")


def remembered(first: compare.Arrays, later: compare.Arrays | None, words: str = "") -> str:
    """What is said of an answer that is right when it is asked first, and wrong later in the same process.

    Args:
        words: how the later call ended, where it gave no arrays.
    """
    if later is not None and compare.repeats(later, first):
        return REPEATED
    ending = f" ({words})" if words else ""
    return f"Right in the first call, and wrong in a second one with other inputs{ending}: {STATE}"


def stop(mistake: BaseException, path: str) -> Stop:
    """An exception, with the line of the file at this path that raised it."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(mistake.__traceback__) if frame.filename == path]
    lines += [mistake.lineno] if isinstance(mistake, SyntaxError) and mistake.lineno else []
    words = str(mistake.msg) if isinstance(mistake, SyntaxError) else probes.words_of(mistake)
    return Stop(type(mistake).__name__, words[:200], lines[-1] if lines else 0)


def stopped(found: Stop, where: str, symbol: str) -> str:
    """An exception as one sentence that names the learner's line, with a full stop."""
    if found.kind == "AttributeError" and symbol in found.words and not found.line:
        return f"{where} has no function {symbol}: keep the names of the course."
    if found.kind == probes.TooLarge.__name__ and not found.line:
        return f"{symbol} returns {found.words}: far too much for the inputs that it was given."
    line = f"line {found.line} of " if found.line else ""
    words = f": {found.words}" if found.words else ""
    return f"{line}{where} raises {found.kind}{words}".rstrip(" .") + "."
