"""Lab 4's reference against autograd Jacobians, torch.distributions, numerical integration and finite differences."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from solutions import flow_vae as fv
from solutions import vae
from starter.support import densities, recipes
from starter.support.flows import Flow, check_finite


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def jacobian_log_det(function, points: torch.Tensor) -> torch.Tensor:
    """log |det| of the Jacobian that autograd finds, point by point."""
    found = [torch.autograd.functional.jacobian(lambda v: function(v[None])[0], point) for point in points]
    return torch.linalg.slogdet(torch.stack(found)).logabsdet


def shaken(flow: Flow, by: float = 0.5) -> Flow:
    """Away from where flows start, which is near the identity."""
    for weight in flow.parameters():
        weight.data += by * torch.randn_like(weight)
    return flow.double()


FLOWS = {
    "planar": lambda: fv.planar_flows(5, 3),
    "coupling": lambda: fv.coupling_flows(6, 3),
    "autoregressive": lambda: fv.autoregressive_flows(5, 3),
    "mixed": lambda: fv.Chain([fv.AffineCoupling(6), fv.InverseAutoregressive(6), fv.AffineCoupling(6, swap=True)]),
}
DIM = {"planar": 5, "coupling": 6, "autoregressive": 5, "mixed": 6}


def test_u_hat_has_the_scalar_product_that_keeps_the_flow_invertible():
    w, u = double(200, 4), 3 * double(200, 4)
    hat = fv.u_hat(w, u)
    a = (w * u).sum(1)
    torch.testing.assert_close((w * hat).sum(1), torch.log1p(a.exp()) - 1)
    assert ((w * hat).sum(1) > -1).all()


def test_u_hat_changes_u_along_w_only():
    w, u = double(50, 4), double(50, 4)
    change = fv.u_hat(w, u) - u
    cosine = (change * w).sum(1) / change.norm(dim=1) / w.norm(dim=1)
    torch.testing.assert_close(cosine.abs(), torch.ones_like(cosine))


def test_u_hat_stays_finite_where_exp_overflows():
    w = torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    hat = fv.u_hat(w, torch.stack([200 * w[0], -200 * w[1]]))
    torch.testing.assert_close((w * hat).sum(1), torch.tensor([999.0, -1.0]), atol=1e-3, rtol=0)


def test_a_planar_step_is_increasing_across_its_plane_whatever_u_is():
    """On a line along w the step must not fold: w . z' grows with w . z."""
    w, u = double(1, 3), -20 * double(1, 3).abs()
    w = w.abs()  # w . u far below -1
    t = torch.linspace(-4, 4, 400, dtype=torch.float64)[:, None]
    w, u = w.expand(400, 3), u.expand(400, 3)
    z = t * w / w.norm(dim=1, keepdim=True)
    along = (w * fv.planar(z, w, u, torch.zeros(400, dtype=torch.float64))).sum(1)
    assert (along.diff() > 0).all()


def test_planar_log_det_is_that_of_the_autograd_jacobian():
    z, w, u, b = double(7, 4), double(7, 4), 2 * double(7, 4), double(7)
    for rows in zip(*(t.split(1) for t in (z, w, u, b))):
        expected = jacobian_log_det(lambda v, rest=rows[1:]: fv.planar(v, *rest), rows[0])
        torch.testing.assert_close(fv.planar_log_det(*rows), expected)


@pytest.mark.parametrize("name", FLOWS)
def test_inverse_log_det_is_that_of_the_autograd_jacobian(name):
    flow, z = shaken(FLOWS[name]()), double(4, DIM[name])
    torch.testing.assert_close(flow.inverse(z)[1], jacobian_log_det(lambda v: flow.inverse(v)[0], z))


@pytest.mark.parametrize("name", ["coupling", "autoregressive", "mixed"])
def test_forward_undoes_inverse_and_has_the_jacobian_of_autograd(name):
    flow, z = shaken(FLOWS[name]()), double(4, DIM[name])
    x, there = flow.inverse(z)
    back, log_det = flow.forward(x)
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(log_det, -there)
    torch.testing.assert_close(log_det, jacobian_log_det(lambda v: flow.forward(v)[0], x))


