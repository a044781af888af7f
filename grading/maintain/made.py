"""What every change of a reference does to its probe's numbers, and what to say of it: starter/support/mistakes.json.

Pairs of catalogued answers are among them: who makes two mistakes at once reads about both.
"""

import ast
import hashlib
import json
import re
import textwrap
import tokenize
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import chain, islice, zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from starter.support import compare, differences, mistakes, probes
from starter.support.checks import AUTOTEST_SEED, PUBLIC_SEED

from ..content import known_answers, reference_text
from ..content.overlay import ROOT
from ..content.tasks import TASKS, module_of
from . import audit, edits, mutants, phrases, slips

SEEDS = (PUBLIC_SEED, AUTOTEST_SEED)
PLAIN = (  # what two mistakes at once are made of
    phrases.function_swapped, phrases.arguments_gone, phrases.operand_gone, phrases.call_gone,
    phrases.sign, phrases.operator, phrases.exchanged,
)  # fmt: skip
FEW = 8  # wrong numbers that other inputs must confirm
LAST = len(phrases.RULES) + 1  # behind all ranks
PAIRS = 300  # of a change beside a catalogued mistake that are tried for each task; half as many of two changes


class Change(NamedTuple):
    """A right answer with a mistake in it."""

    rank: int  # how telling what is said of it is, 0 the most
    said: str
    region: str
    plain: bool  # such as people make every day


Which = str | int  # what is said of a mistake: in the change's words, or its place in the catalogue


class Outcome(NamedTuple):
    which: tuple[Which, ...]  # one mistake, or two at once
    found: list[compare.Arrays]  # on each seed


class Plain(NamedTuple):
    """An everyday change of the reference."""

    which: Which  # it may be a catalogued mistake
    region: str
    place: tuple[str, ...]  # what was changed, into what, and what stands around it


def digest(task: str) -> str:
    """Of what a task's table is made from: answers, right and wrong, the probe, and what makes changes of them."""
    folder, here = Path(str(probes.__file__)).parent, Path(__file__).parent
    files = [known_answers.solution(module_of(task)), folder / f"{module_of(task)}.py", folder / "core.py"]
    files += [here / f"{name}.py" for name in ("edits", "habits", "slips", "phrases", "made")]
    files.append(Path(str(mistakes.__file__)))
    made_of = [code(path) for path in files] + [known_answers.answers(kind)[task] for kind in ("wrong", "right")]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]


