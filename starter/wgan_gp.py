"""Lab 9: Wasserstein GANs. The critic measures a distance that still has a slope where every discriminator is certain.

Images x are float32 (B, C, H, W) in [0, 1] outside, in [-1, 1] inside. A critic f gives every image one score of any
size, shape (B,): no probability. Means over the batch. Noise (z, eps) is an argument wherever a blank needs some; only
the whole step, wgan-8, draws its own z.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from starter.support.data import signed
from starter.support.nets import frozen

from .gan import GAN, generator_step


def critic_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """What the critic minimises: minus its estimate of the Wasserstein distance between real and fake images.

    The estimate: by how much real images score higher than fake ones, each on average. Its maximum over all f with
    slopes of at most 1 is the distance W1 itself (Kantorovich and Rubinstein).

    Args:
        real_scores: f(x), shape (B,).
        fake_scores: f(G(z)), shape (B,).

    Returns:
        A scalar, unbounded to both sides.

    Raises:
        ValueError: scores that are not one number per image: (B, 1) and (B,) would broadcast to (B, B).

    Source: Arjovsky et al. 2017, "Wasserstein GAN", section 3.
    """
    one_per_image(real_scores=real_scores, fake_scores=fake_scores)
    # TODO wgan-1: the difference of two means, such that a smaller loss separates real from fake images better.
    raise NotImplementedError("wgan-1")  # YOUR CODE HERE


def generator_loss(fake_scores: Tensor) -> Tensor:
    """What the generator minimises: the only part of the distance that it can change.

    It wants its images to score high, on average, as real ones do.

    Args:
        fake_scores: f(G(z)), shape (B,).

    Returns:
        A scalar, unbounded to both sides.

    Raises:
        ValueError: fake_scores is not one number per image.

    Source: Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1.
    """
    one_per_image(fake_scores=fake_scores)
    # TODO wgan-2: the generator wants the critic's scores of its images to rise.
    raise NotImplementedError("wgan-2")  # YOUR CODE HERE


def clip_weights(critic: nn.Module, c: float) -> None:
    """The first way to bound a critic's slopes: after every step no weight may be larger than c, in place.

    w <- min(max(w, -c), c)

    The tensors stay the same ones, because the optimiser holds them; buffers are no weights and stay as they are.

    Args:
        critic: any network.
        c: the bound, above 0.

    Raises:
        ValueError: c is not above 0.

    Source: Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1.
    """
    if not c > 0:
        raise ValueError(f"c must be above 0, and is {c}: weights are kept in [-c, c]")
    # TODO wgan-3: every parameter of the critic, in place, and without autograd noticing.
    raise NotImplementedError("wgan-3")  # YOUR CODE HERE


def mix(real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    """A random point on the line between each real example and a fake one: where the penalty looks at the slope.

    x_hat is a mixture of the real example x and of G(z), with weights that add up to 1: that of the real one is eps,
    drawn from U[0, 1]. Each example has one eps, for all of its numbers.

    Args:
        real: examples, shape (B, …): images (B, C, H, W), or points (B, 2).
        fake: as many generated ones, the same shape.
        eps: shape (B,), in [0, 1].

    Returns:
        x_hat, the shape of real.

    Raises:
        ValueError: the shapes do not fit, or eps lies outside [0, 1] (normal noise would).

    Source: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", algorithm 1.
    """
    if real.shape != fake.shape:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)} must have the same shape")
    if eps.shape != real.shape[:1]:
        raise ValueError(f"eps must have the shape ({len(real)},), one number per example, not {tuple(eps.shape)}")
    if not ((eps >= 0) & (eps <= 1)).all():
        raise ValueError(f"eps must lie in [0, 1], and goes from {eps.min():.3g} to {eps.max():.3g}: take torch.rand")
    # TODO wgan-4: give eps as many dimensions as an example has, then weigh the two; images and points alike.
    raise NotImplementedError("wgan-4")  # YOUR CODE HERE


def gradient_penalty(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The second way: the slope itself becomes a part of the loss. How far is it from 1, at every example?

    penalty = E[(||g|| - 1)^2],  g = gradient of f(x) at x, its norm taken over all numbers of one example

    The best critic has slope 1 along the lines of the cheapest plan from real to fake images, hence two-sided: below 1
    costs as well. Nobody knows the plan, so random pairs stand in for it.
    The result depends on the critic's weights through g, and a step must be able to lower it.

    Args:
        critic: examples to scores (B,); each score depends on its own example only, so no BatchNorm.
        x: where to look, shape (B, …).

    Returns:
        A scalar, never negative. Its gradient reaches the critic's weights, and is finite also where g is 0; no
        gradient is left in them.

    Source: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", equation 3.
    """
    # TODO wgan-5: the gradient of every score at its own example, as a part of the graph; its norm; the mean penalty.
    raise NotImplementedError("wgan-5")  # YOUR CODE HERE


class CriticTerms(NamedTuple):
    """What one step of the critic was about, before the step."""

    distance: Tensor  # E[f(x)] - E[f(G(z))]: W1, in units of the critic's slope
    penalty: Tensor  # never weighted


