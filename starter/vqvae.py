"""Lab 13: VQ-VAE with an autoregressive prior. Images become words of a dictionary; a second model learns to write.

Images x are float32 (B, C, H, W) in [0, 1]. The encoder gives a map of vectors z (B, D, h, w), a *place* of it is one
vector. As rows the places of a batch have the shape (N, D), N = B * h * w, image after image, each from its top left
(`as_rows`, and `as_map` for the way back). A *code* is a whole number, the row of the codebook (K, D) that stands for a
place. Sums over dimensions, means over the batch, everything in nats. Arguments of a blank stay as they were, and so
does noise (u), which is one of them. All numbers but codes are float32.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def nearest_codes(z: Tensor, codebook: Tensor) -> Tensor:
    """For every vector the number of the codebook's row that lies nearest to it.

    Near is meant in the Euclidean norm. Rows are counted from 0.

    Args:
        z: vectors, shape (N, D).
        codebook: e, shape (K, D), K at least 1.

    Returns:
        codes, int64, shape (N,), in 0 .. K - 1; of two rows that are equally near, either.

    Raises:
        ValueError: z is no (N, D), the codebook is empty, or its rows have another length.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, "Neural discrete representation learning", section 3.1.
    """
    rows_of_vectors(z=z, codebook=codebook)
    if not len(codebook):
        raise ValueError(f"codebook {tuple(codebook.shape)} has 0 codes: there must be at least 1")
    if z.shape[1] != codebook.shape[1]:
        raise ValueError(f"z {tuple(z.shape)} and codebook {tuple(codebook.shape)} must have rows of one length")
    # TODO vq-1: the distance of every vector to every row, then the place of the smallest.
    raise NotImplementedError("vq-1")  # YOUR CODE HERE


def straight_through(z: Tensor, z_q: Tensor) -> Tensor:
    """The codes' vectors as values, with a gradient as if nothing had been replaced.

    In the forward pass the result is z_q. In the backward pass its gradient reaches z unchanged, and z_q not at all: to
    choose the nearest code is a step function, whose true slope is 0 almost everywhere.

    Args:
        z: vectors of the encoder, shape (N, D).
        z_q: the codebook's row of each, shape (N, D).

    Returns:
        shape (N, D), equal to z_q (up to the rounding of one addition).

    Raises:
        ValueError: the shapes differ, or are no (N, D).

    Source: van den Oord et al. 2017, section 3.2; the estimator: Bengio, Léonard & Courville 2013.
    """
    rows_of_vectors(z=z, z_q=z_q)
    same_shape(z=z, z_q=z_q)
    # TODO vq-2: z, and what is missing to z_q; cut the right part from the graph.
    raise NotImplementedError("vq-2")  # YOUR CODE HERE


def pull(moving: Tensor, target: Tensor) -> Tensor:
    """How far one set of vectors is from another, as a loss that moves only the first.

    pull = E[sum_d (moving_d - sg(target)_d)^2],  sg: the same value, without a gradient ("stop gradient")

    The *codebook loss* is pull(z_q, z): codes move to what the encoder says. The *commitment loss* is pull(z, z_q): the
    encoder moves to its codes.

    Args:
        moving: shape (B, …), maps (B, D, h, w) or points (B, D).
        target: the same shape.

    Returns:
        A scalar: summed over all numbers of an example, averaged over the batch.

    Raises:
        ValueError: the shapes differ.

    Source: van den Oord et al. 2017, section 3.2, the second and the third term of the loss.
    """
    same_shape(moving=moving, target=target)
    # TODO vq-3: which of the two must not learn? Then the sum of squares of each example, and the mean.
    raise NotImplementedError("vq-3")  # YOUR CODE HERE


def code_totals(values: Tensor, codes: Tensor, n_codes: int) -> Tensor:
    """For every code the sum of the vectors that chose it.

    total_k = sum over i with codes_i = k of values_i

    Divided by how many they are, this is their mean: where k-means puts the code next.

    Args:
        values: shape (N, D).
        codes: int64, shape (N,), in 0 .. n_codes - 1.
        n_codes: K.

    Returns:
        shape (K, D); 0 for a code that nobody chose.

    Raises:
        ValueError: values is no (N, D), codes is no (N,), or a code lies outside 0 .. n_codes - 1.

    Source: van den Oord et al. 2017, appendix A.1.
    """
    rows_of_vectors(values=values)
    if codes.shape != values.shape[:1]:
        raise ValueError(f"codes must have the shape ({len(values)},), one for each vector, not {tuple(codes.shape)}")
    in_range(codes, n_codes)
    # TODO vq-4: add every row of values to the row of the result that its code names.
    raise NotImplementedError("vq-4")  # YOUR CODE HERE


class Quantized(NamedTuple):
    """What the layer makes of a map of vectors."""

    z_q: Tensor  # (B, D, h, w): the nearest codes' vectors; the gradient at them goes to z
    codes: Tensor  # int64, (B, h, w)
    codebook_loss: Tensor  # a scalar: moves the codebook, where that is learned by gradients
    commitment_loss: Tensor  # a scalar, never weighted: moves z


def quantize(layer: nn.Module, z: Tensor) -> Quantized:
    """The whole layer. This is a building task: no formula here, only what must hold. Use the four functions above.

    - Every place z[b, :, i, j] is replaced by the row of `layer.codebook` that is nearest to it. `codes` says which.
    - The gradient at z_q reaches z as if nothing had been replaced.
    - Both losses are taken between the map z and the map of its codes' vectors: summed over an image, averaged over the
      batch. The first one moves only codes, the second only z.
    - Only in training mode, and only where `layer.decay` is a number, the codebook then follows the vectors that chose
      its codes. `layer.counts` holds how many chose each code, `layer.sums` the sum of them, both as running averages
      over the batches: the old value counts `decay`, this batch the rest. Every code, chosen or not, then lies at the
      mean of its vectors, the sum divided by the count. All three tensors are changed in place and without a graph;
      what is returned is still made with the codebook as it was found.
    - Otherwise nothing of the layer changes.

    Args:
        layer: has codebook (K, D), counts (K,), all above 0, sums (K, D), decay (in (0, 1), or None) and training.
        z: shape (B, D, h, w).

    Returns:
        Quantized(z_q, codes, codebook_loss, commitment_loss).

    Raises:
        ValueError: z is no map, or has not the codebook's D.

    Source: van den Oord et al. 2017, section 3 and appendix A.1.
    """
    if z.ndim != 4 or z.shape[1] != layer.codebook.shape[1]:
        raise ValueError(f"z must have the shape (B, {layer.codebook.shape[1]}, h, w), not {tuple(z.shape)}")
    # TODO vq-5: rows and back again; nearest codes; both losses; the moving codebook; the gradient.
    raise NotImplementedError("vq-5")  # YOUR CODE HERE


def as_rows(z: Tensor) -> Tensor:
    """A map (B, D, h, w) as rows (N, D), image after image, each from its top left."""
    return z.movedim(1, -1).flatten(0, 2)


def as_map(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (N, D), image after image, as a map of the shape of `like`, (B, D, h, w)."""
    B, D, h, w = like.shape
    return rows.reshape(B, h, w, D).movedim(-1, 1)


