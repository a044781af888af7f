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
# All models of the course, on the same digits. Which one is the best? It depends on what you ask, and on what you pay. Afterwards
# you can
#
# - put models of different kinds into one table, and say which of its numbers may be compared;
# - tell quality from coverage, and both from likelihood;
# - say what a model costs to train and to use;
# - defend a choice.
#
# **Time:** 50 minutes. **Before:** all other labs. **Your part:** four written answers here. Nothing is trained: this notebook
# reads what others wrote down. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import json, sys

sys.path.append("..")
import torch

from starter.support import data, features, full, guesses, plots, runs
from starter import gan, metrics as met

# %% [markdown]
# **Where this leads.** Ten ways to draw a digit, each trained on MNIST until the end, and twelve samples of each. A
# row of samples does not show what training has cost, how long one image takes, or which digits never come. Which row
# do you choose now? Note it, and ask again at the end of this lab.

# %%
drawn = full.drawn()
full.beside(drawn, "Ten models of full size")

# %% [markdown]
# ## 11.1 Who takes part
#
# A model that trained for a minute beats one that trained for a second, whatever the two are. So everybody here had the *same
# price*: 25 seconds of one core, with the settings of its lab, and that three times, with three seeds. (The steps that these
# seconds bought are in the table. A core that shares its machine does less in a second: hence their spread.) These are
# runs of the reference, on the default images whatever `DATA` says; your own come in 11.6.
#
# RealNVP, which lab 5 trained on 8×8 digits, learned these 16×16 images here, all 256 grey levels of them.

# %%
PRICE = runs.PRICE  # seconds of one core
FAMILIES = {
    "autoencoder": ("autoencoder",),
    "VAE": ("vae", "beta-vae-1", "beta-vae", "flow-vae"),
    "flow": ("realnvp",),
    "GAN": ("gan", "dcgan", "lsgan", "wgan-gp", "cgan"),
    "flow matching": ("flow-matching",),
    "autoregressive": ("vqvae",),
}
TITLES = {"vae": "VAE", "beta-vae-1": "β-VAE, β = 1", "beta-vae": "β-VAE, β = 4", "flow-vae": "flow VAE", "realnvp": "RealNVP"}
TITLES |= {"gan": "GAN", "dcgan": "DCGAN", "lsgan": "LSGAN", "wgan-gp": "WGAN-GP", "cgan": "conditional GAN"}
TITLES |= {"flow-matching": "flow matching", "vqvae": "VQ-VAE"}
train, test = data.load(data.DEFAULT), data.load(data.DEFAULT, split="test")
family_of = {name: family for family, members in FAMILIES.items() for name in members}
found = [runs.at_one_price(f"{train.name}-equal-{seed}") for seed in range(3)]
entrants = {TITLES.get(name, name): [seed[name] for seed in found if name in seed] for name in family_of}
entrants = {title: several for title, several in entrants.items() if several}
families = {TITLES.get(name, name): family for name, family in family_of.items()}
print("without a record:", ", ".join(title for title in families if title not in entrants) or "none")

# %%
about = {}
for title, several in entrants.items():
    about[title] = {"family": families[title], "parameters": several[0].parameters, "steps": [run.steps for run in several]}
plots.table(about, f"What {PRICE} seconds of one core bought, three times")

# %% [markdown]
# ## 11.2 Look first
#
# Before any number, judge with your eyes. Each row is one model, in random order, and one row is real.
#
# **Predict.** Write down which row is real, which three are the best, and which are of VAEs. By what sign do you know them?

# %%
real = test.pixels(slice(runs.SAMPLES))
samples = {title: [run.samples() for run in several] for title, several in entrants.items()}
everybody = {"real": real} | {title: several[0] for title, several in samples.items()}
lot = torch.randperm(len(everybody), generator=torch.Generator().manual_seed(11)).tolist()
letters = {list(everybody)[i]: letter for i, letter in zip(lot, "ABCDEFGHIJKLMNOP")}
plots.rows({letter: everybody[title][:12] for title, letter in letters.items()}, "Who drew this?")

# %% [markdown]
# Done? Here are the names, and twelve more images of each.

# %%
plots.rows({f"{letter}  {title}": everybody[title][12:24] for title, letter in letters.items()}, "The same, with names")

