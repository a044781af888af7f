# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 · Autoencoder
#
# A network squeezes an image through a few numbers, the *code*, and rebuilds the image from them. Afterwards you can
#
# - follow the shape of an image through an encoder, and build the decoder that undoes it;
# - choose a loss, a size of the code and a learning rate, and recognise a run that has stalled;
# - read a latent space, walk through it, and use it against noise;
# - say why an autoencoder cannot invent new images: the reason for lab 2.
#
# **Time:** 140 minutes. **Before:** Python, PyTorch basics. **Your part:** seven blanks in
# [starter/autoencoder.py](../starter/autoencoder.py), two written answers here. Words: [glossary](../docs/glossary.md).

# %% tags=["setup"]
# %load_ext autoreload
# %autoreload 2
import sys

sys.path.append("..")
import torch

from starter.support.checks import check  # first: it explains a module that does not parse
from starter.support import data, diagrams, full, guesses, nets, plots, runs, training
from starter import autoencoder as ae

# %% [markdown]
# **Where this leads.** An autoencoder with a code of 32 numbers, after 50 epochs on MNIST. The first and the last row are
# test images that went through the code; between them the code moves from one to the other in a straight line. Which
# images on the way are digits, and which are none? (Where a kernel runs, the slider goes along the way.)

# %%
full.preview("ae-gelu-32", "mnist")

# %%
diagrams.show("autoencoder")

# %% [markdown]
# ## 1.1 An image is many numbers; a digit is few
#
# Draw every pixel at random, and you get noise, however often you try. Images of digits are a thin sheet in the space
# of all images. An autoencoder looks for coordinates on that sheet:
#
# $$x \;\xrightarrow{\ \text{encoder}\ }\; z \;\xrightarrow{\ \text{decoder}\ }\; \hat x$$
#
# **Predict.** How many numbers $z$ would *you* need to describe one of these digits to a friend who must redraw it?

# %%
train, test = data.load(), data.load(split="test")
x = test.pixels()  # float32 (N, C, H, W), every pixel in [0, 1]
torch.manual_seed(training.SEED)
noise = torch.rand(12, *train.shape)
plots.rows({"digits": x[:12], "random": noise}, f"Two kinds of points in a space of {x[0].numel()} dimensions")

# %% [markdown]
# ## 1.2 The way in: what a convolution does to a shape
#
# A convolution with kernel size $k$, stride $s$ and padding $p$ turns $H$ rows into
#
# $$H_{\text{out}} = \Big\lfloor \frac{H + 2p - k}{s} \Big\rfloor + 1$$
#
# and the same for the columns. A stride of 2 skips every other position: the image shrinks to about half.
#
# **Predict.** $k=3$, $s=2$, $p=1$: how many rows do 15 rows become? And 16?

# %%
sizes = range(5, 21)
outputs = {}
for stride in (1, 2, 3):
    conv = torch.nn.Conv2d(1, 1, kernel_size=3, stride=stride, padding=1)
    outputs[f"stride {stride}"] = (sizes, [conv(torch.zeros(1, 1, n, n)).shape[2] for n in sizes])
plots.lines(outputs, "Rounding down makes stairs", "rows in", "rows out", style="o-")

# %% [markdown]
# 15 and 16 stand on the same step: both become 8. An encoder is a *plan*, a list of such convolutions. Fill in
# `feature_shapes`, which follows one image through a plan.

# %%
check("ae-1")  # starter/autoencoder.py, feature_shapes

# %% [markdown]
# Our plan has two convolutions; one linear layer then maps their output to the code. Where is the bottleneck?

# %%
plan = (nets.Conv(train.shape[0], 16, stride=2), nets.Conv(16, 32, stride=2))
shapes = ae.feature_shapes(train.shape, plan)
stages = {"×".join(map(str, shape)): shape[0] * shape[1] * shape[2] for shape in shapes}
plots.bars({**stages, "code": 16}, "Numbers at every stage (channels × rows × columns)", "numbers", digits=0)

# %% [markdown]
# Convolutions do not compress here: they trade rows and columns for channels. Only the last step is narrow.