def perplexity(codes: Tensor, n_codes: int) -> Tensor:
    """How many codes are in use: K when all are as frequent, 1 when one is taken for everything.

    perplexity = exp(-sum_k p_k log p_k),  p_k: the share of code k

    Args:
        codes: int64, any shape.
        n_codes: K.
    """
    in_range(codes, n_codes)
    share = torch.bincount(codes.flatten(), minlength=n_codes) / codes.numel()
    return torch.special.entr(share).sum().exp()


class VectorQuantizer(nn.Module):
    """A codebook of n_codes vectors; `forward` is `quantize`.

    With a decay the codebook follows the encoder as a running mean, and a *dead* code, which hardly anybody chooses,
    can be put where vectors are (`revive`). Without one it is a parameter that the codebook loss moves.
    """

    def __init__(self, n_codes: int, dim: int, decay: float | None = 0.95) -> None:
        super().__init__()
        if n_codes < 1:
            raise ValueError(f"n_codes must be at least 1, not {n_codes}")
        if decay is not None and not 0 < decay < 1:
            raise ValueError(f"decay must lie between 0 and 1, or be None, and is {decay}")
        codebook, self.decay = torch.randn(n_codes, dim), decay
        if decay is None:
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
        self.register_buffer("counts", torch.ones(n_codes))
        self.register_buffer("sums", codebook.clone())

    def forward(self, z: Tensor) -> Quantized:
        return quantize(self, z)

    @torch.no_grad()
    def revive(self, z: Tensor, places: Tensor, least: float = 0.1) -> Tensor:
        """Put every dead code onto a vector of the batch, with a count of 1; which codes were dead, bool (K,).

        Args:
            z: shape (B, D, h, w).
            places: int64, shape (K,), in 0 .. B * h * w - 1: the place that a code would take if it were dead.
            least: a code with a smaller count is dead; a count is a running mean of the choices in a batch.

        Source: Dhariwal et al. 2020, "Jukebox", section 3.1 (random restarts).
        """
        dead, rows = self.counts < least, as_rows(z)[places]
        self.counts.masked_fill_(dead, 1.0)
        self.sums.copy_(torch.where(dead[:, None], rows, self.sums))
        self.codebook.copy_(torch.where(dead[:, None], rows, self.codebook))
        return dead


