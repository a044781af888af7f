"""A learner's own copy of the course, and what lies on it when JupyterLab opens: a start page, a notebook, its module.

In the repository the copy is work/, which git ignores: notebooks without the results that stand in notebooks/, and
modules with blanks. A lab's zip is such a copy already. Nothing of it is ever overwritten.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import course, progress

PAGE = "START.md"
GLOSSARY = "docs/glossary.md"  # each lab links it
PACKAGE_TEXT = '''"""Your modules. All the rest of the course is found in its own folder."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[2] / "starter"))
'''
HEAD = """# Deep generative models, hands on

{next}

| lab | state | tasks | answers | points | minutes | builds on |
| --- | --- | --- | --- | --- | --- | --- |
"""
FOOT = """
Left a notebook, right its module: fill a blank, save, run the cell `check(...)`. In a terminal (File, New, Terminal):

| command | what it does |
| --- | --- |
| `python -m starter watch` | checks whenever you save, and names the next blank |
| `python -m starter hint vae-1` | the next hint |
| `python -m starter reset vae-1` | the blank again; your text is kept |
| `python -m starter progress` | how far you are |
| `python -m starter submit 2` | packs lab 2 to hand it in |

This page was written when JupyterLab was started.
"""
GRADED = "#" * 3 + " AUTOTEST"  # not in one piece: no file of a release may hold such a line


def prepare() -> list[str]:
    """Copy what is not there yet; the files that were copied, from the learner's folder."""
    if not (course.TOP / "notebooks").is_dir():
        return []
    package = course.TOP / course.WORK / course.PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    made = [] if (package / "__init__.py").exists() else [package / "__init__.py"]
    for path in made:
        path.write_text(PACKAGE_TEXT, encoding="utf-8")
    for lab in course.labs().values():
        book = course.TOP / "notebooks" / f"{lab.name}.ipynb"
        module = course.TOP / str(lab.place)
        if book.exists():
            made += copied(package.parent / book.name, partial(without_results, book))
        if lab.module and module.exists():
            made += copied(package / module.name, module.read_bytes)
    words = course.TOP / GLOSSARY
    if words.exists():
        (package.parent / GLOSSARY).parent.mkdir(exist_ok=True)
        made += copied(package.parent / GLOSSARY, words.read_bytes)
    found_first(package)
    return [path.relative_to(package.parent).as_posix() for path in made]


def copied(target: Path, content: Callable[[], bytes]) -> list[Path]:
    """The file, when it was not there."""
    if target.exists():
        return []
    fresh = target.with_suffix(".new")
    fresh.write_bytes(content())
    fresh.replace(target)
    return [target]


def found_first(package: Path) -> None:
    """Let this process, too, find modules in it."""
    path = sys.modules[course.PACKAGE].__path__
    if str(package) not in path:
        path.insert(0, str(package))


def without_results(notebook: Path) -> bytes:
    """As it is before anything is run, and without lines that only plain nbgrader needs."""
    book = json.loads(notebook.read_text(encoding="utf-8"))
    book["metadata"].pop("plots", None)
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            lines = "".join(cell["source"]).splitlines(keepends=True)
            cell["source"] = "".join(line for line in lines if not line.startswith(GRADED)).rstrip("\n")
        else:
            cell["source"] = beside_starter("".join(cell["source"])).splitlines(keepends=True)
    return (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()


def beside_starter(words: str) -> str:
    """What a notebook says, with links from beside starter/ and docs/: in notebooks/ these are one folder up."""
    return words.replace("](../starter/", "](starter/").replace("](../docs/", "](docs/")


def lay_out(lab: course.Lab | None) -> str:
    """Write the start page, and what JupyterLab shows; the address that it opens.

    Args:
        lab: to begin with; None: where the learner is, and the windows as she left them.
    """
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    standings = [progress.of_lab(one) for one in progress.present()]
    here = lab or first_open(standings).lab
    (course.own() / PAGE).write_text(start_page(standings), encoding="utf-8")
    kept = WorkspacesManager(str(workspaces()))
    is_new = lab is not None or not kept.load("course")["data"]
    if is_new:
        kept.save("course", json.dumps({"data": windows(here, front=lab is not None), "metadata": {"id": "course"}}))
    # A page that is in front already is not asked for: it would come to the front again, before what she opens at once.
    return "/lab/workspaces/course" + ("" if is_new else f"/tree/{PAGE}")


def workspaces() -> Path:
    return course.own() / ".jupyter" / "workspaces"


def start_page(standings: list[progress.LabStanding]) -> str:
    here = first_open(standings)
    lines = [HEAD.format(next=f"**Lab {here.lab.number}, {here.lab.title}.** {progress.coming(here)}")]
    for found in standings:
        lab = found.lab
        before = ", ".join(str(course.labs()[name].number) for name in lab.builds_on) or "–"
        answers = f"{len(found.answers) - len(found.unwritten)} of {len(found.answers)}"
        tasks = f"{len(found.right)} of {len(lab.tasks)}" if lab.tasks else "–"
        state = "given" if found.is_given else "✓" if found.is_done else "…" if found.is_begun else ""
        cells = (f"{lab.number}", state, tasks, answers, f"{found.points} of {lab.points}", lab.minutes, before)
        title = f"[{lab.number} · {lab.title}]({lab.name}.ipynb)<br>{lab.teaches}"
        lines.append("| " + " | ".join(map(str, (title, *cells[1:]))) + " |\n")
    return "".join(lines) + FOOT


def first_open(standings: list[progress.LabStanding]) -> progress.LabStanding:
    return next((found for found in standings if not (found.is_done or found.is_given)), standings[-1])


def windows(lab: course.Lab, front: bool) -> dict:
    """A workspace of JupyterLab: start page and notebook left, the module right."""
    tabs = {f"markdownviewer-widget:{PAGE}": (PAGE, "Markdown Preview")}
    tabs[f"notebook:{lab.name}.ipynb"] = (f"{lab.name}.ipynb", "Notebook")
    areas = [{"type": "tab-area", "currentIndex": int(front), "widgets": [*tabs]}]
    if lab.place:
        tabs[f"editor:{lab.place}"] = (lab.place, "Editor")
        areas.append({"type": "tab-area", "currentIndex": 0, "widgets": [f"editor:{lab.place}"]})
    dock = {"type": "split-area", "orientation": "horizontal", "sizes": [0.58, 0.42][: len(areas)], "children": areas}
    layout = {
        "main": {"dock": dock, "current": [*tabs][int(front)]},
        "left": {"collapsed": False, "visible": True, "current": "filebrowser", "widgets": ["filebrowser"]},
        "right": {"collapsed": True, "visible": True, "widgets": []},
        "relativeSizes": [0.16, 0.84, 0],
    }
    opened = {name: {"data": {"path": path, "factory": factory}} for name, (path, factory) in tabs.items()}
    return {"layout-restorer:data": layout, "file-browser-filebrowser:cwd": {"path": ""}} | opened
