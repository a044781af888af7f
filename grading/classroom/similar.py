"""Pairs of submissions that share what few share: a reason to look at both, and never more than that.

Blanks are short, so most right answers are alike. What counts is rare in this class: a form of a statement, a comment,
a name, an odd layout, a mistake, a turn of phrase. What many share, or what the course itself says, is nothing. Each
rare thing leads to those few who have it, so that nobody is compared with everybody.
"""

import ast
import io
import math
import re
import statistics
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import NamedTuple

RARE = 0.03  # of a class: what more have is common
FEWEST = 3  # may always have it
WORDS = 4  # of a turn of phrase
SMALL = 12  # learners: below, nothing is known of what is rare
SPREADS = 3.0  # of the best scores of a class, above their median: from there on a pair is shown
LEAST = 18.0  # score under which no pair is shown
TELLS = {"comment": 1.3, "form": 1.0, "shape": 1.0, "name": 0.7, "layout": 0.6, "mistake": 0.8, "phrase": 1.0}


class Feature(NamedTuple):
    """Something that a submission has."""

    kind: str  # of TELLS
    what: str


class Place(NamedTuple):
    part: str  # a function, or a question: what is shared within one counts less and less
    unit: int  # a line, or a group of words: counts once


@dataclass
class Work:
    """What is compared of a submission."""

    student: str
    module: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)  # question -> plain text
    mistakes: Mapping[str, str] = field(default_factory=dict)  # task -> what is said of a wrong answer


@dataclass(frozen=True)
class Shared:
    """One thing that a pair shares."""

    feature: Feature
    places: tuple[Place, Place]
    have: int  # so many learners have it
    weight: float


@dataclass(frozen=True)
class Pair:
    first: str
    second: str
    score: float
    shared: tuple[Shared, ...]


def features(work: Work, common: frozenset[Feature] = frozenset()) -> dict[Feature, Place]:
    """
    Args:
        common: what the course itself has: the released module, the reference, the questions and their model answers.
    """
    found: dict[Feature, Place] = {}
    for feature, place in (*of_code(work.module), *of_answers(work.answers), *of_mistakes(work.mistakes)):
        if feature not in common:
            found.setdefault(feature, place)
    return found


def of_mistakes(mistakes: Mapping[str, str]) -> Iterator[tuple[Feature, Place]]:
    for task, words in mistakes.items():
        yield Feature("mistake", f"{task}: {words}"), Place(f"mistake {task}", 0)


def of_code(module: str) -> Iterator[tuple[Feature, Place]]:
    owner = ["module"] * (module.count("\n") + 2)
    try:
        tree: ast.Module | None = ast.parse(module)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] if tree else []
    for function in functions:
        owner[function.lineno : (function.end_lineno or function.lineno) + 1] = [function.name] * (
            (function.end_lineno or function.lineno) - function.lineno + 1
        )
    for function in functions:
        yield from of_function(function)
    yield from of_text(module, owner)


