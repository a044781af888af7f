"""A cluster of other machines grades like this one, and loses nothing when one of them dies."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.classroom.autograde import autograde
from grading.content import known_answers
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.judge import executors
from grading.judge.executors import Cluster

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
