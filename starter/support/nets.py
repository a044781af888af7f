"""Networks that are given: convolutional and fully connected encoders and decoders, built from a plan."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Conv(NamedTuple):
    """One convolution of a plan. Transposed convolutions use the same fields, and `output_padding` besides."""

    in_channels: int
    out_channels: int
    kernel_size: int = 3
    stride: int = 1
    padding: int = 1
    output_padding: tuple[int, int] = (0, 0)  # rows, columns that a transposed convolution appends


Shape = tuple[int, int, int]  # C, H, W
Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class ConvConfig:
    """A convolutional autoencoder's layers, as written down in a report."""

    shape: Shape  # of one image
    plan: tuple[Conv, ...]  # of the encoder, from the image to the code
    latent_dim: int | None  # None: fully convolutional, the last feature map is the code
    activation: type[nn.Module] = nn.ReLU  # after every convolution but the decoder's last
    batch_norm: bool = False  # before every activation of a convolution
    tanh: bool = False  # end in Tanh: pixels in [-1, 1] instead of logits


def conv_encoder(config: ConvConfig, last: Shape, out_dim: int | None) -> nn.Sequential:
    """Images (B, C, H, W) to (B, out_dim), or to the last feature map (B, *last) when out_dim is None."""
    layers = []
    for conv in config.plan:
        layers += [nn.Conv2d(*conv[:5]), *after(config, conv.out_channels)]
    if out_dim is not None:
        layers += [nn.Flatten(), nn.Linear(prod(last), out_dim)]
    return nn.Sequential(*layers)


def conv_decoder(config: ConvConfig, mirrored: list[Conv], shapes: list[Shape]) -> nn.Sequential:
    """A code back to images: `mirrored` are the transposed convolutions, `shapes` the encoder's feature shapes."""
    layers = []
    if config.latent_dim is not None:
        layers += [nn.Linear(config.latent_dim, prod(shapes[-1])), config.activation(), nn.Unflatten(1, shapes[-1])]
    for conv in mirrored:
        layers += [nn.ConvTranspose2d(*conv), *after(config, conv.out_channels)]
    del layers[-len(after(config, 1)) :]  # the last stage gives logits
    return nn.Sequential(*layers, *([nn.Tanh()] if config.tanh else []))


def after(config: ConvConfig, channels: int) -> list[nn.Module]:
    return [*([nn.BatchNorm2d(channels)] if config.batch_norm else []), config.activation()]


def mlp_encoder(shape: Shape, hidden_dims: tuple[int, ...], out_dim: int) -> nn.Sequential:
    """Images (B, C, H, W) to (B, out_dim)."""
    return nn.Sequential(nn.Flatten(), *mlp(prod(shape), *hidden_dims, out_dim))


def mlp_decoder(latent_dim: int, hidden_dims: tuple[int, ...], shape: Shape) -> nn.Sequential:
    """Codes (B, latent_dim) to logits (B, C, H, W)."""
    return nn.Sequential(*mlp(latent_dim, *hidden_dims, prod(shape)), nn.Unflatten(1, shape))


def mlp(*dims: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in zip(dims, dims[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return layers[:-1]  # the last layer is linear


def mlp_generator(
    latent_dim: int, hidden_dims: tuple[int, ...], shape: tuple[int, ...], batch_norm: bool = True
) -> nn.Sequential:
    """Noise z (B, latent_dim) to images (B, *shape) in [-1, 1]."""
    layers = leaky((latent_dim, *hidden_dims), batch_norm=batch_norm)
    return nn.Sequential(*layers, nn.Linear(hidden_dims[-1], prod(shape)), nn.Tanh(), nn.Unflatten(1, shape))


def mlp_discriminator(shape: tuple[int, ...], hidden_dims: tuple[int, ...], dropout: float = 0.0) -> nn.Sequential:
    """Images (B, *shape) in [-1, 1] to one logit each, (B,): without a second dimension that would broadcast."""
    layers = leaky((prod(shape), *hidden_dims), dropout=dropout)
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(hidden_dims[-1], 1), nn.Flatten(0))


def leaky(dims: tuple[int, ...], batch_norm: bool = False, dropout: float = 0.0) -> list[nn.Module]:
    layers = []
    for n_in, n_out in zip(dims, dims[1:]):
        layers += [nn.Linear(n_in, n_out), *([nn.BatchNorm1d(n_out)] if batch_norm else []), nn.LeakyReLU(0.2)]
        layers += [nn.Dropout(dropout)] if dropout else []
    return layers


class Drawn(nn.Module):
    """A generator that has drawn already: whoever asks it gets these images, whatever the noise."""

    def __init__(self, generator: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.generator, self.images = generator, images

    def forward(self, z: Tensor) -> Tensor:
        return self.images


def drawn_once(generator: nn.Module, z: Tensor) -> tuple[Drawn, Drawn]:
    """The same images for two steps: cut off for the discriminator's, with their graph for the generator's."""
    images = generator(z)
    return Drawn(generator, images.detach()), Drawn(generator, images)


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through a network, and none are computed for its weights: those of another learn meanwhile."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def moving_average(network: nn.Module, optimizer: Optimizer, decay: float) -> AveragedModel:
    """A copy of a network that follows it: equal to it after the first step of its optimiser, and after n + 1 of them

    average <- d * average + (1 - d) * weights,  d = min(decay, (1 + n) / (10 + n))

    A game's networks circle around the point where they would rest; the average is nearer to it. It remembers about a
    ninth of all steps, and at most 1 / (1 - decay): so the network's beginnings are soon forgotten. Running means and
    variances of BatchNorm are averaged like weights.

    Args:
        network: what is trained; it does not notice.
        optimizer: of its weights.
        decay: in (0, 1).

    Returns:
        The average; the network to draw with is its `module`. Until the first step it is what the network was.

    Raises:
        ValueError: decay is not in (0, 1).

    Source: Karras et al. 2018, "Progressive growing of GANs"; Yazıcı et al. 2019, "The unusual effectiveness of
    averaging in GAN training"; the slow start: TensorFlow's ExponentialMovingAverage.
    """
    if not 0 < decay < 1:
        raise ValueError(f"decay must lie between 0 and 1, and is {decay}: 0.99 remembers about 100 steps")

    def step(averages: Tensors, weights: Tensors, n: Tensor | int) -> None:
        get_ema_multi_avg_fn(min(decay, (1 + int(n)) / (10 + int(n))))(averages, weights, n)

    average = AveragedModel(network, multi_avg_fn=step, use_buffers=True).requires_grad_(False)
    optimizer.register_step_post_hook(lambda *_: average.update_parameters(network))
    return average


def parameter_count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
