"""A roster is read as Canvas and Moodle write it; who has not handed in is in every table; nobody is mixed up."""

import csv

import pytest

from grading.__main__ import main
from grading.classroom.class_report import report
from grading.classroom.collect import collect
from grading.classroom.course_folder import Course
from grading.classroom.export import export
from grading.classroom.roster import FILE, people, roster_of, take_in
from grading.content.mistake import Mistake, lab_named

LAB = "02_vae"
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (123)
    Points Possible,,,,,19
"Müller, Zoë",5001,s17,zmueller,"Group A",
"Lee, Ann",5002,s18,alee,"Group B",12
"Student, Test",5999,,,"Group A",
"""
PARTICIPANTS = """First name,Last name,ID number,Email address,Groups
Zoë,Müller,,zoe@example.org,A
Ann,Lee,,ann@example.org,A
Ann,Lee,,lee@example.org,B
"""
WORKSHEET = """Identifier,Full name,Email address,Status,Grade,Maximum grade,Last modified (submission)
Participant 6001,Zoë Müller,zoe@example.org,Submitted,,19,"Friday, 20 November 2026, 8:05 PM"
Participant 6002,Ann Lee,lee@example.org,Submitted,,19,"Friday, 20 November 2026, 8:06 PM"
"""


@pytest.fixture
def listed(tmp_path):
    """The text of a roster as a file."""

    def written(text: str, name: str = "roster.csv"):
        path = tmp_path / name
        path.write_text("\ufeff" + text, encoding="utf-8")
        return path

    return written


def names(course: Course) -> dict[str, str]:
    return {person.id: person.name for person in roster_of(course).people}


def test_canvas_gives_ids_logins_and_sections_and_no_row_that_is_nobodys(listed):
    zoe, ann = people(listed(CANVAS))
    assert (zoe.id, zoe.name, zoe.section, zoe.sis, zoe.login) == ("5001", "Zoë Müller", "Group A", "s17", "zmueller")
    assert (ann.id, ann.first_name, ann.last_name) == ("5002", "Ann", "Lee")


def test_moodle_gives_addresses_for_ids_since_its_numbers_are_of_one_assignment(listed):
    assert [one.id for one in people(listed(PARTICIPANTS))] == ["zoe@example.org", "ann@example.org", "lee@example.org"]
    assert [one.id for one in people(listed(WORKSHEET))] == ["zoe@example.org", "lee@example.org"]


@pytest.mark.parametrize("text", ["id;name;section\n7;Zoë Müller;A\n", "id\tfirst name\tsurname\n7\tZoë\tMüller\n"])
def test_a_plain_table_is_enough(listed, text):
    (zoe,) = people(listed(text))
    assert (zoe.id, zoe.name) == ("7", "Zoë Müller")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("who,points\nanna,3\n", "is no roster: its first line has to name an id (or email) and a name"),
        ("id,name\n", "lists nobody"),
        ("id,name\n7,Zoë\n8,Ann\n7,Ben\n", "line 4: '7' is in line 2, too, and is one person's"),
        ("id,name,email\n7,Zoë,a@b.c\n8,Ann,A@b.c\n", "line 3: 'a@b.c' is in line 2, too"),
        ("id,name\n,Zoë\n", "line 2: 'Zoë' has no id and no email"),
        ("", "is no roster"),
    ],
)
def test_a_wrong_roster_is_one_line_and_changes_nothing(course, listed, text, words, capsys):
    take_in(course, listed(CANVAS, "right.csv"))
    before = names(course)
    assert main(["roster", str(listed(text)), "--course", str(course.root)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and names(course) == before


def test_who_is_gone_from_the_roster_is_said(course, listed, capsys):
    take_in(course, listed(CANVAS, "old.csv"))
    assert main(["roster", str(listed("id,name\n5001,Zoë Müller\n")), "--course", str(course.root)]) == 0
    assert "No more in the roster, with all that they have: Ann Lee." in capsys.readouterr().out


@pytest.fixture
def moodle(tmp_path, packed, released_notebook):
    """Learners' folders, as Moodle names them, in a download."""

    def download(*folders: str):
        for folder in folders:
            path = tmp_path / f"download/{folder}_assignsubmission_file_"
            path.mkdir(parents=True)
            (path / "work.zip").write_bytes(packed({f"{LAB}.ipynb": released_notebook, "starter/vae.py": "x = 1"}))
        return tmp_path / "download"

    return download


