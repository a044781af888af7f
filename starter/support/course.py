"""The course as a learner names it: labs, tasks, questions, and where her own files lie. Quick: no torch."""

import contextlib
import difflib
import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FACTS = Path(__file__).with_name("labs.json")  # generated: python -m grading build
TOP = Path(__file__).parents[2]  # holds starter/
WORK = "work"  # in the repository: a learner's own copy, see desk.py
PACKAGE = __package__.split(".")[0]


class Unknown(ValueError):
    """A name that stands for nothing; says which is near."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Missing(ValueError):
    """A file that a lab needs is not there; says which."""


@dataclass(frozen=True)
class Task:
    id: str
    symbol: str  # the function that holds its blank
    points: int
    minutes: int
    statement: str


@dataclass(frozen=True)
class Lab:
    number: int  # that its notebook begins with; the order of reading is that of `labs`
    name: str  # of its notebook, such as 02_vae
    title: str
    teaches: str
    minutes: int
    module: str | None  # such as vae; the comparison has none
    builds_on: tuple[str, ...]  # names of labs whose modules it, or its notebook, imports
    tasks: dict[str, Task]
    questions: dict[str, int]  # id -> points

    @property
    def points(self) -> int:
        return sum(task.points for task in self.tasks.values()) + sum(self.questions.values())

    @property
    def place(self) -> str | None:
        """Its module, as messages name it."""
        return f"{PACKAGE}/{self.module}.py" if self.module else None

    @property
    def names(self) -> set[str]:
        """All that it is called, written as `plain` writes."""
        names = {self.name, self.name.partition("_")[2], self.module or self.name, str(self.number)}
        names |= {f"lab-{self.number}", f"lab{self.number}"} | {
            known.partition("-")[0] for known in (*self.tasks, *self.questions)
        }
        return {plain(name) for name in names}


@cache
def labs() -> dict[str, Lab]:
    """All labs by name, in the order of reading."""
    found = {}
    for name, row in facts()["labs"].items():
        tasks = {task: Task(task, **known) for task, known in row.pop("tasks").items()}
        found[name] = Lab(int(name.partition("_")[0]), name, tasks=tasks, builds_on=tuple(row.pop("builds_on")), **row)
    return found


def facts() -> dict:
    return json.loads(FACTS.read_text(encoding="utf-8"))


def noted(path: Path) -> dict:
    """What the course has noted for itself in a file; nothing where it is missing or damaged, for it is no work."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


@cache
def unanswered() -> str:
    """Stands where an answer is to be written."""
    return facts()["unanswered"]


def lab_of(name: str) -> Lab:
    """Of a task or a question, by its exact id."""
    return next(lab for lab in labs().values() if name in lab.tasks or name in lab.questions)


def plain(text: str) -> str:
    """A name as people type it: VAE_1, vae1, notebooks\\02_vae.ipynb and starter/vae.py lose what does not matter."""
    name = re.split(r"[/\\]", text.strip().strip("'\"").rstrip("/\\"))[-1].lower()
    name = re.sub(r"[\s_–—−.]+", "-", re.sub(r"\.(ipynb|py)$", "", name)).strip("-")
    name = re.sub(r"^0+(?=\d)", "", name)
    return re.sub(r"^([a-z]+)-?(q?)-?0*(\d+)$", r"\1-\2\3", name)


def named(text: str) -> Lab | str:
    """What a name stands for: a lab, or the id of a task or question.

    Raises:
        Unknown: nothing, or several labs.
    """
    name = plain(text)
    ids = [known for lab in labs().values() for known in (*lab.tasks, *lab.questions)]
    if name in ids:
        return name
    if exact := [lab for lab in labs().values() if name in lab.names]:
        return exact[0]
    begun = [lab for lab in labs().values() if len(name) > 2 and any(known.startswith(name) for known in lab.names)]
    if len(begun) == 1:
        return begun[0]
    raise Unknown(several(text, begun) if begun else unknown(text, name, ids))


