"""The gradebook holds what nbgrader would have put there, on SQLite and on PostgreSQL."""

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from grading.__main__ import main
from grading.classroom.autograde import autograde
from grading.classroom.changes import course_rules
from grading.classroom.course_folder import COURSE_ID, Course
from grading.classroom.export import export
from grading.classroom.feedback import feedback
from grading.classroom.gradebook import Writer, address, configured, open_gradebook
from grading.classroom.release import release
from grading.classroom.settings import configure
from grading.content.mistake import Mistake
from grading.content.tasks import TASKS as TABLE
from grading.content.tasks import tasks_of

LAB = "02_vae"
TASKS = tasks_of(LAB)
LATE = "c.LateSubmissionPlugin.penalty_method = 'zero'\n"


def keep_grades_in(course: Course, url: str) -> None:
    with course.kept_in(url):
        pass


def by_nbgrader(course: Course, graded: Course) -> None:
    """nbgrader's own autograde over notebooks that have their scores, less the steps that run and clear cells."""
    config = configured(course.root)
    config.CourseDirectory.submitted_directory = "prepared"
    for name in ("sanitize_preprocessors", "autograde_preprocessors"):
        steps = getattr(Autograde, name).default()
        config.Autograde[name] = [step for step in steps if step.__name__ not in ("ClearOutput", "Execute")]
    api = NbGraderAPI(config=config)
    for student in graded.students("autograded", LAB):
        folder = course.folder("prepared", LAB, student)
        shutil.copytree(graded.folder("autograded", LAB, student), folder)
        result = api.autograde(LAB, student)
        assert result["success"], result


@pytest.fixture
def late(graded, tmp_path) -> Course:
    """The same class with a deadline that one learner missed, and penalties."""
    course = Course(tmp_path / "late")
    shutil.copytree(graded.root, course.root)
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(LATE)
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate="2026-03-01 12:00:00 UTC")
        for table in ("grade", "comment", "submitted_notebook", "submitted_assignment", "student"):
            gradebook.db.execute(text(f"DELETE FROM {table}"))
        gradebook.db.commit()
    for student in course.students("submitted", LAB):
        course.record(LAB, student).unlink()
        hour = 13 if student == "2" else 11
        for step in ("submitted", "autograded"):
            path = course.folder(step, LAB, student) / "timestamp.txt"
            path.unlink()
            path.write_text(f"2026-03-01 {hour}:00:00 UTC")
    return course


@pytest.mark.parametrize("times", [1, 2], ids=["once", "again"])
def test_grades_comments_and_penalties_are_those_of_nbgrader(late, tmp_path, gradebook_rows, times, points):
    theirs = Course(tmp_path / "theirs")
    shutil.copytree(late.root, theirs.root)
    shutil.rmtree(theirs.root / "autograded")
    for _ in range(times):
        shutil.rmtree(theirs.root / "prepared", ignore_errors=True)
        by_nbgrader(theirs, late)
        with Writer(late, LAB) as writer:
            for student in late.students("autograded", LAB):
                folder = late.folder("autograded", LAB, student)
                notebook = nbformat.read(folder / f"{LAB}.ipynb", as_version=4)
                writer.enter(student, notebook, (folder / "timestamp.txt").read_text())
    assert gradebook_rows(late) == gradebook_rows(theirs)
    assert any(
        row[0] == "2" and row[3] == points(without="vae-2") for row in gradebook_rows(late) if isinstance(row, list)
    )
    for student in late.students("autograded", LAB):
        ours, same = (one.folder("autograded", LAB, student) for one in (late, theirs))
        notebooks = [nbformat.read(folder / f"{LAB}.ipynb", as_version=4) for folder in (ours, same)]
        nbformat.validate(notebooks[0])
        assert notebooks[0] == notebooks[1]
        for name in ("starter/vae.py", "timestamp.txt"):
            assert (ours / name).read_bytes() == (same / name).read_bytes()


def test_a_task_that_was_added_after_the_first_grading_is_graded(late, points):
    notebook = nbformat.read(late.folder("autograded", LAB, "1") / f"{LAB}.ipynb", as_version=4)
    with Writer(late, LAB) as writer:
        writer.enter("1", notebook, None)
        writer.book.db.execute(text("DELETE FROM grade"))
        writer.book.db.commit()
        writer.enter("1", notebook, None)
        assert writer.book.find_submission(LAB, "1").score == points()


