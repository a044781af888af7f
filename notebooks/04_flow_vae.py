# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · Flow VAE
#
# A VAE's posterior is a Gaussian, and so is its prior, because that is convenient. A *flow* bends a Gaussian into
# another shape and still knows its density. Afterwards you can
#
# - follow a density through an invertible map, and through many;
# - build planar and coupling flows, and prove a log-determinant right;
# - put a flow into the posterior or the prior of a VAE;
# - measure what that is worth, and say so when it is worth nothing.
#
# **Time:** 175 minutes, in two sittings: posteriors (4.1 to 4.6) and priors (from 4.7 on). **Before:** labs 2 and 3.
# **Your part:** eight blanks in [starter/flow_vae.py](../starter/flow_vae.py), two written answers here. Words:
# [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import torch

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, densities, diagrams, full, guesses, nets, plots, runs, training
from starter import flow_vae as fv, vae

# %% [markdown]
# **Where this leads.** Samples of a VAE whose posterior and prior are flows, trained on MNIST until the end. Lab 2 opens with
# samples of a VAE without flows. In which of the two are strokes sharper, and more samples digits?

# %%
full.preview("flow-vae-mnist", "mnist")

# %%
diagrams.show("flow_vae")

# %% [markdown]
# ## 4.1 Stretch, and it gets thin
#
# Draw $z$ from a density $p$, and move every draw by an increasing function $g$. Where $g$ is steep, draws move apart;
# where it is flat, they crowd. Probability is only moved, so
#
# $$q(g(z)) = \frac{p(z)}{g'(z)}, \qquad \log q(g(z)) = \log p(z) - \log g'(z)$$
#
# **Predict.** $g(z) = z + 2\tanh(2z)$ is steep at 0 and has slope 1 far away. What becomes of a normal distribution?
#
# **Change a number.** $g(z) = z + a \tanh(2z)$ has slope $1 + 2a$ at 0. Set `a` to $-0.4$, then to 0.5, and run the
# cell again. Look at both panels at $z = 0$: by which factor does $q$ differ from $p$ there?

# %%
a = 2.0  # try -0.4, 0.5
z = torch.linspace(-3.5, 3.5, 400)
moved = z + a * torch.tanh(2 * z)
slope = 1 + 2 * a * (1 - torch.tanh(2 * z) ** 2)
p = torch.exp(vae.log_normal(z[:, None]))
plots.panels({"g(z)": {"": (z, moved)}, "density": {"p": (z, p), "q = p / g '": (moved, p / slope)}}, x="z")

# %% [markdown]
# One hill has become two: the steep part tears a gap into the middle. In more dimensions the slope is the Jacobian, and
# its determinant says how much a small volume grows:
#
# $$\log q(g(z)) = \log p(z) - \log\Big|\det\frac{\partial g}{\partial z}\Big|$$
#
# That is all. The art is to find maps that bend a lot, can be inverted, and have a cheap determinant.
#
# ## 4.2 A planar step
#
# The same map, across a plane in any direction $w$, pushing along any vector $u$:
#
# $$z' = z + u \tanh(w^\top z + b)$$
#
# **Predict.** Look along $w$ only, with $\lVert w\rVert = 1$: for which $w^\top u$ does the map fold, so that two points
# land on one?

# %%
z = torch.linspace(-3, 3, 200)
curves = {f"w·u = {a:+.1f}": (z, z + a * torch.tanh(z)) for a in (2.0, 0.0, -1.0, -2.0)}
plots.lines(curves, "Below -1 the map turns back", "w·z before", "w·z after")

# %% [markdown]
# The slope at the plane is $1 + w^\top u$. A map that folds has no density formula. So $u$ is replaced by a vector
# $\hat u$ that differs from it along $w$ only, and never folds:
#
# $$\hat u = u + \big[m(w^\top u) - w^\top u\big]\frac{w}{\lVert w\rVert^2}, \qquad m(a) = -1 + \log(1 + e^a)$$
#
# **Predict.** What is $w^\top\hat u$?

# %%
check("flow-1")  # starter/flow_vae.py, u_hat

# %%
a = torch.linspace(-6, 6, 61)
w, u = torch.ones(61, 1), a[:, None]
curves = {"w·u": (a, a), "w·û": (a, fv.u_hat(w, u)[:, 0])}
plots.lines(curves, "Training may put u anywhere; û never leads to a fold", "w·u", "w·u, and w·û", levels={"-1": -1})

