"""Probes of lab 2: starter/vae.py."""

from types import ModuleType

import numpy as np
from torch import nn

from ..compare import Arrays
from .core import Draw, observe, probe, tensor


@probe("vae-1")
def reparameterize(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim")
    inputs = {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var", "eps")}
    return observe(module.reparameterize, inputs, ("mu", "log_var"))


@probe("vae-2")
def kl_divergence(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim", low=3)  # of 2 latents the mean would be half of the sum
    inputs = {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var")}
    return observe(module.kl_divergence, inputs, ("mu", "log_var"))


@probe("vae-3")
def bernoulli_nll(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    far = inputs | {"logits": 60 * inputs["logits"].sign()}  # sigmoid of it is 0 or 1 in float32
    seen = observe(module.bernoulli_nll, inputs, ("logits",))
    return seen | {"result of logits +-60": observe(module.bernoulli_nll, far)["result"]}


@probe("vae-4")
def gaussian_nll(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"x_hat": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs["log_sigma"] = tensor(np.array(draw.number(0.5, 0.8)))  # so wide that its two gradients never cancel
    return observe(module.gaussian_nll, inputs, ("x_hat", "log_sigma"))


@probe("vae-5", "bernoulli_nll", "gaussian_nll", "kl_divergence")
def elbo(module: ModuleType, draw: Draw) -> Arrays:
    (b, c, h, w), (latent_dim,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs |= {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var")}
    beta, log_sigma = draw.number(2, 3), {"log_sigma": tensor(np.array(draw.number(0.2, 0.5)))}
    seen = observe(module.elbo, inputs, ("logits", "mu", "log_var"), beta=beta)
    gaussian = observe(module.elbo, inputs | log_sigma, ("logits", "log_sigma"), beta=beta)
    plain = observe(module.elbo, inputs)
    return (
        seen
        | {f"{name} (Gaussian)": value for name, value in gaussian.items()}
        | {"loss (beta not given)": plain.get("loss", np.array("missing"))}
    )


@probe("vae-6")
def importance_weighted_bound(module: ModuleType, draw: Draw) -> Arrays:
    k, b = draw.dims("K", "B", low=3)
    inputs = {name: draw.mixed(k, b) for name in ("log_p_x_given_z", "log_p_z", "log_q_z")}
    seen = observe(module.importance_weighted_bound, inputs, tuple(inputs))
    inputs["log_p_x_given_z"] -= 400  # an image of a few hundred pixels: exp() of it is 0 in float32
    far = observe(module.importance_weighted_bound, inputs)["result"]
    return seen | {"result + 400 when log p is near -400": far + 400 if far.dtype.kind == "f" else far}


@probe("vae-7")
def sample_prior(module: ModuleType, draw: Draw) -> Arrays:
    (n, c, h, w), (latent_dim,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    decoder = nn.Sequential(draw.linear(latent_dim, c * h * w), nn.Unflatten(1, (c, h, w)))
    inputs = {"eps": draw.mixed(n, latent_dim)}
    temperature = draw.number(0.3, 0.5)
    seen = observe(lambda eps: module.sample_prior(decoder, eps, temperature), inputs)
    trains = decoder.training
    plain = observe(lambda eps: module.sample_prior(decoder.eval(), eps), inputs)
    seen["training before and after"] = np.array([[True, trains], [False, decoder.training]])
    return seen | {"result (temperature not given)": plain["result"]}
