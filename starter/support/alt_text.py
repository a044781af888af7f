"""Words for a picture, made from the figure itself: for who cannot see it, and for who must find it again."""

import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.quiver import Quiver
from matplotlib.ticker import ScalarFormatter

NO_LABEL = "axis without a label"  # a test looks for it in the stored notebooks
MOST = 12  # names in a list; more are counted
LONGEST = 400  # characters; what takes more is told in brief
FEW = 3  # sets of points, or curves: each keeps its own words longer
FONTS = "mathcal mathbb mathrm mathbf mathdefault text operatorname left right".split()
SYMBOLS = dict.fromkeys(FONTS, "") | {"times": "×", "cdot": "·", "nabla": "∇", "partial": "∂", "infty": "∞", "sum": "Σ"}


class Panel(NamedTuple):
    row: str  # what its whole row of panels is called
    title: str
    body: str
    axes: str


def described(fig: Figure) -> str:
    """Title, then panel by panel what is drawn there: names, axes with their units, how curves run."""
    for brief in range(4):  # each leaves out more
        told = [fig.get_suptitle(), *sentences(list(panels(fig, brief)))]
        said = re.sub(r"\$([^$]*)\$", formula, ". ".join(filter(None, told))).replace("\n", " ")
        if len(said) <= LONGEST:
            break
    return said


def panels(fig: Figure, brief: int) -> Iterator[Panel]:
    row = ""
    for ax in fig.axes:
        if ax.axison and ax.get_label() != "<colorbar>":
            place = ax.get_subplotspec()
            if place is None or place.is_first_col():
                row = "" if len(ax.yaxis.get_ticklocs()) else ax.get_ylabel()
            yield Panel(row, ax.get_title(), "; ".join(filter(None, body(ax, brief))), "; ".join(sides(ax)))


def sentences(panels: Sequence[Panel]) -> Iterator[str]:
    """One for each panel; neighbours with the same words share them, and axes that all have in common come last.

    A row's name stands before its first panel.
    """
    common, last = len(panels) > 1 and len({panel.axes for panel in panels}) == 1, ""
    for (row, words, axes), group in itertools.groupby(panels, lambda panel: (panel.row, panel.body, panel.axes)):
        titles = ", ".join(panel.title for panel in group if panel.title)
        head = ": ".join(filter(None, [row if row != last else "", titles]))
        yield "; ".join(filter(None, [head, words, "" if common else axes]))
        last = row
    if common:
        yield panels[0].axes


def body(ax: Axes, brief: int) -> list[str]:
    bars = [each for each in ax.containers if isinstance(each, BarContainer)]
    if ax.images:
        labels = {"rows": ticks(ax.yaxis), "columns": ticks(ax.xaxis)}
        said = [name(image) or heat(image, brief) for image in ax.images]
        return said + [f"{what}: {listed(names)}" for what, names in labels.items() if names]
    if bars:
        at = ax.xaxis if bars[0].orientation == "vertical" else ax.yaxis
        return [heights(each, [label.get_text() for label in at.get_ticklabels()]) for each in bars]
    drawn = [line for line in ax.lines if len(finite(line)[0])]
    dotted = [line for line in drawn if line.get_linestyle() == "None" and not ordered(line)]
    dots = [(name(line), np.stack(finite(line), axis=1)) for line in dotted]
    dots += [(name(c), np.asarray(c.get_offsets())) for c in ax.collections if isinstance(c, PathCollection)]
    arrows = sum(len(np.asarray(each.get_offsets())) for each in ax.collections if isinstance(each, Quiver))
    others = [text.get_text() for text in ax.texts if text.get_text() not in dict(dots)]
    said = lines(ax, [line for line in drawn if line not in dotted], brief, alone=not dots and not arrows)
    said += clouds(ax, dots, brief)
    said += [f"{arrows} arrows"] * bool(arrows)
    return said + [f"names: {listed(others)}"] * bool(others)


def heat(image: AxesImage, brief: int) -> str:
    """What a map of numbers shows: where it is highest and, unless in brief, between which numbers it lies."""
    values = np.asarray(image.get_array(), float)
    height, width = values.shape[:2]
    if values.ndim > 2:
        return f"an image of {height}×{width} pixels"
    (row, column), (left, right, bottom, top) = np.unravel_index(values.argmax(), values.shape), image.get_extent()
    x = rounded(left + (column + 0.5) / width * (right - left), right - left)
    y = rounded(top + (row + 0.5) / height * (bottom - top), top - bottom)
    between = "" if brief else f"a map from {number(values.min())} to {number(values.max())}, "
    return f"{between}highest at ({x}, {y})"


