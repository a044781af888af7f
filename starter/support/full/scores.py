"""Numbers by which runs are compared: mean terms over a set, reconstructions, samples."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .. import data, features, inception
from ..data import Images
from ..recipes import SQUARED
from . import gallery

SAMPLES = 1000  # images that a distance between two sets is measured on
INCEPTION_SAMPLES = 5000  # of Inception's 2,048 features there must be more images
GREY = 1  # channels of what the course's feature network has learned to see


def held_batches(images: Images, batch_size: int) -> Iterator[Tensor]:
    for start in range(0, len(images), batch_size):
        yield images.pixels(slice(start, start + batch_size))


@torch.no_grad()
def mean_terms(model: nn.Module, images: Images, batch_size: int) -> dict[str, float]:
    """Every term of `model.terms`, averaged over all images, in evaluation mode and always with the same noise.

    The weight of the KL is 1, whatever the schedule has reached: losses of different steps must compare.
    """
    training, beta, total = model.training, getattr(model, "beta", None), {}
    if beta is not None:
        model.beta = 1.0
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(0)
        for x in held_batches(images, batch_size):
            for name, value in model.eval().terms(x)._asdict().items():
                total[name] = total.get(name, 0.0) + value.item() * len(x)
    if beta is not None:
        model.beta = beta
    model.train(training)
    return {name: value / len(images) for name, value in total.items()}


@torch.no_grad()
def test_scores(model: nn.Module, images: Images, batch_size: int) -> dict[str, float]:
    """Whatever can be asked of a model: its terms, its reconstructions, its samples."""
    found = mean_terms(model, images, batch_size) if hasattr(model, "terms") else {}
    if hasattr(model, "reconstruct"):
        found |= reconstruction_scores(model, images, batch_size)
    return found | sample_scores(model, images) | inception_scores(model, images)


@torch.no_grad()
def reconstruction_scores(model: nn.Module, images: Images, batch_size: int) -> dict[str, float]:
    """Squared error on [-1, 1], summed over the pixels of an image, and SSIM (of 1,000 images); both averaged."""
    from skimage.metrics import structural_similarity

    error, similar, seen = 0.0, 0.0, 0
    for x in held_batches(images, batch_size):
        x_hat = model.reconstruct(x)
        error += 4 * (x_hat - x).square().sum().item()  # [-1, 1] is twice as wide as [0, 1]
        for one, other in zip(x.cpu().numpy(), x_hat.cpu().numpy()) if seen < SAMPLES else ():
            similar += structural_similarity(one, other, data_range=1.0, channel_axis=0, win_size=7)
            seen += 1
    return {SQUARED: error / len(images), "SSIM": float(similar / seen)}


def inception_scores(model: nn.Module, images: Images) -> dict[str, float]:
    """FID as papers state it, for colours; nothing where Inception's weights are not at hand."""
    if images.shape[0] == GREY or not inception.ready():
        return {}
    fake = gallery.samples(model, images.pixels(slice(2)), INCEPTION_SAMPLES)
    if fake is None:
        return {}
    whole = data.load(images.name)  # papers compare with the training set
    return {f"FID, Inception, {INCEPTION_SAMPLES} samples": inception.fid(fake.cpu(), whole)}


def sample_scores(model: nn.Module, images: Images) -> dict[str, float]:
    """FID of samples against real images, in the course's features; nothing for models or data that have none."""
    x = images.pixels(slice(SAMPLES))
    if x.shape[1] != GREY or len(x) <= features.DIM:
        return {}
    fake = gallery.samples(model, x, len(x))
    if fake is None or not fake.isfinite().all():  # a flow that has diverged
        return {}
    return {"FID, features of digits": features.fid(fake.cpu(), x.cpu())}
