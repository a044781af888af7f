# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 · Comparison
#
# Ten models of the same digits. Which one is the best? It depends on what you ask. Afterwards you can
#
# - put models of different kinds into one table, and say which of its numbers may be compared;
# - tell quality from coverage, and both from likelihood;
# - say what a model costs to train and to use;
# - defend a choice.
#
# **Time:** 60 minutes. **Before:** labs 1 to 10. **Your part:** four written answers here. Nothing is trained: this notebook
# reads what the others wrote down.

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import torch
import torch.nn.functional as F

from starter.support import data, features, plots, runs
from starter import gan, metrics as met

# %% [markdown]
# ## 11.1 Who takes part
#
# `fit` and `play` write a small file for every named run, `runs.measure` adds 300 samples and the time they took. Where
# you have no run of your own, the reference's takes its place.
#
# RealNVP needs whole grey levels, so lab 5 trained it on the 8×8 digits. The 16×16 digits of the other labs are these,
# enlarged; we enlarge its samples in the same way.

# %%
FAMILIES = {
    "autoencoder": ("autoencoder",),
    "VAE": ("vae", "beta-vae", "flow-vae"),
    "flow": ("realnvp",),
    "GAN": ("gan", "dcgan", "lsgan", "wgan-gp", "cgan"),
}
train, test = data.load(), data.load(split="test")
found = runs.read("digits" if train.name == "digits16" else train.name) | runs.read(train.name)
names = [name for family in FAMILIES.values() for name in family]
entrants = {name: found[name] for name in names if name in found}
print("without a record:", ", ".join(name for name in names if name not in found) or "none")

# %%
family_of = {name: family for family, members in FAMILIES.items() for name in members}
about = {}
for name, run in entrants.items():
    whose = "yours" if run.yours else "reference"
    about[name] = {"whose": whose, "family": family_of[name], "steps": run.steps, "parameters": run.parameters}
plots.table(about, "The runs of this notebook")

# %%
def as_large_as(images, x):
    """Enlarged as the 16x16 digits were made from those of 8x8; images of the right size stay as they are."""
    if x.shape[2:] == images.shape[1:]:
        return x
    return F.interpolate(x, images.shape[1:], mode="bicubic").clamp(0, 1)


real = test.pixels(slice(runs.SAMPLES))
drawn = {name: run.samples() for name, run in entrants.items()}
samples = {name: as_large_as(train, x) for name, x in drawn.items() if x is not None}

# %% [markdown]
# ## 11.2 Look first
#
# Before any number, judge with your eyes. Each row is one model, in random order, and one row is real.
#
# **Predict.** Write down which row is real, which three are the best, and which are of VAEs. By what sign do you know them?

# %%
everybody = {"real": real} | samples
lot = torch.randperm(len(everybody), generator=torch.Generator().manual_seed(11)).tolist()
letters = {list(everybody)[i]: letter for i, letter in zip(lot, "ABCDEFGHIJKL")}
plots.rows({letter: everybody[name][:12] for name, letter in letters.items()}, "Who drew this?")

# %% [markdown]
# Done? Here are the names, and twelve more images of each.

# %%
plots.rows({f"{letter}  {name}": everybody[name][12:24] for name, letter in letters.items()})

# %% [markdown]
# ## 11.3 Quality and coverage
#
# Now the numbers, by functions that you wrote: FID, KID, precision and recall of lab 6, in the features of the course's
# classifier, and the diversity of lab 7. The first row is the yardstick: training images, measured as if they were samples.
#
# **Predict.** Which model has a good precision and a poor recall?

# %%
def measured(x):
    clouds = [torch.from_numpy(features.features(images)).double() for images in (real, x)]
    shares = met.precision_recall(*clouds)
    distances = {"FID": met.fid(*clouds).item(), "KID": met.kid(*clouds).item()}
    shares = {"precision": shares.precision.item(), "recall": shares.recall.item()}
    return distances | shares | {"diversity": gan.diversity(x).item()}


yardstick = measured(train.pixels(slice(runs.SAMPLES)))
scores = {name: measured(x) for name, x in samples.items()}

# %%
better = {"FID": "low", "KID": "low", "precision": "high", "recall": "high"}
title = f"{runs.SAMPLES} samples of each against {len(real)} test images"
shown = {"training images": {name: f"{value:.3g}" for name, value in yardstick.items()}}  # out of competition
plots.table(shown | scores, title, better)

# %%
everyone = {"training images": yardstick} | scores
shares = {name: (row["recall"], row["precision"]) for name, row in everyone.items()}
plots.points(shares, "Samples that look real, and real images that are met", "recall", "precision")

# %% [markdown]
# FID and KID compare whole sets; precision and recall say *how* a set is off. A diversity near the yardstick's is good, one
# above it is no merit: noise is diverse, too.
#
# 300 images are few. How much do the numbers move if nothing changes but the luck of the draw?

# %%
quarters = [measured(train.pixels(slice(300 * i, 300 * (i + 1)))) for i in range(4)]
spread = {name: [quarter[name] for quarter in quarters] for name in quarters[0]}
plots.table({name: {"lowest": min(values), "highest": max(values)} for name, values in spread.items()}, "Four times real images")

