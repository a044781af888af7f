"""course.toml: what it may say, what it makes of points; and a change counts only once somebody has looked at it."""

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from grading.__main__ import main
from grading.classroom.autograde import autograde
from grading.classroom.changes import KEPT, course_rules
from grading.classroom.collect import collect
from grading.classroom.counting import penalties
from grading.classroom.course_folder import Course
from grading.classroom.export import export
from grading.classroom.feedback import feedback
from grading.classroom.results import Result, term_percent
from grading.classroom.rules import FILE, Lab, Rules, parsed, template
from grading.content.mistake import Mistake
from grading.content.tasks import LABS, TASKS, tasks_of

LAB = "02_vae"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DUE = '[lab.02_vae]\ndue = "2026-10-19 23:59"\n'
WRONG = {  # course.toml -> what is said of it
    'zone = "Mars/Base"': "zone is 'Mars/Base': a time zone such as Europe/Berlin is needed",
    "late = 3": "late is 3: a table [late] is needed",
    "[late]\nper_day = 101": "late.per_day is 101: a number from 0 to 100 is needed",
    "[late]\nper_day = nan": "late.per_day is nan: a number from 0 to 100 is needed",
    "[late]\nper_week = 5": "there is no late.per_week; did you mean per_day? Keys here: grace, free_days",
    "[late]\nfree_days = 1.5": "late.free_days is 1.5: a whole number from 0 to 1000 is needed",
    'resubmissions = "first"': 'resubmissions is \'first\': "last" or "best" is needed',
    "anonymous = 1": "anonymous is 1: true or false is needed",
    'use = ["02_vea"]': "use is ['02_vea']: a list of labs, each once is needed ('02_vea' is none; did you mean 02_",
    '[lab.02_vea]\ndue = "2026-10-19"': "there is no lab.02_vea; did you mean 02_vae?",
    '[lab.02_vae]\ndue = "soon"': "lab.02_vae.due is 'soon': a time such as \"2026-10-19 23:59\", or a date is needed",
    "[lab.02_vae]\ndue = 2026-13-01": "line 2",
    "[lab.02_vae]\nweight = -1": "lab.02_vae.weight is -1: a number from 0 to 1000 is needed",
    "[lab.02_vae]\npoints = { vae-99 = 2 }": "('vae-99' is none; did you mean vae-",
    "[lab.02_vae]\npoints = { vae-1 = true }": "lab.02_vae.points is {'vae-1': True}: tasks with points from 0 to 1000",
    '[lab.02_vae]\ndrop = ["ae-1"]': "a list of tasks and questions of 02_vae, each once is needed",
    '[lab.02_vae]\ndrop = ["vae-1"]\nbonus = ["vae-1"]': "vae-1 is in drop and in bonus: leave it in one of them",
    "[[extension]]\ndays = 3": "extension 1 has no student: name the one that it is for",
    '[[extension]]\nstudent = "anna"': "extension 1 (anna) needs one of days, due and excused = true",
    '[[extension]]\nstudent = "anna"\nlab = "02_vae"\ndays = 3': "(anna): 02_vae has no due date: set it in",
    '[extension]\nstudent = "anna"': "extension is one table: write [[extension]]",
    "x =": "Invalid value",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_allowed_is_one_line_with_key_value_and_what_is(text):
    with pytest.raises(Mistake) as said:
        parsed(text)
    assert (
        WRONG[text] in str(said.value) and str(said.value).startswith("course.toml: ") and "\n" not in str(said.value)
    )


def test_the_file_that_begins_a_course_changes_nothing_and_shows_every_key():
    assert parsed(template()) == Rules(labs={lab: Lab() for lab in LABS})
    for key in ("zone", "resubmissions", "anonymous", "drop_lowest", "grace", "free_days", "per_day", "most", "days"):
        assert f"{key} = " in template()
    on = DUE.join(template().replace("# per_day = 0 ", "per_day = 5 ").split("[lab.02_vae]\n"))
    assert parsed(on).late.per_day == 5 and parsed(on).of(LAB).due


def test_times_without_a_zone_are_of_the_courses_zone_and_a_date_is_its_last_minute():
    rules = parsed(
        'zone = "Asia/Tokyo"\n[lab.02_vae]\ndue = "2026-10-19"\n[lab.03_beta_vae]\ndue = 2026-10-19T10:00:00Z'
    )
    assert rules.of(LAB).due == datetime(2026, 10, 19, 14, 59, 59, tzinfo=UTC)
    assert rules.of("03_beta_vae").due == datetime(2026, 10, 19, 10, tzinfo=UTC)


def test_the_latest_date_that_somebody_was_given_holds():
    both = '[[extension]]\nstudent = "a"\ndays = 2\n[[extension]]\nstudent = "a"\nlab = "02_vae"\ndue = "2026-10-30"\n'
    rules = parsed('zone = "UTC"\n' + DUE + both)
    assert rules.due(LAB, "a") == datetime(2026, 10, 30, 23, 59, 59, tzinfo=UTC)
    assert rules.due(LAB, "b") == rules.of(LAB).due and rules.due("03_beta_vae", "a") is None


@pytest.mark.parametrize(
    ("late", "days", "shares"),
    [
        ("per_day = 10", {"02_vae": 0.0, "03_beta_vae": 0.1}, [0, 0.1]),  # a day that has begun
        ("per_day = 10\nmost = 25", {"02_vae": 9.0}, [0.25]),
        ("per_day = 10\nfree_days = 2", {"02_vae": 1.5, "03_beta_vae": 2.5}, [0, 0.3]),
        ("per_day = 10\nfree_days = 3", {"03_beta_vae": 2.5, "02_vae": 1.5}, [0, 0.2]),  # in the order of due dates
        ("closed_after = 2\nfree_days = 9", {"02_vae": 2.0, "03_beta_vae": 2.1}, [0, 1]),
    ],
)
def test_lateness_costs_what_the_rules_say_and_free_days_are_spent_as_they_come(late, days, shares):
    dates = "".join(f'[lab.{lab}]\ndue = "2026-10-{10 + i}"\n' for i, lab in enumerate(("02_vae", "03_beta_vae")))
    found, _ = penalties(parsed(f"[late]\n{late}\n{dates}"), days, "a")
    assert [found[lab] for lab in sorted(days)] == pytest.approx(shares)


def test_a_term_is_the_weighted_mean_without_the_lowest_and_without_what_is_excused():
    def of(points: float) -> Result:
        return Result(None, None, 0, 0, 10, scores={"x": points})

    labs = {"02_vae": {"a": of(10), "b": of(5)}, "03_beta_vae": {"b": of(8)}, "04_flow_vae": {"a": of(4), "b": of(2)}}
    weights = "[lab.04_flow_vae]\nweight = 2\n"
    assert term_percent(parsed(weights), labs, "a") == pytest.approx(100 * (1 + 0 + 0.8) / 4)
    assert term_percent(parsed("drop_lowest = 1\n" + weights), labs, "a") == pytest.approx(100 * (1 + 0.8) / 3)
    excused = weights + '[[extension]]\nstudent = "a"\nlab = "03_beta_vae"\nexcused = true\n'
    assert term_percent(parsed(excused), labs, "a") == pytest.approx(100 * (1 + 0.8) / 3)
    assert term_percent(parsed(""), {}, "a") is None


@pytest.fixture
def class_of_five(graded, tmp_path) -> Course:
    """All of it came on 2026-10-20 at noon, by the platform's clock, and the answers are read."""
    shutil.copytree(graded.root, tmp_path / "five")
    course = Course(tmp_path / "five")
    for path in course.root.glob(f"submitted/*/{LAB}/intake.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"clock": "platform"}))
        path.with_name("timestamp.txt").write_text("2026-10-20 12:00:00 UTC")
    return course


def rows(course: Course, name: str = "grades.csv") -> dict[str, dict[str, str]]:
    export(course, lambda words: None, partial=True)
    return {row["student"]: row for row in csv.DictReader((course.root / name).open(encoding="utf-8-sig"))}


def ruled(course: Course, text: str) -> list[str]:
    """What is said when course.toml is this, and counts from now on."""
    (course.root / FILE).write_text(text)
    said: list[str] = []
    course_rules(course, True, NOW, said.append)
    return said


def test_points_bonus_and_what_is_dropped_follow_the_rules_and_the_gradebook_stays(
    class_of_five, points, gradebook_rows
):
    before = gradebook_rows(class_of_five)
    worth = {task: TASKS[task]["points"] for task in tasks_of(LAB)}
    ruled(class_of_five, '[lab.02_vae]\npoints = { vae-1 = 7 }\ndrop = ["vae-2"]\nbonus = ["vae-3"]\n')
    anna = rows(class_of_five)["1"]
    full = points() - worth["vae-1"] + 7 - worth["vae-2"]
    assert (anna["vae-1"], anna["vae-2"], anna["total"]) == ("7", "", str(full))
    assert anna["out_of"] == str(points(questions=True) - worth["vae-1"] + 7 - worth["vae-2"] - worth["vae-3"])
    assert gradebook_rows(class_of_five) == before
    feedback(class_of_five, LAB, lambda words: None)
    page = (class_of_five.folder("feedback", LAB, "1") / f"{LAB}.html").read_text()
    assert f"{full} of {anna['out_of']} points." in page
    assert "7 of 7<" in page and "does not count" in page and "(bonus)" in page


def test_late_work_costs_by_the_platforms_clock_and_an_extension_helps(class_of_five, points):
    out_of = points(questions=True)
    ruled(class_of_five, f'zone = "UTC"\n{DUE}[late]\nper_day = 10\n')
    assert rows(class_of_five)["1"]["penalty"] == f"{0.1 * out_of:.4f}".rstrip("0").rstrip(".")
    ruled(class_of_five, f'zone = "UTC"\n{DUE}[late]\nper_day = 10\n[[extension]]\nstudent = "1"\ndays = 1\n')
    after = rows(class_of_five)
    assert (after["1"]["penalty"], after["1"]["total"]) == ("0", str(points()))
    assert after["2"]["penalty"] != "0"


def test_where_no_platform_says_when_nobody_is_late_but_by_its_mark_and_not_who_has_an_extension(class_of_five):
    for student, late in (("1", ""), ("2", "marked late by Canvas")):
        path = class_of_five.folder("submitted", LAB, student) / "intake.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"clock": "file", "late": late}))
    ruled(class_of_five, 'zone = "UTC"\n[lab.02_vae]\ndue = "2026-10-01"\n[late]\nper_day = 10\n')
    said: list[str] = []
    export(class_of_five, said.append, partial=True)
    assert any("no platform says when 2 of 5 came: 1 that it marks late count as one day late" in one for one in said)
    found = rows(class_of_five)
    assert (found["1"]["seconds_late"], found["2"]["seconds_late"]) == ("0", "86400")
    extended = '[[extension]]\nstudent = "2"\ndays = 3\n'
    ruled(class_of_five, 'zone = "UTC"\n[lab.02_vae]\ndue = "2026-10-01"\n[late]\nper_day = 10\n' + extended)
    assert rows(class_of_five)["2"]["seconds_late"] == "0"


def test_a_change_that_moves_points_is_shown_and_counts_only_when_it_is_applied(class_of_five, capsys):
    course = ["--course", str(class_of_five.root)]
    old = rows(class_of_five)["1"]["total"]
    (class_of_five.root / FILE).write_text("[lab.02_vae]\npoints = { vae-1 = 9 }\n")
    assert main(["export", *course]) == 2
    assert "course.toml changes the points of 5 learners: `python -m grading course` says" in capsys.readouterr().err
    assert main(["course", *course]) == 0
    said = capsys.readouterr().out
    assert f"{LAB:20} 1" in said and f"{old} of " in said and "Nothing is changed." in said
    assert main(["report", LAB, *course]) == 2 and main(["feedback", LAB, *course]) == 2
    assert main(["course", "--apply", *course]) == 0
    assert "In force; the points of 5 learners changed." in capsys.readouterr().out
    assert int(rows(class_of_five)["1"]["total"]) == int(old) - TASKS["vae-1"]["points"] + 9


def test_a_change_that_moves_nobodys_points_counts_at_once(class_of_five):
    (class_of_five.root / FILE).write_text('[lab.03_beta_vae]\ndue = "2026-12-01"\nweight = 3\n')
    rows(class_of_five)
    assert "weight = 3" in (class_of_five.root / KEPT).read_text()


def test_a_student_whom_nobody_knows_is_one_line_and_changes_nothing(class_of_five):
    before = rows(class_of_five)
    (class_of_five.root / FILE).write_text(DUE + '[[extension]]\nstudent = "17"\ndays = 1\n')
    with pytest.raises(Mistake, match="extension 1: nobody is called '17'; did you mean 1?"):
        course_rules(class_of_five, True, NOW, lambda words: None)
    (class_of_five.root / FILE).unlink()
    assert rows(class_of_five) == before


def test_a_lab_that_the_course_does_not_use_is_one_line(class_of_five, capsys, tmp_path):
    (class_of_five.root / FILE).write_text('use = ["03_beta_vae"]\n')
    for command in (["collect", LAB, str(tmp_path)], ["autograde", LAB], ["release", LAB]):
        assert main([*command, "--course", str(class_of_five.root)]) == 2
        assert "02_vae is none of this course's labs: add it to `use`" in capsys.readouterr().err


def test_a_lab_that_is_due_in_the_past_is_not_released(tmp_path, capsys):
    course = Course(tmp_path / "course")
    course.root.mkdir()
    (course.root / FILE).write_text('[lab.02_vae]\ndue = "2001-10-19"\n')
    assert main(["release", LAB, "--course", str(course.root)]) == 2
    assert "02_vae was due 2001-10-1" in capsys.readouterr().err
    assert [path.name for path in course.root.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "dates", ['due = "2101-10-19"\n', 'due = "2001-10-19"\n[[extension]]\nstudent = "anna"\ndue = "2101-10-19"\n']
)
def test_answers_of_a_lab_that_is_still_due_are_not_given_out(tmp_path, capsys, dates):
    course = Course(tmp_path / "course")
    course.root.mkdir()
    (course.root / FILE).write_text(f"[lab.01_autoencoder]\n{dates}")
    assert main(["release", LAB, "--given", "--course", str(course.root)]) == 2
    said = capsys.readouterr().err
    assert "01_autoencoder is due until 2101-10-1" in said and "--given would give its answers out" in said
    assert [path.name for path in course.root.iterdir()] == [FILE]


def test_a_course_is_begun_once(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["course", "--course", str(folder)]) == 0
    assert (folder / FILE).read_text() == template()
    (folder / FILE).write_text(DUE)
    assert main(["course", "--course", str(folder)]) == 0
    assert (folder / FILE).read_text() == DUE and "2026-10-19 23:59" in capsys.readouterr().out


@pytest.mark.parametrize("rule", ["last", "best"])
def test_of_several_submissions_the_last_or_the_best_counts(
    course, tmp_path, recorded, packed, rule, released_notebook
):
    (course.root / FILE).write_text(f'resubmissions = "{rule}"\n')
    right = {task: ["right", ""] for task in tasks_of(LAB)}
    worse = right | {"vae-1": ["wrong", ""]}
    for attempt, tasks in enumerate((right, worse, worse, right)):
        folder = tmp_path / f"uploads-{attempt}"
        folder.mkdir()
        files = {f"{LAB}.ipynb": released_notebook, "starter/vae.py": f"x = {attempt}"}
        (folder / "anna.zip").write_bytes(packed(files))
        times = tmp_path / "times.csv"
        times.write_text(f"anna,{(NOW + timedelta(hours=attempt)).isoformat()}\n")
        collect(course, LAB, folder, times=times)
        pool = recorded(tasks)
        assert autograde(course, LAB, pool=pool, say=lambda words: None) == 0
        assert autograde(course, LAB, pool=recorded({}), say=lambda words: None) == 0, "nothing is left to grade"
        module = (course.folder("submitted", LAB, "anna") / "starter/vae.py").read_text()
        best = rule == "best" and attempt in (1, 2)
        assert module == ("x = 0" if best else f"x = {attempt}")
        states = course.noted(LAB, "anna", "verdicts.json")["tasks"]
        assert states == (right if best else tasks)
