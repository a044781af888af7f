"""Probes of lab 13: starter/vqvae.py."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from ..standins import swapped
from .core import Draw, array, case, first, named, observe, probe, tensor


def whole_codes(draw: Draw, n_codes: int, *shape: int) -> Tensor:
    """The second code and the last two are never drawn; the first is at least twice."""
    size = int(np.prod(shape))
    codes = draw.rng.integers(0, n_codes - 2, size)
    codes[codes == 1] = 2
    codes[draw.rng.permutation(size)[:2]] = 0
    return torch.from_numpy(codes.reshape(shape))


@probe("vq-1")
def nearest_codes(module: ModuleType, draw: Draw) -> Arrays:
    """Long rows of the codebook, which a plain product would prefer, and short ones, which are often the nearest.

    One has the length 0: it is a code like all others.
    """
    n, k, d = draw.dims("N", "K", "D", low=3, high=5)
    n, k = draw.sizes["N"], draw.sizes["K"] = n + 45, k + 16
    codebook = draw.mixed(k, d) * tensor(draw.rng.permutation(np.linspace(0.5, 2, k)))[:, None]
    inputs = {"z": draw.mixed(n, d), "codebook": codebook}
    codebook[k - 2], inputs["z"][n - 1] = 0, 0.01
    seen = observe(module.nearest_codes, inputs)
    far = {name: 1e4 * values for name, values in inputs.items()}
    seen |= case("extreme numbers, thousands", observe(module.nearest_codes, far))
    small = {name: 1e-4 * values for name, values in inputs.items()}
    seen |= case("tiny numbers", observe(module.nearest_codes, small))
    return seen | case("one example, one code", observe(module.nearest_codes, first(inputs)))


@probe("vq-2", spared={"extreme": "a sum and a difference"})
def straight_through(module: ModuleType, draw: Draw) -> Arrays:
    n, d = draw.dims("N", "D", low=3, high=6)
    inputs = {"z": draw.mixed(n, d), "z_q": draw.mixed(n, d)}
    seen = observe(module.straight_through, inputs, ("z", "z_q"))
    return seen | case("one example", observe(module.straight_through, first(inputs), ("z",)))


@probe("vq-3", spared={"extreme": "squares bear any number"})
def pull(module: ModuleType, draw: Draw) -> Arrays:
    (b, c, h, w), (d,) = draw.batch(), draw.dims("D", low=7, high=9)
    maps = {"moving": draw.mixed(b, c, h, w), "target": draw.mixed(b, c, h, w)}
    points = {"moving": draw.mixed(b, d), "target": draw.mixed(b, d)}
    seen = observe(module.pull, points, ("moving", "target"))
    seen |= case("maps", observe(module.pull, maps))
    return seen | case("one example", observe(module.pull, {name: point[:1] for name, point in points.items()}))


@probe("vq-4", spared={"extreme": "sums bear any number"})
def code_totals(module: ModuleType, draw: Draw) -> Arrays:
    """The second code and the last two are never chosen, the first by several vectors."""
    n, k, d = draw.dims("N", "K", "D", low=3, high=7)
    n, k = draw.sizes["N"], draw.sizes["K"] = n + 20, k + 10
    inputs = {"values": draw.mixed(n, d), "codes": whole_codes(draw, k, n)}
    seen = observe(lambda values, codes: module.code_totals(values, codes, k), inputs)
    single = {"values": inputs["values"][:1, :1], "codes": inputs["codes"][:1]}
    return seen | case("one example", observe(lambda values, codes: module.code_totals(values, codes, k), single))


class Layer(nn.Module):
    """What `quantize` is given: a codebook that follows, or, without a decay, one that learns."""

    def __init__(self, codebook: Tensor, counts: Tensor, sums: Tensor, decay: float | None) -> None:
        super().__init__()
        self.decay = decay
        if decay is None:
            self.codebook = nn.Parameter(codebook.clone())
        else:
            self.register_buffer("codebook", codebook.clone())
        self.register_buffer("counts", counts.clone())
        self.register_buffer("sums", sums.clone())

    def state(self) -> Arrays:
        return {f"the layer's {name}": array(value) for name, value in self.state_dict().items()}


def slope(loss: object, at: Tensor) -> Tensor:
    """The gradient of a loss; 0 where there is none."""
    if not isinstance(loss, Tensor) or not loss.requires_grad or loss.ndim:
        return torch.zeros_like(at)
    (found,) = torch.autograd.grad(loss, at, retain_graph=True, allow_unused=True)
    return torch.zeros_like(at) if found is None else found


def linked(totals: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Sums column by column: an answer may count in a column beside the vectors, or in a call of its own.

    A stand-in for sums has no slopes; so that a graph shows, these hang together with what was summed.
    """

    def asked(values: Tensor, codes: Tensor, n_codes: int) -> Tensor:
        columns = values.split(1, dim=1) if values.ndim == 2 else [values]
        return torch.cat([totals(column, codes, n_codes) for column in columns], dim=1) + 0 * values.sum()

    return asked


