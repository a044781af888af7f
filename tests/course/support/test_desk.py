"""A learner's own copy: prepared once, without results, never overwritten; and what JupyterLab opens."""

import json
import os
import subprocess
import sys

import pytest

from grading.content.overlay import ROOT, blanks, overlay
from grading.content.tasks import LABS, MODULES
from grading.maintain import notebooks
from starter.support import course, data, desk, lab, progress

BOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "top", "metadata": {}, "source": ["# A lab\n", "Text."]},
        {
            "cell_type": "code",
            "id": "vae-1",
            "metadata": {"nbgrader": {"grade_id": "vae-1"}},
            "source": ['check("vae-1")\n', '### AUTOTEST probe("vae-1", 7)'],
            "execution_count": 3,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["vae-1 is right"]}],
        },
    ],
    "metadata": {"kernelspec": {"name": "python3"}, "plots": "abc"},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def top(tmp_path, monkeypatch):
    """A repository with blanks."""
    texts = {path.stem: text for path, text in blanks().items()}
    for module in MODULES.values():
        (tmp_path / "starter").mkdir(exist_ok=True)
        (tmp_path / f"starter/{module}.py").write_text(texts[module])
    (tmp_path / "notebooks").mkdir()
    for name in LABS:
        (tmp_path / f"notebooks/{name}.ipynb").write_text(json.dumps(BOOK))
        (tmp_path / f"notebooks/{name}.py").write_text("# a text twin\n")
    monkeypatch.setattr(course, "TOP", tmp_path)
    monkeypatch.setattr(desk, "found_first", lambda package: None)
    monkeypatch.setattr(course, "module_of", lambda lab: course.own() / f"starter/{lab.module}.py")
    return tmp_path


def test_the_copy_has_every_lab_without_results_and_nothing_else(top):
    made = desk.prepare()
    names = {path.relative_to(top / "work").as_posix() for path in (top / "work").rglob("*") if path.is_file()}
    books, modules = {f"{name}.ipynb" for name in LABS}, {f"starter/{module}.py" for module in MODULES.values()}
    assert names == set(made) == books | modules | {"starter/__init__.py"}
    book = json.loads((top / "work/02_vae.ipynb").read_text())
    assert book["cells"][0] == BOOK["cells"][0]
    check = book["cells"][1]
    assert "".join(check["source"]) == 'check("vae-1")' and not check["outputs"] and check["execution_count"] is None
    assert check["metadata"] == BOOK["cells"][1]["metadata"]  # graders find the cell by it


def test_the_real_notebooks_lose_their_results_and_keep_their_cells(tmp_path):
    for path in notebooks.FOLDER.glob("*.ipynb"):
        before, after = json.loads(path.read_text()), json.loads(desk.without_results(path))
        assert [cell["id"] for cell in after["cells"]] == [cell["id"] for cell in before["cells"]]
        code = [cell for cell in after["cells"] if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] or "AUTOTEST" in "".join(cell["source"]) for cell in code)


@pytest.mark.parametrize(("lab", "module"), MODULES.items())
def test_the_link_in_the_copys_head_leads_to_the_copys_module(lab, module):
    head = "".join(json.loads(desk.without_results(notebooks.FOLDER / f"{lab}.ipynb"))["cells"][0]["source"])
    assert f"[starter/{module}.py](starter/{module}.py)" in head and "../" not in head


def test_nothing_is_overwritten_and_what_is_new_comes_along(top):
    desk.prepare()
    mine = top / "work/starter/vae.py"
    mine.write_text("mine\n")
    (top / "work/02_vae.ipynb").write_text("{}")
    (top / "work/03_beta_vae.ipynb").unlink()
    assert desk.prepare() == ["03_beta_vae.ipynb"]
    assert mine.read_text() == "mine\n" and (top / "work/02_vae.ipynb").read_text() == "{}"


def test_a_labs_zip_is_a_copy_already(top):
    for path in (top / "notebooks").glob("*"):
        path.unlink()
    (top / "notebooks").rmdir()
    (top / "02_vae.ipynb").write_text(json.dumps(BOOK))
    assert desk.prepare() == [] and course.own() == top
    assert desk.lay_out(None) == "/lab/workspaces/course"
    page = (top / "START.md").read_text()
    assert "(02_vae.ipynb)" in page and "01_autoencoder" not in page


