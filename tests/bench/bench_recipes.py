"""A training step of every kind of recipe against a plain PyTorch loop: `make bench`.

Theirs is what an engineer writes in an afternoon: the same networks, losses of torch.nn.functional, torch.optim.Adam,
torchvision's transforms and a DataLoader over PIL images. For the flow nothing is shared: networks, couplings and
dequantization are written out from the plan of eight couplings (556,312 parameters). Ours is `python -m starter train`
without pictures and scores: in float32, and in the precision that "auto" takes here. Steps of the sides take turns, so
that a busy machine slows all; a ratio is the median over turns of (theirs / ours) in CPU time: above 1, the course's is
faster. Images are noise: a step takes as long.

    python tests/bench/bench_recipes.py [--turns 9] [KIND ...]
"""

import argparse
import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["TQDM_DISABLE"] = "1"
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from starter.support import recipes, training
from starter.support.coupling_nets import GatedConvNet
from starter.support.data import Images
from starter.support.full.assemble import assembled
from starter.support.full.job import Job
from starter.support.full.parallel import Processes
from starter.support.nets import parameter_count
from starter.support.recipes import Recipe

Step = Callable[[Tensor, Tensor], float]  # a batch in [0, 1] and its labels -> the loss
COUNT = 2000  # images


class PILImages(Dataset):
    """As torchvision's MNIST and CIFAR10 keep their images: an array in memory, a PIL image for each."""

    def __init__(self, images: Images) -> None:
        self.x, self.y = images.x.permute(0, 2, 3, 1).squeeze(3).numpy(), images.y.tolist()
        self.transform = transforms.ToTensor()

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.x[index])), self.y[index]


def descending(model: nn.Module, loss: Callable[[Tensor], Tensor], lr: float) -> Step:
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def autoencoder(model: nn.Module, lr: float) -> Step:
    return descending(model, lambda x: F.mse_loss(model.decoder(model.encoder(x)), x, reduction="sum") / len(x), lr)


