"""The repository that students get: labs with blanks, what they need to run, and nothing that grades or answers."""

import re
import shutil
from pathlib import Path

import nbformat

from starter.support import desk

from ..content.edition import edition
from ..content.mistake import Mistake
from ..content.overlay import ROOT, overlay
from ..content.tasks import LABS, MODULES, TASKS
from .release import NOTEBOOKS, put_blanks

AS_THEY_ARE = ("LICENSE", "requirements.txt", desk.GLOSSARY, "datasets")
NOT_FOR_STUDENTS = ("questions.json",)  # model answers
IGNORED = """__pycache__/
.ipynb_checkpoints/
.venv
datasets/cache/
starter/.*.json
work/.jupyter/
submission-*.zip
/runs/
"""
README = """# Deep generative models, hands on

```
python -m venv .venv
source .venv/bin/activate                     # on Windows: .venv\\Scripts\\activate
python -m pip install -r requirements.txt
python -m starter lab                         # JupyterLab on your own copy, work/: commit that
python -m starter progress                    # what is right, wrong, blank, written; points
python -m starter submit 02_vae               # a last check, then the zip to hand in
```

Each notebook says which blanks of `work/starter/` are yours, and checks them with hints. It runs offline, on two cores.

| # | notebook | module | you learn | points | minutes |
| --- | --- | --- | --- | --- | --- |
{rows}

What a word means: [docs/glossary.md](docs/glossary.md). Other data: [datasets/README.md](datasets/README.md).
Version {edition} of the course.
"""
WORKFLOW = """name: progress
on: push
permissions: {contents: read}
jobs:
  progress:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with: {python-version: "3.13", cache: pip}
      - run: pip install -r requirements.txt --extra-index-url https://download.pytorch.org/whl/cpu
      - run: |
          python -m starter progress > progress.txt
          cat progress.txt
          { echo '```'; cat progress.txt; echo '```'; } >> "$GITHUB_STEP_SUMMARY"
"""


def student_repo(to: Path) -> Path:
    """Write it into a folder that is empty or not there; `git init` is yours.

    Raises:
        Mistake: the folder holds something, a notebook is not built, or an answer would be in it.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Mistake(f"{to} is not empty: name a new folder")
    if missing := [lab for lab in LABS if not (NOTEBOOKS / f"{lab}.ipynb").exists()]:
        raise Mistake(f"there is no {missing[0]}.ipynb in {NOTEBOOKS}: run `python -m grading build` first")
    new = not to.exists()
    try:
        fill(to)
    except BaseException:
        shutil.rmtree(to)
        if not new:
            to.mkdir()
        raise
    return to


def fill(to: Path) -> None:
    overlay(to, without=NOT_FOR_STUDENTS)
    put_blanks(to)
    for name in AS_THEY_ARE:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("cache", "__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    (to / "notebooks").mkdir()
    for lab in LABS:
        nbformat.write(plain(NOTEBOOKS / f"{lab}.ipynb"), to / "notebooks" / f"{lab}.ipynb")
    (to / ".github/workflows").mkdir(parents=True)
    (to / ".github/workflows/progress.yml").write_text(WORKFLOW, encoding="utf-8")
    (to / ".gitignore").write_text(IGNORED, encoding="utf-8")
    rows = "\n".join(row(number, lab) for number, lab in enumerate(LABS, 1))
    (to / "README.md").write_text(README.format(rows=rows, edition=edition()), encoding="utf-8")


def plain(path: Path) -> nbformat.NotebookNode:
    """A built notebook without outputs, and without the line by which plain nbgrader would grade."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = re.sub(r"\n### AUTOTEST .*", "", cell.source)
    notebook.metadata.pop("plots", None)
    return notebook


def row(number: int, lab: str) -> str:
    about = LABS[lab]
    module = f"`starter/{MODULES[lab]}.py`" if lab in MODULES else "–"
    points = sum(task["points"] for task in TASKS.values() if task["lab"] == lab)
    link = f"[`{lab}`](notebooks/{lab}.ipynb)"
    return f"| {number} | {link} | {module} | {about['teaches']} | {points} | {about['minutes']} |"
