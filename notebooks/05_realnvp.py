# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · RealNVP
#
# A VAE bounds the likelihood of an image. A flow made of *couplings* computes the density of real numbers exactly, and
# runs backwards to draw new images. Afterwards you can
#
# - build an invertible layer around any network, and know its log-determinant;
# - turn grey levels into real numbers without cheating, and report bits per dimension;
# - stack couplings into a multi-scale model, sample from it, and walk through its latents;
# - explain why an attempt diverged, and repair it.
#
# **Time:** 170 minutes. **Before:** labs 2 and 4. **Your part:** nine blanks in
# [starter/realnvp.py](../starter/realnvp.py), two written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import os, sys

sys.path.append("..")
import torch

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import coupling_nets, data, densities, diagrams, full, guesses, plots, runs, training
from starter import autoencoder, realnvp as nvp

# %% [markdown]
# **Where this leads.** Samples of a flow of two scales that saw MNIST ten times, in 84 minutes of one core: each column
# walks from one noise to another. The strokes are sharp, and change little by little. Which of these shapes are
# digits, and which are none?

# %%
full.preview("realnvp-mnist", "mnist")

# %%
diagrams.show("realnvp")

# %% [markdown]
# ## 5.1 One half decides about the other
#
# Lab 4's planar steps knew their log-determinant, but not their inverse; its couplings knew both. Now couplings for
# images, where a mask says which half is which. Leave one half of the numbers alone; scale and shift the other half, by
# amounts that a network reads from the first:
#
# $$z_1 = x_1, \qquad z_2 = x_2 \cdot e^{\log s(x_1)} + t(x_1)$$
#
# **Predict.** The network is not invertible. How do you get $x_2$ back from $z_1, z_2$? And what does the matrix
# $\partial z / \partial x$ look like?

# %%
torch.manual_seed(training.SEED)
net = coupling_nets.ScaleShift(torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.Tanh(), torch.nn.Linear(32, 12)), 6, False)
net.net[2].weight.data *= 4  # as if trained: an untrained one has little to say
mask = torch.tensor([1.0, 1, 1, 0, 0, 0])


def by_hand(x):  # x: one example of six numbers, the first three pass
    log_s, t = net((mask * x)[None])
    return torch.cat([x[:3], x[3:] * log_s[0, 3:].exp() + t[0, 3:]])


jacobian = torch.autograd.functional.jacobian(by_hand, torch.randn(6))
says = "white and grey on the diagonal and in the lower left corner, black everywhere else"
plots.grid(jacobian.abs().clamp(max=1)[None, None], "|dz/dx|: black is 0, white 1 or more", inches=2.4, says=says)

# %% [markdown]
# The upper right is empty: a triangular matrix. Whatever the network does lands in the lower left corner, where no
# determinant looks. The determinant is the product of the diagonal: three ones, and three scales $s$.
#
# With a mask $m$ (1 passes through) the layer is
#
# $$z = m\,x + (1 - m)\,(x\,e^{\log s} + t), \qquad (\log s, t) = \mathrm{net}(m\,x)$$

# %%
check("nvp-2")  # starter/realnvp.py, coupling_forward

# %% [markdown]
# To go back, run the same network again, on the half that never changed: it gives the same amounts.
#
# **Predict.** Forward scales and then shifts. In which order must the two be undone?

# %%
check("nvp-3")  # starter/realnvp.py, coupling_inverse

# %% [markdown]
# A warning about tests. Double log_det in *both* directions: forward and inverse still undo each other, and the two
# log-determinants still add up to zero. Only an independent Jacobian, or a density that must integrate to 1, can tell.
#
# ## 5.2 Two moons
#
# Eight couplings, whose masks take turns, learn the density of points in the plane. The loss is
# $-\log p(x) = -\log \mathcal N(z; 0, I) - \log\lvert\det \partial z/\partial x\rvert$, nothing else.
#
# **Predict.** The flow is smooth and $\mathcal N(0, I)$ is in one piece. What will lie between the two moons?
#
# **Change a number.** Set `pairs`, couplings for each of the two masks, to 1, then to 2, and run this cell and the
# next one again. Look at the density, and at the number in the title: which of the two depends on `pairs`? (The bands
# are for 4.)

