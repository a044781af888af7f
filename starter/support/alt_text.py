"""Words for a picture, made from the figure itself: for who cannot see it, and for who must find it again."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

NO_LABEL = "axis without a label"  # a test looks for it in the stored notebooks
MOST = 12  # names in a list; more are counted


def described(fig: Figure) -> str:
    """Title, then panel by panel what is drawn there: names, axes with their units, where curves begin and end."""
    panels = [ax for ax in fig.axes if ax.axison and ax.get_label() != "<colorbar>"]
    return ". ".join(filter(None, [fig.get_suptitle(), *map(panel, panels)])).replace("$", "").replace("\n", " ")


def panel(ax: Axes) -> str:
    bars = [each for each in ax.containers if isinstance(each, BarContainer)]
    drawn = [line for line in ax.lines if len(np.asarray(line.get_xdata()))]
    named = [line for line in drawn if not str(line.get_label()).startswith("_")]  # the others only adorn
    curves = named or ([] if ax.collections else drawn)
    said = [ax.get_title()]
    if ax.images:
        said.append("Images" if ticks(ax.xaxis) or ticks(ax.yaxis) or not (curves or ax.collections) else "A map")
        said += [f"{what}: {listed(names)}" for what, names in sides(ax) if names]
    elif bars:
        at = ax.xaxis if bars[0].orientation == "vertical" else ax.yaxis
        said += [heights(each, [label.get_text() for label in at.get_ticklabels()]) for each in bars]
    else:
        said += [course(line) for line in curves[:MOST]]
        said += [f"{sum(len(np.asarray(each.get_offsets())) for each in ax.collections)} points"] * bool(ax.collections)
        said += [f"names: {listed([text.get_text() for text in ax.texts])}"] * bool(ax.texts)
    said += [
        axis(name, each) for name, each in (("across", ax.xaxis), ("up", ax.yaxis)) if shown(each) and not ax.images
    ]
    return "; ".join(filter(None, said))


def sides(ax: Axes) -> list[tuple[str, list[str]]]:
    """Rows and columns of a grid of images."""
    return [("rows", ticks(ax.yaxis) or list(filter(None, [ax.get_ylabel()]))), ("columns", ticks(ax.xaxis))]


def ticks(axis: Axis) -> list[str]:
    """Names that stand at the ticks; none where numbers stand there."""
    names = [label.get_text() for label in axis.get_ticklabels()]
    return [] if all(map(is_number, names)) else names


def is_number(name: str) -> bool:
    try:
        return float(name.replace("\N{MINUS SIGN}", "-") or 0) is not None
    except ValueError:
        return name.startswith("$\\mathdefault")


def shown(axis: Axis) -> bool:
    """Whether numbers stand at its ticks, so that it needs a label."""
    return bool(len(axis.get_ticklocs())) and not ticks(axis)


def axis(name: str, axis: Axis) -> str:
    return f"{name}: {axis.get_label_text() or NO_LABEL}"


def course(line: Line2D) -> str:
    """Where a curve begins and ends; of a level, where it lies."""
    label, values = str(line.get_label()), np.asarray(line.get_ydata(), float)
    name = "a line" if label.startswith("_") else label
    first, last = f"{values[0]:.3g}", f"{values[-1]:.3g}"
    return f"{name} at {first}" if first == last and np.ptp(values) == 0 else f"{name} from {first} to {last}"


def heights(bars: BarContainer, names: list[str]) -> str:
    """A bar's name and its length, bar by bar; `bars` carries the name of its part in a stack."""
    label = str(bars.get_label())
    lengths = [f"{name} {float(value):.3g}" for name, value in zip(names, np.asarray(bars.datavalues))]
    return f"{'' if label.startswith('_') or not label else label + ': '}{', '.join(lengths).replace(chr(10), ' ')}"


def listed(names: list[str]) -> str:
    rest = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {rest} more" if rest > 0 else "")
