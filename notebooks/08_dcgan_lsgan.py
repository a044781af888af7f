# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 · DCGAN and LSGAN
#
# Lab 7's game, played by networks that know what an image is. Afterwards you can
#
# - lay out a convolutional generator and discriminator for any image, and give them their first weights;
# - say what BatchNorm, first weights and the size of the code do for a GAN;
# - replace cross-entropy by least squares, walk through the space of codes on two axes, and search in it.
#
# **Time:** 140 minutes. **Before:** lab 7. **Your part:** eight blanks in [starter/dcgan.py](../starter/dcgan.py), two
# written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import copy, sys
from dataclasses import replace

sys.path.append("..")
import torch
from torch import nn

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, features, full, guesses, nets, plots, runs, training, widgets
from starter import dcgan, gan

# %% [markdown]
# **Where this leads.** Samples of a DCGAN that was trained on MNIST until the end: each column walks from one noise vector to
# another. The strokes are even, and the scattered bright pixels of lab 7's picture are gone. Not every shape is a digit: the
# first column, say, ends in one that is none.

# %%
full.preview("dcgan-mnist", "mnist")

# %%
diagrams.show("dcgan")

# %% [markdown]
# ## 8.1 Where lab 7 ended
#
# A fully connected GAN, and how far its samples are from real images in FID: 500 samples against 1,000 real images, before
# the first step and after every 50. As in lab 7, a moving average of the generator's weights draws the samples.
#
# **Predict.** Shuffle the pixels of all images, with one and the same permutation. Would this GAN train any worse?

# %% tags=["training"]
images = data.load()
real = features.features(images.pixels(slice(1000)))


def fid(model):
    torch.manual_seed(1)  # always the same noise: `play` puts its own back afterwards
    return {"FID": features.frechet(features.features(model.sample(model.noise(500))), real)}


def play(name, networks, steps=1200, latent_dim=10, lr=3e-3, run=None, **losses):
    models[name] = gan.GAN(*networks, latent_dim, lr=lr, ema=0.99, **losses)
    curves[name] = training.play(models[name], images, steps=steps, watch=fid, every=50, run=run).curve("FID")


models, curves = {}, {}  # curves: the steps, and the FID at each of them
torch.manual_seed(training.SEED)
connected = nets.mlp_generator(10, (128, 256), images.shape), nets.mlp_discriminator(images.shape, (256, 128))
play("fully connected", connected, lr=1e-3)

# %%
z = torch.randn(24, 10, generator=torch.Generator().manual_seed(training.SEED))
title = f"Fully connected: FID {curves['fully connected'][1][-1]:.1f}"
plots.grid(models["fully connected"].sample(z), title)

# %% [markdown]
# Single pixels stand out. These networks do not know which pixels are neighbours: shuffled, they would train just as well.
# Convolutions know it. DCGAN lists what made them work in a GAN: strides in place of pooling, BatchNorm, ReLU and
# LeakyReLU, no fully connected layers, small first weights.
#
# ## 8.2 The first weights
#
# **Predict.** Eight convolutions of 32 channels, one after the other, their weights drawn from $N(0, \sigma^2)$. What becomes
# of the size of the signal? For which σ does it stay as it is?
#
# **Change a number.** Set `channels` to 8, then to 128, and run the cell again. Look at the right ends of the curves:
# does one of the three σ keep the size of the signal now? And which curve stays where it was?

# %%
channels = 32  # try 8, 128


def sizes(sigma, batch_norm):
    torch.manual_seed(0)
    x, deviations = torch.randn(64, channels, 8, 8), []
    for _ in range(8):
        x = nn.functional.conv2d(x, sigma * torch.randn(channels, channels, 3, 3), padding=1)
        x = nn.functional.batch_norm(x, None, None, training=True) if batch_norm else x
        deviations.append(x.std().log10().item())
        x = x.relu()
    return range(1, 9), deviations


signals = {f"σ = {sigma:g}": sizes(sigma, False) for sigma in (0.3, 0.08, 0.02)}
signals["all three, with BatchNorm"] = sizes(0.02, True)
plots.lines(signals, "The signal through eight layers", "layer", "log10 of its deviation")

# %% [markdown]
# Without BatchNorm only one deviation keeps the signal alive, and it depends on the size of the layers: rules like
# Xavier's or Kaiming's compute it. After BatchNorm the deviation is 1, whatever the weights were. DCGAN takes one small
# deviation for all convolutions, 0.02, and for the weights of BatchNorm $N(1, 0.02^2)$.

