"""What stood in students' repositories at a time: a zip of each one's lab, and a list of times, for `collect`.

Read from clones, by git alone: nothing in them is run. A commit's date is of the clock of who made it.
"""

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path

from ..content.harmless_text import line
from ..content.mistake import Mistake
from ..content.tasks import files_of
from .course_folder import Course, replace
from .rules import used
from .times import SAY, placed

WORK = "work"  # where a student's own copy stands in her repository


def pushed(course: Course, lab: str, clones: Path, before: str | None, say: Callable[[str], None]) -> tuple[Path, Path]:
    """Write the folder of zips and the list of times of a lab, in place of those of before; both paths.

    Args:
        clones: a folder of clones, each named as its learner.
        before: a time; what was committed later does not count. None: all does.

    Raises:
        Mistake: it is no time, there is no clone, or no git.
    """
    place = used(course, lab).zone
    until = time_of(before, place) if before else None
    found = sorted(path for path in clones.glob("[!.]*/") if (path / ".git").exists()) if clones.is_dir() else []
    if not found:
        raise Mistake(f"{clones} holds no clone: `git clone` each student's repository into it, named as the learner")
    folder, times = course.root / f"pushed-{lab}", io.StringIO()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count, rows = 0, csv.writer(times, lineterminator="\n")
    for clone in found:
        if not (commit := last(clone, until)):
            say(f"{line(clone.name)}: nothing was committed" + f" before {before}" * bool(before))
        elif not (paths := handed_in(clone, commit, lab)):
            say(f"{line(clone.name)}: {WORK}/ has neither of {', '.join(files_of(lab).values())}")
        else:
            git(clone, "archive", "--format=zip", f"--output={folder / clone.name}.zip", commit, "--", *paths)
            rows.writerow([clone.name, git(clone, "log", "-1", "--format=%cI", commit).strip()])
            count += 1
    path = course.root / f"pushed-{lab}.csv"
    replace(path, times.getvalue())
    say(f"{count} of {len(found)} repositories: python -m grading collect {lab} {folder} --times {path}")
    return folder, path


def time_of(text: str, zone: tzinfo | None) -> datetime:
    """
    Raises:
        Mistake: it is none.
    """
    try:
        return placed(datetime.fromisoformat(text), zone)
    except ValueError:
        raise Mistake(f"--before {text!r} is no time: {SAY}") from None


def last(clone: Path, until: datetime | None) -> str:
    """The last commit of its branch; empty where there is none."""
    only = [f"--before={until.isoformat()}"] if until else []
    return git(clone, "rev-list", "-1", *only, "HEAD", may_fail=True).strip()


def handed_in(clone: Path, commit: str, lab: str) -> list[str]:
    wanted = [f"{WORK}/{path}" for path in files_of(lab).values()]
    names = git(clone, "ls-tree", "-r", "-z", "--name-only", commit, "--", *wanted)
    return [name for name in names.split("\0") if name]


def git(clone: Path, *words: str, may_fail: bool = False) -> str:
    """
    Raises:
        Mistake: git is not installed, or refuses.
    """
    try:
        run = subprocess.run(["git", "-C", clone, *words], capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        raise Mistake("git is not installed: apt install git") from None
    if run.returncode and not may_fail:
        raise Mistake(f"{clone}: git {words[0]}: {line(run.stderr)}")
    return "" if run.returncode else run.stdout
