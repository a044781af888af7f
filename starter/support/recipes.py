"""Named systems: models that somebody built and wrote up, with the layers and the settings of the report."""

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import ModuleType

from torch import nn

from .data import signed, unit
from .flownets import GatedConvNet
from .nets import Conv, ConvConfig, Shape, mlp_decoder, mlp_discriminator, mlp_encoder, mlp_generator

SMALL = (Conv(3, 16, stride=2), Conv(16, 32, stride=2))
GELU = (Conv(1, 16, stride=2), Conv(16, 16), Conv(16, 32, stride=2), Conv(32, 32))
RGB = (Conv(3, 32, 4, 2), Conv(32, 64, 4, 2), Conv(64, 128, 4, 2))
WIDE = (Conv(3, 32), Conv(32, 64, stride=2), Conv(64, 128, stride=2), Conv(128, 256, stride=2))

SQUARED = "squared error on [-1, 1]"  # a test score: summed over the pixels of an image
SIGNED = 8**-0.5  # the deviation for which -log p is the squared error of pixels on [-1, 1], up to a constant


Lab = Callable[[str], ModuleType]  # name of a lab module -> the module


@dataclass(frozen=True)
class Recipe:
    """One system: `build` gets the lab modules by name and returns the model."""

    data: tuple[str, ...]  # data sets it was reported on
    shape: Shape  # C, H, W of its images
    build: Callable[[Lab], nn.Module]
    reported: str  # what the report says, and nothing else
    epochs: int | Mapping[str, int] | None = None  # passes over the data, on each data set where they differ; or
    steps: int | None = None  # updates
    batch_size: int = 128
    lr: float | None = 1e-3  # None: a game, whose networks bring their optimisers along
    weight_decay: float = 0.0
    schedule: str = "constant"  # of beta, a name of beta_vae.SCHEDULES
    targets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # data -> test score -> reported value
    plateau: bool = False  # a tenth of the learning rate after 5 epochs without a better validation loss
    source: str = ""  # report and section; "ours: ..." for systems of the course
    choices: tuple[str, ...] = ()  # what the report leaves open, and what we took
    held_out: int = 5000  # training images kept for validation; 0: every image is trained on
    scored: str = "last"  # or "best": the weights with the lowest validation loss are tested
    patience: int | None = None  # epochs in which the best validation loss fell by less than 0.1 %, then the end
    pictures: tuple[int, ...] = ()  # epochs whose pictures the report shows
    hours: float = 0.0  # of one CPU thread, estimated
    order: int = 0  # of the queue's groups; within one, the shortest come first

    def epochs_on(self, data: str) -> int | None:
        """Passes over this data set; over one that the report does not name, those over its first."""
        if not isinstance(self.epochs, Mapping):
            return self.epochs
        return self.epochs.get(data, self.epochs[self.data[0]])


game = partial(Recipe, lr=None, held_out=0)  # for training.play; all others are for training.fit


def conv_autoencoder(config: ConvConfig, kind: str):
    return lambda lab: lab("autoencoder").Autoencoder.from_config(config, kind)


def conv_vae(config: ConvConfig):
    return lambda lab: lab("vae").VAE(*lab("autoencoder").conv_nets(config, 2 * config.latent_dim))


def beta_vae(config: ConvConfig, beta: float = 1.0, sigma: float | None = None):
    return lambda lab: lab("beta_vae").BetaVAE(
        *lab("autoencoder").conv_nets(config, 2 * config.latent_dim), beta=beta, sigma=sigma
    )


def wide(latent_dim: int, tanh: bool = False) -> ConvConfig:
    return ConvConfig((3, 32, 32), WIDE, latent_dim, tanh=tanh)


def planar_vae(config: ConvConfig, steps: int):
    def build(lab):
        nets = lab("autoencoder").conv_nets(config, 2 * config.latent_dim)
        return lab("flow_vae").FlowVAE(*nets, lab("flow_vae").planar_flows(config.latent_dim, steps))

    return build


def mlp_vae(shape: Shape, hidden_dim: int, latent_dim: int):
    return lambda lab: lab("vae").VAE(
        mlp_encoder(shape, (hidden_dim,), 2 * latent_dim), mlp_decoder(latent_dim, (hidden_dim,), shape)
    )


