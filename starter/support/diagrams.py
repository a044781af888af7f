"""What a lab builds, as boxes and arrows: numbers in round boxes, networks in blue, what is minimised in red."""

import re
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from . import plots

NUMBERS, NETWORK, LOSS = "numbers", "network", "loss"
LOOKS = {  # face, edge, rounding
    NUMBERS: ("#F2F2F2", plots.GREY, 0.18),
    NETWORK: ("#D6E8F5", plots.COLOURS[0], 0.04),
    LOSS: ("#FBE3D6", plots.COLOURS[1], 0.04),
}
WIDTH, HEIGHT = 1.25, 0.5  # of a box; columns lie 1.75 apart, rows 0.85


class Box(NamedTuple):
    text: str
    column: float
    row: float  # 0 is at the top
    kind: str = NUMBERS


class Diagram(NamedTuple):
    title: str
    boxes: dict[str, Box]
    arrows: str  # "x>encoder x|loss": from which box to which, straight, or up or down first and then across


DIAGRAMS = {
    "autoencoder": Diagram(
        "An autoencoder: through a few numbers, and back",
        {
            "x": Box("image x", 0, 0),
            "encoder": Box("encoder", 1, 0, NETWORK),
            "z": Box("code z", 2, 0),
            "decoder": Box("decoder", 3, 0, NETWORK),
            "y": Box("x̂", 4, 0),
            "loss": Box("loss", 2, 1, LOSS),
        },
        "x>encoder encoder>z z>decoder decoder>y x>loss y>loss",
    ),
    "vae": Diagram(
        "A VAE: the encoder gives a distribution, noise picks a code from it",
        {
            "x": Box("image x", 0, 0),
            "encoder": Box("encoder", 1, 0, NETWORK),
            "q": Box("μ, log σ²", 2, 0),
            "eps": Box("noise ε", 3, -1),
            "z": Box("z = μ + σ ε", 3, 0),
            "decoder": Box("decoder", 4, 0, NETWORK),
            "kl": Box("KL(q || p)", 2, -1, LOSS),
            "nll": Box("−log p(x | z)", 4, 1, LOSS),
        },
        "x>encoder encoder>q q>z eps>z z>decoder decoder>nll x|nll q>kl",
    ),
    "beta_vae": Diagram(
        "A β-VAE: one number weighs the rate against the distortion",
        {
            "x": Box("image x", 0, 0),
            "encoder": Box("encoder", 1, 0, NETWORK),
            "z": Box("z ~ q(z | x)", 2, 0),
            "decoder": Box("decoder", 3, 0, NETWORK),
            "rate": Box("rate R", 1, 1, LOSS),
            "beta": Box("× β", 2, 1),
            "distortion": Box("distortion D", 4, -1, LOSS),
            "loss": Box("D + β R", 4, 1, LOSS),
        },
        "x>encoder encoder>z z>decoder decoder>distortion x|distortion encoder>rate rate>beta beta>loss "
        "distortion>loss",
    ),
    "flow_vae": Diagram(
        "A flow VAE: maps with a known determinant, between encoder and decoder and in the prior",
        {
            "x": Box("image x", 0, 0),
            "encoder": Box("encoder", 1, 0, NETWORK),
            "z0": Box("z₀ ~ N(μ, σ²)", 2, 0),
            "flow": Box("flow", 3, 0, NETWORK),
            "zk": Box("z", 4, 0),
            "decoder": Box("decoder", 4, -1, NETWORK),
            "prior": Box("flow to N(0, I)", 4, 1, NETWORK),
            "kl": Box("log q(z) − log p(z)", 3, 1, LOSS),
            "nll": Box("−log p(x | z)", 3, -1, LOSS),
        },
        "x>encoder encoder>z0 z0>flow flow>zk zk>decoder zk>prior flow>kl prior>kl decoder>nll x|nll",
    ),
    "realnvp": Diagram(
        "A coupling: one half passes, and says how the other half is scaled and shifted",
        {
            "x1": Box("x₁", 0, 0),
            "x2": Box("x₂", 0, 2),
            "net": Box("network", 1, 1, NETWORK),
            "st": Box("log s, t", 2, 1),
            "z1": Box("z₁ = x₁", 3, 0),
            "z2": Box("z₂ = x₂ s + t", 3, 2),
            "det": Box("log det = Σ log s", 3, 1),
        },
        "x1>z1 x1>net net>st st>z2 x2>z2 st>det",
    ),
    "gan": Diagram(
        "A GAN: one network draws, the other judges",
        {
            "z": Box("noise z", 0, 0),
            "G": Box("generator", 1, 0, NETWORK),
            "fake": Box("fake image", 2, 0),
            "real": Box("real image", 2, 1),
            "D": Box("discriminator", 3, 0.5, NETWORK),
            "logit": Box("logit", 4, 0.5),
            "g_loss": Box("loss of G:\npass for real", 4, -0.5, LOSS),
            "d_loss": Box("loss of D:\ntell apart", 4, 1.5, LOSS),
        },
        "z>G G>fake fake>D real>D D>logit logit>g_loss logit>d_loss",
    ),
    "dcgan": Diagram(
        "A DCGAN: convolutions double the map until it is an image, and halve it until it is a logit",
        {
            "z": Box("noise z", 0, 0),
            "up4": Box("up: 4×4,\n64 channels", 1, 0, NETWORK),
            "up8": Box("up: 8×8,\n32 channels", 2, 0, NETWORK),
            "up16": Box("up: 16×16,\n1 channel", 3, 0, NETWORK),
            "fake": Box("fake image", 4, 0),
            "real": Box("real image", 4, 2),
            "down8": Box("down: 8×8,\n32 channels", 3, 1, NETWORK),
            "down4": Box("down: 4×4,\n64 channels", 2, 1, NETWORK),
            "down1": Box("down: 1×1", 1, 1, NETWORK),
            "logit": Box("logit", 0, 1),
            "d_loss": Box("loss of D", 0, 2, LOSS),
            "g_loss": Box("loss of G", 1, 2, LOSS),
        },
        "z>up4 up4>up8 up8>up16 up16>fake fake>down8 real>down8 down8>down4 down4>down1 down1>logit logit>d_loss "
        "logit>g_loss",
    ),
    "metrics": Diagram(
        "Three measures of two clouds: what a network sees in real and in generated images",
        {
            "real": Box("real images", 0, 0.5),
            "fake": Box("fake images", 0, 1.5),
            "network": Box("feature\nnetwork", 1, 1, NETWORK),
            "clouds": Box("two clouds\nof features", 2, 1),
            "fid": Box("FID: distance of\ntwo Gaussians", 3, 0),
            "kid": Box("KID: a kernel\nover pairs", 3, 1),
            "balls": Box("precision, recall:\nballs", 3, 2),
        },
        "real>network fake>network network>clouds clouds>fid clouds>kid clouds>balls",
    ),
    "wgan_gp": Diagram(
        "A WGAN-GP: the critic's slope is held near 1 between real and generated images",
        {
            "fake": Box("G(z)", 0, 0),
            "real": Box("real x", 0, 2),
            "between": Box("x̂, on the line", 1, 1),
            "f": Box("critic f", 2, 1, NETWORK),
            "distance": Box("E f(x) − E f(G(z))", 3, 0.5, LOSS),
            "penalty": Box("(|∇f(x̂)| − 1)²", 3, 1.5, LOSS),
        },
        "fake>between real>between between>f fake>f real>f f>distance f>penalty",
    ),
    "conditional_gan": Diagram(
        "A conditional GAN: both networks know the label",
        {
            "z": Box("noise z", 0, 0),
            "y": Box("label y", 0, 1),
            "G": Box("generator", 1, 0, NETWORK),
            "fake": Box("fake image", 2, 0),
            "map": Box("map of y", 2, 1),
            "D": Box("discriminator", 3, 0.5, NETWORK),
            "logit": Box("logit", 4, 0),
            "features": Box("features", 4, 1),
        },
        "z>G y>G y>map G>fake fake>D map>D D>logit D>features",
    ),
    "flow_matching": Diagram(
        "Flow matching: a network learns the velocity at a point of a straight line",
        {
            "x0": Box("noise x₀", 0, 0),
            "x1": Box("image x₁", 0, 1),
            "xt": Box("x_t, on the line", 1.5, 0),
            "way": Box("x₁ − x₀", 1.5, 1),
            "t": Box("time t", 1.5, -1),
            "y": Box("label y", 2.5, -1),
            "v": Box("velocity v", 2.5, 0, NETWORK),
            "loss": Box("|v − (x₁ − x₀)|²", 3.6, 0.5, LOSS),
        },
        "x0>xt x1>xt x0>way x1>way t>xt t>v y>v xt>v v>loss way>loss",
    ),
    "vqvae": Diagram(
        "A VQ-VAE: every vector is replaced by a word of the codebook, and a prior learns to write words",
        {
            "x": Box("image x", 0, 0),
            "encoder": Box("encoder", 1, 0, NETWORK),
            "z": Box("map of z", 2, 0),
            "codebook": Box("codebook", 2, -1, NETWORK),
            "zq": Box("nearest code e", 3, 0),
            "decoder": Box("decoder", 4, 0, NETWORK),
            "nll": Box("−log p(x | e)", 4, -1.8, LOSS),
            "pull": Box("|z − e|²", 2, 1, LOSS),
            "words": Box("its number k", 3, 1),
            "prior": Box("prior p(k)", 4, 1, NETWORK),
        },
        "x>encoder encoder>z z>zq codebook>zq zq>decoder decoder>nll x|nll z>pull zq>pull zq>words words>prior",
    ),
}


