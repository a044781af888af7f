"""The notebook that is graded: the released one, with written answers and pictures of a submission put in.

Tags, ids, metadata and code of a submitted notebook count for nothing, so nothing has to be undone.
"""

import copy
import hashlib
import re
from typing import TYPE_CHECKING

from nbformat import NotebookNode, from_dict  # not new_output, which checks each against a schema, by the thousand
from nbgrader.utils import is_grade, is_solution

from ..content.harmless_text import line, plain
from ..content.tasks import MODEL_ANSWERS, TASKS, rubric_of
from .markdown import LIMIT, as_cell, code, rendered

if TYPE_CHECKING:
    from ..judge.submitted_cells import Cell

GUIDE = """**For the grader: {name}.** The learner's feedback page shows answer and rubric, too.

**Model answer.** {answer}

**Rubric.**

{rubric}

**Often written instead.** {misconceptions}
"""
UNREADABLE = "The notebook could not be read: {why}. What is written in it waits for a human who opens it."


def is_test(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and is_grade(cell)


def is_answer(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and is_grade(cell) and is_solution(cell)


def rebuilt(released: NotebookNode, cells: "list[Cell]", unreadable: str = "", raw: bytes = b"") -> NotebookNode:
    """What cannot be found in a submission's cells (see `cells`) stays as it was released.

    Args:
        unreadable: why `raw`, what was handed in, has no cells. Then every answer says so: a text that is not the
            released one gets no points from nbgrader itself, but waits for a human.
    """
    notebook, before = copy.deepcopy(released), ""
    for cell in notebook.cells:
        question, before = before, cell.source
        if is_answer(cell) and unreadable:
            cell.source = as_cell(rendered(UNREADABLE.format(why=line(unreadable))))
            cell.metadata.written = mark(hashlib.sha256(raw).hexdigest())
        elif is_answer(cell) and (found := submitted(cell, cells, question)):
            text, pictures = plain(found["source"], LIMIT), found.get("pictures", {})
            cell.source, cell.metadata.written = as_cell(rendered(text, pictures)), mark(text, pictures)
        elif cell.cell_type == "code":
            same = find(cells, id=cell.get("id")) or find(cells, source=cell.source)
            cell.outputs = [as_output(output) for output in same["outputs"]] if same and not is_test(cell) else []
            cell.execution_count = None
    return notebook


def find(cells: "list[Cell]", **wanted: str | None) -> "Cell | None":
    ((key, value),) = wanted.items()
    return next((cell for cell in cells if value and cell.get(key) == value), None)


def submitted(cell: NotebookNode, cells: "list[Cell]", question: str) -> "Cell | None":
    """What was written: found by its grade id, its cell id, or by standing behind the question."""
    behind = next((b for a, b in zip(cells, cells[1:]) if question and a["source"] == question), None)
    places = (find(cells, grade_id=cell.metadata.nbgrader.grade_id), find(cells, id=cell.get("id")), behind)
    return next((found for found in places if found and found["source"].strip() not in ("", cell.source)), None)


def mark(text: str, pictures: dict[str, str] | None = None) -> str:
    """Of what was written, however it is shown."""
    parts = [text, *(f"{name}\0{uri}" for name, uri in sorted((pictures or {}).items()))]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def written(notebook: NotebookNode, module: bytes) -> dict[str, tuple[str, float]]:
    """Of each graded cell: a mark of what was handed in for it, and the points that it is worth."""
    code, found = hashlib.sha256(module).hexdigest(), dict[str, tuple[str, float]]()
    for cell in filter(is_grade, notebook.cells):
        text = cell.source.replace("&lt;", "<")  # the first edition kept the text itself, with this one change
        made = code if is_test(cell) else cell.metadata.get("written") or mark(text)
        found[cell.metadata.nbgrader.grade_id] = (made, cell.metadata.nbgrader.points)
    return found


def as_output(output: dict[str, str]) -> NotebookNode:
    """Of a cell that is not run again, for the human grader."""
    if "png" in output:
        data = {"image/png": output["png"], "text/plain": "picture"}
        return from_dict({"output_type": "display_data", "data": data, "metadata": {}})
    return from_dict({"output_type": "stream", "name": "stdout", "text": output["text"]})


def scored(notebook: NotebookNode, verdicts: dict[str, tuple[float, str]], module: bytes = b"") -> NotebookNode:
    """Points, a message and what was filled in, in every graded cell: nbgrader's SaveAutoGrades takes the number as is.

    A cell without a verdict gets 0: no output at all would mean full points.
    """
    lines = module.decode(errors="replace").splitlines()
    for cell in filter(is_test, notebook.cells):
        name = cell.metadata.nbgrader.grade_id
        points, message = verdicts.get(name, (0.0, "This task was not graded."))
        number = {"data": {"text/plain": str(float(points))}, "metadata": {}, "execution_count": None}
        cell.outputs = [from_dict({"output_type": "execute_result", **number}), as_output({"text": message})]
        if text := function(lines, TASKS[name]["symbol"]):
            cell.outputs.append(as_output({"text": text}))
    return notebook


def function(lines: list[str], symbol: str) -> str:
    """A function or method as it was handed in, without its docstring; found by indentation: no strange code is parsed.

    Of several with one name the last counts, as in Python.
    """
    for depth, part in enumerate(symbol.split(".")):
        margin = "    " * depth
        heads = [i for i, text in enumerate(lines) if re.match(rf"{margin}(async def|def|class) {part}\b", text)]
        if not heads:
            return ""
        lines = lines[heads[-1] :]
        ends = (i for i, text in enumerate(lines) if i and re.match(rf"\s{{0,{len(margin)}}}[^\s)]", text))
        lines = lines[: next(ends, None)]
    begin, *others = [i for i, text in enumerate(lines) for _ in range(text.count('"""'))][:2] or [len(lines)]
    return plain("\n".join(lines[:begin] + lines[max([begin, *others]) + 1 :]).rstrip(), 5000)


def guided(notebook: NotebookNode, module: bytes = b"") -> NotebookNode:
    """Behind each written answer, for formgrader: what a good one says, for how many points. No cell of nbgrader's.

    Below it stand the functions that were filled in just before the question, or before one that it follows.
    """
    lines, cells, asked = module.decode(errors="replace").splitlines(), [], False
    tasks: list[str] = []
    for cell in notebook.cells:
        cells.append(cell)
        if is_test(cell):
            tasks, asked = ([] if asked else tasks) + [cell.metadata.nbgrader.grade_id], False
        elif is_answer(cell) and (name := cell.metadata.nbgrader.grade_id) in MODEL_ANSWERS:
            locked = {"editable": False, "deletable": False}
            cells.append(from_dict({"cell_type": "markdown", "id": f"{name}-guide", "metadata": locked}))
            cells[-1].source = guide(name) + filled_in(lines, tasks)
            asked = True
    notebook.cells = cells
    return notebook


def filled_in(lines: list[str], tasks: list[str]) -> str:
    """Functions as they were handed in, as a part of a Markdown cell in which they can do nothing."""
    texts = {name: text for name in tasks if (text := function(lines, TASKS[name]["symbol"]))}
    shown = "\n\n".join(texts.values())
    return f"\n**Filled in before this question: {', '.join(texts)}.**\n\n{code(shown)}\n" if texts else ""


def guide(name: str) -> str:
    row = MODEL_ANSWERS[name]
    rubric = "\n".join(f"- {says}" for says in rubric_of(name))
    return GUIDE.format(name=name, answer=row["answer"].strip(), rubric=rubric, misconceptions=row["misconceptions"])
