"""The end of a lab, for who reads along: how far it is, what her models draw beside the course's, where to go on."""

from html import escape

from . import course, plots, progress, runs, submit

COLUMNS = 12  # samples in a row
THEIRS = "the course's"


def show(lab: course.Lab) -> None:
    found = progress.of_lab(lab)
    print(f"Lab {lab.number}: {found.summary()}.", *submit.unfinished(found), sep="\n")
    draw(runs.measured)
    follow(lab, found)


def draw(measured: dict[str, str]) -> None:
    """Samples of the models of this notebook, each beside those of the reference that was trained in the same way.

    Args:
        measured: name of a run -> its data set.
    """
    for data in dict.fromkeys(measured.values()):
        mine, reference, rows = runs.read(data), runs.of_reference(data), {}
        for name in (name for name, own in measured.items() if own == data):
            for run in filter(None, (mine.get(name), reference.get(name))):
                if (x := run.samples()) is not None:
                    rows[f"{name}, {'yours' if run.yours else THEIRS}"] = x[:COLUMNS]
        if rows:
            plots.rows(rows, f"Drawn by the models of this lab, on {data}: none is chosen")


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
