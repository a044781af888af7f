"""What the sources of the course lack or contradict, found by reading them: without torch, in a second or two.

Each function looks at the tasks it is given, or at the whole course, and yields complaints, one line each: which file,
and what to put there.
"""

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator

from ..content import known_answers
from ..content.knife import regions
from ..content.overlay import ROOT
from ..content.reference_text import expressions, function_of, region_text, solution, tree
from ..content.tasks import LABS, MODULES, QUESTIONS, TABLE, TASKS, module_of, tasks_of
from .repository import imported, written

LEAST_WRONG, LEAST_RIGHT, LEAST_KINDS, LONGEST_BELIEF = 5, 3, 3, 100
COMMANDS = ("Use", "Add", "Call", "Write", "Take", "Divide", "Multiply", "Replace", "Remove", "Try", "Look", "Sum")
ROWS, ANSWERS, PROBES = "grading/content/tasks.toml", "grading/content/answers", "starter/support/probes"
WORDS, LINES = 120, 15  # of a notebook, that somebody reads in a minute whose first language is not English
ANSWER, ROUGHLY = 8, 15  # minutes: for a written answer; that an estimate may be off
WANTED = {  # of a row: what stands there
    "symbol": (str, "the name of the function that holds its blank"),
    "points": (int, "a whole number"),
    "minutes": (int, "a whole number"),
    "difficulty": (int, "1 to 3, or 4 for a task that builds a whole"),
    "statement": (str, "what the function must do, in a few words"),
    "hints": (list, "a ladder of them, each saying more"),
}


def sources_can_be_read() -> Iterator[str]:
    """Of what cannot be read, nothing else can be said."""
    for path in written():
        try:
            tree(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError) as wrong:
            where = f", line {wrong.lineno}" if isinstance(wrong, SyntaxError) else ""
            yield f"{path.relative_to(ROOT)}{where}: {getattr(wrong, 'msg', wrong)}"
    for module in MODULES.values():
        try:
            regions(solution(module).read_text(encoding="utf-8"))
        except FileNotFoundError:
            yield f"solutions/{module}.py is missing, a lab of {ROWS} names it"
        except ValueError as wrong:
            yield f"solutions/{module}.py, {wrong}"
    try:
        known_answers.answers("wrong"), known_answers.answers("right")
    except ValueError as wrong:
        yield f"{ANSWERS}/{wrong}"


def rows_have_their_place() -> Iterator[str]:
    """Each row once, in a lab that has a module where there is something to program."""
    ids = Counter(row["id"] for kind in ("task", "question") for row in TABLE[kind])
    yield from (
        f"{ROWS} has {count} rows with the id {name}: one of them must go" for name, count in ids.items() if count > 1
    )
    for name, row in (TASKS | QUESTIONS).items():
        if row["lab"] not in LABS:
            yield f"{ROWS}: {name} is of the lab {row['lab']!r}, which is none of {', '.join(LABS)}"
        elif name in TASKS and row["lab"] not in MODULES:
            yield f"{ROWS}: {name} is of {row['lab']}, which has no module: only questions can stand there"
        elif name in TASKS and not re.fullmatch(r"[a-z]+-[1-9]\d*", name):
            yield f"{ROWS}: a task is called like vae-1, letters and a number, not {name!r}"


def rows_are_complete(tasks: Collection[str]) -> Iterator[str]:
    for task in tasks:
        for key, (kind, words) in WANTED.items():
            value = TASKS[task].get(key)
            if not isinstance(value, kind) or not value:
                yield f"{ROWS}: {task} has no {key}: write {words}"


def regions_are_marked(tasks: Collection[str]) -> Iterator[str]:
    for task in tasks:
        where, symbol = f"solutions/{module_of(task)}.py", TASKS[task].get("symbol")
        source = solution(module_of(task)).read_text(encoding="utf-8")
        if task not in regions(source):
            markers = f"`# BEGIN SOLUTION {task}` and `# END SOLUTION`"
            yield f"{where}: {task} has no region: put its answer between {markers}, in {symbol}()"
            continue
        function = function_of(task)
        if function is None or function.name != symbol:
            yield f"{where}: the region of {task} must stand in {symbol}(), the symbol of its row in {ROWS}"
            continue
        if not ast.get_docstring(function):
            yield f"{where}: {symbol}() has no docstring: write equation, shapes, units and source"
        if not re.search(rf"^ *# TODO {task}: *\S", source, re.MULTILINE):
            yield f"{where}: no line `# TODO {task}: ...` says what to do: write it above the region"
        if f'NotImplementedError("{task}")' in (region_text(task) or ""):
            yield f"{where}: {task} has no answer yet: write it between the markers"


