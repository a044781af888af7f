"""What every change of a reference does to its probe's numbers, and what to say of it: starter/support/mistakes.json.

Pairs of catalogued answers are among them: who makes two mistakes at once reads about both.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from starter.support import compare, differences, mistakes, probes
from starter.support.checks import AUTOTEST_SEED, PUBLIC_SEED

from ..content import known_answers, reference_text
from ..content.knife import regions
from ..content.tasks import TASKS, module_of
from . import audit, mutants, phrases

SEEDS = (PUBLIC_SEED, AUTOTEST_SEED)
Which = str | tuple[int, ...]  # a sentence, or the places of one or two catalogued answers


def digest(task: str) -> str:
    """Of what a task's table is made from: the reference, its probe, the changes with their words, the catalogue."""
    folder = Path(str(probes.__file__)).parent
    files = [known_answers.solution(module_of(task)), folder / f"{module_of(task)}.py", folder / "core.py"]
    code = [path.read_text(encoding="utf-8") for path in files]  # as text: syntax trees differ between Pythons
    made_of = [*code, mutants.mutants(task), said(task), known_answers.answers("wrong")[task]]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]


def said(task: str) -> dict[str, tuple[int, str]]:
    """Change -> how telling it is, and its sentence, for those of which something can be said."""
    source = known_answers.solution(module_of(task)).read_text(encoding="utf-8")
    region = regions(source)[task]
    functions = [
        f for f in ast.walk(ast.parse(source)) if isinstance(f, ast.FunctionDef) and reference_text.begins(f, region)
    ]
    words, old = phrases.words_of(functions[-1]), ast.parse(ast.unparse(reference_text.parsed(task)[0]))
    found: dict[str, tuple[int, str]] = {}
    for change, new in mutants.mutants(task).items():
        with suppress(SyntaxError):
            phrase = phrases.phrase(old, ast.parse(new), words)
            found |= {change: (phrase[0], phrases.sentence(phrase[1]))} if phrase else {}
    return found


def table(task: str) -> dict:
    """The rows of one task: the most telling sentence for each outcome, none for what the catalogue names."""
    torch.set_num_threads(1)
    reference = known_answers.reference(module_of(task))
    tables = [known_answers.tables(task, PUBLIC_SEED), known_answers.tables(task, AUTOTEST_SEED, ("right",))]
    wants = [probes.arrays(task, reference, seed, known) for seed, known in zip(SEEDS, tables)]
    wants[1] = differences.small(wants[1])
    catalogue = set()
    parts: dict[tuple, Which] = {}
    for i, _ in enumerate(known_answers.answers("wrong")[task]):
        variant = known_answers.variant("wrong", task, i)
        found = [known_answers.probe_arrays(task, variant, seed, known) for seed, known in zip(SEEDS, tables)]
        catalogue.add(compare.fingerprint(found[0]))
        note_parts(parts, wants, found, (i,))
    rows: dict[tuple, Which] = {}
    for rank, which, found in sorted(outcomes(task, tables), key=lambda outcome: outcome[0]):
        if rank < len(phrases.RULES):
            note_parts(parts, wants, found, which)
        idle = "raises" in found[0] or compare.same(found[0], wants[0]) or not mistakes.finite(found[0])
        if idle or compare.fingerprint(found[0]) in catalogue:
            continue
        here = (mistakes.form(found[0]), tuple(mistakes.numbers(found[0], wants[0])))
        there = None if len(found) < 2 or "raises" in found[1] else tuple(mistakes.numbers(found[1], wants[1]))
        rows.setdefault((*here, there), which)
    says = sorted({which for which in [*rows.values(), *parts.values()] if isinstance(which, str)})
    places = {text: i for i, text in enumerate(says)}
    marks = [[*row, places.get(which) if isinstance(which, str) else [*which]] for row, which in rows.items()]
    single: dict[str, list] = {}
    for (name, *row), which in parts.items():
        single.setdefault(name, []).append([*row, places.get(which) if isinstance(which, str) else [*which]])
    return {"digest": digest(task), "says": says, "marks": marks, "parts": single}


def note_parts(
    parts: dict[tuple, Which], wants: list[compare.Arrays], found: list[compare.Arrays], which: Which
) -> None:
    """What is wrong with single outputs, each for itself: name, numbers, numbers on other inputs if known."""
    for name in mistakes.outputs(wants[0]) if "raises" not in found[0] else ():
        got, want = found[0].get(name), wants[0][name]
        if got is None or got.shape != want.shape or got.dtype != want.dtype or not np.isfinite(got).all():
            continue
        here, there = tuple(mistakes.part(got)), found[1].get(name) if len(found) > 1 and name in wants[1] else None
        elsewhere = tuple(mistakes.part(there)) if there is not None and there.dtype.kind in "fi" else None
        if any(here) and compare.error(got, want) > compare.TOLERANCE:
            parts.setdefault((name, here, elsewhere), which)


def outcomes(task: str, tables: list) -> Iterator[tuple[int, Which, list[compare.Arrays]]]:
    """How telling, what to say, and the arrays on each seed."""
    known = said(task)
    for change, found in mutants.arrays_of_each(task, SEEDS, tables):
        if change in known:
            yield *known[change], found
    places = {entry["id"]: i for i, entry in enumerate(known_answers.answers("wrong")[task])}
    for one, other, text in audit.pairs(task):
        module = known_answers.module(module_of(task), text)
        found = [known_answers.probe_arrays(task, module, seed, known) for seed, known in zip(SEEDS, tables)]
        yield len(phrases.RULES), (places[one], places[other]), found


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
