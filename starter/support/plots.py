"""Pictures for notebooks: each function draws one PNG that reads well on a light and on a dark page.

Every function shows its picture and returns nothing, so that a cell may end with it. Numbers belong into titles and
labels: tests compare what a cell prints, and never its pictures.
"""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib
import matplotlib.image
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

GREY = "#808080"  # as far from white as from black: text and axes on any page
COLOURS = matplotlib.colormaps["tab10"].colors
STYLE = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.framealpha": 0.0,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "font.size": 10,
    "figure.titlesize": 11,
    "axes.titlesize": 10,
}
WIDEST = 8.5  # inches of a figure, at 100 pixels each


@contextmanager
def figure(width: float, height: float, title: str = "", **subplots) -> Iterator[np.ndarray]:
    """Axes (rows, columns) to draw into, in the course's style; shown at the end of the block."""
    with matplotlib.rc_context(STYLE):
        fig = Figure((min(width, WIDEST), height), layout="constrained")
        axes = fig.subplots(squeeze=False, **subplots)
        if title:
            fig.suptitle(title)
        yield axes
        show(fig)


def show(fig: Figure) -> None:
    """Display the picture, and the same word beside every one: tools want a text, tests want it not to change."""
    from IPython.display import display

    display({"image/png": base64.b64encode(png(fig)).decode(), "text/plain": "picture"}, raw=True)


def png(fig: Figure) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=100, transparent=True, bbox_inches="tight", pad_inches=0.05)
    return buffer.getvalue()


