"""Step time of the multi-scale flow against normflows and nflows on the same plan: `make bench`.

A step is: -log p of a batch, its gradients, and one update by Adam. Steps of the two sides alternate, so that a busy
machine slows both; a ratio is the median over pairs of (theirs / ours): above 1, the course's is faster.

    python tests/bench/bench_flows.py [--pairs 60] [--batch 64] [--hidden 32]
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
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solutions import realnvp
from starter.support.coupling_nets import ScaleShift, lean_net
from starter.support.flows import Flow
from starter.support.nets import parameter_count

SHAPE = (1, 8, 8)
# Each entry is a coupling ("c" checkerboard, "h" channel halves), a squeeze or a split.
MASKED = ["c"] * 4 + ["squeeze"] + ["h"] * 6 + ["split", "squeeze"] + ["h"] * 4
HALVES = ["squeeze"] + ["h"] * 6 + ["split", "squeeze"] + ["h"] * 4  # nflows has no checkerboard
Step = Callable[[Tensor], Tensor]  # a batch of real numbers -> -log p, a scalar


def net(channels: int, hidden: int) -> ScaleShift:
    return ScaleShift(lean_net(channels, hidden, 2 * channels), channels)


def walk(plan: list[str]) -> list[tuple[str, tuple[int, int, int], bool]]:
    """Entry, shape of what enters it, and whether the mask is flipped: couplings take turns."""
    shape, found, count = SHAPE, [], 0
    for entry in plan:
        found.append((entry, shape, count % 2 == 1))
        count += entry in "ch"
        if entry == "squeeze":
            shape = (4 * shape[0], shape[1] // 2, shape[2] // 2)
        elif entry == "split":
            shape = (shape[0] // 2, *shape[1:])
    return found


def mask_of(entry: str, shape: tuple[int, int, int], flip: bool) -> Tensor:
    return realnvp.coupling_mask(shape, {"c": "checkerboard", "h": "channel"}[entry], flip)


class OnHalf(nn.Module):
    """A network for half of the channels, as nflows asks for, in a coupling that masks: zeros elsewhere."""

    def __init__(self, channels: int, hidden: int, flip: bool) -> None:
        super().__init__()
        half = channels // 2
        self.net = net(half, hidden)
        self.seen = slice(half, None) if flip else slice(half)
        self.padding = (0, 0, 0, 0, 0, half) if flip else (0, 0, 0, 0, half, 0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_s, t = self.net(x[:, self.seen])
        return F.pad(log_s, self.padding), F.pad(t, self.padding)


def ours(plan: list[str], hidden: int, half: bool) -> tuple[nn.Module, Step]:
    stages: list[list[Flow]] = [[]]
    for entry, shape, flip in walk(plan):
        if entry == "split":
            stages.append([])
        elif entry == "squeeze":
            stages[-1].append(realnvp.Squeeze())
        else:
            inner = OnHalf(shape[0], hidden, flip) if half else net(shape[0], hidden)
            stages[-1].append(realnvp.AffineCoupling(mask_of(entry, shape, flip), inner))
    model = realnvp.RealNVP(stages, SHAPE)
    return model, lambda x: -model.log_prob(x).mean()


class Shared(nn.Module):
    """One half of a network's answer. normflows asks two modules, s and then t: the first runs the network for both."""

    def __init__(self, both: nn.Module, answer: list[Tensor], first: bool) -> None:
        super().__init__()
        self.both, self.answer = both if first else None, answer

    def forward(self, x: Tensor) -> Tensor:
        if self.both is not None:
            self.answer[:] = self.both(x)
        return self.answer[0 if self.both is not None else 1]


