"""Named systems: models that somebody built and wrote up, with the layers and the settings of the report."""

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from torch import nn

from .nets import Conv, ConvConfig, Shape, mlp_decoder, mlp_encoder

SMALL = (Conv(3, 16, stride=2), Conv(16, 32, stride=2))
GELU = (Conv(1, 16, stride=2), Conv(16, 16), Conv(16, 32, stride=2), Conv(32, 32))
RGB = (Conv(3, 32, 4, 2), Conv(32, 64, 4, 2), Conv(64, 128, 4, 2))


@dataclass(frozen=True)
class Recipe:
    """One system: `build` gets the lab modules by name and returns the model."""

    data: tuple[str, ...]  # data sets it was reported on
    shape: Shape  # C, H, W of its images
    build: Callable[[Callable[[str], ModuleType]], nn.Module]
    reported: str
    epochs: int
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.0


def conv_autoencoder(config: ConvConfig, kind: str):
    return lambda lab: lab("autoencoder").Autoencoder.from_config(config, kind)


def conv_vae(config: ConvConfig):
    return lambda lab: lab("vae").VAE(*lab("autoencoder").conv_nets(config, 2 * config.latent_dim))


def mlp_vae(shape: Shape, hidden_dim: int, latent_dim: int):
    return lambda lab: lab("vae").VAE(
        mlp_encoder(shape, (hidden_dim,), 2 * latent_dim), mlp_decoder(latent_dim, (hidden_dim,), shape)
    )


def gelu(latent_dim: int) -> ConvConfig:
    return ConvConfig((1, 28, 28), GELU, latent_dim, activation=nn.GELU, upsample=True)


RECIPES = {
    "ae-small": Recipe(
        ("cifar10",),
        (3, 32, 32),
        conv_autoencoder(ConvConfig((3, 32, 32), SMALL, None, tanh=True), "mse"),
        "curves only",
        epochs=20,
    ),
    **{
        f"ae-gelu-{latent_dim}": Recipe(
            ("mnist",),
            (1, 28, 28),
            conv_autoencoder(gelu(latent_dim), "mse"),
            "MSE against latent size; 128 and 256 failed to converge",
            epochs=20,
        )
        for latent_dim in (32, 64, 128, 256)
    },
    "vae-gelu": Recipe(
        ("mnist", "fashion-mnist"),
        (1, 28, 28),
        conv_vae(gelu(128)),
        "samples, reconstructions",
        epochs=100,
        lr=5e-4,
        weight_decay=1e-5,
    ),
    **{
        f"vae-{latent_dim}-conv": Recipe(
            ("cifar10",), (3, 32, 32), conv_vae(ConvConfig((3, 32, 32), RGB, latent_dim)), "curves only", epochs=50
        )
        for latent_dim in (64, 128, 256)
    },
    "vae-mlp": Recipe(("mnist",), (1, 28, 28), mlp_vae((1, 28, 28), 400, 20), "5x5 grids every 10 epochs", epochs=50),
}


def build(name: str, package: str = "starter") -> nn.Module:
    """The model of a recipe, from the modules of a package (blanks of its labs must be filled).

    Raises:
        ValueError: no such recipe; names the nearest.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.0)
        raise ValueError(f"there is no recipe {name!r}; the nearest is {near[0]!r}. All: {', '.join(RECIPES)}")
    return RECIPES[name].build(lambda lab: importlib.import_module(f"{package}.{lab}"))