def multiscale_flow(shape: Shape):
    """4 + 4 checkerboard couplings, for noise and image; squeeze; 4 for channels; split; squeeze; 4 for channels."""
    return lambda lab: lab("realnvp").multiscale(shape, 256, GatedConvNet, (32, 48, 64), (4, 4, 4), noise=4)


def mlp_gan(
    shape: Shape,
    latent_dim: int,
    hidden_g: tuple[int, ...],
    hidden_d: tuple[int, ...],
    batch_norm: bool = False,
    dropout: float = 0.0,
    real_label: float = 1.0,
    **optimizers,
):
    def build(lab: Lab) -> nn.Module:
        gan = lab("gan")
        generator = mlp_generator(latent_dim, hidden_g, shape, batch_norm)
        discriminator = mlp_discriminator(shape, hidden_d, dropout)
        d_loss = partial(gan.discriminator_loss, real_label=real_label)
        return gan.GAN(generator, discriminator, latent_dim, d_loss=d_loss, **optimizers)

    return build


def conv_gan(shape: Shape, latent_dim: int, channels: tuple[int, ...], least_squares: bool = False, **optimizers):
    def build(lab: Lab) -> nn.Module:
        dcgan = lab("dcgan")
        config, losses = dcgan.DCGANConfig(shape, latent_dim, channels), {}
        if least_squares:
            losses["d_loss"] = dcgan.least_squares_discriminator_loss
            losses["g_loss"] = dcgan.least_squares_generator_loss
        networks = dcgan.generator(config), dcgan.discriminator(config)
        return lab("gan").GAN(*networks, latent_dim, **losses, **optimizers)

    return build


def cifar_gan(latent_dim: int, **optimizers):
    """Starts at 4x4, so that its last layer, 1x1, changes channels only; pixels in [0, 1] inside, of a sigmoid.

    Kernels of the discriminator are not reported: our choice, 4x4 with stride 2, and the last one over what is left.
    """

    def build(lab: Lab) -> nn.Module:
        dcgan = lab("dcgan")
        config = dcgan.DCGANConfig((3, 32, 32), latent_dim, (512, 256, 128, 64))
        first, *middle, last = dcgan.generator_plan(config)
        plan = [first._replace(kernel_size=(4, 4)), *middle, last._replace(kernel_size=(1, 1), stride=1, padding=0)]
        generator = dcgan.generator_of(plan, nn.Sequential(nn.Sigmoid(), dcgan.Rescale(signed)))
        discriminator = nn.Sequential(dcgan.Rescale(unit), dcgan.discriminator(config))
        return lab("gan").GAN(generator, discriminator, latent_dim, **optimizers)

    return build


def conv_wgan(shape: Shape, latent_dim: int, channels: tuple[int, ...], **settings):
    """DCGAN's networks, without BatchNorm in the critic."""

    def build(lab: Lab) -> nn.Module:
        dcgan = lab("dcgan")
        config = dcgan.DCGANConfig(shape, latent_dim, channels)
        critic = dcgan.discriminator(replace(config, batch_norm=False))
        return lab("wgan_gp").WGAN(dcgan.generator(config), critic, latent_dim, **settings)

    return build