def test_autoregressive_outputs_do_not_see_later_inputs():
    flow = shaken(fv.InverseAutoregressive(5, 64))
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.inverse(v[None])[0][0], double(5))
    assert (jacobian.triu(1) == 0).all() and (jacobian.tril(-1) != 0).sum() == 10


@pytest.mark.parametrize("name", FLOWS)
def test_flows_start_near_the_identity(name):
    flow, z = FLOWS[name](), torch.randn(200, DIM[name])
    x, log_det = flow.inverse(z)
    assert (x - z).square().mean() < 0.2 * z.square().mean()
    assert log_det.abs().mean() < 0.5 * DIM[name]


def test_planar_groups_are_independent_flows():
    together = fv.planar_flows(2, 3, groups=2)
    z = torch.randn(10, 2)
    apart = []
    for group in range(2):
        alone = fv.planar_flows(2, 3)
        for one, both in zip(alone.parameters(), together.parameters()):
            one.data = both.data[group : group + 1].clone()
        apart.append(alone.inverse(z[5 * group : 5 * group + 5]))
    for got, want in zip(together.inverse(z), zip(*apart)):
        torch.testing.assert_close(got, torch.cat(want))


def test_density_of_a_flow_integrates_to_one():
    flow = shaken(fv.coupling_flows(2, 4), by=0.2)
    points, area = densities.grid(400, edge=12)
    total = densities.log_integral(fv.flow_log_prob(flow, points.double()), area).exp()
    assert total.item() == pytest.approx(1, abs=1e-3)


def test_flow_log_prob_of_an_affine_flow_is_that_of_the_gaussian_it_makes():
    class Standardise(Flow):
        def forward(self, x):
            return (x - 2.0) / 3.0, x.new_full((len(x),), -4 * math.log(3.0))

    x = double(6, 4)
    torch.testing.assert_close(fv.flow_log_prob(Standardise(), x), Normal(2.0, 3.0).log_prob(x).sum(1))


def elbo_inputs(count: int):
    logits, x = double(count, 1, 2, 3), torch.rand(count, 1, 2, 3, dtype=torch.float64)
    return logits, x, double(count, 2), double(count, 2)


def test_flow_elbo_without_a_flow_is_the_elbo_on_average():
    """The sampled KL of a Gaussian posterior has the closed form as its mean."""
    logits, x, mu, log_var = (t[:1].expand(400_000, *t.shape[1:]) for t in elbo_inputs(3))
    z = vae.reparameterize(mu, log_var, double(400_000, 2))
    terms = fv.flow_elbo(logits, x, mu, log_var, z, z, z.new_zeros(len(z)), beta=2.0)
    want = vae.elbo(logits[:1], x[:1], mu[:1], log_var[:1], beta=2.0)
    for got, expected in zip(terms, want):
        assert got.mean().item() == pytest.approx(expected.item(), abs=0.02)


def test_flow_elbo_of_an_affine_flow_is_that_of_the_gaussian_it_makes():
    """z_K = 1 + 2 z_0 is Gaussian as well: torch.distributions knows its density at every sample."""
    logits, x, mu, log_var = elbo_inputs(5)
    z_0 = double(5, 2)
    z_k, log_det = 1 + 2 * z_0, torch.full((5,), 2 * math.log(2.0), dtype=torch.float64)
    posterior = Independent(Normal(1 + 2 * mu, 2 * (log_var / 2).exp()), 1)
    prior = Independent(Normal(torch.zeros(2, dtype=torch.float64), 3.0), 1)
    terms = fv.flow_elbo(logits, x, mu, log_var, z_0, z_k, log_det, prior.log_prob, beta=3.0)
    torch.testing.assert_close(terms.kl, posterior.log_prob(z_k) - prior.log_prob(z_k))
    torch.testing.assert_close(terms.loss, terms.reconstruction + 3 * terms.kl)
    torch.testing.assert_close(terms.reconstruction, vae.bernoulli_nll(logits, x))


