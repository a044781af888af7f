"""A written question's model answer, for whoever has written one; and what the exercises of a lab should show."""

import difflib
import json
import textwrap
from pathlib import Path

FACTS = Path(__file__).with_name("questions.json")  # generated: python -m grading build
TOP = Path(__file__).parents[2]  # holds starter/
NO_ANSWERS = "this copy of the course has no model answers: they come back with your graded work"


class Refused(ValueError):
    """There is nothing to show: why, in one line."""


class Unwritten(Refused):
    """The learner's own answer comes first."""


def shown(name: str) -> str:
    """The model answer of a question, such as ae-q1, or the outcomes of a lab's exercises, such as 01_autoencoder.

    Raises:
        Unwritten: the notebook holds no answer of her own.
        Refused: there is no such question or lab, this copy has no model answers, or the notebook cannot be read.
    """
    facts = known()
    questions, exercises = facts["questions"], facts["exercises"]
    if name in exercises:
        return "\n\n".join(filled(f"{number}. {text}") for number, text in enumerate(exercises[name], 1))
    if name not in questions:
        near = difflib.get_close_matches(name, [*questions, *exercises], n=1, cutoff=0.0)[0]
        raise Refused(f"there is no question or lab {name!r}; did you mean {near!r}? Questions: {', '.join(questions)}")
    path = notebook(questions[name]["lab"])
    if written(name, path) in ("", facts["unanswered"]):
        raise Unwritten(
            f"{name}: write your answer into {path.name} first, and save it. Then this shows a model answer."
        )
    return filled(questions[name]["answer"])


def known() -> dict:
    if not FACTS.exists():
        raise Refused(NO_ANSWERS)
    return json.loads(FACTS.read_text(encoding="utf-8"))


def notebook(lab: str) -> Path:
    """In the repository it lies in notebooks/, in a lab's zip beside starter/."""
    places = [TOP / "notebooks" / f"{lab}.ipynb", TOP / f"{lab}.ipynb"]
    if found := next((path for path in places if path.exists()), None):
        return found
    raise Refused(f"there is no {lab}.ipynb in {TOP} or in its folder notebooks: your answer is looked for there")


def written(name: str, path: Path) -> str:
    """What stands in the cell of a question; empty when the cell is gone."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if name in (cell.get("id"), cell["metadata"].get("nbgrader", {}).get("grade_id")):
                return "".join(cell["source"]).strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{path.name} cannot be read as a notebook: open it in Jupyter, and save it") from None
    return ""


def filled(text: str) -> str:
    return textwrap.fill(text.strip(), 88, break_long_words=False, break_on_hyphens=False)
