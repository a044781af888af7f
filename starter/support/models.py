"""What the course asks of a model, for annotations. Labs' models are plain nn.Modules: none of them inherits this."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from .flows import Flow


class Terms(NamedTuple):
    """What `fit` needs of a loss; a lab's own tuple has the parts of it, too."""

    loss: Tensor


class Model(nn.Module):
    """Each model has a part of this; `hasattr` tells which."""

    terms: Callable[[Tensor], Terms]  # images (B, C, H, W) in [0, 1] -> what `fit` minimises
    beta: float  # weight of the KL
    floor: float  # nats of a latent's KL that cost nothing

    update: Callable[[Tensor, Tensor], NamedTuple]  # images and labels -> the terms of one step of `play`
    losses: Callable[[Tensor, Tensor], NamedTuple]  # the same without a step
    discriminator: nn.Module
    judge: Callable[[Tensor, Tensor], Tensor]  # images in [-1, 1] and labels -> logits
    d_loss: Callable[[Tensor, Tensor], Tensor]  # logits of real and of fake images
    g_loss: Callable[[Tensor], Tensor]

    latent_dim: int
    n_classes: int
    noise: Callable[[int], Tensor]  # how many -> z
    sample: Callable[..., Tensor]  # z, and labels of a model with classes -> images in [0, 1]

    encoder: nn.Module
    signed: bool  # are pixels in [-1, 1] inside?
    encode: Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]  # images -> codes, or their mean and log-variance
    bend: Callable[[Tensor], tuple[Tensor, Tensor]]  # codes through the flow of the posterior, with log_det
    images: Callable[[Tensor], Tensor]  # codes -> images in [0, 1]
    reconstruct: Callable[[Tensor], Tensor]


class Coupling(Flow):
    """A layer of lab 5."""

    mask: Tensor  # 1 passes through
    net: nn.Module  # what passes through -> log s and t


class Stages(Flow):
    """A flow of lab 5, resolution by resolution."""

    stages: Sequence[Iterable[Coupling]]


class ImageFlow(Model):
    """A model of lab 5."""

    flow: Stages
    dequantized: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]  # images and noise -> pixels first