def lines(ax: Axes, drawn: Sequence[Line2D], brief: int, alone: bool) -> list[str]:
    """Each named curve; unnamed ones are counted, and one that is not `alone`, or a ring, only adorns.

    A single one has the title of its panel for a name, so it is told apart from the single ones of other panels.
    """
    named = [line for line in drawn if name(line)]
    open_ = [line for line in drawn if not name(line) and (alone or not closed(line))]
    if brief and len(named) > FEW:
        said = [f"{listed(map(name, named))} {between(named)}"]
    else:
        said = [f"{name(line)} {words}" for line, words in zip(named[:MOST], courses(named[:MOST]))]
        said += [f"{len(named) - MOST} more lines"] * (len(named) > MOST)
    if len(open_) > 1:
        said.append(f"{len(open_)} lines {between(open_)}")
    elif alone and open_ and not named:
        others = [each.lines[0] for each in ax.figure.axes if len(each.lines) == 1 and each is not ax]
        said.append(f"a line {courses(open_ + [line for line in others if len(finite(line)[0])])[0]}")
    return said


def courses(lines: Sequence[Line2D]) -> list[str]:
    """How each runs; where two would read the same, also where each of them has gone half of its way."""
    said = [course(line) for line in lines]
    for share, part in ((0.5, "half way"), (0.25, "a quarter"), (0.75, "three quarters")):
        twice = {words for words in said if said.count(words) > 1 and words.startswith("from")}
        said = [
            f"{words}, {part} at x = {passed(line, share)}" if words in twice else words
            for line, words in zip(lines, said)
        ]
    first = {words: name(line) for line, words in reversed(list(zip(lines, said)))}
    alike = [words.startswith("from") and first[words] != name(line) for line, words in zip(lines, said)]
    return [f"like {first[words]}" if same else words for same, words in zip(alike, said)]


def course(line: Line2D) -> str:
    """Where a curve begins, turns and ends; of a level, where it lies. Wiggles of 5 % of its height are no turns."""
    x, y = finite(line)
    height, across, up = np.ptp(y), reach(line.axes, "x"), reach(line.axes, "y")
    if height <= up / 1000:
        return f"at {number(y[0], up)}"
    beyond = {int(y.argmin()): min(y[0], y[-1]) - y.min(), int(y.argmax()): y.max() - max(y[0], y[-1])}
    turns = sorted(i for i, excess in beyond.items() if excess > 0.05 * height)
    said, before = f"from {number(y[0], up)}", y[0]
    for i in turns:
        said += f" {'up' if y[i] > before else 'down'} to {number(y[i], up)} at x = {number(x[i], across)},"
        before = y[i]
    said += f"{' up' if y[-1] > before else ' down'} to " if turns else " to "
    rest = "" if np.isfinite(np.asarray(line.get_ydata(), float)[-1]) else ", then nothing"
    return said + number(y[-1], up) + rest


def passed(line: Line2D, share: float) -> str:
    """Where a curve first lies on the other side of a height: this share of the way from its start to its far end."""
    x, y = finite(line)
    far = y[np.abs(y - y[0]).argmax()]
    return number(x[np.argmax(np.abs(y - y[0]) >= share * abs(far - y[0]))], reach(line.axes, "x"))


def clouds(ax: Axes, sets: Sequence[tuple[str, np.ndarray]], brief: int) -> list[str]:
    """Points by the names of their sets: a single one's place, where a few sets reach, the middle of many."""
    sets = [(label, points[np.isfinite(points).all(axis=1)]) for label, points in sets]
    named = [(label, points) for label, points in sets if label and len(points)]
    unnamed = [points for label, points in sets if not label and len(points)]
    rest = [np.concatenate(unnamed)] if unnamed else []
    across, up = reach(ax, "x"), reach(ax, "y")

    def place(points: np.ndarray) -> str:
        return f"({number(points[:, 0].mean(), across)}, {number(points[:, 1].mean(), up)})"

    def extent(points: np.ndarray) -> str:
        (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
        wide = f"x from {number(left, across)} to {number(right, across)}"
        return "" if brief > 2 else f", {wide}, y from {number(low, up)} to {number(high, up)}"

    if columns := ticks(ax.xaxis):
        at = ax.xaxis.get_ticklocs()
        return [f"{label or 'points'}, on average: {averages(points, columns, at, up)}" for label, points in sets]
    everything = np.concatenate([points for _, points in named]) if named else np.empty((0, 2))
    places = ", ".join(f"{label} {place(points)}" for label, points in named)
    if named and len(everything) == len(named):
        said = [places]
    elif brief == 1 and FEW < len(named) <= MOST:
        said = [f"{counted(everything)}, the middle of {places}"]
    elif brief and len(named) > 1 or len(named) > MOST:
        said = [f"{listed(label for label, _ in named)}: {counted(everything)}{extent(everything)}"]
    elif len(named) > FEW:
        said = [f"{label}: {counted(points)} around {place(points)}" for label, points in named]
    else:
        said = [f"{label}: {counted(points)}{extent(points)}" for label, points in named]
    return said + [f"{counted(points)}{extent(points)}" for points in rest]


def averages(points: np.ndarray, names: Sequence[str], at: np.ndarray, scale: float) -> str:
    """Mean height above each named place."""
    nearest = np.abs(points[:, :1] - at).argmin(axis=1)
    heights = {label: points[nearest == i, 1] for i, label in enumerate(names)}
    return ", ".join(f"{label} {number(own.mean(), scale)}" for label, own in heights.items() if len(own))


def counted(points: np.ndarray) -> str:
    return f"{len(points)} point{'s' * (len(points) > 1)}"


def heights(bars: BarContainer, names: list[str]) -> str:
    """A bar's name and its length, bar by bar; `bars` carries the name of its part in a stack."""
    lengths = [f"{label} {number(float(value))}" for label, value in zip(names, np.asarray(bars.datavalues))]
    return ": ".join(filter(None, [name(bars), ", ".join(lengths)]))


def between(lines: Sequence[Line2D]) -> str:
    heights = np.concatenate([finite(line)[1] for line in lines])
    scale = reach(lines[0].axes, "y")
    return f"between {number(heights.min(), scale)} and {number(heights.max(), scale)}"


def name(drawn: Line2D | PathCollection | BarContainer | AxesImage) -> str:
    """Empty where matplotlib has made it up."""
    label = str(drawn.get_label())
    return "" if label.startswith("_") else label


def closed(line: Line2D) -> bool:
    x, y = finite(line)
    return len(x) > 2 and bool(np.allclose([x[0], y[0]], [x[-1], y[-1]]))


def ordered(line: Line2D) -> bool:
    """Whether dots go from left to right, one after the other, as a curve does."""
    x, _ = finite(line)
    return len(x) > 1 and bool((np.diff(x) > 0).all())


def finite(line: Line2D) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(values, float) for values in (line.get_xdata(), line.get_ydata()))
    kept = np.isfinite(x) & np.isfinite(y)
    return x[kept], y[kept]


