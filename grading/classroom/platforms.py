"""Whose the entries of a download are: the names that learning platforms give, one table of them, and one's own."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ..content.harmless_text import line
from ..content.mistake import Mistake
from .downloads import ARCHIVES, Entry, Refused, fits
from .learners import Student
from .times import stamp

DAY = r"(?:[^\W\d_]+\.? \d{1,2}, \d{4}|\d{1,2} [^\W\d_]+\.? \d{4}) \d{1,4}(?: [AP]M)?"  # Nov 21, 2026 805 PM

# What stands at the top of a download. A learner chooses what comes last, the name of the file; what stands before it
# reads in one way only: the name of a person holds none of what separates it from the number behind it.
PLATFORMS = (
    # Full Name_12345_assignsubmission_file_, a folder or, before the name of each, files
    ("Moodle", r"(?P<name>[^/_]+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)"),
    # Assignment_username_attempt_2026-11-21-20-05-00_name.zip, and a .txt about each attempt
    ("Blackboard", r"(?P<who>.+?)_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)"),
    # 12345-67890 - Full Name - Nov 21, 2026 805 PM, a folder or what names begin with; the second number is the task's
    ("Brightspace", rf"(?P<id>\d+)-\d+ - (?P<name>.+?) - (?P<when>{DAY})(?: - (?P<file>.+))?"),
    # submission_12345, a folder; submission_metadata.yml beside it says whose and when
    ("Gradescope", r"(?P<who>submission_\d+)"),
    # lastnamefirst_LATE_12345_67890_name-1.zip: the learner, the file, and how often one of that name was handed in
    ("Canvas", r"(?P<name>[^/_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?:(?P<number>\d+)_(?P<file>.+)|(?:text|link)\.html)"),
    ("Canvas", r"(?P<late>LATE_)?(?P<id>anon_\w{5})_(?:(?P<number>\d+)_(?P<file>.+)|(?:text|link)\.html)"),
)
OWN, GIVEN = "no platform", "--id-pattern"
LIST = "submission_metadata.yml"  # of Gradescope
NOBODYS = {"index.html", LIST}  # the first is Brightspace's
AGAIN = re.compile(r"-(\d+)\.\w+$")
LEARNER = re.compile(
    r"^Name: (.+) \(([^()\n]+)\)\s*$", re.MULTILINE
)  # so begins what Blackboard writes about an attempt
WRAPPED = 3  # folders around a download, at most
WRITTEN = 200 << 20  # bytes of a platform's own file, at most
People = dict[str, tuple[list[tuple[str, str | None, str]], datetime | None]]  # id, name, person; when
GROUPS = ("id", "name", "file", "who", "when", "late", "number", "attempt")


@dataclass(frozen=True)
class Claim:
    """Whose an entry is, and what else its name says."""

    student: Student
    person: str = ""  # two of them with one id are two people; "" says nothing about that
    file: str = ""  # the learner's own name of it
    attempt: tuple[int, ...] = ()  # a later one counts
    version: tuple[int, ...] = ()  # of the files of one attempt that have one name, the last one counts
    when: datetime | None = None  # by the platform's clock; names have no zone
    late: bool = False  # the platform says so


@dataclass
class Claims:
    """A download, read in one way: were each name read as whatever fits, a learner could choose somebody else's."""

    platform: str
    found: list[tuple[Entry, Claim]]
    unknown: dict[str, str]  # entries that are nobody's, and why


def claims(entries: dict[str, Entry], wanted: Iterable[str], pattern: str | None = None) -> Claims:
    """
    Args:
        wanted: names of the files that a learner hands in.
        pattern: a regular expression in place of the table.

    Raises:
        Mistake: the pattern is none, or what the platform writes about its submissions is missing.
    """
    if pattern:
        platform, read = GIVEN, by_pattern(entries, wanted, pattern)
    else:
        platform, entries = platform_of(entries)
        read = by_own_names(entries, wanted) if platform == OWN else by_platform(entries, platform)
    found, unknown = [], {}
    for entry, given in read:
        if isinstance(given, str):
            unknown[entry.name] = given
        else:
            found += [(entry, claim) for claim in given]
    return Claims(platform, found, unknown)


def platform_of(entries: dict[str, Entry], wrapped: int = 0) -> tuple[str, dict[str, Entry]]:
    """The platform that most of the names are of, and the entries that bear them: one folder may hold all of them."""
    names = [entry.own for entry in entries.values() if entry.own not in NOBODYS]
    count = dict.fromkeys(dict(PLATFORMS), 0)
    for platform, regex in PLATFORMS:
        compiled = re.compile(regex, re.DOTALL)
        count[platform] += sum(bool(compiled.fullmatch(name)) for name in names)
    most = max(count, key=count.__getitem__)
    if 2 * count[most] > len(names):
        return most, entries
    if len(entries) == 1 and (only := next(iter(entries.values()))).is_folder:
        platform, inner = platform_of(only.inside(), wrapped + 1) if wrapped < WRAPPED else (OWN, entries)
        return (platform, inner) if platform != OWN else (OWN, entries)
    return OWN, entries


