"""Probes of lab 2: starter/vae.py."""

from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from ..compare import Arrays
from .core import Draw, alone, case, first, gradients_of, named, observe, probe, scaled, tensor


@probe("vae-1")
def reparameterize(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim")
    inputs = {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var", "eps")}
    seen = observe(module.reparameterize, inputs, ("mu", "log_var"))
    seen |= case("one example", observe(module.reparameterize, first(inputs)))
    for log_var in (-20, 20):  # as large or small as any network says
        far = {"mu": 0 * inputs["mu"], "log_var": tensor(np.full((b, latent_dim), log_var)), "eps": inputs["eps"]}
        found = observe(module.reparameterize, far)
        seen |= case(f"extreme log_var {log_var}", scaled(found, np.exp(-log_var / 2)))
    return seen


@probe("vae-2")
def kl_divergence(module: ModuleType, draw: Draw) -> Arrays:
    b, latent_dim = draw.dims("B", "latent_dim", low=3)  # of 2 latents the mean would be half of the sum
    inputs = {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var")}
    seen = observe(module.kl_divergence, inputs, ("mu", "log_var"))
    seen |= case("one example", observe(module.kl_divergence, first(inputs)))
    for log_var, factor in ((-25, 1), (25, np.exp(-25))):
        far = {"mu": inputs["mu"], "log_var": tensor(np.full((b, latent_dim), log_var))}
        seen |= case(f"extreme log_var {log_var}", scaled(observe(module.kl_divergence, far), factor))
    return seen


@probe("vae-3")
def bernoulli_nll(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    far = inputs | {"logits": 60 * inputs["logits"].sign()}  # sigmoid of it is 0 or 1 in float32
    seen = observe(module.bernoulli_nll, inputs, ("logits",))
    seen |= case("one example", observe(module.bernoulli_nll, first(inputs)))
    return seen | case("extreme logits +-60", observe(module.bernoulli_nll, far))


@probe("vae-4")
def gaussian_nll(module: ModuleType, draw: Draw) -> Arrays:
    b, c, h, w = draw.batch()
    inputs = {"x_hat": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs["log_sigma"] = tensor(np.array(draw.number(0.5, 0.8)))  # so wide that its two gradients never cancel
    seen = observe(module.gaussian_nll, inputs, ("x_hat", "log_sigma"))
    near = inputs | {"x_hat": inputs["x"] + 0.05 * inputs["x_hat"], "log_sigma": torch.tensor(-1.2)}  # sigma is 0.3
    seen |= case("sigma of 0.3, nearly right", observe(module.gaussian_nll, near, ("x_hat", "log_sigma")))
    seen |= case(
        "one example, log_sigma is 0", observe(module.gaussian_nll, first(near | {"log_sigma": torch.zeros(())}))
    )
    far = observe(module.gaussian_nll, inputs | {"log_sigma": torch.tensor(-8.0)})
    return seen | case("extreme log_sigma -8", scaled(far, np.exp(-16)))


@probe("vae-5", "bernoulli_nll", "gaussian_nll", "kl_divergence")
def elbo(module: ModuleType, draw: Draw) -> Arrays:
    (b, c, h, w), (latent_dim,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    inputs = {"logits": draw.mixed(b, c, h, w), "x": draw.uniform(b, c, h, w)}
    inputs |= {name: draw.mixed(b, latent_dim) for name in ("mu", "log_var")}
    beta, log_sigma = draw.number(2, 3), {"log_sigma": tensor(np.array(draw.number(0.2, 0.5)))}
    seen = observe(module.elbo, inputs, ("logits", "mu", "log_var"), beta=beta)
    gaussian = observe(module.elbo, inputs | log_sigma, ("logits", "log_sigma"), beta=beta)
    plain = observe(module.elbo, inputs)
    one = first(inputs) | {name: inputs[name][:1] for name in ("mu", "log_var")} | {"log_sigma": torch.zeros(())}
    far = first(inputs | {"logits": 60 * inputs["logits"].sign()})
    far["log_var"][..., 0] = -20  # a latent that is all but certain
    return (
        seen
        | case("Gaussian", gaussian)
        | {"loss (beta not given)": plain.get("loss", np.array("missing"))}
        | case("one example, log_sigma is 0, beta below 1", observe(module.elbo, one, beta=draw.number(0.3, 0.6)))
        | case("one example, extreme logits +-60, beta is 0", observe(module.elbo, far, beta=0.0))
    )


@probe("vae-6")
def importance_weighted_bound(module: ModuleType, draw: Draw) -> Arrays:
    k, b = draw.dims("K", "B", low=3)
    inputs = {name: draw.mixed(k, b) for name in ("log_p_x_given_z", "log_p_z", "log_q_z")}
    seen = observe(module.importance_weighted_bound, inputs, tuple(inputs))
    one = {name: log_p[:1, :1].clone() for name, log_p in inputs.items()}
    one["log_p_x_given_z"] += 6  # away from 0
    inputs["log_p_x_given_z"] -= 400  # an image of a few hundred pixels: exp() of it is 0 in float32
    for name in ("log_p_z", "log_q_z"):
        inputs[name] = inputs[name] - 30  # of a few latents
    far = alone(observe(module.importance_weighted_bound, inputs))
    seen["result + 400 when log p is near -400"] = far + 400 if far.dtype.kind == "f" else far
    inputs["log_p_x_given_z"] -= tensor(np.linspace(1600, -1200, b))  # those of large images, or of densities
    found = observe(module.importance_weighted_bound, inputs)
    seen |= case("extreme log p from -2000 to 800, in thousands", scaled(found, 1e-3))
    return seen | case("one example and sample", observe(module.importance_weighted_bound, one))


@probe("vae-7", spared={"extreme": "torch.sigmoid has no far end"})
def sample_prior(module: ModuleType, draw: Draw) -> Arrays:
    (n, c, h, w), (latent_dim,) = draw.batch(), draw.dims("latent_dim", low=7, high=8)
    decoder = nn.Sequential(draw.linear(latent_dim, c * h * w), nn.Unflatten(1, (c, h, w)))
    inputs = {"eps": draw.mixed(n, latent_dim)}
    temperature = draw.number(0.3, 0.5)
    seen = observe(lambda eps: module.sample_prior(decoder, eps, temperature), inputs)
    trains = decoder.training
    plain = observe(lambda eps: module.sample_prior(decoder.eval(), eps), inputs)
    seen["training and evaluation mode before and after"] = np.array([[True, trains], [False, decoder.training]])
    grey = nn.Sequential(draw.linear(latent_dim, h * w), nn.Unflatten(1, (1, h, w)))
    one = {"eps": inputs["eps"][:1]}
    warm = observe(lambda eps: module.sample_prior(decoder, eps, 1.5), inputs)
    seen["can be trained as found"] = np.array([weight.requires_grad for weight in decoder.parameters()])
    seen |= case("temperature above 1", warm)
    seen |= case("one example, temperature is 0", observe(lambda eps: module.sample_prior(grey, eps, 0.0), one))
    return seen | {"result (temperature not given)": alone(plain)}


class Halves(nn.Module):
    """What `vae_terms` is given: two networks that change with their mode, and count how often they are asked."""

    def __init__(self, draw: Draw, shape: list[int], latent_dim: int, beta: float, log_sigma: float | None) -> None:
        super().__init__()
        size = int(np.prod(shape))
        there, back = draw.linear(size, 2 * latent_dim), draw.linear(latent_dim, size)
        self.encoder = nn.Sequential(nn.Flatten(), there, nn.BatchNorm1d(2 * latent_dim))
        self.decoder = nn.Sequential(nn.Tanh(), back, nn.BatchNorm1d(size), nn.Unflatten(1, shape))
        self.beta, back.bias.requires_grad = beta, False
        self.log_sigma = None if log_sigma is None else nn.Parameter(torch.tensor(log_sigma))
        self.calls, self.modes = {"encoder": 0, "decoder": 0}, list[bool]()
        for name in self.calls:
            self.get_submodule(name).register_forward_pre_hook(lambda net, _, name=name: self.asked(name, net))

    def asked(self, name: str, net: nn.Module) -> None:
        self.calls[name] += 1
        self.modes.append(net.training)


@probe("vae-8", spared={"extreme": "that is its neighbours' task"})
def vae_terms(module: ModuleType, draw: Draw) -> Arrays:
    """With pieces that are nobody's: bent noise, and a bound in which no mean can be taken too early.

    Three codes; then one, of Gaussian pixels; then two of one image, in evaluation mode, with beta 0.
    """
    (b, c, h, w), (latent_dim,), samples = draw.batch(), draw.dims("latent_dim", low=7, high=8), 3
    x, eps = draw.uniform(b, c, h, w), draw.mixed(samples, b, latent_dim)
    model = Halves(draw, [c, h, w], latent_dim, draw.number(2, 3), None)
    wide = Halves(draw, [c, h, w], latent_dim, draw.number(0.4, 0.6), draw.number(0.2, 0.5))
    late = Halves(draw, [1, h, w], latent_dim, 0.0, 0.0).eval()
    seen = terms_of(module, model, x, eps)
    seen |= case("one code, Gaussian", terms_of(module, wide, x, eps[:1]))
    last = terms_of(module, late, x[:1, :1], eps[:2, :1])
    return seen | case("one example, evaluation mode, beta and log_sigma is 0", last)


def terms_of(module: ModuleType, model: Halves, x: Tensor, eps: Tensor) -> Arrays:
    asked: list[tuple[int, ...]] = []
    modes = [net.training for net in model.modules()]
    learns = [weight.requires_grad for weight in model.parameters()]

    def noise(like: Tensor) -> Tensor:
        asked.append(tuple(like.shape))
        return eps.clone()

    def bent(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
        return mu + (1.5 + log_var.sin()) * eps

    def bound(  # of other defaults than the lab's
        logits: Tensor, x: Tensor, mu: Tensor, log_var: Tensor, beta: float = 7.0, log_sigma: Tensor | None = None
    ) -> tuple:
        if logits.shape != x.shape:
            raise ValueError(f"logits {tuple(logits.shape)} and x {tuple(x.shape)} must have the same shape")
        narrow = 1.0 if log_sigma is None else torch.exp(-0.5 - log_sigma)
        distances = (logits - 3 * x).square().flatten(1).sum(dim=1)
        reconstruction = (1 + narrow * distances).log().mean()
        kl = (mu.square() + log_var.cos()).sum(dim=1).sqrt().mean()
        return module.ELBO(reconstruction + beta * kl, reconstruction, kl)

    def told(x: Tensor) -> tuple:
        found.append(module.vae_terms(model, x, len(eps), noise, bent, bound))
        return found[0]

    found: list = []
    seen = observe(told, {"x": x})
    slopes = {n: a for n, a in model.named_parameters() if n in ("encoder.1.weight", "decoder.1.weight", "log_sigma")}
    return (
        seen
        | gradients_of(named(found[0]), slopes)
        | {
            "how often the encoder and the decoder are asked": np.array([*model.calls.values()]),
            "shapes of the noise": np.array(asked).ravel(),
            "mode as found, in every call and after": np.array(
                [net.training for net in model.modules()] == modes
                and all(mode == model.training for mode in model.modes)
            ),
            "what can learn is as found": np.array([weight.requires_grad for weight in model.parameters()] == learns),
        }
    )
