"""Wrong answers that no catalogue names, grouped by what they do, so that a human names each group once."""

import hashlib
import re

OTHER = "something that the catalogue does not name"
NUMBERS = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
SHOWN = 160  # characters of what is said of one
ID = re.compile(r"[a-z]+-\d+/[0-9a-f]{6}")


def group_of(task: str, message: str) -> str:
    """Of a verdict: the same for answers that differ from the right one in the same way, on whatever inputs."""
    what = NUMBERS.sub("#", message)
    return f"{task}/{hashlib.sha256(what.encode('utf-8', 'replace')).hexdigest()[:6]}"


def grouped(task: str, name: str, message: str) -> tuple[str, str]:
    """Its group, and what is said of it; no group for what has a name already."""
    if name != OTHER:
        return "", name
    return group_of(task, message), f"{OTHER}: {NUMBERS.sub('#', message)[:SHOWN]}"
