"""Lab 9's reference against scipy's distances, closed forms, finite differences and steps counted by hand."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from solutions import wgan_gp as wgan
from starter.support import data, nets, recipes, training


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


class Bowl(nn.Module):
    """f(x) = x^T A x / 2, whose slope at x is A x for a symmetric A."""

    def __init__(self, a: torch.Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, x):
        flat = x.flatten(1)
        return (flat @ self.a * flat).sum(dim=1) / 2


def plane_critic(w) -> nn.Sequential:
    """f(x) = w . x, with the slope w everywhere."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(len(w), 1, bias=False, dtype=torch.float64), nn.Flatten(0))
    critic[1].weight.data[0] = torch.as_tensor(w)
    return critic


# ---- losses


def kantorovich_potential(real: np.ndarray, fake: np.ndarray):
    """The best critic of two sets on a line: its slope is 1 where more generated than real points lie to the left."""
    knots = np.sort(np.concatenate([real, fake]))
    left = [np.searchsorted(np.sort(x), knots[:-1], side="right") / len(x) for x in (fake, real)]
    scores = np.concatenate([[0.0], np.cumsum(np.sign(left[0] - left[1]) * np.diff(knots))])
    return lambda x: torch.from_numpy(np.interp(x, knots, scores))


def test_the_best_critic_of_slope_1_sees_the_wasserstein_distance_of_scipy():
    real, fake = 1.5 * double(50) + 0.7, double(80)
    best = kantorovich_potential(real.numpy(), fake.numpy())
    expected = stats.wasserstein_distance(real, fake)
    assert -wgan.critic_loss(best(real), best(fake)).item() == pytest.approx(expected)
    for other in (torch.abs, torch.tanh, lambda x: x, lambda x: -x.cos()):
        assert -wgan.critic_loss(other(real), other(fake)).item() < expected


def test_a_critic_s_loss_does_not_change_when_all_scores_rise():
    real, fake = double(5), double(5)
    torch.testing.assert_close(wgan.critic_loss(real + 3, fake + 3), wgan.critic_loss(real, fake))


def test_the_generator_gains_what_the_critic_loses():
    real, fake = double(5), double(5).requires_grad_()
    (of_critic,) = torch.autograd.grad(wgan.critic_loss(real, fake), fake)
    (of_generator,) = torch.autograd.grad(wgan.generator_loss(fake), fake)
    torch.testing.assert_close(of_generator, -of_critic)
    torch.testing.assert_close(of_generator, torch.full_like(fake, -1 / 5))


# ---- clipping


def test_clipping_moves_only_what_is_beyond_the_bound():
    critic = nets.mlp_discriminator((2,), (8, 8))
    tensors, before = list(critic.parameters()), copy.deepcopy(critic)
    wgan.clip_weights(critic, 0.1)
    for old, new, tensor in zip(before.parameters(), critic.parameters(), tensors, strict=True):
        assert new is tensor and new.requires_grad
        torch.testing.assert_close(new, old.clamp(-0.1, 0.1))
    assert max(weight.abs().max() for weight in before.parameters()) > 0.1 >= max(w.abs().max() for w in tensors)


# ---- the points between


@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 2, 5)])
def test_eps_is_the_share_of_the_real_example_on_the_line(shape):
    real, fake = double(*shape), double(*shape)
    torch.testing.assert_close(wgan.mix(real, fake, torch.ones(4)), real)
    torch.testing.assert_close(wgan.mix(real, fake, torch.zeros(4)), fake)
    eps = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)
    away = (wgan.mix(real, fake, eps) - fake).flatten(1).norm(dim=1) / (real - fake).flatten(1).norm(dim=1)
    torch.testing.assert_close(away, eps)


# ---- the penalty


def test_the_penalty_of_a_quadratic_critic_is_its_closed_form():
    x, a = double(5, 1, 2, 3), double(6, 6)
    bowl = Bowl(a + a.T)
    steep = [np.linalg.norm((a + a.T).numpy() @ row.numpy()) for row in x.flatten(1)]
    assert wgan.gradient_penalty(bowl, x).item() == pytest.approx(np.mean([(s - 1) ** 2 for s in steep]))


def test_the_penalty_s_gradient_in_the_weights_is_that_of_finite_differences():
    x, a = double(4, 3), double(3, 3)

    def penalty(a):
        return wgan.gradient_penalty(lambda x: ((x @ a) * x).sum(dim=1) + (x @ a).tanh().sum(dim=1), x)

    assert torch.autograd.gradcheck(penalty, a.requires_grad_())


