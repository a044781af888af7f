"""A new task, begun: its row, region, probe, answers and cell, each with places that `make check` asks to be filled."""

import ast
import re
import tomllib
from dataclasses import dataclass

from ..content.knife import regions
from ..content.mistake import Mistake
from ..content.overlay import ROOT
from ..content.reference_text import functions, solution
from ..content.tasks import MODULES, TASKS, tasks_of
from .structure import ANSWERS, LEAST_RIGHT, LEAST_WRONG, PROBES, ROWS, rows_have_their_place, sources_can_be_read

ROW = """[[task]]
id = "{task}"
lab = "{lab}"
symbol = "{symbol}"
points = 0
minutes = 0
difficulty = 0
statement = ""
hints = []

"""
FUNCTION = '''

def {symbol}() -> Tensor:
    """"""
    # TODO {task}:
    # BEGIN SOLUTION {task}
    raise NotImplementedError("{task}")
    # END SOLUTION
'''
PROBE = """

@probe("{task}")
def {symbol}(module: ModuleType, draw: Draw) -> Arrays:
    raise NotImplementedError("{task}")
"""
ANSWER = {
    "wrong": '\n[[wrong]]\nid = "{task}-"\nkind = ""\nbelieves = ""\nfind = ""\nreplace = ""\nsays = ""\n',
    "right": '\n[[right]]\nid = "{task}-"\nfind = ""\nreplace = ""\n',
}
CELL = """# %% [markdown]
# TODO {task}: the idea, and what to predict

# %%
check("{task}")  # starter/{module}.py, {symbol}

"""


@dataclass(frozen=True)
class Start:
    """What is known of a task when it begins."""

    task: str
    lab: str
    module: str
    symbol: str
    after: str  # the task of the lab that it follows

    def fill(self, text: str) -> str:
        return text.format(task=self.task, lab=self.lab, module=self.module, symbol=self.symbol)


def new_task(task: str, symbol: str, after: str | None = None) -> list[str]:
    """Write the beginnings of a task into the five files that hold one; their names.

    Raises:
        Mistake: it cannot be begun like this; nothing is written.
    """
    for words in (*sources_can_be_read(), *rows_have_their_place()):
        raise Mistake(words)
    start = begun(task, symbol, after)
    made = {
        ROWS: with_row,
        f"solutions/{start.module}.py": with_function,
        f"{PROBES}/{start.module}.py": with_probe,
        f"{ANSWERS}/{start.module}.toml": with_answers,
        f"notebooks/{start.lab}.py": with_cell,
    }
    texts = {name: write(start, (ROOT / name).read_text(encoding="utf-8")) for name, write in made.items()}
    for name, text in texts.items():
        (ROOT / name).write_text(text, encoding="utf-8")
    return [*texts]


def begun(task: str, symbol: str, after: str | None) -> Start:
    """
    Raises:
        Mistake: the id or the function is there already; no lab's tasks are called so, or none that it can follow.
    """
    if not re.fullmatch(r"[a-z]+-[1-9]\d*", task):
        raise Mistake(f"a task is called like vae-1, letters and a number, not {task!r}")
    if task in TASKS:
        raise Mistake(f"there is a {task} already, {TASKS[task].get('symbol')}() of {TASKS[task]['lab']}")
    labs = {name.partition("-")[0]: row["lab"] for name, row in TASKS.items()}
    if (prefix := task.partition("-")[0]) not in labs:
        known = ", ".join(f"{name} ({lab})" for name, lab in labs.items())
        raise Mistake(f"no lab with a module has tasks called {prefix}-1: it is one of {known}")
    lab = labs[prefix]
    after = after or [name for name in tasks_of(lab) if name.startswith(f"{prefix}-")][-1]
    if after not in tasks_of(lab):
        raise Mistake(f"--after names a task of {lab}, one of {', '.join(tasks_of(lab))}, not {after!r}")
    source = solution(MODULES[lab]).read_text(encoding="utf-8")
    if not symbol.isidentifier():
        raise Mistake(f"--symbol is the name of a function, not {symbol!r}")
    if symbol in {function.name for function in functions(source)}:
        raise Mistake(f"solutions/{MODULES[lab]}.py has a function {symbol}() already: rename it, or take another name")
    return Start(task, lab, MODULES[lab], symbol, after)


def with_row(start: Start, text: str) -> str:
    """The table with a row behind that of the task that it follows; nothing else in it changes."""
    lines = text.splitlines(keepends=True)
    heads = [number for number, line in enumerate(lines) if line.startswith("[")] + [len(lines)]
    row = next((n for n, line in enumerate(lines) if re.match(rf'id *= *"{start.after}"', line)), len(lines))
    end = min((number for number in heads if number > row), default=len(lines))
    found = "".join([*lines[:end], start.fill(ROW), *lines[end:]])
    table, names = tomllib.loads(found), [*TASKS]
    names.insert(names.index(start.after) + 1, start.task)
    if [row["id"] for row in table["task"]] != names:
        raise Mistake(f"{ROWS}: the row of {start.after} cannot be found: write {start.task} behind it by hand")
    return found


def with_function(start: Start, text: str) -> str:
    """A module with the function behind what holds the answer of the task before it."""
    region = regions(text).get(start.after, slice(0, 0))
    holds = [node for node in ast.parse(text).body if node.lineno <= region.start and ends(node) >= region.stop]
    if not holds:
        raise Mistake(f"solutions/{start.module}.py has no region of {start.after} in a function: put that right first")
    return behind(text, max(ends(holds[0]), region.stop + 1), start.fill(FUNCTION))


def with_probe(start: Start, text: str) -> str:
    """Probes with one behind that of the task before it, or at the end."""
    marks = [node for node in ast.parse(text).body if f"@probe('{start.after}'" in ast.unparse(node)]
    return behind(text, ends(marks[0]) if marks else len(text.splitlines()), start.fill(PROBE))


def ends(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def behind(text: str, line: int, more: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:line], more, *lines[line:]])


def with_answers(start: Start, text: str) -> str:
    """The catalogue with as many empty entries as a task needs at least."""
    return text.rstrip("\n") + "\n" + start.fill(LEAST_WRONG * ANSWER["wrong"] + LEAST_RIGHT * ANSWER["right"])


def with_cell(start: Start, text: str) -> str:
    """A text notebook with a cell that checks the task, behind the one of the task before it."""
    cells = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)
    place = next((n for n, cell in enumerate(cells) if re.match(rf'# %%.*\n+check\("{start.after}"\)', cell)), None)
    if place is None:
        raise Mistake(f"notebooks/{start.lab}.py has no cell for {start.after}: put that right first")
    return "".join([*cells[: place + 1], start.fill(CELL), *cells[place + 1 :]])