# %% [markdown]
# ## 1.3 The way back
#
# A transposed convolution undoes the shape of a convolution:
#
# $$H_{\text{out}} = (H - 1)\,s - 2p + k + \text{output padding}$$
#
# But two sizes shared a step of the stairs. Which one to return to is what `output_padding` says.
#
# **Predict.** 8 rows, $k=3$, $s=2$, $p=1$. Which output padding leads to 15, which to 16?

# %%
sizes, outputs = range(3, 11), {}
for extra in (0, 1):
    back = torch.nn.ConvTranspose2d(1, 1, kernel_size=3, stride=2, padding=1, output_padding=extra)
    outputs[f"output padding {extra}"] = (sizes, [back(torch.zeros(1, 1, n, n)).shape[2] for n in sizes])
plots.lines(outputs, "Without output padding only odd sizes come back", "rows in", "rows out", style="o-")

# %%
check("ae-2")  # starter/autoencoder.py, mirror

# %% [markdown]
# With both plans we have an autoencoder. It is untrained: the shapes fit, the pictures do not.

# %%
config = nets.ConvConfig(train.shape, plan, latent_dim=16, batch_norm=True)
torch.manual_seed(training.SEED)
model = ae.Autoencoder.from_config(config).eval()
print("shapes agree:", model(x[:12]).shape == x[:12].shape)
plots.rows({"x": x[:12], "untrained": model.reconstruct(x[:12])})

# %% [markdown]
# ## 1.4 How wrong is a reconstruction?
#
# The decoder ends in numbers without bounds, *logits*; $p = \sigma(\text{logit})$ is a pixel. Cross-entropy reads the
# target as a probability too:
#
# $$-\sum_i \big[x_i \log p_i + (1 - x_i)\log(1 - p_i)\big]$$
#
# The alternative is the squared error. **Predict.** The target is white, $x = 1$, and the network is sure of black, logit
# $-6$. Which of the two losses pulls harder?
#
# **Change a number.** Set `target` to 0.5, a grey pixel, then to 0, and run the cell again. Look at the lowest value
# of each curve on the left: which loss does not come down to 0, and at which target?

# %%
target = 1.0  # try 0.5, 0
logit = torch.linspace(-8, 8, 200)
p = logit.sigmoid()
entropy, square = -target * p.log() - (1 - target) * (1 - p).log(), (target - p) ** 2
loss = {"cross-entropy": (logit, entropy), f"({target:g} - p)²": (logit, square)}
slope = {"cross-entropy": (logit, p - target), f"({target:g} - p)²": (logit, -2 * (target - p) * p * (1 - p))}
panels = {f"loss at target {target:g}": loss, "its slope": slope}
plots.panels(panels, x="logit", y=("nats; squared pixels", "the same, per unit of logit"))

# %% [markdown]
# Cross-entropy pulls with nearly full force: its slope is $p - x \approx -1$. The squared error behind a sigmoid is
# flat exactly where the error is largest, so a confident mistake is corrected last. That is why our `"mse"` has no
# sigmoid: there the output *is* the pixel.
#
# Sum over the pixels of an image, then average over the images: the convention of the whole course.

# %%
check("ae-3")  # starter/autoencoder.py, reconstruction_loss

# %% [markdown]
# Two numbers to compare with, before training. Answering every image with the *mean image* needs no code at all. And
# a *perfect* answer does not reach zero: the cross-entropy of a grey pixel with itself is its entropy.
#
# Where between the two will 16 numbers land?

# %%
mean_image = train.pixels().mean(dim=0).expand_as(x)
perfect = ae.reconstruction_loss(x.logit(eps=1e-6), x, "bce").item()
ignorant = ae.reconstruction_loss(mean_image.logit(eps=1e-6), x, "bce").item()
levels = {f"mean image {ignorant:.0f}": ignorant, f"perfect {perfect:.0f}": perfect}
places = ["nearer to the mean image", "about half-way", "nearer to the perfect answer"]
guesses.predict("ae-sixteen", "Where will the test loss of 16 numbers lie?", places)

