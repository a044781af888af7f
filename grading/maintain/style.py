"""How the code is written: ruff on all of it, mypy on what pyproject.toml names. Each complaint is FILE:LINE: what."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement

from ..content.overlay import ROOT

TOOLS = "grading/maintain/requirements.txt"
LINES = "--output-format=concise"  # of ruff: a complaint in a line


class LeftOut(Exception):
    """Why a check is not made here, and what to do for it. Who learns or teaches needs none of these."""


def style_is_kept() -> Iterator[str]:
    yield from complaints("ruff", "check", "--quiet", LINES)
    yield from complaints("ruff", "format", "--check", "--quiet", LINES)


def types_agree() -> Iterator[str]:
    yield from complaints("mypy", "--no-error-summary", "--no-color-output", "--no-pretty", "--hide-error-context")


def complaints(tool: str, *arguments: str) -> Iterator[str]:
    """What a tool says of the code.

    Raises:
        LeftOut: it is not installed, or is another one: that would complain of other things.
    """
    pin = pins()[tool]
    if not here(pin):
        raise LeftOut(f"{pin} is not installed: `pip install -r {TOOLS}`")
    run = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=ROOT, capture_output=True, text=True)
    yield from run.stdout.splitlines()
    if run.returncode and not run.stdout.strip():  # it did not get as far as the code
        yield f"{tool}: {(run.stderr.strip().splitlines() or ['it ended without a word'])[-1]}"


def pins() -> dict[str, Requirement]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / TOOLS).read_text(encoding="utf-8").splitlines())
    return {pin.name: pin for pin in map(Requirement, filter(None, lines))}


def here(pin: Requirement) -> bool:
    try:
        return version(pin.name) in pin.specifier
    except PackageNotFoundError:
        return False
