"""Whatever an LMS exports is taken in, and nothing but a lab's notebook and module gets through."""

import io
import json
import os
import stat
import zipfile

import pytest

from grading.classroom import downloads
from grading.classroom.collect import collect
from grading.classroom.course_folder import Course
from grading.classroom.learners import folder_name
from grading.content.mistake import Mistake
from tests.course.judge.test_submitted_cells import UNREADABLE

LAB = "02_vae"
BOOK, MODULE = f"{LAB}/{LAB}.ipynb", f"{LAB}/starter/vae.py"
PAGE = b'{"cells": [{"cell_type": "markdown", "source": "x"}]}'


@pytest.fixture
def uploads(tmp_path):
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def handed_in(course, uploads):
    """Zips, by name, to the report of collecting them."""

    def collected(**zips: bytes) -> str:
        for name, data in zips.items():
            (uploads / f"{name}.zip").write_bytes(data)
        return "\n".join(collect(course, LAB, uploads))

    return collected


def taken(course: Course, student: str) -> tuple[bytes, bytes, dict]:
    folder = course.folder("submitted", LAB, student)
    note = json.loads((folder / "intake.json").read_text())
    return (folder / f"{LAB}.ipynb").read_bytes(), (folder / "starter/vae.py").read_bytes(), note


def test_a_zip_gives_its_notebook_and_module_byte_for_byte(course, handed_in, packed):
    odd = "\ufeffx = 1\r\n# Zoë\n".encode() + "ë".encode("latin-1")
    report = handed_in(anna=packed({BOOK: PAGE, MODULE: odd, "__MACOSX/._vae.py": b"noise", ".DS_Store": b"noise"}))
    assert report == "'anna.zip': anna, accepted"
    assert taken(course, "anna")[:2] == (PAGE, odd)


def test_nothing_else_in_a_zip_is_written(course, handed_in, packed):
    handed_in(
        anna=packed({BOOK: PAGE, MODULE: b"", "starter/support/checks.py": b"evil", "ipykernel_launcher.py": b""})
    )
    folder = course.folder("submitted", LAB, "anna")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {f"{LAB}.ipynb", "starter/vae.py", "timestamp.txt", "intake.json"}


def test_whoever_packs_the_whole_folder_is_understood(course, handed_in):
    """What was released, handed in as it is: support has files of the same names."""
    whole = course.zip(LAB).read_bytes()
    assert any("support/probes/vae.py" in name for name in zipfile.ZipFile(course.zip(LAB)).namelist())
    assert handed_in(anna=whole) == "'anna.zip': anna, accepted"


def test_a_zip_of_a_thousand_modules_does_not_fill_the_memory(course, handed_in, packed):
    """Each is small enough, and a kilobyte when packed: all of them together are gigabytes."""
    assert "more than 10 times" in handed_in(mallory=packed({f"{n}/vae.py": bytes(n) for n in range(1000)}))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_ordinary_file_is_not_waited_for(course, uploads):
    os.mkfifo(uploads / "anna_vae.py")
    assert "no ordinary file" in "\n".join(collect(course, LAB, uploads))


def test_files_lie_anywhere_and_may_be_named_as_browsers_name_a_copy(course, handed_in, packed):
    report = handed_in(anna=packed({"a/b/02_vae (1).ipynb": PAGE, "vae-Copy1.py": b"x"}))
    assert "anna, accepted" in report and taken(course, "anna")[:2] == (PAGE, b"x")


def test_what_is_missing_is_released_blank_and_said(course, handed_in, packed, blank, released_notebook):
    report = handed_in(anna=packed({BOOK: PAGE}), ben=packed({MODULE: b"x"}))
    assert "anna, accepted, without vae.py" in report and "ben, accepted, without 02_vae.ipynb" in report
    assert taken(course, "anna")[1] == blank.encode() and taken(course, "ben")[0] == released_notebook


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_notebook_that_nobody_can_read_is_said_and_the_module_counts(course, handed_in, packed, kind):
    notebook, says = UNREADABLE[kind]
    report = handed_in(anna=packed({BOOK: notebook, MODULE: b"x"}))
    book, module, note = taken(course, "anna")
    assert report.startswith("'anna.zip': anna, accepted, but 02_vae.ipynb cannot be read: ") and says in report
    assert says in note["unreadable"] and (book, module) == (notebook, b"x")


def link_in_zip(packed) -> bytes:
    memory = io.BytesIO(packed({BOOK: PAGE}))
    with zipfile.ZipFile(memory, "a") as archive:
        info = zipfile.ZipInfo(MODULE)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return memory.getvalue()


def patched(data: bytes, offset: int, value: int, marks=(b"PK\3\4", b"PK\1\2")) -> bytes:
    """A field of every header changed: local headers begin two bytes later than central ones."""
    data = bytearray(data)
    for mark, extra in zip(marks, (0, 2)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset + extra] = value
            at = data.find(mark, at + 4)
    return bytes(data)


