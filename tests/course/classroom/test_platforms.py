"""Downloads of a made class, named as each platform names them, go to the learners who handed in, and to no others."""

import io
import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.classroom import platforms
from grading.classroom.collect import collect
from grading.classroom.course_folder import Course
from grading.classroom.times import stamp
from grading.content.mistake import Mistake

LAB = "02_vae"


def page(tag: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "markdown", "source": tag}]}).encode()


def packed(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def content(path: str, tag: str) -> bytes:
    """What a learner hands in whose work bears this tag: a zip of both files, or one of them."""
    if path.endswith(".zip"):
        return packed({f"{LAB}/{LAB}.ipynb": page(tag), f"{LAB}/starter/vae.py": tag.encode()})
    return page(tag) if path.endswith(".ipynb") else tag.encode()


def typed(name: str, username: str) -> str:
    """What Blackboard writes about each attempt."""
    return (
        f"Name: {name} ({username})\nAssignment: Lab 2_ VAE\nDate Submitted: Friday, 20 November 2026 11:00:00"
        "\nCurrent Mark: Needs marking\n\nSubmission Field:\nName: Somebody Else (other)\n\nComments:\nThere are no "
        "student comments for this assignment.\n\nFiles:\n\tOriginal filename: 02_vae.zip\n"
    )


# Path in the download -> tag of the work, or the text itself. Two are called Ann Lee. Eve would like to be Zoë.
MOODLE = {
    "Zoë Müller-Lüdenscheidt_6003_assignsubmission_file_/02_vae.zip": "zoe",
    "Ann Lee_6001_assignsubmission_file_/my work/vae.py": "ann 1",
    "Ann Lee_6001_assignsubmission_file_/02_vae (1).ipynb": "ann 1",
    "Ann Lee_6002_assignsubmission_file_/Lab 2, final.zip": "ann 2",
    "O'Brien, Seán_6004_assignsubmission_file_/02_vae.zip": "sean",
    "O'Brien, Seán_6004_assignsubmission_onlinetext_/onlinetext.html": "<p>Here it is</p>",
    "Participant_6005_assignsubmission_onlinetext_/onlinetext.html": "<p>I could not do it</p>",
    "Eve_6006_assignsubmission_file_/Zoë_6003_assignsubmission_file_.zip": "eve",
    "Default group_assignsubmission_file_/02_vae.zip": "nobody",
}
BLACKBOARD = {
    "Lab 2_ VAE_zmueller_attempt_2026-11-20-11-00-00.txt": typed("Zoë Müller-Lüdenscheidt", "zmueller"),
    "Lab 2_ VAE_zmueller_attempt_2026-11-20-11-00-00_02_vae.zip": "zoe, at first",
    "Lab 2_ VAE_zmueller_attempt_2026-11-21-09-30-05.txt": typed("Zoë Müller-Lüdenscheidt", "zmueller"),
    "Lab 2_ VAE_zmueller_attempt_2026-11-21-09-30-05_02_vae.zip": "zoe",
    "Lab 2_ VAE_a_lee_attempt_2026-11-20-11-00-00.txt": typed("Ann Lee", "a_lee"),
    "Lab 2_ VAE_a_lee_attempt_2026-11-20-11-00-00_vae.py": "ann 1",
    "Lab 2_ VAE_a_lee_attempt_2026-11-20-11-00-00_02_vae.ipynb": "ann 1",
    "Lab 2_ VAE_b_lee_attempt_2026-11-20-11-00-00.txt": typed("Ann Lee", "b_lee"),
    "Lab 2_ VAE_b_lee_attempt_2026-11-20-11-00-00_Lab 2, final.zip": "ann 2",
    "Lab 2_ VAE_sean_attempt_2026-11-20-12-00-00.txt": typed("O'Brien, Seán", "sean"),
    "Lab 2_ VAE_eve_attempt_2026-11-20-13-00-00.txt": typed("Eve", "eve"),
    "Lab 2_ VAE_eve_attempt_2026-11-20-13-00-00_x_zmueller_attempt_2026-12-24-00-00-00_02_vae.zip": "eve",
}
BRIGHTSPACE = {
    "index.html": "<html>All submissions</html>",
    "39786-640693 - Zoë Müller-Lüdenscheidt - Nov 20, 2026 1100 AM/02_vae.zip": "zoe, at first",
    "39786-640693 - Zoë Müller-Lüdenscheidt - Nov 21, 2026 930 AM/02_vae.zip": "zoe",
    "39787-640693 - Ann Lee - Nov 20, 2026 1159 PM/02_vae.ipynb": "ann 1",  # one file at a time
    "39787-640693 - Ann Lee - Nov 21, 2026 1201 AM/vae.py": "ann 1",
    "39788-640693 - Ann Lee - 20 November 2026 900 PM/Lab 2, final.zip": "ann 2",
    "39789-640693 - sob1 Seán O'Brien - Nov 20, 2026 1205 PM/essay - v2.docx": "no lab",
    "39790-640693 - Eve - Nov 20, 2026 100 PM/39786-640693 - Zoë - Dec 24, 2026 100 PM - 02_vae.zip": "eve",
}
GRADESCOPE = {
    "assignment_77_export/submission_metadata.yml": """---
submission_901:
  :submitters:
  - :name: Zoë Müller-Lüdenscheidt
    :sid: '39786'
    :email: zoe@example.edu
  :created_at: 2026-11-21 08:30:05.123456000 Z
  :score: !ruby/object:BigDecimal 18:0.15e2
  :history:
  - :id: 899
    :created_at: 2026-11-20 10:00:00.000000000 Z
submission_902:
  :submitters:
  - :name: Ann Lee
    :sid: '39787'
    :email: ann1@example.edu
  - :name: Ann Lee
    :sid:
    :email: ann2@example.edu
  :created_at: 2026-11-20 10:00:00.123456000 Z
  :results:
    tests: [{name: vae-1, output: "no &anchor: *alias here"}]
submission_903:
  :submitters:
  - :name: Eve
    :sid: ''
    :email: eve@example.edu
  :created_at: 2026-11-20 10:00:00 Z
""",
    "assignment_77_export/submission_901/02_vae/02_vae.ipynb": "zoe",
    "assignment_77_export/submission_901/02_vae/starter/vae.py": "zoe",
    "assignment_77_export/submission_901/02_vae/starter/support/probes/vae.py": "no module of hers",
    "assignment_77_export/submission_902/02_vae.zip": "ann 1",
    "assignment_77_export/submission_903/submission_901/vae.py": "eve",
    "assignment_77_export/submission_903/02_vae.ipynb": "eve",
}
CANVAS = {
    "müllerlüdenscheidtzoë_5001_9001_02_vae.zip": "zoe",
    "leeann_5002_9002_02_vae.ipynb": "ann 1",
    "leeann_5002_9013_vae-1.py": "ann 1",  # handed in again, alone: Canvas numbers each name apart
    "leeann_LATE_5003_9004_Lab 2, final-3.zip": "ann 2",
    "obriensean_5004_text.html": "<p>I could not do it</p>",
    "evemallory_5005_9005_x_5001_9999_02_vae-999.zip": "eve",
    "evemallory_5006_9007_x_5001_assignsubmission_file_": "eve",  # as Moodle names a folder: she means 5001
    "LATE_anon_x7Yz2_9006_02_vae.zip": "somebody",
}
OWN = {
    "Zoë Müller-Lüdenscheidt.zip": "zoe",
    "ann_lee_1_02_vae.ipynb": "ann 1",
    "ann_lee_1_vae.py": "ann 1",
    "ann.lee@example.edu/Lab 2/starter/vae.py": "ann 2",
    "ann.lee@example.edu/Lab 2/02_vae.ipynb": "ann 2",
    "sean.tar.gz": "no zip",
    "eve/zoe.zip": "eve",
    "grades.csv": "zoe,1",
}


def flat(files: dict[str, str], separator: str) -> dict[str, str]:
    """The other layout of a platform: no folders, and what was a folder's name before the name of each file."""
    return {"".join((top, separator * bool(rest), rest.rsplit("/", 1)[-1])): tag for path, tag in files.items()
            for top, _, rest in [path.partition("/")]}  # fmt: skip


DOWNLOADS = {
    "Moodle": (MOODLE, {"6003": "zoe", "6001": "ann 1", "6002": "ann 2", "6004": "sean", "6005": None, "6006": "eve"}),
    "Blackboard": (BLACKBOARD, {"zmueller": "zoe", "a_lee": "ann 1", "b_lee": "ann 2", "sean": None, "eve": "eve"}),
    "Brightspace": (
        BRIGHTSPACE,
        {"39786": "zoe", "39787": "ann 1", "39788": "ann 2", "39789": None, "39790": "eve"},
    ),
    "Gradescope": (
        GRADESCOPE,
        {"39786": "zoe", "39787": "ann 1", "ann2@example.edu": "ann 1", "eve@example.edu": "eve"},
    ),
    "Canvas": (
        CANVAS,
        {
            "5001": "zoe",
            "5002": "ann 1",
            "5003": "ann 2",
            "5004": None,
            "5005": "eve",
            "5006": None,
            "anon_x7Yz2": "somebody",
        },
    ),
    platforms.OWN: (
        OWN,
        {
            "Zoë Müller-Lüdenscheidt": "zoe",
            "ann_lee_1": "ann 1",
            "ann.lee@example.edu": "ann 2",
            "sean": None,
            "eve": "eve",
        },
    ),
}
FLAT = {
    "Moodle, flat": (flat(MOODLE, ""), DOWNLOADS["Moodle"][1]),
    "Brightspace, flat": (flat(BRIGHTSPACE, " - "), DOWNLOADS["Brightspace"][1]),
}


class Gradebook:
    """Stands in for nbgrader's, which takes seconds to open."""

    def __init__(self) -> None:
        self.students: dict[str, dict] = {}

    def __enter__(self) -> "Gradebook":
        return self

    def __exit__(self, *_) -> None:
        pass

    def update_or_create_student(self, name: str, **more) -> None:
        self.students[name] = more


@pytest.fixture
def course(tmp_path, monkeypatch) -> Course:
    """As much of a released course as collect looks at."""
    course, book = Course(tmp_path / "course"), Gradebook()
    folder = course.folder("release", LAB)
    (folder / "starter").mkdir(parents=True)
    (folder / f"{LAB}.ipynb").write_bytes(page("blank"))
    (folder / "starter/vae.py").write_text("blank")
    course.zip(LAB).write_bytes(b"any")
    monkeypatch.setattr(Course, "gradebook", lambda self: book)
    return course


def laid_out(root: Path, files: dict[str, str], time: float = 1.8e9) -> Path:
    """A download as a folder, unpacked at unhelpful times: what should count has often the oldest file."""
    for age, (name, tag) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(name, tag))
        os.utime(path, (time - age, time - age))
    return root


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, tag in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 25, 9, 0, 0)), content(name, tag))
    return path