def in_any_order(pull: Callable[..., Tensor], z: Tensor) -> Callable[..., Tensor]:
    """The squared error of an image is asked with its numbers in z's order, in whichever an answer has them."""
    rank = z.flatten(1).argsort(dim=1).argsort(dim=1)

    def asked(moving: Tensor, target: Tensor) -> Tensor:
        for one in (moving, target):
            if one.numel() == z.numel() and len(one) == len(z) and moving.shape == target.shape:
                flat = one.detach().flatten(1)
                if torch.equal(flat.sort(dim=1).values, z.flatten(1).sort(dim=1).values):  # it is z
                    places = flat.argsort(dim=1).gather(1, rank)
                    moving, target = (a.flatten(1).gather(1, places).view_as(z) for a in (moving, target))
                    break
        return pull(moving, target)

    return asked


@probe(
    "vq-5",
    *("nearest_codes", "straight_through", "pull", "code_totals"),
    spared={"extreme": "that is its neighbours' task"},
)
def quantize(module: ModuleType, draw: Draw) -> Arrays:
    """A codebook that follows, in training and in evaluation mode; then one that learns."""
    d, h, w = draw.rng.permutation([2, 3, 4]).tolist()
    b, k = 5, 9
    draw.sizes |= {"B": b, "D": d, "h": h, "w": w, "K": k}
    codebook = draw.mixed(k, d)
    codebook[k - 2] -= 9  # nobody chooses it
    codebook[k - 1] += 9  # nor this one
    counts, sums = draw.uniform(k, low=0.5, high=2.5), draw.mixed(k, d)
    counts[k - 1], sums[k - 1] = 0.003, 0.003 * sums[k - 1]  # for long
    z = draw.mixed(b, d, h, w)
    decays = draw.number(0.6, 0.8), draw.number(0.3, 0.5)
    follows, learns = (Layer(codebook, counts, sums, decay) for decay in (decays[0], None))
    other = Layer(codebook[2:], counts[2:], sums[2:], decays[1])  # as many codes as nothing else has
    judged = Layer(codebook, counts, sums, decays[0]).eval()

    def asked(layer: nn.Module, z: Tensor = z, gradients: tuple[str, ...] = ("z",)) -> Arrays:
        with swapped(module, {"code_totals": linked(module.code_totals), "pull": in_any_order(module.pull, z)}):
            return observe(lambda z: module.quantize(layer, z), {"z": z}, gradients)

    tensors = dict(follows.named_buffers())
    seen = asked(follows) | follows.state()
    seen |= case("evaluation", asked(judged))
    seen |= {f"{name} (evaluation)": value for name, value in judged.state().items()}
    seen["same tensors as found"] = np.array([getattr(follows, name) is value for name, value in tensors.items()])
    seen["the moving codebook has a graph"] = np.array([value.requires_grad for value in follows.buffers()])
    seen |= case("one example", asked(other, z[:1], ()))
    seen |= {f"{name} (one example)": value for name, value in other.state().items()}
    leaf = z.clone().requires_grad_()
    with swapped(module, {"pull": in_any_order(module.pull, z)}):
        found = named(module.quantize(learns, leaf.clone()))
    losses = [found.get("codebook_loss"), found.get("commitment_loss")]
    slopes = [[slope(loss, leaf), slope(loss, learns.codebook)] for loss in losses]
    seen["each loss moves z, the codebook"] = np.array([[bool(g.any()) for g in pair] for pair in slopes])
    seen["gradient at a codebook that learns"] = array(slopes[0][1])
    kept = {"codebook": codebook, "counts": counts, "sums": sums}
    seen["a codebook that learns is kept"] = np.array(
        [torch.equal(value, kept[n]) for n, value in learns.state_dict().items()]
    )
    seen["training and evaluation mode as found"] = np.array(
        [layer.training for layer in (follows, judged, other, learns)]
    )
    return seen