# %% [markdown]
# Now the step itself. Each example has parameters of its own here, one row of $w$, $u$ and one $b$: usually they are
# all equal, but they need not be (4.9).
#
# **Predict.** A round cloud, $w = (3, 0)$, $u = (0, 2)$, $b = 0$. Where do the left and the right half go?

# %%
check("flow-2")  # starter/flow_vae.py, planar

# %%
torch.manual_seed(training.SEED)
cloud = torch.randn(1500, 2)
side = (cloud[:, 0] > 0).long()


def row(*values):
    return torch.tensor([values]).expand(len(cloud), -1)


shear = fv.planar(cloud, row(3.0, 0.0), row(0.0, 2.0), torch.zeros(1500))
split = fv.planar(cloud, row(3.0, 0.0), row(2.0, 0.0), torch.zeros(1500))
plots.scatter({"z": (cloud, side), "u = (0, 2)": (shear, side), "u = (2, 0)": (split, side)})

# %% [markdown]
# ## 4.3 How much did it stretch?
#
# The Jacobian of a planar step is the identity plus a matrix of rank one, and the determinant of that is a scalar
# product:
#
# $$\log\Big|\det\frac{\partial z'}{\partial z}\Big| = \log\big|1 + \hat u^\top \psi(z)\big|, \qquad
# \psi(z) = \big(1 - \tanh^2(w^\top z + b)\big)\, w$$
#
# <details><summary>Why the determinant is a scalar product</summary>
#
# The matrix is $I + \hat u\, \psi^\top$. A vector $v$ that is orthogonal to $\psi$ stays as it is:
# $(I + \hat u \psi^\top) v = v$. There are $d - 1$ independent ones, with eigenvalue 1. The last eigenvector is
# $\hat u$ itself: $(I + \hat u \psi^\top)\, \hat u = (1 + \psi^\top \hat u)\, \hat u$. The determinant is the product
# of the eigenvalues, $1 + \psi^\top \hat u$. (If $\hat u$ is orthogonal to $\psi$, all eigenvalues are 1, and the
# formula says 1, too.)
#
# </details>
#
# The map with $u = (0, 2)$ shears the cloud: does it change a volume anywhere?

# %%
where = ["nowhere", "near its plane", "everywhere"]
guesses.predict("flow-shear", "Where does the step with u = (0, 2) change volumes?", where)

# %%
check("flow-3")  # starter/flow_vae.py, planar_log_det

# %% [markdown]
# Never trust a log-determinant that you have not compared with autograd: a model trains happily on a wrong one, and
# reports a likelihood that no model has.

# %%
parameters = [torch.randn(6, 3), torch.randn(6, 3), torch.randn(6)]
points = torch.randn(6, 3)
jacobian = torch.autograd.functional.jacobian(lambda z: fv.planar(z, *parameters).sum(0), points).permute(1, 0, 2)
exact = torch.linalg.slogdet(jacobian).logabsdet
print("agrees with autograd:", torch.allclose(fv.planar_log_det(points, *parameters), exact, atol=1e-4))
stretch = {"u = (0, 2)": row(0.0, 2.0), "u = (2, 0)": row(2.0, 0.0)}
at = {name: fv.planar_log_det(cloud, row(3.0, 0.0), u, torch.zeros(1500)) for name, u in stretch.items()}
plots.lines({name: (cloud[:, 0], values) for name, values in at.items()}, "log det", "$z_1$", "nats", style=".")
changed = (at["u = (0, 2)"].abs() > 0.05).float().mean()
guesses.outcome("flow-shear", where[(changed > 0) + int(changed > 0.9)])

# %% [markdown]
# The split stretches only near its plane. The shear should change no volume at all; at its plane it shrinks by a third. That is
# $\hat u$: along $w$ it differs from $u$ so far that $w^\top \hat u = m(0) = -0.31$, where $w^\top u = 0$.
#
# ## 4.4 Many steps
#
# One step bends once. A chain of them bends anywhere, and its log-determinant is a sum. Directions have names in this
# course: `forward` goes from data to latent, `inverse` from latent to data. Planar flows have a formula for the second only, in which
# they sample; coupling flows (4.7) have one for both.
#
# **Predict.** Three flows, $f_1$, $f_2$, $f_3$ in the order of `forward`. Which one comes first in `inverse`?

# %%
check("flow-4")  # starter/flow_vae.py, chain

# %%
torch.manual_seed(training.SEED)
flow = fv.planar_flows(2, 16)
for parameter in flow.parameters():
    parameter.data *= 2.5  # far from the start, which is near the identity
with torch.no_grad():
    clouds = {f"after {k}": (fv.Chain(flow.flows[-k:]).inverse(cloud)[0], side) for k in (1, 4, 16)}
