"""The reference course with some modules replaced. Imports nothing of it: whoever calls decides what to import."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def overlay(to: Path, modules: dict[str, str] | None = None, only: set[str] | None = None) -> Path:
    """starter/ as the reference has it, below `to`.

    Args:
        to: a folder; gets `starter/`.
        modules: module name -> text that replaces the reference's.
        only: names of the lab modules to put there; all of them when None. A graded overlay holds no later lab.
    """
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(ROOT / "starter", to / "starter", ignore=ignored, dirs_exist_ok=True)
    for path in (ROOT / "solutions").glob("[!_]*.py"):
        target = to / "starter" / path.name
        if only is None or path.stem in only:
            target.write_text((modules or {}).get(path.stem, path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            target.unlink(missing_ok=True)
    return to
