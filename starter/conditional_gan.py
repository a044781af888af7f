"""Lab 10: the conditional GAN. Samples of a class that we name, and a generator that is told more than yes or no.

Images x are float32 (B, C, H, W), in [-1, 1] for both networks and in [0, 1] outside; labels y are int64 (B,).
"""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from starter.support.data import check_labels, signed
from starter.support.nets import Conv, Shape, frozen

from . import gan
from .autoencoder import feature_shapes
from .gan import GAN


def generator_input(z: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """What a conditional generator gets: noise, then the class as a one-hot vector.

    h = (z_1, ..., z_latent_dim, [y = 0], ..., [y = n_classes - 1])

    One number that holds the label would tell the generator that a 3 lies between a 2 and a 4.

    Args:
        z: noise, shape (B, latent_dim).
        y: classes, int64, shape (B,).
        n_classes: number of classes.

    Returns:
        h, shape (B, latent_dim + n_classes), of the type of z.

    Raises:
        ValueError: y has another shape or type, or a label outside the classes.

    Source: Mirza & Osindero 2014, "Conditional generative adversarial nets", section 3.2.
    """
    check_labels(y, len(z), n_classes)
    # TODO cgan-1: append the one-hot label to the noise.
    raise NotImplementedError("cgan-1")  # YOUR CODE HERE


def discriminator_input(x: Tensor, y: Tensor, maps: Tensor) -> Tensor:
    """What a conditional discriminator gets: the image, and as one more channel the map of its class.

    h_bc = x_bc for c < C,  h_bC = maps_{y_b}

    A convolution sees a neighbourhood: given as a picture, the label is there wherever it looks.

    Args:
        x: images, shape (B, C, H, W).
        y: classes, int64, shape (B,).
        maps: one learned picture per class, shape (n_classes, H, W).

    Returns:
        h, shape (B, C + 1, H, W); gradients reach x and the maps of the labels in y.

    Raises:
        ValueError: y has another shape or type, a label outside the classes, or maps of another size than the images.
    """
    check_labels(y, len(x), len(maps))
    if maps.shape[1:] != x.shape[2:]:
        raise ValueError(f"maps of {tuple(maps.shape[1:])} do not fit images of {tuple(x.shape[2:])}")
    # TODO cgan-2: look up the map of every label, and append it to the channels of its image.
    raise NotImplementedError("cgan-2")  # YOUR CODE HERE


def feature_matching_loss(real_features: Tensor, fake_features: Tensor) -> Tensor:
    """How far the mean features of generated images are from those of real ones, in one layer of the discriminator.

    First the mean of each feature over the batch, then the difference of the two means: example 3 of one batch has
    nothing to do with example 3 of the other. A feature's distance is the absolute value of its difference (L1). The
    distances are averaged over the features of an example and not summed, so that a large layer weighs no more than a
    small one. The real side is a target: no gradient reaches it.

    Args:
        real_features: features of real images in one layer, shape (B, ...).
        fake_features: those of generated images, the same shape.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: the shapes differ (broadcasting would hide it).

    Source: Salimans et al. 2016, "Improved techniques for training GANs", section 3.1, there the squared L2 distance;
    L1 and a mean over features as in Wang et al. 2018 (pix2pixHD), section 3.2.
    """
    if real_features.shape != fake_features.shape:
        shapes = f"{tuple(real_features.shape)} and {tuple(fake_features.shape)}"
        raise ValueError(f"real and fake features must have the same shape, not {shapes}")
    # TODO cgan-3: the mean distance |.| of the two batch means; the real one is a constant.
    raise NotImplementedError("cgan-3")  # YOUR CODE HERE


class GeneratorTerms(NamedTuple):
    """What a conditional generator minimises, and its parts."""

    loss: Tensor  # adversarial + weight * matching
    adversarial: Tensor  # -E[log D(G(z, y), y)], nats
    matching: Tensor  # sum over layers of feature_matching_loss, never weighted


def generator_objective(
    fake_logits: Tensor, real_features: list[Tensor], fake_features: list[Tensor], weight: float = 10.0
) -> GeneratorTerms:
    """The generator's whole objective: fool the discriminator, and look like real images inside of it.

    loss = -E[log sigmoid(fake_logits)] + weight * sum_layers feature_matching_loss

    The first is the generator_loss of lab 7, the mean over examples and, where there are several, over their patches.

    Args:
        fake_logits: of generated images, any shape.
        real_features, fake_features: one tensor per layer of the discriminator, the logit not among them.
        weight: of feature matching; 0 leaves the GAN as it was.

    Returns:
        GeneratorTerms(loss, adversarial, matching), three scalars.

    Raises:
        ValueError: different numbers of layers, or a negative weight.
    """
    if len(real_features) != len(fake_features):
        raise ValueError(f"{len(real_features)} layers of real features, but {len(fake_features)} of fake ones")
    if not weight >= 0:
        raise ValueError(f"weight must be at least 0, not {weight}")
    # TODO cgan-4: gan.generator_loss, and feature_matching_loss of every layer; report the second without its weight.
    raise NotImplementedError("cgan-4")  # YOUR CODE HERE


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: torch.optim.Optimizer,
    h: Tensor,
    y: Tensor,
    real: Tensor,
    objective: Callable[[Tensor, list[Tensor], list[Tensor]], GeneratorTerms] = generator_objective,
) -> GeneratorTerms:
    """One update of the generator. Real images take part, because their features are its target.

    Args:
        generator: maps h to images in [-1, 1].
        discriminator: maps images and labels to (logits, features), as ConditionalDiscriminator does.
        optimizer: of the generator's weights.
        h: what generator_input gave for y, shape (B, latent_dim + n_classes).
        y: classes, int64, shape (B,): of the generated and of the real images.
        real: images in [-1, 1], shape (B, C, H, W).
        objective: (fake_logits, real_features, fake_features) -> GeneratorTerms, whose `loss` is minimised.

    Returns:
        The terms before the step, without a graph.
    """
    # TODO cgan-5: judge generated and real images under the same labels, and step on the objective's loss.
    raise NotImplementedError("cgan-5")  # YOUR CODE HERE


