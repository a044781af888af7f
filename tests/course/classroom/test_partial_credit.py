"""Partial credit: off by default, worked out where points are read, from what the one judgement found right."""

import csv
import json
import shutil
from datetime import UTC, datetime

import pytest

from grading.classroom.autograde import autograde
from grading.classroom.changes import course_rules
from grading.classroom.collect import collect
from grading.classroom.course_folder import Course
from grading.classroom.export import export
from grading.classroom.feedback import feedback
from grading.classroom.rules import FILE, parsed
from grading.content.mistake import Mistake
from grading.content.tasks import TASKS, tasks_of

LAB = "02_vae"
WORTH = TASKS["vae-2"]["points"]
ON = "[partial]\nvalue = 40\nshape = 10\ngradient = 20\ncorners = 20\n"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def five(graded, tmp_path) -> Course:
    """Of learner 2's wrong vae-2, the gradient is all that is wrong."""
    shutil.copytree(graded.root, tmp_path / "five")
    course = Course(tmp_path / "five")
    path = course.record(LAB, "2").with_name("verdicts.json")
    path.chmod(0o644)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"agreed": {"vae-2": ["value", "shape", "corners"]}}))
    return course


def ruled(course: Course, text: str, apply: bool = True) -> list[str]:
    (course.root / FILE).write_text(text)
    said: list[str] = []
    course_rules(course, apply, NOW, said.append)
    return said


def rows(course: Course) -> dict[str, dict[str, str]]:
    export(course, lambda words: None, partial=True)
    found = csv.DictReader((course.root / "grades.csv").open(encoding="utf-8-sig"))
    return {row["student"]: row for row in found}


def page(course: Course, student: str) -> str:
    feedback(course, LAB, lambda words: None)
    return (course.folder("feedback", LAB, student) / f"{LAB}.html").read_text()


def test_off_it_changes_no_table_and_no_page(five, graded):
    assert rows(five) == rows(graded) and rows(five)["2"]["vae-2"] == "0"
    assert page(five, "2") == page(graded, "2")
    assert not any("Partial" in words for words in ruled(five, "[partial]\n"))


def test_on_it_gives_the_share_of_what_is_right_and_says_so_on_the_page(five, gradebook_rows):
    before, old = gradebook_rows(five), float(rows(five)["2"]["total"])
    ruled(five, ON)
    assert float(rows(five)["2"]["vae-2"]) == pytest.approx(0.7 * WORTH)
    assert float(rows(five)["2"]["total"]) == pytest.approx(old + 0.7 * WORTH)
    words = (
        "Right all the same: the numbers on ordinary inputs, shapes and types, the corner cases. "
        f"By this course&#x27;s rules that is {0.7 * WORTH:g} of {WORTH} points."
    )
    assert page(five, "2").count(words) == 1 and "Right all the same" not in page(five, "3")
    assert gradebook_rows(five) == before


def test_the_preview_says_what_it_gives_and_for_whom_before_it_counts(five):
    said = ruled(five, ON, apply=False)
    assert (
        "Partial credit for wrong answers whose numbers on ordinary inputs are right: 40 % for the numbers on ordinary "
        "inputs, 10 % for shapes and types, 20 % for the gradients, 20 % for the corner cases; others earn none."
    ) in said
    assert sum(words.startswith(LAB) and " -> " in words for words in said) == 1
    assert "The points of 1 learner" in said[-1]
    with pytest.raises(Mistake, match="course.toml changes the points of 1 learners"):
        rows(five)


def test_it_follows_other_points_and_a_task_that_does_not_count_earns_nothing(five):
    ruled(five, ON + "[lab.02_vae]\npoints = { vae-2 = 10 }\n")
    assert rows(five)["2"]["vae-2"] == "7"
    ruled(five, ON + '[lab.02_vae]\ndrop = ["vae-2"]\n')
    assert rows(five)["2"]["vae-2"] == ""


@pytest.mark.parametrize(("tasks", "share"), [('["vae-2"]', 0.7), ('["vae-1"]', 0), ("[]", 0)])
def test_a_lab_names_the_tasks_that_have_it(five, tasks, share):
    said = ruled(five, f"{ON}[lab.02_vae]\npartial = {tasks}\n")
    assert float(rows(five)["2"]["vae-2"]) == pytest.approx(share * WORTH)
    only = tasks.strip('[]"') or "no task"
    assert any(words.endswith(f"others earn none. In 02_vae only of {only}.") for words in said)


