# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 · Metrics
#
# "Our samples look better" is no result. Afterwards you can
#
# - write the numbers that papers report (SSIM, IS, FID, KID, precision and recall), and prove yours against the packages;
# - say what each of them sees, what it is blind to, and how the number of images changes it;
# - read a table of FIDs with the right amount of distrust.
#
# **Time:** 170 minutes. **Before:** labs 1 and 2. **Your part:** eight blanks in
# [starter/metrics.py](../starter/metrics.py), two written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys, tempfile, time, warnings

sys.path.append("..")
import numpy as np
import torch

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, features, full, guesses, image_folders, inception_features
from starter.support import nets, plots, training
from starter import autoencoder as ae, metrics as met, vae

# %% [markdown]
# **Where this leads.** Each row: twelve samples of a model of another lab, trained on MNIST until the end. None is
# chosen. Which model is the best, and by how much? At the end of this lab your own numbers judge 300 images of each.

# %%
drawn = full.drawn()
full.beside(drawn, "Drawn by ten models of full size")
guesses.predict("met-trained", "Which of them has the lowest FID?", list(drawn))

# %%
diagrams.show("metrics")

# %% [markdown]
# ## 6.1 Four faults, one squared error
#
# The squared error of lab 1 compares pixel by pixel, and each pixel counts the same. Here are digits and four spoilt
# copies: noise, blur, haze, and a copy that moved to the right by less than a pixel. Each fault is just strong enough to
# make the *same* mean squared error, 0.02.
#
# Which copy is the worst, and which the best? Would a stranger agree with you?

# %%
kinds = ["noise", "blur", "haze", "moved"]
guesses.predict("met-worst", "Which copy is the worst, for a measure that looks for structure?", kinds)

# %%
from torchvision.transforms.functional import gaussian_blur

