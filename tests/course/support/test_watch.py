"""watch: saving a module checks the function that has changed, and what comes next is said."""

import pytest

from grading.content import known_answers
from grading.content.overlay import blanks
from grading.content.tasks import tasks_of
from starter.support import checks, course, ladder, progress
from starter.support.watch import watch

TEXT = {path.stem: text for path, text in blanks().items()}["vae"]
SOLUTION = known_answers.solution("vae").read_text()


def part(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end)]


RIGHT = TEXT.replace(part(TEXT, "def reparameterize", "def kl_"), part(SOLUTION, "def reparameterize", "def kl_"))


@pytest.fixture
def saves(tmp_path, monkeypatch, capsys):
    """What is said after each of these texts is saved, the first one before anything is."""
    path = tmp_path / "vae.py"
    path.write_text(TEXT)
    monkeypatch.setattr(course, "module_of", lambda lab: path)
    monkeypatch.setattr(ladder, "TRIES", tmp_path / "tries.json")
    monkeypatch.setattr(progress, "STORE", tmp_path / "verdicts.json")
    monkeypatch.setattr(checks, "path_of", lambda task: path)

    def run(*texts: str) -> list[str]:
        left, said = list(texts), []

        def pause() -> None:
            said.append(capsys.readouterr().out)
            if not left:
                raise KeyboardInterrupt
            path.write_text(left.pop(0))

        with pytest.raises(KeyboardInterrupt):
            watch([course.labs()["02_vae"]], pause)
        return said

    return run


def test_what_is_saved_is_checked_and_the_next_blank_is_named(saves):
    wrong = TEXT.replace('raise NotImplementedError("vae-1")', "return mu.sin()")
    first, failed, broken, right, again, comment = saves(
        wrong, wrong.replace("return mu", "return (mu"), RIGHT, RIGHT, RIGHT + "# a comment\n"
    )
    assert "Watching starter/vae.py" in first and "Next: vae-1, mean plus standard deviation times noise" in first
    assert "vae-1 is not right yet" in failed and "Hint 1 of 3" in " ".join(failed.split())
    assert broken.strip().startswith("line ") and "raises SyntaxError" in broken and broken.strip().count("\n") == 0
    assert "vae-1 is right" in right and f"Lab 2: 1 of {len(tasks_of('02_vae'))} tasks right" in right
    assert "Next: vae-2" in right
    assert again == ""
    assert "vae-2 is still blank" in comment and "vae-1" not in comment