# %% tags=["training"]
@torch.no_grad()
def test_loss(model):
    return model.terms(x).loss.item()


history = training.fit(model, train, steps=300, lr=3e-3, run="autoencoder")  # lab 11 will ask for it
steps = range(history.steps)
curve = {"training batches": (steps[10:], history.terms["loss"][10:])}
plots.lines(curve, f"Test loss {test_loss(model):.1f}", "step", "nats per image", levels)
training.within("reconstruction loss", test_loss(model))
share = (ignorant - test_loss(model)) / (ignorant - perfect)
guesses.outcome("ae-sixteen", places[(share > 0.4) + (share > 0.6)])

# %% [markdown]
# ## 1.5 What survives
#
# 16 numbers close most of the gap. Look at what they keep, and at what they lose. These are test images: the network
# has never seen them.

# %%
x_hat = model.reconstruct(x[:12])
plots.rows({"x": x[:12], "from 16 numbers": x_hat, "|difference|": (x_hat - x[:12]).abs()})

# %% [markdown]
# Position, slant and most classes survive; the details of a stroke do not. The third image, a 5, comes back as what
# could be a 9.
#
# **Question 1.** Give the code as many numbers as the image has pixels. What will the loss be, and what will the network
# have learned about digits? Describe an experiment with these test images and random noise that would tell.

# %% [markdown] answer="ae-q1"
# Your answer.

# %% [markdown]
# ## 1.6 How narrow may it be?
#
# A fully connected encoder and decoder train in a second or two, so let us try many sizes of code.
#
# The loss falls with every number you add. Where does the curve bend?

# %%
bends = ["4", "16", "64, or later"]
guesses.predict("ae-bend", "From which size of code on does doubling it gain less than 5 nats?", bends)

# %% tags=["training"]
def fully_connected(latent_dim, hidden=(256,), **kwargs):
    torch.manual_seed(training.SEED)
    encoder = nets.mlp_encoder(train.shape, hidden, latent_dim)
    return ae.Autoencoder(encoder, nets.mlp_decoder(latent_dim, hidden[::-1], train.shape), **kwargs)


dims = [1, 2, 4, 8, 16, 32, 64]
models = {latent_dim: fully_connected(latent_dim) for latent_dim in dims}
for narrow in models.values():
    training.fit(narrow, train, steps=360, lr=3e-3)
losses = [test_loss(narrow) for narrow in models.values()]
title = "Loss against the size of the code"
plots.lines({"test": (dims, losses)}, title, "numbers in the code", "nats per image", levels, log_x=True, style="o-")
bend = next((n for n, now, doubled in zip(dims, losses, losses[1:]) if now - doubled < 5), 64)
guesses.outcome("ae-bend", bends[(bend > 4) + (bend > 16)])
print("eight numbers close more than half of the gap:", ignorant - losses[3] > (ignorant - perfect) / 2)

# %%
pictures = {str(n): models[n].reconstruct(x[:12]) for n in (1, 2, 4, 16, 64)}
plots.rows({"x": x[:12], **pictures}, "The same images from 1, 2, 4, 16 and 64 numbers")

# %% [markdown]
# The first few numbers buy most. From one number comes little more than round or straight; from four most classes, and
# with eight more than half of the gap is closed. Beyond 16 the curve is nearly flat: to this network, ten or twenty
# numbers are what these digits vary in.

# %% [markdown]
# ### A loop of your own
#
# So far `training.fit` has trained. Now build a loop yourself: there is no formula for this one, only a contract in its
# docstring. It does more than `fit`. After every epoch it asks images from which the model does not learn; and in the
# end the model has the weights of its best epoch.
#
# **Predict.** 64 numbers, and only 200 images to learn from. What will the loss of these do, and what that of a thousand others?

# %%
check("ae-7")  # starter/autoencoder.py, train

