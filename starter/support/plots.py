"""Pictures for notebooks: each function draws one, dark on white, which reads well on a light and on a dark page.

Every function shows its picture and returns nothing, so that a cell may end with it. Numbers belong into titles and
labels: tests compare what a cell prints, and never its pictures. Curves differ by colour and by line or marker, in the
colours of Okabe and Ito, which colour-blind readers tell apart; each picture carries its own words (alt_text.py).
"""

import base64
import html
import io
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import matplotlib.colors
import matplotlib.image
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox, ScaledTranslation
from matplotlib.typing import RcKeyType
from PIL import Image
from torch import Tensor

from .alt_text import described

GREY = "#595959"  # 7 to 1 on white
# Okabe & Ito 2008; yellow, which white swallows, and black come last. Two more, because there are ten digits.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F3C8D", "#8C6D31", "#000000", "#F0E442")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
LEVELS = ("--", ":", "-.", (0, (8, 2)), (0, (4, 1, 1, 1, 1, 1)))  # of the grey lines across a plot
MARKERS = "os^Dv*PX"
STYLE: dict[RcKeyType, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "legend.framealpha": 0.0,
    "text.color": "black",
    "axes.labelcolor": "black",
    "axes.titlecolor": "black",
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.8,
    "font.size": 10,
    "figure.titlesize": 11,
    "axes.titlesize": 10,
}
EDGE = 0.4  # points: the line around a marker
BELOW = 34  # points from an axis to what stands below its numbers and its label
WIDEST = 8.5  # inches of a figure, at 100 pixels each on the page
SHARPNESS = 2  # pixels of the file for each on the page, in each direction: legible at 200 % zoom


@contextmanager
def figure(
    width: float,
    height: float,
    title: str = "",
    alt: str = "",
    nrows: int = 1,
    ncols: int = 1,
    shared: bool = False,
    drawing: bool = False,
) -> Iterator[np.ndarray]:
    """Axes (rows, columns) to draw into, in the course's style; shown at the end of the block.

    `alt` is what a reader hears who cannot see it; by default it is made from what was drawn. `shared` axes have the
    same limits. A `drawing` is shown as SVG where that is trusted, and as PNG elsewhere.
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure((min(width, WIDEST), height), layout="constrained")
        axes = fig.subplots(nrows, ncols, squeeze=False, sharex=shared, sharey=shared)
        if title:
            fig.suptitle(title)
        yield axes
        clear_legends(fig)
        show(fig, alt, drawing)


def clear_legends(fig: Figure) -> None:
    """A legend that hides something where there is most room for it goes below its axes; the figure grows by it."""
    legends = [legend for ax in fig.axes if (legend := ax.get_legend())]
    if legends:
        fig.draw_without_rendering()
    grown = 0.0
    for legend in legends:
        ax, box = legend.axes, legend.get_window_extent()
        if hides(box, ax):
            below = ax.transAxes + ScaledTranslation(0, -BELOW / 72, fig.dpi_scale_trans)
            columns = max(int(ax.bbox.width / box.width), 1)
            moved = ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=columns)
            grown = max(grown, moved.get_window_extent().height / fig.dpi)
    fig.set_figheight(fig.get_figheight() + grown)


def hides(box: Bbox, ax: Axes) -> bool:
    """Whether a line, a point, a patch or a word lies in the box."""
    paths = [(line, line.get_transform().transform_path(line.get_path())) for line in ax.lines]
    crossed = any(path.intersects_bbox(box, filled=False) for line, path in paths if line.get_linestyle() != "None")
    dots = [each for each in ax.collections if isinstance(each, PathCollection)]
    points = [path.vertices for _, path in paths]
    points += [each.get_offset_transform().transform(each.get_offsets()) for each in dots]
    covered = any(box.overlaps(each.get_window_extent()) for each in (*ax.patches, *ax.texts))
    return crossed or covered or any(box.count_contains(each) for each in points)


def show(fig: Figure, alt: str = "", drawing: bool = False) -> None:
    """Display the picture, and the same word beside every one: tools want a text, tests want it not to change."""
    from IPython.display import display

    picture = Image.open(io.BytesIO(png(fig)))
    size = {"width": picture.width // SHARPNESS, "height": picture.height // SHARPNESS}
    alt = alt or described(fig)
    data = {"image/png": base64.b64encode(small(picture)).decode(), "text/plain": "picture"}
    data |= {"image/svg+xml": svg(fig, alt)} if drawing else {}
    display(data, metadata={"image/png": size | {"alt": alt}}, raw=True)


def png(fig: Figure) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=100 * SHARPNESS, bbox_inches="tight", pad_inches=0.05)
    return buffer.getvalue()


def svg(fig: Figure, alt: str) -> str:
    """The same text for the same figure: no date, and no ids drawn at random. Words stay words."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "course"}):
        fig.savefig(
            buffer, format="svg", bbox_inches="tight", pad_inches=0.05, metadata={"Date": None, "Creator": None}
        )
    _, _, inside = buffer.getvalue().partition("<svg ")
    return f'<svg role="img" aria-label="{html.escape(alt)}" {inside}'


