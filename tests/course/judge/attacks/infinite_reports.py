"""Arrays of nan and inf under every name that is expected."""

import numpy as np

from starter.support import probes

honest = probes.arrays
probes.arrays = lambda *given: {name: np.full_like(a, np.inf, dtype=np.float32) for name, a in honest(*given).items()}


def cheat(mu, log_var, eps):
    return mu