def by_platform(entries: dict[str, Entry], platform: str) -> Iterator[tuple[Entry, list[Claim] | str]]:
    compiled = [re.compile(regex, re.DOTALL) for name, regex in PLATFORMS if name == platform]
    people = {"Blackboard": usernames, "Gradescope": submitters}.get(platform, lambda entries: {})(entries)
    for entry in entries.values():
        match = next(filter(None, (regex.fullmatch(entry.own) for regex in compiled)), None)
        if match:
            yield entry, claimed(entry, match, people) or f"{LIST} does not say whose it is"
        elif entry.own not in NOBODYS:
            yield entry, f"{platform} gives no such name; what is not from there needs a folder of its own"


def claimed(entry: Entry, match: re.Match[str], people: People) -> list[Claim]:
    """The claims of a name that fits; several when a group handed it in."""
    found: dict[str, str | None] = {**dict.fromkeys(GROUPS), **match.groupdict()}
    when = stamp(found["when"]) if found["when"] else None
    if found["who"]:
        named, listed = people.get(found["who"], ([], None))
        when = listed or when
    else:
        group, _, _ = (found["name"] or "").partition(" - ")  # Brightspace: the group, then who handed it in
        named = [(match["id"], found["name"], group)]
    again = AGAIN.search(found["file"] or "")
    version = (int(found["number"]), int(again[1]) if again else 0) if found["number"] else ()
    file = found["file"] or ("" if entry.is_folder else entry.own)
    attempt, late = tuple(when.timetuple()[:6]) if when else (), bool(found["late"])
    return [
        Claim(Student(id, line(name or id, 120)), (person or "").casefold(), file, attempt, version, when, late)
        for id, name, person in named
    ]


def usernames(entries: dict[str, Entry]) -> People:
    """Blackboard writes assignment_username, and both may hold a _; what it writes about an attempt has the second."""
    people: People = {}
    regex = re.compile(dict(PLATFORMS)["Blackboard"], re.DOTALL)
    for entry in entries.values():
        if not (match := regex.fullmatch(entry.own)) or entry.is_folder:
            continue
        who = match["who"]
        people.setdefault(who, ([(who.rpartition("_")[2], None, who)], None))
        told = LEARNER.search(beginning(entry)) if not match["file"] else None
        if told and f"_{who}".endswith(f"_{told[2]}"):
            people[who] = ([(told[2], told[1], who)], None)
    return people


def beginning(entry: Entry) -> str:
    try:
        return entry.files[0].read(WRITTEN)[:4096].decode("utf-8", "replace")
    except Refused:
        return ""


def submitters(entries: dict[str, Entry]) -> People:
    """Gradescope's list of submissions: who handed one in, alone or as a group, and when.

    Raises:
        Mistake: it is missing, or not as Gradescope writes it.
    """
    try:
        import yaml  # Gradescope only
    except ImportError:
        raise Mistake("PyYAML is not installed: run `pip install -r grading/requirements.txt` first") from None
    written = next((entry for entry in entries.values() if entry.own == LIST), None)
    if not written:
        raise Mistake(f"{LIST} is missing, which says whose a submission is: export all submissions again")

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # not every PyYAML has LibYAML
        """Leaves out what is of a type of Ruby's."""

    Loader.add_multi_constructor("!", lambda *_: None)
    try:
        rows = yaml.load(written.files[0].read(WRITTEN), Loader)
        return {who: ([person(one) for one in row[":submitters"]], created(row)) for who, row in rows.items()}
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError, Refused) as wrong:
        raise Mistake(f"{LIST} is not as Gradescope writes it ({line(str(wrong), 80)}): export again") from None


def person(submitter: dict[str, object]) -> tuple[str, str, str]:
    name, number, address = (str(submitter.get(f":{key}") or "") for key in ("name", "sid", "email"))
    if not (id := number or address or name):
        raise ValueError("a submission without a name")
    return id, name, address or name


def created(row: dict[str, object]) -> datetime | None:
    when = row.get(":created_at")
    if isinstance(when, str):  # 2026-11-21 20:05:00.123456 Z, when it is quoted
        when = datetime.fromisoformat(when.replace(" Z", "+00:00").replace(" UTC", "+00:00"))
    return (when if when.tzinfo else when.replace(tzinfo=UTC)) if isinstance(when, datetime) else None


