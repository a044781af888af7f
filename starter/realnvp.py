"""Lab 5: RealNVP. A network that can be run backwards, and therefore knows the exact density of real numbers.

forward goes from data to latent, inverse back; log_det is that of the map just taken, shape (B,). Mask value 1 passes
through. Images x are float32 (B, C, H, W) in [0, 1], whole grey levels k / (levels - 1).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from starter.support.coupling_nets import BoundedPair, Net, ScaleShift, UnboundedPair, plain_net
from starter.support.flows import Flow, check_finite, same_shape

from .vae import importance_weighted_bound, log_normal

Shape = tuple[int, int, int]  # C, H, W
ScaleShiftNet = Callable[[Tensor], tuple[Tensor, Tensor]]  # masked x -> log s, t, each of x's shape


def coupling_mask(shape: Shape, kind: str, flip: bool = False) -> Tensor:
    """Which numbers of an image pass a coupling unchanged (1), and which it transforms (0).

    "checkerboard": mask[c, i, j] = (i + j) mod 2, the same for every channel
    "channel": 1 for the first C // 2 channels, 0 for the others

    Args:
        shape: (C, H, W) of one image.
        kind: "checkerboard" or "channel".
        flip: exchange 0 and 1, for every other coupling.

    Returns:
        The mask, float32, shape (C, H, W).

    Raises:
        ValueError: an unknown kind, or a channel mask for one channel.

    Source: Dinh et al. 2017, "Density estimation using Real NVP", section 3.4.
    """
    channels, height, width = shape
    if kind not in ("checkerboard", "channel"):
        raise ValueError(f'kind must be "checkerboard" or "channel", not {kind!r}')
    if kind == "channel" and channels < 2:
        raise ValueError(f"a channel mask halves the channels, and shape {tuple(shape)} has {channels}: squeeze first")
    # TODO nvp-1: both kinds as 0s and 1s of the image's shape, then flip them where asked.
    raise NotImplementedError("nvp-1")  # YOUR CODE HERE


def coupling_forward(x: Tensor, mask: Tensor, net: ScaleShiftNet) -> tuple[Tensor, Tensor]:
    """Scale and shift the numbers where the mask is 0, by functions of those where it is 1.

    z = mask * x + (1 - mask) * (x * exp(log s) + t),  (log s, t) = net(mask * x)

    dz/dx is triangular once the passing numbers come first, so its determinant is the product of its diagonal.

    Args:
        x: shape (B, ...).
        mask: 0s and 1s of the shape of one example.
        net: gives log s and t of x's shape; what it says where the mask is 1 must not count.

    Returns:
        z of x's shape, and log_det = log |det dz/dx|, shape (B,).

    Source: Dinh et al. 2017, sections 3.3 (the determinant) and 3.4 (the layer).
    """
    # TODO nvp-2: ask the net, transform the free numbers, and sum log s over them for each example.
    raise NotImplementedError("nvp-2")  # YOUR CODE HERE


def coupling_inverse(z: Tensor, mask: Tensor, net: ScaleShiftNet) -> tuple[Tensor, Tensor]:
    """Undo coupling_forward, without inverting the net.

    x = mask * z + (1 - mask) * (z - t) * exp(-log s),  (log s, t) = net(mask * z)

    Where the mask is 1, z equals x: the net gets the same input as on the way in, and says the same.

    Args:
        z: shape (B, ...).
        mask, net: those of the forward direction.

    Returns:
        x of z's shape, and log_det = log |det dx/dz|, shape (B,).

    Source: Dinh et al. 2017, section 3.3.
    """
    # TODO nvp-3: the same net, the two steps undone in the opposite order, and the log_det of this direction.
    raise NotImplementedError("nvp-3")  # YOUR CODE HERE


def squeeze(x: Tensor, inverse: bool = False) -> Tensor:
    """Trade rows and columns for channels: every 2x2 block of a channel becomes 4 channels, and back.

    out[b, 4 * c + 2 * i + j, h, w] = x[b, c, 2 * h + i, 2 * w + j],  i, j in {0, 1}

    Only the places change: log_det is 0.

    Args:
        x: shape (B, C, H, W); with `inverse`, (B, 4 * C, H / 2, W / 2).
        inverse: put the blocks back together.

    Returns:
        Shape (B, 4 * C, H / 2, W / 2); with `inverse`, (B, C, H, W).

    Raises:
        ValueError: an odd height or width; with `inverse`, a number of channels that 4 does not divide.

    Source: Dinh et al. 2017, section 3.6.
    """
    b, c, h, w = x.shape
    if not inverse and (h % 2 or w % 2):
        raise ValueError(f"x {tuple(x.shape)} cannot be squeezed: H = {h} and W = {w} must be even")
    if inverse and c % 4:
        raise ValueError(f"x {tuple(x.shape)} was never squeezed: 4 does not divide its {c} channels")
    # TODO nvp-4: cut H and W into (H / 2, 2) and (W / 2, 2), move the 2s beside the channels, merge; and the way back.
    raise NotImplementedError("nvp-4")  # YOUR CODE HERE


def dequantize(x: Tensor, u: Tensor, levels: int, alpha: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Spread every grey level over an interval, and the interval (0, 1) over the real line.

    k = (levels - 1) * x,  v = (k + u) / levels,  p = alpha + (1 - 2 alpha) v,  z = log p - log(1 - p)

    log_det = log |det dz/du| = sum_i [ -log levels + log(1 - 2 alpha) - log p_i - log(1 - p_i) ]

    The volume of u's unit cube is 1, so log p(z) + log_det, averaged over u, is a lower bound on log P(x).

    Args:
        x: images of whole grey levels in [0, 1], shape (B, C, H, W).
        u: noise in [0, 1), the same shape.
        levels: how many grey levels x has: 17 for the digits, 256 for MNIST.
        alpha: keeps p away from 0 and 1, where the logit is infinite.

    Returns:
        z of x's shape, and log_det, shape (B,).

    Raises:
        ValueError: the shapes differ, x leaves [0, 1], or its pixels are not whole grey levels.

    Source: Dinh et al. 2017, section 4.1 (the logit); Theis et al. 2016, "A note on the evaluation of generative
    models", section 3.1 (the bound).
    """
    same_shape(x=x, u=u)
    check_finite(x=x)
    if len(outside := x[(x < 0) | (x > 1)]):
        raise ValueError(
            f"x must lie in [0, 1]: {len(outside)} of its {x.numel()} pixels do not; one is {outside[0]:.4g}"
        )
    k = ((levels - 1) * x).round()
    if (off := ((levels - 1) * x - k).abs().max().item()) > 0.01:
        raise ValueError(f"levels={levels} does not fit x: a pixel is {off:.2f} of a level away from the nearest one")
    # TODO nvp-5: three maps from u to z; log_det sums the logarithm of all their slopes over an image.
    raise NotImplementedError("nvp-5")  # YOUR CODE HERE


