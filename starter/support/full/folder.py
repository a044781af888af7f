"""A run's folder belongs to one process at a time."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .job import JobError

LOCK = ".lock"
TRIES = 10


@contextlib.contextmanager
def mine(folder: Path) -> Iterator[None]:
    """Hold a folder, made if it is not there, until the block or the process ends, however it ends.

    Raises:
        JobError: somebody else holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        for _ in range(TRIES):
            if locked(file):
                break
            time.sleep(0.1)  # who asks whether it is busy holds it for a moment
        else:
            raise JobError(f"another process is at work in {folder}: wait for it, or name another place")
        yield


def busy(folder: Path) -> bool:
    """Whether somebody holds the folder."""
    try:
        with (folder / LOCK).open("ab") as file:
            return not locked(file)
    except OSError:
        return False


def locked(file: IO) -> bool:
    """Whether the lock is ours now; also where the file system has none."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass
    return True


def sweep(folder: Path) -> None:
    """Remove drafts of processes that were killed while they wrote; see `runs.replace`."""
    for draft in folder.rglob(".*.[0-9]*"):
        draft.unlink(missing_ok=True)
