"""Lab 2: the variational autoencoder. An autoencoder whose codes follow a distribution we can sample from.

Images x are float32 (B, C, H, W) in [0, 1]. Sums over dimensions, means over the batch, everything in nats.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def reparameterize(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """Turn standard-normal noise into a sample of q(z | x).

    Each number of the noise is scaled by sigma, the standard deviation of its latent, and then shifted by the mean of
    its latent: where the noise is 0, the sample is the mean. What is given is the logarithm of the variance sigma^2.

    The noise is an argument, so a test can fix it, and gradients reach mu and log_var.

    Args:
        mu: mean of q(z | x), shape (B, latent_dim).
        log_var: natural log of its diagonal variance, shape (B, latent_dim).
        eps: standard-normal noise, shape (B, latent_dim).

    Returns:
        z, shape (B, latent_dim).

    Source: Kingma & Welling 2014, "Auto-encoding variational Bayes", section 2.4.
    """
    # TODO vae-1: scale the noise by the standard deviation, then shift it by the mean.
    raise NotImplementedError("vae-1")  # YOUR CODE HERE


def kl_divergence(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(q(z | x) || p(z)) between a diagonal Gaussian and the standard normal, one number per example.

    One latent costs half of this: the square of its mean, plus its variance, minus 1, minus the natural logarithm of
    its variance. The costs of an example's latents add up. (Where q is the standard normal itself, they are 0.)

    Args:
        mu: mean of q(z | x), shape (B, latent_dim).
        log_var: natural log of its diagonal variance, shape (B, latent_dim).

    Returns:
        KL in nats, shape (B,), never negative.

    Source: Kingma & Welling 2014, appendix B (there with the opposite sign).
    """
    # TODO vae-2: four terms, half of their sum over the latents.
    raise NotImplementedError("vae-2")  # YOUR CODE HERE


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x | z) of a decoder that gives the probability of every pixel, one number per example.

    -log p(x | z) = -sum_i [x_i log p_i + (1 - x_i) log(1 - p_i)],  p = sigmoid(logits)

    For pixels that are 0 or 1 this is a negative log-likelihood. For grey ones it is the cross-entropy: it
    lacks the normalising constant of a density of grey values, that of the continuous Bernoulli (Loaiza-Ganem &
    Cunningham 2019).

    Args:
        logits: decoder output before the sigmoid, shape (B, C, H, W).
        x: images in [0, 1], the same shape.

    Returns:
        Negative log-likelihood in nats, for grey pixels without that constant, shape (B,).

    Raises:
        ValueError: the shapes differ (broadcasting would hide it).

    Source: Kingma & Welling 2014, appendix C.1.
    """
    if logits.shape != x.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and x {tuple(x.shape)} must have the same shape")
    # TODO vae-3: cross-entropy of every pixel from its logit, summed over the three dimensions of an image.
    raise NotImplementedError("vae-3")  # YOUR CODE HERE


def gaussian_nll(x_hat: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
    """-log p(x | z) of a decoder that gives the mean of every pixel, one number per example.

    -log N(x; x_hat, sigma^2 I) = sum_i [ (x_i - x_hat_i)^2 / (2 sigma^2) + log sigma + 1/2 log(2 pi) ]

    With all its constants, so that it is a density in nats and models with different sigma can be compared.

    Args:
        x_hat: decoder output, the mean of every pixel, shape (B, C, H, W).
        x: images in [0, 1], the same shape.
        log_sigma: natural log of the standard deviation that all pixels share, a scalar tensor (it can be learned).

    Returns:
        Negative log-likelihood in nats, shape (B,).

    Raises:
        ValueError: the shapes differ (broadcasting would hide it).

    Source: Kingma & Welling 2014, appendix C.2.
    """
    if x_hat.shape != x.shape:
        raise ValueError(f"x_hat {tuple(x_hat.shape)} and x {tuple(x.shape)} must have the same shape")
    # TODO vae-4: three terms for every pixel, summed over the three dimensions of an image.
    raise NotImplementedError("vae-4")  # YOUR CODE HERE


class ELBO(NamedTuple):
    """Terms of the negative evidence lower bound, in nats per image."""

    loss: Tensor  # reconstruction + beta * kl, the number to minimise
    reconstruction: Tensor  # -E_q[log p(x | z)]
    kl: Tensor  # KL(q(z | x) || p(z)), never weighted; in closed form never negative


def elbo(
    logits: Tensor, x: Tensor, mu: Tensor, log_var: Tensor, beta: float = 1.0, log_sigma: Tensor | None = None
) -> ELBO:
    """Negative ELBO of a batch, and its two terms.

    loss = -E_q[log p(x | z)] + beta * KL(q(z | x) || p(z)), each averaged over the batch

    Args:
        logits: decoder output, shape (B, C, H, W).
        x: images in [0, 1], the same shape.
        mu, log_var: parameters of q(z | x), shape (B, latent_dim).
        beta: weight of the KL inside the loss; 1 is the bound itself.
        log_sigma: None for Bernoulli pixels; otherwise the decoder is Gaussian, and this is its log sigma.

    Returns:
        ELBO(loss, reconstruction, kl), three scalars.

    Source: Kingma & Welling 2014, section 2.2; beta: Higgins et al. 2017, "beta-VAE".
    """
    # TODO vae-5: put bernoulli_nll or gaussian_nll and kl_divergence together, averaged over the batch.
    raise NotImplementedError("vae-5")  # YOUR CODE HERE


def vae_terms(
    vae: nn.Module,
    x: Tensor,
    samples: int = 1,
    noise: Callable[[Tensor], Tensor] = torch.randn_like,
    draw: Callable[[Tensor, Tensor, Tensor], Tensor] = reparameterize,
    bound: Callable[..., ELBO] = elbo,
) -> ELBO:
    """Build it: from images to the bound. No formula here, only what must hold.

    - The encoder is asked once, about every image. What it says is mu beside log_var, (B, 2 * latent_dim).
    - Every image gets `samples` codes, by `draw`. All noise comes from one call of `noise`, which is handed a tensor of
      the shape that it shall have, (samples, B, latent_dim), on the right device; number k of it belongs to code k.
    - The decoder is asked once, about all the codes, as one batch.
    - The terms come from `bound`, with the model's own beta and log_sigma. It averages over the rows that it is given:
      each code is judged against its own image.
    - Gradients reach both networks, and modes are the caller's business.

    Args:
        vae: has encoder, decoder, beta, and log_sigma (a scalar tensor, or None for Bernoulli pixels).
        x: images in [0, 1], shape (B, C, H, W).
        samples: codes for each image, at least 1. Training takes one.
        noise: tensor -> standard-normal noise of its shape.
        draw: reparameterize, or another with the same arguments.
        bound: elbo, or another with the same arguments.

    Returns:
        ELBO(loss, reconstruction, kl), three scalars.

    Raises:
        ValueError: no samples.

    Source: Kingma & Welling 2014, section 2.3, whose L is our samples.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    # TODO vae-8: encode; codes of all images; decode them; repeat the images so that they meet their codes.
    raise NotImplementedError("vae-8")  # YOUR CODE HERE


