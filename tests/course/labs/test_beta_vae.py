"""Lab 3's reference against torch.distributions, finite differences, scikit-learn and answers known by construction."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import nn
from torch.distributions import Normal, kl_divergence

from solutions import beta_vae, vae
from starter.support import data, recipes, sprites, training


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def small_model(**kwargs) -> beta_vae.BetaVAE:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))
    return beta_vae.BetaVAE(encoder, nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (1, 2, 3))), **kwargs)


# ---- the loss


def test_latent_kl_is_that_of_torch_distributions_latent_by_latent():
    mu, log_var = double(5, 3), double(5, 3)
    expected = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(beta_vae.latent_kl(mu, log_var), expected)


def test_beta_one_is_the_elbo_of_lab_2():
    logits, x, mu, log_var = double(4, 1, 2, 3), torch.rand(4, 1, 2, 3, dtype=torch.float64), double(4, 2), double(4, 2)
    nll, kl_per_dim = vae.bernoulli_nll(logits, x), beta_vae.latent_kl(mu, log_var)
    for beta in (0.0, 1.0, 2.5):
        torch.testing.assert_close(beta_vae.beta_elbo(nll, kl_per_dim, beta), vae.elbo(logits, x, mu, log_var, beta))
    assert beta_vae.beta_elbo(nll, kl_per_dim) == beta_vae.beta_elbo(nll, kl_per_dim, 1.0)


def test_reported_terms_know_neither_beta_nor_penalty():
    nll, kl_per_dim = torch.rand(4), torch.rand(4, 3)
    plain = beta_vae.beta_elbo(nll, kl_per_dim)
    other = beta_vae.beta_elbo(nll, kl_per_dim, 7.0, torch.tensor(5.0))
    assert plain[1:] == other[1:]
    torch.testing.assert_close(other.loss, plain.reconstruction + 35)


def test_gradients_are_those_of_finite_differences():
    nll, kl_per_dim = double(4).requires_grad_(), torch.rand(4, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda *v: beta_vae.beta_elbo(*v, 2.5).loss, (nll, kl_per_dim))
    assert torch.autograd.gradcheck(lambda k: beta_vae.free_bits(k, 0.5), kl_per_dim)


@pytest.mark.parametrize("sigma", [None, 0.4])
def test_the_model_puts_the_terms_together(sigma):
    """Against lab 2's VAE with the same weights, the same noise, and its own ELBO."""
    model, x = small_model(beta=3.0, sigma=sigma), torch.rand(5, 1, 2, 3)
    other = vae.VAE(model.encoder, model.decoder, beta=3.0, sigma=sigma)
    torch.manual_seed(1)
    got = model.terms(x)
    torch.manual_seed(1)
    torch.testing.assert_close(got, other.terms(x))


def test_a_fixed_sigma_is_not_learned():
    assert "log_sigma" not in dict(small_model(sigma=0.4).named_parameters())
    assert "log_sigma" in small_model(sigma=0.4).state_dict()


def test_a_floor_changes_the_loss_and_not_the_report():
    model, x = small_model(), torch.rand(5, 1, 2, 3)
    torch.manual_seed(1)
    plain = model.terms(x)
    model.floor = 10.0
    torch.manual_seed(1)
    floored = model.terms(x)
    assert plain[1:] == floored[1:]
    torch.testing.assert_close(floored.loss, plain.reconstruction + 2 * 10.0)


# ---- free bits


def test_free_bits_leave_latents_below_the_floor_without_a_pull():
    kl_per_dim = torch.tensor([[0.0, 2.0], [0.4, 0.0], [0.2, 1.0]], requires_grad=True)
    penalty = beta_vae.free_bits(kl_per_dim, 0.5)
    assert penalty.item() == pytest.approx(0.5 + 1.0)  # means 0.2 and 1.0: silent examples are forgiven
    penalty.backward()
    torch.testing.assert_close(kl_per_dim.grad, torch.tensor([[0.0, 1 / 3]] * 3))


def test_free_bits_without_a_floor_are_the_kl():
    kl_per_dim = torch.rand(5, 3)
    torch.testing.assert_close(beta_vae.free_bits(kl_per_dim, 0.0), kl_per_dim.sum(1).mean())


# ---- schedules


