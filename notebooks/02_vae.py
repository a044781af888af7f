# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · Variational autoencoder
#
# Lab 1 ended with a decoder that answers random codes with nonsense. A VAE gives every image a *distribution* of codes,
# and keeps all of them near one distribution that we can sample. Afterwards you can
#
# - explain every term of the bound that a VAE maximises, and measure each in nats;
# - differentiate through a random draw;
# - choose a likelihood for the pixels, and say why its constants matter;
# - sample new images, judge them, and find out which latents are used.
#
# **Time:** 160 minutes. **Before:** lab 1. **Your part:** eight blanks in [starter/vae.py](../starter/vae.py), two written
# answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import torch
from torch.distributions import Normal

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, features, full, guesses, nets, plots, runs, training, widgets
from starter import autoencoder as ae
from starter import vae

# %% [markdown]
# **Where this leads.** None of these digits was written by anybody. A VAE made them from noise; in each column the noise turns
# slowly into another draw. Half-way between two codes lab 1 often found no digit. Here every row is a draw from the same
# distribution, the middle one, too. Which images are no digits all the same?

# %%
full.preview("vae-mlp", "mnist")

# %%
diagrams.show("vae")

# %% [markdown]
# ## 2.1 A draw that lets the gradient through
#
# The encoder of a VAE gives two vectors for an image, and they describe a normal distribution of codes:
#
# $$q(z \mid x) = \mathcal N\big(\mu(x),\ \operatorname{diag} \sigma^2(x)\big)$$
#
# The network outputs $\log \sigma^2$ (`log_var`): any real number is allowed, and $\sigma$ is never negative.

# %% [markdown]
# A draw from $q$ has no derivative with respect to $\mu$ and $\sigma$. So take the randomness from elsewhere, and let $\mu$
# and $\sigma$ only move and scale it:
#
# $$z = \mu + \sigma \odot \epsilon, \qquad \epsilon \sim \mathcal N(0, I)$$
#
# **Predict.** What is $\sigma$ at `log_var` = −2? Where will the cloud below lie for $\mu = (2, -1)$, `log_var` = (−2, 0)?

# %%
torch.manual_seed(training.SEED)
eps = torch.randn(500, 2)
plots.scatter({"noise ε": eps}, circle=True)

# %%
check("vae-1")  # starter/vae.py, reparameterize

# %% [markdown]
# The same 500 points, moved and scaled. The dashed circle stays where it was: it holds 86 % of $\mathcal N(0, I)$.

# %%
mu, log_var = torch.tensor([[2.0, -1.0]]), torch.tensor([[-2.0, 0.0]])
scaled = vae.reparameterize(torch.zeros(1, 2), log_var, eps)
plots.scatter({"ε": eps, "σ ε": scaled, "μ + σ ε": vae.reparameterize(mu, log_var, eps)}, circle=True)

# %% [markdown]
# With $\epsilon$ fixed, each $z$ is a smooth function of `log_var`: a curve with a slope everywhere. This slope is what
# reaches the encoder.

# %%
sweep = torch.linspace(-6, 2, 50).unsqueeze(1)  # (50, 1): one latent, fifty values of log_var
paths = {}
for e in (-2.0, -1.0, 0.5, 1.5):
    z = vae.reparameterize(torch.zeros_like(sweep), sweep, torch.full_like(sweep, e))
    paths[f"ε = {e:+.1f}"] = (sweep[:, 0], z[:, 0])
plots.lines(paths, "One latent, four fixed draws, μ = 0", "log_var", "z")

# %% [markdown]
# ## 2.2 How far from the prior?
#
# We will sample codes from the *prior* $p(z) = \mathcal N(0, I)$, so the codes of the images should not lie far from it. The
# loss pulls the $q(z \mid x)$ of *every* image towards the prior. The Kullback-Leibler divergence says how many nats $q$ is
# away from it. For normal distributions there is a formula:
#
# $$\mathrm{KL}\big(q(z \mid x)\,\|\,p(z)\big) = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$
#
# <details><summary>Where the formula comes from</summary>
#
# One latent is enough: both densities are products over the latents, so their logarithms add. Write out the two logarithms;
# $\tfrac12 \log 2\pi$ cancels:
#
# $$\log q(z) - \log p(z) = -\log \sigma - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2}$$
#
# Take the mean over $q$: $\mathbb E_q[(z - \mu)^2] = \sigma^2$ and $\mathbb E_q[z^2] = \mu^2 + \sigma^2$. What is left is
# $-\log \sigma - \tfrac12 + \tfrac12 (\mu^2 + \sigma^2)$, the summand above.
#
# </details>
#
# Which of these three $q$ is furthest from $p$: a shifted one, a narrow one, a wide one?

