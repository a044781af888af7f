"""The named systems have the layers, settings, losses and parameter counts of their reports.

Everything expected here is written by hand from the reports' lines, with numbers and names of PyTorch's layers only.
"""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from starter.support import recipes
from starter.support.data import signed, unit
from starter.support.nets import parameter_count
from starter.support.recipes import RECIPES


def linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def conv(n_in: int, n_out: int, kernel: int = 3) -> int:
    return n_in * n_out * kernel**2 + n_out


def bare(n_in: int, n_out: int, kernel: int = 4) -> int:
    """A convolution without bias."""
    return n_in * n_out * kernel**2


GELU = conv(1, 16) + conv(16, 16) + conv(16, 32) + conv(32, 32)
GELU_BACK = conv(32, 32) + conv(32, 16) + conv(16, 16) + conv(16, 1)
RGB = conv(3, 32, 4) + conv(32, 64, 4) + conv(64, 128, 4)
RGB_BACK = conv(128, 64, 4) + conv(64, 32, 4) + conv(32, 3, 4)
WIDE = conv(3, 32) + conv(32, 64) + conv(64, 128) + conv(128, 256)
WIDE_BACK = conv(256, 128) + conv(128, 64) + conv(64, 32) + conv(32, 3)
VAE_128 = RGB + linear(2048, 2 * 128) + linear(128, 2048) + RGB_BACK
VAE_1024 = WIDE + linear(4096, 2 * 1024) + linear(1024, 4096) + WIDE_BACK
PLANAR = VAE_128 + 4 * (128 + 128 + 1)  # + w, u, b


def gated(n_in: int, hidden: int, n_out: int) -> int:
    """GatedConvNet: a convolution; three blocks of two convolutions on 2 * hidden ELUs and a norm; a convolution."""
    block = conv(2 * hidden, hidden) + conv(2 * hidden, 2 * hidden, 1) + 2 * hidden
    return conv(n_in, hidden) + 3 * block + conv(2 * hidden, n_out)


def gated_coupling(channels: int, hidden: int, context: int = 0) -> int:
    return gated(channels + context, hidden, 2 * channels) + channels  # + a bound of log s per channel


def normed(n_in: int, n_out: int, kernel: int = 4) -> int:
    """A convolution without bias, and BatchNorm after it."""
    return bare(n_in, n_out, kernel) + 2 * n_out


CIFAR_G = normed(512, 256) + normed(256, 128) + normed(128, 64) + bare(64, 3, 1)  # after its first layer
CIFAR_D = bare(3, 64) + normed(64, 128) + normed(128, 256) + normed(256, 512) + bare(512, 1, 2)
CUB_G = normed(100, 256) + normed(256, 128) + normed(128, 64) + conv(64, 3, 4)
CUB_D = conv(3, 64, 4) + normed(64, 128) + normed(128, 256) + conv(256, 1, 4)
TWO_NETS = 8 * 2 * (conv(3, 64) + conv(64, 64) + conv(64, 3))
FC_HIDDEN = linear(128, 256) + linear(256, 512) + linear(512, 1024) + linear(1024, 784)
FC_NORMS = 2 * (128 + 256 + 512 + 1024)  # a scale and a shift per feature
FC_DISCRIMINATOR = linear(784, 512) + linear(512, 256) + linear(256, 1)
CGAN = (
    linear(128 + 10, 256 * 7 * 7)
    + conv(256, 128, 4)
    + conv(128, 64, 4)
    + conv(64, 1)
    + 2 * (128 + 64)  # BatchNorm of the generator
    + linear(10, 28 * 28)
    + conv(2, 64, 4)
    + conv(64, 128, 4)
    + conv(128, 256, 4)
    + 2 * (128 + 256)  # BatchNorm of the discriminator
    + conv(256, 1, 3)
)


def large(pixels: int) -> int:
    """Both networks of report 000's GAN."""
    generator = linear(100, 256) + linear(256, 512) + linear(512, 1024) + linear(1024, pixels)
    return generator + linear(pixels, 1024) + linear(1024, 512) + linear(512, 256) + linear(256, 1)


