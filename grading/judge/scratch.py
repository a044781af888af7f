"""Folders of a process under the system's temporary one, gone when it ends: at the latest when the next one begins.

The process holds a lock on its folder, which the kernel lets go by whatever death. Nothing else says as much: a number
of a process may be another's by now, or of a container that shares the folder and not the numbers.
"""

import atexit
import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is swept there
    fcntl = None  # type: ignore[assignment]  # asked for before it is used

PREFIX = "grading-"
SEMAPHORES = Path("/dev/shm")  # where Linux keeps those that have a name


class Scratch:
    """A folder that nobody else can enter. `name` is free for other things that are to go with it."""

    def __init__(self) -> None:
        sweep()
        self.lock: int | None = None
        while self.lock is None:  # somebody who sweeps may be faster than the lock
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self.lock = locked(self.path)
        atexit.register(self.remove)

    @property
    def name(self) -> str:
        return self.path.name

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        if self.lock is not None:
            atexit.unregister(self.remove)
            removed(self.path)
            os.close(self.lock)
            self.lock = None


def sweep() -> None:
    """Remove what processes of this user left behind that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if fcntl else ():
        if is_ours(path) and (lock := locked(path)) is not None:
            removed(path)
            os.close(lock)


def is_ours(path: Path) -> bool:
    """As mkdtemp makes it: a folder of this user's, closed to everybody else."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
    return False


def locked(path: Path) -> int | None:
    """The lock on a folder; None when somebody else has it, or it is gone."""
    if fcntl is None:
        return os.open(os.devnull, os.O_RDONLY)
    lock = None
    with contextlib.suppress(OSError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), path.lstat()):
            return lock
    if lock is not None:
        os.close(lock)
    return None


def removed(path: Path) -> None:
    for semaphore in SEMAPHORES.glob(f"sem.{path.name}-*"):
        semaphore.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
