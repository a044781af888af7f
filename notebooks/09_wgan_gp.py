# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Wasserstein GAN with gradient penalty
#
# The losses of labs 7 and 8 never say how good the images are. Here the discriminator becomes a *critic* that measures
# a distance. Afterwards you can
#
# - explain why that distance has a slope where every discriminator is certain;
# - bound a critic's slope in two ways, and show what is wrong with the first;
# - differentiate through a gradient;
# - read the progress of a GAN from its own loss.
#
# **Time:** 150 minutes. **Before:** labs 7 and 8. **Your part:** eight blanks in
# [starter/wgan_gp.py](../starter/wgan_gp.py), two written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import math
from dataclasses import replace

import torch
from scipy import optimize, spatial, stats

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, features, full, guesses, nets, plots, runs, training
from starter import dcgan, gan
from starter import wgan_gp as wgan

# %% [markdown]
# **Where this leads.** Samples of a WGAN-GP that was trained on MNIST until the end: each column walks from one noise vector
# to another. Strokes are even, and many shapes are digits; the ends of the third, the fourth and the ninth column are none.

# %%
full.preview("wgan-gp-mnist", "mnist")

# %%
diagrams.show("wgan_gp")

# %% [markdown]
# ## 9.1 Two lines that do not touch
#
# Real points lie on a vertical line at 0, generated ones on a parallel line at θ. A generator should learn: move left,
# or right, by so much. At its best a discriminator tells it the Jensen-Shannon divergence, JS, of the two. The
# *Wasserstein distance* $W_1$ is the work of moving one line onto the other: mass times distance, by the cheapest plan.
#
# **Predict.** Draw both against θ, from −1 to 1. What is their slope at θ = 0.5?
#
# **Change a number.** `noise` is the deviation of Gaussian noise that both lines get. Set it to 0.1, then to 0.3, and
# run the cell again. Which of the two curves changes, and where does it have a slope now?

# %%
noise = 0.0  # try 0.1, 0.3
thetas = torch.linspace(-1, 1, 41)
bins = torch.linspace(-2.025, 2.025, 82)  # each θ is the middle of one
at_zero = noise * torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(500) + 0.5) / 500)
js, w1 = [], []
for theta in thetas:
    at_theta = at_zero + theta  # only the horizontal matters: both lines are as high
    p, q = at_zero.histogram(bins).hist, at_theta.histogram(bins).hist
    js.append(spatial.distance.jensenshannon(p, q) ** 2)
    w1.append(stats.wasserstein_distance(at_zero, at_theta))
curves = {"JS": (thetas, js), "$W_1$": (thetas, w1)}
plots.lines(curves, "Two parallel lines at distance θ", "θ", "JS in nats; $W_1$", levels={"log 2": math.log(2)})

# %% [markdown]
# JS is log 2 wherever the lines do not overlap: it says that they differ, never by how much, and its slope is 0. $W_1$
# is |θ|: it points the way from anywhere.
#
# Images are like the lines: real and generated ones fill thin sheets in a space of hundreds of dimensions, which
# hardly ever meet.
#
# ## 9.2 A distance from one function
#
# Nobody tries all plans of moving. Kantorovich and Rubinstein turned the question around: let $f$ give every point a
# score, with a slope of at most 1 anywhere. Then
#
# $$W_1 = \max_{|f'| \le 1}\ \mathbb E[f(x)] - \mathbb E[f(G(z))]$$

# <details><summary>Why the two are the same</summary>
#
# One direction takes two lines. Let a plan $\gamma(x, y)$ move the mass of $p$ onto that of $p_g$. If the slope of $f$
# is at most 1, $f(x) - f(y) \le |x - y|$. So
# $\mathbb E_p[f] - \mathbb E_{p_g}[f] = \mathbb E_\gamma[f(x) - f(y)] \le \mathbb E_\gamma |x - y|$: no critic sees
# more than any plan costs. That the best critic reaches the cheapest plan is the duality of linear programs, which the
# next cell shows on three points.
#
# </details>