def test_points_that_a_human_gave_stand(five):
    with five.gradebook() as gradebook:
        gradebook.find_grade("vae-2", LAB, LAB, "2").manual_score = 0.25
        gradebook.db.commit()
    ruled(five, ON)
    assert rows(five)["2"]["vae-2"] == "0.25" and "Right all the same" not in page(five, "2")


def test_blanks_crashes_and_refused_work_earn_nothing(graded, tmp_path):
    shutil.copytree(graded.root, tmp_path / "five")
    course = Course(tmp_path / "five")
    before = rows(course)
    ruled(course, ON)
    assert {who: rows(course)[who] for who in "345"} == {who: before[who] for who in "345"}
    states = {who: {state for state, _ in course.noted(LAB, who, "verdicts.json")["tasks"].values()} for who in "345"}
    assert states == {"3": {"blank"}, "4": {"refused"}, "5": {"wrong"}}


def test_the_grader_finds_what_is_right_of_a_wrong_answer(
    course, tmp_path, packed, solution, released_notebook, jail, forks
):
    """From a learner's file to her points, by the judge that strangers' work has."""
    from grading.judge.executors import Local

    right = "torch.exp(0.5 * log_var)"
    module = solution.replace(f"sigma = {right}", f"sigma = {right}.detach()")
    assert module != solution
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads/anna.zip").write_bytes(packed({f"{LAB}.ipynb": released_notebook, "starter/vae.py": module}))
    collect(course, LAB, tmp_path / "uploads")
    limits = {"cpu": 5, "wall": 60}
    assert autograde(course, LAB, limits=limits, pool=Local(1), jail=jail, say=lambda words: None) == 0
    assert course.noted(LAB, "anna", "verdicts.json")["agreed"] == {"vae-1": ["value", "shape", "corners"]}
    ruled(course, ON)
    assert float(rows(course)["anna"]["vae-1"]) == pytest.approx(0.7 * TASKS["vae-1"]["points"])


def test_the_best_submission_is_the_best_with_partial_credit(course, tmp_path, recorded, packed, released_notebook):
    """Two wrong answers: the earlier one is right in part, and counts on."""
    (course.root / FILE).write_text('resubmissions = "best"\n' + ON)
    tasks = {task: ["right", ""] for task in tasks_of(LAB)} | {"vae-2": ["wrong", ""]}
    for attempt, agreed in enumerate(({"vae-2": ["value"]}, {})):
        folder = tmp_path / f"uploads-{attempt}"
        folder.mkdir()
        files = {f"{LAB}.ipynb": released_notebook, "starter/vae.py": f"x = {attempt}"}
        (folder / "anna.zip").write_bytes(packed(files))
        times = tmp_path / "times.csv"
        times.write_text(f"anna,2026-11-01T1{attempt}:00:00+00:00\n")
        collect(course, LAB, folder, times=times)
        pool = recorded(tasks)
        pool.agreed = agreed
        assert autograde(course, LAB, pool=pool, say=lambda words: None) == 0
    assert (course.folder("submitted", LAB, "anna") / "starter/vae.py").read_text() == "x = 0"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[partial]\nvalue = 101", "partial.value is 101: a number from 0 to 100 is needed"),
        ("[partial]\nvalues = 10", "there is no partial.values; did you mean value?"),
        ("partial = true", "partial is True: a table [partial] is needed"),
        ("[partial]\nvalue = 60\nshape = 40", "partial sums up to 100: less than 100 is needed, for a wrong answer"),
        (
            '[lab.02_vae]\npartial = ["vae-q1"]',
            "lab.02_vae.partial is ['vae-q1']: a list of tasks of 02_vae",
        ),
        ('[lab.13_vqvae]\npartial = ["vq-2"]', "a list of tasks of 13_vqvae but vq-2, all or nothing for what it is"),
        ('[lab.02_vae]\npartial = ["vae-1"]', "lab.02_vae.partial names tasks, and [partial] gives them nothing: set"),
    ],
)
def test_what_cannot_be_is_one_line(text, says):
    with pytest.raises(Mistake) as said:
        parsed(text)
    assert says in str(said.value) and "\n" not in str(said.value)