COUNTS = {
    "ae-small": conv(3, 16) + conv(16, 32) + conv(32, 16) + conv(16, 3),
    **{f"vae-{d}-conv": RGB + linear(2048, 2 * d) + linear(d, 2048) + RGB_BACK for d in (64, 128, 256)},
    **{f"vae-128-conv-{name}": VAE_128 for name in ("plain", "cyclical", "free-bits")},
    **{name: PLANAR for name in ("vae-planar", "vae-planar-plain", "vae-planar-cyclical", "vae-planar-free-bits")},
    "gan-fc-large": large(3 * 32 * 32),
    "gan-fc-large-grey": large(28 * 28),
    **{f"ae-gelu-{d}": GELU + linear(1568, d) + linear(d, 1568) + GELU_BACK for d in (32, 64, 128, 256)},
    **{f"ae-gelu-{d}-fast": GELU + linear(1568, d) + linear(d, 1568) + GELU_BACK for d in (32, 64, 128, 256)},
    **{
        name: GELU + linear(1568, 2 * 128) + linear(128, 1568) + GELU_BACK for name in ("vae-gelu", "vae-gelu-repaired")
    },
    "gan-fc": linear(128, 128) + FC_HIDDEN + FC_NORMS + FC_DISCRIMINATOR,
    **{name: CGAN for name in ("cgan-fm", "cgan-plain")},
    "realnvp-multiscale": 4
    * (gated_coupling(1, 32, context=1) + gated_coupling(1, 32) + gated_coupling(4, 48) + gated_coupling(8, 64)),
    "realnvp-simple": 4 * gated_coupling(1, 32, context=1) + 8 * gated_coupling(1, 32),
    **{f"ae-cifar{name}": WIDE + linear(4096, 128) + linear(128, 4096) + WIDE_BACK for name in ("", "-fast")},
    **{f"vae-cifar-{d}": WIDE + linear(4096, 2 * d) + linear(d, 4096) + WIDE_BACK for d in (10, 128, 512, 2048)},
    "dcgan-cifar": normed(100, 512) + CIFAR_G + CIFAR_D,
    **{f"dcgan-cifar-{d}": normed(d, 512) + CIFAR_G + CIFAR_D for d in (10, 2000)},
    "realnvp-cifar": TWO_NETS,
    "realnvp-cifar-repaired": TWO_NETS + 8 * 3,
    **{f"ae-latent-{d}": WIDE + linear(4096, d) + linear(d, 4096) + WIDE_BACK for d in (16, 128, 1024)},
    **{f"beta-vae-{beta}": VAE_1024 for beta in ("0", "0.8", "1", "1.2", "linear")},
    **{name: CUB_G + CUB_D for name in ("cub-gan", "cub-lsgan")},
    "cub-wgan-gp": CUB_G + conv(3, 64, 4) + conv(64, 128, 4) + conv(128, 256, 4) + conv(256, 1, 4),
    "vae-mlp": linear(784, 400) + 2 * linear(400, 20) + linear(20, 400) + linear(400, 784),
    "gan-mlp": linear(100, 128) + FC_HIDDEN + FC_NORMS + FC_DISCRIMINATOR,
}


def small_coupling(channels: int, hidden: int, blocks: int) -> int:
    """A coupling whose network has fewer gated blocks than three."""
    block = conv(2 * hidden, hidden) + conv(2 * hidden, 2 * hidden, 1) + 2 * hidden
    return gated_coupling(channels, hidden) - (3 - blocks) * block


