"""What systems are built of: networks with the layers of a report, around the classes and functions of the labs."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..coupling_nets import GatedConvNet, ShiftFirst
from ..data import signed, unit
from ..features import Residual
from ..models import Model
from ..nets import Conv, ConvConfig, Shape, mlp_decoder, mlp_discriminator, mlp_encoder, mlp_generator
from .core import Lab

Build = Callable[[Lab], Model]

GREY, COLOUR = (1, 28, 28), (3, 32, 32)
SIGNED = 8**-0.5  # the deviation for which -log p is the squared error of pixels on [-1, 1], up to a constant


def conv_autoencoder(config: ConvConfig, kind: str) -> Build:
    return lambda lab: lab("autoencoder").Autoencoder.from_config(config, kind)


def gaussian_nets(lab: Lab, config: ConvConfig) -> tuple[nn.Module, nn.Module]:
    """An encoder to mean and log-variance of a code, and its decoder."""
    assert config.latent_dim is not None, "a VAE needs the length of its code"
    return lab("autoencoder").conv_nets(config, 2 * config.latent_dim)


def conv_vae(config: ConvConfig) -> Build:
    return lambda lab: lab("vae").VAE(*gaussian_nets(lab, config))


def beta_vae(config: ConvConfig, beta: float = 1.0, sigma: float | None = None) -> Build:
    return lambda lab: lab("beta_vae").BetaVAE(*gaussian_nets(lab, config), beta=beta, sigma=sigma)


def planar_vae(config: ConvConfig, steps: int) -> Build:
    def build(lab: Lab) -> Model:
        nets = gaussian_nets(lab, config)
        return lab("flow_vae").FlowVAE(*nets, lab("flow_vae").planar_flows(config.latent_dim, steps))

    return build


def mlp_vae(shape: Shape, hidden_dim: int, latent_dim: int) -> Build:
    return lambda lab: lab("vae").VAE(
        mlp_encoder(shape, (hidden_dim,), 2 * latent_dim), mlp_decoder(latent_dim, (hidden_dim,), shape)
    )


def mlp_gan(
    shape: Shape,
    latent_dim: int,
    hidden_g: tuple[int, ...],
    hidden_d: tuple[int, ...],
    dropout: float = 0.0,
    real_label: float = 1.0,
    generator: Callable[..., nn.Module] = mlp_generator,  # (latent_dim, hidden_dims, shape) -> network
    d_weight: float = 1.0,
    **optimizers: object,
) -> Build:
    """`d_weight` multiplies the discriminator's loss, the sum of its two cross-entropies."""

    def build(lab: Lab) -> Model:
        gan = lab("gan")

        def d_loss(real: Tensor, fake: Tensor) -> Tensor:
            return d_weight * gan.discriminator_loss(real, fake, real_label)

        networks = generator(latent_dim, hidden_g, shape), mlp_discriminator(shape, hidden_d, dropout)
        return gan.GAN(*networks, latent_dim, d_loss=d_loss, **optimizers)

    return build


def norm_behind_activation(latent_dim: int, hidden_dims: tuple[int, ...], shape: Shape) -> nn.Sequential:
    """A generator like nets.mlp_generator, but with each BatchNorm behind the LeakyReLU."""
    network = mlp_generator(latent_dim, hidden_dims, shape)
    layers = list(network)
    for i, layer in enumerate(layers[:-1]):
        if isinstance(layer, nn.BatchNorm1d):
            layers[i], layers[i + 1] = layers[i + 1], layer
    return nn.Sequential(*layers)


def conv_gan(
    shape: Shape, latent_dim: int, channels: tuple[int, ...], least_squares: bool = False, **optimizers: object
) -> Build:
    def build(lab: Lab) -> Model:
        dcgan = lab("dcgan")
        config, losses = dcgan.DCGANConfig(shape, latent_dim, channels), {}
        if least_squares:
            losses["d_loss"] = dcgan.least_squares_discriminator_loss
            losses["g_loss"] = dcgan.least_squares_generator_loss
        networks = dcgan.generator(config), dcgan.discriminator(config)
        return lab("gan").GAN(*networks, latent_dim, **losses, **optimizers)

    return build


