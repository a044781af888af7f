# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 · VQ-VAE with an autoregressive prior
#
# So far codes were real numbers. Here an image becomes a few *words* of a small dictionary, and a second model learns
# to write such words, one after the other. This is how tokens came into image models. Afterwards you can
#
# - train through a step that has no slope;
# - keep a codebook alive, and say how many of its codes are in use;
# - write a causal model, whose likelihood is exact, and draw from it;
# - say which bits may be compared with which.
#
# **Time:** 180 minutes. **Before:** labs 1 and 2; lab 5 for bits per dimension. **Your part:** eight blanks in
# [starter/vqvae.py](../starter/vqvae.py), three written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import math
from itertools import product

import torch
from scipy.cluster import vq as scipy_vq
from torch import nn

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, features, full, guesses, plots, ring, runs, training
from starter import autoencoder as ae
from starter import vqvae as vq

# %% [markdown]
# **Where this leads.** Samples of a VQ-VAE that was trained on MNIST: 49 words write an image. Each column walks from one
# noise to another in equal steps, as in labs 2 and 10. There the image changed little by little; here it often jumps. A
# word is chosen or it is not, and all words after it depend on it. Which images are no digits?

# %%
full.preview("vqvae-mnist", "mnist")

# %%
diagrams.show("vqvae")

# %% [markdown]
# ## 13.1 A dictionary for vectors
#
# A *codebook* has $K$ vectors $e_1, \dots, e_K$. Every $z$ is replaced by the nearest of them; only the number of that
# one is kept, its *code*:
#
# $$k(z) = \arg\min_k \lVert z - e_k \rVert$$
#
# **Predict.** How many bits does a code cost, for 8 codes, for 512? What do the regions look like in which all points
# have the same code?

# %%
check("vq-1")  # starter/vqvae.py, nearest_codes

# %%
torch.manual_seed(training.SEED)
x = ring.points(800).pixels()
codebook = x[torch.randperm(len(x))[:8]] + 0.05 * torch.randn(8, 2)
side = torch.linspace(0, 1, 200)
plane = torch.cartesian_prod(side, side)


def regions(ax, codebook, title, points=x):
    codes = vq.nearest_codes(plane, codebook).view(200, 200).T
    ax.imshow(codes, origin="lower", extent=(0, 1, 0, 1), cmap="tab20", alpha=0.35, interpolation="nearest")
    ax.scatter(*points.T, s=3, color="black", linewidths=0, label="points")
    ax.scatter(*codebook.T, s=60, marker="*", color="#D55E00", edgecolors="black", label="codes")
    ax.set(aspect="equal", title=title, xlim=(0, 1), ylim=(0, 1))
    plots.finish(ax, "$z_1$", "$z_2$")


with plots.figure(4.6, 4.2, alt="Eight polygons around eight codes, and eight clouds of points") as axes:
    regions(axes[0, 0], codebook, "Eight codes and their regions")

# %% [markdown]
# $\log_2 K$ bits: 3 and 9. Borders lie half-way between two codes, so regions are polygons. Each point jumps to the
# star of its region; the length of the jump is the price.
#
# ## 13.2 A step without a slope
#
# The encoder gives $z$, the decoder gets $z_q = e_{k(z)}$. Move $z$ a little: $z_q$ does not move, until it jumps. The
# slope is 0 almost everywhere, and the encoder would learn nothing.
#
# The way out is a pretence: backwards, act as if nothing had been replaced. The gradient that arrives at $z_q$ goes on
# to $z$, unchanged.

# %% [markdown]
# **Predict.** Codes lie at −1, 0 and 1, and the loss is $(z_q - 0.8)^2$. Which gradient reaches $z = 0.4$? Where does
# gradient descent take $z$, and when does it stop?

# %%
check("vq-2")  # starter/vqvae.py, straight_through

# %% [markdown]
# **Change a number.** Set `target` to 0.3, then to 1.4, and run the cell again. At which $z$ does the gradient change
# its sign? And where does $z$ go when it never does?

