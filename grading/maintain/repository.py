"""What the repository's files lack or contradict, found by reading them: which there are, who imports whom, pins."""

import ast
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ..content.overlay import ROOT
from ..content.reference_text import tree
from ..content.tasks import LABS, MODULES

REQUIREMENTS = ("requirements.txt", "grading/requirements.txt", "grading/maintain/requirements.txt")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ROOMS = {"content": (), "judge": ("content",), "classroom": ("content", "judge"), "maintain": ("content", "judge")}


def written() -> list[Path]:
    """Python files that somebody wrote: what `build` makes of the solutions is none."""
    made = {ROOT / f"starter/{module}.py" for module in MODULES.values()}
    folders = (ROOT / name for name in ("solutions", "starter", "grading"))
    return sorted(path for folder in folders for path in folder.rglob("*.py") if path not in made)


def files_are_known() -> Iterator[str]:
    modules = {f"{module}.py" for module in MODULES.values()}
    books = {f"{lab}{suffix}" for lab in LABS for suffix in (".py", ".ipynb")}
    expected = {
        "starter": modules | {"__init__.py", "__main__.py", "support"},
        "solutions": modules | {"__init__.py"},
        "notebooks": books | {"sanitize.cfg"},
    }
    for folder, names in expected.items():
        there = {path.name for path in (ROOT / folder).iterdir() if path.name[0] != "."} - {"__pycache__"}
        yield from (
            f"{folder}/{name} is in no lab of tasks.toml: remove it, or name it there" for name in there - names
        )
        yield from (f"{folder}/{name} is missing" for name in names - there)
    for path in git("ls-files", "--others", "--exclude-standard", "starter/support"):
        yield f"{path} is not in the repository: `git add` it, or remove it: learners would get it"


def git(*words: str) -> list[str]:
    """Lines of what git says of this checkout; none where it is no checkout, or git is not installed."""
    try:
        found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return found.stdout.splitlines()


def requirements() -> Iterator[tuple[str, str]]:
    """Each requirement, and where it stands."""
    for name in REQUIREMENTS:
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            if text := line.split("#")[0].strip():
                yield text, f"{name}, line {number}"


def pin(text: str) -> tuple[str, Version] | None:
    """A package and its version; None when it is not pinned to one."""
    try:
        found = Requirement(text)
        (only,) = found.specifier
        return (found.name.lower(), Version(only.version)) if only.operator == "==" else None
    except ValueError:  # no requirement, none or several conditions, or ==2.*
        return None


def requirements_are_pinned() -> Iterator[str]:
    yield from (f"{where}: {text!r} is not pinned with ==" for text, where in requirements() if not pin(text))
    pins = dict(filter(None, (pin(text) for text, _ in requirements())))
    if "scipy" in pins and pins["scipy"].release >= (1, 18):
        yield "requirements.txt: scipy must stay below 1.18, where clean-fid's sqrtm(disp=...) is gone"
    if {"torch", "torchvision"} - pins.keys():
        yield "requirements.txt: torch and torchvision are pinned together, as a pair"


def requirements_run_on_every_python() -> Iterator[str]:
    """By what the installed packages say of themselves. Whether there are wheels, only an index knows."""
    for text, where in requirements():
        with suppress(InvalidRequirement, PackageNotFoundError):
            wanted = SpecifierSet(str(metadata(Requirement(text).name).json.get("requires_python", "")))
            if lacking := [python for python in PYTHONS if python not in wanted]:
                yield f"{where}: {text} wants Python {wanted}, README promises {', '.join(lacking)}"


def imports_point_one_way() -> Iterator[str]:
    """Lab modules import support and earlier labs; support imports no lab; neither knows solutions or grading."""
    order = list(MODULES.values())
    for path in written():
        where = path.relative_to(ROOT)
        if where.parts[0] == "grading":  # its rooms have an order of their own
            continue
        position = order.index(path.stem) if where.parts[1:] == (f"{path.stem}.py",) and path.stem in order else 0
        for name in imported(path):
            top, second = [*name.split("."), ""][:2]
            home = top == "starter" or top == where.parts[0]
            if (home and second in order[position:]) or (top in ("solutions", "grading") and not home):
                yield f"{where} imports {name}: imports point to support and to earlier labs only"


def rooms_know_each_other_one_way() -> Iterator[str]:
    """content <- judge <- classroom and maintain, which do not know each other."""
    for room, known in ROOMS.items():
        for path in (ROOT / "grading" / room).rglob("*.py"):
            for name in imported(path):
                other = name.removeprefix("grading.").partition(".")[0] if name.startswith("grading.") else room
                if other != room and other not in known:
                    may = f"grading/{room} may know {', '.join(known) or 'no room'}"
                    yield f"{path.relative_to(ROOT)} imports {name}: {may}"


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, and of what it takes from there."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
