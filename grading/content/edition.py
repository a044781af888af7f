"""Which course made something: its version, from pyproject.toml, and the commit of the checkout."""

import subprocess
import tomllib
from functools import cache

from .overlay import ROOT


@cache
def edition() -> str:
    """2.0.0 (9c78f00a5d31), with -dirty behind the commit where files differ from it; where there is no git, 2.0.0."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return f"{version} ({found})" if (found := commit()) else version


def commit() -> str:
    """Always of the same form: tags and the length of short names depend on the clone."""
    if not (ROOT / ".git").exists():  # it may lie in somebody else's repository
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
