"""Nan, which is unequal to everything, in the hope that nobody compares that way."""


def cheat(mu, log_var, eps):
    return mu * float("nan")