# %% tags=["training"]
network, few = fully_connected(64), list(train.pixels(slice(200)).split(32))  # six batches of 32, and one of 8
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
found = ae.train(network, optimizer, few, [x[:1000]], epochs=150)
epochs = range(1, 151)
curves = {"the 200": (epochs, found.losses), "others": (epochs, found.held_out)}
plots.lines(curves, f"The others were best after epoch {found.best + 1}", "epoch", "nats per image")
with torch.no_grad():
    ends_with = network.terms(x[:1000]).loss
print("the others were best before the end:", found.best < 149)
print("the model has the weights of that epoch:", torch.allclose(ends_with, found.held_out[found.best], rtol=1e-4))

# %% [markdown]
# The others gain for a while, and then no more: what is still learned is these 200, by heart. That is *overfitting*. The
# training loss, which goes on falling, does not tell. Keep the epoch that is best on the others, as `train` does.

# %% [markdown]
# ## 1.7 A run that learns nothing
#
# Deeper encoders are more sensitive. Here the same four convolutions are trained four times, with the squared error.
# Two runs have no batch normalisation: one at a small learning rate, one at a large rate. Two have it: one at the large
# rate, one at a third of it.
#
# **Predict.** Which curve is lowest at the end?

# %% tags=["training"]
deep = (plan[0], nets.Conv(16, 16), plan[1], nets.Conv(32, 32))
settings = {"5e-4": (5e-4, False), "3e-2": (3e-2, False), "3e-2, BatchNorm": (3e-2, True), "1e-2, BatchNorm": (1e-2, True)}
trained, curves = {}, {}
for name, (lr, batch_norm) in settings.items():
    torch.manual_seed(training.SEED)
    deeper = nets.ConvConfig(train.shape, deep, latent_dim=16, batch_norm=batch_norm)
    trained[name] = ae.Autoencoder.from_config(deeper, kind="mse")
    values = training.fit(trained[name], train, steps=300, lr=lr).terms["loss"]
    curves[name] = (range(10, len(values)), values[10:])
stuck = {"mean image": ae.reconstruction_loss(mean_image, x, "mse").item()}
plots.lines(curves, "Four settings", "step", "squared pixels per image", stuck)
ends = {name: sum(values[-50:]) / 50 for name, (_, values) in curves.items()}
print("the large rate ends no better than the mean image:", ends["3e-2"] >= stuck["mean image"])
print("with BatchNorm it ends better:", ends["3e-2, BatchNorm"] < 0.9 * stuck["mean image"])
print("a third of it, with BatchNorm, is as good as the small rate:", ends["1e-2, BatchNorm"] < 1.1 * ends["5e-4"])

# %%
plots.rows({"x": x[:12], **{name: run.reconstruct(x[:12]) for name, run in trained.items()}})

# %% [markdown]
# The large rate gets no better than the mean image: it gives the *same* answer to every input. Why? A ReLU whose input
# is negative for every image has slope 0, so its weights get no gradient any more: it is *dead*. A few large steps
# suffice. Count the dead units of every layer:

# %%
@torch.no_grad()
def dead_units(run, a=x):
    shares = []
    for layer in [*run.encoder, *run.decoder]:
        a = layer(a)  # from layer to layer through the whole autoencoder
        if isinstance(layer, torch.nn.ReLU):
            shares.append(100 * (a.amax(dim=0) <= 0).float().mean().item())
    return range(1, len(shares) + 1), shares


shares = {name: dead_units(run) for name, run in trained.items()}
plots.lines(shares, "Dead units", "ReLU layer", "% of units", style="o-")

# %% [markdown]
# Where nearly all units of a layer are dead, hardly anything of the image passes, and hardly any gradient comes back.
# Batch normalisation centres the inputs of every ReLU, so that some are positive for some images: with it, the same large rate
# does learn. It is still too large to be good; a third of it, twenty times the small rate, does as well as the small one.

# %% [markdown]
# ## 1.8 A map with two coordinates
#
# With a code of two numbers we can look at all of it. The labels were not used in training.
#
# **Predict.** Which classes will overlap?

# %% tags=["training"]
flat = fully_connected(2, hidden=(256, 128))
training.fit(flat, train, steps=720, lr=2e-3)
with torch.no_grad():
    codes = flat.encoder(x)
plots.scatter({"codes of test images": (codes, test.y)})