def twice(packed) -> bytes:
    """Two files of one path, which some programs write when they update a zip."""
    memory = io.BytesIO(packed({BOOK: PAGE, MODULE: b"x"}))
    with zipfile.ZipFile(memory, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(MODULE, "y")
    return memory.getvalue()


REFUSED = {
    "twice": (twice, f"vae.py is in it 2 times, with different contents: {MODULE}, {MODULE}"),
    "empty": (lambda packed: packed({}), "it is empty"),
    "foreign": (lambda packed: packed({"essay.docx": b"x"}), "it holds essay.docx"),
    "link": (link_in_zip, "is a link"),
    "absolute": (lambda packed: packed({"/etc/vae.py": b"x", BOOK: PAGE}), "not a path inside the zip"),
    "parent": (lambda packed: packed({"../vae.py": b"x", BOOK: PAGE}), "not a path inside the zip"),
    "backslash": (lambda packed: packed({"..\\vae.py": b"x", BOOK: PAGE}), "not a path inside the zip"),
    "drive": (lambda packed: packed({"C:/vae.py": b"x"}), "not a path inside the zip"),
    "two": (lambda packed: packed({"a/vae.py": b"x", "b/vae.py": b"y"}), "2 times, with different contents"),
    "bomb": (lambda packed: packed({"vae.py": b"0" * (60 << 20)}), "vae.py has more than 1 MB"),
    "cut": (lambda packed: packed({BOOK: PAGE, MODULE: b"x" * 999})[:-40], "damaged or cut off"),
    "nozip": (lambda packed: b"\x89PNG this is none", "damaged or cut off"),
    "zero": (lambda packed: b"", "damaged or cut off"),
    "encrypted": (lambda packed: patched(packed({MODULE: b"x"}), 6, 1), "is encrypted"),
    "method": (lambda packed: patched(packed({MODULE: b"x"}), 8, 12), "unusual method"),
    "checksum": (lambda packed: patched(packed({MODULE: b"x"}), 14, 7), "cannot be unpacked"),
}


def test_a_refused_zip_is_a_submission_with_a_reason_and_costs_nobody_else(course, handed_in, packed, blank):
    zips = {name: make(packed) for name, (make, _) in REFUSED.items()}
    report = handed_in(**zips, good=packed({BOOK: PAGE, MODULE: b"x"}))
    for name, (_, reason) in REFUSED.items():
        _, module, note = taken(course, name)
        assert reason in note["refused"] and module == blank.encode(), (name, note)
        assert f"'{name}.zip': {name}, refused: {note['refused']}" in report
    assert "good, accepted" in report and len(report.splitlines()) == len(REFUSED) + 1


def test_a_header_that_understates_a_size_is_not_believed(course, handed_in, packed):
    data = patched(packed({MODULE: b"0" * (30 << 20)}), 24, 1, marks=(b"PK\0\0", b"PK\1\2"))
    handed_in(anna=data)
    assert "refused" in taken(course, "anna")[2]


def test_a_name_that_is_not_the_utf8_it_claims_to_be_costs_only_its_own_file(course, handed_in, packed):
    data = packed({BOOK: PAGE, MODULE: b"x", "Übung.txt": b"extra"})
    assert data.count("Ü".encode()) == 2
    handed_in(anna=data.replace("Ü".encode(), b"\xdc "))
    assert taken(course, "anna")[:2] == (PAGE, b"x")
    handed_in(ben=packed({BOOK: PAGE, "Ü/vae.py": b"x"}).replace("Ü".encode(), b"\xdc "))
    assert taken(course, "ben")[:2] == (PAGE, b"x")


def test_a_notebook_that_is_too_large_does_not_cost_the_module(course, handed_in, packed, released_notebook):
    report = handed_in(anna=packed({BOOK: b" " * ((20 << 20) + 1), MODULE: b"x"}))
    book, module, note = taken(course, "anna")
    assert (book, module) == (released_notebook, b"x") and "more than 20 MB" in note["unreadable"] and "clear" in report


def test_files_are_known_as_browsers_and_file_managers_rename_them(course, handed_in, packed):
    names = [
        "vae (1).py",
        "vae-Copy1.py",
        "vae - Copy.py",
        "vae - Copy (2).py",
        "vae copy 2.py",
        "vae.py.txt",
        "VAE.PY",
    ]
    handed_in(**{f"s{n}": packed({f"Lab 2/{name}": b"x"}) for n, name in enumerate([*names, "my_vae.py", "vae.pyc"])})
    notes = [taken(course, f"s{n}")[2] for n in range(9)]
    assert [note.get("missing") for note in notes[:7]] == ["02_vae.ipynb"] * 7
    assert all("neither 02_vae.ipynb nor vae.py is in it" in note["refused"] for note in notes[7:])


def test_too_many_files_are_not_even_listed(course, handed_in, packed, monkeypatch):
    monkeypatch.setattr(downloads, "ENTRIES", 3)
    assert "more than 3 files" in handed_in(anna=packed({f"{i}.txt": b"" for i in range(4)}))


def test_folders_and_files_side_by_side_are_taken_as_they_are(course, uploads):
    (uploads / "Jane Doe_123_assignsubmission_file_/sub").mkdir(parents=True)
    (uploads / "Jane Doe_123_assignsubmission_file_/sub/vae.py").write_bytes(b"jane")
    (uploads / "Ben Roe_44_assignsubmission_file_vae.py").write_bytes(b"ben")
    (uploads / "Ben Roe_44_assignsubmission_file_02_vae.ipynb").write_bytes(PAGE)
    (uploads / "Thumbs.db").write_bytes(b"")
    report = collect(course, LAB, uploads)
    assert len(report) == 2
    assert taken(course, "123")[1] == b"jane" and taken(course, "44")[:2] == (PAGE, b"ben")
    with course.gradebook() as gradebook:
        jane = gradebook.find_student("123")
        assert (jane.first_name, jane.last_name, jane.lms_user_id) == ("Jane", "Doe", "123")


def test_links_in_a_folder_are_refused(course, uploads, tmp_path, links):
    (tmp_path / "secret.py").write_text("secret")
    for name in ("anna", "ben"):
        (uploads / name).mkdir()
    (uploads / "anna/vae.py").symlink_to(tmp_path / "secret.py")
    (uploads / "ben/starter").symlink_to(tmp_path)
    (uploads / "cleo.zip").symlink_to(tmp_path / "secret.py")
    collect(course, LAB, uploads)
    for name in ("anna", "ben", "cleo"):
        _, module, note = taken(course, name)
        assert "link" in note["refused"] and b"secret" not in module


def test_the_last_of_several_submissions_counts_and_the_others_are_named(course, uploads, packed):
    for attempt, age in (("", 10), ("-1", 30), ("-2", 20)):
        path = uploads / f"doejane_123_456_{LAB}{attempt}.zip"
        path.write_bytes(packed({MODULE: attempt.encode() or b"first"}))
        os.utime(path, (1e9 - age, 1e9 - age))
    report = collect(course, LAB, uploads)
    assert taken(course, "123")[1] == b"-2"
    assert sum("superseded by" in line for line in report) == 2 and len(report) == 3


def test_collecting_again_changes_nothing(course, handed_in, packed):
    handed_in(anna=packed({BOOK: PAGE, MODULE: b"x"}))
    first = taken(course, "anna")
    handed_in()
    assert taken(course, "anna") == first


@pytest.mark.parametrize(
    "name", ["Zoë Ünal", "-rf", "李小龙", "a" * 200, "jane.doe@x.edu", "a\u202eb", "x-12345678", "..", "a\nb"]
)
def test_any_name_gives_a_safe_folder_and_keeps_its_student_known(course, uploads, packed, name):
    (uploads / f"{name[:100]}.zip").write_bytes(packed({MODULE: b"x"}))
    collect(course, LAB, uploads)
    (student,) = course.students("submitted", LAB)
    assert student == folder_name(name[:100]) and len(student) <= 40
    assert student.isascii() and student[0].isalnum() and not set(student) & set(" /\\@\n")
    with course.gradebook() as gradebook:
        assert gradebook.find_student(student).lms_user_id.isprintable()


def test_different_students_have_different_folders():
    names = ["Zoe", "Zoë", "zoe", "Zo e", "Zo-e", "zo_e", folder_name("Zoë"), "李", "王", "", "-", "--"]
    assert len({folder_name(name) for name in names}) == len(names)
    assert folder_name("Zoe\u0308") == folder_name("Zoë")  # composed or not: the same name


def test_a_name_that_fits_no_pattern_is_skipped_and_said(course, uploads, packed):
    for name in ("s1.zip", "what.zip"):
        (uploads / name).write_bytes(packed({MODULE: b"x"}))
    report = collect(course, LAB, uploads, r"(?P<id>s\d+)\.zip")
    assert course.students("submitted", LAB) == ["s1"] and "'what.zip': skipped" in report[0]


@pytest.mark.parametrize(
    ("prepare", "pattern", "says"),
    [
        (lambda folder: folder.rmdir(), None, "is not there"),
        (lambda folder: None, None, "holds no submissions"),
        (lambda folder: (folder / f"{LAB}.ipynb").write_text("{}"), None, "one submission, not a class"),
        (lambda folder: None, "(", "no regular expression"),
        (lambda folder: None, "(.*)", "needs a group named id"),
    ],
)
def test_wrong_use_is_one_line(course, uploads, prepare, pattern, says):
    prepare(uploads)
    with pytest.raises(Mistake, match=says):
        collect(course, LAB, uploads, pattern)


def test_a_lab_must_be_released_first(uploads, tmp_path):
    with pytest.raises(Mistake, match="release 02_vae"):
        collect(Course(tmp_path / "nothing"), LAB, uploads)
