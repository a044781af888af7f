"""Regrade requests: a learner's words in, both verdicts and her own lines out, and an answer back to her."""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from ..content.harmless_text import line, plain
from ..content.mistake import Mistake
from ..content.tasks import LABS, TASKS, files_of
from .course_folder import Course, replace
from .report_page import document, table

WORDS = 10_000  # characters of a request, at most
Request = dict[str, Any]  # words, changed, answer


def place(course: Course, lab: str, student: str) -> Path:
    return course.root / "regrades" / lab / f"{student}.json"


def request_of(course: Course, lab: str, student: str) -> Request:
    """What was asked and answered; nothing where nobody asked.

    Raises:
        Mistake: the file is damaged.
    """
    path = place(course, lab, student)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except (ValueError, TypeError):
        raise Mistake(f"{path} cannot be read: delete it, and run `python -m grading regrade` again") from None


def asked(course: Course, lab: str, student: str, words: Path | None, judge: Callable[[], int]) -> Path:
    """Judge a submission again, and write what the request, both verdicts and her own lines are; the page.

    Args:
        words: a text file with the request.
        judge: grades this submission again, and says how many could not be.

    Raises:
        Mistake: it is not graded yet, or cannot be, or the request is no text.
    """
    if not course.record(lab, student).exists():
        raise Mistake(f"{lab} of {student} is not graded yet: run `python -m grading autograde {lab}` first")
    try:
        text = words.read_text(encoding="utf-8")[:WORDS] if words else ""
    except UnicodeDecodeError:
        raise Mistake(f"{words} is no text in UTF-8: save it as one") from None
    before = course.noted(lab, student, "verdicts.json")["tasks"]
    if judge():
        raise Mistake(f"{lab} of {student} could not be graded again, see above")
    after = course.noted(lab, student, "verdicts.json")["tasks"]
    changed = [task for task in after if before.get(task, [""])[0] != after[task][0]]
    path = place(course, lab, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = request_of(course, lab, student)
    told = {"words": text or known.get("words", ""), "changed": changed, "answer": known.get("answer", "")}
    replace(path, json.dumps(told, ensure_ascii=False))
    page = path.with_suffix(".html")
    replace(page, shown(course, lab, student, told, before, after))
    return page


def shown(
    course: Course, lab: str, student: str, told: Request, before: dict[str, list[str]], after: dict[str, list[str]]
) -> str:
    rows = []
    for task, (state, message) in after.items():
        old, said = before.get(task, ["not graded", ""])
        now = f"{state}: {message}" if said != message else state
        rows.append([task, TASKS[task]["points"], f"{old}: {said}", now])
    moved = f"Changed: {', '.join(told['changed'])}" if told["changed"] else "No verdict changed"
    return document(
        f"{LABS[lab]['title']} ({lab}): {line(student)} asks",
        f"<pre>{escape(plain(told['words'], WORDS))}</pre>",
        f"<p>{moved}, on new inputs.</p>",
        table(["task", "points", "before", "now"], rows),
        "<h2>What she wrote</h2>",
        f"<pre>{own_lines(course, lab, student)}</pre>",
    )


def own_lines(course: Course, lab: str, student: str) -> str:
    """Of her module, what is not in the released one, with line numbers."""
    module = files_of(lab).get(".py")
    path = course.folder("autograded", lab, student) / (module or "")
    if not module or not path.is_file():
        return "no module"
    given = {*(course.folder("release", lab) / module).read_text(encoding="utf-8").splitlines()}
    text = path.read_bytes().decode("utf-8", "replace").splitlines()
    rows = [f"{n:4} {escape(plain(row, 200))}" for n, row in enumerate(text, 1) if row.strip() and row not in given]
    return "\n".join(rows[:400])


def answered(course: Course, lab: str, student: str, answer: str) -> None:
    """Keep what she is to read on her feedback page.

    Raises:
        Mistake: she has not asked.
    """
    if not (told := request_of(course, lab, student)):
        raise Mistake(f"{student} has not asked about {lab}: run `python -m grading regrade {lab} {student}` first")
    replace(place(course, lab, student), json.dumps(told | {"answer": answer}, ensure_ascii=False))


def on_the_page(told: Request) -> str:
    """Of a feedback page; nothing before there is an answer."""
    if not told.get("answer"):
        return ""
    words, answer = (escape(plain(str(told.get(key, "")), WORDS)) for key in ("words", "answer"))
    return f"<h2>You asked</h2>\n<pre>{words}</pre>\n<p>Answer:</p>\n<pre>{answer}</pre>"
