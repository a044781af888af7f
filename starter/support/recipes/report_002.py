"""Report 002: autoencoder, VAE, DCGAN and RealNVP on CIFAR-10, 40,000 / 10,000 / 10,000 images."""

from .core import SSIM_LOSS, Recipe, game
from .parts import COLOUR, cifar_gan, conv_autoencoder, conv_vae, wide

DATA = ("cifar10",)
PLAN = "the layers are in a picture that is not to be had: 3 -> 32 -> 64 -> 128 -> 256 channels, 4x4 at the end"
BEST = "the epoch with the lowest validation loss is tested"
UNPAIRED = "1 - SSIM of samples and real images, unpaired"

RECIPES = {
    **{
        name: Recipe(
            source="report 002, AE",
            data=DATA,
            shape=COLOUR,
            build=conv_autoencoder(wide(128), "mse"),
            reported="loss and SSIM curves, reconstructions: a learning rate of 1e-2 falls faster at first and ends "
            'worse than 5e-4; "at epoch 50 it is difficult to say which model is really better"',
            choices=(PLAN, "a code of 128 numbers", "squared error", "Adam, batch 128"),
            epochs=50,
            lr=lr,
            held_out=10_000,
            scored="best",
            pictures=(1, 19, 50),
            hours=2.0,
        )
        for name, lr in (("ae-cifar", 5e-4), ("ae-cifar-fast", 1e-2))
    },
    **{
        f"vae-cifar-{latent_dim}": Recipe(
            source="report 002, VAE",
            data=DATA,
            shape=COLOUR,
            build=conv_vae(wide(latent_dim)),
            reported="curves of loss, BCE, SSIM and KLD, reconstructions, samples: latent 10 is worst, the larger ones "
            "nearly alike and slightly better with size, as is their KLD; a loss of SSIM of 0.22 for the best",
            choices=(
                PLAN,
                "Adam with 5e-4, batch 128",
                "the SSIM loss is 1 - SSIM, and 0.22 that of the largest code, which the report has as the best",
            ),
            epochs=100,
            lr=5e-4,
            held_out=10_000,
            scored="best",
            pictures=(4, 50, 100),
            targets={"cifar10": {SSIM_LOSS: 0.22}} if latent_dim == 2048 else {},
            hours=hours,
        )
        for latent_dim, hours in ((10, 3.7), (128, 4.4), (512, 6.0), (2048, 11.0))
    },
    **{
        f"dcgan-cifar{'' if latent_dim == 100 else f'-{latent_dim}'}": game(
            source="report 002, GAN",
            data=DATA,
            shape=COLOUR,
            build=cifar_gan(latent_dim, lr=2e-4, betas=(0.5, 0.999)),
            reported="loss curves: D learns much faster, G's loss dominates; the size of the "
            "code hardly matters; samples that are much better than the VAE's; a loss of SSIM of 0.77 to 0.78",
            choices=(
                "Adam with 2e-4 and betas 0.5 and 0.999, batch 128, weights drawn as in DCGAN",
                "the SSIM loss is 1 - SSIM of samples beside real images that have nothing to do with them",
                "the last weights are tested: the losses of a game do not tell which are the best",
            ),
            epochs=100,
            held_out=10_000,
            pictures=(4, 50, 100),
            targets={"cifar10": {UNPAIRED: 0.775}},
            hours=hours,
        )
        for latent_dim, hours in ((10, 24.0), (100, 26.0), (2000, 42.0))
    },
    "realnvp-cifar": Recipe(
        source="report 002, RealNVP",
        data=DATA,
        shape=COLOUR,
        build=lambda lab: lab("realnvp").two_nets(COLOUR, levels=None, bounded=False),
        reported='samples; "the loss was unstable and did not decrease"',
        choices=(
            "8 couplings, of '(0-3): 8 x CouplingLayer'; masks are checkerboards that take turns",
            "pixels in [0, 1] as they are, not dequantized: our guess at why it failed, the report does not say",
            "Adam with 1e-3, batch 128, 20 epochs",
        ),
        epochs=20,
        held_out=10_000,
        scored="best",
        hours=15.0,
    ),
    "realnvp-cifar-repaired": Recipe(
        source="ours: report 002's RealNVP, repaired",
        data=DATA,
        shape=COLOUR,
        build=lambda lab: lab("realnvp").two_nets(COLOUR, levels=256),
        reported="nothing: our repair of realnvp-cifar",
        choices=("dequantized, log s bounded, and every coupling starts as the identity; all else as realnvp-cifar",),
        epochs=20,
        held_out=10_000,
        scored="best",
        hours=16.0,
    ),
}
