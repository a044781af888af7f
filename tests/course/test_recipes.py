"""The named systems have the layers, sizes and parameter counts of their reports."""

import pytest
import torch
from torch import nn

from starter.support import recipes
from starter.support.nets import from_signed, parameter_count, to_signed


def linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def conv(n_in: int, n_out: int, kernel: int = 3) -> int:
    return n_in * n_out * kernel**2 + n_out


GELU = conv(1, 16) + conv(16, 16) + conv(16, 32) + conv(32, 32)
GELU_BACK = conv(32, 32) + conv(32, 16) + conv(16, 16) + conv(16, 1)
RGB = conv(3, 32, 4) + conv(32, 64, 4) + conv(64, 128, 4)
RGB_BACK = conv(128, 64, 4) + conv(64, 32, 4) + conv(32, 3, 4)
COUNTS = {  # by hand from the reports' layers, weights and biases
    "ae-small": conv(3, 16) + conv(16, 32) + conv(32, 16) + conv(16, 3),
    **{f"ae-gelu-{d}": GELU + linear(1568, d) + linear(d, 1568) + GELU_BACK for d in (32, 64, 128, 256)},
    "vae-gelu": GELU + linear(1568, 2 * 128) + linear(128, 1568) + GELU_BACK,
    **{f"vae-{d}-conv": RGB + linear(2048, 2 * d) + linear(d, 2048) + RGB_BACK for d in (64, 128, 256)},
    "vae-mlp": linear(784, 400) + 2 * linear(400, 20) + linear(20, 400) + linear(400, 784),
}


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_parameters_are_those_counted_by_hand(name):
    assert parameter_count(recipes.build(name)) == COUNTS[name]


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_step_of_training_gives_finite_terms_and_a_gradient_for_every_weight(name):
    model, recipe = recipes.build(name), recipes.RECIPES[name]
    x = torch.rand(3, *recipe.shape)
    assert model(x).shape == x.shape
    terms = model.terms(x)
    terms.loss.backward()
    assert all(torch.isfinite(term) for term in terms)
    assert all(weight.grad is not None for weight in model.parameters())


def layers(model: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in model.children()]


def test_ae_small_is_two_convolutions_and_their_mirror():
    model = recipes.build("ae-small")
    assert layers(model.encoder) == ["Conv2d", "ReLU"] * 2
    assert layers(model.decoder) == ["ConvTranspose2d", "ReLU", "ConvTranspose2d", "Tanh"]
    assert model.encoder(torch.rand(1, 3, 32, 32)).shape == (1, 32, 8, 8)


def test_ae_gelu_halves_twice_and_upsamples_twice():
    model = recipes.build("ae-gelu-64")
    assert layers(model.encoder) == ["Conv2d", "GELU"] * 4 + ["Flatten", "Linear"]
    up = ["Conv2d", "GELU", "Upsample", "Conv2d", "GELU", "Conv2d", "GELU", "Upsample", "Conv2d"]
    assert layers(model.decoder) == ["Linear", "GELU", "Unflatten", *up]
    assert [layer.stride[0] for layer in model.encoder if isinstance(layer, nn.Conv2d)] == [2, 1, 2, 1]


def test_tanh_pixels_are_compared_in_their_own_range():
    """ae-small's target is x in [-1, 1]: a decoder of zeros costs exactly the squared pixels there."""
    model = recipes.build("ae-small")
    x = torch.rand(4, 3, 32, 32)
    for weight in model.decoder.parameters():
        nn.init.zeros_(weight)
    torch.testing.assert_close(model.terms(x).loss, to_signed(x).square().sum((1, 2, 3)).mean())
    torch.testing.assert_close(from_signed(to_signed(x)), x)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ValueError, match="nearest is 'vae-mlp'"):
        recipes.build("vae-mpl")
