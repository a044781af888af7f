"""What goes back: zips under the names of the download, a page of the term, a report as a page, names for groups."""

import re
import shutil
import zipfile

import pytest

from grading.__main__ import main
from grading.classroom.changes import course_rules
from grading.classroom.class_report import report, term_report
from grading.classroom.course_folder import Course
from grading.classroom.feedback import term
from grading.classroom.groups import group_of
from grading.classroom.report_page import discrimination, earned
from grading.classroom.results import Result
from grading.classroom.returned import FORMS
from grading.classroom.roster import take_in
from grading.classroom.rules import FILE, parsed
from grading.content.mistake import Mistake
from tests.course.classroom.test_feedback import Tags
from tests.course.classroom.test_rules import NOW

LAB = "02_vae"
ZOE, THERE = "Zoë Müller_6001_assignsubmission_file", "12-34 - Zoë Müller - Nov 21, 2026 805 PM"


@pytest.fixture
def five(graded, tmp_path) -> Course:
    shutil.copytree(graded.root, tmp_path / "five")
    return Course(tmp_path / "five")


@pytest.mark.parametrize(
    ("platform", "came", "name"),
    [
        ("canvas", "müllerzoë_5001_9001_02_vae.zip", f"müllerzoë_5001_9001_{LAB}.html"),
        ("canvas", "leeann_LATE_5002_9002_vae-1.py", f"leeann_LATE_5002_9002_{LAB}.html"),
        ("canvas", "anon_x7Qab_9002_vae.py", f"anon_x7Qab_9002_{LAB}.html"),
        ("canvas", "anna.zip", None),
        (
            "moodle",
            "Zoë Müller_6001_assignsubmission_file_/work.zip",
            f"Zoë Müller_6001_assignsubmission_file_/{LAB}.html",
        ),
        (
            "moodle",
            "Zoë Müller_6001_assignsubmission_file_work.zip",
            f"Zoë Müller_6001_assignsubmission_file_/{LAB}.html",
        ),
        (
            "brightspace",
            "12-34 - Zoë Müller - Nov 21, 2026 805 PM/x.zip",
            f"12-34 - Zoë Müller - Nov 21, 2026 805 PM/{LAB}.html",
        ),
        ("plain", "anna.zip", f"Zoë Müller (6001)/{LAB}.html"),
    ],
)
def test_a_page_has_the_name_by_which_a_platform_takes_it_back(platform, came, name):
    assert FORMS[platform]({"from": came, "name": "Zoë Müller", "id": "6001"}, LAB) == name


def test_a_zip_has_every_page_and_is_of_one_platform(five, capsys):
    course = ["--course", str(five.root)]
    assert main(["feedback", LAB, "--zip", "moodle", *course]) == 0
    archive = zipfile.ZipFile(five.root / f"feedback-{LAB}-moodle.zip")
    names = archive.namelist()
    assert len(names) == 5 and f"Anna Arndt_1_assignsubmission_file_/{LAB}.html" in names
    page = (five.folder("feedback", LAB, "1") / f"{LAB}.html").read_bytes()
    assert archive.read(f"Anna Arndt_1_assignsubmission_file_/{LAB}.html") == page
    capsys.readouterr()
    assert main(["feedback", LAB, "--zip", "canvas", *course]) == 2
    assert "no submission of 02_vae came from canvas: --zip plain" in capsys.readouterr().err
    assert main(["feedback", "all", "--zip", "plain", *course]) == 2
    assert capsys.readouterr().err == "feedback: --zip is of one lab: name it\n"


def test_the_page_of_a_term_has_all_labs_also_of_who_has_handed_in_nothing(five, tmp_path, points):
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name\n1,Anna Arndt\n77,Nobody <b>Nowhere</b>\n")
    take_in(five, roster)
    assert term(five, lambda words: None) == 6
    anna, nobody = ((five.root / f"feedback/{who}/term.html").read_text() for who in ("1", "77"))
    most = points(questions=True)
    assert f"{points()} of {most}" in anna and f"{100 * points() / most:.1f} % of the term so far." in anna
    assert 'href="02_vae/02_vae.html"' in anna and (five.root / "feedback/1/02_vae/02_vae.html").exists()
    assert "not handed in" in nobody and "0.0 % of the term so far." in nobody and "<b>" not in nobody


def test_an_item_tells_apart_what_correlates_with_the_rest():
    def result(**scores: float) -> Result:
        return Result(None, None, 0, 0, 10, scores=scores)

    found = [result(a=i % 2, b=5 * (i % 2), c=2, d=5 - 5 * (i % 2)) for i in range(6)]
    alone = [Result(None, None, 0, 0, 10, scores={"a": r.scores["a"], "b": r.scores["b"]}) for r in found]
    assert discrimination("a", alone) == pytest.approx(1) and discrimination("c", found) is None
    opposed = [result(a=i % 2, d=5 - 5 * (i % 2)) for i in range(6)]
    assert discrimination("a", opposed) == pytest.approx(-1) and discrimination("a", alone[:4]) is None
    assert earned("a", found, 1) == 0.5 and earned("z", found, 1) is None


def test_the_report_is_a_page_in_which_nothing_acts_with_sections_side_by_side(five, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,section\n1,Anna Arndt,Group A\n2,Ben Öz,<script>B</script>\n9,Ida Nix,Group A\n")
    take_in(five, roster)
    report(five, LAB, lambda words: None)
    page = (five.root / f"report-{LAB}.html").read_text()
    assert "Group A (1)" in page and "&lt;script&gt;B" in page and "Ida Nix (9)" in page
    assert {tag for tag, _ in Tags(page).found} & {"script", "a", "img", "form", "iframe"} == set()
    path = term_report(five, lambda words: None)
    assert "2 of 3, and 3 who are not in the roster" in path.read_text() and "Kinds of mistakes" in path.read_text()


def test_wrong_answers_that_do_the_same_are_one_group_whatever_the_numbers_are():
    says = "`result` is off: the largest difference is {} at {}."
    one, two = says.format(0.31, [2, 1]), says.format(1.7e-3, [0, 4])
    assert group_of("vae-2", one) == group_of("vae-2", two) != group_of("vae-3", one)
    assert group_of("vae-2", one) != group_of("vae-2", "`result` has another shape.")


def test_a_group_gets_its_name_once_for_report_and_feedback(five):
    verdicts = five.record(LAB, "2").with_name("verdicts.json")
    text = verdicts.read_text().replace('"wrong", "', '"wrong", "Unheard of 17: ', 1)
    verdicts.chmod(0o644)
    verdicts.write_text(text)
    report(five, LAB, lambda words: None)
    rows = (five.root / f"report-{LAB}.csv").read_text()
    group = re.search(r"something that the catalogue does not name: Unheard of #.*\((vae-2/[0-9a-f]{6})\)", rows)[1]
    (five.root / FILE).write_text(f'[named]\n"{group}" = "Look at the <sign> again"\n')
    assert course_rules(five, False, NOW, lambda words: None) == 0
    report(five, LAB, lambda words: None)
    assert f"{group},1,0.2,Look at the <sign> again ({group})" in (five.root / f"report-{LAB}.csv").read_text()
    with pytest.raises(Mistake, match="named has 'vae-2', which is no group"):
        parsed('[named]\nvae-2 = "x"\n')
