"""Lab 4: the flow VAE. Bend the posterior and the prior of a VAE with invertible maps.

Codes are float32 (B, latent_dim), images (B, C, H, W) in [0, 1]. Sums over dimensions, everything in nats.

Directions, as everywhere (support/flows.py): forward goes from data to latent, inverse from latent to data. For a
posterior q(z | x) the "data" are the codes z_K and the "latent" is the Gaussian draw z_0: sampling, z_0 -> z_K, is
`inverse`. That is the direction in which a planar flow is written down; its other direction has no closed form.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from starter.support.flows import Flow, check_finite, same_shape

from .vae import ELBO, VAE, bernoulli_nll, log_normal, reparameterize


def u_hat(w: Tensor, u: Tensor) -> Tensor:
    """The vector of a planar flow, moved along w until the flow is invertible: w . u_hat > -1.

    u_hat = u + [m(w . u) - w . u] w / ||w||^2,  m(a) = -1 + log(1 + e^a)

    m is above -1 everywhere and close to a - 1 for large a: there exp(a) overflows in float32, so take F.softplus.

    Args:
        w, u: one vector per example, shape (B, latent_dim).

    Returns:
        u_hat, shape (B, latent_dim); row i depends on row i of w and u alone.

    Raises:
        ValueError: a row of w is zero (or so small that its square is): it has no direction to move along.

    Source: Rezende & Mohamed 2015, "Variational inference with normalizing flows", appendix A.1.
    """
    same_shape(w=w, u=u)
    if zero := len(w) - int(w.square().sum(dim=1).count_nonzero()):
        raise ValueError(f"w must not be zero: ||w||^2 = 0 in {zero} of its {len(w)} rows, and u_hat divides by it")
    # TODO flow-1: add what is missing from w . u to m(w . u), along w.
    raise NotImplementedError("flow-1")  # YOUR CODE HERE


def planar(z: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    """Push every code along u_hat, by how far it lies beyond the plane w . z + b = 0.

    How far it lies beyond is the number w . z + b of each example. Its hyperbolic tangent, between -1 and 1, says which
    multiple of u_hat is added to the code; on the plane itself nothing moves.

    Args:
        z: codes, shape (B, latent_dim).
        w, u: one vector per example, the same shape; u is not yet constrained, call `u_hat`.
        b: one number per example, shape (B,).

    Returns:
        z', shape (B, latent_dim).

    Source: Rezende & Mohamed 2015, equation 10.
    """
    same_shape(z=z, w=w, u=u)
    same_shape(b=b, examples=z[:, 0])
    # TODO flow-2: one number per example, times its vector u_hat, added to its code.
    raise NotImplementedError("flow-2")  # YOUR CODE HERE


def planar_log_det(z: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    """How much `planar` stretches the neighbourhood of every code: log |det dz'/dz|.

    log |1 + u_hat . psi(z)|,  psi(z) = (1 - tanh(w . z + b)^2) w

    No determinant of a matrix is needed: dz'/dz = I + u_hat psi^T has rank one beside the identity.

    Args:
        z, w, u, b: as in `planar`; z is the code before the step.

    Returns:
        log_det in nats, shape (B,).

    Source: Rezende & Mohamed 2015, equations 11 and 12.
    """
    same_shape(z=z, w=w, u=u)
    same_shape(b=b, examples=z[:, 0])
    # TODO flow-3: psi first, then its product with the same u_hat that `planar` uses.
    raise NotImplementedError("flow-3")  # YOUR CODE HERE


def undo_planar(z: Tensor, w: Tensor, u: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Build it: the way back through a planar step. No formula here, and no closed form: only what must hold.

    - `planar` sends the code that is returned to z, to five digits. Each example is found by itself.
    - So it is wherever `planar` can be: also if it carries codes a hundred times their own length, also if it is close
      to a fold (where w . u_hat is near -1).
    - log_det is that of the way back, where the way back begins at z.

    Args:
        z: codes after the step, shape (B, latent_dim).
        w, u, b: as in `planar`.

    Returns:
        (the codes before the step, log_det in nats), shapes (B, latent_dim) and (B,). No gradient is asked for.

    Source: that there is a way back: Rezende & Mohamed 2015, appendix A.1.
    """
    same_shape(z=z, w=w, u=u)
    same_shape(b=b, examples=z[:, 0])
    # TODO flow-8: the one number of each example that is not known, between two that enclose it; then code and log_det.
    raise NotImplementedError("flow-8")  # YOUR CODE HERE