def by_own_names(entries: dict[str, Entry], wanted: Iterable[str]) -> Iterator[tuple[Entry, list[Claim] | str]]:
    """anna.zip, a folder anna, anna_vae.py beside anna_02_vae.ipynb; then what begins with a name that is known so."""
    ids = {name: own_id(entry, wanted) for name, entry in entries.items()}
    known = set(ids.values()) - {None}
    for name, entry in entries.items():
        begins = (name[: end.start()] for end in re.finditer(r"[_. -]", name))
        owner = ids[name] or max((begin for begin in begins if begin in known), key=len, default=None)
        file = "" if entry.is_folder or not owner else name[len(owner) :].lstrip("_- ")
        if other := next((platform for platform, regex in PLATFORMS if re.fullmatch(regex, name, re.DOTALL)), None):
            yield entry, f"it looks like a name of {other}'s; what is from there needs a folder of its own"
        elif owner:
            file = file if any(fits(file, one) for one in wanted) else name
            yield entry, [Claim(Student(owner, line(owner, 120)), file=file)]
        else:
            yield entry, f"its name does not say whose it is; one that does is anna.zip, or anna_{next(iter(wanted))}"


def own_id(entry: Entry, wanted: Iterable[str]) -> str | None:
    if entry.is_folder:
        return entry.own
    if archive := ARCHIVES.search(entry.own):
        return entry.own[: archive.start()] or entry.own
    for between in re.finditer(r"[_ -]+", entry.own):
        if between.start() and any(fits(entry.own[between.end() :], one) for one in wanted):
            return entry.own[: between.start()]
    stem, _, suffix = entry.own.rpartition(".")
    return stem if suffix in ("py", "ipynb") and "_" not in stem else None


def by_pattern(
    entries: dict[str, Entry], wanted: Iterable[str], given: str
) -> Iterator[tuple[Entry, list[Claim] | str]]:
    """By a regular expression on the names at the top, or else on those in the folders there.

    Raises:
        Mistake: it is none, has no group `id`, finds an attempt that is no number, or one learner in all names.
    """
    try:
        pattern = re.compile(given, re.DOTALL)
    except re.error as wrong:
        raise Mistake(f"--id-pattern is no regular expression ({wrong}): {given!r}") from None
    if "id" not in pattern.groupindex:
        raise Mistake(f"--id-pattern needs a group named id, such as (?P<id>[a-z]+[0-9]+)_.*: {given!r}")
    found = list(matched(entries, pattern))
    ids = {match["id"] for _, match in found if match}
    if len(ids) == 1 and len(found) > 2 and not {"name", "attempt", "file"} & set(pattern.groupindex):
        names = ", ".join(repr(line(entry.name)) for entry, _ in found[:2])
        raise Mistake(f"--id-pattern finds one learner, {ids.pop()!r}, in {names} and all the others: {given!r}")
    for entry, match in found:
        if match and match["id"]:
            parts: dict[str, str | None] = {**dict.fromkeys(GROUPS), **match.groupdict()}
            student = Student(match["id"], line(parts["name"] or match["id"], 120))
            file = parts["file"] or ("" if entry.is_folder else entry.own)
            person = parts["name"] or before(entry, wanted)
            yield entry, [Claim(student, person.casefold(), file, attempt_in(parts["attempt"], entry.name))]
        else:
            yield entry, "the name does not say whose it is (see --id-pattern)"


def before(entry: Entry, wanted: Iterable[str]) -> str:
    """What stands before a file that is handed in, but for numbers: the same for all that one learner hands in."""
    name = "" if entry.is_folder or ARCHIVES.search(entry.own) else own_id(entry, wanted) or ""
    return re.sub(r"\d", "", name)


def matched(entries: dict[str, Entry], pattern: re.Pattern[str]) -> Iterator[tuple[Entry, re.Match[str] | None]]:
    for name, entry in entries.items():
        match = pattern.fullmatch(name)
        inner = entry.inside().values() if entry.is_folder and not match else ()
        if any(pattern.fullmatch(one.name) for one in inner):
            yield from ((one, pattern.fullmatch(one.name)) for one in inner)
        else:
            yield entry, match


def attempt_in(words: str | None, name: str) -> tuple[int, ...]:
    """Numbers, such as 3 or 2026-11-21-20-05-00.

    Raises:
        Mistake: there is another word in it.
    """
    if words and not re.fullmatch(r"\d{1,9}([^\w/]\d{1,9}|_\d{1,9})*", words):
        raise Mistake(f"--id-pattern finds the attempt {words!r} in {line(name)!r}, which is no number")
    return tuple(map(int, re.findall(r"\d+", words or "")))