def note(course: Course, student: str) -> dict:
    return json.loads((course.folder("submitted", LAB, student) / "intake.json").read_text())


def got(course: Course) -> dict[str, str | None]:
    """Id -> tag of the work that counts, when module and notebook are of one; None where nothing is accepted."""
    found = {}
    for student, known in course.gradebook().students.items():
        folder = course.folder("submitted", LAB, student)
        module, book = (folder / "starter/vae.py").read_text(), json.loads((folder / f"{LAB}.ipynb").read_text())
        assert book["cells"][0]["source"] == module, (student, module, book)
        found[known["lms_user_id"]] = None if "refused" in note(course, student) else module
    return found


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("platform", DOWNLOADS | FLAT)
def test_a_download_goes_to_the_learners_who_handed_in(course, tmp_path, platform, as_zip):
    files, expected = (DOWNLOADS | FLAT)[platform]
    source = zipped(tmp_path / "all.zip", files) if as_zip else laid_out(tmp_path / "all", files)
    report = collect(course, LAB, source)
    assert got(course) == expected
    skipped = {"Moodle": "Default group", platforms.OWN: "grades.csv"}.get(platform.split(",")[0], "nothing")
    assert all(skipped in line for line in report if "skipped" in line)
    assert sum("skipped" in line for line in report) == (skipped != "nothing")
    assert not any(
        ".txt" in line or "onlinetext" in line for line in report if "accepted" not in line and "refused" not in line
    )


