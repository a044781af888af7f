"""What `submit` packs is what graders take; what is missing is one line, and nothing is overwritten."""

import json
import zipfile

import pytest

from grading.classroom.collect import collect
from grading.classroom.uploads import SIZES, handed_in
from grading.content.tasks import UNANSWERED, files_of
from starter.support import blanks, course, progress, submit

LAB = "02_vae"


@pytest.fixture
def lab():
    return course.labs()[LAB]


@pytest.fixture
def own(tmp_path, monkeypatch, lab, released_notebook):
    """A learner's folder, as a lab's zip has it; vae-1 right, vae-2 wrong, the others blank."""
    folder = tmp_path / "own"
    (folder / "starter").mkdir(parents=True)
    (folder / "starter/vae.py").write_bytes(b"\xef\xbb\xbfx = 1\r\n")
    (folder / f"{LAB}.ipynb").write_bytes(released_notebook)
    states = {task: progress.Standing("blank", "") for task in lab.tasks}
    states |= {"vae-1": progress.Standing("right", ""), "vae-2": progress.Standing("wrong", "")}
    monkeypatch.setattr(course, "TOP", folder)
    monkeypatch.setattr(course, "module_of", lambda lab: existing(folder / f"starter/{lab.module}.py"))
    monkeypatch.setattr(progress, "verdicts", lambda lab: (states, ""))
    return folder


def existing(path):
    if path.exists():
        return path
    raise course.Missing(f"There is no file starter/{path.name}: a way to get it.")


def packed(folder) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / f"submission-{LAB}.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_collect_takes_what_it_packs_byte_for_byte(own, lab, course, tmp_path):
    submit.submit(lab)
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (own / f"submission-{LAB}.zip").rename(uploads / "anna.zip")
    assert collect(course, LAB, uploads) == ["'anna.zip': anna, accepted"]
    taken = course.folder("submitted", LAB, "anna")
    for name in files_of(LAB).values():
        assert (taken / name).read_bytes() == (own / name).read_bytes()


def test_gradescope_takes_the_zip_and_its_files(own, lab, tmp_path):
    submit.submit(lab)
    names = {".ipynb": f"{LAB}.ipynb", ".py": "vae.py"}
    for unpacked in (True, False):
        folder = tmp_path / f"gradescope-{unpacked}"
        folder.mkdir()
        if unpacked:
            zipfile.ZipFile(own / f"submission-{LAB}.zip").extractall(folder)
        else:
            (folder / "x.zip").write_bytes((own / f"submission-{LAB}.zip").read_bytes())
        assert handed_in(folder, names)[".py"] == b"\xef\xbb\xbfx = 1\r\n"


def test_what_is_blank_wrong_and_not_written_is_named_and_where_the_zip_lies(own, lab):
    said = submit.submit(lab)
    assert "Lab 2, 02_vae: 1 of 8 tasks right, 0 of 2 questions written, 2 of 23 points." in said
    assert "Still blank: vae-3, vae-4, vae-5, vae-6, vae-7, vae-8." in said and "Not right yet: vae-2." in said
    assert "Not written yet: vae-q1, vae-q2." in said
    assert f"Packed: {own / f'submission-{LAB}.zip'}, with 02_vae.ipynb and starter/vae.py." in said
    assert said.splitlines()[-1].startswith("Upload this zip where your instructor collects the lab: ")


def test_an_answer_that_is_written_is_not_missed(own, lab):
    path = own / f"{LAB}.ipynb"
    book = json.loads(path.read_text())
    next(cell for cell in book["cells"] if "".join(cell["source"]) == UNANSWERED)["source"] = "Because."
    path.write_text(json.dumps(book))
    assert "Not written yet: vae-q2." in submit.submit(lab)


def test_an_older_zip_is_kept_and_the_same_work_is_not_packed_twice(own, lab):
    submit.submit(lab)
    first = packed(own)
    assert "nothing has changed since" in submit.submit(lab)
    (own / "starter/vae.py").write_bytes(b"x = 2\n")
    assert "The zip from before is now submission-02_vae.old-1.zip." in submit.submit(lab)
    assert packed(own)["starter/vae.py"] == b"x = 2\n"
    (own / f"submission-{LAB}.old-1.zip").rename(own / f"submission-{LAB}.zip")
    assert packed(own) == first
    assert sorted(path.name for path in own.glob("submission*")) == [f"submission-{LAB}.zip"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: (own / "02_vae.ipynb").unlink(), "there is no 02_vae.ipynb in"),
        (lambda own: (own / "02_vae.ipynb").write_text("{"), "02_vae.ipynb cannot be read as a notebook"),
        (lambda own: (own / "starter/vae.py").unlink(), "there is no file starter/vae.py"),
        (
            lambda own: (own / "02_vae.ipynb").write_text(json.dumps({"cells": [], "x": "x" * SIZES[".ipynb"]})),
            "02_vae.ipynb has 20 MB, and graders read at most 20: clear its outputs",
        ),
    ],
)
def test_what_cannot_be_packed_is_one_line_and_leaves_nothing(own, lab, spoil, words):
    spoil(own)
    before = sorted(own.rglob("*"))
    with pytest.raises(submit.Refused, match=r"^nothing was packed: ") as refused:
        submit.submit(lab)
    assert words in str(refused.value) and "\n" not in str(refused.value)
    assert sorted(own.rglob("*")) == before


def test_a_module_that_does_not_parse_is_packed_all_the_same_and_said(own, lab, monkeypatch):
    trouble = "line 1 of starter/vae.py raises SyntaxError: invalid syntax."
    monkeypatch.setattr(progress, "verdicts", lambda lab: (dict.fromkeys(lab.tasks, wrong(trouble)), trouble))
    assert f"No task can be checked: {trouble}" in submit.submit(lab)
    assert packed(own).keys() == {"02_vae.ipynb", "starter/vae.py"}


def wrong(words: str) -> progress.Standing:
    return progress.Standing("wrong", words)


def test_a_lab_of_questions_alone_packs_its_notebook(own):
    (own / "11_comparison.ipynb").write_text('{"cells": []}')
    comparison = course.labs()["11_comparison"]
    assert "Not written yet" in submit.submit(comparison)
    with zipfile.ZipFile(own / "submission-11_comparison.zip") as archive:
        assert archive.namelist() == ["11_comparison.ipynb"]


def test_the_limits_are_the_graders():
    assert submit.LARGEST == SIZES[".ipynb"]


def test_a_module_that_the_course_has_given_is_not_handed_in(own, lab):
    (own / "starter/vae.py").write_text(blanks.completed("vae", "x = 1\n"))
    with pytest.raises(submit.Refused, match="starter/vae.py is given by the course, and not yours to hand in"):
        submit.submit(lab)
    assert not list(own.glob("*.zip"))