def quantize(z: Tensor, levels: int, alpha: float = 1e-5) -> Tensor:
    """Back from the real line to whole grey levels: the inverse of dequantize, whatever u was.

    v = (sigmoid(z) - alpha) / (1 - 2 alpha),  x = floor(levels * v) / (levels - 1)
    """
    v = (torch.sigmoid(z) - alpha) / (1 - 2 * alpha)
    return (levels * v).floor().clamp(0, levels - 1) / (levels - 1)


class Split(NamedTuple):
    """What becomes of an image half-way through a multi-scale flow."""

    kept: Tensor  # goes on through the flow, (B, C / 2, H, W)
    z: Tensor  # is latent from here on, (B, C / 2, H, W)
    log_prob: Tensor  # log N(z; 0, I) in nats, (B,)


def split(h: Tensor) -> Split:
    """Let the first half of the channels go on, make the second half latent, and charge its prior term.

    log N(z; 0, I) = -1/2 sum_i (z_i^2 + log 2 pi)

    Half of the numbers skip the couplings that follow: less to compute, and latents of two scales.

    Args:
        h: shape (B, C, H, W).

    Returns:
        Split(kept, z, log_prob).

    Raises:
        ValueError: an odd number of channels.

    Source: Dinh et al. 2017, section 3.6.
    """
    if h.shape[1] % 2:
        raise ValueError(f"h {tuple(h.shape)} cannot be split: its {h.shape[1]} channels have no halves; squeeze first")
    # TODO nvp-6: halve the channels; the log-density of the second half, one number per example.
    raise NotImplementedError("nvp-6")  # YOUR CODE HERE


