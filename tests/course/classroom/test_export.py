"""The tables have every student and every point, and no spreadsheet takes a name for a formula."""

import csv
import shutil

import pytest

from grading.__main__ import main
from grading.classroom.course_folder import Course
from grading.classroom.export import cell, export
from grading.classroom.export import text as text_of
from grading.content.mistake import Mistake
from grading.content.tasks import QUESTIONS, TASKS

LAB = "02_vae"


@pytest.fixture(scope="module")
def tables(graded) -> dict[str, list[list[str]]]:
    said = []
    paths = export(graded, said.append, partial=True)
    assert "5 submissions" in said[-1]
    return {path.name: list(csv.reader(path.open(encoding="utf-8-sig", newline=""))) for path in paths}


def test_there_is_a_row_for_each_student_and_lab_with_the_points_of_each_task(tables, points):
    head, *rows = tables["grades.csv"]
    by_student = {row[0]: dict(zip(head, row)) for row in rows}
    assert sorted(by_student) == ["1", "2", "3", "4", "5"]
    ben = by_student["2"]
    assert (ben["first_name"], ben["last_name"], ben["lab"]) == ("Ben", "Öz", LAB)
    assert (ben["vae-1"], ben["vae-2"]) == (str(TASKS["vae-1"]["points"]), "0")
    assert (ben["total"], ben["out_of"]) == (str(points(without="vae-2")), str(points(questions=True)))
    assert ben["ae-1"] == "" and ben["submitted"]
    assert {name: row["to_read"] for name, row in by_student.items() if row["to_read"] == "yes"}.keys() == {
        "2",
        "3",
        "5",
    }
    assert set(TASKS) | set(QUESTIONS) <= set(head)


def test_canvas_gets_its_columns_and_the_row_of_possible_points(tables, points):
    head, possible, *rows = tables["canvas.csv"]
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert head[5:] == ["Variational autoencoder (02_vae)"]
    assert possible == ["    Points Possible", "", "", "", "", str(points(questions=True))]
    assert ["Arndt, Anna", "1", "", "", "", str(points())] in rows and len(rows) == 5


def test_a_name_that_starts_a_formula_is_quoted(tables):
    for rows in tables.values():
        assert not [text for row in rows for text in row if text[:1] in tuple("=+-@\t\r")]
    assert "'=cmd|'calc'!A1" in [row[3] for row in tables["grades.csv"]] + [row[2] for row in tables["grades.csv"]]


@pytest.mark.parametrize("text", ["=1", "+1", "-rf", "@x", " =1", "\t=1", "\uff1d1", "|x"])
def test_every_start_of_a_formula_is_quoted(text):
    assert cell(text).startswith("'")


@pytest.mark.parametrize("text", ["Eve;=1+1|cmd", "Eve; +1", 'Eve;"=1"', "Eve;;@x", "=1;=2"])
@pytest.mark.parametrize("before", [[], ["a"], ["a, b"], ['"a"', 3]])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_starts_a_formula_at_whichever_sign_a_spreadsheet_splits(text, before, delimiter):
    for row in csv.reader(text_of([[*before, text, "end"]]).lstrip("\ufeff").splitlines(), delimiter=delimiter):
        assert not [found for found in row if found.lstrip(' "')[:1] in tuple("=+-@|")]


def test_a_semicolon_in_a_sentence_stays_as_it_is():
    assert cell("first; then") == "first; then"


def test_numbers_and_names_stay_as_they_are():
    assert [cell(value) for value in (2.0, 1.5, 0, "Zoë", None)] == ["2", "1.5", "0", "Zoë", ""]


def test_a_large_number_is_written_without_an_exponent():
    """Seconds late of one who came two weeks after the deadline."""
    assert [cell(value) for value in (1234567.0, 1234567, 15.066666, 1e-7, -2.5)] == [
        "1234567",
        "1234567",
        "15.0667",
        "0",
        "-2.5",
    ]


def test_points_that_were_taken_off_for_lateness_are_not_in_the_total(graded, tmp_path, points):
    late = Course(tmp_path / "late")
    shutil.copytree(graded.root, late.root)
    with late.gradebook() as gradebook:
        gradebook.find_submission_notebook(LAB, LAB, "1").late_submission_penalty = 4
        gradebook.db.commit()
    export(late, lambda text: None, partial=True)
    rows = csv.DictReader((late.root / "grades.csv").open(encoding="utf-8-sig"))
    anna = next(row for row in rows if row["student"] == "1")
    assert (anna["penalty"], anna["total"]) == ("4", str(points() - 4))


def grades_of(gradebook, student: str) -> list:
    return gradebook.find_submission_notebook(LAB, LAB, student).grades


def test_a_lab_with_unread_answers_is_said_and_kept_from_the_lms(graded, tmp_path, capsys):
    course = Course(tmp_path / "unread")
    shutil.copytree(graded.root, course.root)
    for path in course.root.glob("*.csv"):
        path.unlink()
    assert main(["export", "--course", str(course.root)]) == 2
    said = capsys.readouterr()
    assert "02_vae: 3 of 5 submissions have answers that nobody has read" in said.out
    assert "--partial" in said.err and said.err.count("\n") == 1
    assert sorted(path.name for path in course.root.glob("*.csv")) == ["grades.csv", "term.csv"]
    assert main(["export", "--course", str(course.root), "--partial"]) == 0
    assert len([*course.root.glob("*.csv")]) == 4
    with course.gradebook() as gradebook:
        for grade in (grade for student in "12345" for grade in grades_of(gradebook, student)):
            grade.needs_manual_grade = False
        gradebook.db.commit()
    (course.root / "canvas.csv").unlink()
    assert main(["export", "--course", str(course.root)]) == 0
    assert (course.root / "canvas.csv").exists()


def test_points_of_an_older_scale_are_said_and_kept_from_the_lms(graded, tmp_path):
    """vae-1 is worth one point more now, and two have what it was worth; who had 0 would have 0 again."""
    course, said = Course(tmp_path / "rescaled"), []
    shutil.copytree(graded.root, course.root)
    with course.gradebook() as gradebook:
        gradebook.find_grade_cell("vae-1", LAB, LAB).max_score = TASKS["vae-1"]["points"] + 1
        for grade in (grade for student in "12345" for grade in grades_of(gradebook, student)):
            grade.needs_manual_grade = False
        gradebook.db.commit()
    with pytest.raises(Mistake, match="02_vae: not finished"):
        export(course, said.append)
    assert said[0] == "02_vae: 2 of 5 have points of before the tasks' points changed: autograde --regrade."
    with course.gradebook() as gradebook:
        for student in "12":
            next(grade for grade in grades_of(gradebook, student) if grade.name == "vae-1").manual_score = 1.5
        gradebook.db.commit()
    assert export(course, said.append), "what a human gave is of the scale that she saw"


def test_export_before_grading_is_one_line(course, tmp_path):
    with pytest.raises(Mistake, match="autograde LAB"):
        export(course)
    with pytest.raises(Mistake, match="release LAB"):
        export(Course(tmp_path / "nothing"))
