"""Probes of lab 10: starter/conditional_gan.py."""

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from ..nets import Conv
from .core import Draw, alone, array, case, first, named, observe, probe, tensor, weights
from .gan import Round, whole


def labels(draw: Draw, count: int, n_classes: int) -> Tensor:
    """In no order, backwards all others; at least three different, some twice where there is room; never the last."""
    values = draw.rng.permutation(n_classes - 1)[: max(3, count - 2)]
    y = values[np.arange(count) % len(values)]
    while (np.diff(y) > 0).all() or (y == y[::-1]).sum() > count % 2:
        y = draw.rng.permutation(y)
    return torch.from_numpy(y)


@probe("cgan-1", spared={"extreme": "numbers only get others beside them"})
def generator_input(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim, n_classes = draw.dims("B", "latent_dim", "n_classes", low=4, high=8)
    inputs = {"z": draw.mixed(b, latent_dim), "y": labels(draw, b, n_classes)}
    seen = observe(module.generator_input, inputs, ("z",), n_classes=n_classes)
    wide = {"z": inputs["z"][:1].double(), "y": torch.tensor([n_classes - 1])}
    return seen | case("one example, float64, last class", observe(module.generator_input, wide, n_classes=n_classes))


@probe("cgan-2", spared={"extreme": "numbers only get others beside them"})
def discriminator_input(module: ModuleType, draw: Draw) -> Arrays:
    (b, c, h, w), (n_classes,) = draw.batch(), draw.dims("n_classes", low=7, high=9)
    inputs = {"x": draw.mixed(b, c, h, w), "y": labels(draw, b, n_classes), "maps": draw.mixed(n_classes, h, w)}
    inputs["y"][0] = 0  # the first map learns like all others
    seen = observe(module.discriminator_input, inputs, ("x", "maps"))
    return seen | case("one example", observe(module.discriminator_input, first(inputs, "maps")))


def apart(draw: Draw, real: Tensor) -> Tensor:
    """Features (B, C, L) whose gaps to the real means differ in sign inside of every channel, and between channels."""
    _, c, length = real.shape
    gap = draw.uniform(c, length, low=0.3, high=0.5)
    gap[:, 0] += 1
    gap[0] *= 1.5
    gap *= torch.outer((-1.0) ** torch.arange(c), (-1.0) ** torch.arange(length))
    noise = draw.mixed(*real.shape)
    return noise - noise.mean(dim=0) + real.mean(dim=0) + gap


@probe(
    "cgan-3",
    spared={"extreme": "an absolute value"},
)
def feature_matching_loss(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    real = draw.mixed(b, *sorted((c, h, w))[:2])  # few numbers: each has a share that can be seen
    inputs = {"real_features": real, "fake_features": apart(draw, real)}
    seen = observe(module.feature_matching_loss, inputs, tuple(inputs))
    images = {f"{side}_features": draw.mixed(b, c, h, w) for side in ("real", "fake")}
    single = {name: features[:1].flatten(1) for name, features in images.items()}
    seen |= case("one example (B, D)", observe(module.feature_matching_loss, single))
    return seen | case("(B, C, H, W)", observe(module.feature_matching_loss, images))


@probe("cgan-4", "feature_matching_loss")
def generator_objective(module: ModuleType, draw: Draw) -> Arrays:
    b, layers = draw.dims("B", "layers", low=3, high=4)
    weight: float | None = draw.number(2, 3)
    shapes = [(b, *draw.rng.permutation([1, 2, 3])[: 1 + i % 2].tolist()) for i in range(layers)]
    inputs = {"fake_logits": draw.mixed(b)}
    inputs |= {f"{side} features {i + 1}": draw.mixed(*s) for side in ("real", "fake") for i, s in enumerate(shapes)}
    changing = ("fake_logits", *(name for name in inputs if name.startswith("fake features")))

    def objective(fake_logits: Tensor, **features: Tensor) -> object:
        sides = [[f for name, f in features.items() if name.startswith(side)] for side in ("real", "fake")]
        return module.generator_objective(fake_logits, *sides, **({} if weight is None else {"weight": weight}))

    seen = observe(objective, inputs, changing)
    patches = observe(objective, inputs | {"fake_logits": draw.mixed(b, 2, 3)})
    weight = 0.0
    one = {name: a[:1] for name, a in inputs.items()} | {"fake_logits": torch.tensor([-120.0])}
    seen |= case("one example, extreme logit, weight is 0", observe(objective, one))
    weight = None
    plain = observe(objective, inputs)
    missing = np.array("missing")
    return (
        seen
        | {f"{name} (patches)": patches.get(name, missing) for name in ("loss", "adversarial")}
        | {"loss (weight not given)": plain.get("loss", missing)}
    )


class Judge(nn.Module):
    """A discriminator with a closed form: its logit and its two feature layers depend on image and label."""

    def __init__(
        self, draw: Draw, n_classes: int, shape: tuple[int, ...], judgement: Callable, patches: bool = False
    ) -> None:
        super().__init__()
        self.weight, self.judgement, self.patches = nn.Parameter(draw.mixed(n_classes, *shape)), judgement, patches
        self.bias = nn.Parameter(draw.mixed(shape[0], 1, 1), requires_grad=False) if patches else None  # held

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        turned = x * self.weight[y] if self.bias is None else x * self.weight[y] + self.bias
        logits = turned.sum(dim=1) if self.patches else turned.flatten(1).sum(dim=1)  # (B, H, W), or (B,)
        return self.judgement(logits, [turned.tanh(), turned.square().flatten(1)])


@probe("cgan-5", spared={"extreme": "that is the objective's task"})
def generator_step(module: ModuleType, draw: Draw) -> Arrays:
    """Two steps of an optimiser that remembers; the second with one example and networks in evaluation mode."""
    (b, c, h, w), (n_in, n_classes) = draw.batch(), draw.dims("n_in", "n_classes", low=7, high=9)
    layer = draw.linear(n_in, c * h * w)
    generator = nn.Sequential(layer, nn.Unflatten(1, (c, h, w)), nn.BatchNorm2d(c))
    judge = Judge(draw, n_classes, (c, h, w), module.Judgement)  # whose parts have names
    before, judged = weights(generator), weights(judge)
    optimizer = torch.optim.SGD(generator.parameters(), lr=draw.number(0.03, 0.05), momentum=0.8)
    for weight in generator.parameters():
        weight.grad = draw.mixed(*weight.shape)  # of an earlier step

    def objective(fake_logits: Tensor, real: list[Tensor], fake: list[Tensor]) -> tuple:
        adversarial = (fake_logits - 0.5).square().mean() / fake_logits.numel()
        matching = sum((r.sin() * f.tanh()).sum() / len(r) for r, f in zip(real, fake))  # as loud as the other part
        return module.GeneratorTerms(adversarial + 3 * matching, adversarial, matching)

    inputs = {"h": draw.mixed(b, n_in), "y": labels(draw, b, n_classes), "real": draw.mixed(b, c, h, w)}
    graphs, reached = dict[str, bool](), list[bool]()
    layer.weight.register_hook(lambda gradient: reached.append(True))

    def step(**tensors: Tensor) -> object:
        terms = module.generator_step(generator, judge, optimizer, **tensors, objective=objective)
        graphs.update({name: getattr(term, "requires_grad", None) for name, term in named(terms).items()})
        return terms

    seen = observe(step, inputs)
    seen["change of the generator's weights"] = array(weights(generator) - before)
    seen |= {f"the generator's {name}": array(value) for name, value in generator.named_buffers()}
    seen["a gradient reaches the generator"] = np.array(bool(reached))
    seen["terms still have a graph"] = np.array([bool(graph) for graph in graphs.values()])
    seen["both networks are in training mode"] = np.array([generator.training, judge.training])
    before = weights(generator)
    generator.eval(), judge.eval()
    seen |= case("second step, one example", observe(step, {name: a[:1] for name, a in inputs.items()}))
    seen["change of the generator's weights (second step)"] = array(weights(generator) - before)
    seen["the discriminator's weights are kept"] = np.array(torch.equal(weights(judge), judged))
    seen["evaluation mode is left"] = np.array([not generator.training, not judge.training])
    learns = [weight.requires_grad for net in (generator, judge) for weight in net.parameters()]
    return seen | {"what can learn is as found": np.array(all(learns))}


class Game(Round):
    """Players who know the label, and losses that are nobody's; logits are maps of patches.

    The generator changes with its mode, and one of its weights is held.
    """

    def __init__(self, module: ModuleType, draw: Draw, n_in: int, n_classes: int, shape: tuple[int, ...]) -> None:
        norm = nn.BatchNorm2d(shape[0])
        generator = nn.Sequential(draw.linear(n_in, math.prod(shape)), nn.Unflatten(1, shape), norm, nn.Tanh())
        discriminator = Judge(draw, n_classes, shape, module.Judgement, patches=True)
        rates = {"generator": (0.2, 0.4), "discriminator": (4.0, 8.0)}  # a mean over patches has small slopes
        super().__init__(draw, generator, discriminator, ("generator.2.bias",), rates)
        self.module = module

    def objective(self, fake_logits: Tensor, real_features: list[Tensor], fake_features: list[Tensor]) -> tuple:
        adversarial = 3 * torch.sin(self.b * fake_logits + 0.5).mean()
        pairs = zip(real_features, fake_features)
        matching = sum(((3 * r.mean(dim=0)).sin().detach() * f.mean(dim=0).tanh()).mean() for r, f in pairs)
        return self.module.GeneratorTerms(adversarial + 6 * matching, adversarial, matching)


@probe("cgan-8", spared={"extreme": "that is the losses' task"})
def conditional_step(module: ModuleType, draw: Draw) -> Arrays:
    """Without wrong pairs, then with them; at last one example in evaluation mode, whose wrong label is 0."""
    (b, *shape), (n_in, n_classes) = draw.batch(), draw.dims("n_in", "n_classes", low=7, high=9)
    game, y = Game(module, draw, n_in, n_classes, tuple(shape)), labels(draw, b, n_classes) + 1
    inputs = {"x": draw.uniform(b, *shape), "y": y, "h": draw.mixed(b, n_in)}
    wrong = (y + 1 + torch.arange(b) % 3) % n_classes
    seen = game.played(module.conditional_step, inputs)
    seen |= case("wrong pairs", game.played(module.conditional_step, inputs | {"wrong": wrong}))
    game.eval()
    one = {name: value[:1] for name, value in inputs.items()} | {"wrong": torch.zeros(1, dtype=torch.int64)}
    last = game.played(module.conditional_step, one, training=False)
    return seen | case("one example, evaluation mode, the wrong label is 0", last)


@probe("cgan-6", spared={"extreme": "shares of a count"})
def class_accuracy(module: ModuleType, draw: Draw) -> Arrays:
    """Classes of different sizes. What is chosen has more than half of p once; one wrong sample a class has least.

    Two at least are right in every class; in the largest only two, and fewer others are taken for it than it loses.
    """
    (n_classes,) = draw.dims("n_classes", low=4, high=5)
    counts = draw.rng.permutation(np.arange(n_classes) + 3)
    y = draw.rng.permutation(np.repeat(np.arange(n_classes), counts))
    draw.sizes["N"] = len(y)
    chosen, probs = y.copy(), draw.rng.uniform(0.5, 1, (len(y), n_classes))
    for k, count in enumerate(counts):
        wrong = np.flatnonzero(y == k)[: draw.whole(1 if count < counts.max() else count - 2, count - 2)]
        chosen[wrong] = (k + 1 + np.arange(len(wrong)) % 2) % n_classes
        probs[wrong[0], k] = 0.3
        probs[wrong[1:2], k] = 1.3  # another is nearly right
    probs[np.arange(len(y)), chosen] = 1.4
    probs[np.flatnonzero(y == 0)[-1], 0] = 9
    shares = tensor(probs / probs.sum(axis=1, keepdims=True))
    seen = observe(module.class_accuracy, {"probs": shares, "y": torch.from_numpy(y)})
    some = y != draw.whole(0, n_classes - 1)
    found = alone(observe(module.class_accuracy, {"probs": shares[some], "y": torch.from_numpy(y[some])}))
    seen["nan (a class without samples)"] = np.isnan(found) if found.dtype.kind == "f" else found
    one = {"probs": shares[(y == 0) & (chosen == 0)][:1], "y": torch.tensor([0])}  # the last class has none
    return seen | case("one example", observe(module.class_accuracy, one))


@probe("cgan-7")
def receptive_field(module: ModuleType, draw: Draw) -> Arrays:
    seen = {}
    for i, count in enumerate((3, 4, 5), 1):
        kernels, paddings = draw.rng.integers(2, 6, count), draw.rng.integers(1, 3, count)
        strides = [2, *draw.rng.integers(1, 4, count - 2), draw.whole(2, 3)]
        rows = enumerate(zip(kernels, strides, paddings), 2)
        plan = tuple(Conv(n, n + 1, int(size), int(stride), int(pad)) for n, (size, stride, pad) in rows)
        for name, value in named(module.receptive_field(plan)).items():
            seen[f"{name} of plan {i}"] = whole(value)
    plain = module.receptive_field((Conv(1, 2, draw.whole(3, 5), 1, 0), Conv(2, 3, draw.whole(3, 5), 3, 0)))
    return seen | {f"{name} (stride 1)": whole(value) for name, value in named(plain).items()}