# %%
check("dc-1")  # starter/dcgan.py, initialize

# %% [markdown]
# ## 8.3 From a code to an image
#
# A transposed convolution lets every pixel of a small map paint a whole kernel into a large one. Stride 2 moves the
# brush by two pixels for each pixel of the small map; padding cuts the border off:
#
# $$H_\text{out} = (H - 1) \cdot \text{stride} - 2 \cdot \text{padding} + \text{kernel}$$
#
# **Predict.** How often is each pixel painted, with a 3x3 and with a 4x4 kernel?

# %%
def painted(kernel):
    small, brush = torch.ones(1, 1, 8, 8), torch.ones(1, 1, kernel, kernel)
    return nn.functional.conv_transpose2d(small, brush, stride=2, padding=1)[..., 1:14, 1:14] / 4


pictures = 0.8 * torch.cat([painted(3), painted(4)])
plots.grid(pictures, "Brightest: painted 4 times", 2, (), ("3x3, stride 2", "4x4, stride 2"), inches=2.5)

# %% [markdown]
# With 3x3 some pixels get four strokes, others two or one: a checkerboard before anything is learned. A 4x4 kernel with
# stride 2 covers evenly, and with padding 1 it doubles the sides exactly.
#
# So the plan is: one layer that turns the code, a map of 1x1, into a small start map; then doublings up to the image.

# %%
check("dc-2")  # starter/dcgan.py, generator_plan

# %%
config = dcgan.DCGANConfig(images.shape, latent_dim=10, channels=(64, 32))
for layer in dcgan.generator_plan(config):
    print(layer)

# %% [markdown]
# ## 8.4 From an image to a logit
#
# The discriminator goes the same way back: each layer halves the map and doubles the channels, until one kernel covers
# what is left and gives one number.
#
# **Predict.** Two of its layers go without BatchNorm. BatchNorm subtracts from every channel its mean over the batch. What
# could the discriminator no longer see if the first layer did that? And what would the last one do to the logits?

# %%
check("dc-3")  # starter/dcgan.py, discriminator_plan

# %% [markdown]
# ## 8.5 Blocks
#
# Both networks are rows of a plan made into modules: convolution, BatchNorm, activation.
#
# **Predict.** How many parameters has the first layer of the generator? (A convolution before BatchNorm has no bias. Why?)

# %%
check("dc-4")  # starter/dcgan.py, block

# %%
pair = dcgan.generator(config), dcgan.discriminator(config)
for name, network in zip(("generator", "discriminator"), pair):
    print(f"{name:13} {nets.parameter_count(network):6} parameters, by layer:", *map(nets.parameter_count, network))

# %% [markdown]
# 10 · 64 · 4 · 4 weights, and a weight and a bias for each of the 64 normalised channels. The functions that make networks of
# these blocks are in the same file, below the blanks: read `generator_of` and `discriminator_of`.
#
# ## 8.6 The first convolutional GAN
#
# The same game and the same loss as in 8.1. The learning rate is three times as large: small networks bear it.
#
# After how many of the 1,200 steps will it be better than the fully connected GAN is at the end?

# %%
when = ["within 200", "between 200 and 600", "later, or never"]
guesses.predict("dc-overtakes", "After how many steps is the DCGAN better than the connected one will be at the end?", when)

# %% tags=["training"]
def convolutional(config):
    rng = torch.Generator().manual_seed(training.SEED)
    return dcgan.generator(config, rng), dcgan.discriminator(config, rng)


play("DCGAN", convolutional(config), run="dcgan")
runs.measure("dcgan", images, lambda count: models["DCGAN"].sample(models["DCGAN"].noise(count)))

# %%
level = {"real images": features.frechet(features.features(images.pixels(slice(1000, 1500))), real)}
plots.lines(curves, "Distance to real images: lower is better", "step", "FID", levels=level)
training.within("lab 8 FID of the DCGAN", curves["DCGAN"][1][-1])
goal = curves["fully connected"][1][-1]
overtaken = next((step for step, value in zip(*curves["DCGAN"]) if value < goal), 1200)
print("within 300 steps better than the connected one is at the end:", overtaken <= 300)
guesses.outcome("dc-overtakes", when[(overtaken > 200) + (overtaken > 600)])