TWO = conv(1, 32, 4) + conv(32, 64, 4)
TWO_BACK = conv(64, 32, 4) + conv(32, 1, 4)
DIGIT_G = normed(100, 128, 7) + normed(128, 64) + conv(64, 1, 4)
IAF = linear(16, 64) + linear(64, 32)  # masked, but all numbers are there
HALVES = linear(8, 64) + linear(64, 16)
COUNTS |= {
    "beta-vae-mnist": TWO + linear(64 * 49, 20) + linear(10, 64 * 49) + TWO_BACK,
    "flow-vae-mnist": TWO + linear(64 * 49, 32) + linear(16, 64 * 49) + TWO_BACK + 4 * IAF + 8 * HALVES,
    **{
        name: 2 * small_coupling(1, 16, blocks)
        + later * (small_coupling(4, 32, blocks) + small_coupling(8, 48, blocks))
        for name, blocks, later in (("realnvp-mnist", 1, 4), ("realnvp-mnist-small", 2, 6))
    },
    **{name: DIGIT_G + conv(1, 64, 4) + normed(64, 128) + conv(128, 1, 7) for name in ("dcgan-mnist", "lsgan-mnist")},
    "wgan-gp-mnist": DIGIT_G + conv(1, 64, 4) + conv(64, 128, 4) + conv(128, 1, 7),
    "cgan-mnist": linear(100 + 10, 128 * 7 * 7)
    + conv(128, 64, 4)
    + conv(64, 32, 4)
    + conv(32, 1)
    + 2 * (128 + 64 + 32)  # BatchNorm of the generator
    + 10 * 28 * 28  # a map for every label
    + conv(2, 32)
    + conv(32, 64)
    + conv(64, 128)
    + linear(128 * 4 * 4, 1),
    "flow-matching-mnist": conv(1, 32)
    + conv(32, 64, 4)
    + conv(64, 128, 4)
    + conv(128, 64, 4)
    + conv(64, 32, 4)
    + 2 * conv(64, 64)  # detail
    + 2 * conv(128, 128)  # in the middle
    + conv(32, 1)
    + linear(16, 128)  # a time's waves
    + 11 * 128  # a vector for every class, and for none
    + linear(128, 128)
    + 2 * linear(128, 32)  # what each level is told
    + 2 * linear(128, 64)
    + linear(128, 128),
    "vqvae-mnist": conv(1, 32, 4)
    + conv(32, 64, 4)
    + conv(64, 64)
    + 4 * (conv(64, 16) + conv(16, 64, 1))
    + 64 * 32
    + (conv(32, 64) + conv(64, 32, 4) + conv(32, 1, 4))
    + (128 * 64 + conv(64, 64, 5) + 64 * 7 * 7)
    + (6 * (conv(64, 64) + conv(64, 64, 1)) + conv(64, 128, 1)),
    "vqvae-cifar10": conv(3, 64, 4)
    + conv(64, 128, 4)
    + conv(128, 128)
    + 4 * (conv(128, 32) + conv(32, 128, 1))  # residual blocks of both sides; the codebook is no parameter
    + 128 * 64
    + (conv(64, 128) + conv(128, 64, 4) + conv(64, 3, 4))
    + (512 * 128 + conv(128, 128, 5) + 128 * 8 * 8)  # the prior: embedding, first mask, places
    + (8 * (conv(128, 128) + conv(128, 128, 1)) + conv(128, 512, 1)),
}
STATED = {  # counts that the reports' own layers add up to
    "vae-mlp": 652_824,
    "gan-mlp": 2_043_793,
    "gan-fc": 2_047_377,
    "cgan-fm": 3_069_682,
    "dcgan-cifar": 6_333_248,
    "realnvp-cifar": 647_216,
}
GAMES = [name for name, recipe in RECIPES.items() if recipe.lr is None]
TURNS = {"flow-matching-mnist": 2}  # its last layer begins at 0, so that the others learn from the second step on


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_are_those_counted_by_hand(name):
    with torch.device("meta"):  # shapes without numbers
        assert parameter_count(recipes.build(name)) == COUNTS[name]
    assert COUNTS[name] == STATED.get(name, COUNTS[name])


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in GAMES])
def test_a_step_of_training_gives_finite_terms_and_a_gradient_for_every_weight(name):
    model, recipe = recipes.build(name), RECIPES[name]
    x = (255 * torch.rand(3, *recipe.shape)).round() / 255  # grey levels
    assert model(x).shape == x.shape
    terms = model.terms(x)
    terms.loss.backward()
    assert all(torch.isfinite(term) for term in terms)
    assert all(weight.grad is not None for weight in model.parameters())