def probe_functions() -> dict[str, ast.FunctionDef]:
    """Task -> the function that is registered as its probe, by the decorators in the source."""
    found: dict[str, ast.FunctionDef] = {}
    for path in (ROOT / PROBES).glob("*.py"):
        defined = (node for node in tree(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef))
        for node in defined:
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "probe":
                    found[ast.literal_eval(call.args[0])] = node
    return found


def probes_are_registered(tasks: Collection[str]) -> Iterator[str]:
    functions, registered = probe_functions(), {*imported(ROOT / PROBES / "__init__.py")}
    for task in tasks:
        where = f"{PROBES}/{module_of(task)}.py"
        if task not in functions:
            yield f'{where}: {task} has no probe: write a function under `@probe("{task}")`'
        elif f"NotImplementedError('{task}')" in ast.unparse(functions[task]):
            yield f"{where}: the probe of {task} is empty: call the blank on drawn inputs, return named arrays"
    for module in sorted({module_of(task) for task in tasks}):
        if f"starter.support.probes.{module}" not in registered:
            yield f"{PROBES}/__init__.py: import {module}, which registers its probes"


def answers_are_enough(tasks: Collection[str]) -> Iterator[str]:
    for task in tasks:
        where = f"{ANSWERS}/{module_of(task)}.toml"
        for kind, least in (("wrong", LEAST_WRONG), ("right", LEAST_RIGHT)):
            if (found := len(known_answers.answers(kind)[task])) < least:
                yield f"{where}: {task} has {found} {kind} answers, at least {least} are needed"
        kinds = {entry.get("kind") for entry in known_answers.answers("wrong")[task]} - {None, ""}
        if len(kinds) < LEAST_KINDS:
            yield f"{where}: {task} has wrong answers of {len(kinds)} kinds only, at least {LEAST_KINDS} are needed"


def answers_are_described(tasks: Collection[str]) -> Iterator[str]:
    """Kind and belief for whoever teaches; for the learner a sentence that shows no code of the answer."""
    for task in tasks:
        where, text = f"{ANSWERS}/{module_of(task)}.toml", region_text(task)
        for kind in ("wrong", "right"):
            for number, entry in enumerate(known_answers.answers(kind)[task], 1):
                yield from (f"{where}: {words}" for words in described(task, kind, number, entry, text))
        yield from giveaways(task) if text else ()


def described(task: str, kind: str, number: int, entry: dict, text: str | None) -> Iterator[str]:
    """What one known answer lacks, and whether it fits into the region's text as it is now."""
    called = entry["id"].removeprefix(task).strip("-")
    name = entry["id"] if called else f"{kind} answer {number} of {task}"
    keys = ("kind", "believes", "says") if kind == "wrong" else ()
    lacks = [key for key in keys if not entry.get(key)] + ["an id with words"] * (not called)
    if not entry.get("region") and not (entry.get("find") and "replace" in entry):
        lacks.append("find and replace, or region")
    if lacks:
        yield f"{name} lacks {', '.join(lacks)}"
        return
    yield from misfits(name, entry, text) if text else ()
    if kind == "right":
        return
    if entry["kind"] not in known_answers.KINDS:
        yield f"{name} needs a kind, one of {', '.join(known_answers.KINDS)}; it has {entry['kind']!r}"
    if len(entry["believes"]) > LONGEST_BELIEF:
        yield f"{name} needs `believes`, what its author thinks, in at most {LONGEST_BELIEF} characters"
    longest = len(entry["says"]) + max(map(len, TASKS[task].get("hints") or [""])) + known_answers.AROUND
    if longest > known_answers.LONGEST:
        yield f"{name}: its message can reach {longest} characters, {known_answers.LONGEST} are allowed"
    if entry["says"].split()[0] in COMMANDS or not entry["says"].endswith((".", ".)", "?")):
        yield f"{name}: first say in a sentence what is wrong, then what to do: {entry['says']!r}"


def misfits(name: str, entry: dict, text: str) -> Iterator[str]:
    """Does an answer fit into the solution, and is it Python there?"""
    try:
        ast.parse("def function():\n" + textwrap.indent(textwrap.dedent(known_answers.replaced(text, entry)), "    "))
    except SyntaxError as wrong:
        yield f"{name} is no Python: {wrong.msg}"
    except ValueError as wrong:
        yield f"{wrong} in the region of its task"


def giveaways(task: str) -> Iterator[str]:
    """Words to a learner that hold a part of the answer."""
    row = TASKS[task]
    said = {ROWS: [row.get("statement", ""), *row.get("hints", [])]}
    said[f"{ANSWERS}/{module_of(task)}.toml"] = [
        entry.get("says", "") for entry in known_answers.answers("wrong")[task]
    ]
    code = expressions(task)
    for where, texts in said.items():
        for text in texts:
            if shown := next((part for part in code if part in "".join(text.split())), None):
                yield f"{where}: {task}: {text!r} shows a part of the answer, {shown}"


