"""Lab 13's reference against brute force, autograd, k-means of scipy, and sums over all sequences of codes."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.cluster import vq as scipy_vq
from torch import nn

from solutions import vqvae as vq
from starter.support import data, recipes, training


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


# ---- the nearest code


def test_the_nearest_code_is_the_one_that_brute_force_and_scipy_find():
    z, codebook = double(50, 3), double(7, 3)
    expected = [
        min(range(7), key=lambda k: sum((a - b) ** 2 for a, b in zip(v, codebook[k].tolist()))) for v in z.tolist()
    ]
    assert vq.nearest_codes(z, codebook).tolist() == expected
    assert vq.nearest_codes(z, codebook).tolist() == scipy_vq.vq(z.numpy(), codebook.numpy())[0].tolist()


def test_a_code_s_own_vector_is_nearest_to_itself():
    codebook = double(9, 4)
    assert vq.nearest_codes(codebook, codebook).tolist() == [*range(9)]


# ---- the gradient


def test_straight_through_has_the_codes_values_and_the_gradient_of_the_identity():
    z, z_q, weights = double(5, 3).requires_grad_(), double(5, 3).requires_grad_(), double(5, 3)
    result = vq.straight_through(z, z_q)
    torch.testing.assert_close(result, z_q)
    at_z, at_z_q = torch.autograd.grad((result.sin() * weights).sum(), (z, z_q), allow_unused=True)
    torch.testing.assert_close(at_z, weights * z_q.cos())
    assert at_z_q is None


def test_pull_is_the_squared_distance_and_moves_only_its_first_argument():
    z, z_q = double(4, 2, 3, 5).requires_grad_(), double(4, 2, 3, 5).requires_grad_()
    loss = vq.pull(z, z_q)
    expected = sum(np.square(np.subtract(a, b)).sum() for a, b in zip(z.tolist(), z_q.tolist())) / 4
    assert loss.item() == pytest.approx(expected)
    at_z, at_z_q = torch.autograd.grad(loss, (z, z_q), allow_unused=True)
    torch.testing.assert_close(at_z, 2 * (z - z_q) / 4)
    assert at_z_q is None


# ---- sums, and k-means


def test_totals_over_counts_make_lloyds_algorithm_of_scipy():
    x, codebook = double(200, 2), double(5, 2)
    ours = codebook
    for _ in range(10):
        codes = vq.nearest_codes(x, ours)
        ours = vq.code_totals(x, codes, 5) / vq.code_totals(torch.ones_like(x), codes, 5)
    theirs, _ = scipy_vq.kmeans2(x.numpy(), codebook.numpy(), iter=10, minit="matrix")
    torch.testing.assert_close(ours, torch.from_numpy(theirs))


def test_a_code_that_nobody_chose_has_the_total_0():
    totals = vq.code_totals(double(3, 2), torch.tensor([1, 1, 3]), 5)
    assert totals[[0, 2, 4]].eq(0).all() and totals.shape == (5, 2)


def test_perplexity_is_the_number_of_codes_that_are_used_alike():
    assert vq.perplexity(torch.tensor([[3, 3], [3, 3]]), 5).item() == pytest.approx(1)
    assert vq.perplexity(torch.arange(6).repeat(4), 9).item() == pytest.approx(6)
    shares = np.array([0.5, 0.25, 0.25])
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert vq.perplexity(torch.tensor([0, 0, 1, 2]), 3).item() == pytest.approx(expected)


# ---- the layer


def state(layer: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in layer.state_dict().items()}


def test_the_layer_replaces_every_place_by_its_nearest_code_and_hands_the_gradient_on():
    layer, z = vq.VectorQuantizer(6, 4).eval(), torch.randn(3, 4, 2, 5, requires_grad=True)
    found = layer(z)
    for b, i, j in itertools.product(range(3), range(2), range(5)):
        nearest = (layer.codebook - z[b, :, i, j]).norm(dim=1).argmin()
        assert found.codes[b, i, j] == nearest
        torch.testing.assert_close(found.z_q[b, :, i, j], layer.codebook[nearest])
    weights = torch.randn_like(z)
    (gradient,) = torch.autograd.grad((found.z_q * weights).sum(), z)
    torch.testing.assert_close(gradient, weights)


def test_in_training_the_codebook_is_the_running_mean_counted_by_hand():
    layer, z = vq.VectorQuantizer(4, 2, decay=0.75), torch.randn(5, 2, 3, 2)
    before, found = state(layer), layer(z)
    rows = z.permute(0, 2, 3, 1).reshape(-1, 2)
    for k in range(4):
        own = rows[found.codes.flatten() == k]
        count = 0.75 * before["counts"][k] + 0.25 * len(own)
        total = 0.75 * before["sums"][k] + 0.25 * own.sum(dim=0)
        torch.testing.assert_close(layer.codebook[k], total / count)
    torch.testing.assert_close(found.z_q, before["codebook"][found.codes].movedim(-1, 1))


def test_under_vectors_that_stay_the_same_the_codebook_arrives_at_their_means():
    layer = vq.VectorQuantizer(3, 2, decay=0.5)
    layer.codebook.copy_(torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, -5.0]]))
    z = torch.randn(4, 2, 5, 5) + layer.codebook[torch.randint(3, (4, 5, 5))].movedim(-1, 1)
    for _ in range(60):
        codes = layer(z).codes
    rows = z.movedim(1, -1)
    for k in range(3):
        torch.testing.assert_close(layer.codebook[k], rows[codes == k].mean(dim=0))


def test_nothing_follows_in_evaluation_mode_nor_without_a_decay():
    for layer in (vq.VectorQuantizer(4, 2).eval(), vq.VectorQuantizer(4, 2, decay=None).train()):
        before = state(layer)
        layer(torch.randn(5, 2, 3, 2))
        assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_codebook_without_decay_learns_from_its_own_loss_alone():
    layer, z = vq.VectorQuantizer(4, 2, decay=None), torch.randn(5, 2, 3, 2, requires_grad=True)
    found = layer(z)
    (gradient,) = torch.autograd.grad(found.codebook_loss, layer.codebook, retain_graph=True)
    rows, codes = z.detach().movedim(1, -1).reshape(-1, 2), found.codes.flatten()
    expected = torch.stack([2 * (layer.codebook.detach()[k] - rows[codes == k]).sum(dim=0) / 5 for k in range(4)])
    torch.testing.assert_close(gradient, expected)
    for other in (found.commitment_loss, found.z_q.sum()):
        assert torch.autograd.grad(other, layer.codebook, retain_graph=True, allow_unused=True)[0] is None


def test_two_training_steps_can_follow_each_other():
    """A codebook with a graph of the first would be differentiated twice."""
    encoder, layer = nn.Conv2d(1, 2, 1), vq.VectorQuantizer(4, 2)
    for _ in range(2):
        found = layer(encoder(torch.randn(3, 1, 2, 2)))
        (found.z_q.sum() + found.commitment_loss).backward()


def test_dead_codes_come_back_where_vectors_are_and_the_living_stay():
    layer, z = vq.VectorQuantizer(4, 2), torch.randn(5, 2, 3, 2)
    layer.counts.copy_(torch.tensor([2.0, 0.05, 1.0, 0.0]))
    before, places = state(layer), torch.tensor([29, 7, 3, 0])
    dead = layer.revive(z, places)
    assert dead.tolist() == [False, True, False, True]
    rows = z.permute(0, 2, 3, 1).reshape(-1, 2)
    torch.testing.assert_close(layer.codebook[dead], rows[places[dead]])
    torch.testing.assert_close(layer.codebook[~dead], before["codebook"][~dead])
    torch.testing.assert_close(layer.sums[dead] / layer.counts[dead, None], layer.codebook[dead])
    assert vq.nearest_codes(rows[[7, 0]], layer.codebook).tolist() == [1, 3], "they are chosen again"


# ---- causality


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("centre", [False, True])
def test_a_mask_shows_what_is_read_before_the_middle(size, centre):
    mask, middle = vq.causal_mask(size, centre), (size // 2, size // 2)
    for place in itertools.product(range(size), repeat=2):
        assert mask[place] == (place < middle or (centre and place == middle)), "pairs are compared as one reads"


def test_a_logit_depends_on_earlier_codes_only():
    """By its Jacobian: the embedding's output is moved at one place, and nothing before or at it may answer."""
    torch.set_default_dtype(torch.float64)
    try:
        prior = vq.PixelCNN(5, (4, 3), channels=6, blocks=2)
    finally:
        torch.set_default_dtype(torch.float32)
    codes, seen = torch.randint(5, (1, 4, 3)), {}
    prior.embedding.register_forward_hook(
        lambda module, given, out: seen.setdefault("leaf", out.detach().requires_grad_())
    )
    logits = prior(codes)
    for i, j in itertools.product(range(4), range(3)):
        (slope,) = torch.autograd.grad(logits[0, :, i, j].square().sum(), seen["leaf"], retain_graph=True)
        reached = slope[0].abs().sum(dim=-1).flatten() > 0  # (12,)
        assert not reached[3 * i + j :].any()
        assert reached[: 3 * i + j].any() == (i + j > 0)