OFFSETS = {  # of all scores alike: no loss of a critic depends on it
    "cub-wgan-gp": {"discriminator.3.0.bias"},
    "wgan-gp-mnist": {"discriminator.2.0.bias"},
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_where_it_comes_from_what_it_chose_and_how_long_it_trains(name):
    recipe = RECIPES[name]
    assert (recipe.epochs is None) != (recipe.steps is None) and recipe.hours > 0
    assert recipe.ours or re.match(r"report 00[0-4], ", recipe.source)
    assert recipe.choices and all(choice and not choice.endswith(".") for choice in recipe.choices)
    assert set(recipe.targets) <= set(recipe.data)


@pytest.mark.parametrize("name", GAMES)
def test_an_update_of_a_game_gives_finite_terms_and_moves_every_weight(name):
    torch.manual_seed(0)
    game = recipes.build(name)
    before = [weight.detach().clone() for weight in game.parameters()]
    for _ in range(TURNS.get(name, getattr(game, "n_critic", 1))):  # a critic moves several times before its generator
        terms = game.update(torch.rand(8, *RECIPES[name].shape), torch.arange(8))
    assert all(torch.isfinite(term) for term in terms)
    moved = zip(game.named_parameters(), before, strict=True)
    assert {name for (name, weight), old in moved if torch.equal(weight, old)} <= OFFSETS.get(name, set())
    assert all(not term.requires_grad for term in terms)


def shown(model: nn.Module) -> list[str]:
    """The layers in order, each as a report writes it; what only changes shapes is left out."""
    lines = []
    for layer in model.modules():
        kind = type(layer).__name__
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            sizes = f"k{layer.kernel_size[0]} s{layer.stride[0]} p{layer.padding[0]}"
            bias = "" if layer.bias is not None else " no bias"
            lines.append(f"{kind} {layer.in_channels} {layer.out_channels} {sizes}{bias}")
        elif isinstance(layer, nn.Linear):
            lines.append(f"Linear {layer.in_features} {layer.out_features}")
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            lines.append(f"BatchNorm {layer.num_features}")
        elif isinstance(layer, nn.LeakyReLU):
            lines.append(f"LeakyReLU {layer.negative_slope}")
        elif isinstance(layer, nn.Dropout):
            lines.append("Dropout")
        elif isinstance(layer, nn.Upsample):
            lines.append(f"Upsample {layer.scale_factor:g} {layer.mode}")
        elif isinstance(layer, nn.ReLU | nn.GELU | nn.Tanh | nn.Sigmoid):
            lines.append(kind)
    return lines


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


# Report 000.


def test_ae_small_is_two_convolutions_and_their_mirror():
    model = recipes.build("ae-small")
    assert shown(model.encoder) == ["Conv2d 3 16 k3 s2 p1", "ReLU", "Conv2d 16 32 k3 s2 p1", "ReLU"]
    back = ["ConvTranspose2d 32 16 k3 s2 p1", "ReLU", "ConvTranspose2d 16 3 k3 s2 p1", "Tanh"]
    assert shown(model.decoder) == back
    assert model.encoder(torch.rand(1, 3, 32, 32)).shape == (1, 32, 8, 8)


def test_tanh_pixels_are_compared_in_their_own_range():
    """ae-small's target is x in [-1, 1]: a decoder of zeros costs exactly the squared pixels there."""
    model = recipes.build("ae-small")
    x = torch.rand(4, 3, 32, 32)
    for weight in model.decoder.parameters():
        nn.init.zeros_(weight)
    torch.testing.assert_close(model.terms(x).loss, signed(x).square().sum((1, 2, 3)).mean())
    torch.testing.assert_close(unit(signed(x)), x)


def test_gan_of_report_000_is_large_coloured_smoothed_and_has_two_rates():
    game = recipes.build("gan-fc-large")
    assert RECIPES["gan-fc-large"].shape == (3, 32, 32) and RECIPES["gan-fc-large"].data == ("cifar10",)
    leaky = "LeakyReLU 0.2"
    g = [*("Linear 100 256", leaky), *("Linear 256 512", leaky), *("Linear 512 1024", leaky)]
    assert shown(game.generator) == [*g, "Linear 1024 3072", "Tanh"]
    d = [f"Linear {n} {m}" for n, m in ((3072, 1024), (1024, 512), (512, 256))]
    assert shown(game.discriminator) == [line for layer in d for line in (layer, leaky, "Dropout")] + ["Linear 256 1"]
    assert (game.opt_g.defaults["lr"], game.opt_d.defaults["lr"]) == (1e-4, 4e-4)
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    bce = F.binary_cross_entropy
    expected = bce(real.sigmoid(), torch.full((2,), 0.9)) + bce(fake.sigmoid(), torch.zeros(2))
    torch.testing.assert_close(game.d_loss(real, fake), expected)


def test_planar_steps_are_four_and_count_their_determinants():
    """-ELBO = BCE + log q(z_0) - log_det - log p(z_4), with the report's f(z) = z + u tanh(w z + b) four times."""
    torch.manual_seed(0)
    model = recipes.build("vae-planar").double()
    x, eps = torch.rand(2, 3, 32, 32).double(), torch.randn(2, 128).double()
    with torch.no_grad():
        mu, log_var = model.encoder(x).chunk(2, dim=1)
        z = mu + (log_var / 2).exp() * eps
        log_q = torch.distributions.Normal(mu, (log_var / 2).exp()).log_prob(z).sum(1)
        for step in reversed(model.posterior.flows):  # sampling is the inverse of the chain
            w, u, b = step.w[0], step.u[0], step.b[0]
            u = u + (F.softplus(w @ u) - 1 - w @ u) * w / (w @ w)  # keeps the step invertible
            slope = 1 - torch.tanh(z @ w + b).square()
            log_q = log_q - torch.log((1 + slope * (w @ u)).abs())
            z = z + u * torch.tanh(z @ w + b)[:, None]
        log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        pixels = F.binary_cross_entropy(model.decoder(z).sigmoid(), x, reduction="none").sum((1, 2, 3))
        torch.testing.assert_close(model.bound(x, eps)[0].loss, pixels + log_q - log_p)
    assert len(model.posterior.flows) == 4


@pytest.mark.parametrize(("name", "per_latent"), [("vae-128-conv-free-bits", True), ("vae-planar-free-bits", False)])
def test_free_bits_are_half_a_nat_for_each_latent(name, per_latent):
    model = recipes.build(name)
    model.floor = 0.5  # what the recipe's schedule sets
    assert RECIPES[name].schedule == "free-bits-0.5"
    for weight in model.encoder.parameters():
        nn.init.zeros_(weight)  # the posterior is the prior: no latent costs anything
    terms = model.terms(torch.rand(4, 3, 32, 32))
    free = 0.5 * 128
    assert terms.kl < (1e-4 if per_latent else 20), "reported without the allowance"
    torch.testing.assert_close(terms.loss - terms.reconstruction, torch.tensor(free), atol=1e-2, rtol=0)


def test_the_three_strategies_are_there_for_the_vae_and_for_the_flow():
    schedules = "linear-10000-steps", "free-bits-0.5", "cyclical-10000-steps"
    for names in (
        ("vae-128-conv", "vae-128-conv-free-bits", "vae-128-conv-cyclical"),
        ("vae-planar", "vae-planar-free-bits", "vae-planar-cyclical"),
    ):
        assert tuple(RECIPES[name].schedule for name in names) == schedules
        assert all(RECIPES[name].lr == 1e-3 and RECIPES[name].patience for name in names)
        annealed, epoch = RECIPES[names[0]], 45_000 // 128
        assert annealed.warmup * epoch >= 10_000, "it cannot settle before its weight is whole"


# Report 001.


GELU_ENCODER = """
    Conv2d 1 16 k3 s2 p1
    GELU
    Conv2d 16 16 k3 s1 p1
    GELU
    Conv2d 16 32 k3 s2 p1
    GELU
    Conv2d 32 32 k3 s1 p1
    GELU
"""
GELU_DECODER = """
    ConvTranspose2d 32 32 k3 s1 p1
    GELU
    Upsample 2 nearest
    ConvTranspose2d 32 16 k3 s1 p1
    GELU
    ConvTranspose2d 16 16 k3 s1 p1
    GELU
    Upsample 2 nearest
    ConvTranspose2d 16 1 k3 s1 p1
"""


@pytest.mark.parametrize(("name", "out", "code"), [("ae-gelu-64", 64, 64), ("vae-gelu", 2 * 128, 128)])
def test_gelu_networks_halve_twice_upsample_twice_and_end_without_an_activation(name, out, code):
    model = recipes.build(name)
    assert shown(model.encoder) == [*lines(GELU_ENCODER), f"Linear 1568 {out}"]
    assert shown(model.decoder) == [f"Linear {code} 1568", *lines(GELU_DECODER)]
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 1, 28, 28)