# %% [markdown]
# Images that look alike lie together, although nobody told the network what a class is. But look at the axes: some
# classes are cramped, others stretch over many units, and there is empty land between them. Remember this for 1.11.

# %% [markdown]
# ## 1.9 Between two images
#
# On the line between two codes,
#
# $$z_k = (1 - t_k)\, z_\text{start} + t_k\, z_\text{end}, \qquad t_k = \frac{k}{\text{steps} - 1}$$
#
# **Predict.** What stands halfway between the *pixels* of two images? And what halfway between their codes?

# %%
check("ae-4")  # starter/autoencoder.py, interpolate

# %%
steps, start, end = 12, x[11:12], x[5:6]
fade = ae.interpolate(start.flatten(1), end.flatten(1), steps).reshape(steps, *train.shape)
with torch.no_grad():
    path = ae.interpolate(model.encoder(start), model.encoder(end), steps).flatten(0, 1)  # (steps, latent_dim)
    plots.rows({"pixels": fade, "codes": model.images(path)}, "From one image to another")

# %% [markdown]
# Pixels fade: halfway, both images shine through each other. Codes bend one shape into the other, more or less: the
# decoder was never asked what lies between.

# %% [markdown]
# ## 1.10 Noise in, no noise out
#
# A denoising autoencoder sees a corrupted image and must return the clean one. It can no longer copy; it must know what
# digits look like. First the corruption:
#
# $$\tilde x = \operatorname{clip}(x + \sigma\,\epsilon,\ 0,\ 1), \qquad \epsilon \sim \mathcal N(0, I)$$
#
# **Predict.** Up to which $\sigma$ will *you* read the digits?

# %%
check("ae-5")  # starter/autoencoder.py, corrupt

# %%
torch.manual_seed(training.SEED)
eps = torch.randn_like(x)
plots.rows({f"σ = {sigma}": ae.corrupt(x[:12], eps[:12], sigma) for sigma in (0, 0.25, 0.5, 1.0)})

# %% [markdown]
# Now the loss: which image goes in, and which one is the target? Then the same network is trained twice, once with
# each loss, and both get the same noisy test images.

# %%
check("ae-6")  # starter/autoencoder.py, denoising_loss

# %% tags=["training"]
noisy, errors, answers = ae.corrupt(x, eps, 0.5), {}, {}
for name, network in {"plain": fully_connected(16), "denoising": fully_connected(16, sigma=0.5)}.items():
    training.fit(network, train, steps=480, lr=2e-3)
    answers[name] = network.reconstruct(noisy[:12])
    with torch.no_grad():
        errors[name] = ae.denoising_loss(network, x, eps, 0.5).item()
title = f"Loss against the clean image: plain {errors['plain']:.0f}, denoising {errors['denoising']:.0f}"
plots.rows({"x": x[:12], "noisy": noisy[:12], **answers}, title)
training.within("denoising loss", errors["denoising"])

# %% [markdown]
# The plain autoencoder takes noise for ink. The denoising one pushes every image back onto the sheet of digits, even if
# that means a wrong guess now and then. Keep the idea in mind: diffusion models are built on it.

# %% [markdown]
# ## 1.11 Can it invent a digit?
#
# A decoder turns any code into a picture. So draw a code at random and decode it: a generator?
#
# **Predict.** What will codes from $\mathcal N(0, I)$ look like, decoded?
#
# **Change a number.** The codes of the last row have the mean of real codes, and `width` times their spread. Set
# `width` to 0.3, then to 2, and run the cell again. Look at the last row: what becomes of the strokes, and how much
# do the twelve images differ?

# %%
width = 1.0  # try 0.3, 2
torch.manual_seed(training.SEED)
with torch.no_grad():
    z = model.encoder(train.pixels())
    spread = z.mean(dim=0) + width * z.std(dim=0) * torch.randn(12, z.shape[1])  # right place, right width
    random = {"N(0, I)": model.images(torch.randn(12, 16)), "fitted N": model.images(spread)}