class Judgement(NamedTuple):
    """What a conditional discriminator says about images under labels."""

    logits: Tensor  # (B,), or (B, h, w): one for every patch
    features: list[Tensor]  # after every convolution's activation, first to last


class ConditionalTerms(NamedTuple):
    """Of one round."""

    discriminator: Tensor
    adversarial: Tensor
    matching: Tensor


def conditional_step(game: nn.Module, x: Tensor, y: Tensor, h: Tensor, wrong: Tensor | None = None) -> ConditionalTerms:
    """Build it: a whole round of the conditional game. No formula here, only what must hold.

    - The discriminator moves first. Real images under their labels are real to it. Generated ones under the labels that
      they were drawn for are fake; and if `wrong` is given, real images under those labels are fake, too, in one batch
      with the generated ones.
    - Then the generator moves, against the discriminator that has just moved: the logits of its images count, and the
      features of its images and of the real ones, all under y.
    - The generator is called once in a round: both moves are about the same images.
    - Each player learns from its own loss, through its own optimiser, one step; nothing of an earlier round counts.
    - No gradient is computed for weights that do not move: not for the generator's while the discriminator moves, nor
      for the discriminator's while the generator does.
    - Afterwards modes are as they were found, and every weight that could learn can learn; no other can.

    Args:
        game: has generator (h -> images in [-1, 1]), discriminator ((such images, labels) -> Judgement), opt_g, opt_d,
            d_loss (real_logits, fake_logits) -> scalar, and objective (fake_logits, real_features, fake_features) ->
            GeneratorTerms. Logits are one for each image, or a map of patches for each: both losses take either.
        x: real images in [0, 1], shape (B, C, H, W); `signed` brings them to where the game is played.
        y: classes, int64, shape (B,): of the real images, and those that the generator draws.
        h: what generator_input gave for y, shape (B, latent_dim + n_classes).
        wrong: labels that the real images do not have, int64, shape (B,); without them there are no wrong pairs.

    Returns:
        ConditionalTerms(discriminator, adversarial, matching), without a graph.

    Source: Mirza & Osindero 2014, section 3.2; wrong pairs: Reed et al. 2016, algorithm 1.
    """
    # TODO cgan-8: images drawn once; the discriminator's move on two or three kinds of pairs; the generator's move.
    raise NotImplementedError("cgan-8")  # YOUR CODE HERE


def class_accuracy(probs: Tensor, y: Tensor) -> Tensor:
    """For every class: which share of the samples that should show it does a classifier take for it?

    accuracy_k = mean over the examples with y_b = k of [argmax_j probs_bj = k]

    The mean over all samples would hide one class that fails among nine that do not.

    Args:
        probs: p(class | image) of every sample, from a classifier, shape (N, n_classes).
        y: the classes that were asked for, int64, shape (N,).

    Returns:
        accuracy, float32, shape (n_classes,); nan for a class that nobody asked for.

    Raises:
        ValueError: y has another shape or type, or a label outside the classes.
    """
    check_labels(y, len(probs), probs.shape[1])
    # TODO cgan-6: which samples are right, and their mean within every class.
    raise NotImplementedError("cgan-6")  # YOUR CODE HERE


class Field(NamedTuple):
    """The square of pixels that one number of a feature map depends on, along one axis."""

    size: int  # pixels
    step: int  # pixels from one number's square to the next one's
    start: int  # first pixel of the first number's square; negative where it begins in the padding


