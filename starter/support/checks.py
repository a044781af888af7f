"""check("vae-1"): is this blank right, and if not, which mistake is it?"""

import hashlib
import importlib.util
import json
import re
import textwrap
import warnings
from functools import cache, partial
from pathlib import Path
from types import ModuleType

from . import compare, course, kernel, ladder, mistakes, probes, progress
from .differences import Seen
from .probes import AUTOTEST_SEED, PUBLIC_SEED
from .verdict import NOISE, Case, Outcome, Verdict, blank, decide, remembered, stop, stopped


@cache
def facts() -> dict[str, dict]:
    """What is known of every task. Generated: python -m grading build."""
    return json.loads(Path(__file__).with_name("checks.json").read_text(encoding="utf-8"))


class Wrong(AssertionError):
    """A message for a learner: Jupyter shows it without a traceback, nbgrader validate without cutting lines."""

    def __str__(self) -> str:
        return textwrap.fill(super().__str__(), 88, break_long_words=False, break_on_hyphens=False)

    def _render_traceback_(self) -> list[str]:
        """In one line, which JupyterLab breaks where its window ends; lines of a file as it makes links of them."""
        place, to = rf"{course.PACKAGE}/\w+\.py", "../" if (course.own() / "notebooks").is_dir() else "./"
        text = re.sub(rf"\b({place}), line (\d+)", rf"{to}\1:\2", " ".join(str(self).split()))
        return [re.sub(rf"\bline (\d+) of ({place})", rf"{to}\2:\1", text)]


class Blank(Wrong):
    """Nothing has been written yet."""


def fact(task: str) -> dict:
    return facts()[task]


def path_of(task: str) -> Path:
    """The file that holds the blank."""
    try:
        return course.module_of(course.lab_of(task))
    except course.Missing as missing:
        raise Wrong(str(missing)) from None


def place(task: str) -> str:
    return f"starter/{fact(task)['module']}.py"


def source_of(path: Path) -> str:
    """Text as Python reads it: an encoding line or a byte-order mark counts, and UTF-8 is the default."""
    return importlib.util.decode_source(path.read_bytes())


def load(task: str) -> ModuleType:
    """The module as it stands on disk now. Autoreload would keep the last text that parsed, so it is not asked."""
    path = path_of(task)
    module = ModuleType(f"{course.PACKAGE}.{path.stem}")
    module.__file__, module.__package__ = str(path), course.PACKAGE
    exec(compile(source_of(path), str(path), "exec"), vars(module))
    return module


def probe(task: str, seed: int = PUBLIC_SEED, module: ModuleType | None = None) -> compare.Arrays:
    """The arrays of the learner's answer; seeds with stored tables only (PUBLIC_SEED, AUTOTEST_SEED).

    Args:
        module: where the answer may remember earlier calls; by default it is loaded afresh.
    """
    with warnings.catch_warnings():
        # nbgrader gives 0 points to a cell that writes to stderr. By their words: so a probe sees who hides them all.
        warnings.filterwarnings("ignore", message=".*")
        return probes.arrays(task, module or load(task), seed, fact(task)["tables"][str(seed)])


def case(task: str) -> Case:
    known = fact(task)
    return Case(
        task=task,
        statement=known["statement"],
        symbol=known["symbol"],
        where=place(task),
        want=lambda: compare.restored(known["reference"]),
        sizes=lambda: known["sizes"],
        recognise=partial(recognised, task),
        elsewhere=partial(elsewhere, task),
        made=lambda seen, other: mistakes.made(task, seen, other, [entry["says"] for entry in known["wrong"]]),
        expects=known["expects"],
        parts=tuple(known["parts"]),
    )


def elsewhere(task: str) -> Seen | None:
    """The learner's answer on the inputs of AUTOTEST lines, of which little of the reference's results is stored."""
    known, got = fact(task)["elsewhere"], asked(task, AUTOTEST_SEED).arrays
    want, firsts = (compare.restored(known[key]) for key in ("reference", "firsts"))
    return None if got is None else Seen(got, want, known["sizes"], firsts)