# %%
z = torch.linspace(-5, 5, 300)
three = {"shifted": (1.5, 1.0), "narrow": (0.0, 0.15), "wide": (0.0, 2.0)}
prior = (z, Normal(0, 1).log_prob(z).exp())
posteriors = {name: (z, Normal(*q).log_prob(z).exp()) for name, q in three.items()}
plots.panels({name: {"p(z)": prior, "q(z|x)": q} for name, q in posteriors.items()}, x="z", y="density")
guesses.predict("vae-furthest", "Which of the three is the furthest from p, by the KL?", list(three))

# %%
check("vae-2")  # starter/vae.py, kl_divergence

# %%
mean, sigma = torch.linspace(-3, 3, 100).unsqueeze(1), torch.linspace(0.05, 3, 100).unsqueeze(1)
along_mu = (mean[:, 0], vae.kl_divergence(mean, torch.zeros_like(mean)))
along_sigma = (sigma[:, 0], vae.kl_divergence(torch.zeros_like(sigma), 2 * sigma.log()))
at = torch.tensor(list(three.values()))  # (3, 2): mu beside sigma
values = vae.kl_divergence(at[:, :1], 2 * at[:, 1:].log())
title = ", ".join(f"{name} {value:.2f} nats" for name, value in zip(three, values))
both = {"KL against μ (σ = 1)": {"": along_mu}, "KL against σ (μ = 0)": {"": along_sigma}}
plots.panels(both, title, ("μ", "σ"), "nats")
guesses.outcome("vae-furthest", list(three)[values.argmax()])

# %% [markdown]
# Shrinking $\sigma$ gets expensive without limit: exactness costs nats. That pressure is what lab 1 lacked.
#
# The KL is a mean of $\log q(z \mid x) - \log p(z)$ over draws from $q$. So we can also estimate it from draws. **Predict.**
# How many draws does it take to be right within 1 %?

# %%
torch.manual_seed(training.SEED)
z = vae.reparameterize(mu, log_var, torch.randn(20_000, 2))
log_ratio = (Normal(mu, (0.5 * log_var).exp()).log_prob(z) - Normal(0, 1).log_prob(z)).sum(dim=1)
n = torch.arange(1, len(z) + 1)
exact = vae.kl_divergence(mu, log_var).item()
estimate = {"Monte Carlo": (n[9:], (log_ratio.cumsum(dim=0) / n)[9:])}
level = {f"closed form {exact:.3f}": exact}
plots.lines(estimate, "Two ways to the same number", "draws", "nats", level, log_x=True)

# %% [markdown]
# A thousand draws, where the formula needs none. Later models (flows, lab 4) have no formula, and there the estimate
# is all we have.
#
# You will train with one single draw per image and step. That is enough: the mean over many steps counts.

# %% [markdown]
# ## 2.3 Black and white pixels: the Bernoulli likelihood
#
# The decoder does not paint an image, it describes a *distribution* of images, $p(x \mid z)$. The simplest: every pixel is
# a coin, and the decoder gives its probability.
#
# $$-\log p(x \mid z) = -\sum_i \big[x_i \log p_i + (1 - x_i) \log (1 - p_i)\big], \qquad p = \sigma(\text{logits})$$
#
# You know it as cross-entropy. One number per image, in nats.
#
# A coin shows 0 or 1, and our pixels are grey. For a grey $x_i$ the sum is what the image costs *on average* when each pixel
# is first made black or white at random, white with probability $x_i$. So it is a fair loss, and the bound that we build on
# it is one on average. It is no probability of the grey image itself: over all grey values these numbers do not integrate
# to 1 (Loaiza-Ganem & Cunningham 2019).
#
# **Predict.** A decoder that ignores $z$ can only answer with the mean image. Which digits will be cheap under it?

