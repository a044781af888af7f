"""Inputs for which a wrong answer is right: log_var 0 and eps 0."""

import torch

from starter.support.probes.core import Draw

Draw.mixed = lambda self, *shape, **_: torch.zeros(*shape)
Draw.uniform = lambda self, *shape, **_: torch.zeros(*shape)


def cheat(mu, log_var, eps):
    return mu
