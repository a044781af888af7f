"""Marking sheets: written answers beside their rubrics, for who does not want formgrader; and what comes back in them.

A sheet is a page to read and a CSV to fill in: a row for each answer, a column for each item of its rubric. A key is of
a learner and of what she wrote, so that points never go to another text than the one that was read.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from nbformat import v4
from nbgrader.api import Gradebook

from ..content.harmless_text import line
from ..content.mistake import Mistake
from ..content.tasks import LABS, MODEL_ANSWERS, QUESTIONS, rubric_of, uneven
from .changes import readout
from .course_folder import Course, replace
from .export import text as csv_of
from .feedback import answered, as_written
from .graded_notebook import written
from .markdown import rendered
from .report_page import document
from .rules import Rules
from .similar_page import bare

NO_ITEM = "–"  # where a question has fewer items than another
FORMULA = "'"  # `export.cell` puts it before what a spreadsheet would take for one
CODE = re.compile(r"#([\w-]+)")


@dataclass(frozen=True)
class Answer:
    student: str
    question: str
    key: str
    html: str
    waits: bool


@dataclass(frozen=True)
class Mark:
    """What a row of a sheet says."""

    student: str
    question: str
    points: float
    comment: str


def items_of(question: str) -> list[float]:
    """The most points of each item.

    Raises:
        Mistake: they do not sum up to the question's.
    """
    if words := uneven(MODEL_ANSWERS[question]):
        raise Mistake(f"grading/content/questions.toml: {words}: change one of them, and nothing is marked before")
    return [row["points"] for row in MODEL_ANSWERS[question]["rubric"]]


def answers(course: Course, lab: str, waiting: Mapping[str, set[str]]) -> list[Answer]:
    """All written answers of a lab, by question, each where it was graded.

    Args:
        waiting: learner -> questions that nobody has marked.
    """
    found = []
    for student in sorted(waiting):
        notebook = course.noted(lab, student, f"{lab}.ipynb", v4.reads)
        marks = written(notebook, b"")
        for _, cell in answered(notebook):
            question = cell.metadata.nbgrader.grade_id
            if question in MODEL_ANSWERS and "written" in cell.metadata:
                key = hashlib.sha256(f"{student}\0{question}\0{marks[question][0]}".encode()).hexdigest()[:12]
                found.append(Answer(student, question, key, as_written(cell.source), question in waiting[student]))
    return sorted(found, key=lambda one: (one.question, one.key))


def sheets(
    course: Course, lab: str, markers: Sequence[str], everything: bool, say: Callable[[str], None]
) -> list[Path]:
    """Write a page and a table for each marker; the tables.

    Args:
        markers: who share the work, learner by learner; one sheet when nobody is named.
        everything: also answers that have their points.

    Raises:
        Mistake: a marker is named twice or oddly, or no answer waits.
    """
    if odd := [name for name in markers if not re.fullmatch(r"\w{1,30}", name) or markers.count(name) > 1]:
        raise Mistake(f"--markers has {odd[0]!r}: write names of letters, each once, such as anna,ben")
    course.released(lab)
    with course.gradebook() as gradebook:
        read = readout(course, gradebook)
        results = read.results(lab)
    every = answers(course, lab, {student: result.waits for student, result in results.items()})
    found = [one for one in every if one.waits or everything]
    if not found:
        raise Mistake(f"no written answer of {lab} waits for a human; --all writes those that have points, too")
    names = {who: line(f"{r.person.first_name or ''} {r.person.last_name or ''}") or who for who, r in results.items()}
    names = {who: "" if read.rules.anonymous else f"{name} ({who})" for who, name in names.items()}
    students = sorted({one.student for one in found}, key=lambda who: hashlib.sha256(who.encode()).digest())
    paths = []
    for place, marker in enumerate(markers or [""]):
        share = {*students[place :: len(markers or [""])]}
        mine = [one for one in found if one.student in share]
        path = course.root / f"marking-{lab}{f'-{marker}' * bool(marker)}.csv"
        replace(path, table(lab, mine, names))
        replace(path.with_suffix(".html"), page(lab, mine, names))
        say(f"{path}: {len(mine)} answers of {len(share)} learners; read them in {path.stem}.html.")
        paths.append(path)
    return paths


def head(lab: str) -> list[str]:
    most = max(len(items_of(question)) for question in QUESTIONS if QUESTIONS[question]["lab"] == lab)
    return ["key", "learner", "question", *(f"item {i + 1}" for i in range(most)), "comment", "answer"]


def table(lab: str, found: Sequence[Answer], names: Mapping[str, str]) -> str:
    columns, rows = head(lab), []
    for one in found:
        items = ["" for _ in items_of(one.question)]
        items += [NO_ITEM] * (len(columns) - 5 - len(items))
        rows.append([one.key, names[one.student], one.question, *items, "", line(bare(one.html), 1000)])
    return csv_of([columns, *rows])


def page(lab: str, found: Sequence[Answer], names: Mapping[str, str]) -> str:
    parts, question = [], ""
    for one in found:
        if one.question != question:
            question = one.question
            rubric = "".join(f"<li>item {i}: {escape(says)}</li>" for i, says in enumerate(rubric_of(question), 1))
            model = rendered(MODEL_ANSWERS[question]["answer"])
            parts.append(f"<h2>{escape(question)}</h2><ol style='list-style: none'>{rubric}</ol>")
            parts.append(f"<details><summary>A model answer</summary>{model}</details>")
        parts.append(f"<h3>{one.key} {escape(names[one.student])}</h3><section>{one.html}</section>")
    return document(f"{LABS[lab]['title']} ({lab}): {len(found)} answers to mark", *parts)


def read_back(course: Course, lab: str, path: Path, say: Callable[[str], None] = print) -> int:
    """Enter the points of a sheet that was filled in; how many answers have them now.

    Rows in which nothing is filled in are left as they are.

    Raises:
        Mistake: something in it cannot be; nothing is entered then.
    """
    course.released(lab)
    with course.alone(), course.gradebook() as gradebook:
        read = readout(course, gradebook)
        results = read.results(lab)
        known = {one.key: one for one in answers(course, lab, {who: found.waits for who, found in results.items()})}
        marks = [*marks_of(path, lab, known, read.rules)]
        for mark in marks:
            enter(gradebook, lab, mark)
        gradebook.db.commit()
        left = sum(len(found.waits) for found in read.results(lab).values())
    say(f"{len(marks)} answers have their points; {left} of {lab} still wait.")
    return len(marks)


def enter(gradebook: Gradebook, lab: str, mark: Mark) -> None:
    sheet = gradebook.find_submission_notebook(lab, lab, mark.student)
    grade = next(grade for grade in sheet.grades if grade.name == mark.question)
    grade.manual_score, grade.needs_manual_grade = mark.points, False
    for comment in sheet.comments:
        if comment.name == mark.question and mark.comment:
            comment.manual_comment = mark.comment


def marks_of(path: Path, lab: str, known: Mapping[str, Answer], rules: Rules) -> Iterator[Mark]:
    """
    Raises:
        Mistake: a row is of no answer that is there, or says what cannot be; names the line.
    """
    seen: dict[str, int] = {}
    for number, row in rows(path, lab):
        where = f"{path}, line {number}: "
        given = {name: value.strip() for name, value in row.items() if name.startswith("item ")}
        filled = {name: value for name, value in given.items() if value not in ("", NO_ITEM)}
        comment = row["comment"].strip().removeprefix(FORMULA)
        if not filled and not comment:
            continue
        one = known.get(row["key"].strip())
        if not one or one.question != row["question"].strip():
            raise Mistake(f"{where}{row['key']!r} is no answer of {lab} as it is now: was it handed in again?")
        if one.key in seen:
            raise Mistake(f"{where}{one.key} is in line {seen[one.key]}, too")
        seen[one.key] = number
        points = sum(item(where, name, given.get(name, ""), most) for name, most in items(one.question))
        if extra := [name for name in filled if name not in dict(items(one.question))]:
            raise Mistake(f"{where}{one.question} has no {extra[0]}, and there stands {filled[extra[0]]!r}")
        yield Mark(one.student, one.question, points, said(where, comment, rules))


def items(question: str) -> list[tuple[str, float]]:
    return [(f"item {i}", most) for i, most in enumerate(items_of(question), 1)]


def item(where: str, name: str, value: str, most: float) -> float:
    try:
        points = float(value.replace(",", "."))
    except ValueError:
        points = -1.0
    if not 0 <= points <= most:
        raise Mistake(
            f"{where}{name} is {value!r}: a number from 0 to {most:g} is needed, or nothing in all of the row"
        )
    return points


def said(where: str, comment: str, rules: Rules) -> str:
    """A comment with #codes of the bank replaced by their texts."""
    for code in CODE.findall(comment):
        if code not in rules.comments:
            known = ", ".join(f"#{one}" for one in rules.comments) or "none yet"
            raise Mistake(f"{where}#{code} is no comment of course.toml ([comments] has {known})")
    return CODE.sub(lambda match: rules.comments[match[1]], comment)


def rows(path: Path, lab: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells.

    Raises:
        Mistake: it is no sheet of this lab.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        given = csv.reader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
        names = [cell.strip() for cell in next(given, [])]
        if missing := [name for name in head(lab)[:-1] if name not in names]:
            raise Mistake(f"{path} is no marking sheet of {lab}: it has no column {missing[0]!r}")
        for row in given:
            if any(row):
                yield given.line_num, dict.fromkeys(names, "") | dict(zip(names, row))
    except (UnicodeDecodeError, csv.Error):
        raise Mistake(f"{path} is no CSV in UTF-8: save it as one") from None
