"""How far a learner is: states by lab, questions and points included, and torch only for what has changed."""

import json
import os
import subprocess
import sys

import pytest

from grading.content import known_answers
from grading.content.overlay import blanks, overlay
from grading.content.tasks import LABS, TASKS, UNANSWERED
from starter.support import course, progress


@pytest.fixture
def folder(tmp_path):
    """A course: vae-1 right, gan-1 wrong, everything else blank; one answer in the notebook of lab 2."""
    stubs = {path.stem: text for path, text in blanks().items()}
    texts = stubs | {
        "vae": filled("vae", stubs["vae"], "reparameterize", "kl_divergence"),
        "gan": stubs["gan"].replace('raise NotImplementedError("gan-1")', "return real_logits.mean()"),
    }
    overlay(tmp_path, texts)
    for lab in LABS:
        cells = [{"id": question, "metadata": {}, "source": [UNANSWERED]} for question in course.labs()[lab].questions]
        if lab == "02_vae":
            cells[0]["source"] = ["Because of", " the KL."]
        (tmp_path / f"{lab}.ipynb").write_text(json.dumps({"cells": cells}))
    return tmp_path


def filled(module: str, stub: str, function: str, following: str) -> str:
    solution = known_answers.solution(module).read_text()
    answer = solution[solution.index(f"def {function}") : solution.index(f"def {following}")]
    return stub[: stub.index(f"def {function}")] + answer + stub[stub.index(f"def {following}") :]


def shell(folder, *words: str, code: str = "") -> subprocess.CompletedProcess:
    command = ["-c", code] if code else ["-m", "starter", *words]
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True
    )


def test_labs_that_are_begun_show_rows_and_all_show_points(folder):
    said = shell(folder, "progress").stdout
    nothing = "0 of 7 tasks right, 0 of 2 questions written, 0 of 20 points"
    assert f"Lab 1  01_autoencoder: {nothing}; {LABS['01_autoencoder']['minutes']} minutes" in said
    assert "Lab 2  02_vae: 1 of 8 tasks right, 1 of 2 questions written, 2 of 23 points, 2 more are a human's" in said
    rows = [line.split()[:3] for line in said.splitlines() if line.startswith("  ")]
    assert ["vae-1", "right", "2"] in rows and ["vae-2", "blank", "2"] in rows and ["vae-q1", "written", "2"] in rows
    assert ["vae-q2", "empty", "2"] in rows and ["gan-1", "wrong", "2"] in rows
    assert not any(row[0].startswith("ae-") for row in rows)
    total = sum(lab.points for lab in course.labs().values())
    assert said.splitlines()[-1].startswith(f"1 of {len(TASKS)} tasks right, 2 of {total} points; ")
    assert "\033" not in said


def test_what_has_not_changed_is_not_asked_again_and_what_has_is(folder):
    assert shell(folder, "progress", "1", "2").returncode == 0
    again = "import sys, starter.__main__ as m; m.main(['progress', '1', '2']); print('torch' in sys.modules)"
    assert shell(folder, code=again).stdout.endswith("False\n")
    path = folder / "starter/vae.py"
    path.write_text(path.read_text().replace("return mu + sigma * eps", "return mu - sigma * eps"))
    later = shell(folder, code=again).stdout
    assert later.endswith("True\n") and "vae-1    wrong" in later


def test_a_verdict_depends_on_the_modules_that_a_module_names(folder, monkeypatch):
    lab, vae = course.labs()["03_beta_vae"], folder / "starter/vae.py"
    monkeypatch.setattr(course, "module_of", lambda lab: folder / f"starter/{lab.module}.py")
    before = progress.content_of(lab)
    (folder / "starter/gan.py").write_text("x = 1\n")
    assert progress.content_of(lab) == before
    vae.write_bytes(vae.read_bytes() + b"\n")
    assert progress.content_of(lab) != before


@pytest.mark.parametrize("store", ["", "[]", "{", '{"02_vae": {"key": 3}}'])
def test_a_damaged_store_is_made_again(folder, store):
    (folder / "starter/.verdicts.json").write_text(store)
    said = shell(folder, "progress", "2")
    assert said.returncode == 0 and "vae-1    right" in said.stdout


def test_a_lab_alone_shows_itself_alone(folder):
    for path in folder.glob("*.ipynb"):
        if path.stem != "02_vae":
            path.unlink()
    assert [line for line in shell(folder, "progress").stdout.splitlines() if line.startswith("Lab ")] == [
        "Lab 2  02_vae: 1 of 8 tasks right, 1 of 2 questions written, 2 of 23 points, "
        f"2 more are a human's to give; {LABS['02_vae']['minutes']} minutes"
    ]


def test_right_says_its_points_how_far_the_lab_is_and_what_comes_next(folder):
    said = shell(folder, "check", "vae-1").stdout.splitlines()
    assert said[0] == "vae-1 is right: mean plus standard deviation times noise."
    assert said[1].startswith("✓ +2 points. Lab 2: 1 of 8 tasks right, 1 of 2 questions written, 2 of 23 points")
    assert said[2].startswith(
        "Next: vae-2, the closed-form KL, one number per example, about 12 minutes (starter/vae.py, "
    )


def test_behind_the_last_task_come_questions_and_then_the_next_lab():
    lab = course.labs()["02_vae"]
    right = dict.fromkeys(lab.tasks, progress.Standing("right", ""))
    found = progress.LabStanding(lab, right, {"vae-q1": "written", "vae-q2": "empty"})
    assert progress.coming(found) == "Next: vae-q2, in the notebook 02_vae."
    done = progress.LabStanding(lab, right, {"vae-q1": "written", "vae-q2": "written"})
    assert done.is_done and progress.coming(done) == "Lab 2 is done. Next: lab 3, 03_beta_vae."
    later = course.labs()["13_vqvae"]
    all_right = dict.fromkeys(later.tasks, progress.Standing("right", ""))
    answered = dict.fromkeys(later.questions, "written")
    assert (
        progress.coming(progress.LabStanding(later, all_right, answered))
        == "Lab 13 is done. Next: lab 11, 11_comparison."
    ), "in the order of reading"
    last = right | {"vae-1": progress.Standing("wrong", "")}
    assert progress.following(progress.LabStanding(lab, last, {}), "vae-8") == "vae-1"
