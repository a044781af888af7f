"""Lab 8: DCGAN and LSGAN. Convolutional networks that make a GAN trainable, and a loss that never falls silent.

Outside images are in [0, 1]; both networks see them in [-1, 1], the range of a tanh.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from starter.support.data import unit
from starter.support.nets import Shape, frozen


@dataclass(frozen=True)
class DCGANConfig:
    """A pair of convolutional networks. Each entry of `channels` is one doubling of the side, from code to image.

    Raises:
        ValueError: no channels, a number below 1, or an image whose sides cannot be halved that often.
    """

    shape: Shape = (1, 16, 16)  # C, H, W of one image
    latent_dim: int = 100
    channels: tuple[int, ...] = (64, 32)  # feature maps of the generator; the discriminator has them in reverse
    batch_norm: bool = True  # False: none anywhere

    def __post_init__(self) -> None:
        if not self.channels or min(*self.shape, *self.channels, self.latent_dim) < 1:
            raise ValueError(f"{self}: channels must not be empty, and every number at least 1")
        factor = 2 ** len(self.channels)
        if any(side % factor for side in self.shape[1:]):
            raise ValueError(f"{len(self.channels)} channels need sides that {factor} divides, not {self.shape}")


class Layer(NamedTuple):
    """One row of a plan: a convolution (in a generator a transposed one), and whether BatchNorm follows it."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int]  # rows, columns
    stride: int
    padding: int
    batch_norm: bool


@torch.no_grad()
def initialize(layer: nn.Module, rng: torch.Generator | None = None) -> None:
    """Draw the first weights of one layer, in place; for `network.apply`, which calls it for every layer.

    Conv2d, ConvTranspose2d: weight ~ N(0, 0.02^2);  BatchNorm2d: weight ~ N(1, 0.02^2);  their biases: 0

    0.02 is the standard deviation. What is neither a convolution nor a BatchNorm stays as it is.

    Args:
        layer: one layer of a network.
        rng: where the noise comes from; None: torch's own stream.

    Source: Radford et al. 2016, "Unsupervised representation learning with DCGANs", section 4; BatchNorm: the
    authors' code.
    """
    # TODO dc-1: which kind of layer is it, and which mean does its weight have? One draw of rng for each weight.
    raise NotImplementedError("dc-1")  # YOUR CODE HERE


def generator_plan(config: DCGANConfig) -> list[Layer]:
    """The generator's transposed convolutions, from the code, a map of 1x1 with latent_dim channels, to the image.

    H_out = (H - 1) * stride - 2 * padding + kernel, and the same for W

    - the first makes the start map: its kernel is as large as the map, stride 1, padding 0;
    - each further one doubles both sides: kernel 4x4, stride 2, padding 1; n = len(channels) of them reach the image;
    - channels: latent_dim, then `channels`, then those of the image;
    - BatchNorm (if config.batch_norm) after all but the last, whose output are pixels.

    Returns:
        len(channels) + 1 layers.

    Source: Radford et al. 2016, section 3.
    """
    # TODO dc-2: the side of the start map; then one layer for each pair of neighbouring channel numbers.
    raise NotImplementedError("dc-2")  # YOUR CODE HERE


def discriminator_plan(config: DCGANConfig) -> list[Layer]:
    """The discriminator's convolutions, from the image to one logit: the generator's way back.

    H_out = floor((H + 2 * padding - kernel) / stride) + 1, and the same for W

    - each but the last halves both sides: kernel 4x4, stride 2, padding 1;
    - the last covers what is left with one kernel, stride 1, padding 0, and gives one number;
    - channels: those of the image, then `channels` in reverse, then 1;
    - BatchNorm (if config.batch_norm) neither in the first layer, which sees pixels, nor in the last.

    Returns:
        len(channels) + 1 layers.

    Source: Radford et al. 2016, section 3.
    """
    # TODO dc-3: as in dc-2, the other way round.
    raise NotImplementedError("dc-3")  # YOUR CODE HERE