def conditional_gan(
    shape: Shape, latent_dim: int, widths_g: tuple[int, ...], widths_d: tuple[int, ...], weight: float, **optimizers
):
    """Ten classes; one halving of the image for every width of the discriminator."""

    def build(lab: Lab) -> nn.Module:
        cgan = lab("conditional_gan")
        generator = cgan.conditional_generator(shape, latent_dim, 10, widths_g)
        discriminator = cgan.ConditionalDiscriminator(shape, 10, cgan.halving(shape[0] + 1, widths_d))
        return cgan.ConditionalGAN(generator, discriminator, latent_dim, weight, **optimizers)

    return build


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
        plateau=True,
        schedule="linear-10-epochs",
    ),
    "vae-gelu-cosine": Recipe(
        ("mnist", "fashion-mnist"),
        (1, 28, 28),
        conv_vae(gelu(128)),
        "samples, reconstructions",
        epochs=300,
        lr=5e-4,
        weight_decay=1e-5,
        plateau=True,
        schedule="cosine-100-epochs",
    ),
    **{
        f"vae-{latent_dim}-conv": Recipe(
            ("cifar10",),
            (3, 32, 32),
            conv_vae(ConvConfig((3, 32, 32), RGB, latent_dim)),
            "curves only",
            epochs=50,
            schedule="linear-10000-steps",
        )
        for latent_dim in (64, 128, 256)
    },
    **{
        f"vae-128-conv-{name}": Recipe(
            ("cifar10",),
            (3, 32, 32),
            beta_vae(ConvConfig((3, 32, 32), RGB, 128)),
            "curves only",
            epochs=50,
            schedule=schedule,
        )
        for name, schedule in (("cyclical", "cyclical-10000-steps"), ("free-bits", "free-bits-0.5"))
    },
    **{
        f"ae-latent-{latent_dim}": Recipe(
            ("cifar10",),
            (3, 32, 32),
            conv_autoencoder(wide(latent_dim, tanh=True), "mse"),
            reported,
            epochs=20,
            targets=targets,
        )
        for latent_dim, reported, targets in (
            (16, "curves only", {}),
            (128, "curves only", {}),
            (1024, "reconstruction < 40, summed over pixels on [-1, 1]", {"cifar10": {SQUARED: 40}}),
        )
    },
    **{
        name: Recipe(
            ("cifar10",),
            (3, 32, 32),
            beta_vae(wide(1024), beta, sigma=SIGNED),
            reported,
            epochs=20,
            schedule=schedule,
            targets={"cifar10": {SQUARED: target}} if target else {},
        )
        for name, beta, schedule, reported, target in (
            ("vae-cifar-1024", 1.0, "constant", "reconstruction < 145, summed over pixels on [-1, 1]", 145),
            ("beta-vae-0", 0.0, "constant", "curves only", None),
            ("beta-vae-0.8", 0.8, "constant", "curves only", None),
            ("beta-vae-1", 1.0, "constant", "as vae-cifar-1024", 145),
            ("beta-vae-1.2", 1.2, "constant", "curves only", None),
            ("beta-vae-linear", 1.0, "linear-10-epochs", "reconstruction < 125, summed over pixels on [-1, 1]", 125),
        )
    },
    **{
        f"ae-cifar{name}": Recipe(
            ("cifar10",), (3, 32, 32), conv_autoencoder(wide(128), "mse"), "curves only", epochs=20, lr=lr
        )
        for name, lr in (("", 5e-4), ("-fast", 1e-2))
    },
    **{
        f"vae-cifar-{latent_dim}{name}": Recipe(
            ("cifar10",),
            (3, 32, 32),
            conv_vae(wide(latent_dim)),
            "SSIM 0.22, the best of them",
            epochs=20,
            lr=lr,
            targets={"cifar10": {"SSIM": 0.22}},
        )
        for latent_dim in (10, 128, 512, 2048)
        for name, lr in (("", 5e-4), ("-fast", 1e-2))
    },
    "vae-planar": Recipe(
        ("cifar10",),
        (3, 32, 32),
        planar_vae(ConvConfig((3, 32, 32), RGB, 128), steps=4),
        '"improves expressiveness", no number',
        epochs=50,
        schedule="linear-10000-steps",
    ),
    "vae-mlp": Recipe(("mnist",), (1, 28, 28), mlp_vae((1, 28, 28), 400, 20), "5x5 grids every 10 epochs", epochs=50),
    "gan-mlp": game(
        ("mnist",),
        (1, 28, 28),
        mlp_gan((1, 28, 28), 100, (128, 256, 512, 1024), (512, 256), lr=2e-4, betas=(0.5, 0.999)),
        "5x5 grids every 10 epochs",
        epochs=100,
        batch_size=64,
    ),
    "gan-fc": game(
        ("mnist", "fashion-mnist"),
        (1, 28, 28),
        mlp_gan((1, 28, 28), 100, (128, 256, 512, 1024), (512, 256), batch_norm=True, lr=2e-4, betas=(0.5, 0.999)),
        "samples; diversity curve",
        epochs=100,
        batch_size=64,
    ),
    "gan-fc-large": game(
        ("mnist", "fashion-mnist"),
        (1, 28, 28),
        mlp_gan((1, 28, 28), 100, (256, 512, 1024), (1024, 512, 256), dropout=0.3, real_label=0.9, lr=1e-4, lr_d=4e-4),
        "samples only",
        epochs=100,
    ),
    **{
        f"dcgan-cifar{'' if latent_dim == 100 else f'-{latent_dim}'}": game(
            ("cifar10",),
            (3, 32, 32),
            cifar_gan(latent_dim, lr=2e-4, betas=(0.5, 0.999)),
            "samples",
            epochs=100,
        )
        for latent_dim in (10, 100, 2000)
    },
    **{
        name: game(
            ("cub",),
            (3, 32, 32),
            conv_gan((3, 32, 32), 100, (256, 128, 64), least_squares, lr=2e-4, betas=(0.5, 0.999)),  # our choice
            reported,
            steps=30_000,
            batch_size=256,
        )
        for name, least_squares, reported in (
            ("cub-gan", False, "FID 173 (course bar 110)"),
            ("cub-lsgan", True, "FID 78 (course bar 90)"),
        )
    },
    "realnvp-multiscale": Recipe(
        ("mnist", "fashion-mnist"),
        (1, 28, 28),
        multiscale_flow((1, 28, 28)),
        "test 1.0549 bits/dim on mnist, 2.8352 on fashion-mnist",
        epochs=300,
        targets={"mnist": {"loss": 1.0549}, "fashion-mnist": {"loss": 2.8352}},
    ),
    "realnvp-cifar": Recipe(
        ("cifar10",),
        (3, 32, 32),
        lambda lab: lab("realnvp").two_nets((3, 32, 32), levels=None, bounded=False),
        '"loss unstable and did not decrease"',
        epochs=20,
    ),
    "realnvp-cifar-repaired": Recipe(
        ("cifar10",),
        (3, 32, 32),
        lambda lab: lab("realnvp").two_nets((3, 32, 32), levels=256),
        "dequantized and with bounded scales: our repair of realnvp-cifar",
        epochs=20,
    ),
    "cub-wgan-gp": game(
        ("cub",),
        (3, 32, 32),
        conv_wgan((3, 32, 32), 100, (256, 128, 64), n_critic=5, lr=1e-4, betas=(0.0, 0.9)),  # our choice
        "FID 46 (course bar 70)",
        steps=5 * 30_000,  # an iteration is one step of the generator, after n_critic of the critic
        batch_size=256,
    ),
    "cgan-fm": game(
        ("mnist", "fashion-mnist"),
        (1, 28, 28),
        conditional_gan((1, 28, 28), 128, (256, 128, 64), (64, 128, 256), weight=10.0, lr=2e-4, betas=(0.5, 0.999)),
        "class grid",
        epochs=50,
        batch_size=64,
    ),
}


def recipe(name: str) -> Recipe:
    """
    Raises:
        ValueError: no such recipe; names the nearest.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.0)
        raise ValueError(f"there is no recipe {name!r}; the nearest is {near[0]!r}. All: {', '.join(RECIPES)}")
    return RECIPES[name]


def build(name: str, package: str = "starter") -> nn.Module:
    """The model of a recipe, from the modules of a package (blanks of its labs must be filled); see `recipe`."""
    return recipe(name).build(partial(lab_module, package))


def lab_module(package: str, name: str) -> ModuleType:
    return importlib.import_module(f"{package}.{name}")


def blanks(package: str, labs: Iterable[str]) -> list[str]:
    """Ids of the tasks that are still blank in lab modules, and in the lab modules that these import."""
    found, open_, seen = [], list(labs), set()
    while open_:
        if (name := open_.pop(0)) in seen:
            continue
        seen.add(name)
        text = inspect.getsource(lab_module(package, name))
        found += re.findall(r"""raise NotImplementedError\(["']([a-z]+-\d+)["']\)""", text)
        open_ += re.findall(r"^from \.(\w+) import", text, re.MULTILINE)
    return found
