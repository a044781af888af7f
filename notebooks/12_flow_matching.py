# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 · Flow matching and diffusion
#
# Today's image generators begin with noise and follow a *field of velocities* until it is an image. The field is
# learned by plain regression: no game, no bound, no determinant. Afterwards you can
#
# - train such a field, and follow it with a solver of your choice;
# - compute an exact density with it, and the score that diffusion models learn;
# - steer it towards a class, and say what that costs;
# - trade steps against quality.
#
# **Time:** 160 minutes. **Before:** labs 5 and 10. **Your part:** eight blanks in
# [starter/flow_matching.py](../starter/flow_matching.py), three written answers here. Words:
# [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import torch
from sklearn.datasets import make_moons

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import coupling_nets, data, densities, diagrams, features, full, guesses, plots, runs, training
from starter.support import velocity_nets
from starter import conditional_gan as cgan, flow_matching as fm, gan, realnvp as nvp

# %% [markdown]
# **Where this leads.** Digits to order, by a field that was trained on MNIST until the end: each column has its class, and
# walks from one noise to another. The class stays, the handwriting changes.

# %%
full.preview("flow-matching-mnist", "mnist")

# %%
diagrams.show("flow_matching")

# %% [markdown]
# ## 12.1 A straight line for every particle
#
# Lab 1's denoising autoencoder went from noise to image in one jump, and had to guess: blur. Now go slowly. Pair every
# noise $x_0$ with an image $x_1$. Let a particle travel from one to the other in a straight line, at constant speed,
# from time 0 to time 1:
#
# $$x_t = (1 - t)\, x_0 + t\, x_1$$
#
# **Predict.** From which $t$ on can you read the digits below?

# %%
check("fm-1")  # starter/flow_matching.py, interpolate

# %%
train, test = data.load(), data.load(split="test")
torch.manual_seed(training.SEED)
x_1 = data.signed(train.pixels(slice(12)))
x_0 = torch.randn_like(x_1)
moments = {f"t = {t}": fm.interpolate(x_0, x_1, torch.full((12,), t)) for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
plots.rows({name: data.unit(x).clamp(0, 1) for name, x in moments.items()}, "From noise to digits in straight lines")

# %% [markdown]
# ## 12.2 Learn the velocity
#
# New images have no $x_1$ to aim at. What a particle needs is a velocity for wherever it is: a network $v(x, t)$. So
# show the network points of the paths, and let it guess the velocity there:
#
# $$L = \mathbb E\ \big|\, v(x_t, t) - \tfrac{d x_t}{dt} \big|^2$$
#
# **Predict.** Two paths cross: at one point, at one time, one leads up and one leads down. What does the regression
# answer there?

# %%
check("fm-2")  # starter/flow_matching.py, training_step

# %% [markdown]
# The mean of the two: a squared error has its minimum at the mean, $v(x, t) = \mathbb E[x_1 - x_0 \mid x_t = x]$. That
# is no defect. *Following these means carries the whole cloud of noise to the data* (Lipman et al., Liu et al.), though
# hardly a particle arrives where its line led.
#
# Two moons from lab 5, a small network, and your step 1,500 times. Half of the time the network is not told which moon
# a point is from.

# %% tags=["training"]
points, side = make_moons(4000, noise=0.08, random_state=0)
points = torch.tensor(points, dtype=torch.float32)
middle, spread = points.mean(dim=0), points.std(dim=0)
points = (points - middle) / spread
moons = data.Images(data.unit(points), torch.tensor(side), levels=2, name="moons")
torch.manual_seed(training.SEED)
field = fm.FlowMatching(velocity_nets.PointNet(2, n_classes=2), (2,), lr=5e-3, drop=0.5, ema=0.995)
history = training.play(field, moons, steps=1500, batch_size=256)
plots.training(history.terms, "The loss has a floor: paths cross", "squared velocity")


# %%
def either(x, t):
    """The velocity without a label."""
    return field.best(x, t, torch.full((len(x),), 2))


def at_time(x, t):
    return torch.full((len(x),), t)


# %%
torch.manual_seed(training.SEED)
arrows, cloud = plots.plane(13, 2.4), torch.randn(400, 2)
with plots.figure(8.5, 2.5, "The field as it moves, and 400 particles in it", ncols=4) as axes:
    for i, ax in enumerate(axes[0]):
        t = i / 3
        v = either(arrows, at_time(arrows, t))
        ax.quiver(*arrows.T, *v.T, color=plots.GREY, angles="xy", scale=40, width=0.006)
        ax.scatter(*cloud.T, s=4, linewidths=0, color=plots.COLOURS[0])
        ax.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), title=f"t = {t:.2f}")
        plots.finish(ax, "$x_1$ (standard deviations)", "$x_2$ (standard deviations)")
        for k in range(20 if i < 3 else 0):  # by hand, in short steps: the solvers come next
            cloud = cloud + either(cloud, at_time(cloud, t + k / 60)) / 60

