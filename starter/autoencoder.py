"""Lab 1: the autoencoder. Squeeze an image through a narrow code, and rebuild it.

Images x are float32 (B, C, H, W) in [0, 1]. Losses are summed over dimensions and averaged over the batch.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from starter.support import nets
from starter.support.data import signed, unit
from starter.support.nets import Conv, ConvConfig, Shape


def feature_shapes(shape: Shape, plan: tuple[Conv, ...]) -> list[Shape]:
    """Shape of the image and of the features after every convolution of an encoder.

    H_out = floor((H + 2 * padding - kernel_size) / stride) + 1, and the same for W

    Args:
        shape: (C, H, W) of one image.
        plan: the convolutions, first to last.

    Returns:
        len(plan) + 1 triples (C, H, W); the first is `shape` itself.

    Raises:
        ValueError: a convolution expects another number of channels than it gets.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", relationship 6.
    """
    for previous, conv in zip((shape[0], *(c.out_channels for c in plan)), plan):
        if conv.in_channels != previous:
            raise ValueError(f"{conv} gets {previous} channels: in_channels must be {previous}")
    # TODO ae-1: start with `shape`; append one (C, H, W) per convolution.
    raise NotImplementedError("ae-1")  # YOUR CODE HERE


def mirror(plan: tuple[Conv, ...], shapes: list[Shape]) -> list[Conv]:
    """The transposed convolutions that lead back from the last feature shape to the image.

    A transposed convolution gives H_out = (H - 1) * stride - 2 * padding + kernel_size + output_padding.
    A stride above 1 maps several input sizes to one output size; output_padding says which of them to return to.

    Args:
        plan: the encoder's convolutions, first to last.
        shapes: what `feature_shapes` gives for them, len(plan) + 1 triples (C, H, W).

    Returns:
        One Conv per convolution of the plan, in the order of the decoder, with output_padding (rows, columns).

    Source: Dumoulin & Visin 2016, relationship 14.
    """
    # TODO ae-2: last convolution first, channels swapped, output_padding = wanted size minus size without it.
    raise NotImplementedError("ae-2")  # YOUR CODE HERE


def reconstruction_loss(logits: Tensor, x: Tensor, kind: str) -> Tensor:
    """How badly a decoder's output rebuilds x: one number, in nats for "bce", in squared pixels for "mse".

    "bce": -sum_i [x_i log p_i + (1 - x_i) log(1 - p_i)] with p = sigmoid(logits)
    "mse": sum_i (logits_i - x_i)^2: the output is the pixel itself, no sigmoid

    Sum over the pixels of an image, then average over the images: averaged over pixels, the gradient of a
    large image would be as small as that of a small one, and a learning rate would mean something else for each.

    Args:
        logits: decoder output, shape (B, C, H, W).
        x: images in [0, 1], the same shape.
        kind: "bce" or "mse".

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: the shapes differ (broadcasting would hide it), or an unknown kind.
    """
    if logits.shape != x.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and x {tuple(x.shape)} must have the same shape")
    if kind not in ("bce", "mse"):
        raise ValueError(f'kind must be "bce" or "mse", not {kind!r}')
    # TODO ae-3: both kinds; F.binary_cross_entropy_with_logits takes logits and is stable where log(sigmoid) is not.
    raise NotImplementedError("ae-3")  # YOUR CODE HERE


def interpolate(z_start: Tensor, z_end: Tensor, steps: int) -> Tensor:
    """Codes on the straight lines between two batches of codes, both ends included.

    The first of the points is z_start, the last z_end, and neighbours are equally far apart. On the line the two ends
    are mixed, with weights that add up to 1: that of z_end grows from 0 to 1, by 1 / (steps - 1) from point to point.

    Args:
        z_start, z_end: codes, shape (B, latent_dim).
        steps: how many points on each line, at least 2.

    Returns:
        Codes, shape (steps, B, latent_dim).

    Raises:
        ValueError: fewer than 2 steps, or different shapes.
    """
    if steps < 2 or z_start.shape != z_end.shape:
        raise ValueError(f"steps={steps} must be at least 2, {tuple(z_start.shape)} and {tuple(z_end.shape)} equal")
    # TODO ae-4: `steps` values of t from 0 to 1, shaped so that they broadcast against (B, latent_dim).
    raise NotImplementedError("ae-4")  # YOUR CODE HERE


def corrupt(x: Tensor, eps: Tensor, sigma: float) -> Tensor:
    """Images with Gaussian noise of standard deviation sigma, still inside [0, 1].

    What the noise takes beyond black or white is cut off. It is an argument, so a test can fix it. x itself stays as
    it is: it is the target.

    Args:
        x: images in [0, 1], shape (B, C, H, W).
        eps: standard-normal noise, the same shape.
        sigma: standard deviation of the noise, in pixel units.

    Returns:
        Noisy images, the same shape.

    Source: Vincent et al. 2010, "Stacked denoising autoencoders", section 3.3.
    """
    # TODO ae-5: add the scaled noise, then clip.
    raise NotImplementedError("ae-5")  # YOUR CODE HERE


def denoising_loss(autoencoder: nn.Module, x: Tensor, eps: Tensor, sigma: float, kind: str = "bce") -> Tensor:
    """Reconstruction loss of a denoising autoencoder: it sees the noisy image and must return the clean one.

    The noise is that of `corrupt`, the error that of `reconstruction_loss`.

    Args:
        autoencoder: maps images (B, C, H, W) to logits of the same shape; stays in the mode it is in.
        x: clean images in [0, 1], shape (B, C, H, W).
        eps: standard-normal noise, the same shape.
        sigma: standard deviation of the noise, in pixel units.
        kind: as in `reconstruction_loss`.

    Returns:
        The loss, a scalar.

    Source: Vincent et al. 2010, section 3.1.
    """
    # TODO ae-6: which of the two images goes in, and which one is the target?
    raise NotImplementedError("ae-6")  # YOUR CODE HERE


class Trained(NamedTuple):
    """What a training loop measured."""

    losses: Tensor  # of every epoch, shape (epochs,): the mean over its images, each before the step it was used for
    held_out: Tensor  # after every epoch, the same shape: the mean over the held-out images
    best: int  # the epoch, 0 for the first, whose weights the model has now


def train(
    model: nn.Module, optimizer: Optimizer, batches: list[Tensor], held_out: list[Tensor], epochs: int
) -> Trained:
    """Build it: a training loop that ends with its best weights. No formula here, only what must hold.

    - An epoch is one step of the optimiser for each of `batches`, in their order, in training mode, down the gradient
      of `model.terms(x).loss` of that batch alone.
    - After every epoch the held-out images are measured: in evaluation mode, without a graph, and nothing is learned.
    - Batches differ in size, and a loss is a mean over its batch. What is reported are means over all images.
    - In the end the model holds what it held after the epoch with the lowest held-out loss, the first of them if there
      are several: all of it, the running means of a BatchNorm too. Its tensors are still the same ones.
    - Afterwards the model is in the mode in which it was found.

    Args:
        model: has terms(x) -> NamedTuple with a scalar `loss`.
        optimizer: of its weights; it may remember earlier steps.
        batches: images to learn from, each (B, C, H, W).
        held_out: images to measure with, such batches as well.
        epochs: at least 1.

    Returns:
        Trained(losses, held_out, best).

    Raises:
        ValueError: no epoch, or nothing to learn from or to measure with.
    """
    if epochs < 1 or not batches or not held_out:
        raise ValueError(
            f"{epochs} epochs of {len(batches)} batches, {len(held_out)} held out: each must be at least 1"
        )
    # TODO ae-7: two loops for the steps, one for the measurement; a copy of whatever was best; the mode.
    raise NotImplementedError("ae-7")  # YOUR CODE HERE


class Terms(NamedTuple):
    """What `fit` minimises and records."""

    loss: Tensor  # summed over the pixels of an image, averaged over the batch


def conv_nets(config: ConvConfig, out_dim: int | None) -> tuple[nn.Module, nn.Module]:
    """The encoder (to out_dim numbers) and the mirrored decoder that a config describes."""
    shapes = feature_shapes(config.shape, config.plan)
    encoder = nets.conv_encoder(config, shapes[-1], out_dim)
    return encoder, nets.conv_decoder(config, mirror(config.plan, shapes), shapes)


class Autoencoder(nn.Module):
    """encoder: x -> z, decoder: z -> logits. `kind` is the loss; `sigma` above 0 makes it a denoising autoencoder."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, kind: str = "bce", sigma: float = 0.0) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.kind, self.sigma = kind, sigma
        self.signed = any(isinstance(layer, nn.Tanh) for layer in decoder.children())  # pixels in [-1, 1]

    @classmethod
    def from_config(cls, config: ConvConfig, kind: str = "bce") -> "Autoencoder":
        return cls(*conv_nets(config, config.latent_dim), kind)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))

    def terms(self, x: Tensor) -> Terms:
        if self.sigma > 0:
            return Terms(denoising_loss(self, x, torch.randn_like(x), self.sigma, self.kind))
        if self.signed:
            x = signed(x)
        return Terms(reconstruction_loss(self(x), x, self.kind))

    def images(self, z: Tensor) -> Tensor:
        """Decode codes to pixels in [0, 1]."""
        output = self.decoder(z)
        if self.signed:
            return unit(output)
        return output.sigmoid() if self.kind == "bce" else output.clamp(0, 1)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.images(self.encoder(signed(x) if self.signed else x))