def test_warm_up_starts_at_0_reaches_beta_on_time_and_stays():
    values = [beta_vae.linear_warmup(step, 10, 4.0) for step in range(25)]
    assert values[:3] == pytest.approx([0, 0.4, 0.8]) and values[9] == pytest.approx(3.6)
    assert values[10:] == [4.0] * 15


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_every_cycle_rises_from_0_and_holds_beta(shape):
    cycle = [beta_vae.cyclical(step, 20, 0.5, 3.0, shape) for step in range(20)]
    assert cycle[0] == 0 and cycle[10:] == pytest.approx([3.0] * 10)
    assert all(early < late for early, late in zip(cycle[:10], cycle[1:11]))
    assert cycle[5] == pytest.approx(1.5), "both shapes are half way up half way through the ramp"
    assert [beta_vae.cyclical(step, 20, 0.5, 3.0, shape) for step in range(40, 60)] == cycle


def test_the_cosine_starts_and_ends_flat():
    rise = np.diff([beta_vae.cyclical(step, 200, 0.5, 1.0, "cosine") for step in range(101)])
    assert rise[0] < 0.1 * rise[50] > rise[-1]


def test_named_schedules_are_those_of_the_systems():
    """steps_per_epoch = 469: MNIST in batches of 128."""
    at = {name: schedule.weights(1.0, 469) for name, schedule in beta_vae.SCHEDULES.items()}
    assert at["linear-10-epochs"](2345) == pytest.approx(0.5) and at["linear-10-epochs"](4690) == 1
    assert at["linear-10000-steps"](5000) == pytest.approx(0.5) and at["linear-10000-steps"](10_000) == 1
    assert at["cyclical-10000-steps"](2500) == pytest.approx(0.5) and at["cyclical-10000-steps"](10_000) == 0
    assert at["cosine-100-epochs"](25 * 469) == pytest.approx(0.5) and at["cosine-100-epochs"](100 * 469) == 0
    assert at["cosine-100-epochs"](12 * 469) < 0.24 * 1.0 and at["cosine-100-epochs"](50 * 469) == pytest.approx(1)
    assert [name for name, schedule in beta_vae.SCHEDULES.items() if schedule.floor == 0.5] == ["free-bits-0.5"]
    assert at["free-bits-0.5"](0) == at["constant"](0) == 1


def test_a_schedule_scales_with_the_beta_of_the_model():
    assert beta_vae.Schedule("linear", 10, "steps").weights(4.0, 99)(5) == pytest.approx(2.0)


def images(count: int = 40) -> data.Images:
    x = torch.randint(0, 256, (count, 1, 2, 3), dtype=torch.uint8)
    return data.Images(x, torch.zeros(count, dtype=torch.int64), 256, "noise")


def test_training_follows_the_schedule_step_by_step():
    """loss - reconstruction = weight * kl gives the weight that was used."""
    model = small_model(beta=2.0)
    history = beta_vae.train(model, images(), beta_vae.Schedule("linear", 2), batch_size=10, epochs=3)
    loss, reconstruction, kl = (np.array(history.terms[name]) for name in ("loss", "reconstruction", "kl"))
    np.testing.assert_allclose((loss - reconstruction) / kl, [2 * min(t / 8, 1) for t in range(12)], atol=1e-3)
    assert model.beta == 2.0


def test_training_with_free_bits_sets_the_floor():
    model = small_model()
    beta_vae.train(model, images(), "free-bits-0.5", epochs=1)
    assert model.floor == 0.5
    beta_vae.train(model, images(), "constant", epochs=1)
    assert model.floor == 0.0


def test_every_recipe_has_a_schedule_that_exists():
    known = beta_vae.SCHEDULES.keys() | recipes.SCHEDULES.keys()
    assert {recipe.schedule for recipe in recipes.RECIPES.values()} <= known
    assert not beta_vae.SCHEDULES.keys() & recipes.SCHEDULES.keys()


def test_beta_recipes_have_their_weight_and_the_squared_error_of_the_report():
    """Up to a constant, -log p of Gaussian pixels is the sum of (2 x - 2 x_hat)^2, pixels on [-1, 1]."""
    weights = {"beta-vae-0": 0, "beta-vae-0.8": 0.8, "beta-vae-1.2": 1.2, "beta-vae-1": 1}
    with torch.device("meta"):  # no numbers are needed: a layer of 4096 x 2048 takes its time
        assert {name: recipes.build(name).beta for name in weights} == weights
    log_sigma, x, x_hat = recipes.build("beta-vae-1").log_sigma, torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32)
    constant = vae.gaussian_nll(x, x, log_sigma)
    squares = (2 * x - 2 * x_hat).square().sum((1, 2, 3))
    torch.testing.assert_close(vae.gaussian_nll(x_hat, x, log_sigma) - constant, squares)


