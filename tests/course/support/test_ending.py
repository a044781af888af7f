"""The end of a lab, and pytest as a learner uses it."""

import importlib.util

import pytest

from grading.content.overlay import ROOT
from starter.support import checks, course, ending, progress


@pytest.mark.parametrize(("here", "links"), [(("02_vae",), 0), (("02_vae", "03_beta_vae"), 1)])
def test_the_next_lab_is_linked_where_its_notebook_is(monkeypatch, here, links):
    lab, shown = course.labs()["02_vae"], []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data["text/html"]))
    monkeypatch.setattr(progress, "present", lambda: [course.labs()[name] for name in here])
    right = dict.fromkeys(lab.tasks, progress.Standing("right", ""))
    ending.follow(lab, progress.LabStanding(lab, right, dict.fromkeys(lab.questions, "written")))
    assert shown[0].count("href='03_beta_vae.ipynb'") == links and "submit 2" in shown[0]


@pytest.fixture
def lessons():
    """tests/lessons/test_tasks.py, which learners run: not collected here."""
    spec = importlib.util.spec_from_file_location("lessons_of_tasks", ROOT / "tests/lessons/test_tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("said", "outcome"),
    [(checks.Blank("vae-1 is blank"), pytest.skip.Exception), (checks.Wrong("no"), pytest.fail.Exception)],
)
def test_a_blank_is_skipped_and_a_wrong_answer_is_said_once(lessons, monkeypatch, said, outcome):
    def check(task):
        raise said

    monkeypatch.setattr(lessons, "check", check)
    with pytest.raises(outcome) as caught:
        lessons.test_task("vae-1")
    assert str(said) in str(caught.value) and caught.value.__context__ is None
    assert isinstance(said, checks.Blank) or not caught.value.pytrace