# %%
places = torch.tensor([0.0, 1.0, 3.0])
have, want = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.7])
cost = (places[:, None] - places).abs()
rows, columns = torch.eye(3).repeat_interleave(3, 1), torch.eye(3).repeat(1, 3)  # sums of the plan's rows and columns
plan = optimize.linprog(cost.flatten(), A_eq=torch.cat([rows, columns]), b_eq=torch.cat([have, want]))
slopes = (torch.eye(3)[:, None] - torch.eye(3)).reshape(9, 3)  # f(x) - f(y) for every pair
critic = optimize.linprog(want - have, A_ub=slopes, b_ub=cost.flatten(), bounds=[(0, 3)] * 3)
print(f"cheapest plan {plan.fun:.2f}, best critic {-critic.fun:.2f}, its scores {critic.x.round(2)}")

# %% [markdown]
# Each such $f$, a *critic*, gives a lower bound. Your two losses come from here: the critic maximises the difference,
# the generator minimises what it can change of it.
#
# Real points lie around −2 and 2, generated ones around 0. Which $f$ comes closest to $W_1$?

# %%
guesses.predict("wgan-critic", "Which critic sees most of the distance?", ["x", "tanh x", "−cos x", "|x|"])

# %%
check("wgan-1")  # starter/wgan_gp.py, critic_loss

# %%
check("wgan-2")  # starter/wgan_gp.py, generator_loss

# %%
torch.manual_seed(training.SEED)
real = 2 * torch.randn(2000).sign() + 0.3 * torch.randn(2000)
fake = 0.5 * torch.randn(2000)
critics = {"x": lambda x: x, "tanh x": torch.tanh, "−cos x": lambda x: -x.cos(), "|x|": torch.abs}
bounds = {name: -wgan.critic_loss(f(real), f(fake)).item() for name, f in critics.items()}
w1 = stats.wasserstein_distance(real, fake)
plots.bars(bounds | {"$W_1$ (scipy)": w1}, "What four critics see, and the distance", "E f(x) − E f(G(z))", digits=2)
guesses.outcome("wgan-critic", max(bounds, key=bounds.get))

# %% [markdown]
# $|x|$ finds nearly all of it: it rises with slope 1 from the generated points to the real ones. $x$ itself sees
# nothing, for its two sides cancel. And $2|x|$ would "see" twice the distance: without a bound on the slope the number
# means nothing.
#
# A network shall find the best $f$. What bounds *its* slope?

# %% [markdown]
# ## 9.3 First bound: clip the weights
#
# The first answer: after every step, force each weight back into $[-c, c]$. A network of bounded weights has a bounded
# slope.
#
# **Predict.** Halve $c$ in a network of 6 layers. By which factor does its slope shrink?

# %%
check("wgan-3")  # starter/wgan_gp.py, clip_weights

# %%
torch.manual_seed(training.SEED)
x, step = torch.randn(500, 2).double(), torch.tensor([0.01, 0.0]).double()  # tiny slopes drown in float32
bounds, steepest = [0.01, 0.02, 0.05, 0.1, 0.2], {}
for depth in (2, 4, 6):
    steepest[f"{depth} layers"] = (bounds, [])
    for c in bounds:
        critic = nets.mlp_discriminator((2,), (64,) * (depth - 1)).double()
        for weight in critic.parameters():
            weight.data *= 100  # as a critic that wants more: nearly all end at -c or c
        wgan.clip_weights(critic, c)
        slope = (critic(x + step) - critic(x)).abs().max() / 0.01
        steepest[f"{depth} layers"][1].append(slope.log10().item())
plots.lines(steepest, "Slope of a clipped network", "c", "log10 of the slope", {"slope 1": 0.0}, log_x=True, style="o-")
halvings = math.log2(bounds[-1] / bounds[0])
power = {name: (slopes[-1] - slopes[0]) / math.log10(2) / halvings for name, (_, slopes) in steepest.items()}
near = all(abs(power[f"{depth} layers"] - depth) < 1.5 for depth in (2, 4, 6))
print("half of c: the slope shrinks by 2 to a power that is the depth, within 1.5, on average:", near)
lowest, highest = steepest["6 layers"][1][0], steepest["2 layers"][1][0]  # at c = 0.01
print("c = 0.01: a slope above 10^-4 with 2 layers, below 10^-6 with 6:", highest > -4 and lowest < -6)

# %% [markdown]
# To the power of the depth, nearly: by about $2^6$. The same $c = 0.01$ gives a slope above $10^{-4}$ or below $10^{-6}$,
# depending on the network, and nothing asks for a slope of 1. There must be a better way.

