"""A small released lab that the tests of grading share: made once, copied for each test that changes it."""

import base64
import contextlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# Nothing of grading or starter is imported up here: pytest may load this file before it knows whose modules to test.

LAB, MODULE = "02_vae", "vae"
TOOLS = {"jail", "needs_jail", "launch", "cluster", "postgres"}  # fixtures: they look for what a machine may lack
SETUP = 'import sys\n\nsys.path.append("..")\nfrom starter.support.checks import check'


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The mark `tools`: every test of a file in which one of them looks for bubblewrap, dask or PostgreSQL."""
    files = {item.path for item in items if TOOLS & {*getattr(item, "fixturenames", ())}}
    for item in items:
        if item.path in files:
            item.add_marker("tools")


def small_notebook() -> nbformat.NotebookNode:
    """Every task and question of the lab, no training."""
    from grading.content.tasks import QUESTIONS, TASKS, tasks_of

    rules = {"schema_version": 3, "grade": False, "locked": True, "solution": False, "task": False}
    cells = [
        new_markdown_cell("# A small lab", id="top"),
        new_code_cell(SETUP, id="setup", metadata={"nbgrader": rules | {"grade_id": "setup"}}),
        new_code_cell("1 + 1", id="training"),
    ]
    for task in tasks_of(LAB):
        marks = rules | {"grade": True, "grade_id": task, "points": TASKS[task]["points"]}
        source = f'check("{task}")\n### AUTOTEST probe("{task}", 7)'
        cells.append(new_code_cell(source, id=task, metadata={"nbgrader": marks}))
    for question, row in QUESTIONS.items():
        if row["lab"] != LAB:
            continue
        points = row["points"]
        marks = rules | {"grade": True, "grade_id": question, "points": points, "locked": False, "solution": True}
        cells.append(new_markdown_cell(f"**Why ({question})?**", id=f"asks-{question}"))
        cells.append(new_markdown_cell("Your answer.", id=question, metadata={"nbgrader": marks}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


@pytest.fixture(scope="module")  # not longer: while it lives, no other test of this process can have an event loop
def browser():
    """The system's own Chromium."""
    install = "pip install -r tests/requirements.txt"
    sync_api = pytest.importorskip("playwright.sync_api", reason=f"playwright is not installed: {install}")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("there is no Chromium: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def barriers():
    """page -> what on it bars somebody, by the rules of axe-core: a line for each element."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="axe-core is not installed: pip install -r tests/requirements.txt",
    )

    def found(page, within: str | None = None) -> list[str]:
        options = {"resultTypes": ["violations"], "preload": False}  # of style sheets: they are in the page
        violations = axe.Axe().run(page, within, options).response["violations"]
        return [f"{rule['id']}: {element['html'][:200]}" for rule in violations for element in rule["nodes"]]

    return found


@pytest.fixture(scope="session")
def points():
    """What the lab's tasks are worth, but for one, or with its questions."""
    from grading.content.tasks import QUESTIONS, TASKS, tasks_of

    def worth(without: str | None = None, questions: bool = False) -> int:
        asked = [row for row in QUESTIONS.values() if row["lab"] == LAB and questions]
        return sum(row["points"] for row in [*(TASKS[task] for task in tasks_of(LAB) if task != without), *asked])

    return worth


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    nbformat.write(small_notebook(), folder / f"{LAB}.ipynb")
    return folder


@pytest.fixture(scope="session")
def released(tmp_path_factory, notebooks):
    """Look, and do not write: `course` is for that."""
    from grading.classroom.course_folder import Course
    from grading.classroom.release import release

    course = Course(tmp_path_factory.mktemp("class") / "course")
    release(course, LAB, notebooks)
    made = sorted(course.root.rglob("*"))
    yield course
    assert sorted(course.root.rglob("*")) == made, "a test wrote into what all tests share"


@pytest.fixture
def course(released, tmp_path):
    from grading.classroom.course_folder import Course

    shutil.copytree(released.root, tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture(scope="session")
def solution() -> str:
    from grading.content import known_answers

    return known_answers.solution(MODULE).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def blank() -> str:
    from grading.content import known_answers
    from grading.content.overlay import blanks

    return blanks()[known_answers.ROOT / f"starter/{MODULE}.py"]


@pytest.fixture(scope="session")
def released_notebook(released) -> bytes:
    return released.released(LAB).read_bytes()


def zip_of(files: dict[str, str | bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


@pytest.fixture(scope="session")
def packed():
    """Files, by their path, as the bytes of a zip."""
    return zip_of


@pytest.fixture(scope="session")
def train():
    from starter.support import data

    return data.load("digits16", "train")


@pytest.fixture(scope="session")
def test():
    from starter.support import data

    return data.load("digits16", "test")


@pytest.fixture(scope="session")
def jail() -> bool:
    """Whether this machine has one."""
    from grading.judge.jail import outside

    return not outside.complaint()


@pytest.fixture(scope="session")
def needs_jail():
    """Skips where there is none."""
    from grading.judge.jail import outside

    if reason := outside.complaint():
        pytest.skip(f"no jail: {reason}")


@pytest.fixture(scope="session")
def forks():
    """Skips where nothing that others wrote can be judged."""
    if not hasattr(os, "fork"):
        pytest.skip("what others wrote is judged in forked processes, which this system does not have")


@pytest.fixture(scope="session")
def links(tmp_path_factory):
    """Skips where this user may make none."""
    folder = tmp_path_factory.mktemp("links")
    try:
        (folder / "link").symlink_to(folder / "file")
    except OSError:
        pytest.skip("this user may make no symbolic links (Windows: developer mode)")


@pytest.fixture(scope="session")
def launch(forks):
    """How workers are started: in the jail, where this machine has one."""
    from grading.judge.jail import outside
    from grading.judge.runner import plain_launch

    return plain_launch if outside.complaint() else outside.launch


@pytest.fixture(scope="session")
def runner(launch):
    from grading.content.reference_text import published
    from grading.judge.runner import Limits, Runner

    with Runner(set(published(LAB)), Limits(cpu=2, wall=30), launch) as worker:
        yield worker


@pytest.fixture(scope="session")
def graded_as(runner):
    """A module's text, or its bytes, and a task, to the verdict of two secret seeds."""

    from grading.judge.verdicts import judged, seeds

    def judge(module: str | bytes, task: str = "vae-1"):
        data = module.encode() if isinstance(module, str) else module
        return judged(runner, LAB, data, seeds(b"secret", "anna"), [task])[task]

    return judge


def png(width: int = 8, height: int = 4, secret: str = "") -> str:
    chunks, memory = PngInfo(), io.BytesIO()
    chunks.add_text("Comment", secret)
    Image.new("RGB", (width, height), "red").save(memory, "PNG", pnginfo=chunks)
    return base64.b64encode(memory.getvalue()).decode()


@pytest.fixture(scope="session")
def picture():
    return png


def hostile_notebook(released: bytes) -> bytes:
    """Answers and outputs as somebody writes them who wants more than points."""
    notebook = json.loads(released)
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["remove-cell", "<script>"]
        if cell["id"] == "training":
            cell["outputs"] = [
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>alert(1)</script>"}},
                {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg onload='alert(1)'/>"}},
                {"output_type": "display_data", "metadata": {}, "data": {"image/png": png(secret="hidden words")}},
                {"output_type": "display_data", "metadata": {}, "data": {"image/png": png(4000, 4000)}},
                {"output_type": "display_data", "metadata": {}, "data": {"image/png": "<b>no picture</b>"}},
                {"output_type": "stream", "name": "stdout", "text": ["loss 1\n", "\x1b[2J\u202eloss 2\n"]},
            ]
        elif cell["id"].startswith("vae-q"):
            cell["source"] = ["Because **<script>alert(1)</script>**\n", '<form action="http://x"> 1 < 2 \u202e']
            cell["attachments"] = {"a.png": {"image/png": "x"}}
        elif cell["cell_type"] == "code":
            cell["source"] = "pass"
            cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "99"}, "metadata": {}}]
    return json.dumps(notebook).encode()


@pytest.fixture(scope="session")
def graded(tmp_path_factory, released, released_notebook, solution, blank, jail, forks):
    """A class of five, collected and graded. Look, and do not write."""
    from grading.classroom.autograde import autograde
    from grading.classroom.collect import collect
    from grading.classroom.course_folder import Course
    from grading.content import known_answers
    from grading.judge.executors import Local

    root = tmp_path_factory.mktemp("graded")
    shutil.copytree(released.root, root / "course")
    course, wrong = Course(root / "course"), known_answers.answers("wrong")["vae-2"][0]
    book, module = f"{LAB}.ipynb", "starter/vae.py"
    for name, files in {
        "Anna Arndt_1": {book: released_notebook, module: solution},
        "Ben Öz_2": {book: b"this is not JSON", module: known_answers.changed(solution, wrong)},
        "=cmd|'calc'!A1_3": {book: hostile_notebook(released_notebook), module: blank},
        "Dora_4": {},
        "Emil_5": {book: b'{"cells":' + b"[" * 100_000, module: solution.replace("def elbo(", "def elbo((")},
    }.items():
        folder = root / f"uploads/{name}_assignsubmission_file_"
        folder.mkdir(parents=True)
        (folder / "work.zip").write_bytes(zip_of(files))
    collect(course, LAB, root / "uploads")
    said = []
    assert autograde(course, LAB, limits={"cpu": 5, "wall": 60}, pool=Local(1), jail=jail, say=said.append) == 0
    (course.root / "said.txt").write_text("\n".join(said))
    return course


class RecordedPool:
    """Stands in for a pool: every submission gets the same outcome, and nothing of it is run."""

    def __init__(self, tasks: dict) -> None:
        self.tasks, self.students, self.agreed = tasks, [], {}

    @contextlib.contextmanager
    def executor(self):
        yield self, 4

    def submit(self, function, *, student, notebook, **rest):
        from grading.judge.executors import finished
        from grading.judge.submitted_cells import cells_of

        self.students.append(student)
        found = {"seconds": 0.5, "tasks": self.tasks, "agreed": self.agreed, "cells": cells_of(notebook)}
        return finished(found)


@pytest.fixture(scope="session")
def recorded():
    return RecordedPool


def rows(course) -> list:
    """All that the gradebook knows of a lab's submissions, without the ids that are drawn at random."""
    with course.gradebook() as gradebook:
        found = []
        for one in sorted(gradebook.assignment_submissions(LAB), key=lambda one: one.student_id):
            parts = [*one.notebooks[0].grades, *one.notebooks[0].comments]
            found += [
                {name: value for name, value in part.to_dict().items() if name != "id"}
                for part in sorted(parts, key=lambda part: (type(part).__name__, part.name))
            ]
            found.append([one.student_id, one.score, one.timestamp, one.late_submission_penalty])
        return found


@pytest.fixture(scope="session")
def gradebook_rows():
    return rows
