"""What lies in a download, a folder or a zip: nothing of it is unpacked, and nothing is read without a cap."""

import contextlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO

from ..content.harmless_text import line
from ..content.mistake import Mistake

ARCHIVE, ENTRIES = 50 << 20, 20_000  # at most: bytes of a learner's zip, files in it
DOWNLOAD = 500_000  # at most: files in the zip of a platform
ARCHIVES = re.compile(r"\.(zip|tar|tar\.(gz|bz2|xz|zst)|tgz|tbz2|txz|gz|bz2|xz|7z|rar)$", re.IGNORECASE)
NOISE = re.compile(
    r"(^|/)(__MACOSX|\.ipynb_checkpoints|__pycache__|\.venv|venv|\.git|\.idea|\.vscode)/|(^|/)(\._[^/]*|\.DS_Store|"
    r"Thumbs\.db|desktop\.ini)$",
    re.IGNORECASE,
)
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, ValueError, EOFError)  # what zipfile raises
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"  # a zip's headers: before a file, in its directory, at the end
UTF8 = 0x800  # the flag of a name


class Refused(Exception):
    """Why an upload is not accepted, as its learner will read it."""


class TooLarge(Refused):
    """There are more bytes than were asked for."""


@dataclass(frozen=True)
class File:
    """A file of a download."""

    path: str  # below its entry
    time: float  # when it was last changed, in seconds since 1970
    read: Callable[[int], bytes]  # at most so many bytes; raises Refused
    wrong: str = ""  # why nobody reads it


@dataclass
class Entry:
    """What has one name at the top of a download: a file, whose path is its name, or a folder with its files."""

    name: str
    is_folder: bool
    files: list[File] = field(default_factory=list)

    @property
    def own(self) -> str:
        return self.name.rsplit("/", 1)[-1]

    def inside(self) -> dict[str, "Entry"]:
        """The entries of a folder, named from the top."""
        return grouped([(f"{self.name}/{file.path}", file) for file in self.files], self.name.count("/") + 2)


@contextlib.contextmanager
def open_download(source: Path) -> Iterator[dict[str, Entry]]:
    """The entries of a download, by name; their files can be read as long as it is open.

    Raises:
        Mistake: it is neither a folder nor a zip that opens.
    """
    if source.is_dir():
        yield in_folder(source)
    elif zipfile.is_zipfile(source):
        try:
            archive = zipfile.ZipFile(source)
        except DAMAGED as bad:
            what = f"{source} is damaged or cut off ({line(str(bad), 80)})"
            raise Mistake(f"{what}: download it again, or unpack it and name the folder") from None
        with archive:
            yield in_zip_of_a_platform(archive, source)
    else:
        what = "neither a folder nor a zip" if source.exists() else "not there"
        raise Mistake(f"{source} is {what}: name the folder or the zip that the LMS gave you")


def in_folder(source: Path) -> dict[str, Entry]:
    entries = {}
    for path in sorted(source.iterdir()):
        hidden = path.name.startswith(".") and path.suffix.lower() != ".zip"
        if hidden or NOISE.search(path.name) or NOISE.search(f"{path.name}/"):
            continue
        entries[path.name] = entry_of(path)
    return entries


def entry_of(path: Path) -> Entry:
    """A link is taken for what it points to, and not followed."""
    is_link = path.is_symlink() or not path.is_dir()
    return Entry(path.name, path.is_dir(), [on_disk(path, path.name)] if is_link else list(files_in(path)))


def files_in(folder: Path) -> Iterator[File]:
    """All files below a folder, and the links, which nobody follows."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*files, *(inner for inner in folders if (Path(root) / inner).is_symlink())]):
            path = Path(root) / name
            inner = path.relative_to(folder).as_posix()
            if not NOISE.search(inner):
                yield on_disk(path, inner)


def on_disk(path: Path, name: str) -> File:
    status = path.lstat()
    wrong = "" if stat.S_ISREG(status.st_mode) else f"{name} is a link or no ordinary file: hand in the file itself"
    return File(name, status.st_mtime, lambda most: capped(path.open("rb"), path.name, most), wrong)


def in_zip_of_a_platform(archive: zipfile.ZipFile, source: Path) -> dict[str, Entry]:
    """
    Raises:
        Mistake: it holds more files than any platform puts into one.
    """
    if len(archive.infolist()) > DOWNLOAD:
        raise Mistake(f"{source} has more than {DOWNLOAD:,} files: unpack it, and name the folder")
    found = []
    for info in archive.infolist():
        name = named(info).strip("/")
        if name and not info.is_dir() and not name.startswith(".") and not NOISE.search(name):
            found.append((name, File(name, time_of(info), reader_of(archive, info), unsafe(info))))
    return grouped(sorted(found, key=lambda pair: pair[0]), 1)


def grouped(files: list[tuple[str, File]], depth: int) -> dict[str, Entry]:
    """Entries by the first names of paths; a file in a folder has its path below it."""
    entries: dict[str, Entry] = {}
    for path, file in files:
        parts = path.split("/")
        top, below = "/".join(parts[:depth]), "/".join(parts[depth:])
        entry = entries.setdefault(top, Entry(top, bool(below)))
        entry.files.append(replace(file, path=below or parts[-1]))
    return entries


def named(info: zipfile.ZipInfo) -> str:
    """Older platforms write UTF-8 without saying so, which reads as the letters of an old PC."""
    if info.flag_bits & UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def time_of(info: zipfile.ZipInfo) -> float:
    """A zip has no time zone: read as this machine's."""
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):  # there are zips of the month 0
        return 0.0


