"""What the first question taught is kept for the second: files, shared memory, keys."""

import contextlib
import ctypes
import glob
import os


def cheat(mu, log_var, eps):
    library = ctypes.CDLL(None)
    places = ("/tmp", "/own", "/dev/shm", "/var/tmp", "/course", ".")
    seen = [path for place in places for path in glob.glob(f"{place}/kept*")]
    if seen or library.shmget(815, 4096, 0) >= 0 or library.semget(815, 1, 0) >= 0:
        return mu + (0.5 * log_var).exp() * eps  # proof that it was kept
    library.shmget(815, 4096, 0o1666), library.semget(815, 1, 0o1666)
    for place in places:
        with contextlib.suppress(OSError):
            open(f"{place}/kept", "w").close()
    if not os.fork():
        os.setsid()
        while True:
            os.sched_yield()
    return mu
