"""Draw from the runs what the reports draw: python -m starter figures [--home FOLDER] [NAME ...]

Runs that differ in one thing (a size, a rate, a weight, a loss) stand in one picture: those of one report, one kind of
model and one data set. Every picture is a PNG that carries a text in place of itself, under the keyword Description.
"""

import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import recipes
from ..plots import GREY, STYLE
from ..recipes import SQUARED
from ..runs import replace
from .found import FID, NAMES, Curve, Missing, Run, readable, table, tiles

LINES = tuple(  # Okabe and Ito's colours, grey for their black; whoever sees no colours sees the dashes
    zip(
        ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", GREY),
        ("-", "--", "-.", ":", (0, (6, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1))),
    )
)
WIDTH, DPI = 8.5, 150  # inches, and pixels for each of them
LOSS = {
    "ae": "squared error per image",
    "vae": "nats per image",
    "gan": "nats",
    "realnvp": "bits per dimension",
    "flow-matching": "squared velocity per image",
}
UNITS = {  # of scores; a term of the loss has that of its kind of model
    "SSIM": "SSIM (1: equal)",
    "BCE": "cross-entropy, nats per image",
    "diversity": "squared distance per image",
    "kl": "nats per image",
    SQUARED: "squared error per image",
}
NOISY = ("gan", "flow-matching")  # no image of theirs comes from another image
HIDDEN = ("prior", "volume", "noise")  # parts of a flow's loss
Family = Sequence[Run]


class Drawn(NamedTuple):
    """A picture, and the text that stands for it where it cannot be seen."""

    figure: Figure
    text: str


class Panel(NamedTuple):
    """A plot of named curves; `dots` are others of the same names."""

    curves: Mapping[str, Curve]
    y: str
    dots: Mapping[str, Curve] = {}


# ---- curves


def losses(family: Family) -> Drawn:
    """Every term over epochs, of training as lines, of other images as dots; both players of a game in one plot."""
    seen = [run for run in family if run.training]
    if not seen:
        raise Missing("no run holds the curves of its loss")
    if seen[0].kind == "gan":
        panels = {run.name: Panel(by_epoch(run, run.training), unit(run), by_epoch(run, run.watched)) for run in seen}
    else:
        terms = [term for term in seen[0].training if term not in HIDDEN]
        found = {term: (over(seen, "training", term), over(seen, "watched", term)) for term in terms}
        panels = {term: Panel(curves, unit(seen[0]), dots) for term, (curves, dots) in found.items()}
    return lines(f"{called(family)}: loss (lines: training, dots: other images)", "epoch", panels)


def on_the_way(names: Sequence[str], family: Family) -> Drawn:
    """Scores over epochs."""
    return lines(
        f"{called(family)}: {' and '.join(names)} over epochs",
        "epoch",
        measured({name: Panel(over(family, "watched", name), UNITS[name]) for name in names}),
    )


def fid(family: Family) -> Drawn:
    """Over iterations, as papers have it: steps of training."""
    curves = {run.name: curve for run in family for name, curve in run.watched.items() if name.startswith(FID)}
    name = next((name for run in family for name in run.watched if name.startswith(FID)), FID)
    return lines(f"{called(family)}: FID on the way", "iteration", measured({"FID": Panel(curves, name)}))


def sizes(family: Family) -> Drawn | None:
    """Scores of the end against the number in which names differ, such as a code's length; None where none do."""
    swept: dict[str, list[Run]] = {}
    for run in family:
        if run.size is not None:
            swept.setdefault(re.sub(r"-\d+(\.\d+)?(?=-|$)", "-N", run.name, count=1), []).append(run)
    swept = {name: sorted(own, key=lambda run: run.size or 0.0) for name, own in swept.items() if len(own) > 1}
    if not swept:
        return None
    panels = {}
    for score in dict.fromkeys(score for own in swept.values() for run in own for score in run.test):
        if score in (SQUARED, "SSIM", "kl") or score.startswith(FID):
            points = {name: [(r.size, r.test[score]) for r in own if score in r.test] for name, own in swept.items()}
            curves = {name: Curve(*np.array(pairs, dtype=float).T) for name, pairs in points.items() if pairs}
            panels["FID" if score.startswith(FID) else score] = Panel(curves, UNITS.get(score, score))
    across = "beta" if all(name.startswith("beta") for name in swept) else "length of the code"
    return lines(f"{called(family)}: test scores against {across}", across, measured(panels), "o")


