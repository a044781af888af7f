# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 · β-VAE
#
# One number in front of the KL decides what a VAE is good for. Afterwards you can
#
# - read rate and distortion, and choose a point on their curve;
# - recognise posterior collapse, and cure it in four ways: warm-up, cycles, free bits, a smaller β;
# - measure what each latent knows about the causes of an image, and how much of such a score is luck.
#
# **Time:** 150 minutes. **Before:** lab 2. **Your part:** eight blanks in [starter/beta_vae.py](../starter/beta_vae.py),
# two written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import torch

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, full, guesses, nets, plots, runs, sprites, training, widgets
from starter import beta_vae as bv

# %% [markdown]
# **Where this leads.** Samples of a β-VAE with β = 4, trained on MNIST until the end: from one draw of noise to another. They
# are softer than those that lab 2 opens with, and more of them are digits. What does β buy, and what does it cost?

# %%
full.preview("beta-vae-mnist", "mnist")

# %%
diagrams.show("beta_vae")

# %% [markdown]
# ## 3.1 What a code costs, and what it buys
#
# The two terms of lab 2 have names of their own. *Rate* $R$, the KL: nats that the code spends on an image.
# *Distortion* $D$, the reconstruction term: nats that are still missing. β sets the exchange rate:
#
# $$\text{loss} = D + \beta R$$
#
# Whatever β is, we report $R$ itself: otherwise two runs cannot be compared.
#
# **Predict.** At a minimum nothing is gained by trading a little. If one more nat of rate saves $s$ nats of distortion,
# what is $s$ there?

# %%
rate = torch.linspace(0.2, 12, 100)
distortion = 80 + 34 * torch.exp(-rate / 4)  # some curve: more rate, less distortion, with diminishing returns
best = {f"β = {beta:g}": distortion + beta * rate for beta in (0.5, 1, 2, 4)}
curves = {f"{name}: best R = {rate[loss.argmin()]:.1f}": (rate, loss) for name, loss in best.items()}
plots.lines(curves, "One rate–distortion curve, four losses D + βR", "rate R, nats", "nats per image")

# %% [markdown]
# At the minimum $s = \beta$: the slope of the curve of possible $(R, D)$ is $-\beta$. With a large β the model
# stops adding rate as soon as one more nat of it saves less than β nats of distortion.
#
# Now the loss itself. `penalty`, which may stand in for the rate, waits until 3.6.

# %%
check("beta-1")  # starter/beta_vae.py, beta_elbo

# %% [markdown]
# Seven VAEs that differ in β alone. **Predict.** At β = 10, what does the decoder draw?

# %% tags=["training"]
train, test = data.load(), data.load(split="test")
x = test.pixels()


def new_vae(hidden_dims, latent_dim=16, images=train, seed=training.SEED, **kwargs):
    torch.manual_seed(seed)
    encoder = nets.mlp_encoder(images.shape, hidden_dims, 2 * latent_dim)
    return bv.BetaVAE(encoder, nets.mlp_decoder(latent_dim, hidden_dims[::-1], images.shape), **kwargs)


betas = (0, 0.25, 0.8, 1, 1.2, 4, 10)
models = {beta: new_vae((256,), beta=beta) for beta in betas}
for beta, model in models.items():
    recorded = {1: "beta-vae-1", 4: "beta-vae"}.get(beta)  # lab 11 will ask for them
    training.fit(model, train, steps=360, lr=3e-3, run=recorded)

# %%
@torch.no_grad()
def measured(model):
    torch.manual_seed(training.SEED)
    return model.terms(x)  # of the test images


terms = {beta: measured(model) for beta, model in models.items()}
points = {f"β = {b}": ([t.kl.item()], [t.reconstruction.item()]) for b, t in terms.items() if b > 0}
title = f"Rate and distortion (β = 0 lies far to the right, at R = {terms[0].kl:.0f})"
plots.lines(points, title, "rate R, nats", "distortion D, nats", style="o")
training.within("lab 3 rate, beta 4", terms[4].kl.item())
training.within("lab 3 distortion, beta 4", terms[4].reconstruction.item())
print("β = 10 spends less than half a nat:", bool(terms[10].kl < 0.5))
print("β = 0 reconstructs best:", min(terms, key=lambda beta: terms[beta].reconstruction) == 0)
for beta, recorded in ((1, "beta-vae-1"), (4, "beta-vae")):
    nats = (terms[beta].reconstruction + terms[beta].kl).item()  # -ELBO
    runs.measure(recorded, train, lambda n: models[beta].images(torch.randn(n, 16)), nats=nats)