# %% [markdown]
# Differences of this size between two models mean nothing.
#
# Keep in mind that the runs had different budgets (11.5), and that this β-VAE is the one of lab 3 with a large β.
#
# **Question 1, sharpness.** Which models draw sharp strokes, which soft ones? Name the term of each loss that is to blame or
# to thank. Which column of the table shows sharpness best, which not at all?

# %% [markdown] answer="cmp-q1"
# Your answer.

# %% [markdown]
# **Question 2, coverage.** Which model leaves out most of the real images? Look at its samples in 11.2: which digits, which
# ways of writing them? Could its losses have told you during training?

# %% [markdown] answer="cmp-q2"
# Your answer.

# %% [markdown]
# ## 11.4 Likelihood
#
# Four models bound $\log p(x)$ of test images from below; a GAN has nothing to offer. RealNVP's bound is tight: its density
# of
# *real* numbers is exact, and only the step to grey levels (lab 5, dequantization) makes a bound of it.
#
# **Predict.** VAEs report about 90 nats for 256 pixels, RealNVP about 2 bits for each of 64. May we order them?

# %%
columns = {"nats": "nats/image", "bits_per_dim": "bits/dim"}
likelihood = {name: {text: run.scores.get(key) for key, text in columns.items()} for name, run in entrants.items()}
known = {name: row for name, row in likelihood.items() if any(row.values())}
plots.table(known, "−ELBO or −log p(x) of test images")

# %% [markdown]
# We may not: they are likelihoods of different things. The VAEs take a grey value for the probability of a white pixel
# (a bound on average, see 2.3), RealNVP counts whole grey levels, of smaller images. Even the units differ. Compare within
# a column only; and a better
# likelihood need not look better (Theis et al.).
#
# ## 11.5 What it costs
#
# Training is paid once, sampling for every image. **Predict.** Which model is the slowest to sample, and why?

# %%
costs = {}
for name, run in entrants.items():
    sampling = run.sampling_seconds and 1e6 * run.sampling_seconds
    costs[name] = {"training s": run.seconds, "ms/step": 1e3 * run.seconds / run.steps, "μs/sample": sampling}
cheaper = {"training s": "low", "ms/step": "low", "μs/sample": "low"}
plots.table(costs, "On the machine that trained them", cheaper)

# %%
bought = {name: (costs[name]["training s"], scores[name]["FID"]) for name in scores}
plots.points(bought, "What seconds of training bought", "seconds of training", "FID")

# %% [markdown]
# Seconds of different machines do not compare, and runs that were watched (labs 7 to 10 measure FID on the way) took longer
# than they had to. Above all, **the budgets differ**: look at the first column. The VAEs and the autoencoder trained for a
# second
# or two, the GANs and the flow for ten times as long and more. So a row shows a model *and* its budget, and no order in
# these tables says which kind of model is better. That the autoencoder's FID lies near the VAE's is one example: in lab 2,
# with the same budget for both, the VAE came closer.
#
# **Question 3, stability.** Of the runs that you did yourself, which needed no care, and which broke when a learning rate or
# a seed changed? Back it with two things that you saw in the labs, one of them a number.

# %% [markdown] answer="cmp-q3"
# Your answer.

# %% [markdown]
# ## 11.6 One table
#
# Everything side by side, the best of each column in colour.

# %%
kinds = {"autoencoder": ("none", "yes"), "VAE": ("bound", "yes"), "flow": ("bound, tight", "yes"), "GAN": ("none", "no")}
everything = {}
for name in entrants:
    log_p, encoder = kinds[family_of[name]]
    everything[name] = scores.get(name, {}) | costs[name] | {"log p(x)": log_p, "encoder": encoder}
plots.table(everything, "Ten ways to draw a digit", better | cheaper)

# %% [markdown]
# No row wins every column, and the last two columns do not depend on any budget.
#
# **Question 4, latent structure.** You want to (a) find the images that are most like a given one, (b) change one attribute
# of a
# given image, (c) detect images that are no digits, (d) draw more images of one class. Choose a model for each. What about
# its latents, or about its lack of an encoder, decides?

# %% [markdown] answer="cmp-q4"
# Your answer.

# %% [markdown]
# ## 11.7 Exercises
#
# 1. **More budget.** Train one model of your choice four times as long, with `run=` and a name of its own, and add it to
#    `FAMILIES`. Which columns moved?
# 2. **Other eyes.** Replace the features in `measured` by raw pixels. Which model gains most, and why is that no praise?
# 3. **Other data.** Run the labs that interest you with `DATA=mnist`, then this notebook: each data set has a table of its
#    own.
#
# ## References
#
# - Theis, van den Oord, Bethge 2016, *A note on the evaluation of generative models*, ICLR.
# - Lucic, Kurach, Michalski, Gelly, Bousquet 2018, *Are GANs created equal? A large-scale study*, NeurIPS.
# - Kynkäänniemi et al. 2019, *Improved precision and recall metric for assessing generative models*, NeurIPS.