def chain(flows: Sequence[Flow], x: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    """Several flows as one: each takes what the one before it gave.

    f = f_n ∘ … ∘ f_1,  log |det df| = sum_k log |det df_k|, each taken where f_k is applied

    Args:
        flows: f_1 … f_n, in the order of forward.
        x: where to start, shape (B, latent_dim): data for "forward", latents for "inverse".
        direction: "forward" or "inverse".

    Returns:
        (where it ends, the sum of all log_det), shapes (B, latent_dim) and (B,).

    Raises:
        ValueError: an unknown direction.

    Source: Rezende & Mohamed 2015, section 3.1.
    """
    if direction not in ("forward", "inverse"):
        raise ValueError(f'direction must be "forward" or "inverse", not {direction!r}')
    # TODO flow-4: forward from first to last, inverse from last to first; sum the log-determinants.
    raise NotImplementedError("flow-4")  # YOUR CODE HERE


def flow_elbo(
    logits: Tensor,
    x: Tensor,
    mu: Tensor,
    log_var: Tensor,
    z_0: Tensor,
    z_k: Tensor,
    log_det: Tensor,
    log_prior: Callable[[Tensor], Tensor] = log_normal,
    beta: float = 1.0,
) -> ELBO:
    """Negative ELBO whose posterior is a flow, from one sample, one number per example and term.

    kl = log q_K(z_K | x) - log p(z_K),  log q_K(z_K | x) = log N(z_0; mu, sigma^2) - log_det

    Nothing of it is analytic: the closed-form KL of lab 2 holds for Gaussians, and q_K is none. A single sample of
    log q - log p may well be negative; only its mean over many samples may not.

    Args:
        logits: the decoder's output for z_K, shape (B, C, H, W).
        x: images in [0, 1], the same shape.
        mu, log_var: parameters of the Gaussian that z_0 was drawn from, shape (B, latent_dim).
        z_0, z_k: the draw before and after the flow, the same shape.
        log_det: log |det dz_K/dz_0|, summed over all steps of the flow, shape (B,).
        log_prior: z -> log p(z), shape (B,); the standard normal unless a prior is learned.
        beta: weight of the KL inside the loss.

    Returns:
        ELBO(loss, reconstruction, kl), each of shape (B,): the K-sample bound needs every example's.

    Raises:
        ValueError: x has nan or infinite pixels, or log_det is not one number per example.

    Source: Rezende & Mohamed 2015, equation 13 (log q_K) and the free energy that follows from it.
    """
    check_finite(x=x)
    same_shape(mu=mu, log_var=log_var, z_0=z_0, z_k=z_k)
    same_shape(log_det=log_det, examples=x[:, 0, 0, 0])
    # TODO flow-5: two log-densities, each taken at its own z; then bernoulli_nll and the weighted sum.
    raise NotImplementedError("flow-5")  # YOUR CODE HERE


Net = Callable[[Tensor], tuple[Tensor, Tensor]]


def coupling(x: Tensor, net: Net, direction: str) -> tuple[Tensor, Tensor]:
    """Scale and shift the second half of every code by functions of its first half, or undo that.

    forward:  z_a = x_a,  z_b = x_b * exp(log_s) + t,     log_det = sum_i log s_i
    inverse:  x_a = z_a,  x_b = (z_b - t) * exp(-log_s),  log_det = -sum_i log s_i

    with log_s, t = net(first half): it is the same before and after, so `net` itself is never inverted.

    Args:
        x: codes, shape (B, latent_dim), latent_dim even; the latents z for "inverse".
        net: the first half (B, latent_dim / 2) -> log_s, t, each of the same shape.
        direction: "forward" or "inverse".

    Returns:
        (the other side, log_det), shapes (B, latent_dim) and (B,).

    Raises:
        ValueError: an odd latent_dim, or an unknown direction.

    Source: Dinh et al. 2017, "Density estimation using Real NVP", section 3.2.
    """
    if x.ndim != 2 or x.shape[1] % 2:
        raise ValueError(f"x must be (B, latent_dim) with an even latent_dim, not {tuple(x.shape)}")
    if direction not in ("forward", "inverse"):
        raise ValueError(f'direction must be "forward" or "inverse", not {direction!r}')
    # TODO flow-6: split, ask the net, change the second half in the given direction, join.
    raise NotImplementedError("flow-6")  # YOUR CODE HERE


def flow_log_prob(flow: Flow, x: Tensor) -> Tensor:
    """Log-density of data under a flow with a standard-normal latent: the change of variables.

    How likely is the latent that x becomes, and how much does the way there stretch space around x? Where it stretches,
    data are denser than their latents.

    Args:
        flow: can do forward. It works in the mode in which it comes, training or evaluation, and is left in it.
        x: points, shape (B, dim); for a learned prior these are the codes of a VAE.

    Returns:
        log p(x) in nats, shape (B,).

    Source: Dinh et al. 2017, section 3.1.
    """
    # TODO flow-7: where does the flow send x, how likely is that, and how much was space stretched on the way?
    raise NotImplementedError("flow-7")  # YOUR CODE HERE


class Chain(Flow):
    """Flows one after another; forward in the order given, inverse in the opposite one."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return chain(self.flows, x, "forward")

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return chain(self.flows, z, "inverse")


class PlanarFlow(Flow):
    """One planar step, from z_0 towards z_K: `inverse`, the direction of sampling. `forward` has to search.

    All examples share one w, u, b. With `groups` above 1 the batch consists of that many equal blocks, each with
    its own: several targets are fitted in one run.
    """

    def __init__(self, dim: int, groups: int = 1) -> None:
        super().__init__()
        w = torch.randn(groups, dim) / math.sqrt(dim)
        identity = math.log(math.e - 1) * w / w.square().sum(dim=1, keepdim=True)  # m(w . u) = 0 there, so u_hat = 0
        self.w, self.u = nn.Parameter(w), nn.Parameter(identity + 0.1 * torch.randn(groups, dim))
        self.b = nn.Parameter(torch.zeros(groups))

    def forward(self, x: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled():
            raise NotImplementedError("PlanarFlow.forward searches and has no gradient: call it under torch.no_grad()")
        return undo_planar(x, *self.parameters_of(x, *context))

    def inverse(self, z: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
        parameters = self.parameters_of(z, *context)
        return planar(z, *parameters), planar_log_det(z, *parameters)

    def parameters_of(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """w, u, b, a row for each example."""
        repeat = len(z) // len(self.w)
        w, u = (p[:, None].expand(-1, repeat, -1).reshape(z.shape) for p in (self.w, self.u))
        return w, u, self.b[:, None].expand(-1, repeat).reshape(-1)


class AmortisedPlanarFlow(PlanarFlow):
    """A planar step whose w, u, b depend on a context h (B, context): a linear layer moves the shared ones by it.

    At first it moves nothing: then the step is a PlanarFlow.

    Source: Rezende & Mohamed 2015, section 4.
    """

    def __init__(self, dim: int, context: int) -> None:
        super().__init__(dim)
        self.head = nn.Linear(context, 2 * dim + 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def parameters_of(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dim = z.shape[1]
        w, u, b = self.head(h).split([dim, dim, 1], dim=1)
        return self.w + w, self.u + u, self.b + b[:, 0]


class Conditioner(nn.Module):
    """The network of a coupling: half a code -> log_s in (-1, 1) and t. Starts at 0: the coupling as the identity."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 2 * dim))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_s, t = self.layers(x).chunk(2, dim=1)
        return torch.tanh(log_s), t


class AffineCoupling(Flow):
    """One coupling step, in both directions at the same cost. `swap`: the first half is transformed, not the second."""

    def __init__(self, dim: int, hidden_dim: int = 32, swap: bool = False) -> None:
        super().__init__()
        self.net, self.shift = Conditioner(dim // 2, hidden_dim), dim // 2 if swap else 0

    def step(self, x: Tensor, direction: str) -> tuple[Tensor, Tensor]:
        moved, log_det = coupling(x.roll(self.shift, dims=1), self.net, direction)
        return moved.roll(-self.shift, dims=1), log_det

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(x, "forward")

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(z, "inverse")


class MaskedLinear(nn.Linear):
    """A linear layer in which some weights are always 0."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())  # (out, in), 1: passes through

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class InverseAutoregressive(Flow):
    """x_i = g_i z_i + (1 - g_i) m_i, where gate g_i and mean m_i see only z_1 … z_{i-1}.

    inverse, the direction of sampling, takes one pass; forward has to find z_1, z_2, … in turn, one pass for each.
    `flip` reverses the order of the dimensions, so that in a chain each of them gets to see the others. With `context`
    the hidden layer is shown h (B, context), too.

    Source: Kingma et al. 2016, "Improving variational inference with inverse autoregressive flow", section 4;
    masks: Germain et al. 2015, "MADE".
    """

    def __init__(self, dim: int, hidden_dim: int = 32, flip: bool = False, context: int = 0) -> None:
        super().__init__()
        self.dim, self.dims = dim, [1] if flip else []
        into = torch.arange(dim)  # the number of a dimension
        unit = torch.arange(hidden_dim) % max(dim - 1, 1)  # a hidden unit sees dimensions up to this one
        self.hidden = MaskedLinear(unit[:, None] >= into[None, :])
        self.out = MaskedLinear((into[:, None] > unit[None, :]).repeat(2, 1))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.context = nn.Linear(context, hidden_dim, bias=False) if context else None

    def gate_mean(self, z: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """log g and m, each (B, dim). At the start g is 0.88 and m is 0: not far from the identity."""
        hidden = self.hidden(z) if self.context is None else self.hidden(z) + self.context(h)
        gate, mean = self.out(torch.relu(hidden)).chunk(2, dim=1)
        return F.logsigmoid(gate + 2), mean

    def inverse(self, z: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = z.flip(self.dims)
        log_gate, mean = self.gate_mean(z, h)
        return torch.lerp(mean, z, log_gate.exp()).flip(self.dims), log_gate.sum(dim=1)

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = x.flip(self.dims)
        z = torch.zeros_like(x)
        for _ in range(self.dim):  # pass i makes z_1 … z_i right
            log_gate, mean = self.gate_mean(z, h)
            z = mean + (x - mean) * (-log_gate).exp()
        return z.flip(self.dims), -self.gate_mean(z, h)[0].sum(dim=1)


class Given(Flow):
    """A flow under its context h (B, context): what is left is a flow like any other."""

    def __init__(self, flow: nn.Module, h: Tensor) -> None:
        super().__init__()
        self.flow, self.h = flow, h

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.flow.forward(x, self.h)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.flow.inverse(z, self.h)


class Amortised(nn.Module):
    """Flows that need a context: every image has a flow of its own, and one network gives them all."""

    def __init__(self, flows: Sequence[nn.Module]) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)

    def given(self, h: Tensor) -> Chain:
        return Chain([Given(flow, h) for flow in self.flows])


def planar_flows(dim: int, steps: int, groups: int = 1) -> Chain:
    return Chain([PlanarFlow(dim, groups) for _ in range(steps)])


def amortised_planar_flows(dim: int, steps: int, context: int) -> Amortised:
    return Amortised([AmortisedPlanarFlow(dim, context) for _ in range(steps)])


def coupling_flows(dim: int, steps: int, hidden_dim: int = 32) -> Chain:
    return Chain([AffineCoupling(dim, hidden_dim, swap=k % 2 == 1) for k in range(steps)])


def autoregressive_flows(dim: int, steps: int, hidden_dim: int = 32) -> Chain:
    return Chain([InverseAutoregressive(dim, hidden_dim, flip=k % 2 == 1) for k in range(steps)])


def amortised_autoregressive_flows(dim: int, steps: int, context: int, hidden_dim: int = 32) -> Amortised:
    return Amortised([InverseAutoregressive(dim, hidden_dim, k % 2 == 1, context) for k in range(steps)])


class FlowVAE(VAE):
    """A VAE with Bernoulli pixels and a flow in its posterior, its prior, or both; without flows it is a VAE.

    posterior: z_K = inverse(z_0) bends the Gaussian of the encoder; where its flows are amortised, the encoder's last
    hidden layer is their context. prior: log p(z) = flow_log_prob(prior, z).
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        posterior: Flow | Amortised | None = None,
        prior: Flow | None = None,
        beta: float = 1.0,
        floor: float = 0.0,  # free bits: nats per latent that the code may cost
    ) -> None:
        super().__init__(encoder, decoder, beta)
        self.posterior, self.prior, self.floor = posterior, prior, floor

    def log_prior(self, z: Tensor) -> Tensor:
        return log_normal(z) if self.prior is None else flow_log_prob(self.prior, z)

    def bend(self, z_0: Tensor, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z_0 -> z_K, and log |det dz_K/dz_0|. Amortised flows must know the images x."""
        if self.posterior is None:
            return z_0, z_0.new_zeros(len(z_0))
        amortised = isinstance(self.posterior, Amortised)
        flow = self.posterior.given(self.encoder[:-1](x)) if amortised else self.posterior
        return flow.inverse(z_0)

    def bound(self, x: Tensor, eps: Tensor | None = None) -> tuple[ELBO, Tensor]:
        """The terms of every example, and the codes z_K, for the noise eps (B, latent_dim), drawn if not given."""
        mu, log_var = self.encode(x)
        z_0 = reparameterize(mu, log_var, torch.randn_like(mu) if eps is None else eps)
        z_k, log_det = self.bend(z_0, x)
        return flow_elbo(self.decoder(z_k), x, mu, log_var, z_0, z_k, log_det, self.log_prior, self.beta), z_k

    def forward(self, x: Tensor) -> Tensor:
        mu, log_var = self.encode(x)
        return self.decoder(self.bend(reparameterize(mu, log_var, torch.randn_like(mu)), x)[0])

    def terms(self, x: Tensor) -> ELBO:
        """Behind a flow the KL has no share of one latent: free bits are an allowance of the code as a whole."""
        terms = ELBO(*(term.mean() for term in self.bound(x)[0]))
        if self.floor <= 0:
            return terms
        latent_dim = self.encode(x[:1])[0].shape[1]
        return terms._replace(loss=terms.reconstruction + self.beta * terms.kl.clamp(min=self.floor * latent_dim))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode where the flow sends the mean of q_0: what a flow VAE shows, without noise."""
        return self.images(self.bend(self.encode(x)[0], x)[0])

    def sample(self, eps: Tensor) -> Tensor:
        """New images (N, C, H, W) in [0, 1] from standard-normal noise (N, latent_dim), through the prior."""
        return self.images(eps if self.prior is None else self.prior.inverse(eps)[0])

    def log_weights(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log p(x | z), log p(z), log q(z | x), each (K, B), for the K samples that eps (K, B, latent_dim) makes."""
        likelihood, prior, posterior = [], [], []
        for noise in eps:
            terms, z_k = self.bound(x, noise)
            likelihood.append(-terms.reconstruction)
            prior.append(self.log_prior(z_k))
            posterior.append(terms.kl + prior[-1])
        return torch.stack(likelihood), torch.stack(prior), torch.stack(posterior)
