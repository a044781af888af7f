"""Lab 1's reference against torch itself."""

import pytest
import torch
from torch import nn

from solutions import autoencoder
from starter.support.nets import Conv, ConvConfig

PLANS = [
    (Conv(2, 5, 3, 2, 1), Conv(5, 4, 4, 2, 0), Conv(4, 3, 5, 3, 2)),
    (Conv(2, 3, 5, 1, 0), Conv(3, 7, 2, 2, 0)),
    (Conv(2, 3, 3, 3, 1), Conv(3, 4, 3, 1, 1), Conv(4, 5, 3, 2, 1)),
]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("size", [(23, 30), (40, 27)])
def test_feature_shapes_are_those_of_the_convolutions(plan, size):
    x = torch.zeros(1, 2, *size)
    shapes = [tuple(x.shape[1:])]
    for conv in plan:
        x = nn.Conv2d(*conv[:5])(x)
        shapes.append(tuple(x.shape[1:]))
    assert autoencoder.feature_shapes((2, *size), plan) == shapes


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("size", [(23, 30), (40, 27)])
def test_the_mirror_leads_back_through_the_same_shapes(plan, size):
    shapes = autoencoder.feature_shapes((2, *size), plan)
    z = torch.zeros(1, *shapes[-1])
    for conv, shape in zip(autoencoder.mirror(plan, shapes), reversed(shapes[:-1]), strict=True):
        z = nn.ConvTranspose2d(*conv)(z)
        assert tuple(z.shape[1:]) == shape


def test_a_plan_whose_channels_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="in_channels must be 16"):
        autoencoder.feature_shapes((3, 32, 32), (Conv(3, 16), Conv(8, 4)))


def test_cross_entropy_is_that_of_torch_distributions():
    logits, x = torch.randn(5, 2, 3, 4, dtype=torch.float64), torch.rand(5, 2, 3, 4, dtype=torch.float64)
    log_prob = torch.distributions.Bernoulli(logits=logits, validate_args=False).log_prob(x)
    expected = -log_prob.sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(autoencoder.reconstruction_loss(logits, x, "bce"), expected)


def test_squared_error_is_a_loop_over_pixels():
    logits, x = torch.randn(3, 1, 2, 2, dtype=torch.float64), torch.rand(3, 1, 2, 2, dtype=torch.float64)
    expected = sum((a - b) ** 2 for a, b in zip(logits.flatten().tolist(), x.flatten().tolist())) / 3
    assert autoencoder.reconstruction_loss(logits, x, "mse").item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["bce", "mse"])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(kind):
    logits = torch.randn(3, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    x = torch.rand(3, 1, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: autoencoder.reconstruction_loss(v, x, kind), logits)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 1, 4, 4\) and x \(3, 2, 4, 4\)"):
        autoencoder.reconstruction_loss(torch.zeros(3, 1, 4, 4), torch.zeros(3, 2, 4, 4), "bce")
    with pytest.raises(ValueError, match="'huber'"):
        autoencoder.reconstruction_loss(torch.zeros(3, 1, 4, 4), torch.zeros(3, 1, 4, 4), "huber")


def test_interpolation_starts_and_ends_at_its_ends_with_equal_gaps():
    start, end = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    line = autoencoder.interpolate(start, end, 6)
    assert line.shape == (6, 4, 3)
    torch.testing.assert_close(line[0], start)
    torch.testing.assert_close(line[-1], end)
    torch.testing.assert_close(line.diff(dim=0), ((end - start) / 5).expand(5, 4, 3))


@pytest.mark.parametrize("steps", [1, 0, -3])
def test_a_line_of_one_point_is_refused(steps):
    with pytest.raises(ValueError, match=f"steps={steps}"):
        autoencoder.interpolate(torch.zeros(2, 3), torch.zeros(2, 3), steps)


def test_corruption_has_the_asked_deviation_and_stays_in_range():
    x = torch.full((50, 1, 20, 20), 0.5)
    noisy = autoencoder.corrupt(x, torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), 0.1)
    assert (noisy - x).std().item() == pytest.approx(0.1, rel=0.02)
    loud = autoencoder.corrupt(x, 10 * torch.ones_like(x), 1.0)
    assert loud.max() == 1 and (x == 0.5).all()


def test_denoising_compares_with_the_clean_image():
    """A network that always answers the clean image has the loss of a perfect reconstruction."""
    x, eps = torch.rand(4, 1, 3, 5), torch.randn(4, 1, 3, 5)
    loss = autoencoder.denoising_loss(lambda noisy: x, x, eps, 0.3, "mse")
    assert loss == 0


@pytest.mark.parametrize("latent_dim", [None, 6])
def test_an_autoencoder_returns_images_of_the_size_it_got(latent_dim):
    config = ConvConfig((2, 13, 18), (Conv(2, 4, 3, 2), Conv(4, 8, 3, 2)), latent_dim, batch_norm=True)
    model = autoencoder.Autoencoder.from_config(config)
    x = torch.rand(3, 2, 13, 18)
    assert model(x).shape == x.shape
    assert 0 <= model.reconstruct(x).min() and model.reconstruct(x).max() <= 1