def test_where_the_slope_is_0_the_penalty_is_1_and_its_gradient_finite():
    bowl = Bowl(torch.eye(3))
    penalty = wgan.gradient_penalty(bowl, torch.zeros(4, 3))
    penalty.backward()
    assert penalty.item() == 1
    assert bowl.a.grad.isfinite().all()


def test_every_example_has_a_penalty_of_its_own():
    critic, x = nets.mlp_discriminator((1, 2, 3), (7,)), torch.randn(5, 1, 2, 3)
    each = torch.stack([wgan.gradient_penalty(critic, row[None]) for row in x])
    torch.testing.assert_close(wgan.gradient_penalty(critic, x), each.mean())


def test_the_penalty_leaves_no_gradient_and_needs_none_of_x():
    critic, x = nets.mlp_discriminator((2,), (7,)), torch.randn(5, 2)
    wgan.gradient_penalty(critic, x)
    assert not x.requires_grad and all(weight.grad is None for weight in critic.parameters())


# ---- the step


def test_a_step_of_a_linear_critic_is_the_one_counted_by_hand():
    """f(x) = w . x: the loss is w . (mean fake - mean real) + lambda (|w| - 1)^2, wherever the penalty looks."""
    w, real, z = torch.tensor([0.6, -1.7, 0.4], dtype=torch.float64), double(5, 3), double(5, 3)
    critic, generator = plane_critic(w), nn.Linear(3, 3, dtype=torch.float64)
    critic[1].weight.grad = torch.full((1, 3), 7.0, dtype=torch.float64)  # of an earlier step
    before, fake = copy.deepcopy(generator.state_dict()), generator(z).detach()
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    terms = wgan.critic_step(generator, critic, optimizer, real, z, torch.rand(5), weight=3.0)
    slope = (fake - real).mean(dim=0) + 2 * 3.0 * (w.norm() - 1) * w / w.norm()
    torch.testing.assert_close(critic[1].weight.data[0], w - 0.1 * slope)
    torch.testing.assert_close(terms.distance, w @ (real - fake).mean(dim=0))
    torch.testing.assert_close(terms.penalty, (w.norm() - 1).square())
    assert not terms.distance.requires_grad and not terms.penalty.requires_grad
    assert all(weight.grad is None for weight in generator.parameters())
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_at_its_best_a_critic_exceeds_slope_1_by_the_distance_over_2_lambda():
    """Two points at distance 2: the slope a maximises 2 a - lambda (a - 1)^2."""
    critic, real = plane_critic([0.3, 0.3]), torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    optimizer, at_zero = torch.optim.SGD(critic.parameters(), lr=0.02), torch.zeros_like(real)
    for _ in range(1000):
        wgan.critic_step(nn.Identity(), critic, optimizer, real, at_zero, torch.rand(1), weight=5.0)
    torch.testing.assert_close(critic[1].weight.data[0], torch.tensor([1 + 2 / 10, 0.0], dtype=torch.float64))


def test_the_penalty_that_is_given_is_the_one_that_counts():
    critic, real, z = plane_critic([0.6, -1.7]), double(4, 2), double(4, 2)
    seen = []

    def penalty(f, x):
        seen.append(x)
        return f(x).sum() * 0 + 5

    optimizer, eps = torch.optim.SGD(critic.parameters(), lr=0.1), torch.rand(4, dtype=torch.float64)
    terms = wgan.critic_step(nn.Identity(), critic, optimizer, real, z, eps, penalty=penalty)
    assert terms.penalty == 5
    torch.testing.assert_close(seen[0], z + eps[:, None] * (real - z))


def test_the_generator_moves_after_every_n_critic_steps():
    assert [step for step in range(12) if wgan.generator_moves(step, 3)] == [2, 5, 8, 11]
    assert all(wgan.generator_moves(step, 1) for step in range(5))


# ---- the model


def small_model(**settings) -> wgan.WGAN:
    generator = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Unflatten(1, (1, 2, 3)))
    return wgan.WGAN(generator, nets.mlp_discriminator((1, 2, 3), (7,)), 4, **settings)


def moved(model: wgan.WGAN) -> list[str]:
    before = copy.deepcopy(model.state_dict())
    terms = model.update(torch.rand(5, 1, 2, 3), torch.zeros(5))
    assert all(torch.isfinite(term) for term in terms)
    changed = [name for name, value in model.state_dict().items() if not value.equal(before[name])]
    return sorted({name.split(".")[0] for name in changed if "." in name})  # of the networks


