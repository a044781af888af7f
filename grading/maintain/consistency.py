"""Is the course consistent? First what can be read, in a second or two; then, with torch, how answers are judged.

A check is a function that yields complaints, one line each: what is wrong, where, and what to do. Its name is what is
printed. A new one is written into one of the floors below, and nowhere else.
"""

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from ..content.overlay import ROOT, blanks
from ..content.tasks import TASKS, module_of
from . import build, questions, repository, structure, style

SEEDS = range(4)  # make audit takes more
SHOWN = 20  # complaints of one check


def starter_is_cut() -> Iterator[str]:
    for path, text in blanks().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield f"starter/{path.name} differs from what solutions/{path.name} builds: run `make build`"


def tables_are_current() -> Iterator[str]:
    for name in build.PAGES:
        try:
            if build.page(name) != (ROOT / name).read_text(encoding="utf-8"):
                yield f"{name}: its table differs from tasks.toml: run `make build`"
        except ValueError as wrong:
            yield str(wrong)


def probes_run(tasks: Collection[str]) -> Iterator[str]:
    for task in tasks:
        try:
            build.task_facts(task)
        except ValueError as wrong:
            yield str(wrong)


def checks_are_current(tasks: Collection[str]) -> Iterator[str]:
    """Numbers within the tolerance, because another processor rounds differently; everything else exactly."""
    from starter.support import checks

    stored = checks.facts()
    for task in sorted(stored.keys() - TASKS.keys()):
        yield f"starter/support/checks.json has {task}, which tasks.toml does not have: run `make build`"
    for task in tasks:
        if task not in stored:
            yield f"starter/support/checks.json does not have {task} yet: run `make build`"
        elif not build.alike(stored[task], build.as_stored(build.task_facts(task))):
            yield f"starter/support/checks.json does not fit {task} any more: run `make build`"


def mistakes_are_current(tasks: Collection[str]) -> Iterator[str]:
    """What changes of the references do was made from sources that are as they were."""
    from . import made

    for task in made.stale():
        if task in tasks:
            yield f"starter/support/mistakes.json was made from other sources of {task}: run `make build`"


def probes_ask_every_class(tasks: Collection[str]) -> Iterator[str]:
    """A class of holes that concerns a function is asked by its probe, or switched off with a reason."""
    from starter.support import checks
    from starter.support.probes.core import CLASSES, SPARED

    from ..content import known_answers

    for task in (task for task in tasks if task in checks.facts()):
        function = getattr(known_answers.reference(module_of(task)), TASKS[task]["symbol"])
        signature, names = (
            str(inspect.signature(function)).replace("torch.", ""),
            " ".join(checks.fact(task)["reference"]),
        )
        for word, known in CLASSES.items():
            concerned, asked_for, spared = re.search(known.of, signature), word in names, word in SPARED[task]
            if concerned and not asked_for and not spared:
                yield f"{task}: no array of its probe has the words {word!r}: {known.asks}"
            elif spared and (asked_for or not concerned):
                why = "asks it" if asked_for else "it does not concern the task"
                yield f"{task}: its probe spares {word!r}, and {why}"
        for word in SPARED[task].keys() - CLASSES.keys():
            yield f"{task}: its probe spares {word!r}, which is no class"


def answers_are_judged_rightly(tasks: Collection[str]) -> Iterator[str]:
    from . import audit

    yield from audit.audit(SEEDS, tasks)


def wrong_answers_are_named(tasks: Collection[str]) -> Iterator[str]:
    """On the public seed, from what is stored: this is what a learner reads."""
    from starter.support import checks

    from . import audit

    for task in tasks:
        if task in checks.facts():  # the others are yet to be built, which is a complaint of its own
            yield from (f"{flaw.answer} {flaw.words}" for flaw in audit.unnamed(task))


def notebooks_are_current() -> Iterator[str]:
    import nbformat

    from . import notebooks

    for text in notebooks.texts():
        try:
            if notebooks.stale(text):
                differs = f"differs from notebooks/{text.name}, or was drawn by another plots.py"
                yield f"notebooks/{text.stem}.ipynb {differs}: run `make build`"
                continue
        except ValueError as wrong:
            yield str(wrong)
            continue
        stored = nbformat.read(text.with_suffix(".ipynb"), as_version=4)
        for cell in stored.cells:
            if cell.cell_type == "code" and cell.source and cell.execution_count is None:
                yield f"{text.stem}.ipynb, cell {cell.id}: not executed: run `make build`"
            if notebooks.failed(cell):
                yield f"{text.stem}.ipynb, cell {cell.id}: its stored output is an error"


def model_answers_are_current() -> Iterator[str]:
    if not build.ANSWERS.exists() or build.ANSWERS.read_text(encoding="utf-8") != build.answers():
        yield "starter/support/questions.json differs from grading/content/questions.toml: run `make build`"


