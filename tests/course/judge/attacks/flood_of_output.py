"""One gigabyte on stdout and stderr."""

import sys

text = "x" * (1 << 20)
for _ in range(512):
    print(text)
    print(text, file=sys.stderr)


def cheat(mu, log_var, eps):
    return mu
