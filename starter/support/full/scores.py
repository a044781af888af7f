"""Numbers by which runs are compared: mean terms over a set, reconstructions, samples."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import data, features, inception_features
from ..data import Images, signed
from ..models import Model
from ..recipes import SQUARED
from . import gallery

SAMPLES = 1000  # images that a distance between two sets is measured on, and those of a curve
INCEPTION_SAMPLES = 5000  # of Inception's 2,048 features there must be more images
SSIM, SSIM_LOSS, BCE = "SSIM", "1 - SSIM", "BCE"
UNPAIRED = "1 - SSIM of samples and real images, unpaired"
DIVERSITY = "diversity"


def held_batches(images: Images, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(images), batch_size):
        chosen = slice(start, start + batch_size)
        yield images.pixels(chosen), images.y[chosen]


@torch.no_grad()
def mean_terms(model: Model, images: Images, batch_size: int) -> dict[str, float]:
    """Every term of `model.terms`, or both losses of a game, averaged over all images.

    In evaluation mode and always with the same noise. The weight of the KL is 1, whatever the schedule has reached, and
    no latent has an allowance: losses of different steps and of different recipes must compare.
    """
    training, total = model.training, dict[str, float]()
    own = {name: getattr(model, name) for name in ("beta", "floor") if hasattr(model, name)}
    for name in own:
        setattr(model, name, {"beta": 1.0, "floor": 0.0}[name])
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(0)
        model.eval()
        for x, y in held_batches(images, batch_size):
            terms = model.terms(x)._asdict() if hasattr(model, "terms") else game_losses(model, x, y)
            for name, value in terms.items():
                total[name] = total.get(name, 0.0) + value.item() * len(x)
    for name, value in own.items():
        setattr(model, name, value)
    model.train(training)
    return {name: value / len(images) for name, value in total.items()}


def game_losses(game: Model, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """What both players would lose on these images, without a move; a model without a second player says it itself."""
    if hasattr(game, "losses"):
        return game.losses(x, y)._asdict()
    fake = signed(gallery.decode(game, game.noise(len(x)), y))

    def judge(images: Tensor) -> Tensor:
        return game.judge(images, y) if hasattr(game, "judge") else game.discriminator(images)

    seen = judge(fake)
    return {"discriminator": game.d_loss(judge(signed(x)), seen), "generator": game.g_loss(seen)}


@torch.no_grad()
def test_scores(model: Model, images: Images, batch_size: int) -> dict[str, float]:
    """Whatever can be asked of a model: its terms, its reconstructions, its samples."""
    found = mean_terms(model, images, batch_size) if hasattr(model, "terms") else {}
    found |= reconstruction_scores(model, images, batch_size)
    return found | sample_scores(model, images) | inception_scores(model, images)


@torch.no_grad()
def reconstruction_scores(model: Model, images: Images, batch_size: int) -> dict[str, float]:
    """How images differ from what the model makes of them, averaged; nothing for models that reconstruct none.

    Squared error on [-1, 1] and cross-entropy in nats, both summed over the pixels of an image, and SSIM.
    """
    if not hasattr(model, "reconstruct"):
        return {}
    squared = cross = similar = 0.0
    for x, _ in held_batches(images, batch_size):
        x_hat = model.reconstruct(x)
        squared += 4 * (x_hat - x).square().sum().item()  # [-1, 1] is twice as wide as [0, 1]
        cross += F.binary_cross_entropy(x_hat.clamp(0, 1), x, reduction="sum").item()
        similar += ssim(x, x_hat).sum().item()
    squared, cross, similar = (value / len(images) for value in (squared, cross, similar))
    return {SQUARED: squared, BCE: cross, SSIM: similar, SSIM_LOSS: 1 - similar}


def ssim(x: Tensor, y: Tensor, window: int = 7) -> Tensor:
    """Structural similarity of pairs of images (N, C, H, W) in [0, 1], shape (N,), as scikit-image's defaults have it.

    A uniform window, moments of samples, and the mean over channels and over all windows that lie inside; in batches,
    because scikit-image's loop over images would take longer than an epoch of the small systems.

    Source: Wang et al. 2004, equation 13.
    """
    unbiased = window**2 / (window**2 - 1)
    a, b, aa, bb, ab = (F.avg_pool2d(z.double(), window, 1) for z in (x, y, x * x, y * y, x * y))
    var_a, var_b, cov = unbiased * (aa - a * a), unbiased * (bb - b * b), unbiased * (ab - a * b)
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * a * b + c1) * (2 * cov + c2) / ((a * a + b * b + c1) * (var_a + var_b + c2))).mean(dim=(1, 2, 3))


def inception_scores(model: Model, images: Images) -> dict[str, float]:
    """FID as papers state it, for colours; nothing where Inception's weights are not at hand."""
    if images.shape[0] == 1 or not inception_features.ready():
        return {}
    fake = gallery.samples(model, images.pixels(slice(2)), INCEPTION_SAMPLES)
    if fake is None:
        return {}
    whole = data.load(images.name)  # papers compare with the training set
    return {f"FID, Inception, {INCEPTION_SAMPLES} samples": inception_features.fid(fake.cpu(), whole)}


def sample_scores(model: Model, images: Images) -> dict[str, float]:
    """Of samples beside as many real images: FID in the course's features, diversity, and how unlike pairs are.

    Nothing for models that draw none, or that have diverged.
    """
    x = images.pixels(slice(SAMPLES))
    fake = gallery.samples(model, x, len(x))
    if fake is None or not fake.isfinite().all():
        return {}
    return distance(fake, x) | spread(fake, x)


def distance(fake: Tensor, x: Tensor) -> dict[str, float]:
    """FID in the features of the course's network for so many channels; nothing where it has none."""
    network = features.network(x.shape[1])
    return {network.score: features.fid(fake.cpu(), x.cpu())} if len(x) > features.DIM else {}


def spread(fake: Tensor, x: Tensor) -> dict[str, float]:
    """The mean squared distance of two different samples (see lab 7's `diversity`), and the SSIM of random pairs."""
    return {DIVERSITY: 2 * fake.flatten(1).var(dim=0).sum().item(), UNPAIRED: 1 - ssim(fake, x).mean().item()}


def curve_scores(model: Model, images: Images, batch_size: int) -> dict[str, float]:
    """What is cheap enough for every epoch: reconstructions, and the spread of samples."""
    found = reconstruction_scores(model, images, batch_size)
    x = images.pixels(slice(SAMPLES))
    fake = gallery.samples(model, x, len(x))
    return found if fake is None or not fake.isfinite().all() else found | spread(fake, x)