def tile(images: Tensor, columns: int, gap: int = 1) -> np.ndarray:
    """Images (N, C, H, W), C = 1 or 3, as one RGBA picture: left to right, then top to bottom.

    Values are clipped to [0, 1]. Gaps and missing tiles are transparent.

    Returns:
        float array (rows * (H + gap) - gap, columns * (W + gap) - gap, 4).
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be (N, 1 or 3, H, W), not {tuple(images.shape)}")
    pixels = images.detach().float().cpu().clamp(0, 1).permute(0, 2, 3, 1).numpy()  # (N, H, W, C)
    n, height, width, _ = pixels.shape
    rows = -(-n // columns)
    canvas = np.zeros((rows * (height + gap), columns * (width + gap), 4))
    for i, image in enumerate(pixels):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        canvas[top : top + height, left : left + width, :3] = image
        canvas[top : top + height, left : left + width, 3] = 1
    return canvas[: len(canvas) - gap, : canvas.shape[1] - gap]


def clipping(images: Tensor) -> str:
    """A remark for the title when values had to be clipped: logits shown as pixels should not pass unnoticed."""
    low, high = images.min().item(), images.max().item()
    return "" if -0.01 <= low and high <= 1.01 else f"  (values {low:.1f} to {high:.1f}, clipped to [0, 1])"


def grid(
    images: Tensor,
    title: str = "",
    columns: int = 12,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    gap: int = 1,
    inches: float = 0.7,
) -> None:
    """Images (N, C, H, W), left to right, then top to bottom; labels name the rows and the columns of the grid.

    Each image is `inches` wide, or less where the row would not fit on the page.
    """
    columns = min(columns, len(images))
    picture, (height, n_pixels) = tile(images, columns, gap), images.shape[2:]
    margin = 0.1 + 0.08 * max(map(len, row_labels), default=0)
    width = min(columns * inches, WIDEST - margin)
    title += clipping(images)
    tall = width * picture.shape[0] / picture.shape[1] + 0.15 + 0.3 * bool(title) + 0.25 * bool(column_labels)
    with figure(max(width + margin, 0.08 * len(title)), tall, title) as axes:
        ax = axes[0, 0]
        ax.imshow(picture, interpolation="nearest")
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.xaxis.tick_top()
        ax.set_yticks([(height - 1) / 2 + i * (height + gap) for i in range(len(row_labels))], row_labels)
        ax.set_xticks([(n_pixels - 1) / 2 + i * (n_pixels + gap) for i in range(len(column_labels))], column_labels)


def rows(named: Mapping[str, Tensor], title: str = "", column_labels: Sequence[str] = ()) -> None:
    """One labelled row of images (N, C, H, W) for every name: what stands in one column belongs together."""
    count = {len(images) for images in named.values()}
    if len(count) != 1:
        raise ValueError(f"rows must have the same number of images, not {sorted(count)}")
    grid(torch.cat(list(named.values())), title, count.pop(), list(named), column_labels)


Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]  # name -> (x values, y values)


def lines(
    curves: Curves,
    title: str = "",
    x: str = "",
    y: str = "",
    levels: Mapping[str, float] | None = None,
    log_x: bool = False,
    style: str = "-",
) -> None:
    """Named curves in one plot. `levels` are named dashed lines; with `log_x`, a short sweep has its own ticks."""
    with figure(6.5, 3.2, title) as axes:
        ax = axes[0, 0]
        draw_curves(ax, curves, style)
        for name, value in (levels or {}).items():
            ax.axhline(value, color=GREY, linestyle="--", linewidth=1.2, label=name)
        if log_x:
            ticks = sorted({float(value) for xs, _ in curves.values() for value in xs})
            ax.set_xscale("log")
            if len(ticks) <= 12:
                ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
                ax.minorticks_off()
        finish(ax, x, y, legend=len(curves) + len(levels or {}) > 1)


def points(named: Mapping[str, tuple[float, float]], title: str = "", x: str = "", y: str = "") -> None:
    """One point for every name, with the name beside it."""
    with figure(6.5, 3.6, title) as axes:
        ax = axes[0, 0]
        for i, (name, (across, up)) in enumerate(named.items()):
            ax.scatter(float(across), float(up), color=COLOURS[i % 10])
            ax.annotate(name, (float(across), float(up)), (5, 3), textcoords="offset points", fontsize=9)
        ax.margins(x=0.12)
        finish(ax, x, y)


def panels(plots: Mapping[str, Curves], title: str = "", x: str = "", y: str = "") -> None:
    """Plots of named curves side by side: name of the plot -> its curves."""
    with figure(3.2 * len(plots), 2.9, title, ncols=len(plots)) as axes:
        for i, (ax, (name, curves)) in enumerate(zip(axes[0], plots.items(), strict=True)):
            draw_curves(ax, curves)
            ax.set_title(name)
            finish(ax, x, "" if i else y, legend=len(curves) > 1)


def draw_curves(ax: Axes, curves: Curves, style: str = "-") -> None:
    for i, (name, (xs, ys)) in enumerate(curves.items()):
        ax.plot(array(xs), array(ys), style, color=COLOURS[i % 10], label=name)
        for axis, values in ((ax.xaxis, array(xs)), (ax.yaxis, array(ys))):
            if values.dtype.kind == "i":
                axis.set_major_locator(MaxNLocator(6, integer=True))


def finish(ax: Axes, x: str = "", y: str = "", legend: bool = False) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if legend:
        ax.legend()


def training(terms: Mapping[str, Sequence[float]], title: str = "", y: str = "nats per image") -> None:
    """Every term that `fit` recorded, in a panel of its own: faint per step, bold as a running mean.

    The first twentieth of the steps would dwarf the rest: the vertical axis does not reach up to it.
    """
    with figure(2.9 * max(len(terms), 2), 2.8, title, ncols=len(terms)) as axes:
        for i, (ax, (name, values)) in enumerate(zip(axes[0], terms.items(), strict=True)):
            smooth, late = running_mean(values), values[len(values) // 20 :]
            ax.plot(values, color=COLOURS[i], alpha=0.35, linewidth=0.8)
            ax.plot(smooth, color=COLOURS[i])
            margin = 0.05 * (max(late) - min(values)) + 1e-6
            ax.set_ylim(min(values) - margin, max(late) + margin)
            ax.set_title(f"{name} {smooth[-1]:.4g}")
            finish(ax, "step", "" if i else y)


def running_mean(values: Sequence[float], count: int = 20) -> np.ndarray:
    """Mean of each value and of up to count - 1 before it, the same length."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(total))
    start = np.maximum(end - count, 0)
    return (total[end] - total[start]) / (end - start)


def bars(
    named: Mapping[str, float | Mapping[str, float]],
    title: str = "",
    y: str = "",
    x: str = "",
    digits: int = 1,
) -> None:
    """One bar per name with its number on top; stacked, with a legend, where a name stands for several parts."""
    parts = {name: value if isinstance(value, Mapping) else {"": value} for name, value in named.items()}
    kinds = list(dict.fromkeys(kind for part in parts.values() for kind in part))
    with figure(max(1.1 * len(parts), 5.0), 3.2, title) as axes:
        ax, bottom = axes[0, 0], np.zeros(len(parts))
        for i, kind in enumerate(kinds):
            heights = np.array([float(part.get(kind, 0)) for part in parts.values()])
            drawn = ax.bar(list(parts), heights, 0.6, bottom, color=COLOURS[i], label=kind)
            labels = [f"{height:.{digits}f}" if kind in part else "" for height, part in zip(heights, parts.values())]
            inside = {"label_type": "center", "color": "white"} if kinds != [""] else {"color": GREY}
            ax.bar_label(drawn, labels, **inside)
            bottom = bottom + heights
        ax.grid(axis="x", visible=False)
        ax.set_ylim(0, 1.1 * bottom.max())
        finish(ax, x, y)
        if kinds != [""]:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def table(
    rows: Mapping[str, Mapping[str, float | str | None]], title: str = "", better: Mapping[str, str] | None = None
) -> None:
    """Name -> column -> what stands there; None is a dash.

    `better` says of a column which of its numbers stands out as the best, the lowest or the highest: "low" or "high".
    """
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    best = {column: winners(rows, column, kind) for column, kind in (better or {}).items()}
    with figure(1.9 + 0.95 * len(columns), 0.4 + 0.27 * (len(rows) + 1) + 0.3 * bool(title), title) as axes:
        ax = axes[0, 0]
        ax.set(xlim=(-2, len(columns) - 0.4), ylim=(len(rows) + 0.6, -0.6))
        ax.axis("off")
        ax.axhline(0.5, color=GREY, linewidth=0.8)
        for i, column in enumerate(columns):
            ax.text(i, 0, column, ha="center", va="center", fontsize=9)
        for j, (name, row) in enumerate(rows.items(), 1):
            ax.text(-1.95, j, name, va="center")
            for i, column in enumerate(columns):
                chosen = name in best.get(column, ())
                look = {"color": COLOURS[2], "fontweight": "bold"} if chosen else {}
                ax.text(i, j, cell(row.get(column)), ha="center", va="center", **look)


