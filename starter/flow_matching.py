"""Lab 12: flow matching and diffusion. A field of velocities carries noise to data, and plain regression learns it.

Time t runs from 0, where all is noise x_0 ~ N(0, I), to 1, where it is data x_1. Images are float32 (B, C, H, W), in
[-1, 1] inside, in [0, 1] outside; points are (B, D), and other shapes (B, …) are welcome. Every example has a time of
its own, (B,). A velocity is any function (x, t) -> the shape of x, in units of x per unit of t. Squares are summed over
an example's numbers, and averaged over the batch. Whatever noise and times a blank needs are its arguments, which stay
as they were. All numbers are float32.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from starter.support.data import check_labels, signed, unit
from starter.support.nets import moving_average

Velocity = Callable[[Tensor, Tensor], Tensor]  # x (B, …), t (B,) -> (B, …)
Step = Callable[[Velocity, Tensor, Tensor, float], Tensor]  # velocity, x, t, dt -> x at t + dt
Guide = Callable[[Tensor, Tensor, float], Tensor]  # conditional, unconditional, weight -> velocity
SLACK = 1e-4  # by which a sum of steps may miss 1


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor) -> Tensor:
    """Where a particle is at time t that goes from noise to data in a straight line, at constant speed.

    x_t is a mixture of the two ends, with weights that add up to 1: at t = 0 it is x_0, at t = 1 it is x_1, and the
    weight of x_1 grows in proportion to t. Each example has one t, for all of its numbers.

    Args:
        x_0: noise, shape (B, …): images (B, C, H, W), or points (B, D).
        x_1: as much data, the same shape.
        t: times, shape (B,), in [0, 1].

    Returns:
        x_t, the shape of x_0.

    Raises:
        ValueError: the shapes do not fit, or a time lies outside [0, 1].

    Source: Liu et al. 2023, "Flow straight and fast", section 2.1; Lipman et al. 2023, "Flow matching for generative
    modeling", section 4.1, example II with sigma_min = 0.
    """
    check_pairs(x_0=x_0, x_1=x_1)
    check_times(t, len(x_0))
    # TODO fm-1: give t as many dimensions as an example has, then weigh the two; images and points alike.
    raise NotImplementedError("fm-1")  # YOUR CODE HERE


def training_step(
    velocity: Velocity, optimizer: Optimizer, x_0: Tensor, x_1: Tensor, t: Tensor, weight: Tensor | None = None
) -> Tensor:
    """One step of the whole method: ask the field at a point of the path, compare with the path's velocity, descend.

    loss = 1/B sum_b weight_b |velocity(x_t, t)_b - dx_t/dt_b|^2,  x_t = interpolate(x_0, x_1, t)

    |.|^2 is summed over the numbers of an example. Many paths cross at x_t: what the regression finds there is their
    mean velocity, E[x_1 - x_0 | x_t], and the field of these means carries N(0, I) to the data.

    Args:
        velocity: a function; the weights behind it learn.
        optimizer: of these weights; gradients of an earlier step may still be there.
        x_0, x_1, t: as in `interpolate`.
        weight: of every example in the loss, shape (B,); None is 1 for all.

    Returns:
        The loss before the step, a scalar without a graph.

    Raises:
        ValueError: as `interpolate`, or weights that are not one number per example.

    Source: Liu et al. 2023, section 2.1.
    """
    check_pairs(x_0=x_0, x_1=x_1)
    check_times(t, len(x_0))
    if weight is not None and weight.shape != t.shape:
        raise ValueError(f"weight must have the shape {tuple(t.shape)}, one per example, not {tuple(weight.shape)}")
    # TODO fm-2: the velocity along a straight line is the same all the way: which? Then the loss, and one step.
    raise NotImplementedError("fm-2")  # YOUR CODE HERE


def euler_step(velocity: Velocity, x: Tensor, t: Tensor, dt: float) -> Tensor:
    """One step along the field as if it did not change on the way: the error of the whole way falls like dt.

    Euler's method: the velocity at the beginning holds for all of dt.

    Args:
        velocity: the field.
        x: where the particles are, shape (B, …).
        t: at which time, shape (B,), in [0, 1].
        dt: length of the step; a negative one goes back, towards noise.

    Returns:
        x at t + dt, the same shape.

    Raises:
        ValueError: dt is 0, or the step begins or ends outside [0, 1].
    """
    check_step(x, t, dt)
    # TODO fm-3: the velocity where the particles are, and for how long it moves them.
    raise NotImplementedError("fm-3")  # YOUR CODE HERE


def midpoint_step(velocity: Velocity, x: Tensor, t: Tensor, dt: float) -> Tensor:
    """One step with the velocity of its middle: asks the field twice, and the error of the whole way falls like dt^2.

    The middle is half a step away in time, and half an Euler step away in space.

    Args, Returns, Raises: as `euler_step`.
    """
    check_step(x, t, dt)
    # TODO fm-4: go half of the way, look at the field there, and take the whole step from the start.
    raise NotImplementedError("fm-4")  # YOUR CODE HERE


def divergence(velocity: Velocity, x: Tensor, t: Tensor, eps: Tensor | None = None) -> Tensor:
    """How fast the field spreads a small cloud around x: the trace of its Jacobian, exact or guessed from one draw.

    div = sum_i d velocity_i / d x_i ;  with eps: eps^T (d velocity / d x) eps, whose mean over eps ~ N(0, I) is div

    The exact one takes a backward pass for each of the D numbers of an example, the guess a single one.

    Args:
        velocity: the field, computed from x; an example's velocity depends on no other example.
        x: shape (B, …).
        t: shape (B,), in [0, 1].
        eps: noise of the shape of x for the guess; None for the exact trace.

    Returns:
        One number per example, shape (B,), without a graph. It also works where gradients are switched off.

    Raises:
        ValueError: a time outside [0, 1], or eps of another shape than x.

    Source: the guess: Hutchinson 1990; for fields: Grathwohl et al. 2019, "FFJORD", section 3.1.
    """
    check_times(t, len(x))
    if eps is not None and eps.shape != x.shape:
        raise ValueError(f"eps {tuple(eps.shape)} and x {tuple(x.shape)} must have the same shape")
    # TODO fm-5: gradients of (parts of) the velocity in x; one product with eps, or the diagonal number by number.
    raise NotImplementedError("fm-5")  # YOUR CODE HERE


def score(v: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """The slope of log p_t at x_t, from the velocity there: what a diffusion model learns, a flow matcher knows.

    Of all noise x_0 that may have led to x_t, the mean is x_t - t v; and along a path that ends in x_1, x_t is normal
    with the mean t x_1 and the deviation 1 - t. Hence

    score = -E[x_0 | x_t] / (1 - t)

    Args:
        v: velocity(x_t, t), shape (B, …).
        x_t: where, the same shape.
        t: shape (B,), in [0, 1): at 1 the deviation is 0, and there is no slope.

    Returns:
        The gradient of log p_t(x_t) in x_t, the shape of x_t.

    Raises:
        ValueError: the shapes do not fit, or a time outside [0, 1).

    Source: for any normal path Lipman et al. 2023, section 4; the probability flow of a score: Song et al. 2021,
    "Score-based generative modeling through stochastic differential equations", section 4.3.
    """
    check_pairs(v=v, x_t=x_t)
    check_times(t, len(x_t))
    if (t >= 1).any():
        raise ValueError(f"t must be below 1, and is {t.max():.6g}: without noise the density has no slope")
    # TODO fm-6: the mean of the noise first; then its share of the deviation.
    raise NotImplementedError("fm-6")  # YOUR CODE HERE


def guided(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """Further towards the label than the label itself asks for: classifier-free guidance.

    Along the line through the two velocities, `weight` is 0 at the one without a label and 1 at the one with it;
    above 1 lies beyond.

    Args:
        conditional: velocity under the labels, shape (B, …).
        unconditional: velocity under none, the same shape.
        weight: not negative.

    Returns:
        The guided velocity, the same shape.

    Raises:
        ValueError: the shapes differ, or weight is negative: that would lead away from the label.

    Source: Ho & Salimans 2022, "Classifier-free diffusion guidance", whose w is our weight - 1.
    """
    check_pairs(conditional=conditional, unconditional=unconditional)
    if not weight >= 0:
        raise ValueError(f"weight must be at least 0, not {weight}: a negative one leads away from the label")
    # TODO fm-7: begin at the one without a label, and go `weight` times the way to the other.
    raise NotImplementedError("fm-7")  # YOUR CODE HERE


def sample(
    net: nn.Module,
    x_0: Tensor,
    y: Tensor,
    steps: int,
    weight: float = 1.0,
    step: Step = midpoint_step,
    guide: Guide = guided,
) -> Tensor:
    """Build it: the sampler. From noise to data of the ordered classes, in as many steps as one can afford.

    - The way from t = 0 to t = 1 is cut into `steps` equal parts, and `step` takes each of them.
    - The velocity at any point of it comes from `guide`, asked once, with this weight and with two answers of the
      network: one for the labels y, and one for no label, which is the class number net.n_classes.
    - The network answers in evaluation mode. Afterwards it is in the mode in which it was found.
    - What comes out has no graph, and x_0 and y are as they were.

    Args:
        net: (x, t, y) -> velocity; has `n_classes`.
        x_0: noise, shape (B, …).
        y: classes, int64, shape (B,).
        steps: at least 1.
        weight: of the guidance.
        step: euler_step, midpoint_step or another with the same arguments.
        guide: guided, or another with the same arguments.

    Returns:
        Where the particles are at t = 1, the shape of x_0, nothing clipped.

    Raises:
        ValueError: no step, or labels of another shape or type, or outside the classes.
    """
    check_steps(steps)
    check_labels(y, len(x_0), net.n_classes)
    # TODO fm-8: a velocity (x, t) of two answers; then a loop. Mind the mode, and that nobody needs a graph.
    raise NotImplementedError("fm-8")  # YOUR CODE HERE


def log_prob(velocity: Velocity, x: Tensor, steps: int = 50, eps: Tensor | None = None) -> Tensor:
    """log p(x) in nats, shape (B,): back to the noise by midpoint steps, and the divergence summed up on the way.

    log p(x) = log N(x_0; 0, I) - integral from 0 to 1 of div velocity(x_t, t) dt

    Exact but for the steps and, with eps (the shape of x), for the guess of the divergence.

    Raises:
        ValueError: no step.

    Source: Chen et al. 2018, "Neural ordinary differential equations", theorem 1; Song et al. 2021, section 4.3.
    """
    check_steps(steps)
    shape = x.shape

    def both(state: Tensor, t: Tensor) -> Tensor:  # particles, and what their log-density has lost so far
        at = state[:, :-1].reshape(shape)
        return torch.cat([velocity(at, t).flatten(1), divergence(velocity, at, t, eps)[:, None]], dim=1)

    with torch.no_grad():
        state = torch.cat([x.flatten(1), x.new_zeros(len(x), 1)], dim=1)
        for i in range(steps):
            state = midpoint_step(both, state, x.new_full((len(x),), 1 - i / steps), -1 / steps)
    x_0, change = state[:, :-1], state[:, -1]  # from 1 to 0, hence minus the integral
    return -0.5 * x_0.square().sum(dim=1) - 0.5 * x_0.shape[1] * math.log(2 * math.pi) + change


def check_pairs(**tensors: Tensor) -> None:
    (one, first), (other, second) = tensors.items()
    if first.shape != second.shape:
        raise ValueError(f"{one} {tuple(first.shape)} and {other} {tuple(second.shape)} must have the same shape")


def check_times(t: Tensor, count: int) -> None:
    if tuple(t.shape) != (count,):
        raise ValueError(f"t must have the shape ({count},), one time per example, not {tuple(t.shape)}")
    if not ((t >= -SLACK) & (t <= 1 + SLACK)).all():
        raise ValueError(f"t must lie in [0, 1], and goes from {t.min():.3g} to {t.max():.3g}")


def check_step(x: Tensor, t: Tensor, dt: float) -> None:
    check_times(t, len(x))
    if not abs(dt) > 0:
        raise ValueError(f"dt must not be 0, and is {dt}")
    end = t + dt
    if not ((end >= -SLACK) & (end <= 1 + SLACK)).all():
        raise ValueError(f"t + dt must lie in [0, 1], and goes from {end.min():.3g} to {end.max():.3g}")


def check_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")


def uniform_times(count: int) -> Tensor:
    """Every time alike, shape (count,)."""
    return torch.rand(count)


def logit_normal_times(count: int) -> Tensor:
    """Sigmoids of normal numbers, shape (count,): the middle of the way more often than its ends.

    Source: Esser et al. 2024, "Scaling rectified flow transformers for high-resolution image synthesis", section 3.1.
    """
    return torch.randn(count).sigmoid()


class FlowTerms(NamedTuple):
    """What one update was about."""

    loss: Tensor  # squared velocity, summed over an image


class FlowMatching(nn.Module):
    """A network of velocities, its optimiser and how it draws: `training.play` calls `update` with every batch."""

    def __init__(
        self,
        net: nn.Module,  # (x, t, y) -> velocity; has `n_classes`, and knows that number as "no label"
        shape: tuple[int, ...],  # of one example
        *,
        lr: float = 1e-3,
        drop: float = 0.1,  # share of the labels that are withheld, so that the network knows "no label", too
        ema: float | None = None,  # decay of the moving average of the weights that then draws the samples
        times: Callable[[int], Tensor] = uniform_times,
        weighting: Callable[[Tensor], Tensor] | None = None,  # t -> weight in the loss
        steps: int = 10,  # of `sample`
        weight: float = 1.0,  # of the guidance in `sample`
        step: Step = midpoint_step,
    ) -> None:
        super().__init__()
        if not 0 <= drop <= 1:
            raise ValueError(f"drop must lie in [0, 1], and is {drop}: it is a share of the labels")
        self.net, self.shape, self.n_classes, self.latent_dim = net, shape, net.n_classes, math.prod(shape)
        self.drop, self.times, self.weighting = drop, times, weighting
        self.steps, self.weight, self.step = steps, weight, step
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
        self.average = moving_average(net, self.optimizer, ema) if ema else None

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.latent_dim, device=next(self.parameters()).device)

    def update(self, x: Tensor, y: Tensor) -> FlowTerms:
        """One step on data x in [0, 1] with labels y."""
        return self.stepped(x, y, self.optimizer)

    def losses(self, x: Tensor, y: Tensor) -> FlowTerms:
        """What `update` would report, without a step: by an optimiser that stands still."""
        still = torch.optim.SGD(self.net.parameters(), lr=0.0)
        with torch.enable_grad():
            terms = self.stepped(x, y, still)
        still.zero_grad()
        return terms

    def stepped(self, x: Tensor, y: Tensor, optimizer: Optimizer) -> FlowTerms:
        x_1, t = signed(x), self.times(len(x)).to(x)
        x_0, y = self.noise(len(x)).view_as(x), self.withheld(y)
        weight = None if self.weighting is None else self.weighting(t)
        return FlowTerms(training_step(self.velocity(y), optimizer, x_0, x_1, t, weight))

    def withheld(self, y: Tensor) -> Tensor:
        """The labels, a share `drop` of them replaced by "no label"."""
        return torch.where(torch.rand(len(y), device=y.device) < self.drop, self.n_classes, y)

    def velocity(self, y: Tensor) -> Velocity:
        return lambda x, t: self.net(x, t, y)

    @property
    def best(self) -> nn.Module:
        """The network to draw with."""
        return self.average.module if self.average else self.net

    def sample(self, z: Tensor, y: Tensor, **settings) -> Tensor:
        """Data in [0, 1] of the classes y, from noise z (N, latent_dim); settings as those of the lab's `sample`."""
        chosen = {"steps": self.steps, "weight": self.weight, "step": self.step} | settings
        return unit(sample(self.best, z.view(-1, *self.shape), y, **chosen).clamp(-1, 1))