plots.rows({"reconstructed": model.reconstruct(x[:12]), **random}, "Codes of images, and codes drawn at random")
runs.measure("autoencoder", train, lambda n: model.images(z.mean(dim=0) + z.std(dim=0) * torch.randn(n, 16)))

# %% [markdown]
# Codes from $\mathcal N(0, I)$ decode to grey smudges: the codes of images lie further out. A normal distribution of
# the right place and width gives fragments, and only now and then a digit. In two dimensions we see a first reason, and
# with 16 there is far more empty space:

# %%
torch.manual_seed(training.SEED)
drawn = codes.mean(dim=0) + codes.std(dim=0) * torch.randn(300, 2)
clouds = {"codes of images": (codes, test.y), "N(0, I)": torch.randn(300, 2), "fitted N": drawn}
plots.scatter(clouds, "Where the decoder has been trained, and where we ask it")

# %%
plots.manifold(flat.images, "The plane of the codes, decoded evenly", span=codes.abs().max().item())

# %% [markdown]
# The loss only ever asks for $\hat x \approx x$. It says nothing about where codes lie, and nothing about what is decoded
# between them.
#
# **Question 2.** The autoencoder rebuilds unseen test images well, and yet decodes random codes to nonsense. Explain
# how both can be true. Which two demands on the codes would make random codes decode to digits?

# %% [markdown] answer="ae-q2"
# Your answer.

# %% [markdown]
# ## 1.12 Neighbours, and strangers
#
# A code is good for more than rebuilding. *Retrieval*: find the images that are most like a given one, by the distance of 256
# pixels, or by that of 16 numbers.
#
# Which of the two finds more images of the same class among the five nearest?

# %%
finders = ["clearly the pixels", "clearly the codes", "both about as well"]
guesses.predict("ae-neighbours", "Which distance finds more neighbours of the same class?", finders)

# %%
known, wanted = train.pixels(slice(4000)), x[:1000]
with torch.no_grad():
    places = {"pixels": (wanted.flatten(1), known.flatten(1)), "codes": (model.encoder(wanted), model.encoder(known))}
nearest = {name: torch.cdist(*pair).topk(5, largest=False).indices for name, pair in places.items()}
same = {name: 100 * (train.y[found] == test.y[:1000, None]).float().mean().item() for name, found in nearest.items()}
rows = {"asked for": wanted[1:13], **{f"by {name}": known[found[1:13, 0]] for name, found in nearest.items()}}
plots.rows(rows, ", ".join(f"by {name}: {share:.0f} % of the same class" for name, share in same.items()))
ahead = same["codes"] - same["pixels"]
guesses.outcome("ae-neighbours", finders[2 if abs(ahead) < 4 else int(ahead > 0)])

# %% [markdown]
# Sixteen numbers find neighbours as well as all the pixels do, and a list of a million images holds a sixteenth of the
# numbers.
#
# *Strangers*: images unlike all that it has learned should be rebuilt badly. Then the loss could warn us. Its part above the
# floor of 1.4, for images that the network has never seen the like of:
#
# **Predict.** Which of them will look familiar to it?

# %%
def above_floor(images):
    floor = torch.nn.functional.binary_cross_entropy(images, images, reduction="none").flatten(1).sum(dim=1).mean()
    with torch.no_grad():
        return (model.terms(images).loss - floor).item()


scrambled = torch.randperm(x[0].numel(), generator=torch.Generator().manual_seed(training.SEED))
drawn = data.resized(data.load("shapes"), train.shape[1]).pixels(slice(500))
strangers = {"digits": x[:500], "mirrored": x[:500].flip(3), "upside down": x[:500].flip(2), "drawn shapes": drawn}
strangers["pixels shuffled"] = x[:500].flatten(1)[:, scrambled].reshape(x[:500].shape)
losses = {name: above_floor(images) for name, images in strangers.items()}
plots.bars(losses, "What test digits and strangers cost above the floor", "nats per image")
pairs = {name: torch.stack([some[:6], model.reconstruct(some[:6])], dim=1) for name, some in strangers.items()}
plots.rows({name: pair.flatten(0, 1) for name, pair in pairs.items()}, "Each image, and what comes back")
print("drawn shapes cost less than digits:", losses["drawn shapes"] < losses["digits"])
print("mirrored digits cost about twice as much:", 1.6 < losses["mirrored"] / losses["digits"] < 2.6)

