"""--impl: test the reference (default, so that a fresh clone is green) or your own starter/."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on a busy machine two threads are slower than one
sys.path.insert(0, str(Path(__file__).parent))
from grading.overlay import ROOT, overlay  # noqa: E402


def pytest_addoption(parser):
    parser.addoption(
        "--impl", default="reference", choices=["reference", "starter"], help="whose modules: the course's or yours"
    )


def pytest_report_header(config):
    ours = "the reference (your own modules: --impl=starter)"
    return f"implementation: {ours if config.getoption('impl') == 'reference' else 'your starter/'}"


def pytest_configure(config):
    """Notebook kernels and xdist workers find the overlay through PYTHONPATH, this process through sys.path."""
    import tomllib

    for task in tomllib.loads((ROOT / "grading/tasks.toml").read_text(encoding="utf-8"))["task"]:
        config.addinivalue_line("markers", f"{task['id'].replace('-', '_')}: {task['statement']}")
    if config.getoption("impl") == "reference":
        if not hasattr(config, "workerinput"):
            config.overlay = tempfile.mkdtemp(prefix="reference-")
            os.environ["PYTHONPATH"] = str(overlay(Path(config.overlay)))
        sys.path.insert(0, os.environ["PYTHONPATH"])


def pytest_unconfigure(config):
    if hasattr(config, "overlay"):
        shutil.rmtree(config.overlay, ignore_errors=True)