# %%
target = 0.8  # try 0.3, 1.4
line, z = torch.tensor([[-1.0], [0.0], [1.0]]), torch.linspace(-1.6, 1.6, 321)[:, None].requires_grad_()
z_q = line[vq.nearest_codes(z, line)]
loss = (vq.straight_through(z, z_q) - target).square()
(slope,) = torch.autograd.grad(loss.sum(), z)
forward = {"$z_q$": (z[:, 0], z_q[:, 0]), "loss": (z[:, 0], loss[:, 0])}
backward = {"straight through": (z[:, 0], slope[:, 0]), "true": (z[:, 0], torch.zeros(len(z)))}
plots.panels({"forward": forward, "gradient at z": backward}, "A step, and a slope for it", "z", "value")

# %% [markdown]
# $2\,(0 - 0.8) = -1.6$: $z$ moves right, past 0.5, and then $z_q$ is 1. There the gradient turns to $+0.4$, and $z$ is
# sent back over the border: it swings around 0.5 for ever. The estimator is biased, and works: it only has to say on
# which side a better code lies.
#
# ## 13.3 Two pulls
#
# The decoder's gradient now goes to $z$, and the codebook gets none. Two more terms bring $z$ and its code together, each with one end
# held fast (sg, *stop gradient*):
#
# $$\underbrace{\lVert \mathrm{sg}[z] - e \rVert^2}_{\text{codebook: the code moves}} \qquad
# \underbrace{\lVert z - \mathrm{sg}[e] \rVert^2}_{\text{commitment: the encoder moves}}$$

# %% [markdown]
# **Predict.** Both have the same value. Why not one term, without sg? Which of the two should be the weaker?

# %%
check("vq-3")  # starter/vqvae.py, pull

# %%
torch.manual_seed(training.SEED)
few, stars = x[:40].clone().requires_grad_(), codebook[:3].clone().requires_grad_()
chosen = stars[vq.nearest_codes(few, stars)]
(down_codes,) = torch.autograd.grad(vq.pull(chosen, few), stars, retain_graph=True)
(down_points,) = torch.autograd.grad(vq.pull(few, chosen), few)
words = "Left: arrows from two codes to the points that chose them. Right: arrows from every point to its code"
with plots.figure(8.0, 4.0, alt=words, ncols=2) as axes:
    for ax, name in zip(axes[0], ("codebook loss", "commitment loss")):
        regions(ax, stars.detach(), f"{name}: minus its gradient", few.detach())
    arrows = {"angles": "xy", "scale_units": "xy", "color": "#0072B2", "width": 0.007}
    axes[0, 0].quiver(*stars.detach().T, *-down_codes.T, scale=2, **arrows)
    axes[0, 1].quiver(*few.detach().T, *-down_points.T, scale=0.2, **arrows)

# %% [markdown]
# Left, stars move to the points that chose them. Right, points move to their star: the encoder must not run away
# faster than the codes can follow. A code has nothing else to do, while the encoder must also serve the decoder; so
# commitment gets the smaller weight, β = 0.25 in the paper. With two terms that can be chosen; with one it could not.
#
# ## 13.4 A codebook of means
#
# Where does the codebook loss lead? The squared distance to some points is smallest at their *mean*. So skip the
# gradient: put each code at the mean of the points that chose it, again and again. That is *k-means*.
#
# **Predict.** Can the mean squared distance rise from one round to the next?

# %%
check("vq-4")  # starter/vqvae.py, code_totals

# %%
def k_means(x, codebook, rounds):
    errors = []
    for _ in range(rounds):
        codes = vq.nearest_codes(x, codebook)
        errors.append((x - codebook[codes]).square().sum(dim=1).mean().item())
        counts = vq.code_totals(torch.ones(len(x), 1), codes, len(codebook))
        totals = vq.code_totals(x, codes, len(codebook))
        codebook = torch.where(counts > 0, totals / counts.clamp(min=1), codebook)
    return codebook, errors