# %% [markdown]
# ## 9.4 Where the slope matters
#
# Take the cheapest plan: it sends each real point to a generated one. Along the lines of *this plan* the best critic has
# slope exactly 1, otherwise it would lose a part of the difference (Gulrajani et al., proposition 1). Nobody knows the plan.
# So take random pairs, and look at random places on their lines:
#
# $$\hat x = \epsilon\, x + (1 - \epsilon)\, G(z), \qquad \epsilon \sim U[0, 1], \text{ one per example}$$
#
# **Predict.** Eight Gaussians on a ring, and a generator that begins in the middle. Where will the $\hat x$ lie?

# %%
check("wgan-4")  # starter/wgan_gp.py, mix

# %%
angles = torch.arange(8) * math.pi / 4
centres = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)


def ring(n):
    return centres[torch.randint(8, (n,))] + 0.05 * torch.randn(n, 2)


torch.manual_seed(training.SEED)
real, fake = ring(500), 0.3 * torch.randn(500, 2)
x_hat = wgan.mix(real, fake, torch.rand(500))
with plots.figure(4.6, 4.4) as axes:
    for marker, (name, points) in zip(plots.MARKERS, {"real": real, "generated": fake, "between": x_hat}.items()):
        axes[0, 0].scatter(*points.T, s=14, linewidths=0, marker=marker, label=name)
    axes[0, 0].set_aspect("equal")
    plots.finish(axes[0, 0], "$x_1$", "$x_2$", legend=True)

# %% [markdown]
# ## 9.5 Second bound: penalise the slope
#
# Now say what you want: at every $\hat x$ the slope of the critic shall be 1.
#
# $$\text{penalty} = \mathbb E\big[(\lVert \nabla_{\hat x} f(\hat x) \rVert - 1)^2\big]$$
#
# The norm runs over all numbers of an example. The penalty contains a gradient, and training needs *its* gradient: a
# derivative of a derivative.
#
# **Predict.** For $f(x) = a\,x_1$: which penalty at $a = 0$, 1, 3? And which gradient does $a$ get at 0?

# %%
check("wgan-5")  # starter/wgan_gp.py, gradient_penalty

# %%
slopes = torch.linspace(0, 3, 31)
penalty = [wgan.gradient_penalty(lambda x, a=a: a * x[:, 0], x_hat).item() for a in slopes]
plots.lines({"": (slopes, penalty)}, "Penalty of f(x) = a x₁", "a", "penalty", style="o-")

# %% [markdown]
# Two-sided: too flat costs as well. And your function needs no neighbour in the batch: each score must depend on its
# own example only. With BatchNorm in the critic it would not, and "the slope at $\hat x$" would mean nothing. A critic
# has LayerNorm, or none; ours has none.
#
# ## 9.6 One step of the critic
#
# $$\text{loss} = \mathbb E[f(G(z))] - \mathbb E[f(x)] + \lambda\, \text{penalty}$$
#
# The generator stays where it is, in the middle of the ring, whose radius is 2. What number should the critic arrive at?

# %%
numbers = ["about 0", "a little less than 2", "more than 2"]
guesses.predict("wgan-number", "What will the critic with the penalty say of the distance?", numbers)

# %%
check("wgan-6")  # starter/wgan_gp.py, critic_step

# %% [markdown]
# The same critic twice, 400 steps each: with the penalty, and with $c = 0.01$, as in the paper that proposed clipping.
# The exact distance of two equal sets of points is an assignment problem, which scipy solves.

# %% tags=["training"]
def adam(network, lr):
    return torch.optim.Adam(network.parameters(), lr=lr, betas=(0.5, 0.9))


def trained_critic(clip=None, steps=400):
    torch.manual_seed(training.SEED)
    critic, still = nets.mlp_discriminator((2,), (64, 64)), torch.nn.Identity()  # a generator that stays where it is
    optimizer = adam(critic, 3e-3)
    for _ in range(steps):
        z, eps = 0.3 * torch.randn(128, 2), torch.rand(128)
        wgan.critic_step(still, critic, optimizer, ring(128), z, eps, weight=0 if clip else 10)
        if clip:
            wgan.clip_weights(critic, clip)
    return critic