def test_a_platform_that_does_not_say_that_its_names_are_utf8_is_understood(course, tmp_path):
    path = zipped(tmp_path / "all.zip", MOODLE)
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 7), (b"PK\1\2", 9)):  # the flag, in the upper byte of a header's flags
        start = data.find(mark)
        while start >= 0:
            data[start + at] &= ~8
            start = data.find(mark, start + 4)
    path.write_bytes(data)
    collect(course, LAB, path)
    assert got(course) == DOWNLOADS["Moodle"][1]
    assert note(course, "6003")["name"] == "Zoë Müller-Lüdenscheidt"


def test_names_and_marks_of_a_platform_are_kept(course, tmp_path):
    said = []
    report = collect(course, LAB, laid_out(tmp_path / "all", CANVAS), say=said.append)
    assert "'leeann_LATE_5003_9004_Lab 2, final-3.zip': 5003, accepted, late" in report
    assert note(course, "5003")["late"] == "marked late by Canvas" and "late" not in note(course, "5002")
    assert note(course, "5002")["files"] == ["leeann_5002_9002_02_vae.ipynb", "leeann_5002_9013_vae-1.py"]
    assert said[: len(report)] == report
    assert said[len(report)] == "5 of 7 learners accepted, 2 refused, 2 marked late."
    assert said[-1].startswith("Times: 7 of the files") and "--times" in said[-1]