def cifar_gan(latent_dim: int, **optimizers: object) -> Build:
    """Starts at 4x4, so that its last layer, 1x1, changes channels only; pixels in [0, 1] inside, of a sigmoid."""

    def build(lab: Lab) -> Model:
        dcgan = lab("dcgan")
        config = dcgan.DCGANConfig(COLOUR, latent_dim, (512, 256, 128, 64))
        first, *middle, last = dcgan.generator_plan(config)
        plan = [first._replace(kernel_size=(4, 4)), *middle, last._replace(kernel_size=(1, 1), stride=1, padding=0)]
        generator = without_biases(dcgan.generator_of(plan, nn.Sigmoid()))
        *plan, last = dcgan.discriminator_plan(config)
        discriminator = without_biases(dcgan.discriminator_of([*plan, last._replace(stride=2)]))
        networks = nn.Sequential(generator, dcgan.Rescale(signed)), nn.Sequential(dcgan.Rescale(unit), discriminator)
        return lab("gan").GAN(*networks, latent_dim, **optimizers)

    return build


def without_biases(network: nn.Module) -> nn.Module:
    """The same network with bias=False in every convolution."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.bias = None
    return network


def conv_wgan(shape: Shape, latent_dim: int, channels: tuple[int, ...], **settings: object) -> Build:
    """DCGAN's networks, without BatchNorm in the critic."""

    def build(lab: Lab) -> Model:
        dcgan = lab("dcgan")
        config = dcgan.DCGANConfig(shape, latent_dim, channels)
        critic = dcgan.discriminator(replace(config, batch_norm=False))
        return lab("wgan_gp").WGAN(dcgan.generator(config), critic, latent_dim, **settings)

    return build