def asked(task: str, seed: int = PUBLIC_SEED, module: ModuleType | None = None) -> Outcome:
    """What comes of one call of the learner's answer."""
    try:
        return Outcome(arrays=probe(task, seed, module))
    except (Exception, SystemExit) as mistake:
        return stopped_by(mistake, task)


def stopped_by(mistake: BaseException, task: str) -> Outcome:
    return Outcome(stop=stop(mistake, str(path_of(task))), raises=probes.raised(mistake))


def verdict(task: str) -> Verdict:
    """Right, wrong or blank, with the most specific thing that can be said; no hint."""
    known = case(task)
    try:
        module = load(task)
    except (Exception, SystemExit) as mistake:
        if not isinstance(mistake, NotImplementedError):
            return Verdict("wrong", stopped(stop(mistake, str(path_of(task))), place(task), known.symbol), "broken")
        module, first = None, stopped_by(mistake, task)
    else:
        first = asked(task, module=module)
    if first.stop and first.blank:
        missing = first.stop.words if first.stop.words in facts() else task
        return blank(known, missing, place(missing), source_of(path_of(missing)))
    found = decide(known, first, partial(asked, task))
    if found.right and module and first.arrays and (says := later_call(task, module, first.arrays)):
        return Verdict("wrong", says)
    return found


def later_call(task: str, module: ModuleType, first: compare.Arrays) -> str:
    """What is wrong with other calls of an answer whose first was right; empty: nothing."""
    second = asked(task).arrays
    if second is None or not compare.same(first, second):
        return NOISE
    found: list[tuple[compare.Arrays | None, str]] = []
    for where in (module, load(task)):
        later = asked(task, AUTOTEST_SEED, where)
        if later.arrays is not None and compare.alike(compare.fingerprint(later.arrays), fact(task)["fingerprint"]):
            return remembered(first, *found[0]) if found else ""
        words = "" if later.stop is None else stopped(later.stop, place(task), fact(task)["symbol"])
        found.append((later.arrays, words))
    return f"Right for some inputs, wrong for others{f' ({words})' if words else ''}: which case is left out?"


def recognised(task: str, got: compare.Arrays) -> str | None:
    """What the catalogue of wrong answers says about these arrays."""
    known = fact(task)
    mark = compare.fingerprint(got, compare.restored(known["reference"]))
    return next(
        (entry["says"] for entry in known["wrong"] if compare.alike(mark, entry["fingerprint"], compare.NAMED)), None
    )


def check(name: str) -> None:
    """Print that the task is right, or raise Wrong with what is wrong and the next hint.

    Raises:
        course.Unknown: there is no such task.
    """
    task = course.task_named(name)
    found = verdict(task)
    if found.right:
        print(found.message)
        if kernel.is_watched():
            print(progress.after(task))
    elif found.state == "blank":
        raise Blank(found.message + " Filled in already? Then save the file." * kernel.is_watched())
    else:
        hint = "" if found.clue == "broken" else next_hint(task, found.clue == "named")
        raise Wrong(f"{task} is not right yet ({place(task)}, {fact(task)['symbol']}): {found.message}{hint}")


def next_hint(task: str, named: bool) -> str:
    """One level of the ladder per failed try; the same text tried again is the same try.

    A mistake with a name needs no hint at first: the name is one, and nearer than the ladder's.
    """
    hints = fact(task)["hints"]
    digest = hashlib.sha256(path_of(task).read_bytes()).hexdigest()[:12]
    level = min(ladder.climbed(task, digest), len(hints))
    return "" if named and level == 1 else f" Hint {level} of {len(hints)}: {hints[level - 1]}"


def broken(task: str) -> str | None:
    """Why the task's module cannot run at all, in a sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load(task)
    except Wrong as missing:
        return missing.args[0]
    except (Exception, SystemExit) as mistake:
        return stopped(stop(mistake, str(path_of(task))), place(task), fact(task)["symbol"])
    return None


kernel.install()