# ---- what a code knows


def test_active_units_are_those_whose_mean_moves():
    moving, large, tiny = torch.randn(500), torch.full((500,), 7.0), 0.05 * torch.randn(500)
    mu = torch.stack([large, moving, tiny, moving + 100], dim=1)
    before, active = mu.clone(), beta_vae.active_units(mu)
    assert active.tolist() == [False, True, False, True] and active.dtype == torch.bool and mu.equal(before)
    assert beta_vae.active_units(mu, threshold=0.001).tolist() == [False, True, True, True]


def known(n: int = 600) -> torch.Tensor:
    return torch.stack([torch.randint(0, levels, (n,)) for levels in (2, 3, 5)], dim=1)


def test_each_joint_table_is_a_distribution_with_the_factors_frequencies():
    codes, factors = torch.randn(600, 4), known()
    p = beta_vae.joint_probabilities(codes, factors, 7)
    assert p.shape == (4, 3, 7, 5)
    torch.testing.assert_close(p.sum((2, 3)), torch.ones(4, 3))
    for k, levels in enumerate((2, 3, 5)):
        frequency = torch.bincount(factors[:, k], minlength=5) / 600
        torch.testing.assert_close(p[:, k].sum(1), frequency.expand(4, 5))
        assert p[:, k, :, levels:].sum() == 0


def test_bins_are_equally_wide_and_include_both_ends():
    codes = torch.tensor([[0.0], [0.9], [1.1], [2.1], [3.9], [4.0]])
    p = beta_vae.joint_probabilities(codes, torch.tensor([[0], [0], [0], [1], [1], [1]]), 4)
    torch.testing.assert_close(p[0, 0] * 6, torch.tensor([[2.0, 0], [1, 0], [0, 1], [0, 2]]))


def test_a_latent_that_never_moves_falls_into_one_bin_and_tells_nothing():
    factors = known()
    information = beta_vae.mutual_information(torch.full((600, 2), 3.3), factors)
    torch.testing.assert_close(information, torch.zeros(2, 3), atol=1e-6, rtol=0)


def test_mutual_information_is_that_of_scikit_learn():
    codes, factors = torch.randn(600, 4) + known()[:, :1], known()
    information = beta_vae.mutual_information(codes, factors, 6)
    for j in range(4):
        edges = np.linspace(codes[:, j].min().item(), codes[:, j].max().item(), 7)
        labels = np.clip(np.digitize(codes[:, j].numpy(), edges) - 1, 0, 5)
        expected = [mutual_info_score(labels, factors[:, k].numpy()) for k in range(3)]
        np.testing.assert_allclose(information[j].numpy(), expected, atol=2e-3)


def test_a_code_that_is_the_factor_knows_its_whole_entropy():
    factors = known()
    frequency = torch.bincount(factors[:, 2]) / 600
    entropy = -(frequency * frequency.log()).sum()
    information = beta_vae.mutual_information(factors.float(), factors)
    torch.testing.assert_close(information[2, 2], entropy)


def test_the_gap_is_1_for_one_latent_per_factor_and_0_for_two():
    factors = known(5000)
    codes = factors.float()
    assert beta_vae.mutual_information_gap(codes, factors).item() == pytest.approx(1, abs=0.01)
    twice = torch.cat([codes, -2 * codes], dim=1)
    assert beta_vae.mutual_information_gap(twice, factors).item() == pytest.approx(0, abs=1e-5)
    one_shared = torch.cat([codes, codes[:, :1]], dim=1)
    assert beta_vae.mutual_information_gap(one_shared, factors).item() == pytest.approx(2 / 3, abs=0.01)
    assert beta_vae.mutual_information_gap(torch.randn(5000, 4), factors).item() < 0.01


def test_two_bins_cannot_tell_five_values_apart():
    factors = torch.arange(5).repeat(200).unsqueeze(1)
    codes = torch.cat([factors.float(), torch.zeros(1000, 1)], dim=1)
    assert beta_vae.mutual_information_gap(codes, factors, bins=5).item() == pytest.approx(1)
    halves = torch.tensor([2 / 5, 3 / 5])
    expected = -(halves * halves.log()).sum() / math.log(5)
    torch.testing.assert_close(beta_vae.mutual_information_gap(codes, factors, bins=2), expected)