def weights(name: str, epochs: list[float], epoch: int = 50) -> list[float]:
    """The KL's weight at moments in epochs, of 50 steps each."""
    from solutions import beta_vae

    recipe = RECIPES[name]
    own = recipes.SCHEDULES.get(recipe.schedule)
    if own is None:
        weight = beta_vae.SCHEDULES[recipe.schedule].weights(1.0, epoch)
    else:
        weight = own(lambda lab: beta_vae, 1.0, epoch)
    return [weight(round(moment * epoch)) for moment in epochs]


def test_the_weight_of_report_001_warms_up_and_then_falls_in_each_cycle():
    """beta = epoch / 10 for ten epochs; then 0.5 + 0.5 cos(pi * progress), progress from 0 to 1 in 100 epochs."""
    seen = weights("vae-gelu", [0, 0.9, 1, 5, 9.9, 10, 35, 60, 85, 109, 110])
    cosine = [0.5 + 0.5 * math.cos(math.pi * progress) for progress in (0, 0.25, 0.5, 0.75, 0.99, 0)]
    assert seen == pytest.approx([0, 0, 0.1, 0.5, 0.9, *cosine])
    assert seen[5:10] == sorted(seen[5:10], reverse=True) and seen[9] < 0.001, "it falls"


def test_its_repair_warms_up_and_then_rises_in_each_cycle():
    seen = weights("vae-gelu-repaired", [0, 5, 9.98, 10, 35, 60, 85, 109.98, 110])
    cosine = [0.5 - 0.5 * math.cos(math.pi * progress) for progress in (0, 0.25, 0.5, 0.75, 0.9998, 0)]
    assert seen == pytest.approx([0, 0.5, 0.998, *cosine], abs=1e-6)