# %%
plots.grid(models["DCGAN"].sample(z), f"DCGAN: FID {curves['DCGAN'][1][-1]:.1f}")
many, sure = torch.randn(500, 10, generator=torch.Generator().manual_seed(training.SEED)), {}
for name in ("fully connected", "DCGAN"):
    sure[name] = (features.class_probs(models[name].sample(many)).amax(dim=1) > 0.9).float().mean()
ahead = 1.5 * sure["fully connected"] < sure["DCGAN"] < 0.5
print("sure samples: over 1.5 times as many as of the connected one, but less than half:", bool(ahead))

# %% [markdown]
# Strokes instead of single pixels. A classifier is sure, at 90 %, of more than one and a half times as many samples as of the
# fully connected GAN's, but still of less than half of them. A convolution is local: what stands in the upper half of the
# start map paints the upper half of the image. So take the upper half of one
# code's map and the lower half of another's.
#
# **Predict.** Will there be a seam?

# %%
with torch.no_grad():
    start, rest = models["DCGAN"].generator[:2], models["DCGAN"].generator[2:]
    one, other = start(z[:12]), start(z[12:])  # maps of 4x4
    half = one.shape[2] // 2
    both = torch.cat([one[:, :, :half], other[:, :, half:]], dim=2)
    rows = {"one": one, "other": other, "one above other": both}
    plots.rows({name: data.unit(rest(maps)) for name, maps in rows.items()}, "Two codes, sewn together in the start map")

# %% [markdown]
# No seam: the strokes of neighbouring pixels overlap, and the layers above join what meets.
#
# ## 8.7 What BatchNorm and the first weights do
#
# Two changes, a hundred steps each: no BatchNorm at all; and weights ten times as large in every convolution *that BatchNorm
# follows*. The second pair of networks computes at first what DCGAN's computes: BatchNorm divides the ten out again.
#
# **Predict.** Will it also learn the same?

# %% tags=["training"]
def enlarged(network):
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is None:  # BatchNorm follows
            layer.weight.data *= 10
    return network


play("no BatchNorm", convolutional(replace(config, batch_norm=False)), steps=100)
play("weights × 10", map(enlarged, convolutional(config)), steps=100)

# %%
def first_steps(*names):
    return {name: (curves[name][0][:3], curves[name][1][:3]) for name in names}


first = first_steps("DCGAN", "no BatchNorm", "weights × 10")
plots.lines(first, "The first hundred steps", "step", "FID")
behind = {name: (fid[1] > first["DCGAN"][1][1] * 1.2, fid[2] > first["DCGAN"][1][2] * 1.2) for name, (_, fid) in first.items()}
print("weights × 10 are behind at step 50:", behind["weights × 10"][0])
print("no BatchNorm is behind at step 100:", behind["no BatchNorm"][1])

# %% [markdown]
# Larger weights before BatchNorm do not change what the network computes. They change how fast it learns. A step of
# Adam has the size of the learning rate: for a weight ten times as large it is ten times too small. Look at step 50.
# First weights and learning rate belong together. Without BatchNorm the small signal of 8.2 costs little here, for
# these networks have only three layers; after a hundred steps they are behind. (At step 0 the curves may differ: FID is
# measured in evaluation mode, in which BatchNorm has not seen any batch yet.)

# %% [markdown]
# **Question 1.** Somebody concludes: "Without BatchNorm a DCGAN does not train." These runs have a hundred steps, one
# learning rate and one set of first weights. Which two other explanations do they leave open, and which runs would tell
# them apart?

# %% [markdown] answer="dc-q1"
# Your answer.

# %% [markdown]
# ## 8.8 A loss that does not fall silent
#
# When the discriminator takes a fake image for real, cross-entropy is content, and the generator gets no gradient from
# it, even if the image lies far from all real ones. Least squares ask for a *distance* to a target, b for real and a
# for fake images:
#
# $$L_D = \tfrac12 \mathbb{E}\big[(D(x) - b)^2\big] + \tfrac12 \mathbb{E}\big[(D(G(z)) - a)^2\big], \qquad
# L_G = \tfrac12 \mathbb{E}\big[(D(G(z)) - c)^2\big]$$
#
# with $a = 0$, $b = c = 1$. **Predict.** How strongly does each loss pull at an image whose logit is 8?

