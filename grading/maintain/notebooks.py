"""Text notebooks to .ipynb: nbgrader's metadata and fixed cell ids added, executed on the reference.

In the text, `check("vae-1")` as first line makes a graded cell, the tag `setup` the locked cell that imports, and
`answer="vae-q1"` a written answer; points come from tasks.toml. Everything else is copied.
"""

import hashlib
import json
import math
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from starter.support import features, runs
from starter.support.checks import AUTOTEST_SEED
from starter.support.full import previews

from ..content.mistake import Mistake
from ..content.overlay import ROOT, overlay
from ..content.tasks import MODULES, QUESTIONS, TASKS, UNANSWERED
from .structure import misplaced

FOLDER = ROOT / "notebooks"
DRAWING = ("plots.py", "alt_text.py", "diagrams.py", "densities.py", "full/previews.py")
SCORE = f'"{features.MNIST.score}"'
WIDGET = "application/vnd.jupyter.widget-view+json"


def texts() -> list[Path]:
    return sorted(FOLDER.glob("[0-9]*.py"))


def marked(cell: nbformat.NotebookNode) -> None:
    """Give a cell its nbgrader metadata; a graded one also its line for plain nbgrader."""
    rules: dict[str, object] = {"schema_version": 3, "grade": False, "locked": True, "solution": False, "task": False}
    if check := re.match(r'check\("(.+?)"\)', cell.source if cell.cell_type == "code" else ""):
        task = known(check[1], TASKS)
        rules |= {"grade_id": task, "grade": True, "points": TASKS[task]["points"]}
        cell.source += f'\n### AUTOTEST probe("{task}", {AUTOTEST_SEED})'
    elif "setup" in cell.metadata.get("tags", ()):
        rules |= {"grade_id": "setup"}
    elif "answer" in cell.metadata:
        question = known(cell.metadata.pop("answer"), QUESTIONS)
        if cell.source != UNANSWERED:
            raise ValueError(f"the cell of {question} holds more than {UNANSWERED!r}: {cell.source[:80]!r}")
        points = QUESTIONS[question]["points"]
        rules |= {"grade_id": question, "grade": True, "points": points, "locked": False, "solution": True}
    else:
        return
    cell.metadata["nbgrader"] = rules


def known(name: str, table: dict) -> str:
    if name not in table:
        raise ValueError(f"{name} is not in tasks.toml, which has {', '.join(table)}")
    return name


def read(text: Path) -> nbformat.NotebookNode:
    """The notebook that a text file describes, without outputs. Cell ids come from tasks and headings.

    Raises:
        ValueError: an unknown task or question, one that the lab lacks or has twice, or an answer that is given.
    """
    notebook = jupytext.read(text, fmt="py:percent")
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    heading, number = "top", 0
    for cell in notebook.cells:
        try:
            marked(cell)
        except ValueError as wrong:
            raise ValueError(f"{text.name}: {wrong}") from None
        if title := re.match(r"#+ (.*)", cell.source if cell.cell_type == "markdown" else ""):
            heading, number = re.sub(r"[^a-z0-9]+", "-", title[1].lower()).strip("-")[:40].strip("-"), 0
        cell.id = cell.metadata.get("nbgrader", {}).get("grade_id") or f"{heading}-{number}"
        number += 1
    for words in misplaced(text.stem, [cell.id for cell in notebook.cells]):
        raise ValueError(f"{text.name} {words}")
    nbformat.validate(notebook)
    return notebook


def executed(
    text: Path, modules: dict[str, str] | None = None, keep_going: bool = False, **environment: str
) -> nbformat.NotebookNode:
    """The notebook with its outputs on the reference, or on the reference with some modules replaced.

    Raises:
        Mistake: a cell fails, unless `keep_going`.
    """
    notebook = read(text)
    with tempfile.TemporaryDirectory() as folder:
        work = overlay(Path(folder), modules) / "notebooks"
        work.mkdir()
        for name in ("datasets", "results"):  # what a notebook may read of the course beside starter/
            (Path(folder) / name).symlink_to(ROOT / name)
        settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": folder, "TQDM_DISABLE": "1"}  # bars are not stored
        settings["RUNS"] = str(work / "runs")
        kernel = {**os.environ, **settings, **environment}
        resources = {"metadata": {"path": str(work)}}
        client = NotebookClient(notebook, allow_errors=keep_going, coalesce_streams=True, resources=resources)
        client.timeout, client.startup_timeout = 600, 300
        try:
            client.execute(env=kernel)
        except CellExecutionError as error:
            cell = next(cell.id for cell in notebook.cells if failed(cell))
            words = f"{error.ename}: {' '.join(error.evalue.split())}"
            raise Mistake(f"notebooks/{text.name}: its cell {cell} fails on the reference: {words}") from error
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(normalised, cell.outputs) if output]
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    notebook.metadata["plots"] = drawn_with(text)
    return notebook