# %%
train, test = data.load(), data.load(split="test")
x = test.pixels()
mean_image = train.pixels().mean(dim=0).expand_as(x)
title = "The mean image, and eleven images to describe with it"
plots.grid(torch.cat([mean_image[:1], x[:11]]), title, says="the first is a grey blot without a shape")

# %%
check("vae-3")  # starter/vae.py, bernoulli_nll

# %%
nll = vae.bernoulli_nll(mean_image.logit(eps=1e-6), x)
order = nll.argsort()
extremes = {"cheapest": order[:12], "most expensive": order[-12:]}
title = f"From {nll.min():.0f} to {nll.max():.0f} nats, {nll.mean():.0f} on average"
plots.rows({name: x[index] for name, index in extremes.items()}, title)

# %% [markdown]
# ## 2.4 Grey pixels: the Gaussian likelihood
#
# A normal distribution per pixel, with one $\sigma$ for all:
#
# $$-\log p(x \mid z) = \sum_i \Big[\frac{(x_i - \hat x_i)^2}{2\sigma^2} + \log \sigma + \tfrac12 \log 2\pi\Big]$$
#
# Many programs keep only the squared error. That fixes $\sigma^2 = \tfrac12$ without saying so, and nobody can compare
# the numbers.
#
# **Predict.** We shrink $\sigma$ and leave the images alone. When does the likelihood get better, when worse?

# %%
check("vae-4")  # starter/vae.py, gaussian_nll

# %%
sigmas = torch.linspace(0.12, 1, 60)
whole = torch.stack([vae.gaussian_nll(mean_image, x, sigma.log()).mean() for sigma in sigmas])
error = (x - mean_image).square().flatten(1).sum(dim=1).mean()
alone = error / (2 * sigmas**2)
curves = {"negative log-likelihood": (sigmas, whole), "squared error / 2σ² alone": (sigmas, alone)}
rms = (x - mean_image).square().mean().sqrt()
title = f"Lowest at σ = {sigmas[whole.argmin()]:.2f}; RMS error {rms:.2f}"
plots.lines(curves, title, "σ", "nats per image")

# %% [markdown]
# With all its terms the likelihood has a best $\sigma$: the size of the error itself. The squared error alone would send
# $\sigma$ to infinity. So $\sigma$ can be learned like any other weight. (A density may exceed 1: negative nats are no
# mistake.)

# %% [markdown]
# ## 2.5 The bound
#
# What we want is a high $\log p(x)$, but $p(x) = \int p(x \mid z)\, p(z)\, dz$ has too many $z$. For any $q$:
#
# $$\log p(x) = \underbrace{\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x) \,\|\, p(z))}_{\text{ELBO}}
# + \underbrace{\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))}_{\ge 0}$$
#
# So the ELBO is a lower bound. We minimise its negative: **reconstruction + KL**.
#
# <details><summary>The line above, from Bayes' rule</summary>
#
# Bayes' rule holds for every $z$: $p(x) = p(x \mid z)\, p(z) \,/\, p(z \mid x)$. Take logarithms, and add and subtract
# $\log q(z \mid x)$:
#
# $$\log p(x) = \log p(x \mid z) - \log \frac{q(z \mid x)}{p(z)} + \log \frac{q(z \mid x)}{p(z \mid x)}$$
#
# Take the mean over $z \sim q$. The left side has no $z$, and stays. The second and the third term become the two divergences.
# The last is never negative, whatever $q$ is: this is why the rest is a *bound*.
#
# </details>
#
# Where everything is Gaussian each term is known, so the line can be checked: $p(z) = \mathcal N(0, 1)$,
# $p(x \mid z) = \mathcal N(z, 0.5^2)$, one $x$, and a $q$ that nobody has trained.
#
# **Change a number.** Set `centre`, the mean of $q$, to 1.2, then to 3, and run the cell again. Look at what is
# printed: does the line hold for each $q$, and where is the gap smallest? (The mean of $p(z \mid x)$ is 1.2.)