def test_an_update_is_a_step_of_the_critic_and_every_n_critic_th_one_of_the_generator():
    model = small_model(n_critic=3)
    assert [moved(model) for _ in range(6)] == 2 * [
        ["discriminator"],
        ["discriminator"],
        ["discriminator", "generator"],
    ]


def test_with_clip_all_weights_stay_in_bounds_and_nothing_is_penalised():
    model = small_model(clip=0.05, lr=0.1)
    for _ in range(3):
        assert model.update(torch.rand(5, 1, 2, 3), torch.zeros(5)).penalty == 0
        assert all(weight.abs().max() <= 0.05 for weight in model.discriminator.parameters())


def test_the_model_plays_and_its_history_has_every_term():
    images = data.Images(torch.randint(0, 256, (20, 1, 2, 3)).byte(), torch.zeros(20), 256, "noise")
    history = training.play(small_model(n_critic=2), images, steps=4, batch_size=8)
    assert list(history.terms) == ["distance", "penalty", "generator"]
    generator = history.terms["generator"]
    assert generator[0] == 0 and generator[1] == generator[2] != generator[3]  # its loss when it moved last


# ---- bad input

POINTS, N_SCORES = torch.zeros(4, 2), torch.zeros(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: wgan.critic_loss(torch.zeros(4, 1), N_SCORES),
            r"real_scores must have the shape \(B,\).* not \(4, 1\)",
        ),
        (lambda: wgan.critic_loss(N_SCORES, torch.zeros(4, 1)), r"fake_scores must have the shape \(B,\)"),
        (lambda: wgan.generator_loss(torch.zeros(4, 1)), r"fake_scores must have the shape \(B,\)"),
        (lambda: wgan.clip_weights(nn.Linear(2, 1), 0.0), "c must be above 0, and is 0.0"),
        (lambda: wgan.clip_weights(nn.Linear(2, 1), math.nan), "c must be above 0, and is nan"),
        (lambda: wgan.mix(POINTS, torch.zeros(4, 3), N_SCORES), r"real \(4, 2\) and fake \(4, 3\)"),
        (lambda: wgan.mix(POINTS, POINTS, torch.zeros(4, 1)), r"shape \(4,\), one number per example, not \(4, 1\)"),
        (lambda: wgan.mix(POINTS, POINTS, torch.tensor(0.5)), r"eps must have the shape \(4,\)"),
        (lambda: wgan.mix(POINTS, POINTS, N_SCORES - 0.5), r"eps must lie in \[0, 1\], and goes from -0.5"),
        (lambda: wgan.mix(POINTS, POINTS, N_SCORES + 1.5), r"eps must lie in \[0, 1\]"),
        (lambda: wgan.mix(POINTS, POINTS, N_SCORES + math.nan), r"eps must lie in \[0, 1\]"),
        (lambda: wgan.critic_step(None, None, None, POINTS, POINTS, N_SCORES, -1.0), "weight must not be negative"),
        (lambda: wgan.generator_moves(0, 0), "n_critic must be at least 1 and step at least 0, not 0 and 0"),
        (lambda: wgan.generator_moves(-1, 5), "not 5 and -1"),
        (lambda: wgan.WGAN(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm2d(3)), 2), r"BatchNorm \(layers 0\).*LayerNorm"),
    ],
)
def test_bad_input_is_refused_with_the_number_seen(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the named configuration


def test_cub_wgan_gp_is_dcgan_s_networks_without_batch_norm_in_the_critic():
    model, recipe = recipes.build("cub-wgan-gp"), recipes.RECIPES["cub-wgan-gp"]
    kinds = {name: [type(m).__name__ for m in net.modules()] for name, net in model.named_children()}
    assert kinds["generator"].count("BatchNorm2d") == 3 and kinds["generator"].count("ConvTranspose2d") == 4
    assert kinds["discriminator"].count("BatchNorm2d") == 0 and kinds["discriminator"].count("Conv2d") == 4
    x = model.sample(model.noise(3))
    assert x.shape == (3, 3, 32, 32) and model.discriminator(x).shape == (3,)
    assert (model.weight, model.n_critic, model.clip) == (10, 5, None)
    assert (recipe.steps, recipe.batch_size) == (30_000, 256)  # an iteration is a step of the critic