# ---- the prior: a model of the codes


def causal_mask(kernel_size: int, centre: bool) -> Tensor:
    """Which weights of a convolution look at places that come earlier: row by row from the top, left to right.

    1 in the rows above the middle and, in the middle row, to the left of the middle; 0 below and to the right. The
    middle itself is the place that is to be predicted: 1 only with `centre`.

    The first layer must not see its own place. Later layers may: there, a place holds only what comes before it.

    Args:
        kernel_size: k, odd.
        centre: whether the middle counts as earlier; the paper's mask B with it, A without.

    Returns:
        float32, shape (k, k).

    Raises:
        ValueError: kernel_size is even, or below 1.

    Source: van den Oord, Kalchbrenner & Kavukcuoglu 2016, "Pixel recurrent neural networks", section 3.4.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, so that there is a middle, and is {kernel_size}")
    # TODO vq-6: number the k * k weights in the order of reading, and compare with the number of the middle.
    raise NotImplementedError("vq-6")  # YOUR CODE HERE


def code_log_prob(logits: Tensor, codes: Tensor) -> Tensor:
    """log p(codes) of every image, when the logits of each place know the codes before it.

    log p(c) = sum_i log p(c_i | c_1, …, c_(i-1)),  p(· | …) = softmax(logits_i)

    A product of true conditionals: exact, and no bound.

    Args:
        logits: shape (B, K, h, w).
        codes: int64, shape (B, h, w), in 0 .. K - 1.

    Returns:
        nats, shape (B,), never positive.

    Raises:
        ValueError: the shapes do not fit, or a code lies outside 0 .. K - 1.

    Source: van den Oord et al. 2016, section 2.1.
    """
    if logits.ndim != 4 or codes.shape != (len(logits), *logits.shape[2:]):
        raise ValueError(f"logits {tuple(logits.shape)} must be (B, K, h, w) and codes {tuple(codes.shape)} (B, h, w)")
    in_range(codes, logits.shape[1])
    # TODO vq-7: the log-probability of each place's own code, summed over the places; stable for large logits.
    raise NotImplementedError("vq-7")  # YOUR CODE HERE


@torch.no_grad()
def sample_codes(prior: Callable[[Tensor], Tensor], u: Tensor, temperature: float) -> Tensor:
    """Draw maps of codes, place after place: each is drawn from the prior given those before it.

    p = softmax(logits_i / temperature),  c_i = the first k with p_0 + … + p_k > u_i

    A wheel of fortune with K sectors, turned to u_i. (Where rounding leaves no such k, the last one.) Below 1 a
    temperature favours frequent codes, above 1 rare ones.

    Args:
        prior: codes int64 (B, h, w) -> logits (B, K, h, w); those of a place depend on the codes before it only, row
            by row from the top, left to right. Whoever wants it in evaluation mode has put it there.
        u: uniform noise in [0, 1), shape (B, h, w).
        temperature: above 0.

    Returns:
        codes, int64, shape (B, h, w).

    Raises:
        ValueError: temperature is not above 0, u is no (B, h, w), or lies outside [0, 1).

    Source: van den Oord et al. 2016, section 2.1.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, and is {temperature}")
    if u.ndim != 3:
        raise ValueError(f"u must have the shape (B, h, w), not {tuple(u.shape)}")
    if u.numel() and not (u.min() >= 0 and u.max() < 1):
        raise ValueError(f"u must lie in [0, 1), and goes from {u.min():.3g} to {u.max():.3g}: take torch.rand")
    # TODO vq-8: fill a map of zeros in the order of reading; ask the prior anew for every place.
    raise NotImplementedError("vq-8")  # YOUR CODE HERE


