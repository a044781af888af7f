"""predict, outcome, summary: a guess is kept until the outcome is known, and told beside it."""

import re

import pytest

from starter.support import course, ending, guesses, kernel, progress, runs


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("starter.support.widgets.live", lambda: False)
    return tmp_path / "runs/guesses.json"


def asked():
    guesses.predict("gan-slope", "How steep?", ["flat", "steep"])


def test_a_question_is_asked_with_its_choices(capsys):
    asked()
    assert capsys.readouterr().out == "How steep?\n  a) flat\n  b) steep\n"


def test_a_guess_is_told_beside_the_outcome(capsys):
    asked()
    guesses.guess("gan-slope", "flat")
    guesses.outcome("gan-slope", "steep")
    assert capsys.readouterr().out.splitlines()[-1] == "Outcome: steep. You expected: flat."


def test_who_did_not_guess_reads_the_outcome_alone(capsys):
    asked()
    guesses.outcome("gan-slope", "steep")
    assert capsys.readouterr().out.splitlines()[-1] == "Outcome: steep."


def test_a_guess_after_the_outcome_is_not_kept():
    asked()
    guesses.outcome("gan-slope", "steep")
    guesses.guess("gan-slope", "steep")
    assert "guess" not in guesses.read()["gan-slope"]


def test_asking_again_forgets_nothing():
    asked()
    guesses.guess("gan-slope", "flat")
    asked()
    assert guesses.read()["gan-slope"]["guess"] == "flat"


def test_a_summary_has_the_questions_of_one_lab(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data["text/html"]))
    asked()
    guesses.guess("gan-slope", "flat")
    guesses.predict("vae-gap", "How wide?", ["narrow", "wide"])
    guesses.summary("gan")
    assert re.findall(r"<th scope='row'>(.*?)</th>", shown[0]) == ["How steep?"] and "<td>flat</td>" in shown[0]


def test_who_has_no_guesses_gets_no_table(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: pytest.fail("something is shown"))
    guesses.summary("gan")


@pytest.mark.parametrize(("prefix", "says"), [("gan", "Lab 8, DCGAN and LSGAN"), ("cmp", "")])
def test_who_reads_along_is_told_how_far_the_lab_is_and_what_comes_after(monkeypatch, capsys, prefix, says):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data["text/html"]))
    monkeypatch.setattr(kernel, "is_watched", lambda: True)
    monkeypatch.setattr(
        progress, "verdicts", lambda lab: (dict.fromkeys(lab.tasks, progress.Standing("right", "")), "")
    )
    guesses.summary(prefix)
    lab = course.lab_named(prefix)
    assert f"Lab {lab.number}: " in capsys.readouterr().out
    assert f"submit {lab.number}</code>" in shown[0] and says in shown[0]
    assert ("The lab after this one" in shown[0]) is bool(says)


def test_own_samples_are_drawn_beside_the_references(monkeypatch):
    drawn = []
    monkeypatch.setattr("starter.support.plots.rows", lambda rows, title: drawn.append(rows))
    ending.draw({"vae": "mnist16", "never-trained": "mnist16"})
    assert [*drawn[0]] == ["vae, the course's"]  # of one's own there is none in this folder
    course_s = runs.of_reference("mnist16")["vae"]
    runs.save(course_s)
    (runs.folder() / "mnist16/vae.png").write_bytes((course_s.folder / "vae.png").read_bytes())
    ending.draw({"vae": "mnist16"})
    assert [*drawn[1]] == ["vae, yours", "vae, the course's"] and drawn[1]["vae, yours"].shape == (12, 1, 16, 16)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"gan-slope": 3}'])
def test_a_damaged_file_is_begun_again(mine, text):
    mine.parent.mkdir()
    mine.write_text(text)
    asked()
    assert guesses.read() == {"gan-slope": {"question": "How steep?"}}


def test_buttons_keep_the_choice(monkeypatch):
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed: pip install -r requirements.txt")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    asked()
    guesses.show_buttons("gan-slope", ["flat", "steep"])
    shown[0].value = "b"
    assert guesses.read()["gan-slope"]["guess"] == "steep"
