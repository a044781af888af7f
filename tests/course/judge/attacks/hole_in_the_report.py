"""A report that claims a terabyte, by a hole."""

import os


def cheat(mu, log_var, eps):
    os.ftruncate(3, 1 << 40)
    os._exit(0)
