"""A course folder: what an instructor has, in the layout of nbgrader, so that formgrader works in it."""

import contextlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..content.mistake import Mistake

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

COURSE_ID = "course"


@dataclass(frozen=True)
class Course:
    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.resolve())  # nbgrader changes folders while other threads read

    def folder(self, step: str, lab: str, student: str = ".") -> Path:
        """source and release belong to nobody; submitted, autograded and feedback to a student."""
        return self.root / step / student / lab

    def zip(self, lab: str) -> Path:
        """What learners get; the last thing that a release writes."""
        return self.root / "release" / f"{lab}.zip"

    def record(self, lab: str, student: str) -> Path:
        """Names the submission that the grades belong to. It comes last, and goes first when it is graded again."""
        return self.folder("autograded", lab, student) / "graded.txt"

    def graded(self, lab: str) -> list[str]:
        """Students whose work is graded to the end."""
        return [student for student in self.students("autograded", lab) if self.record(lab, student).exists()]

    def noted(self, lab: str, student: str, name: str, read: Callable[[str], Any] = json.loads) -> Any:
        """What stands in a file of a graded submission, such as verdicts.json.

        Raises:
            Mistake: it is damaged.
        """
        path = self.record(lab, student).with_name(name)
        try:
            return read(path.read_text(encoding="utf-8"))
        except ValueError:
            again = f"run `python -m grading autograde {lab} --student {student} --regrade`"
            raise Mistake(f"{path} cannot be read (was the disk full?): {again}") from None

    def students(self, step: str, lab: str) -> list[str]:
        return sorted(path.parent.name for path in (self.root / step).glob(f"[!.]*/{lab}"))

    def submitted(self, lab: str, student: str | None = None) -> list[str]:
        """Students whose work is here, or the one of them who is named, by id or folder.

        Raises:
            Mistake: nobody handed in, or this one did not.
        """
        from .learners import folder_name  # names takes Mistake from here

        students = self.students("submitted", lab)
        if not students:
            raise Mistake(f"no submissions of {lab} in {self.root}: run `python -m grading collect {lab} FOLDER` first")
        if student is None:
            return students
        for name in (student, folder_name(student)):
            if name in students:
                return [name]
        raise Mistake(f"no submission of {lab} by {student!r}; there are {', '.join(students[:20])}")

    @property
    def db_url(self) -> str:
        """Where nbgrader's gradebook is: what `--db` named once, or a file of the course."""
        elsewhere = self.root / "gradebook.url"
        return elsewhere.read_text().strip() if elsewhere.exists() else f"sqlite:///{self.root}/gradebook.db"

    @contextlib.contextmanager
    def kept_in(self, url: str) -> Iterator[int]:
        """Grades are there from now on, for every command and for formgrader: of how many submissions they were copied.

        When what is done inside cannot be, they are where they were.

        Raises:
            Mistake: no database answers there, or it holds other grades.
        """
        from .moving import copied

        file = self.root / "gradebook.url"
        self.root.mkdir(parents=True, exist_ok=True)
        with self.alone():
            before, (there, count) = file.read_text() if file.exists() else None, copied(self, url)
            replace(file, there + "\n", 0o600)  # it may hold a password
        try:
            yield count
        except (Mistake, OSError):
            file.unlink() if before is None else replace(file, before, 0o600)
            raise

    def has_gradebook(self) -> bool:
        return (self.root / "gradebook.url").exists() or (self.root / "gradebook.db").exists()

    @contextlib.contextmanager
    def gradebook(self) -> Iterator["Gradebook"]:
        """nbgrader's gradebook.

        Raises:
            Mistake: there is none, or it is damaged.
        """
        from .gradebook import open_for, told  # seconds: not for a command that only says what is wrong

        with open_for(self) as book, told(self.db_url):
            yield book

    def released(self, lab: str) -> Path:
        """The notebook that learners got.

        Raises:
            Mistake: there is none yet, or it was written to a full disk.
        """
        path = self.folder("release", lab) / f"{lab}.ipynb"
        if not path.exists() or not self.zip(lab).exists():
            raise Mistake(f"{lab} is not released in {self.root}: run `python -m grading release {lab}` first")
        if empty := next((file for file in (path, self.zip(lab)) if not file.stat().st_size), None):
            raise Mistake(f"{empty} is empty (was the disk full?): run `python -m grading release {lab}` again")
        return path

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One writer at a time: what two wrote at once would be a mixture.

        Raises:
            Mistake: another command is writing.
        """
        from filelock import FileLock, Timeout  # not for a command that only reads

        try:
            held = FileLock(self.root / ".lock").acquire(blocking=False)
        except Timeout:
            raise Mistake(f"another command is at work in {self.root}: wait until it has ended") from None
        with held:
            yield


def for_nbgrader() -> None:
    """nbgrader starts `alembic` by name: without this environment's programs it leaves a half-made gradebook."""
    warnings.filterwarnings("ignore", message="Object of type", module="nbgrader")  # its own business with SQLAlchemy
    here = str(Path(sys.executable).parent)
    if here not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = f"{here}{os.pathsep}{os.environ.get('PATH', '')}"


def replace(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write under a fresh name, then rename: nobody sees half a file, and no link at `path` is followed."""
    fresh = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    kept(fresh, content, mode)
    fresh.replace(path)


def kept(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """A new file that is on the disk, not only on its way there: what is renamed after it survives a power cut."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