def encoded(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mu, log_var = model.encoder(x).chunk(2, dim=1)
    return mu, log_var, mu + torch.randn_like(mu) * (0.5 * log_var).exp()


def cross_entropy(model: nn.Module, z: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / len(x)


def vae(model: nn.Module, lr: float) -> Step:
    def loss(x: Tensor) -> Tensor:
        mu, log_var, z = encoded(model, x)
        kl = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum() / len(x)
        return cross_entropy(model, z, x) + kl

    return descending(model, loss, lr)


class Planar(nn.Module):
    """z + u tanh(w.z + b), with u moved so that the map is invertible."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.u, self.w = nn.Parameter(0.01 * torch.randn(dim)), nn.Parameter(0.01 * torch.randn(dim))
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        dot = self.w @ self.u
        u = self.u + (F.softplus(dot) - 1 - dot) * self.w / self.w.square().sum()
        bent = torch.tanh(z @ self.w + self.b)
        slope = (1 - bent.square()).unsqueeze(1) * self.w
        return z + u * bent.unsqueeze(1), (1 + slope @ u).abs().log()


def planar_vae(model: nn.Module, lr: float) -> Step:
    flows = nn.ModuleList(Planar(128) for _ in range(4))

    def loss(x: Tensor) -> Tensor:
        mu, log_var, z = encoded(model, x)
        log_q = (-0.5 * (log_var + (z - mu).pow(2) / log_var.exp())).sum(dim=1)
        for flow in flows:
            z, log_det = flow(z)
            log_q = log_q - log_det
        return cross_entropy(model, z, x) + (log_q + 0.5 * z.pow(2).sum(dim=1)).mean()

    return descending(nn.ModuleList([model.encoder, model.decoder, flows]), loss, lr)


def gan(model: nn.Module, lr: float) -> Step:
    G, D = model.generator, model.discriminator
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (G, D))
    bce = nn.BCEWithLogitsLoss()

    def step(x: Tensor, y: Tensor) -> float:
        real, ones, zeros = 2 * x - 1, torch.ones(len(x)), torch.zeros(len(x))
        fake = G(torch.randn(len(x), model.latent_dim))
        opt_d.zero_grad()
        d_loss = bce(D(real), ones) + bce(D(fake.detach()), zeros)
        d_loss.backward()
        opt_d.step()
        opt_g.zero_grad()
        g_loss = bce(D(fake), ones)
        g_loss.backward()
        opt_g.step()
        return d_loss.item() + g_loss.item()

    return step


def conditional_gan(model: nn.Module, lr: float) -> Step:
    G, D = model.generator, model.discriminator
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (G, D))
    bce = nn.BCEWithLogitsLoss()

    def step(x: Tensor, y: Tensor) -> float:
        real, ones, zeros = 2 * x - 1, torch.ones(len(x)), torch.zeros(len(x))
        fake = G(torch.cat([torch.randn(len(x), model.latent_dim), F.one_hot(y, 10).float()], dim=1))
        opt_d.zero_grad()
        d_loss = bce(D(real, y)[0].flatten(), ones) + bce(D(fake.detach(), y)[0].flatten(), zeros)
        d_loss.backward()
        opt_d.step()
        opt_g.zero_grad()
        logits, features = D(fake, y)
        with torch.no_grad():
            wanted = D(real, y)[1]
        matching = sum(F.l1_loss(a.mean(dim=0), b.mean(dim=0)) for a, b in zip(features, wanted))
        g_loss = bce(logits.flatten(), ones) + 10 * matching
        g_loss.backward()
        opt_g.step()
        return d_loss.item() + g_loss.item()

    return step


def wgan_gp(model: nn.Module, lr: float) -> Step:
    G, C = model.generator, model.discriminator
    opt_g, opt_c = (torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.0, 0.9)) for net in (G, C))
    turns = itertools.count(1)

    def step(x: Tensor, y: Tensor) -> float:
        real, fake = 2 * x - 1, G(torch.randn(len(x), model.latent_dim)).detach()
        eps = torch.rand(len(x), 1, 1, 1)
        mixed = (eps * real + (1 - eps) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(C(mixed).sum(), mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).pow(2).mean()
        loss = C(fake).mean() - C(real).mean() + 10 * penalty
        opt_c.zero_grad()
        loss.backward()
        opt_c.step()
        if next(turns) % model.n_critic == 0:
            opt_g.zero_grad()
            (-C(G(torch.randn(len(x), model.latent_dim))).mean()).backward()
            opt_g.step()
        return loss.item()

    return step


class BothSigns(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.elu(x), F.elu(-x)], dim=1)


class ChannelNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = x.mean(dim=1, keepdim=True), x.var(dim=1, unbiased=False, keepdim=True)
        return self.scale * (x - mean) / torch.sqrt(var + 1e-5) + self.shift


class Gated(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        value = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.net = nn.Sequential(BothSigns(), value, BothSigns(), nn.Conv2d(2 * channels, 2 * channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.net(x).chunk(2, dim=1)
        return x + torch.tanh(value) * torch.sigmoid(gate)


class Coupling(nn.Module):
    """Half of a checkerboard passes; the other half is scaled and shifted by what a gated network says of it."""

    def __init__(self, flip: bool, hidden: int = 32, layers: int = 3) -> None:
        super().__init__()
        blocks = [layer for _ in range(layers) for layer in (Gated(hidden), ChannelNorm(hidden))]
        last = nn.Conv2d(2 * hidden, 2, 3, padding=1)
        nn.init.zeros_(last.weight), nn.init.zeros_(last.bias)
        self.net = nn.Sequential(nn.Conv2d(1, hidden, 3, padding=1), *blocks, BothSigns(), last)
        self.bound = nn.Parameter(torch.zeros(1))
        rows, columns = torch.meshgrid(torch.arange(28), torch.arange(28), indexing="ij")
        self.register_buffer("mask", ((rows + columns + flip) % 2).float().view(1, 1, 28, 28))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(z * self.mask).chunk(2, dim=1)
        s = torch.tanh(s / self.bound.exp()) * self.bound.exp() * (1 - self.mask)
        return (z + t * (1 - self.mask)) * s.exp(), s.sum(dim=(1, 2, 3))


def flow(model: nn.Module, lr: float) -> Step:
    couplings = nn.ModuleList(Coupling(flip=i % 2 == 1) for i in range(8))
    if parameter_count(couplings) != parameter_count(model):
        raise SystemExit(f"not one plan: {parameter_count(couplings):,} and {parameter_count(model):,} parameters")

    def loss(x: Tensor) -> Tensor:
        z = (255 * x + torch.rand_like(x)) / 256
        log_det = torch.full((len(x),), -math.log(256) * x[0].numel())
        z = z * (1 - 1e-5) + 0.5e-5
        log_det = log_det + (-z.log() - (1 - z).log()).sum(dim=(1, 2, 3))
        z = z.log() - (1 - z).log()
        for coupling in couplings:
            z, coupling_log_det = coupling(z)
            log_det = log_det + coupling_log_det
        log_prior = (-0.5 * z.pow(2) - 0.5 * math.log(2 * math.pi)).sum(dim=(1, 2, 3))
        return -(log_prior + log_det).mean() / (x[0].numel() * math.log(2))

    return descending(couplings, loss, lr)


KINDS = {  # recipe, the plain loop, images in a batch
    "vae-mlp": (vae, 128),
    "ae-small": (autoencoder, 128),
    "vae-128-conv": (vae, 128),
    "vae-planar": (planar_vae, 128),
    "gan-mlp": (gan, 64),
    "cgan-fm": (conditional_gan, 64),
    "dcgan-cifar": (gan, 128),
    "wgan-gp-mnist": (wgan_gp, 64),
    "flow-of-8": (flow, 32),
}


def eight_couplings(lab: recipes.Lab) -> nn.Module:
    return lab("realnvp").simple((1, 28, 28), 256, GatedConvNet, 32)


FLOW = Recipe("ours: to compare", ("mnist",), (1, 28, 28), eight_couplings, "nothing", epochs=1)


def ours(name: str, images: Images, size: int, precision: str) -> tuple[nn.Module, Iterator[int]]:
    """The model, and its training as `python -m starter train` does it: every `next` is a step."""
    job = Job(name, images.name, Path(), "solutions", batch_size=size, precision=precision)
    parts, _ = assembled(job, recipes.recipe(name), images, "cpu", Processes())
    return parts.model, training.updates(parts.update, parts.model, parts.stream, parts.history, 10**9)


def theirs(step: Step, images: Images, size: int) -> Iterator[float]:
    while True:
        for x, y in DataLoader(PILImages(images), size, shuffle=True, drop_last=True):
            yield step(x, y)


def seconds(steps: Iterator, count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        next(steps)
    return time.process_time() - started


def compare(name: str, turns: int) -> None:
    recipes.RECIPES["flow-of-8"] = FLOW
    recipe, (plain, size) = recipes.recipe(name), KINDS[name]
    x, y = torch.randint(256, (COUNT, *recipe.shape), dtype=torch.uint8), torch.randint(10, (COUNT,))
    images = Images(x, y, 256, recipe.data[0])
    model, in_float32 = ours(name, images, size, "float32")
    networks = recipes.recipe(name).build(partial(recipes.lab_module, "solutions"))
    sides = [theirs(plain(networks, recipe.lr), images, size), in_float32, ours(name, images, size, "auto")[1]]
    cycle = getattr(model, "n_critic", 1)  # steps from one of the generator to the next
    count = cycle * max(1, round(0.2 / min(seconds(side, cycle) or 1 for side in sides)))  # steps of a turn
    taken = [[seconds(side, count) for side in sides] for _ in range(turns)]
    plain_ms = 1000 * statistics.median(row[0] for row in taken) / count
    ratios = [statistics.median(row[0] / row[i] for row in taken) for i in (1, 2)]
    print(
        f"{name}: a plain loop takes {ratios[0]:.2f} times our step in float32, {ratios[1]:.2f} times that of auto"
        f" ({plain_ms:.0f} ms of CPU; batch {size}, {parameter_count(model):,} parameters)",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND", help=f"default: {', '.join(KINDS)}")
    parser.add_argument("--turns", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, one thread, median of {given.turns} turns")
    for name in given.kinds or KINDS:
        compare(name, given.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
