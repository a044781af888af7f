"""Hand a lab in: check it once more, then pack its notebook and module as the course takes them."""

import zipfile
from pathlib import Path

from . import blanks, course, progress

LARGEST = 20 << 20  # bytes of a notebook: graders read no larger one


class Refused(ValueError):
    """Nothing was packed: why, in one line."""


def submit(lab: course.Lab) -> str:
    """Pack a lab, and say what is not finished in it, where the zip lies, and where to put it.

    Raises:
        Refused: a file is missing, cannot be read, or is too large; nothing is written then.
    """
    files = {f"{lab.name}.ipynb": read_notebook(lab)} | read_module(lab)
    found = progress.of_lab(lab)
    target = course.own() / f"submission-{lab.name}.zip"
    said = [f"Lab {lab.number}, {lab.name}: {found.summary()}."]
    said += unfinished(found)
    try:
        said += pack(target, files)
    except OSError as wrong:
        raise Refused(f"nothing was packed: {target} cannot be written ({wrong.strerror})") from None
    said.append("It holds what is on the disk: whatever is not saved in the editor or in Jupyter is not in it.")
    said.append("Upload this zip where your instructor collects the lab: Moodle, Canvas, Gradescope, a shared folder.")
    return "\n".join(said)


def read_notebook(lab: course.Lab) -> bytes:
    try:
        path = course.notebook_of(lab.name)
        course.cells_of(path)
        content = path.read_bytes()
    except (course.Missing, OSError) as wrong:
        raise Refused(f"nothing was packed: {reason(wrong)}") from None
    if len(content) > LARGEST:
        size = f"{len(content) >> 20} MB, and graders read at most {LARGEST >> 20}"
        raise Refused(f"nothing was packed: {path.name} has {size}: clear its outputs in Jupyter, and save it")
    return content


def read_module(lab: course.Lab) -> dict[str, bytes]:
    """Its name in the zip -> content; empty for a lab that has none."""
    if not lab.place:
        return {}
    try:
        text = course.module_of(lab).read_bytes()
    except (course.Missing, OSError) as wrong:
        raise Refused(f"nothing was packed: {reason(wrong)}") from None
    if blanks.is_completed(text):
        back = f"`python -m {course.PACKAGE} reset {lab.module}` brings its blanks back"
        raise Refused(f"nothing was packed: {lab.place} is given by the course, and not yours to hand in; {back}")
    return {lab.place: text}


def reason(wrong: Exception) -> str:
    words = str(wrong).rstrip(".")
    return words[0].lower() + words[1:]


def unfinished(found: progress.LabStanding) -> list[str]:
    if found.trouble:
        return [f"No task can be checked: {found.trouble}"]
    lines = []
    for state, words in (("blank", "Still blank"), ("wrong", "Not right yet")):
        if tasks := [task for task, standing in found.tasks.items() if standing.state == state]:
            lines.append(f"{words}: {', '.join(tasks)}.")
    if found.unwritten:
        lines.append(f"Not written yet: {', '.join(found.unwritten)}.")
    return lines


def pack(target: Path, files: dict[str, bytes]) -> list[str]:
    """Write the zip, and say so. An older one with other contents is kept beside it."""
    words = []
    if target.exists():
        if contents(target) == files:
            return [f"{target} is as it was: nothing has changed since."]
        older = next(path for n in range(1, 10_000) if not (path := target.with_suffix(f".old-{n}.zip")).exists())
        target.replace(older)
        words = [f"The zip from before is now {older.name}."]
    fresh = target.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    fresh.replace(target)
    return [*words, f"Packed: {target}, with {' and '.join(files)}."]


def contents(path: Path) -> dict[str, bytes] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None