rounds = range(12)
means, errors = k_means(x, codebook, len(rounds))
best = 2 * ring.SIGMA**2
plots.lines({"k-means": (rounds, errors)}, "", "round", "mean squared distance", {"one code for each mode": best})
theirs, _ = scipy_vq.kmeans2(x.numpy(), codebook.numpy(), iter=len(rounds), minit="matrix")
print("the same codes as scipy's k-means:", bool(torch.allclose(means, torch.from_numpy(theirs), atol=1e-4)))

# %% [markdown]
# It never rises: each round takes the nearest code, then the best place for it. With another start it may stay above
# the dashed line: two codes share one mode, and a third serves two.
#
# For batches of a moving encoder, keep *running averages* of the counts and of the sums, and divide. A code then lies
# at the mean of the vectors that chose it lately. No gradient, no learning rate, one decay.

# %% [markdown]
# ## 13.5 Dead codes
#
# A code that nobody chooses has no points to move to: it stays where it is, and is not chosen again. How many codes
# are in use? The *perplexity* $e^{H}$ of their shares counts them: $K$ if all are as frequent, 1 if one serves all.
#
# **Predict.** All eight codes begin in the lower left corner. What will k-means make of them? What if a dead code is
# put onto a point, chosen at random?
#
# **Change a number.** The codes begin in a square of side `width`. Set it to 0.4, then to 1, and run the cell again.
# Look at the perplexity of the middle panel: is a wider start enough, so that each cloud gets a code of its own?

# %%
width = 0.1  # try 0.4, 1
torch.manual_seed(training.SEED)
corner = width * torch.rand(8, 2)
stuck, _ = k_means(x, corner, 12)
revived = stuck
for _ in range(12):
    used = vq.code_totals(torch.ones(len(x), 1), vq.nearest_codes(x, revived), 8)[:, 0] > 0
    fresh = x[torch.randint(len(x), (8,))]
    revived, _ = k_means(x, torch.where(used[:, None], revived, fresh), 2)
words = "Codes in a corner; after k-means some are still there; revived, all lie among the points, nearly one for each"
with plots.figure(8.5, 3.4, alt=f"{words} cloud", ncols=3) as axes:
    for ax, (name, codes) in zip(axes[0], {"start": corner, "12 rounds": stuck, "dead ones revived": revived}.items()):
        regions(ax, codes, f"{name}: perplexity {vq.perplexity(vq.nearest_codes(x, codes), 8):.1f}")

# %% [markdown]
# Some never leave the corner: no point is nearest to them, so they hear of none. Put onto a point they find work, and
# others make room. In 13.7 we look after every batch for codes whose running count is near 0, and put them onto
# vectors of the encoder (`VectorQuantizer.revive`).
#
# ## 13.6 The whole layer
#
# Now build it. There is no formula for this one, only a contract in its docstring. A map of vectors goes in; out come
# their codes' vectors with a gradient, the codes, and both losses. In training the codebook follows.
#
# **Predict.** What goes wrong if the codebook also follows in evaluation mode? And if `z.reshape(-1, D)` makes the
# rows?

# %%
check("vq-5")  # starter/vqvae.py, quantize

# %% [markdown]
# Test images would change the model that they test. And `reshape` would mix places and channels: each row would be a
# piece of one channel, no vector of the map.
#
# ## 13.7 Images in words
#
# Two convolutions make a 4 × 4 map of an image, $K = 64$: 16 words of 6 bits, 96 bits in all. Two codebooks, one
# learned by its loss, one by running means with revival.
#
# **Predict.** Which of the two uses more of its codes?

# %%
ways = ("by its loss", "by running means")
guesses.predict("vq-codebook", "Which codebook has more codes in use after 350 steps?", ways)

# %% tags=["training"]
train, test = data.load(), data.load(split="test")
x = test.pixels(slice(1000))
K, D, STEPS, SETTINGS = 64, 16, 350, {"lr": 3e-3}


