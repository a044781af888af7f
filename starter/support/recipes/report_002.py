"""Report 002: autoencoder, VAE, DCGAN and RealNVP on CIFAR-10, 40,000 / 10,000 / 10,000 images."""

from .core import SSIM_LOSS, Recipe, game
from .parts import COLOUR, cifar_gan, conv_autoencoder, conv_vae, wide

DATA = ("cifar10",)
PLAN = "the layers are in a picture that is not to be had: 3 -> 32 -> 64 -> 128 -> 256 channels of 3x3, 4x4 at the end"
BEST = "the best checkpoint is that of the lowest validation loss, with the KL at weight 1, and it is what is tested"
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
            choices=(PLAN, "a code of 128 numbers", "squared error, summed over an image", "Adam, batch 128", BEST),
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
            reported="curves of loss, BCE, SSIM, KLD; latent 10 is worst, the larger ones nearly alike and slightly "
            "better with size; the larger the code, the larger the KLD and its rise at the beginning, the longer the "
            "training; samples of the small code hardly improve, those of larger ones are duller and 'more and more "
            "similar to color noise'; SSIM 0.22 'for the best VAE models'",
            choices=(
                PLAN,
                "Adam with 5e-4, batch 128; cross-entropy and KL are summed over an image, the KL has weight 1",
                "the module of what the report calls SSIM is ssim_loss: read as 1 - SSIM, ours with a window of 7x7",
                "0.22 is set beside the largest code, which the report has as the best",
                BEST,
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
            "code hardly matters; samples 'visually much better than in VAE'; SSIM 'stable in the range of 0.77-0.78'",
            choices=(
                "Adam with 2e-4 and betas 0.5 and 0.999, batch 128, weights drawn as in DCGAN",
                "SSIM is read as 1 - SSIM, of samples beside unrelated real images; 0.775 is the middle of its range",
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
        unstable=True,
        choices=(
            "8 couplings, of '(0-3): 8 x CouplingLayer'; masks are checkerboards",
            "pixels in [0, 1] as they are, not dequantized: our guess at why it failed, the report does not say",
            "Adam with 1e-3, batch 128, 20 epochs",
            BEST,
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