# %%
logits = torch.linspace(-8, 8, 161, requires_grad=True)
losses = {"cross-entropy": nn.functional.softplus(-logits), "least squares": (logits - 1).square() / 2}
pulls = {name: torch.autograd.grad(loss.sum(), logits)[0].abs() for name, loss in losses.items()}
panels = {
    "loss of the generator": {name: (logits, loss) for name, loss in losses.items()},
    "pull: size of its gradient": {name: (logits, pull) for name, pull in pulls.items()},
}
plots.panels(panels, x="what D says of a fake image", y=("nats; squares", "the same, per logit"))

# %%
check("ls-1")  # starter/dcgan.py, least_squares_discriminator_loss

# %%
check("ls-2")  # starter/dcgan.py, least_squares_generator_loss

# %% [markdown]
# At large logits cross-entropy falls silent, and least squares pull *back*. An image that D finds too good is moved
# towards the generator's target, the number that D is asked to give to real images.
#
# ## 8.9 LSGAN
#
# The same networks, with the same first weights, and the two losses exchanged: `GAN` takes them as arguments.
#
# **Predict.** Where will the new curve lie?

# %% tags=["training"]
least_squares = {"d_loss": dcgan.least_squares_discriminator_loss, "g_loss": dcgan.least_squares_generator_loss}
play("LSGAN", convolutional(config), run="lsgan", **least_squares)
runs.measure("lsgan", images, lambda count: models["LSGAN"].sample(models["LSGAN"].noise(count)))

# %%
family = ("fully connected", "DCGAN", "LSGAN")
shown = {f"{name}: {curves[name][1][-1]:.1f}": curves[name] for name in family}
plots.lines(shown, "Distance to real images: lower is better", "step", "FID", levels=level)
training.within("lab 8 FID of the LSGAN", curves["LSGAN"][1][-1])
ends = {name: curves[name][1][-1] for name in family}
print("at most a fifth of the connected one's FID:", max(ends["DCGAN"], ends["LSGAN"]) < ends["fully connected"] / 5)

# %%
plots.rows({name: models[name].sample(z[:12]) for name in family}, "The same twelve codes")

# %%
@torch.no_grad()
def says(model, training):
    """What the discriminator says of real and of fake images, batch by batch as in training."""
    x, fake = data.signed(images.pixels(slice(512))), model.eval().generator(model.noise(512))
    judge = copy.deepcopy(model.discriminator).train(training)
    return {name: torch.cat([judge(part) for part in all_.split(64)]) for name, all_ in (("real", x), ("fake", fake))}


def histograms(outputs):
    edges = torch.linspace(min(map(torch.min, outputs.values())), max(map(torch.max, outputs.values())), 31)
    return {name: (edges[1:], torch.histogram(out, edges)[0]) for name, out in outputs.items()}


said = {"DCGAN, in training": says(models["DCGAN"], True), "DCGAN, in evaluation": says(models["DCGAN"], False)}
said["LSGAN, in training"] = says(models["LSGAN"], True)
plots.panels({name: histograms(outputs) for name, outputs in said.items()}, x="what D says", y="images of 512")
middle = {name: (outputs["real"].median(), outputs["fake"].median()) for name, outputs in said.items()}
print("in training: real above 0, fake below:", bool(middle["DCGAN, in training"][0] > 0 > middle["DCGAN, in training"][1]))
print("in evaluation both below:", bool(max(middle["DCGAN, in evaluation"]) < 0))

# %% [markdown]
# The LSGAN's discriminator answers around and between its targets, 0 and 1; the DCGAN's gives log-odds. Look at their
# sign. In training a batch is all real or all fake, and BatchNorm takes the mean of *that* batch away: real images lie
# above 0, fakes below. In evaluation mode one running mean serves both, and even real images get negative log-odds.
# Such a discriminator is no judge of single images. And FID? From fully connected to convolutional it falls to a fifth
# or less. The two losses lie close together. On photographs the authors of LSGAN report better images and steadier
# training.
#
# **Question 2.** One run each, one seed: may you write "LSGAN is no better than DCGAN on these digits"? Describe the
# experiment that would let you, and say what FID cannot see.

# %% [markdown] answer="dc-q2"
# Your answer.

# %% [markdown]
# ## 8.10 How large a code?
#
# Reports use codes of 10, 100 and 2000 numbers. Ten images of a digit differ in a handful of ways. Is a code of 2000 numbers
# 200 times as rich? What will it cost?

# %%
codes = ["10 numbers", "100 numbers", "2000 numbers"]
guesses.predict("dc-code", "Which code gives the worst FID after a hundred steps?", codes)