def block(layer: Layer, activation: nn.Module, transposed: bool = False) -> nn.Sequential:
    """One row of a plan as modules: convolution, BatchNorm2d where the row asks for it, activation.

    Where BatchNorm follows, the convolution has no bias: BatchNorm would subtract it again.

    Args:
        layer: the row.
        activation: comes last.
        transposed: ConvTranspose2d in place of Conv2d.

    Returns:
        nn.Sequential of two or three modules, in that order.
    """
    # TODO dc-4: the first five fields of Layer stand in the order of both kinds of convolution; mind the bias.
    raise NotImplementedError("dc-4")  # YOUR CODE HERE


def interpolate_2d(z00: Tensor, z01: Tensor, z10: Tensor, z11: Tensor, steps: int) -> Tensor:
    """A square of codes between four corners: the first index goes from z0. to z1., the second from z.0 to z.1.

    z(s, t) = sum_ij w_ij z_ij / sqrt(sum_ij w_ij^2),  w_ij = s_i t_j,  s_0 = 1 - s, s_1 = s,  t_0 = 1 - t, t_1 = t

    s and t take `steps` evenly spaced values from 0 to 1. Without the root a mixture of independent N(0, I) codes has
    too small a variance, in the middle 1/4: codes that the generator never met in training. With it, it is N(0, I).

    Args:
        z00, z01, z10, z11: the corners, shape (latent_dim,).
        steps: codes on a side, at least 2.

    Returns:
        Codes, shape (steps, steps, latent_dim), with z00, z01, z10, z11 in the corners.

    Raises:
        ValueError: fewer than 2 steps, or corners that are not vectors of one length.

    Source: Agustsson et al. 2019, "Optimal transport maps for distribution preserving operations on latent spaces of
    generative models", for the line between two codes.
    """
    shapes = [tuple(z.shape) for z in (z00, z01, z10, z11)]
    if steps < 2 or len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(f"steps={steps} must be at least 2, and the corners vectors of one length: {shapes}")
    # TODO dc-5: the four weights of each point, shaped so that they broadcast; their mixture over their root.
    raise NotImplementedError("dc-5")  # YOUR CODE HERE


def least_squares_discriminator_loss(
    real_logits: Tensor, fake_logits: Tensor, a: float = 0.0, b: float = 1.0
) -> Tensor:
    """LSGAN: the discriminator's plain output shall be b for real images and a for fake ones.

    1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]

    No sigmoid: the output is a number, no log-odds. It stands in for lab 7's discriminator_loss, whose names it keeps.

    Args:
        real_logits, fake_logits: what D says of real and of fake images, shape (N, …); the mean is over all numbers.
        a, b: the target of fake and of real images.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: the shapes differ in more than N.

    Source: Mao et al. 2017, "Least squares generative adversarial networks", section 3.2.
    """
    if real_logits.shape[1:] != fake_logits.shape[1:]:
        shapes = f"{tuple(real_logits.shape)} and {tuple(fake_logits.shape)}"
        raise ValueError(f"real_logits and fake_logits may differ in the first dimension only, not as {shapes}")
    # TODO ls-1: half of the mean squared distance to each target.
    raise NotImplementedError("ls-1")  # YOUR CODE HERE


def least_squares_generator_loss(fake_logits: Tensor, c: float = 1.0) -> Tensor:
    """LSGAN: the generator wants the discriminator to say c of its images.

    1/2 E[(D(G(z)) - c)^2]

    Args:
        fake_logits: what D says of fake images, shape (N, …).
        c: the target; 1, as for real images. (a = -1, b = 1, c = 0 makes the game minimise a Pearson chi-square.)

    Returns:
        The loss, a scalar.

    Source: Mao et al. 2017, section 3.2, also on the choice of a, b, c.
    """
    # TODO ls-2: half of the mean squared distance to the target.
    raise NotImplementedError("ls-2")  # YOUR CODE HERE


class Inpainted(NamedTuple):
    """What `inpaint` finds, without a graph."""

    images: Tensor  # in [0, 1], shape (B, C, H, W)
    codes: Tensor  # shape (B, latent_dim)


