"""A release holds everything a learner needs and no answer, and plain nbgrader can grade it."""

import io
import os
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import compute_checksum

from grading.classroom.course_folder import Course
from grading.classroom.release import learners_files, put_blanks, release, zipped
from grading.content import knife, known_answers
from grading.content.mistake import Mistake
from grading.content.overlay import blanks, overlay
from grading.content.tasks import MODULES, QUESTIONS, tasks_of
from starter.support.full import weights

LAB = "02_vae"


@pytest.fixture(scope="module")
def archive(released) -> dict[str, str]:
    """Path -> text of what learners get."""
    with zipfile.ZipFile(released.zip(LAB)) as opened:
        return {name: opened.read(name).decode("utf-8", "replace") for name in opened.namelist()}


def test_the_zip_is_complete(archive):
    assert all(name.startswith(f"{LAB}/") for name in archive)
    for name in (f"{LAB}.ipynb", "README.md", "requirements.txt", "starter/__init__.py", "starter/support/checks.json"):
        assert f"{LAB}/{name}" in archive


def test_every_blank_is_there(archive):
    for path, text in blanks().items():
        assert archive[f"{LAB}/starter/{path.name}"] == text
    for task in tasks_of(LAB):
        assert knife.stub(task) in archive[f"{LAB}/starter/vae.py"]
        assert f'check("{task}")' in archive[f"{LAB}/{LAB}.ipynb"].replace('\\"', '"')


def test_no_answer_is_in_the_zip(archive):
    everything = "\n".join(archive.values())
    allowed = "\n".join(text for name, text in archive.items() if "/support/" in name) + "\n".join(blanks().values())
    assert "BEGIN SOLUTION" not in everything and "END SOLUTION" not in everything
    assert not any(part in name for name in archive for part in ("grading", "solutions", "/."))
    for module in MODULES.values():
        source = known_answers.solution(module).read_text(encoding="utf-8")
        for region in knife.regions(source).values():
            for line in map(str.strip, source.splitlines()[region]):
                assert len(line) < 12 or line in allowed or line not in everything, line


def test_weights_of_full_size_runs_stay_in_the_repository(archive):
    held = {name.split("/", 1)[1] for name in archive if name.endswith(".safetensors")}
    assert held == {f"starter/support/features{kind}.safetensors" for kind in ("", "_mnist", "_colour")}
    assert not any(name.startswith(f"{LAB}/{weights.FOLDER.split('/')[0]}/") for name in archive)


def test_what_else_lies_in_an_instructors_starter_is_not_released(tmp_path, solution, blank):
    overlay(tmp_path)
    (tmp_path / "starter/mine.py").write_text(solution)
    put_blanks(tmp_path)
    assert (tmp_path / "starter/vae.py").read_text() == blank and not (tmp_path / "starter/mine.py").exists()
    assert (tmp_path / "starter/__init__.py").exists() and (tmp_path / "starter/support/checks.py").exists()


def test_model_answers_are_in_the_zip_unless_the_instructor_leaves_them_out(archive, tmp_path, notebooks):
    held = archive[f"{LAB}/starter/support/questions.json"]
    assert '"vae-q1"' in held and not re.search('"(rubric|misconceptions|points)"', held)
    with zipfile.ZipFile(release(Course(tmp_path / "course"), LAB, notebooks, answers=False)) as opened:
        names = opened.namelist()
    assert f"{LAB}/starter/support/checks.json" in names and f"{LAB}/starter/support/questions.json" not in names


def test_what_a_lab_builds_on_is_complete_where_the_instructor_wants_it(archive, tmp_path, notebooks):
    with zipfile.ZipFile(release(Course(tmp_path / "course"), LAB, notebooks, given=True)) as opened:
        given = {name: opened.read(name).decode("utf-8", "replace") for name in opened.namelist()}
    differing = [name for name in given if given[name] != archive[name]]
    assert given.keys() == archive.keys() and differing == [f"{LAB}/README.md", f"{LAB}/starter/autoencoder.py"]
    text = given[f"{LAB}/starter/autoencoder.py"]
    assert text.startswith("# Given by the course")
    assert "NotImplementedError" not in text and not knife.LOOSE.search(text)
    assert "`starter/autoencoder.py`, complete and marked as given" in given[f"{LAB}/README.md"]


def test_the_same_files_give_the_same_bytes(released):
    files = learners_files(released.folder("release", LAB), LAB)
    assert zipped(LAB, files) == zipped(LAB, dict(reversed(files.items())))
    assert zipped(LAB, files) == released.zip(LAB).read_bytes()


def test_source_and_release_hold_blanks_alone(released, blank):
    for step in ("source", "release"):
        assert (released.folder(step, LAB) / "starter/vae.py").read_text() == blank


def test_graded_cells_compare_within_the_tolerance(released):
    notebook = nbformat.read(released.released(LAB), as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.source.startswith("check(")]
    assert len(cells) == len(tasks_of(LAB)) and all("matches(fingerprint(probe(" in source for source in cells)
    assert not any("AUTOTEST" in source for source in cells)


def test_a_release_that_fails_leaves_the_one_before_it(course, notebooks, monkeypatch):
    def refused(*_):
        raise Mistake("nbgrader refuses")

    before = {path: path.read_bytes() for path in course.root.rglob("*.*") if path.is_file()}
    monkeypatch.setattr("grading.classroom.release.generate", refused)
    with pytest.raises(Mistake, match="nbgrader refuses"):
        release(course, LAB, notebooks)
    assert {path: path.read_bytes() for path in course.root.rglob("*.*") if path.is_file()} == before


