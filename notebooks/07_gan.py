# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7 · Generative adversarial network
#
# No likelihood, no bound: a second network judges the samples, and learns along. Afterwards you can
#
# - write both players' losses from logits, and say why the generator does not play the game of the theory;
# - move one network without touching the other;
# - recognise mode collapse, provoke it, and cure it with two learning rates;
# - judge a GAN by FID and diversity, because its losses say nothing.
#
# **Time:** 150 minutes. **Before:** lab 1, and lab 6 for FID. **Your part:** eight blanks in
# [starter/gan.py](../starter/gan.py), two written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys
from functools import partial

sys.path.append("..")
import torch

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, features, full, guesses, nets, plots, ring, runs, training, widgets
from starter import gan

# %% [markdown]
# **Where this leads.** Samples of a GAN that was trained on MNIST until the end: each column walks from one noise vector to
# another. Strokes end sharply; those of lab 2 were soft. A few samples are no digit, and single bright pixels lie beside the
# strokes. Nothing here computes a likelihood. What else can tell a network that its strokes are too soft?

# %%
full.preview("gan-mlp", "mnist")

# %%
diagrams.show("gan")

# %% [markdown]
# ## 7.1 A network that asks: real or fake?
#
# A *generator* turns noise $z$ into an image. A *discriminator* gets images and answers with a logit;
# $D = \sigma(\text{logit})$ is its probability that the image is real. Here are real digits, and the images of a
# generator that has learned nothing.
#
# **Predict.** The discriminator has learned nothing either, and says $D = \tfrac12$ to everything. What is its loss, the
# sum of two cross-entropies, in nats?

# %%
train = data.load()


def networks(latent_dim=32, batch_norm=True):
    torch.manual_seed(training.SEED)
    generator = nets.mlp_generator(latent_dim, (128, 256), train.shape, batch_norm)
    return generator, nets.mlp_discriminator(train.shape, (256, 128))


generator, discriminator = networks()
fakes = data.unit(generator(torch.randn(12, 32)))
plots.rows({"real": train.pixels(slice(12)), "fake": fakes})

# %% [markdown]
# $2 \log 2 = 1.39$. Remember the number: a discriminator below it knows something.
#
# $$L_D = -\mathbb E\big[\log D(x)\big] - \mathbb E\big[\log(1 - D(G(z)))\big]$$
#
# A discriminator may grow ever surer of real images, with ever larger logits and weights. **One-sided label smoothing** asks
# for $D = a$ on real images, with $a = 0.9$, so that there is a best logit. The target of fakes stays at 0: with another one,
# $b$, the best discriminator would be $D^* = (a\, p + b\, p_g) / (p + p_g)$. Where only fakes are it would answer $b$
# everywhere, and bad images would have no reason to move.
#
# **Predict.** Which logit is best for a real image at $a = 0.9$? And at $a = 1$?

# %%
check("gan-1")  # starter/gan.py, discriminator_loss

# %%
logits, sure = torch.linspace(-4, 8, 200), torch.full((1,), -100.0)  # a fake that is seen through costs nothing
curves = {}
for a in (1.0, 0.9, 0.7):
    loss = torch.stack([gan.discriminator_loss(logit[None], sure, a) for logit in logits])
    best = f"lowest at {logits[loss.argmin()]:.1f}" if a < 1 else "falls for ever"
    curves[f"a = {a:g}: {best}"] = (logits, loss)
plots.lines(curves, "What one real image costs", "logit", "nats")

# %% [markdown]
# With $a = 1$ the logit should go to infinity. With smoothing it has a place to be, $\log \frac{a}{1 - a}$: 2.2 for $a = 0.9$.
#
# <details><summary>Why only the real side is smoothed</summary>
#
# Let real images be asked for $a$ and generated ones for $b$. At one place $x$, where the densities are $p$ and $p_g$, a
# discriminator with the answer $D$ pays
#
# $$-p\,\big[a \log D + (1 - a) \log(1 - D)\big] - p_g\,\big[b \log D + (1 - b) \log(1 - D)\big]$$
#
# Its derivative is 0 where $(a\,p + b\,p_g)\,(1 - D) = \big((1 - a)\,p + (1 - b)\,p_g\big)\,D$, so
# $D^* = (a\,p + b\,p_g) / (p + p_g)$. With $b = 0$ that is $a$ times the best one without smoothing: it falls to 0
# where only generated images are, and its logit goes on falling. With $b > 0$ it stops at $b$: far from all real images
# the logit is flat, and nothing says where they are.
#
# </details>
#
# **Change a number.** Set `b` to 0.02, then to 0.4, and run the cell again. Look at the dashed curve: at which logit is
# its right end, and how much lower is that than its left end?

