"""What the person at the keyboard can put right: one line, and exit code 2."""

import difflib

from .tasks import LABS


class Mistake(Exception):
    """What the person at the keyboard can put right: one line that says how. Exit code 2."""


def lab_named(name: str) -> str:
    """
    Raises:
        Mistake: there is no such lab; names the nearest.
    """
    if name not in LABS:
        near = difflib.get_close_matches(name, LABS, n=1, cutoff=0.0)[0]
        raise Mistake(f"there is no lab {name!r}; did you mean {near}? All labs: {', '.join(LABS)}")
    return name