# %% [markdown]
# **Change a number.** Set `own_beta` to 0.5, then to 20, and run the cell again: it trains one more VAE. Look at the
# point called *yours*: between which others does it lie, and how much of its rate is left at 20?

# %% tags=["training"]
own_beta = 2  # try 0.5, 20
with torch.random.fork_rng():
    own = new_vae((256,), beta=own_beta)
    training.fit(own, train, steps=360, lr=3e-3)
    spent = measured(own)
yours = {f"β = {own_beta}, yours": ([spent.kl.item()], [spent.reconstruction.item()])}
plots.lines(points | yours, "One more point of the curve", "rate R, nats", "distortion D, nats", style="o")

# %%
torch.manual_seed(training.SEED)
eps = torch.randn(12, 16)
with torch.no_grad():
    rows = {f"β = {beta}": models[beta].reconstruct(x[:12]) for beta in (0, 0.25, 1, 4, 10)}
    plots.rows({"x": x[:12], **rows}, "The same images at every exchange rate")
    plots.rows({f"β = {beta}": models[beta].images(eps) for beta in (0, 0.25, 1, 4, 10)}, "Samples from the prior")

# %% [markdown]
# Along the curve: β = 10 pays for hardly any code, and draws nearly the mean image for everybody. At the other end
# β = 0 is an autoencoder with noise: it has the best reconstructions, and samples as bad as in lab 1. In between, β
# chooses how much of an image is worth telling.
#
# ## 3.2 Which latents speak?
#
# A latent without use costs nothing if its posterior equals the prior, whatever the image: $\mu_j(x) = 0$,
# $\sigma_j(x) = 1$. It has *collapsed*. So look at how much $\mu_j$ varies from image to image:
#
# $$A_j = \operatorname{Var}_x\big(\mu_j(x)\big), \qquad \text{active: } A_j > 0.01$$
#
# All seven models have 16 latents. Will a larger β make all of them quieter, or silence some?

# %%
quiet = ["all get quieter alike", "some fall silent, others go on speaking"]
guesses.predict("beta-quiet", "What does a larger β do to the 16 latents?", quiet)

# %%
with torch.no_grad():
    means = {beta: model.encode(x)[0] for beta, model in models.items()}
spread = {f"β = {b}": (range(1, 17), means[b].var(dim=0).sort(descending=True).values) for b in (0.25, 1, 4, 10)}
plots.lines(spread, "Variance of the posterior mean, largest first", "latent", "$A_j$", style="o-")

# %%
check("beta-2")  # starter/beta_vae.py, active_units

# %% [markdown]
# The usual threshold, 0.01, is meant for long runs. Ours are so short that dying latents still move a little: we count
# at 0.1.

# %%
@torch.no_grad()
def active(model):
    return int(bv.active_units(model.encode(x)[0], threshold=0.1).sum())


speaking = {f"β = {beta}": active(model) for beta, model in models.items()}
plots.bars(speaking, "Active units of 16", "units", digits=0)
guesses.outcome("beta-quiet", quiet[0 < speaking["β = 4"] < 16])

# %% [markdown]
# Some are silenced, and the others go on speaking: the price of a nat is the same for all latents, and those that
# cannot earn it leave. At β = 10 hardly a nat earns its price, and a nearly empty code answers the question we asked.
# The next collapse is of another kind.
#
# ## 3.3 A collapse that nobody asked for
#
# β = 1, the plain VAE, but deeper and with a larger learning rate. At the start the decoder ignores the code, so the
# code only costs; the KL pulls every posterior onto the prior before the decoder has learned to read it.
#
# **Predict.** What does the KL do in the first hundred steps, and what afterwards?

# %% tags=["training"]
def deep():
    return new_vae((256, 256, 128, 64), beta=1)


trained, histories = {"β = 1": deep()}, {}
histories["β = 1"] = training.fit(trained["β = 1"], train, steps=720, lr=5e-3)
curves = {name: histories["β = 1"].terms[name] for name in ("reconstruction", "kl")}
plots.training(curves, "The KL at full weight from the first step")

