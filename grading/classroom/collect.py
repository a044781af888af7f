"""Collect: what a platform exported, into submitted/. Only a lab's notebook and module are taken, whatever else comes.

Where nothing can be accepted there is a submission nevertheless, with the reason in intake.json; it costs nobody else
anything. The rest of intake.json: "from" and "files", names in the download; "time" and by which "clock"; "order", the
platform's own numbers; "missing", "unreadable" (why nobody can see what is written in the notebook), "late" (who says
so).
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import is_zipfile

from ..content.harmless_text import line
from ..content.mistake import Mistake
from ..content.tasks import files_of
from ..judge.submitted_cells import NOTEBOOK, complaint
from .course_folder import Course
from .downloads import Entry, open_download
from .learners import Student
from .platforms import OWN, Claims, claims, platform_of
from .roster import Roster, addresses, roster_of
from .rules import Rules, used
from .times import Clock, listed, zone_named
from .uploads import Chosen, Upload, chosen

STAMP = "%Y-%m-%d %H:%M:%S UTC"
Note = dict[str, Any]  # intake.json: texts, and lists of names and of numbers
FILES = 20  # names in intake.json, at most
TALLY = {
    "refused": "refused",
    "kept": "as collected before",
    "unreadable": "with a notebook that cannot be read",
    "late": "marked late",
    "skipped": "skipped",
}
TOO_LARGE = f"it has more than {NOTEBOOK >> 20} MB: clear its outputs"


@dataclass
class Outcome:
    """What becomes of an upload."""

    student: Student
    found: Chosen
    note: Note
    kept: str = ""  # why what was collected before counts on

    def words(self, notebook: str) -> str:
        note = self.note
        if "refused" in note:
            return f"refused: {note['refused']}" + (f"; {self.kept}" if self.kept else "")
        if self.kept:
            return self.kept
        words = f", without {note['missing']}" if note["missing"] else ""
        words += ", late" if "late" in note else ""
        if "unreadable" in note:
            words += f", but {notebook} cannot be read: {note['unreadable']}; its answers wait for a human"
        return f"accepted{words}"

    def tags(self) -> list[str]:
        what = "kept" if self.kept else "refused" if "refused" in self.note else "accepted"
        return [what, *(tag for tag in ("late", "unreadable") if tag in self.note)]


def collect(
    course: Course,
    lab: str,
    source: Path,
    id_pattern: str | None = None,
    *,
    times: Path | None = None,
    zone: str | None = None,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda words: None,
) -> list[str]:
    """Take in a folder of uploads, or a platform's zip of them; a line of report for each.

    Args:
        id_pattern: a regular expression that finds learners in names, in place of what platforms write.
        times: a CSV of learners and the platform's own times.
        zone: of times that say none; this machine's otherwise.
        dry_run: write nothing, and say who would get which files.
        say: takes these lines, and those about the whole.

    Raises:
        Mistake: there is nothing to collect, a pattern, list or zone that is none, an id that stands for several
            people, or a lab that is not released. Nothing is written then.
    """
    course.released(lab)
    rules, roster = used(course, lab), roster_of(course)
    names = {suffix: PurePosixPath(path).name for suffix, path in files_of(lab).items()}
    place = zone_named(zone) or rules.zone
    clock = Clock(listed(times, place) if times else {}, place)
    with open_download(source) as entries:
        a_class(source, entries, {lab, names[".ipynb"]})
        read = claims(entries, [*names.values()], id_pattern)
        strangers = by_roster(read, roster, addresses(times))
        uploads = by_learner(read, source)
        if times and not any(known in clock.listed for upload in uploads for known in ids(upload.student)):
            raise Mistake(f"{times} lists nobody who handed in: it has {', '.join(map(line, [*clock.listed][:3]))}")
        count = Counter(skipped=len(read.unknown))
        report = [f"{line(name)!r}: skipped, {why}" for name, why in read.unknown.items()]
        report += [f"{line(one.id)!r} ({one.name}) is in no row of roster.csv: kept by this id" for one in strangers]
        with contextlib.nullcontext() if dry_run else writer(course, lab, rules, roster) as write:
            for upload in uploads:
                outcome = become(course, lab, upload, names, clock, read.platform)
                report += described(outcome, names[".ipynb"], dry_run)
                count.update(outcome.tags())
                if write and not outcome.kept:
                    write(outcome)
    for words in (*report, tally(count, dry_run), *clock.said()):
        say(words)
    return report


def a_class(source: Path, entries: dict[str, Entry], released: set[str]) -> None:
    """
    Raises:
        Mistake: it is one submission, or holds no more than a platform's zip.
    """
    if any(entry.own in released for entry in entries.values()):
        raise Mistake(f"{source} holds one submission, not a class: name what has one entry per learner")
    alone = source / next(iter(entries)) if source.is_dir() and len(entries) == 1 else None
    platform = OWN
    with contextlib.suppress(Mistake):  # a learner's that is damaged is refused later, and in words for her
        if alone and alone.is_file() and is_zipfile(alone):
            with open_download(alone) as inner:
                platform = platform_of(inner)[0]
    if platform != OWN:
        raise Mistake(f"{source} holds one zip, which is a download from {platform}: name {alone}")


def tally(count: Counter[str], dry_run: bool) -> str:
    learners = count["accepted"] + count["refused"] + count["kept"]
    more = "".join(f", {count[tag]} {words}" for tag, words in TALLY.items() if count[tag])
    dry = "; nothing was written" if dry_run else ""
    return f"{count['accepted']} of {learners} learners accepted{more}{dry}."


def ids(student: Student) -> tuple[str, ...]:
    return student.id, student.folder, student.name, *filter(None, [student.given])


def by_roster(read: Claims, roster: Roster, emails: dict[str, str]) -> list[Student]:
    """Give learners the ids that the roster has for them; who is not in it.

    Args:
        emails: of the ids of this download, where a list has them.

    Raises:
        Mistake: two people of the roster have one name, and nothing else tells them apart.
    """
    strangers: dict[str, Student] = {}
    for place, (entry, claim) in enumerate(read.found if roster.people else ()):
        theirs = claim.student
        if person := roster.whose(theirs, emails.get(theirs.id, "")):
            known = Student(person.id, person.name, theirs.id)
            # Two ids of a download that lead to one person are two people, one of whom the roster does not have.
            read.found[place] = (entry, replace(claim, student=known, person=f"{claim.person} {theirs.id}"))
        else:
            strangers[theirs.id] = theirs
    return [*strangers.values()]


def by_learner(read: Claims, source: Path) -> list[Upload]:
    """
    Raises:
        Mistake: there is nobody, one id stands for several people, or one folder may be a class.
    """
    uploads: dict[str, Upload] = {}
    for entry, claim in read.found:
        uploads.setdefault(claim.student.folder, Upload(claim.student)).add(entry, claim)
    if not uploads:
        name, why = next(iter(read.unknown.items()), ("", ""))
        raise Mistake(f"{source} holds no submissions" + (f"; {line(name)!r}: {why}" if name else ""))
    for upload in uploads.values():
        if len(upload.people) > 1:
            who = " and ".join(repr(line(person)) for person in sorted(upload.people)[:4])
            raise Mistake(
                f"the id {line(upload.student.id)!r} stands for several people, {who}: nothing is collected; "
                "take their files apart, or find ids with --id-pattern"
            )
    archives = [piece for upload in uploads.values() for piece in upload.pieces.values() if piece.is_archive]
    if read.platform == OWN and len(uploads) == 1 and len(archives) > 3 and "/" in archives[0].names[0]:
        inner = source / archives[0].names[0].split("/")[0]
        raise Mistake(f"{source} holds one folder, with {len(archives)} archives: if that is the class, name {inner}")
    return [*uploads.values()]


def become(course: Course, lab: str, upload: Upload, names: dict[str, str], clock: Clock, platform: str) -> Outcome:
    """What is accepted of an upload, and whether it is older than what is there."""
    found, student = chosen(upload, names), upload.student
    newest = found.pieces[0]
    time, by = clock.of(ids(student), newest.when, newest.time)
    used = [line(name) for piece in found.pieces for name in piece.names]
    note: Note = {"from": used[0], "files": used[:FILES], "name": student.name, "platform": platform}
    note["id"] = student.given or student.id  # which Moodle draws anew for each assignment
    note |= {"order": [*newest.attempt, *newest.version], "time": time.strftime(STAMP), "clock": by}
    note |= {"late": f"marked late by {platform}"} if upload.late else {}
    if found.refused:
        note["refused"] = found.refused
    else:
        note["missing"] = " and ".join(name for suffix, name in names.items() if suffix not in found.parts)
        book = found.parts.get(".ipynb", b"{}")
        reason = TOO_LARGE if book is None else complaint(book) if ".ipynb" in found.parts else ""
        note |= {"unreadable": reason} if reason else {}
    outcome = Outcome(student, found, note)
    outcome.kept = kept(course, lab, outcome)
    return outcome


def kept(course: Course, lab: str, outcome: Outcome) -> str:
    """Why what was collected before counts on: it was accepted, and this is refused, or older. Nothing otherwise."""
    folder = course.folder("submitted", lab, outcome.student.folder)
    before = collected(folder)
    if not before or before.get("refused"):
        return ""
    if outcome.found.refused:
        return f"what was collected before ({before['time']}) counts"
    if all(data is not None and read(folder / place) == data for place, data in placed_parts(lab, outcome)):
        return ""  # the same, and perhaps by a better clock
    new, old = outcome.note["order"], before.get("order")
    numbered = isinstance(old, list) and len(old) == len(new) > 0 and before.get("platform") == outcome.note["platform"]
    try:
        older = new < old if numbered and new != old else outcome.note["time"] < before["time"]
    except TypeError:  # somebody else wrote it
        older = False
    again = f"remove {folder.relative_to(course.root)} to take this one"
    return f"older than what was collected before ({before['time']}), which counts; {again}" if older else ""


def placed_parts(lab: str, outcome: Outcome) -> list[tuple[str, bytes | None]]:
    return [(place, outcome.found.parts.get(suffix)) for suffix, place in files_of(lab).items()]


def collected(folder: Path) -> Note:
    """intake.json and the time of what lies there, also as the first edition wrote them; nothing where nothing is."""
    note: Note = {}
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        note = dict(json.loads((folder / "intake.json").read_text(encoding="utf-8")))
    stamp = read(folder / "timestamp.txt")
    return note | {"time": stamp.decode("utf-8", "replace").strip()} if stamp else {}


def earlier(folder: Path) -> Path:
    """Where a submission waits to be compared with the one that came after it."""
    return folder.with_name(f".{folder.name}.earlier")


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def described(outcome: Outcome, notebook: str, dry_run: bool) -> Iterator[str]:
    """A line about each piece that does not count, and one about what does."""
    who, found = outcome.student.folder, outcome.found
    pieces = ", ".join(map(str, found.pieces))
    for piece, why in found.passed:
        yield f"{piece}: {who}, {why}" if why.startswith("refused") else f"{piece}: {why}"
    words = outcome.words(notebook)
    if dry_run:
        name = f" ({outcome.student.name})" * (outcome.student.name != who)
        yield f"{who}{name} <- {pieces}: {words}; {outcome.note['time']} ({outcome.note['clock']})"
    else:
        yield f"{pieces}: {who}, {words}"


@contextlib.contextmanager
def writer(course: Course, lab: str, rules: Rules, roster: Roster) -> Iterator[Callable[[Outcome], None]]:
    """A function that writes what became of an upload to submitted/, all of it or nothing, and its learner.

    Where the best submission counts, the one that is graded is put aside, and `autograde` compares.
    """
    released = course.folder("release", lab)
    with course.alone(), course.gradebook() as gradebook:

        def write(outcome: Outcome) -> None:
            student, note = outcome.student, outcome.note
            target = course.folder("submitted", lab, student.folder)
            fresh = target.with_name(f".{lab}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            (fresh / "starter").mkdir(parents=True)
            for place, data in placed_parts(lab, outcome):
                (fresh / place).write_bytes((released / place).read_bytes() if data is None else data)
            (fresh / "timestamp.txt").write_text(note["time"])
            (fresh / "intake.json").write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")
            if rules.resubmissions == "best" and course.record(lab, student.folder).exists() and target.exists():
                if not earlier(target).exists():
                    target.rename(earlier(target))
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
            first, _, family = student.name.rpartition(" ")
            names = {"first_name": first, "last_name": family}
            entered: dict[str, str | None] = {**names, "lms_user_id": line(student.id, 120)}
            if person := roster.by_folder.get(student.folder):
                entered = person.entered()
            gradebook.update_or_create_student(student.folder, **entered)

        yield write
