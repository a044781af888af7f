"""A learner, and a name that is safe for a folder."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from ..content.harmless_text import called

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
MARKED = re.compile(r".*-[0-9a-f]{8}")  # looks like a name that we made


@dataclass(frozen=True)
class Student:
    id: str  # as the platform has it
    name: str
    given: str = ""  # the id in this download, where the roster has another

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", called(self.name))

    @property
    def folder(self) -> str:
        return folder_name(self.id)


def folder_name(student: str) -> str:
    """A safe name for a folder, always the same for the same id; an id that is safe already stays as it is."""
    student = unicodedata.normalize("NFC", student)
    if SAFE.fullmatch(student) and not MARKED.fullmatch(student) and not student.endswith("."):
        return student
    letters = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode()
    letters = re.sub(r"[^A-Za-z0-9]+", "-", letters).strip("-")[:30].strip("-")
    return f"{letters or 'student'}-{hashlib.sha256(student.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