# %%
rows = {"shallow": models[1].reconstruct(x[:12]), "deep": trained["β = 1"].reconstruct(x[:12])}
plots.rows({"x": x[:12], **rows}, f"{active(trained['β = 1'])} of 16 units are active")
shallow, collapsed = (terms.reconstruction + terms.kl for terms in (measured(models[1]), measured(trained["β = 1"])))
print("at most 2 active units:", active(trained["β = 1"]) <= 2)
print("the bound is more than 10 nats worse than the shallow model's:", bool(collapsed - shallow > 10))

# %% [markdown]
# Nearly nothing gets through: of 16 latents one survives. (So it was with all of five seeds.) And yet the loss could be
# lower by ten nats and more, as the shallow model shows. This is no trade-off, it is a failed optimisation. All four
# cures give the decoder a reason to use the code before it is gone.
#
# ## 3.4 First cure: warm-up
#
# Begin with an autoencoder, end with a VAE:
#
# $$\beta_t = \beta \cdot \min(t / \text{warm-up steps},\ 1)$$
#
# **Predict.** What will the rate do while β is still close to 0, and what afterwards?

# %%
check("beta-3")  # starter/beta_vae.py, linear_warmup

# %%
steps = range(720)  # the training below
plots.lines({"warm-up": (steps, [bv.linear_warmup(t, 360) for t in steps])}, "360 steps of warm-up", "step", "$β_t$")

# %% [markdown]
# ## 3.5 Second cure: cycles
#
# If one warm-up helps, repeat it: each new cycle starts with β = 0 from better weights. With the place in the cycle
# $\tau = (t \bmod \text{period}) / \text{period}$ and $u = \min(\tau / \text{ramp},\ 1)$:
#
# $$\beta_t = \beta\, u \quad \text{(linear)}, \qquad \beta_t = \beta\, \frac{1 - \cos \pi u}{2} \quad \text{(cosine)}$$
#
# Learning rates are annealed by a cosine that *falls*. This one rises.
#
# **Predict.** Where on the ramp do line and cosine meet?

# %%
check("beta-4")  # starter/beta_vae.py, cyclical

# %%
both = {shape: (steps, [bv.cyclical(t, 360, shape=shape) for t in steps]) for shape in ("linear", "cosine")}
plots.lines(both, "Two cycles: half of each rises, half of each holds", "step", "$β_t$")

# %% [markdown]
# Reports differ in what they count: epochs or steps. These are the schedules of the course's named systems
# (`bv.SCHEDULES`) on a large data set, 469 steps an epoch. In *our* 720 steps, which of them would do anything?

# %%
thousands = torch.linspace(0, 50, 501).tolist()
named = {name: schedule.weights(1.0, 469) for name, schedule in bv.SCHEDULES.items() if schedule.kind != "constant"}
curves = {name: {"": (thousands, [at(round(1000 * t)) for t in thousands])} for name, at in named.items()}
plots.panels(curves, x="thousand steps", y="$β_t$")

# %% [markdown]
# ## 3.6 Third cure: free bits
#
# Or leave β alone and give every latent an allowance of λ nats, within which the KL does not press:
#
# $$\text{penalty} = \sum_j \max\big(\lambda,\ \mathbb{E}_x[\mathrm{KL}_j]\big)$$
#
# The mean over the batch comes *before* the maximum, the sum over latents after it.
#
# **Predict.** 16 latents with λ = 0.5: near which rate will training settle?

# %%
kl = torch.linspace(0, 1.5, 100)
penalty = {"KL": (kl, kl), "free bits, λ = 0.5": (kl, kl.clamp(min=0.5))}
plots.lines(penalty, "What one latent pays", "its mean KL, nats", "nats")

# %%
check("beta-5")  # starter/beta_vae.py, free_bits

# %% [markdown]
# ## 3.7 Four cures compared
#
# The same network, the same seed, the same 720 steps; the fourth cure is simply a smaller β. The *unweighted* bound
# $D + R$ of test images is the same yardstick for all.
#
# **Predict.** Which one wins on $D + R$? And which one has the most active units?

# %%
cures = ["warm-up", "cycles", "free bits", "β = 0.25"]
guesses.predict("beta-cure", "Which cure leaves the most units active?", cures)