def test_a_dry_run_says_who_would_get_which_files_and_writes_nothing(course, tmp_path):
    before, said = {*tmp_path.rglob("*")}, []
    source = laid_out(tmp_path / "all", BLACKBOARD)
    report = collect(course, LAB, source, dry_run=True, zone="UTC", say=said.append)
    assert {*tmp_path.rglob("*")} - {*source.rglob("*"), source} == before
    both = "'Lab 2_ VAE_a_lee_attempt_2026-11-20-11-00-00_02_vae.ipynb' and "
    (line,) = [line for line in report if line.startswith("a_lee")]
    assert line.startswith("a_lee (Ann Lee) <- ") and both in line
    assert line.endswith(": accepted; 2026-11-20 11:00:00 UTC (platform)")
    assert "4 of 5 learners accepted, 1 refused; nothing was written." in said


def put(folder: Path, name: str, data: bytes, time: float) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    os.utime(folder / name, (time, time))


@pytest.mark.parametrize("bad", ["vae.tar.gz", "vae.rar", "vae.7z", "work.zip", "essay.docx"])
@pytest.mark.parametrize("where", ["anna/{}", "Anna_1_assignsubmission_file_/{}", "anna_1_9009_{}"])
def test_what_is_refused_stands_in_nobodys_way(course, tmp_path, bad, where):
    good = where.format("good.zip").replace("9009", "9001")
    put(tmp_path / "all", good, content(".zip", "good"), 1e9)
    put(tmp_path / "all", where.format(bad), b"not a zip at all", 2e9)
    report = "\n".join(collect(course, LAB, tmp_path / "all"))
    assert [*got(course).values()] == ["good"]
    assert (f"refused: {bad} is not a zip" in report) == (bad.split(".", 1)[1] in ("tar.gz", "rar", "7z"))
    assert ("damaged or cut off" in report) == (bad == "work.zip")


@pytest.mark.parametrize("name", ["anna.tar.gz", "anna.tgz", "anna.rar", "anna.7z"])
def test_an_archive_of_another_kind_is_refused_under_its_learner(course, tmp_path, name):
    put(tmp_path / "all", name, b"Rar!", 1e9)
    (line,) = collect(course, LAB, tmp_path / "all")
    assert line == f"'{name}': anna, refused: {name} is not a zip: pack the notebook and the module in a .zip file"
    assert [*course.gradebook().students] == ["anna"]


