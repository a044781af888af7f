"""The notebook that is graded: the released one, with written answers and pictures of a submission put in.

Tags, ids, metadata, attachments and code of a submitted notebook count for nothing, so nothing has to be undone.
"""

import copy

from nbformat import NotebookNode, from_dict  # not new_output, which checks each against a schema, by the thousand
from nbgrader.utils import is_grade, is_solution

from .plain import plain

ANSWER = 20_000  # characters of one, at most
LESS_THAN = "&lt;"  # so that no viewer takes an answer's text for HTML


def is_test(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and is_grade(cell)


def is_answer(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and is_grade(cell) and is_solution(cell)


def rebuilt(released: NotebookNode, cells: list[dict]) -> NotebookNode:
    """What cannot be found in a submission's cells (see `cells`) stays as it was released."""
    notebook, before = copy.deepcopy(released), ""
    for cell in notebook.cells:
        if is_answer(cell):
            cell.source = answer(cell, cells, before)
        elif cell.cell_type == "code":
            same = find(cells, id=cell.get("id")) or find(cells, source=cell.source)
            cell.outputs = [shown(output) for output in same["outputs"]] if same and not is_test(cell) else []
            cell.execution_count = None
        before = cell.source
    return notebook


def find(cells: list[dict], **wanted) -> dict | None:
    ((key, value),) = wanted.items()
    return next((cell for cell in cells if value and cell.get(key) == value), None)


def answer(cell: NotebookNode, cells: list[dict], question: str) -> str:
    """What was written: found by its grade id, its cell id, or by standing behind the question."""
    behind = next((b for a, b in zip(cells, cells[1:]) if question and a["source"] == question), None)
    for found in (find(cells, grade_id=cell.metadata.nbgrader.grade_id), find(cells, id=cell.get("id")), behind):
        if found and found["source"].strip() not in ("", cell.source):
            return plain(found["source"], ANSWER).replace("<", LESS_THAN)
    return cell.source


def shown(output: dict[str, str]) -> NotebookNode:
    """Of a cell that is not run again, for the human grader."""
    if "png" in output:
        data = {"image/png": output["png"], "text/plain": "picture"}
        return from_dict({"output_type": "display_data", "data": data, "metadata": {}})
    return from_dict({"output_type": "stream", "name": "stdout", "text": output["text"]})


def scored(notebook: NotebookNode, verdicts: dict[str, tuple[float, str]]) -> NotebookNode:
    """Points and a message in every graded cell: nbgrader's SaveAutoGrades takes the number as it stands.

    A cell without a verdict gets 0: no output at all would mean full points.
    """
    for cell in filter(is_test, notebook.cells):
        points, message = verdicts.get(cell.metadata.nbgrader.grade_id, (0.0, "This task was not graded."))
        number = {"data": {"text/plain": str(float(points))}, "metadata": {}, "execution_count": None}
        cell.outputs = [from_dict({"output_type": "execute_result", **number}), shown({"text": message})]
    return notebook