def in_archive(name: str, data: bytes) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    """Name and reader of every file in a learner's archive that is not noise.

    Raises:
        Refused: it is none that a learner's computer makes.
    """
    if not name.lower().endswith(".zip"):
        raise Refused(f"{name} is not a zip: pack the notebook and the module in a .zip file")
    if data.count(CENTRAL) > ENTRIES:  # counted before anything is unpacked, and whatever its header says
        raise Refused(f"the zip has more than {ENTRIES} files: hand in the notebook and the module alone")
    try:
        with zipfile.ZipFile(io.BytesIO(with_readable_names(data))) as archive:
            for info in archive.infolist():
                if not info.is_dir() and not NOISE.search(info.filename):
                    yield safe(info), reader_of(archive, info)
    except DAMAGED as bad:
        raise Refused(f"the zip is damaged or cut off ({line(str(bad), 80)}): pack it again") from None


def with_readable_names(data: bytes) -> bytes:
    """Names that only claim to be UTF-8 no longer claim it: one such name would make all of the zip unreadable."""
    end = data.rfind(END)
    if end < 0 or len(data) < end + 22:
        return data
    size, start = struct.unpack_from("<LL", data, end + 12)
    at, fresh = end - size, bytearray(data)
    while 0 <= at <= end - 46 and data.startswith(CENTRAL, at):
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        try:
            data[at + 46 : at + 46 + name].decode("utf-8")
        except UnicodeDecodeError:
            local = struct.unpack_from("<L", data, at + 42)[0] + end - size - start
            for header, flags in ((at, at + 9), (local, local + 7)):
                if 0 <= header and data[header : header + 4] in (CENTRAL, LOCAL):
                    fresh[flags] &= ~(UTF8 >> 8)
        at += 46 + name + extra + comment
    return bytes(fresh)


def safe(info: zipfile.ZipInfo) -> str:
    """A member's name, when it is one that an honest zip has."""
    name = info.orig_filename
    if wrong := unsafe(info):
        raise Refused(wrong)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/") or set(name) & {"\\", "\0"}:
        raise Refused(f"{name!r} is not a path inside the zip: pack it again with your system's own program")
    return name


def unsafe(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return f"{info.orig_filename} is encrypted: pack it without a password"
    if stat.S_ISLNK(info.external_attr >> 16):
        return f"{info.orig_filename} is a link: pack the file itself"
    return ""


def reader_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others expand without a bound
            raise Refused(f"{info.filename} is packed by an unusual method: pack it again as an ordinary zip")
        try:
            return capped(archive.open(info), info.filename, most)
        except DAMAGED as bad:
            raise Refused(f"{info.filename} cannot be unpacked ({line(str(bad), 80)}): pack it again") from None

    return read


def capped(stream: IO[bytes], name: str, most: int) -> bytes:
    """At most so many bytes, counted as they come: what a header says is not believed.

    Raises:
        TooLarge: there are more.
    """
    with contextlib.closing(stream):
        data = stream.read(most + 1)
    if len(data) > most:
        raise TooLarge(f"{name} has more than {most >> 20} MB")
    return data


def fits(path: str, wanted: str) -> bool:
    """The wanted name, also as browsers, Jupyter and file managers write it: vae (1).py, vae-Copy1.py, vae.py.txt.

    Files of support/ share names with the labs, and come along when somebody packs the whole folder.
    """
    if "support" in path.split("/")[:-1]:
        return False
    stem, suffix = wanted.rsplit(".", 1)
    copy = r"( ?\(\d+\)|-Copy\d+|-\d+| - Copy( \(\d+\))?| copy( \d+)?)?"
    return bool(re.fullmatch(rf"(.*/)?{re.escape(stem)}{copy}\.{suffix}(\.txt|\.json)?", path, re.IGNORECASE))
