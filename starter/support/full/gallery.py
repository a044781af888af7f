"""Pictures of any model of the course as files: samples, reconstructions, interpolations, traversals."""

import io
from pathlib import Path

import torch
from torch import Tensor

from ..data import signed
from ..models import Model
from ..plots import tile
from ..runs import replace

COLUMNS, SCALE = 10, 3  # images in a row, pixels of the picture for each of theirs
CHUNK = 500  # images at a time
COUNT = "Columns"


def noise_dim(model: Model, x: Tensor) -> int | None:
    """How many numbers an image is made from; None for a model that makes none from noise."""
    if hasattr(model, "latent_dim"):  # a game
        return model.latent_dim
    return encoded(model, x[:2]).shape[1] if hasattr(model, "encode") else None


def decode(model: Model, z: Tensor, y: Tensor) -> Tensor:
    """Images in [0, 1] from noise (N, D); a model that wants labels gets y (N,), counted round its classes."""
    if classes := getattr(model, "n_classes", None):
        return model.sample(z, y % classes)
    return model.sample(z) if hasattr(model, "sample") else model.images(z)


@torch.no_grad()
def samples(model: Model, x: Tensor, count: int) -> Tensor | None:
    """New images; `x` is a batch of real ones, for its sizes. None for a model that has nothing to sample from."""
    if (dim := noise_dim(model, x)) is None:
        return None
    parts = torch.arange(count, device=x.device).split(CHUNK)
    return torch.cat([decode(model, torch.randn(len(y), dim, device=x.device), y) for y in parts])


@torch.no_grad()
def grid(model: Model, x: Tensor, columns: int | None = None) -> Tensor | None:
    """As many rows as columns of new images. Where a model knows classes a row is a class, and a column one noise."""
    columns = columns or COLUMNS
    classes = getattr(model, "n_classes", None)
    if classes is None or (dim := noise_dim(model, x)) is None:
        return samples(model, x, columns * columns)
    z = torch.randn(columns, dim, device=x.device).repeat(classes, 1)
    return decode(model, z, torch.arange(len(z), device=x.device) // columns)


@torch.no_grad()
def reconstructions(model: Model, x: Tensor) -> Tensor | None:
    """Rows of images, each followed by the row of what the model makes of them."""
    if not hasattr(model, "reconstruct"):
        return None
    pairs = [(row, model.reconstruct(row)) for row in x[: 5 * COLUMNS].split(COLUMNS)]
    return torch.cat([images for pair in pairs for images in pair])


@torch.no_grad()
def codes(model: Model, x: Tensor) -> Tensor | None:
    """What `model.images` makes images like x from; None for a model that has no encoder."""
    if hasattr(model, "encode"):
        return encoded(model, x)
    if hasattr(model, "encoder"):  # an autoencoder
        return model.encoder(signed(x) if model.signed else x)
    return None


def encoded(model: Model, x: Tensor) -> Tensor:
    code = model.encode(x)
    code = code[0] if isinstance(code, tuple) else code  # of a VAE: the mean
    return model.bend(code)[0] if hasattr(model, "bend") else code  # through the flow of its posterior


@torch.no_grad()
def interpolation(model: Model, x: Tensor) -> Tensor | None:
    """Each row leads from one image to another, in a straight line through the codes.

    Without an encoder it is a square between four noises; each row of it is a class where the model knows classes.
    """
    ends = codes(model, x[: 2 * COLUMNS])
    if ends is None:
        return square(model, x)
    t = torch.linspace(0, 1, COLUMNS, device=x.device).reshape(-1, *[1] * (ends.ndim - 1))
    return torch.cat([model.images((1 - t) * start + t * end) for start, end in zip(ends[::2], ends[1::2])])


def square(model: Model, x: Tensor) -> Tensor:
    """Both axes lead from noise to noise, and every mixture is divided by its deviation: as likely as a drawn one."""
    corners = torch.randn(4, model.latent_dim, device=x.device)
    classes, right = getattr(model, "n_classes", None), torch.linspace(0, 1, COLUMNS)
    down = torch.zeros(classes) if classes else right  # rows differ by their class alone
    down, right = (axis.flatten().to(x.device) for axis in torch.meshgrid(down, right, indexing="ij"))
    shares = torch.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], dim=1)
    z = shares @ corners / shares.norm(dim=1, keepdim=True)
    return decode(model, z, torch.arange(len(z), device=x.device) // COLUMNS)


@torch.no_grad()
def traversal(model: Model, x: Tensor) -> Tensor | None:
    """Each row moves one number of one code over 2.5 deviations to both sides: those that tell most images apart."""
    seen = codes(model, x) if hasattr(model, "reconstruct") else None
    if seen is None or seen.ndim != 2:
        return None
    mean, deviation = seen.mean(dim=0), seen.std(dim=0)
    chosen = deviation.topk(min(COLUMNS, seen.shape[1])).indices
    z = seen[0].repeat(len(chosen), COLUMNS, 1)
    for row, latent in enumerate(chosen):
        z[row, :, latent] = mean[latent] + deviation[latent] * torch.linspace(-2.5, 2.5, COLUMNS, device=x.device)
    return model.images(z.flatten(0, 1))


def png(images: Tensor, columns: int = COLUMNS, scale: int = SCALE) -> bytes:
    """The number of columns stands in the file, too, under COUNT."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    picture = (torch.from_numpy(tile(images, columns)) * 255).round().byte().numpy()
    memory, text = io.BytesIO(), PngInfo()
    text.add_text(COUNT, str(columns))
    image = Image.fromarray(picture)
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(
        memory, "PNG", pnginfo=text
    )
    return memory.getvalue()


def save(images: Tensor | None, path: Path, columns: int | None = None) -> None:
    """Nothing is written for a model that has no such picture."""
    if images is not None:
        replace(path, png(images, columns or COLUMNS))