# %%
centre = 0.4  # try 1.2, 3
seen, sigma = torch.tensor([[1.5]]), torch.tensor(0.5)
prior, q = Normal(0.0, 1.0), Normal(centre, 0.7)
true = Normal(seen / (1 + sigma**2), sigma / (1 + sigma**2).sqrt())  # p(z | x)
given = Normal(0.0, sigma).log_prob(seen - q.mean) - q.variance / (2 * sigma**2)  # the mean of log p(x | z) over q
kl = torch.distributions.kl_divergence
left, right = Normal(0.0, (1 + sigma**2).sqrt()).log_prob(seen), given - kl(q, prior) + kl(q, true)
print(f"log p(x) = ELBO + gap: {torch.allclose(left, right)}; the gap: {kl(q, true).item():.2f} nats")

# %% [markdown]
# | term | in words | small when |
# | --- | --- | --- |
# | reconstruction, $-\mathbb E_q[\log p(x \mid z)]$ | nats that the image still costs once its code is known | the code says much |
# | KL, $\mathrm{KL}(q \,\|\, p)$ | nats that the code itself carries about the image | the code says little |
# | gap, $\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))$ | what we lose because $q$ is a diagonal normal, which one encoder must give for every image; lab 4 measures both | $q$ fits the true posterior |

# %% [markdown]
# The first two pull in opposite directions.
#
# **Predict.** The mean image made an image cost some hundred nats. How many nats will a code carry, and how many will it
# save?

# %%
check("vae-5")  # starter/vae.py, elbo

# %% [markdown]
# ### From images to the bound
#
# Now the whole way: encoder, codes, decoder, bound. Build it. There is no formula for this one, only a contract in its
# docstring; it allows several codes for each image. `VAE.terms` calls it, and so does every training below.
#
# **Predict.** Four codes for each of 128 images: what shape does the decoder get? And in which order must the images stand
# beside what comes out?

# %%
check("vae-8")  # starter/vae.py, vae_terms

# %% tags=["training"]
def build(latent_dim, hidden=(256,), **kwargs):
    torch.manual_seed(training.SEED)
    encoder = nets.mlp_encoder(train.shape, hidden, 2 * latent_dim)  # mu beside log_var
    return vae.VAE(encoder, nets.mlp_decoder(latent_dim, hidden[::-1], train.shape), **kwargs)


@torch.no_grad()
def test_terms(model):
    torch.manual_seed(training.SEED)
    return vae.ELBO(*(term.item() for term in model.terms(x)))


model = build(latent_dim=10)
history = training.fit(model, train, steps=1200, lr=4e-3, run="vae")
plots.training(history.terms, "Training: the bound and its two terms")

# %%
result = test_terms(model)
title = f"Test images: -ELBO {result.loss:.1f} = {result.reconstruction:.1f} + {result.kl:.1f} nats"
parts = {"reconstruction": result.reconstruction, "KL": result.kl}
plots.bars({"mean image": {"reconstruction": nll.mean()}, "VAE": parts}, title, "nats per image")
training.within("-ELBO", result.loss)
training.within("reconstruction", result.reconstruction)
training.within("KL", result.kl)
print("a nat in the code saves more than three:", bool(nll.mean() - result.reconstruction > 3 * result.kl))

# %% [markdown]
# Does one code for each image do? **Predict.** The loss of a batch of 128 images is a matter of luck twice over: which images
# are in it, and which codes are drawn for them. Which of the two counts for more, and what do sixteen codes change?
#
# **Change a number.** Set `size`, the images of a batch, to 32, then to 512, and run the cell again. Look at all four
# bars: by about which factor do they change when a batch has four times as many images?

# %%
size = 128  # try 32, 512
torch.manual_seed(training.SEED)
with torch.no_grad():
    batches = [x[torch.randint(len(x), (size,))] for _ in range(40)]
    luck = {"which images": torch.stack([vae.vae_terms(model, batch, 16).loss for batch in batches]).std()}
    for k in (1, 4, 16):
        losses = torch.stack([vae.vae_terms(model, x[:size], k).loss for _ in range(40)])
        luck[f"{k} code{'s' * (k > 1)}"] = losses.std()
