"""The named systems have the layers, sizes and parameter counts of their reports."""

import pytest
import torch
from torch import nn

from starter.support import recipes
from starter.support.data import signed, unit
from starter.support.nets import parameter_count


def linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def conv(n_in: int, n_out: int, kernel: int = 3) -> int:
    return n_in * n_out * kernel**2 + n_out


GELU = conv(1, 16) + conv(16, 16) + conv(16, 32) + conv(32, 32)
GELU_BACK = conv(32, 32) + conv(32, 16) + conv(16, 16) + conv(16, 1)
RGB = conv(3, 32, 4) + conv(32, 64, 4) + conv(64, 128, 4)
RGB_BACK = conv(128, 64, 4) + conv(64, 32, 4) + conv(32, 3, 4)
WIDE = conv(3, 32) + conv(32, 64) + conv(64, 128) + conv(128, 256)
WIDE_BACK = conv(256, 128) + conv(128, 64) + conv(64, 32) + conv(32, 3)
WIDE_1024 = WIDE + linear(4096, 2 * 1024) + linear(1024, 4096) + WIDE_BACK


def gated(n_in: int, hidden: int, n_out: int) -> int:
    """GatedConvNet: a convolution; three blocks of two convolutions on 2 * hidden ELUs and a norm; a convolution."""
    block = conv(2 * hidden, hidden) + conv(2 * hidden, 2 * hidden, 1) + 2 * hidden
    return conv(n_in, hidden) + 3 * block + conv(2 * hidden, n_out)


def gated_coupling(channels: int, hidden: int, context: int = 0) -> int:
    return gated(channels + context, hidden, 2 * channels) + channels  # + a bound of log s per channel


def unbiased(n_in: int, n_out: int, kernel: int = 4) -> int:
    """A convolution without bias, and BatchNorm after it."""
    return n_in * n_out * kernel**2 + 2 * n_out


