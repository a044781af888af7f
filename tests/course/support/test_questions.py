"""A model answer comes after the learner's own; and every way not to get one is a line."""

import json
import os
import subprocess
import sys

import pytest

from grading.content.tasks import LABS, MODEL_ANSWERS, QUESTIONS, UNANSWERED
from starter.__main__ import main
from starter.support import course, questions


def book(cells: list) -> str:
    return json.dumps({"cells": cells})


def cell(text, name="vae-q1", rules=True) -> dict:
    marks = {"nbgrader": {"grade_id": name}} if rules else {}
    return {"cell_type": "markdown", "id": name if not rules else "any", "metadata": marks, "source": text}


@pytest.fixture(params=["notebooks/02_vae.ipynb", "02_vae.ipynb"], ids=["repository", "zip"])
def write(request, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "TOP", tmp_path)
    path = tmp_path / request.param
    path.parent.mkdir(exist_ok=True)
    return path.write_text


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("own", [cell("Because."), cell(["Because", " of it."]), cell("Because.", rules=False)])
def test_whoever_has_written_an_answer_sees_a_model_answer(write, own):
    write(book([cell("**Question 1.**", "other"), own]))
    assert words(questions.shown("vae-q1")) == words(MODEL_ANSWERS["vae-q1"]["answer"])


@pytest.mark.parametrize(
    "cells", [[], [cell(UNANSWERED)], [cell([UNANSWERED, "\n"])], [cell(" ")], [cell("x", "vae-q2")]]
)
def test_nobody_sees_it_before(write, cells):
    write(book(cells))
    with pytest.raises(questions.Unwritten, match="vae-q1: write your answer into 02_vae.ipynb first, and save it"):
        questions.shown("vae-q1")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": 3}', '{"cells": [3]}', '{"cells": [{"id": "vae-q1"}]}'])
def test_a_file_that_is_no_notebook_is_one_line(write, text):
    write(text)
    with pytest.raises(questions.Refused, match="02_vae.ipynb cannot be read as a notebook"):
        questions.shown("vae-q1")


def test_a_notebook_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(course, "TOP", tmp_path)
    with pytest.raises(questions.Refused, match="there is no 02_vae.ipynb in"):
        questions.shown("vae-q1")


def test_a_copy_without_model_answers_says_where_they_are(monkeypatch, tmp_path):
    monkeypatch.setattr(questions, "FACTS", tmp_path / "questions.json")
    with pytest.raises(questions.Refused, match="they come back with your graded work"):
        questions.shown("vae-q1")


def test_the_exercises_of_a_lab_need_no_answer():
    for lab in LABS:
        assert questions.shown(lab).startswith("1. ")
    assert "\n\n3. " in questions.shown("02_vae")


def test_the_shell_tells_it_in_its_exit_code(write, capsys):
    write(book([cell(UNANSWERED)]))
    assert main(["answer", "vae-q1"]) == 1 and "write your answer" in capsys.readouterr().out
    assert main(["answer", "vae-q9"]) == 2 and "the questions vae-q1 and vae-q2" in capsys.readouterr().err
    assert main(["answer", "vae-1"]) == 2 and "vae-1 is a task" in capsys.readouterr().err
    assert main(["answer", "02_vae"]) == 0


def test_a_shell_without_greek_letters_gets_their_names_and_waits_for_no_torch():
    code = "import sys, starter.__main__ as m; m.main(['answer', '03_beta_vae']); sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    run = subprocess.run([sys.executable, "-c", code], cwd=course.TOP, env=environment, capture_output=True)
    assert run.returncode == 0 and rb"\N{GREEK SMALL LETTER LAMDA}" in run.stdout


def test_learners_get_no_rubric_and_no_misconception():
    facts = questions.known()
    assert facts["questions"].keys() == QUESTIONS.keys()
    assert all(row.keys() == {"lab", "answer"} for row in facts["questions"].values())