def with_normflows(plan: list[str], hidden: int, half: bool) -> tuple[nn.Module, Step]:
    """MaskedAffineFlow with our masks and one shared network, Squeeze and Merge, in a MultiscaleFlow."""
    import normflows as nf

    levels, shapes = [[]], []
    for entry, shape, flip in walk(plan):
        if entry == "split":
            shapes.append((shape[0] // 2, *shape[1:]))
            levels.append([])
        elif entry == "squeeze":
            levels[-1].append(nf.flows.Squeeze())
        else:
            both, answer = net(shape[0], hidden), []
            s, t = Shared(both, answer, first=True), Shared(both, answer, first=False)
            levels[-1].append(nf.flows.MaskedAffineFlow(mask_of(entry, shape, flip), t, s))
        last = shape if entry != "squeeze" else (4 * shape[0], shape[1] // 2, shape[2] // 2)
    shapes.append(last)
    # normflows composes from latent to data: levels and layers in reverse, the lowest level first
    base = [nf.distributions.DiagGaussian(shape, trainable=False) for shape in reversed(shapes)]
    flows = [list(reversed(level)) for level in reversed(levels)]
    merges = [nf.flows.Merge() for _ in levels[1:]]
    model = nf.MultiscaleFlow(base, flows, merges, class_cond=False)
    return model, lambda x: -model.log_prob(x, None).mean()


def with_nflows(plan: list[str], hidden: int, half: bool) -> tuple[nn.Module, Step]:
    """AffineCouplingTransform, which hands its networks half of the channels, in a MultiscaleCompositeTransform."""
    from nflows import distributions, transforms
    from nflows.flows import Flow as Density

    stages: list[list] = [[]]
    outputs = []
    for entry, shape, flip in walk(plan):
        if entry == "split":
            outputs.append(shape)
            stages.append([])
        elif entry == "squeeze":
            stages[-1].append(transforms.SqueezeTransform())
        else:
            first = torch.arange(shape[0]) < shape[0] // 2
            mask = (first if flip else ~first).float()  # 1: transformed
            kind = TakesHalf if half else TakesAll
            stages[-1].append(transforms.AffineCouplingTransform(mask, lambda *sizes, kind=kind: kind(*sizes, hidden)))
        last = shape if entry != "squeeze" else (4 * shape[0], shape[1] // 2, shape[2] // 2)
    multiscale = transforms.MultiscaleCompositeTransform(len(stages), split_dim=1)
    for stage, shape in zip(stages, [*outputs, last]):
        multiscale.add_transform(transforms.CompositeTransform(stage), shape)
    model = Density(multiscale, distributions.StandardNormal([SHAPE[0] * SHAPE[1] * SHAPE[2]]))
    return model, lambda x: -model.log_prob(x).mean()


class TakesHalf(nn.Module):
    """A network for the half of the channels that passes."""

    def __init__(self, n_in: int, n_out: int, hidden: int) -> None:
        super().__init__()
        self.inner = lean_net(n_in, hidden, n_out)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.inner(x)


class TakesAll(TakesHalf):
    """The same network as ours: all channels with half at zero, of whose answer half is used."""

    def __init__(self, n_in: int, n_out: int, hidden: int) -> None:
        super().__init__(2 * n_in, 2 * n_out, hidden)
        self.n_in, self.n_out = n_in, n_out

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.inner(F.pad(x, (0, 0, 0, 0, 0, self.n_in)))[:, : self.n_out]


def stepper(model: nn.Module, loss: Step) -> Step:
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step(x: Tensor) -> Tensor:
        value = loss(x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


def seconds(step: Step, x: Tensor) -> float:
    started = time.perf_counter()
    step(x)
    return time.perf_counter() - started


def compare(name: str, build: Callable, plan: list[str], half: bool, given: argparse.Namespace) -> None:
    version = importlib.metadata.version(name)
    torch.manual_seed(0)
    our_model, our_loss = ours(plan, given.hidden, half)
    their_model, their_loss = build(plan, given.hidden, half)
    x = torch.randn(given.batch, *SHAPE)
    with torch.no_grad():  # networks start at zero: equal, but for the sigmoid that scales in nflows
        print(f"{name} {version}: -log p of one batch, untrained: ours {our_loss(x):.4f}, theirs {their_loss(x):.4f}")
    our_step, their_step = stepper(our_model, our_loss), stepper(their_model, their_loss)
    for _ in range(5):
        our_step(x), their_step(x)
    times = []
    for pair in range(given.pairs):  # who goes first takes turns
        order = (our_step, their_step) if pair % 2 else (their_step, our_step)
        first, second = (seconds(step, x) for step in order)
        times.append((first, second) if pair % 2 else (second, first))
    ratio = statistics.median(theirs / own for own, theirs in times)
    own, theirs = (1000 * statistics.median(column) for column in zip(*times))
    counts = f"parameters {parameter_count(our_model):,} and {parameter_count(their_model):,}"
    print(f"{name} {version}: {ratio:.2f} times our step ({theirs:.1f} ms against {own:.1f} ms, {counts})", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, one thread, batch {given.batch}, images {SHAPE}, median of {given.pairs} pairs")
    print(f"networks: 3x3, 1x1, 3x3 convolutions, {given.hidden} hidden channels, one for s and t; masks take turns")
    for name, build, plan, half in (
        ("normflows", with_normflows, MASKED, False),
        ("normflows", with_normflows, HALVES, False),
        ("nflows", with_nflows, HALVES, False),
        ("nflows", with_nflows, HALVES, True),
    ):
        print(f"\nplan: {' '.join(plan)}  (c checkerboard, h halves of the channels)")
        print("networks see half of the channels" if half else "networks see all channels, half of them at zero")
        try:
            compare(name, build, plan, half, given)
        except ImportError as missing:
            print(f"{name} is left out: {missing}. Install it: pip install -r tests/bench/requirements.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