# %% [markdown]
# ## 11.3 Quality and coverage
#
# Now the numbers, by functions that you wrote: FID, KID, precision and recall of lab 6, in the features of the course's
# classifier, and the diversity of lab 7. Each is the mean of three seeds, ± half the distance from the lowest to the
# highest. One more says how many samples that classifier is sure of, at 90 %. The first row is the yardstick: training
# images, measured as if they were samples.
#
# FID and KID estimate two distributions: against all test images they are steadier than against a few. Precision and
# recall count neighbours, so they want two sets of one size: there are as many test images as samples.
#
# Which model has a good precision and a poor recall?

# %%
some = ["β-VAE, β = 4", "RealNVP", "DCGAN", "flow matching", "VQ-VAE"]
guesses.predict("cmp-recall", "For which of these is precision furthest above recall?", some)

# %%
real_cloud = torch.from_numpy(features.features(test.pixels())).double()


def measured(x, real=real_cloud):
    cloud = torch.from_numpy(features.features(x)).double()
    shares = met.precision_recall(real[: len(x)], cloud)
    sure = (features.class_probs(x).amax(dim=1) > 0.9).double().mean()
    found = {"FID": met.fid(real, cloud), "KID": met.kid(real, cloud)} | shares._asdict()
    return {name: value.item() for name, value in (found | {"sure": sure, "diversity": gan.diversity(x)}).items()}


def over(several):
    """Each score of several sets of samples: name -> list."""
    each = [measured(x) for x in several]
    return {name: [scores[name] for scores in each] for name in each[0]}


yardstick = over([train.pixels(slice(300 * i, 300 * (i + 1))) for i in range(3)])
scores = {title: over(several) for title, several in samples.items()}

# %%
better = {"FID": "low", "KID": "low", "precision": "high", "recall": "high", "sure": "high"}
shown = {"training images": {name: plots.cell(values) for name, values in yardstick.items()}}  # out of competition
plots.table(shown | scores, f"{runs.SAMPLES} samples of each against {len(test)} test images", better)

# %%
everyone = {"training images": yardstick} | scores
places = {title: (plots.middle(row["recall"]), plots.middle(row["precision"])) for title, row in everyone.items()}
plots.points(places, "Samples that look real, and real images that are met", "recall", "precision")
guesses.outcome("cmp-recall", max(some, key=lambda title: places[title][1] - places[title][0]))
ae, vae = scores["autoencoder"], scores["VAE"]
middle = {name: plots.middle(values["FID"]) for name, values in (("autoencoder", ae), ("VAE", vae))}
print("FIDs of autoencoder and VAE are less than a third apart:", max(middle.values()) < 1.33 * min(middle.values()))
print("the autoencoder's diversity is higher, and its share of sure samples lower, on every seed:",
      min(ae["diversity"]) > max(vae["diversity"]) and max(ae["sure"]) < min(vae["sure"]))

# %% [markdown]
# FID and KID compare whole sets; precision and recall say *how* a set is off. A diversity near the yardstick's is good, one
# above it is no merit: noise is diverse, too. Two models whose ranges overlap are not in any order.
#
# The autoencoder takes part although it is no generator. Its codes are drawn from a normal distribution that was fitted
# to the codes of the training images, once training was over. That is a prior, only one that nobody trained for. Its FID is
# less than a third away from that of the VAE: fragments of strokes keep the contrast and the variety of digits (look at its
# diversity), which FID rewards. And yet the classifier is sure of fewer of its samples.
#
# Mind the column "sure", too. A classifier is also sure of soft, typical shapes: compare β = 4 in "sure" and in FID.
#
# **Change a number.** Here FID sees only the first `few` of the 300 images. Set `few` to 100, then to 40, and run the
# cell again. Look at the row of training images: how large is the FID of a perfect generator now? And look at the
# flow VAE and the autoencoder: with how many images are the two still in order?

# %%
few = 200  # try 100, 40
sets = {"training images": [train.pixels(slice(300 * i, 300 * i + few)) for i in range(3)]}
sets |= {title: [x[:few] for x in several] for title, several in samples.items()}
clouds = {title: [torch.from_numpy(features.features(x)).double() for x in several] for title, several in sets.items()}
table = {title: {"FID of 300": everyone[title]["FID"]} for title in sets}
for title, several in clouds.items():
    table[title][f"FID of {few}"] = [met.fid(real_cloud, cloud).item() for cloud in several]
plots.table(table, "The same samples, and fewer of them")

