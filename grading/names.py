"""Who handed a file in: from names that an LMS gives to files, to names that are safe for folders."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from .course import Mistake
from .plain import line

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
MARKED = re.compile(r".*-[0-9a-f]{8}")  # looks like a name that we made
LMS = (  # tried in this order on the path below the folder that an LMS exports; the last one takes everything
    # Moodle: Full Name_12345_assignsubmission_file_/anything.zip
    r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?:/(?P<file>.*))?",
    # Canvas: lastnamefirst_LATE_12345_67890_name-2.zip; the number at the end counts the attempts
    r"(?P<name>[^/_]+)_(?:LATE_)?(?P<id>\d+)_\d+_(?P<file>[^/]*?(?:-(?P<attempt>\d+))?\.\w+)",
    # a name of one's own: anna.zip, a folder anna, or anna_vae.py beside anna_02_vae.ipynb
    r"(?P<id>[^/]+?)(?:\.zip|_(?P<file>[^/]+\.(?:py|ipynb))|/.*)?",
)


@dataclass(frozen=True)
class Student:
    id: str  # as the LMS has it
    name: str

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


def patterns(given: str | None) -> list[re.Pattern]:
    """
    Raises:
        Mistake: not a regular expression with a group `id`.
    """
    try:
        compiled = [re.compile(pattern, re.DOTALL) for pattern in ([given] if given else LMS)]
    except re.error as wrong:
        raise Mistake(f"--id-pattern is no regular expression ({wrong}): {given!r}") from None
    if "id" not in compiled[0].groupindex:
        raise Mistake(f"--id-pattern needs a group named id, such as (?P<id>[a-z]+[0-9]+)_.*: {given!r}")
    return compiled


def recognised(path: str, compiled: list[re.Pattern]) -> tuple[Student, int, str] | None:
    """Student, attempt, and the learner's own name for the file, from a path below the collected folder."""
    for pattern in compiled:
        if match := pattern.fullmatch(path):
            found = {"name": None, "attempt": None, "file": None} | match.groupdict()
            student = Student(found["id"], line(found["name"] or found["id"], 120))
            return student, int(found["attempt"] or 0), found["file"] or path.rsplit("/", 1)[-1]
    return None