def test_gradients_are_those_of_finite_differences():
    w, u, z = (double(3, 2).requires_grad_() for _ in range(3))
    b = double(3).requires_grad_()
    assert torch.autograd.gradcheck(fv.u_hat, (w, u))
    assert torch.autograd.gradcheck(fv.planar, (z, w, u, b))
    assert torch.autograd.gradcheck(fv.planar_log_det, (z, w, u, b))
    net = fv.Conditioner(1, 4).double()
    nn.init.normal_(net.layers[-1].weight)
    for direction in ("forward", "inverse"):
        assert torch.autograd.gradcheck(lambda v, to=direction: fv.coupling(v, net, to), z)


def small(posterior=None, prior=None) -> fv.FlowVAE:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 8))
    return fv.FlowVAE(encoder, nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (1, 2, 3))), posterior, prior)


def test_a_flow_vae_without_flows_is_the_vae():
    model = small()
    plain, x = vae.VAE(model.encoder, model.decoder), torch.rand(5, 1, 2, 3)
    eps = torch.randn(7, 5, 4)
    for got, want in zip(model.log_weights(x, eps), plain.log_weights(x, eps)):
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(model.reconstruct(x), plain.reconstruct(x))


@pytest.mark.parametrize("kind", ["planar", "coupling", "autoregressive"])
def test_importance_weights_average_to_the_evidence_with_any_flow(kind):
    """The mean of p(x | z) p(z) / q(z | x) over draws of q is p(x), whatever q: here against draws of the prior."""
    flows = {"planar": fv.planar_flows, "coupling": fv.coupling_flows, "autoregressive": fv.autoregressive_flows}
    model = small(shaken(flows[kind](4, 2), 0.1), shaken(fv.coupling_flows(4, 2), 0.1)).double()
    model.encoder[1].weight.data *= 0.1
    model.encoder[1].bias.data = torch.tensor([0.0] * 4 + [1.6] * 4).double()  # wider than the prior: light weights
    x, count = torch.rand(1, 1, 2, 3, dtype=torch.float64), 50_000
    with torch.no_grad():
        likelihood, log_p, log_q = model.log_weights(x.expand(count, 1, 2, 3), double(2, count, 4))
        log_w = likelihood + log_p - log_q
        z = model.prior.inverse(double(2 * count, 4))[0]
        evidence = torch.logsumexp(-vae.bernoulli_nll(model.decoder(z), x.expand(2 * count, 1, 2, 3)), dim=0)
    assert torch.logsumexp(log_w.flatten(), dim=0).item() == pytest.approx(evidence.item(), abs=0.03)


AMORTISED = {
    "planar": lambda: fv.amortised_planar_flows(4, 3, context=5),
    "autoregressive": lambda: fv.amortised_autoregressive_flows(4, 3, context=5, hidden_dim=8),
}


@pytest.mark.parametrize("kind", AMORTISED)
def test_amortised_flows_have_the_log_determinant_of_each_examples_own_map(kind):
    flows, h, z = shaken(AMORTISED[kind]()), double(6, 5), double(6, 4)
    _, log_det = flows.given(h).inverse(z)
    for i in range(len(z)):
        alone = flows.given(h[i : i + 1])
        jacobian = torch.autograd.functional.jacobian(lambda z, flow=alone: flow.inverse(z[None])[0][0], z[i])
        torch.testing.assert_close(log_det[i], torch.linalg.slogdet(jacobian).logabsdet)


@pytest.mark.parametrize("kind", AMORTISED)
def test_another_context_is_another_flow(kind):
    flows, z = shaken(AMORTISED[kind]()), double(1, 4)
    one, other = (flows.given(double(1, 5)).inverse(z)[0] for _ in range(2))
    assert (one - other).abs().max() > 1e-3


def test_amortised_autoregressive_flows_go_there_and_back():
    flow, z = shaken(AMORTISED["autoregressive"]()).given(double(6, 5)), double(6, 4)
    moved, there = flow.inverse(z)
    back, again = flow.forward(moved)
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(there, -again)


