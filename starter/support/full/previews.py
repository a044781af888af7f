"""Where a lab leads: images of a model that was trained to the end, beside the labs themselves.

    python -m starter keep vae-mlp-mnist     draws one, too
    starter.support.full.preview("vae-mlp", "mnist")

A preview is a PNG: COUNT images side by side, in STEPS rows on their way from one code to another. To show it nothing
is built or computed, so a lab can open with it before its blanks are filled.
"""

from pathlib import Path

import matplotlib.image
import torch
from safetensors import safe_open
from torch import Tensor

from .. import data, plots, widgets
from . import gallery
from .weights import Sampler, load

FOLDER = "starter/support/previews"  # in a lab's zip, too
STEPS, COUNT = 9, 12


def file(recipe: str, own: str) -> Path:
    return data.course() / FOLDER / f"{recipe}-{own}.png"


@torch.no_grad()
def write(kept: Path, impl: str | None = None) -> Path:
    """Draw what kept weights can: an autoencoder on the way between test images, all others between draws of noise."""
    with safe_open(kept, "pt") as opened:
        recipe, own = (opened.metadata()[key] for key in ("recipe", "data"))
    model, target = load(recipe, own, impl), file(recipe, own)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        images = model.sample(way(model, own).flatten(0, 1), torch.arange(COUNT).repeat(STEPS))
    target.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.image.imsave(target, plots.tile(images, COUNT, gap=0))
    return target


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
    plots.grid(rows[::2].flatten(0, 1), f"{recipe}, trained to the end on {own}: each column walks", COUNT, inches=0.55)
    widgets.flip(rows)