# %% tags=["training"]
pairs = 4  # try 1, 2
from sklearn.datasets import make_moons

points = torch.tensor(make_moons(4000, noise=0.08, random_state=0)[0], dtype=torch.float32)
points = (points - points.mean(dim=0)) / points.std(dim=0)
moons = data.Images(points, torch.zeros(4000, dtype=torch.long), levels=2, name="moons")
torch.manual_seed(training.SEED)
masks = pairs * [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
nets = [coupling_nets.ScaleShift(coupling_nets.dense_net(2, 64, 4), 2, spatial=False) for _ in masks]
plane = nvp.RealNVP([[nvp.AffineCoupling(mask, net) for mask, net in zip(masks, nets)]], shape=(2,))
history = training.fit(plane, moons, epochs=30, batch_size=256, lr=5e-3)

# %%
at, area = densities.grid(200, edge=3)
with torch.no_grad():
    density = plane.log_prob(at).exp()
    drawn = plane.inverse(torch.randn(20_000, 2))[0]
total = density.sum().item() * area
counts = [densities.histogram(cloud, 60, edge=3) for cloud in (points, drawn)]
pictures = [("data", counts[0]), ("density", density), ("samples", counts[1])]
densities.maps({"": pictures}, f"The density integrates to {total:.4f}", edge=3, zoom=3, inches=2.6)
training.within("lab 5 moons integral", total)
training.within("lab 5 moons nats", history.last())

# %% [markdown]
# The sum over the grid is 1 although nobody asked for it: volumes are accounted for. A thin bridge joins the moons: a
# continuous map cannot tear one cloud into two.

# %% [markdown]
# ## 5.3 What a grey level is worth
#
# Images are made of whole grey levels, here 17. A density of real numbers may pile up on 17 values without bound: its
# "likelihood" can grow for ever. So spread every level over an interval, then $(0, 1)$ over the real line:
#
# $$k \;\to\; v = \frac{k + u}{17} \;\to\; p = \alpha + (1 - 2\alpha)\,v \;\to\; z = \log\frac{p}{1 - p}$$
#
# **Predict.** Which of the three maps shrink, which stretch? What is the log-determinant of the first, for 64 pixels?

# %%
DATA = os.environ.get("DATA", "digits")  # 8x8 and 17 levels, as scanned
LAB = "lab 5" if DATA == "digits" else f"lab 5, {DATA}"  # the bands were measured on digits
train, test = data.load(DATA), data.load(DATA, split="test")
x, everything = test.pixels(), torch.cat([train.pixels(), test.pixels()])[:4000]
torch.manual_seed(training.SEED)
v = (x * (train.levels - 1) + torch.rand_like(x)) / train.levels
plots.rows({"x": x[:12], "with noise": v[:12]}, f"{train.levels} levels, and the same as real numbers")

# %%
check("nvp-5")  # starter/realnvp.py, dequantize

# %% [markdown]
# The noise costs nothing to undo: rounding down finds the level again. And it makes the density honest. Averaged over $u$,
# $\log p(z) + \text{log\_det}$ is a lower bound on the log-probability of the image's *levels*, in nats.
#
# Divide by the dimensions and by $\log 2$: bits per dimension, the number that papers compare.
#
# **Predict.** A model knows nothing: all 17 levels are equally likely. Its bits per dimension?

# %%
check("nvp-7")  # starter/realnvp.py, bits_per_dim

# %%
nothing = nvp.bits_per_dim(torch.tensor([-float(x[0].numel())]) * torch.tensor(train.levels).log(), train.shape).item()
k = (train.x.flatten()).long()
share = torch.bincount(k, minlength=train.levels) / len(k)
entropy = -(share[share > 0] * share[share > 0].log2()).sum().item()
levels = {"all levels alike": nothing, "levels as frequent as they are": entropy}
plots.bars(levels, "Bits per dimension before any flow", "bits/dim", digits=2)

# %% [markdown]
# These are the numbers to beat. Black is frequent, so counting alone helps. The rest must come from neighbours.
#
# ## 5.4 Masks for images
#
# A checkerboard lets every pixel be predicted from its neighbours. Halves of the channels are the alternative, once
# there are several channels.

# %%
check("nvp-1")  # starter/realnvp.py, coupling_mask

# %%
names = {"board": ("checkerboard", False), "flipped": ("checkerboard", True), "channel": ("channel", False)}
masks = {name: nvp.coupling_mask((4, 6, 8), *given) for name, given in names.items()}
columns = [f"c = {c}" for c in range(4)]
plots.rows({name: 0.1 + 0.7 * mask[:, None] for name, mask in masks.items()}, "Grey passes, black changes", columns)

# %% [markdown]
# Six couplings with checkerboards, their masks taking turns, on uniform noise: the *simple* model.
#
# Counting levels costs 2.98 bits per dimension on the digits. How far below will the neighbours bring it?

# %%
gains = ["by less than a tenth", "by some tenths", "by more than one bit"]
guesses.predict("nvp-neighbours", "How far below the count of levels do six couplings get, in bits per dimension?", gains)

# %% tags=["training"]
SAMPLES, SETTINGS = 8, {"batch_size": 64, "lr": 2e-3}


@torch.no_grad()
def measured(model):
    torch.manual_seed(training.SEED)
    u = nvp.uniform((SAMPLES, *x[:500].shape))
    return {k: model.bits(x[:500], u[:k]).mean().item() for k in (1, SAMPLES)}  # k samples of u -> bits/dim


torch.manual_seed(training.SEED)
simple = nvp.simple(train.shape, train.levels, coupling_nets.lean_net, hidden=32, count=6)
history = training.fit(simple, train, epochs=10, **SETTINGS)
bits = {"simple": measured(simple)}
curve = {"training": (range(10, history.steps), history.terms["loss"][10:])}
plots.lines(curve, f"Test: {bits['simple'][1]:.3f} bits/dim", "step", "bits per dimension", levels)
gained = entropy - bits["simple"][1]
guesses.outcome("nvp-neighbours", gains[(gained > 0.1) + (gained > 1)])

# %% [markdown]
# ## 5.5 Noise that suits the image
#
# Uniform noise draws boxes with sharp edges, and a smooth flow wastes effort on edges. Any noise $q(u \mid x)$ on the
# box will do, if we pay for it:
#
# $$\log P(x) \;\ge\; \mathbb E_{q(u \mid x)}\big[\log p(x, u) - \log q(u \mid x)\big]$$
#
# A small flow makes it: uniform noise, logit, couplings that see the image, sigmoid.
#
# **Predict.** You know this bound. Which part of a VAE is $q(u \mid x)$? What is its decoder?

# %%
check("nvp-8")  # starter/realnvp.py, variational_noise

# %% tags=["training"]
torch.manual_seed(training.SEED)
bent = nvp.simple(train.shape, train.levels, coupling_nets.lean_net, hidden=32, count=6, noise=2)
training.fit(bent, train, epochs=10, **SETTINGS)
bits["bent noise"] = measured(bent)
with torch.no_grad():
    u, _ = nvp.variational_noise(x, nvp.uniform(x.shape), bent.bent)
    parts = {"black": u[x == 0], "white": u[x == 1]}
centres = torch.arange(0.025, 1, 0.05)
curves = {name: (centres, torch.histc(part, 20, 0, 1) / len(part) * 20) for name, part in parts.items()}
plots.lines(curves, "Bent noise", "u", "density", {"uniform": 1.0}, style="o-")

# %% [markdown]
# Black pixels now keep away from the border to the next level: there, uniform noise ends in a cliff that no smooth flow
# can draw. The new noise has a cost, $\log q$, and the flow gains more than that. The encoder of a VAE is
# $q(u \mid x)$; its decoder is "round down", certain of the image. So lab 2's importance-weighted bound applies as it
# is, and `ImageFlow.bits` uses it.

# %% [markdown]
# **Question 1.** A friend trains the same flow on $x$ itself, without any noise, and reports $-12$ bits per dimension,
# falling with every epoch. What has the model learned? Why can the number of this notebook never fall below 0?

# %% [markdown] answer="nvp-q1"
# Your answer.

# %% [markdown]
# ## 5.6 Two scales
#
# Checkerboards see neighbours only. To see further, trade rows and columns for channels: every 2×2 block becomes four
# channels.
#
# **Predict.** `x.reshape(B, 4 * C, H // 2, W // 2)` has the right shape. What would the four channels show?

# %%
check("nvp-4")  # starter/realnvp.py, squeeze

# %%
four = nvp.squeeze(x[:3]).flatten(0, 1)[:, None][:12]  # (3 * 4, 1, H / 2, W / 2)
wrong = x[:3].reshape(-1, 1, *four.shape[2:])[:12]
plots.rows({"squeezed": four, "reshaped": wrong}, "Three digits: four channels each")

# %% [markdown]
# Squeezing gives four small copies of the digit, reshaping gives four strips of it. Now half of the channels can leave:
# they become latent, pay $\log \mathcal N(z; 0, I)$, and the other half goes on to the next scale.

# %%
check("nvp-6")  # starter/realnvp.py, split

# %% [markdown]
# **Build it.** Layers, stages, and numbers that leave between them: the whole way from data to latents is yours, without a
# formula. Draw it first for three stages: how many numbers leave where, what has each of them paid, and when?

# %%
check("nvp-9")  # starter/realnvp.py, encode

# %% [markdown]
# Everything together: checkerboards, squeeze, channel masks, split, squeeze, channel masks, with variational noise.
# Importance weighting over 8 samples of $u$ tightens the bound.

# %% tags=["training"]
torch.manual_seed(training.SEED)
model = nvp.multiscale(train.shape, train.levels, coupling_nets.lean_net, hidden=(32, 32, 32), counts=(4, 6, 4), noise=2)
history = training.fit(model, train, epochs=18, run="realnvp", **SETTINGS)
bits["multi-scale"] = measured(model)
plots.training(history.terms, f"Test: {bits['multi-scale'][1]:.3f} bits/dim", "bits per dimension")

# %%
named = {f"{name},\n{k} sample{'s' * (k > 1)}": pair[k] for name, pair in bits.items() for k in pair}
plots.bars(named, f"Test bits/dim with 1 and {SAMPLES} samples of u (no model: {entropy:.2f})", "bits/dim", digits=3)
print("importance samples of u:", SAMPLES)
training.within(f"{LAB} bits/dim", bits["multi-scale"][1])
training.within(f"{LAB} bits/dim, importance-weighted", bits["multi-scale"][SAMPLES])
training.within(f"{LAB} bits/dim, simple", bits["simple"][1])
training.within(f"{LAB} bits/dim, bent noise", bits["bent noise"][1])

# %% [markdown]
# Which channels pass a coupling is fixed. *Glow* (Kingma and Dhariwal, section 3) lets the model choose. Before every
# coupling a matrix $W$ mixes the channels of a pixel. It is the same for all pixels: a "1×1 convolution".
#
# <details><summary>What mixing costs: the log-determinant of a 1×1 convolution, and ActNorm</summary>
#
# A pixel of the output depends on no other pixel. Written pixel by pixel, the Jacobian is a matrix of blocks: $W$ on the
# diagonal, once for each of the $HW$ pixels, and zeros elsewhere. Its determinant is $(\det W)^{HW}$, so
# $\log|\det| = HW \log|\det W|$: one determinant of a $C \times C$ matrix instead of one of $CHW \times CHW$.
#
# *ActNorm* stands before that, and takes the place of BatchNorm: $z = e^{a} \odot x + b$ with two numbers for each
# channel. That is a diagonal $W$ and a shift, so $\log|\det| = HW \sum_c a_c$. At first $a$ and $b$ are set such that
# one batch comes out with mean 0 and variance 1. Then they are learned like all others, and no example depends on
# another one.
#
# </details>

# %%
torch.manual_seed(training.SEED)
mix, small = coupling_nets.InvertibleConv(4), torch.randn(1, 4, 3, 2)
mix.weight.data += 0.3 * torch.randn(4, 4)  # no rotation any more
jacobian = torch.autograd.functional.jacobian(lambda h: mix(h)[0], small).view(24, 24)
block = torch.linalg.slogdet(mix.weight).logabsdet
same = torch.allclose(jacobian.slogdet().logabsdet, 6 * block, atol=1e-5)
print("log |det| of the 24 × 24 Jacobian is 6 log |det W|:", same)

# %%
batch = 3 * torch.randn(64, 4, 3, 2) + 2
a = -batch.std(dim=(0, 2, 3), keepdim=True).log()  # ActNorm, as it starts: one a and one b for each channel
b = -a.exp() * batch.mean(dim=(0, 2, 3), keepdim=True)
jacobian = torch.autograd.functional.jacobian(lambda h: a.exp() * h + b, small).view(24, 24)
print("ActNorm's is 6 times the sum of a:", torch.allclose(jacobian.slogdet().logabsdet, 6 * a.sum(), atol=1e-5))
variance, mean = torch.var_mean(a.exp() * batch + b, dim=(0, 2, 3))
print("every channel has mean 0 and variance 1:", bool(((variance - 1).abs() + mean.abs()).max() < 1e-4))

# %% [markdown]
# ## 5.7 Nothing is lost
#
# A flow compresses nothing: latents have as many numbers as pixels, and the way back is exact, up to float32. Check it
# on the whole data set.

# %%
torch.manual_seed(training.SEED)
with torch.no_grad():
    y, _, _ = model.dequantized(everything, nvp.uniform(everything.shape))
    z, log_det = model.flow(y)
    y_back, log_det_back = model.flow.inverse(z)
print("|x - inverse(forward(x))| < 1e-4 for every image:", bool((y - y_back).abs().max() < 1e-4))
print("both log-determinants cancel:", bool(torch.allclose(log_det, -log_det_back, atol=1e-2)))
print("every grey level recovered:", torch.equal(model.images(model.encode(everything)), everything))

# %% [markdown]
# A likelihood can be asked of any image, also of one that is no digit.
#
# **Predict.** Digits upside down, and random grey levels: do they cost more bits than digits? More than the uniform guess?

# %%
torch.manual_seed(training.SEED)
random = torch.randint(train.levels, x[:500].shape) / (train.levels - 1)
kinds = {"digits": x[:500], "upside down": x[:500].flip(2), "random": random}
with torch.no_grad():
    costs = {name: model.bits(images, nvp.uniform((1, *images.shape))).mean().item() for name, images in kinds.items()}
plots.bars(costs, "Bits per dimension of what the model has and has not seen", "bits/dim", digits=2)
print("random levels cost more than the uniform guess:", costs["random"] > nothing)
print("digits upside down cost less than counting levels:", costs["upside down"] < entropy)

# %% [markdown]
# Random levels cost more than the uniform guess: what a model saves on digits it must waste elsewhere. Upside-down digits
# are cheap: most bits go into strokes and smooth edges, few into which digit it is. Flows that were trained on one set of
# photographs gave another set the higher likelihood (Nalisnick et al. 2019).
#
# ## 5.8 New digits
#
# Draw $z$ from $\mathcal N(0, T^2 I)$, go back. A *temperature* $T$ below 1 stays near the middle.

# %%
torch.manual_seed(training.SEED)
eps = torch.randn(12, x[0].numel())
drawn = {f"T = {t}": model.sample(eps, t) for t in (0.5, 0.7, 0.85, 1.0, 1.2)}
plots.rows({"test images": x[:12], **drawn}, "The same noise at five temperatures")
scores = {"bits_per_dim": bits["multi-scale"][1]}
runs.measure("realnvp", train, lambda n: model.sample(torch.randn(n, x[0].numel())), **scores)

# %%
start, end = model.encode(x[[0, 2, 5]]), model.encode(x[[1, 8, 9]])
path = autoencoder.interpolate(start, end, 12)  # (12, 3, D)
rows = {f"pair {i + 1}": model.images(path[:, i]) for i in range(3)}
plots.rows(rows, "From one test image to another, through the latents")

# %% [markdown]
# Both ends are the test images themselves, to the last grey level: no autoencoder of lab 1 did that. In between, strokes are
# erased and drawn anew.
#
# Half of the latents left the flow after the first scale, the others went on to the second (5.6). Keep one half of an
# image's latents, draw the other half anew. **Predict.** Which half must be kept, so that the digit stays?

# %%
halves = ["those that left early", "those that went on"]
guesses.predict("nvp-halves", "With which half kept does the image stay nearer to what it was?", halves)

# %%
torch.manual_seed(training.SEED)
images = x[:4].repeat_interleave(3, dim=0)
z = model.encode(images)
fresh, early = torch.randn_like(z), torch.arange(z.shape[1]) < z.shape[1] // 2  # in the order in which they left
mixed = {halves[0]: torch.where(early, z, fresh), halves[1]: torch.where(early, fresh, z)}
redrawn = {name: model.images(codes) for name, codes in mixed.items()}
kept = {f"kept:\n{name}": each for name, each in redrawn.items()}
plots.rows({"test images": images} | kept, "One half of the latents kept, the other drawn three times")
changed = {name: (each - images).square().mean().item() for name, each in redrawn.items()}
guesses.outcome("nvp-halves", min(changed, key=changed.get))

# %% [markdown]
# What went on decides more: with it kept, what comes out is nearer to the image. With new late latents it is something else.
#
# **Change a number.** Now `share` of the latents are drawn anew, those first that left first. Set `share` to 0.25,
# then to 0.75, and run the cell again. Look at the lower row: up to which share does it show the digit of the upper
# row?

# %%
share = 0.5  # try 0.25, 0.75
noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(training.SEED))
partly = torch.where(torch.arange(z.shape[1]) < share * z.shape[1], noise, z)
plots.rows({"test images": images, "part redrawn": model.images(partly)}, f"{share:.0%} of the latents drawn anew")