def small(picture: Image.Image) -> bytes:
    """PNG with at most 256 colours: a third of the size, and no eye sees it."""
    buffer = io.BytesIO()
    flat = picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    flat.save(buffer, format="png", optimize=True)
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
    says: str = "",
    size: str = "",
) -> None:
    """Images (N, C, H, W), left to right, then top to bottom; labels name the rows and the columns of the grid.

    Each image is `inches` wide, or less where the row would not fit on the page. Who cannot see them hears how many
    there are and of which `size`, by default that of the tensor, and what the picture `says`.
    """
    columns = min(columns, len(images))
    picture, (height, n_pixels) = tile(images, columns, gap), images.shape[2:]
    size = size or f"{height}×{n_pixels}"
    margin = 0.1 + 0.08 * max(map(len, row_labels), default=0)
    width = min(columns * inches, WIDEST - margin)
    title += clipping(images)
    tall = width * picture.shape[0] / picture.shape[1] + 0.15 + 0.3 * bool(title) + 0.25 * bool(column_labels)
    with figure(max(width + margin, 0.08 * len(title)), tall, title) as axes:
        ax = axes[0, 0]
        words = "; ".join(filter(None, [counted(images, columns, size), says]))
        ax.imshow(picture, interpolation="nearest", label=words)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.xaxis.tick_top()
        ax.set_yticks([(height - 1) / 2 + i * (height + gap) for i in range(len(row_labels))], row_labels)
        ax.set_xticks([(n_pixels - 1) / 2 + i * (n_pixels + gap) for i in range(len(column_labels))], column_labels)


