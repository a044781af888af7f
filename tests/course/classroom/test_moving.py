"""--db takes grades along, those that humans gave included; and trouble with a gradebook is one line that helps."""

import shutil
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from grading.__main__ import main
from grading.classroom.autograde import autograde
from grading.classroom.course_folder import Course
from grading.classroom.gradebook import open_gradebook
from grading.classroom.moving import TABLES
from grading.content import tasks
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.content.tasks import tasks_of

LAB = "02_vae"
TASKS = tasks_of(LAB)
COMMANDS = (["report", LAB], ["feedback", LAB], ["export", "--partial"], ["autograde", LAB, "--no-jail"])


@pytest.fixture
def course(graded, tmp_path) -> Course:
    """The class of five; a human read what learner 3 wrote."""
    course = Course(tmp_path / "course")
    shutil.copytree(graded.root, course.root)
    with course.gradebook() as gradebook:
        sheet = gradebook.find_submission_notebook(LAB, LAB, "3")
        grade = next(grade for grade in sheet.grades if grade.name == "vae-q1")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        next(comment for comment in sheet.comments if comment.name == "vae-q1").manual_comment = "well said"
        gradebook.db.commit()
    return course


def run(course: Course, *words: str) -> int:
    return main([*words, "--course", str(course.root)])


def one_line(capfd, *says: str) -> None:
    """And no traceback, not even a logged one."""
    error = capfd.readouterr().err
    lines = [words for words in error.splitlines() if not words.startswith("--no-jail: ")]
    assert len(lines) == 1 and all(part in lines[0] for part in says), error


def everything(url: str) -> dict[str, list]:
    with open_gradebook(url) as gradebook:
        return {
            table.name: sorted(map(repr, gradebook.db.execute(table.select()).all()))
            for table in TABLES
            if table.name != "course"
        }


def test_the_grades_of_a_graded_course_come_along(course, tmp_path, capfd):
    old, there = course.db_url, f"sqlite:///{tmp_path}/other.db"
    assert run(course, "export", "--partial", "--db", there) == 0
    assert "the grades of 5 submissions are copied" in capfd.readouterr().out
    assert course.db_url == there and everything(there) == everything(old)
    with course.gradebook() as gradebook:
        grades = {grade.name: grade for grade in gradebook.find_submission_notebook(LAB, LAB, "3").grades}
        assert grades["vae-q1"].manual_score == 1.5
    for words in COMMANDS:
        assert run(course, *words) == 0
    assert "0 of 5 submissions graded, 5 were graded before" in capfd.readouterr().out


def test_a_command_that_cannot_be_done_leaves_the_grades_where_they_were(course, tmp_path, capfd):
    there = f"sqlite:///{tmp_path}/other.db"
    for words in (["report", "01_autoencoder"], ["report", "02_vea"]):
        assert run(course, *words, "--db", there) == 2
        assert not (course.root / "gradebook.url").exists()
    assert run(course, "report", LAB, "--db", there) == 0, "the copy that was made before is known again"
    assert run(course, "report", "01_autoencoder", "--db", f"sqlite:///{tmp_path}/third.db") == 2
    assert course.db_url == there