def test_vae_of_report_001_trains_as_it_says():
    recipe = RECIPES["vae-gelu"]
    assert (recipe.lr, recipe.weight_decay, recipe.plateau) == (5e-4, 1e-5, "weighted")
    assert recipe.data == ("mnist", "fashion-mnist") and recipe.epochs >= 110


FC_D = ["Linear 784 512", "LeakyReLU 0.2", "Linear 512 256", "LeakyReLU 0.2", "Linear 256 1"]


def test_gan_fc_normalises_behind_its_activations():
    game, recipe = recipes.build("gan-fc"), RECIPES["gan-fc"]
    sizes = (128, 128, 256, 512, 1024)
    hidden = [(f"Linear {n} {m}", "LeakyReLU 0.2", f"BatchNorm {m}") for n, m in zip(sizes, sizes[1:])]
    assert shown(game.generator) == [line for layer in hidden for line in layer] + ["Linear 1024 784", "Tanh"]
    assert shown(game.discriminator) == FC_D
    assert recipe.epochs == 1000 and recipe.data == ("mnist", "fashion-mnist")
    assert (game.opt_g.defaults["lr"], game.opt_g.defaults["betas"]) == (2e-4, (0.5, 0.999))
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    bce = F.binary_cross_entropy
    expected = bce(real.sigmoid(), torch.ones(2)) + bce(fake.sigmoid(), torch.zeros(2))
    torch.testing.assert_close(game.d_loss(real, fake), expected)
    torch.testing.assert_close(game.g_loss(fake), bce(fake.sigmoid(), torch.ones(2)))


CGAN_GENERATOR = """
    Linear 138 12544
    ReLU
    ConvTranspose2d 256 128 k4 s2 p1
    BatchNorm 128
    ReLU
    ConvTranspose2d 128 64 k4 s2 p1
    BatchNorm 64
    ReLU
    Conv2d 64 1 k3 s1 p1
    Tanh
"""
CGAN_DISCRIMINATOR = """
    Linear 10 784
    Conv2d 2 64 k4 s2 p1
    LeakyReLU 0.2
    Conv2d 64 128 k4 s2 p1
    BatchNorm 128
    LeakyReLU 0.2
    Conv2d 128 256 k4 s2 p1
    BatchNorm 256
    LeakyReLU 0.2
    Conv2d 256 1 k3 s1 p0
"""


def test_cgan_fm_has_the_layers_of_its_report_and_weighs_feature_matching_by_ten():
    game = recipes.build("cgan-fm")
    assert shown(game.generator) == lines(CGAN_GENERATOR)
    assert shown(game.discriminator) == lines(CGAN_DISCRIMINATOR)
    assert (game.weight, recipes.build("cgan-plain").weight) == (10.0, 0.0)
    judged = game.discriminator(torch.rand(3, 1, 28, 28), torch.tensor([0, 9, 4]))
    assert [tuple(map_.shape[1:]) for map_ in judged.features] == [(64, 14, 14), (128, 7, 7), (256, 3, 3)]
    assert judged.logits.shape == (3,)


def test_the_label_becomes_a_map_by_a_linear_layer_with_a_bias():
    from starter.support.recipes.parts import LabelMaps

    maps, y = LabelMaps(10, 28, 28), torch.tensor([7, 0])
    expected = maps.linear(F.one_hot(y, 10).float()).reshape(2, 28, 28)
    torch.testing.assert_close(maps()[y], expected)


def test_couplings_of_report_001_shift_first():
    """z = (x + t) * exp(s) where the mask is 0, log_det = sum s; and back."""
    model = recipes.build("realnvp-multiscale").double()
    coupling = model.flow.stages[0][0]
    for weight in coupling.parameters():
        nn.init.normal_(weight, std=0.3)
    x = torch.randn(2, 1, 28, 28).double()
    mask = coupling.mask
    s, t = coupling.net.net(mask * x)  # what the wrapped network says
    z, log_det = coupling(x)
    torch.testing.assert_close(z, mask * x + (1 - mask) * (x + t) * s.exp())
    torch.testing.assert_close(log_det, ((1 - mask) * s).sum((1, 2, 3)))
    back, minus = coupling.inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(minus, -log_det)


