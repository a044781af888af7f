"""What leaves a checkout says which version and which commit made it, and the same commit makes the same bytes."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from grading.classroom.autograde import autograde
from grading.classroom.collect import collect
from grading.classroom.feedback import feedback, version
from grading.classroom.gradescope import package
from grading.content import edition as made_by
from grading.content.edition import edition
from grading.content.overlay import ROOT
from grading.content.tasks import tasks_of

LAB = "02_vae"
TASKS = tasks_of(LAB)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Anna", "-c", "user.email=anna@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A repository of one file, which says its version."""
    if not shutil.which("git"):
        pytest.skip("git is not installed (Debian: apt install git): the version names its commit")
    (tmp_path / "course").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "course")
    git(tmp_path / "course", "init")
    git(tmp_path / "course", "add", ".")
    git(tmp_path / "course", "commit", "-m", "first")
    return tmp_path / "course"


@pytest.fixture
def said(monkeypatch):
    """What the course in a folder says of itself."""

    def edition_of(folder: Path) -> str:
        monkeypatch.setattr(made_by, "ROOT", folder)
        return edition.__wrapped__()

    return edition_of


def test_a_course_without_git_says_its_version_alone(tmp_path, said):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "2.1.0"\n')
    assert said(tmp_path) == "2.1.0"


def test_a_repository_around_the_course_is_somebody_elses(checkout, said):
    inner = checkout / "inner"
    inner.mkdir()
    shutil.copy(checkout / "pyproject.toml", inner)
    assert "(" in said(checkout) and "(" not in said(inner)


def test_a_change_that_is_not_committed_is_marked(checkout, said):
    clean = said(checkout)
    assert not clean.endswith("-dirty)")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    assert said(checkout) == f"{clean[:-1]}-dirty)"


def test_every_clone_of_a_commit_says_the_same(checkout, said):
    before = said(checkout)
    git(checkout, "tag", "-a", "v1.0.0", "-m", "first edition")
    git(checkout, "config", "core.abbrev", "7")
    git(checkout.parent, "clone", "--no-tags", str(checkout), "clone")
    assert said(checkout) == said(checkout.parent / "clone") == before


def test_a_release_says_who_made_it(released):
    with zipfile.ZipFile(released.zip(LAB)) as archive:
        assert f"\nVersion {edition()} of the course.\n" in archive.read(f"{LAB}/README.md").decode()


def test_the_released_zip_itself_is_accepted_as_a_submission(course, tmp_path):
    (tmp_path / "uploads").mkdir()
    shutil.copy(course.zip(LAB), tmp_path / "uploads/anna.zip")
    (line,) = collect(course, LAB, tmp_path / "uploads")
    assert line == "'anna.zip': anna, accepted"


@pytest.fixture
def graded_by_nobody(course, recorded):
    """A submission that is graded without being run."""
    folder = course.folder("submitted", LAB, "anna")
    shutil.rmtree(folder, ignore_errors=True)  # of another test with the same course
    (folder / "starter").mkdir(parents=True)
    shutil.copy(course.released(LAB), folder)
    (folder / "starter/vae.py").write_text("# anna")
    pool = recorded({task: ["right", "right"] for task in TASKS})
    autograde(course, LAB, pool=pool, say=lambda words: None)
    return course, pool


def test_a_grade_says_who_gave_it_and_so_does_the_feedback(graded_by_nobody):
    course, _ = graded_by_nobody
    assert course.record(LAB, "anna").read_text().splitlines()[1:] == [edition()]
    feedback(course, LAB, lambda words: None)
    page = course.folder("feedback", LAB, "anna") / f"{LAB}.html"
    assert f"Graded by version {edition()} of the course." in page.read_text()


def test_what_was_graded_before_grades_said_so_stays_graded(graded_by_nobody):
    course, pool = graded_by_nobody
    record = course.record(LAB, "anna")
    old = record.read_text().splitlines()[0]
    record.chmod(0o644)
    record.write_text(old)
    said = []
    autograde(course, LAB, pool=pool, say=said.append)
    assert pool.students == ["anna"] and not any("other probes" in words for words in said)
    assert version(old) == "" and feedback(course, LAB, lambda words: None) == 1


def test_the_gradescope_zip_says_who_made_it_and_is_the_same_each_time(course):
    first = package(course, LAB).read_bytes()
    assert package(course, LAB).read_bytes() == first
    with zipfile.ZipFile(course.root / f"gradescope/{LAB}.zip") as archive:
        assert f"\nMade by version {edition()} of the course.\n" in archive.read("README.md").decode()


def test_the_change_log_begins_with_this_version():
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:4] == "## ["]
    assert headings[0].startswith(f"## [{edition().split()[0]}]")