# %% tags=["training"]
for latent_dim in (100, 2000):
    play(f"{latent_dim} numbers", convolutional(replace(config, latent_dim=latent_dim)), 100, latent_dim)
curves["10 numbers"] = curves["DCGAN"]

# %%
plots.lines(first_steps(*codes), "The size of the code", "step", "FID")
guesses.outcome("dc-code", max(codes, key=lambda name: first_steps(name)[name][1][-1]))

# %% [markdown]
# In a hundred steps 2000 numbers give no better digits. They start later, and the first layer alone has 2 million weights: what
# a code can say is limited by the generator. Exercise 3 asks for the other end.

# %% [markdown]
# ## 8.11 A square of codes
#
# Four codes are the corners; everything between them is a mixture with weights $w_{ij}$:
#
# $$z(s, t) = \sum_{ij} w_{ij} z_{ij} \Big/ \sqrt{\textstyle\sum_{ij} w_{ij}^2}, \qquad w_{ij} = s_i\, t_j$$
#
# **Predict.** Without the root, in the middle: the mean of four independent codes of $N(0, I)$. What is its variance,
# and has the generator ever seen such a code?
#
# **Change a number.** Set `numbers` to 2, then to 100, and run the cell again. How much of one curve lies under the
# other?

# %%
numbers = 10  # try 2, 100
drawn, mixed = torch.randn(2000, numbers), torch.randn(2000, 4, numbers).mean(dim=1)
lengths = torch.linspace(0, 7 * (numbers / 10) ** 0.5, 50)
clouds = {"drawn": drawn, "mean of four": mixed}
density = {n: (lengths[1:], torch.histogram(c.norm(dim=1), lengths, density=True)[0]) for n, c in clouds.items()}
plots.lines(density, f"How long is a code of {numbers} numbers?", "length of z", "density")

# %%
check("dc-5")  # starter/dcgan.py, interpolate_2d

# %%
model = models["DCGAN"]
many = torch.randn(500, 10, generator=torch.Generator().manual_seed(training.SEED))
sure = features.class_probs(model.sample(many))
corners = [many[sure[:, digit].argmax()] for digit in (0, 3, 6, 9)]
square = dcgan.interpolate_2d(*corners, steps=9)
plots.grid(model.sample(square.flatten(0, 1)), "Clear digits in the corners; s grows downwards, t to the right", 9, inches=0.5)

# %% tags=["nbval-ignore-output"]
fine = dcgan.interpolate_2d(*corners, steps=21)


def at(st):  # (N, 2) from -1 to 1, in steps of 0.1
    row, column = ((st + 1) * 10).round().long().T
    return model.sample(fine[row, column])


widgets.explore_latent(at, torch.zeros(2), span=1.0, title="Through the middle: downwards (1) and to the right (2)")

# %% [markdown]
# ## 8.12 What stood there?
#
# So far codes were drawn. A code can also be *sought*: show the upper third of an image, and ask which code draws it. What
# the same code draws below is then a proposal for what stood there. Yeh et al. filled faces so.
#
# **Predict.** The code pays for the pixels that are known, and the search starts at a drawn one. Start at another: will it
# end with the same proposal? And what if a code has to pay for its length, too? No formula this time, only a contract in
# the docstring.

# %%
check("dc-6")  # starter/dcgan.py, inpaint