def test_the_gap_does_not_care_about_scale_sign_or_order_of_the_latents():
    factors = known()
    codes = factors.float() @ torch.randn(3, 4) + 0.1 * torch.randn(600, 4)
    gap = beta_vae.mutual_information_gap(codes, factors)
    other = beta_vae.mutual_information_gap(codes[:, [2, 0, 3, 1]] * 2.0 + 8, factors)
    torch.testing.assert_close(gap, other, atol=2e-3, rtol=0)


# ---- bad input


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: beta_vae.beta_elbo(torch.ones(3), torch.ones(3, 2), -0.5), "beta must not be negative, and is -0.5"),
        (lambda: beta_vae.beta_elbo(torch.ones(3, 2), torch.ones(3, 2)), r"nll \(3, 2\)"),
        (lambda: beta_vae.beta_elbo(torch.ones(1), torch.ones(3, 2)), r"nll \(1,\)"),
        (lambda: small_model(beta=-1.0), "beta must not be negative, and is -1"),
        (lambda: beta_vae.linear_warmup(3, 0), "warmup_steps must be at least 1 step, and is 0"),
        (lambda: beta_vae.linear_warmup(-1, 5), "step must not be negative, and is -1"),
        (lambda: beta_vae.linear_warmup(1, 5, -2.0), "beta must not be negative, and is -2"),
        (lambda: beta_vae.linear_warmup(1, 5, math.nan), "beta must not be negative, and is nan"),
        (lambda: beta_vae.cyclical(3, 0), "period must be at least 1 step, and is 0"),
        (lambda: beta_vae.cyclical(3, 5, ramp=0.0), r"ramp must be above 0 and at most 1, not 0.0"),
        (lambda: beta_vae.cyclical(3, 5, ramp=1.5), "not 1.5"),
        (lambda: beta_vae.cyclical(3, 5, shape="sine"), "not 'sine'"),
        (lambda: beta_vae.free_bits(torch.ones(3, 2), -0.5), "floor must not be negative, and is -0.5"),
        (lambda: beta_vae.active_units(torch.ones(1, 4)), "mu has 1 rows"),
        (lambda: beta_vae.active_units(torch.tensor([[0.0, 1], [math.nan, 2]])), "mu holds 1 nan among its 4"),
        (lambda: small_model().terms(torch.full((3, 1, 2, 3), math.nan)), "x holds 18 nan among its 18"),
        (lambda: beta_vae.joint_probabilities(torch.rand(5, 2), torch.ones(5, 2).long(), 1), "bins=1"),
        (lambda: beta_vae.joint_probabilities(torch.rand(5, 2), torch.ones(4, 2).long(), 9), "5 codes as many as 4"),
        (lambda: beta_vae.mutual_information_gap(torch.rand(5, 1), known(5)), "codes have 1 latent"),
        (lambda: beta_vae.mutual_information_gap(torch.rand(2, 2), torch.tensor([[0, 3], [1, 3]])), "column 1 is alwa"),
        (lambda: beta_vae.train(small_model(), images(), "linear-10-epoch"), "nearest is 'linear-10-epochs'"),
    ],
)
def test_bad_input_is_named_with_its_number(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_run_that_explodes_names_the_term_and_gives_the_last_good_weights_back():
    model = small_model()
    x = images()

    def terms(batch):
        good = model.terms(batch)
        if terms.calls == 30:
            with torch.no_grad():
                model.encoder[1].bias.fill_(math.nan)  # as an infinite gradient would leave it
            good = model.terms(batch)
        terms.calls += 1
        return good

    terms.calls = 0
    with pytest.raises(training.TrainingError, match="step 31: reconstruction is nan; the model is back at step 21"):
        training.fit(model, x, terms=terms, epochs=100, batch_size=20)
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())
    assert torch.isfinite(model.terms(x.pixels()).loss) and not model.training


# ---- the shapes


def test_shapes_are_every_combination_once_and_the_same_for_the_same_seed():
    table = sprites.all_factors()
    assert len(table) == len({tuple(row) for row in table.tolist()}) == math.prod(sprites.LEVELS) == 5760
    assert table.equal(sprites.all_factors(0)) and not table.equal(sprites.all_factors(1))
    train, test = data.load("shapes"), data.load("shapes", "test")
    assert (len(train), len(test), train.shape, train.levels, train.classes) == (5000, 760, (1, 32, 32), 256, 3)
    assert torch.cat([train.factors, test.factors]).equal(table) and train.y.equal(train.factors[:, 0])
    assert train.x.equal(data.load("shapes").x)