def test_pieces_give_what_the_newest_lacks_and_the_newest_file_is_the_time(course, tmp_path):
    put(tmp_path / "all", "anna.zip", content(".zip", "zip"), 1_000_000_200)
    put(tmp_path / "all", "anna_02_vae.ipynb", page("pair"), 1_000_000_100)
    put(tmp_path / "all", "anna_vae.py", b"pair", 1_000_000_300)
    put(tmp_path / "all", "ben.zip", content(".zip", "ben"), 1_000_000_100)
    put(tmp_path / "all", "ben_vae.py", b"newer", 1_000_000_200)
    report = collect(course, LAB, tmp_path / "all")
    assert report[0] == "'anna.zip': superseded by 'anna_02_vae.ipynb' and 'anna_vae.py'"
    assert got_of(course, "anna") == ("pair", "pair") and note(course, "anna")["time"] == "2001-09-09 01:51:40 UTC"
    assert got_of(course, "ben") == ("newer", "ben") and report[-1] == "'ben_vae.py', 'ben.zip': ben, accepted"


def got_of(course: Course, student: str) -> tuple[str, str]:
    folder = course.folder("submitted", LAB, student)
    book = json.loads((folder / f"{LAB}.ipynb").read_text())
    return (folder / "starter/vae.py").read_text(), book["cells"][0]["source"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("anna.zip", 2e9), ("anna.zip", 1e9)),
        (("anna_1_9009_work-1.zip", 1e9), ("anna_1_9001_work.zip", 2e9)),  # numbers say more than the unpacker's clock
        (("L_anna_attempt_2026-11-21-00-00-00_a.zip", 1e9), ("L_anna_attempt_2026-11-20-00-00-00_a.zip", 2e9)),
        (("anna.zip", 1e9), ("anna.rar", 2e9)),  # refused
    ],
)
def test_an_older_download_replaces_nothing(course, tmp_path, old, new):
    for folder, (name, time) in {"first": old, "second": new}.items():
        put(tmp_path / folder, name, content(name, folder), time)
    collect(course, LAB, tmp_path / "first")
    said = []
    (line,) = collect(course, LAB, tmp_path / "second", say=said.append)
    assert [*got(course).values()] == ["first"] and "counts" in line and "1 as collected before" in said[1]
    assert len(collect(course, LAB, tmp_path / "first")) == 1 and [*got(course).values()] == ["first"]


def test_a_newer_one_replaces_and_the_same_takes_a_better_time(course, tmp_path):
    put(tmp_path / "all", "anna.zip", content(".zip", "first"), 1e9)
    collect(course, LAB, tmp_path / "all")
    put(tmp_path / "all", "anna.zip", content(".zip", "second"), 2e9)
    collect(course, LAB, tmp_path / "all")
    assert [*got(course).values()] == ["second"]
    (tmp_path / "times.csv").write_text("anna,2026-11-21T20:05:00+01:00\n")
    collect(course, LAB, tmp_path / "all", times=tmp_path / "times.csv")
    assert (note(course, "anna")["time"], note(course, "anna")["clock"]) == ("2026-11-21 19:05:00 UTC", "list")


def test_what_the_first_edition_collected_counts_until_something_newer_comes(course, tmp_path):
    """Its intake.json says no more than from, name and missing; the time is in timestamp.txt."""
    folder = course.folder("submitted", LAB, "anna")
    put(folder, "starter/vae.py", b"first", 1e9)
    put(folder, f"{LAB}.ipynb", page("first"), 1e9)
    put(folder, "timestamp.txt", b"2020-01-01 00:00:00 UTC", 1e9)
    put(folder, "intake.json", b'{"from": "anna.zip", "name": "anna", "missing": ""}', 1e9)
    put(tmp_path / "all", "anna.zip", content(".zip", "older"), 1.5e9)
    assert "older than what was collected before (2020-01-01" in collect(course, LAB, tmp_path / "all")[0]
    assert got_of(course, "anna") == ("first", "first")
    put(tmp_path / "all", "anna.zip", content(".zip", "newer"), 1.8e9)
    assert collect(course, LAB, tmp_path / "all") == ["'anna.zip': anna, accepted"]
    assert got_of(course, "anna") == ("newer", "newer")