# %%
strangers = data.load(split="test").pixels(slice(60))  # the generator has never met them
generator, starts = models["DCGAN"].average.module, torch.randn(2, 60, 10)
height, width = images.shape[1:]
upper = (torch.arange(height) < height // 3).reshape(1, 1, -1, 1).expand(1, 1, height, width)
holes = torch.where(upper, strangers, 0.5)
filled = {prior: [dcgan.inpaint(generator, holes, upper, z, prior) for z in starts] for prior in (0.0, 1.0)}

# %%
pictures = {"given": holes}
for prior, pair in filled.items():
    pictures |= {f"prior {prior:.0f}, start {i}": found.images for i, found in enumerate(pair, start=1)}
pictures["what stood there"] = strangers
plots.rows({name: picture[:12] for name, picture in pictures.items()}, "The upper third is given, the rest is proposed")

# %%
def apart(one, other):
    return (one - other).square().sum((1, 2, 3)).mean()


two = {prior: apart(*(found.images for found in pair)) for prior, pair in filled.items()}
off = {prior: sum(apart(found.images, strangers) for found in pair) / 2 for prior, pair in filled.items()}
long = {prior: pair[0].codes.norm(dim=1).mean() for prior, pair in filled.items()}
print("with the prior two starts agree more:", bool(two[1.0] < two[0.0]))
print("and their proposals are nearer to what stood there:", bool(off[1.0] < off[0.0]))
print("its codes are shorter than drawn ones:", bool(long[1.0] < starts.norm(dim=2).mean()))

# %% [markdown]
# An upper third fits many digits, and without the prior the start decides which one is proposed. Half the square of a
# code's length is, up to a constant, minus the log of its density under $N(0, I)$. So with the prior the search climbs
# towards *the most probable* code, given what is known. Starts agree more, and proposals are on average nearer; but they
# are no longer draws. (The squared error also rewards what draws little: some of the nearer proposals are nearly empty.)
#
# If *all* is known, nothing is left to propose, and the search asks something else: what can this generator draw at all?
#
# **Predict.** Its own samples, images of its training set, test images, and test images upside down: for which of them is
# a code found? FID does not tell whether a generator repeats its training set. Does this?

# %%
def distances(x):
    """Of the nearest image found for each x, sorted."""
    found = dcgan.inpaint(generator, x, torch.ones_like(upper), starts[0], prior=0.0)
    with torch.no_grad():
        return (data.unit(generator.eval()(found.codes)) - x).square().sum((1, 2, 3)).sort().values


sets = {"own samples": models["DCGAN"].sample(torch.randn(60, 10)), "training set": images.pixels(slice(60))}
sets |= {"test images": strangers, "test images, upside down": strangers.flip(2)}
nearest = {name: distances(x) for name, x in sets.items()}
curves_of = {name: (d, torch.arange(1, 61)) for name, d in nearest.items()}
plots.lines(curves_of, "How near does the generator come?", "squared distance of the image found, pixels", "of 60 images")

# %%
middle = {name: d.median() for name, d in nearest.items()}
print("its own samples are found, or nearly so:", bool(middle["own samples"] < middle["test images"] / 5))
ratio = middle["training set"] / middle["test images"]
print("images it was trained on are about as near as others, within a third:", bool(2 / 3 < ratio < 3 / 2))
print("upside down they are farther away:", bool(middle["test images, upside down"] > 1.4 * middle["test images"]))

# %% [markdown]
# The codes of its own samples are found, so it is not the search that fails for the others. Images that it was trained on
# are about as near as images that it never met (of 60 each, the medians differ by luck, too): it has learned how digits
# look, and does not keep its training set by heart. Digits upside down are farther away.

# %% [markdown]
# ## 8.13 One minute, and longer
#
# The lowest row is drawn by the system `dcgan-mnist` of the course: networks as in this lab with 128 and 64 channels, 20
# epochs on MNIST at 28×28. It took 16 minutes of one core (`python -m starter reproduce dcgan-mnist` does it again). In the
# features of a classifier of digits its FID is 1.17, and that of lab 7's `gan-mlp`, which took 18 minutes, is 0.49: even
# strokes are no proof of a low FID.

# %%
guesses.summary("dc", "dcgan-mnist", "mnist")

# %% [markdown]
# ## 8.14 Exercises
#
# 1. **Seeds.** Run the notebook with SEED=1, 2, 3 (an environment variable). Which of its statements survive?
# 2. **Another coding.** Train the LSGAN with $a = -1$, $b = 1$, $c = 0$. What does the generator now want to hear?
# 3. **Short codes.** Train DCGANs with 1, 2, 3 and 5 numbers, and look at their samples. What is missing first?

# %% [markdown]
# ## References
#
# - Radford, Metz & Chintala 2016, *Unsupervised representation learning with deep convolutional generative adversarial
#   networks*, ICLR.
# - Mao et al. 2017, *Least squares generative adversarial networks*, ICCV.
# - Ioffe & Szegedy 2015, *Batch normalization*, ICML.
# - Odena, Dumoulin & Olah 2016, *Deconvolution and checkerboard artifacts*, Distill.
# - Agustsson et al. 2019, *Optimal transport maps for distribution preserving operations on latent spaces of generative
#   models*, ICLR.
# - Yeh et al. 2017, *Semantic image inpainting with deep generative models*, CVPR.
# - Bora et al. 2017, *Compressed sensing using generative models*, ICML: a search for a code, and what its length costs.
