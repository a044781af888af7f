"""Install what the labs need and a host such as Colab lacks: the first cell of docs/installing.md runs this.

What the host has is kept, for its other packages were made for it: torch, too, if it is new enough.
"""

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

PINS = Path(__file__).resolve().parents[1] / "requirements.txt"
PAIR = ("torch", "torchvision")  # made for each other: both are the host's, or both are pinned
IMPORTED = (  # by the labs; the rest of requirements.txt is JupyterLab and tests, which a host has or does without
    "clean-fid",
    "ipywidgets",
    "matplotlib",
    "numpy",
    "pillow",
    "safetensors",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "torchmetrics",
    "tqdm",
)


def pins(text: str) -> dict[str, str]:
    """Distribution -> its version in requirements.txt."""
    asked = [Requirement(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {one.name: next(iter(one.specifier)).version for one in asked}


def to_install(pinned: Mapping[str, str], host: Mapping[str, str]) -> list[str]:
    """What is missing of the host's packages, as pip wants it.

    Args:
        host: distribution, in small letters with dashes -> version.
    """
    fits = all(name in host and Version(host[name]) >= Version(pinned[name]) for name in PAIR)
    missing = [name for name in IMPORTED if name not in host]
    return [f"{name}=={pinned[name]}" for name in (*(() if fits else PAIR), *missing)]


def installed() -> dict[str, str]:
    return {one.name.lower().replace("_", "-"): one.version for one in distributions()}


def main() -> None:
    wanted = to_install(pins(PINS.read_text(encoding="utf-8")), installed())
    if not wanted:
        print("Everything that the labs need is here.")
        return
    print(f"Installing {', '.join(wanted)} ...")
    if subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted]).returncode:
        print("pip has failed, and says above why: run this cell again, or install these yourself.")
    elif "torch" in sys.modules and any(one.startswith("torch==") for one in wanted):
        print("This session has loaded another torch before: restart it, then run all cells.")


if __name__ == "__main__":
    main()
