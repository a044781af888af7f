"""A thread that outlives the answer writes a second report."""

import os
import threading
import time


def later():
    while True:
        time.sleep(0.001)
        os.lseek(3, 0, 0)
        os.write(3, b"A" + bytes(8))


threading.Thread(target=later, daemon=True).start()


def cheat(mu, log_var, eps):
    return mu