plots.scatter({"z": (cloud, side), **clouds}, "Planar steps with random parameters")

# %% [markdown]
# ## 4.5 Four shapes to learn
#
# Rezende and Mohamed drew four targets on the plane, $p(z) = e^{-U(z)} / Z$. Three of them are waves without an end, and
# have no finite $Z$: here soft walls at $|z_i| = 4$, the border of the paper's pictures, make densities of them. Let a flow
# move normal draws there by minimising
#
# $$\mathrm{KL}(q \,\Vert\, p) = \mathbb E_{z_0}\Big[\log q_0(z_0) - \textstyle\sum\log|\det| + U(z_K)\Big] + \log Z$$
#
# No data are needed: only draws of $z_0$ and a formula for $U$.
#
# **Predict.** One step makes one bend. Which of the four targets will 2 steps manage, which will 8?

# %% tags=["training"]
def fitted(steps):
    torch.manual_seed(training.SEED)
    flow = fv.planar_flows(2, steps, groups=4)  # four flows side by side, one for each target

    def loss(done):
        z, log_det = flow.inverse(torch.randn(4 * 128, 2))
        return (min(1.0, 0.01 + done / 0.6) * densities.energies(z) - log_det).mean()  # U is switched on slowly

    densities.minimise(loss, flow, steps=280, lr=0.05)
    return flow


flows = {steps: fitted(steps) for steps in (2, 8, 32)}

# %%
@torch.no_grad()
def distance(flow):
    z_0 = torch.randn(4 * 20_000, 2)
    z, log_det = flow.inverse(z_0)
    free_energy = vae.log_normal(z_0) - log_det + densities.energies(z)
    return z.chunk(4), free_energy.reshape(4, -1).mean(dim=1) + log_z


minus_u, log_z = densities.targets()
rows, charged = {"target": list(zip(densities.TARGETS, minus_u.exp()))}, {}
for steps, flow in flows.items():
    clouds, kl = distance(flow)
    charged[steps] = kl
    rows[f"{steps} steps"] = [(f"{d:.2f} nats", densities.histogram(cloud)) for d, cloud in zip(kl, clouds)]
densities.maps(rows, "Four targets, draws of the flows, and KL(q || p)")
training.within("lab 4 KL of 32 planar steps", kl.mean().item())

# %% [markdown]
# With 2 steps the flow covers what it can. With 32 both halves of the ring are there. On the waves the draws follow the
# line, but do not reach its ends, and of two branches one stays faint. $\mathrm{KL}(q \Vert p)$ charges for draws where
# $p$ is low, and hardly for what is left out. And a continuous map cannot tear a cloud apart: it stretches the bridges
# until they are thin.
#
# What is left out would show in the other direction, $\mathrm{KL}(p \Vert q)$. It needs $q$ at points that *we* choose: where
# does the flow take them from? That is `forward`, and a planar step has no closed form for it. Build it: for this one there
# is no formula, only a contract in its docstring.
#
# **Predict.** A step moves a code along $\hat u$ only. How many numbers of a code are unknown, then, on the way back?

# %%
check("flow-8")  # starter/flow_vae.py, undo_planar

# %%
everywhere, area = densities.grid()
log_p = minus_u - log_z[:, None]
rows, left_out = {"target": list(zip(densities.TARGETS, log_p.exp()))}, {}
for steps, flow in flows.items():
    with torch.no_grad():
        z_0, log_det = flow.forward(everywhere.repeat(4, 1))  # the same points for each of the four
    log_q = (vae.log_normal(z_0) + log_det).reshape(4, -1)
    left_out[steps] = (log_p.exp() * (log_p - log_q)).sum(dim=1) * area
    rows[f"{steps} steps"] = [(f"{d:.2f} nats", q) for d, q in zip(left_out[steps], log_q.exp())]
    whole = densities.log_integral(log_q, area).exp()
    print(f"{steps:2d} steps: each of the four densities has an integral of 1:", bool((whole - 1).abs().max() < 0.01))
densities.maps(rows, "The densities of the same flows, and KL(p || q)")
print("ring: 32 steps leave out less than 8, and 8 less than 2:", bool(left_out[32][0] < left_out[8][0] < left_out[2][0]))
fell, rose = charged[8][1] < charged[2][1], left_out[8][1] > left_out[2][1]
print("first wave, from 2 to 8 steps: KL(q || p) falls and KL(p || q) rises:", bool(fell and rose))