@cache
def code(path: Path) -> str:
    """A file without comments and layout. (As text: syntax trees, and tokens, differ between Pythons.)"""
    with path.open("rb") as file:
        comments = [token.start for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    lines = path.read_text(encoding="utf-8").splitlines()
    for row, column in comments:
        lines[row - 1] = lines[row - 1][:column]
    return "".join("".join(lines).split())


def said(task: str) -> dict[str, Change]:
    """Change of the reference -> what can be said of it, for those of which something can."""
    words, old = words_of(task), ast.parse(ast.unparse(reference_text.parsed(task)[0]))
    found: dict[str, Change] = {}
    for change, new in mutants.mutants(task).items():
        with suppress(SyntaxError):
            if phrase := phrases.phrase(old, ast.parse(new), words):
                found[change] = Change(*phrase, new, is_plain(*phrase))
    return found


def is_plain(rank: int, said: str) -> bool:
    """Such as people make every day: a factor of two is, any other constant is not."""
    return phrases.RULES[rank] in PLAIN or "what it should be" in said


def words_of(task: str) -> phrases.Words:
    function = reference_text.function_of(task)
    assert function is not None, f"{task} stands in no function"
    return phrases.words_of(function)


def changes_of(task: str) -> Iterator[Change]:
    """Of the reference, and of the other right answers what people do every day; each text once."""
    seen = set()
    answers = [ast.unparse(reference_text.parsed(task)[0]), *others(task)]
    for number, text in enumerate(answers):
        found = said(task).values() if number == 0 else everyday(task, text)
        for change in (*found, *slipped(task, text)):
            if change.region not in seen and (number == 0 or change.plain and is_known(task, change.said)):
                seen.add(change.region)
                yield change._replace(rank=change.rank + number * LAST)


def is_known(task: str, said: str) -> bool:
    """Does a learner read the calls that are missed? Of another right answer nobody else may have thought.

    What "is taken", or "stands where" something should, is in her own answer.
    """
    return {*re.findall(r"(\w+)\(\)(?! is taken| stands)", said)} <= read(task)


@cache
def read(task: str) -> set[str]:
    """Words of the file with the blank, and of its hints."""
    text = (ROOT / f"starter/{module_of(task)}.py").read_text(encoding="utf-8")
    return {*re.findall(r"\w+", f"{text} {TASKS[task]['hints']}")}


def others(task: str) -> Iterator[str]:
    """The other right answers, without their comments."""
    region = reference_text.region_text(task) or ""
    for entry in known_answers.answers("right")[task]:
        yield ast.unparse(ast.parse(textwrap.dedent(known_answers.replaced(region, entry))))


def everyday(task: str, text: str) -> Iterator[Change]:
    """Plain changes of a text, in words."""
    tree, old, words = ast.parse(text), ast.parse(text), words_of(task)
    for _ in edits.changes(tree, reference_text.parsed(task)[1]):
        with suppress(SyntaxError):
            new = ast.unparse(tree)
            phrase = phrases.phrase(old, ast.parse(new), words) if new != text else None
            if phrase and is_plain(*phrase):
                yield Change(*phrase, new, True)


def place(old: ast.AST, new: str) -> tuple[str, ...]:
    """What was changed, into what, and the expression that it is a part of."""
    change = phrases.smallest(old, ast.parse(new))
    return tuple(map(phrases.text, (change.old, change.new, *change.parents[-1:])))


def whole(task: str, region: str) -> str:
    return known_answers.answer_text({"task": task, "id": task, "region": region})


def slipped(task: str, text: str) -> Iterator[Change]:
    tree = ast.parse(text)
    for plain, what in slips.slips(tree, reference_text.parameters(task), words_of(task)):
        yield Change(len(phrases.RULES), what, ast.unparse(tree), plain)


def table(task: str) -> dict:
    """The rows of one task: the most telling sentence for each outcome, none for what the catalogue names."""
    torch.set_num_threads(1)
    reference = known_answers.reference(module_of(task))
    tables = [known_answers.tables(task, PUBLIC_SEED), known_answers.tables(task, AUTOTEST_SEED, ("right",))]
    wants = [probes.arrays(task, reference, seed, known) for seed, known in zip(SEEDS, tables)]
    wants[1] = differences.small(wants[1])
    made = Table(wants, len(known_answers.answers("wrong")[task]))
    for i in range(made.catalogued):
        variant = known_answers.variant("wrong", task, i)
        made.note(Outcome((i,), [known_answers.probe_arrays(task, variant, s, t) for s, t in zip(SEEDS, tables)]))

    def asked(text: str) -> list[compare.Arrays]:
        """On the second seed only where the first gives few numbers."""
        (here,) = mutants.arrays_of(task, text, SEEDS[:1], tables[:1])
        few = "raises" not in here and np.count_nonzero(mistakes.off(here, wants[0], mistakes.outputs(wants[0]))) < FEW
        return [here, *(mutants.arrays_of(task, text, SEEDS[1:], tables[1:]) if few else ())]

    plain: dict[str, Plain] = {}  # one for each outcome
    for change in sorted(changes_of(task), key=lambda change: change.rank):
        which = made.note(Outcome((change.said,), asked(whole(task, change.region))))
        if which is not None and change.plain and change.rank < LAST and which not in [p.which for p in plain.values()]:
            plain[change.said] = Plain(which, change.region, place(reference_text.parsed(task)[0], change.region))
    for both, text in pairs(task, plain):
        made.note(Outcome(both, asked(text)))
    return {"digest": digest(task), **made.stored()}


class Table:
    """Outcomes, as mistakes.py reads them."""

    def __init__(self, wants: list[compare.Arrays], catalogued: int) -> None:
        self.wants, self.catalogued = wants, catalogued
        self.rows: dict[tuple, tuple] = {}  # form, numbers here -> number there, what is said
        self.parts: dict[str, dict[tuple, tuple]] = {}  # output -> the same of it; which outputs are spoiled
        self.seen: dict[str, Which] = {}
        self.values: set[tuple] = set()  # numbers of what comes back

    def note(self, outcome: Outcome) -> Which | None:
        """What an outcome is known as; None: it is right, or raises."""
        here = outcome.found[0]
        texts = any(array.dtype.kind == "U" and array.size > 1 for array in here.values())  # something quite else
        if "raises" in here or texts or compare.same(here, self.wants[0]):
            return None
        if (mark := compare.fingerprint(here)) in self.seen:
            return self.seen[mark]
        self.seen[mark] = outcome.which[0]
        elsewhere = outcome.found[1] if len(outcome.found) > 1 and "raises" not in outcome.found[1] else None
        if single := len(outcome.which) == 1:
            self.note_parts(outcome.which[0], here, elsewhere)
        numbers = rounded(mistakes.numbers(here, self.wants[0]))
        values = numbers[: mistakes.VALUES]
        if mistakes.finite(here) and (single or values not in self.values and self.is_telling(outcome)):
            there = np.nan if elsewhere is None else mistakes.numbers(elsewhere, self.wants[1])[0]
            self.rows.setdefault((mistakes.form(here), numbers), (there, outcome.which))
            self.values.add(values)
        return outcome.which[0]

    def is_telling(self, outcome: Outcome) -> bool:
        """Of two mistakes: are these numbers theirs by no chance, and more than those of single outputs?"""
        here, want = outcome.found[0], self.wants[0]
        wrong = [name for name in want if mistakes.is_wrong(name, here, want)]
        floats = [name for name in wrong if want[name].dtype.kind == "f"]
        known = all(isinstance(which, int) for which in outcome.which)  # many a pair gives the same yes and no
        count = np.count_nonzero(mistakes.off(here, want, floats or wrong))
        confirmed = [there for there in outcome.found[1:] if "raises" not in there and mistakes.finite(there)]
        enough = count > (0 if confirmed else mistakes.ENOUGH)
        return bool(enough and (known or floats) and not self.by_parts(here))

    def note_parts(self, which: Which, here: compare.Arrays, elsewhere: compare.Arrays | None) -> None:
        """What is wrong with single outputs, each for itself."""
        spoils = mistakes.spoiled(here, self.wants[0])
        for name in mistakes.parts(self.wants[0]):
            got, want = here.get(name), self.wants[0][name]
            if got is None or not mistakes.comparable(got, want):
                continue
            there = elsewhere.get(name) if elsewhere and name in self.wants[1] else None
            number = np.nan if there is None or there.dtype.kind not in "fi" else mistakes.part(there)[0]
            if mistakes.part(got).any() and compare.error(got, want) > compare.TOLERANCE:
                key = spoils, rounded(mistakes.part(got))
                self.parts.setdefault(name, {}).setdefault(key, (number, (which,)))

    def by_parts(self, here: compare.Arrays) -> bool:
        """Is everything that is wrong about two mistakes told by single outputs?"""
        want = self.wants[0]
        wrong = {differences.plain(name) for name in mistakes.outputs(want) if mistakes.is_wrong(name, here, want)}
        told = {differences.plain(name) for name in mistakes.parts(want) if self.by_part(name, here)}
        return wrong <= told

    def by_part(self, name: str, here: compare.Arrays) -> bool:
        rows = [(0, (0, -1), numbers, np.nan) for _, numbers in self.parts.get(name, {})]
        if not rows or name not in here or not mistakes.comparable(here[name], self.wants[0][name]):
            return False
        return any(mistakes.parts_like(np.array(rows, dtype=mistakes.ROW), here[name], None, self.wants[0][name]))

    def stored(self) -> dict:
        told = {
            which
            for _, both in [*self.rows.values(), *chain(*(p.values() for p in self.parts.values()))]
            for which in both
        }
        says = sorted(which for which in told if isinstance(which, str))
        places = {text: self.catalogued + i for i, text in enumerate(says)}
        forms = sorted({form for form, _ in self.rows})
        spoils = sorted({spoils for rows in self.parts.values() for spoils, _ in rows})

        def row(place: int, numbers: tuple, there: float, which: tuple) -> tuple:
            both = [places.get(one, one) for one in which]
            return place, (both[0], both[1] if len(both) > 1 else -1), numbers, there

        rows = [row(forms.index(form), numbers, *rest) for (form, numbers), rest in self.rows.items()]
        parts = {
            name: mistakes.packed([row(spoils.index(bits), numbers, *rest) for (bits, numbers), rest in found.items()])
            for name, found in self.parts.items()
        }
        return {"says": says, "forms": forms, "spoils": spoils, "rows": mistakes.packed(rows), "parts": parts}


def rounded(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{number:.5g}") for number in numbers)


def pairs(task: str, plain: dict[str, Plain]) -> Iterator[tuple[tuple[Which, ...], str]]:
    """Two mistakes at once, and the module with them: two catalogued ones, one and a plain change, two such changes."""
    wrong, region = known_answers.answers("wrong")[task], reference_text.region_text(task) or ""
    places = {entry["id"]: i for i, entry in enumerate(wrong)}
    edited: dict[Which, str] = {i: textwrap.dedent(known_answers.replaced(region, e)) for i, e in enumerate(wrong)}
    order = {what: i for i, what in enumerate(plain)}
    same = {bare(said): said for said in plain}  # beside another mistake a name may be that of a part

    def beside(one: Which, text: str) -> Iterator[tuple[tuple[Which, ...], str]]:
        first = plain[one].which if isinstance(one, str) else one
        for change in (*everyday(task, text), *slipped(task, text)):
            known = same.get(bare(change.said))
            if known is None or (isinstance(one, str) and order[one] >= order[known]):
                continue
            # What the catalogue says of the reference need not be true of another text.
            alike = place(ast.parse(text), change.region) == plain[known].place
            second = plain[known].which if alike else change.said
            if first not in (second, plain[known].which):
                yield (first, second), whole(task, change.region)

    yield from (((places[one], places[other]), text) for one, other, text in audit.pairs(task))
    rows = zip_longest(*(beside(one, text) for one, text in edited.items()))  # the first of each, the second of each, …
    yield from islice((pair for row in rows for pair in row if pair is not None), PAIRS)
    yield from islice(chain(*(beside(said, one.region) for said, one in plain.items())), PAIRS // 2)


def bare(said: str) -> str:
    """A sentence without what it calls a part of a formula."""
    return said.replace("the part with ", "")


def stale() -> list[str]:
    return [task for task in TASKS if mistakes.known().get(task, {}).get("digest") != digest(task)]


def build() -> list[Path]:
    """Bring mistakes.json up to date, the tasks that changed; the file, if it was not."""
    tasks = stale()
    if not tasks and mistakes.known().keys() == TASKS.keys():
        return []
    with ProcessPoolExecutor(audit.processors(), mp_context=get_context("fork"), initializer=mutants.confined) as pool:
        fresh = dict(zip(tasks, pool.map(table, tasks)))
    found = {task: fresh.get(task) or mistakes.known()[task] for task in TASKS}
    lines = [
        f"{json.dumps(task)}: {json.dumps(row, ensure_ascii=False, separators=(',', ':'))}"
        for task, row in found.items()
    ]
    mistakes.FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    mistakes.known.cache_clear()
    return [mistakes.FILE]
