"""A report without arrays, and the end."""

import os


def cheat(mu, log_var, eps):
    os.write(3, b"A" + bytes(8))
    os._exit(0)
