"""The report as a page: how hard each task was, what it tells apart, which mistakes were met, sections side by side."""

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

from ..content.tasks import LABS, QUESTIONS, TASKS
from ..judge.job import Judgement
from . import pages
from .counting import Scale
from .results import Result
from .tries import Step

Sections = Mapping[str, Sequence[Result]]
WAYS = 40  # rows of what was met before what
WAY = (
    "A row is what was found of a task, what was found of it in the next submission that changed it, and how many of "
    "those who went this way have it right by now."
)
FEW = 5  # learners of whom a share or a correlation says nothing
STYLE = """body { max-width: 64rem; }
table { margin: 1rem 0; display: block; overflow-x: auto; }
td:first-child { white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { margin: 0; }
mark { background: #fd06; color: inherit; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.two > * { min-width: 0; border: 1px solid #8886; padding: .5rem; }"""
EXPLAINED = (
    "<p>Share: how many of the points that can be had were earned, over all whose work is graded. Discrimination: the "
    "correlation of a task's points with those of all others; below 0.2 it tells those who know more from those who "
    "know less hardly apart, below 0 look at the task itself. Blank: nothing was written there. "
    f"&ndash;: fewer than {FEW} learners, or all the same.</p>"
)
NAMES = (
    "<p>A group without a name (such as <code>vae-2/3f9a12</code>) is of answers that do the same. Name it in "
    "<code>course.toml</code>, under <code>[named]</code>: learners read the name with their verdict, and it is "
    "counted here.</p>"
)


def document(title: str, *parts: str) -> str:
    return pages.document(title, *parts, style=STYLE)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Numbers to the right; all text is escaped here."""
    lines = ["<tr>" + "".join(f"<th>{escape(one)}</th>" for one in head) + "</tr>"]
    for row in rows:
        lines.append("<tr>" + "".join(cell(one) for one in row) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def cell(value: object) -> str:
    if isinstance(value, int | float):
        return f'<td class="n">{value:.4g}</td>'
    return f"<td>{escape(str(value))}</td>"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def discrimination(name: str, found: Sequence[Result]) -> float | None:
    """Correlation of a task with the rest, over those of whom both are known; None where it says nothing."""
    known = [result for result in found if name in result.scores]
    item = [result.scores[name] for result in known]
    rest = [sum(result.scores.values()) - result.scores[name] for result in known]
    if len(known) < FEW or len({*item}) == 1 or len({*rest}) == 1:
        return None
    return statistics.correlation(item, rest)


def earned(name: str, found: Iterable[Result], worth: float) -> float | None:
    """Share of a task's points, by those of whom they are known."""
    scores = [result.scores[name] for result in found if name in result.scores]
    return statistics.fmean(scores) / worth if scores and worth else None


def items(found: Mapping[str, Result], notes: Mapping[str, Judgement], scale: Scale, groups: Sections) -> str:
    """A row for each task and question; a column for each section."""
    rows = []
    for name, worth in scale.worth.items():
        blank = sum(note["tasks"].get(name, [""])[0] == "blank" for note in notes.values())
        told = discrimination(name, [*found.values()])
        shown = "–" if told is None else f"{told:.2f}"
        by_section = [percent(earned(name, results, worth)) for results in groups.values()]
        row = (TASKS | QUESTIONS)[name] if name in TASKS or name in QUESTIONS else {}
        rows.append(
            [name, row.get("statement", "a written question"), worth, percent(earned(name, found.values(), worth))]
            + [
                percent(blank / len(notes)) if name in TASKS else "",
                shown,
                *by_section,
            ]
        )
    totals = [percent(statistics.fmean(r.share for r in results)) for results in groups.values()]
    everybody = percent(statistics.fmean(result.share for result in found.values()))
    rows.append(["all", f"{len(found)} learners", scale.out_of, everybody, "", "", *totals])
    head = ["task", "what", "points", "share", "blank", "discrimination"]
    heads = [f"{one or 'no section'} ({len(results)})" for one, results in groups.items()]
    return table([*head, *heads], rows)


def spread(found: Iterable[Result]) -> str:
    """How many have which tenth of the points, as bars of text."""
    count = Counter(min(int(10 * result.share), 9) for result in found)
    most = max(count.values(), default=1)
    rows = [(f"{10 * i}–{10 * i + 10} %", count[i], "█" * round(30 * count[i] / most)) for i in range(10)]
    return table(["points", "learners", ""], rows)


def of_lab(
    lab: str,
    found: Mapping[str, Result],
    notes: Mapping[str, Judgement],
    scale: Scale,
    sections: Mapping[str, str],
    mistakes: Iterable[Sequence[object]],
    sentences: Iterable[str],
    ways: str = "",
) -> str:
    """
    Args:
        mistakes: task, id, learners, share, words: as the report's table has them.
        sentences: of the report, for the top.
        ways: see `way`.
    """
    met = sorted(mistakes, key=lambda row: -int(str(row[2])))
    rows = [[task, mistake, n, percent(float(str(share))), words] for task, mistake, n, share, words in met]
    names = sorted({*sections.values()} - {""})
    groups = {one: [result for who, result in found.items() if sections.get(who) == one] for one in names}
    return document(
        f"{LABS[lab]['title']} ({lab}): {len(found)} learners",
        "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences),
        "<h2>Tasks and questions</h2>",
        items(found, notes, scale, {one: results for one, results in groups.items() if results}),
        EXPLAINED,
        "<h2>Mistakes</h2>",
        NAMES,
        table(["task", "mistake", "learners", "share", "what"], rows),
        ways,
        "<h2>Points</h2>",
        spread(found.values()),
    )


def way(steps: Sequence[Step], took: str, learners: int) -> str:
    """What was met before what; empty where nobody had several submissions graded.

    Args:
        took: how long learners took, in a sentence.
        learners: who had several.
    """
    if not learners:
        return ""
    rows = [[one.task, one.before, one.after, one.learners, f"{one.right} of {one.learners}"] for one in steps[:WAYS]]
    words = [f"{learners} learners had more than one submission graded.", took, WAY]
    words += [f"The {WAYS} most frequent of {len(steps)}."] if len(steps) > WAYS else []
    head = ["task", "first", "then", "learners", "right by now"]
    return f"<h2>What was met before what</h2>\n<p>{escape(' '.join(words))}</p>\n{table(head, rows)}"


def of_term(
    labs: Mapping[str, Mapping[str, Result]], kinds: Mapping[str, Mapping[str, int]], enrolled: Collection[str]
) -> str:
    """
    Args:
        kinds: kind of named mistakes -> lab -> learners who made one.
        enrolled: who is in the roster; nobody: there is none.
    """
    rows = []
    for lab, found in labs.items():
        shares = sorted(result.share for result in found.values())
        late = sum(result.late > 0 for result in found.values()) / len(found)
        here = sum(student in enrolled for student in found)
        handed_in = f"{here} of {len(enrolled)}" if enrolled else str(len(found))
        handed_in += f", and {len(found) - here} who are not in the roster" if enrolled and here < len(found) else ""
        rows.append([LABS[lab]["title"], handed_in, percent(statistics.median(shares)), percent(late)])
    met = [
        [kind, *(percent(by[lab] / len(labs[lab])) if by.get(lab) else "" for lab in labs)]
        for kind, by in kinds.items()
    ]
    return document(
        "The term so far",
        "<h2>Labs</h2>",
        table(["lab", "graded", "median", "late"], rows),
        "<h2>Kinds of mistakes that have a name</h2>",
        "<p>Share of a lab's learners who made one of this kind.</p>",
        table(["kind", *labs], met),
    )