def test_a_learner_of_a_moodle_download_is_found_by_name_and_her_number_stays(course, listed, moodle):
    take_in(course, listed(PARTICIPANTS))
    collect(course, LAB, moodle("Zoë Müller_6001"))
    (zoe,) = course.students("submitted", LAB)
    assert zoe == roster_of(course).named("zoe@example.org")
    assert '"id": "6001"' in (course.folder("submitted", LAB, zoe) / "intake.json").read_text()


def test_two_of_one_name_are_one_line_unless_the_worksheet_tells_them_apart(course, listed, moodle):
    take_in(course, listed(PARTICIPANTS))
    with pytest.raises(Mistake, match="'Ann Lee' .6002. is the name of ann@example.org and lee@example.org"):
        collect(course, LAB, moodle("Zoë Müller_6001", "Ann Lee_6002"))
    assert course.students("submitted", LAB) == []
    worksheet = listed(WORKSHEET, "worksheet.csv")
    collect(course, LAB, moodle(), times=worksheet, zone="UTC")
    assert {*course.students("submitted", LAB)} == {
        roster_of(course).named("zoe@example.org"),
        roster_of(course).named("lee@example.org"),
    }


def test_two_numbers_that_lead_to_one_person_are_not_merged(course, listed, moodle):
    take_in(course, listed("id,name\n7,Ann Lee\n"))
    with pytest.raises(Mistake, match="stands for several people"):
        collect(course, LAB, moodle("Ann Lee_6002", "Ann Lee_6003"))
    assert course.students("submitted", LAB) == []


def test_who_is_not_in_the_roster_is_collected_and_said(course, listed, moodle):
    take_in(course, listed(CANVAS))
    said = collect(course, LAB, moodle("Max Moritz_6009"))
    assert "'6009' (Max Moritz) is in no row of roster.csv: kept by this id" in said
    assert course.students("submitted", LAB) == ["6009"]


def test_who_has_not_handed_in_is_in_every_table_with_section_and_ids(graded, tmp_path, listed):
    import shutil

    shutil.copytree(graded.root, tmp_path / "course")
    course, said = Course(tmp_path / "course"), []
    take_in(course, listed(CANVAS.replace("5001", "1")))
    export(course, lambda words: None, partial=True)
    report(course, LAB, said.append)

    def table(name: str) -> list[dict]:
        return [*csv.DictReader((course.root / name).open(encoding="utf-8-sig"))]

    (ann,) = (row for row in table("grades.csv") if row["student"] == "5002")
    assert (ann["status"], ann["section"], ann["total"], ann["last_name"]) == ("not handed in", "Group B", "", "Lee")
    (ann,) = (row for row in table("term.csv") if row["student"] == "5002")
    assert (ann["not_handed_in"], ann["percent"]) == (LAB, "0")
    rows = {row["ID"]: row for row in table("canvas.csv")}
    kept = [rows["5002"][column] for column in ("SIS User ID", "SIS Login ID", "Section")]
    assert kept == ["s18", "alee", "Group B"]
    assert rows["1"]["Student"] == "Müller, Zoë" and rows["1"]["Section"] == "Group A"
    assert any(words.startswith("roster   has nothing graded: 1; Ann Lee (5002)") for words in said)
    assert (course.root / FILE).read_text().startswith("id,first_name,last_name,email,section,sis,login")


@pytest.mark.parametrize("typed", ["02_vae", "2", "vae", "VAE_1", "notebooks/02_vae.ipynb"])
def test_an_instructor_names_a_lab_as_learners_do(typed):
    assert lab_named(typed) == "02_vae"


def test_a_file_that_is_not_there_is_one_line_without_a_number(tmp_path, capsys):
    assert main(["roster", str(tmp_path / "none.csv"), "--course", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"roster: {tmp_path / 'none.csv'}: No such file or directory\n"
