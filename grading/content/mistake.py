"""What the person at the keyboard can put right: one line, and exit code 2."""

import difflib

from . import table


class Mistake(Exception):
    """What the person at the keyboard can put right: one line that says how. Exit code 2."""


def lab_named(name: str) -> str:
    """
    Raises:
        Mistake: there is no such lab; names the nearest.
    """
    if name not in table.LABS:
        near = difflib.get_close_matches(name, table.LABS, n=1, cutoff=0.0)[0]
        raise Mistake(f"there is no lab {name!r}; did you mean {near}? All labs: {', '.join(table.LABS)}")
    return name