plots.bars(luck, "How much the loss of one batch differs from the next", "nats per image", digits=2)
print("images count for more than three times as much as one code:", bool(luck["which images"] > 3 * luck["1 code"]))
print("sixteen codes leave less than half of the luck of one:", bool(luck["16 codes"] < luck["1 code"] / 2))

# %% [markdown]
# One code for each image will do: another batch changes the loss far more than another code. Sixteen make the smaller of
# the two smaller still, in theory by $\sqrt{16} = 4$ (forty losses only estimate it), and cost sixteen decodings.
#
# On average each nat in the code saves more than three nats of reconstruction. (The last one only pays for itself:
# otherwise a little more code would make the loss smaller.) Look at the KL curve again: the code begins nearly empty.
# Then the network finds more and more that is worth its price, and pays for it.
#
# Below: images, their reconstruction from the mean of $q$, and from three draws of $q$. **Predict.** Will the draws differ?

# %%
torch.manual_seed(training.SEED)
with torch.no_grad():
    mu, log_var = model.encode(x[:12])
    draws = [model.images(vae.reparameterize(mu, log_var, torch.randn_like(mu))) for _ in range(3)]
named = {"x": x[:12], "mean of q": model.reconstruct(x[:12])}
plots.rows({**named, **{f"draw {i}": images for i, images in enumerate(draws, 1)}})

# %% [markdown]
# Most draws keep the class and differ in the stroke: a detail is in the code only if it saves more nats than it costs.
#
# **Question 1.** A friend *averages* the cross-entropy over the pixels, but *sums* the KL over the latents. Which multiple
# of the KL does she minimise, in terms of the number of pixels? What will her reconstructions and her samples look like?

# %% [markdown] answer="vae-q1"
# Your answer.

# %% [markdown]
# The same with Gaussian pixels and a learned $\sigma$: one argument more. Nats of a density and nats of coins are
# different units, so compare pictures, not numbers.

# %% tags=["training"]
gaussian = build(latent_dim=10, sigma=0.3)
training.fit(gaussian, train, steps=720, lr=2e-3)
learned = f"Gaussian, σ = {gaussian.log_sigma.exp().item():.2f}"
plots.rows({"x": x[:12], "Bernoulli": model.reconstruct(x[:12]), learned: gaussian.reconstruct(x[:12])})

# %% [markdown]
# ## 2.6 Closing the gap
#
# How far is the bound from the truth? Draw $K$ codes per image and average their weights *before* the logarithm:
#
# $$\log p(x) \;\ge\; \mathbb E\Big[\log \frac1K \sum_{k=1}^K \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}\Big] = \mathcal L_K$$
#
# $\mathcal L_1$ is the ELBO, and $\mathcal L_K$ grows towards $\log p(x)$. (For grey pixels read $p(x)$ as the number of 2.3,
# which is no probability of grey values.) The weights underflow in float32, their
# logarithms do not: `logsumexp`.
#
# How many nats will $K = 100$ gain?

# %%
gains = ["a tenth", "one or two", "dozens"]
guesses.predict("vae-gain", "How many nats does the bound of 100 draws gain over that of one?", gains)

# %%
check("vae-6")  # starter/vae.py, importance_weighted_bound

# %%
some, counts = x[:256], (1, 2, 5, 10, 20, 50, 100)
torch.manual_seed(training.SEED)
with torch.no_grad():
    terms = model.log_weights(some, torch.randn(100, len(some), 10))  # three of shape (100, B)
    minus_elbo = sum(model.terms(some).loss.item() for _ in range(20)) / 20