SEVERAL = {
    "Canvas, a name that reads as two numbers": (
        {"eve_222_9_x_02_vae.zip": "eve", "vera_222_9000_02_vae.zip": "vera"},
        None,
    ),
    "Blackboard, where its .txt are gone": (
        {
            "Lab 2_a_lee_attempt_2026-11-20-11-00-00_02_vae.zip": "a",
            "Lab 2_b_lee_attempt_2026-11-20-11-00-00_02_vae.zip": "b",
        },
        None,
    ),
    "a pattern that takes the lab for the learner": (
        {f"Lab 2_{who}_{LAB}.zip": who for who in ("anna", "ben", "cleo")},
        r"(?P<id>[^_]+)_.*",
    ),
    "a pattern that has names": ({"s1 Ann.zip": "a", "s1 Bea.zip": "b"}, r"(?P<id>\w+) (?P<name>\w+)\.zip"),
    "a pattern that takes the first name": ({"ann lee_vae.py": "a", "ann_lim_vae.py": "b"}, r"(?P<id>[a-z]+)[ _].*"),
    "a folder of folders": ({f"all/{who}.zip": who for who in ("anna", "ben", "cleo", "dora")}, None),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_one_id_for_several_people_stops_the_run(course, tmp_path, case):
    files, pattern = SEVERAL[case]
    before = {*course.root.rglob("*")}
    with pytest.raises(Mistake) as stopped:
        collect(course, LAB, laid_out(tmp_path / "downloads", files), pattern)
    assert {*course.root.rglob("*")} == before
    words = str(stopped.value)
    assert "\n" not in words and any(
        id in words for id in ("'222'", "'lee'", "'Lab 2'", "'s1'", "'ann'", "downloads/all")
    )
    assert all(name in words for name in ("eve", "vera") * case.startswith("Canvas"))


def test_names_of_two_platforms_in_one_folder_are_not_mixed(course, tmp_path):
    """Were they, a learner of one could choose a name of the other's form, and with it somebody else's id."""
    files = {f"learner{n}_{n}_900{n}_02_vae.zip": f"{n}" for n in range(3)} | {
        "Eve_1_assignsubmission_file_vae.zip": "eve"
    }
    report = collect(course, LAB, laid_out(tmp_path / "all", files))
    assert got(course) == {"0": "0", "1": "1", "2": "2"}
    assert [line for line in report if "Canvas gives no such name" in line] == [report[0]]
    mine = {"anna.zip": "anna", "ben.zip": "ben", "eve_1_9001_02_vae.zip": "eve"}
    assert "looks like a name of Canvas's" in collect(course, LAB, laid_out(tmp_path / "mine", mine))[0]


def test_a_submission_without_its_learner_in_gradescopes_list_is_skipped(course, tmp_path):
    source = laid_out(tmp_path / "all", GRADESCOPE | {"assignment_77_export/submission_999/vae.py": "lost"})
    report = collect(course, LAB, source)
    assert got(course) == DOWNLOADS["Gradescope"][1]
    assert [line for line in report if "submission_999" in line and "does not say whose" in line]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "submission_metadata.yml is missing"),
        ("a: [", "not as Gradescope writes it"),
        ("- 1\n- 2\n", "not as Gradescope writes it"),
        ("submission_901:\n  :score: 1\n", "not as Gradescope writes it"),
        ("submission_901:\n  :submitters:\n  - :sid: ''\n", "a submission without a name"),
        ("submission_901: !!python/object/apply:os.system ['false']", "not as Gradescope writes it"),
    ],
)
def test_a_list_of_gradescopes_that_is_none_is_one_line(course, tmp_path, text, says):
    files = {"submission_901/vae.py": "zoe", "submission_902/vae.py": "ann"}
    source = laid_out(tmp_path / "all", files | ({"submission_metadata.yml": text} if text else {}))
    with pytest.raises(Mistake, match=says) as stopped:
        collect(course, LAB, source)
    assert "\n" not in str(stopped.value) and not course.gradebook().students