def centre_and_area(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = x.squeeze(1).float() / 255
    at, area = torch.arange(32.0), x.sum((1, 2))
    return (x.sum(1) * at).sum(1) / area, (x.sum(2) * at).sum(1) / area, area


def test_shapes_lie_where_their_factors_say_and_are_as_large():
    """Centre of mass and area of the drawn image, against the formulas; nothing is cut off at the border."""
    factors = sprites.all_factors()
    x = sprites.draw(factors)
    column, row, area = centre_and_area(x)
    place = torch.from_numpy(sprites.PLACES).float() + 15.5
    assert (column - place[factors[:, 3]]).abs().max() < 0.1
    assert (row - place[factors[:, 4]]).abs().max() < 0.1
    expected = math.pi * torch.from_numpy(sprites.RADII).float()[factors[:, 1]] ** 2
    assert (area / expected - 1).abs().max() < 0.06
    assert x[:, :, [0, -1]].max() == 0 and x[..., [0, -1]].max() == 0


def test_rotation_turns_the_shape():
    """The direction of the ellipse's long axis, from second moments."""
    factors = torch.tensor([[1, 4, r, 3, 4] for r in range(6)])
    x = sprites.draw(factors).squeeze(1).float()
    at = torch.arange(32.0)
    u = at - (x.sum(1) * at).sum(1, keepdim=True) / x.sum((1, 2))[:, None]
    v = at - (x.sum(2) * at).sum(1, keepdim=True) / x.sum((1, 2))[:, None]
    uu, vv = (x.sum(1) * u**2).sum(1), (x.sum(2) * v**2).sum(1)
    uv = torch.einsum("nvu,nv,nu->n", x, v, u)
    angle = 0.5 * torch.atan2(2 * uv, uu - vv)
    torch.testing.assert_close(angle, torch.from_numpy(sprites.ANGLES).float(), atol=0.02, rtol=0)


def test_edges_are_soft_and_insides_full():
    x = sprites.draw(sprites.all_factors()[:200])
    grey = ((x > 0) & (x < 255)).float().mean()
    assert 0.01 < grey < 0.06 and (x.flatten(1).amax(1) == 255).all()


@pytest.mark.parametrize("row", [[3, 0, 0, 0, 0], [0, 0, 0, 0, -1], [0, 0, 0, 0]])
def test_a_factor_outside_its_levels_is_refused(row):
    with pytest.raises(ValueError, match="factors"):
        sprites.draw(torch.tensor([row]))


class OneWeight(nn.Module):
    """reconstruction = w, kl = w^2: a step down w + beta w^2 is a line of arithmetic."""

    def __init__(self, w: float, beta: float) -> None:
        super().__init__()
        self.w, self.beta = nn.Parameter(torch.tensor(w, dtype=torch.float64)), beta

    def terms(self, x: torch.Tensor) -> vae.ELBO:
        return vae.ELBO(self.w + self.beta * self.w**2, 1 * self.w, self.w**2)


@pytest.mark.parametrize(("rate", "miss"), [(4.0, 1.25), (18.0, -0.5), (9.0, 0.0), (1.0, 8.0)])
def test_beta_follows_the_rate_after_the_step_that_beta_weighed(rate, miss):
    model = OneWeight(3.0, beta=2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    terms = beta_vae.step_at_rate(model, optimizer, torch.zeros(1, 1, 2, 2), rate, gain=0.3)
    assert tuple(term.item() for term in terms) == (21.0, 3.0, 9.0)
    assert model.w.item() == pytest.approx(3 - 0.1 * (1 + 2 * 2 * 3))
    assert model.beta == pytest.approx(2 * math.exp(0.3 * min(miss, 1)))


def test_a_rate_of_nothing_and_a_negative_gain_are_refused():
    model = OneWeight(3.0, beta=2.0)
    with pytest.raises(ValueError, match="rate must be above 0 nats, and is 0"):
        beta_vae.step_at_rate(model, None, torch.zeros(1), 0)
    with pytest.raises(ValueError, match="gain must not be negative, and is -1"):
        beta_vae.step_at_rate(model, None, torch.zeros(1), 1.0, gain=-1)