# ---- likelihood


def every_map(levels: int, shape: tuple[int, int]) -> torch.Tensor:
    places = shape[0] * shape[1]
    return torch.tensor([*itertools.product(range(levels), repeat=places)]).view(-1, *shape)


def test_the_probabilities_of_all_maps_add_up_to_1():
    prior = vq.PixelCNN(3, (2, 3), channels=8, blocks=2).double()
    for weight in prior.parameters():
        weight.data.mul_(2).add_(0.1 * torch.randn_like(weight))
    everything = every_map(3, (2, 3))
    assert len(everything) == 3**6
    with torch.no_grad():
        assert prior.log_prob(everything).exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_the_log_probability_is_that_of_torch_s_distributions():
    logits, codes = double(4, 5, 2, 3), torch.randint(5, (4, 2, 3))
    expected = torch.distributions.Categorical(logits=logits.permute(0, 2, 3, 1)).log_prob(codes).sum(dim=(1, 2))
    torch.testing.assert_close(vq.code_log_prob(logits, codes), expected)


def test_large_logits_have_finite_log_probabilities():
    logits = torch.tensor([0.0, 2000.0]).view(1, 2, 1, 1)
    assert vq.code_log_prob(logits, torch.zeros(1, 1, 1, dtype=torch.long)).item() == -2000


