"""The report counts what was met; Moodle gets what it takes."""

import csv
import shutil
from pathlib import Path

import pytest

from grading.classroom import class_report as report_of
from grading.classroom.class_report import report, spread
from grading.classroom.course_folder import Course
from grading.classroom.export import export
from grading.classroom.results import Result
from grading.content import known_answers
from grading.content.mistake import Mistake
from grading.content.tasks import QUESTIONS, tasks_of

LAB = "02_vae"
TASKS = tasks_of(LAB)


@pytest.fixture(scope="module")
def reported(graded) -> tuple[list[str], list[dict]]:
    said = []
    path = report(graded, LAB, said.append)
    return said, list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))


def test_every_task_says_how_many_have_it_right_wrong_and_blank(reported):
    """Of five: one all right, one wrong in vae-2, one blank, one empty, one that does not parse."""
    said, rows = reported
    found = {(row["task"], row["what"]): int(row["learners"]) for row in rows if row["what"] in ("right", "wrong")}
    assert (found["vae-1", "right"], found["vae-2", "right"]) == (2, 1)
    assert (found["vae-1", "wrong"], found["vae-2", "wrong"]) == (1, 2)
    line = next(words for words in said if words.startswith("vae-2 "))
    assert line.split()[1:5] == ["1", "2", "1", "1"] and line.endswith("20%")


def test_notebooks_that_cannot_be_read_are_named(reported):
    said, rows = reported
    line = next(words for words in said if "cannot be read" in words)
    assert line.startswith("notebook cannot be read: 2; ") and line.endswith("opens the files in submitted/: 2, 5")
    assert [row["learners"] for row in rows if row["what"] == "unreadable"] == ["2"]


def test_who_is_late_only_by_the_platforms_mark_is_late_too():
    found = {name: Result(None, None, late, 0, 19, scores={"vae-1": 2}) for name, late in (("a", 0.0), ("b", 9.0))}
    assert spread(found, set()).endswith("; 1 came late.") and spread(found, {"b"}).endswith("; 1 came late.")
    assert spread(found, {"a", "b"}).endswith("; 2 came late (1 by the platform's mark alone).")


def test_a_misconception_is_counted_by_what_the_catalogue_says(reported):
    said, rows = reported
    entry = known_answers.answers("wrong")["vae-2"][0]
    row = next(row for row in rows if row["what"] == entry["id"])
    assert (row["learners"], row["share"], row["says"]) == ("1", "0.2", entry["says"])
    assert any(entry["says"] in words for words in said[said.index("What to teach next:") :])


def test_what_stops_a_whole_module_is_one_mistake_behind_one_that_has_a_name_and_as_many_met(reported):
    """One of the five has a syntax error, for all tasks."""
    said, rows = reported
    row = next(row for row in rows if row["task"] == "all")
    assert (row["learners"], row["says"]) == ("1", "the whole module stops with SyntaxError")
    first, *others = said[said.index("What to teach next:") + 1 :]
    assert first.endswith(known_answers.answers("wrong")["vae-2"][0]["says"])
    assert sum("stops with SyntaxError" in words for words in others) == 1


def test_what_most_learners_met_is_taught_next_whether_it_has_a_name_or_not():
    tasks = tasks_of(LAB)
    rows = [(task, state, 0, 0.0, "") for task in tasks for state in report_of.STATES]
    rows += [(tasks[0], "vae-1-named", 2, 0.2, "named"), (tasks[1], "vae-2-named", 1, 0.1, "rare")]
    rows += [(tasks[2], "other", 2, 0.2, "without a name"), (tasks[3], "other", 9, 0.9, "stops with NameError")]
    said = [*report_of.shown(LAB, rows, 10, {})]
    listed = said[said.index("What to teach next:") + 1 :]
    assert [line.split(maxsplit=2)[2] for line in listed] == ["stops with NameError", "named", "without a name", "rare"]


def test_an_exception_in_one_task_is_counted_by_its_type():
    def note(**wrong) -> dict:
        return {"tasks": {task: ["wrong", wrong[task]] if task in wrong else ["right", ""] for task in ("a", "b")}}

    says = "line 3 of starter/vae.py raises {}: something"
    assert report_of.alike(note(a=says.format("E")), ["a", "b"]) is None
    assert report_of.alike(note(a=says.format("E"), b=says.format("F")), ["a", "b"]) is None
    assert report_of.alike(note(a=says.format("E"), b=says.format("E")), ["a", "b"]) == says.format("E")
    assert report_of.named(says.format("IndexError"), ()) == "stops with IndexError"
    assert report_of.named("something else", ()) == report_of.OTHER


def test_points_and_times_of_the_class_are_said(reported, points):
    said, _ = reported
    spread = f"Points: median 0 of {points(questions=True)}, the middle half from 0 to {points(without='vae-2')}"
    assert any(words.startswith(spread) for words in said)
    assert any(words.startswith("Judging took ") for words in said)


def test_a_report_before_grading_is_one_line(course):
    with pytest.raises(Mistake, match="autograde 02_vae"):
        report(course, LAB)


def test_moodle_gets_the_participants_numbers_and_the_columns_that_it_reads(graded, points):
    export(graded, lambda words: None, partial=True)
    rows = list(csv.DictReader((graded.root / f"moodle-{LAB}.csv").open(encoding="utf-8-sig", newline="")))
    ben = next(row for row in rows if row["Identifier"] == "Participant 2")
    assert (ben["Full name"], ben["Grade"], ben["Maximum grade"]) == (
        "Ben Öz",
        str(points(without="vae-2")),
        str(points(questions=True)),
    )
    assert len(rows) == 5 and ben["Last modified (grade)"] == ""


def copied(graded: Course, folder: Path) -> Course:
    shutil.copytree(graded.root, folder)
    return Course(folder)


def test_an_answer_that_nobody_read_has_no_points_yet(graded, tmp_path):
    """Learner 3 wrote an answer to vae-q1; of 2 and 5 nobody knows; two left it, which is 0 points for certain."""
    course, said = copied(graded, tmp_path / "course"), []
    report(course, LAB, said.append)
    worth = QUESTIONS["vae-q1"]["points"]
    line = said.index(f"vae-q1   0.00 of {worth} points on average (of 2)")
    assert said[line + 1] == "vae-q1   still to be read: 3"
    export(course, said.append, partial=True)
    assert exported(course)["vae-q1"] == ""
    with course.gradebook() as gradebook:
        grade = next(g for g in gradebook.find_submission_notebook(LAB, LAB, "3").grades if g.name == "vae-q1")
        grade.manual_score, grade.needs_manual_grade = 2, False
        gradebook.db.commit()
    said.clear()
    report(course, LAB, said.append)
    assert f"vae-q1   0.67 of {worth} points on average (of 3)" in said
    assert "vae-q1   still to be read: 2" in said
    export(course, said.append, partial=True)
    assert exported(course)["vae-q1"] == "2"


def exported(course: Course) -> dict:
    rows = csv.DictReader((course.root / "grades.csv").open(encoding="utf-8-sig", newline=""))
    return next(row for row in rows if row["student"] == "3")


def test_what_is_not_graded_yet_is_said_at_the_export(graded, tmp_path):
    course, said = copied(graded, tmp_path / "course"), []
    course.record(LAB, "2").unlink()
    export(course, said.append, partial=True)
    assert "02_vae: 1 submissions are not graded yet" in said[0] and "4 submissions" in said[-1]