def counted(images: Tensor, columns: int, size: str) -> str:
    if len(images) == 1:
        return f"an image of {size} pixels"
    rows = -(-len(images) // columns)
    return f"{len(images)} images in {f'{rows} rows of {columns}' if rows > 1 else 'a row'}, {size} pixels each"


def rows(
    named: Mapping[str, Tensor],
    title: str = "",
    column_labels: Sequence[str] = (),
    inches: float = 0.7,
    says: str = "",
) -> None:
    """One labelled row of images (N, C, H, W) for every name: what stands in one column belongs together.

    Rows may differ in size, and be grey or coloured.
    """
    count = {len(images) for images in named.values()}
    if len(count) != 1:
        raise ValueError(f"rows must have the same number of images, not {sorted(count)}")
    sizes = dict.fromkeys("×".join(map(str, images.shape[2:])) for images in named.values())
    images = torch.cat(alike(list(named.values())))
    gap, size = max(1, images.shape[-1] // 16) if len(sizes) > 1 else 1, " or ".join(sizes)
    columns, labels = count.pop(), list(named)
    grid(images, title, columns, labels, column_labels=column_labels, gap=gap, inches=inches, says=says, size=size)


def alike(rows: Sequence[Tensor]) -> list[Tensor]:
    """Images of several sizes and channels in one size, every pixel still a square."""
    sides, channels = [x.shape[-1] for x in rows], max(x.shape[1] for x in rows)
    times = [math.lcm(*sides) // side for side in sides]
    large = [x.repeat_interleave(n, dim=2).repeat_interleave(n, dim=3) for x, n in zip(rows, times)]
    return [x.expand(-1, channels, -1, -1) for x in large]


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
    """Named curves in one plot. With `log_x`, a short sweep has its own ticks.

    Args:
        levels: name -> height of a grey line across the plot, each with dashes of its own.
    """
    with figure(6.5, 3.2, title) as axes:
        ax = axes[0, 0]
        draw_curves(ax, curves, style)
        for (name, value), dashes in zip((levels or {}).items(), itertools.cycle(LEVELS)):
            ax.axhline(value, color=GREY, linestyle=dashes, linewidth=1.2, label=name)
        if log_x:
            ticks = sorted({float(value) for xs, _ in curves.values() for value in xs})
            ax.set_xscale("log")
            if len(ticks) <= 12:
                ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
                ax.minorticks_off()
        finish(ax, x, y, legend=len(curves) + len(levels or {}) > 1)


def points(
    named: Mapping[str, tuple[float, float]],
    title: str = "",
    x: str = "",
    y: str = "",
    log_x: bool = False,
    among: Sequence[str] = (),
) -> None:
    """One point for every name, with the name beside it; its look is that of its place `among` some names.

    Plots of the same things, of which some lack a few, then show each of them alike.
    """
    with figure(7.5, 4.2, title) as axes:
        ax, order = axes[0, 0], list(among or named)
        places = [(float(across), float(up)) for across, up in named.values()]
        for name, place in zip(named, places):
            ax.scatter(*place, label=name, **look(order.index(name)))
        ax.margins(0.18, 0.12)
        if log_x:
            ax.set_xscale("log")
        finish(ax, x, y)
        ax.figure.draw_without_rendering()
        name_points(ax, list(named), places)


def name_points(ax: Axes, names: Sequence[str], places: Sequence[tuple[float, float]]) -> None:
    """Each name beside its point: at the nearest height, left or right, where it covers no other name and no point."""
    corners = [ax.transData.transform(place) - 4 for place in places]
    taken = [Bbox.from_bounds(left, low, 8, 8) for left, low in corners]
    heights = sorted(range(-44, 45, 11), key=abs)
    for name, place in zip(names, places):
        tried = []
        for up, across in itertools.product(heights, (6, -6)):
            side = "left" if across > 0 else "right"
            thread = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5} if up else None
            text = ax.annotate(name, place, (across, up), textcoords="offset points", arrowprops=thread, fontsize=9)
            text.set(ha=side, va="center")
            size = Text.get_window_extent(text)
            x, y = ax.transData.transform(place) + np.array([across, up]) * ax.figure.dpi / 72
            box = Bbox.from_bounds(x - size.width * (across < 0), y - size.height / 2, size.width, size.height)
            outside = box.x0 < ax.bbox.x0 or box.x1 > ax.bbox.x1 or box.y0 < ax.bbox.y0 or box.y1 > ax.bbox.y1
            tried.append((box.count_overlaps(taken) + 9 * outside, abs(up), text, box))
        best, *others = sorted(tried, key=lambda one: one[:2])
        for _, _, text, _ in others:
            text.remove()
        taken.append(best[3])


def panels(
    plots: Mapping[str, Curves], title: str = "", x: str | Sequence[str] = "", y: str | Sequence[str] = ""
) -> None:
    """Plots of named curves side by side: name of the plot -> its curves. Without `y` its name says what goes up.

    A label is that of all plots, or there is one for each.
    """
    with figure(3.2 * len(plots), 2.9, title, ncols=len(plots)) as axes:
        labels = for_each(x, len(plots)), for_each(y, len(plots))
        for ax, (name, curves), across, up in zip(axes[0], plots.items(), *labels, strict=True):
            draw_curves(ax, curves)
            if up:
                ax.set_title(name)
            finish(ax, across, up or name, legend=len(curves) > 1)


def for_each(label: str | Sequence[str], count: int) -> Sequence[str]:
    return [label] * count if isinstance(label, str) else label


def draw_curves(ax: Axes, curves: Curves, style: str = "-") -> None:
    """`style` as matplotlib writes it; a line's dashes and a marker's shape then change from curve to curve."""
    for i, (name, (xs, ys)) in enumerate(curves.items()):
        dashes = LINES[i % len(LINES)] if "-" in style else "none"
        given = look(i)
        dot = {"markerfacecolor": given["color"], "markeredgecolor": given["edgecolors"], "markersize": 5}
        dot |= {"marker": given["marker"] if style.strip("-") else "none", "markeredgewidth": EDGE}
        ax.plot(array(xs), array(ys), color=given["color"], label=name, linestyle=dashes, **dot)
        for axis, values in ((ax.xaxis, array(xs)), (ax.yaxis, array(ys))):
            if values.dtype.kind == "i":
                axis.set_major_locator(MaxNLocator(5, integer=True))


def finish(ax: Axes, x: str = "", y: str = "", legend: bool = False) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if legend:
        ax.legend()


def training(terms: Mapping[str, Sequence[float]], title: str = "", y: str | Sequence[str] = "nats per image") -> None:
    """Every term that `fit` recorded, in a panel of its own: faint per step, bold as a running mean.

    `y` is the unit of all, or there is one for each. The first twentieth of the steps would dwarf the rest: the
    vertical axis does not reach up to it.
    """
    with figure(2.9 * max(len(terms), 2), 2.8, title, ncols=len(terms)) as axes:
        units = for_each(y, len(terms))
        for i, (ax, (name, values), unit) in enumerate(zip(axes[0], terms.items(), units, strict=True)):
            smooth, late = running_mean(values), values[len(values) // 20 :]
            ax.plot(values, color=COLOURS[i], alpha=0.35, linewidth=0.8)
            ax.plot(smooth, color=COLOURS[i], label="running mean")
            margin = 0.05 * (max(late) - min(values)) + 1e-6
            ax.set_ylim(min(values) - margin, max(late) + margin)
            ax.set_title(f"{name} {smooth[-1]:.4g}")
            finish(ax, "step", unit)


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
    longest = max((len(line) for name in parts for line in name.split("\n")), default=0)
    with figure(max(max(1.1, 0.1 * longest) * len(parts), 5.0), 3.2, title) as axes:  # names must not touch
        ax, bottom = axes[0, 0], np.zeros(len(parts))
        for i, kind in enumerate(kinds):
            heights = np.array([float(part.get(kind, 0)) for part in parts.values()])
            drawn = ax.bar(list(parts), heights, 0.6, bottom, color=COLOURS[i], label=kind)
            labels = [f"{height:.{digits}f}" if kind in part else "" for height, part in zip(heights, parts.values())]
            inside = {"label_type": "center", "color": on(COLOURS[i])} if kinds != [""] else {}
            ax.bar_label(drawn, labels, **inside)
            bottom = bottom + heights
        ax.grid(axis="x", visible=False)
        ax.set_ylim(0, 1.1 * bottom.max())
        finish(ax, x, y)
        if kinds != [""]:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def on(colour: str) -> str:
    """The colour of a text that stands on this one."""
    return "black" if luminance(colour) > 0.18 else "white"


def edge(colour: str) -> str:
    """The colour around a marker of this one: dark where white would swallow it, with less than 3 to 1."""
    return GREY if luminance(colour) > 0.3 else colour


def luminance(colour: str) -> float:
    return float(np.array(matplotlib.colors.to_rgb(colour)) ** 2.2 @ [0.21, 0.72, 0.07])


def look(i: int) -> dict[str, Any]:
    """Of the i-th kind of points in a plot."""
    colour = COLOURS[i % len(COLOURS)]
    return {"color": colour, "marker": MARKERS[i % len(MARKERS)], "edgecolors": edge(colour), "linewidths": EDGE}


def table(rows: Mapping[str, Mapping[str, "Cell"]], title: str = "", better: Mapping[str, str] | None = None) -> None:
    """Name -> column -> what stands there; None is a dash, several numbers are their mean and half their range.

    What lies below a spread's first digit, or the one behind a 1, is noise, and not shown. As HTML: it can be read
    aloud, and copied.

    `better` says of a column which of its numbers stands out as the best, the lowest or the highest: "low" or "high".
    """
    from IPython.display import display

    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    best = {column: winners(rows, column, kind) for column, kind in (better or {}).items()}
    head = "".join(f"<th scope='col'>{html.escape(column)}</th>" for column in columns)
    lines = [f"<table><caption>{html.escape(title)}</caption><thead><tr><td></td>{head}</tr></thead><tbody>"]
    for name, row in rows.items():
        lines.append(f"<tr><th scope='row'>{html.escape(name)}</th>")
        for column in columns:
            text = html.escape(cell(row.get(column)))
            lines.append(f"<td>{f'<b>{text}</b>' if name in best.get(column, ()) else text}</td>")
        lines.append("</tr>")
    display({"text/html": "\n".join([*lines, "</tbody></table>"]), "text/plain": "table"}, raw=True)


Cell = float | str | Sequence[float] | None


def cell(value: Cell) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        spread = (max(value) - min(value)) / 2
        if not 0 < spread < math.inf:
            return f"{cell(middle(value))}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{spread:g}"
        first = math.floor(math.log10(spread))
        places = max(0, (spread < 2 * 10.0**first) - first)  # 1.4 and 1.0 say more than 1; 0.86 no more than 0.9
        return f"{middle(value):,.{places}f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{spread:,.{places}f}"
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def middle(value: float | Sequence[float]) -> float:
    return sum(value) / len(value) if isinstance(value, Sequence) else value


def winners(rows: Mapping[str, Mapping], column: str, kind: str) -> list[str]:
    """Names of the rows with the best number of a column."""
    given = {name: row.get(column) for name, row in rows.items()}
    numbers = {name: middle(value) for name, value in given.items() if value is not None and not isinstance(value, str)}
    best = {"low": min, "high": max}[kind](numbers.values(), default=None)
    return [name for name, value in numbers.items() if value == best]


def scatter(
    clouds: Mapping[str, Tensor | tuple[Tensor, Tensor]],
    title: str = "",
    circle: bool = False,
    axes: tuple[str, str] = ("$z_1$", "$z_2$"),
) -> None:
    """Points (N, 2) side by side on equal scales: name -> points, or (points, classes) to colour them.

    `axes` names both axes. `circle` marks two standard deviations of N(0, I): 86 % of the prior lie inside.
    """
    pairs = {name: cloud if isinstance(cloud, tuple) else (cloud, None) for name, cloud in clouds.items()}
    everything = np.concatenate([array(points) for points, _ in pairs.values()])
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
    reach = 1.05 * np.abs(everything - middle).max() + 1e-6  # the same square for all
    width = min(WIDEST, 3.8 * len(pairs))
    with figure(width, width / len(pairs) + 0.6, title, ncols=len(pairs)) as places:
        for ax, (name, (points, classes)) in zip(places[0], pairs.items(), strict=True):
            draw_points(ax, array(points), classes)
            ax.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach))
            if circle:
                ax.plot(*(2 * np.stack([np.cos(TURN), np.sin(TURN)])), color=GREY, linestyle="--", linewidth=1.2)
            ax.set_aspect("equal")
            ax.set_title(name)
            finish(ax, *axes)


TURN = np.linspace(0, 2 * np.pi, 200)


def draw_points(ax: Axes, points: np.ndarray, classes: Tensor | None) -> None:
    """Each class in a colour and a shape, and named at its median."""
    if classes is None:
        ax.scatter(points[:, 0], points[:, 1], s=8, alpha=0.5, linewidths=0, color=COLOURS[0])
        return
    for label in classes.unique().tolist():
        own, colour = points[array(classes) == label], COLOURS[label % len(COLOURS)]
        cloud(ax, own, str(label), label)
        box = {"boxstyle": "circle,pad=0.15", "facecolor": colour, "edgecolor": "white"}
        x, y = np.median(own, axis=0)
        ax.text(x, y, str(label), color=on(colour), ha="center", va="center", fontsize=8, bbox=box)


def clouds(ax: Axes, named: Mapping[str, Tensor | np.ndarray], size: float = 9) -> None:
    """Sets of points (N, 2) in one plot, which differ by colour and by shape."""
    for i, (name, points) in enumerate(named.items()):
        cloud(ax, array(points), name, i, size)


def cloud(ax: Axes, points: np.ndarray, name: str, i: int, size: float = 9) -> None:
    """The i-th of a plot's sets of points."""
    ax.scatter(points[:, 0], points[:, 1], s=size, alpha=0.7, label=name, **look(i))


@torch.no_grad()
def manifold(decode: Callable[[Tensor], Tensor], title: str = "", steps: int = 15, span: float | None = None) -> None:
    """What a 2-D code decodes to, over the plane: z_1 grows to the right, z_2 upwards.

    Without a span the codes are quantiles of N(0, 1), so that every tile stands for the same share of the prior; with
    one they are evenly spaced from -span to span.
    """
    says = "z_1 grows to the right, z_2 upwards" + (f", both from {-span:.2g} to {span:.2g}" if span else "")
    grid(decode(plane(steps, span)), title, steps, inches=0.38, says=says)


def plane(steps: int, span: float | None = None) -> Tensor:
    """Codes (steps * steps, 2), row by row from the top left: z_1 grows to the right, z_2 upwards."""
    if span is None:
        at = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(steps) + 0.5) / steps)
    else:
        at = torch.linspace(-span, span, steps)
    z_2, z_1 = torch.meshgrid(at.flip(0), at, indexing="ij")
    return torch.stack([z_1, z_2], dim=-1).reshape(-1, 2)


def array(values: Sequence[float] | np.ndarray | Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def enlarged(images: Tensor, pixels: int) -> bytes:
    """PNG of images (N, C, H, W) side by side, every pixel a square, at least `pixels` high."""
    canvas = tile(images, len(images))
    factor = -(-pixels // canvas.shape[0])
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, canvas.repeat(factor, 0).repeat(factor, 1), format="png")
    return buffer.getvalue()
