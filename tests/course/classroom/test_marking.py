"""Marking sheets: every answer that waits is in one, and what comes back is entered, all of it or nothing."""

import csv
import shutil

import pytest

from grading.__main__ import main
from grading.classroom.course_folder import Course
from grading.classroom.marking import head, items_of, read_back, sheets
from grading.classroom.rules import FILE
from grading.content.mistake import Mistake
from grading.content.tasks import MODEL_ANSWERS, QUESTIONS
from tests.course.classroom.test_feedback import Tags

LAB = "02_vae"
ASKED = [name for name, row in QUESTIONS.items() if row["lab"] == LAB]


@pytest.fixture
def five(graded, tmp_path) -> Course:
    """Learner 3 has written answers; of 2 and 5 the notebooks cannot be read."""
    shutil.copytree(graded.root, tmp_path / "five")
    return Course(tmp_path / "five")


def rows(path) -> list[dict[str, str]]:
    return [*csv.DictReader(path.open(encoding="utf-8-sig", newline=""))]


def filled(path, change, name: str = "filled.csv"):
    """The sheet with full points for each answer, changed."""
    found = rows(path)
    for row in found:
        row |= {f"item {i}": f"{most:g}" for i, most in enumerate(items_of(row["question"]), 1)}
    change(found)
    with (path.with_name(name)).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, head(LAB))
        writer.writeheader()
        writer.writerows(found)
    return path.with_name(name)


def grades(course: Course) -> dict[tuple[str, str], tuple]:
    with course.gradebook() as gradebook:
        return {
            (one.student_id, grade.name): (grade.manual_score, grade.needs_manual_grade)
            for one in gradebook.assignment_submissions(LAB)
            for grade in one.notebooks[0].grades
            if grade.name in ASKED
        }


def test_a_sheet_has_every_answer_that_waits_and_a_page_in_which_nothing_acts(five):
    (path,) = sheets(five, LAB, [], False, lambda words: None)
    assert sorted(row["question"] for row in rows(path)) == sorted(3 * ASKED)
    page = path.with_suffix(".html").read_text()
    assert all(row["key"] in page for row in rows(path)) and "item 1" in page and "A model answer" in page
    assert not {tag for tag, _ in Tags(page).found} & {"script", "form", "a", "iframe"}


def test_what_comes_back_is_in_the_gradebook_with_its_comment_and_waits_no_more(five):
    (five.root / FILE).write_text('[comments]\nbound = "Which of the two terms?"\n')
    (path,) = sheets(five, LAB, [], False, lambda words: None)

    def change(found):
        found[0] |= {"item 1": "0,5", "comment": "Nearly. #bound"}

    sheet, said = filled(path, change), []
    first = rows(path)[0]
    assert read_back(five, LAB, sheet, said.append) == 3 * len(ASKED)
    assert said == [f"{3 * len(ASKED)} answers have their points; 0 of 02_vae still wait."]
    marks = grades(five)
    assert all(waits is False for score, waits in marks.values() if score is not None)
    most = QUESTIONS[first["question"]]["points"]
    assert sorted(score for (_, q), (score, _) in marks.items() if q == first["question"] and score is not None) == [
        most - items_of(first["question"])[0] + 0.5,
        most,
        most,
    ]
    with five.gradebook() as gradebook:
        comments = [
            comment.manual_comment
            for one in gradebook.assignment_submissions(LAB)
            for comment in one.notebooks[0].comments
            if comment.manual_comment
        ]
    assert comments == ["Nearly. Which of the two terms?"]
    with pytest.raises(Mistake, match="no written answer of 02_vae waits for a human; --all"):
        sheets(five, LAB, [], False, lambda words: None)


WRONG = {
    "too much": (lambda found: found[1].update({"item 1": "99"}), "line 3: item 1 is '99': a number from 0 to"),
    "below": (lambda found: found[1].update({"item 1": "-1"}), "line 3: item 1 is '-1'"),
    "words": (lambda found: found[0].update({"item 1": "good"}), "line 2: item 1 is 'good'"),
    "half": (lambda found: found[0].update({"item 1": ""}), "line 2: item 1 is ''"),
    "nan": (lambda found: found[0].update({"item 1": "nan"}), "line 2: item 1 is 'nan'"),
    "key": (
        lambda found: found[0].update({"key": "0" * 12}),
        "line 2: '000000000000' is no answer of 02_vae as it is now",
    ),
    "twice": (lambda found: found.append(dict(found[0])), "is in line 2, too"),
    "code": (lambda found: found[0].update({"comment": "#nobody"}), "line 2: #nobody is no comment of course.toml"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_row_is_one_line_and_nothing_is_entered(five, wrong, capsys):
    (path,) = sheets(five, LAB, [], False, lambda words: None)
    before, (change, words) = grades(five), WRONG[wrong]
    sheet = filled(path, change)
    assert main(["marking", LAB, "--read", str(sheet), "--course", str(five.root)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and grades(five) == before


def test_a_rubric_that_does_not_sum_up_is_one_line_and_nothing_is_written_or_entered(five, monkeypatch, capsys):
    (path,) = sheets(five, LAB, [], False, lambda words: None)
    sheet, before = filled(path, lambda rows: None), grades(five)
    files = {one: one.read_bytes() for one in five.root.glob("marking-*")}
    row = MODEL_ANSWERS[ASKED[0]]
    monkeypatch.setitem(MODEL_ANSWERS, ASKED[0], row | {"rubric": row["rubric"][:-1]})
    for words in ([], ["--read", str(sheet)]):
        assert main(["marking", LAB, "--course", str(five.root), *words]) == 2
        said = capsys.readouterr().err
        assert f"the rubric of {ASKED[0]} has" in said and said.count("\n") == 1
    assert grades(five) == before and {one: one.read_bytes() for one in files} == files


def test_rows_that_are_left_empty_stay_as_they_are_and_another_csv_is_refused(five):
    (path,) = sheets(five, LAB, [], False, lambda words: None)
    assert read_back(five, LAB, path, lambda words: None) == 0
    other = five.root / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(Mistake, match="is no marking sheet of 02_vae: it has no column 'key'"):
        read_back(five, LAB, other, lambda words: None)


def test_markers_share_the_learners_and_see_no_names_where_marking_is_anonymous(five, capsys):
    (five.root / FILE).write_text("anonymous = true\n")
    assert main(["marking", LAB, "--markers", "anna,ben", "--course", str(five.root)]) == 0
    shares = [rows(five.root / f"marking-{LAB}-{name}.csv") for name in ("anna", "ben")]
    assert sorted(len(share) for share in shares) == [len(ASKED), 2 * len(ASKED)]
    assert {row["learner"] for share in shares for row in share} == {""}
    assert "Ben Öz" not in (five.root / f"marking-{LAB}-anna.html").read_text()
    capsys.readouterr()
    assert main(["marking", LAB, "--markers", "anna,../x", "--course", str(five.root)]) == 2
    assert "--markers has '../x': write names of letters" in capsys.readouterr().err
