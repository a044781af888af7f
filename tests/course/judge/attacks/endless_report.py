"""A report of one gigabyte."""

import os


def cheat(mu, log_var, eps):
    for _ in range(1024):
        os.write(3, bytes(1 << 20))
    return mu