critics = {"penalty": trained_critic(), "clipped": trained_critic(clip=0.01)}

# %%
def exact_distance(x, y):
    ways = torch.cdist(x, y)
    return ways[optimize.linear_sum_assignment(ways)].mean().item()


w1 = exact_distance(real, fake)
seen = {name: -wgan.critic_loss(f(real), f(fake)).item() for name, f in critics.items()}
plots.bars({"$W_1$ (scipy)": w1} | seen, "The distance, and what two critics make of it", "distance", digits=4)
training.within("lab 9 critic over W1", seen["penalty"] / w1)
guesses.outcome("wgan-number", numbers[(seen["penalty"] > 1) + (seen["penalty"] > 2)])

# %%
plane = plots.plane(100, 3.0).requires_grad_()
scores = {name: f(plane) for name, f in critics.items()}
slopes = {name: torch.autograd.grad(score.sum(), plane)[0].norm(dim=1) for name, score in scores.items()}
pictures = {"score": scores, "slope": slopes}
with plots.figure(7.5, 7.0, nrows=2, ncols=2) as axes:
    for row, (what, found) in zip(axes, pictures.items()):
        values = {name: value.detach().reshape(100, 100).flip(0) for name, value in found.items()}
        lowest, highest = min(map(torch.min, values.values())), max(map(torch.max, values.values()))
        for ax, (name, value) in zip(row, values.items()):
            drawn = ax.imshow(value, vmin=lowest, vmax=highest, extent=(-3, 3, -3, 3), interpolation="bilinear")
            ax.scatter(*real.T, s=3, color="white")
            ax.set(title=f"{name}: {what} {value.min():.3f} to {value.max():.3f}", xlabel="$x_1$", ylabel="$x_2$")
            ax.grid(False)
        ax.figure.colorbar(drawn, ax=list(row), label=what, shrink=0.8)

# %% [markdown]
# One colour scale in each row. With the penalty the scores form a funnel. From the middle they rise towards the data,
# with a slope near 1. Behind the ring they go on rising: no point is looked at there, and nothing holds them. The
# clipped critic is so flat that its scores look like one colour, and its slope is nowhere near 1.
#
# Two more pictures of the same critics: the slope at the $\hat x$, and the weights.

# %%
def histogram(values, low, high):
    counts, edges = torch.histogram(values.detach(), 30, range=(low, high))
    return (edges[:-1] + edges[1:]) / 2, counts / len(values)


def slopes_and_weights(critics, x, steepest):
    x, pictures = x.clone().requires_grad_(), {"slope at the points between": {}}
    for name, f in critics.items():
        norms = torch.autograd.grad(f(x).sum(), x)[0].flatten(1).norm(dim=1)
        pictures["slope at the points between"][name] = histogram(norms, 0, steepest)
        weights = torch.cat([weight.flatten() for weight in f.parameters()])
        pictures[f"weights, {name}"] = {"": histogram(weights, -weights.abs().max().item(), weights.abs().max().item())}
    with plots.figure(8.5, 2.9, ncols=3) as axes:
        for ax, (name, curves) in zip(axes[0], pictures.items()):
            plots.draw_curves(ax, curves)
            ax.locator_params(axis="x", nbins=4)
            ax.set_title(name)
            plots.finish(ax, name.partition(",")[0].partition(" ")[0], "share", legend=len(curves) > 1)


slopes_and_weights(critics, x_hat, steepest=1.6)

# %% [markdown]
# With the penalty slopes gather around 1, a little above: the penalty grows with the square of the excess, so a slope
# of about $1 + W_1 / 2\lambda$ gains more than it costs. Clipped weights pile up at ±c, because every one of them wants
# more: what is left is a very simple function.
#
# ## 9.7 Other bounds for a slope
#
# A slope can be bounded in other ways, too; two of them are found in most GANs of today.
#
# - *Spectral normalisation* divides each weight matrix by its largest singular value. Each layer then has a slope of at
#   most 1, and so has the whole network, everywhere and for any data.
# - $R_1$ penalises the slope at *real* images alone, and asks for 0:
#   $\tfrac{\gamma}{2}\, \mathbb E\, \lVert \nabla f(x) \rVert^2$. With the loss of lab 7 it makes the game settle where
#   it otherwise circles (Mescheder et al.).
#
# **Predict.** A product of layers, each with slope 1 in its steepest direction: will a critic with spectral normalisation find the
# whole distance?

