"""A written question's model answer, for whoever has written one; and what the exercises of a lab should show."""

import json
import textwrap
from pathlib import Path

from . import course

FACTS = Path(__file__).with_name("questions.json")  # generated: python -m grading build
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
    try:
        found = course.named(name)
        if isinstance(found, course.Lab):
            outcomes = facts["exercises"][found.name]
            return "\n\n".join(filled(f"{number}. {text}") for number, text in enumerate(outcomes, 1))
        lab = course.lab_of(found)
        if found in lab.tasks:
            asked = " and ".join(lab.questions)
            raise Refused(f"{found} is a task: `solution {found}` shows the reference. The lab's questions: {asked}")
        path = course.notebook_of(lab.name)
        if course.written(found, path) in ("", course.unanswered()):
            raise Unwritten(
                f"{found}: write your answer into {path.name} first, and save it. Then this shows a model answer."
            )
    except (course.Unknown, course.Missing) as wrong:
        raise Refused(str(wrong)) from None
    return filled(facts["questions"][found]["answer"])


def known() -> dict:
    if not FACTS.exists():
        raise Refused(NO_ANSWERS)
    return json.loads(FACTS.read_text(encoding="utf-8"))


def filled(text: str) -> str:
    return textwrap.fill(text.strip(), 88, break_long_words=False, break_on_hyphens=False)