def of_function(function: ast.FunctionDef) -> Iterator[tuple[Feature, Place]]:
    """Statements as they are, and without the names that a learner chose; and these names."""
    given = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    stored = [node for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    own = {node.id: f"_{i}" for i, node in enumerate(reversed(stored)) if node.id not in given}
    shapes: list[tuple[str, int]] = []
    for statement in leaves(function):
        text = ast.unparse(statement)
        shape = re.sub(r"\b[A-Za-z_]\w*\b", lambda word: "_" if word[0] in own else word[0], text)
        shapes.append((shape, statement.lineno))
        yield Feature("form", text), Place(function.name, statement.lineno)
        yield Feature("shape", shape), Place(function.name, statement.lineno)
    for (one, line), (two, _) in zip(shapes, shapes[1:]):
        yield Feature("shape", f"{one}; {two}"), Place(function.name, line)
    for node in stored:
        yield Feature("name", node.id), Place(function.name, node.lineno)


def leaves(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Statements that hold no others; not the docstring."""
    for node in ast.walk(function):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and not text:
            yield node


def of_text(module: str, owner: list[str]) -> Iterator[tuple[Feature, Place]]:
    """Comments, and lines that no formatter leaves as they are."""
    for number, row in enumerate(module.splitlines(), 1):
        place = Place(owner[min(number, len(owner) - 1)], number)
        code = row.partition("#")[0]
        odd = row != row.rstrip() or re.search(r"\w=\w|\S[ ]{2,}\S|,\S|\( | \)|\S[*+/]\S", code)
        if odd and len(code.strip()) > 5 and '"' not in code:
            yield Feature("layout", row.strip("\r\n")), place
    try:
        for token in tokenize.generate_tokens(io.StringIO(module).readline):
            words = " ".join(re.findall(r"\w+", token.string.casefold())) if token.type == tokenize.COMMENT else ""
            if len(words) > 5:
                yield Feature("comment", words), Place(owner[min(token.start[0], len(owner) - 1)], token.start[0])
    except (tokenize.TokenError, SyntaxError, ValueError):  # what came before it counts
        return


def of_answers(answers: Mapping[str, str]) -> Iterator[tuple[Feature, Place]]:
    for question, text in answers.items():
        words = re.findall(r"\w+", text.casefold())
        for i in range(len(words) - WORDS + 1):
            yield Feature("phrase", " ".join(words[i : i + WORDS])), Place(question, i // WORDS)


def pairs(works: Iterable[Work], common: frozenset[Feature] = frozenset()) -> list[Pair]:
    """Those that share more than others of this class do, the most first; none in a small class."""
    found = {work.student: features(work, common) for work in works}
    if len(found) < SMALL:
        return []
    holders: dict[Feature, list[str]] = {}
    for student, has in found.items():
        for feature in has:
            holders.setdefault(feature, []).append(student)
    most = max(FEWEST, round(RARE * len(found)))
    shared: dict[tuple[str, str], list[Shared]] = {}
    for feature, who in holders.items():
        if 2 <= len(who) <= most:
            weight = TELLS[feature.kind] * math.log(len(found) / len(who))
            for one, two in combinations(sorted(who), 2):
                places = found[one][feature], found[two][feature]
                shared.setdefault((one, two), []).append(Shared(feature, places, len(who), weight))
    scored = [Pair(one, two, score(things), tuple(things)) for (one, two), things in shared.items()]
    limit = threshold(scored, len(found))
    return sorted((pair for pair in scored if pair.score >= limit), key=lambda pair: (-pair.score, pair.first))


def score(shared: list[Shared]) -> float:
    """What is shared in one place counts once; within a function or a question, each further thing counts less.

    So what one unusual idea brings with it is not taken for many ideas.
    """
    best: dict[Place, float] = {}
    for one in shared:
        best[one.places[0]] = max(best.get(one.places[0], 0), one.weight)
    parts: dict[str, list[float]] = {}
    for place, weight in best.items():
        parts.setdefault(place.part, []).append(weight)
    return sum(sum(w / i for i, w in enumerate(sorted(part, reverse=True), 1)) for part in parts.values())


def threshold(scored: list[Pair], learners: int) -> float:
    """Above what nearly everybody's nearest neighbour has: half of a class does not copy from each other."""
    nearest: dict[str, float] = {}
    for pair in scored:
        for student in (pair.first, pair.second):
            nearest[student] = max(nearest.get(student, 0.0), pair.score)
    best = [*nearest.values(), *[0.0] * (learners - len(nearest))]
    middle = statistics.median(best)
    spread = statistics.median(abs(one - middle) for one in best)
    return max(LEAST, middle + SPREADS * 1.4826 * spread)


def by_part(pair: Pair) -> Iterator[tuple[str, list[Shared]]]:
    """The most telling first, once for each place."""
    things = sorted(pair.shared, key=lambda one: (one.places[0].part, -one.weight))
    for part, group in groupby(things, key=lambda one: one.places[0].part):
        seen: set[Place] = set()
        kept = []
        for one in group:
            if one.places[0] not in seen:
                seen.add(one.places[0])
                kept.append(one)
        yield part, kept
