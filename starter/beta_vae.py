"""Lab 3: the beta-VAE. What the weight of the KL buys and costs, and how to keep the code from dying.

Sums over dimensions, means over the batch, everything in nats. Reported is always the KL itself: no weight, no floor.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from starter.support import training
from starter.support.data import Images

from .vae import ELBO, VAE, bernoulli_nll, gaussian_nll, kl_divergence, reparameterize


def latent_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(q(z_j | x) || p(z_j)) of every latent on its own, shape (B, latent_dim): the KL is the sum of its columns."""
    return kl_divergence(mu.reshape(-1, 1), log_var.reshape(-1, 1)).reshape(mu.shape)


def beta_elbo(nll: Tensor, kl_per_dim: Tensor, beta: float = 1.0, penalty: Tensor | None = None) -> ELBO:
    """The beta-VAE's loss for a batch, and the two terms that say what it achieved.

    The distortion D is -log p(x | z), averaged over the batch. The rate R is the KL of a whole code, that is of all its
    latents together, averaged over the batch. In the loss D counts once, and R beta times.

    Args:
        nll: -log p(x | z) of every example, shape (B,).
        kl_per_dim: KL of every example and latent, shape (B, latent_dim).
        beta: weight inside the loss, not negative; 1 is the VAE, 0 an autoencoder with noise.
        penalty: a scalar that takes the place of R in the loss, where beta weighs it (free bits, say); None: R itself.

    Returns:
        ELBO(loss, reconstruction, kl) with reconstruction = D and kl = R, whatever beta and penalty are.

    Raises:
        ValueError: beta is negative, or the two batches differ in size.

    Source: Higgins et al. 2017, "beta-VAE"; D and R: Alemi et al. 2018, "Fixing a broken ELBO".
    """
    not_negative(beta=beta)
    if nll.shape != kl_per_dim.shape[:1]:
        raise ValueError(f"nll {tuple(nll.shape)} must have one number per row of kl_per_dim {tuple(kl_per_dim.shape)}")
    # TODO beta-1: D, R and their weighted sum; penalty changes the loss only.
    raise NotImplementedError("beta-1")  # YOUR CODE HERE


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Which latents say anything about the image: those whose posterior mean moves from image to image.

    What counts for latent j is A_j, the variance of mu_j over the images: the squared distances from the mean of the N
    images are added up and divided by N - 1. Active are the latents whose A_j is above the threshold.

    A collapsed latent has q(z_j | x) = p(z_j) for every x: its mean is the same constant for all images.

    Args:
        mu: posterior means of many images, shape (N, latent_dim).
        threshold: the smallest variance that counts.

    Returns:
        One truth value per latent, shape (latent_dim,); its sum is the number of active units.

    Raises:
        ValueError: fewer than 2 images, or nan among the means.

    Source: Burda et al. 2016, "Importance weighted autoencoders" (active units).
    """
    if len(mu) < 2:
        raise ValueError(f"mu has {len(mu)} rows: a variance over images needs at least 2")
    no_nan(mu=mu)
    # TODO beta-2: compare the variance of each column with the threshold.
    raise NotImplementedError("beta-2")  # YOUR CODE HERE


def linear_warmup(step: int, warmup_steps: int, beta: float = 1.0) -> float:
    """Weight of the KL that grows on a straight line and then stays.

    It begins at 0. As far as the warm-up is done, so far has the weight come.

    Args:
        step: t, the steps of the optimizer so far: 0 at the first batch.
        warmup_steps: the step at which the full weight is reached, at least 1.
        beta: the full weight, not negative.

    Returns:
        The weight for this step: 0 at t = 0, beta from t = warmup_steps on.

    Raises:
        ValueError: warmup_steps below 1, a negative step or beta.

    Source: Bowman et al. 2016, "Generating sentences from a continuous space", section 3.1 (KL cost annealing).
    """
    at_least_1(warmup_steps=warmup_steps)
    not_negative(step=step, beta=beta)
    # TODO beta-3: the share of the warm-up that is done, never more than all of it.
    raise NotImplementedError("beta-3")  # YOUR CODE HERE


def cyclical(step: int, period: int, ramp: float = 0.5, beta: float = 1.0, shape: str = "linear") -> float:
    """Weight of the KL that warms up again and again: each cycle starts at 0, rises, and holds.

    tau is the place in the cycle: which share of its steps lies behind, 0 at its first step. The rise ends where tau
    reaches ramp; u is which share of the rise lies behind, and 1 from there to the end of the cycle. Either shape is 0
    at u = 0 and beta at u = 1. In between "linear" is in proportion to u. "cosine" is half a wave of a cosine, from its
    lowest point to its highest one.

    Args:
        step: t, the steps of the optimizer so far: 0 at the first batch.
        period: steps of one cycle, at least 1.
        ramp: the share of a cycle in which the weight rises, above 0 and at most 1; for the rest it holds.
        beta: the full weight, not negative.
        shape: of the rise, "linear" or "cosine".

    Returns:
        The weight for this step.

    Raises:
        ValueError: period below 1, ramp outside (0, 1], a negative step or beta, or an unknown shape.

    Source: Fu et al. 2019, "Cyclical annealing schedule" (there t counts from 1).
    """
    at_least_1(period=period)
    not_negative(step=step, beta=beta)
    if not 0 < ramp <= 1:
        raise ValueError(f"ramp must be above 0 and at most 1, not {ramp}: it is a share of the cycle")
    if shape not in ("linear", "cosine"):
        raise ValueError(f'shape must be "linear" or "cosine", not {shape!r}')
    # TODO beta-4: the place in the cycle, the share of the ramp that is done, and the shape.
    raise NotImplementedError("beta-4")  # YOUR CODE HERE


def free_bits(kl_per_dim: Tensor, floor: float) -> Tensor:
    """The rate with an allowance: below `floor` nats a latent costs the same whether it is used or not.

    The mean over the batch comes first: a latent may be silent on some images as long as it speaks on others. Where
    this mean is below the floor, the latent pays the floor in its place. The penalty is what all latents pay together.

    Args:
        kl_per_dim: KL of every example and latent, shape (B, latent_dim).
        floor: the allowance of each latent in nats (the paper's lambda), not negative.

    Returns:
        The penalty, a scalar. A latent below the floor gets no gradient from it.

    Raises:
        ValueError: floor is negative.

    Source: Kingma et al. 2016, "Improving variational inference with inverse autoregressive flow", "free bits".
    """
    not_negative(floor=floor)
    # TODO beta-5: a mean over the batch, a floor under each latent, a sum over the latents; in which order?
    raise NotImplementedError("beta-5")  # YOUR CODE HERE


def joint_probabilities(codes: Tensor, factors: Tensor, bins: int) -> Tensor:
    """How often a latent falls into a bin while a factor has a value: p[j, k, b, v], each [j, k] adds up to 1.

    Bins are equally wide, from a latent's smallest to its largest code. Nothing is drawn: same codes, same table.

    Args:
        codes: posterior means, shape (N, latent_dim).
        factors: values 0 … levels - 1 of the known factors, int64, shape (N, n_factors).
        bins: how many, at least 2.

    Returns:
        Relative frequencies, shape (latent_dim, n_factors, bins, levels).

    Raises:
        ValueError: fewer than 2 bins, different numbers of rows, or nan among the codes.
    """
    if bins < 2 or len(codes) != len(factors):
        raise ValueError(f"bins={bins} must be at least 2, and {len(codes)} codes as many as {len(factors)} factors")
    no_nan(codes=codes)
    low, high = codes.amin(dim=0), codes.amax(dim=0)
    share = (codes - low) / (high - low).clamp(min=torch.finfo(codes.dtype).tiny)  # 0 … 1 in every column
    in_bin = F.one_hot((share * bins).long().clamp(max=bins - 1), bins).to(codes.dtype)  # (N, latent_dim, bins)
    of_level = F.one_hot(factors).to(codes.dtype)  # (N, n_factors, levels)
    return torch.einsum("njb,nkv->jkbv", in_bin, of_level) / len(codes)


def mutual_information(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    """How many nats each latent tells about each factor.

    I(z_j; v_k) = sum_{b,v} p(b, v) log [ p(b, v) / (p(b) p(v)) ],  and an empty cell adds 0

    Args:
        codes, factors, bins: as in `joint_probabilities`, which gives p(b, v) for all latents and factors.

    Returns:
        Mutual information in nats, shape (latent_dim, n_factors), never negative.
    """
    # TODO beta-6: both marginals from the joint table, then the sum over its cells.
    raise NotImplementedError("beta-6")  # YOUR CODE HERE


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    """MIG: is there for every factor one latent, and only one, that knows it?

    MIG = mean_k [ (I(z_first; v_k) - I(z_second; v_k)) / H(v_k) ],  first and second: the latents that know v_k best

    Args:
        codes, factors, bins: as in `joint_probabilities`; at least 2 latents.

    Returns:
        A scalar from 0 to 1.

    Raises:
        ValueError: only one latent, or a factor that never changes, so that H(v_k) = 0.

    Source: Chen et al. 2018, "Isolating sources of disentanglement in VAEs", section 4.1; here z is the posterior mean.
    """
    if codes.shape[1] < 2:
        raise ValueError(f"codes have {codes.shape[1]} latent: a gap needs at least 2")
    for k, column in enumerate(factors.T):
        if (column == column[0]).all():
            raise ValueError(f"factors: column {k} is always {column[0]}, there is nothing to know about it")
    # TODO beta-7: the two best latents of every factor, their difference over the factor's entropy, the mean.
    raise NotImplementedError("beta-7")  # YOUR CODE HERE


def step_at_rate(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, rate: float, gain: float = 0.05
) -> ELBO:
    """Build it: a step of a model that is to spend `rate` nats on an image. No formula here, only what must hold.

    - The network moves first, one step down its own loss; no gradient of an earlier step counts.
    - Then beta moves, for the next step, by what this batch spent. The model is asked once in a step.
    - The miss is how far the batch's rate lies above `rate`, as a share of `rate`: half of `rate` misses by -0.5. More
      than 1 it never counts.
    - The logarithm of beta rises by gain times the miss: so beta stays positive, and goes up as easily as down.
    - Afterwards beta is a number as before, and modes are as they were found.

    Args:
        model: has terms (x -> ELBO), which weighs the rate by the model's attribute beta, and reports it unweighted.
        optimizer: of the model's weights.
        x: images in [0, 1], shape (B, C, H, W).
        rate: nats per image that the model is to spend, above 0.
        gain: how fast beta follows, not negative; with 0 it stays.

    Returns:
        ELBO(loss, reconstruction, kl) as the model was before the step, without a graph.

    Raises:
        ValueError: rate is not above 0, or gain is negative.

    Source: Rezende, Viola 2018, "Taming VAEs": a weight that follows how far a constraint is missed.
    """
    if not rate > 0:
        raise ValueError(f"rate must be above 0 nats, and is {rate}")
    not_negative(gain=gain)
    # TODO beta-8: the terms of this batch; a step of the network; the miss, and what it does to beta.
    raise NotImplementedError("beta-8")  # YOUR CODE HERE


def not_negative(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, and is {value}")


def at_least_1(**numbers: int) -> None:
    for name, value in numbers.items():
        if not value >= 1:
            raise ValueError(f"{name} must be at least 1 step, and is {value}")


def no_nan(**tensors: Tensor) -> None:
    for name, values in tensors.items():
        if bad := int(values.isnan().sum()):
            raise ValueError(f"{name} holds {bad} nan among its {values.numel()} numbers")


class BetaVAE(VAE):
    """A VAE whose loss is `beta_elbo`. `fit` may change `beta` at every step; `floor` above 0 switches free bits on.

    With `sigma` pixels are Gaussian of that fixed deviation: a learned one would undo beta.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, beta: float = 1.0, floor: float = 0.0, sigma: float | None = None
    ) -> None:
        not_negative(beta=beta, floor=floor)
        super().__init__(encoder, decoder, beta)
        self.floor = floor
        if sigma is not None:
            del self.log_sigma
            self.register_buffer("log_sigma", torch.tensor(math.log(sigma)))

    def terms(self, x: Tensor) -> ELBO:
        no_nan(x=x)
        mu, log_var = self.encode(x)
        logits = self.decoder(reparameterize(mu, log_var, torch.randn_like(mu)))
        nll = bernoulli_nll(logits, x) if self.log_sigma is None else gaussian_nll(logits, x, self.log_sigma)
        kl_per_dim = latent_kl(mu, log_var)
        return beta_elbo(nll, kl_per_dim, self.beta, free_bits(kl_per_dim, self.floor) if self.floor > 0 else None)