CIFAR_G = unbiased(512, 256) + unbiased(256, 128) + unbiased(128, 64) + conv(64, 3, 1)  # after its first layer
CIFAR_D = conv(3, 64, 4) + unbiased(64, 128) + unbiased(128, 256) + unbiased(256, 512) + conv(512, 1, 2)
CUB_G = unbiased(100, 256) + unbiased(256, 128) + unbiased(128, 64) + conv(64, 3, 4)
CUB_D = conv(3, 64, 4) + unbiased(64, 128) + unbiased(128, 256) + conv(256, 1, 4)
TWO_NETS = 8 * 2 * (conv(3, 64) + conv(64, 64) + conv(64, 3))
FC_GENERATOR = linear(100, 128) + linear(128, 256) + linear(256, 512) + linear(512, 1024) + linear(1024, 784)
FC_DISCRIMINATOR = linear(784, 512) + linear(512, 256) + linear(256, 1)
COUNTS = {  # by hand from the reports' layers, weights and biases
    "ae-small": conv(3, 16) + conv(16, 32) + conv(32, 16) + conv(16, 3),
    **{f"ae-gelu-{d}": GELU + linear(1568, d) + linear(d, 1568) + GELU_BACK for d in (32, 64, 128, 256)},
    "vae-gelu": GELU + linear(1568, 2 * 128) + linear(128, 1568) + GELU_BACK,
    "vae-gelu-cosine": GELU + linear(1568, 2 * 128) + linear(128, 1568) + GELU_BACK,
    **{f"vae-{d}-conv": RGB + linear(2048, 2 * d) + linear(d, 2048) + RGB_BACK for d in (64, 128, 256)},
    "vae-planar": RGB + linear(2048, 2 * 128) + linear(128, 2048) + RGB_BACK + 4 * (128 + 128 + 1),  # + w, u, b
    **{f"vae-128-conv-{n}": RGB + linear(2048, 256) + linear(128, 2048) + RGB_BACK for n in ("cyclical", "free-bits")},
    **{f"ae-latent-{d}": WIDE + linear(4096, d) + linear(d, 4096) + WIDE_BACK for d in (16, 128, 1024)},
    **{f"beta-vae-{beta}": WIDE_1024 for beta in ("0", "0.8", "1", "1.2", "linear")},
    "vae-cifar-1024": WIDE_1024,
    **{f"ae-cifar{name}": WIDE + linear(4096, 128) + linear(128, 4096) + WIDE_BACK for name in ("", "-fast")},
    **{
        f"vae-cifar-{d}{name}": WIDE + linear(4096, 2 * d) + linear(d, 4096) + WIDE_BACK
        for d in (10, 128, 512, 2048)
        for name in ("", "-fast")
    },
    "vae-mlp": linear(784, 400) + 2 * linear(400, 20) + linear(20, 400) + linear(400, 784),
    "gan-mlp": FC_GENERATOR + FC_DISCRIMINATOR,
    "gan-fc": FC_GENERATOR + 2 * (128 + 256 + 512 + 1024) + FC_DISCRIMINATOR,  # + a scale and a shift per feature
    "gan-fc-large": linear(100, 256)
    + linear(256, 512)
    + linear(512, 1024)
    + linear(1024, 784)
    + (linear(784, 1024) + linear(1024, 512) + linear(512, 256) + linear(256, 1)),
    "dcgan-cifar": unbiased(100, 512) + CIFAR_G + CIFAR_D,
    **{f"dcgan-cifar-{d}": unbiased(d, 512) + CIFAR_G + CIFAR_D for d in (10, 2000)},
    **{name: CUB_G + CUB_D for name in ("cub-gan", "cub-lsgan")},
    "cub-wgan-gp": CUB_G + conv(3, 64, 4) + conv(64, 128, 4) + conv(128, 256, 4) + conv(256, 1, 4),
    "realnvp-multiscale": 4
    * (gated_coupling(1, 32, context=1) + gated_coupling(1, 32) + gated_coupling(4, 48) + gated_coupling(8, 64)),
    "realnvp-cifar": TWO_NETS,
    "realnvp-cifar-repaired": TWO_NETS + 8 * 3,
    "cgan-fm": linear(128 + 10, 256 * 7 * 7)
    + conv(256, 128, 4)
    + conv(128, 64, 4)
    + conv(64, 1)
    + 2 * (256 + 128 + 64)  # BatchNorm
    + 10 * 28 * 28  # label maps
    + conv(2, 64)
    + conv(64, 128)
    + conv(128, 256)
    + linear(256 * 4 * 4, 1),
}
GAMES = [name for name, recipe in recipes.RECIPES.items() if recipe.lr is None]


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_parameters_are_those_counted_by_hand(name):
    with torch.device("meta"):  # shapes without numbers
        assert parameter_count(recipes.build(name)) == COUNTS[name]


@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if name not in GAMES])
def test_a_step_of_training_gives_finite_terms_and_a_gradient_for_every_weight(name):
    model, recipe = recipes.build(name), recipes.RECIPES[name]
    x = (255 * torch.rand(3, *recipe.shape)).round() / 255  # grey levels
    assert model(x).shape == x.shape
    terms = model.terms(x)
    terms.loss.backward()
    assert all(torch.isfinite(term) for term in terms)
    assert all(weight.grad is not None for weight in model.parameters())


OFFSETS = {"cub-wgan-gp": {"discriminator.3.0.bias"}}  # of all scores alike: no loss of a critic depends on it


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_says_how_long_it_trains_in_one_way(name):
    assert (recipes.RECIPES[name].epochs is None) != (recipes.RECIPES[name].steps is None)


@pytest.mark.parametrize("name", GAMES)
def test_an_update_of_a_game_gives_finite_terms_and_moves_every_weight(name):
    torch.manual_seed(0)
    game = recipes.build(name)
    before = [weight.detach().clone() for weight in game.parameters()]
    for _ in range(getattr(game, "n_critic", 1)):  # a critic moves several times before its generator does
        terms = game.update(torch.rand(8, *recipes.RECIPES[name].shape), torch.arange(8))
    assert all(torch.isfinite(term) for term in terms)
    moved = zip(game.named_parameters(), before, strict=True)
    assert {name for (name, weight), old in moved if torch.equal(weight, old)} <= OFFSETS.get(name, set())
    assert all(not term.requires_grad for term in terms)


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
    torch.testing.assert_close(model.terms(x).loss, signed(x).square().sum((1, 2, 3)).mean())
    torch.testing.assert_close(unit(signed(x)), x)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ValueError, match="nearest is 'vae-mlp'"):
        recipes.build("vae-mpl")