def importance_weighted_bound(log_p_x_given_z: Tensor, log_p_z: Tensor, log_q_z: Tensor) -> Tensor:
    """A lower bound on log p(x) from K samples of q(z | x), tighter than the ELBO for K > 1.

    L_K = log 1/K sum_k w_k,  w_k = p(x | z_k) p(z_k) / q(z_k | x)

    Log-densities of images are hundreds of nats below zero: exp() of them is 0 in float32.

    Args:
        log_p_x_given_z, log_p_z, log_q_z: log-densities of K samples for B images, shape (K, B).

    Returns:
        The bound in nats, shape (B,).

    Source: Burda et al. 2016, "Importance weighted autoencoders", section 3.
    """
    # TODO vae-6: the log of the mean of the weights, from log weights alone.
    raise NotImplementedError("vae-6")  # YOUR CODE HERE


@torch.no_grad()
def sample_prior(decoder: nn.Module, eps: Tensor, temperature: float = 1.0) -> Tensor:
    """New images: decode samples of the prior N(0, temperature^2 I), and return the probability of every pixel.

    x ~ p(x | z),  z = temperature * eps; shown is the mean of p(x | z), not a draw from it

    Args:
        decoder: maps z (N, latent_dim) to logits (N, C, H, W). It decodes in the mode in which it comes, training or
            evaluation, and is left in it: modes are the caller's business.
        eps: standard-normal noise, shape (N, latent_dim).
        temperature: standard deviation of z; below 1 gives safer and more alike images.

    Returns:
        Images in [0, 1], shape (N, C, H, W).
    """
    # TODO vae-7: scale the noise, decode it, turn logits into probabilities.
    raise NotImplementedError("vae-7")  # YOUR CODE HERE


class VAE(nn.Module):
    """encoder: x -> (B, 2 * latent_dim), mu beside log_var; decoder: z -> logits, or means when sigma is given."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, beta: float = 1.0, sigma: float | None = None) -> None:
        super().__init__()
        self.encoder, self.decoder, self.beta = encoder, decoder, beta
        self.log_sigma = None if sigma is None else nn.Parameter(torch.tensor(math.log(sigma)))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.encoder(x).chunk(2, dim=1)  # (B, latent_dim) each
        return mu, log_var

    def forward(self, x: Tensor) -> Tensor:
        mu, log_var = self.encode(x)
        return self.decoder(reparameterize(mu, log_var, torch.randn_like(mu)))

    def terms(self, x: Tensor) -> ELBO:
        return vae_terms(self, x)

    def images(self, z: Tensor) -> Tensor:
        """Decode codes to pixels in [0, 1]."""
        return self.decoder(z).sigmoid() if self.log_sigma is None else self.decoder(z).clamp(0, 1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the mean of q(z | x): what a VAE shows, without noise."""
        return self.images(self.encode(x)[0])

    def log_weights(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log p(x | z), log p(z), log q(z | x), each (K, B), for the K samples that eps (K, B, latent_dim) makes."""
        mu, log_var = self.encode(x)
        z = torch.stack([reparameterize(mu, log_var, noise) for noise in eps])  # (K, B, latent_dim)
        log_p_x_given_z = torch.stack([-self.nll(self.decoder(code), x) for code in z])
        log_q_z = log_normal((z - mu) / (0.5 * log_var).exp()) - 0.5 * log_var.sum(dim=1)
        return log_p_x_given_z, log_normal(z), log_q_z

    def nll(self, logits: Tensor, x: Tensor) -> Tensor:
        return bernoulli_nll(logits, x) if self.log_sigma is None else gaussian_nll(logits, x, self.log_sigma)


def log_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I) in nats, summed over the last dimension."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=-1)
