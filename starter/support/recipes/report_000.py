"""Report 000: autoencoder, VAE, VAE with planar flows and a GAN of fully connected layers, all on colour images."""

from functools import partial
from typing import Any

from ..nets import Conv, ConvConfig, mlp_generator
from .core import Recipe, game
from .parts import COLOUR, Build, beta_vae, conv_autoencoder, conv_vae, mlp_gan, planar_vae

DATA = "the data set is not named; three channels stand in the autoencoder's layers: CIFAR-10"
SETTLED = "'until validation loss stabilized': 5 epochs in which it falls by less than 0.1 %, at most 100 epochs"
HELD = "5,000 training images are kept for validation"
PLAIN = "the KL has weight 1 from the start: the strategies come on top"
TERMS = "cross-entropy of Bernoulli pixels and KL, both summed over an image"
BATCH = "batch 128, of 64 to 128"
KERNELS = "kernels of 3x3 with stride 2"
CONVOLUTIONS = "three convolutions 3 -> 32 -> 64 -> 128 of 4x4 with stride 2, ReLU, and their mirror"
FLOW = "w, u and b are the same for all images; u is moved along w so that a step stays invertible"
WHOLE_CODE = "of the three strategies this one alone; behind a flow 0.5 nats times the latents, for the whole code"
ANNEALING = "of the three strategies this one alone; on a line; only epochs behind it count for the end"
FREE = "of the three strategies this one alone; 0.5 nats, under each latent's mean over the batch"
PERIOD = (
    "of the three strategies this one alone; cycles of 10,000 steps, half of it a line; the end after 30 such epochs"
)
CURVES = "loss curves and reconstructions; no number"


def three_convolutions(latent_dim: int) -> ConvConfig:
    return ConvConfig(COLOUR, (Conv(3, 32, 4, 2), Conv(32, 64, 4, 2), Conv(64, 128, 4, 2)), latent_dim)


def settled(build: Build, source: str, *choices: str, patience: int = 5, **settings: Any) -> Recipe:
    """What all systems but the GAN share: Adam with 1e-3, until the validation loss settles."""
    return Recipe(
        source=f"report 000, {source}",
        data=("cifar10",),
        shape=COLOUR,
        build=build,
        choices=(DATA, HELD, SETTLED, BATCH, *choices),
        epochs=100,
        patience=patience,
        **settings,
    )


def vae(latent_dim: int) -> Recipe:
    return settled(
        conv_vae(three_convolutions(latent_dim)),
        "variational autoencoder; tuning",
        CONVOLUTIONS,
        TERMS,
        ANNEALING,
        reported=CURVES,
        schedule="linear-10000-steps",
        warmup=29,
        hours=0.9,
    )


def planar(name: str, *choices: str, **settings: Any) -> Recipe:
    return settled(
        planar_vae(three_convolutions(128), steps=4),
        f"VAE with planar flows; {name}",
        CONVOLUTIONS,
        TERMS,
        FLOW,
        *choices,
        reported='loss curves and reconstructions; the flow "improves the expressiveness", no number',
        hours=0.9,
        **settings,
    )


RECIPES = {
    "ae-small": settled(
        conv_autoencoder(ConvConfig(COLOUR, (Conv(3, 16, stride=2), Conv(16, 32, stride=2)), None, tanh=True), "mse"),
        "autoencoder",
        KERNELS,
        "squared error of pixels in [-1, 1], the range of the tanh, summed over an image",
        reported="a loss curve and reconstructions; no number",
        hours=0.1,
    ),
    **{f"vae-{latent_dim}-conv": vae(latent_dim) for latent_dim in (64, 128, 256)},
    "vae-128-conv-plain": settled(
        conv_vae(three_convolutions(128)),
        "variational autoencoder",
        CONVOLUTIONS,
        TERMS,
        PLAIN,
        reported=CURVES,
        hours=0.9,
    ),
    "vae-128-conv-free-bits": settled(
        beta_vae(three_convolutions(128)),
        "variational autoencoder; free bits",
        CONVOLUTIONS,
        TERMS,
        FREE,
        reported=CURVES,
        schedule="free-bits-0.5",
        hours=0.9,
    ),
    "vae-128-conv-cyclical": settled(
        beta_vae(three_convolutions(128)),
        "variational autoencoder; cyclical annealing",
        CONVOLUTIONS,
        TERMS,
        PERIOD,
        reported=CURVES,
        schedule="cyclical-10000-steps",
        patience=30,
        hours=0.9,
    ),
    "vae-planar-plain": planar("architecture", PLAIN),
    "vae-planar": planar("KL annealing", ANNEALING, schedule="linear-10000-steps", warmup=29),
    "vae-planar-free-bits": planar("free bits", WHOLE_CODE, schedule="free-bits-0.5"),
    "vae-planar-cyclical": planar("cyclical annealing", PERIOD, schedule="cyclical-10000-steps", patience=30),
    **{
        name: game(
            source=source,
            data=data,
            shape=shape,
            build=mlp_gan(
                shape,
                100,
                (256, 512, 1024),
                (1024, 512, 256),
                dropout=0.3,
                real_label=0.9,
                generator=partial(mlp_generator, batch_norm=False),
                lr=1e-4,
                lr_d=4e-4,
            ),
            reported=reported,
            choices=(
                first,
                BATCH,
                "100 numbers of noise, slope 0.2, dropout of 0.3 behind each LeakyReLU, and a tanh at the end",
                "'4e-4 vs 1e-4' against '1e-3' for all models: the former; Adam's betas 0.5 and 0.999",
                "the discriminator's loss is the sum of both cross-entropies",
                "a game has no loss that settles: 100 epochs, of all training images",
            ),
            epochs=100,
            hours=hours,
        )
        for name, source, data, shape, first, reported, hours in (
            (
                "gan-fc-large",
                "report 000, generative adversarial network",
                ("cifar10",),
                COLOUR,
                DATA,
                'loss curves; "the most visually appealing samples but is the most challenging to train"',
                1.6,
            ),
            (
                "gan-fc-large-grey",
                "ours: gan-fc-large of report 000 on grey images of 28x28",
                ("mnist", "fashion-mnist"),
                (1, 28, 28),
                "the layers of gan-fc-large, but 784 pixels",
                "nothing: this size is ours",
                0.9,
            ),
        )
    },
}