def test_amortised_planar_flows_begin_as_planar_flows():
    torch.manual_seed(0)
    amortised = AMORTISED["planar"]()
    alike = fv.planar_flows(4, 3)
    for step, own in zip(alike.flows, amortised.flows):
        step.load_state_dict({name: weight for name, weight in own.state_dict().items() if "head" not in name})
    z = torch.randn(6, 4)
    for got, want in zip(amortised.given(torch.randn(6, 5)).inverse(z), alike.inverse(z)):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("kind", AMORTISED)
def test_the_encoders_last_hidden_layer_is_the_context(kind):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 8))
    decoder = nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (1, 2, 3)))
    model, x = fv.FlowVAE(encoder, decoder, shaken(AMORTISED[kind]()).float()), torch.rand(7, 1, 2, 3)
    z_0 = torch.randn(7, 4)
    for got, want in zip(model.bend(z_0, x), model.posterior.given(encoder[:3](x)).inverse(z_0)):
        torch.testing.assert_close(got, want)
    model.terms(x).loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_a_learned_prior_gets_gradients_and_samples_are_probabilities():
    model = small(fv.planar_flows(4, 2), fv.coupling_flows(4, 2))
    model.terms(torch.rand(5, 1, 2, 3)).loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    images = model.sample(torch.randn(6, 4))
    assert images.shape == (6, 1, 2, 3) and 0 < images.min() and images.max() < 1