# %% [markdown]
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
# A GAN has none to offer. The others offer three kinds, and a number without its kind means nothing:
#
# - a **bound** that may be loose: the VAEs' −ELBO, here of grey values taken for probabilities of white (2.3);
# - a **tight bound**: RealNVP computes the density of *real* numbers exactly, and only the step from grey levels to
#   real numbers (lab 5, dequantization) makes a bound of it. (Flow matching can do the same, but not for the guided
#   field that draws its samples.)
# - an **exact** one: an autoregressive model names the probability of every next symbol; that of a VQ-VAE is exact for the
#   codes, and says nothing of the pixels.
#
# **Predict.** VAEs report some 75 nats for 256 pixels, RealNVP some bits for each of them. May we order them?

# %%
columns = {"nats": "−ELBO, nats/image", "bits_per_dim": "bits/dim"}
likelihood = {}
for title, several in entrants.items():
    row = {text: [run.scores[key] for run in several if key in run.scores] or None for key, text in columns.items()}
    if any(row.values()):
        likelihood[title] = row
plots.table(likelihood, "Test images", dict.fromkeys(columns.values(), "low"))
bounds = {title: row[columns["nats"]] for title, row in likelihood.items() if row[columns["nats"]]}
print("β = 4 has the worse −ELBO on every seed:", min(bounds["β-VAE, β = 4"]) > max(bounds["β-VAE, β = 1"]))

# %% [markdown]
# We may not: they are likelihoods of different things. The VAEs describe black and white pixels, RealNVP counts whole grey
# levels. Even the units differ. Compare within a column only; and a better likelihood need not look better (Theis et al.).
#
# The −ELBO of β = 4 is worse than that of β = 1: it is not what β = 4 minimises.
#
# ## 11.5 What it costs
#
# Training is paid once, sampling for every image. Which model is the slowest to sample, and why?

# %%
samplers = ["VAE", "RealNVP", "DCGAN", "flow matching", "VQ-VAE"]
guesses.predict("cmp-slowest", "Which of these takes longest for one more image?", samplers)

# %%
costs = {}
for title, several in entrants.items():
    sampling = [1e6 * run.sampling_seconds for run in several if run.sampling_seconds]
    costs[title] = {"ms/step": [1e3 * PRICE / run.steps for run in several], "μs/sample": sampling or None}
plots.table(costs, "On the machine that trained them")
guesses.outcome("cmp-slowest", max(samplers, key=lambda title: plots.middle(costs[title]["μs/sample"])))

# %%
bought = {title: (plots.middle(row["μs/sample"]), plots.middle(scores[title]["FID"])) for title, row in costs.items()}
plots.points(bought, "Quality, and the price of one more sample", "microseconds for one sample", "FID", True, list(places))

# %% [markdown]
# Seconds of different machines do not compare; ratios do, and here only large ones. Calls of milliseconds were timed while the
# machine did other things, too: β = 1 and β = 4 are the same network, and look how far apart they are. Steps differ besides in
# their batches, of 32 to 128 images.
#
# **Change a number.** Somebody trains a model once, and then draws `wanted` images. Set `wanted` to 100,000, then to
# a million, and run the cell again. Look at the bars: for which models do the samples cost more than the 25 seconds
# of training?

# %%
wanted = 10_000  # try 100_000, 1_000_000
paid = {title: PRICE + wanted * bought[title][0] / 1e6 for title in [*samplers, "conditional GAN"]}
plots.bars(paid, f"Training once, and {wanted:,} samples", "seconds of one core", digits=0)

# %% [markdown]
# **Question 3, stability.** Of the runs that you did yourself, which needed no care, and which broke when a learning rate or
# a seed changed? Back it with two things that you saw in the labs, one of them a number.

# %% [markdown] answer="cmp-q3"
# Your answer.

# %% [markdown]
# ## 11.6 Your own runs
#
# `fit` and `play` write a small file for every named run, `runs.measure` adds samples. Where you have no run of your own, the
# reference's takes its place, if it has one on these images: here `DATA` counts. Mind the first columns: in the labs **the
# budgets differ**, from a second to a few for the VAEs to half a minute and more for the GANs. A row shows a model *and* its
# budget.

# %%
here = data.load(split="test")  # of the data set that you work on
here_cloud = torch.from_numpy(features.features(here.pixels())).double()
labs = {TITLES.get(name, name): run for name, run in runs.read(here.name).items() if name in family_of}
own = {}
for title in (title for title in families if title in labs):
    run, x = labs[title], labs[title].samples()
    own[title] = {"whose": "yours" if run.yours else "reference", "steps": run.steps, "seconds": run.seconds}
    found = measured(x, here_cloud) if x is not None else {}
    own[title] |= {name: found[name] for name in ("FID", "sure") if name in found}