bounds = []
for k in counts:  # the 100 draws make 100 / k groups of k
    groups = [term.reshape(100 // k, k, -1).transpose(0, 1).flatten(1) for term in terms]  # (k, 100 / k * B)
    bounds.append(-vae.importance_weighted_bound(*groups).mean().item())
title, level = f"K = 100 gains {bounds[0] - bounds[-1]:.1f} nats", {"-ELBO": minus_elbo}
plots.lines({"$-L_K$": (counts, bounds)}, title, "K", "nats per image", level, True, "o-")
guesses.outcome("vae-gain", gains[(bounds[0] - bounds[-1] > 0.4) + (bounds[0] - bounds[-1] > 6)])

# %% [markdown]
# At $K = 1$ both agree, then the bound rises. What it gains was lost because $q$ is not the true posterior: it is a diagonal
# normal, and one encoder must give it for every image. (Lab 4 measures which of the two it is.) The model itself did not
# change, we only measure it better. When two papers compare likelihoods, ask for their $K$.

# %% [markdown]
# ## 2.7 New images
#
# Now the promise of this lab: draw $z$ from the prior and decode. A *temperature* below 1 draws closer to the middle.
#
# **Predict.** What do you gain at temperature 0.5, and what do you lose?

# %%
check("vae-7")  # starter/vae.py, sample_prior

# %%
torch.manual_seed(training.SEED)
samples = vae.sample_prior(model.decoder, torch.randn(60, 10))
plots.grid(samples, "Sixty digits that nobody wrote")
runs.measure("vae", train, lambda n: vae.sample_prior(model.decoder, torch.randn(n, 10)), nats=result.loss)

# %%
torch.manual_seed(training.SEED)
z = torch.randn(12, 10)
named = {f"{t:g}": vae.sample_prior(model.decoder, z, t) for t in (0.3, 0.6, 1.0, 1.5)}
plots.rows(named, "The same draws at four temperatures")

# %% [markdown]
# Low: alike, and soft, near the mean of everything. High: outside of what the decoder has seen.
#
# How good are the samples? The *Fréchet distance* (FID) compares mean and covariance of their features, taken from a small
# classifier, with those of real images. Lower is better; 0 means equal. Lab 6 takes it apart; here it compares our samples
# with random decodes of an autoencoder with 16 numbers, as in lab 1.

# %% tags=["training"]
n = min(len(train) // 2, 2000)
real, others = train.pixels(slice(n)), train.pixels(slice(n, 2 * n))
torch.manual_seed(training.SEED)
plain = ae.Autoencoder(nets.mlp_encoder(train.shape, (256,), 16), nets.mlp_decoder(16, (256,), train.shape))
training.fit(plain, train, steps=360, lr=3e-3)
with torch.no_grad():
    codes, z = plain.encoder(others), torch.randn(n, 16)
    fitted = plain.images(codes.mean(dim=0) + codes.std(dim=0) * z)
    fakes = {"AE, N(0, I)": plain.images(z), "AE, fitted N": fitted}
    fakes["VAE"] = vae.sample_prior(model.decoder, z[:, :10])
plots.rows({name: images[:12] for name, images in fakes.items()})

# %%
distances = {name: features.fid(images, real) for name, images in {**fakes, "real": others}.items()}
plots.bars(distances, "Distance to real images: lower is better", "FID")
training.within("FID", distances["VAE"])
print("all are at least ten times as far away as real images:", min(distances[name] for name in fakes) > 10 * distances["real"])
pair = distances["VAE"], distances["AE, fitted N"]
print("VAE and fitted autoencoder are less than a third apart:", max(pair) < 1.33 * min(pair))

# %% [markdown]
# All are far from real images, and FID sees little difference between the VAE and the fitted autoencoder. Do not trust one
# number. The samples of the VAE are soft, those of the autoencoder are fragments, and FID weighs both faults its own way. Ask something else: how many samples is a
# classifier of digits sure of?

# %%
sure = {}
for name, images in {**fakes, "real": others}.items():
    sure[name] = 100 * (features.class_probs(images).amax(dim=1) > 0.9).float().mean()
plots.bars(sure, "Images of which a classifier is at least 90 % sure", "%")
print("more than of the fitted autoencoder:", bool(sure["VAE"] > 1.3 * sure["AE, fitted N"]))
print("less than half as many as of real images:", bool(sure["VAE"] < 0.5 * sure["real"]))

# %% [markdown]
# More of the VAE's than of the fitted autoencoder's, but less than half as many as of real images. The labs on GANs go on
# from here.

# %% [markdown]
# ## 2.8 A map of the prior
#
# With two latents we can look at everything: the codes of test images on the left, the decoded plane below. Its tiles
# stand at equal steps of *probability* under the prior.
#
# **Predict.** Compare with the map of lab 1: how wide will the cloud be? Will there be empty land?

# %% tags=["training"]
flat = build(latent_dim=2, hidden=(256, 128))
training.fit(flat, train, steps=720, lr=2e-3)
with torch.no_grad():
    mu, log_var = flat.encode(x)
    z = vae.reparameterize(mu, log_var, torch.randn_like(mu))
plots.scatter({"means of q(z|x)": (mu, test.y), "draws from q(z|x)": (z, test.y)}, circle=True)

# %%
plots.manifold(flat.images, "Every tile stands for the same share of the prior")

# %% [markdown]
# The cloud fills most of the circle, and most tiles are digits, or blends of two: where the prior draws, the decoder has
# mostly been trained. A few gaps are left (4.8 looks for them).

# %% [markdown]
# ## 2.9 How many latents?
#
# In lab 1 more numbers never hurt. Here every latent that says something costs nats.
#
# Which number of latents has the best bound? And how many of 128 will be used?

# %%
sizes = (2, 10, 32, 128)
guesses.predict("vae-latents", "How many latents give the best bound, after equally many steps?", list(map(str, sizes)))

# %% tags=["training"]
models = {latent_dim: build(latent_dim) for latent_dim in sizes}
for one in models.values():
    training.fit(one, train, steps=480, lr=3e-3)
parts = {n: test_terms(one) for n, one in models.items()}
stacked = {str(n): {"reconstruction": part.reconstruction, "KL": part.kl} for n, part in parts.items()}
plots.bars(stacked, "Test -ELBO and its parts", "nats per image", "latents")
guesses.outcome("vae-latents", str(min(parts, key=lambda n: parts[n].loss)))

# %%
@torch.no_grad()
def kl_per_latent(model):
    mu, log_var = model.encode(x)
    each = vae.kl_divergence(mu.reshape(-1, 1), log_var.reshape(-1, 1))  # (B * latent_dim,)
    return each.reshape(mu.shape).mean(dim=0)  # (latent_dim,)


curves, share = {}, {}
for latent_dim, one in models.items():
    kl = kl_per_latent(one).sort(descending=True).values
    curves[f"{latent_dim} latents"] = (range(1, len(kl[:32]) + 1), kl[:32])
    share[latent_dim] = kl[:10].sum() / kl.sum()
plots.lines(curves, "KL of each latent, the 32 largest", "latent", "nats", style=".-")
print("ten carry more than 80 % of the KL of 32:", bool(share[32] > 0.8))
print("ten carry less than 70 % of the KL of 128:", bool(share[128] < 0.7))

# %% [markdown]
# Of 10 latents and of 32, about ten do nearly all of the work. Of 128 the ten largest carry little more than half of
# the KL: in 480 steps the others have not become quite silent. Such a surplus latent has a KL near zero, for its
# $q(z_j \mid x)$ is nearly the prior for every image. It costs little and says little; but it brings noise, which the
# decoder must first learn to ignore.

# %% [markdown]
# ## 2.10 Walk through the latent space
#
# The picture moves one latent per row, from −3 to 3, and keeps the others at the code of a test image. Run the cell: below
# the picture sliders appear, which combine them.
#
# **Predict.** Of the six most used latents, does any one change only one thing, such as slant or width?

# %%
with torch.no_grad():
    code = model.encode(x[:1])[0][0]  # mean of q for the first test image
dims = kl_per_latent(model).argsort(descending=True)[:6].tolist()
widgets.explore_latent(model.images, code, dims)

# %% [markdown]
# Most latents change several things at once: nothing in the bound asks for more. Lab 3 does.
#
# **Question 2.** Most latents of the model with 128 have a KL near zero. What did the encoder learn to answer for them, and
# what would a slider over such a latent show? Why should they not change the bound at all, and why is it nevertheless
# worse here?

# %% [markdown] answer="vae-q2"
# Your answer.

# %% [markdown]
# ## 2.11 A digit to order
#
# If the class is known, the code need not say it. Hand the label $y$ to both networks, as ten numbers of which one is 1: a
# *conditional* VAE, a bound on $\log p(x \mid y)$ in place of $\log p(x)$. Nothing else changes.
#
# How many nats will the KL lose? (There are ten classes.)

# %%
lost = ["nearly none", "two or three", "more than six"]
guesses.predict("vae-label", "How many nats of KL does the label save?", lost)


# %% tags=["training"]
class ConditionalVAE(torch.nn.Module):
    def __init__(self, latent_dim=10, hidden=256, classes=10):
        super().__init__()
        self.classes = classes
        self.encoder = torch.nn.Sequential(*nets.mlp(x[0].numel() + classes, hidden, 2 * latent_dim))
        self.decoder = nets.mlp_decoder(latent_dim + classes, (hidden,), train.shape)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)

    def decode(self, z, y):
        return self.decoder(torch.cat([z, torch.nn.functional.one_hot(y, self.classes)], dim=1))

    def terms(self, x, y):
        given = torch.cat([x.flatten(1), torch.nn.functional.one_hot(y, self.classes)], dim=1)
        mu, log_var = self.encoder(given).chunk(2, dim=1)
        z = vae.reparameterize(mu, log_var, torch.randn_like(mu))
        return vae.elbo(self.decode(z, y), x, mu, log_var)

    def update(self, x, y):  # labels come with the images in `play`, which `fit` does not need
        bound = self.terms(x, y)
        self.optimizer.zero_grad()
        bound.loss.backward()
        self.optimizer.step()
        return bound


torch.manual_seed(training.SEED)
conditional = ConditionalVAE(classes=train.classes)
_ = training.play(conditional, train, steps=1200, batch_size=128)

# %%
torch.manual_seed(training.SEED)
with torch.no_grad():
    with_label = conditional.terms(x, test.y)
    z, y = torch.randn(12, 10).repeat(train.classes, 1), torch.arange(train.classes).repeat_interleave(12)
    ordered = conditional.decode(z, y).sigmoid()
title = f"KL {with_label.kl:.1f} nats, without the label {result.kl:.1f}; one code per column"
plots.grid(ordered, title, 12, [f"{label}" for label in range(train.classes)], inches=0.5)
saved = result.kl - with_label.kl.item()
guesses.outcome("vae-label", lost[(saved > 0.8) + (saved > 6)])

# %% [markdown]
# To name one of ten classes takes $\log 10 = 2.3$ nats, and about that much the code has become shorter. What is left
# in $z$ is the style: look down a column. Lab 10 does the same with a GAN.

# %% [markdown]
# ## 2.12 One minute, and longer
#
# Your model had a few seconds, and images of 16×16 pixels. Below it, in the lowest row, draws the system `vae-mlp` of the
# course: the same bound, one hidden layer of 400 units, 20 latents, 50 epochs on MNIST at 28×28. It took two minutes of one
# core (`python -m starter reproduce vae-mlp` does it again). It is sharper, and still soft: time alone does not cure that.

# %%
guesses.summary("vae", "vae-mlp", "mnist")

# %% [markdown]
# ## 2.13 Exercises
#
# 1. **The hidden β.** Carry out question 1: give `training.fit` another `terms` function with your friend's loss. Draw
#    reconstructions and KL per latent. Were you right?
# 2. **Train on $\mathcal L_5$.** Write a `terms` function that minimises $-\mathcal L_5$ instead of $-\mathcal L_1$.
#    Does the gap of 2.6 shrink? Do more latents become active (Burda et al., section 5)?
# 3. **Temperature and FID.** Draw FID against the temperature, from 0.6 to 1.6. Where is it lowest, and do your eyes agree?

# %% [markdown]
# ## References
#
# - Kingma, Welling 2014, *Auto-encoding variational Bayes*: the bound in 2.2, the draw in 2.4, the KL in appendix B,
#   likelihoods in C.
# - Rezende, Mohamed, Wierstra 2014, *Stochastic backpropagation*: the same idea, found at the same time.
# - Kingma, Welling 2019, *An introduction to variational autoencoders*, chapter 2.
# - Loaiza-Ganem, Cunningham 2019, *The continuous Bernoulli*, NeurIPS: what is left out when grey values are scored so.
# - Burda, Grosse, Salakhutdinov 2016, *Importance weighted autoencoders*, section 3.
# - Theis, van den Oord, Bethge 2016, *A note on the evaluation of generative models*: why samples and likelihood can
#   disagree.
# - Heusel et al. 2017, *GANs trained by a two time-scale update rule*: the Fréchet distance.