def test_a_relative_address_is_of_the_folder_where_it_was_given(course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(course, "report", LAB, "--db", "sqlite:///other.db") == 0
    assert course.db_url == f"sqlite:///{tmp_path}/other.db" and (tmp_path / "other.db").exists()


def test_a_database_with_other_grades_is_refused(course, tmp_path, capfd):
    there = f"sqlite:///{tmp_path}/other.db"
    with open_gradebook(there) as gradebook:
        gradebook.add_student("somebody")
    before = everything(there)
    assert run(course, "report", LAB, "--db", there) == 2
    one_line(capfd, "holds other grades", "name an empty database")
    assert not (course.root / "gradebook.url").exists() and everything(there) == before


@pytest.fixture
def full():
    """A function that makes every database full, as SQLite finds it: no page more than there are."""
    closed = []

    def listen(connection, _):
        if closed and isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA max_page_count = 1")  # it cannot be less than there are

    event.listen(Engine, "connect", listen)
    yield closed.append
    event.remove(Engine, "connect", listen)


def test_a_copy_that_does_not_fit_is_no_copy(course, tmp_path, full, capfd):
    there = f"sqlite:///{tmp_path}/other.db"
    with open_gradebook(there) as gradebook:
        gradebook.db.execute(text("VACUUM"))
    before = everything(there)
    full(True)
    assert run(course, "report", LAB, "--db", there) == 2
    one_line(capfd, "other.db", "disk is full: make room")
    assert not (course.root / "gradebook.url").exists() and everything(there) == before


def test_a_full_disk_costs_nothing_but_time(course, full, recorded, capfd):
    said, pool = [], recorded({task: ["right", f"{task} is right"] for task in TASKS})
    with course.gradebook() as gradebook:
        for table in ("grade", "comment", "submitted_notebook", "submitted_assignment"):
            gradebook.db.execute(text(f"DELETE FROM {table}"))
        gradebook.db.commit()
        gradebook.db.execute(text("VACUUM"))
    shutil.rmtree(course.root / "autograded")
    full(True)
    assert autograde(course, LAB, pool=pool, say=said.append) > 0
    assert any("NOT SAVED: the gradebook" in words and "make room there" in words for words in said)
    assert not any("SQL" in words.replace("SQLite", "") for words in said) and not capfd.readouterr().err
    full.__self__.clear()
    assert autograde(course, LAB, pool=pool, say=said.append) == 0


@pytest.mark.parametrize("how", ["absent", "empty"])
@pytest.mark.parametrize("words", [*COMMANDS, ["release", LAB]], ids=lambda words: words[0])
def test_a_lost_gradebook_is_not_made_anew_in_silence(course, words, how, capfd):
    file = course.root / "gradebook.db"
    file.unlink()
    if how == "empty":
        file.write_bytes(b"")
    assert run(course, *words) == 2
    one_line(capfd, "put your copy of it back", "delete the folder autograded")
    assert not file.exists() or not file.stat().st_size


def test_a_gradebook_without_the_graded_submissions_is_a_lost_one(course, tmp_path, capfd):
    (course.root / "gradebook.url").write_text(f"sqlite:///{tmp_path}/empty.db\n")
    open_gradebook(course.db_url).close()
    assert run(course, "report", LAB) == 2
    one_line(capfd, "empty.db", "put your copy of it back", "gradebook.db may have them: delete gradebook.url")


@pytest.mark.parametrize("where", ["all but the first page", "a table in the middle"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_damaged_gradebook_is_one_line(course, words, where, capfd):
    file = course.root / "gradebook.db"
    with sqlite3.connect(file) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'base_cell'").fetchone()
    data = file.read_bytes()
    page = int.from_bytes(data[16:18], "big")
    first, last = ((root - 1) * page, root * page) if "middle" in where else (page, len(data))
    file.write_bytes(data[:first] + b"\xff" * (last - first) + data[last:])
    assert run(course, *words) == 2
    one_line(capfd, "malformed", "put your copy of it back", ".recover")


def test_only_a_submission_that_the_gradebook_has_is_graded(course, recorded):
    with course.gradebook() as gradebook:
        gradebook.remove_submission(LAB, "3")
    said, pool = [], recorded({task: ["right", f"{task} is right"] for task in TASKS})
    assert autograde(course, LAB, pool=pool, say=said.append) == 0
    assert pool.students == ["3"] and said[-1] == f"{LAB}: 1 of 5 submissions graded, 4 were graded before."


def test_a_submission_that_the_gradebook_lacks_is_in_no_table(course, capfd):
    with course.gradebook() as gradebook:
        gradebook.remove_submission(LAB, "3")
    shutil.rmtree(course.root / "feedback", ignore_errors=True)
    assert run(course, "report", LAB) == 0 and "4 submissions of 02_vae" in capfd.readouterr().out
    assert run(course, "feedback", LAB) == 0
    assert sorted(path.parent.parent.name for path in course.root.glob("feedback/*/*/*.html")) == ["1", "2", "4", "5"]


@pytest.mark.parametrize("content", [b"", b'{"cells": ['], ids=["empty", "cut off"])
def test_a_release_that_was_written_to_a_full_disk_is_one_line(course, content, capfd):
    course.released(LAB).write_bytes(content)
    assert run(course, "autograde", LAB, "--no-jail") == 2
    one_line(capfd, f"{LAB}.ipynb", "release 02_vae", "again")


def test_an_empty_zip_is_no_release(course, capfd):
    course.zip(LAB).write_bytes(b"")
    assert run(course, "report", LAB) == 2
    one_line(capfd, "02_vae.zip is empty", "release 02_vae")


@pytest.mark.parametrize(
    ("words", "name"), [("report", "verdicts.json"), ("feedback", "intake.json"), ("feedback", f"{LAB}.ipynb")]
)
def test_an_empty_record_names_the_command_that_makes_it_again(course, words, name, capfd):
    path = course.record(LAB, "3").with_name(name)
    path.unlink()
    path.write_bytes(b"")
    assert run(course, words, LAB) == 2
    one_line(capfd, f"{name} cannot be read", "autograde 02_vae --student 3 --regrade")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tasks: tasks["vae-1"].update(points=3), "vae-1 has 3 points, not 2"),
        (lambda tasks: tasks.update({"vae-9": {**tasks["vae-1"], "id": "vae-9"}}), "vae-9 is new"),
        (lambda tasks: tasks.pop("vae-7"), "vae-7 is gone"),
    ],
    ids=["other points", "a new task", "a task less"],
)
def test_a_release_with_other_tasks_than_todays_grades_nobody(course, monkeypatch, change, says):
    """Of an older version of the course, say: points for tasks that its notebook lacks would go nowhere."""
    changed = {task: dict(row) for task, row in tasks.TASKS.items()}
    change(changed)
    for module in ("content.tasks", "classroom.autograde", "classroom.submissions"):
        monkeypatch.setattr(f"grading.{module}.TASKS", changed)
    with pytest.raises(Mistake, match=f"released with other tasks .{says}.*release 02_vae. again"):
        autograde(course, LAB, regrade=True)


def test_nbgrader_refuses_other_tasks_in_words_that_help(course, notebooks, tmp_path):
    """A question less than in the notebook of which submissions are graded."""
    import nbformat

    from grading.classroom.release import release

    notebook = nbformat.read(notebooks / f"{LAB}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "vae-q2"]
    nbformat.write(notebook, tmp_path / f"{LAB}.ipynb")
    with pytest.raises(Mistake, match="release it into another folder"):
        release(course, LAB, tmp_path)
    assert course.released(LAB).exists()


def test_the_gradebook_tells_nobody_else(course):
    """nbgrader logs an error with all of its SQL, and raises it as well."""
    code = (
        "import sys\nfrom grading.classroom.gradebook import open_gradebook\nfrom nbgrader.api import InvalidEntry\n"
        "with open_gradebook(sys.argv[1]) as book:\n    try:\n        book.add_student('1')\n"
        "    except InvalidEntry:\n        print('raised')"
    )
    command = [sys.executable, "-c", code, course.db_url]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout == "raised\n" and not done.stderr
