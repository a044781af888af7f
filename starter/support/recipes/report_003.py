"""Report 003: GAN, LSGAN and WGAN-GP on birds of 32x32, autoencoder, VAE and beta-VAE on CIFAR-10."""

from typing import Any

from .core import Recipe, game
from .parts import COLOUR, SIGNED, beta_vae, conv_autoencoder, conv_gan, conv_wgan, wide

LAYERS = "no layer is reported: 3 -> 32 -> 64 -> 128 -> 256 channels of 3x3, 4x4 at the end"
RATES = "Adam with 1e-3, batch 128"
ERROR = "squared error of pixels in [-1, 1], summed over an image; 20 epochs, from 'epoch_19'"
BIRDS = (
    "no layer is reported: DCGAN's with 256, 128 and 64 channels and first weights, 100 numbers of noise; batch 256",
    "10,780 of the 11,780 images of CUB-200-2011 that remain without the eight removed (the report counts 11,708)",
    "the FID may be the last or the lowest one, of any number of samples: no ratio; here the last weights are scored",
)
ALL = "every image is trained on"
RANGES = "the autoencoder sees pixels in [-1, 1] and ends in a tanh; here they lie in [0, 1], without"
SETTINGS: dict[str, Any] = {"data": ("cub",), "shape": COLOUR, "steps": 30_000, "batch_size": 256}


def vae(beta: float, schedule: str, reported: str, *choices: str, **settings: Any) -> Recipe:
    return Recipe(
        **{"source": "report 003, beta-VAE", **settings},
        data=("cifar10",),
        shape=COLOUR,
        build=beta_vae(wide(1024), beta, sigma=SIGNED),
        reported=reported,
        choices=(LAYERS, RATES, f"{ERROR}; in a VAE up to a constant of 371 nats", RANGES, ALL, *choices),
        epochs=20,
        schedule=schedule,
        held_out=0,
        pictures=(20,),
        hours=1.2,
    )


RECIPES = {
    **{
        f"ae-latent-{latent_dim}": Recipe(
            source="report 003, autoencoder",
            data=("cifar10",),
            shape=COLOUR,
            build=conv_autoencoder(wide(latent_dim, tanh=True), "mse"),
            reported="reconstruction loss over epochs, images at epoch 19: 1024 is best, 16 very blurry; no number",
            choices=(LAYERS, RATES, ERROR, ALL),
            epochs=20,
            held_out=0,
            pictures=(20,),
            hours=1.0,
        )
        for latent_dim in (16, 128, 1024)
    },
    "beta-vae-1": vae(
        1.0,
        "constant",
        "curves of both terms, samples and reconstructions at epoch 19; no number",
        source="report 003, variational autoencoder; beta-VAE with beta 1",
    ),
    **{
        f"beta-vae-{beta:g}": vae(
            beta,
            "constant",
            "with beta the reconstruction loss grows and the KL falls; edges a little sharper; no number",
        )
        for beta in (0.8, 1.2)
    },
    "beta-vae-linear": vae(
        1.0,
        "linear-20-epochs",
        "curves of both terms; sharper boundaries than with a constant weight; no number",
        "the weight rises from 0 to 1 over all 20 epochs",
        source="report 003, linear schedule for beta",
    ),
    "beta-vae-0": vae(
        0.0,
        "constant",
        "a remark: with beta 0 a VAE is an autoencoder",
        source="ours: the beta-VAE of report 003's remark",
    ),
    **{
        name: game(
            source=f"report 003, {title}",
            build=conv_gan(COLOUR, 100, (256, 128, 64), least_squares, lr=2e-4, betas=(0.5, 0.999)),
            reported=f"FID {fid}, over iterations; samples; interpolation along two directions{more}",
            choices=(*BIRDS, "Adam with 2e-4 and betas 0.5 and 0.999", choice),
            pictures=pictures,
            hours=14.0,
            **SETTINGS,
        )
        for name, title, least_squares, fid, more, choice, pictures in (
            (
                *("cub-gan", "vanilla GAN", False, 173, "; FID is lowest near iteration 18,000"),
                "30,000 iterations, the last that are shown",
                (429,),  # of 42 steps: iteration 18,000
            ),
            (
                *("cub-lsgan", "LSGAN", True, 78, " at iteration 23,000"),
                "targets 0 and 1, halves of the squares; 30,000 iterations as the other two, of which 23,000 is shown",
                (548,),
            ),
        )
    },
    "cub-wgan-gp": game(
        source="report 003, WGAN-GP",
        build=conv_wgan(COLOUR, 100, (256, 128, 64), n_critic=5, lr=1e-4, betas=(0.0, 0.9)),
        reported="FID 46, over iterations; samples; interpolation along two directions",
        choices=(
            *BIRDS,
            "Adam with 1e-4 and betas 0 and 0.9, five steps of the critic to one of the generator, penalty times 10",
            "an iteration is one step of the critic, which has no BatchNorm",
        ),
        hours=19.0,
        **SETTINGS,
    ),
}