def test_every_coupling_of_both_flows_shifts_first_and_lab_5_keeps_its_own_form():
    from starter.support.coupling_nets import ShiftFirst

    for name, count in (("realnvp-multiscale", 16), ("realnvp-simple", 12)):
        couplings = [layer for layer in recipes.build(name).modules() if hasattr(layer, "mask")]
        assert len(couplings) == count and all(isinstance(layer.net, ShiftFirst) for layer in couplings)
    assert not any(isinstance(layer, ShiftFirst) for layer in recipes.build("realnvp-cifar").modules())


def test_the_flow_goes_through_the_shapes_of_its_report():
    """4 couplings for the noise and 4 at 28x28; 14x14x4, 4; split to 14x14x2; 7x7x8, 4."""
    model = recipes.build("realnvp-multiscale")
    seen = [[tuple(layer.mask.shape) for layer in stage if hasattr(layer, "mask")] for stage in model.flow.stages]
    assert seen == [[(1, 28, 28)] * 4 + [(4, 14, 14)] * 4, [(8, 7, 7)] * 4]
    assert [tuple(layer.mask.shape) for layer in model.noise] == [(1, 28, 28)] * 4
    recipe = RECIPES["realnvp-multiscale"]
    assert (recipe.epochs_on("mnist"), recipe.epochs_on("fashion-mnist")) == (300, 500)
    assert recipe.targets["mnist"] == {"loss": 1.054904, "validation loss": 1.056827}
    assert recipe.targets["fashion-mnist"] == {"loss": 2.8352, "validation loss": 2.8443}


# Report 002.


DCGAN_GENERATOR = """
    ConvTranspose2d 100 512 k4 s1 p0 no bias
    BatchNorm 512
    ReLU
    ConvTranspose2d 512 256 k4 s2 p1 no bias
    BatchNorm 256
    ReLU
    ConvTranspose2d 256 128 k4 s2 p1 no bias
    BatchNorm 128
    ReLU
    ConvTranspose2d 128 64 k4 s2 p1 no bias
    BatchNorm 64
    ReLU
    ConvTranspose2d 64 3 k1 s1 p0 no bias
    Sigmoid
"""
DCGAN_DISCRIMINATOR = """
    Conv2d 3 64 k4 s2 p1 no bias
    LeakyReLU 0.2
    Conv2d 64 128 k4 s2 p1 no bias
    BatchNorm 128
    LeakyReLU 0.2
    Conv2d 128 256 k4 s2 p1 no bias
    BatchNorm 256
    LeakyReLU 0.2
    Conv2d 256 512 k4 s2 p1 no bias
    BatchNorm 512
    LeakyReLU 0.2
    Conv2d 512 1 k2 s2 p0 no bias
"""


def test_dcgan_of_report_002_is_as_printed():
    game = recipes.build("dcgan-cifar")
    assert shown(game.generator) == lines(DCGAN_GENERATOR)
    assert shown(game.discriminator) == lines(DCGAN_DISCRIMINATOR)
    assert game.sample(torch.randn(2, 100)).shape == (2, 3, 32, 32)


def test_report_002_keeps_10000_images_and_tests_its_best_weights():
    names = ["ae-cifar", "ae-cifar-fast", "vae-cifar-10", "vae-cifar-128", "vae-cifar-512", "vae-cifar-2048"]
    names += ["dcgan-cifar", "dcgan-cifar-10", "dcgan-cifar-2000", "realnvp-cifar"]
    assert all(RECIPES[name].held_out == 10_000 for name in names)
    assert all(RECIPES[name].scored == "best" for name in names if not name.startswith("dcgan"))
    assert [RECIPES[name].lr for name in names[:2]] == [5e-4, 1e-2]
    assert [RECIPES[name].epochs for name in names[:6]] == [50, 50, 100, 100, 100, 100]


def test_the_loss_of_ssim_is_compared_as_a_loss_and_for_the_best_size_only():
    seen = {name: recipe.targets for name, recipe in RECIPES.items() if "vae-cifar" in name and recipe.targets}
    assert seen == {"vae-cifar-2048": {"cifar10": {"1 - SSIM": 0.22}}}


def test_the_flow_of_report_002_has_two_networks_in_each_of_8_couplings_and_sees_pixels_as_they_are():
    model = recipes.build("realnvp-cifar")
    net = ["Conv2d 3 64 k3 s1 p1", "ReLU", "Conv2d 64 64 k3 s1 p1", "ReLU", "Conv2d 64 3 k3 s1 p1"]
    assert shown(model) == 8 * 2 * net and model.levels is None


# Report 003.