def bits_per_dim(log_prob: Tensor, shape: Shape) -> Tensor:
    """How many bits a code for the image needs, for each of its numbers.

    A code that is made for P spends minus the logarithm of P(x) to the base 2 on an image: so many bits. Divided among
    all numbers of the image, those of every channel, they are its bits per dimension.

    A uniform guess over all grey levels costs log2(levels): 4.09 for 17, 8 for 256.

    Args:
        log_prob: log P(x) in nats, dequantization included, shape (B,).
        shape: (C, H, W) of one image.

    Returns:
        Bits per dimension, shape (B,).

    Source: Papamakarios et al. 2017, "Masked autoregressive flow".
    """
    # TODO nvp-7: nats to bits, an image to one of its numbers, and a sign.
    raise NotImplementedError("nvp-7")  # YOUR CODE HERE


def variational_noise(
    x: Tensor, u: Tensor, flow: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Bend uniform noise into the noise that suits each image, and say how likely it is.

    a = logit(u),  (b, log_det) = flow(a, x),  u' = sigmoid(b)

    log q(u' | x) = log sigmoid'(a) - log_det - log sigmoid'(b),  sigmoid'(a) = sigmoid(a) sigmoid(-a)

    Each term is a log-determinant: q(u') is the density 1 of u, divided by the stretching on the way to u'. A flow that
    changes nothing gives u' = u and log q = 0, plain uniform dequantization.

    Args:
        x: images in [0, 1], shape (B, C, H, W).
        u: uniform noise strictly inside (0, 1), the same shape.
        flow: (a, x) -> (b, log_det), a flow of a that knows x; log_det shape (B,).

    Returns:
        u' in [0, 1], shape (B, C, H, W), and log q(u' | x) in nats, shape (B,).

    Raises:
        ValueError: the shapes differ.

    Source: Ho et al. 2019, "Flow++", section 3.1.
    """
    same_shape(x=x, u=u)
    # TODO nvp-8: three maps in a row, and minus the sum of their log-determinants (large b: logsigmoid is stable).
    raise NotImplementedError("nvp-8")  # YOUR CODE HERE


class Encoded(NamedTuple):
    """An example on the other side of a multi-scale flow."""

    z: Tensor  # the latents of all scales, flat, (B, D)
    log_det: Tensor  # of the whole way, (B,)
    log_prior: Tensor  # log p(z) in nats, (B,)


def encode(
    stages: Sequence[Sequence[Flow]],
    x: Tensor,
    leave: Callable[[Tensor], Split] = split,
    log_density: Callable[[Tensor], Tensor] = log_normal,
) -> Encoded:
    """Build it: a flow of several scales, from data to latents. No formula here, only what must hold.

    - The layers of a stage follow one another, and so do the stages.
    - On the way from one stage to the next, and only there, numbers leave by `leave`: some become latent and have paid
      for that, the kept ones go on. What is left after the last stage is latent, too, and pays by `log_density`.
    - z holds all latents, flat, in the order in which they become latent: as many numbers as x has.
    - log_det counts every layer once, log_prior every latent once; both keep one number per example.
    - One stage is a flow without scales; then nothing leaves, and examples may be points (B, D). A stage may be empty.
    - Gradients reach x and the layers.

    `RealNVP.inverse` below is the way back, and given.

    Args:
        stages: flows in the order in which they are met, at least one stage; layer(h) gives (h, log_det).
        x: examples, shape (B, C, H, W) or (B, D).
        leave: split, or another that halves something else.
        log_density: log_normal, or another; flat latents (B, D) -> nats (B,).

    Returns:
        Encoded(z, log_det, log_prior).

    Raises:
        ValueError: no stages.

    Source: Dinh et al. 2017, section 3.6.
    """
    if not len(stages):
        raise ValueError("stages must hold at least one stage, not 0")
    # TODO nvp-9: let x go through the stages; collect what leaves, and three sums over the way.
    raise NotImplementedError("nvp-9")  # YOUR CODE HERE


class AffineCoupling(Flow):
    """coupling_forward and coupling_inverse with a mask and a network; `context` channels are shown to the network."""

    def __init__(self, mask: Tensor, net: nn.Module) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.net = net

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return coupling_forward(x, self.mask, self.knowing(context))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return coupling_inverse(z, self.mask, self.knowing(context))

    def knowing(self, context: Tensor | None) -> ScaleShiftNet:
        return self.net if context is None else lambda h: self.net(torch.cat([h, context], dim=1))


class Squeeze(Flow):
    """squeeze as a layer."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return squeeze(x), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return squeeze(z, inverse=True), z.new_zeros(len(z))


class FlowTerms(NamedTuple):
    """Terms of the negative log-likelihood: nats for points, bits per dimension for images."""

    loss: Tensor  # the sum of the others
    prior: Tensor  # -log p(z)
    volume: Tensor  # -log_det, dequantization included
    noise: Tensor  # log q(u | x); 0 for uniform noise


class RealNVP(Flow):
    """Stages of flow layers; between two stages half of the channels leave. Latents are flat: z is (B, D).

    shape: of one example, (C, H, W) or (D,).
    """

    def __init__(self, stages: list[list[Flow]], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.ModuleList(stage) for stage in stages)
        self.shape = tuple(shape)

    def encode(self, x: Tensor) -> Encoded:
        check_finite(x=x)
        return encode(self.stages, x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det, _ = self.encode(x)
        return z, log_det

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        latents, log_det = self.unpacked(z), z.new_zeros(len(z))
        h = latents.pop()
        for i, stage in reversed(list(enumerate(self.stages))):
            for layer in reversed(stage):
                h, own_log_det = layer.inverse(h)
                log_det = log_det + own_log_det
            h = torch.cat([h, latents.pop()], dim=1) if i else h
        return h, log_det

    def unpacked(self, z: Tensor) -> list[Tensor]:
        """Flat latents (B, D) in the shapes that the stages gave them."""
        shapes, shape = [], self.shape
        for i, stage in enumerate(self.stages):
            if i:
                shape = (shape[0] // 2, *shape[1:])
                shapes.append(shape)
            for _ in (layer for layer in stage if isinstance(layer, Squeeze)):
                shape = (4 * shape[0], shape[1] // 2, shape[2] // 2)
        parts = z.split([math.prod(part) for part in (*shapes, shape)], dim=1)
        return [part.reshape(-1, *own) for part, own in zip(parts, (*shapes, shape))]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, shape (B,)."""
        _, log_det, log_prior = self.encode(x)
        return log_prior + log_det

    def terms(self, x: Tensor) -> FlowTerms:
        """In nats per example, for points."""
        _, log_det, log_prior = self.encode(x)
        prior, volume = -log_prior.mean(), -log_det.mean()
        return FlowTerms(prior + volume, prior, volume, torch.zeros_like(prior))


class ImageFlow(nn.Module):
    """A RealNVP for images of whole grey levels: dequantization before it, bits per dimension behind it.

    levels: of the images; None leaves dequantization out, and the "likelihood" of grey levels has no upper bound.
    noise: couplings of the dequantization noise that see the image; none: the noise stays uniform.
    """

    def __init__(self, flow: RealNVP, levels: int | None, noise: list[Flow] = (), alpha: float = 1e-5) -> None:
        super().__init__()
        self.flow, self.levels, self.alpha = flow, levels, alpha
        self.noise = nn.ModuleList(noise)

    def bent(self, a: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The flow inside variational_noise: couplings that see the image, in [-1, 1], beside their own half."""
        log_det = a.new_zeros(len(a))
        for coupling in self.noise:
            a, coupling_log_det = coupling(a, context=2 * x - 1)
            log_det = log_det + coupling_log_det
        return a, log_det

    def dequantized(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Real numbers for x (B, C, H, W), log_det (B,) and log q(u | x) (B,)."""
        if self.levels is None:
            return x, x.new_zeros(len(x)), x.new_zeros(len(x))
        u, log_q = variational_noise(x, u, self.bent) if len(self.noise) else (u, x.new_zeros(len(x)))
        return *dequantize(x, u, self.levels, self.alpha), log_q

    def log_weights(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log p(z), log_det and log q(u | x), each (B,): the first two minus the third bound log P(x) from below."""
        y, first_log_det, log_q = self.dequantized(x, u)
        _, log_det, log_prior = self.flow.encode(y)
        return log_prior, first_log_det + log_det, log_q

    def terms(self, x: Tensor) -> FlowTerms:
        """In bits per dimension."""
        log_prior, log_det, log_q = self.log_weights(x, uniform(x.shape, x.device))
        prior, volume, noise = (bits_per_dim(term, x.shape[1:]).mean() for term in (log_prior, log_det, -log_q))
        return FlowTerms(prior + volume + noise, prior, volume, noise)

    def forward(self, x: Tensor) -> Tensor:
        """Every image through the flow and back: the same image, if nothing is lost."""
        y, _, _ = self.dequantized(x, uniform(x.shape, x.device))
        return self.images(self.flow(y)[0])

    def bits(self, x: Tensor, u: Tensor) -> Tensor:
        """Bits per dimension from K samples of the noise, an upper bound that falls with K, shape (B,).

        Dequantization is a VAE whose decoder is certain: log P(x | k + u) = 0. So lab 2's bound applies.

        Args:
            x: images, shape (B, C, H, W).
            u: uniform noise, shape (K, B, C, H, W).
        """
        log_prior, log_det, log_q = map(torch.stack, zip(*(self.log_weights(x, noise) for noise in u)))  # (K, B) each
        log_p = importance_weighted_bound(torch.zeros_like(log_q), log_prior + log_det, log_q)
        return bits_per_dim(log_p, x.shape[1:])

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Flat latents (B, D) of images, each pixel in the middle of its level."""
        y = x if self.levels is None else dequantize(x, torch.full_like(x, 0.5), self.levels, self.alpha)[0]
        return self.flow(y)[0]

    @torch.no_grad()
    def images(self, z: Tensor) -> Tensor:
        """Flat latents (B, D) to images of whole grey levels in [0, 1]."""
        if self.levels is None:
            return self.flow.inverse(z)[0].clamp(0, 1)
        return quantize(self.flow.inverse(z)[0], self.levels, self.alpha)

    def sample(self, eps: Tensor, temperature: float = 1.0) -> Tensor:
        """New images from standard-normal noise (N, D), z = temperature * eps."""
        return self.images(temperature * eps)


def uniform(shape: tuple[int, ...], device: torch.device | str | None = None) -> Tensor:
    """Noise strictly inside (0, 1)."""
    return torch.rand(shape, device=device).clamp(1e-6, 1 - 1e-6)


def couplings(shape: Shape, kind: str, count: int, hidden: int, net: Net, context: int = 0) -> list[AffineCoupling]:
    """Couplings whose masks take turns; one network gives both log s and t."""
    channels = shape[0]
    return [
        AffineCoupling(
            coupling_mask(shape, kind, flip=i % 2 == 1),
            ScaleShift(net(channels + context, hidden, 2 * channels), channels),
        )
        for i in range(count)
    ]


def simple(shape: Shape, levels: int, net: Net, hidden: int, count: int = 8, noise: int = 0) -> ImageFlow:
    """One scale: `count` couplings with checkerboards."""
    bending = couplings(shape, "checkerboard", noise, hidden, net, context=shape[0])
    return ImageFlow(RealNVP([couplings(shape, "checkerboard", count, hidden, net)], shape), levels, bending)


def multiscale(
    shape: Shape, levels: int, net: Net, hidden: tuple[int, int, int], counts: tuple[int, int, int], noise: int = 0
) -> ImageFlow:
    """Two scales: checkerboards; squeeze, channels; split; squeeze, channels. `hidden`, `counts`: of these three."""
    c, h, w = shape
    half, quarter = (4 * c, h // 2, w // 2), (8 * c, h // 4, w // 4)
    first = couplings(shape, "checkerboard", counts[0], hidden[0], net)
    first += [Squeeze(), *couplings(half, "channel", counts[1], hidden[1], net)]
    second = [Squeeze(), *couplings(quarter, "channel", counts[2], hidden[2], net)]
    bending = couplings(shape, "checkerboard", noise, hidden[0], net, context=c)
    return ImageFlow(RealNVP([first, second], shape), levels, bending)


def two_nets(shape: Shape, levels: int | None, hidden: int = 64, count: int = 8, bounded: bool = True) -> ImageFlow:
    """Couplings with a network each for log s and t. Not bounded and without levels: a system that diverged."""
    layers = []
    for i in range(count):
        s_net, t_net = (plain_net(shape[0], hidden, shape[0]) for _ in range(2))
        net = BoundedPair(s_net, t_net, shape[0]) if bounded else UnboundedPair(s_net, t_net)
        layers.append(AffineCoupling(coupling_mask(shape, "checkerboard", flip=i % 2 == 1), net))
    return ImageFlow(RealNVP([layers], shape), levels)