# ---- sampling


def test_samples_are_as_frequent_as_their_probabilities():
    prior = vq.PixelCNN(3, (1, 3), channels=8, blocks=1)
    with torch.no_grad():
        prior.last[1].weight.mul_(8)
        everything = every_map(3, (1, 3))
        expected = prior.log_prob(everything).exp()
    drawn = vq.sample_codes(prior, torch.rand(20_000, 1, 3), 1.0)
    numbers = (drawn * torch.tensor([9, 3, 1])).sum(dim=(1, 2))
    share = torch.bincount(numbers, minlength=27) / len(drawn)
    assert (share - expected).abs().max() < 0.01 and expected.max() > 0.06


def test_a_place_is_the_inverse_of_the_distribution_function():
    def prior(codes):
        return torch.tensor([0.2, 0.5, 0.3]).log().view(1, 3, 1, 1).expand(len(codes), 3, 1, 1)

    u = torch.tensor([0.0, 0.19, 0.21, 0.69, 0.71, 0.999]).view(-1, 1, 1)
    assert vq.sample_codes(prior, u, 1.0).flatten().tolist() == [0, 0, 1, 1, 2, 2]


def test_temperature_divides_logits():
    def prior(codes):
        return torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(len(codes), 2, 1, 1)

    u = torch.rand(20_000, 1, 1)
    for temperature in (0.25, 1.0, 4.0):
        share = vq.sample_codes(prior, u, temperature).float().mean().item()
        assert share == pytest.approx(1 / (1 + math.exp(-1 / temperature)), abs=0.015)