# %% [markdown]
# Not draws this time but $q$ itself. It adds up to 1, so volumes are accounted for; and it has the shape of the draws
# above, so the way back is the right one. On the ring, less is left out with every
# bend. On the first wave, 8 steps leave out *more* than 2, although $\mathrm{KL}(q \Vert p)$ has fallen: what is left out was
# never asked for. A likelihood asks for it: the flows of 4.7 are trained in this other direction, which needs data, and a
# `forward` that has a gradient.
#
# **Question 1.** Suppose `planar_log_det` returned twice the true value. The training above would still run. What would
# the clouds look like, what would the printed KL say, and which test of this notebook would notice?

# %% [markdown] answer="flow-q1"
# Your answer.

# %% [markdown]
# ## 4.6 A flow between encoder and decoder
#
# The encoder gives $z_0 \sim \mathcal N(\mu, \sigma^2)$ as before; the flow makes $z_K$ of it; the decoder gets $z_K$. In
# the ELBO the KL term has no closed form any more. One sample estimates it:
#
# $$\log \mathcal N(z_0; \mu, \sigma^2) - \log\Big|\det\frac{\partial z_K}{\partial z_0}\Big| - \log p(z_K)$$
#
# **Predict.** Can this number be negative for one sample? And its mean?

# %%
check("flow-5")  # starter/flow_vae.py, flow_elbo

# %% [markdown]
# What could a better posterior gain? First a VAE with two latents and no flow: on the plane the *exact* posterior
# $p(z \mid x) \propto p(x \mid z)\,p(z)$ can be summed over a grid.
#
# $$\log p(x) - \mathrm{ELBO} = \mathrm{KL}\big(q(z \mid x) \,\Vert\, p(z \mid x)\big)$$
#
# Our pixels are grey, and $\log p(x \mid z)$ is here what it was in 2.3: minus the cross-entropy, a log-likelihood without the
# normalising constant of the continuous Bernoulli (Loaiza-Ganem & Cunningham 2019). The line holds all the same, and the
# posterior is exact for the model that is trained here; only $\log p(x)$ is no log-density of grey values.
#
# **Predict.** Must the exact posterior of an image have one hill?

# %% tags=["training"]
train, test = data.load(), data.load(split="test")
x = test.pixels(slice(1000))


def flow_vae(latent_dim, posterior=None, prior=None):
    encoder = nets.mlp_encoder(train.shape, (128,), 2 * latent_dim)
    return fv.FlowVAE(encoder, nets.mlp_decoder(latent_dim, (128,), train.shape), posterior, prior)


torch.manual_seed(training.SEED)
flat = flow_vae(2)
training.fit(flat, train, steps=600, lr=3e-3)
plane, area = densities.grid()

# %%
@torch.no_grad()
def log_joint(image, rows=None):
    """log p(x | z) + log p(z) at every point of the grid; of an image (1, C, H, W), or of its first rows only."""
    logits, image = flat.decoder(plane)[:, :, :rows], image[:, :, :rows]
    return vae.log_normal(plane) - vae.bernoulli_nll(logits, image.expand(len(plane), -1, -1, -1))


def compared(mu, sigma, joints):
    """log-densities (N, grid) of Gaussians, one for each image, and KL(q || exact posterior) (N,)."""
    log_q = vae.log_normal((plane - mu[:, None]) / sigma[:, None]) - sigma.log().sum(dim=1, keepdim=True)
    kl = (log_q.exp() * (log_q - joints)).sum(dim=1) * area + densities.log_integral(joints, area)
    return log_q, kl


def moments(joints):
    """Mean and spread of the exact posteriors: the Gaussians with the smallest KL(exact || q)."""
    p = joints.softmax(dim=1)
    mu = p @ plane
    return mu, (p @ plane.square() - mu.square()).sqrt()


def best_gaussians(joints):
    """Mean and spread with the smallest KL(q || exact), that of the loss; the search begins at the moments."""
    mu, sigma = moments(joints)
    fit = torch.nn.ParameterList([mu, sigma.log()])
    densities.minimise(lambda done: compared(fit[0], fit[1].exp(), joints)[1].sum(), fit, steps=200, lr=0.03)
    return fit[0].detach(), fit[1].detach().exp()


# %%
@torch.no_grad()
def gaps(images):
    """KL(encoder's Gaussian || exact posterior) of each image, and the joints on the grid."""
    joints = torch.stack([log_joint(image) for image in images.split(1)])
    elbo = -flat.bound(images.repeat_interleave(2000, dim=0))[0].loss.reshape(len(images), -1).mean(dim=1)
    return densities.log_integral(joints, area) - elbo, joints


