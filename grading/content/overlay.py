"""The reference course with some modules replaced. Imports nothing of it: whoever calls decides what to import."""

import shutil
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path

from .knife import cut

ROOT = Path(__file__).parents[2]
NO_SOURCES = ("__pycache__", ".*")
NOT_FOR_A_JUDGE = (
    "checks.json",
    "questions.json",
    "given.json",
    "reference_runs",
    "*.png",
)  # answers, and what notebooks show


def overlay(
    to: Path, modules: dict[str, str] | None = None, only: set[str] | None = None, without: Collection[str] = ()
) -> Path:
    """starter/ as the reference has it, below `to`.

    Args:
        to: a folder; gets `starter/`.
        modules: module name -> text that replaces the reference's.
        only: names of the lab modules to put there; all of them when None. A graded overlay holds no later lab.
        without: patterns of names of files and folders that are left out.
    """
    for path in copied(without):
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for path in (ROOT / "solutions").glob("[!_]*.py"):
        target = to / "starter" / path.name
        if only is None or path.stem in only:
            target.write_text((modules or {}).get(path.stem, path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            target.unlink(missing_ok=True)
    return to


def copied(without: Collection[str] = (), root: Path = ROOT) -> Iterator[Path]:
    """The files of a checkout that `overlay` copies as they stand there: all of starter/ but the labs' own modules."""
    labs = {path.name for path in (root / "solutions").glob("[!_]*.py")}
    for path in (root / "starter").rglob("*"):
        parts = path.relative_to(root / "starter").parts
        left_out = any(fnmatch(part, pattern) for part in parts for pattern in (*NO_SOURCES, *without))
        if path.is_file() and not left_out and not (len(parts) == 1 and parts[0] in labs):
            yield path


def blanks() -> dict[Path, str]:
    """Path in starter/ -> the text that the solutions say it should have."""
    labs = (ROOT / "solutions").glob("[!_]*.py")
    return {ROOT / "starter" / path.name: cut(path.read_text(encoding="utf-8")) for path in sorted(labs)}
