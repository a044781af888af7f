"""Lab 12's reference against closed forms of Gaussians, autograd, scipy's ODE solver, and steps counted by hand."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.stats import linregress
from torch import nn
from torch.distributions import MultivariateNormal

from solutions import flow_matching as fm
from starter.support import data, densities, training, velocity_nets


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


class Gaussian:
    """Data N(mean, cov): along the straight path from N(0, I) everything has a closed form."""

    def __init__(self, dim: int = 3) -> None:
        root = double(dim, dim) + 1.5 * torch.eye(dim).double()
        self.mean, self.cov, self.eye = double(dim), root @ root.T, torch.eye(dim).double()

    def at(self, t: float) -> MultivariateNormal:
        return MultivariateNormal(t * self.mean, (1 - t) ** 2 * self.eye + t**2 * self.cov)

    def velocity(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """E[x_1 - x_0 | x_t = x], by the regression of one Gaussian on another; one time for all."""
        (late,) = set(t.tolist())
        joint = late * self.cov - (1 - late) * self.eye  # covariance of x_1 - x_0 with x_t
        spread = (1 - late) ** 2 * self.eye + late**2 * self.cov
        return self.mean + (x - late * self.mean) @ torch.linalg.solve(spread, joint)


def same_time(x: torch.Tensor, t: float) -> torch.Tensor:
    return x.new_full((len(x),), t)


def field(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Turns and bends: no step of a solver is exact on it."""
    turned = torch.stack([-x[:, 1], x[:, 0]], dim=1)
    return (2 + t[:, None]) * turned + torch.sin(x + t[:, None])


def carried(step, x: torch.Tensor, steps: int, velocity=field) -> torch.Tensor:
    for i in range(steps):
        x = step(velocity, x, same_time(x, i / steps), 1 / steps)
    return x


def by_scipy(x: torch.Tensor, velocity=field, start: float = 0.0, end: float = 1.0) -> torch.Tensor:
    def flat(t: float, y: np.ndarray) -> np.ndarray:
        at = torch.from_numpy(y).view_as(x)
        return velocity(at, same_time(at, t)).flatten().numpy()

    solved = solve_ivp(flat, (start, end), x.flatten().numpy(), rtol=1e-8, atol=1e-10)
    return torch.from_numpy(solved.y[:, -1]).view_as(x)


# ---- the path


@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 2, 5)])
def test_the_path_is_straight_begins_at_the_noise_and_ends_at_the_data(shape):
    x_0, x_1, t = double(*shape), double(*shape), torch.tensor([0.0, 0.25, 0.5, 1.0]).double()
    x_t = fm.interpolate(x_0, x_1, t)
    torch.testing.assert_close(x_t[0], x_0[0])
    torch.testing.assert_close(x_t[-1], x_1[-1])
    gone = (x_t - x_0).flatten(1).norm(dim=1) / (x_1 - x_0).flatten(1).norm(dim=1)
    torch.testing.assert_close(gone, t)
    left = (x_1 - x_t).flatten(1).norm(dim=1) / (x_1 - x_0).flatten(1).norm(dim=1)
    torch.testing.assert_close(gone + left, torch.ones(4).double())


# ---- the regression