torch.manual_seed(training.SEED)
(gap, joints), (trained_gap, _) = gaps(x[:40]), gaps(train.pixels(slice(40)))
fitted_gap = compared(*best_gaussians(joints), joints)[1]
found = {"encoder, test images": gap, "encoder, training images": trained_gap, "fitted to each test image": fitted_gap}
curves = {f"{name}: mean {nats.mean():.2f}": (range(40), nats.sort().values) for name, nats in found.items()}
plots.lines(curves, "KL(Gaussian || exact posterior) of 40 images", "image, sorted", "nats", style="o")
training.within("lab 4 gap of the VAE", gap.mean().item())
print("a fitted Gaussian leaves less than a fifth of it:", bool(fitted_gap.mean() < gap.mean() / 5))

# %% [markdown]
# That is the gap. But a *Gaussian* fitted to each posterior nearly closes it: the exact posteriors have one
# hill. So it is not the shape that is expensive. One encoder gives the Gaussians of all images, and it does not find
# the best one for each (Cremer et al.: not the family of $q$, but its amortisation). Is it because these are test
# images? Here the encoder does better on training images. But a few images make most of these means, and with another
# seed the order may turn.
#
# So where does shape matter? Where the image leaves something open. Hide all but its first rows:

# %% tags=["training"]
seen_rows, chosen = round(0.3 * train.shape[1]), x[:4]
hidden = torch.stack([log_joint(image, seen_rows) for image in chosen.split(1)])
torch.manual_seed(training.SEED)
bent = fv.planar_flows(2, 12, groups=4)  # each image has a flow of its own, from N(0, I)


def half_elbo(draws):
    """flow_elbo of the visible rows for `draws` samples of each image, and the codes."""
    z_0, at_prior = torch.randn(4 * draws, 2), torch.zeros(4 * draws, 2)
    z, log_det = bent.inverse(z_0)
    logits, seen = flat.decoder(z)[:, :, :seen_rows], chosen[:, :, :seen_rows].repeat_interleave(draws, dim=0)
    return fv.flow_elbo(logits, seen, at_prior, at_prior, z_0, z, log_det), z


densities.minimise(lambda done: half_elbo(64)[0].loss.mean(), bent, steps=240, lr=0.05)

# %%
with torch.no_grad():
    terms, z = half_elbo(20_000)
flow_gap = densities.log_integral(hidden, area) + terms.loss.reshape(4, -1).mean(dim=1)
gaussians = {"KL(p || q)": compared(*moments(hidden), hidden), "KL(q || p)": compared(*best_gaussians(hidden), hidden)}
rows = {
    "exact": [(f"first rows of a {label}", (joint - joint.max()).exp()) for label, joint in zip(test.y, hidden)],
    **{name: [(f"{nats:.2f} nats", q.exp()) for q, nats in zip(*found)] for name, found in gaussians.items()},
    "12 planar steps": [(f"{nats:.2f} nats", densities.histogram(cloud)) for nats, cloud in zip(flow_gap, z.chunk(4))],
}
plots.rows({"image": chosen, "visible": torch.cat([chosen[:, :, :seen_rows], 0 * chosen[:, :, seen_rows:]], dim=2)})
densities.maps(rows, "Posteriors given the visible rows, and KL(q || exact)", zoom=4)
training.within("lab 4 gap of planar posteriors", flow_gap.mean().item())
best = gaussians["KL(q || p)"][1].mean()
print("less than half of the best Gaussian's:", bool(flow_gap.mean() < best / 2))

# %% [markdown]
# These posteriors bend, and the flow bends with them. Compare it with the Gaussian that was fitted by the *same* KL.
# The step from the first Gaussian to the second is the direction of the KL; the step from there to the flow is the
# flow's shape. $\mathrm{KL}(p \Vert q)$ wants mass wherever $p$ has some: its Gaussian is wide.
# $\mathrm{KL}(q \Vert p)$ punishes mass where $p$ has none, and charges little for a faint second hill that it leaves
# out. (In the last column the hills are so near that it still pays to cover both.)
#
# <details><summary>The two directions, for one Gaussian and two hills</summary>
#
# Let $q$ be a Gaussian with mean $\mu$ and variance $\sigma^2$. Forward,
# $\mathrm{KL}(p \Vert q) = -H(p) - \mathbb E_p[\log q]$, and of the second term only
# $\log \sigma + \mathbb E_p[(z - \mu)^2] / 2 \sigma^2$ depends on $q$. Its derivatives are 0 at $\mu = \mathbb E_p[z]$
# and $\sigma^2 = \mathrm{Var}_p[z]$: the moments of $p$, whatever lies between its hills.
#
# Reverse, $\mathrm{KL}(q \Vert p) = \mathbb E_q[\log q - \log p]$: an average over places that $q$ itself chooses. A
# place where $p$ is nearly 0 costs much as soon as $q$ goes there. A hill where $q$ never goes costs nothing by itself.
# Only, $q$ is then larger than $p$ on the others; where it takes one hill of two, by a factor of 2, which costs
# $\log 2$.
#
# </details>
#
# Below every Gaussian of a grid is tried, in both directions. Remember these pictures for 4.9.
#
# **Change a number.** The hills lie at `-away` and `away`. Set `away` to 1.5, then to 0.8, and run the cell again.
# Look at the Gaussian of the lowest $\mathrm{KL}(q \Vert p)$: does it stand on one hill, or between the two?

