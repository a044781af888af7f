"""A copy of the course, to break."""

import shutil

import pytest


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The folders and files that are checked, as a build leaves them."""
    from grading.content import known_answers, overlay, reference_text
    from grading.content.overlay import blanks
    from grading.maintain import build, consistency, notebooks, repository, structure

    for folder in ("starter", "solutions", "notebooks"):
        shutil.copytree(overlay.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for path in blanks():
        (tmp_path / "starter" / path.name).write_text(blanks()[path])
    shutil.copytree(overlay.ROOT / "results", tmp_path / "results", ignore=shutil.ignore_patterns("weights"))
    (tmp_path / "grading/content").mkdir(parents=True)
    shutil.copytree(overlay.ROOT / "grading/content/answers", tmp_path / "grading/content/answers")
    shutil.copytree(overlay.ROOT / "docs", tmp_path / "docs")
    (tmp_path / "grading/maintain").mkdir()
    for name in ("README.md", "RESULTS.md", *repository.REQUIREMENTS):
        shutil.copy(overlay.ROOT / name, tmp_path / name)
    for module in (build, consistency, known_answers, notebooks, overlay, reference_text, repository, structure):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    known_answers.answers.cache_clear()
    yield tmp_path
    known_answers.answers.cache_clear()


@pytest.fixture
def edit(course):
    """Replace a text in a file, where it stands first."""

    def replace(name: str, old: str, new: str) -> None:
        text = (course / name).read_text(encoding="utf-8")
        assert old in text
        (course / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace
