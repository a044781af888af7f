"""Feedback: one page for each submission that opens anywhere, loads nothing and runs nothing."""

from collections.abc import Callable, Mapping
from html import escape

from nbformat import NotebookNode, v4

from ..content.harmless_text import line, plain
from ..content.mistake import Mistake
from ..content.tasks import LABS, MODEL_ANSWERS, rubric_of
from . import pages
from .changes import readout
from .counting import Scale, partly_right
from .course_folder import Course, replace
from .export import Class
from .graded_notebook import is_answer, is_test
from .groups import group_of
from .markdown import OPEN, cleaned, rendered
from .regrade import on_the_page, request_of
from .results import Result, term_percent
from .roster import roster_of

STYLE = """body { max-width: 46rem; }
table { width: 100%; }
td:nth-child(-n+2) { white-space: nowrap; }
section, blockquote, details { border-left: 3px solid #8886; margin: 1rem 0; padding-left: 1rem; overflow-x: auto; }
section table { width: auto; }
img { max-width: 100%; background: #fff; }
.all { color: #2a7d2a; } .none { color: #b3362b; }
@media (prefers-color-scheme: dark) { .all { color: #7fd07f; } .none { color: #ff9488; } }"""
TASKS = """<h2>Tasks</h2>
<table><tr><th>task</th><th>points</th><th>what was found</th></tr>
{rows}
</table>"""


def feedback(course: Course, lab: str, say: Callable[[str], None] = print) -> int:
    """Write a page for every graded submission; how many.

    Raises:
        Mistake: nothing is graded yet.
    """
    course.released(lab)
    with course.gradebook() as gradebook:
        read = readout(course, gradebook)
        found, scale, comments = read.results(lab), read.scale(lab), read.comments(lab)
    if not found or not scale:
        raise Mistake(f"nothing of {lab} is graded in {course.root}: run `python -m grading autograde {lab}` first")
    for student in sorted(found):
        target = course.folder("feedback", lab, student) / f"{lab}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        replace(target, page(course, lab, student, found[student], scale, comments.get(student, {}), read.rules.named))
    say(f"{lab}: {len(found)} pages in {course.root / 'feedback'}.")
    return len(found)


TERM = """<h2>Labs</h2>
<table><tr><th>lab</th><th>points</th><th>percent</th><th>state</th></tr>
{rows}
</table>"""


def term(course: Course, say: Callable[[str], None] = print) -> int:
    """Write the pages of every graded lab, and term.html for each learner, which leads to them; how many of the last.

    Raises:
        Mistake: nothing is graded yet.
    """
    with course.gradebook() as gradebook:
        read, roster = readout(course, gradebook), roster_of(course)
        labs = {lab: found for lab in read.rules.use if (found := read.results(lab))}
        everybody = Class(read, roster, labs)
    if not labs:
        raise Mistake(f"nothing is graded in {course.root}: run `python -m grading autograde LAB` first")
    for lab in labs:
        feedback(course, lab, say)
    for person in everybody.people:
        target = course.root / "feedback" / person.id / "term.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        replace(target, term_page(everybody, person.id))
    say(f"{len(everybody.people)} pages of the term, feedback/LEARNER/term.html.")
    return len(everybody.people)


def term_page(everybody: Class, student: str) -> str:
    rules, rows = everybody.read.rules, []
    for lab, found in everybody.labs.items():
        status, title = everybody.status(lab, student), escape(f"{LABS[lab]['title']} ({lab})")
        if result := found.get(student):
            status = "excused" if result.excused else "with answers still to be read" if result.to_read else ""
            late = f"; {result.penalty:.4g} points off for lateness" if result.penalty else ""
            points, share = f"{result.total:.4g} of {result.out_of:.4g}{late}", f"{100 * result.share:.1f}"
            title = f'<a href="{lab}/{lab}.html">{title}</a>'
        else:
            points = share = ""
        rows.append(f"<tr><td>{title}</td><td>{points}</td><td>{share}</td><td>{status}</td></tr>")
    percent = term_percent(rules, everybody.labs, student)
    words = [f"{percent:.1f} % of the term so far." if percent is not None else "Nothing counts yet."]
    words += [f"The weakest {rules.drop_lowest} labs do not count."] if rules.drop_lowest else []
    if rules.late.free_days:
        has = {lab: found[student] for lab, found in everybody.labs.items() if student in found}
        words += [f"{everybody.spent(student, has):g} of {rules.late.free_days} free late days are spent."]
    parts = f"<p>{escape(' '.join(words))}</p>", TERM.format(rows="\n".join(rows))
    return pages.document("The term so far", *parts, style=STYLE)


def page(
    course: Course,
    lab: str,
    student: str,
    points: Result,
    scale: Scale,
    comments: dict[str, str],
    named: Mapping[str, str],
) -> str:
    notebook = course.noted(lab, student, f"{lab}.ipynb", v4.reads)  # not nbformat.reads: it checks each
    tests = [cell for cell in notebook.cells if is_test(cell)]
    note = course.noted(lab, student, "intake.json")
    rows = [] if note.get("refused") else [task_row(cell, points, scale, named) for cell in tests]
    return pages.document(
        f"{LABS[lab]['title']} ({lab})",
        f"<p>{summary(points, note)}</p>",
        TASKS.format(rows="\n".join(rows)) if rows else "",
        *(answer(before, cell, points, scale, comments) for before, cell in answered(notebook)),
        on_the_page(request_of(course, lab, student)),
        pictures(notebook),
        version(course.noted(lab, student, "graded.txt", str)),
        style=STYLE,
    )


def summary(found: Result, note: dict[str, str]) -> str:
    words = [f"{found.total:.4g} of {found.out_of:.4g} points."]
    words += [f"{found.penalty:.4g} points were taken off because it came late."] if found.penalty else []
    words += [f"It was {note['late']}."] if note.get("late") else []
    words += ["Written answers are still to be read."] if found.to_read else []
    words += [f"{note['missing']} was not in what you handed in."] if note.get("missing") else []
    words += [f"Nothing was graded: {note['refused']}."] if note.get("refused") else []
    words += [f"The notebook could not be read: {note['unreadable']}."] if note.get("unreadable") else []
    return shown(" ".join(words))


def points_of(name: str, found: Result, scale: Scale) -> str:
    if name not in scale.worth:
        return "does not count"
    return f"{found.scores.get(name, 0.0):.4g} of {scale.worth[name]:.4g}" + " (bonus)" * (name in scale.bonus)


def task_row(cell: NotebookNode, found: Result, scale: Scale, named: Mapping[str, str]) -> str:
    name = cell.metadata.nbgrader.grade_id
    message = next((output.text for output in cell.outputs if output.output_type == "stream"), "")
    if words := named.get(group_of(name, message)):
        message = f"{message}\n{words}"
    if right := found.partly.get(name):
        message = f"{message}\n{partly_right(right, found.scores[name], scale.worth[name])}"
    mark = "all" if found.scores.get(name) == scale.worth.get(name, -1) else "some" if right else "none"
    points = f'<span class="{mark}">{points_of(name, found, scale)}</span>'
    return f"<tr><td>{escape(name)}</td><td>{points}</td><td>{shown(message)}</td></tr>"


def answered(notebook: NotebookNode) -> list[tuple[NotebookNode, NotebookNode]]:
    """Written answers, each with the cell before it, which asks: the released one, and so our own text."""
    return [(before, cell) for before, cell in zip(notebook.cells, notebook.cells[1:]) if is_answer(cell)]


def answer(question: NotebookNode, cell: NotebookNode, found: Result, scale: Scale, comments: dict[str, str]) -> str:
    name = cell.metadata.nbgrader.grade_id
    result = "still to be read" if name in found.waits else f"{points_of(name, found, scale)} points"
    comment = comments.get(name)
    return (
        f"<h2>{escape(name)}: {result}</h2>\n<blockquote>{rendered(question.source)}</blockquote>\n"
        f"<p>Your answer:</p>\n<section>{as_written(cell.source)}</section>"
        + (f"\n<p>Comment:</p>\n<section>{rendered(comment)}</section>" if comment else "")
        + model_answer(name)
    )


def model_answer(name: str) -> str:
    """Folded, so that a learner can read the comment first; nothing for a question that is gone from the course."""
    if name not in MODEL_ANSWERS:
        return ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in rubric_of(name))
    text = rendered(MODEL_ANSWERS[name]["answer"])
    return f"\n<details><summary>A model answer, and what earns the points</summary>\n{text}<ul>{lines}</ul></details>"


def as_written(source: str) -> str:
    """An answer as `rebuilt` put it into its cell; a text as it was released, or as the first edition kept it."""
    return cleaned(source) if source.startswith(OPEN) else rendered(source)


def pictures(notebook: NotebookNode) -> str:
    """The learner's own plots, as they came out of rebuild: PNG, encoded afresh."""
    found = [
        output.data["image/png"]
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_test(cell)
        for output in cell.outputs
        if output.output_type == "display_data"
    ]
    images = "\n".join(
        f'<p><img alt="one of your plots" src="data:image/png;base64,{escape(png)}"></p>' for png in found
    )
    return f"<h2>Your plots</h2>\n{images}" if found else ""


def version(record: str) -> str:
    """Which version of the course graded it; nothing where that was one that did not write it down."""
    _, _, words = record.partition("\n")
    return f"<p><small>Graded by version {escape(line(words))} of the course.</small></p>" if words.strip() else ""


def shown(text: str) -> str:
    return escape(plain(text, 25_000))
