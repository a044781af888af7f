"""What you expect, kept before the outcome is shown, and set beside it at the end of a lab.

Guesses lie beside your runs (see runs.py), a file for each lab: two notebooks that run at once lose none of them. They
count nothing: who has guessed looks closer.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

from . import course, kernel, plots, runs, widgets

Guesses = dict[str, dict[str, str]]  # name -> question, and guess and outcome as soon as they are there


def predict(name: str, question: str, choices: Sequence[str]) -> None:
    """Ask, and keep the choice; one that comes after the outcome is not kept.

    Args:
        name: begins with the lab's tasks, such as "gan-gradient": `summary` finds it by that.
    """
    print(question, *(f"  {letter}) {choice}" for letter, choice in zip(ascii_lowercase, choices)), sep="\n")
    keep(name, question=question)
    if widgets.live():
        show_buttons(name, choices)


def show_buttons(name: str, choices: Sequence[str]) -> None:
    import ipywidgets
    from IPython.display import display

    letters = list(ascii_lowercase[: len(choices)])
    mine = read(name)[name].get("guess")
    chosen = letters[choices.index(mine)] if mine in choices else None
    buttons = ipywidgets.ToggleButtons(options=letters, value=chosen, description="I expect")
    buttons.observe(lambda change: guess(name, choices[letters.index(change["new"])]), names="value")
    display(buttons)


def guess(name: str, choice: str) -> None:
    if "outcome" not in read(name).get(name, {}):
        keep(name, guess=choice)


def outcome(name: str, right: str) -> None:
    """Say what came out, beside what was expected."""
    keep(name, outcome=right)
    mine = read(name)[name].get("guess")
    print(f"Outcome: {right}." + (f" You expected: {mine}." if mine else ""))


def summary(prefix: str, recipe: str = "", data: str = "") -> None:
    """The end of a lab: its questions, what you expected and what came out; for who reads along, how far it is, too.

    Args:
        prefix: that the names of its guesses begin with, and of its tasks or questions.
        recipe, data: name a model of full size that draws beside those of the lab, where its weights are here.
    """
    asked = [entry for entry in read(prefix).values() if "question" in entry]
    rows = {e["question"]: {"you expected": e.get("guess"), "it was": e.get("outcome")} for e in asked}
    if rows:
        plots.table(rows, "What you expected, and what came out")
    if not (kernel.is_watched() or recipe):
        return
    from . import ending

    if kernel.is_watched():
        ending.show(course.lab_named(prefix), recipe, data)
    else:
        ending.draw(runs.measured, recipe, data, compare=False)


def read(name: str) -> Guesses:
    """All that was kept of a guess's lab; nothing where the file is missing or damaged: guesses are no work to lose."""
    try:
        kept = json.loads(place(name).read_text(encoding="utf-8"))
        return {key: dict(entry) for key, entry in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def keep(name: str, **what: str) -> None:
    kept = read(name)
    kept[name] = kept.get(name, {}) | what
    runs.replace(place(name), json.dumps(kept, indent=1, ensure_ascii=False).encode())


def place(name: str) -> Path:
    return runs.folder() / f"guesses-{name.partition('-')[0]}.json"
