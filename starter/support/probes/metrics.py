"""Probes of lab 6: starter/metrics.py."""

from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from ..compare import Arrays
from .core import Draw, alone, case, first, observe, probe, scaled, tensor


@probe("met-1")
def ssim(module: ModuleType, draw: Draw) -> Arrays:
    """Pairs that are alike on the left and not on the right, so that windows differ; faint ones, for the constants."""
    (b,), (c,) = draw.dims("B", low=4, high=5), draw.dims("C", low=2, high=3)
    h, w = draw.dims("H", "W", low=14, high=18)
    shade, right = torch.linspace(0.5, 0.1, h).view(-1, 1), torch.linspace(0, 1, w)
    x = shade + 0.5 * right * draw.uniform(b, c, h, w, low=0, high=1)
    y = (1 - right) * x + right * (0.2 + 0.5 * draw.uniform(b, c, h, w, low=0, high=1))
    bright = {f"brightness of {name}": draw.uniform(b, low=0.7, high=1) for name in "xy"}  # gradients in few numbers

    def of_bright(x: Tensor, y: Tensor, **brightness: Tensor) -> Tensor:
        return module.ssim(*(image * share.view(-1, 1, 1, 1) for image, share in zip((x, y), brightness.values())))

    seen = observe(of_bright, {"x": x, "y": y} | bright, tuple(bright))
    faint = observe(module.ssim, {"x": 0.1 * x, "y": 0.1 * y})
    dark = first({"x": x, "y": 1 - x})
    seen |= case("one example, its negative", observe(module.ssim, dark))
    dark = {name: 0 * image for name, image in dark.items()}
    half = {name: image * (torch.arange(w) > 10) for name, image in {"x": x, "y": y}.items()} | bright  # no root at 0
    seen |= case("extreme: the left half is black", observe(of_bright, half, tuple(bright)))
    return seen | case("faint images", faint) | case("one example, extreme: black images", observe(module.ssim, dark))