# %% tags=["training"]
def new_spectral():
    torch.manual_seed(training.SEED)
    critic = nets.mlp_discriminator((2,), (64, 64))
    for layer in critic:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.utils.parametrizations.spectral_norm(layer)
    return critic


spectral, still = new_spectral(), torch.nn.Identity()
optimizer = adam(spectral, 3e-3)
for _ in range(400):
    z, eps = 0.3 * torch.randn(128, 2), torch.rand(128)
    wgan.critic_step(still, spectral, optimizer, ring(128), z, eps, weight=0)

# %%
seen["spectral norm"] = -wgan.critic_loss(spectral.eval()(real), spectral(fake)).item()
plots.bars({"$W_1$ (scipy)": w1} | seen, "The distance, and what three critics make of it", "distance", digits=4)
print("spectral norm finds between a third and two thirds:", 1 / 3 < seen["spectral norm"] / w1 < 2 / 3)

# %% [markdown]
# About half. The steepest directions of the layers do not line up, and the activations take away some more. So the
# bound of 1 is never reached: it is safe, and too strict. For a GAN that is no harm: a number that is proportional to
# the distance would do. The price is low, no second derivative is needed.
#
# Spectral normalisation is often used with the *hinge* loss. The generator's is $-\mathbb E[f(G(z))]$, the one of 9.2; the
# critic's is
#
# $$\mathbb E[\max(0, 1 - f(x))] + \mathbb E[\max(0, 1 + f(G(z)))]$$

# %%
def hinge_loss(real, fake):
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


scores, sure = torch.linspace(-3, 3, 61), torch.full((1,), -100.0)  # a fake that costs the first two nothing
losses = {"hinge": lambda f: hinge_loss(f, sure), "GAN (lab 7)": lambda f: gan.discriminator_loss(f, sure)}
losses["Wasserstein"] = lambda f: wgan.critic_loss(f, torch.zeros(1))
curves = {name: (scores, torch.stack([loss(f[None]) for f in scores])) for name, loss in losses.items()}
plots.lines(curves, "What one real example costs the critic", "score f(x)", "loss; that of the GAN in nats")

# %% [markdown]
# The Wasserstein loss falls for ever: it needs a bound on the slope. The loss of lab 7 falls less and less. The hinge
# loss is 0 from score 1 on: it leaves alone what is right by a margin.
#
# Now two more critics, on the same points and for as many steps: the hinge loss with spectral normalisation, and the loss
# of lab 7 with $R_1$.
#
# **Change a number.** Set `gamma` to 0.1, then to 10, and run the cell again. Look at the last row of the table: how do
# its three numbers change? Could the first be a distance?

# %% tags=["training"]
gamma = 1.0  # try 0.1, 10


def r1(critic, x):
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(dim=1).mean()


def no_penalty(critic, x):
    return 0.0