# %% tags=["training"]
schedules = {
    "warm-up": bv.Schedule("linear", 360, "steps"),
    "cycles": bv.Schedule("cyclical", 360, "steps"),
    "free bits": bv.Schedule(floor=0.5),
    "β = 0.25": bv.Schedule(),
}
for name, schedule in schedules.items():
    trained[name] = deep()
    trained[name].beta = 0.25 if name == "β = 0.25" else 1.0
    histories[name] = bv.train(trained[name], train, schedule, steps=720, lr=5e-3)

# %%
smooth = {name: plots.running_mean(history.terms["kl"]) for name, history in histories.items()}
curves = {name: (range(10, len(kl)), kl[10:]) for name, kl in smooth.items()}
plots.lines(curves, "The rate during training", "step", "KL, nats")

# %%
terms = {name: measured(run) for name, run in trained.items()}
nats = {name: (t.reconstruction + t.kl).item() for name, t in terms.items()}
called = {name: f"{name}\n{active(trained[name])} active" for name in terms}
plots.bars({called[name]: bound for name, bound in nats.items()}, "Test images: the bound D + R", "nats per image")
plots.bars({called[name]: t.kl for name, t in terms.items()}, "The rate R in it", "nats per image")
training.within("lab 3 rate, free bits", terms["free bits"].kl.item())
guesses.outcome("beta-cure", max(cures, key=lambda name: active(trained[name])))
few = active(trained["β = 0.25"]) <= 8 and nats["β = 0.25"] < 1.02 * nats["free bits"]
print("β = 0.25 has as good a bound with at most half of the units:", few)

# %%
pictures = {name: run.reconstruct(x[:12]) for name, run in trained.items()}
plots.rows({"x": x[:12], **pictures}, "One network, five ways to train it")

# %% [markdown]
# How much a cure helps differs from seed to seed. Over five seeds the rate was 2.4–2.9 nats without a cure, 2.5–4.5
# with warm-up or cycles, 8.4–8.7 with free bits and 4.7–9.2 with β = 0.25. The bound $D + R$ was 95–103 without, and
# 88–96 with any of them; only once, with cycles, was it no better than without. Warm-up and cycles only lower β
# for a time, and the code may collapse again. Free bits and a smaller β change what is asked for.
#
# **Question 1.** With free bits all 16 units are active, yet β = 0.25 reaches as good a bound with far fewer. Where do
# the 8 nats come from? What do you conclude about "active units" as a score, and about comparing runs by their loss?

# %% [markdown] answer="beta-q1"
# Your answer.

# %% [markdown]
# Every cure so far sets β, and takes the rate that comes of it. Now the other way round: we say how many nats a code may
# spend, and β follows. For this one there is no formula, only a contract in its docstring.
#
# **Predict.** Look at the figure in 3.1 once more. Which β will a model end with that may spend 4 nats? And 16?

# %%
check("beta-8")  # starter/beta_vae.py, step_at_rate

# %% tags=["training"]
def spend(rate, epochs=6):
    model, spent, weights = new_vae((256,)), [], []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    torch.manual_seed(training.SEED)
    for _ in range(epochs):
        for batch, _ in data.batches(train, 128):
            weights.append(model.beta)
            spent.append(bv.step_at_rate(model, optimizer, batch, rate).kl.item())
    return model, spent, weights


found = {rate: spend(rate) for rate in (4, 8, 16)}

# %%
for i, (title, y) in enumerate({"What the models spend": "rate R, nats", "What it takes": "$β_t$"}.items(), start=1):
    curves = {f"{rate} nats": (range(len(lists[i])), lists[i]) for rate, lists in found.items()}
    plots.lines(curves, f"{title}: β = 1 at the start, and then it follows the rate", "step", y)
for rate, (model, *_) in found.items():
    spent = measured(model).kl
    near = bool((spent - rate).abs() < 0.15 * rate)
    print(f"may spend {rate:2d} nats: within 15 % of it on test images: {near}; β ends at about {model.beta:.1g}")
print("the less it may spend, the larger its β:", found[4][0].beta > found[8][0].beta > found[16][0].beta)

# %% [markdown]
# The same curve of rate and distortion, read from its other side: in 3.1 we set the price and saw what was bought, here we
# set what is bought and see the price. A rate that is held makes models comparable: what differs then is the distortion alone.