train = data.load()
train = data.resized(train, max(train.shape[1], 16))  # SSIM needs 11 pixels
n = min(len(train) // 2, 750)
torch.manual_seed(training.SEED)
order = torch.randperm(len(train))
x, others, labels = train.pixels(order[:n]), train.pixels(order[n : 2 * n]), train.y[order[n : 2 * n]]

# %%
faults = {
    "noise": lambda x, s: (x + s * torch.randn_like(x)).clamp(0, 1),
    "blur": lambda x, s: gaussian_blur(x, 9, s),
    "haze": lambda x, s: x + s * (1 - x),
    "moved": lambda x, s: ((1 - s) * x + s * x.roll(1, dims=3)).clamp(0, 1),
}

# %%
strengths = {}
for name, fault in faults.items():
    low, high = 0.0, 2.0
    for _ in range(20):  # halve the interval around a squared error of 0.02
        strengths[name] = (low + high) / 2
        weak = (fault(x, strengths[name]) - x).square().mean() < 0.02
        low, high = (strengths[name], high) if weak else (low, strengths[name])

# %%
copies = {name: fault(x, strengths[name]) for name, fault in faults.items()}
plots.rows({"x": x[:12], **{name: y[:12] for name, y in copies.items()}}, "Four faults, the same squared error")

# %% [markdown]
# Eyes look for *structure*: strokes that are still where they were. SSIM compares small windows, 11 × 11 pixels with
# Gaussian weights, by their means $\mu$, variances $s^2$ and covariance $s_{xy}$:
#
# $$\frac{2 \mu_x \mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1} \cdot \frac{2 s_{xy} + C_2}{s_x^2 + s_y^2 + C_2}$$
#
# `local_mean` gives the mean of every window. The rest is yours.
#
# **Predict.** What is SSIM for equal images? What do the small constants prevent?

# %%
check("met-1")  # starter/metrics.py, ssim

# %%
similarity = {name: met.ssim(x, y).mean() for name, y in copies.items()}
plots.bars(similarity, "SSIM of copies with the same squared error", "SSIM", digits=2)
guesses.outcome("met-worst", min(similarity, key=similarity.get))
print("from best to worst:", ", ".join(sorted(similarity, key=similarity.get, reverse=True)))

# %% [markdown]
# Haze costs least: every stroke is there. Blur takes contrast out of every window and comes last. But a copy that moved
# by less than a pixel, which no eye would mind, is punished more than noise: SSIM compares place by place, too.
#
# ## 6.2 Do the packages agree?
#
# A metric of your own is worth nothing until it gives the numbers that others get. So each is compared with a package on
# the same arrays. Mind the settings: scikit-image's defaults are *not* those of the paper.

# %%
from skimage.metrics import mean_squared_error, structural_similarity
from torch.distributions import Bernoulli, Normal, kl_divergence

error = {}


def agrees(name, ours, theirs):
    ours, theirs = (torch.as_tensor(value, dtype=torch.float64) for value in (ours, theirs))
    error[name] = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{name}, the same to 1e-5: {'yes' if error[name] <= 1e-5 else f'no, {error[name]:.0e}'}")


# %%
pair = x.double(), copies["blur"].double()
settings = dict(gaussian_weights=True, use_sample_covariance=False, data_range=1.0, channel_axis=0)
theirs = [structural_similarity(a.numpy(), b.numpy(), **settings) for a, b in zip(*pair)]
agrees("SSIM, scikit-image", met.ssim(*pair), theirs)

# %% [markdown]
# torchmetrics mirrors the image at its border and has windows there, too. Inside, it gives the same; its average does
# not. Two packages, two "SSIMs": say which one you report. Squared error, cross-entropy and KL you have from labs 1 and 2.

# %%
from torchmetrics.functional.image import structural_similarity_index_measure

_, every = structural_similarity_index_measure(*pair, data_range=1.0, return_full_image=True)
agrees("SSIM inside, torchmetrics", met.ssim(*pair), every[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3)))
size, logits, mu, log_var = x[0].numel(), 3 * x - 1, *torch.randn(2, 50, 8)
squares = mean_squared_error(*map(np.asarray, pair))
agrees("MSE, scikit-image", ae.reconstruction_loss(copies["blur"], x, "mse") / size, squares)
likelihood = Bernoulli(logits=logits, validate_args=False).log_prob(x)  # grey pixels are no coin flips: it would refuse
agrees("BCE, torch", ae.reconstruction_loss(logits, x, "bce") / size, -likelihood.mean())
normals = Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)
agrees("KL, torch", vae.kl_divergence(mu, log_var), kl_divergence(*normals).sum(dim=1))

# %% [markdown]
# ## 6.3 Without a partner
#
# A sample of a generator has no original. Some reports take SSIM anyway, between each sample and *some* real image.
#
# Four sets, each image compared with an unrelated real one: other real digits, the same digits blurred, the mean of all digits
# again and again, and black images. Which set scores best?

# %%
guesses.predict("met-unpaired", "Which set has the best SSIM?", ["other digits", "blurred", "mean image", "black"])

# %%
mean_image = x.mean(dim=0, keepdim=True).expand_as(x)
sets = {"other digits": others, "blurred": faults["blur"](others, 1.0), "mean image": mean_image, "black": 0 * x}
unpaired = {name: met.ssim(x, y).mean() for name, y in sets.items()}
plots.bars(unpaired, "SSIM with unrelated real images", "SSIM", digits=3)
guesses.outcome("met-unpaired", max(unpaired, key=unpaired.get))
plots.rows({name: y[:12] for name, y in sets.items()})

# %% [markdown]
# **Question 1.** Suppose a report says: "The samples of our VAE reach an SSIM of 0.3", each compared with a random image of
# the test set. What did it measure? Which generator would win this comparison, and for which other question about a VAE
# is SSIM a sensible answer?

# %% [markdown] answer="met-q1"
# Your answer.