def networks(dim, channels=32):
    torch.manual_seed(training.SEED)
    encoder = [nn.Conv2d(train.shape[0], channels, 4, 2, 1), nn.ReLU()]
    encoder += [nn.Conv2d(channels, 2 * channels, 4, 2, 1), nn.ReLU()]
    encoder += [nn.Conv2d(2 * channels, dim, 1), nn.BatchNorm2d(dim, affine=False)]  # z of one size
    decoder = [nn.Conv2d(dim, 2 * channels, 3, padding=1), nn.ReLU()]
    decoder += [nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1), nn.ReLU()]
    decoder += [nn.ConvTranspose2d(channels, train.shape[0], 4, 2, 1)]
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def vqvae(decay, prior=None):
    encoder, decoder = networks(D)
    return vq.VQVAE(encoder, vq.VectorQuantizer(K, D, decay), decoder, prior)


models = dict(zip(ways, (vqvae(decay=None), vqvae(decay=0.9))))
histories = {name: training.fit(model, train, steps=STEPS, **SETTINGS) for name, model in models.items()}

# %%
pictures = {}
for term, y in (("reconstruction", "nats per image"), ("perplexity", "codes in use")):
    curves = {name: history.terms[term] for name, history in histories.items()}
    late = {name: (range(len(values))[20:], plots.running_mean(values)[20:]) for name, values in curves.items()}
    pictures[f"{term}, {y}"] = late
plots.panels(pictures, "Two ways to learn a codebook", "step")

# %%
model = models["by running means"]
with torch.no_grad():
    codes = model.codes(x)
    shown = {"images": x[:12], "in 96 bits": model.reconstruct(x[:12])}
    colours = codes[:12, None] / (K - 1)
plots.rows(shown, "Test images, and what 16 words tell of them")
plots.rows({"words": colours}, f"Their codes as grey levels, {codes.shape[1]} × {codes.shape[2]}")
used = {name: history.last("perplexity") for name, history in histories.items()}
guesses.outcome("vq-codebook", max(used, key=used.get))
with torch.no_grad():
    idle = {name: 1 - len(one.codes(train.pixels(slice(4000))).unique()) / K for name, one in models.items()}
print("by its loss more than a third of the codes are never chosen:", idle["by its loss"] > 1 / 3)
print("by running means less than a tenth:", idle["by running means"] < 0.1)
training.within("lab 13 codes in use", used["by running means"])
training.within("lab 13 codes in use, by its loss over by running means", used["by its loss"] / used["by running means"])

# %% [markdown]
# Under its loss alone much of the codebook is never chosen, and nothing brings these codes back. Running means with
# revival keep nearly all of it at work. The words have no order: neighbouring grey levels mean nothing, and "the mean
# of two codes" is no code.
#
# ## 13.8 As many bits, rounded
#
# Is this better than an autoencoder whose numbers are rounded? Take the same networks with 2 or 3 real numbers at each
# place, and round them to 3 or 2 bits: 96 bits again.

# %% [markdown]
# **Predict.** The encoder of the VQ-VAE knew in training that its vectors would be replaced. How much is that worth?

# %% tags=["training"]
def rounded(z, low, high, bits):
    """The middle of one of 2^bits equal steps between low and high."""
    steps = 2**bits
    return low + (((z - low) / (high - low) * steps).floor().clamp(0, steps - 1) + 0.5) * (high - low) / steps


@torch.no_grad()
def error(x_hat):
    return (x_hat - x).square().flatten(1).sum(dim=1).mean().item()


errors, drawn = {"VQ-VAE": error(model.reconstruct(x))}, {"VQ-VAE": model.reconstruct(x[:12])}
for numbers, bits in ((2, 3), (3, 2)):
    plain = ae.Autoencoder(*networks(numbers))
    training.fit(plain, train, steps=STEPS, **SETTINGS)
    with torch.no_grad():
        seen, z = (plain.encoder(images) for images in (train.pixels(slice(1000)), x))
        ends = seen.quantile(0.02).item(), seen.quantile(0.98).item()  # the best of some that were tried
        x_hat = plain.images(rounded(z, *ends, bits))
    drawn[f"{numbers} × {bits} bits"] = x_hat[:12]
    errors |= {f"{numbers} × {bits} bits": error(x_hat), f"{numbers} numbers,\nnot rounded": error(plain.images(z))}

