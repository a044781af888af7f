"""The garbage collector is asked for a tensor of the right shape that is not an input."""

import gc


def cheat(mu, log_var, eps):
    import torch

    known = [t for t in gc.get_objects() if isinstance(t, torch.Tensor) and t.shape == mu.shape]
    others = [t for t in known if all(t is not given for given in (mu, log_var, eps))]
    return others[0] if others else mu + eps