# %%
b = 0.1  # try 0.02, 0.4
at = torch.linspace(-6, 6, 241, dtype=torch.float64)
p, p_g = (torch.distributions.Normal(middle, 1.0).log_prob(at).exp() for middle in (-1.5, 1.5))
best = {}
for low in (0.0, b):
    logit = ((0.9 * p + low * p_g) / (p + p_g)).logit().requires_grad_()
    asked = [torch.full_like(at, target) for target in (0.9, low)]
    costs = [torch.nn.functional.binary_cross_entropy_with_logits(logit, y, reduction="none") for y in asked]
    (slope,) = torch.autograd.grad((p * costs[0] + p_g * costs[1]).sum(), logit)
    print(f"b = {low}: no other logit is better anywhere: {bool((slope.abs() < 1e-12).all())}")
    best[f"generated ones asked for {low:g}"] = (at, logit.detach())
plots.lines(best, "The best logit; real ones around -1.5, generated around 1.5", "x", "logit")

# %% [markdown]
# ## 7.2 What should the generator want?
#
# The discriminator minimises $L_D$. In a zero-sum game the generator maximises it; only the second term depends on it. That
# is the *minimax* loss, and beside it the one that everybody uses:
#
# $$L_{\text{minimax}} = \mathbb E\big[\log(1 - D(G(z)))\big], \qquad L_G = -\mathbb E\big[\log D(G(z))\big]$$
#
# Both fall as $D(G(z))$ rises. **Predict.** At the start $D(G(z))$ is close to 0, because fakes are easy to see. Which of
# the two has the larger slope there?

# %%
check("gan-2")  # starter/gan.py, generator_loss

# %%
check("gan-3")  # starter/gan.py, saturating_loss

# %%
logits = torch.linspace(-8, 8, 200).requires_grad_()
values, slopes = {}, {}
for name, loss in {"minimax": gan.saturating_loss, "non-saturating": gan.generator_loss}.items():
    value = torch.stack([loss(logit[None]) for logit in logits])
    (slope,) = torch.autograd.grad(value.sum(), logits)
    values[name], slopes[name] = (logits.detach(), value), (logits.detach(), -slope)
panels = {"loss": values, "push towards a higher logit": slopes}
plots.panels(panels, x="logit of a fake", y=("nats", "nats per unit of logit"))

# %% [markdown]
# Left of 0 the discriminator is winning. There the minimax loss is flat: the worse a fake, the less it learns. The other
# pushes hardest where it is needed.

# %% [markdown]
# ## 7.3 The discriminator's move
#
# One move: images from $z$, logits of real and fake ones, the loss, an update. The discriminator's loss also depends on the
# generator's weights, and its gradient would make fakes that are *easier* to recognise. So cut the graph at the images:
# `detach()`.
#
# **Predict.** What goes wrong if you forget to clear the gradients that the generator's last move left in the
# discriminator?

# %%
check("gan-4")  # starter/gan.py, discriminator_step

