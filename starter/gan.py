"""Lab 7: the generative adversarial network. A generator learns to fool a discriminator that learns not to be fooled.

Images x are float32 (B, C, H, W) in [0, 1] outside of the game, and in [-1, 1] inside. A discriminator gives logits:
D = sigmoid(logit) is its probability that the image is real. Losses are in nats, averaged over the batch.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from starter.support.data import signed, unit
from starter.support.nets import frozen, moving_average


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, real_label: float = 1.0) -> Tensor:
    """What the discriminator minimises: the cross-entropy of calling real images real and fake ones fake.

    -E[a log D(x) + (1 - a) log(1 - D(x))] - E[log(1 - D(G(z)))],  D = sigmoid(logit),  a = real_label

    With a = 1 this is the game's own loss. One-sided label smoothing takes a = 0.9: a discriminator that is sure of a
    real image pays for it. The target of fake images stays 0, whatever a is.

    Args:
        real_logits: of real images, shape (N,), or (N, ...) where an image has several logits.
        fake_logits: of generated images, shape (M,) or (M, ...).
        real_label: target of the real images, in (0, 1].

    Returns:
        The sum of two means, a scalar.

    Raises:
        ValueError: one of the two has a dimension that the other lacks ((N, 1) beside (N,) would broadcast to (N, N)),
            or real_label is no such target.

    Source: Goodfellow et al. 2014, "Generative adversarial nets", section 3; smoothing: Salimans et al. 2016, "Improved
    techniques for training GANs", section 3.4.
    """
    if real_logits.shape[1:] != fake_logits.shape[1:]:
        shapes = f"real_logits {tuple(real_logits.shape)} and fake_logits {tuple(fake_logits.shape)}"
        raise ValueError(f"{shapes} must have the same shape after the batch: flatten (N, 1) to (N,)")
    if not 0 < real_label <= 1:
        raise ValueError(f"real_label must be above 0 and at most 1, not {real_label}")
    # TODO gan-1: two cross-entropies, each averaged over its batch, from logits: a logit of 100 must be no problem.
    raise NotImplementedError("gan-1")  # YOUR CODE HERE


def generator_loss(fake_logits: Tensor) -> Tensor:
    """What the generator minimises: the non-saturating loss. Its images shall be called real.

    -E[log D(G(z))],  D = sigmoid(logit)

    Args:
        fake_logits: of generated images, shape (N,) or (N, ...).

    Returns:
        The mean, a scalar.

    Source: Goodfellow et al. 2014, section 3.
    """
    # TODO gan-2: the cross-entropy of calling fakes real, from logits.
    raise NotImplementedError("gan-2")  # YOUR CODE HERE


def saturating_loss(fake_logits: Tensor) -> Tensor:
    """The generator's loss in the minimax game, for comparison: its images shall not be called fake.

    E[log(1 - D(G(z)))],  D = sigmoid(logit)

    Args:
        fake_logits: of generated images, shape (N,) or (N, ...).

    Returns:
        The mean, a scalar, never positive.

    Source: Goodfellow et al. 2014, equation 1.
    """
    # TODO gan-3: the fakes' term of the discriminator's loss with the other sign, from logits.
    raise NotImplementedError("gan-3")  # YOUR CODE HERE


def discriminator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    z: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor] = discriminator_loss,
) -> Tensor:
    """One update of the discriminator. The generator only delivers images: its weights get no gradient.

    Args:
        generator: z -> images in [-1, 1]; stays in the mode it is in.
        discriminator: images in [-1, 1] -> logits.
        optimizer: of the discriminator's weights; gradients of earlier steps may still lie there.
        real: images in [-1, 1], shape (N, C, H, W).
        z: noise, shape (M, latent_dim).
        loss: (real_logits, fake_logits) -> scalar.

    Returns:
        The loss before the update, without a graph.

    Source: Goodfellow et al. 2014, algorithm 1.
    """
    # TODO gan-4: images from z that are cut off from the generator, the loss, then the three lines of every update.
    raise NotImplementedError("gan-4")  # YOUR CODE HERE


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    z: Tensor,
    loss: Callable[[Tensor], Tensor] = generator_loss,
) -> Tensor:
    """One update of the generator. The gradient passes through the discriminator, whose weights stay as they are.

    Args:
        generator, discriminator, z: as in `discriminator_step`.
        optimizer: of the generator's weights; gradients of earlier steps may still lie there.
        loss: fake_logits -> scalar.

    Returns:
        The loss before the update, without a graph.

    Source: Goodfellow et al. 2014, algorithm 1.
    """
    # TODO gan-5: the loss of images from z, then the three lines of every update.
    raise NotImplementedError("gan-5")  # YOUR CODE HERE


class GANTerms(NamedTuple):
    """Losses of one update, in nats, each before its own step."""

    discriminator: Tensor
    generator: Tensor


def gan_step(gan: nn.Module, x: Tensor, z: Tensor) -> GANTerms:
    """Build it: a whole round of the game. No formula here, only what must hold.

    - The discriminator moves first. The generator then moves against the discriminator that has just moved.
    - The generator is called once in a round: both moves are about the same images. (`discriminator_step` and
      `generator_step` would each let it draw.)
    - Each player learns from its own loss, through its own optimiser, one step; nothing of an earlier round counts.
    - No gradient is computed for weights that do not move: not for the generator's while the discriminator moves, nor
      for the discriminator's while the generator does.
    - Afterwards modes are as they were found, and every weight that could learn can learn; no other can.

    Args:
        gan: has generator (z -> images in [-1, 1]), discriminator (such images -> logits), their optimisers opt_g and
            opt_d, d_loss (real_logits, fake_logits) -> scalar, and g_loss (fake_logits) -> scalar.
        x: real images in [0, 1], shape (N, C, H, W); `signed` brings them to where the game is played.
        z: noise, shape (M, latent_dim).

    Returns:
        GANTerms(discriminator, generator), without a graph.

    Source: Goodfellow et al. 2014, algorithm 1.
    """
    # TODO gan-8: real and generated images; the discriminator's move; the generator's, with the discriminator held.
    raise NotImplementedError("gan-8")  # YOUR CODE HERE


def modes_covered(samples: Tensor, centres: Tensor, radius: float, least: float = 0.02) -> int:
    """How many modes a generator has found: centres with at least a share `least` of all samples within `radius`.

    One stray point is not a mode: that is what the share is for.

    Args:
        samples: points, shape (N, D).
        centres: of the modes, shape (K, D), further apart than two radii.
        radius: how near a sample belongs to a centre.
        least: of all N samples, hits or not.

    Returns:
        A whole number from 0 to K.
    """
    # TODO gan-6: distances of all samples to all centres, the share of near samples for every centre, a count.
    raise NotImplementedError("gan-6")  # YOUR CODE HERE


def diversity(x: Tensor) -> Tensor:
    """How unlike each other images are: the mean squared distance of two different ones. 0 if all are the same.

    1 / (N (N - 1)) sum_{i != j} |x_i - x_j|^2,  |.|^2 summed over an image's pixels

    An image's distance to itself does not count: so the number estimates the same, however few images there are. After
    mode collapse all images are nearly the same: then the difference of two large means is lost in float32's rounding.
    Compare it with that of real images. Alone it is no quality: noise is diverse, too.

    Args:
        x: images, shape (N, C, H, W), N >= 2. Thousands of them: N x N x C x H x W differences would not fit.

    Returns:
        A scalar.

    Raises:
        ValueError: fewer than two images.
    """
    if len(x) < 2:
        raise ValueError(f"diversity needs at least 2 images, not {len(x)}")
    # TODO gan-7: every pair without a loop over pairs; a pixel's mean squared difference and its variance are related.
    raise NotImplementedError("gan-7")  # YOUR CODE HERE


class GAN(nn.Module):
    """Two networks, their optimisers and their losses: `training.play` calls `update` with every batch."""

    def __init__(
        self,
        generator: nn.Module,  # z (B, latent_dim) -> images (B, C, H, W) in [-1, 1]
        discriminator: nn.Module,  # images in [-1, 1] -> logits (B,)
        latent_dim: int,
        *,
        lr: float = 2e-4,
        lr_d: float | None = None,  # two time scales: another rate for the discriminator
        betas: tuple[float, float] = (0.5, 0.999),
        ema: float | None = None,  # decay of the moving average of the generator's weights that then draws the samples
        d_loss: Callable[[Tensor, Tensor], Tensor] = discriminator_loss,
        g_loss: Callable[[Tensor], Tensor] = generator_loss,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator, self.latent_dim = generator, discriminator, latent_dim
        self.d_loss, self.g_loss = d_loss, g_loss
        self.opt_g = torch.optim.Adam(generator.parameters(), lr=lr, betas=betas, fused=True)
        self.opt_d = torch.optim.Adam(discriminator.parameters(), lr=lr_d or lr, betas=betas, fused=True)
        self.average = moving_average(generator, self.opt_g, ema) if ema else None

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.latent_dim, device=next(self.parameters()).device)

    def update(self, x: Tensor, y: Tensor) -> GANTerms:
        return gan_step(self, x, self.noise(len(x)))

    @torch.no_grad()
    def sample(self, z: Tensor) -> Tensor:
        """Images in [0, 1] from noise z, in evaluation mode: an image does not depend on those drawn beside it."""
        generator = self.average.module if self.average else self.generator
        mode = generator.training
        images = unit(generator.eval()(z))
        generator.train(mode)
        return images
