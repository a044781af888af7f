"""Collect: what an LMS exported, into submitted/. Only a lab's notebook and module are taken, whatever else comes.

An upload is a zip, a folder, or single files side by side. One that cannot be accepted still becomes a submission of
its learner, with the reason in intake.json, and costs nobody else.
"""

import contextlib
import io
import json
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from . import table
from .cells import complaint
from .course import Course, Mistake
from .names import Student, patterns, recognised
from .plain import line

ARCHIVE, ENTRIES = 50 << 20, 20_000  # at most: bytes of a zip, files in it
SIZES = {".ipynb": 20 << 20, ".py": 1 << 20}  # at most: bytes of the notebook, of the module
COPIES = 10  # at most: files in it that may be the one that is meant; all of them are held in memory
NOISE = re.compile(
    r"(^|/)(__MACOSX|\.ipynb_checkpoints|__pycache__|\.venv|venv|\.git|\.idea|\.vscode)/|(^|/)(\._[^/]*|\.DS_Store|"
    r"Thumbs\.db|desktop\.ini)$",
    re.IGNORECASE,
)
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, ValueError, EOFError)  # what zipfile raises


class Refused(Exception):
    """Why an upload is not accepted, as its learner will read it."""


@dataclass
class Upload:
    """What one learner handed in at one time."""

    path: str  # below the collected folder
    student: Student
    order: tuple  # attempt, then time: the last one counts
    files: list[tuple[str, Path]] = field(default_factory=list)  # the learner's own name, and where it lies now


def collect(course: Course, lab: str, folder: Path, id_pattern: str | None = None) -> list[str]:
    """Take a folder of uploads in; a line of report for each.

    Raises:
        Mistake: no such folder, nothing in it, a pattern that is none, or a lab that is not released.
    """
    course.released(lab)
    if not folder.is_dir():
        raise Mistake(f"{folder} is not a folder: unpack what the LMS gave you, and name that folder")
    if (folder / f"{lab}.ipynb").exists():
        raise Mistake(f"{folder} holds one submission, not a class: name the folder that has one entry per learner")
    found, unknown = uploads(folder, patterns(id_pattern))
    if not found:
        raise Mistake(f"{folder} holds no submissions" + (f": no name fits, such as {unknown[0]!r}" if unknown else ""))
    report = [f"{line(name)!r}: skipped, the name does not say whose it is (see --id-pattern)" for name in unknown]
    last = {upload.student.folder: upload for upload in sorted(found, key=lambda upload: upload.order)}
    with course.alone(), course.gradebook() as gradebook:
        for upload in found:
            if last[upload.student.folder] is not upload:
                later = last[upload.student.folder].path
                report.append(f"{line(upload.path)!r}: superseded by {line(later)!r}")
                continue
            outcome = take(course, lab, upload)
            first, _, family = upload.student.name.rpartition(" ")
            gradebook.update_or_create_student(
                upload.student.folder, first_name=first, last_name=family, lms_user_id=line(upload.student.id, 120)
            )
            report.append(f"{line(upload.path)!r}: {upload.student.folder}, {outcome}")
    return report


def uploads(folder: Path, compiled: list[re.Pattern]) -> tuple[list[Upload], list[str]]:
    """What lies in the folder, by learner, and the names that fit no pattern."""
    found: dict[tuple, Upload] = {}
    unknown = []
    for top in sorted(folder.iterdir()):
        hidden = top.name.startswith(".") and top.suffix.lower() != ".zip"
        if hidden or NOISE.search(top.name) or NOISE.search(f"{top.name}/"):
            continue
        within = sorted(top.iterdir()) if top.is_dir() and not top.is_symlink() else []
        inside = [path for path in within if path.suffix.lower() == ".zip" and not NOISE.search(path.name)]
        for path in inside or [top]:
            name = path.relative_to(folder).as_posix()
            if not (known := recognised(name, compiled)):
                unknown.append(name)
                continue
            student, attempt, own = known
            single = path.suffix in SIZES and path.is_file()
            key = (student.folder, attempt) if single else (name,)  # a notebook and a module side by side
            order = (attempt, path.lstat().st_mtime, name)
            upload = found.setdefault(key, Upload(name, student, order))
            upload.files.append((own, path))
    return list(found.values()), unknown


