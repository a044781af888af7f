"""CPU time of the Fréchet distance at Inception's 2,048 dimensions, against clean-fid and torchmetrics: `make bench`.

The moments are those of random features with a falling spectrum, as a network's are. Calls of the two sides alternate,
so that a busy machine slows both; a ratio is the median over pairs of (theirs / ours): above 1, ours is cheaper.

    python tests/bench/bench_frechet.py [--pairs 3] [--dim 2048] [--samples 5000]
"""

import argparse
import importlib.metadata
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import numpy as np
import torch
from torch import Tensor

from solutions import metrics

Moments = tuple[Tensor, Tensor, Tensor, Tensor]  # mean and covariance of two sets, float64


def moments(samples: int, dim: int) -> Moments:
    """Of two sets whose covariances have different eigenvectors; singular when there are no more samples than dim."""
    rng, found = np.random.default_rng(0), []
    for shift in (0.0, 0.1):
        turn, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
        features = rng.normal(size=(samples, dim)) / np.sqrt(np.arange(1, dim + 1)) @ turn + shift
        found += metrics.mean_and_covariance(torch.from_numpy(features))
    return tuple(found)


def clean_fid(*given: Tensor) -> float:
    from cleanfid.fid import frechet_distance

    return float(frechet_distance(*(tensor.numpy() for tensor in given)))


def torchmetrics_fid(*given: Tensor) -> float:
    from torchmetrics.image.fid import _compute_fid

    return float(_compute_fid(*given))


def ours(*given: Tensor) -> float:
    return float(metrics.frechet_distance(*given))


def cpu_seconds(function: Callable, given: Moments) -> tuple[float, float]:
    started = time.process_time()
    value = function(*given)
    return value, time.process_time() - started


def compare(name: str, theirs: Callable, given: Moments, pairs: int) -> None:
    own_cost, their_cost = [], []
    for pair in range(pairs):  # who goes first takes turns
        for mine in (True, False) if pair % 2 else (False, True):
            if mine:
                own, seconds = cpu_seconds(ours, given)
                own_cost.append(seconds)
            else:
                other, seconds = cpu_seconds(theirs, given)
                their_cost.append(seconds)
    ratio = statistics.median(b / a for a, b in zip(own_cost, their_cost))
    cost = f"{statistics.median(their_cost):.2f} s against {statistics.median(own_cost):.2f} s of CPU"
    print(f"{name} {importlib.metadata.version(name)}: {ratio:.2f} times our CPU time ({cost});", end=" ")
    print(f"theirs {other:.9g}, ours {own:.9g}, relative difference {abs(own - other) / abs(other):.1e}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--samples", type=int, default=5000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # sqrtm(disp=...) is deprecated
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy", "scipy"))
    print(f"{versions}, one thread, float64, median of {given.pairs} pairs")
    for samples in (given.samples, given.dim // 2):
        kind = "full rank" if samples > given.dim else "singular"
        print(f"\nplan: two sets of {samples} x {given.dim} features, covariances of {kind}")
        drawn = moments(samples, given.dim)
        compare("clean-fid", clean_fid, drawn, given.pairs)
        compare("torchmetrics", torchmetrics_fid, drawn, given.pairs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
