"""Release a lab: nbgrader's source/ and release/ with blanks, and the zip that learners get."""

import contextlib
import io
import json
import logging
import re
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from starter.support import course, desk
from starter.support.blanks import completed as marked

from ..content.edition import edition
from ..content.knife import LOOSE
from ..content.mistake import Mistake
from ..content.overlay import ROOT, blanks, overlay
from ..content.tasks import LABS, MODULES, files_of
from . import settings
from .autotests import Asked, filled
from .course_folder import Course, for_nbgrader, replace

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
GIVEN = "   It builds on {files}, complete and marked as given: put your own in their place if you have them.\n"


def release(
    course: Course,
    lab: str,
    notebooks: Path = NOTEBOOKS,
    answers: bool = True,
    given: bool = False,
    say: Callable[[str], None] = lambda words: None,
) -> Path:
    """Make a lab ready for learners and for grading; the zip.

    Args:
        answers: the zip holds model answers of written questions, which `python -m starter answer` shows.
        given: the zip holds the modules of earlier labs that this one builds on complete, marked as given.
        say: takes a line about each step.

    Raises:
        Mistake: the lab's notebook is not built, or nbgrader refuses it.
    """
    path = notebooks / f"{lab}.ipynb"
    if not path.exists():
        raise Mistake(f"there is no {path.name} in {notebooks}: run `python -m grading build` first")
    settings.configure(course)
    with course.alone(), scratch(course.root / ".release") as fresh:
        source, released = (fresh / step / lab for step in ("source", "release"))
        overlay(source)
        say(f"{lab}: asking the reference ...")
        sources = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        with Asked(source, sources) as reference:
            import nbformat  # seconds, in which the reference answers

            from .gradebook import not_lost

            not_lost(course)  # nbgrader would make a new one, and nobody would be told
            notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
            expected = reference.answers()
        for cell in notebook.cells:
            cell.source = filled(desk.beside_starter(cell.source), expected)
        nbformat.write(notebook, source / path.name)
        say(f"{lab}: nbgrader generates it ...")
        generate(course, lab)
        shutil.copy(released / path.name, source)  # tests and all: nbgrader can generate it again without an answer
        for tree in (source, released):
            put_blanks(tree)
        if not answers:
            (released / "starter/support/questions.json").unlink()
        content = zipped(lab, learners_files(released, lab, given))
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


def generate(course: Course, lab: str) -> None:
    """nbgrader's own generate_assignment, from and to .release/."""
    for_nbgrader()
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    from .gradebook import configured

    config = configured(course.root)
    config.merge(
        Config({"CourseDirectory": {f"{step}_directory": f".release/{step}" for step in ("source", "release")}})
    )
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # what it logs is in what it returns
    done = NbGraderAPI(config=config).generate_assignment(lab, force=True)
    if not done["success"]:
        said = f"{done.get('log', '')}\n{done['error']}"
        if "KeyboardInterrupt" in done["error"]:  # nbgrader catches even that
            raise KeyboardInterrupt
        raised = re.findall(r"^\s*([\w.]*(?:Error|Exception|Wrong)\b.*)$", said, re.MULTILINE) or ["no reason given"]
        if "Cannot add or remove cells" in said:
            raise Mistake(
                f"{lab} has other tasks or questions than the submissions graded here: release it into another "
                "folder (--course), and grade these with the version of this course that released them"
            )
        raise Mistake(f"nbgrader cannot make {lab}: {raised[-1][:300]}")


def learners_files(released: Path, lab: str, given: bool = False) -> dict[str, bytes]:
    """Path in the zip -> content."""
    complete = completed(lab) if given else {}
    files = {
        path.relative_to(released).as_posix(): path.read_bytes()
        for path in (released / "starter").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    files |= complete | {f"{lab}.ipynb": learners_notebook(released / f"{lab}.ipynb")}
    row = LABS[lab]
    before = list(LABS)[: list(LABS).index(lab)]
    modules = " and ".join(f"`{MODULES[name]}.py`" for name in before)
    earlier = EARLIER.format(files=modules) if before else ""
    if complete:
        earlier = GIVEN.format(files=" and ".join(f"`{path}`" for path in complete))
    parts = files_of(lab)
    work = WORK.format(module=parts[".py"]) if ".py" in parts else READ
    hand_in = " and ".join(f"`{path}`" for path in parts.values())
    readme = README.format(title=row["title"], lab=lab, work=work, earlier=earlier, files=hand_in, edition=edition())
    as_they_are = {path: (ROOT / path).read_bytes() for path in ("requirements.txt", desk.GLOSSARY)}
    return files | as_they_are | {"README.md": readme.encode()}


def completed(lab: str) -> dict[str, bytes]:
    """Path in the zip -> the reference, for each module of an earlier lab that this one builds on."""
    earlier = [MODULES[name] for name in course.labs()[lab].builds_on]
    texts = {name: (ROOT / f"solutions/{name}.py").read_text(encoding="utf-8") for name in earlier}
    return {f"starter/{name}.py": marked(name, text).encode() for name, text in texts.items()}


def learners_notebook(released: Path) -> bytes:
    """Cells that check say check(...) alone. What plain nbgrader compares there, it puts back when it grades."""
    import nbformat
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