def cells_are_there(tasks: Collection[str]) -> Iterator[str]:
    for lab in dict.fromkeys(TASKS[task]["lab"] for task in tasks):
        yield from cells_of(lab)


def questions_have_cells() -> Iterator[str]:
    """Of labs without a task; those of the others are looked at with their tasks."""
    for lab in LABS.keys() - MODULES.keys():
        yield from cells_of(lab)


def cells_of(lab: str) -> Iterator[str]:
    path = ROOT / f"notebooks/{lab}.py"
    if not path.exists():
        yield f"notebooks/{lab}.py is missing: write the lab's notebook"
        return
    text = path.read_text(encoding="utf-8")
    yield from (f"notebooks/{path.name} {words}" for words in misplaced(lab, graded_cells(text)))
    if "\nguesses.summary(" not in text:
        yield f"notebooks/{path.name} has no summary: its last cell of code is `guesses.summary(...)`"
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"# TODO (\S+):", line):
            yield f"notebooks/{path.name}, line {number}: write the text that leads to {found[1]}"


def minutes_are_what_a_lab_takes() -> Iterator[str]:
    """The table's minutes, and the notebook's own, beside an estimate of what is asked for."""
    for lab, row in LABS.items():
        path = ROOT / f"notebooks/{lab}.py"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if abs(row["minutes"] - (takes := estimated_minutes(lab, text))) > ROUGHLY:
            yield f"{ROWS}: {lab} has {row['minutes']} minutes; blanks, reading and answers take about {takes:.0f}"
        if text and f"**Time:** {row['minutes']} minutes" not in text:
            yield f"notebooks/{path.name}: its head must say `**Time:** {row['minutes']} minutes`, as {ROWS} does"


def estimated_minutes(lab: str, text: str) -> float:
    """Of blanks, of reading a text notebook, and of written answers; exercises come on top."""
    rows = [row for row in text.splitlines() if row.strip() and not row.startswith(("# %%", "# ---"))]
    words = sum(len(row.split()) - 1 for row in rows if row.startswith("#"))
    code = sum(not row.startswith("#") for row in rows)
    blanks = sum(TASKS[task].get("minutes", 0) for task in tasks_of(lab))  # a row that is begun may lack them
    answers = sum(row["lab"] == lab for row in QUESTIONS.values())
    return blanks + words / WORDS + code / LINES + answers * ANSWER


def graded_cells(text: str) -> list[str]:
    """Ids of the cells of a text notebook that are graded, in their order."""
    found = []
    for cell in re.split(r"^(?=# %%)", text, flags=re.MULTILINE)[1:]:
        header, _, body = cell.partition("\n")
        check = None if "[markdown]" in header else re.match(r'\n*check\("(.+?)"\)', body)
        if name := check or re.search(r'\banswer="(.+?)"', header):
            found.append(name[1])
    return found


def misplaced(lab: str, ids: list[str]) -> Iterator[str]:
    """What is wrong with the graded cells of a lab's notebook, or with the ids of its cells."""
    tasks, questions = ([n for n, row in table.items() if row["lab"] == lab] for table in (TASKS, QUESTIONS))
    if lacking := [name for name in tasks if name not in ids]:
        yield f'lacks a cell for {", ".join(lacking)}: begin one with `check("{lacking[0]}")`'
    if lacking := [name for name in questions if name not in ids]:
        yield f'lacks a cell for {", ".join(lacking)}: head one with `# %% [markdown] answer="{lacking[0]}"`'
    if foreign := sorted({name for name in ids if name in TASKS | QUESTIONS} - {*tasks, *questions}):
        yield f"has a cell for another lab's {', '.join(foreign)}"
    if twice := sorted(name for name, count in Counter(ids).items() if count > 1):
        yield f"uses a cell id twice: {', '.join(twice)}"


def nothing_is_left_over() -> Iterator[str]:
    """Regions and probes of tasks that are gone, or are another lab's."""
    for module in MODULES.values():
        for task in regions(solution(module).read_text(encoding="utf-8")):
            if task not in TASKS:
                yield f"solutions/{module}.py marks {task}, which {ROWS} does not have"
            elif module_of(task) != module:
                yield f"solutions/{module}.py marks {task}, which belongs into solutions/{module_of(task)}.py"
    for task in probe_functions().keys() - TASKS.keys():
        yield f"{PROBES}/ has a probe for {task}, which {ROWS} does not have"