def cell(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def winners(rows: Mapping[str, Mapping], column: str, kind: str) -> list[str]:
    """Names of the rows with the best number of a column."""
    numbers = {name: row[column] for name, row in rows.items() if isinstance(row.get(column), float | int)}
    best = {"low": min, "high": max}[kind](numbers.values(), default=None)
    return [name for name, value in numbers.items() if value == best]


def scatter(clouds: Mapping[str, Tensor | tuple[Tensor, Tensor]], title: str = "", circle: bool = False) -> None:
    """Points (N, 2) side by side on equal scales: name -> points, or (points, classes) to colour them.

    `circle` marks two standard deviations of N(0, I): 86 % of the prior lie inside.
    """
    pairs = {name: cloud if isinstance(cloud, tuple) else (cloud, None) for name, cloud in clouds.items()}
    everything = np.concatenate([array(points) for points, _ in pairs.values()])
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
    reach = 1.05 * np.abs(everything - middle).max() + 1e-6  # the same square for all
    width = min(WIDEST, 3.8 * len(pairs))
    with figure(width, width / len(pairs) + 0.6, title, ncols=len(pairs)) as axes:
        for ax, (name, (points, classes)) in zip(axes[0], pairs.items(), strict=True):
            draw_points(ax, array(points), classes)
            ax.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach))
            if circle:
                ax.plot(*(2 * np.stack([np.cos(TURN), np.sin(TURN)])), color=GREY, linestyle="--", linewidth=1.2)
            ax.set_aspect("equal")
            ax.set_title(name)
            finish(ax, "$z_1$", "$z_2$" if ax is axes[0, 0] else "")


TURN = np.linspace(0, 2 * np.pi, 200)


def draw_points(ax: Axes, points: np.ndarray, classes: Tensor | None) -> None:
    """Coloured by class, and each class named at its median."""
    if classes is None:
        ax.scatter(*points.T, s=8, alpha=0.5, linewidths=0, color=COLOURS[0])
        return
    for label in classes.unique().tolist():
        own = points[array(classes) == label]
        ax.scatter(*own.T, s=9, alpha=0.7, linewidths=0, color=COLOURS[label % 10])
        box = {"boxstyle": "circle,pad=0.15", "facecolor": COLOURS[label % 10], "edgecolor": "none"}
        ax.text(*np.median(own, axis=0), str(label), color="white", ha="center", va="center", fontsize=8, bbox=box)


@torch.no_grad()
def manifold(decode: Callable[[Tensor], Tensor], title: str = "", steps: int = 15, span: float | None = None) -> None:
    """What a 2-D code decodes to, over the plane: z_1 grows to the right, z_2 upwards.

    Without a span the codes are quantiles of N(0, 1), so that every tile stands for the same share of the prior; with
    one they are evenly spaced from -span to span.
    """
    grid(decode(plane(steps, span)), title, steps, inches=0.38)


def plane(steps: int, span: float | None = None) -> Tensor:
    """Codes (steps * steps, 2), row by row from the top left: z_1 grows to the right, z_2 upwards."""
    if span is None:
        at = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(steps) + 0.5) / steps)
    else:
        at = torch.linspace(-span, span, steps)
    z_2, z_1 = torch.meshgrid(at.flip(0), at, indexing="ij")
    return torch.stack([z_1, z_2], dim=-1).reshape(-1, 2)


def array(values: Sequence[float] | Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def enlarged(images: Tensor, pixels: int) -> bytes:
    """PNG of images (N, C, H, W) side by side, every pixel a square, at least `pixels` high."""
    canvas = tile(images, len(images))
    factor = -(-pixels // canvas.shape[0])
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, canvas.repeat(factor, 0).repeat(factor, 1), format="png")
    return buffer.getvalue()
