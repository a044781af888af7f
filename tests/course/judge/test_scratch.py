"""What a killed process leaves on a machine goes when the next one begins, and nothing else does."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.judge import executors, scratch
from grading.judge.scratch import Scratch, sweep

pytest.importorskip("fcntl", reason="this system has no such locks, and nothing is swept")


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "SEMAPHORES", tmp_path / "shm")
    (tmp_path / "shm").mkdir()
    return tmp_path


def elsewhere(place: Path, then: str) -> subprocess.Popen:
    """A process that has a folder below a place, with a file in it."""
    code = "from grading.judge.scratch import Scratch\nown = Scratch().path\n"
    code += "(own / 'file').touch()\nprint(own, flush=True)\n"
    return subprocess.Popen(
        [sys.executable, "-c", code + then],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_folder_is_swept_once_its_process_was_killed_and_not_before(temporary):
    process = elsewhere(temporary, "input()")
    left = Path(process.stdout.readline().strip())
    semaphore = temporary / "shm" / f"sem.{left.name}-abc"
    semaphore.touch()
    sweep()
    assert (left / "file").exists() and semaphore.exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (left / "file").exists()
    with Scratch() as own:
        assert not left.exists() and not semaphore.exists() and own.is_dir()


def test_a_process_that_ends_takes_its_folder_along(temporary):
    out, _ = elsewhere(temporary, "").communicate("")
    assert not Path(out.strip()).exists()


def test_what_is_not_ours_stays(temporary):
    with Scratch() as own:
        (temporary / "grading-file").touch()
        (temporary / "grading-open").mkdir(mode=0o755)
        (temporary / "other-folder").mkdir(mode=0o700)
        (temporary / "target").mkdir(mode=0o700)
        (temporary / "grading-link").symlink_to("target")
        (temporary / "shm/sem.mp-abc").touch()
        before = sorted(temporary.rglob("*"))
        sweep()
        assert sorted(temporary.rglob("*")) == before and own.exists()


def test_a_folder_of_another_user_stays(temporary, monkeypatch):
    (temporary / "grading-other").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    sweep()
    assert (temporary / "grading-other").exists()


POOL = """
import os, sys
from grading.judge.executors import Local
if __name__ == "__main__":
    with Local(1).executor() as (pool, _):
        print(pool.submit(os.getpid).result(), flush=True)
        input()
"""


@pytest.fixture
def short(monkeypatch):
    """A temporary folder in which a socket's path is short enough; pytest's may lie deeper."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_a_temporary_folder_in_which_no_socket_fits_is_one_line(temporary, monkeypatch):
    deep = temporary / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.setattr(executors, "scratch", Scratch)
    with pytest.raises(Mistake, match=r"set TMPDIR to a shorter folder: with .* \d+ bytes too long"):
        executors.with_judges()


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir(), reason="this system keeps named semaphores elsewhere than in /dev/shm"
)
def test_nothing_is_left_of_a_pool_when_all_its_processes_are_killed_at_once(short, monkeypatch):
    temporary = short
    monkeypatch.setattr(scratch, "SEMAPHORES", Path("/dev/shm"))
    (temporary / "pool.py").write_text(POOL)
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(temporary / "pool.py")]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout.readline()
    (folder,) = temporary.glob("grading-*")
    os.killpg(process.pid, signal.SIGKILL)  # the process that would clean up behind the others, too
    process.communicate()
    assert folder.exists() and [*Path("/dev/shm").glob(f"sem.{folder.name}-*")]
    sweep()
    assert not folder.exists() and not [*Path("/dev/shm").glob(f"sem.{folder.name}-*")]