def show(name: str) -> None:
    title, boxes, arrows = DIAGRAMS[name]
    pairs = [(re.split("[>|]", arrow), "|" in arrow) for arrow in arrows.split()]
    columns, rows = [box.column for box in boxes.values()], [box.row for box in boxes.values()]
    size = 1.75 * (max(columns) - min(columns)) + WIDTH + 0.2, 0.85 * (max(rows) - min(rows)) + HEIGHT + 0.2
    alt = f"{title}. {walks(boxes, [ends for ends, _ in pairs])}"
    with plots.figure(size[0], size[1] + 0.35, title, alt, drawing=True) as axes:
        ax = axes[0, 0]
        ax.set(xlim=(-WIDTH / 2 - 0.1, size[0] - WIDTH / 2 - 0.1), aspect="equal")
        ax.set_ylim(-0.85 * max(rows) - HEIGHT / 2 - 0.1, -0.85 * min(rows) + HEIGHT / 2 + 0.1)
        ax.axis("off")
        patches = {key: draw(ax, box) for key, box in boxes.items()}
        for (one, other), bent in pairs:
            start, end = place(boxes[one]), place(boxes[other])
            look: dict[str, Any] = {"arrowstyle": "-|>", "color": plots.GREY, "shrinkA": 0, "shrinkB": 1}
            look |= {"connectionstyle": "angle,angleA=90,angleB=0,rad=6"} if bent else {}
            ax.annotate("", end, start, arrowprops=look | {"patchA": patches[one], "patchB": patches[other]})


