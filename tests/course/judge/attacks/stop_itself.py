"""A process that stops and waits to be continued."""

import os
import signal


def cheat(mu, log_var, eps):
    os.kill(os.getpid(), signal.SIGSTOP)
    return mu
