"""What an instructor sets for nbgrader stays, whatever is released; a folder of the first edition keeps hers, too."""

import pytest

from grading.classroom.course_folder import Course
from grading.classroom.gradebook import configured
from grading.classroom.settings import configure
from grading.content.mistake import Mistake

FIRST_EDITION = '''"""Plain `nbgrader` and formgrader work in this folder. Written by `python -m grading release`."""

import os
from pathlib import Path

os.environ.setdefault("MAX_STEPS", "2")  # whenever nbgrader runs a notebook: nothing trains
here = Path(__file__).resolve().parent
elsewhere = here / "gradebook.url"  # written by --db
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = 'course'
c.CourseDirectory.root = str(here)
if elsewhere.exists():
    c.CourseDirectory.db_url = elsewhere.read_text().strip()
c.Exchange.root = str(here / "exchange")
c.ClearSolutions.text_stub = 'Your answer.'
c.Autograde.exclude_overwriting = {'01_autoencoder': ['starter/autoencoder.py']}  # what a learner edits, and so on
'''
LATE = """
os.environ.setdefault("HERS", "1")
c.LateSubmissionPlugin.penalty_method = "zero"
c.Exchange.root = str(here / "elsewhere")
"""


@pytest.fixture
def course(tmp_path) -> Course:
    return Course(tmp_path / "course")


def settings(course: Course) -> dict:
    found = configured(course.root)
    return {
        "id": found.CourseDirectory.get("course_id"),
        "root": found.CourseDirectory.get("root"),
        "modules": len(found.Autograde.get("exclude_overwriting", {})),
        "late": found.LateSubmissionPlugin.get("penalty_method"),
        "exchange": found.Exchange.get("root"),
    }


def test_the_courses_settings_are_those_of_nbgrader(course):
    configure(course)
    found = settings(course)
    assert (found["id"], found["root"], found["late"]) == ("course", str(course.root), None)
    assert found["exchange"] == str(course.root / "exchange") and found["modules"] > 1


def test_what_an_instructor_adds_stays_and_wins(course):
    configure(course)
    hers = course.root / "nbgrader_config.py"
    hers.write_text(hers.read_text() + 'c.Exchange.root = "/srv"\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    before = hers.read_bytes()
    configure(course)
    assert hers.read_bytes() == before
    assert (settings(course)["late"], settings(course)["exchange"]) == ("zero", "/srv")


def test_a_first_edition_folder_gets_new_settings_and_keeps_what_was_added(course):
    course.root.mkdir()
    (course.root / "nbgrader_config.py").write_text(FIRST_EDITION + LATE)
    before = settings(course)
    configure(course)
    after = settings(course)
    assert after.pop("modules") > before.pop("modules") == 1
    assert after == before and after["late"] == "zero" and after["exchange"].endswith("elsewhere")


def test_a_first_edition_file_that_nobody_touched_is_replaced(course):
    course.root.mkdir()
    (course.root / "nbgrader_config.py").write_text(FIRST_EDITION)
    configure(course)
    fresh = Course(course.root.parent / "fresh")
    configure(fresh)
    assert (course.root / "nbgrader_config.py").read_text() == (fresh.root / "nbgrader_config.py").read_text()


@pytest.mark.parametrize(
    "text", ["c = get_config()\n", FIRST_EDITION.replace("here /", "here.parent /")], ids=["her own", "ours, edited"]
)
def test_a_file_that_is_hers_is_left_alone_with_one_line_that_says_what_to_add(course, text):
    course.root.mkdir()
    (course.root / "nbgrader_config.py").write_text(text)
    with pytest.raises(Mistake, match="load_subconfig"):
        configure(course)
    assert (course.root / "nbgrader_config.py").read_text() == text
    assert [path.name for path in course.root.iterdir() if path.is_file()] == ["nbgrader_config.py"]