@probe("met-2")
def inception_score(module: ModuleType, draw: Draw) -> Arrays:
    """Of every second image the classifier is nearly sure: then the order of mean and exponential shows."""
    (n,), (classes,) = draw.dims("N", low=12, high=16), draw.dims("classes", low=4, high=8)
    labels = torch.nn.functional.one_hot(torch.arange(n) // 2 % classes, classes)
    logits = 3 * labels * (torch.arange(n) % 2).view(-1, 1) + 0.5 * draw.mixed(n, classes)
    seen = observe(module.inception_score, {"probs": logits.softmax(dim=1)})
    labels = torch.from_numpy(draw.rng.permutation(n))  # each its own class; two classes never come
    sure = {"probs": torch.nn.functional.one_hot(labels, n + 2).float()}
    seen |= case("extreme: every probability 0 or 1", observe(module.inception_score, sure))
    return seen | case("one example", observe(module.inception_score, {"probs": logits[:1].softmax(dim=1)}))


@probe("met-3", spared={"one example": "a covariance needs two"})
def mean_and_covariance(module: ModuleType, draw: Draw) -> Arrays:
    (n,), (d,) = draw.dims("N", low=6, high=9), draw.dims("D", low=3, high=5)
    features = draw.mixed(n, d) + draw.mixed(d)
    seen = observe(module.mean_and_covariance, {"features": features})
    fine = {"features": features[:, :2].double()}
    fine["features"][:, 0] += torch.arange(n) * 1e-9  # lost in float32, and so is the type
    seen |= case("two features, float64", observe(module.mean_and_covariance, fine))
    seen |= case("some alike", observe(module.mean_and_covariance, {"features": features.round().clamp(0, 1)}))
    far = observe(module.mean_and_covariance, {"features": features + 1e4})
    single = observe(module.mean_and_covariance, {"features": features[:, :1]})  # torch.cov() of it is a scalar
    seen["mean (one feature)"] = single.get("item 0", np.array("missing"))
    return seen | {"covariance (extreme means)": far.get("item 1", np.array("missing"))}


def symmetric(draw: Draw, eigenvalues: np.ndarray) -> Tensor:
    """A matrix with these eigenvalues, float64, turned at random."""
    turn, _ = np.linalg.qr(draw.rng.normal(size=(len(eigenvalues), len(eigenvalues))))
    return torch.from_numpy(turn @ np.diag(eigenvalues) @ turn.T)


@probe(
    "met-4",
    spared={
        "one example": "it has no batch",
        "extreme": "singular covariances are the far end",
    },
)
def frechet_distance(module: ModuleType, draw: Draw) -> Arrays:
    """Far apart, or close, so that the roots count; for low rank with eigenvalues that rounding left a little below 0.

    Where only the second is one, they are still below 0 in the product: the first has nothing to wipe them out with.
    """
    seen: Arrays = {}
    for kind in ("full rank", "full rank, close", "rank 2 in the first", "rank 1 in the first", "rank 2 in the second"):
        (d,) = draw.dims("D", low=4, high=7)
        inputs: dict[str, Tensor] = {}
        for i, scale in enumerate((1.0, 0.5), 1):
            values = scale * np.geomspace(draw.number(3, 4), draw.number(0.02, 0.05), d)
            if kind.endswith(f"in the {('first', 'second')[i - 1]}"):
                values[int(kind.split()[1]) :] = -1e-11
            inputs |= {
                f"mu_{i}": (1 if kind == "full rank" else 0.15) * draw.mixed(d).double(),
                f"cov_{i}": symmetric(draw, values),
            }
        found = observe(module.frechet_distance, inputs)
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
        if kind == "rank 1 in the first":  # beside which nothing that is added for safety is small
            small = {name: (1e-3 if "mu" in name else 1e-6) * table for name, table in inputs.items()}
            seen |= case("small, in millionths", scaled(observe(module.frechet_distance, small), 1e6))
    single = {name: table[(slice(1),) * table.ndim].abs() for name, table in inputs.items()}
    return seen | case("one feature", observe(module.frechet_distance, single))


@probe("met-5", spared={"one example": "each set needs two", "extreme": "a cube bears what features there are"})
def kid(module: ModuleType, draw: Draw) -> Arrays:
    """In float64, where an estimate near 0 is no mere rounding, the i-th of both alike, and no pair; then far apart."""
    seen: Arrays = {}
    for i in range(3):
        n, m, d = draw.dims("N", "M", "D", low=3, high=6)
        real, fake = draw.mixed(n, d), draw.mixed(m, d) + (1.5 if i == 2 else 1)
        if i < 2:
            fake[:n] += real[:m]
            real, fake = real.double(), fake.double()
        found = observe(module.kid, {"real": real, "fake": fake})
        seen |= {f"{name} ({i + 1}, unequal sets)": value for name, value in found.items()}
    alike = {"real": real.double(), "fake": real.double().flip(0)}  # the same set: always below 0
    single = {"real": alike["real"][:2, :1] / 2, "fake": fake[:, :1].double() / 2}
    return seen | case("sets alike", observe(module.kid, alike)) | case("one feature", observe(module.kid, single))


@probe(
    "met-6",
    spared={
        "one example": "it has no neighbour",
        "extreme": "torch.cdist itself loses digits there",
    },
)
def radii(module: ModuleType, draw: Draw) -> Arrays:
    (n,), (d,), k = draw.dims("N", low=10, high=16), draw.dims("D", low=3, high=6), draw.whole(4, 5)
    inputs = {"features": draw.mixed(n, d)}
    seen = observe(lambda features: module.radii(features, k), inputs)
    nearest = observe(lambda features: module.radii(features, 1), inputs)
    plain = observe(module.radii, inputs)
    twice = {"features": torch.cat([inputs["features"], inputs["features"][:3], inputs["features"][:1]])}
    for k in (1, 2):
        seen |= case(f"some alike, k = {k}", observe(module.radii, twice, k=k))
    others = {"result (k = 1)": nearest, "result (k not given)": plain}
    return seen | {name: alone(found) for name, found in others.items()}


@probe(
    "met-7",
    "radii",
    spared={
        "one example": "it has no neighbour",
        "extreme": "as in met-6",
    },
)
def precision_recall(module: ModuleType, draw: Draw) -> Arrays:
    """Points of two grids half a step apart: no distance between the sets is anywhere near a distance within one.

    In `mixed` sets every second point lies in the middle, so that large balls reach over small ones.
    """
    seen: Arrays = {}
    for kind, k in {"k = 1": 1, "k = 6": 6, "k not given": None, "mixed, k = 1": 1, "mixed, k = 6": 6}.items():
        n, m = draw.dims("N", "M", low=10, high=15)
        outer, inner = (6, 2) if kind.startswith("mixed") else (4, 4)
        step, corner = draw.number(0.3, 0.5), draw.rng.uniform(0.1, 0.2, 3)
        real, fake = (grid(draw, size, outer, inner) for size in (n, m))
        inputs = {"real": tensor(step * real + corner), "fake": tensor(step * (fake + [2.5, 0, 0]) + corner)}
        found = observe(module.precision_recall, inputs, (), **({"k": k} if k else {}))
        seen |= {f"{name} ({kind})": value for name, value in found.items()}
    inputs["real"] = torch.cat([inputs["real"], inputs["real"][:1], inputs["real"][:1]])
    inputs["real"][1, 1] += 20 * step  # it has a large ball, and is in one
    inputs["fake"][0] = inputs["real"][1] + torch.tensor([0, step / 4, 0])
    return seen | case("some alike, unequal sets", observe(module.precision_recall, inputs, k=1))


def grid(draw: Draw, count: int, outer: int, inner: int) -> np.ndarray:
    """Points with three whole coordinates, from -outer to outer or, every second one, from -inner to inner."""
    reach = np.where(np.arange(count) % 2, outer, inner)[:, None]
    return np.round(reach * draw.rng.uniform(-1, 1, (count, 3)))


@probe("met-8", spared={"extreme": "that is its scores' task"})
def evaluation(module: ModuleType, draw: Draw) -> Arrays:
    """Draws of sets of three sizes, with images in common; two of them; at last a single draw, of one example."""
    d, rounds, count = draw.dims("D", "draws", "count", low=4, high=6)
    n, others, m = draw.dims("N", "L", "M", low=7, high=10)
    sets = {"real": draw.mixed(n, d), "others": 1.2 * draw.mixed(others, d), "fake": 0.7 * draw.mixed(m, d) + 0.8}
    rows = [draw.rng.permutation(min(others, m))[:count] for _ in range(rounds)]
    some = torch.from_numpy(np.stack(rows))
    some[0, -1] = some[0, 0]
    if some[1, 0] == some[0, 0]:
        some[1] = some[1].roll(1)  # of two draws that are alike, mean and median are, too
    single = torch.tensor([[draw.whole(1, min(others, m) - 1)]])

    def judged(inputs: dict[str, Tensor]) -> Arrays:
        sizes, graphs = list[tuple[int, int]](), list[bool]()

        def scores(real: Tensor, images: Tensor) -> Tensor:
            """No lab's: more images count as better, and the sets may not be exchanged."""
            sizes.append((len(real), len(images)))
            graphs.append(torch.is_grad_enabled() and images.requires_grad)
            near = (images.mean() - 2 * real.mean()).sin()
            return torch.stack(
                [near + 2 / len(images), (images**2).mean().sqrt() + real.abs().mean(), images[0].sum().cos()]
            )

        def report(**given: Tensor) -> object:
            return module.evaluation(**given, scores=scores)

        found = observe(report, inputs, ("fake", "others"))
        return found | {
            "sizes of what is judged": np.array(sorted(sizes)).ravel(),
            "graphs are recorded": np.array(any(graphs)),
        }

    seen = judged(sets | {"draws": some}) | case("two draws", judged(sets | {"draws": some[:2]}))
    return seen | case("one draw, one example, spread is 0", judged(sets | {"draws": single}))