def inpaint(
    generator: nn.Module, x: Tensor, known: Tensor, z: Tensor, prior: float = 1.0, steps: int = 150, lr: float = 0.05
) -> Inpainted:
    """Build it: images with a hole, which a trained generator fills. No formula here, only what must hold.

    - The codes are sought: from z on, `steps` steps of plain gradient descent with the rate lr lower what they pay. The
      generator does not learn, and no gradient is computed for its weights.
    - A code pays for each known pixel that its image misses: the square of the difference, in [0, 1], summed. What x
      holds where nothing is known has no influence.
    - A code pays for its length, too: `prior` times half of its square, as N(0, I) would have it.
    - Every image is for itself: it comes out the same, whatever stands beside it in the batch.
    - Known pixels come out as they were given; the image of the code as it is after the last step fills the hole.
    - Afterwards the generator's mode is as it was found, and so are z and what can learn.

    Args:
        generator: z (B, latent_dim) -> images in [-1, 1]; `unit` brings them to where x is.
        x: images in [0, 1], shape (B, C, H, W).
        known: which pixels are, bool, shape (B, 1, H, W), or (1, 1, H, W) for all images alike.
        z: where the search begins, shape (B, latent_dim).
        prior: weight of a code's length, not negative.
        steps: of the search, at least 1.
        lr: rate of the steps.

    Returns:
        Inpainted(images, codes), without a graph.

    Raises:
        ValueError: known is not bool, its shape or the number of codes does not fit x, prior is negative, or steps is
            below 1.

    Source: Yeh et al. 2017, "Semantic image inpainting with deep generative models", whose codes pay for what the
    discriminator says; for their length: Bora et al. 2017, "Compressed sensing using generative models".
    """
    fits = len(known) in (1, len(x)) and known.shape[1:] == (1, *x.shape[2:])
    if known.dtype != torch.bool or not fits or len(z) != len(x):
        shapes = f"x {tuple(x.shape)}, known {tuple(known.shape)} of {known.dtype}, z {tuple(z.shape)}"
        raise ValueError(f"{shapes}: known must be bool, (B or 1, 1, H, W), and z have a code for each image")
    if prior < 0:
        raise ValueError(f"prior must be at least 0, not {prior}: a negative one pays codes for their length")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    # TODO dc-6: codes that can learn, and their optimiser; the steps, with the generator held; the holes, filled.
    raise NotImplementedError("dc-6")  # YOUR CODE HERE


def generator(config: DCGANConfig, rng: torch.Generator | None = None) -> nn.Sequential:
    """z (B, latent_dim) to images (B, C, H, W) in [-1, 1]."""
    return generator_of(generator_plan(config), nn.Tanh(), rng)


def discriminator(config: DCGANConfig, rng: torch.Generator | None = None) -> nn.Sequential:
    """Images (B, C, H, W) in [-1, 1] to logits (B,)."""
    return discriminator_of(discriminator_plan(config), rng)


def generator_of(plan: list[Layer], last: nn.Module, rng: torch.Generator | None = None) -> nn.Sequential:
    """The generator of any plan: ReLU everywhere but after its last layer, which ends in `last`."""
    activations = [*(nn.ReLU() for _ in plan[1:]), last]
    blocks = [block(layer, activation, transposed=True) for layer, activation in zip(plan, activations, strict=True)]
    network = nn.Sequential(nn.Unflatten(1, (plan[0].in_channels, 1, 1)), *blocks)
    return network.apply(lambda layer: initialize(layer, rng))


def discriminator_of(plan: list[Layer], rng: torch.Generator | None = None) -> nn.Sequential:
    """The discriminator of any plan: LeakyReLU everywhere but after its last layer, which gives the logit."""
    blocks = [block(layer, nn.LeakyReLU(0.2)) for layer in plan[:-1]]
    network = nn.Sequential(*blocks, block(plan[-1], nn.Identity()), OneLogit())
    return network.apply(lambda layer: initialize(layer, rng))


class OneLogit(nn.Module):
    """(B, 1, 1, 1) to (B,)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (1, 1, 1):
            raise ValueError(f"the last map must be (1, 1, 1), not {tuple(x.shape[1:])}: images of another size?")
        return x.flatten()


class Rescale(nn.Module):
    """`data.signed` or `data.unit` as a layer, for networks that were reported on another range of pixels."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)
