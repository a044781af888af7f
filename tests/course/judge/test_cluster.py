"""A cluster of other machines grades like this one, and loses nothing when one of them dies."""

import contextlib
import csv
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.classroom.autograde import autograde
from grading.classroom.changes import course_rules
from grading.classroom.course_folder import Course
from grading.classroom.export import export
from grading.content import known_answers
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.judge import executors
from grading.judge.executors import Cluster, Local

LAB = "02_vae"


def program(name: str, *words: str, path: Path | str = ROOT) -> subprocess.Popen:
    command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *words, "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd="/", env=os.environ | {"PYTHONPATH": str(path)}, **quiet)


def scheduler(address: str) -> subprocess.Popen:
    return program("scheduler", "--host", address, path="")  # it has no checkout of the course


def worker(address: str, path: Path | str = ROOT) -> subprocess.Popen:
    return program("worker", address, "--no-nanny", "--nthreads", "1", "--memory-limit", "0", path=path)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def cluster():
    """A scheduler on loopback with two workers: its address, and their processes."""
    pytest.importorskip("distributed", reason=executors.MISSING)
    address = f"tcp://127.0.0.1:{free_port()}"
    with killed(scheduler(address), worker(address), worker(address)) as started:
        yield address, started[1:]


@contextlib.contextmanager
def killed(*started: subprocess.Popen):
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait(30)


def test_a_worker_that_dies_in_the_middle_costs_nothing(course, needs_jail, cluster, solution, blank, points):
    address, workers = cluster
    wrong = known_answers.changed(solution, known_answers.answers("wrong")["vae-2"][0])
    for i in range(12):
        folder = course.folder("submitted", LAB, f"s{i:02}")
        (folder / "starter").mkdir(parents=True)
        (folder / f"{LAB}.ipynb").write_bytes(course.released(LAB).read_bytes())
        (folder / "starter/vae.py").write_text((solution, blank, wrong)[i % 3])
    said = []

    def say(words: str) -> None:
        said.append(words)
        if len(said) == 2:
            workers[0].kill()

    assert autograde(course, LAB, pool=Cluster(address, 120), limits={"cpu": 10, "wall": 60}, say=say) == 0
    assert said[-1] == "02_vae: 12 of 12 submissions graded."
    with course.gradebook() as gradebook:
        found = sorted((one.student_id, one.score) for one in gradebook.assignment_submissions(LAB))
    assert found == [(f"s{i:02}", (points(), 0, points(without="vae-2"))[i % 3]) for i in range(12)]


RULES = """[partial]
value = 40
shape = 10
corners = 20
[lab.02_vae]
points = { vae-1 = 10 }
bonus = ["vae-3"]
drop = ["vae-4"]
"""


def test_course_toml_makes_the_same_points_with_a_cluster(course, needs_jail, cluster, solution, blank, tmp_path):
    """Three learners, one of them right in part, judged by dask's workers and by this machine's processes."""
    address, _ = cluster
    right = "torch.exp(0.5 * log_var)"
    texts = {"anna": solution, "ben": solution.replace(right, f"{right}.detach()"), "cem": blank}
    assert texts["ben"] != solution
    (course.root / "course.toml").write_text(RULES)
    for name, text in texts.items():
        folder = course.folder("submitted", LAB, name)
        (folder / "starter").mkdir(parents=True)
        (folder / f"{LAB}.ipynb").write_bytes(course.released(LAB).read_bytes())
        (folder / "starter/vae.py").write_text(text)
    shutil.copytree(course.root, tmp_path / "here")
    found = []
    for where, pool in ((course, Cluster(address, 120)), (Course(tmp_path / "here"), Local(1))):
        assert autograde(where, LAB, pool=pool, limits={"cpu": 10, "wall": 60}, say=lambda words: None) == 0
        course_rules(where, True, datetime(2026, 11, 1, tzinfo=UTC), lambda words: None)
        export(where, lambda words: None, partial=True)
        table = csv.DictReader((where.root / "grades.csv").open(encoding="utf-8-sig"))
        found.append({row["student"]: {key: row[key] for key in row if key != "submitted"} for row in table})
    assert found[0] == found[1]
    there = found[0]
    assert [there[name]["vae-1"] for name in texts] == ["10", "7", "0"] and {there[n]["vae-4"] for n in texts} == {""}


def test_a_worker_without_the_course_is_one_line():
    pytest.importorskip("distributed", reason=executors.MISSING)
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        killed(scheduler(address), worker(address, path="")),
        pytest.raises(
            Mistake, match="the worker tcp://127.0.0.1:.* does not find the course: .*PYTHONPATH=. dask worker"
        ),
        Cluster(address, 120).executor(),
    ):
        pass


def test_nobody_at_the_address_is_one_line():
    pytest.importorskip("distributed", reason=executors.MISSING)
    begun = time.monotonic()
    with (
        pytest.raises(Mistake, match="no scheduler answers at tcp://127.0.0.1"),
        Cluster(f"tcp://127.0.0.1:{free_port()}", 1).executor(),
    ):
        pass
    assert time.monotonic() - begun < 60


def test_without_dask_there_is_one_line(course, monkeypatch, capsys, blank):
    folder = course.folder("submitted", LAB, "anna")
    folder.mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "distributed", None)
    words = ["autograde", LAB, "--course", str(course.root), "--cluster", "tcp://127.0.0.1:1"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "pip install -r grading/requirements.txt" in error and error.count("\n") == 1