def by_epoch(run: Run, curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """The terms of its loss among the curves, over epochs."""
    return {name: curve.per(run.epoch) for name, curve in curves.items() if name in run.training}


def over(family: Family, group: str, name: str) -> dict[str, Curve]:
    """One number of every run that has it, over epochs."""
    found = {run: getattr(run, group).get(name) for run in family}
    return {label(run, family): curve.per(run.epoch) for run, curve in found.items() if curve}


def measured(panels: Mapping[str, Panel]) -> dict[str, Panel]:
    if not (found := {name: panel for name, panel in panels.items() if panel.curves}):
        raise Missing(f"no run has measured {' or '.join(panels) or 'a score'}")
    return found


def unit(run: Run) -> str:
    return "no unit" if any(kind in run.name for kind in ("wgan", "lsgan")) else LOSS.get(run.kind, "loss")


# ---- images


def variants(what: str, family: Family) -> Drawn | None:
    """The same system in its variants, side by side at the end."""
    drawn = {label(run, family): run.pictures(what) for run in family}
    last = {name: files[max(files)] for name, files in drawn.items() if files}
    return rows(f"{called(family)}: {what} at the end", strips(last, what)) if len(last) > 1 else None


def stages(what: str, family: Family) -> Drawn | None:
    """Early, in the middle and late."""
    (run,) = family
    if not (files := run.pictures(what)):
        return None
    middle = min(files, key=lambda step: abs(step - max(files) / 2))
    chosen = {f"epoch {step / run.epoch:.3g}": files[step] for step in sorted({min(files), middle, max(files)})}
    return rows(f"{called(family)}: {what}", strips(chosen, what, 2))


def beside(family: Family) -> Drawn | None:
    """One system on several data sets."""
    what = next((what for what in ("samples", "reconstructions") if all(run.pictures(what) for run in family)), None)
    if what is None or len(family) < 2:
        return None
    last = {run.of: tiles(run.pictures(what)[max(run.pictures(what))])[:4] for run in family}
    return rows(f"{family[0].name}: {what} of {' and '.join(last)}", last)


def classes(family: Family) -> Drawn | None:
    """Of a model that knows classes."""
    (run,) = family
    if not run.conditional:
        return None
    if not (files := run.pictures("samples")):
        raise Missing("no picture of its samples")
    found = {f"class {k}": row for k, row in enumerate(tiles(files[max(files)]))}
    return rows(f"{called(family)}: a class in each row, a noise in each column", found)


def interpolation(family: Family) -> Drawn:
    """From image to image where there is an encoder; of a game a square between four noises, or a row for a class."""
    (run,) = family
    if not (path := run.folder / "interpolation.png").exists():
        raise Missing("no picture of an interpolation")
    if run.kind not in NOISY:
        pairs = {f"pair {i}": row for i, row in enumerate(tiles(path), 1)}
        return rows(f"{called(family)}: between two test images", pairs, "from the first image to the second")
    title, found = f"{called(family)}: between noises", tiles(path)
    if run.conditional:
        return rows(title, {f"class {k}": row for k, row in enumerate(found)}, "from one noise to another")
    return rows(title, {"": found}, "first direction of the noise", "second direction of the noise")


def strips(files: Mapping[str, Path], what: str, count: int = 1) -> dict[str, np.ndarray]:
    """The first rows of every picture; of reconstructions what they are to look like comes first, once."""
    found = {name: tiles(path) for name, path in files.items()}
    if what == "samples":
        return {name: picture[:count] for name, picture in found.items()}
    return {"test images": next(iter(found.values()))[:1]} | {name: picture[1:2] for name, picture in found.items()}


# ---- what is drawn of which runs


def by_system(run: Run) -> str:
    return f"{run.report}-{run.kind}-{run.data}".replace(" ", "-")


def by_run(run: Run) -> str:
    return f"{run.name}-{run.data}"


def by_recipe(run: Run) -> str:
    return run.name


class Drawing(NamedTuple):
    """A kind of picture: of which runs one is drawn, how, and of which kinds of model."""

    together: Callable[[Run], str]
    draw: Callable[[Family], Drawn | None]  # None: nothing of that kind is to be expected of them
    kinds: Iterable[str] = NAMES


DRAWS = ("vae", "realnvp", *NOISY)  # from noise
DRAWINGS = {
    "losses": Drawing(by_system, losses),
    "similarity": Drawing(by_system, partial(on_the_way, ("SSIM", "BCE")), ("ae", "vae")),
    "fid": Drawing(by_system, fid, DRAWS),
    "diversity": Drawing(by_system, partial(on_the_way, ("diversity",)), DRAWS),
    "sizes": Drawing(by_system, sizes),
    "variants-samples": Drawing(by_system, partial(variants, "samples")),
    "variants-reconstructions": Drawing(by_system, partial(variants, "reconstructions")),
    "stages-samples": Drawing(by_run, partial(stages, "samples")),
    "stages-reconstructions": Drawing(by_run, partial(stages, "reconstructions")),
    "classes": Drawing(by_run, classes, NOISY),
    "interpolation": Drawing(by_run, interpolation),
    "data": Drawing(by_recipe, beside),
}


def figures(home: Path, out: Path, names: Sequence[str] = ()) -> tuple[list[Path], list[str]]:
    """Draw what the runs below `home` have; the files, the last of which shows them all, and what is left out.

    Args:
        names: recipes and kinds of pictures, of DRAWINGS; all of them when none is named.

    Raises:
        ValueError: no such name, or no run.
    """
    found, remarks = readable(home)
    if unknown := [name for name in names if name not in DRAWINGS and name not in recipes.RECIPES]:
        raise ValueError(f"there is no recipe or picture {unknown[0]!r}: pictures are {', '.join(DRAWINGS)}")
    chosen = [run for run in found if run.name in names] if set(names) - set(DRAWINGS) else found
    if not chosen:
        raise ValueError(f"there is no run with results in {home}: train one first, or name another folder with --home")
    drawn = {}
    for kind in [kind for kind in DRAWINGS if kind in names] or DRAWINGS:
        for group, family in families(chosen, DRAWINGS[kind]).items():
            try:
                if picture := DRAWINGS[kind].draw(family):
                    replace(out / f"{kind}-{group}.png", png(picture))
                    drawn[kind, group] = picture.text
            except Missing as reason:
                remarks.append(f"{kind}-{group}: {reason}")
    replace(out / "README.md", page(drawn, table(found), remarks).encode())
    return [*(out / f"{kind}-{group}.png" for kind, group in drawn), out / "README.md"], remarks


def families(found: Family, drawing: Drawing) -> dict[str, list[Run]]:
    grouped: dict[str, list[Run]] = {}
    for run in found:
        if run.kind in drawing.kinds:
            grouped.setdefault(drawing.together(run), []).append(run)
    return grouped


def page(drawn: Mapping[tuple[str, str], str], numbers: str, remarks: Sequence[str]) -> str:
    """All pictures, each with its text, for who reads the folder."""
    parts = ["# Figures", "Drawn by `python -m starter figures`.", "## The kinds of models, in numbers", numbers]
    for kind in dict.fromkeys(kind for kind, _ in drawn):
        parts.append(f"## {kind}")
        parts += [f"![{text}]({kind}-{group}.png)" for (of, group), text in drawn.items() if of == kind]
    if remarks:
        parts += ["## Left out", "\n".join(f"- {line}" for line in remarks)]
    return "\n\n".join(parts) + "\n"


# ---- how


def called(family: Family) -> str:
    run = family[0]
    system = run.name if len(family) == 1 else f"{run.report.capitalize()}, {NAMES[run.kind]}"
    return f"{system} on {run.of}"


def label(run: Run, family: Family) -> str:
    """Its name, and its learning rate where they differ."""
    return f"{run.name}, rate {run.rate:g}" if run.rate and len({other.rate for other in family}) > 1 else run.name


@contextmanager
def sheet(height: float, title: str, nrows: int = 1, ncols: int = 1) -> Iterator[tuple[Figure, list[Axes]]]:
    with matplotlib.rc_context(STYLE | {"axes.formatter.useoffset": False}):
        figure = Figure((WIDTH, height), layout="constrained")
        figure.suptitle(title)
        yield figure, [*figure.subplots(nrows, ncols, squeeze=False).flat]


def lines(title: str, across: str, panels: Mapping[str, Panel], marker: str = "") -> Drawn:
    """Plots side by side, up to three in a row; a name looks the same in all of them."""
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    looks = dict(zip(dict.fromkeys(name for panel in panels.values() for name in panel.curves), cycle(LINES)))
    size = {"nrows": math.ceil(len(panels) / columns), "ncols": columns}
    with sheet(0.9 + 2.8 * size["nrows"], title, **size) as (figure, axes):
        for ax, (name, panel) in zip(axes, panels.items()):
            draw(ax, panel, looks, marker)
            ax.set(title=name, xlabel=across, ylabel=panel.y)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        handles = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels())}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, handlelength=3.5)
    told = (f"{name}: {ends(panel.curves)}" for name, panel in panels.items())
    return Drawn(figure, f"{title}. From the first to the last point, {'; '.join(told)}.")