# %%
plots.bars(errors, "Squared error on test images, 96 bits where rounded", "summed over pixels", digits=2)
plots.rows({"images": x[:12]} | drawn)
best = min(value for name, value in errors.items() if "bits" in name)
training.within("lab 13 VQ-VAE's error over that of rounding", errors["VQ-VAE"] / best)

# %% [markdown]
# With as many bits the VQ-VAE's error is smaller than the better of the two. A grid spends its cells on all of a box,
# also where no vector ever is; codes go where the vectors are. And this network was trained for what it is asked.
#
# **Question 1.** A friend trains with $K = 1024$ and finds a perplexity of 9. Why does more training with the codebook
# loss not help? Name two remedies, and say how each of them works.

# %% [markdown] answer="vq-q1"
# Your answer.

# %% [markdown]
# ## 13.9 Words need a writer
#
# What does a random sequence of words decode to?
#
# **Predict.** Sixteen codes, drawn alike, or as frequent as they are. Digits?

# %%
torch.manual_seed(training.SEED)
with torch.no_grad():
    shape = (12, *codes.shape[1:])
    alike = torch.randint(K, shape)
    frequent = codes.flatten()[torch.randint(codes.numel(), shape)]
    placed = torch.stack([column[torch.randint(len(codes), (12,))] for column in codes.flatten(1).T], dim=1).view(shape)
    drawn = {"alike": alike, "as frequent": frequent, "each place's": placed}
    plots.rows({name: model.decode(words) for name, words in drawn.items()}, "Words that know nothing of each other")

# %% [markdown]
# No. Words depend on each other, and the dependence is what a *prior* must learn. Write the probability of all words
# as a product, one after the other, row by row from the top:
#
# $$p(c) = \prod_i p(c_i \mid c_1, \dots, c_{i-1})$$
#
# This is no approximation. A network may have any form, as long as the logits of place $i$ see only places before it.
# For a convolution that is a mask on its weights.

# %% [markdown]
# **Predict.** Which of the 9 weights of a 3 × 3 convolution stay? May the middle one?

# %%
check("vq-6")  # starter/vqvae.py, causal_mask

# %% [markdown]
# The first layer must not see its own place: it would predict what it is shown. The others may, for after the first
# layer a place holds only what came before it. Does it work? Ask the Jacobian: which places move the logits of one?

# %%
torch.manual_seed(training.SEED)
masks = {"first": vq.causal_mask(5, centre=False), "later": vq.causal_mask(5, centre=True)}
prior, seen = vq.PixelCNN(K, (11, 11)), {}
prior.embedding.register_forward_hook(lambda module, given, out: seen.update(leaf=out.requires_grad_()))
logits = prior(torch.randint(K, (1, 11, 11)))
(slope,) = torch.autograd.grad(logits[0, :, 6, 5].square().sum(), seen["leaf"])
reach = slope[0].abs().sum(dim=-1)
words = "Two masks: 1 above the middle and to its left; in the second also in the middle. A wedge above a cross"
with plots.figure(8.0, 3.2, alt=f"{words}: what its logits depend on", ncols=3) as axes:
    for ax, (name, picture) in zip(axes[0], (masks | {"the whole network": reach.log10().clamp(min=-4)}).items()):
        ax.imshow(picture, cmap="cividis")
        ax.set_title(name)
        ax.grid(False)
        plots.finish(ax, "column", "row")
    axes[0, 2].plot(5, 6, "x", color="white", markersize=10)

# %% [markdown]
# Nothing below the cross, nothing to its right in its row, not the cross itself. There is a blind wedge above to the
# right, too: 3 × 3 masks reach one column to the right for each row. The paper's successor repaired that with two stacks.
#
# ## 13.10 An exact likelihood
#
# The product of conditionals is a sum of logarithms. No integral, no bound, no determinant.

# %%
check("vq-7")  # starter/vqvae.py, code_log_prob

# %%
torch.manual_seed(training.SEED)
tiny = vq.PixelCNN(levels=3, shape=(2, 3)).double()
everything = torch.tensor([*product(range(3), repeat=6)]).view(-1, 2, 3)
with torch.no_grad():
    total = tiny.log_prob(everything).exp().sum().item()
