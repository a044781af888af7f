"""Systems of no report, in full size on real images: where a lab has none of its own, and what the reports left out."""

from functools import partial
from typing import Any

from ..coupling_nets import GatedConvNet
from ..models import Model
from ..nets import Conv, ConvConfig
from ..velocity_nets import UNet
from .core import Lab, Recipe, game
from .parts import COLOUR, GREY, Build, beta_vae, conv_gan, conv_wgan, vqvae

MNIST: dict[str, Any] = {"data": ("mnist",), "shape": GREY, "reported": "nothing: this system is ours"}
DCGAN = "28x28 from 7x7 by two doublings, 128 and 64 channels, 100 numbers of noise"


def two_convolutions(latent_dim: int) -> ConvConfig:
    return ConvConfig(GREY, (Conv(1, 32, 4, 2), Conv(32, 64, 4, 2)), latent_dim)


def vae_with_learned_prior(lab: Lab) -> Model:
    nets = lab("autoencoder").conv_nets(two_convolutions(16), 2 * 16)
    flow_vae = lab("flow_vae")
    posterior = flow_vae.autoregressive_flows(16, 4, hidden_dim=64)
    return flow_vae.FlowVAE(*nets, posterior, prior=flow_vae.coupling_flows(16, 8, hidden_dim=64))


def small_flow(blocks: int, counts: tuple[int, int, int]) -> Build:
    net = partial(GatedConvNet, layers=blocks)
    return lambda lab: lab("realnvp").multiscale(GREY, 256, net, (16, 32, 48), counts)


def small_conditional_gan(lab: Lab) -> Model:
    cgan = lab("conditional_gan")
    generator = cgan.conditional_generator(GREY, 100, 10, (128, 64, 32))
    discriminator = cgan.ConditionalDiscriminator(GREY, 10, cgan.halving(2, (32, 64, 128)))
    return cgan.ConditionalGAN(generator, discriminator, 100, weight=10.0, lr=2e-4, lr_d=4e-4, ema=0.999)


def guided_flow(lab: Lab) -> Model:
    flow, settings = lab("flow_matching"), {"lr": 1e-3, "ema": 0.999, "weight": 1.5, "steps": 8}
    net = UNet(GREY, 10, channels=32, dim=128)
    return flow.FlowMatching(net, GREY, times=flow.logit_normal_times, **settings)


RECIPES = {
    "beta-vae-mnist": Recipe(
        source="ours: lab 3 in full size",
        build=beta_vae(two_convolutions(10), beta=4.0),
        choices=("10 latents, beta 4, reached on a line over 10 epochs", "Adam with 1e-3, batch 128, 40 epochs"),
        epochs=40,
        schedule="linear-10-epochs",
        hours=0.3,
        **MNIST,
    ),
    "flow-vae-mnist": Recipe(
        source="ours: lab 4 in full size",
        build=vae_with_learned_prior,
        choices=(
            "16 latents, four inverse autoregressive steps in the posterior, eight couplings in the prior",
            "Adam with 1e-3, batch 128, 40 epochs",
        ),
        epochs=40,
        hours=0.4,
        **MNIST,
    ),
    **{
        name: Recipe(
            source=source,
            build=small_flow(blocks, (2, later, later)),
            choices=(
                f"uniform noise; 2 couplings at 28x28, {later} at 14x14 and {later} at 7x7",
                f"16, 32 and 48 hidden channels; {said} in each network",
                f"Adam with 1e-3, batch 64, {epochs} epochs; tested are the weights with the lowest validation loss",
            ),
            epochs=epochs,
            batch_size=64,
            held_out=10_000,
            scored="best",
            hours=hours,
            **MNIST,
        )
        for name, source, blocks, said, later, epochs, hours in (
            ("realnvp-mnist", "ours: lab 5 in full size", 1, "one gated block", 4, 10, 1.2),
            ("realnvp-mnist-small", "ours: what 6 hours of one thread buy", 2, "two gated blocks", 6, 24, 6.0),
        )
    },
    **{
        name: game(
            source=f"ours: lab 8 in full size, {title}",
            build=conv_gan(GREY, 100, (128, 64), least_squares, lr=2e-4, betas=(0.5, 0.999)),
            choices=(DCGAN, "Adam with 2e-4 and betas 0.5 and 0.999, batch 128, 20 epochs"),
            epochs=20,
            hours=1.1,
            **MNIST,
        )
        for name, title, least_squares in (("dcgan-mnist", "DCGAN", False), ("lsgan-mnist", "LSGAN", True))
    },
    "wgan-gp-mnist": game(
        source="ours: lab 9 in full size",
        build=conv_wgan(GREY, 100, (128, 64), n_critic=5, lr=1e-4, betas=(0.0, 0.9)),
        choices=(
            DCGAN,
            "Adam with 1e-4 and betas 0 and 0.9, five steps of the critic to one of the generator, penalty times 10",
            "batch 64; an epoch is one of the critic, 20 of them",
        ),
        epochs=20,
        batch_size=64,
        hours=1.5,
        **MNIST,
    ),
    "cgan-mnist": game(
        source="ours: lab 10 in full size",
        build=small_conditional_gan,
        choices=(
            "28x28 from 7x7 by two doublings, 128, 64 and 32 channels, 100 numbers of noise and the label; "
            "32, 64 and 128 channels judge",
            "feature matching times 10",
            "Adam with 2e-4, the discriminator's with 4e-4, betas 0.5 and 0.999, batch 128, 20 epochs; "
            "weights averaged with a decay of 0.999",
        ),
        epochs=20,
        hours=0.8,
        **MNIST,
    ),
    "flow-matching-mnist": game(
        source="ours: lab 12 in full size",
        build=guided_flow,
        choices=(
            "a U-Net with 32 channels at 28x28, 64 at 14x14, 128 at 7x7, without normalisation",
            "straight paths, logit-normal times, one label in ten withheld",
            "Adam with 1e-3 and betas 0.9 and 0.99, batch 128, 15 epochs; weights averaged with a decay of 0.999",
            "samples of 8 midpoint steps with guidance 1.5",
        ),
        epochs=15,
        hours=2.0,
        **MNIST,
    ),
    "vqvae-mnist": Recipe(
        source="ours: lab 13 in full size",
        build=vqvae(GREY, 128, 32, 64, prior={"channels": 64, "blocks": 6, "dropout": 0.1}),
        choices=(
            "an image is 7x7 codes of 128, 343 bits; vectors of 32 numbers",
            "a codebook of running means with decay 0.99, dead codes revived",
            "pixels are Bernoulli; commitment times 0.25",
            "a masked convolution of 6 blocks with 64 channels as prior, which learns beside the rest",
            "Adam with 1e-3, batch 128, 12 epochs",
        ),
        epochs=12,
        hours=0.5,
        **MNIST,
    ),
    "vqvae-cifar10": Recipe(
        source="ours: lab 13 in full size, in colour",
        data=("cifar10",),
        shape=COLOUR,
        build=vqvae(COLOUR, 512, 64, 128, prior={"channels": 128, "blocks": 8, "dropout": 0.1}, sigma=0.1),
        reported="nothing: this system is ours",
        choices=(
            "an image is 8x8 codes of 512, 576 bits; vectors of 64 numbers",
            "a codebook of running means with decay 0.99, dead codes revived",
            "pixels of a normal distribution with deviation 0.1; commitment times 0.25",
            "a masked convolution of 8 blocks with 128 channels as prior, which learns beside the rest",
            "Adam with 1e-3, batch 128, 40 epochs",
        ),
        epochs=40,
        hours=5.0,
    ),
}
