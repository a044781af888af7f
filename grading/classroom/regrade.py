"""Regrade requests: a learner's words in, both verdicts and what changed out, and an answer back to her."""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from nbformat import v4

from ..content.harmless_text import line, plain
from ..content.mistake import Mistake
from ..content.tasks import LABS, TASKS, files_of
from .course_folder import Course, replace
from .graded_notebook import is_answer, written
from .report_page import document, table

WORDS = 10_000  # characters of a request, at most
LINES, WIDTH = 2000, 200  # of a module that are compared, and characters of a line: difflib is slow on long ones
SAME = "What was judged is what was graded before, byte for byte."
Request = dict[str, Any]  # words, changed, answer
Verdicts = dict[str, list[str]]  # task -> state, message


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


def asked(
    course: Course,
    lab: str,
    student: str,
    words: Path | None,
    judge: Callable[[], int],
    say: Callable[[str], None] = lambda words: None,
) -> Path:
    """Judge a submission again, and write what the request, both verdicts, what changed and her lines are; the page.

    Args:
        words: a text file with the request.
        judge: grades this submission again, and says how many could not be.
        say: takes a line: which verdicts changed, and of her module what did.

    Raises:
        Mistake: it is not graded yet, or cannot be, or the request is no text.
    """
    if not course.record(lab, student).exists():
        raise Mistake(f"{lab} of {student} is not graded yet: run `python -m grading autograde {lab}` first")
    try:
        text = words.read_text(encoding="utf-8")[:WORDS] if words else ""
    except UnicodeDecodeError:
        raise Mistake(f"{words} is no text in UTF-8: save it as one") from None
    before, old = verdicts(course, lab, student), handed_in(course, lab, student)
    if judge():
        raise Mistake(f"{lab} of {student} could not be graded again, see above")
    after, edits = verdicts(course, lab, student), [*edited(old, handed_in(course, lab, student))]
    changed = [task for task in after if before.get(task, [""])[0] != after[task][0]]
    path = place(course, lab, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = request_of(course, lab, student)
    told = {"words": text or known.get("words", ""), "changed": changed, "answer": known.get("answer", "")}
    replace(path, json.dumps(told, ensure_ascii=False))
    page = path.with_suffix(".html")
    replace(page, shown(lab, student, told, compared(before, after), edits, own_lines(course, lab, student)))
    moved = [f"{task}: {before.get(task, ['not graded'])[0]} -> {after[task][0]}" for task in changed]
    for sentence in (*(moved or ["No verdict changed, on new inputs."]), *edits):
        say(sentence)
    return page


def verdicts(course: Course, lab: str, student: str) -> Verdicts:
    return dict(course.noted(lab, student, "verdicts.json")["tasks"])


def handed_in(course: Course, lab: str, student: str) -> dict[str, bytes]:
    """Of the submission that is graded: its module, and a mark of each written answer."""
    notebook = course.noted(lab, student, f"{lab}.ipynb", v4.reads)
    answers = {cell.metadata.nbgrader.grade_id for cell in notebook.cells if is_answer(cell)}
    found = {name: mark.encode() for name, (mark, _) in written(notebook, b"").items() if name in answers}
    module = files_of(lab).get(".py")
    path = course.folder("autograded", lab, student) / (module or "")
    return found | ({path.name: path.read_bytes()} if module and path.is_file() else {})


def edited(old: dict[str, bytes], new: dict[str, bytes]) -> Iterator[str]:
    """What became of it since, in harmless lines: of a module a unified diff, of a written answer that it changed."""
    others = [name for name in new | old if old.get(name) != new.get(name)]
    if not others:
        yield SAME
    for name in others:
        if name.endswith(".py"):
            then, now = (some.get(name, b"").decode("utf-8", "replace").splitlines()[:LINES] for some in (old, new))
            heads = f"{name}, as it was graded before", f"{name}, as it is judged now"
            rows = [plain(row, WIDTH) for row in difflib.unified_diff(then, now, *heads, lineterm="")]
            yield from rows or [f"{name}: other line ends, or other lines beyond the first {LINES}."]
        else:
            yield f"{name}: the written answer is another one."


def compared(before: Verdicts, after: Verdicts) -> Iterator[list[object]]:
    for task, (state, message) in after.items():
        old, said = before.get(task, ["not graded", ""])
        yield [task, TASKS[task]["points"], f"{old}: {said}", f"{state}: {message}" if said != message else state]


def shown(
    lab: str, student: str, told: Request, rows: Iterable[Sequence[object]], edits: Iterable[str], own: str
) -> str:
    moved = f"Changed: {', '.join(told['changed'])}" if told["changed"] else "No verdict changed"
    return document(
        f"{LABS[lab]['title']} ({lab}): {line(student)} asks",
        f"<pre>{escape(plain(told['words'], WORDS))}</pre>",
        f"<p>{moved}, on new inputs.</p>",
        table(["task", "points", "before", "now"], rows),
        "<h2>What she handed in since</h2>",
        f"<pre>{escape(chr(10).join(edits))}</pre>",
        "<h2>What she wrote</h2>",
        f"<pre>{own}</pre>",
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
