"""Given parts of lab 5: the networks inside coupling layers, and an invertible 1x1 convolution.

A network for a coupling takes its masked half (B, C, H, W), with context channels appended where there are any, and
gives log s and t, each (B, C, H, W). It need not be invertible.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import training
from .data import Images
from .flows import Flow
from .models import Coupling, ImageFlow, Terms
from .nets import mlp

Net = Callable[[int, int, int], nn.Module]  # (channels in, hidden channels, channels out) -> network


class ScaleShift(nn.Module):
    """Split a network's output into log s and t, and bound log s to (-exp(bound), exp(bound)).

    log s = exp(bound) * tanh(raw / exp(bound)), one learned bound per channel

    The bound starts at 1: one coupling scales by at most a factor e, however wild its network's output.

    Source: Dinh et al. 2017, "Density estimation using Real NVP" (tanh with a learned scale).
    """

    def __init__(self, net: nn.Module, channels: int, spatial: bool = True) -> None:
        super().__init__()
        self.net = net  # twice as many channels out as the coupling has
        self.bound = nn.Parameter(torch.zeros(channels, 1, 1) if spatial else torch.zeros(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raw, t = self.net(x).chunk(2, dim=1)
        bound = self.bound.exp()
        return bound * torch.tanh(raw / bound), t


class UnboundedPair(nn.Module):
    """log s and t from two networks of their own, and nothing that bounds log s: how not to do it."""

    def __init__(self, s_net: nn.Module, t_net: nn.Module) -> None:
        super().__init__()
        self.s_net, self.t_net = s_net, t_net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.s_net(x), self.t_net(x)


class BoundedPair(UnboundedPair):
    """The same two networks with log s bounded as in ScaleShift, and both starting at zero: the identity."""

    def __init__(self, s_net: nn.Sequential, t_net: nn.Sequential, channels: int) -> None:
        super().__init__(zero_last(s_net), zero_last(t_net))
        self.bound = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bound = self.bound.exp()
        return bound * torch.tanh(self.s_net(x) / bound), self.t_net(x)


class ShiftFirst(nn.Module):
    """A coupling's network for z = (x + t) * exp(log s): as x * exp(log s) + t' with t' = t * exp(log s)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net  # gives log s and t

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_s, t = self.net(x)
        return log_s, t * log_s.exp()


def zero_last(net: nn.Sequential) -> nn.Sequential:
    """The same network with its last layer at zero: a coupling around it starts as the identity."""
    for weight in net[-1].parameters():
        nn.init.zeros_(weight)
    return net


def lean_net(c_in: int, hidden: int, c_out: int) -> nn.Sequential:
    """3x3, 1x1 and 3x3 convolutions with ReLU: a tenth of the time of GatedConvNet."""
    layers = [nn.Conv2d(c_in, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, hidden, 1), nn.ReLU()]
    return zero_last(nn.Sequential(*layers, nn.Conv2d(hidden, c_out, 3, padding=1)))


def plain_net(c_in: int, hidden: int, c_out: int) -> nn.Sequential:
    """c_in -> hidden -> hidden -> c_out, three 3x3 convolutions with ReLU, initialised as PyTorch does."""
    layers = [nn.Conv2d(c_in, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(hidden, c_out, 3, padding=1))


def dense_net(d_in: int, hidden: int, d_out: int) -> nn.Sequential:
    """A fully connected network for points (B, D)."""
    return zero_last(nn.Sequential(*mlp(d_in, hidden, hidden, d_out)))


class ConcatELU(nn.Module):
    """elu(x) beside elu(-x): twice the channels, and a gradient whatever the sign."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.elu(x), F.elu(-x)], dim=1)


class LayerNorm(nn.Module):
    """Normalise over the channels at every position: no statistics of a batch, so one image changes no other."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(channels, 1, 1)), nn.Parameter(torch.zeros(channels, 1, 1))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)  # with channels last in memory no copy, and PyTorch's own kernel
        rows = F.layer_norm(rows, rows.shape[3:], self.gamma.flatten(), self.beta.flatten(), self.eps)
        return rows.permute(0, 3, 1, 2)


class GatedConv(nn.Module):
    """x + tanh(value) * sigmoid(gate), value and gate from two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        value = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.net = nn.Sequential(ConcatELU(), value, ConcatELU(), nn.Conv2d(2 * channels, 2 * channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.net(x).chunk(2, dim=1)
        return x + torch.tanh(value) * torch.sigmoid(gate)


class GatedConvNet(nn.Sequential):
    """A convolution, `layers` gated residual blocks with normalisation, and a last convolution that starts at zero.

    Source: Ho et al. 2019, "Flow++", section 3.3, without its attention.
    """

    def __init__(self, c_in: int, hidden: int, c_out: int, layers: int = 3) -> None:
        blocks = [layer for _ in range(layers) for layer in (GatedConv(hidden), LayerNorm(hidden))]
        first, last = nn.Conv2d(c_in, hidden, 3, padding=1), nn.Conv2d(2 * hidden, c_out, 3, padding=1)
        super().__init__(first, *blocks, ConcatELU(), last)
        zero_last(self)


class InvertibleConv(Flow):
    """A learned mixture of the channels at every position, starting at a random rotation.

    z[:, :, i, j] = W x[:, :, i, j],  log_det = height * width * log |det W|

    Source: Kingma & Dhariwal 2018, "Glow", section 3.2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(channels, channels)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.einsum("ij,bjhw->bihw", self.weight, x), self.log_det(x)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(self.weight), z), -self.log_det(z)

    def log_det(self, x: Tensor) -> Tensor:
        pixels = x.shape[2] * x.shape[3]
        return (pixels * torch.linalg.slogdet(self.weight).logabsdet).expand(len(x))


@torch.no_grad()
def largest_scales(couplings: Iterable[Coupling], x: Tensor) -> list[float]:
    """The largest |log s| that each coupling in turn applies to a batch."""
    found = []
    for coupling in couplings:
        log_s, _ = coupling.net(coupling.mask * x)
        found.append(((1 - coupling.mask) * log_s).abs().max().item())
        x, _ = coupling(x)
    return found


def watched(model: ImageFlow, images: Images, **settings: Any) -> tuple[Tensor, Tensor]:
    """Train a one-stage image flow with `fit(**settings)` until it ends or breaks.

    Returns:
        The loss of every step, shape (steps,), and the largest |log s| of every coupling, shape (steps, couplings).
    """
    losses, scales = [], []

    def terms(x: Tensor) -> Terms:
        pixels = model.dequantized(x, torch.full_like(x, 0.5))[0]
        scales.append(largest_scales(model.flow.stages[0], pixels))
        found = model.terms(x)
        losses.append(found.loss.item())
        return found

    with contextlib.suppress(training.TrainingError):  # a term is nan or infinite: what was seen until then is wanted
        training.fit(model, images, terms=terms, **settings)
    return torch.tensor(losses), torch.tensor(scales)