# %%
away = 2.0  # try 1.5, 0.8
line = torch.linspace(-8, 8, 641)
hills = torch.stack([torch.distributions.Normal(hill, 0.7).log_prob(line) for hill in (-away, away)])
log_p = hills.logsumexp(dim=0) - torch.log(torch.tensor(2.0))
middles, widths = torch.meshgrid(torch.linspace(-3, 3, 61), torch.linspace(0.4, 3, 66), indexing="ij")
log_q = torch.distributions.Normal(middles[..., None], widths[..., None]).log_prob(line)  # (61, 66, 641)
directions = {"p || q": log_p.exp() * (log_p - log_q), "q || p": log_q.exp() * (log_q - log_p)}
fitted = {"p": (line, log_p.exp())}
for name, integrand in directions.items():
    nats = integrand.sum(dim=-1) * (line[1] - line[0])
    i = nats.argmin()
    mu, sigma = middles.flatten()[i], widths.flatten()[i]
    fitted[f"lowest KL({name}): {nats.min():.2f} nats"] = (line, log_q.flatten(0, 1)[i].exp())
    print(f"KL({name}): the mean lies {abs(mu):.1f} from 0, the deviation is {sigma:.2f}")
print(f"moments of p: mean 0, deviation {(away**2 + 0.7**2) ** 0.5:.2f}; log 2 is {torch.log(torch.tensor(2.0)):.2f}")
plots.lines(fitted, "The best Gaussian in either direction", "z", "density")

# %% [markdown]
# ## Second sitting: priors
#
# A good place for a break. To go on another day, select this cell and choose *Run → Run All Above Selected Cell*.
#
# One word before: every flow's `forward` leads from data to noise, and its `inverse` from noise to data. So far codes
# were drawn, $z_0$ first, and a posterior went the way of `inverse`. A prior is asked about codes, and goes `forward`.
#
# ## 4.7 A map with two directions
#
# A prior needs the density of a code that comes from elsewhere, so `forward` must be cheap. A coupling passes half of
# the dimensions through, and lets them decide how the others are scaled and shifted:
#
# $$z_a = x_a, \qquad z_b = x_b \odot e^{\log s(x_a)} + t(x_a)$$
#
# **Predict.** $\log s$ and $t$ are a network that nobody can invert. How do you get $x_b$ back?

# %%
check("flow-6")  # starter/flow_vae.py, coupling

# %%
torch.manual_seed(training.SEED)
flow = fv.coupling_flows(6, 8)
for parameter in flow.parameters():
    parameter.data += 0.2 * torch.randn_like(parameter)
with torch.no_grad():
    codes = torch.randn(1000, 6)
    moved, there = flow.inverse(codes)
    back, again = flow.forward(moved)
print("there and back:", torch.allclose(back, codes, atol=1e-3), torch.allclose(there + again, torch.zeros(1000), atol=1e-3))

# %% [markdown]
# A round trip proves less than it seems: with a log-determinant doubled in both directions, both lines would still say
# True. Your check compared the numbers themselves.
#
# ## 4.8 A prior that learns
#
# The average posterior of all images has holes and hills; the standard normal knows nothing of them. Let the prior be a
# flow, and train it with the rest:
#
# $$\log p(z) = \log\mathcal N(f(z); 0, I) + \log\Big|\det\frac{\partial f}{\partial z}\Big|$$
#
# Here $f$ is `forward`, from the code to noise: its log-determinant is added. That of the $g$ of 4.1, from noise to the
# draw, was subtracted.
#
# **Predict.** Where will the learned density be high?

# %%
check("flow-7")  # starter/flow_vae.py, flow_log_prob