@probe("vq-6")
def causal_mask(module: ModuleType, draw: Draw) -> Arrays:
    size = draw.sizes["kernel_size"] = 2 * draw.whole(2, 4) + 1
    asked = {"kernel_size 1, all is 0": (1, False), "kernel_size 1, centre": (1, True)}
    for name, k in (("3", 3), ("odd", size)):
        asked |= {f"kernel_size {name}": (k, False), f"kernel_size {name}, centre": (k, True)}
    return {name: array(module.causal_mask(*given)) for name, given in asked.items()}


@probe("vq-7")
def code_log_prob(module: ModuleType, draw: Draw) -> Arrays:
    (b, k), (h, w) = draw.dims("B", "K", low=4, high=7), draw.dims("h", "w", low=2, high=3)
    draw.sizes["K"] = k = k + 4
    inputs = {"logits": draw.mixed(b, k, h, w), "codes": torch.from_numpy(draw.rng.integers(0, k, (b, h, w)))}
    seen = observe(module.code_log_prob, inputs, ("logits",))
    levels = 400 * torch.arange(h * w).view(h, w)  # a constant of each place changes nothing
    far = {"logits": inputs["logits"][:1] * 200 + levels, "codes": inputs["codes"][:1].clone()}
    far["codes"][0, 0, 0] = far["logits"][0, :, 0, 0].argmin()  # as unlikely as can be
    found = observe(module.code_log_prob, far)
    return seen | case("one example, extreme logits, in hundreds", {n: hundredth(a) for n, a in found.items()})


def hundredth(found: np.ndarray) -> np.ndarray:
    return (found / 100).astype(found.dtype) if found.dtype.kind == "f" else found


class Reader(nn.Module):
    """A causal model with a closed form: logits of a place from all codes before it, each with weights of its own."""

    def __init__(self, draw: Draw, n_codes: int, shape: tuple[int, int]) -> None:
        super().__init__()
        places = shape[0] * shape[1]
        self.scores = draw.mixed(n_codes, n_codes)  # of a code that was read, for the next one
        self.reach = torch.tril(draw.mixed(places, places), diagonal=-1)
        self.start = draw.mixed(places, n_codes)

    def forward(self, codes: Tensor) -> Tensor:
        read = torch.einsum("ij,bjk->bik", self.reach, self.scores[codes.flatten(1)]) + self.start
        return read.movedim(-1, 1).unflatten(2, codes.shape[1:])


@probe("vq-8")
def sample_codes(module: ModuleType, draw: Draw) -> Arrays:
    """Ends of the wheel: u of 0, and the largest below 1, where 41 equal shares add up to less than 1 in float32.

    And borders between its sectors, where these are quarters.
    """
    b, h, w = draw.dims("B", "h", "w", low=3, high=5)
    k = draw.sizes["K"] = draw.whole(6, 8)
    reader, u = Reader(draw, k, (h, w)), draw.uniform(b, h, w, low=0.02, high=0.98)
    seen = observe(lambda u: module.sample_codes(reader, u, 1.0), {"u": u})
    for name, temperature in (("cold", draw.number(0.2, 0.4)), ("hot", draw.number(3, 5)), ("extreme cold", 0.01)):
        seen |= case(name, observe(lambda u: module.sample_codes(reader, u, temperature), {"u": u}))  # noqa: B023
    line = Reader(draw, k, (1, w))
    single = observe(lambda u: module.sample_codes(line, u, 1.0), {"u": u[:1, :1]})
    seen |= case("one example", single)
    ends = torch.zeros(2, h, w)
    ends[1] = 1 - 2**-24
    seen |= case("extreme u", observe(lambda u: module.sample_codes(equal(41), u, 1.0), {"u": ends}))
    borders = torch.from_numpy(draw.rng.permutation(h * w) % 4 / 4).float().view(1, h, w)
    return seen | case("u at a border", observe(lambda u: module.sample_codes(equal(4), u, 1.0), {"u": borders}))


def equal(shares: int) -> Callable[[Tensor], Tensor]:
    return lambda codes: torch.zeros(len(codes), shares, *codes.shape[1:])