# %% [markdown]
# ### The best it can learn
#
# Numbers instead of images: real ones from $p$, two hills, fakes from $p_g$, one hill between them. The discriminator gets all
# the batches it wants.
#
# **Predict.** Which $D(x)$ does it end with where $p$ and $p_g$ are equally high? And where only fakes are?
#
# <details><summary>The answer, derived in four lines</summary>
#
# Both expectations of $L_D$ are integrals over the same $x$:
#
# $$L_D = -\int \big[\, p(x) \log D(x) + p_g(x) \log(1 - D(x)) \,\big]\, dx$$
#
# $D(x)$ may be chosen at every $x$ by itself. The derivative of the bracket, $p / D - p_g / (1 - D)$, is 0 at
#
# $$D^*(x) = \frac{p(x)}{p(x) + p_g(x)}$$
#
# Put it in, and write $m = (p + p_g) / 2$ for the mixture:
#
# $$L_{D^*} = 2 \log 2 - \mathrm{KL}(p \,\|\, m) - \mathrm{KL}(p_g \,\|\, m) = 2 \log 2 - 2\, \mathrm{JS}(p, p_g)$$
#
# So at its best the discriminator measures the Jensen-Shannon divergence: 0 if both are the same, $\log 2$ if they never meet.
#
# </details>
#
# **Change a number.** `middle` is where the fakes lie. Set it to 1.5, then to -1.5: a generator that draws one of the
# two hills. Run this cell and the next one again. What does $D$ say on that hill, and what on the one that is never
# drawn? Is the loss in the title higher or lower than at 0?

# %% tags=["training"]
middle = 0.0  # try 1.5, -1.5
torch.manual_seed(training.SEED)
hills = torch.distributions.Normal(torch.tensor([-1.5, 1.5]), 0.6)
between = torch.distributions.Normal(middle, 1.0)
still, judge = torch.nn.Identity(), nets.mlp_discriminator((1,), (64, 64))  # a generator that stays where it is
optimizer = torch.optim.Adam(judge.parameters(), lr=3e-3)
for _ in range(800):
    real = hills.sample((256,)).reshape(512, 1)
    gan.discriminator_step(still, judge, optimizer, real, between.sample((512, 1)))

# %%
at, width = torch.linspace(-4, 4, 401), 8 / 400
p, p_g = hills.log_prob(at[:, None]).exp().mean(dim=1), between.log_prob(at).exp()
with torch.no_grad():
    logits = judge(at[:, None])
best_loss = -(p * (p / (p + p_g)).log() + p_g * (p_g / (p + p_g)).log()).sum() * width
own_loss = (p * torch.nn.functional.softplus(-logits) + p_g * torch.nn.functional.softplus(logits)).sum() * width
curves = {"$D^*$": (at, p / (p + p_g)), "trained": (at, logits.sigmoid()), "p": (at, p), "$p_g$": (at, p_g)}
title = f"Loss {own_loss:.3f}; $2 \\log 2 - 2$ JS = {best_loss:.3f}"
plots.lines(curves, title, "x", "probability; density")
print("the trained loss is at most 0.03 nats above the best:", bool(0 <= own_loss - best_loss < 0.03))

# %% [markdown]
# Between the hills it says "fake", on them "real", and where the two densities cross, one half. It has learned the *ratio* of
# two densities from samples alone. (Far outside, where no sample falls, it says anything.)
#
# Now let only the discriminator play, against a generator that stands still, and measure which gradient the generator
# *would* get from either loss.
#
# After 200 moves, how many times larger is the non-saturating gradient?

# %%
times = ["twice", "ten times", "a thousand times, or more"]
guesses.predict("gan-gradient", "After 200 moves, how many times as large is the non-saturating gradient?", times)

# %% tags=["training"]
def gradient_norm(loss):
    slopes = torch.autograd.grad(loss(discriminator(generator(z))), list(generator.parameters()))
    return torch.cat([slope.flatten() for slope in slopes]).norm().log10().item()


optimizer, z = torch.optim.Adam(discriminator.parameters(), lr=1e-3), torch.randn(256, 32)
minimax, other = [gradient_norm(gan.saturating_loss)], [gradient_norm(gan.generator_loss)]
for _ in range(200):
    real = data.signed(train.pixels(torch.randint(len(train), (64,))))
    gan.discriminator_step(generator, discriminator, optimizer, real, torch.randn(64, 32))
    minimax.append(gradient_norm(gan.saturating_loss))
    other.append(gradient_norm(gan.generator_loss))

# %%
curves = {"minimax": (range(201), minimax), "non-saturating": (range(201), other)}
title = f"After 200 moves: {10 ** (other[-1] - minimax[-1]):,.0f} times as large"
plots.lines(curves, title, "moves of the discriminator", "log10 of the gradient's norm")
ahead = other[-1] - minimax[-1]
guesses.outcome("gan-gradient", times[(ahead > 0.6) + (ahead > 2)])