print(f"{len(everything)} maps of 6 places with 3 codes; their probabilities add up to {total:.6f}")

# %% [markdown]
# Now train the whole model. The prior learns beside the rest, on the codes as they are, and moves nothing of it. (The
# paper trains it afterwards.)
#
# **Predict.** A word costs at most 6 bits. How many, once the words before it are known?

# %% tags=["training"]
prior = vq.PixelCNN(K, codes.shape[1:], dropout=0.1)
model = vqvae(decay=0.9, prior=prior)
history = training.fit(model, train, steps=450, run="vqvae", **SETTINGS)
parts = {name: history.terms[name] for name in ("reconstruction", "commitment", "perplexity", "prior")}
plots.training(parts, "Its terms", ("nats per image", "squared distance", "codes in use", "nats per image"))

# %%
with torch.no_grad():
    codes, terms = model.codes(x), model.terms(x)
bits = terms.prior.item() / codes[0].numel() / math.log(2)
frequencies = vq.perplexity(codes, K).log2().item()
costs = {"all alike": math.log2(K), "as frequent as they are": frequencies, "after those before": bits}
plots.bars(costs, "What one word of a test image costs", "bits", digits=2)
training.within("lab 13 bits per code", bits)

# %% [markdown]
# The words before save more than a quarter. Together with the decoder this gives a bound on the likelihood of the
# image, like that of lab 2: $-\log p(x) \le -\log p(x \mid c) - \log p(c)$ for the image's own code. It is a bound
# because $p(x)$ sums such products over *all* codes.
#
# ## 13.11 Writing
#
# Draw the first word, then the second given the first, and so on: *ancestral sampling*. Each place costs one pass of
# the network: sixteen here, thousands in a large image.

# %% [markdown]
# A *temperature* $T$ divides the logits: below 1 frequent words become more frequent. **Predict.** What do samples
# lose at $T = 0.3$, and what at $T = 1.5$?

# %%
check("vq-8")  # starter/vqvae.py, sample_codes

# %%
temperatures = (0.3, 0.6, 0.8, 1.0, 1.2, 1.5)
guesses.predict("vq-temperature", "Which temperature gives the best FID?", [f"T = {t}" for t in temperatures])

# %%
torch.manual_seed(training.SEED)
noise, known = model.noise(1000), features.features(x)
with torch.no_grad():
    drawn = {t: model.sample(noise, t) for t in temperatures}
fid = {t: features.frechet(features.features(images), known) for t, images in drawn.items()}
plots.rows({"test images": x[:12]} | {f"T = {t}": images[:12] for t, images in drawn.items()}, "The same noise")
guesses.outcome("vq-temperature", f"T = {min(fid, key=fid.get)}")
plots.lines({"FID": (list(fid), list(fid.values()))}, "Temperature and quality", "temperature", "FID", style="o-")
training.within("lab 13 FID", fid[1.0])
training.within("lab 13 FID at T = 0.3 over that at T = 1", fid[0.3] / fid[1.0])
runs.measure("vqvae", train, lambda count: model.sample(model.noise(count)))

# %% [markdown]
# Cold samples are clean, and few different ones: the likeliest words again and again. Hot ones break into pieces. FID
# asks for both, quality and variety, and is far worse at 0.3 than at 1.
#
# **Question 2.** Why may "bits per code" not be compared with the bits per dimension of lab 5? What would you have to
# add, and would you then have a likelihood of images, or a bound on it?

# %% [markdown] answer="vq-q2"
# Your answer.

# %% [markdown]
# ## 13.12 A family of its own
#
# Nothing says that the numbers must be codes. Give the same network the grey levels of the 8 × 8 digits, 17 of them,
# pixel by pixel: a *PixelCNN*. Now its likelihood is that of lab 5's data, exact, and without any noise $u$.

# %% [markdown]
# **Predict.** Lab 5's flow needs a little less than 2 bits per dimension. More or fewer for the convolution? And what
# does it give up?

