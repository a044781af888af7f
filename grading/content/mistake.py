"""What the person at the keyboard can put right: one line, and exit code 2."""

from starter.support import course


class Mistake(Exception):
    """What the person at the keyboard can put right: one line that says how. Exit code 2."""


def lab_named(text: str) -> str:
    """A lab's whole name: 02_vae, also when 2, vae or vae-1 is typed, as a learner may.

    Raises:
        Mistake: there is no such lab; names the nearest.
    """
    try:
        return course.lab_named(text).name
    except course.Unknown as unknown:
        raise Mistake(str(unknown)) from None