def critic_step(
    generator: nn.Module,
    critic: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    z: Tensor,
    eps: Tensor,
    weight: float = 10.0,
    penalty: Callable[[nn.Module, Tensor], Tensor] = gradient_penalty,
) -> CriticTerms:
    """One step of the critic. The generator only delivers images: it gets no gradient.

    loss = critic_loss(f(x), f(G(z))) + weight * penalty(f, x_hat),  x_hat = mix(x, G(z), eps)

    Args:
        generator: z -> images in [-1, 1].
        critic: images -> scores (B,).
        optimizer: of the critic's weights; gradients of an earlier step may still be there.
        real: images in [-1, 1], shape (B, C, H, W).
        z: noise of the generator, shape (B, latent_dim).
        eps: of `mix`, shape (B,), in [0, 1].
        weight: lambda, of the penalty in the loss, not negative.
        penalty: (critic, x_hat) -> scalar.

    Returns:
        CriticTerms(distance, penalty), without a graph.

    Raises:
        ValueError: a negative weight.

    Source: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", algorithm 1.
    """
    if not weight >= 0:
        raise ValueError(f"weight must not be negative, and is {weight}: the penalty would reward slopes far from 1")
    # TODO wgan-6: fake images without a graph, both parts of the loss, one step; report the parts.
    raise NotImplementedError("wgan-6")  # YOUR CODE HERE


def generator_moves(step: int, n_critic: int) -> bool:
    """Is it the generator's turn after this step of the critic? After every n_critic of them, it is.

    Its gradient is that of a distance only if the critic is near its best: so the critic goes first, and more often.

    Args:
        step: number of the critic's step, 0 for the first.
        n_critic: steps of the critic for one of the generator, at least 1.

    Returns:
        True or False.

    Raises:
        ValueError: n_critic below 1, or a negative step.

    Source: Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1.
    """
    if n_critic < 1 or step < 0:
        raise ValueError(f"n_critic must be at least 1 and step at least 0, not {n_critic} and {step}")
    # TODO wgan-7: how many steps has the critic made once this one is done?
    raise NotImplementedError("wgan-7")  # YOUR CODE HERE


class WGANTerms(NamedTuple):
    """What one update was about; scores have no unit but the critic's own."""

    distance: Tensor
    penalty: Tensor
    generator: Tensor  # its loss, when it moved last


def wgan_step(
    gan: nn.Module,
    x: Tensor,
    eps: Tensor,
    move_critic: Callable[..., CriticTerms] = critic_step,
    clip: Callable[[nn.Module, float], None] = clip_weights,
    move_generator: Callable[..., Tensor] = generator_step,
) -> WGANTerms:
    """Build it: a whole update, with its schedule. No formula here, only what must hold.

    - Every update is one step of the critic, by `move_critic`, with the game's weight and penalty.
    - Where the game has a bound, gan.clip, `clip` then brings all weights of the critic into it; None is no bound.
    - After every n_critic-th step of the critic the generator moves, by `move_generator`, against the critic as it is
      now. Meanwhile no weight of the critic asks for a gradient; afterwards those that could learn can learn again.
    - Whoever moves gets fresh noise, gan.noise(number of images), and nobody else draws any.
    - gan.step counts the critic's steps, through all updates; gan.generator_value keeps the loss of the generator's
      last move. Both are buffers, which a checkpoint holds: they stay the same tensors.
    - What is returned stays as it is when later updates come.

    Args:
        gan: has generator, discriminator (the critic), their optimisers opt_g and opt_d, g_loss, penalty, weight,
            n_critic, clip, noise, step and generator_value.
        x: real images in [0, 1], shape (B, C, H, W); networks and steps want them in [-1, 1].
        eps: of `mix`, shape (B,), in [0, 1].
        move_critic: critic_step, or another with the same arguments.
        clip: clip_weights, or another.
        move_generator: lab 7's generator_step, or another with the same arguments.

    Returns:
        WGANTerms(distance, penalty, generator), without a graph; `generator` is 0 before its first move.

    Source: Gulrajani et al. 2017, "Improved training of Wasserstein GANs", algorithm 1; its clipping: Arjovsky et al.
    2017, "Wasserstein GAN", algorithm 1.
    """
    # TODO wgan-8: the critic's step, and its bound; the generator's, where it is its turn; then the books.
    raise NotImplementedError("wgan-8")  # YOUR CODE HERE


def one_per_image(**scores: Tensor) -> None:
    for name, values in scores.items():
        if values.ndim != 1:
            raise ValueError(f"{name} must have the shape (B,), one number per image, not {tuple(values.shape)}")


class WGAN(GAN):
    """A GAN whose discriminator is a critic: its slopes are bounded by the penalty or, with `clip`, by clipping.

    One `update` is one step of the critic, and every n_critic-th also one of the generator.
    """

    def __init__(
        self,
        generator: nn.Module,  # z (B, latent_dim) -> images (B, C, H, W) in [-1, 1]
        critic: nn.Module,  # images in [-1, 1] -> scores (B,)
        latent_dim: int,
        *,
        weight: float = 10.0,  # lambda, of the penalty
        n_critic: int = 5,
        clip: float | None = None,  # c
        lr: float = 1e-4,
        lr_d: float | None = None,  # another rate for the critic
        betas: tuple[float, float] = (0.0, 0.9),
        ema: float | None = None,  # of the generator's weights, as in GAN
    ) -> None:
        norms = [name for name, layer in critic.named_modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        if norms:
            raise ValueError(
                f"the critic has BatchNorm (layers {', '.join(norms)}): each score then depends on the whole batch, and"
                " the penalty has no slope at one example to look at; take LayerNorm or none"
            )
        losses = {"d_loss": critic_loss, "g_loss": generator_loss}
        super().__init__(generator, critic, latent_dim, lr=lr, lr_d=lr_d, betas=betas, ema=ema, **losses)
        self.weight, self.n_critic, self.clip = weight, n_critic, clip
        self.penalty = gradient_penalty if clip is None else no_penalty
        self.register_buffer("step", torch.tensor(0))  # buffers, so that a checkpoint has them
        self.register_buffer("generator_value", torch.tensor(0.0))

    def update(self, x: Tensor, y: Tensor) -> WGANTerms:
        return wgan_step(self, x, torch.rand(len(x), device=x.device))


def no_penalty(critic: nn.Module, x: Tensor) -> Tensor:
    return x.new_zeros(())