# %% [markdown]
# The better the discriminator, the smaller the gradient that reaches the minimax generator. That is *saturation*. With
# the other loss a good discriminator is no catastrophe.

# %% [markdown]
# ## 7.4 The generator's move
#
# The gradient passes *through* the discriminator: the images must not be cut off, and yet the discriminator's weights
# must stay. Its gradients are filled on the way; its next move clears them.
#
# **Predict.** Which line of the discriminator's move must not come back here?

# %%
check("gan-5")  # starter/gan.py, generator_step

# %% [markdown]
# ### A whole round
#
# `gan.GAN` holds both networks, their two optimisers and their losses; `training.play` calls its `update` with every batch.
# That is a round: one move each. Now build it. There is no formula for this one, only a contract in its docstring.
#
# **Predict.** Your two steps, one after the other, are a round, too. How often do they call the generator? And whose gradients
# do they compute in the generator's move, though nobody uses them?

# %%
check("gan-8")  # starter/gan.py, gan_step

# %%
calls, x, game = [], train.pixels(slice(64)), gan.GAN(*networks(), 32)
players, z = (game.generator, game.discriminator), game.noise(64)
players[0].register_forward_pre_hook(lambda *_: calls.append("images drawn"))
for weight in players[1].parameters():
    weight.register_hook(lambda _: calls.append("gradients of the discriminator"))
gan.discriminator_step(*players, game.opt_d, data.signed(x), z)
gan.generator_step(*players, game.opt_g, z)
print("two steps:", {what: calls.count(what) for what in sorted(set(calls))})
calls.clear()
gan.gan_step(game, x, z)
print("one round:", {what: calls.count(what) for what in sorted(set(calls))})

# %% [markdown]
# The same two moves, with half of the drawing and half of the discriminator's gradients. The result does not show it: only
# the clock does, and the more the larger the images are.

# %% [markdown]
# ## 7.5 Mode collapse
#
# Eight Gaussians on a ring: we can *see* whether a generator finds them all. A mode is covered if at least 2 % of all samples
# lie within three standard deviations of it.
#
# Two learning rates, 2.5e-4 and 1e-3. Give the larger one to the generator or to the discriminator: what could a generator do
# that learns faster than its judge?

# %%
sides = ["the generator", "the discriminator", "no matter which"]
guesses.predict("gan-rates", "Who must learn faster, for all eight modes to be found?", sides)

# %%
check("gan-6")  # starter/gan.py, modes_covered

# %% tags=["training"]
def play_ring(lr, lr_d):
    torch.manual_seed(training.SEED)
    generator = torch.nn.Sequential(*nets.mlp(2, 64, 64, 2))
    model = gan.GAN(generator, nets.mlp_discriminator((2,), (64, 64)), latent_dim=2, lr=lr, lr_d=lr_d)
    z, clouds = model.noise(1000), []

    def watch(model):
        clouds.append(model.sample(z))
        return {"modes": gan.modes_covered(clouds[-1], ring.CENTRES, 3 * ring.SIGMA)}

    history = training.play(model, ring.points(), steps=1600, batch_size=128, watch=watch, every=200)
    return history.curve("modes"), clouds


# %% tags=["training"]
modes, clouds = {}, {}
for name, lr, lr_d in (("generator faster", 1e-3, 2.5e-4), ("discriminator faster", 2.5e-4, 1e-3)):
    modes[name], clouds[name] = play_ring(lr, lr_d)
moments = modes["generator faster"][0]
rows = {name: {f"step {step}": cloud for step, cloud in zip(moments, each)} for name, each in clouds.items()}
ring.snapshots(rows)

# %%
plots.lines(modes, "Modes covered, of eight", "step", "modes", style="o-")
faster, slower = (curve[1][-1] for curve in modes.values())
training.within("lab 7 modes covered, discriminator faster", slower)
print("at most 4 of 8 modes with the faster generator:", faster <= 4)
guesses.outcome("gan-rates", sides[(slower >= faster) + (slower == faster)])

