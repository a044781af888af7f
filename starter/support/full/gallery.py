"""Pictures of any model of the course as files: samples, reconstructions, interpolations, traversals."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from ..plots import tile
from ..runs import replace

COLUMNS, SCALE = 10, 3  # images in a row, pixels of the picture for each of theirs
CHUNK = 500  # images at a time


def noise_dim(model: nn.Module, x: Tensor) -> int | None:
    """How many numbers an image is made from; None for a model that makes none from noise."""
    if hasattr(model, "latent_dim"):  # a game
        return model.latent_dim
    code = model.encode(x[:2]) if hasattr(model, "encode") else None
    return None if code is None else (code[0] if isinstance(code, tuple) else code).shape[1]


@torch.no_grad()
def decode(model: nn.Module, z: Tensor, first: int = 0) -> Tensor:
    """Images in [0, 1] from noise (N, D); a model that wants labels gets 0, 1, 2, ... from `first` on, in turn."""
    make = model.sample if hasattr(model, "sample") else model.images
    if classes := getattr(model, "classes", None):
        labels = torch.arange(first, first + len(z), device=z.device) % classes
        return make(z, labels)
    return make(z)


@torch.no_grad()
def samples(model: nn.Module, x: Tensor, count: int) -> Tensor | None:
    """New images; `x` is a batch of real ones, for its sizes. None for a model that has nothing to sample from."""
    if (dim := noise_dim(model, x)) is None:
        return None
    starts = range(0, count, CHUNK)
    chunks = [decode(model, torch.randn(min(CHUNK, count - at), dim, device=x.device), at) for at in starts]
    return torch.cat(chunks)


@torch.no_grad()
def reconstructions(model: nn.Module, x: Tensor) -> Tensor | None:
    """Rows of images, each followed by the row of what the model makes of them."""
    if not hasattr(model, "reconstruct"):
        return None
    pairs = [(row, model.reconstruct(row)) for row in x[: 5 * COLUMNS].split(COLUMNS)]
    return torch.cat([images for pair in pairs for images in pair])


@torch.no_grad()
def codes(model: nn.Module, x: Tensor, count: int) -> Tensor | None:
    """Codes of real images where the model has an encoder, otherwise noise."""
    if (dim := noise_dim(model, x)) is None:
        return None
    if not hasattr(model, "encode"):
        return torch.randn(count, dim, device=x.device)
    code = model.encode(x[:count])
    return code[0] if isinstance(code, tuple) else code


@torch.no_grad()
def interpolation(model: nn.Module, x: Tensor, rows: int = 5) -> Tensor | None:
    """Each row leads from one image to another, in a straight line through the latents."""
    if (ends := codes(model, x, 2 * rows)) is None:
        return None
    t = torch.linspace(0, 1, COLUMNS, device=x.device)[:, None]
    make = model.images if hasattr(model, "images") else lambda z: decode(model, z)
    return torch.cat([make((1 - t) * start + t * end) for start, end in zip(ends[::2], ends[1::2])])


@torch.no_grad()
def traversal(model: nn.Module, x: Tensor, rows: int = 10) -> Tensor | None:
    """Each row moves one number of one code from -2.5 to 2.5: the numbers that tell most images apart."""
    if not (hasattr(model, "encode") and hasattr(model, "reconstruct")) or noise_dim(model, x) is None:
        return None
    all_codes = codes(model, x, len(x))
    chosen = all_codes.var(dim=0).topk(min(rows, all_codes.shape[1])).indices
    z = all_codes[0].repeat(len(chosen), COLUMNS, 1)
    for row, latent in enumerate(chosen):
        z[row, :, latent] = torch.linspace(-2.5, 2.5, COLUMNS, device=x.device)
    return model.images(z.flatten(0, 1))


def png(images: Tensor, columns: int = COLUMNS, scale: int = SCALE) -> bytes:
    from PIL import Image

    picture = (torch.from_numpy(tile(images, columns)) * 255).round().byte().numpy()
    memory = io.BytesIO()
    image = Image.fromarray(picture)
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(memory, "PNG")
    return memory.getvalue()


def save(images: Tensor | None, path: Path) -> None:
    """Nothing is written for a model that has no such picture."""
    if images is not None:
        replace(path, png(images))
