"""Feedback in the form that a platform takes back for all at once: a zip whose names are those of its download."""

import re
from collections.abc import Callable
from pathlib import Path

from ..content.harmless_text import line
from ..content.mistake import Mistake
from .collect import Note, collected
from .course_folder import Course, replace
from .release import zipped

CANVAS = re.compile(r"([^/_]+(?:_LATE)?_\d+_\d+_|(?:LATE_)?anon_\w{5}_\d+_)")
MOODLE = re.compile(r"([^/_]+_\d+_assignsubmission_[a-z]+_)")
BRIGHTSPACE = re.compile(r"(\d+-\d+ - [^/]+? - [^/]+\d{4} \d{1,4}(?: [AP]M)?)")


def in_canvas(note: Note, lab: str) -> str | None:
    """Submissions, Upload Submissions: a file goes to whom the numbers in front of its name belong to."""
    found = CANVAS.match(note.get("from", ""))
    return found and f"{found[1]}{lab}.html"


def in_moodle(note: Note, lab: str) -> str | None:
    """Upload multiple feedback files in a zip (the assignment's feedback type Feedback files must be on)."""
    found = MOODLE.match(note.get("from", ""))
    return found and f"{found[1]}/{lab}.html"


def in_brightspace(note: Note, lab: str) -> str | None:
    """Add Feedback Files."""
    found = BRIGHTSPACE.match(note.get("from", ""))
    return found and f"{found[1]}/{lab}.html"


def in_own(note: Note, lab: str) -> str | None:
    """For any other way: a folder for each learner."""
    return f"{line(str(note.get('name') or note.get('id', '')), 60)} ({line(str(note.get('id', '')), 60)})/{lab}.html"


FORMS: dict[str, Callable[[Note, str], str | None]] = {
    "canvas": in_canvas,
    "moodle": in_moodle,
    "brightspace": in_brightspace,
    "plain": in_own,
}


def pages_zipped(course: Course, lab: str, platform: str) -> tuple[Path, list[str]]:
    """The zip of all pages of a lab, and learners who are not in it: their work came in another way.

    Raises:
        Mistake: nobody's work came from this platform, or two pages would have one name.
    """
    files: dict[str, bytes] = {}
    others = []
    for student in course.students("feedback", lab):
        page = course.folder("feedback", lab, student) / f"{lab}.html"
        note = collected(course.folder("submitted", lab, student))
        name = FORMS[platform](note | {"id": note.get("id", student)}, lab)
        if not page.exists() or not name:
            others.append(student)
        elif (name := name.replace("..", ".").replace("\\", " ")) in files:
            raise Mistake(f"two learners would have one page, {name!r}: nothing is zipped; --zip plain has their ids")
        else:
            files[name] = page.read_bytes()
    if not files:
        raise Mistake(f"no submission of {lab} came from {platform}: --zip plain makes a folder for each learner")
    target = course.root / f"feedback-{lab}-{platform}.zip"
    replace(target, zipped("", files))
    return target, others
