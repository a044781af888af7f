"""Lab 2's reference against torch.distributions, numerical integration and finite differences."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from solutions import vae


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_reparameterized_noise_has_the_mean_and_the_deviation_asked_for():
    mu, log_var = torch.tensor([[1.5, -2.0]]), torch.tensor([[0.8, -1.2]])
    z = vae.reparameterize(mu.expand(200_000, 2), log_var.expand(200_000, 2), torch.randn(200_000, 2))
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.01, rtol=0)
    torch.testing.assert_close(z.var(0), log_var[0].exp(), atol=0, rtol=0.01)


def test_reparameterize_is_the_inverse_of_standardising():
    mu, log_var, eps = double(4, 3), double(4, 3), double(4, 3)
    z = vae.reparameterize(mu, log_var, eps)
    torch.testing.assert_close((z - mu) / torch.exp(log_var).sqrt(), eps)


def test_kl_is_that_of_torch_distributions():
    mu, log_var = double(5, 3), double(5, 3)
    expected = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(vae.kl_divergence(mu, log_var), expected)


def test_kl_is_the_integral_that_defines_it():
    """Numerical integration of q log(q / p), one latent."""
    mu, log_var = 0.7, -0.9
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    q, p = Normal(mu, math.exp(log_var / 2)), Normal(0.0, 1.0)
    expected = torch.trapezoid(q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z)), z)
    got = vae.kl_divergence(torch.tensor([[mu]], dtype=torch.float64), torch.tensor([[log_var]], dtype=torch.float64))
    assert got.item() == pytest.approx(expected.item(), rel=1e-6)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere():
    assert vae.kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]
    assert (vae.kl_divergence(double(1000, 4), double(1000, 4)) > 0).all()


def test_bernoulli_nll_is_that_of_torch_distributions():
    logits, x = double(4, 2, 3, 5), torch.rand(4, 2, 3, 5, dtype=torch.float64)
    expected = -Independent(Bernoulli(logits=logits, validate_args=False), 3).log_prob(x)
    torch.testing.assert_close(vae.bernoulli_nll(logits, x), expected)


def test_bernoulli_probabilities_of_all_images_add_up_to_one():
    """All 2^6 binary images of 1x2x3 pixels."""
    logits = double(1, 1, 2, 3).expand(64, 1, 2, 3)
    images = torch.tensor([[n >> i & 1 for i in range(6)] for n in range(64)], dtype=torch.float64).reshape(64, 1, 2, 3)
    assert (-vae.bernoulli_nll(logits, images)).exp().sum().item() == pytest.approx(1)


def test_gaussian_nll_is_that_of_torch_distributions():
    x_hat, x, log_sigma = double(4, 2, 3, 5), double(4, 2, 3, 5), torch.tensor(-0.7, dtype=torch.float64)
    expected = -Independent(Normal(x_hat, log_sigma.exp()), 3).log_prob(x)
    torch.testing.assert_close(vae.gaussian_nll(x_hat, x, log_sigma), expected)


def test_gaussian_density_integrates_to_one():
    x = torch.linspace(-9, 9, 100_001, dtype=torch.float64)
    nll = vae.gaussian_nll(
        torch.full((len(x), 1, 1, 1), 0.4, dtype=torch.float64), x.reshape(-1, 1, 1, 1), torch.tensor(-0.3)
    )
    assert torch.trapezoid((-nll).exp(), x).item() == pytest.approx(1, rel=1e-6)


def test_gradients_are_those_of_finite_differences():
    mu, log_var, eps = (double(3, 2).requires_grad_() for _ in range(3))
    logits, x = double(3, 1, 2, 3).requires_grad_(), torch.rand(3, 1, 2, 3, dtype=torch.float64)
    log_sigma = torch.tensor(-0.4, dtype=torch.float64, requires_grad=True)
    weights = [double(4, 3).requires_grad_() for _ in range(3)]
    assert torch.autograd.gradcheck(vae.reparameterize, (mu, log_var, eps))
    assert torch.autograd.gradcheck(vae.kl_divergence, (mu, log_var))
    assert torch.autograd.gradcheck(lambda v: vae.bernoulli_nll(v, x), logits)
    assert torch.autograd.gradcheck(lambda v, s: vae.gaussian_nll(v, x, s), (logits, log_sigma))
    assert torch.autograd.gradcheck(lambda *v: vae.elbo(v[0], x, v[1], v[2], 2.5).loss, (logits, mu, log_var))
    assert torch.autograd.gradcheck(vae.importance_weighted_bound, weights)


def test_elbo_is_below_the_exact_log_likelihood_and_touches_it_at_the_posterior():
    """A linear Gaussian model, where log p(x) and p(z | x) are known: x = w z + noise, one latent, one pixel."""
    w, sigma, x = 1.3, 0.6, torch.full((1, 1, 1, 1), 0.9, dtype=torch.float64)
    evidence = Normal(0.0, math.sqrt(w**2 + sigma**2)).log_prob(x).item()
    precision = 1 + w**2 / sigma**2
    mean, log_var = w * x.item() / sigma**2 / precision, -math.log(precision)

    def bound(mu: float, log_var: float) -> float:
        count = 200_000
        shape = (count, 1)
        m, v = torch.full(shape, mu, dtype=torch.float64), torch.full(shape, log_var, dtype=torch.float64)
        half = double(count // 2, 1)
        z = vae.reparameterize(m, v, torch.cat([half, -half]))  # antithetic: less noise
        logits = (w * z).reshape(-1, 1, 1, 1)
        return -vae.elbo(logits, x.expand(logits.shape), m, v, log_sigma=torch.tensor(math.log(sigma))).loss.item()

    assert bound(mean, log_var) == pytest.approx(evidence, abs=5e-3)
    assert bound(mean + 0.5, log_var) < evidence - 0.1
    assert bound(mean, log_var + 1) < evidence - 0.1


def test_reported_kl_is_never_weighted():
    logits, x, mu, log_var = double(4, 1, 2, 3), torch.rand(4, 1, 2, 3, dtype=torch.float64), double(4, 2), double(4, 2)
    one, four = vae.elbo(logits, x, mu, log_var, beta=1.0), vae.elbo(logits, x, mu, log_var, beta=4.0)
    assert one.kl == four.kl and one.reconstruction == four.reconstruction
    torch.testing.assert_close(four.loss - one.loss, 3 * one.kl)


def test_bound_of_one_sample_is_the_elbo_and_more_samples_approach_the_evidence():
    """p(z) = N(0, 1), p(x | z) = N(z, 1), q = N(0, 1.5^2): log p(x) = log N(x; 0, 2)."""
    x, q = 0.8, Normal(0.0, 1.5)
    z = q.sample((400_000,)).double()
    log_terms = Normal(z, 1.0).log_prob(torch.tensor(x)), Normal(0.0, 1.0).log_prob(z), q.log_prob(z)
    bounds = {
        k: vae.importance_weighted_bound(*(t.reshape(k, -1) for t in log_terms)).mean().item() for k in (1, 5, 50)
    }
    evidence = Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x)).item()
    assert bounds[1] == pytest.approx((log_terms[0] + log_terms[1] - log_terms[2]).mean().item())
    assert bounds[1] < bounds[5] < bounds[50] <= evidence + 5e-3
    assert bounds[50] == pytest.approx(evidence, abs=0.02)


def test_bound_survives_densities_of_images():
    far = torch.full((7, 3), -900.0)
    assert vae.importance_weighted_bound(far, far, far).tolist() == [-900.0] * 3


def test_prior_samples_are_probabilities_without_a_graph():
    images = vae.sample_prior(nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (1, 3, 4))), torch.randn(5, 2), 0.7)
    assert images.shape == (5, 1, 3, 4) and not images.requires_grad
    assert 0 < images.min() and images.max() < 1


@pytest.mark.parametrize("sigma", [None, 0.5])
def test_log_weights_are_the_three_densities(sigma):
    model = vae.VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(6, 4)),
        nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (1, 2, 3))),
        sigma=sigma,
    )
    x, eps = torch.rand(5, 1, 2, 3), torch.randn(4, 5, 2)
    log_p_x_given_z, log_p_z, log_q_z = model.log_weights(x, eps)
    mu, log_var = model.encode(x)
    z = mu + (log_var / 2).exp() * eps
    torch.testing.assert_close(log_p_z, Normal(0.0, 1.0).log_prob(z).sum(-1))
    torch.testing.assert_close(log_q_z, Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1))
    pixels = model.decoder(z.flatten(0, 1)).unflatten(0, (4, 5))
    density = Bernoulli(logits=pixels, validate_args=False) if sigma is None else Normal(pixels, sigma)
    torch.testing.assert_close(log_p_x_given_z, density.log_prob(x.expand(4, 5, 1, 2, 3)).sum((-1, -2, -3)))


@pytest.mark.parametrize("function", [vae.bernoulli_nll, lambda a, b: vae.gaussian_nll(a, b, torch.tensor(0.0))])
def test_shapes_that_would_broadcast_are_refused(function):
    with pytest.raises(ValueError, match="same shape"):
        function(torch.zeros(3, 1, 4, 4), torch.zeros(1, 1, 4, 4))
