"""What counts of all that a learner handed in.

It comes in pieces: archives, and the files of an attempt that lie loose. The newest piece that can be accepted counts,
and older ones give what it lacks: a piece that is refused stands in nobody's way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..content.harmless_text import line
from ..judge.submitted_cells import NOTEBOOK
from .downloads import ARCHIVE, ARCHIVES, Entry, File, Refused, TooLarge, entry_of, fits, in_archive
from .learners import Student
from .platforms import Claim

SIZES = {".ipynb": NOTEBOOK, ".py": 1 << 20}  # at most: bytes of the notebook, of the module
COPIES = 10  # at most: files of a piece that may be the one that is meant; all of them are held in memory
Numbers = tuple[int, ...]  # as a platform counts attempts and versions
Parts = dict[str, bytes | None]  # suffix -> content; None for a notebook that is too large to be read


class Nothing(Refused):
    """None of the files that are asked for is there."""


@dataclass
class Piece:
    """Files that count together."""

    attempt: Numbers
    is_archive: bool
    names: list[str] = field(default_factory=list)  # of its entries
    files: list[tuple[str, Numbers, File]] = field(default_factory=list)  # its learner's name of it, version, file
    when: datetime | None = None  # by the platform's clock

    @property
    def version(self) -> Numbers:
        return max((version for _, version, _ in self.files), default=())

    @property
    def time(self) -> float:
        """Of its newest file, in seconds since 1970."""
        return max((file.time for _, _, file in self.files), default=0.0)

    @property
    def order(self) -> tuple[Numbers, Numbers, float, list[str]]:
        return self.attempt, self.version, self.time, self.names

    def may_hold(self, names: dict[str, str]) -> bool:
        """Whether it is worth a word: what a platform adds, such as a .txt, is not."""
        return self.is_archive or any(fits(own, name) for own, _, _ in self.files for name in names.values())

    def __str__(self) -> str:
        return " and ".join(repr(line(name)) for name in self.names[:4]) + " …" * (len(self.names) > 4)


@dataclass
class Upload:
    """All that one learner handed in."""

    student: Student
    pieces: dict[tuple[Numbers, str], Piece] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)  # by the names beside the id
    late: bool = False

    def add(self, entry: Entry, claim: Claim) -> None:
        self.people |= {claim.person} - {""}
        self.late |= claim.late
        loose = (claim.attempt, "")
        for file in entry.files:
            own = file.path if entry.is_folder else claim.file
            is_archive = bool(ARCHIVES.search(own))
            name = f"{entry.name}/{file.path}" if is_archive and entry.is_folder else entry.name
            piece = self.pieces.setdefault(
                (claim.attempt, name) if is_archive else loose, Piece(claim.attempt, is_archive)
            )
            piece.names += [name] if name not in piece.names else []
            piece.files.append((own, claim.version, file))
            piece.when = claim.when
        if not entry.files:  # an empty folder is a submission, too
            self.pieces.setdefault(loose, Piece(claim.attempt, False, [entry.name], when=claim.when))


@dataclass
class Chosen:
    """What counts of an upload."""

    parts: Parts = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)  # which it is from, the newest first; or the one that is refused
    refused: str = ""  # why there is nothing
    passed: list[tuple[Piece, str]] = field(default_factory=list)  # what does not count, and why


def chosen(upload: Upload, names: dict[str, str]) -> Chosen:
    """
    Args:
        names: suffix -> name of the files that a learner hands in.
    """
    found, older = Chosen(), list[Piece]()
    bad: list[tuple[Piece, Refused]] = []
    empty: list[tuple[Piece, Refused]] = []
    for piece in sorted(upload.pieces.values(), key=lambda piece: piece.order, reverse=True):
        lacking = {suffix: name for suffix, name in names.items() if suffix not in found.parts}
        try:
            more = taken(piece, lacking) if lacking else {}
            found.parts |= more
            (found.pieces if more else older).append(piece)
        except Refused as reason:
            if found.parts:
                older.append(piece)
            else:
                (empty if isinstance(reason, Nothing) else bad).append((piece, reason))
    if not found.parts:
        piece, why = (bad + empty)[0]
        return Chosen(pieces=[piece], refused=line(str(why)))
    first = found.pieces[0]
    found.passed = [(piece, f"refused: {line(str(why))}; {first} counts") for piece, why in bad]
    found.passed += [(piece, f"not needed: {line(str(why))}") for piece, why in empty if piece.may_hold(names)]
    found.passed += [(piece, f"superseded by {first}") for piece in older if piece.may_hold(names)]
    return found


def taken(piece: Piece, names: dict[str, str]) -> Parts:
    """Those of the files that are in a piece.

    Raises:
        Nothing: none of them is.
        Refused: one is there twice, or the piece is not one that a learner's computer makes.
    """
    candidates: dict[str, list[tuple[Numbers, str, bytes | None]]] = {suffix: [] for suffix in names}
    seen = []
    for name, version, read in members(piece):
        seen.append(name)
        for suffix, wanted in names.items():
            if fits(name, wanted):
                if len(candidates[suffix]) == COPIES:
                    raise Refused(f"{wanted} is in it more than {COPIES} times: hand in one")
                candidates[suffix].append((version, name, content(read, suffix)))
    parts = {suffix: the_one(found, names[suffix]) for suffix, found in candidates.items() if found}
    if not parts:
        missing = f"neither {' nor '.join(names.values())} is" if len(names) > 1 else f"no {names['.ipynb']} is"
        raise Nothing(f"{missing} in it: " + (f"it holds {', '.join(seen[:5])}" if seen else "it is empty"))
    return parts


def members(piece: Piece) -> Iterator[tuple[str, Numbers, Callable[[int], bytes]]]:
    """Name, version and reader of every file of a piece.

    Raises:
        Refused: it cannot be opened.
    """
    for own, version, file in piece.files:
        if file.wrong:
            raise Refused(file.wrong)
        if not piece.is_archive:
            yield own, version, file.read
            continue
        try:
            data = file.read(ARCHIVE)
        except TooLarge:
            words = f"{own} has more than {ARCHIVE >> 20} MB: hand in the notebook and the module alone"
            raise Refused(words) from None
        yield from ((name, version, read) for name, read in in_archive(own, data))


def content(read: Callable[[int], bytes], suffix: str) -> bytes | None:
    try:
        return read(SIZES[suffix])
    except TooLarge:
        if suffix == ".py":
            raise
        return None  # the module beside it counts
    except OSError as trouble:
        raise Refused(f"it cannot be read ({line(trouble.strerror or 'unknown error')})") from None


def the_one(found: list[tuple[Numbers, str, bytes | None]], wanted: str) -> bytes | None:
    """The latest version, where a platform numbers them; else the one of that name, else the only one.

    Raises:
        Refused: there are several.
    """
    last = max(version for version, _, _ in found)
    found = [one for one in found if one[0] == last]
    found = [one for one in found if one[1].rsplit("/", 1)[-1] == wanted] or found
    if len({data for _, _, data in found}) > 1:
        names = ", ".join(sorted(name for _, name, _ in found)[:4])
        raise Refused(f"{wanted} is in it {len(found)} times, with different contents: {names}")
    return found[0][2]


def handed_in(folder: Path, names: dict[str, str]) -> Parts:
    """What counts of a folder in which all is one learner's.

    Raises:
        Refused: nothing does.
    """
    upload = Upload(Student("learner", ""))
    upload.add(entry_of(folder), Claim(upload.student))
    found = chosen(upload, names)
    if found.refused:
        raise Refused(found.refused)
    return found.parts