# ---- the models


def small_model(**settings) -> vq.VQVAE:
    encoder = nn.Conv2d(1, 3, 4, stride=2, padding=1)
    decoder = nn.ConvTranspose2d(3, 1, 4, stride=2, padding=1)
    return vq.VQVAE(encoder, vq.VectorQuantizer(5, 3, settings.pop("decay", 0.9)), decoder, **settings)


def noise(size: int = 8, levels: int = 256) -> data.Images:
    return data.Images(torch.randint(0, levels, (40, 1, size, size)).byte(), torch.zeros(40), levels, "noise")


@pytest.mark.parametrize("settings", [{}, {"decay": None}, {"sigma": 0.5}])
def test_the_model_trains_and_its_history_has_every_term(settings):
    model = small_model(**settings)
    before = copy.deepcopy(model.quantizer.codebook)
    history = training.fit(model, noise(), steps=3, batch_size=8)
    assert list(history.terms) == ["loss", "reconstruction", "codebook", "commitment", "perplexity", "prior"]
    assert not torch.equal(model.quantizer.codebook, before)


def test_the_loss_is_the_sum_of_its_parts():
    for decay in (0.9, None):
        model = small_model(decay=decay, prior=vq.PixelCNN(5, (4, 4), channels=4)).eval()
        terms = model.terms(noise().pixels())
        total = terms.reconstruction + 0.25 * terms.commitment + terms.prior + (terms.codebook if decay is None else 0)
        torch.testing.assert_close(terms.loss, total)


def test_gaussian_pixels_have_the_density_of_torch_s_distributions():
    model, x, mean = small_model(sigma=0.3), torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8)
    expected = -torch.distributions.Normal(mean, 0.3).log_prob(x).sum(dim=(1, 2, 3))
    torch.testing.assert_close(model.nll(mean, x), expected)


def test_the_prior_moves_nothing_of_the_rest():
    model, x = small_model(prior=vq.PixelCNN(5, (4, 4), channels=4)), noise().pixels()
    others = [weight for part in (model.encoder, model.decoder) for weight in part.parameters()]
    found = torch.autograd.grad(model.terms(x).prior, others, allow_unused=True)
    assert all(gradient is None for gradient in found)


def test_grey_images_are_the_whole_numbers_that_they_are_made_of():
    images = noise(levels=17)
    assert torch.equal(vq.PixelCNN(17, (8, 8)).numbers(images.pixels()), images.x[:, 0].long())


def test_samples_are_images_and_the_same_noise_gives_the_same_one():
    model = small_model(prior=vq.PixelCNN(5, (4, 4), channels=4)).eval()
    z = model.noise(6)
    assert z.shape == (6, 16) and model.sample(z).shape == (6, 1, 8, 8)
    assert torch.equal(model.sample(z), model.sample(z)) and 0 <= model.sample(z).min() <= model.sample(z).max() <= 1


def test_reconstructions_are_what_the_codes_vectors_decode_to():
    model, x = small_model().eval(), noise().pixels()
    torch.testing.assert_close(model.reconstruct(x), model.images(model.encode(x)))
    torch.testing.assert_close(model.reconstruct(x), model(x).sigmoid())


def test_without_a_prior_there_is_nothing_to_sample_from():
    with pytest.raises(ValueError, match="without a prior there is nothing to sample from"):
        small_model().noise(3)


# ---- bad input