def trained_by(critic, loss, penalty):
    optimizer = adam(critic, 3e-3)
    for _ in range(400):
        x = ring(128)
        value = loss(critic(x), critic(0.3 * torch.randn(128, 2))) + penalty(critic, x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return critic


with torch.random.fork_rng():
    hinged = trained_by(new_spectral(), hinge_loss, no_penalty).eval()
    torch.manual_seed(training.SEED)
    flat = trained_by(nets.mlp_discriminator((2,), (64, 64)), gan.discriminator_loss, r1)


def slope_at(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0].norm(dim=1).mean().item()


rows = {}
others = {"spectral norm": spectral, "spectral norm, hinge loss": hinged, "R₁, loss of lab 7": flat}
for name, f in (critics | others).items():
    rows[name] = {"E f(x) − E f(G(z))": -wgan.critic_loss(f(real), f(fake)).item()}
    rows[name] |= {"slope at real points": slope_at(f, real), "slope between": slope_at(f, x_hat)}
plots.table(rows, f"Five critics after 400 steps; W₁ is {w1:.2f}")
pair = [rows[name]["slope between"] for name in ("spectral norm", "spectral norm, hinge loss")]
print("spectral norm: the hinge loss changes the slope between by less than a third:", max(pair) < 1.33 * min(pair))
at_real, between = list(rows["R₁, loss of lab 7"].values())[1:]
print("with R₁ the slope between is at least 1.3 times that at real points:", between > 1.3 * at_real)

# %% [markdown]
# The critics with the penalty and with spectral normalisation have nearly the same slope in both places. The hinge loss
# changes that little: as long as scores lie between −1 and 1, it is $2 - \big(\mathbb E[f(x)] - \mathbb E[f(G(z))]\big)$,
# the Wasserstein loss plus 2. The critic with $R_1$ is flatter where the data are, for only there it pays. Its scores are
# log-odds, in no unit of distance, and their size follows γ: where they come near $W_1$, that is chance.
#
# ## 9.8 Whose turn is it?
#
# The critic's number is a distance only while the critic is near its best. So it makes `n_critic` steps for each of the
# generator.
#
# **Predict.** With one step each: will the critic's number be too large or too small?

# %%
check("wgan-7")  # starter/wgan_gp.py, generator_moves

# %% [markdown]
# ### A whole update
#
# Now everything together: the critic's step, clipping where it is asked for, the generator's turn, and the books. Build it:
# its docstring is a contract, and has no formula. `wgan.WGAN` calls it for every batch.
#
# **Predict.** A training is stopped after step 7 and goes on from a checkpoint. What must be in it, for the generator's next turn
# to come at the right step?

# %%
check("wgan-8")  # starter/wgan_gp.py, wgan_step

# %% [markdown]
# The number of steps, not only the weights: so it is a buffer of the model. First on the ring.

# %% tags=["training"]
def ring_game(n_critic, turns=300):
    torch.manual_seed(training.SEED)
    generator, critic = torch.nn.Sequential(*nets.mlp(2, 64, 64, 2)), nets.mlp_discriminator((2,), (64, 64))
    settings = {"weight": 3, "lr": 1e-3, "lr_d": 3e-3, "betas": (0.5, 0.9)}
    game, said, true = wgan.WGAN(generator, critic, 2, n_critic=n_critic, **settings), [], []
    for step in range(turns * n_critic):
        terms = wgan.wgan_step(game, data.unit(ring(128)), torch.rand(128))
        if wgan.generator_moves(step, n_critic):
            said.append(terms.distance.item())
            if len(said) % 10 == 0:
                true.append(exact_distance(ring(200), generator(torch.randn(200, 2)).detach()))
    return generator, said, true


games = {f"n_critic = {n}": ring_game(n) for n in (1, 5)}

# %%
floor = torch.tensor([exact_distance(ring(200), ring(200)) for _ in range(10)]).mean().item()
pictures = {}
for name, (_, said, true) in games.items():
    curves = {"critic": (range(len(said)), plots.running_mean(said, 10))}
    curves["$W_1$ (scipy)"] = range(9, len(said), 10), true
    pictures[name] = curves | {"two real sets": ((0, len(said)), (floor, floor))}
plots.panels(pictures, "What the critic says, and what is true", "steps of the generator", "distance")
late = {name: (sum(said[150:]) / 150, sum(true[15:]) / 15) for name, (_, said, true) in games.items()}
print("with one step, late: less than half of the distance:", late["n_critic = 1"][0] < late["n_critic = 1"][1] / 2)
print("with five: within a third of it:", abs(late["n_critic = 5"][0] / late["n_critic = 5"][1] - 1) < 1 / 3)

# %%
with plots.figure(8.5, 4.2, ncols=2) as axes:
    for ax, (name, (generator, *_)) in zip(axes[0], games.items()):
        samples = generator(torch.randn(1000, 2)).detach()
        found = gan.modes_covered(samples, centres, radius=0.3)
        ax.scatter(*samples.T, s=8, linewidths=0, label="generated")
        ax.scatter(*ring(300).T, s=14, linewidths=0, marker="^", label="real")
        ax.set(aspect="equal", title=f"{name}: {found} of 8 modes", xlim=(-3, 3), ylim=(-3, 3))
        plots.finish(ax, "$x_1$", "$x_2$")
    ax.legend()

# %% [markdown]
# With one step the critic runs behind a generator that has already left. Its number is mostly too small, and the two
# chase each other. With five it follows the true distance down, towards the floor (two sets of 200 real points are not
# at distance 0 either), and the samples find all modes.

# %% [markdown]
# ## 9.9 Images
#
# The networks of lab 8, somewhat narrower, the critic without BatchNorm. `WGAN.update` is your step, `n_critic` = 2
# here: on these small images the critic keeps up with two steps, and the generator gets more of them. A moving average
# of its weights draws the samples, as in lab 7.
#
# **Predict.** In lab 7 the losses told nothing about the samples. Will the critic's distance?

# %% tags=["training"]
train = data.load()
config = dcgan.DCGANConfig(train.shape, latent_dim=10, channels=(48, 24))
some = train.pixels(slice(500))
known = features.features(some)


def networks():
    torch.manual_seed(training.SEED)
    return dcgan.generator(config), dcgan.discriminator(replace(config, batch_norm=False)), config.latent_dim


def watch(model):
    return {"FID": features.frechet(features.features(model.sample(model.noise(500))), known)}


rates = {"lr": 2e-3, "lr_d": 4e-3, "ema": 0.99}
models, histories = {"WGAN-GP": wgan.WGAN(*networks(), n_critic=2, **rates)}, {}
histories["WGAN-GP"] = training.play(models["WGAN-GP"], train, steps=1200, watch=watch, every=100, run="wgan-gp")
runs.measure("wgan-gp", train, lambda count: models["WGAN-GP"].sample(models["WGAN-GP"].noise(count)))

# %%
torch.manual_seed(training.SEED)
model, history = models["WGAN-GP"], histories["WGAN-GP"]
steps, fid = history.curve("FID")
plots.grid(model.sample(model.noise(40)), f"WGAN-GP after {history.steps} steps of the critic: FID {fid[-1]:.1f}", 10)
training.within("lab 9 FID", fid[-1])

# %%
distance = plots.running_mean(history.terms["distance"])
curves = {"FID": (steps[1:], fid[1:]), "10 × distance": (range(20, len(distance)), 10 * distance[20:])}
plots.lines(curves, "The critic's distance, and the quality of the samples", "steps of the critic", "FID; 10 × distance")
lowest = 20 + distance[20:].argmin()
print("the distance is lowest in the first half:", bool(lowest < len(distance) / 2))
print("FID falls after that to less than half:", fid[-1] < history.watched[100 * round(lowest / 100)]["FID"] / 2)

# %% [markdown]
# First the distance rises: the critic itself has to learn. Then both fall steeply, and for a moment the distance is
# nearly 0: this critic has lost sight of a difference that FID still sees. Later FID goes on falling, slowly, while the
# distance rises a little and stays: the critic improves as fast as the generator, and finds ever finer differences. So
# the number shows the large progress, and not the fine one. It is $W_1$ as *this* critic sees it, in units of a slope
# that is a little above 1.
#
# ## 9.10 The same networks under four losses
#
# Clipping, and the losses of labs 7 and 8, on exactly these networks; none has BatchNorm in the discriminator.
#
# **Predict.** Per step of the generator, which is best? And per second?

# %% tags=["training"]
squares = {"d_loss": dcgan.least_squares_discriminator_loss, "g_loss": dcgan.least_squares_generator_loss}
models["clipped"] = wgan.WGAN(*networks(), n_critic=2, clip=0.01, **rates)
plain = {"lr": 1e-3, "ema": 0.99}
models |= {"GAN (lab 7)": gan.GAN(*networks(), **plain), "LSGAN (lab 8)": gan.GAN(*networks(), **plain, **squares)}
for name, steps in (("clipped", 400), ("GAN (lab 7)", 200), ("LSGAN (lab 8)", 200)):
    histories[name] = training.play(models[name], train, steps=steps, watch=watch, every=steps // 5)

# %%
curves = {}
for name, history in histories.items():
    steps, fid = history.curve("FID")
    turns = [step // getattr(models[name], "n_critic", 1) for step in steps]
    curves[f"{name}: {fid[-1]:.1f}, {history.seconds:.0f} s"] = (turns[1:], fid[1:])
plots.lines(curves, "FID, for equally many steps of the generator", "steps of the generator", "FID", style="o-")
others = [history.curve("FID")[1][-1] for name, history in histories.items() if name != "WGAN-GP"]
print("after 200 of them WGAN-GP is ahead:", histories["WGAN-GP"].watched[400]["FID"] < min(others))

# %% [markdown]
# Now each loss against FID, joined in the order of training. By which of the two could you have told when to stop?

# %%
with plots.figure(8.5, 3.2, ncols=2) as axes:
    for ax, (name, term, unit) in zip(axes[0], (("WGAN-GP", "distance", ""), ("GAN (lab 7)", "generator", ", nats"))):
        steps, fid = histories[name].curve("FID")
        smooth = plots.running_mean(histories[name].terms[term])
        ax.plot([smooth[step - 1] for step in steps[1:]], fid[1:], "o-", alpha=0.7)
        plots.finish(ax, f"{term} of {name}{unit}", "FID")

# %% [markdown]
# And the two critics from inside, as in 9.6. **Predict.** Where do the weights of the clipped one lie?

# %%
with torch.no_grad():
    x = data.signed(some)
    x_hat = wgan.mix(x, data.signed(model.sample(model.noise(500))), torch.rand(500))
slopes_and_weights({name: models[name].discriminator for name in ("WGAN-GP", "clipped")}, x_hat, steepest=1.6)

# %% [markdown]
# The clipped weights pile up at ±c again, though not all of them. After equally many steps of the generator, the 200
# that all have made, WGAN-GP is ahead here. Mind what that is worth. It had two steps of the critic for each of them,
# and a second derivative (the price is in the legend; WGAN-GP went on to 600). Its learning rates were searched for,
# the others' were not. What you buy besides is a number that can be watched.
#
# **Question 1.** Two runs of WGAN-GP end, one at distance 0.6, one at 0.9. Name three things that must be equal in
# both before you may say that the first is better. Which of them would you need to compare FIDs?

# %% [markdown] answer="wgan-q1"
# Your answer.

# %% [markdown]
# **Question 2.** The clipped critic's slopes are tiny, and yet its generator learns. Its optimiser is Adam: what does
# Adam do to a gradient that is a hundred times too small? What would you expect with plain gradient descent, and with
# a critic of ten layers?

# %% [markdown] answer="wgan-q2"
# Your answer.

# %% [markdown]
# ## 9.11 One minute, and longer
#
# The lowest row is drawn by the system `wgan-gp-mnist` of the course: networks of the sizes of lab 8's `dcgan-mnist`, the
# critic without BatchNorm, which saw MNIST at 28×28 twenty times. It took 77 minutes of one core (`python -m starter
# reproduce wgan-gp-mnist` does it again). Its critic's distance was 2.2 after 2,700 steps, and is 1.3 at the end. In the
# features of a classifier of digits its FID is 1.21, that of `dcgan-mnist` 1.17: a loss that can be watched is not yet a
# lower FID.

# %%
guesses.summary("wgan", "wgan-gp-mnist", "mnist")

# %% [markdown]
# ## 9.12 Exercises
#
# 1. **λ.** Repeat the critic of 9.6 with λ = 0.1, 1, 10, 100. Plot its number over $W_1$ beside $1 + W_1 / 2\lambda$. What is
#    the price of a large λ?
# 2. **One-sided.** Write a penalty that costs only above slope 1, and give it to `critic_step`. What happens to the slopes
#    between the points, and to the distance?
# 3. **LayerNorm.** Put `nn.GroupNorm(1, channels)` behind the critic's inner convolutions. Does FID gain? Why does the
#    penalty allow this norm?
#
# ## References
#
# - Arjovsky, Bottou 2017, *Towards principled methods for training generative adversarial networks*, ICLR.
# - Arjovsky, Chintala, Bottou 2017, *Wasserstein generative adversarial networks*, ICML: the two lines, clipping.
# - Gulrajani et al. 2017, *Improved training of Wasserstein GANs*, NeurIPS: the penalty.
# - Lim, Ye 2017, *Geometric GAN*, arXiv 1705.02894: the hinge loss.
# - Mescheder et al. 2018, *Which training methods for GANs do actually converge?*, ICML: $R_1$.
# - Miyato et al. 2018, *Spectral normalization for generative adversarial networks*, ICLR.
# - Stanczuk et al. 2021, *Wasserstein GANs work because they fail (to approximate the Wasserstein distance)*, arXiv
#   2103.01678.
