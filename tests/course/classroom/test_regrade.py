"""A request comes in with words, both verdicts stand side by side, and the answer is on the learner's page."""

import json
import shutil

import pytest

from grading.__main__ import main
from grading.classroom.autograde import autograde
from grading.classroom.course_folder import Course
from grading.classroom.feedback import feedback
from grading.classroom.regrade import SAME, asked, edited, request_of
from grading.content.mistake import Mistake
from grading.content.tasks import tasks_of
from tests.course.classroom.test_feedback import Tags

LAB = "02_vae"


@pytest.fixture
def five(graded, tmp_path) -> Course:
    shutil.copytree(graded.root, tmp_path / "five")
    return Course(tmp_path / "five")


def test_both_verdicts_her_words_and_her_lines_are_on_the_page_and_nothing_acts(five, tmp_path):
    words = tmp_path / "request.txt"
    words.write_text("My KL is right! <script>alert(1)</script>")
    record = five.record(LAB, "2").with_name("verdicts.json")

    def judged_again() -> int:
        verdicts = json.loads(record.read_text())
        verdicts["tasks"]["vae-2"] = ["right", "vae-2 is right after all."]
        record.chmod(0o644)
        record.write_text(json.dumps(verdicts))
        return 0

    page = asked(five, LAB, "2", words, judged_again).read_text()
    assert "Changed: vae-2" in page and "vae-2 is right after all." in page and "wrong: " in page
    assert "&lt;script&gt;" in page and "return mu + sigma * eps" in page
    assert not {tag for tag, _ in Tags(page).found} & {"script", "a", "img", "form"}


def collected_again(five: Course, change) -> None:
    """Learner 1 hands in once more; her files are taken in, and judged as right as before."""
    path = five.folder("submitted", LAB, "1") / "starter/vae.py"
    path.write_bytes(change(path.read_bytes()))


def test_the_diff_between_what_was_graded_and_what_is_judged_is_harmless_text(five, recorded):
    """Her new module has a line of HTML and one that moves a terminal's cursor."""

    def change(module: bytes) -> bytes:
        return module.replace(b"sigma = torch.exp(0.5 * log_var)", b"sigma = log_var  # <img src=x> \x1b[2J")

    collected_again(five, change)
    tasks, said = {task: ["right", ""] for task in tasks_of(LAB)} | {"vae-1": ["wrong", "No."]}, []

    def judge() -> int:
        return autograde(five, LAB, student="1", regrade=True, pool=recorded(tasks), say=lambda words: None)

    page = asked(five, LAB, "1", None, judge, said.append).read_text()
    assert said[0] == "vae-1: right -> wrong"
    assert said[1:3] == ["--- vae.py, as it was graded before", "+++ vae.py, as it is judged now"]
    assert [row for row in said if row.startswith("-    ")] == ["-    sigma = torch.exp(0.5 * log_var)"]
    now = "+    sigma = log_var  # <img src=x> \N{REPLACEMENT CHARACTER}[2J"
    assert [row for row in said if row.startswith("+    ")] == [now]
    assert "+    sigma = log_var  # &lt;img src=x&gt;" in page and "\x1b" not in page
    assert not {tag for tag, _ in Tags(page).found} & {"script", "a", "img", "form"}


def test_a_module_with_other_line_ends_alone_is_told():
    rows = edited({"vae.py": b"a\nb\n"}, {"vae.py": b"a\r\nb\r\n"})
    assert [*rows] == ["vae.py: other line ends, or other lines beyond the first 2000."]


def test_where_the_same_was_judged_it_says_so(five):
    said: list[str] = []
    page = asked(five, LAB, "1", None, lambda: 0, said.append).read_text()
    assert said == ["No verdict changed, on new inputs.", SAME] and SAME in page


def test_a_written_answer_that_is_another_one_is_named(five, recorded):
    book = five.folder("submitted", LAB, "1") / f"{LAB}.ipynb"
    content = json.loads(book.read_text())
    next(cell for cell in content["cells"] if cell["id"] == "vae-q1")["source"] = "Because of the KL."
    book.write_text(json.dumps(content))
    tasks, said = {task: ["right", ""] for task in tasks_of(LAB)}, []

    def judge() -> int:
        return autograde(five, LAB, student="1", regrade=True, pool=recorded(tasks), say=lambda words: None)

    asked(five, LAB, "1", None, judge, said.append)
    assert said[1:] == ["vae-q1: the written answer is another one."]


def test_the_answer_is_on_her_feedback_page_with_what_she_asked(five, tmp_path, capsys):
    words = tmp_path / "request.txt"
    words.write_text("Why <b>wrong</b>?")
    asked(five, LAB, "2", words, lambda: 0)
    feedback(five, LAB, lambda said: None)
    path = five.folder("feedback", LAB, "2") / f"{LAB}.html"
    assert "You asked" not in path.read_text(), "nothing before there is an answer"
    assert main(["regrade", LAB, "2", "--answer", "The sum is over latents.", "--course", str(five.root)]) == 0
    feedback(five, LAB, lambda said: None)
    assert "Why &lt;b&gt;wrong" in path.read_text() and "The sum is over latents." in path.read_text()
    assert "You asked" not in (five.folder("feedback", LAB, "1") / f"{LAB}.html").read_text()


def test_what_cannot_be_is_one_line_and_changes_nothing(five, tmp_path, capsys):
    assert main(["regrade", LAB, "1", "--answer", "x", "--course", str(five.root)]) == 2
    assert "1 has not asked about 02_vae: run `python -m grading regrade" in capsys.readouterr().err
    assert main(["regrade", LAB, "nobody", "--course", str(five.root)]) == 2
    assert "no submission of 02_vae by 'nobody'" in capsys.readouterr().err
    bad = tmp_path / "request.txt"
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Mistake, match="is no text in UTF-8"):
        asked(five, LAB, "1", bad, lambda: 0)
    with pytest.raises(Mistake, match="could not be graded again"):
        asked(five, LAB, "1", None, lambda: 1)
    assert request_of(five, LAB, "1") == {}