# %% tags=["training"]
torch.manual_seed(training.SEED)
learned = flow_vae(2, prior=fv.coupling_flows(2, 4))
training.fit(learned, train, steps=600, lr=3e-3)
wide, wide_area = densities.grid(240, edge=12)
with torch.no_grad():
    prior = learned.log_prior(wide)
    codes = vae.reparameterize(*learned.encode(train.pixels()), torch.randn(len(train), 2))
clouds = [("codes of the training images", densities.histogram(codes, edge=12)), ("learned prior", prior.exp())]
densities.maps({"": clouds}, edge=12, zoom=8, inches=4)
print("integrates to 1:", abs(densities.log_integral(prior, wide_area).exp().item() - 1) < 0.03)

# %% [markdown]
# The learned density has moved to where the codes are.
#
# ## 4.9 Is it worth it?
#
# Eight models with eight latents, five seeds each, the same for all: initial weights of encoder and decoder, order of
# the images, number of steps. Inverse autoregressive flow (IAF) is one more posterior behind the same interface: every
# dimension is moved by a function of the ones before it, through masked layers.
#
# Planar steps and IAF come twice. *Unconditional*: of the image they get only μ and σ, and all images share one flow.
# *With context*, as in the papers: the encoder's last hidden layer changes $w$, $u$ and $b$ of each planar step, and is
# shown to the layers of IAF. Then every image has a flow of its own, and one network gives them all (`Amortised`).
#
# Order them by $-$ELBO. What will the context add?

# %%
flows = ["planar steps", "IAF", "planar steps with context", "IAF with context", "couplings", "a learned prior"]
guesses.predict("flow-best", "Which single flow improves the VAE's bound most?", flows)

# %%
contenders = {
    "VAE": lambda: {},
    "planar": lambda: {"posterior": fv.planar_flows(8, 4)},
    "IAF": lambda: {"posterior": fv.autoregressive_flows(8, 2)},
    "planar,\ncontext": lambda: {"posterior": fv.amortised_planar_flows(8, 4, context=128)},
    "IAF,\ncontext": lambda: {"posterior": fv.amortised_autoregressive_flows(8, 2, context=128)},
    "coupling": lambda: {"posterior": fv.coupling_flows(8, 2)},
    "prior": lambda: {"prior": fv.coupling_flows(8, 4)},
    "both": lambda: {"posterior": fv.coupling_flows(8, 2), "prior": fv.coupling_flows(8, 4)},
}


@torch.no_grad()
def bounds(model, samples=32):
    """-ELBO, the bound of 32 samples and the KL, in nats per test image."""
    log_p_x, log_p_z, log_q = model.log_weights(x, torch.randn(samples, len(x), 8))
    tight = vae.importance_weighted_bound(log_p_x, log_p_z, log_q).mean()
    return torch.stack([(log_q - log_p_z - log_p_x).mean(), -tight, (log_q - log_p_z).mean()])


# %% tags=["training"]
seeds = range(5 * training.SEED, 5 * training.SEED + 5)


def run(name, seed):
    torch.manual_seed(seed)
    flows = contenders[name]()
    torch.manual_seed(seed)  # encoder and decoder start alike, whatever the flows have drawn
    model = flow_vae(8, **flows)
    recorded = "flow-vae" if (name, seed) == ("both", seeds[0]) else None
    training.fit(model, train, steps=190, lr=3e-3, seed=seed, run=recorded)
    values = bounds(model)
    if recorded:
        runs.measure(recorded, train, lambda n: model.sample(torch.randn(n, 8)), nats=values[0].item())
    return values


table = {name: torch.stack([run(name, seed) for seed in seeds]) for name in contenders}  # (seeds, 3)

# %%
mean = {name: values.mean(dim=0).tolist() for name, values in table.items()}
title = f"Mean -ELBO of five seeds; 32 samples bring the VAE's to {mean['VAE'][1]:.1f}"
plots.bars({name: values[0] for name, values in mean.items()}, title, "nats per image")
training.within("lab 4 -ELBO of the planar VAE", mean["planar"][0])
training.within("lab 4 KL of the planar VAE", mean["planar"][2])
training.within("lab 4 -ELBO of both", mean["both"][0])

# %% [markdown]
# On this scale all are the same. Subtract, seed by seed, what the plain VAE reached:

# %%
difference = {}
for name in [name for name in table if name != "VAE"]:
    gain = table[name] - table["VAE"]  # (seeds, 3)
    difference[name] = {"-ELBO": gain[:, 0], "bound of 32 samples": gain[:, 1]}
