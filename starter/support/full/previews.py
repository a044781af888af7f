"""Where a lab leads: images of a model that was trained to the end, beside the labs themselves.

    python -m starter keep vae-mlp-mnist     draws them, too
    starter.support.full.preview("vae-mlp", "mnist")
    starter.support.full.drawn()
    starter.support.full.beside(drawn, "Ten models")

A preview is a PNG: COUNT images side by side, in STEPS rows on their way from one code to another. To show it nothing
is built or computed, so a lab can open with it before its blanks are filled. A second PNG holds DRAWN samples, each of
its own noise: so many can be measured.
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.image
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from .. import data, plots, widgets
from . import gallery
from .weights import Sampler, load

FOLDER = "starter/support/previews"  # in a lab's zip, too
DRAWN_FOLDER = "starter/support/drawn"  # there, too
STEPS, COUNT = 9, 12
DRAWN, IN_A_ROW = 300, 20
FAMILIES = {  # name -> its recipe on MNIST, in the order of the labs
    **{"VAE": "vae-mlp", "β-VAE": "beta-vae-mnist", "VAE with flows": "flow-vae-mnist"},
    "RealNVP": "realnvp-mnist",
    **{"GAN": "gan-mlp", "DCGAN": "dcgan-mnist", "WGAN-GP": "wgan-gp-mnist", "conditional GAN": "cgan-mnist"},
    **{"flow matching": "flow-matching-mnist", "VQ-VAE": "vqvae-mnist"},
}

SEEN = {  # what a preview shows, for who cannot see it
    "ae-gelu-32": "test digits at both ends; half way two digits lie over each other",
    "vae-mlp": "soft digits turn slowly into others, a few fall to pieces",
    "beta-vae-mnist": "blurred digits turn slowly into others, nearly all are whole",
    "flow-vae-mnist": "clear strokes; nearly every step is a digit, a few lie between two",
    "realnvp-mnist": "sharp strokes, which are often no digit",
    "gan-mlp": "clear digits with stray bright pixels, which change within a step or two",
    "dcgan-mnist": "smooth, clear strokes; most are digits, some are none",
    "wgan-gp-mnist": "smooth strokes, soft at places; about half of them are digits",
    "cgan-mnist": "each column keeps its digit, 0 to 9, 0 and 1; only the writing changes",
    "flow-matching-mnist": "crisp digits; each column keeps its own, 0 to 9, 0 and 1, and only the writing changes",
    "vqvae-mnist": "every step is another image, mostly a digit: its words change at once, or not at all",
}

BESIDE = "digits in every row: blurred those of VAE and β-VAE, sharp but often no digit those of RealNVP"


def file(recipe: str, own: str, folder: str = FOLDER) -> Path:
    return data.course() / folder / f"{recipe}-{own}.png"


def named(kept: Path) -> tuple[str, str]:
    """Recipe and data set of kept weights."""
    with safe_open(kept, "pt") as opened:
        recipe, own = (opened.metadata()[key] for key in ("recipe", "data"))
    return recipe, own


@torch.no_grad()
def write(kept: Path, impl: str | None = None) -> Path:
    """Draw what kept weights can: an autoencoder on the way between test images, all others between draws of noise."""
    recipe, own = named(kept)
    model, target = load(recipe, own, impl), file(recipe, own)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        images = model.sample(way(model, own).flatten(0, 1), torch.arange(COUNT).repeat(STEPS))
    target.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.image.imsave(target, plots.tile(images, COUNT, gap=0))
    return target


@torch.no_grad()
def write_drawn(kept: Path, impl: str | None = None) -> Path | None:
    """Samples of kept weights, the classes in turns; None of an autoencoder, whose codes nobody can draw."""
    recipe, own = named(kept)
    model, target = load(recipe, own, impl), file(recipe, own, DRAWN_FOLDER)
    if hasattr(model.model, "encoder"):
        return None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        images = model.sample(model.noise(DRAWN))
    rows = (255 * images).round().byte().unflatten(0, (-1, IN_A_ROW))  # (rows, IN_A_ROW, C, H, W)
    picture = rows.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (rows * H, IN_A_ROW * W, C)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.squeeze(2).numpy()).save(target, optimize=True)
    return target


def drawn(recipe: str, own: str) -> Tensor:
    """Samples (DRAWN, C, H, W) in [0, 1]. They are levels of 8 bits, as real images are."""
    picture = torch.from_numpy(matplotlib.image.imread(file(recipe, own, DRAWN_FOLDER)).copy())  # (rows * H, …)
    tiles = picture.view(*picture.shape[:2], -1).unflatten(1, (IN_A_ROW, -1)).unflatten(0, (DRAWN // IN_A_ROW, -1))
    return tiles.permute(0, 2, 4, 1, 3).flatten(0, 1)


def way(model: Sampler, own: str) -> Tensor:
    """Codes (STEPS, COUNT, …)."""
    t = torch.linspace(0, 1, STEPS).view(-1, *[1] * (1 + len(model.z_shape)))
    if not hasattr(model.model, "encoder"):  # a turn, not a line: as long as normal noise is all the way
        return (t * torch.pi / 2).cos() * model.noise(COUNT) + (t * torch.pi / 2).sin() * model.noise(COUNT)
    codes = gallery.codes(model.model, data.load(own, "test").pixels(slice(2 * COUNT)))
    assert codes is not None  # it has an encoder
    starts, ends = codes.chunk(2)
    return (1 - t) * starts + t * ends


def read(recipe: str, own: str) -> Tensor:
    """(STEPS, COUNT, 3, H, W) in [0, 1]."""
    picture = torch.from_numpy(matplotlib.image.imread(file(recipe, own)).copy())[..., :3]
    height, width = picture.shape[0] // STEPS, picture.shape[1] // COUNT
    return picture.view(STEPS, height, COUNT, width, 3).permute(0, 2, 4, 1, 3)


def show(recipe: str, own: str) -> None:
    """Five rows of the walk; where a kernel runs, all of them on a slider."""
    if not file(recipe, own).exists():
        print(f"Not shown: there is no preview of {recipe} on {own}")
        return
    rows = read(recipe, own)
    title = f"{recipe}, trained on {own}: each column walks"
    plots.grid(rows[::2].flatten(0, 1), title, COUNT, inches=0.55, says=SEEN.get(recipe, ""))
    widgets.flip(rows, "walk")


def all_drawn() -> dict[str, Tensor]:
    """What is here of each family."""
    here = {name: recipe for name, recipe in FAMILIES.items() if file(recipe, "mnist", DRAWN_FOLDER).exists()}
    if lacking := [name for name in FAMILIES if name not in here]:
        print("Not shown: there are no samples of", ", ".join(lacking))
    return {name: drawn(recipe, "mnist") for name, recipe in here.items()}


def beside(models: Mapping[str, Tensor], title: str) -> None:
    """A row of samples for each model; where a kernel runs, a slider shows one more of each at every place."""
    if models:
        plots.rows({name: images[:COUNT] for name, images in models.items()}, title, says=BESIDE)
        widgets.flip(torch.stack([*models.values()], dim=1), "sample")
