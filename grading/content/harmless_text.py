"""Strangers' text, made harmless to look at."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control, bidirectional and zero-width, surrogates, private, separators
ACTIVE = str.maketrans(dict.fromkeys("<>$\\", "\N{REPLACEMENT CHARACTER}"))  # of HTML and TeX


def plain(text: str, limit: int = 500) -> str:
    """At most `limit` characters; what a terminal or a browser obeys instead of showing it becomes a replacement."""
    text = text[: limit + 1].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    shown = visible(text)
    return shown if len(text) <= limit else shown[:limit] + " …"


def visible(text: str, but: str = "") -> str:
    """Every character that is not shown but obeyed becomes a replacement; lines end, and `but` stays."""
    kept = {"\n", *but}
    return "".join(
        c if c in kept or unicodedata.category(c) not in HIDDEN else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def called(text: str) -> str:
    """What somebody is called, in one line: nbgrader puts it into a page as it is, where MathJax is at work, too."""
    return line(text, 120).translate(ACTIVE)


def line(text: str, limit: int = 500) -> str:
    """The same in one line."""
    return " ".join(plain(text, limit).split())