def failed(cell: nbformat.NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def drawn_with(text: Path) -> str:
    """A mark of what draws a notebook's pictures, and of what it shows of full-size runs: results, images of models.

    nbval compares numbers and words; that a picture or such a table is out of date, only this mark tells.
    """
    words, support = text.read_text(encoding="utf-8"), ROOT / "starter/support"
    images, drawn = [[*(ROOT / folder).iterdir()] for folder in (previews.FOLDER, previews.DRAWN_FOLDER)]
    files = [support / name for name in DRAWING]
    shown = {path for path in images + drawn if f'"{path.stem.rpartition("-")[0]}"' in words}
    files += sorted(shown.union(drawn if "full.drawn()" in words else ()))
    if '"results"' in words:  # a table of what draws: results without this score are not in it
        files += [path for path in sorted((ROOT / "results").glob("*-mnist.json")) if SCORE in path.read_text("utf-8")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def normalised(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Outputs as they are stored: no residue of progress bars, and no widgets, which need a live kernel."""
    if output.output_type == "stream":
        output.text = re.sub(r"[^\n]*\r", "", output.text)
        return output  # also when it is empty now: nbval wants the same kinds of output
    return None if WIDGET in output.get("data", {}) else output


def build(text: Path) -> None:
    """Execute and write, with the runs that it records as the reference's; nothing is written when a cell fails."""
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(executed(text, RUNS=folder), text.with_suffix(".ipynb"))
        if text.stem in MODULES:  # the comparison only reads them
            keep_changed(Path(folder), runs.REFERENCE)


def keep_changed(fresh: Path, kept: Path) -> None:
    """Copy each run whose numbers changed, with its picture. Times, and the noise of another processor, are none."""
    for path in sorted(fresh.glob("*/*.json")):  # one folder for each data set; guesses lie beside them
        old = kept / path.relative_to(fresh)
        if not old.exists() or not alike(json.loads(path.read_text()), json.loads(old.read_text())):
            old.parent.mkdir(parents=True, exist_ok=True)
            for file in (path, path.with_suffix(".png")):
                shutil.copy(file, old.with_suffix(file.suffix))


def alike(one: Any, other: Any) -> bool:
    """The same numbers and words, to a thousandth."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = (one.keys() | other.keys()) - runs.TIMES
        return all(key in one and key in other and alike(one[key], other[key]) for key in keys)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-6) if numbers else one == other


def form(notebook: nbformat.NotebookNode) -> list[tuple]:
    return [(cell.id, cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]


def stale(text: Path) -> bool:
    """Do text and notebook disagree in anything but outputs, or has the notebook none, or pictures of other plots?"""
    path = text.with_suffix(".ipynb")
    if not path.exists():
        return True
    notebook = nbformat.read(path, as_version=4)
    return form(notebook) != form(read(text)) or notebook.metadata.get("plots") != drawn_with(text)


def reworded(text: Path) -> bool:
    """Write the notebook with the twin's words and the outputs that it has; False where code has changed: run it."""
    path = text.with_suffix(".ipynb")
    if not path.exists():
        return False
    stored, fresh = nbformat.read(path, as_version=4), read(text)
    before, after = ([cell for cell in one.cells if cell.cell_type == "code"] for one in (stored, fresh))
    asks = [(cell.source, cell.metadata) for cell in before] == [(cell.source, cell.metadata) for cell in after]
    if not asks or stored.metadata.get("plots") != drawn_with(text):
        return False
    for old, new in zip(before, after):
        new.outputs, new.execution_count = old.outputs, old.execution_count
    fresh.metadata = stored.metadata
    nbformat.write(fresh, path)
    return True


if __name__ == "__main__":
    for name in sys.argv[1:] or [text.stem for text in texts()]:
        build(FOLDER / f"{name}.py")