def walks(boxes: dict[str, Box], pairs: list[list[str]]) -> str:
    """Which box leads to which: each walk goes on until it has a choice, or meets what was told."""
    ahead = {start: [b for a, b in pairs if a == start] for start, _ in pairs}
    told = list[str]()
    for start in list(ahead):
        words, here = boxes[start].text, [start]
        while len(here) == 1 and here[0] in ahead:
            here = ahead.pop(here[0])
            words += f" to {' and '.join(boxes[each].text for each in here)}"
        told += [words] * (here != [start])
    return "; ".join(told).replace("\n", " ")


def place(box: Box) -> tuple[float, float]:
    return 1.75 * box.column, -0.85 * box.row


def draw(ax: Axes, box: Box) -> FancyBboxPatch:
    x, y = place(box)
    face, edge, rounding = LOOKS[box.kind]
    corner = (x - WIDTH / 2 + rounding, y - HEIGHT / 2 + rounding)
    shape = f"round,pad={rounding},rounding_size={rounding}"
    inside = (WIDTH - 2 * rounding, HEIGHT - 2 * rounding)
    patch = FancyBboxPatch(corner, *inside, boxstyle=shape, facecolor=face, edgecolor=edge, zorder=2)
    ax.add_patch(patch)
    ax.text(x, y, box.text, ha="center", va="center", fontsize=9, zorder=3)
    return patch
