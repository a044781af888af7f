"""Strangers' text, made harmless to look at."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control, bidirectional and zero-width, surrogates, private, separators


def plain(text: str, limit: int = 500) -> str:
    """At most `limit` characters; what a terminal or a browser obeys instead of showing it becomes a replacement."""
    text = text[: limit + 1].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    visible = (c == "\n" or unicodedata.category(c) not in HIDDEN for c in text)
    shown = "".join(c if seen else "\N{REPLACEMENT CHARACTER}" for c, seen in zip(text, visible))
    return shown if len(text) <= limit else shown[:limit] + " …"


def line(text: str, limit: int = 500) -> str:
    """The same in one line."""
    return " ".join(plain(text, limit).split())