plots.table(own, f"As the labs trained them, on {here.name}")

# %% [markdown]
# ## 11.7 One table
#
# Everything side by side, at one price, the best of each column in bold.

# %%
kinds = {"autoencoder": ("none", "yes"), "VAE": ("bound", "yes"), "flow": ("tight bound", "yes"), "GAN": ("none", "no")}
kinds |= {"flow matching": ("of real numbers", "yes, backwards"), "autoregressive": ("exact, of codes", "yes")}
everything = {}
for title in entrants:
    log_p, encoder = kinds[families[title]]
    everything[title] = scores[title] | costs[title] | {"log p(x)": log_p, "encoder": encoder}
plots.table(everything, "Ways to draw a digit", better)
best = {column: min if way == "low" else max for column, way in better.items()}
ahead = {choose(scores, key=lambda title: plots.middle(scores[title][column])) for column, choose in best.items()}
print("ahead in a column of quality:", ", ".join(sorted(ahead)))
print("lowest FIDs:", ", ".join(sorted(sorted(scores, key=lambda title: plots.middle(scores[title]["FID"]))[:2])))
print("slowest to sample:", max(costs, key=lambda title: plots.middle(costs[title]["μs/sample"])))

# %% [markdown]
# No row has everything. The two that are ahead by FID, in no clear order, were told the labels, which the others were
# not (10.1, 12.6). The one has neither a likelihood nor an encoder to offer, the other is the slowest to sample. The
# last two columns do not depend on any budget.
#
# **Question 4, latent structure.** You want to (a) find the images that are most like a given one, (b) change one attribute
# of a given image, (c) detect images that are no digits, (d) draw more images of one class. Choose a model for each. What about
# its latents, or about its lack of an encoder, decides?

# %% [markdown] answer="cmp-q4"
# Your answer.

# %% [markdown]
# ## 11.8 One minute, one hour
#
# The labs' models are small, and so are their images. Here are systems of the course at full size that draw MNIST with
# 28×28 pixels, trained to the end (`RESULTS.md` has all of them, on all data). The features come from the same network
# as in the tables above. But here it sees whole images, made smaller, and there their middle: the two FIDs do not
# compare.

# %% tags=["nbval-ignore-output"]
trained = {}
for path in sorted((data.course() / "results").glob("*-mnist.json")):
    result = json.loads(path.read_text())
    if result["data"] == "mnist" and result["as_reported"]:
        test_scores = result["test"]
        nats = test_scores["reconstruction"] + test_scores["kl"] if "kl" in test_scores else None
        minutes = result["cpu_seconds"] / 60
        row = {"parameters": result["parameters"], "minutes of a core": minutes, "−ELBO, nats/image": nats}
        if (fid := test_scores.get(features.MNIST.score)) is not None:  # plain autoencoders draw nothing of their own
            trained[result["recipe"]] = row | {"FID": fid}
absent = "No results here: they come with the repository, not with a lab's zip"
plots.table(trained, "Trained to the end" if trained else absent)

# %%
pairs = {}
for title in drawn:
    if title in labs and (x := labs[title].samples()) is not None:
        pairs |= {f"{title}, {own[title]['whose']}": x[:12], f"{title}, full size": drawn[title][:12]}
if pairs:
    plots.rows(pairs, f"Each as its lab trained it, on {here.name}, and of full size: none is chosen", inches=0.5)

# %%
guesses.summary("cmp")

# %% [markdown]
# ## 11.9 Exercises
#
# 1. **More budget.** Train one model of your choice four times as long, with `run=` and a name of its own, and add it to
#    `FAMILIES`. Which columns of 11.6 moved?
# 2. **Other eyes.** Replace the features in `measured` by raw pixels. Which model gains most, and why is that no praise?
# 3. **Other data.** Run the labs that interest you with `DATA=mnist`, then this notebook: 11.6 shows a table of its own for
#    each data set.
#
# ## References
#
# - Theis, van den Oord, Bethge 2016, *A note on the evaluation of generative models*, ICLR.
# - Lucic, Kurach, Michalski, Gelly, Bousquet 2018, *Are GANs created equal? A large-scale study*, NeurIPS.
# - Kynkäänniemi et al. 2019, *Improved precision and recall metric for assessing generative models*, NeurIPS.
