"""The end of a lab, for who reads along: how far it is, what her models draw beside the course's, where to go on."""

from html import escape

from torch import Tensor

from . import course, full, plots, progress, runs, submit

COLUMNS = 12  # samples in a row
THEIRS = "the course's"


def show(lab: course.Lab, recipe: str = "", own: str = "") -> None:
    found = progress.of_lab(lab)
    print(f"Lab {lab.number}: {found.summary()}.", *submit.unfinished(found), sep="\n")
    draw(runs.measured, recipe, own)
    follow(lab, found)


def draw(measured: dict[str, str], recipe: str = "", own: str = "", compare: bool = True) -> None:
    """Samples of the models of this notebook, and below them those of a model of full size where its weights are here.

    Args:
        measured: name of a run -> its data set.
        recipe, own: of the model of full size, and the data set that it was trained on.
        compare: each run beside that of the reference, which was trained in the same way.
    """
    large = full.samples(recipe, own, COLUMNS) if recipe else None
    for data in [*dict.fromkeys(measured.values())] or [own]:
        rows = drawn([name for name, on in measured.items() if on == data], data, compare)
        models = [f"of this lab, on {data}"] if rows else []
        if large is not None:
            rows[f"{recipe}, full size"] = large
            models.append(f"of full size, on {own}")
        if rows:
            plots.rows(rows, f"Drawn by models {', and '.join(models)}: none is chosen")


def drawn(names: list[str], data: str, compare: bool) -> dict[str, Tensor]:
    """Label of a row -> the samples of a run."""
    mine, reference, rows = runs.read(data), runs.of_reference(data), {}
    for name in names:
        for run in filter(None, (mine.get(name), reference.get(name) if compare else None)):
            if (x := run.samples()) is not None:
                rows[f"{name}, {'yours' if run.yours else THEIRS}" if compare else name] = x[:COLUMNS]
    return rows


def follow(lab: course.Lab, found: progress.LabStanding) -> None:
    """What to do next, and a link to the next lab where it is here: a lab's zip has one lab alone."""
    from IPython.display import display

    order = [*course.labs().values()]
    later = [one for one in order[order.index(lab) + 1 :][:1] if one in progress.present()]
    links = [f"<a href='{one.name}.ipynb'>Lab {one.number}, {escape(one.title)}</a>" for one in later]
    says = escape(progress.coming(found))
    pack = f"<code>python -m {course.PACKAGE} submit {lab.number}</code> packs this lab to hand it in."
    page = "<p>" + "<br>".join([says, pack, *(f"The lab after this one: {link}." for link in links)]) + "</p>"
    display({"text/html": page, "text/plain": progress.coming(found)}, raw=True)