def take(course: Course, lab: str, upload: Upload) -> str:
    """Write one submission to submitted/, all of it or nothing; what became of it."""
    places = table.handed_in(lab)
    names = {suffix: PurePosixPath(place).name for suffix, place in places.items()}
    note = {"from": line(upload.path), "name": upload.student.name}
    parts = {}
    try:
        parts = accepted(upload, names)
        note["missing"] = " and ".join(name for suffix, name in names.items() if suffix not in parts)
        if reason := complaint(parts[".ipynb"]) if ".ipynb" in parts else "":
            note["unreadable"] = reason  # what is written in it waits for a human
    except Refused as reason:
        note["refused"] = line(str(reason))
    except OSError as trouble:
        note["refused"] = f"it cannot be read ({line(trouble.strerror or 'unknown error')})"
    released = course.folder("release", lab)
    target = course.folder("submitted", lab, upload.student.folder)
    fresh = target.with_name(f".{lab}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "starter").mkdir(parents=True)
    for suffix, place in places.items():
        (fresh / place).write_bytes(parts[suffix] if suffix in parts else (released / place).read_bytes())
    (fresh / "timestamp.txt").write_text(datetime.fromtimestamp(upload.order[1], UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    (fresh / "intake.json").write_text(json.dumps(note, ensure_ascii=False))
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    if "refused" in note:
        return f"refused: {note['refused']}"
    words = f", without {note['missing']}" if note["missing"] else ""
    if "unreadable" in note:
        words += f", but {names['.ipynb']} cannot be read: {note['unreadable']}; its answers wait for a human"
    return f"accepted{words}"


def accepted(upload: Upload, names: dict[str, str]) -> dict[str, bytes]:
    """The notebook and the module of an upload, by suffix, as far as they are there.

    Raises:
        Refused: neither is there, one is there twice, or the upload is not one that a learner's computer makes.
    """
    candidates: dict[str, dict[str, bytes]] = {suffix: {} for suffix in names}
    seen = []
    for name, read in members(upload):
        seen.append(name)
        for suffix, wanted in names.items():
            if fits(name, wanted):
                if len(candidates[suffix]) == COPIES:
                    raise Refused(f"{wanted} is in it more than {COPIES} times: hand in one")
                candidates[suffix][name] = read(SIZES[suffix])
    parts = {suffix: the_one(found, names[suffix]) for suffix, found in candidates.items() if found}
    if not parts:
        inside = f"it holds {', '.join(seen[:5])}" if seen else "it is empty"
        missing = f"neither {' nor '.join(names.values())} is" if len(names) > 1 else f"no {names['.ipynb']} is"
        raise Refused(f"{missing} in it: {inside}")
    return parts


def fits(path: str, wanted: str) -> bool:
    """The wanted name, also as browsers and Jupyter write it for a copy: vae (1).py, vae-Copy1.py.

    Files of support/ share names with the labs, and come along when somebody packs the whole folder.
    """
    if "support" in path.split("/")[:-1]:
        return False
    stem, suffix = wanted.rsplit(".", 1)
    return bool(re.fullmatch(rf"(.*/)?{re.escape(stem)}( ?\(\d+\)|-Copy\d+|-\d+)?\.{suffix}", path, re.IGNORECASE))


def the_one(found: dict[str, bytes], wanted: str) -> bytes:
    exact = {name: data for name, data in found.items() if name.rsplit("/", 1)[-1] == wanted} or found
    if len(set(exact.values())) > 1:
        raise Refused(f"{wanted} is in it {len(exact)} times, with different contents: {', '.join(sorted(exact)[:4])}")
    return next(iter(exact.values()))


def members(upload: Upload) -> Iterator[tuple[str, object]]:
    """Name and a reader with a cap, for every file of an upload that is not noise."""
    for own, path in upload.files:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Refused("it is a link or no ordinary file: hand in the file itself")
        if path.is_dir():
            yield from in_folder(path)
        elif path.suffix in SIZES:
            yield own, lambda most, path=path: capped(path.open("rb"), path.name, most)
        elif path.suffix.lower() == ".zip":
            yield from in_zip(path)
        else:
            raise Refused(f"{path.name} is not a zip: pack the notebook and the module in a .zip file")


def in_folder(folder: Path) -> Iterator[tuple[str, object]]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*files, *(inner for inner in folders if (Path(root) / inner).is_symlink())]):
            path = Path(root) / name
            inner = path.relative_to(folder).as_posix()
            if NOISE.search(inner):
                continue
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Refused(f"{inner} is a link or no ordinary file: hand in the file itself")
            yield inner, lambda most, path=path: capped(path.open("rb"), path.name, most)


def in_zip(path: Path) -> Iterator[tuple[str, object]]:
    if path.stat().st_size > ARCHIVE:
        raise Refused(f"the zip has more than {ARCHIVE >> 20} MB: hand in the notebook and the module alone")
    data = path.read_bytes()
    if data.count(b"PK\1\2") > ENTRIES:  # counted before anything is unpacked, and whatever its header says
        raise Refused(f"the zip has more than {ENTRIES} files: hand in the notebook and the module alone")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                if not info.is_dir() and not NOISE.search(info.filename):
                    yield safe(info), lambda most, info=info: from_zip(archive, info, most)
    except DAMAGED as bad:
        raise Refused(f"the zip is damaged or cut off ({line(str(bad), 80)}): pack it again") from None


def safe(info: zipfile.ZipInfo) -> str:
    """A member's name, when it is one that an honest zip has."""
    name = info.orig_filename
    if info.flag_bits & 1:
        raise Refused(f"{name} is encrypted: pack it without a password")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Refused(f"{name} is a link: pack the file itself")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/") or set(name) & {"\\", "\0"}:
        raise Refused(f"{name!r} is not a path inside the zip: pack it again with your system's own program")
    return name


def from_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others expand without a bound
        raise Refused(f"{info.filename} is packed by an unusual method: pack it again as an ordinary zip")
    try:
        return capped(archive.open(info), info.filename, most)
    except DAMAGED as bad:
        raise Refused(f"{info.filename} cannot be unpacked ({line(str(bad), 80)}): pack it again") from None


def capped(stream, name: str, most: int) -> bytes:
    """At most so many bytes, counted as they come: what a header says is not believed."""
    with contextlib.closing(stream):
        data = stream.read(most + 1)
    if len(data) > most:
        raise Refused(f"{name} has more than {most >> 20} MB")
    return data
