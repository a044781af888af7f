"""Run benchmarks, and write what they print into docs/measured.md, each with its day and machine: `make bench`.

python tests/bench/record.py                    # all of them
python tests/bench/record.py bench_frechet      # this one; the others' sections stay
python tests/bench/record.py "bench_grading speed"
"""

import os
import platform
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/measured.md"
HEAD = """# Measured

What scripts of `tests/bench` printed, word for word, with the day and the machine. `make bench` writes this page:
nothing in it is typed by hand. Machines differ, so each number stands beside what it is compared with in the same run.
"""
ALL = ("bench_flows", "bench_frechet", "bench_gan", "bench_recipes", "bench_notebooks", "bench_grading")


def machine() -> str:
    found = re.search(r"model name\s*: (.*)", cpuinfo())
    return f"{os.cpu_count()} cores ({found[1] if found else platform.processor() or platform.machine()})"


def cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def sections() -> dict[str, str]:
    """Name -> text of what the page holds."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in text.split("\n## ")[1:]}


def measured(name: str) -> str:
    """
    Raises:
        CalledProcessError: the benchmark fails; it has said why.
    """
    script, *words = name.split()
    command = [sys.executable, str(HERE / f"{script}.py"), *words]
    shown = f"python tests/bench/{script}.py {' '.join(words)}".strip()
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    where = f"{machine()}, Python {platform.python_version()}, torch {version('torch')}"
    return f"`{shown}`, {date.today()}, {where}\n\n```text\n{found.strip()}\n```"


def main(names: list[str]) -> int:
    failed = 0
    for name in names or ALL:
        print(f"{name} ...", flush=True)
        try:
            text = measured(name)
        except subprocess.CalledProcessError as trouble:
            print(f"{name} failed (exit code {trouble.returncode}); its section stays as it was", file=sys.stderr)
            failed += 1
            continue
        kept = sections() | {name: text}
        PAGE.write_text(HEAD + "".join(f"\n## {name}\n\n{kept[name]}\n" for name in sorted(kept)), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
