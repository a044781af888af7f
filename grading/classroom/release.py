"""Release a lab: nbgrader's source/ and release/ with blanks, and the zip that learners get."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..content.edition import edition
from ..content.knife import LOOSE
from ..content.mistake import Mistake
from ..content.overlay import ROOT, blanks, overlay
from ..content.tasks import LABS, MODULES, files_of
from . import settings
from .course_folder import Course, for_nbgrader, replace
from .gradebook import not_lost

NOTEBOOKS = ROOT / "notebooks"
README = """# {title}

1. `pip install -r requirements.txt` (Python 3.11 or newer; once for all labs), then `python -m starter lab`.
2. {work}
{earlier}3. `python -m starter submit {lab}` packs what you hand in, a zip with {files}; nothing else is read.

Version {edition} of the course.
"""
WORK = "Fill the blanks in `{module}`; the notebook checks each of them and gives hints."
READ = "Run the notebook and write your answers to its questions into it."
EARLIER = "   This lab uses earlier ones: copy your own {files} over the blanks in `starter/`.\n"


def release(course: Course, lab: str, notebooks: Path = NOTEBOOKS, answers: bool = True) -> Path:
    """Make a lab ready for learners and for grading; the zip.

    Args:
        answers: the zip holds model answers of written questions, which `python -m starter answer` shows.

    Raises:
        Mistake: the lab's notebook is not built, or nbgrader refuses it.
    """
    notebook = notebooks / f"{lab}.ipynb"
    if not notebook.exists():
        raise Mistake(f"there is no {notebook.name} in {notebooks}: run `python -m grading build` first")
    not_lost(course)  # nbgrader would make a new one, and nobody would be told
    settings.configure(course)
    with course.alone(), scratch(course.root / ".release") as fresh:
        source, released = (fresh / step / lab for step in ("source", "release"))
        overlay(source)  # AUTOTEST lines are made from what the reference answers
        nbformat.write(quiet(nbformat.read(notebook, as_version=4)), source / notebook.name)
        generate(course, lab)
        loud_again(notebook, released / notebook.name)
        shutil.copy(released / notebook.name, source)  # tests and all: nbgrader can generate it again without an answer
        for tree in (source, released):
            put_blanks(tree)
        if not answers:
            (released / "starter/support/questions.json").unlink()
        content = zipped(lab, learners_files(released, lab))
        course.zip(lab).unlink(missing_ok=True)  # written last: without it nothing is released
        for tree in (source, released):
            old = course.folder(tree.parent.name, lab)
            shutil.rmtree(old, ignore_errors=True)
            old.parent.mkdir(exist_ok=True)
            tree.rename(old)
        replace(course.zip(lab), content)
    return course.zip(lab)


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Where solutions lie while a release is made. When that fails, what was released before is still there."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_blanks(tree: Path) -> None:
    """
    Raises:
        Mistake: an answer is still there.
    """
    for path in (tree / "starter").glob("[!_]*.py"):
        path.unlink()  # what is no lab's is somebody's own work
    for path, text in blanks().items():
        (tree / "starter" / path.name).write_text(text, encoding="utf-8")
    shutil.rmtree(tree / "starter/__pycache__", ignore_errors=True)
    for path in tree.rglob("*"):
        if path.suffix in (".py", ".ipynb") and LOOSE.search(path.read_text(encoding="utf-8")):
            name = path.relative_to(tree)
            raise Mistake(f"nothing is released: {name} holds a solution's marker; run `python -m grading check`")


def quiet(notebook: NotebookNode) -> NotebookNode:
    """Only the graded cells and the locked one keep their code: nbgrader runs every cell, and nothing has to train."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
            cell.source = ""
    return notebook


def loud_again(original: Path, target: Path) -> None:
    """Give the cells of a quiet notebook their code back."""
    sources = {cell.id: cell.source for cell in nbformat.read(original, as_version=4).cells}
    notebook = nbformat.read(target, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source or sources[cell.id]
    nbformat.write(notebook, target)


def generate(course: Course, lab: str) -> None:
    """nbgrader's own generate_assignment, in .release/ and in a process of its own: it starts a kernel."""
    for_nbgrader()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", lab, "--force"]
    command += [f"--CourseDirectory.{step}_directory=.release/{step}" for step in ("source", "release")]
    environment |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}  # nobody watches: a check says no more than that
    run = subprocess.run(command, cwd=course.root, env=environment, capture_output=True, text=True)
    if run.returncode:
        raised = re.findall(r"^\s*([\w.]*(?:Error|Exception|Wrong)\b.*)$", run.stderr, re.MULTILINE) or [
            "no reason given"
        ]
        if "Cannot add or remove cells" in raised[-1]:
            raise Mistake(
                f"{lab} has other tasks or questions than the submissions graded here: release it into another "
                "folder (--course), and grade these with the version of this course that released them"
            )
        raise Mistake(f"nbgrader cannot make {lab}: {raised[-1][:300]}")


def learners_files(released: Path, lab: str) -> dict[str, bytes]:
    """Path in the zip -> content."""
    files = {
        path.relative_to(released).as_posix(): path.read_bytes()
        for path in (released / "starter").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    files[f"{lab}.ipynb"] = learners_notebook(released / f"{lab}.ipynb")
    row = LABS[lab]
    before = list(LABS)[: list(LABS).index(lab)]
    modules = " and ".join(f"`{MODULES[name]}.py`" for name in before)
    earlier = EARLIER.format(files=modules) if before else ""
    parts = files_of(lab)
    work = WORK.format(module=parts[".py"]) if ".py" in parts else READ
    hand_in = " and ".join(f"`{path}`" for path in parts.values())
    readme = README.format(title=row["title"], lab=lab, work=work, earlier=earlier, files=hand_in, edition=edition())
    return files | {"README.md": readme.encode(), "requirements.txt": (ROOT / "requirements.txt").read_bytes()}


def learners_notebook(released: Path) -> bytes:
    """Cells that check say check(...) alone. What plain nbgrader compares there, it puts back when it grades."""
    from nbgrader.utils import compute_checksum

    notebook = nbformat.read(released, as_version=4)
    for cell in notebook.cells:
        rules = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and rules.get("grade"):
            cell.source = cell.source.partition("\n")[0]
            rules["checksum"] = compute_checksum(cell)  # or Validate would say that she has changed it
    return (nbformat.writes(notebook) + "\n").encode()


def zipped(top: str, files: dict[str, bytes], executable: Collection[str] = ()) -> bytes:
    """The same files give the same bytes, on any day and machine."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(f"{top}/{name}".lstrip("/"), date_time=(1980, 1, 1, 0, 0, 0))
            mode = 0o755 if name in executable else 0o644
            info.external_attr, info.create_system, info.compress_type = mode << 16, 3, zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return memory.getvalue()