def test_a_notebook_that_is_not_built_is_one_line(tmp_path):
    with pytest.raises(Mistake, match="grading build"):
        release(Course(tmp_path / "course"), LAB, tmp_path)


def test_a_release_that_was_killed_is_no_release(course):
    course.zip(LAB).unlink()
    with pytest.raises(Mistake, match="release 02_vae"):
        course.released(LAB)


def test_an_interrupted_release_leaves_no_solution_behind(tmp_path, notebooks, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("grading.classroom.release.generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release(Course(tmp_path / "course"), LAB, notebooks)
    assert not [path for path in (tmp_path / "course").rglob("*.py") if "SOLUTION" in path.read_text()]


def nbgrader(course: Course, *words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words], cwd=course.root, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_the_generate_button_of_formgrader_makes_the_same_release(course, blank):
    """It runs this command, which begins by deleting what was released."""
    book = course.released(LAB)
    before, archive = nbformat.read(book, as_version=4), course.zip(LAB).read_bytes()
    (book.parent / "starter/vae.py").unlink()
    nbgrader(course, "generate_assignment", LAB, "--force")
    assert nbformat.read(course.released(LAB), as_version=4) == before and course.zip(LAB).read_bytes() == archive
    assert (book.parent / "starter/vae.py").read_text() == blank
    texts = [path.read_text() for path in (course.root / "release").rglob("*.*") if path.suffix in (".py", ".ipynb")]
    assert not any(knife.LOOSE.search(text) or "### AUTOTEST" in text for text in texts)


def test_stock_nbgrader_grades_a_right_and_a_wrong_submission(course, solution, points):
    wrong = known_answers.changed(solution, {"id": "vae-1-x", "task": "vae-1", "region": "return mu + log_var * eps"})
    for student, module in (("anna", solution), ("ben", wrong)):
        folder = course.folder("submitted", LAB, student)
        (folder / "starter").mkdir(parents=True)
        with zipfile.ZipFile(course.zip(LAB)) as archive:
            (folder / f"{LAB}.ipynb").write_bytes(archive.read(f"{LAB}/{LAB}.ipynb"))
        (folder / "starter/vae.py").write_text(module)
    nbgrader(course, "autograde", LAB)
    with course.gradebook() as gradebook:
        scores = [gradebook.find_submission(LAB, student).score for student in ("anna", "ben")]
    assert scores == [points(), points(without="vae-1")]


def test_validate_does_not_take_a_learners_cells_for_changed(archive):
    notebook = nbformat.reads(archive[f"{LAB}/{LAB}.ipynb"], as_version=4)
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [cell.source for cell in cells if cell.cell_type == "code"] == [f'check("{task}")' for task in tasks_of(LAB)]
    assert all(cell.metadata.nbgrader["checksum"] == compute_checksum(cell) for cell in cells)


def test_the_real_first_lab_is_released(tmp_path):
    course = Course(tmp_path / "course")
    with zipfile.ZipFile(io.BytesIO(release(course, "01_autoencoder").read_bytes())) as archive:
        text = archive.read("01_autoencoder/01_autoencoder.ipynb").decode()
        modules = archive.read("01_autoencoder/starter/autoencoder.py").decode()
        names = archive.namelist()
    released = course.released("01_autoencoder").read_text()
    assert released.count("matches(fingerprint(") == len(tasks_of("01_autoencoder"))
    assert "matches(" not in text and "AUTOTEST" not in text
    assert modules == blanks()[known_answers.ROOT / "starter/autoencoder.py"]
    notebook = nbformat.reads(text, as_version=4)
    for head in (notebook.cells[0].source, nbformat.reads(released, as_version=4).cells[0].source):
        links = re.findall(r"\]\((.+?)\)", head)
        assert links == ["starter/autoencoder.py", "docs/glossary.md"], "they lie beside the notebook here"
        assert all(f"01_autoencoder/{link}" in names for link in links)
    assert all(not cell.get("outputs") for cell in notebook.cells), textwrap.shorten(text, 200)
    ours = nbformat.read(known_answers.ROOT / "notebooks/01_autoencoder.ipynb", as_version=4)
    assert written(notebook) == written(ours), "who hands in our notebook untouched would seem to have answered"


def written(notebook: nbformat.NotebookNode) -> dict[str, str]:
    found = {cell.id: cell.source for cell in notebook.cells if cell.id in QUESTIONS}
    assert found
    return found


def test_a_reference_that_cannot_be_asked_is_one_line_and_nothing_is_released(tmp_path, notebooks, monkeypatch):
    def broken(to: Path, *_, **__) -> Path:
        (to / "starter").mkdir(parents=True)
        (to / "starter/__init__.py").write_text("raise RuntimeError('no reference here')")
        return to

    monkeypatch.setattr("grading.classroom.release.overlay", broken)
    with pytest.raises(Mistake, match=r"^the reference cannot be asked: RuntimeError: no reference here$"):
        release(Course(tmp_path / "course"), LAB, notebooks)
    assert not (tmp_path / "course/release").exists() and not (tmp_path / "course/.release").exists()


def test_each_step_of_a_release_is_said(tmp_path, notebooks):
    said = []
    release(Course(tmp_path / "course"), LAB, notebooks, say=said.append)
    assert said == ["02_vae: asking the reference ...", "02_vae: nbgrader generates it ..."]
