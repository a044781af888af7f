"""Report 004: a GAN and a VAE of fully connected layers on MNIST, all 60,000 training images."""

from .core import Recipe, game
from .parts import GREY, mlp_gan, mlp_vae

RECIPES = {
    "vae-mlp": Recipe(
        source="report 004, variational autoencoder",
        data=("mnist",),
        shape=GREY,
        build=mlp_vae(GREY, 400, 20),
        reported="5x5 grids of samples and reconstructions every 10 epochs; no number",
        choices=("every image is trained on", "cross-entropy and KL are summed over an image, averaged over the batch"),
        epochs=50,
        held_out=0,
        columns=5,
        pictures=(10, 20, 30, 40, 50),
        hours=0.05,
    ),
    "gan-mlp": game(
        source="report 004, generative adversarial network",
        data=("mnist",),
        shape=GREY,
        build=mlp_gan(
            GREY,
            100,
            (128, 256, 512, 1024),
            (512, 256),
            d_weight=0.5,
            lr=2e-4,
            betas=(0.5, 0.999),
        ),
        reported="5x5 grids of samples every 10 epochs; no number",
        choices=(
            "'4 fully connected layers with batch normalization' beside five linear layers: BatchNorm behind the four "
            "hidden ones, before their LeakyReLU",
            "slope 0.2",
        ),
        epochs=100,
        batch_size=64,
        columns=5,
        pictures=(10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
        hours=0.7,
    ),
}