# %% [markdown]
# The same networks, the same noise, the same two numbers, swapped: nothing else was changed. (Ten seeds: the slow
# generator ended with eight modes every time. Eight seeds: the fast one never ended with more than two.) The fast
# generator puts all its samples at or between one or two places that fool the discriminator at the moment. When the discriminator has
# learned that, they all move on: *mode collapse*, in circles. A slow generator meets a discriminator that is up to
# date.
#
# Two learning rates for two networks: the *two time-scale update rule*, TTUR.

# %% [markdown]
# ## 7.6 Digits, and what the losses say about them
#
# On images nobody can count modes. A first number: how far two different samples are apart, on average.
#
# $$\frac{1}{N(N-1)} \sum_{i \ne j} \lVert x_i - x_j \rVert^2$$
#
# A collapsed generator has 0; a good one has that of real images. A thousand images have a million pairs: there is a way
# without any.
#
# **Predict.** Which is more diverse: real digits, or pixels of pure noise?

# %%
check("gan-7")  # starter/gan.py, diversity

# %%
n = min(len(train) // 2, 1000)
real, others = train.pixels(slice(n)), train.pixels(slice(n, 2 * n))
one = real[:1] + 0.02 * torch.randn(n, *train.shape)
some = {"one digit": one, "only 0 and 1": real[train.y[:n] < 2], "real": real, "noise": torch.rand(n, *train.shape)}
title = "Mean squared distance of two images"
plots.bars({name: gan.diversity(x).item() for name, x in some.items()}, title, "squared pixels")

# %% [markdown]
# Diverse is not yet good. FID sees both faults (lab 6), so we watch the two together.
#
# Two players who answer each other circle around the place where they would rest. So the samples are drawn by a *moving
# average* of the generator's weights: $\bar w \leftarrow 0.99\, \bar w + 0.01\, w$ after every step (`ema=0.99`; it begins with
# a smaller factor). The game itself does not notice.
#
# **Predict.** Train a GAN for 4,000 steps. How will the two losses move while the samples get better?

# %% tags=["training"]
def new_gan(batch_norm=True, real_label=1.0, **optimizers):
    d_loss = partial(gan.discriminator_loss, real_label=real_label)
    return gan.GAN(*networks(32, batch_norm), 32, d_loss=d_loss, ema=0.99, **optimizers)


def watch(model):
    x = model.sample(z)
    return {"FID": features.fid(x, real), "diversity": gan.diversity(x).item()}


model, z = new_gan(lr=1e-3), torch.randn(n, 32)
history = training.play(model, train, steps=4000, watch=watch, every=200, run="gan")
runs.measure("gan", train, lambda count: model.sample(model.noise(count)))

# %%
losses = {name: (range(history.steps), plots.running_mean(term)) for name, term in history.terms.items()}
steps, fid = history.curve("FID")
level = (steps, [gan.diversity(real).item()] * len(steps))
watched = {"FID": {"": (steps, fid)}, "diversity, squared pixels": {"samples": history.curve("diversity"), "real": level}}
with torch.no_grad():
    newest = features.fid(data.unit(model.generator(z)), real)  # of the weights of the last step alone
title = f"FID {fid[-1]:.1f}, without averaging {newest:.1f}; real against real {features.fid(others, real):.1f}"
plots.panels({"losses, nats": losses, **watched}, title, "step")
training.within("lab 7 FID", fid[-1])

# %%
torch.manual_seed(training.SEED)
plots.grid(model.sample(model.noise(60)), "Sixty digits of a network that never saw one")

# %% [markdown]
# The generator itself never sees an image: all it knows came through the discriminator. And look at the losses beside
# FID: could you have told from them when the samples got better? Each loss is measured against an opponent who changes.
#
# **Question 1.** A friend stops her GAN at step 300, "because the generator's loss has been rising since". What does a rising
# loss of the generator mean, and what does it not mean? Which two numbers should she watch, and what would each miss alone?

# %% [markdown] answer="gan-q1"
# Your answer.

# %% [markdown]
# ## 7.7 Smoothing and two time scales, on and off
#
# With batch normalisation in the generator the two tools of this lab could not be told from luck. So here is the same
# generator without it: four runs of 600 steps, the same weights and the same noise to begin with.
#
# **Predict.** Which of the two tools will show more clearly?

# %% tags=["training"]
tools = {"plain": {}, "smoothing": {"real_label": 0.9}, "TTUR": {"lr_d": 2e-3}}
tools["both"] = tools["smoothing"] | tools["TTUR"]
curves, samples, end = {}, {}, {}
for name, tool in tools.items():
    other = new_gan(batch_norm=False, lr=5e-4, **tool)
    history = training.play(other, train, steps=600, watch=watch, every=150)
    end[name] = history.curve("FID")[1][-1]
    curves[f"{name}: {end[name]:.1f}"] = tuple(values[1:] for values in history.curve("FID"))
    samples[name] = other.sample(z[:12])
plots.lines(curves, "Without batch normalisation", "step", "FID", style="o-")
print("both tools together end ahead of none:", end["both"] < end["plain"])

# %%
plots.rows(samples, "The same noise after 600 steps")

# %% [markdown]
# Compare the curves at their end: both tools together are ahead of none. The other places are one run each, and with
# another seed they change: smoothing alone was ahead of the plain GAN with some seeds, and behind it with others. To
# believe in a tool, ask for several seeds: one run alone could have told any of several stories.
#
# **Question 2.** A GAN draws perfect zeros and ones, all different, and no other digit. Which of these notice it, and why:
# the discriminator's loss, the diversity, FID, a look at sixty samples? What would you count in addition?

# %% [markdown] answer="gan-q2"
# Your answer.

# %% [markdown]
# ## 7.8 A walk through the noise
#
# The generator was trained on isolated points $z$, and so was the large one that opened this lab. **Predict.** Yours had less
# than a minute. Between two of its points: digits, or a cross-fade of digits?

# %% tags=["nbval-ignore-output"]
clear = features.class_probs(model.sample(z)).amax(dim=1).argmax()  # begin at a digit that can be read
widgets.explore_latent(model.sample, z[clear], span=2.5, title="Each row moves one number of z")

# %% [markdown]
# One number rarely has a meaning of its own: nothing asked for it. Lab 10 will hand the label to the generator.

# %% [markdown]
# ## 7.9 One minute, and longer
#
# The lowest row is drawn by the system `gan-mlp` of the course: four hidden layers with BatchNorm in the generator, 100 epochs
# on MNIST at 28×28. It took 18 minutes of one core (`python -m starter reproduce gan-mlp` does it again). More time and a larger
# network cure the soft strokes, and not the single bright pixels: layers of lab 8 will know which pixels are neighbours.

# %%
guesses.summary("gan", "gan-mlp", "mnist")

# %% [markdown]
# ## 7.10 Exercises
#
# 1. **Minimax.** Train the digits with `g_loss=gan.saturating_loss`. Its gradient is far smaller (7.3). Does FID fall later?
#    If not: what does Adam do to a small gradient? Try `torch.optim.SGD` for the generator, too.
# 2. **The map of rates.** On the ring, try all pairs of 2.5e-4, 5e-4, 1e-3 and 2e-3 with three seeds each. Is it the ratio
#    of the two rates that counts, or the generator's own?
# 3. **By heart?** For twelve samples find the nearest training images, by squared distance. Does the GAN copy? Build the
#    recipes `gan-fc`, `gan-fc-large` and `gan-mlp` (`python -m starter recipes`), and ask them too.
#
# ## References
#
# - Goodfellow et al. 2014, *Generative adversarial nets*, NeurIPS.
# - Salimans et al. 2016, *Improved techniques for training GANs*, NeurIPS: one-sided label smoothing.
# - Metz et al. 2017, *Unrolled generative adversarial networks*, ICLR: the ring of eight Gaussians.
# - Karras et al. 2018, *Progressive growing of GANs*, ICLR; Yazıcı et al. 2019, *The unusual effectiveness of averaging in GAN
#   training*, ICLR: the moving average.
# - Heusel et al. 2017, *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*, NeurIPS: TTUR
#   and FID.
# - Arjovsky & Bottou 2017, *Towards principled methods for training generative adversarial networks*, ICLR: vanishing
#   gradients.