class MaskedConv(nn.Conv2d):
    """A convolution that sees only earlier places."""

    def __init__(self, n_in: int, n_out: int, kernel_size: int, centre: bool = True) -> None:
        super().__init__(n_in, n_out, kernel_size, padding=kernel_size // 2)
        self.register_buffer("mask", causal_mask(kernel_size, centre))

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class PriorTerms(NamedTuple):
    """What `fit` minimises when only a prior learns."""

    loss: Tensor  # -log p(codes), nats per image


class PixelCNN(nn.Module):
    """A model of maps of whole numbers below `levels`, grey levels or codes: (B, h, w) -> logits (B, levels, h, w)."""

    def __init__(
        self,
        levels: int,  # K
        shape: tuple[int, int],  # h, w
        channels: int = 64,
        blocks: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.embedding = nn.Embedding(levels, channels)
        self.first = MaskedConv(channels, channels, 5, centre=False)
        self.place = nn.Parameter(torch.zeros(channels, *shape))  # a map's places are not alike
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(nn.ReLU(), MaskedConv(channels, channels, 3), nn.ReLU()),
                *(nn.Dropout2d(dropout), nn.Conv2d(channels, channels, 1)),
            )
            for _ in range(blocks)
        )
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, levels, 1))

    def forward(self, codes: Tensor) -> Tensor:
        h = self.first(self.embedding(codes).movedim(-1, 1)) + self.place
        for block in self.blocks:
            h = h + block(h)
        return self.last(h)

    def log_prob(self, codes: Tensor) -> Tensor:
        """log p(codes) in nats, shape (B,)."""
        return code_log_prob(self(codes), codes)

    def terms(self, x: Tensor) -> PriorTerms:
        """Of grey images with so many levels: x (B, 1, H, W) in [0, 1]."""
        return PriorTerms(-self.log_prob(self.numbers(x)).mean())

    def numbers(self, x: Tensor) -> Tensor:
        """Grey images (B, 1, H, W) in [0, 1] as the whole numbers that they are made of, (B, H, W)."""
        return (x[:, 0] * (self.levels - 1)).round().long()


class VQTerms(NamedTuple):
    """What `fit` minimises and records, per image."""

    loss: Tensor
    reconstruction: Tensor  # -log p(x | codes), nats
    codebook: Tensor  # squared distances, never weighted
    commitment: Tensor
    perplexity: Tensor  # of the codes of the batch
    prior: Tensor  # -log p(codes), nats; 0 without a prior