ROWS, CODES = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
LOGITS, MAPS = torch.zeros(2, 5, 3, 4), torch.zeros(2, 3, 4, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: vq.nearest_codes(torch.zeros(2, 3, 4, 4), ROWS),
            r"z must have the shape \(N, D\).* not \(2, 3, 4, 4\)",
        ),
        (lambda: vq.nearest_codes(ROWS, torch.zeros(0, 3)), r"codebook \(0, 3\) has 0 codes"),
        (lambda: vq.nearest_codes(ROWS, torch.zeros(5, 2)), r"z \(4, 3\) and codebook \(5, 2\)"),
        (lambda: vq.straight_through(ROWS, ROWS[:2]), r"z \(4, 3\) and z_q \(2, 3\) must have the same shape"),
        (lambda: vq.straight_through(LOGITS, LOGITS), r"z must have the shape \(N, D\)"),
        (lambda: vq.pull(ROWS, ROWS[:1]), r"moving \(4, 3\) and target \(1, 3\)"),
        (lambda: vq.code_totals(ROWS, CODES[:2], 5), r"codes must have the shape \(4,\).* not \(2,\)"),
        (lambda: vq.code_totals(ROWS, CODES + 5, 5), "codes must lie in 0 .. 4, and go from 5 to 5"),
        (lambda: vq.code_totals(ROWS, CODES - 1, 5), "go from -1 to -1"),
        (lambda: vq.code_totals(ROWS, CODES, 0), "n_codes must be at least 1, not 0"),
        (lambda: vq.perplexity(CODES + 7, 7), "codes must lie in 0 .. 6, and go from 7 to 7"),
        (lambda: vq.VectorQuantizer(0, 3), "n_codes must be at least 1, not 0"),
        (lambda: vq.VectorQuantizer(4, 3, decay=1.0), "decay must lie between 0 and 1, or be None, and is 1.0"),
        (lambda: vq.VectorQuantizer(4, 3)(torch.zeros(2, 5, 4, 4)), r"\(B, 3, h, w\), not \(2, 5, 4, 4\)"),
        (lambda: vq.causal_mask(4, True), "kernel_size must be odd.* is 4"),
        (lambda: vq.causal_mask(-1, True), "kernel_size must be odd.* is -1"),
        (lambda: vq.code_log_prob(LOGITS, MAPS[:, :2]), r"logits \(2, 5, 3, 4\) .* codes \(2, 2, 4\)"),
        (lambda: vq.code_log_prob(LOGITS, MAPS + 5), "codes must lie in 0 .. 4, and go from 5 to 5"),
        (lambda: vq.sample_codes(None, torch.rand(2, 3, 4), 0.0), "temperature must be above 0, and is 0.0"),
        (lambda: vq.sample_codes(None, torch.rand(2, 3, 4), -1.0), "temperature must be above 0, and is -1.0"),
        (lambda: vq.sample_codes(None, torch.rand(2, 3, 4), math.nan), "temperature must be above 0, and is nan"),
        (lambda: vq.sample_codes(None, torch.rand(3, 4), 1.0), r"u must have the shape \(B, h, w\), not \(3, 4\)"),
        (lambda: vq.sample_codes(None, torch.ones(2, 3, 4), 1.0), r"u must lie in \[0, 1\), and goes from 1 to 1"),
    ],
)
def test_bad_input_is_refused_with_the_number_seen(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the named configuration


def test_vqvae_cifar10_has_64_places_of_512_codes_and_a_causal_prior():
    model, recipe = recipes.build("vqvae-cifar10"), recipes.RECIPES["vqvae-cifar10"]
    assert recipe.ours and recipe.data == ("cifar10",)
    x = torch.rand(2, 3, 32, 32)
    codes = model.eval().codes(x)
    assert codes.shape == (2, 8, 8) and model.quantizer.codebook.shape == (512, 64) and model.latent_dim == 64
    assert model.reconstruct(x).shape == x.shape
    with torch.no_grad():
        later = codes.clone()
        later[:, 4:] = 0
        torch.testing.assert_close(model.prior(later)[:, :, :4], model.prior(codes)[:, :, :4])
