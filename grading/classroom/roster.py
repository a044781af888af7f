"""The roster: who takes the course. Read from what Canvas and Moodle export, or a plain CSV; kept in roster.csv.

A download's learner is found here by what her platform calls her (id, login, address), else by her name, if nobody else
has it. Moodle's own number is another one in each assignment: only a roster tells that two labs are of one learner.
"""

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ..content.harmless_text import called, line
from ..content.mistake import Mistake
from .course_folder import Course, replace
from .learners import Student, folder_name

FILE = "roster.csv"
PARTICIPANT = "Participant "
COLUMNS = {  # ours -> as Canvas (Grades, Export), Moodle (Participants, or a grading worksheet) and people call it
    "id": ("id", "student id", "id number", "identifier"),
    "name": ("name", "student", "full name"),
    "first_name": ("first_name", "first name"),
    "last_name": ("last_name", "last name", "surname"),
    "email": ("email", "email address", "e-mail"),
    "section": ("section", "sections", "group", "groups"),
    "sis": ("sis", "sis user id"),
    "login": ("login", "sis login id", "username"),
}
NOBODY = ("points possible", "student, test", "test student")  # rows of Canvas that are no learner
NEEDED = "an id (or email) and a name: columns such as id,name,email,section"


@dataclass(frozen=True)
class Person:
    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    section: str = ""
    sis: str = ""
    login: str = ""

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.id

    @property
    def folder(self) -> str:
        return folder_name(self.id)

    def entered(self) -> dict[str, str | None]:
        """What the gradebook has of her."""
        names = {"first_name": called(self.first_name), "last_name": called(self.last_name)}
        return names | {"email": self.email or None, "lms_user_id": self.id}

    @property
    def called(self) -> set[str]:
        """All that a platform may call her, but for her name."""
        return {one.casefold() for one in (self.id, self.folder, self.email, self.sis, self.login) if one}


class Roster:
    def __init__(self, people: list[Person]) -> None:
        self.people = people
        self.by_folder = {person.folder: person for person in people}
        self._called: dict[str, Person] = {one: person for person in people for one in person.called}
        self._named: dict[tuple[str, ...], list[Person]] = {}
        for person in people:
            self._named.setdefault(key(person.name), []).append(person)

    def whose(self, student: Student, email: str = "") -> Person | None:
        """None: nobody here.

        Raises:
            Mistake: two people have this name, and nothing else tells them apart.
        """
        for words in (email, student.id):
            if words and (found := self._called.get(words.casefold())):
                return found
        alike = self._named.get(key(student.name), [])
        if len(alike) > 1:
            raise Mistake(
                f"{student.name!r} ({line(student.id)}) is the name of {' and '.join(one.id for one in alike)} in "
                f"{FILE}: nothing is collected; --times with Moodle's grading worksheet tells them apart by address"
            )
        return alike[0] if alike else None

    def named(self, words: str) -> str | None:
        """The folder of who is called so."""
        found = self._called.get(words.casefold())
        return found.folder if found else None


def key(name: str) -> tuple[str, ...]:
    """Zoë Müller, müller zoe and `Müller, Zoë` are one."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in letters if not unicodedata.combining(c))
    return tuple(sorted(re.findall(r"\w+", bare)))


def roster_of(course: Course) -> Roster:
    """Nobody, where no roster was given."""
    path = course.root / FILE
    return Roster([*people(path)] if path.exists() else [])


def take_in(course: Course, source: Path) -> tuple[list[Person], list[Person]]:
    """Keep a roster, also in the gradebook; all of its people, and who was in the one before and is not in this.

    Raises:
        Mistake: it is no roster, or two rows are of one person; nothing changes then.
    """
    found, gone = [*people(source)], [*roster_of(course).people]
    if not found:
        raise Mistake(f"{source} lists nobody: {NEEDED} are needed")
    ids = {person.folder for person in found}
    course.root.mkdir(parents=True, exist_ok=True)
    with course.alone():
        if course.has_gradebook():  # else `collect` enters them
            with course.gradebook() as gradebook:
                for person in found:
                    gradebook.update_or_create_student(person.folder, **person.entered())
        replace(course.root / FILE, table(found))
    return found, [person for person in gone if person.folder not in ids]


def table(found: list[Person]) -> str:
    memory = io.StringIO()
    csv.writer(memory).writerows([[one.name for one in fields(Person)], *map(astuple, found)])
    return memory.getvalue()


def people(path: Path) -> Iterator[Person]:
    """
    Raises:
        Mistake: it is no CSV with an id and a name, or two rows are called alike.
    """
    seen: dict[str, int] = {}
    for number, row in rows(path):
        person = person_of(row)
        if not person:
            continue
        if not person.id:
            raise Mistake(f"{path}, line {number}: {', '.join(filter(None, row.values()))!r} has no id and no email")
        for one in sorted(person.called):
            if one in seen:
                raise Mistake(f"{path}, line {number}: {one!r} is in line {seen[one]}, too, and is one person's")
            seen[one] = number
        yield person


def rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line, and our columns; of others nothing is taken."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        given = csv.reader(io.StringIO(text), delimiter=delimiter(text))
        head = [cell.strip().casefold() for cell in next(given, [])]
        places = {ours: next((head.index(n) for n in names if n in head), None) for ours, names in COLUMNS.items()}
        has = {ours for ours, place in places.items() if place is not None}
        if not has & {"id", "email"} or not has & {"name", "first_name", "last_name"}:
            raise Mistake(f"{path} is no roster: its first line has to name {NEEDED}, and is {','.join(head)[:120]!r}")
        for row in given:
            cells = {o: line(row[p].strip(), 120) if p is not None and p < len(row) else "" for o, p in places.items()}
            if any(cells.values()):
                yield given.line_num, cells
    except (UnicodeDecodeError, csv.Error):
        raise Mistake(f"{path} is no CSV in UTF-8: save it as one") from None


def delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def person_of(row: dict[str, str]) -> Person | None:
    """None for a row that is nobody's."""
    first, last = row["first_name"], row["last_name"]
    if name := row["name"]:
        family, comma, given = name.partition(",")
        first, last = (given.strip(), family.strip()) if comma else (name.rpartition(" ")[0], name.rpartition(" ")[2])
    if (row["name"] or f"{last}, {first}").strip().casefold() in NOBODY:
        return None
    number = row["id"].removeprefix(PARTICIPANT) if not row["id"].startswith(PARTICIPANT) else ""
    id = number or row["email"] or row["id"].removeprefix(PARTICIPANT)
    return Person(id, first, last, row["email"], row["section"], row["sis"], row["login"])


def addresses(path: Path | None) -> dict[str, str]:
    """Moodle's number of each participant in one assignment -> her email, from its grading worksheet; else nothing."""
    if not path:
        return {}
    try:
        found = [row for _, row in rows(path)]
    except (Mistake, OSError):  # another list of times
        return {}
    named = ((row["id"], row["email"]) for row in found if row["id"].startswith(PARTICIPANT))
    return {number.removeprefix(PARTICIPANT): email for number, email in named if email}


def nearest(words: str, known: list[str]) -> str:
    return difflib.get_close_matches(words, known, n=1, cutoff=0.0)[0]