def shown(top) -> dict:
    (path,) = (top / "work/.jupyter/workspaces").iterdir()
    return json.loads(path.read_text())["data"]


def test_the_start_page_links_every_lab_with_its_state(top, monkeypatch):
    desk.prepare()
    found = dict.fromkeys(course.labs()["02_vae"].tasks, progress.Standing("right", ""))
    real = progress.verdicts
    monkeypatch.setattr(progress, "verdicts", lambda lab: (found, "") if lab.name == "02_vae" else real(lab))
    desk.lay_out(None)
    page = (top / "work/START.md").read_text()
    for name, one in course.labs().items():
        assert f"[{one.number} · {one.title}]({name}.ipynb)" in page and (top / f"work/{name}.ipynb").exists()
    assert f"| … | 8 of 8 | 0 of 2 | 19 of 23 | {course.labs()['02_vae'].minutes} | 1 |" in page
    assert "Next: ae-1" in page


def test_a_lab_opens_left_and_its_module_right(top):
    desk.prepare()
    assert desk.lay_out(course.labs()["02_vae"]) == "/lab/workspaces/course"
    data = shown(top)
    left, right = data["layout-restorer:data"]["main"]["dock"]["children"]
    assert left["widgets"] == ["markdownviewer-widget:START.md", "notebook:02_vae.ipynb"] and left["currentIndex"] == 1
    assert right["widgets"] == ["editor:starter/vae.py"]
    assert data["editor:starter/vae.py"]["data"] == {"path": "starter/vae.py", "factory": "Editor"}


def test_windows_stay_as_she_left_them_unless_a_lab_is_named(top):
    desk.prepare()
    desk.lay_out(course.labs()["02_vae"])
    before = shown(top)
    assert desk.lay_out(None) == "/lab/workspaces/course/tree/START.md"
    assert shown(top) == before
    desk.lay_out(course.labs()["11_comparison"])
    assert "editor" not in str(shown(top)) and "notebook:11_comparison.ipynb" in str(shown(top))


def test_jupyterlab_gets_the_folder_the_windows_and_its_own_options(top, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(lab.subprocess, "run", lambda command, env: asked.append((command, env)) or Done())
    monkeypatch.setattr(data, "verify", lambda: "fine")
    assert lab.main(["vae", "--no-browser"]) == 0
    command, environment = asked[0]
    assert f"--ServerApp.root_dir={top / 'work'}" in command and command[-1] in ("--no-browser", "--allow-root")
    assert "--LabApp.default_url=/lab/workspaces/course" in command and "vae" not in command
    assert "Prepared your own copy" in capsys.readouterr().out
    lab.main([])
    assert "Prepared" not in capsys.readouterr().out


class Done:
    returncode = 0


@pytest.mark.parametrize(
    ("arguments", "setting", "words"),
    [(["vea"], "", "did you mean"), ([], "mnistt", "there is no data set 'mnistt': did you mean mnist?")],
)
def test_a_lab_or_data_set_that_is_none_opens_nothing(top, monkeypatch, arguments, setting, words):
    monkeypatch.setenv("DATA", setting)
    monkeypatch.setattr(data, "verify", lambda: "fine")
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        lab.main(arguments)
    assert not (top / "work").exists()


def test_modules_of_the_copy_are_found_first_from_both_folders(tmp_path):
    overlay(tmp_path)
    (tmp_path / "work/starter").mkdir(parents=True)
    (tmp_path / "work/starter/vae.py").write_text("mine = 1\n")
    (tmp_path / "work/starter/__init__.py").write_text(desk.PACKAGE_TEXT)
    code = "import starter.vae, starter.support.course as c; print(starter.vae.mine, c.TOP)"
    for folder in (tmp_path, tmp_path / "work"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        assert run.stdout.split() == ["1", str(tmp_path)], run.stderr


def test_git_leaves_the_copy_alone():
    assert "/work/" in (ROOT / ".gitignore").read_text().splitlines()