def reach(ax: Any, axis: str) -> float:
    """How much an axis shows; 0 where its scale is none that swallows small numbers."""
    return float(np.ptp(getattr(ax, f"get_{axis}lim")())) if getattr(ax, f"get_{axis}scale")() == "linear" else 0.0


def rounded(value: float, scale: float) -> str:
    """As a place in a map that reaches so far is read: to a fiftieth or finer."""
    return number(round(value, -math.floor(math.log10(abs(scale) / 50))))


def number(value: float, scale: float = 0.0) -> str:
    """Three digits, more where an axis of this `scale` shows more, all of a whole number's; 0 for what nobody sees."""
    size = abs(value)
    if size <= scale / 1000 or size == 0:
        return "0"
    digits = max(3, math.ceil(math.log10(size / scale)) + 2) if scale else 3
    if 1e-4 <= size < 1e6:
        said = f"{value:.{max(digits - 1 - math.floor(math.log10(size)), 0)}f}"
        return said.rstrip("0").rstrip(".") if "." in said else said
    return re.sub(r"e(-?)\+?0?", r"e\1", f"{value:.3g}")


def sides(ax: Axes) -> Iterator[str]:
    """What both axes stand for; of a map, which has no points to tell it, also how far they reach."""
    mapped = any(not name(image) for image in ax.images)
    for side, axis in (("across", ax.xaxis), ("up", ax.yaxis)):
        label = [axis.get_label_text() or NO_LABEL] if shown(axis) else []
        reach = [" to ".join(map(number, axis.get_view_interval()))] if mapped else []
        if label or reach:
            yield f"{side}: {', '.join(label + reach)}"


def ticks(axis: Axis) -> list[str]:
    """Names that stand at the ticks; none where numbers stand there, unless they number the images of a grid."""
    names = [label.get_text() for label in axis.get_ticklabels()]
    given = bool(axis.axes.images) and not isinstance(axis.get_major_formatter(), ScalarFormatter)
    return [] if all(map(is_number, names)) and not given else names


def is_number(name: str) -> bool:
    try:
        return float(name.replace("\N{MINUS SIGN}", "-") or 0) is not None
    except ValueError:
        return name.startswith("$\\mathdefault")


def shown(axis: Axis) -> bool:
    """Whether numbers stand at its ticks, so that it needs a label."""
    return bool(len(axis.get_ticklocs())) and not ticks(axis)


def listed(names: Iterable[str]) -> str:
    names = list(names)
    rest = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {rest} more" if rest > 0 else "")


def formula(found: re.Match[str]) -> str:
    r"""$z_{1} + \log \sigma$ as z_1 + log σ."""
    spaced = re.sub(r"\\[^A-Za-z]", " ", found[1])
    return re.sub("[{}]", "", re.sub(r"\\([A-Za-z]+)", lambda command: symbol(command[1]), spaced))


def symbol(command: str) -> str:
    size = "CAPITAL" if command[0].isupper() else "SMALL"
    letter = command.removeprefix("var").upper().replace("LAMBDA", "LAMDA")
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {letter}")
    except KeyError:
        return SYMBOLS.get(command, command)
