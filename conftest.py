"""--impl: test the reference (default, so that a fresh clone is green) or your own starter/."""

import contextlib
import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on a busy machine two threads are slower than one
os.environ["TQDM_DISABLE"] = "1"  # as when notebooks are built: a cell prints the same whether it is watched or not
sys.path.insert(0, str(Path(__file__).parent))
from grading.content.overlay import ROOT, overlay  # noqa: E402


def pytest_addoption(parser):
    parser.addoption(
        "--impl", default="reference", choices=["reference", "starter"], help="whose modules: the course's or yours"
    )
    parser.addoption(
        "--without",
        default="",
        metavar="NAMES",
        help="as on a machine that lacks these programs and packages: bwrap,distributed,psycopg",
    )


def pytest_report_header(config):
    if config.getoption("impl") == "starter":
        return "implementation: your own starter/"
    places = [path for folder in ("starter", "work/starter") for path in (ROOT / folder).glob("*.py")]
    filled = sorted(path.relative_to(ROOT).as_posix() for path in places if own_work(path))
    yours = f"; your work in {', '.join(filled)} is not tested here" if filled else ""
    return f"implementation: the reference (your own modules: --impl=starter){yours}"


def own_work(path: Path) -> bool:
    """Does a module of starter/ differ from the blanks that its solution is cut to?"""
    from grading.content.knife import cut

    solution = ROOT / "solutions" / path.name
    if path.name.startswith("_") or not solution.exists():
        return False
    return path.read_text(encoding="utf-8", errors="replace") != cut(solution.read_text(encoding="utf-8"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """After a time-out or a dead kernel nbval only *expects* the cells after it to fail: that must be red."""
    report = (yield).get_result()
    if report.skipped and hasattr(report, "wasxfail") and type(item).__name__ == "IPyNbCell":
        del report.wasxfail
        report.outcome, report.longrepr = "failed", f"{item.name}: not run, an earlier cell of this notebook timed out"


def hidden(names: list[str], folder: Path) -> str:
    """A folder for PYTHONPATH: who has it there, and the PATH set here, finds no program and no package so named."""
    links = folder / "bin"
    links.mkdir(parents=True)
    places = [Path(place) for place in os.environ["PATH"].split(os.pathsep)]
    for program in (program for place in places if place.is_dir() for program in place.iterdir()):
        with contextlib.suppress(FileExistsError):  # the first of a name counts
            program.name in names or (links / program.name).symlink_to(program)
    os.environ["PATH"] = str(links)
    for name in names:
        text = f'raise ModuleNotFoundError("{name} is hidden: pytest --without", name="{name}")\n'
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return str(folder)


def pytest_configure(config):
    """Notebook kernels and xdist workers find the overlay through PYTHONPATH, this process through sys.path."""
    config.addinivalue_line("markers", "tools: of a file that looks for bubblewrap, dask or PostgreSQL")
    for task in tomllib.loads((ROOT / "grading/content/tasks.toml").read_text(encoding="utf-8"))["task"]:
        config.addinivalue_line("markers", f"{task['id'].replace('-', '_')}: {task['statement']}")
    reference, lacking = config.getoption("impl") == "reference", config.getoption("without")
    if not reference and not lacking:
        return
    if not hasattr(config, "workerinput"):
        config.scratch = Path(tempfile.mkdtemp(prefix="reference-"))
        first = [hidden(lacking.split(","), config.scratch / "without")] if lacking else []
        if reference:
            first.append(str(overlay(config.scratch)))
            os.environ["RUNS"] = str(config.scratch / "runs")  # tests leave yours alone
            os.environ["WIDGETS"] = "off"  # stored notebooks hold no buttons, and nobody presses them here
        os.environ["PYTHONPATH"] = os.pathsep.join(first)
    sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)


def pytest_unconfigure(config):
    if hasattr(config, "scratch"):
        shutil.rmtree(config.scratch, ignore_errors=True)
