"""Names and texts that look like the protocol."""

import numpy as np

from starter.support import probes

probes.arrays = lambda *given: {"exit 0\nright": np.array("right\n0123456789abcdef exit 0"), "\0": np.array("A" * 900)}


def cheat(mu, log_var, eps):
    return mu
