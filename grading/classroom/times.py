"""When something was handed in: from the names that platforms give, and from a list of the platform's own times."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from ..content.mistake import Mistake

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WORDS = re.compile(  # Nov 21, 2026 805 PM; 21 November 2026 2005; and, in Moodle's worksheet, 8:05 PM behind a comma
    r"(?:\w+, )?(?:(?P<month>[a-z]{3,9})\.? (?P<day>\d\d?),|(?P<day2>\d\d?) (?P<month2>[a-z]{3,9})\.?) "
    r"(?P<year>\d{4}),? (?P<hour>\d\d??):?(?P<minute>\d\d)?(?: (?P<half>[AP]M))?",
    re.IGNORECASE,
)
MOODLE = ("Identifier", "Last modified (submission)")  # columns of its grading worksheet
SAY = "write it as 2026-11-21T20:05:00+01:00"


def stamp(text: str) -> datetime | None:
    """A time of a name, which has no zone: 2026-11-21-20-05-00, or in English words. None when it is neither."""
    try:
        if re.fullmatch(r"\d{4}(-\d\d){5}", text):
            return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S")
        if not (match := WORDS.fullmatch(text.strip())):
            return None
        found = match.groupdict()
        month = MONTHS.index((found["month"] or found["month2"])[:3].lower()) + 1
        hour, half = int(found["hour"]), (found["half"] or "").upper()
        hour = hour % 12 + 12 * (half == "PM") if half else hour
        return datetime(int(found["year"]), month, int(found["day"] or found["day2"]), hour, int(found["minute"] or 0))
    except ValueError:  # no such month, no 30th of February
        return None


def zone_named(name: str | None) -> tzinfo | None:
    """
    Raises:
        Mistake: there is no such time zone.
    """
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, LookupError):
        raise Mistake(f"--zone {name!r} is no time zone: write one such as Europe/Berlin, or UTC") from None


def placed(when: datetime, zone: tzinfo | None) -> datetime:
    """A time in UTC. One without a zone is of the zone that is given, or of this machine's."""
    return (when.replace(tzinfo=zone) if zone and not when.tzinfo else when).astimezone(UTC)


@dataclass
class Clock:
    """By which clock submissions were handed in: a list, the platform's in names, or that of whatever wrote the files.

    The last is often the unpacker's, or the download's: Canvas and Moodle write no times of their own.
    """

    listed: dict[str, datetime]
    zone: tzinfo | None  # of names; None: this machine's
    used: Counter[str] = field(default_factory=Counter)

    def of(self, who: tuple[str, ...], when: datetime | None, changed: float) -> tuple[datetime, str]:
        """The time in UTC, and the clock: list, platform or file.

        Args:
            who: names under which a list may have the learner.
            when: by the platform.
            changed: of the file, in seconds since 1970.
        """
        if found := next((self.listed[name] for name in who if name in self.listed), None):
            by, time = "list", found
        elif when:
            by, time = "platform", placed(when, self.zone)
        else:
            by, time = "file", datetime.fromtimestamp(changed, UTC)
        self.used[by] += 1
        return time, by

    def said(self) -> Iterator[str]:
        place = self.zone or f"this machine's, {datetime.now().astimezone().tzname()} (--zone names another)"
        says = {
            "list": "from --times",
            "platform": f"from the platform; where it gives no time zone, of {place}",
            "file": "of the files, perhaps of the download or of unpacking: --times FILE gives the platform's",
        }
        yield from (f"Times: {self.used[by]} {says[by]}." for by in says if self.used[by])


def listed(path: Path, zone: tzinfo | None) -> dict[str, datetime]:
    """Learner to time in UTC: from rows of both, or from Moodle's grading worksheet.

    Raises:
        Mistake: a row is not of this kind; the line says which.
    """
    found: dict[str, datetime] = {}
    for number, learner, words, parse in rows(path):
        where = f"{path}, line {number}: "
        try:
            when = parse(words)
        except ValueError:
            when = None
        if not learner or when is None:
            raise Mistake(
                f"{where}{words!r} is no time: {SAY}" if learner else f"{where}no learner stands before a time"
            )
        if not when.tzinfo and not zone:
            raise Mistake(f"{where}{words!r} is of no time zone: {SAY}, or name one with --zone")
        if learner in found:
            raise Mistake(f"{where}{learner!r} is in it twice")
        found[learner] = placed(when, zone)
    if not found:
        raise Mistake(
            f"{path} holds no times: each line is a learner and a time, such as anna,2026-11-21T20:05:00+01:00"
        )
    return found


def rows(path: Path) -> Iterator[tuple[int, str, str, Callable[[str], datetime | None]]]:
    """Line, learner and time of each row, and what reads such a time.

    Raises:
        Mistake: it is no table of at least two columns.
    """
    columns: tuple[int, ...] = (0, 1)
    parse: Callable[[str], datetime | None] = datetime.fromisoformat
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = csv.reader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
        for row in table:
            if table.line_num == 1 and set(MOODLE) <= set(row):
                columns, parse = tuple(map(row.index, MOODLE)), stamp
            elif any(row) and [cell.strip().lower() for cell in row[:2]] != ["learner", "time"]:
                if len(row) <= max(columns):
                    raise Mistake(f"{path}, line {table.line_num}: {','.join(row)!r} is not a learner and a time")
                learner, words = (row[column].strip() for column in columns)
                if words != "-":  # so Moodle writes who handed nothing in
                    yield table.line_num, learner.removeprefix("Participant "), words, parse
    except (UnicodeDecodeError, csv.Error):
        raise Mistake(f"{path} is no CSV in UTF-8: save it as one") from None