# %% [markdown]
# Shuffled pixels are found out at once, and mirrored digits cost about twice as much as real ones. But the drawn
# shapes, which are no digits at all, cost *less* than digits: they have less ink, so that even a poor copy of them costs
# little. A low loss says "easy", and not "known".

# %% [markdown]
# ## 1.13 The same with photographs
#
# Nothing above knows about digits. Two photographs come with scikit-learn. Cut the picture of a flower into small
# colour patches, train on them, and rebuild a picture of a temple, patch by patch.
#
# **Predict.** Each patch of 768 numbers becomes 24, and the network has never seen a roof or a sky. What will get lost?

# %%
from sklearn.datasets import load_sample_image


def patches(name, size=16):
    photo = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)  # uint8 (3, 427, 640)
    blocks = photo.unfold(1, size, size).unfold(2, size, size)  # (3, 26, 40, size, size)
    return blocks.permute(1, 2, 0, 3, 4).flatten(0, 1).contiguous()  # (26 * 40, 3, size, size)


# %% tags=["training"]
flower = patches("flower.jpg")
photo = data.Images(flower, torch.zeros(len(flower), dtype=torch.long), levels=256, name="flower")
torch.manual_seed(training.SEED)
encoder, decoder = nets.mlp_encoder(photo.shape, (256,), 24), nets.mlp_decoder(24, (256,), photo.shape)
colour = ae.Autoencoder(encoder, decoder, kind="mse")
history = training.fit(colour, photo, steps=360, lr=2e-3)

# %%
def whole(blocks):
    return blocks.reshape(26, 40, 3, 16, 16).permute(2, 0, 3, 1, 4).reshape(3, 26 * 16, 40 * 16)


temple = patches("china.jpg") / 255
pair = torch.stack([whole(temple), whole(colour.reconstruct(temple))])
plots.grid(pair, column_labels=["temple", "from 24 numbers a patch, 1/32 of the data"], inches=3.4)

# %% [markdown]
# Light, colour and edges survive; texture and the borders of the patches do not. Other data sets need no edit either:
# prepare one with `python datasets/prepare.py fashion-mnist`, start Jupyter with `DATA=fashion-mnist`, run all.

# %% [markdown]
# One minute, and longer: in the upper row your autoencoder decodes draws from the normal distribution that 1.11 fitted to its
# codes. In the lowest row `ae-gelu-32` of the course, after 50 epochs on MNIST at 28×28, decodes 32 numbers from $\mathcal N(0, I)$.
# Its strokes are sharp, and hardly one is a digit: more training tells nobody which codes to draw. Lab 2 does.

# %%
guesses.summary("ae", "ae-gelu-32", "mnist")

# %% [markdown]
# ## 1.14 Exercises
#
# 1. **Linear.** Leave out every ReLU and train with `"mse"`. Compare with `torch.pca_lowrank` at equal code sizes. What do
#    you find, and why?
# 2. **A code as large as the image.** Carry out your experiment of question 1, once with the plain loss and once with the
#    denoising loss.
# 3. **A better lottery.** Fit one normal distribution with full covariance *per class* to the codes of 1.4, and decode
#    draws from it. What improves? What did you need that a generator should not need?

# %% [markdown]
# ## References
#
# - Hinton, Salakhutdinov 2006, *Reducing the dimensionality of data with neural networks*, Science 313.
# - Goodfellow, Bengio, Courville 2016, *Deep Learning*, chapter 14: autoencoders; 14.5 denoising, 14.6 manifolds.
# - Dumoulin, Visin 2016, *A guide to convolution arithmetic for deep learning*: relationships 6 and 14.
# - Vincent et al. 2010, *Stacked denoising autoencoders*, JMLR 11, section 3.
# - Ioffe, Szegedy 2015, *Batch normalization*, section 3.3 on large learning rates.