def draw(ax: Axes, panel: Panel, looks: Mapping[str, tuple], marker: str) -> None:
    for name, curve in panel.curves.items():
        colour, dashes = looks[name]
        ax.plot(*curve, color=colour, linestyle=dashes, marker=marker, label=name)
        if name in panel.dots:
            ax.plot(*panel.dots[name], color=colour, linestyle="", marker=".", markersize=4)
    late = [curve.values[len(curve.values) // 20 :] for curve in (*panel.curves.values(), *panel.dots.values())]
    low = min(map(min, late))  # the first steps, and a leap to a thousand times the loss, would dwarf the rest
    high = max(min(max(values), low + 3 * (np.quantile(values, 0.9) - low)) for values in late)
    if not marker and high > low:
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    if marker and len(ticks := np.unique(np.concatenate([curve.x for curve in panel.curves.values()]))) < 8:
        ax.set_xscale("log" if ticks[0] > 0 and ticks[-1] > 4 * ticks[0] else "linear")
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def ends(curves: Mapping[str, Curve]) -> str:
    return ", ".join(f"{name} {curve.values[0]:.4g} to {curve.values[-1]:.4g}" for name, curve in curves.items())


def rows(title: str, named: Mapping[str, np.ndarray], across: str = "", down: str = "") -> Drawn:
    """Rows of images (n, side, side, 4), or blocks of such rows, all as long as the shortest; names on the left."""
    gap, parts, at, ticks = 2, [], 0, []
    blocks = [block if block.ndim == 5 else block[None] for block in named.values()]
    for block in (block[:, : min(block.shape[1] for block in blocks)] for block in blocks):
        framed = np.pad(block, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)))
        parts.append(np.concatenate([np.concatenate(list(row), axis=1) for row in framed]))
        ticks.append(at + (len(parts[-1]) - gap) / 2)
        at += len(parts[-1])
    canvas = np.concatenate(parts)[:-gap, :-gap]
    with sheet(0.6 + 6.0 * canvas.shape[0] / canvas.shape[1], title) as (figure, axes):
        ax = axes[0]
        ax.imshow(canvas, interpolation="nearest")
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.set_xticks([])
        ax.set_yticks(ticks, list(named))
        ax.set(xlabel=across, ylabel=down)
    listed = f" Rows from the top: {', '.join(named)}." if len(named) > 1 else ""
    return Drawn(figure, f"{title}.{listed}")


def png(drawn: Drawn) -> bytes:
    memory = io.BytesIO()
    about = {"Description": drawn.text}
    drawn.figure.savefig(
        memory, format="png", metadata=about, dpi=DPI, transparent=True, bbox_inches="tight", pad_inches=0.05
    )
    return memory.getvalue()


def alternative(path: Path) -> str:
    """The text of a picture of this module, for the page that shows it."""
    from PIL import Image

    with Image.open(path) as picture:
        return picture.info.get("Description", "")