class VQVAE(nn.Module):
    """encoder: x -> (B, D, h, w); decoder: such a map -> logits, or means when sigma is given.

    A prior, once there is one, learns beside the rest and moves nothing of it.
    """

    def __init__(
        self,
        encoder: nn.Module,
        quantizer: VectorQuantizer,
        decoder: nn.Module,
        prior: PixelCNN | None = None,
        beta: float = 0.25,  # weight of the commitment
        sigma: float | None = None,  # deviation of the pixels; None: pixels of a Bernoulli distribution
    ) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder
        self.prior, self.commitment_weight, self.sigma = prior, beta, sigma

    @property
    def latent_dim(self) -> int:
        """Numbers of noise that a sample is made from: one for each place."""
        if self.prior is None:
            raise ValueError("without a prior there is nothing to sample from: give the model one")
        return self.prior.place[0].numel()

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.quantizer(self.encoder(x)).z_q)

    def terms(self, x: Tensor) -> VQTerms:
        z = self.encoder(x)
        z_q, codes, codebook, commitment = self.quantizer(z)
        if self.training and self.quantizer.decay is not None:
            n_codes = len(self.quantizer.codebook)
            self.quantizer.revive(z, torch.randint(codes.numel(), (n_codes,), device=x.device))
        reconstruction = self.nll(self.decoder(z_q), x).mean()
        loss = reconstruction + self.commitment_weight * commitment
        if self.quantizer.decay is None:
            loss = loss + codebook
        prior = x.new_zeros(()) if self.prior is None else -self.prior.log_prob(codes).mean()
        used = perplexity(codes, len(self.quantizer.codebook))
        return VQTerms(loss + prior, reconstruction, codebook, commitment, used, prior)

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """-log p(x | codes), shape (B,)."""
        if self.sigma is None:
            return F.binary_cross_entropy_with_logits(output, x, reduction="none").flatten(1).sum(dim=1)
        scale = math.log(self.sigma) + 0.5 * math.log(2 * math.pi)
        return (0.5 * ((output - x) / self.sigma).square() + scale).flatten(1).sum(dim=1)

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """int64, (B, h, w); nothing follows, whatever the mode."""
        return self.nearest(self.encoder(x))

    def nearest(self, z: Tensor) -> Tensor:
        return nearest_codes(as_rows(z), self.quantizer.codebook).view(z[:, 0].shape)

    def encode(self, x: Tensor) -> Tensor:
        """The map of the codes' vectors, (B, D, h, w)."""
        return self.vectors(self.codes(x))

    def vectors(self, codes: Tensor) -> Tensor:
        return self.quantizer.codebook[codes].movedim(-1, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, h, w) to pixels in [0, 1]."""
        output = self.decoder(self.vectors(codes))
        return output.sigmoid() if self.sigma is None else output.clamp(0, 1)

    def images(self, z: Tensor) -> Tensor:
        """Pixels in [0, 1] of a map of vectors, (B, D, h, w), each taken for its nearest code."""
        return self.decode(self.nearest(z))

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.codes(x))

    def sample(self, z: Tensor, temperature: float = 1.0) -> Tensor:
        """Images from normal noise z (B, latent_dim): one number for each place, turned into a uniform one."""
        h, w = self.prior.place.shape[1:]
        u = torch.special.ndtr(z).clamp(max=1 - 2**-24).view(-1, h, w)
        return self.decode(sample_codes(self.prior, u, temperature))

    def noise(self, count: int) -> Tensor:
        """Normal noise for `sample`."""
        return torch.randn(count, self.latent_dim, device=self.prior.place.device)


# ---- what all of them refuse


def rows_of_vectors(**arguments: Tensor) -> None:
    for name, values in arguments.items():
        if values.ndim != 2:
            raise ValueError(f"{name} must have the shape (N, D), one vector in a row, not {tuple(values.shape)}")


def same_shape(**arguments: Tensor) -> None:
    (one, a), (other, b) = arguments.items()
    if a.shape != b.shape:
        raise ValueError(f"{one} {tuple(a.shape)} and {other} {tuple(b.shape)} must have the same shape")


def in_range(codes: Tensor, n_codes: int) -> None:
    if n_codes < 1:
        raise ValueError(f"n_codes must be at least 1, not {n_codes}")
    if codes.numel() and not 0 <= codes.min() <= codes.max() < n_codes:
        raise ValueError(f"codes must lie in 0 .. {n_codes - 1}, and go from {codes.min()} to {codes.max()}")
