"""The notebook that is graded: the released one, with written answers and pictures of a submission put in.

Tags, ids, metadata, attachments and code of a submitted notebook count for nothing, so nothing has to be undone.
"""

import base64
import copy
import io
import json

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.utils import is_grade, is_solution
from PIL import Image

from .plain import plain

NOTEBOOK, ANSWER, TEXT = 20 << 20, 20_000, 10_000  # at most: bytes of a notebook, characters of an answer, of an output
PICTURES, PIXELS, PICTURE = 40, 4_000_000, 2 << 20  # at most: pictures of a notebook, pixels and bytes of one
OUTPUTS = 12  # of one cell
LESS_THAN = "&lt;"  # so that no viewer takes an answer's text for HTML


def is_test(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and is_grade(cell)


def is_answer(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and is_grade(cell) and is_solution(cell)


def rebuilt(released: NotebookNode, handed_in: bytes | None) -> NotebookNode:
    """Never fails: what cannot be found or read in a submission stays as it was released."""
    notebook, cells, before = copy.deepcopy(released), cells_of(handed_in or b""), ""
    pictures = iter(range(PICTURES))
    for cell in notebook.cells:
        if is_answer(cell):
            cell.source = answer(cell, cells, before)
        elif cell.cell_type == "code":
            same = find(cells, id=cell.get("id")) or find(cells, source=cell.source)
            cell.outputs = [] if is_test(cell) else outputs(same, pictures)
            cell.execution_count = None
        before = cell.source
    return notebook


def cells_of(handed_in: bytes) -> list[dict]:
    """The cells of a submitted notebook as plain dictionaries; none when it is not a notebook."""
    try:
        cells = json.loads(handed_in[: NOTEBOOK + 1])["cells"]
        return [{**cell, "source": joined(cell.get("source")), "grade_id": grade_id(cell)} for cell in cells]
    except Exception:  # not JSON, another version, nested too deep, parts of other types: no notebook
        return []


def joined(text) -> str:
    """nbformat allows a text as a list of lines."""
    text = "".join(map(str, text)) if isinstance(text, list) else text
    return text.replace("\r\n", "\n") if isinstance(text, str) else ""


def grade_id(cell: dict) -> str | None:
    rules = cell.get("metadata", {}).get("nbgrader", {})
    return rules.get("grade_id") if isinstance(rules, dict) else None


def find(cells: list[dict], **wanted) -> dict | None:
    ((key, value),) = wanted.items()
    return next((cell for cell in cells if value and cell.get(key) == value), None)


def answer(cell: NotebookNode, cells: list[dict], question: str) -> str:
    """What was written: found by its grade id, its cell id, or by standing behind the question."""
    behind = next((b for a, b in zip(cells, cells[1:]) if question and a["source"] == question), None)
    for found in (find(cells, grade_id=cell.metadata.nbgrader.grade_id), find(cells, id=cell.get("id")), behind):
        if found and found["source"].strip() and found["source"] != cell.source:
            return plain(found["source"], ANSWER).replace("<", LESS_THAN)
    return cell.source


def outputs(cell: dict | None, pictures) -> list[NotebookNode]:
    """Pictures and text of a cell that is not run again, for the human grader; nothing that a browser executes."""
    found = cell.get("outputs") if cell else None
    kept = [passive(output, pictures) for output in found[:OUTPUTS]] if isinstance(found, list) else []
    return [output for output in kept if output]


def passive(output, pictures) -> NotebookNode | None:
    if not isinstance(output, dict) or output.get("name") == "stderr":  # progress bars
        return None
    data = output.get("data") if isinstance(output.get("data"), dict) else {}
    png = joined(data.get("image/png"))
    if png and len(png) < 2 * PICTURE and next(pictures, None) is not None and (drawn := picture(png)):
        return new_output("display_data", data={"image/png": drawn, "text/plain": "picture"})
    text = joined(output.get("text")) or joined(data.get("text/plain")) or joined(output.get("evalue"))
    return new_output("stream", name="stdout", text=plain(text, TEXT)) if text and not png else None


def picture(encoded: str) -> str | None:
    """A PNG decoded and encoded afresh: what was hidden beside the pixels is gone. None when it is not one."""
    try:
        fresh = io.BytesIO()
        with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=["PNG"]) as image:
            if image.width * image.height > PIXELS:  # before it is decoded, and after all headers: there may be two
                return None
            image.convert("RGBA").save(fresh, "PNG")
        return base64.b64encode(fresh.getvalue()).decode() if len(fresh.getvalue()) <= PICTURE else None
    except Exception:  # whatever a decoder raises: no picture
        return None


def scored(notebook: NotebookNode, verdicts: dict[str, tuple[float, str]]) -> NotebookNode:
    """Points and a message in every graded cell: nbgrader's SaveAutoGrades takes the number as it stands.

    A cell without a verdict gets 0: no output at all would mean full points.
    """
    for cell in filter(is_test, notebook.cells):
        points, message = verdicts.get(cell.metadata.nbgrader.grade_id, (0.0, "This task was not graded."))
        cell.outputs = [
            new_output("execute_result", data={"text/plain": str(float(points))}, execution_count=None),
            new_output("stream", name="stdout", text=message),
        ]
    return notebook