def names_are_current() -> Iterator[str]:
    if not build.NAMES.exists() or build.NAMES.read_text(encoding="utf-8") != build.labs():
        yield "starter/support/labs.json differs from grading/content/tasks.toml: run `make build`"
    if not build.GIVEN.exists() or build.GIVEN.read_text(encoding="utf-8") != build.given():
        yield "starter/support/given.json differs from what solutions/ builds: run `make build`"


def results_are_shown() -> Iterator[str]:
    from starter.support.full import table

    try:
        text = table.text(ROOT / "results")
    except ValueError as wrong:
        yield str(wrong)
        return
    if (ROOT / "RESULTS.md").read_text(encoding="utf-8") != text:
        yield "RESULTS.md is not what results/ and the recipes make of it: run `make build`"


def results_stay_in_their_bands() -> Iterator[str]:
    from . import bands

    yield from bands.results_stay_in_their_bands()


class Floor(NamedTuple):
    """Checks that are run together: those after it only when none of them complains."""

    of_tasks: tuple[Callable[[Collection[str]], Iterator[str]], ...] = ()
    of_course: tuple[Callable[[], Iterator[str]], ...] = ()  # not where only some tasks are asked for


READABLE = (structure.sources_can_be_read, structure.rows_have_their_place)  # always: all others rely on it
SOURCES = Floor(
    (
        structure.rows_are_complete,
        structure.regions_are_marked,
        structure.probes_are_registered,
        structure.answers_are_enough,
        structure.answers_are_described,
        structure.cells_are_there,
    ),
    (
        structure.questions_have_cells,
        structure.nothing_is_left_over,
        structure.minutes_are_what_a_lab_takes,
        questions.questions_are_guided,
        questions.exercises_are_guided,
    ),
)
REPOSITORY = Floor(
    (),
    (
        repository.files_are_known,
        repository.requirements_are_pinned,
        repository.requirements_run_on_every_python,
        repository.imports_point_one_way,
        repository.rooms_know_each_other_one_way,
        style.style_is_kept,
        style.types_agree,
    ),
)
GENERATED = Floor((), (starter_is_cut, model_answers_are_current, names_are_current, tables_are_current))
PROBES = Floor((probes_run,))
BEHAVIOUR = Floor(
    (
        checks_are_current,
        mistakes_are_current,
        probes_ask_every_class,
        answers_are_judged_rightly,
        wrong_answers_are_named,
    ),
    (notebooks_are_current, results_are_shown, results_stay_in_their_bands),
)


def asked(floor: Floor, tasks: Collection[str]) -> list[tuple[Callable[..., Iterator[str]], tuple]]:
    """The checks of a floor with what they are given; those of the course only where no tasks are named."""
    of_tasks = [(check, (tasks or [*TASKS],)) for check in floor.of_tasks]
    return of_tasks + [(check, ()) for check in floor.of_course if not tasks]


def buildable() -> list[str]:
    """What must be mended before anything can be built."""
    for floor in (Floor((), READABLE), SOURCES):
        if complaints := [words for check, given in asked(floor, ()) for words in check(*given)]:
            return complaints
    return []


def main(tasks: Collection[str] = (), fast: bool = False) -> int:
    """
    Args:
        tasks: only these; none: the whole course.
        fast: only what can be read, without torch.
    """
    floors = (SOURCES, REPOSITORY, GENERATED) if fast else (SOURCES, REPOSITORY, GENERATED, PROBES, BEHAVIOUR)
    steps = [[(check, ()) for check in READABLE], *(asked(floor, tasks) for floor in floors)]
    for number, step in enumerate(steps, 1):
        if failed := sum(said(check, given) for check, given in step):
            rest = "; what builds on it is not looked at before" if any(steps[number:]) else ""
            print(f"make check: {failed} complaint{'s' * (failed > 1)}{rest}.")
            return 1
    what = ", ".join(tasks) if tasks else "the course"
    print(f"make check: {what} {'is' if len(tasks) < 2 else 'are'} consistent{', as far as can be read' * fast}.")
    return 0


def said(check: Callable[..., Iterator[str]], given: tuple) -> int:
    """Print what a check has to complain about, or that it has nothing; how many complaints."""
    name = check.__name__.replace("_", " ")
    try:
        complaints = list(check(*given))
    except style.LeftOut as reason:
        print(f"--  {name}: left out, {reason}", flush=True)
        return 0
    print(f"{'ok' if not complaints else 'NO':3} {name}", flush=True)
    for complaint in complaints[:SHOWN]:
        print(f"    {complaint}", file=sys.stderr)
    if len(complaints) > SHOWN:
        print(f"    and {len(complaints) - SHOWN} more", file=sys.stderr)
    return len(complaints)