@dataclass(frozen=True)
class Schedule:
    """How the KL is weighted during training, up to the model's own beta."""

    kind: str = "constant"  # or "linear", a warm-up; or "cyclical" and "cosine", cycles of either shape
    length: int = 1  # of the warm-up, or of one cycle
    unit: str = "epochs"  # or "steps"
    floor: float = 0.0  # free bits, nats per latent

    def weights(self, beta: float, steps_per_epoch: int) -> Callable[[int], float]:
        """step -> weight, as `fit` takes it."""
        steps = self.length * (steps_per_epoch if self.unit == "epochs" else 1)
        return {
            "constant": lambda step: beta,
            "linear": lambda step: linear_warmup(step, steps, beta),
            "cyclical": lambda step: cyclical(step, steps, beta=beta),
            "cosine": lambda step: cyclical(step, steps, beta=beta, shape="cosine"),
        }[self.kind]


SCHEDULES = {
    "constant": Schedule(),
    "linear-10-epochs": Schedule("linear", 10),
    "linear-10000-steps": Schedule("linear", 10_000, "steps"),
    "cyclical-10000-steps": Schedule("cyclical", 10_000, "steps"),
    "cosine-100-epochs": Schedule("cosine", 100),
    "free-bits-0.5": Schedule(floor=0.5),
}


def train(model: VAE, images: Images, schedule: Schedule | str, batch_size: int = 128, **settings) -> training.History:
    """`fit` with a schedule, or with the name of one of SCHEDULES; `settings` are those of `fit`.

    Raises:
        ValueError: no such schedule; names the nearest.
    """
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            near = difflib.get_close_matches(schedule, SCHEDULES, n=1, cutoff=0.0)
            raise ValueError(
                f"no schedule is called {schedule!r}; the nearest is {near[0]!r}. All: {', '.join(SCHEDULES)}"
            )
        schedule = SCHEDULES[schedule]
    model.floor, full = schedule.floor, model.beta
    weights = schedule.weights(full, math.ceil(len(images) / batch_size))
    try:
        return training.fit(model, images, batch_size=batch_size, beta=weights, **settings)
    finally:
        model.beta = full
