"""Is the course consistent? Each function returns complaints, one line each: what is wrong, and what to do."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import nbformat
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from starter.support import checks, probes
from starter.support.full import table

from ..content import known_answers
from ..content.knife import regions
from ..content.overlay import ROOT, blanks
from ..content.tasks import LABS, MODULES, TASKS, module_of
from . import audit, bands, build, mutants, notebooks, questions

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SEEDS = range(4)  # make audit takes more
LEAST_WRONG, LEAST_RIGHT, LEAST_KINDS, LONGEST_BELIEF = 5, 3, 3, 100
ROOMS = {"content": (), "judge": ("content",), "classroom": ("content", "judge"), "maintain": ("content", "judge")}
COMMANDS = ("Use", "Add", "Call", "Write", "Take", "Divide", "Multiply", "Replace", "Remove", "Try", "Look", "Sum")


def starter_is_cut() -> Iterator[str]:
    for path, text in blanks().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield f"starter/{path.name} differs from what solutions/{path.name} builds: run `make build`"


def checks_are_current() -> Iterator[str]:
    """Numbers within the tolerance, because another processor rounds differently; everything else exactly."""
    stored, now = checks.facts(), json.loads(build.compact(build.facts()))
    if stored.keys() != now.keys():
        yield "starter/support/checks.json lists other tasks than tasks.toml: run `make build`"
    for task in stored.keys() & now.keys():
        if not build.alike(stored[task], now[task]):
            yield f"starter/support/checks.json does not fit {task} any more: run `make build`"


def tasks_are_complete() -> Iterator[str]:
    marked = {task: module for module in MODULES.values() for task in task_regions(module)}
    for task in marked.keys() - TASKS.keys():
        yield f"solutions/{marked[task]}.py marks {task}, which tasks.toml does not have"
    for task, row in TASKS.items():
        if marked.get(task) != module_of(task):
            yield f"{task} has no region in solutions/{module_of(task)}.py"
        for key in ("points", "minutes", "difficulty", "statement", "hints", "symbol"):
            if not row.get(key):
                yield f"{task} has no {key} in tasks.toml"
        if task not in probes.PROBES:
            yield f"{task} has no probe in starter/support/probes/"
        for kind, least in (("wrong", LEAST_WRONG), ("right", LEAST_RIGHT)):
            if (found := len(known_answers.answers(kind)[task])) < least:
                yield f"{task} has {found} {kind} answers in grading/content/answers/, at least {least} are needed"
        if len(kinds := {entry.get("kind") for entry in known_answers.answers("wrong")[task]}) < LEAST_KINDS:
            yield f"{task} has wrong answers of {len(kinds)} kinds only, at least {LEAST_KINDS} are needed"
    for task in probes.PROBES.keys() - TASKS.keys():
        yield f"starter/support/probes/ has a probe for {task}, which tasks.toml does not have"


def task_regions(module: str) -> dict[str, slice]:
    return regions(known_answers.solution(module).read_text(encoding="utf-8"))


def answers_are_judged_rightly() -> Iterator[str]:
    yield from audit.audit(SEEDS)


def wrong_answers_are_named() -> Iterator[str]:
    """On the public seed, from what is stored: this is what a learner reads."""
    for task in known_answers.answers("wrong"):
        yield from (f"{flaw.answer} {flaw.words}" for flaw in audit.unnamed(task))


def answers_are_described() -> Iterator[str]:
    """Kind and belief for whoever teaches; for the learner a sentence that shows no code of the answer."""
    for task, entries in known_answers.answers("wrong").items():
        ladder = [TASKS[task]["statement"], *TASKS[task]["hints"]]
        code = mutants.expressions(task)
        for entry in entries:
            if entry.get("kind") not in known_answers.KINDS:
                kinds = ", ".join(known_answers.KINDS)
                yield f"{entry['id']} needs a kind, one of {kinds}; it has {entry.get('kind')!r}"
            if not 0 < len(entry.get("believes", "")) <= LONGEST_BELIEF:
                yield f"{entry['id']} needs `believes`, what its author thinks, in at most {LONGEST_BELIEF} characters"
            longest = len(entry["says"]) + max(map(len, ladder[1:])) + audit.AROUND
            if longest > audit.LONGEST:
                yield f"{entry['id']}: its message can reach {longest} characters, {audit.LONGEST} are allowed"
            if entry["says"].split()[0] in COMMANDS or not entry["says"].endswith((".", ".)", "?")):
                yield f"{entry['id']}: first say in a sentence what is wrong, then what to do: {entry['says']!r}"
        for text in [*ladder, *(entry["says"] for entry in entries)]:
            if shown := next((part for part in code if part in "".join(text.split())), None):
                yield f"{task}: {text!r} shows a part of the answer, {shown}"


def notebooks_are_current() -> Iterator[str]:
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
            if any(output.output_type == "error" for output in cell.get("outputs", [])):
                yield f"{text.stem}.ipynb, cell {cell.id}: its stored output is an error"


def files_are_known() -> Iterator[str]:
    modules = {f"{module}.py" for module in MODULES.values()}
    books = {f"{lab}{suffix}" for lab in LABS for suffix in (".py", ".ipynb")}
    expected = {
        "starter": modules | {"__init__.py", "__main__.py", "support"},
        "solutions": modules | {"__init__.py"},
        "notebooks": books | {"sanitize.cfg"},
    }
    for folder, names in expected.items():
        there = {path.name for path in (ROOT / folder).iterdir()} - {"__pycache__", ".ipynb_checkpoints", ".tries.json"}
        yield from (
            f"{folder}/{name} is in no lab of tasks.toml: remove it, or name it there" for name in there - names
        )
        yield from (f"{folder}/{name} is missing" for name in names - there)
    for path in git("ls-files", "--others", "--exclude-standard", "starter/support"):
        yield f"{path} is not in the repository: `git add` it, or remove it: learners would get it"


def git(*words: str) -> list[str]:
    """Lines of what git says of this checkout; none where it is no checkout, or git is not installed."""
    try:
        found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return found.stdout.splitlines()


def requirements() -> Iterator[tuple[str, str]]:
    """Each requirement, and where it stands."""
    for name in ("requirements.txt", "grading/requirements.txt"):
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            if text := line.split("#")[0].strip():
                yield text, f"{name}, line {number}"


def pin(text: str) -> tuple[str, Version] | None:
    """A package and its version; None when it is not pinned to one."""
    try:
        found = Requirement(text)
        (only,) = found.specifier
        return (found.name.lower(), Version(only.version)) if only.operator == "==" else None
    except ValueError:  # no requirement, none or several conditions, or ==2.*
        return None


def requirements_are_pinned() -> Iterator[str]:
    yield from (f"{where}: {text!r} is not pinned with ==" for text, where in requirements() if not pin(text))
    pins = dict(filter(None, (pin(text) for text, _ in requirements())))
    if "scipy" in pins and pins["scipy"].release >= (1, 18):
        yield "requirements.txt: scipy must stay below 1.18, where clean-fid's sqrtm(disp=...) is gone"
    if {"torch", "torchvision"} - pins.keys():
        yield "requirements.txt: torch and torchvision are pinned together, as a pair"


def requirements_run_on_every_python() -> Iterator[str]:
    """By what the installed packages say of themselves. Whether there are wheels, only an index knows."""
    for text, where in requirements():
        with suppress(InvalidRequirement, PackageNotFoundError):
            wanted = SpecifierSet(metadata(Requirement(text).name).get("Requires-Python") or "")
            if lacking := [python for python in PYTHONS if python not in wanted]:
                yield f"{where}: {text} wants Python {wanted}, README promises {', '.join(lacking)}"


def imports_point_one_way() -> Iterator[str]:
    """Lab modules import support and earlier labs; support imports no lab; neither knows solutions or grading."""
    order = list(MODULES.values())
    for path in [*(ROOT / "solutions").glob("*.py"), *(ROOT / "starter").rglob("*.py")]:
        where = path.relative_to(ROOT)
        position = order.index(path.stem) if where.parts[1:] == (f"{path.stem}.py",) and path.stem in order else 0
        for name in imported(path):
            top, second = [*name.split("."), ""][:2]
            home = top == "starter" or top == where.parts[0]
            if (home and second in order[position:]) or (top in ("solutions", "grading") and not home):
                yield f"{where} imports {name}: imports point to support and to earlier labs only"


def rooms_know_each_other_one_way() -> Iterator[str]:
    """content <- judge <- classroom and maintain, which do not know each other."""
    for room, known in ROOMS.items():
        for path in (ROOT / "grading" / room).rglob("*.py"):
            for name in imported(path):
                other = name.removeprefix("grading.").partition(".")[0] if name.startswith("grading.") else room
                if other != room and other not in known:
                    may = f"grading/{room} may know {', '.join(known) or 'no room'}"
                    yield f"{path.relative_to(ROOT)} imports {name}: {may}"


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, and of what it takes from there."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            base = base if node.level else node.module
            yield from (f"{base}.{alias.name}" for alias in node.names)


def model_answers_are_current() -> Iterator[str]:
    if not build.ANSWERS.exists() or build.ANSWERS.read_text(encoding="utf-8") != build.answers():
        yield "starter/support/questions.json differs from grading/content/questions.toml: run `make build`"


def tables_are_current() -> Iterator[str]:
    for name in build.PAGES:
        if build.page(name) != (ROOT / name).read_text(encoding="utf-8"):
            yield f"{name}: its table differs from tasks.toml: run `make build`"


def results_are_shown() -> Iterator[str]:
    try:
        text = table.text(ROOT / "results")
    except ValueError as wrong:
        yield str(wrong)
        return
    if (ROOT / "RESULTS.md").read_text(encoding="utf-8") != text:
        yield "RESULTS.md is not what results/ and the recipes make of it: run `make build`"


CHECKS = (
    starter_is_cut,
    checks_are_current,
    tasks_are_complete,
    answers_are_described,
    answers_are_judged_rightly,
    wrong_answers_are_named,
    notebooks_are_current,
    files_are_known,
    requirements_are_pinned,
    requirements_run_on_every_python,
    imports_point_one_way,
    rooms_know_each_other_one_way,
    questions.questions_are_guided,
    questions.exercises_are_guided,
    model_answers_are_current,
    tables_are_current,
    results_are_shown,
    bands.results_stay_in_their_bands,
)


def main() -> int:
    failed = 0
    for function in CHECKS:
        complaints = list(function())
        failed += len(complaints)
        print(f"{'ok' if not complaints else 'NO':3} {function.__name__.replace('_', ' ')}", flush=True)
        for complaint in complaints[:20]:
            print(f"    {complaint}", file=sys.stderr)
    print(f"make check: {'the course is consistent.' if not failed else f'{failed} complaints.'}")
    return 1 if failed else 0