def several(text: str, found: list[Lab]) -> str:
    return f"{text!r} may be any of {', '.join(lab.name for lab in found)}: which?"


def unknown(text: str, name: str, ids: list[str]) -> str:
    family = name.rpartition("-")[0]
    if re.fullmatch(r".+-q?\d+", name):
        for lab in labs().values():
            if family in {lab.module and plain(lab.module), *(task.rpartition("-")[0] for task in lab.tasks)}:
                tasks, questions = [*lab.tasks], [*lab.questions]
                more = f", and the questions {' and '.join(questions)}" if questions else ""
                return f"there is no {text!r}: lab {lab.number} has the tasks {tasks[0]} to {tasks[-1]}{more}"
    words = {known: known for known in ids} | {known: lab.name for lab in labs().values() for known in lab.names}
    near = [] if name.isdigit() else difflib.get_close_matches(name, words, n=1, cutoff=0.6)
    guess = f"did you mean {words[near[0]]}?" if near else "name a lab or one of its tasks, such as vae or vae-1."
    return f"there is no task, question or lab {text!r}; {guess} Labs: {', '.join(labs())}"


def lab_named(text: str) -> Lab:
    """A lab, also by one of its tasks or questions.

    Raises:
        Unknown: there is none.
    """
    found = named(text)
    return found if isinstance(found, Lab) else lab_of(found)


def tasks_named(text: str) -> list[str]:
    """A task, or all tasks of a lab.

    Raises:
        Unknown: there is none, or it is a question.
    """
    found = named(text)
    if isinstance(found, Lab):
        if not found.tasks:
            raise Unknown(f"{found.name} has no tasks, only questions: `python -m {PACKAGE} progress {found.number}`")
        return [*found.tasks]
    if found not in lab_of(found).tasks:
        raise Unknown(f"{found} is a written question, which a human grades: `python -m {PACKAGE} answer {found}`")
    return [found]


def task_named(text: str) -> str:
    """
    Raises:
        Unknown: there is no such task, or it is a whole lab.
    """
    found = tasks_named(text)
    if len(found) > 1:
        raise Unknown(f"{text!r} is a whole lab: name one of its tasks, {found[0]} to {found[-1]}")
    return found[0]


def own() -> Path:
    """The folder that a learner works in: her own copy in the repository, or all of a lab's zip."""
    copy = TOP / WORK
    return copy if (copy / PACKAGE).is_dir() else TOP


def module_of(lab: Lab) -> Path:
    """The file that holds a lab's blanks: found as Python would import it, without importing it.

    Raises:
        Missing: there is none.
    """
    spec = importlib.util.find_spec(f"{PACKAGE}.{lab.module}")
    if spec is None or spec.origin is None:
        raise Missing(f"There is no file {lab.place}: `python -m {PACKAGE} reset {lab.module}` restores it, blank.")
    return Path(spec.origin)


def notebook_of(lab: str) -> Path:
    """In a learner's own copy and in a lab's zip it lies beside starter/, in the repository in notebooks/.

    Raises:
        Missing: there is none.
    """
    places = [own() / f"{lab}.ipynb", TOP / "notebooks" / f"{lab}.ipynb"]
    if found := next((path for path in places if path.exists()), None):
        return found
    raise Missing(f"there is no {lab}.ipynb in {own()}: your answers are looked for there")


def cells_of(notebook: Path) -> list[dict]:
    """
    Raises:
        Missing: it is no notebook.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [{**cell, "metadata": {**cell["metadata"]}, "source": "".join(cell["source"])} for cell in cells]
    except (ValueError, KeyError, TypeError):
        raise Missing(f"{notebook.name} cannot be read as a notebook: open it in Jupyter, and save it") from None


def written(question: str, notebook: Path) -> str:
    """What stands in the cell of a question; empty when the cell is gone.

    Raises:
        Missing: it is no notebook.
    """
    for cell in cells_of(notebook):
        if question in (cell.get("id"), (cell["metadata"].get("nbgrader") or {}).get("grade_id")):
            return cell["source"].strip()
    return ""