def vqvae(shape: Shape, n_codes: int, dim: int, channels: int, prior: dict, **settings: object) -> Build:
    """Two convolutions halve the image, two residual blocks on each side of the codebook; a prior learns beside.

    The encoder ends in BatchNorm without weights: its vectors have one size, and the first codes lie among them.
    """

    def build(lab: Lab) -> Model:
        module, (depth, height, width) = lab("vqvae"), shape
        encoder = nn.Sequential(
            *(
                nn.Conv2d(depth, channels // 2, 4, 2, 1),
                nn.ReLU(),
                nn.Conv2d(channels // 2, channels, 4, 2, 1),
                nn.ReLU(),
            ),
            *(nn.Conv2d(channels, channels, 3, padding=1), residual(channels), residual(channels)),
            *(nn.ReLU(), nn.Conv2d(channels, dim, 1, bias=False), nn.BatchNorm2d(dim, affine=False)),
        )
        decoder = nn.Sequential(
            *(nn.Conv2d(dim, channels, 3, padding=1), residual(channels), residual(channels), nn.ReLU()),
            *(nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1), nn.ReLU()),
            nn.ConvTranspose2d(channels // 2, depth, 4, 2, 1),
        )
        writer = module.PixelCNN(n_codes, (height // 4, width // 4), **prior)
        return module.VQVAE(encoder, module.VectorQuantizer(n_codes, dim, decay=0.99), decoder, writer, **settings)

    return build


def residual(channels: int) -> Residual:
    """A 3x3 convolution to a quarter of the channels and a 1x1 one back, beside which the input passes by."""
    small = channels // 4
    return Residual(nn.ReLU(), nn.Conv2d(channels, small, 3, padding=1), nn.ReLU(), nn.Conv2d(small, channels, 1))


def multiscale_flow(shape: Shape) -> Build:
    """4 + 4 checkerboard couplings, for noise and image; squeeze; 4 for channels; split; squeeze; 4 for channels."""
    return lambda lab: shift_first(
        lab("realnvp").multiscale(shape, 256, GatedConvNet, (32, 48, 64), (4, 4, 4), noise=4)
    )


def simple_flow(shape: Shape) -> Build:
    """4 + 8 checkerboard couplings, for noise and image, all at the image's resolution."""
    return lambda lab: shift_first(lab("realnvp").simple(shape, 256, GatedConvNet, 32, count=8, noise=4))


def shift_first(model: Model) -> Model:
    """Every coupling shifts and then scales, (x + t) * exp(s), in place of Dinh's x * exp(s) + t."""
    for coupling in model.modules():
        if hasattr(coupling, "mask") and isinstance(coupling.net, nn.Module):
            coupling.net = ShiftFirst(coupling.net)
    return model


class LabelMaps(nn.Module):
    """The map of every class, (n_classes, H, W), from a linear layer over one-hot labels."""

    def __init__(self, n_classes: int, height: int, width: int) -> None:
        super().__init__()
        self.linear, self.size = nn.Linear(n_classes, height * width), (height, width)

    def forward(self) -> Tensor:
        labels = torch.eye(self.linear.in_features, device=self.linear.weight.device)
        return self.linear(labels).unflatten(1, self.size)


class LabelledDiscriminator(nn.Module):
    """28x28 images in [-1, 1] and labels of ten classes -> Judgement: one logit, and what each LeakyReLU gives."""

    def __init__(self, cgan: ModuleType) -> None:
        super().__init__()
        self.cgan, self.label = cgan, LabelMaps(10, 28, 28)
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(2, 64, 4, 2, 1), nn.LeakyReLU(0.2)),  # 14x14
                nn.Sequential(nn.Conv2d(64, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)),  # 7x7
                nn.Sequential(nn.Conv2d(128, 256, 4, 2, 1), nn.BatchNorm2d(256), nn.LeakyReLU(0.2)),  # 3x3
            ]
        )
        self.head = nn.Conv2d(256, 1, 3)  # 1x1

    @property
    def maps(self) -> Tensor:
        return self.label()

    def forward(self, x: Tensor, y: Tensor) -> NamedTuple:
        features = [self.cgan.discriminator_input(x, y, self.maps)]
        for layer in self.layers:
            features.append(layer(features[-1]))
        return self.cgan.Judgement(self.head(features[-1]).flatten(), features[1:])


def conditional_gan(weight: float, **optimizers: object) -> Build:
    """Digits or clothes of a class that is asked for, with feature matching of that weight."""

    def build(lab: Lab) -> Model:
        cgan = lab("conditional_gan")
        generator = nn.Sequential(
            *(nn.Linear(128 + 10, 256 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (256, 7, 7))),
            *(nn.ConvTranspose2d(256, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.ReLU()),  # 14x14
            *(nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU()),  # 28x28
            *(nn.Conv2d(64, 1, 3, padding=1), nn.Tanh()),
        )
        return cgan.ConditionalGAN(generator, LabelledDiscriminator(cgan), 128, weight, **optimizers)

    return build


def wide(latent_dim: int, tanh: bool = False) -> ConvConfig:
    """32x32 colours to 4x4x256 and a code."""
    plan = Conv(3, 32), Conv(32, 64, stride=2), Conv(64, 128, stride=2), Conv(128, 256, stride=2)
    return ConvConfig(COLOUR, plan, latent_dim, tanh=tanh)


def gelu_nets(latent_dim: int, out_dim: int) -> tuple[nn.Module, nn.Module]:
    """Encoder to out_dim numbers and decoder of 28x28 images, with nearest-neighbour upsampling on the way back."""
    encoder = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.GELU()),  # 14x14
        *(nn.Conv2d(16, 16, 3, padding=1), nn.GELU()),
        *(nn.Conv2d(16, 32, 3, 2, 1), nn.GELU()),  # 7x7
        *(nn.Conv2d(32, 32, 3, padding=1), nn.GELU()),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, out_dim)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(latent_dim, 32 * 7 * 7), nn.Unflatten(1, (32, 7, 7))),
        *(nn.ConvTranspose2d(32, 32, 3, padding=1), nn.GELU(), nn.Upsample(scale_factor=2)),  # 14x14
        *(nn.ConvTranspose2d(32, 16, 3, padding=1), nn.GELU()),
        *(nn.ConvTranspose2d(16, 16, 3, padding=1), nn.GELU(), nn.Upsample(scale_factor=2)),  # 28x28
        nn.ConvTranspose2d(16, 1, 3, padding=1),
    )
    return encoder, decoder


def gelu_autoencoder(latent_dim: int) -> Build:
    return lambda lab: lab("autoencoder").Autoencoder(*gelu_nets(latent_dim, latent_dim), "mse")


def gelu_vae(latent_dim: int) -> Build:
    return lambda lab: lab("vae").VAE(*gelu_nets(latent_dim, 2 * latent_dim))