def test_vae_planar_is_the_convolutional_vae_with_four_planar_steps_of_128_dimensions():
    model, plain = recipes.build("vae-planar", "solutions"), recipes.build("vae-128-conv", "solutions")
    assert [tuple(step.w.shape) for step in model.posterior.flows] == [(1, 128)] * 4 and model.prior is None
    assert str(model.encoder) == str(plain.encoder) and str(model.decoder) == str(plain.decoder)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fv.u_hat(torch.tensor([[1.0, 2], [0, 0], [3, 4]]), torch.ones(3, 2)),
            r"w must not be zero.* 1 of its 3 rows",
        ),
        (lambda: fv.u_hat(torch.ones(3, 2), torch.ones(1, 2)), r"w \(3, 2\), u \(1, 2\)"),
        (
            lambda: fv.planar(torch.ones(3, 2), torch.ones(3, 2), torch.ones(3, 2), torch.ones(3, 1)),
            r"b \(3, 1\), examples \(3,\)",
        ),
        (lambda: fv.planar_log_det(torch.ones(3, 2), torch.ones(1, 2), torch.ones(3, 2), torch.ones(3)), r"w \(1, 2\)"),
        (lambda: fv.coupling(torch.ones(3, 5), None, "forward"), r"even latent_dim, not \(3, 5\)"),
        (lambda: fv.coupling(torch.ones(3, 4), None, "back"), "not 'back'"),
        (lambda: fv.chain([], torch.ones(3, 4), "back"), "not 'back'"),
        (lambda: small().terms(torch.full((3, 1, 2, 3), math.nan)), "x must be finite: 18 of its 18 numbers"),
        (lambda: check_finite(x=torch.tensor([1.0, math.inf, math.nan])), "x must be finite: 2 of its 3 numbers"),
    ],
)
def test_bad_input_is_refused_by_name_and_number(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_log_det_of_another_shape_than_the_batch_is_refused():
    logits, x, mu, log_var = elbo_inputs(5)
    with pytest.raises(ValueError, match=r"log_det \(5, 1\), examples \(5,\)"):
        fv.flow_elbo(logits, x, mu, log_var, mu, mu, double(5, 1))


def test_the_way_back_of_a_planar_flow_searches_and_says_that_it_has_no_gradient():
    with pytest.raises(NotImplementedError, match=r"call it under torch.no_grad\(\)"):
        fv.PlanarFlow(2).forward(torch.ones(3, 2))


def test_a_planar_step_is_undone_as_scipy_undoes_it():
    """A root of one number, for steps that push far, nearly fold, and do neither."""
    from scipy.optimize import brentq

    torch.manual_seed(5)
    w, z, b = torch.randn(60, 3).double(), 3 * torch.randn(60, 3).double(), torch.randn(60).double()
    u = torch.randn(60, 3).double() + torch.tensor([-3.0, 1.0, 100.0]).double().repeat(20)[:, None] * w
    before, log_det = fv.undo_planar(z, w, u, b)
    pushes = fv.u_hat(w, u)
    for found, nats, z_i, w_i, push, b_i in zip(before, log_det, z, w, pushes, b.tolist()):
        far, end = float(w_i @ push), float(w_i @ z_i)
        reach = abs(far) + 1
        too_far = partial(lambda a, far, b, end: a + far * math.tanh(a + b) - end, far=far, b=b_i, end=end)
        a = brentq(too_far, end - reach, end + reach, xtol=1e-14)
        torch.testing.assert_close(found, z_i - push * math.tanh(a + b_i), rtol=1e-6, atol=1e-6)
        assert float(nats) == pytest.approx(-math.log(1 + far / math.cosh(a + b_i) ** 2), rel=1e-5, abs=1e-5)


def test_a_context_goes_both_ways():
    torch.manual_seed(6)
    flow, z, h = fv.AmortisedPlanarFlow(2, 3), torch.randn(7, 2), torch.randn(7, 3)
    torch.nn.init.normal_(flow.head.weight)
    with torch.no_grad():
        there, log_det = flow.inverse(z, h)
        back, other = flow.forward(there, h)
    torch.testing.assert_close(back, z, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(other, -log_det, rtol=1e-4, atol=1e-4)


def test_targets_are_normalised_by_their_log_z():
    """An independent integral: scipy, of the formulas of table 1 written out again."""
    from scipy.integrate import dblquad

    def u_1(y, x):
        a, b = math.exp(-0.5 * ((x - 2) / 0.6) ** 2), math.exp(-0.5 * ((x + 2) / 0.6) ** 2)
        return math.exp(-0.5 * ((math.hypot(x, y) - 2) / 0.4) ** 2) * (a + b)

    def u_2(y, x):
        return math.exp(-0.5 * ((y - math.sin(2 * math.pi * x / 4)) / 0.4) ** 2)

    walls = 0.2 * math.sqrt(2 * math.pi)  # what U_2 gains beyond |x| = 4, from both sides together
    ring, _ = dblquad(u_1, -5, 5, -5, 5, epsabs=1e-4)
    log_z = densities.targets()[1]
    assert log_z[0].item() == pytest.approx(math.log(ring), abs=1e-3)
    assert log_z[1].item() == pytest.approx(math.log((8 + walls) * 0.4 * math.sqrt(2 * math.pi)), abs=1e-3)


@pytest.mark.parametrize("point", [(0.5, 0.3), (-1.2, 1.9), (2.0, -1.0)])
def test_energies_are_those_of_table_1(point):
    x, y = point
    w_1, w_2 = math.sin(2 * math.pi * x / 4), 3 * math.exp(-0.5 * ((x - 1) / 0.6) ** 2)
    w_3 = 3 / (1 + math.exp(-(x - 1) / 0.3))

    def hill(distance):
        return math.exp(-0.5 * distance**2)

    expected = [
        0.5 * ((math.hypot(x, y) - 2) / 0.4) ** 2 - math.log(hill((x - 2) / 0.6) + hill((x + 2) / 0.6)),
        0.5 * ((y - w_1) / 0.4) ** 2,
        -math.log(hill((y - w_1) / 0.35) + hill((y - w_1 + w_2) / 0.35)),
        -math.log(hill((y - w_1) / 0.4) + hill((y - w_1 + w_3) / 0.35)),
    ]
    got = densities.energies(torch.tensor([point] * 4, dtype=torch.float64))
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))


def test_minimise_finds_a_minimum_and_max_steps_cuts_it_short(monkeypatch):
    model, calls = nn.Linear(1, 1), []

    def loss(done: float) -> torch.Tensor:
        calls.append(done)
        return (model.weight - 3).square().sum()

    densities.minimise(loss, model, steps=200, lr=0.1)
    assert model.weight.item() == pytest.approx(3, abs=0.01) and calls[0] == 0 and calls[-1] < 1
    calls.clear()
    monkeypatch.setenv("MAX_STEPS", "2")
    densities.minimise(loss, model, steps=200, lr=0.1)
    assert calls == [0, 0.5]