def receptive_field(plan: tuple[Conv, ...]) -> Field:
    """What one number of the last feature map can see of the image.

    size = 1 + sum_l (kernel_l - 1) step_{l-1},  step_l = stride_1 ... stride_l,  start = -sum_l padding_l step_{l-1}

    with step_0 = 1: a convolution's kernel reaches over numbers that are step_{l-1} pixels apart.

    Args:
        plan: the convolutions, first to last.

    Returns:
        Field(size, step, start): number i sees the pixels start + i * step ... start + i * step + size - 1.

    Source: Araujo et al. 2019, "Computing receptive fields of convolutional neural networks".
    """
    # TODO cgan-7: begin with one pixel; widen it, and lengthen the step, convolution by convolution.
    raise NotImplementedError("cgan-7")  # YOUR CODE HERE


class ConditionalDiscriminator(nn.Module):
    """Images in [-1, 1] and labels -> Judgement. Without `patch` one logit an image, with it one a patch (PatchGAN).

    Convolutions of a plan, LeakyReLU(0.2) after each; then a linear layer over everything, or the convolution `patch`.
    """

    def __init__(self, shape: Shape, n_classes: int, plan: tuple[Conv, ...], patch: Conv | None = None) -> None:
        super().__init__()
        last = feature_shapes((shape[0] + 1, *shape[1:]), plan)[-1]
        self.maps = nn.Parameter(torch.randn(n_classes, *shape[1:]))
        self.layers = nn.ModuleList(nn.Sequential(nn.Conv2d(*conv[:5]), nn.LeakyReLU(0.2)) for conv in plan)
        whole = nn.Sequential(nn.Flatten(), nn.Linear(prod(last), 1))
        self.head = whole if patch is None else nn.Conv2d(*patch[:5])

    def forward(self, x: Tensor, y: Tensor) -> Judgement:
        features = [discriminator_input(x, y, self.maps)]
        for layer in self.layers:
            features.append(layer(features[-1]))
        return Judgement(self.head(features[-1]).squeeze(1), features[1:])


def halving(n_in: int, widths: tuple[int, ...]) -> tuple[Conv, ...]:
    """Convolutions that halve the image again and again; n_in counts the label map."""
    return tuple(Conv(before, after, stride=2) for before, after in zip((n_in, *widths), widths))


def conditional_generator(
    shape: Shape, latent_dim: int, n_classes: int, widths: tuple[int, int, int] = (256, 128, 64)
) -> nn.Sequential:
    """What generator_input gives, to images in [-1, 1]: a linear layer, two doublings, one convolution.

    Raises:
        ValueError: a side of the images is not a multiple of 4.
    """
    channels, height, width = shape
    if height % 4 or width % 4:
        raise ValueError(f"two doublings end at a multiple of 4, not at {height}x{width} pixels: use data.pad")
    first, second, third = widths
    small = (first, height // 4, width // 4)
    return nn.Sequential(
        *(nn.Linear(latent_dim + n_classes, prod(small)), nn.Unflatten(1, small), nn.BatchNorm2d(first), nn.ReLU()),
        *(nn.ConvTranspose2d(first, second, 4, 2, 1), nn.BatchNorm2d(second), nn.ReLU()),
        *(nn.ConvTranspose2d(second, third, 4, 2, 1), nn.BatchNorm2d(third), nn.ReLU()),
        *(nn.Conv2d(third, channels, 3, padding=1), nn.Tanh()),
    )


class ConditionalGAN(GAN):
    """A GAN whose two networks know the class; labels of real images serve generated ones, too."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, latent_dim: int, weight: float = 10.0, **settings
    ) -> None:
        super().__init__(generator, discriminator, latent_dim, **settings)
        self.n_classes, self.weight = len(discriminator.maps), weight

    def update(self, x: Tensor, y: Tensor) -> ConditionalTerms:
        return conditional_step(self, x, y, generator_input(self.noise(len(x)), y, self.n_classes))

    def objective(
        self, fake_logits: Tensor, real_features: list[Tensor], fake_features: list[Tensor]
    ) -> GeneratorTerms:
        return generator_objective(fake_logits, real_features, fake_features, self.weight)

    def judge(self, x: Tensor, y: Tensor) -> Tensor:
        return self.discriminator(x, y).logits.flatten()

    def sample(self, z: Tensor, y: Tensor) -> Tensor:
        """Images in [0, 1] of the classes y, in evaluation mode."""
        return super().sample(generator_input(z, y, self.n_classes))


def class_grid(z: Tensor, n_classes: int) -> tuple[Tensor, Tensor]:
    """Every noise z (N, latent_dim) under every class: noise (n_classes * N, latent_dim) and labels, class by class."""
    return z.repeat(n_classes, 1), torch.arange(n_classes, device=z.device).repeat_interleave(len(z))