# %% [markdown]
# ## 3.8 Images whose causes we know
#
# Does a latent *mean* something? On digits nobody can tell, because nobody knows the causes. So draw images from known
# ones: 3 shapes × 5 scales × 6 angles × 8 columns × 8 rows, every combination once.
#
# **Predict.** Which of the five causes changes most pixels? Which will a VAE with few nats give up first?

# %%
drawn, unseen = data.load("shapes"), data.load("shapes", "test")
middle = [1, 2, 1, 3, 4]  # ellipse, medium, 15 degrees, near the middle
rows = {}
for k, (factor, levels) in enumerate(zip(sprites.FACTORS, sprites.LEVELS)):
    values = [round(i * (levels - 1) / 7) for i in range(8)]
    rows[factor] = sprites.draw(torch.tensor([[*middle[:k], value, *middle[k + 1 :]] for value in values])) / 255
plots.rows(rows, "Each row changes one factor")

# %% tags=["training"]
def shapes_vae(beta, seed):
    model = new_vae((128,), 6, drawn, seed, beta=beta)
    training.fit(model, drawn, epochs=10, lr=4e-3, seed=seed)
    return model


sweep = {(beta, seed): shapes_vae(beta, seed) for beta in (1, 5, 20) for seed in range(training.SEED, training.SEED + 3)}

# %% [markdown]
# Move through the six latents of one of them, β = 5. Pick an image, watch one row, and name what it changes. If a row
# changes two things at once, the latent is *entangled*.

# %% tags=["nbval-ignore-output"]
chosen = sweep[5, training.SEED]
with torch.no_grad():
    large = unseen.factors[:, 1].argmax()  # the first of the largest shapes
    z = chosen.encode(unseen.pixels(large)[None])[0][0]
widgets.explore_latent(chosen.images, z, span=2.5, title="β = 5: each row moves one latent")

# %% [markdown]
# ## 3.9 What does a latent know?
#
# Names given by eye are generous. A number: cut each latent into 20 bins and count how often bin $b$ meets factor value $v$.
# The *mutual information* says how many nats the bin tells about the value:
#
# $$I(z_j; v_k) = \sum_{b, v} p(b, v)\, \log \frac{p(b, v)}{p(b)\, p(v)}$$
#
# `joint_probabilities` counts. **Predict.** What is $I$ in each of these two tables?

# %%
torch.manual_seed(training.SEED)
v = torch.arange(8).repeat(500)
codes = torch.stack([v + 0.3 * torch.randn(4000), torch.randn(4000)], dim=1)
tables = bv.joint_probabilities(codes, v[:, None], 16)[:, 0]  # (2 latents, 16 bins, 8 values)
pictures = (tables / tables.amax()).transpose(1, 2).unsqueeze(1)
labels = ["a latent that knows v", "a latent that does not"]
title, says = "Joint frequencies: a row per value of v, a column per bin", "left a bright diagonal, right all much alike"
plots.grid(pictures, title, 2, (), labels, gap=2, inches=3, says=says)

# %%
check("beta-6")  # starter/beta_vae.py, mutual_information

# %% [markdown]
# **Change a number.** Set `bins` to 4, then to 200, and run the cell again. Look at both numbers: which way does each
# of them go with more bins? (The codes stay the same.)

# %%
bins = 16  # try 4, 200
knows, does_not = bv.mutual_information(codes, v[:, None], bins)[:, 0].tolist()
print(f"left {knows:.1f} nats, right {does_not:.2f}")

# %% [markdown]
# Left about 1.8 of $\log 8 = 2.08$ nats, because neighbours share bins; right almost 0, and never exactly 0 when counts are
# finite. Now the real latents, each number as a share of what there is to know about the factor.

# %%
def known_share(model):
    with torch.no_grad():
        codes = model.encode(drawn.pixels())[0]
    entropy = torch.tensor(sprites.LEVELS).log()  # all values are equally frequent, nearly
    return bv.mutual_information(codes, drawn.factors) / entropy


share = known_share(chosen)  # (latents, factors)
names = [f"$z_{j + 1}$" for j in range(6)]
title = "β = 5: the share of each factor that each latent knows (white: all)"
plots.grid(share.reshape(-1, 1, 1, 1).expand(-1, 1, 9, 9), title, 5, names, sprites.FACTORS, inches=0.6)

