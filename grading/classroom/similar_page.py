"""`report --similar`: pairs that share what few share, both texts side by side on a page where nothing acts."""

import re
from collections.abc import Callable, Collection, Mapping
from html import escape, unescape
from pathlib import Path

from nbformat import v4

from ..content import known_answers
from ..content.harmless_text import line, plain
from ..content.mistake import Mistake
from ..content.overlay import ROOT, blanks
from ..content.tasks import LABS, MODEL_ANSWERS, MODULES, QUESTIONS, files_of, tasks_of
from .changes import readout
from .course_folder import Course, replace
from .export import text as csv_of
from .graded_notebook import is_answer
from .groups import group_of
from .report_page import document, table
from .similar import SMALL, WORDS, Feature, Pair, Work, by_part, features, pairs

SHOWN = 60  # pairs on a page, at most
THINGS = 3  # of one function or question, at most
ROW = 160  # characters of what is shared
CAUTION = (
    "<p>These pairs share more of what few in this class have than nearly all others do. That is a reason to look at "
    "both texts, and no more: two who sat together in class, or read the same page, share rare things too. Names, "
    "comments and odd layouts say more than a right answer; most right answers to short blanks are alike, and do not "
    "count here.</p>"
)
KINDS = {
    "comment": "the same comment",
    "form": "the same statement",
    "shape": "the same statement but for names",
    "name": "the same name",
    "layout": "the same odd layout",
    "mistake": "the same mistake",
    "phrase": "the same words",
}


def similar(course: Course, lab: str, say: Callable[[str], None] = print) -> Path:
    """Write similar-LAB.html and similar-LAB.csv; the path of the first.

    Raises:
        Mistake: nothing is graded yet, or too few are to know what is rare.
    """
    course.released(lab)
    with course.gradebook() as gradebook:
        people = readout(course, gradebook).results(lab)
    if len(people) < SMALL:
        raise Mistake(f"{len(people)} submissions of {lab} are graded: what is rare shows from {SMALL} on")
    works = {student: work(course, lab, student) for student in sorted(people)}
    found = pairs(works.values(), of_course(lab))
    names = {s: " ".join(filter(None, (r.person.first_name, r.person.last_name))) or s for s, r in people.items()}
    path = course.root / f"similar-{lab}.html"
    rows = [[p.first, names[p.first], p.second, names[p.second], p.score, len(p.shared)] for p in found]
    replace(path.with_suffix(".csv"), csv_of([["student", "name", "other", "name", "score", "shared"], *rows]))
    replace(path, page(lab, found[:SHOWN], works, names))
    say(f"{lab}: {len(found)} pairs of {len(works)} submissions share what few share; look at {path}.")
    return path


def work(course: Course, lab: str, student: str) -> Work:
    """What was graded of a submission, and what was found in it."""
    notebook = course.noted(lab, student, f"{lab}.ipynb", v4.reads)
    verdicts = course.noted(lab, student, "verdicts.json")["tasks"]
    module = files_of(lab).get(".py")
    path = course.folder("autograded", lab, student) / (module or "")
    text = path.read_bytes().decode("utf-8", "replace") if module and path.is_file() else ""
    cells = [cell for cell in notebook.cells if is_answer(cell) and "written" in cell.metadata]
    answers = {cell.metadata.nbgrader.grade_id: bare(cell.source) for cell in cells}
    wrong = {task: group_of(task, message) for task, (state, message) in verdicts.items() if state == "wrong"}
    return Work(student, text.replace("\r\n", "\n"), answers, wrong)


def bare(html: str) -> str:
    """The words of an answer, from the HTML of its cell."""
    return unescape(re.sub(r"<[^>]*>", " ", unescape(html) if "&#" in html else html))


def of_course(lab: str) -> frozenset[Feature]:
    """What the course itself says: it is nobody's own."""
    asked = {question: MODEL_ANSWERS[question]["answer"] for question in QUESTIONS if QUESTIONS[question]["lab"] == lab}
    texts = [""]
    if module := MODULES.get(lab):
        solution = known_answers.solution(module).read_text(encoding="utf-8")
        texts = [solution, blanks()[ROOT / f"starter/{module}.py"]]
        for task in tasks_of(lab):
            for entry in known_answers.answers("right")[task]:
                texts.append(known_answers.changed(solution, entry))
    return frozenset(feature for text in texts for feature in features(Work("", text, asked)))


def page(lab: str, found: list[Pair], works: Mapping[str, Work], names: Mapping[str, str]) -> str:
    given = set(blanks()[ROOT / f"starter/{MODULES[lab]}.py"].splitlines()) if lab in MODULES else set[str]()
    parts = [CAUTION]
    for pair in found:
        one, two = (f"{names[student]} ({student})" for student in (pair.first, pair.second))
        parts.append(f"<h2>{escape(line(one))} and {escape(line(two))}</h2>")
        parts.append(f"<p>{pair.score:.0f}: the sum of what follows, the rarer the more.</p>")
        parts.append(shared(pair, len(works)))
        sides = (side(works[who], pair, i, given) for i, who in enumerate((pair.first, pair.second)))
        parts.append(f'<div class="two">{"".join(sides)}</div>')
    parts += [] if found else ["<p>No pair shares more than honest neighbours do.</p>"]
    return document(f"{LABS[lab]['title']} ({lab}): {len(found)} pairs to look at", *parts)


def shared(pair: Pair, of: int) -> str:
    rows = []
    for part, things in by_part(pair):
        for one in things[:THINGS]:
            rows.append([part, KINDS[one.feature.kind], line(one.feature.what, ROW), f"{one.have} of {of} have it"])
        if len(things) > THINGS:
            rows.append([part, f"and {len(things) - THINGS} more", "", ""])
    return table(["where", "what", "", "how rare"], rows)


def side(work: Work, pair: Pair, which: int, given: Collection[str]) -> str:
    """What one of both wrote, without what the course gave; shared lines are marked."""
    marked = {one.places[which].unit for one in pair.shared if one.feature.kind != "phrase"}
    rows = []
    for number, row in enumerate(work.module.splitlines(), 1):
        if row.strip() and row not in given:
            text = f"{number:4} {escape(plain(row, 200))}"
            rows.append(f"<mark>{text}</mark>" if number in marked else text)
    phrases = {one.feature.what for one in pair.shared if one.feature.kind == "phrase"}
    answers = "".join(f"<h3>{escape(q)}</h3><p>{said(text, phrases)}</p>" for q, text in work.answers.items())
    return f"<div><h3>{escape(line(work.student))}</h3><pre>{chr(10).join(rows[:400])}</pre>{answers}</div>"


def said(text: str, phrases: Collection[str]) -> str:
    """An answer with the shared turns of phrase marked."""
    text = plain(text, 5000)
    words = [*re.finditer(r"\w+", text)]
    inside: set[int] = set()
    for i in range(len(words)):
        if " ".join(word[0].casefold() for word in words[i : i + WORDS]) in phrases:
            inside |= {*range(i, i + WORDS)}
    shown, end = [], 0
    for i, word in enumerate(words):
        shown.append(escape(text[end : word.start()]))
        shown.append(f"<mark>{escape(word[0])}</mark>" if i in inside else escape(word[0]))
        end = word.end()
    return "".join([*shown, escape(text[end:])])
