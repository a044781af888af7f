"""What do the GANs of labs 7 to 10 draw of mnist16 within a notebook's budget? Three seeds each, on one thread.

    python tests/bench/trial_gans.py [--seeds 3] [--only NAME ...]   results are kept one by one, a second call goes on
    python tests/bench/trial_gans.py --table                         what is known, as a table
    python tests/bench/trial_gans.py --pictures DIR                  60 samples of every run, as a picture each

Scores as in trial_data.py, by the same judge: of the generator's weights, and of their moving average.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import torch
from PIL import Image
from trial_data import EMA, Verdict, looked_at, noise, of_every_run, samples

from solutions import conditional_gan as cgan
from solutions import dcgan, gan, wgan_gp
from starter.support import data, nets

KEPT = Path(__file__).with_suffix(".json")
SHAPE, CLASSES = (1, 16, 16), 10
LEAST_SQUARES = {"d_loss": dcgan.least_squares_discriminator_loss, "g_loss": dcgan.least_squares_generator_loss}


def connected(latent_dim: int, **settings) -> gan.GAN:
    networks = nets.mlp_generator(latent_dim, (128, 256), SHAPE), nets.mlp_discriminator(SHAPE, (256, 128))
    return gan.GAN(*networks, latent_dim, **settings)


def convolutional(latent_dim: int, channels: tuple[int, ...], kind: type[gan.GAN] = gan.GAN, **settings) -> gan.GAN:
    config = dcgan.DCGANConfig(SHAPE, latent_dim, channels)
    judge = replace(config, batch_norm=kind is gan.GAN)
    return kind(dcgan.generator(config), dcgan.discriminator(judge), latent_dim, **settings)


def conditional(latent_dim: int, widths: tuple[int, int, int], **settings) -> gan.GAN:
    generator = cgan.conditional_generator(SHAPE, latent_dim, CLASSES, widths)
    discriminator = cgan.ConditionalDiscriminator(SHAPE, CLASSES, cgan.halving(SHAPE[0] + 1, (32, 64, 128)))
    return cgan.ConditionalGAN(generator, discriminator, latent_dim, **settings)


WIDER = {"channels": (64, 32), "lr": 3e-3}
CRITIC = {"kind": wgan_gp.WGAN, "channels": (48, 24), "n_critic": 2, "lr": 2e-3, "lr_d": 4e-3}
AS_IT_WAS = {"kind": wgan_gp.WGAN, "channels": (40, 20), "n_critic": 3, "lr": 1e-3, "lr_d": 3e-3}
RUNS = {  # name -> how it is built, size of the code, settings, steps after which it is looked at
    "7 GAN": (connected, 32, {"lr": 1e-3}, (2000, 4000)),
    "8 DCGAN": (convolutional, 10, WIDER, (600, 1200, 1800)),
    "8 LSGAN": (convolutional, 10, WIDER | LEAST_SQUARES, (600, 1200, 1800)),
    "9 WGAN-GP": (convolutional, 10, CRITIC, (600, 1200)),
    "9 WGAN-GP, as it was": (convolutional, 64, AS_IT_WAS, (600, 1200)),
    "10 cGAN": (conditional, 16, {"widths": (32, 16, 8), "lr": 2e-3, "lr_d": 4e-3}, (500, 1000)),
}


def run(name: str, images: data.Images, verdict: Verdict, seed: int, given: argparse.Namespace) -> list[dict]:
    build, latent_dim, settings, looks = RUNS[name]
    torch.manual_seed(seed)
    model, z = build(latent_dim, ema=EMA, **settings), noise(latent_dim)
    if isinstance(model, cgan.ConditionalGAN):
        z = cgan.generator_input(z, torch.arange(len(z)) % CLASSES, CLASSES)
    rows = looked_at(model, images, verdict, z, seed, looks)
    if given.pictures:
        tiles = (
            samples(model.average.module, z[:60]).reshape(5, 12, *SHAPE[1:]).transpose(1, 2).flatten(0, 1).flatten(1)
        )
        given.pictures.mkdir(exist_ok=True)
        Image.fromarray((255 * tiles).byte().numpy()).save(given.pictures / f"{name}, seed {seed}.png")
    return rows


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pictures", type=Path)
    of_every_run("GAN", RUNS, run, KEPT, ("steps",), options)