# %% tags=["training"]
digits, held = data.load("digits"), data.load("digits", "test")
torch.manual_seed(training.SEED)
pixels = vq.PixelCNN(digits.levels, digits.shape[1:], channels=32)
training.fit(pixels, digits, steps=350, batch_size=64, **SETTINGS)
with torch.no_grad():
    grey = held.pixels()
    bits = pixels.terms(grey).loss.item() / grey[0].numel() / math.log(2)
numbers = {"all levels alike": math.log2(digits.levels), "masked convolution": bits}
if flow := runs.read("digits").get("realnvp"):  # lab 5's: yours, or the reference's
    numbers[f"flow of lab 5\n({'yours' if flow.yours else 'reference'})"] = bound = flow.scores["bits_per_dim"]
    training.within("lab 13 bits/dim of a masked convolution over the flow's", bits / bound)
plots.bars(numbers, "Test images of 8 × 8 digits", "bits per dimension", digits=2)
training.within("lab 13 bits/dim of a masked convolution", bits)

# %%
torch.manual_seed(training.SEED)
grey_levels = vq.sample_codes(pixels, torch.rand(12, *digits.shape[1:]), 1.0)
samples = grey_levels[:, None] / (digits.levels - 1)
plots.rows({"test images": grey[:12], "samples": samples}, "64 grey levels, one by one")

# %% [markdown]
# A small masked convolution needs about as many bits as the flow, whose number is a bound (5.6): here the likelihood of the
# levels is known exactly. It gives up the code: there is no $z$, nothing to interpolate, and 64
# passes for one image. A VQ-VAE has both, an encoder, and a short sequence to write.

# %% [markdown]
# **Question 3.** Large image models write with a transformer in the place of the masked convolution. What does it see
# that ours does not? What does an image of 32 × 32 codes then cost, in training and in sampling, compared with 4 × 4?

# %% [markdown] answer="vq-q3"
# Your answer.

# %% [markdown]
# ## 13.13 One minute, and longer
#
# The lowest row is drawn by the system `vqvae-mnist` of the course: 7 × 7 words from a codebook of 128, and a prior of
# six masked layers, which saw MNIST at 28×28 twelve times, in 35 minutes of one core (`python -m starter reproduce
# vqvae-mnist` does it again). Were all words alike, an image would cost 343 bits; to this prior a test image costs 152.
#
# Test images come back with an SSIM of 0.97. Samples have a FID of 1.4, in the features of a classifier of digits: that of
# lab 2's VAE in full size is 3.7, that of lab 7's GAN 0.49. So these words can write digits, and what is no digit above was
# written by the prior. It reads what stands above and to the left, and cannot correct a word.

# %%
guesses.summary("vq", "vqvae-mnist", "mnist")

# %% [markdown]
# ## 13.14 Exercises
#
# 1. **Larger dictionaries.** Train with $K$ = 16, 64, 256. Draw the reconstruction's error and the bits per code against
#    $\log_2 K$. What does the last factor of 4 buy, and what does it cost the prior?
# 2. **No revival.** Replace `model.quantizer.revive` by a function that does nothing, with the same seeds; then also take
#    BatchNorm out of the encoder. How many codes stay in use, and what happens to the reconstruction?
# 3. **Half an image.** Take the codes of a test image, keep its upper two rows, and let the prior write the rest, several
#    times. What stays the same?
#
# ## References
#
# - van den Oord, Kalchbrenner, Kavukcuoglu 2016, *Pixel recurrent neural networks*, ICML: the masks.
# - van den Oord et al. 2016, *Conditional image generation with PixelCNN decoders*, NeurIPS: without the blind spot.
# - van den Oord, Vinyals, Kavukcuoglu 2017, *Neural discrete representation learning*, NeurIPS: VQ-VAE.
# - Razavi, van den Oord, Vinyals 2019, *Generating diverse high-fidelity images with VQ-VAE-2*, NeurIPS.
# - Dhariwal et al. 2020, *Jukebox: a generative model for music*: codes that are restarted.
# - Esser, Rombach, Ommer 2021, *Taming transformers for high-resolution image synthesis*, CVPR: a transformer writes.