@pytest.mark.parametrize("platform", ["Blackboard", "Brightspace", "Gradescope"])
def test_the_platforms_own_time_counts(course, tmp_path, platform):
    said = []
    collect(course, LAB, zipped(tmp_path / "all.zip", DOWNLOADS[platform][0]), zone="Europe/Berlin", say=said.append)
    student, time = {
        "Blackboard": ("zmueller", "2026-11-21 08:30:05 UTC"),
        "Brightspace": ("39787", "2026-11-20 23:01:00 UTC"),
        "Gradescope": ("39787", "2026-11-20 10:00:00 UTC"),
    }[platform]
    folder = course.folder("submitted", LAB, student)
    assert (folder / "timestamp.txt").read_text() == time and note(course, student)["clock"] == "platform"
    assert "from the platform" in said[-1] and "Europe/Berlin" in said[-1]


def test_a_list_of_times_counts_and_others_keep_theirs(course, tmp_path):
    source, said = laid_out(tmp_path / "all", {"anna.zip": "anna", "Zoë.zip": "zoe", "ben.zip": "ben"}, 1e9), []
    times = tmp_path / "times.csv"
    times.write_text("\ufefflearner;time\nanna;2026-11-21T20:05:00+01:00\nZoë;2026-11-21 20:05\n;\n", encoding="utf-8")
    collect(course, LAB, source, times=times, zone="Europe/Berlin", say=said.append)
    found = {student: note(course, student)["time"] for student in course.students("submitted", LAB)}
    assert sorted(found.values()) == ["2001-09-09 01:46:38 UTC"] + ["2026-11-21 19:05:00 UTC"] * 2
    assert said[-2] == "Times: 2 from --times." and said[-1].startswith("Times: 1 of the files")


def test_moodles_grading_worksheet_is_a_list_of_times(course, tmp_path):
    (tmp_path / "worksheet.csv").write_text(
        "\ufeffIdentifier,Full name,Status,Last modified (submission),Feedback comments\n"
        'Participant 6003,Zoë Müller-Lüdenscheidt,Submitted,"Saturday, 21 November 2026, 8:05 PM","two\nlines"\n'
        "Participant 7000,Nobody,No submission,-,\n",
        encoding="utf-8",
    )
    collect(course, LAB, laid_out(tmp_path / "all", MOODLE), times=tmp_path / "worksheet.csv", zone="Europe/Berlin")
    assert note(course, "6003")["time"] == "2026-11-21 19:05:00 UTC" and note(course, "6001")["clock"] == "file"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("anna,yesterday\n", "line 1: 'yesterday' is no time"),
        ("anna,2026-11-21T20:05:00\n", "is of no time zone"),
        ("anna,2026-11-21T20:05:00Z\nanna,2026-11-22T20:05:00Z\n", "line 2: 'anna' is in it twice"),
        ("anna\n", "line 1: 'anna' is not a learner and a time"),
        (",2026-11-21T20:05:00Z\n", "no learner stands before a time"),
        ("", "holds no times"),
        ("dora,2026-11-21T20:05:00Z\n", "lists nobody who handed in: it has dora"),
        (b"\xff\xfe\x00", "no CSV in UTF-8"),
        (b'anna,"' + b"x" * 200_000 + b'"', "no CSV in UTF-8"),
    ],
)
def test_a_list_of_times_that_is_none_is_one_line(course, tmp_path, text, says):
    times = tmp_path / "times.csv"
    times.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Mistake, match=says) as stopped:
        collect(course, LAB, laid_out(tmp_path / "all", {"anna.zip": "anna"}), times=times)
    assert "\n" not in str(stopped.value) and not course.students("submitted", LAB)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Nov 21, 2026 805 PM", "2026-11-21 20:05"),
        ("Sept. 26, 2026 0741 AM", "2026-09-26 07:41"),
        ("05 March 2026 1224 PM", "2026-03-05 12:24"),
        ("Jan 1, 2026 1200 AM", "2026-01-01 00:00"),
        ("21 November 2026 2005", "2026-11-21 20:05"),
        ("2026-11-20-11-00-09", "2026-11-20 11:00"),
        ("Feb 30, 2026 100 AM", "None"),
        ("2026-13-20-11-00-00", "None"),
        ("Nov 21, 2026 2570 PM", "None"),
        ("mars 21, 2026 805 PM", "2026-03-21 20:05"),
        ("Tammikuu 21, 2026 805 PM", "None"),
    ],
)
def test_times_of_names_are_read_as_platforms_write_them(words, says):
    assert str(stamp(words)).startswith(says)