class Line(nn.Module):
    """A velocity in one dimension, a + b x: the regression of x_1 - x_0 on x_t at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.3).double()), nn.Parameter(torch.tensor(-0.4).double())

    def forward(self, x, t):
        return self.a + self.b * x


def test_a_step_is_the_one_counted_by_hand_from_the_mean_of_weighted_squares():
    line, x_0, x_1, t = Line(), double(6, 1), double(6, 1), torch.rand(6).double()
    line.a.grad = torch.tensor(7.0).double()  # of an earlier step
    weight = torch.rand(6).double()
    x_t = (1 - t) * x_0[:, 0] + t * x_1[:, 0]
    error = 0.3 - 0.4 * x_t - (x_1 - x_0)[:, 0]
    optimizer = torch.optim.SGD(line.parameters(), lr=0.1)
    loss = fm.training_step(line, optimizer, x_0, x_1, t, weight)
    torch.testing.assert_close(loss, (weight * error**2).mean())
    torch.testing.assert_close(line.a.data, 0.3 - 0.1 * (2 * weight * error).mean())
    torch.testing.assert_close(line.b.data, -0.4 - 0.1 * (2 * weight * error * x_t).mean())
    assert not loss.requires_grad


def test_the_loss_sums_over_an_image_and_averages_over_the_batch():
    x_0, x_1 = double(5, 1, 2, 3), double(5, 1, 2, 3)
    zero = nn.Parameter(torch.zeros(1).double())
    loss = fm.training_step(lambda x, t: x * 0 + zero, torch.optim.SGD([zero], 0.0), x_0, x_1, torch.rand(5).double())
    assert loss.item() == pytest.approx(np.linalg.norm((x_1 - x_0).numpy()) ** 2 / 5)


def test_what_the_regression_finds_is_the_mean_velocity_of_scipys_least_squares():
    x_0, x_1, line = double(4000, 1), 0.5 * double(4000, 1) + 2, Line()
    optimizer, t = torch.optim.SGD(line.parameters(), lr=0.3), torch.full((4000,), 0.6).double()
    for _ in range(300):
        fm.training_step(line, optimizer, x_0, x_1, t)
    found = linregress((0.4 * x_0 + 0.6 * x_1)[:, 0].numpy(), (x_1 - x_0)[:, 0].numpy())
    assert (line.a.item(), line.b.item()) == (pytest.approx(found.intercept), pytest.approx(found.slope))


def test_the_ddpm_loss_is_the_same_regression_weighted_with_the_square_of_t():
    """A velocity v claims the noise x_t - t v; its error is t times that of v."""
    x_0, x_1, t = double(5, 4), double(5, 4), torch.rand(5).double()
    x_t, v = fm.interpolate(x_0, x_1, t), double(5, 4)
    claimed = x_t - t[:, None] * v
    squares = (v - (x_1 - x_0)).square().sum(dim=1)
    torch.testing.assert_close((claimed - x_0).square().sum(dim=1), t**2 * squares)


# ---- the solvers


def test_eulers_step_is_the_way_at_constant_speed():
    x, t = double(5, 2), torch.rand(5).double() / 2
    torch.testing.assert_close(fm.euler_step(lambda x, t: torch.full_like(x, 3.0), x, t, 0.25), x + 0.75)


@pytest.mark.parametrize(("step", "order"), [(fm.euler_step, 1), (fm.midpoint_step, 2)])
def test_the_error_falls_with_the_order_of_the_step_towards_what_scipy_finds(step, order):
    x = double(4, 2)
    true = by_scipy(x)
    errors = [(carried(step, x, steps) - true).norm().item() for steps in (100, 200, 400)]
    assert errors[-1] < 0.1
    rates = [math.log2(a / b) for a, b in zip(errors, errors[1:])]
    assert rates == [pytest.approx(order, abs=0.15)] * 2


def test_a_step_back_undoes_a_step():
    x, t = double(4, 2), torch.full((4,), 0.4).double()
    there = fm.midpoint_step(field, x, t, 0.01)
    back = fm.midpoint_step(field, there, t + 0.01, -0.01)
    torch.testing.assert_close(back, x, atol=1e-4, rtol=0)


def test_the_mean_velocity_carries_one_gaussian_to_another():
    """Exactly: by the affine map x -> mean + root(cov) x, as all particles of a Gaussian go."""
    target = Gaussian(2)
    x_0 = double(50, 2)
    x_1 = carried(fm.midpoint_step, x_0, 100, target.velocity)
    torch.testing.assert_close(x_1, by_scipy(x_0, target.velocity), atol=1e-3, rtol=0)
    values, vectors = torch.linalg.eigh(target.cov)
    root = vectors @ values.sqrt().diag() @ vectors.T
    torch.testing.assert_close(x_1, target.mean + x_0 @ root, atol=1e-3, rtol=1e-3)


# ---- divergence and likelihood


def test_the_exact_divergence_is_the_trace_of_autograds_jacobian():
    x, t, a = double(4, 1, 2, 3), torch.rand(4).double(), double(6, 6)

    def velocity(x, t):
        return (torch.tanh(x.flatten(1) @ a.T) * (1 + t[:, None])).view_as(x)

    found = fm.divergence(velocity, x, t)
    eps = double(4, 1, 2, 3)
    guess = fm.divergence(velocity, x, t, eps)
    for i, late in enumerate(t):
        whole = torch.autograd.functional.jacobian(lambda row, late=late: velocity(row[None], late[None])[0], x[i])
        jacobian, e = whole.reshape(6, 6), eps[i].flatten()
        torch.testing.assert_close(found[i], jacobian.trace())
        torch.testing.assert_close(guess[i], e @ jacobian @ e)


def test_the_guess_is_right_on_average():
    x, t = double(1, 3).expand(20_000, 3), torch.full((20_000,), 0.3).double()
    a = double(3, 3)

    def velocity(x, t):
        return torch.sin(x @ a)

    guesses = fm.divergence(velocity, x, t, double(20_000, 3))
    error = guesses.std().item() / 20_000**0.5
    assert guesses.mean().item() == pytest.approx(fm.divergence(velocity, x[:1], t[:1]).item(), abs=4 * error)


def test_divergence_works_without_gradients_and_leaves_none():
    net = velocity_nets.PointNet(2, 1)
    for weight in net.parameters():
        nn.init.normal_(weight)
    x, t, y = torch.randn(5, 2), torch.rand(5), torch.zeros(5, dtype=torch.long)
    with torch.no_grad():
        inside = fm.divergence(lambda x, t: net(x, t, y), x, t)
    outside = fm.divergence(lambda x, t: net(x, t, y), x, t)
    torch.testing.assert_close(inside, outside)
    assert not outside.requires_grad and not x.requires_grad
    assert all(weight.grad is None for weight in net.parameters())


def test_the_log_density_of_gaussian_data_is_that_of_torch():
    target, x = Gaussian(), double(6, 3)
    torch.testing.assert_close(
        fm.log_prob(target.velocity, x, steps=100), target.at(1.0).log_prob(x), atol=1e-3, rtol=0
    )


def test_a_density_integrates_to_one_whatever_the_field():
    at, area = densities.grid(100, edge=8)
    total = fm.log_prob(lambda x, t: torch.sin(2 * x.flip(1)) + 0.3 * x * t[:, None], at, steps=20).exp().sum() * area
    assert total.item() == pytest.approx(1, abs=2e-3)


# ---- score


@pytest.mark.parametrize("t", [0.0, 0.3, 0.9])
def test_the_score_is_the_slope_of_the_log_density(t):
    target, x = Gaussian(), double(5, 3).requires_grad_()
    (slope,) = torch.autograd.grad(target.at(t).log_prob(x).sum(), x)
    v = target.velocity(x.detach(), same_time(x, t))
    torch.testing.assert_close(fm.score(v, x.detach(), same_time(x, t)), slope)


# ---- guidance


def test_guidance_goes_along_the_line_through_both_velocities():
    conditional, unconditional = double(3, 1, 2, 2), double(3, 1, 2, 2)
    torch.testing.assert_close(fm.guided(conditional, unconditional, 0.0), unconditional)
    torch.testing.assert_close(fm.guided(conditional, unconditional, 1.0), conditional)
    beyond = fm.guided(conditional, unconditional, 3.0)
    torch.testing.assert_close(beyond - conditional, 2 * (conditional - unconditional))


def test_guidance_of_a_score_is_ho_and_salimans():
    """(1 + w) conditional - w unconditional, with w one less than ours; what is linear in v is guided alike."""
    v, u, x, t = double(4, 3), double(4, 3), double(4, 3), torch.rand(4).double()
    scores = [fm.score(one, x, t) for one in (v, u)]
    torch.testing.assert_close(fm.score(fm.guided(v, u, 2.5), x, t), 2.5 * scores[0] - 1.5 * scores[1])


# ---- the sampler


class Towards(nn.Module):
    """Goes in a straight line to the point of its class; without a label, to the mean of all."""

    n_classes = 3

    def __init__(self) -> None:
        super().__init__()
        self.points, self.norm = nn.Parameter(double(3, 2)), nn.Dropout(0.9)

    def forward(self, x, t, y):
        ends = torch.cat([self.points, self.points.mean(dim=0, keepdim=True)])[y]
        return self.norm(ends - x) / (1 - t[:, None])


@pytest.mark.parametrize("step", [fm.euler_step, fm.midpoint_step])
@pytest.mark.parametrize("training", [True, False])
def test_a_sampler_arrives_at_its_class_and_leaves_the_network_as_it_was(step, training):
    net, x_0, y = Towards().train(training), double(6, 2), torch.arange(6) % 3
    x_1 = fm.sample(net, x_0, y, 4, step=step)
    if step is fm.euler_step:
        torch.testing.assert_close(x_1, net.points.data[y])
    assert net.training == training and not x_1.requires_grad
    assert all(weight.requires_grad for weight in net.parameters())


def test_without_weight_a_sampler_knows_no_class_and_above_1_it_overshoots():
    net, x_0, y = Towards(), double(6, 2), torch.arange(6) % 3
    middle, ends = net.points.data.mean(dim=0), net.points.data[y]
    torch.testing.assert_close(fm.sample(net, x_0, y, 3, weight=0.0, step=fm.euler_step), middle.expand(6, 2))
    far = fm.sample(net, x_0, y, 1, weight=2.0, step=fm.euler_step)
    torch.testing.assert_close(far, middle + 2 * (ends - middle))


def test_a_sampler_of_many_steps_agrees_with_scipy():
    net = velocity_nets.PointNet(2, 2).double()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.3)
    x_0, y, none = double(5, 2), torch.tensor([0, 1, 0, 1, 1]), torch.full((5,), 2)

    @torch.no_grad()
    def velocity(x, t):
        return net(x, t, none) + 1.5 * (net(x, t, y) - net(x, t, none))

    torch.testing.assert_close(fm.sample(net, x_0, y, 100, 1.5), by_scipy(x_0, velocity), atol=1e-3, rtol=1e-3)


# ---- the model


def small_model(**settings) -> fm.FlowMatching:
    return fm.FlowMatching(velocity_nets.UNet((1, 8, 4), 3, channels=4), (1, 8, 4), **settings)


def noise_images(count: int = 40) -> data.Images:
    return data.Images(torch.randint(0, 256, (count, 1, 8, 4)).byte(), torch.arange(count) % 3, 256, "noise")


def test_the_model_plays_its_average_draws_and_its_history_has_the_loss():
    model = small_model(ema=0.9, weight=2.0)
    history = training.play(model, noise_images(), steps=5, batch_size=8)
    assert list(history.terms) == ["loss"] and len(history.terms["loss"]) == 5
    x = model.sample(model.noise(6), torch.arange(6) % 3, steps=2)
    assert x.shape == (6, 1, 8, 4) and x.min() >= 0 and x.max() <= 1
    assert model.best is model.average.module
    assert not torch.equal(model.best.last.bias, model.net.last.bias)


def test_labels_are_withheld_as_often_as_asked():
    y = torch.arange(3000) % 3
    assert torch.equal(small_model(drop=0.0).withheld(y), y)
    assert (small_model(drop=1.0).withheld(y) == 3).all()
    assert (small_model(drop=0.2).withheld(y) == 3).float().mean().item() == pytest.approx(0.2, abs=0.03)


def test_the_weighting_and_the_times_are_those_that_were_given():
    model, x, y = small_model(drop=0.0), torch.rand(4, 1, 8, 4), torch.zeros(4, dtype=torch.long)
    model.times, model.weighting = lambda count: torch.full((count,), 0.5), lambda t: 3 * t
    torch.manual_seed(1)
    found = copy.deepcopy(model).update(x, y).loss
    torch.manual_seed(1)
    squares = (2 * x - 1 - model.noise(4).view_as(x)).square().flatten(1).sum(dim=1)  # an untrained network says 0
    torch.testing.assert_close(found, 1.5 * squares.mean())


def test_losses_are_those_of_an_update_and_leave_the_model_as_it_was():
    model, x, y = small_model(), torch.rand(4, 1, 8, 4), torch.zeros(4, dtype=torch.long)
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(1)
    with torch.no_grad():
        found = model.losses(x, y).loss
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.net.parameters())
    torch.manual_seed(1)
    torch.testing.assert_close(found, model.update(x, y).loss)


def test_logit_normal_times_prefer_the_middle():
    t = fm.logit_normal_times(20_000)
    assert 0 < t.min() and t.max() < 1
    inner = ((t > 0.25) & (t < 0.75)).float().mean().item()
    assert inner == pytest.approx(
        2 * torch.distributions.Normal(0, 1).cdf(torch.tensor(math.log(3))).item() - 1, abs=0.02
    )
    assert ((fm.uniform_times(20_000) > 0.25).float().mean().item()) == pytest.approx(0.75, abs=0.02)


# ---- the networks


@pytest.mark.parametrize(
    ("net", "shape"),
    [(velocity_nets.PointNet(2, 3), (5, 2)), (velocity_nets.UNet((1, 8, 4), 3, channels=4), (5, 1, 8, 4))],
)
def test_a_network_sees_place_time_and_class_and_begins_at_0(net, shape):
    x, t, y = torch.randn(shape), torch.rand(5), torch.tensor([0, 1, 2, 3, 0])
    assert (net(x, t, y) == 0).all()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.2)
    v = net(x, t, y)
    assert v.shape == x.shape
    for other in (net(x + 0.1, t, y), net(x, t * 0.9, y), net(x, t, y.flip(0))):
        assert not torch.allclose(v, other)
    torch.testing.assert_close(net(x[:2], t[:2], y[:2]), v[:2])  # examples do not mix


# ---- bad input

POINTS, IMAGES, TIMES = torch.zeros(4, 2), torch.zeros(4, 1, 2, 3), torch.full((4,), 0.5)
LABELS, STILL = torch.zeros(4, dtype=torch.long), lambda x, t: torch.zeros_like(x)


def drawn(x_0=POINTS, y=LABELS, steps=3, **settings):
    return fm.sample(velocity_nets.PointNet(2, 3), x_0, y, steps, **settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fm.interpolate(POINTS, torch.zeros(4, 3), TIMES), r"x_0 \(4, 2\) and x_1 \(4, 3\)"),
        (lambda: fm.interpolate(POINTS, POINTS, TIMES[:, None]), r"t must have the shape \(4,\).* not \(4, 1\)"),
        (lambda: fm.interpolate(POINTS, POINTS, TIMES + 1), r"t must lie in \[0, 1\], and goes from 1.5 to 1.5"),
        (lambda: fm.interpolate(POINTS, POINTS, TIMES - 1), r"t must lie in \[0, 1\], and goes from -0.5"),
        (lambda: fm.interpolate(POINTS, POINTS, TIMES * math.nan), r"t must lie in \[0, 1\], and goes from nan"),
        (lambda: fm.training_step(STILL, None, POINTS, IMAGES, TIMES), "x_0 .* and x_1 .* must have the same shape"),
        (lambda: fm.training_step(STILL, None, POINTS, POINTS, TIMES + 1), r"t must lie in \[0, 1\]"),
        (lambda: fm.training_step(STILL, None, POINTS, POINTS, TIMES, torch.ones(4, 1)), r"weight .*\(4,\).*\(4, 1\)"),
        (lambda: fm.euler_step(STILL, POINTS, TIMES, 0.0), "dt must not be 0, and is 0.0"),
        (lambda: fm.euler_step(STILL, POINTS, TIMES, math.nan), "dt must not be 0, and is nan"),
        (lambda: fm.euler_step(STILL, POINTS, TIMES, 0.75), r"t \+ dt must lie in \[0, 1\], and goes from 1.25"),
        (lambda: fm.midpoint_step(STILL, POINTS, TIMES, -0.75), r"t \+ dt must lie in \[0, 1\], and goes from -0.25"),
        (lambda: fm.midpoint_step(STILL, POINTS, TIMES[:3], 0.1), r"t must have the shape \(4,\)"),
        (lambda: fm.divergence(STILL, POINTS, TIMES, torch.zeros(4, 3)), r"eps \(4, 3\) and x \(4, 2\)"),
        (lambda: fm.divergence(STILL, POINTS, TIMES + 1), r"t must lie in \[0, 1\]"),
        (lambda: fm.score(POINTS, IMAGES, TIMES), "v .* and x_t .* must have the same shape"),
        (lambda: fm.score(POINTS, POINTS, TIMES * 2), "t must be below 1, and is 1"),
        (lambda: fm.guided(POINTS, IMAGES, 1.0), "conditional .* and unconditional .* must have the same shape"),
        (lambda: fm.guided(POINTS, POINTS, -0.5), "weight must be at least 0, not -0.5"),
        (lambda: drawn(steps=0), "steps must be at least 1, not 0"),
        (lambda: drawn(y=LABELS + 3), r"labels must be classes 0 .. 2, one of them is 3"),
        (lambda: drawn(y=LABELS[:3]), r"labels must have shape \(4,\)"),
        (lambda: fm.log_prob(STILL, POINTS, steps=0), "steps must be at least 1, not 0"),
        (lambda: small_model(drop=1.5), r"drop must lie in \[0, 1\], and is 1.5"),
        (lambda: velocity_nets.UNet((1, 8, 6), 3), "multiple of 4, not 8x6 pixels"),
    ],
)
def test_bad_input_is_refused_with_the_number_seen(call, message):
    with pytest.raises(ValueError, match=message):
        call()
