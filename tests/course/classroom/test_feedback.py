"""Feedback names every mistake, shows no secret, and does nothing when it is opened."""

import re
import shutil
from html import unescape
from html.parser import HTMLParser

import pytest

from grading.classroom.course_folder import Course
from grading.classroom.feedback import feedback, model_answer, summary
from grading.classroom.learners import Student
from grading.classroom.pages import POLICY
from grading.classroom.results import Result
from grading.content import known_answers
from grading.content.harmless_text import line, plain
from grading.content.mistake import Mistake
from grading.content.tasks import MODEL_ANSWERS, QUESTIONS, TASKS, tasks_of

LAB = "02_vae"


class Tags(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def commented(graded, tmp_path_factory) -> Course:
    """A human has read one answer."""
    course = Course(tmp_path_factory.mktemp("feedback") / "course")
    shutil.copytree(graded.root, course.root)
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("vae-q1", LAB, LAB, "3")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment("vae-q1", LAB, LAB, "3").manual_comment = "Good <b>point</b>."
        gradebook.db.commit()
    return course


@pytest.fixture(scope="module")
def pages(commented) -> dict[str, str]:
    said = []
    assert feedback(commented, LAB, said.append) == 5 and "5 pages" in said[-1]
    students = commented.students("feedback", LAB)
    return {name: (commented.folder("feedback", LAB, name) / f"{LAB}.html").read_text() for name in students}


def test_points_and_the_named_misconception_are_on_the_page(pages, points):
    possible = points(questions=True)
    assert f"{points()} of {possible} points." in pages["1"]
    assert f"{points(without='vae-2')} of {possible} points." in pages["2"]
    assert pages["1"].count("is right") == len(tasks_of(LAB))
    row = next(row for row in pages["2"].split("<tr>") if row.startswith("<td>vae-2"))
    says = known_answers.answers("wrong")["vae-2"][0]["says"]
    assert f"0 of {TASKS['vae-2']['points']}" in row and says in row.replace("&#x27;", "'").replace("&quot;", '"')


def test_why_nothing_was_graded_is_on_the_page_once(pages, points):
    assert pages["4"].count("Nothing was graded: neither 02_vae.ipynb nor vae.py is in it") == 1
    assert "vae-1" not in pages["4"] and f"0 of {points(questions=True)} points" in pages["4"]


def test_a_notebook_that_cannot_be_read_is_on_the_page_and_costs_no_points_of_written_answers(pages):
    assert "The notebook could not be read: it is not JSON from line 1 on: cut off, or no notebook." in pages["2"]
    assert "vae-q1: still to be read" in pages["2"] and "waits for a human" in pages["2"]
    assert (
        f"vae-q1: 0 of {QUESTIONS['vae-q1']['points']} points" in pages["1"] and "could not be read" not in pages["1"]
    )


def test_written_answers_come_with_points_and_comment_of_the_human(pages):
    assert (
        f"vae-q1: 1.5 of {QUESTIONS['vae-q1']['points']} points" in pages["3"]
        and "Good &lt;b&gt;point&lt;/b&gt;." in pages["3"]
    )
    assert "vae-q2: still to be read" in pages["3"] and "Written answers are still to be read" in pages["3"]
    assert "Because <strong>&lt;script&gt;alert(1)&lt;/script&gt;</strong>" in pages["3"] and " 1 &lt; 2 " in pages["3"]


def test_below_each_written_answer_a_model_answer_and_the_rubric_are_folded(pages):
    folded = re.findall("<details><summary>.*?</details>", pages["3"], re.DOTALL)
    assert len(folded) == 2 and pages["3"].index("Good &lt;b&gt;") < pages["3"].index("<details>")
    for name, html in zip(("vae-q1", "vae-q2"), folded):
        text = re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", "", html)))
        row = MODEL_ANSWERS[name]
        assert " ".join(row["answer"].split()) in text and all(line["says"] in text for line in row["rubric"])
        assert row["misconceptions"].split(":")[0] not in text  # that is for the grader


def test_a_question_that_the_course_no_longer_has_gets_feedback_without_a_model_answer(monkeypatch):
    monkeypatch.delitem(MODEL_ANSWERS, "vae-q1")
    assert model_answer("vae-q1") == "" and model_answer("vae-q2")


def test_a_question_reads_as_in_the_notebook(pages):
    assert "<blockquote><p><strong>Why (vae-q1)?</strong></p>" in pages["3"]


def test_the_learners_own_plots_are_on_the_page(pages):
    assert pages["3"].count("data:image/png;base64,") == 1 and "Your plots" not in pages["1"]


def test_a_page_runs_and_loads_nothing(pages):
    for page in pages.values():
        tags = Tags(page).found
        assert {tag for tag, _ in tags} <= set(
            "html head meta title style body main h1 h2 p table tr td th span section img blockquote strong div".split()
            + "details summary ul li small".split()
        )
        assert not [name for _, given in tags for name in given if name.startswith("on") or name in ("href", "action")]
        assert all(given["src"].startswith("data:image/png;base64,") for tag, given in tags if tag == "img")
        policies = [given["content"] for _, given in tags if given.get("http-equiv") == "Content-Security-Policy"]
        assert policies == [POLICY] and "default-src 'none'" in POLICY
        assert "http:" not in re.sub(r"<section>.*?</section>", "", page, flags=re.DOTALL) and "https:" not in page


def test_a_page_shows_no_test_no_seed_and_no_control_character(pages):
    for page in pages.values():
        assert not re.search(r"fingerprint|AUTOTEST|seed|probe\(|matches\(|\x1b|\u202e", page)


def test_writing_it_again_gives_the_same_page(commented, pages):
    feedback(commented, LAB, lambda text: None)
    assert (commented.folder("feedback", LAB, "3") / f"{LAB}.html").read_text() == pages["3"]


def test_feedback_before_grading_is_one_line(course):
    with pytest.raises(Mistake, match="autograde 02_vae"):
        feedback(course, LAB)


def test_text_of_strangers_is_made_visible_and_bounded():
    assert plain("a\tb\r\nc\rd") == "a    b\nc\nd"
    assert plain("\x00\x1b[31m\u202e\u2066\u200b\ud800\ue000\u2028") == "\N{REPLACEMENT CHARACTER}" * 2 + "[31m" + (
        "\N{REPLACEMENT CHARACTER}" * 6
    )
    assert plain("Zoë 李 ∑ 🙂") == "Zoë 李 ∑ 🙂"
    assert plain("x" * 10**7, 10) == "x" * 10 + " …"
    assert line(" a\n\n b ") == "a b"


def test_the_platforms_mark_of_being_late_is_passed_on():
    found = Result(None, None, 0, 0, 2, scores={"vae-1": 1})
    assert summary(found, {"late": "marked late by Canvas"}) == "1 of 2 points. It was marked late by Canvas."
    assert summary(found, {}) == "1 of 2 points."


def test_a_name_is_neither_html_nor_tex():
    assert Student("1", "Zoë O'Brien-Ng, B. & Co").name == "Zoë O'Brien-Ng, B. & Co"
    assert not set(Student("1", "<img src=x onerror=alert(1)> $\\href{x}{y}$\n").name) & set("<>$\\\n")
