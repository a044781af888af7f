"""What was met before what, and how long it took: of learners who had several submissions graded, and only of these."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from grading.classroom.autograde import autograde
from grading.classroom.class_report import report
from grading.classroom.collect import collect
from grading.classroom.rules import FILE
from grading.classroom.tries import Step, steps, took
from grading.content import known_answers
from grading.content.tasks import tasks_of
from tests.course.classroom.test_feedback import Tags

LAB = "02_vae"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SIGN = known_answers.answers("wrong")["vae-2"][0]["says"]
RIGHT = {task: ["right", ""] for task in tasks_of(LAB)}
TITLE = "<h2>What was met before what</h2>"


def tries(*states: str) -> list[dict]:
    """Of one task: states, and messages of wrong answers."""
    known = ("right", "blank")
    return [{"time": "", "tasks": {"t": [one, ""] if one in known else ["wrong", one]}} for one in states]


def test_each_way_is_counted_once_for_each_learner_with_who_arrived():
    tried = {
        "a": tries("blank", "A", "B", "right"),
        "b": tries("A", "A", "B", "A", "B"),  # still wrong
        "c": tries("B", "right"),
        "d": tries("right", "right"),
    }
    found = steps(tried, lambda task, state, message: message or state)
    assert found == [
        Step("t", "A", "B", 2, 1),
        Step("t", "B", "right", 2, 2),
        Step("t", "B", "A", 1, 0),
        Step("t", "blank", "A", 1, 1),
    ]


def test_time_is_from_the_first_try_to_the_last_of_those_of_whom_a_clock_says_it():
    def at(*hours: float | None) -> list[dict]:
        return [{"time": "" if h is None else (NOW + timedelta(hours=h)).isoformat(), "tasks": {}} for h in hours]

    assert took([at(0, 1), at(0, 5, 3), at(2, 4.5), at(1), at(None, None), at(0, None)]) == (
        "From the first try to the last of 3 learners: 2.5 hours in the median, the middle half from 1.0 to 5.0."
    )
    assert took([at(None, None), at(1)]) == ""


@pytest.fixture
def hand_in(course, tmp_path, recorded, packed, released_notebook):
    """Learner, number and verdicts of a submission, to its being graded."""

    def graded(who: str, number: int, tasks: dict, timed: bool = True) -> None:
        folder = tmp_path / f"{who}-{number}"
        folder.mkdir()
        files = {f"{LAB}.ipynb": released_notebook, "starter/vae.py": f"x = {number}"}
        (folder / f"{who}.zip").write_bytes(packed(files))
        times = tmp_path / "times.csv"
        times.write_text(f"{who},{(NOW + timedelta(hours=number)).isoformat()}\n")
        collect(course, LAB, folder, times=times if timed else None, say=lambda words: None)
        assert autograde(course, LAB, pool=recorded(tasks), say=lambda words: None) == 0

    return graded


def page(course) -> str:
    report(course, LAB, lambda words: None)
    return (course.root / f"report-{LAB}.html").read_text()


def test_the_report_has_it_where_somebody_handed_in_again_and_nowhere_else(course, hand_in, recorded):
    wrong = RIGHT | {"vae-2": ["wrong", SIGN], "vae-3": ["wrong", "<script>alert(1)</script> off by 2.5"]}
    hand_in("anna", 0, wrong)
    hand_in("ben", 0, wrong)
    assert TITLE not in page(course)
    hand_in("anna", 6, RIGHT)
    found = page(course)
    assert TITLE in found and "1 learners had more than one submission graded." in found
    assert "From the first try to the last of 1 learners: 6.0 hours in the median" in found
    assert f"<td>{SIGN}</td><td>right</td>" in found.replace("&#x27;", "'") and "1 of 1" in found
    assert not {tag for tag, _ in Tags(found).found} & {"script", "a", "img", "form"}


def test_the_same_files_judged_again_are_one_try_with_todays_verdict(course, hand_in, recorded):
    hand_in("anna", 0, RIGHT | {"vae-1": ["wrong", "No."]})
    assert autograde(course, LAB, regrade=True, pool=recorded(RIGHT), say=lambda words: None) == 0
    (only,) = course.noted(LAB, "anna", "tries.json")
    assert only["tasks"] == RIGHT and TITLE not in page(course)


def test_a_try_that_counts_less_than_the_one_before_is_a_try(course, hand_in):
    (course.root / FILE).write_text('resubmissions = "best"\n')
    hand_in("anna", 0, RIGHT)
    hand_in("anna", 2, RIGHT | {"vae-1": ["wrong", "No."]})
    assert [one["tasks"]["vae-1"][0] for one in course.noted(LAB, "anna", "tries.json")] == ["right", "wrong"]
    assert course.noted(LAB, "anna", "verdicts.json")["tasks"] == RIGHT


def test_a_time_that_no_platform_says_is_none(course, hand_in):
    hand_in("anna", 0, RIGHT, timed=False)
    assert [one["time"] for one in course.noted(LAB, "anna", "tries.json")] == [""]


def test_work_that_was_graded_before_tries_were_kept_begins_with_the_next_one(course, hand_in):
    hand_in("anna", 0, RIGHT)
    course.record(LAB, "anna").with_name("tries.json").unlink()
    assert TITLE not in page(course)
    hand_in("anna", 1, RIGHT | {"vae-1": ["blank", ""]})
    assert len(json.loads(course.record(LAB, "anna").with_name("tries.json").read_text())) == 1