# %% [markdown]
# ## 6.4 Sure of each, open to all
#
# Without partners only *sets* can be compared. The first idea: let a classifier judge. A good image makes it sure, a good
# set makes it name every class:
#
# $$\mathrm{IS} = \exp\Big(\frac{1}{N} \sum_i \mathrm{KL}\big(p(\cdot \mid x_i)\,\big\|\, p\big)\Big), \qquad
# p = \frac{1}{N} \sum_i p(\cdot \mid x_i)$$
#
# Ours knows the ten digits, so 10 is the most. **Predict.** Real digits; noisy ones; only 0 to 4; ten images, one of each
# digit, again and again. Order them.

# %%
one_each = torch.stack([others[labels == digit][0] for digit in range(10)])
noisy = faults["noise"](others, 0.2)
sets = {"real": others, "noisy": noisy, "0 to 4": others[labels < 5], "ten images": one_each.repeat(n // 10, 1, 1, 1)}
plots.rows({name: y[:12] for name, y in sets.items()})

# %%
check("met-2")  # starter/metrics.py, inception_score

# %%
from torchmetrics.image.inception import InceptionScore

probs = {name: features.class_probs(y) for name, y in sets.items()}
plots.bars({name: met.inception_score(p) for name, p in probs.items()}, "Inception score, 10 at best", "IS", digits=2)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of its own memory, and of one split
    package = InceptionScore(feature=torch.nn.Identity(), splits=1)  # takes logits; its default is ten splits
    package.update(probs["noisy"].log())
    agrees("IS, torchmetrics", met.inception_score(probs["noisy"]), package.compute()[0])

# %% [markdown]
# Ten images suffice for the score of real data: variety *within* a class is invisible to it, and real images do not occur
# in the formula at all.
#
# ## 6.5 A cloud of features
#
# Better: compare with real images, in the *features* of a network. Ours gives 32 for each image. A set becomes a cloud of
# points; here in the two directions in which the real cloud is widest.
#
# **Predict.** What happens to the cloud if images get noisy, what if five digits never come?

# %%
def seen(images):
    return torch.from_numpy(features.features(images))


real = seen(x)
_, _, axes = torch.pca_lowrank(real, 2)
clouds = {"real": (x, train.y[order[:n]]), "noisy": (noisy, labels), "0 to 4": (others[labels < 5], labels[labels < 5])}
flat = {name: ((seen(images) - real.mean(0)) @ axes, y) for name, (images, y) in clouds.items()}
plots.scatter(flat, axes=("widest direction", "second widest"))

# %% [markdown]
# Noise pushes the clusters into each other; dropped digits leave holes. The *Fréchet distance* keeps two things of a cloud,
# its mean and its covariance:
#
# $$\mu = \frac{1}{N} \sum_i f_i, \qquad S = \frac{1}{N - 1} \sum_i (f_i - \mu)(f_i - \mu)^\top$$

# %%
check("met-3")  # starter/metrics.py, mean_and_covariance

# %% [markdown]
# ## 6.6 The distance of two Gaussians
#
# How much work is it to move one Gaussian onto the other, if work is the squared distance?
#
# $$d^2 = |\mu_1 - \mu_2|^2 + \operatorname{tr} S_1 + \operatorname{tr} S_2 - 2 \operatorname{tr} (S_1 S_2)^{1/2}$$
#
# In one dimension this is $(\mu_1 - \mu_2)^2 + (\sigma_1 - \sigma_2)^2$. The product $S_1 S_2$ is not symmetric; libraries
# take its square root all the same. With $S_1 = A A^\top$, the matrix $A^\top S_2 A$ has the same eigenvalues and *is*
# symmetric.
#
# **Predict.** Why does knowing the eigenvalues suffice for the trace of a root?

# %%
check("met-4")  # starter/metrics.py, frechet_distance

# %%
from cleanfid.fid import frechet_distance
from torchmetrics.image.fid import FrechetInceptionDistance

fake = seen(noisy)
moments = [m for f in (real, fake) for m in met.mean_and_covariance(f.double())]
agrees("Fréchet distance, clean-fid", met.frechet_distance(*moments), frechet_distance(*map(np.asarray, moments)))
as_it_is = torch.nn.Identity()  # torchmetrics would fetch Inception: we give it the features themselves
as_it_is.num_features = features.DIM
package = FrechetInceptionDistance(feature=as_it_is)
package.update(real, real=True)
package.update(fake, real=False)
agrees("FID, torchmetrics", met.fid(real, fake), package.compute())

# %% [markdown]
# Inception has 2,048 features, and there the square root is what you wait for. Here with 1,024: processor time of two ways
# to the same number. (`make bench` measures 2,048.)

# %%
def cpu_seconds(function, given):
    started = time.process_time()
    value = float(function(*given))
    return value, time.process_time() - started


falling = 1 / torch.arange(1, 1025).sqrt()  # widths of the cloud, as a network's features have them
clouds = [((torch.randn(1500, 1024) * falling) @ torch.randn(1024, 1024) / 32).double() for _ in range(2)]
large = [m for cloud in clouds for m in met.mean_and_covariance(cloud)]

# %%
own, own_time = cpu_seconds(met.frechet_distance, large)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scipy: sqrtm(disp=...) is on its way out
    theirs, their_time = cpu_seconds(frechet_distance, map(np.asarray, large))
agrees("Fréchet distance of 1,024 features, clean-fid", own, theirs)
plots.bars({"clean-fid": their_time, "yours": own_time}, "Processor time at 1,024 features", "seconds", digits=2)

# %% [markdown]
# ## 6.7 What FID sees, and what it measures besides
#
# **Predict.** Noise, blur, and fewer and fewer digits: FID should rise with all three. And if nothing is wrong at all, but
# the set has only 50 images?

# %%
noises, blurs, kept = (0.05, 0.1, 0.15, 0.2, 0.3), (0.4, 0.5, 0.55, 0.6, 0.8, 1.0, 1.3), (9, 8, 7, 6, 5, 4)
paths = {
    "noise": {s: seen(faults["noise"](others, s)) for s in noises},
    "blur": {s: seen(faults["blur"](others, s)) for s in blurs},
    "digits dropped": {10 - k: seen(others[labels < k]) for k in kept},
}
fids = {name: {s: met.fid(real, f) for s, f in path.items()} for name, path in paths.items()}
strength = ("σ of the noise, white is 1", "σ, pixels", "number of digits")
plots.panels({name: {"": (list(path), list(path.values()))} for name, path in fids.items()}, x=strength, y="FID")
training.within("lab 6 FID of blurred digits", fids["blur"][1.0].item())

# %%
counts, clean = (40, 60, 100, 200, 400, n), seen(others)


def over_draws(score, fakes, draws=20):
    chosen = [[score(real, fakes[torch.randperm(n)[:count]]).item() for _ in range(draws)] for count in counts]
    return list(map(float, counts)), [sum(values) / draws for values in chosen]


title = "FID of real images against real images"
bias = over_draws(met.fid, clean)
plots.lines({"mean of 20 draws": bias}, title, "images", "FID", log_x=True, style="o-")
print("40 real images look as bad as noise of 0.1:", bool(bias[1][0] > fids["noise"][0.1]))

# %% [markdown]
# Nothing is wrong with these images, and yet 40 of them look as bad as noise of 0.1. The estimate is *biased*: a
# covariance that is estimated from few points fits these points too well. Below 33 images for 32 features it is even
# singular, and `fid` refuses.
#
# **Question 2.** Paper A reports FID 9 from 50,000 samples, paper B FID 12 from 5,000, and a third counts the training images
# differently. What can you conclude about the generators? What must a table say for its FIDs to be comparable?

# %% [markdown] answer="met-q2"
# Your answer.

# %% [markdown]
# ## 6.8 A distance without bias
#
# KID compares the clouds through a kernel, a cubic similarity of two features $k(a, b) = (a \cdot b / D + 1)^3$: alike within
# the sets, alike between them?
#
# $$\mathrm{KID} = \operatorname*{mean}_{i \neq j} k(r_i, r_j) + \operatorname*{mean}_{i \neq j} k(f_i, f_j) - 2 \operatorname*{mean}_{i, j} k(r_i, f_j)$$
#
# **Predict.** Why is $i = j$ left out, and where? What becomes of the curve above?

# %%
check("met-5")  # starter/metrics.py, kid

# %%
from cleanfid.fid import kernel_distance
from torchmetrics.image.kid import poly_mmd

pair = real.double(), fake.double()
agrees("KID, torchmetrics", met.kid(*pair), poly_mmd(*pair))
all_of_them = {"num_subsets": 1, "max_subset_size": n}  # by default it takes 100 random parts of up to 1,000 images
agrees("KID, clean-fid", met.kid(*pair), kernel_distance(*map(np.asarray, pair), **all_of_them))

# %%
both, blur = {"FID": met.fid, "KID": met.kid}, paths["blur"][0.8]
curves = {
    name: {"nothing wrong": over_draws(score, clean), "blur": over_draws(score, blur)} for name, score in both.items()
}
plots.panels(curves, "How many images does it take? (mean of 20 draws)", "images")
training.within("lab 6 KID of blurred digits", met.kid(real, paths["blur"][1.0]).item())

# %% [markdown]
# KID is flat from 40 images on, on average; a single draw scatters. Its size means little by itself: papers print it times
# 1,000. How well do you agree with the packages by now?

# %%
agreement = [min(16, -np.log10(value + 1e-16)) for value in error.values()]
with plots.figure(8, 3.8, "Digits on which you and the packages agree") as axes:
    axes[0, 0].barh(list(error), agreement, color=plots.COLOURS[0])
    axes[0, 0].axvline(5, color=plots.GREY, linestyle="--")
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_xlabel("decimal digits")
    axes[0, 0].grid(axis="y", visible=False)

# %% [markdown]
# ## 6.9 Quality or variety?
#
# One number cannot say *what* is wrong. So describe where a set lies: around each feature a ball that reaches to its $k$-th
# nearest neighbour in the same set. Dense regions get small balls, and a stray point a large one.

# %%
check("met-6")  # starter/metrics.py, radii

# %%
from matplotlib.patches import Circle

angle = torch.linspace(0, 6.28, 31)[:30]
ring = torch.stack([angle.cos(), angle.sin()], dim=1) + 0.08 * torch.randn(30, 2)
arc = ring[:12] + 0.08 * torch.randn(12, 2)  # the fakes

# %% [markdown]
# **Change a number.** Set `k` to 1, then to 8, and run the cell again. Look at the balls on both sides: do they grow
# or shrink, and are there points that lie in a ball of the other set with one `k` and not with another?

# %%
k = 3  # try 1, 8
with plots.figure(8, 4, ncols=2) as axes:
    for ax, owner, title in zip(axes[0], (ring, arc), ("Balls of the real set", "Balls of the fake set")):
        for centre, radius in zip(owner.tolist(), met.radii(owner, k).tolist()):
            ax.add_patch(Circle(centre, radius, color=plots.GREY, alpha=0.15))
        for points, name, marker in ((ring, "real", "o"), (arc, "fake", "^")):
            ax.scatter(*points.T, s=16, marker=marker, label=name)
        ax.set(title=title, aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.6, 1.6))
        plots.finish(ax, "feature 1", "feature 2", legend=owner is arc)

# %% [markdown]
# *Precision*: the share of fakes inside some ball of the real set (left). *Recall*: the share of reals inside some ball
# of the fake set (right). Blue circles: real; orange triangles: fake.
#
# **Predict.** These fakes have dropped half of the ring. Which of the two suffers?

# %%
check("met-7")  # starter/metrics.py, precision_recall

# %%
scores = {name: [met.precision_recall(real, f) for f in [clean, *path.values()]] for name, path in paths.items()}
curves = {name: ([s.recall for s in path], [s.precision for s in path]) for name, path in scores.items()}
plots.lines(curves, "From real images (top right) along three faults", "recall", "precision", style="o-")
near = min((torch.stack(b) - torch.stack(d)).abs().sum() for b in scores["blur"][1:] for d in scores["digits dropped"][1:])
print("some blur has nearly the precision and the recall of fewer digits:", bool(near < 0.08))
five = met.precision_recall(real, paths["digits dropped"][5])
training.within("lab 6 precision of five digits", five.precision.item())

# %% [markdown]
# Dropping digits costs recall alone: what is left is real. Noise costs both. A little blur costs recall, because all
# digits become alike, and more of it precision as well. On its way its curve lies beside that of dropped digits: there the
# two faults have nearly the same recall and the same precision. So even two numbers do not tell spoilt images from missing
# ones.
#
# ## 6.10 Judge a generator
#
# A VAE as in lab 2. Its temperature trades safe samples for varied ones.
#
# **Predict.** As the temperature falls, what do precision, recall and FID do? Will they agree on the best one?

# %% tags=["training"]
torch.manual_seed(training.SEED)
encoder, decoder = nets.mlp_encoder(train.shape, (256,), 20), nets.mlp_decoder(10, (256,), train.shape)
model = vae.VAE(encoder, decoder)
_ = training.fit(model, train, steps=900, lr=3e-3)

# %%
eps = torch.randn(n, 10)
temperatures = (0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5)
samples = {t: vae.sample_prior(model.decoder, eps, t) for t in temperatures}
plots.rows({f"T = {t}": samples[t][:12] for t in (0.3, 0.7, 1.0, 1.5)})

# %%
clouds = {t: seen(images) for t, images in samples.items()}
quality = [met.precision_recall(real, f) for f in clouds.values()]
curves = {
    "FID": {"": (temperatures, [met.fid(real, f) for f in clouds.values()])},
    "KID": {"": (temperatures, [met.kid(real, f) for f in clouds.values()])},
    "share of images": {name: (temperatures, [getattr(q, name) for q in quality]) for name in ("precision", "recall")},
}
plots.panels(curves, "Samples of one VAE", "temperature")
hot, cold = (met.fid(real, clouds[t]) for t in (1.2, 0.5))
fewer = quality[5].precision < quality[1].precision
print("T = 1.2 against 0.5: the better FID, the worse precision:", bool(hot < cold and fewer))

# %% [markdown]
# ### A whole evaluation
#
# Each point of these curves is a single estimate. How far is it off by luck? And what would a perfect generator get? Build
# the answer: several draws, their mean and spread, and real images judged in the same way. The docstring is a contract,
# and has no formula.
#
# **Predict.** The yardstick of real images: is its FID 0, its precision 1?

# %%
check("met-8")  # starter/metrics.py, evaluation

# %% [markdown]
# **Change a number.** Set `per_draw` to 100, then to 50, and run the cell again. Look at the row of real images:
# which score changes most? And look at the numbers behind ±: what do fewer images do to them?

# %%
per_draw = 300  # try 100, 50
torch.manual_seed(training.SEED)
draws = torch.stack([torch.randperm(n)[:per_draw] for _ in range(8)])
found = {t: met.evaluation(real, clean, clouds[t], draws) for t in (0.7, 1.0, 1.2)}
names, table = ("FID", "KID", "precision", "recall"), {}
table["real images"] = {name: f"{value:.2f}" for name, value in zip(names, found[1.0].yardstick.tolist())}
for t, (mean, spread, _) in found.items():
    table[f"T = {t}"] = {name: f"{m:.2f} ± {s:.2f}" for name, m, s in zip(names, mean.tolist(), spread.tolist())}
plots.table(table, f"Eight draws of {per_draw} images each")
print("real images have FID 0 and precision 1:", bool(found[1.0].yardstick[0] < 0.1 or found[1.0].yardstick[2] > 0.97))
apart = (found[0.7].mean - found[1.2].mean).abs() > 2 * (found[0.7].spread + found[1.2].spread)
print("FID tells T = 0.7 from 1.2 beyond the spread:", bool(apart[0]))

# %% [markdown]
# Neither: 300 images are few for FID, and some real images lie in no ball of the others. So a generator is measured against
# this row, and not against 0 and 1. Two rows whose means differ by less than their spreads are in no order. And the spread
# does not know all luck: it is that of the images. The same VAE, trained with another seed, would be another row.

# %% [markdown]
# Low temperature buys precision and pays with recall. FID and KID reward variety here. And precision cannot know that all the
# cold samples are alike, and soft: look at the row T = 0.3. So report temperature and number of samples, and show samples, too.
#
# ## 6.11 Whose features?
#
# All numbers above are distances in the eyes of a small classifier of digits. Published FIDs are distances in the eyes of
# Inception, which knows a thousand kinds of things and no handwriting. clean-fid reads folders of files and takes either
# network.

# %%
from pathlib import Path

from torchvision.utils import save_image

with tempfile.TemporaryDirectory() as place:
    paths_of = {name: Path(place) / name for name in ("real", "noisy")}
    for (name, path), images in zip(paths_of.items(), (x, noisy)):
        path.mkdir()
        for i, image in enumerate(images):
            save_image(image, path / f"{i:05}.png")
    theirs = image_folders.fid(*paths_of.values())
    ours = met.fid(*(seen(image_folders.load(path)) for path in paths_of.values()))
agrees("FID of two folders, clean-fid", ours, theirs)

# %% [markdown]
# And Inception? Its weights, 96 MB, are fetched once by a command and then stay. Few images for 2,048 features are no
# case for FID; KID can.

# %% tags=["nbval-ignore-output"]
count = 64
if inception_features.ready():
    sets = {"real": others, "noise": noisy, "blur": faults["blur"](others, 1.0), "0 to 4": others[labels < 5]}
    for eyes, look in {"Inception": inception_features.features, "the course's network": features.features}.items():
        clouds = {name: torch.from_numpy(look(images[:count])) for name, images in {"x": x, **sets}.items()}
        kids = {name: met.kid(clouds["x"], clouds[name]) for name in sets}
        plots.bars(kids, f"KID in the eyes of {eyes}", "KID", digits=2)
else:
    print(f"Inception's weights are not here. To see this picture: {inception_features.COMMAND}")

# %% [markdown]
# ## 6.12 One minute, and longer
#
# Now the ten models from the beginning of this lab. Their images become as small as those of the lab: the middle
# 22 × 22 of 28 × 28 pixels, made 16 × 16. Your VAE of 6.10, trained for seconds, stands beside them.

# %%
def shrunk(images):  # each new pixel is the mean of the area that it covers
    eighths = images[:, :, 3:25, 3:25].repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    return torch.nn.functional.avg_pool2d(eighths, 11)


torch.manual_seed(training.SEED)
judges = seen(data.load("mnist16").pixels(slice(1500))).split(750)
halves = torch.stack([torch.randperm(300)[:150] for _ in range(8)])
entrants = {"VAE of 6.10": samples[1.0]} if train.name == "mnist16" else {}
entrants |= {name: shrunk(images) for name, images in drawn.items()}
plots.rows({name: images[:12] for name, images in entrants.items()}, "What the features see")
found = {name: met.evaluation(*judges, seen(images[:300]), halves) for name, images in entrants.items()}
table = {"real images": {name: f"{value:.2f}" for name, value in zip(names, found["GAN"].yardstick.tolist())}}
for name, (mean, spread, _) in found.items():
    table[name] = {score: f"{m:.2f} ± {s:.2f}" for score, m, s in zip(names, mean.tolist(), spread.tolist())}
plots.table(table, "Eight halves of 300 images, against 750 real ones")
guesses.outcome("met-trained", min(drawn, key=lambda name: found[name].mean[0]))
mean = {name: found[name].mean for name in drawn}  # of FID, KID, precision and recall
four = [mean[name][0] for name in ("VAE with flows", "GAN", "DCGAN", "WGAN-GP")]
print("four FIDs, less than 1 apart:", bool(max(four) - min(four) < 1))
lead = mean["GAN"][2] - max(mean["DCGAN"][2], mean["WGAN-GP"][2])
print("precision of the GAN beside DCGAN's and WGAN-GP's, more than 0.2 higher:", bool(lead > 0.2))
real = found["GAN"].yardstick
lower = bool(max(mean["conditional GAN"][0], mean["flow matching"][0]) < real[0])
print("FIDs of the conditional GAN and of flow matching, below real images:", lower)
print("recall of flow matching, below real images:", bool(mean["flow matching"][3] < real[3]))
behind = sorted(drawn, key=lambda name: mean[name][0])[-3:]
print("the three highest FIDs:", ", ".join(sorted(behind)))

# %% [markdown]
# Read the table with distrust, as you have learned it. Four of the FIDs are less than 1 apart; with 150 images, nothing
# should rest on that. Precision tells the four apart: much of what DCGAN and WGAN-GP draw lies in no ball of real images;
# look again at their rows above, and see what the features see. The conditional GAN and flow matching have lower FIDs
# than real images, and lie within a spread of each other: 150 images cannot show who leads. Flow matching has a lower
# recall than real images: it leaves out some of what is rare. VAE, β-VAE and RealNVP are far behind, for two reasons: the
# first two are blurred; the flow's strokes are sharp, and often no digit.
#
# With 1,000 images of each, FID has an order, too: 0.23 for the conditional GAN, then flow matching 0.33, GAN 0.49, VAE
# with flows 0.83, DCGAN 1.17, WGAN-GP 1.21, VQ-VAE 1.39 (`RESULTS.md`; the images were made smaller in another way, so
# that only the order compares). Each model was trained once: another seed may change the order of neighbours.

# %%
guesses.summary("met")

# %% [markdown]
# ## 6.13 Exercises
#
# 1. **Density and coverage.** Precision counts a fake once even if twenty balls hold it, and one stray real feature has a
#    huge ball. Count balls instead (density), and ask which real balls hold any fake (coverage). Which of the four moves
#    least if you add five images of noise to the real set?
# 2. **A loss that looks at windows.** Train an autoencoder of lab 1 on $1 - \mathrm{SSIM}$ instead of the squared error.
#    Compare its reconstructions by both.
# 3. **Extrapolate.** In 6.7, plot FID against $1/N$. Where does a straight line through the points meet $1/N = 0$?
#
# ## References
#
# - Wang et al. 2004, *Image quality assessment: from error visibility to structural similarity*, IEEE TIP.
# - Salimans et al. 2016, *Improved techniques for training GANs*, NeurIPS: inception score.
# - Heusel et al. 2017, *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*, NeurIPS: FID.
# - Bińkowski et al. 2018, *Demystifying MMD GANs*, ICLR: KID. Chong & Forsyth 2020, *Effectively unbiased FID and inception
#   score*, CVPR.
# - Kynkäänniemi et al. 2019, *Improved precision and recall metric for assessing generative models*, NeurIPS. Naeem et al.
#   2020, *Reliable fidelity and diversity metrics*, ICML: density and coverage.
# - Parmar et al. 2022, *On aliased resizing and surprising subtleties in GAN evaluation*, CVPR: clean-fid.
# - Theis et al. 2016, *A note on the evaluation of generative models*, ICLR.
