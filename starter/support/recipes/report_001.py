"""Report 001: RealNVP, autoencoder, VAE, GAN and conditional GAN, every system on MNIST and on Fashion-MNIST."""

from typing import Any

from .core import Recipe, game
from .parts import (
    GREY,
    conditional_gan,
    gelu_autoencoder,
    gelu_vae,
    mlp_gan,
    multiscale_flow,
    norm_behind_activation,
    simple_flow,
)

DATA = ("mnist", "fashion-mnist")
SPLIT = "10,000 training images are kept for validation"
HELD = "5,000 training images are kept for validation"
ALL = "every image is trained on"
FLOW = (
    SPLIT,
    "Adam with 1e-3, batch 128; the last weights are tested, with one draw of the noise",
    "each network gives log s and t, from three blocks x + tanh(value) * sigmoid(gate) of a 3x3 and a 1x1 convolution; "
    "its last layer starts at zero, and log s is in a tanh with a learned bound per channel",
    "pixels are dequantized and pass a logit",
    "a picture headed 'Multi-Scale Flow' is captioned 'simple RealNVP': the numbers are those of the heading",
)
BITS = {
    "mnist": {"loss": 1.054904, "validation loss": 1.056827},
    "fashion-mnist": {"loss": 2.8352, "validation loss": 2.8443},
}


def autoencoder(
    latent_dim: int, lr: float = 1e-3, source: str = "report 001, autoencoder compression", **settings: Any
) -> Recipe:
    reported = "squared error against latent size, on MNIST; reconstructions"
    if latent_dim == 32:
        reported += '; "pretty good" at this size'
    if latent_dim >= 128:
        reported += '; this size "did not converged, I think it is due to too large learning rate"'
    return Recipe(
        source=source,
        data=DATA,
        shape=GREY,
        build=gelu_autoencoder(latent_dim),
        reported="nothing: this rate is ours" if source.startswith("ours") else reported,
        choices=(
            HELD,
            f"Adam with {lr:g}, batch 128",
            "until the validation loss settles: 5 epochs in which it falls by less than 0.1 %, at most 400 epochs",
            "squared error summed over an image",
        ),
        epochs=400,
        patience=5,
        lr=lr,
        hours=1.0,
        **settings,
    )


def vae(source: str, schedule: str, plateau: str | None, reported: str, *choices: str) -> Recipe:
    return Recipe(
        source=source,
        data=DATA,
        shape=GREY,
        build=gelu_vae(128),
        reported=reported,
        choices=(
            HELD,
            "the encoder gives log sigma^2 where the report has log sigma",
            "pixels are Bernoulli (the report speaks of MSE, of BCE and of a Gaussian decoder); both terms are summed",
            "batch 128; 110 epochs, the warm-up and one cycle",
            *choices,
        ),
        epochs=110,
        lr=5e-4,
        weight_decay=1e-5,
        plateau=plateau,
        warmup=10,
        schedule=schedule,
        hours=1.3,
    )


def conditional(weight: float, reported: str, *choices: str, hours: float) -> Recipe:
    return game(
        source="report 001, conditional GAN",
        data=DATA,
        shape=GREY,
        build=conditional_gan(weight, lr=2e-4, betas=(0.5, 0.999)),
        reported=reported,
        choices=(
            "noise and label together are 138 numbers, though the layer behind them reads 'Linear(128 x 256*7*7)'",
            "slope 0.2; Adam with 2e-4 and betas 0.5 and 0.999, as the report's other GAN; batch 64",
            "20 epochs: the discussion speaks of 1000, which the other GAN has and a CPU cannot give this one",
            ALL,
            *choices,
        ),
        epochs=20,
        batch_size=64,
        hours=hours,
    )


RECIPES = {
    **{f"ae-gelu-{latent_dim}": autoencoder(latent_dim) for latent_dim in (32, 64, 128, 256)},
    **{
        f"ae-gelu-{latent_dim}-fast": autoencoder(
            latent_dim, lr=1e-2, source="ours: report 001's autoencoder with the learning rate it may have had"
        )
        for latent_dim in (32, 64, 128, 256)
    },
    "vae-gelu": vae(
        "report 001, variational autoencoder",
        "warm-up-then-falling-cosine",
        "weighted",
        "reconstructions and samples, smoother and more diverse than the autoencoder's; the schedule prevents collapse",
        "c = pi, so that the weight falls from 1 to 0 within a cycle; epochs are counted whole, cycles from epoch 10",
        "behind the warm-up the learning rate falls to a tenth after 10 epochs without a lower validation loss, as the "
        "schedule weighs it",
        "an autoencoder draws no samples, so that its smoothness and diversity are not compared",
    ),
    "vae-gelu-repaired": vae(
        "ours: report 001's VAE with a weight that rises",
        "warm-up-then-rising-cosine",
        None,
        "nothing: our repair of vae-gelu",
        "within a cycle the weight rises from 0 to 1, step by step",
        "the learning rate stays: a weight that starts anew moves every loss that the rate could follow",
    ),
    "gan-fc": game(
        source="report 001, vanilla GAN",
        data=DATA,
        shape=GREY,
        build=mlp_gan(
            GREY,
            128,
            (128, 256, 512, 1024),
            (512, 256),
            generator=norm_behind_activation,
            lr=2e-4,
            betas=(0.5, 0.999),
        ),
        reported="loss curves, diversity over epochs, samples at epoch 999; no number",
        choices=(
            "128 numbers of noise, as in 'z_dim=128' and 'Latent dimension: 128'; a layer reads 'Linear(100 x 128)'",
            "batch 128",
            ALL,
            "diversity: the mean squared distance of two different samples",
        ),
        epochs=1000,
        pictures=(1, 500, 1000),
        hours=5.0,
    ),
    "cgan-fm": conditional(
        10.0,
        'loss curves and a grid of classes; feature matching "significantly improved training stability" and '
        '"reduced mode collapse"',
        "features: what each of the three LeakyReLUs gives; mean absolute distance of the two batches' means, summed",
        hours=3.8,
    ),
    "cgan-plain": conditional(
        0.0,
        'that feature matching "significantly improved training stability" and "reduced mode collapse"',
        "the report does not say beside what: here w_FM = 0, all else as cgan-fm",
        hours=3.8,
    ),
    "realnvp-multiscale": Recipe(
        source="report 001, RealNVP",
        data=DATA,
        shape=GREY,
        build=multiscale_flow(GREY),
        reported="bits/dim on MNIST: validation 1.056827, test 1.054904; on Fashion-MNIST: 2.8443 and 2.8352",
        choices=(*FLOW, "32, 32, 48 and 64 hidden channels, of '32-64'"),
        epochs={"mnist": 300, "fashion-mnist": 500},
        held_out=10_000,
        targets=BITS,
        hours=470.0,
    ),
    "realnvp-simple": Recipe(
        source="report 001, RealNVP, discussion",
        data=DATA,
        shape=GREY,
        build=simple_flow(GREY),
        reported='that the multi-scale flow "significantly improved generation quality compared to simple flow"',
        choices=(
            *FLOW,
            "4 couplings for the noise, 8 for the image, 32 hidden channels, one scale; epochs as the multi-scale flow",
        ),
        epochs={"mnist": 300, "fashion-mnist": 500},
        held_out=10_000,
        hours=600.0,
    ),
}