# %% [markdown]
# First all arrows lead inwards, and little is decided: at $t = 0$ the best guess of $x_1$ is the middle of all data.
# Later the field splits, and every particle follows the moon that it is nearer to.
#
# ## 12.3 Follow it
#
# A field and a starting point: an *ordinary differential equation*, $dx/dt = v(x, t)$. Euler's solver goes straight on
# for a while, $dt$, and asks again.

# %%
check("fm-3")  # starter/flow_matching.py, euler_step

# %% [markdown]
# A curved path cuts every corner of Euler's. Better: look at the field half-way, and take *that* velocity for the whole
# step.
#
# **Predict.** Twice as many steps: by which factor do the two errors shrink?

# %%
check("fm-4")  # starter/flow_matching.py, midpoint_step

# %% [markdown]
# **Change a number.** Set `steps` to 2, then to 16, and run the cell again. Compare the ends of the paths with those of
# the left panel: which solver arrives there, and with how many steps?

# %%
steps = 4  # try 2, 16


def way(step, x, steps):
    """All places of a particle on its way, (steps + 1, B, 2)."""
    places = [x]
    for i in range(steps):
        places.append(step(either, places[-1], at_time(x, i / steps), 1 / steps))
    return torch.stack(places)


torch.manual_seed(training.SEED)
start = torch.randn(8, 2)
ways = {"midpoint, 100 steps": way(fm.midpoint_step, start, 100)}
ways |= {f"Euler, {steps} steps": way(fm.euler_step, start, steps)}
ways |= {f"midpoint, {steps} steps": way(fm.midpoint_step, start, steps)}
with plots.figure(8.5, 3.1, "The same eight particles under two solvers", ncols=3) as axes:
    for i, (ax, (name, places)) in enumerate(zip(axes[0], ways.items())):
        ax.scatter(*points[:500].T, s=3, linewidths=0, color=plots.GREY, alpha=0.5)
        for particle in places.transpose(0, 1):
            ax.plot(*particle.T, ".-" if len(places) < 9 else "-", linewidth=1.2)
        ax.set(aspect="equal", xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), title=name)
        plots.finish(ax, "$x_1$ (standard deviations)", "$x_2$ (standard deviations)")

