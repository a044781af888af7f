"""--impl: test the reference (default, so that a fresh clone is green) or your own starter/."""

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
from grading.overlay import ROOT, overlay  # noqa: E402


def pytest_addoption(parser):
    parser.addoption(
        "--impl", default="reference", choices=["reference", "starter"], help="whose modules: the course's or yours"
    )


def pytest_report_header(config):
    if config.getoption("impl") == "starter":
        return "implementation: your own starter/"
    filled = [path.name for path in (ROOT / "starter").glob("*.py") if own_work(path)]
    yours = f"; starter/ holds your work in {', '.join(sorted(filled))}, which is not tested here" if filled else ""
    return f"implementation: the reference (your own modules: --impl=starter){yours}"


def own_work(path: Path) -> bool:
    """Does a module of starter/ differ from the blanks that its solution is cut to?"""
    from grading.knife import cut

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


def pytest_configure(config):
    """Notebook kernels and xdist workers find the overlay through PYTHONPATH, this process through sys.path."""
    for task in tomllib.loads((ROOT / "grading/tasks.toml").read_text(encoding="utf-8"))["task"]:
        config.addinivalue_line("markers", f"{task['id'].replace('-', '_')}: {task['statement']}")
    if config.getoption("impl") == "reference":
        if not hasattr(config, "workerinput"):
            config.overlay = tempfile.mkdtemp(prefix="reference-")
            os.environ["PYTHONPATH"] = str(overlay(Path(config.overlay)))
            os.environ["RUNS"] = str(Path(config.overlay) / "runs")  # tests leave yours alone
        sys.path.insert(0, os.environ["PYTHONPATH"])


def pytest_unconfigure(config):
    if hasattr(config, "overlay"):
        shutil.rmtree(config.overlay, ignore_errors=True)