def test_a_submission_is_in_the_gradebook_with_all_its_grades_or_not_at_all(late, monkeypatch):
    monkeypatch.setattr(Writer, "grade", lambda *_: 1 / 0)
    notebook = nbformat.read(late.folder("autograded", LAB, "1") / f"{LAB}.ipynb", as_version=4)
    with Writer(late, LAB) as writer, pytest.raises(ZeroDivisionError):
        writer.enter("1", notebook, None)
    with late.gradebook() as gradebook:
        assert gradebook.students == [] and gradebook.assignment_submissions(LAB) == []


def test_one_learners_grades_are_found_by_an_index(late):
    with late.gradebook() as gradebook:
        for table in ("grade", "comment"):
            plan = text(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE notebook_id = 'x'")
            assert "USING INDEX" in str(gradebook.db.execute(plan).all())


def test_a_lab_that_is_not_in_the_gradebook_is_one_line(late):
    with pytest.raises(Mistake, match="release 01_autoencoder"):
        Writer(late, "01_autoencoder")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("here", "looks like postgresql://"),
        ("mysql://host/grades", "SQLite and PostgreSQL"),
        ("sqlite:////no/such/folder/grades.db", "does not open: unable to open"),
        ("postgresql://me:secret@127.0.0.1:1/grades", "does not open"),
    ],
)
def test_an_address_without_a_database_is_one_line_without_its_password(url, says, capsys, tmp_path):
    assert main(["export", "--course", str(tmp_path), "--db", url]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1 and "secret" not in error
    assert not (tmp_path / "gradebook.url").exists()


def test_the_installed_driver_is_taken():
    assert address("postgresql://a:b@host/c") == "postgresql+psycopg://a:b@host/c"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The address of a PostgreSQL server of our own, without TCP."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -r grading/requirements.txt")
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), Path("/usr/local/bin"), Path("/usr/bin")]
    programs = next((folder for folder in places if os.access(folder / "initdb", os.X_OK)), None)
    if not programs:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql): a private server is started from it")
    root = Path("/tmp") / f"pg-{os.getpid()}-{time.time_ns()}"  # a socket's path must be short
    root.mkdir()
    user = {"user": "nobody", "group": None} if os.getuid() == 0 else {}  # PostgreSQL refuses root
    if user:
        import pwd

        nobody = pwd.getpwnam("nobody")
        os.chown(root, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": root, **user}
    make = [programs / "initdb", "-D", root / "data", "-A", "trust", "-U", "teacher", "--no-sync"]
    subprocess.run(make, check=True, timeout=120, **quiet)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={root}", "-c", "fsync=off"]
    server = subprocess.Popen([programs / "postgres", "-D", root / "data", *options], **quiet)
    try:
        url = f"postgresql://teacher@/postgres?host={root}"
        for _ in range(200):
            with contextlib.suppress(Mistake):
                open_gradebook(address(url)).close()
                break
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def test_the_whole_way_works_on_postgresql(postgres, notebooks, graded, recorded, tmp_path, gradebook_rows):
    """Released, graded twice, with feedback and tables; the same rows as in SQLite."""
    found = {}
    for kind in ("sqlite", "postgresql"):
        course = Course(tmp_path / kind)
        if kind == "postgresql":
            keep_grades_in(course, postgres)
        release(course, LAB, notebooks)
        shutil.copytree(graded.root / "submitted", course.root / "submitted")
        for _ in range(2):
            pool = recorded({task: ["right", f"{task} is right"] for task in TASKS})
            assert autograde(course, LAB, pool=pool, regrade=True, say=lambda words: None) == 0
        assert feedback(course, LAB, lambda words: None) == 5
        export(course, lambda words: None, partial=True)
        found[kind] = (gradebook_rows(course), (course.root / "grades.csv").read_text())
    assert found["sqlite"] == found["postgresql"]
    assert not (course.root / "gradebook.db").exists()
    assert configured(course.root).CourseDirectory.db_url == address(postgres)
    assert (course.root / "gradebook.url").stat().st_mode & 0o077 == 0
    with Writer(course, LAB), pytest.raises(Mistake, match="another grader is at work in postgresql"):
        Writer(course, LAB)


RULES = """zone = "Europe/Berlin"
drop_lowest = 0
[late]
per_day = 10
free_days = 1
[partial]
value = 40
gradient = 20
[lab.02_vae]
due = "2026-10-17 12:00"
points = { vae-1 = 7, vae-3 = 0.5 }
drop = ["vae-4"]
bonus = ["vae-5"]
[[extension]]
student = "2"
lab = "02_vae"
days = 1
"""


def test_course_toml_makes_the_same_points_on_postgresql(postgres, notebooks, graded, recorded, tmp_path):
    """Late, with an extension, a free day, partial credit, other points, a bonus, a task dropped; and then changed."""
    with create_engine(address(postgres), isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as server:
        server.execute(text("CREATE DATABASE rules"))
    found = {}
    for kind in ("sqlite", "postgresql"):
        course, said = Course(tmp_path / kind), []
        if kind == "postgresql":
            keep_grades_in(course, postgres.replace("/postgres?", "/rules?"))
        release(course, LAB, notebooks)
        shutil.copytree(graded.root / "submitted", course.root / "submitted")
        for path in course.root.glob(f"submitted/*/{LAB}/intake.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"clock": "platform"}))
            path.with_name("timestamp.txt").write_text("2026-10-19 12:00:00 UTC")
        (course.root / "course.toml").write_text(RULES)
        pool = recorded({task: ["wrong", "No."] if task == "vae-2" else ["right", "Yes."] for task in TASKS})
        pool.agreed = {"vae-2": ["value", "shape"]}
        assert autograde(course, LAB, pool=pool, say=lambda words: None) == 0
        course_rules(course, True, datetime(2026, 11, 1, tzinfo=UTC), said.append)
        export(course, lambda words: None, partial=True)
        tables = [(course.root / name).read_text() for name in ("grades.csv", "term.csv")]
        (course.root / "course.toml").write_text(RULES.replace("per_day = 10", "per_day = 20"))
        course_rules(course, False, datetime(2026, 11, 1, tzinfo=UTC), said.append)
        found[kind] = tables, said
    assert found["sqlite"] == found["postgresql"]
    ((grades, _), said) = found["postgresql"]
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO(grades.removeprefix("\ufeff")))}
    out_of = float(rows["1"]["out_of"])
    assert (rows["1"]["vae-1"], rows["1"]["vae-3"], rows["1"]["vae-4"]) == ("7", "0.5", "")
    assert float(rows["1"]["vae-2"]) == pytest.approx(0.4 * TABLE["vae-2"]["points"])
    assert float(rows["1"]["penalty"]) == pytest.approx(0.2 * out_of), "three days begun, one of them free"
    assert float(rows["2"]["penalty"]) == pytest.approx(0.1 * out_of), "with a day more"
    assert sum(" -> " in words for words in said) > 0


def test_a_server_that_was_restarted_costs_nothing(postgres, notebooks, graded, recorded, tmp_path):
    """All connections are cut, and with them the lock is gone; the run connects again, and takes the lock again."""
    course, said, locked = Course(tmp_path / "course"), [], []
    keep_grades_in(course, postgres)
    release(course, LAB, notebooks)
    shutil.copytree(graded.root / "submitted", course.root / "submitted")
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid() AND datname = :name"
    )

    def say(words: str) -> None:
        said.append(words)
        if len(said) == 1:
            with open_gradebook(address(postgres)) as gradebook:
                gradebook.db.execute(cut, {"name": "postgres"})
        if len(said) == 3:
            with pytest.raises(Mistake, match="another grader is at work"):
                Writer(course, LAB)
            locked.append(True)

    pool = recorded({task: ["right", f"{task} is right"] for task in TASKS})
    assert autograde(course, LAB, pool=pool, say=say) == 0
    assert locked and said[-1] == f"{LAB}: 5 of 5 submissions graded."


def test_plain_nbgrader_finds_the_same_gradebook(postgres, notebooks, tmp_path):
    course = Course(tmp_path / "course")
    keep_grades_in(course, postgres)
    configure(course)
    command = [sys.executable, "-m", "nbgrader", "db", "student", "add", "zoe"]
    subprocess.run(command, cwd=course.root, check=True, capture_output=True, timeout=120)
    with course.gradebook() as gradebook:
        assert gradebook.find_student("zoe").id == "zoe" and gradebook.course_id == COURSE_ID
    assert make_url(course.db_url).get_backend_name() == "postgresql"
