"""Who shares what few share is found, who shares what many share is not, and nothing on the page acts."""

import json

import pytest

from grading.__main__ import main
from grading.classroom.similar import LEAST, SMALL, Pair, Work, features, pairs, threshold
from grading.classroom.similar_page import of_course, page
from tests.bench.made_class import made_class
from tests.course.classroom.test_feedback import Tags

LAB = "02_vae"


@pytest.fixture(scope="module")
def made():
    return made_class(size=100, each=4, seed=11)


@pytest.fixture(scope="module")
def found(made):
    return pairs(made.works, of_course(LAB))


def test_copies_are_found_and_honest_work_that_looks_alike_is_not(made, found):
    """A quarter of them is disguised too well for short blanks; what is found is planted."""
    names = {frozenset((pair.first, pair.second)) for pair in found}
    assert made.copies <= names
    assert len(names & made.disguised) >= 2
    assert not names & made.alike and len(names - made.copies - made.disguised) <= 1


def test_the_same_class_gives_the_same_pairs_in_whatever_order_it_comes(made, found):
    again = pairs(made.works[::-1], of_course(LAB))
    assert [(p.first, p.second) for p in again] == [(p.first, p.second) for p in found]


def test_what_everybody_has_or_the_course_says_counts_nothing():
    same = "def f(x):\n    y = x + 1  # the same comment here\n    return y * 17.5\n"
    works = [Work(f"s{i}", same, {"q": "word for word the same answer of all of them"}) for i in range(SMALL)]
    assert pairs(works) == []
    few = [Work(f"s{i}", same if i < 2 else f"x = {i}\n", {}) for i in range(SMALL)]
    common = frozenset(features(few[0]))
    assert pairs(few, common) == []


def test_names_do_not_hide_the_shape_of_a_statement_and_a_given_name_stays():
    text = "def f(x, beta):\n    {0} = x.exp() * beta\n    return {0}.sum()\n"
    one, two = text.format("t"), text.format("value")
    shapes = [{f.what for f in features(Work("", text)) if f.kind == "shape"} for text in (one, two)]
    assert shapes[0] == shapes[1] and "_ = x.exp() * beta" in shapes[0]


def test_a_module_that_does_not_parse_still_has_comments_and_layout():
    kinds = {f.kind for f in features(Work("", "def f(:\n    # my very own remark\n    a=b*c+d\n"))}
    assert "comment" in kinds or "layout" in kinds


def test_a_pair_is_shown_when_it_is_far_above_nearly_everybodys_nearest():
    def pair(i: int, score: float) -> Pair:
        return Pair(f"a{i}", f"b{i}", score, ())

    crowd = [pair(i, 30 + i % 3) for i in range(40)]
    assert threshold(crowd, 80) > 32 and threshold([pair(0, 90)], 80) == LEAST


def test_the_page_shows_both_texts_and_nothing_in_them_acts(made, found):
    works = {work.student: work for work in made.works}
    first = found[0].first
    bad = "# <script>alert(1)</script> \u202e\n" + works[first].module
    works[first] = Work(first, bad, {q: f"<img src=x onerror=alert(1)> {a}" for q, a in works[first].answers.items()})
    html = page(LAB, found[:2], works, {name: f"<b>{name}</b>" for name in works})
    tags = Tags(html).found
    assert not {tag for tag, _ in tags} & {"script", "img", "a", "b", "form"}
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "&lt;script&gt;" in html and "\u202e" not in html and "<mark>" in html and "a reason to look" in html


def test_a_small_class_is_one_line(graded, capsys):
    assert main(["report", LAB, "--similar", "--course", str(graded.root)]) == 2
    assert f"5 submissions of 02_vae are graded: what is rare shows from {SMALL} on" in capsys.readouterr().err
    assert main(["report", "all", "--similar", "--course", str(graded.root)]) == 2


def test_a_class_in_a_course_folder_is_compared_by_what_was_graded(course, recorded, released_notebook, tmp_path):
    from grading.classroom.autograde import autograde

    made = made_class(size=40, each=2, seed=5)
    book = json.loads(released_notebook)
    for work in made.works:
        folder = course.folder("submitted", LAB, work.student)
        (folder / "starter").mkdir(parents=True)
        (folder / "starter/vae.py").write_text(work.module)
        for cell in book["cells"]:
            if cell["id"] in work.answers:
                cell["source"] = work.answers[cell["id"]]
        (folder / f"{LAB}.ipynb").write_text(json.dumps(book))
    autograde(course, LAB, pool=recorded({"vae-1": ["right", "vae-1 is right."]}), say=lambda words: None)
    assert main(["report", LAB, "--similar", "--course", str(course.root)]) == 0
    table = (course.root / f"similar-{LAB}.csv").read_text()
    for one, two in map(sorted, made.copies):
        assert f"{one},{one},{two},{two}," in table
    assert (course.root / f"similar-{LAB}.html").read_text().count("<h2>") >= 2
