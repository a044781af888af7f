"""Closed descriptors are opened again under their old numbers."""

import os

for number in range(3):
    os.close(number)
    os.dup2(3, number)
os.write(1, b"A" + bytes(8))


def cheat(mu, log_var, eps):
    return mu