# %% [markdown]
# Position and size are known, angle and shape hardly: turning a small shape changes few pixels, so there is little
# distortion to save. (These models had ten epochs; a longer run may still learn them.)
#
# ## 3.10 One factor, one latent?
#
# *Disentangled* means that each factor has a latent of its own. The mutual information gap asks how far the best latent
# is ahead of the second best:
#
# $$\mathrm{MIG} = \frac{1}{K} \sum_k \frac{I(z_{\text{first}}; v_k) - I(z_{\text{second}}; v_k)}{H(v_k)}$$
#
# **Predict.** The prior does not care if we rotate the latent space. What, then, should push a VAE towards the axes, and
# does β strengthen it?

# %%
check("beta-7")  # starter/beta_vae.py, mutual_information_gap

# %%
@torch.no_grad()
def gap(model):
    return bv.mutual_information_gap(model.encode(drawn.pixels())[0], drawn.factors).item()


seeds = range(training.SEED, training.SEED + 3)
gaps = {f"seed {seed}": ([1, 5, 20], [gap(sweep[beta, seed]) for beta in (1, 5, 20)]) for seed in seeds}
plots.lines(gaps, "The same model, three seeds", "β", "MIG", log_x=True, style="o-")
low, middle, high = torch.tensor([values for _, values in gaps.values()]).T
print("grows from β = 1 to 5 for every seed:", bool((middle > low).all()))
print("from 5 to 20 the seeds disagree:", bool((high > middle).any() and (high < middle).any()))

# %% [markdown]
# From β = 1 to 5 the gap grows for each of these three seeds; from 5 to 20 the seeds disagree. Before you write "β
# disentangles", look how far apart the three curves are: a single run per β could have told another story. The posterior
# is diagonal, and that is what prefers some rotations of the code to others (Rolínek et al.).
#
# **Question 2.** Somebody trains one model at β = 5 and one at β = 20, and reports that MIG falls with β. Which experiment
# would convince you, and how would you choose β for a data set whose factors nobody knows?

# %% [markdown] answer="beta-q2"
# Your answer.

# %% [markdown]
# ## 3.11 One minute, and longer
#
# `beta-vae-mnist` is a β-VAE with β = 4 of the course's own, trained to the end on MNIST at 28×28 (eight minutes of one core).
# It draws the lowest row. It is softer than `vae-mlp` of lab 2, but its digits are clear, unlike those of β = 4 in 3.1: with
# three times as many pixels the same β weighs less, and the lab's few steps were not enough.

# %%
guesses.summary("beta", "beta-vae-mnist", "mnist")

# %% [markdown]
# ## 3.12 Exercises
#
# 1. **The slope.** In 3.1, estimate the slope between neighbouring points of the rate–distortion curve. Is it between their
#    two −β? Where is it not, and why?
# 2. **The allowance.** Train the deep model with λ = 0.05, 0.2, 0.5, 2. Plot $D + R$ and the active units against
#    $16\lambda$. Which λ would you have chosen from the rate of a healthy run?
# 3. **A longer run.** Repeat 3.10 with 40 epochs and with ten seeds. Does the spread between seeds shrink? Which factors
#    profit?
#
# ## References
#
# - Higgins et al. 2017, *beta-VAE: learning basic visual concepts with a constrained variational framework*, ICLR.
# - Alemi et al. 2018, *Fixing a broken ELBO*, ICML: rate and distortion.
# - Bowman et al. 2016, *Generating sentences from a continuous space*, CoNLL: collapse and KL annealing.
# - Fu et al. 2019, *Cyclical annealing schedule*, NAACL. Kingma et al. 2016, *Inverse autoregressive flow*, NeurIPS: free
#   bits.
# - Burda et al. 2016, *Importance weighted autoencoders*, ICLR: active units.
# - Rolínek, Zietlow, Martius 2019, *Variational autoencoders pursue PCA directions (by accident)*, CVPR.
# - Rezende, Viola 2018, *Taming VAEs*, arXiv 1810.00597: a weight that follows a constraint.
# - Chen et al. 2018, *Isolating sources of disentanglement in VAEs*, NeurIPS: MIG.
# - Locatello et al. 2019, *Challenging common assumptions in the unsupervised learning of disentangled representations*,
#   ICML.