# %% [markdown]
# **Question 2.** Of two models of the same images, one needs fewer bits per dimension. Are its samples the better ones?
# Explain how a model can have a good likelihood and poor samples. (Think of where the bits are spent, and of 5.7.)

# %% [markdown] answer="nvp-q2"
# Your answer.

# %% [markdown]
# ## 5.9 A flow that diverged
#
# A report trained eight couplings on CIFAR-10, with networks of their own for $s$ and $t$: "loss unstable and did not
# decrease". Its layers are printed: nothing bounds $\log s$. It does not say what was done to the pixels; we take them as
# they are, which is our guess. Beside it the same networks, dequantized, with $\log s$ bounded by a tanh. Both get the
# same small colour patches of a photograph, and the same learning rate.
#
# **Predict.** A coupling scales by $e^{\log s}$, and $\log s$ grows with its input: the output of the coupling before.
# What do eight of them do?

# %% tags=["training"]
from sklearn.datasets import load_sample_image

photo = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)
patches = photo.unfold(1, 8, 8).unfold(2, 8, 8).permute(1, 2, 0, 3, 4).flatten(0, 1).contiguous()
patches = patches[::2]
colour = data.Images(patches, torch.zeros(len(patches), dtype=torch.long), levels=256, name="flower")

# %% tags=["training"]
trained = {}
for name, level_count, bounded in (("as reported", None, False), ("repaired", 256, True)):
    torch.manual_seed(training.SEED)
    network = nvp.two_nets(colour.shape, level_count, bounded=bounded)
    trained[name] = coupling_nets.watched(network, colour, epochs=1, batch_size=64, lr=3e-3)
