"""The same report once more, behind the honest one."""

import sys

worker = sys.modules["__main__"]
honest = worker.packed
worker.packed = lambda *given: honest(*given) * 2


def cheat(mu, log_var, eps):
    return mu