densities.dots(difference, "Difference to the VAE of the same seed: one dot a seed, below 0 is better", "nats per image")
named = dict(zip(("planar", "IAF", "planar,\ncontext", "IAF,\ncontext", "coupling", "prior"), flows))
guesses.outcome("flow-best", named[min(named, key=lambda name: mean[name][0])])
gain = {name: mean["VAE"][0] - values[0] for name, values in mean.items()}
for name in ("planar", "IAF"):
    print(f"{name}: less than a nat in the mean; with context more:", gain[name] < 1 and gain[f"{name},\ncontext"] > gain[name])
print("planar steps with context: more than half a nat in the mean:", gain["planar,\ncontext"] > 0.5)
print("couplings: between 0.2 and 2 nats in the mean:", 0.2 < gain["coupling"] < 2)
prior = (table["VAE"] - table["prior"])[:, :2]  # (seeds, 2 bounds)
ahead = (prior.mean(dim=0) > 1).all() and (prior > 0).all()
print("a learned prior: a gain with every seed, of more than a nat in the mean of either bound:", bool(ahead))
print("the VAE's bound of 32 samples is about two nats better:", 1.4 < mean["VAE"][0] - mean["VAE"][1] < 2.6)

# %% [markdown]
# Unconditional planar steps and IAF: less than a nat in the mean; compare it with how far their dots are apart. With the
# context both gain more in the mean, planar steps more than half a nat. Couplings in the posterior gain, too, less than two
# nats. A learned *prior* gains with every seed, and more than a nat in the mean of either bound.
#
# Section 4.6 has told why. Exact posteriors of two latents were nearly Gaussian; if those of eight are, too, a bent shape
# gains little. But the encoder does
# not find the best Gaussian for each image, and a context is one more chance to come closer. The average posterior is
# not Gaussian at all: that is the prior's gain.
#
# These are short trainings. In a trial with 800 steps and three seeds most gains had shrunk: of planar steps to 0.2
# nats, with context to 0.4, of couplings to 0.4, of the prior to 1.6. What looks like a better model may learn faster only.
#
# **Question 2.** For the plain VAE, the bound of 32 samples is about two nats better than the ELBO. What does this say
# about how much *any* better posterior could gain for the same decoder? Which two causes did 4.6 separate?

# %% [markdown] answer="flow-q2"
# Your answer.

# %% [markdown]
# New images: draw from the learned prior, or from a normal distribution where a normal one is assumed.

# %%
with torch.no_grad():
    eps = torch.randn(12, 2)
    plots.rows({"normal prior": flat.sample(eps), "learned prior": learned.sample(eps)}, "Two latents, new images")

# %% [markdown]
# ## 4.10 One minute, and longer
#
# Sixteen latents, four autoregressive steps in the posterior and a learned prior of eight couplings, longer: `flow-vae-mnist` of
# the course, on MNIST at 28×28 (ten minutes of one core). It draws the lowest row.

# %%
guesses.summary("flow", "flow-vae-mnist", "mnist")

# %% [markdown]
# ## 4.11 Exercises
#
# 1. **Amortise.** Give the VAE of 4.6 four amortised planar steps, `fv.amortised_planar_flows(2, 4, 128)`, as its
#    posterior, and measure the gap and the $-$ELBO with three seeds, with and without. Which of the two numbers may you
#    compare, and why not the other?
# 2. **Larger.** Build the recipe `vae-planar` (a convolutional VAE with 128 latents and 4 planar steps), and compare it with
#    `vae-128-conv` over three seeds. How many seeds would you need to see a difference of half a nat?
# 3. **The slow direction.** Time `forward` and `inverse` of `autoregressive_flows(64, 2)`. Which one does a posterior need,
#    which one a prior? Why is there also a *masked autoregressive flow*, with the two exchanged?
#
# ## References
#
# - Rezende, Mohamed 2015, *Variational inference with normalizing flows*, ICML: sections 3 and 4, table 1, appendix A.1.
# - Kingma et al. 2016, *Improving variational inference with inverse autoregressive flow*, NeurIPS: section 4.
# - Dinh, Sohl-Dickstein, Bengio 2017, *Density estimation using Real NVP*, ICLR: section 3.
# - Su, Wu 2018, *f-VAEs: improve VAEs with conditional flows*: one flow between encoder and $\mathcal N(0, I)$, a
#   learned prior in our words.
# - Burda, Grosse, Salakhutdinov 2016, *Importance weighted autoencoders*, ICLR: section 3.
# - Cremer, Li, Duvenaud 2018, *Inference suboptimality in variational autoencoders*, ICML: the gap, taken apart.
# - Loaiza-Ganem, Cunningham 2019, *The continuous Bernoulli*, NeurIPS: the normalising constant that grey pixels lack.