# %%
start = torch.randn(500, 2)
true, counts, errors = way(fm.midpoint_step, start, 400)[-1], [2, 4, 8, 16, 32, 64], {}
for name, step, cost in (("Euler", fm.euler_step, 1), ("midpoint", fm.midpoint_step, 2)):
    off = [(way(step, start, calls // cost)[-1] - true).norm(dim=1).mean().log10().item() for calls in counts]
    errors[name] = (counts, off)
title, x = "Mean distance from where 400 steps end", "calls of the network"
plots.lines(errors, title, x, "log10 of it", log_x=True, style="o-")
ends = {name: off[-1] for name, (_, off) in errors.items()}
print("the midpoint's error is below a tenth of Euler's:", ends["midpoint"] < ends["Euler"] - 1)

# %% [markdown]
# At equal cost the midpoint is nearer: its error falls with $dt^2$, Euler's with $dt$.
#
# ## 12.4 An exact likelihood
#
# Go *back*, from data to noise, and every point has a density: that of its noise, changed by how much the field spread
# the points on the way. For a flow of lab 5 that was a determinant in each layer. In continuous time it is a trace:
#
# $$\log p(x) = \log \mathcal N(x_0; 0, I) - \int_0^1 \operatorname{tr} \frac{\partial v}{\partial x}(x_t, t)\, dt$$

# %% [markdown]
# No triangular Jacobian is needed, so any network will do. But the exact trace takes a backward pass for each
# dimension. Hutchinson's guess takes one: $\epsilon^\top \frac{\partial v}{\partial x}\, \epsilon$ with normal
# $\epsilon$ has the trace as its mean.
#
# **Predict.** For images of 256 pixels: how many passes each? And is the guess of $\log p$ too large, too small, or
# neither?

# %%
check("fm-5")  # starter/flow_matching.py, divergence

# %% [markdown]
# Beside it lab 5's couplings, trained on the same points. **Predict.** Does the field's density integrate to 1?

# %% tags=["training"]
torch.manual_seed(training.SEED)
masks = 4 * [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
nets = [coupling_nets.ScaleShift(coupling_nets.dense_net(2, 64, 4), 2, spatial=False) for _ in masks]
flow = nvp.RealNVP([[nvp.AffineCoupling(mask, net) for mask, net in zip(masks, nets)]], shape=(2,))
_ = training.fit(flow, data.Images(points, moons.y, 2, "moons"), epochs=30, batch_size=256, lr=5e-3)

# %%
known = {"RealNVP (lab 5)": flow.log_prob, "flow matching": lambda x: fm.log_prob(either, x, steps=20)}
at, area = densities.grid(100, edge=3)
fresh = (torch.tensor(make_moons(1000, noise=0.08, random_state=1)[0]).float() - middle) / spread
with torch.no_grad():
    maps = {name: log_p(at).exp() for name, log_p in known.items()}
    nats = {name: -log_p(fresh).mean().item() for name, log_p in known.items()}
totals = {name: density.sum().item() * area for name, density in maps.items()}
pictures = [(f"{name}: sum {totals[name]:.3f}, −log p {nats[name]:.2f} nats", map_) for name, map_ in maps.items()]
densities.maps({"": pictures}, "Two exact densities, and what 1,000 fresh points cost", edge=3, zoom=3, inches=4.2)
training.within("lab 12 moons integral", totals["flow matching"])
training.within("lab 12 moons nats", nats["flow matching"])
print("the two differ by less than 0.15 nats:", abs(nats["flow matching"] - nats["RealNVP (lab 5)"]) < 0.15)

# %% [markdown]
# Both sum up to 1, and cost about the same nats: two ways to an exact density. What differs is the price. The couplings
# need one pass, the field twenty steps with two traces each; but the field is trained without ever touching its
# density.
#
# Now the guess, with one $\epsilon$ for each point.

# %%
torch.manual_seed(training.SEED)
few = fresh[:100]
exact = fm.log_prob(either, few, steps=20)
guessed = torch.stack([fm.log_prob(either, few, 20, torch.randn(100, 2)) for _ in range(20)])
with plots.figure(6.5, 3.2, "One hundred points: 20 guesses of each, and their mean") as axes:
    axes[0, 0].plot(exact.expand(20, -1), guessed, ".", color=plots.GREY, markersize=2, alpha=0.5)
    axes[0, 0].plot(exact, guessed.mean(dim=0), ".", color=plots.COLOURS[0])
    axes[0, 0].plot([exact.min(), exact.max()], [exact.min(), exact.max()], "--", color=plots.COLOURS[1])
    plots.finish(axes[0, 0], "log p(x), exact trace (nats)", "guessed (nats)")

# %% [markdown]
# Neither too large nor too small: the mean lies on the line, a single guess may be off by nats. For 256 pixels that is
# one backward pass instead of 256.
#
# ## 12.5 The score, and what diffusion models learn
#
# A diffusion model learns which noise $x_0$ is in $x_t$, or the *score* $\nabla \log p_t(x_t)$. All of these are the
# same knowledge. On our path $x_0 = x_t - t\,(x_1 - x_0)$, so the mean of the noise follows from the velocity; and
# noise points down the density.
#
# **Predict.** At $t = 0$ all is noise. What must the score be there, whatever the network says?

# %%
check("fm-6")  # starter/flow_matching.py, score

# %%
torch.manual_seed(training.SEED)
with plots.figure(8.5, 3.1, "Which way the score points, and particles at that time", ncols=3) as axes:
    for i, (ax, t) in enumerate(zip(axes[0], (0.0, 0.5, 0.8))):
        slope = fm.score(either(arrows, at_time(arrows, t)), arrows, at_time(arrows, t))
        there = fm.interpolate(torch.randn(400, 2), points[:400], torch.full((400,), t))
        ax.scatter(*there.T, s=4, linewidths=0, color=plots.COLOURS[0], alpha=0.5)
        ax.quiver(*arrows.T, *(slope / slope.norm(dim=1, keepdim=True)).T, color=plots.GREY, scale=22, width=0.006)
        steepest = slope.norm(dim=1).max().item()
        ax.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), title=f"t = {t}, steepest {steepest:.0f}")
        plots.finish(ax, "$x_1$ (standard deviations)", "$x_2$ (standard deviations)")
still = fm.score(either(arrows, at_time(arrows, 0.0)), arrows, at_time(arrows, 0.0))
print("at t = 0 the score is -x:", torch.allclose(still, -arrows))

# %% [markdown]
# Ho et al.'s simplified loss (DDPM) is the squared error of the guessed *noise*. A velocity that is off by $e$ gives
# a noise that is off by $t\,e$. So it is your regression, with the weight $t^2$ (and, in their case, another path,
# which differs in scale and in which times are met how often).
#
# **Predict.** Guessing the image instead weighs with $(1 - t)^2$. Near which end is each of the three guesses hard?

# %%
torch.manual_seed(training.SEED)
times = (torch.arange(40) + 0.5) / 40
x_1, x_0, t = points[:4000], torch.randn(4000, 2), times.repeat(100)
off = (either(fm.interpolate(x_0, x_1, t), t) - (x_1 - x_0)).square().sum(dim=1)
weights = {"velocity: 1": t**0, "noise (DDPM): t²": t**2, "data: (1 − t)²": (1 - t) ** 2}
curves = {name: (times, (weight * off).reshape(100, 40).mean(dim=0)) for name, weight in weights.items()}
plots.lines(curves, "One network, three losses", "t", "squared error")
early, middle_, late = curves["velocity: 1"][1].reshape(4, 10).mean(dim=1)[[0, 1, 3]]
print("the velocity is harder in the second quarter than at both ends:", bool(middle_ > max(early, late)))

# %% [markdown]
# At either end one half of $x_1 - x_0$ can be seen in $x_t$, and the error is the variance of the other half, 2. In
# between, where paths cross, both are in doubt. The noise is easy to tell as long as there is much of it, the data when
# there is little: each of these losses forgives one end.

# %% [markdown]
# ## 12.6 Digits to order
#
# Now the network gets the label, too, and now and then (one time in ten) "no label". So one network knows two fields:
# $v(x, t, y)$ and $v(x, t)$. Their difference points towards whatever makes an image more of class $y$. Go further that
# way (Ho & Salimans call it classifier-free guidance):
#
# $$v = v(x, t) + w\, \big(v(x, t, y) - v(x, t)\big)$$
#
# **Predict.** What is drawn at $w = 0$, at 1, at 10?

# %%
check("fm-7")  # starter/flow_matching.py, guided

# %% [markdown]
# Everything is there. Build the sampler: its docstring says what it promises, and gives no formula.

# %%
check("fm-8")  # starter/flow_matching.py, sample

# %% [markdown]
# A small U-Net: convolutions down to 4×4 and back, with bridges. The times are not drawn evenly, but from a
# *logit-normal*: the middle more often (12.9 asks whether that helps).

# %% tags=["training"]
n_classes = train.classes


def new_model(**settings):
    torch.manual_seed(training.SEED)
    usual = {"lr": 2e-3, "ema": 0.995, "times": fm.logit_normal_times, "step": fm.euler_step, "steps": 8, "weight": 1.5}
    return fm.FlowMatching(velocity_nets.UNet(train.shape, n_classes), train.shape, **usual | settings)


model = new_model()
history = training.play(model, train, steps=1200, batch_size=32, run="flow-matching")
runs.measure("flow-matching", train, lambda n: model.sample(model.noise(n), torch.arange(n) % n_classes))
plots.training(history.terms, "Training: a plain regression", "squared velocity")

# %%
torch.manual_seed(training.SEED)
z, y = model.noise(500), torch.arange(500) % n_classes
real = features.features(test.pixels())


def scores(x):
    return {"FID": features.frechet(features.features(x), real), "accuracy": features.accuracy(x, y)}


samples = model.sample(z, y)
found = scores(samples)
rows = cgan.class_grid(z[:12], n_classes)
title = f"One row per class, one noise per column: FID {found['FID']:.2f}, {found['accuracy']:.0%} as ordered"
plots.grid(model.sample(*rows), title, 12, [f"{k}" for k in range(n_classes)], inches=0.5)
training.within("lab 12 FID", found["FID"])
training.within("lab 12 share of wrong samples", 1 - found["accuracy"])

# %% [markdown]
# How does a sample come about? Stop on the way, and ask two questions: where are we, and where does the velocity point?

# %%
x, y_few, seen, aims = z[:10].view(-1, *train.shape), y[:10], {}, {}
with torch.no_grad():
    for i in range(8):
        t = torch.full((10,), i / 8)
        v = model.best(x, t, y_few)
        if i in (0, 2, 4, 6):
            seen[f"t = {i / 8:g}"], aims[f"t = {i / 8:g}: aim"] = x, x + (1 - i / 8) * v
        x = fm.euler_step(lambda *_: v, x, t, 1 / 8)
pictures = {name: data.unit(x).clamp(0, 1) for name, x in (seen | aims | {"t = 1": x}).items()}
plots.rows(pictures, "Where they are, and where they aim (w = 1)", [f"{k}" for k in y_few.tolist()])

# %% [markdown]
# The aim, $x_t + (1 - t)\,v$, is the mean of all images that are still possible. At $t = 0$ that should be the mean of
# the class, the same for every noise (the grain is what the network has not learned yet). It gets sharp as the digit is
# decided.
#
# **Question 1.** One single Euler step from $t = 0$ to 1, with $w = 1$: which image comes out for the label 4, and why
# is it the same for every noise? Lab 1's denoising autoencoder made one jump, too. What do many steps do that one
# cannot?

# %% [markdown] answer="fm-q1"
# Your answer.

# %% [markdown]
# ## 12.7 Guidance against diversity
#
# **Predict.** What happens to FID, to the share of samples that show their label, and to their diversity (lab 7) as $w$
# grows?

# %%
rates = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0)
guesses.predict("fm-guidance", "Which of these weights gives the lowest FID?", [f"w = {w:g}" for w in rates])


# %%
def spread_in_classes(x, y):
    """Diversity of lab 7 in the features, inside of each class."""
    seen = torch.from_numpy(features.features(x))
    return sum(gan.diversity(seen[y == k]).item() for k in range(n_classes)) / n_classes


swept = {w: samples if w == 1.5 else model.sample(z, y, weight=w) for w in rates}
judged = {w: scores(x) | {"diversity": spread_in_classes(x, y)} for w, x in swept.items()}
real_spread = spread_in_classes(test.pixels(slice(500)), test.y[:500])

# %%
guesses.outcome("fm-guidance", f"w = {min(rates, key=lambda w: judged[w]['FID']):g}")
pictures = {"FID": {"": (rates, [row["FID"] for row in judged.values()])}}
pictures["as ordered, %"] = {"": (rates, [100 * row["accuracy"] for row in judged.values()])}
inside = {"samples": (rates, [row["diversity"] for row in judged.values()]), "test images": ((0, 5), [real_spread] * 2)}
pictures["diversity of features in classes"] = inside
plots.panels(pictures, "500 samples for each weight", "guidance weight w")
training.within("lab 12 FID, weight 1 over weight 1.5", judged[1.0]["FID"] / judged[1.5]["FID"])
training.within("lab 12 FID, weight 5 over weight 1.5", judged[5.0]["FID"] / judged[1.5]["FID"])
training.within("lab 12 diversity, weight 5 over test images", judged[5.0]["diversity"] / real_spread)

# %%
rows = {f"w = {w:g}": swept[w][10:22] for w in rates}
plots.rows(rows, "The same noise and labels under six weights", [f"{k}" for k in y[10:22].tolist()])

# %% [markdown]
# At 0 labels play no part. Up to 1.5 or 2 the samples become clearer, and FID falls: a small network draws doubtful
# digits, and guidance leads away from doubt. Beyond, accuracy still rises, but all fours begin to look alike: diversity
# falls, and FID rises again. Guidance gives up rare samples for typical ones.
#
# On the moons it can be seen where the rare ones go.
#
# **Change a number.** Set `w` to 0, then to 4, and run the cell again. Which part of the ordered moon do the samples
# fill, and which part do they leave?

# %%
w = 1.0  # try 0, 4
with torch.random.fork_rng():
    torch.manual_seed(training.SEED)
    ordered = fm.sample(field.best, torch.randn(400, 2), torch.ones(400, dtype=torch.long), 20, w)
with plots.figure(4.6, 3.6, f"400 samples, asked for the lower moon, w = {w:g}") as axes:
    for moon, (name, marker) in enumerate((("upper moon", "x"), ("lower moon", "^"))):
        axes[0, 0].scatter(*points[side == moon][:300].T, s=9, marker=marker, color=plots.GREY, alpha=0.4, label=name)
    axes[0, 0].scatter(*ordered.T, s=9, linewidths=0, color=plots.COLOURS[0], label="samples")
    axes[0, 0].set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
    plots.finish(axes[0, 0], "$x_1$ (standard deviations)", "$x_2$ (standard deviations)", legend=True)

# %% [markdown]
# **Question 2.** With $w = 1.5$, is $x_1$ still a sample of $p(x \mid y)$? Does `log_prob` of the guided field give
# $\log p(x \mid y)$? A colleague reports only the accuracy of guided samples: which failure would it hide, and which
# score shows it?

# %% [markdown] answer="fm-q2"
# Your answer.

# %% [markdown]
# ## 12.8 How few steps?
#
# A GAN draws with one call of its network. Here every step costs calls: Euler's one, the midpoint's two (and guidance
# doubles both).
#
# **Predict.** Down to how many steps does FID hold? Which of the solvers is better at the left end?

# %%
solvers = {"Euler": (fm.euler_step, 1, (2, 4, 8, 16)), "midpoint": (fm.midpoint_step, 2, (2, 4, 8))}
curves, drawn = {}, {}
for name, (step, calls, counts) in solvers.items():
    for n in counts:
        drawn[f"{name}, {calls * n} calls"] = model.sample(z, y, step=step, steps=n)
    spent = [calls * n for n in counts]
    curves[name] = (spent, [scores(drawn[f"{name}, {k} calls"])["FID"] for k in spent])
plots.lines(curves, "500 samples, weight 1.5", "calls of the field", "FID", log_x=True, style="o-")
euler = curves["Euler"][1]
print("2 calls are worse than 8, 4 are about as good:", euler[0] > 1.3 * euler[2] > euler[1])
print("the midpoint is no better with 8 calls:", curves["midpoint"][1][1] > 0.9 * euler[2])

# %%
plots.rows({name: x[:12] for name, x in drawn.items() if "16" not in name}, "The same noise and labels")

# %% [markdown]
# Two Euler steps give smears: the first goes to $t = \frac12$ towards a mean. From four calls on little changes. And
# the midpoint, which was nearer to the exact path at the same cost in 12.3, draws no better digits. What is left is the error
# of the *network*: an exact way to a slightly wrong place is no gain. Straighter paths would need fewer steps still:
# that is what *rectified flow* and distillation are about (exercise 1).
#
# ## 12.9 Which times to practise?
#
# **Predict.** Three short trainings, which differ in one thing: times drawn evenly; logit-normal; even times with
# DDPM's weight $t^2$. Which is the worst after 300 steps?

# %%
kinds = {
    "uniform": {"times": fm.uniform_times},
    "logit-normal": {},
    "uniform, weight t²": {"times": fm.uniform_times, "weighting": lambda t: t**2},
}
guesses.predict("fm-times", "Which training has the worst FID after 300 steps?", list(kinds))

# %% tags=["training"]
fids = {}
for name, settings in kinds.items():
    short = new_model(**settings)
    training.play(short, train, steps=300, batch_size=32)
    fids[name] = scores(short.sample(z, y))["FID"]

# %%
plots.bars(fids, "After 300 steps", "FID", digits=1)
guesses.outcome("fm-times", max(fids, key=fids.get))
print("the weight t² is the worst of the three:", max(fids, key=fids.get) == "uniform, weight t²")

# %% [markdown]
# DDPM's weight spends the effort near the data, and forgives errors near the noise, where each sample's first steps
# decide which digit it becomes: after a short training that shows. (Ho et al. train for hundreds of thousands of steps, and
# their path spends its time differently.) Between the two others the difference is smaller, though the middle is where the velocity is in
# doubt (12.5). Try other seeds before you believe in it.
#
# **Question 3.** You must choose a model for (a) drawing 60 images a second on a phone, (b) telling how likely a given
# image is, (c) the best images of ordered classes in a day of training. Take from the GAN of lab 10, RealNVP and flow
# matching. Give a number of this course for each choice.

# %% [markdown] answer="fm-q3"
# Your answer.

# %% [markdown]
# ## 12.10 One minute, and longer
#
# The lowest row is drawn by the system `flow-matching-mnist` of the course: a U-Net of 759,000 numbers at 28×28, which
# saw MNIST fifteen times, in 104 minutes of one core (`python -m starter reproduce flow-matching-mnist` does it again).
# In the features of a classifier of digits its FID is 0.33; of all systems of the course that draw MNIST only
# `cgan-mnist` (lab 10) has a lower one, 0.23. It was 0.31 after 2,000 of the 7,020 steps already; the loss on test
# images fell from 126 to 117 after that, and FID did not.

# %%
guesses.summary("fm", "flow-matching-mnist", "mnist")

# %% [markdown]
# ## 12.11 Exercises
#
# 1. **Straighten.** Draw 2,000 pairs of moons: noise, and where 50 steps carry it. Train a new `PointNet` on these
#    pairs (Liu et al., *reflow*). Draw both fields' paths. How do two Euler steps of each look?
# 2. **Guide for a while.** Give `sample` a `guide` that uses $w = 3$ only in the middle of the way (it has to count its
#    calls). Do FID and diversity gain over a constant weight?
# 3. **Another path.** Replace `interpolate` by $x_t = \cos(\frac{\pi t}{2})\,x_0 + \sin(\frac{\pi t}{2})\,x_1$ in your
#    own training step. What is the target now? Are the paths of the moons straighter, or less?
#
# ## References
#
# - Lipman, Chen, Ben-Hamu, Nickel, Le 2023, *Flow matching for generative modeling*, ICLR.
# - Liu, Gong, Liu 2023, *Flow straight and fast: learning to generate and transfer data with rectified flow*, ICLR.
# - Ho, Jain, Abbeel 2020, *Denoising diffusion probabilistic models*, NeurIPS: the simplified loss.
# - Song et al. 2021, *Score-based generative modeling through stochastic differential equations*, ICLR: the ODE of a
#   score, section 4.3.
# - Ho, Salimans 2022, *Classifier-free diffusion guidance*, arXiv 2207.12598.
# - Chen, Rubanova, Bettencourt, Duvenaud 2018, *Neural ordinary differential equations*, NeurIPS: the trace.
# - Grathwohl et al. 2019, *FFJORD*, ICLR: the guess of the trace.
# - Esser et al. 2024, *Scaling rectified flow transformers for high-resolution image synthesis*, ICML: logit-normal
#   times.