def test_a_pattern_of_ones_own_has_names_attempts_and_files(course, tmp_path):
    files = {
        "s1 Jane (v10).zip": "last",
        "s1 Jane (v9).zip": "first",
        "s2 Ben (v2026-11-20-11-00-00).zip": "first",
        "s2 Ben (v2026-11-20-12-00-00).zip": "last",
        "more/s3 Cleo (v1).zip": "last",
    }
    pattern = r"(?:more/)?(?P<id>s\d+) (?P<name>\w+) \(v(?P<attempt>[\d-]+)\)\.zip"
    collect(course, LAB, laid_out(tmp_path / "all", files), pattern)
    assert got(course) == {"s1": "last", "s2": "last", "s3": "last"} and note(course, "s3")["name"] == "Cleo"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "no regular expression"),
        ("(.*)", "needs a group named id"),
        (r"(?P<id>\w+)_(?P<attempt>\w+)\.zip", "finds the attempt 'final' in 'anna_final.zip', which is no number"),
        (r"(?P<id>x)?.*", "does not say whose it is"),
        (r"(?P<id>)anna.*", "does not say whose it is"),
    ],
)
def test_a_pattern_that_is_wrong_is_one_line(course, tmp_path, pattern, says):
    with pytest.raises(Mistake, match=re.escape(says)) as stopped:
        collect(course, LAB, laid_out(tmp_path / "all", {"anna_final.zip": "anna"}), pattern)
    assert "\n" not in str(stopped.value) and not course.students("submitted", LAB)


WRONG = {
    "no such folder": ["nowhere"],
    "a file that is no zip": ["times.csv"],
    "a zip that is cut off": ["cut.zip"],
    "no such zone": ["all", "--zone", "Middle-earth"],
    "a zone of dots": ["all", "--zone", "../../etc/passwd"],
    "no such list": ["all", "--times", "nowhere.csv"],
    "a folder for a list": ["all", "--times", "all"],
    "a list of nothing": ["all", "--times", "times.csv"],
    "one submission": ["submission"],
    "a folder that holds a platform's zip": ["holding"],
}


@pytest.mark.parametrize("case", WRONG)
def test_whatever_is_typed_wrong_is_one_line_and_writes_nothing(course, tmp_path, monkeypatch, capsys, case):
    laid_out(tmp_path / "all", {"anna.zip": "anna"})
    laid_out(tmp_path / "submission", {f"{LAB}.ipynb": "anna", "starter/vae.py": "anna"})
    (tmp_path / "times.csv").write_text("")
    (tmp_path / "holding").mkdir()
    zipped(tmp_path / "holding/submissions.zip", CANVAS)
    (tmp_path / "cut.zip").write_bytes(content(".zip", "anna")[50:])
    monkeypatch.chdir(tmp_path)
    assert main(["collect", LAB, *WRONG[case], "--course", str(course.root)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("collect: ")
    assert not course.students("submitted", LAB)


def test_of_files_of_one_name_the_last_that_canvas_numbered_counts(course, tmp_path):
    files = {
        "leeann_5002_9013_vae-1.py": "last",
        "leeann_5002_9003_vae.py": "first",
        "leeann_5002_9002_02_vae.ipynb": "last",
    }
    collect(course, LAB, laid_out(tmp_path / "all", files))
    assert got(course) == {"5002": "last"}


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    "path", ["anna/vae.py", "anna/a/vae.py", "anna/a/b/c/d/e/f/vae.py", "anna/x/a/anna_1_2_vae.py"]
)
def test_a_class_of_one_in_folders_in_folders_is_one(course, tmp_path, path, as_zip):
    files = {path: "anna", path.rsplit("/", 1)[0] + "/02_vae.ipynb": "anna"}
    source = zipped(tmp_path / "all.zip", files) if as_zip else laid_out(tmp_path / "all", files)
    collect(course, LAB, source)
    assert [*course.gradebook().students] == ["anna"]
    assert note(course, "anna").get("missing", "") == "vae.py" * path.endswith("2_vae.py")