def test_beta_of_report_003_is_constant_or_rises_over_all_20_epochs():
    assert [recipes.build(f"beta-vae-{beta}").beta for beta in ("0.8", "1.2")] == [0.8, 1.2]
    assert recipes.build("beta-vae-1").beta == 1.0
    assert weights("beta-vae-linear", [0, 5, 10, 20]) == pytest.approx([0, 0.25, 0.5, 1])
    names = ["ae-latent-16", "ae-latent-128", "ae-latent-1024", "beta-vae-1", "beta-vae-0.8", "beta-vae-linear"]
    assert all(RECIPES[name].epochs == 20 for name in names)


def test_no_pass_mark_of_a_course_is_called_reported():
    text = " ".join(f"{recipe.reported} {recipe.targets}" for recipe in RECIPES.values())
    assert not any(mark in text for mark in ("145", "125", "< 40", "110", " 90", "course"))


def test_birds_are_trained_for_30000_iterations():
    assert {name: recipe.steps for name, recipe in RECIPES.items() if recipe.steps} == {
        name: 30_000 for name in ("cub-gan", "cub-lsgan", "cub-wgan-gp")
    }
    fids = {"cub-gan": "FID 173, ", "cub-lsgan": "FID 78, ", "cub-wgan-gp": "FID 46, "}
    assert all(RECIPES[name].reported.startswith(fid) for name, fid in fids.items())


# Report 004.


def test_vae_mlp_is_as_reported():
    model, recipe = recipes.build("vae-mlp"), RECIPES["vae-mlp"]
    assert shown(model.encoder) == ["Linear 784 400", "ReLU", "Linear 400 40"]
    assert shown(model.decoder) == ["Linear 20 400", "ReLU", "Linear 400 784"]
    assert (recipe.lr, recipe.batch_size, recipe.epochs, recipe.held_out) == (1e-3, 128, 50, 0)


def test_gan_mlp_normalises_before_its_activations_and_halves_the_loss_of_the_discriminator():
    game, recipe = recipes.build("gan-mlp"), RECIPES["gan-mlp"]
    sizes = (100, 128, 256, 512, 1024)
    hidden = [(f"Linear {n} {m}", f"BatchNorm {m}", "LeakyReLU 0.2") for n, m in zip(sizes, sizes[1:])]
    assert shown(game.generator) == [line for layer in hidden for line in layer] + ["Linear 1024 784", "Tanh"]
    assert shown(game.discriminator) == FC_D
    assert (recipe.batch_size, recipe.epochs, recipe.held_out) == (64, 100, 0)
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    bce = F.binary_cross_entropy
    expected = (bce(real.sigmoid(), torch.ones(2)) + bce(fake.sigmoid(), torch.zeros(2))) / 2
    torch.testing.assert_close(game.d_loss(real, fake), expected)


def test_an_unknown_recipe_names_the_nearest_if_one_is_near():
    with pytest.raises(ValueError, match="did you mean vae-mlp"):
        recipes.build("vae-mpl")
    with pytest.raises(ValueError, match="there is no recipe 'nothing'; see python -m starter recipes"):
        recipes.build("nothing")


def test_flow_matching_mnist_is_a_u_net_of_three_sizes_that_knows_ten_classes_and_none():
    model, recipe = recipes.build("flow-matching-mnist"), RECIPES["flow-matching-mnist"]
    assert recipe.ours and (recipe.epochs, recipe.batch_size, recipe.data) == (15, 128, ("mnist",))
    assert [line for line in shown(model.net) if line.startswith("Conv")] == lines("""
        Conv2d 1 32 k3 s1 p1
        Conv2d 32 64 k4 s2 p1
        Conv2d 64 128 k4 s2 p1
        ConvTranspose2d 128 64 k4 s2 p1
        ConvTranspose2d 64 32 k4 s2 p1
        Conv2d 64 64 k3 s1 p1
        Conv2d 64 64 k3 s1 p1
        Conv2d 128 128 k3 s1 p1
        Conv2d 128 128 k3 s1 p1
        Conv2d 32 1 k3 s1 p1
    """)
    assert (model.n_classes, model.latent_dim, model.drop, model.weight, model.steps) == (10, 784, 0.1, 1.5, 8)
    assert model.optimizer.defaults["lr"] == 1e-3 and model.times.__name__ == "logit_normal_times"
    x = model.sample(model.noise(3), torch.tensor([0, 9, 4]), steps=1)
    assert x.shape == (3, 1, 28, 28) and 0 <= x.min() and x.max() <= 1