loss = {f"{name}, {len(seen)} steps": (range(len(seen)), seen.clamp(-20, 20)) for name, (seen, _) in trained.items()}
last = {"as reported, first step": trained["as reported"][1][0], "as reported, last": trained["as reported"][1][-1]}
last["repaired, last"] = trained["repaired"][1][-1]
grown = {name: (range(1, 9), seen.nan_to_num(1e4).clamp(1e-3, 1e4).log10()) for name, seen in last.items()}
plots.panels({"bits/dim, cut at ±20": loss, "log10 of the largest |log s|": grown}, x=("step", "coupling"))

# %% [markdown]
# As we read the report: pixels in $[0, 1]$ are narrow, so stretching them lowers the loss, and the gradient asks all eight
# couplings for it alike. A stretched output is the next coupling's input, and $\log s$ grows with its input: from
# coupling to coupling $e^{e^{\dots}}$, soon beyond float32 (after how many steps depends on the seed). The repaired
# flow scales by at most $e^{\text{bound}}$ a coupling, and in dequantized data no single value has a density without
# limit. Its number is a likelihood; the other was none, even before it broke: see question 1.

# %% [markdown]
# ## 5.10 One minute, and longer
#
# The lowest row is drawn by the system `realnvp-mnist` of the course: two scales as in 5.6, gated networks
# (`coupling_nets.GatedConvNet`), 400,000 numbers, ten times through MNIST at 28×28 (`python -m starter reproduce
# realnvp-mnist` does it again). Test images cost it 1.25 bits per dimension, 1.49 held-out ones after the first epoch;
# the curve still falls. A larger flow of this plan ends at 1.05 in the report behind `realnvp-multiscale`, and at 1.02
# in Lippe's tutorial, after hours on a GPU. (Your 8×8 digits with 17 levels are other data: their bits do not compare.)
#
# FID, in the features of a classifier of digits, fell from 11.1 after 1,000 steps to 4.4. The GAN of lab 10 in full
# size has 0.23, and no likelihood. In bits per dimension all pixels count; whether a stroke is whole counts little (5.7).

# %%
guesses.summary("nvp", "realnvp-mnist", "mnist")

# %% [markdown]
# ## 5.11 Exercises
#
# 1. **Glow.** Put `coupling_nets.InvertibleConv` (5.6) before every channel coupling of the multi-scale flow. Do bits/dim
#    fall? Why does it need no mask that takes turns?
# 2. **Levels.** Train with `digits16`, 256 levels, smooth enlargements of the same images. Compare bits/dim with 8×8.
#    Which is the harder data set, and may the numbers be compared?
# 3. **How many samples?** Measure `bits` with 1, 4, 16, 64 samples of $u$, for uniform and for learned noise. Which
#    gains more, and why?
#
# **References.** Dinh, Sohl-Dickstein & Bengio 2017, *Density estimation using Real NVP*. Theis, van den Oord & Bethge
# 2016, *A note on the evaluation of generative models*. Nalisnick et al. 2019, *Do deep generative models know what
# they don't know?* Lippe, *UvA deep learning tutorials*, tutorial 11. Ho et al. 2019, *Flow++*. Kingma & Dhariwal 2018,
# *Glow*. Burda, Grosse & Salakhutdinov 2016, *Importance weighted autoencoders*.
