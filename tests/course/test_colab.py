"""The first cell of docs/installing.md for Colab, and docs/colab.py: what is fetched, and what is installed."""

import ast
import re
import runpy
import sys
from importlib.metadata import packages_distributions

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from grading.content.overlay import ROOT

COLAB = runpy.run_path(str(ROOT / "docs/colab.py"))
PINS = COLAB["pins"]((ROOT / "requirements.txt").read_text(encoding="utf-8"))
HOST = {name: "1.0" for name in COLAB["IMPORTED"]}
NEW = {"torch": "9.1.0+cu150", "torchvision": "9.2.0"}
BOTH = [f"torch=={PINS['torch']}", f"torchvision=={PINS['torchvision']}"]


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        (HOST | NEW, []),
        (HOST | {name: f"{PINS[name]}+cu128" for name in COLAB["PAIR"]}, []),
        (HOST | NEW | {"torch": "2.9.1"}, BOTH),
        (HOST | {"torch": "9.1.0"}, BOTH),
        ({"torch": "2.14.9+cpu", "torchvision": "0.29.1"} | HOST, BOTH),
    ],
    ids=["newer", "as pinned, with CUDA", "too old", "half a pair", "just too old"],
)
def test_the_hosts_torch_is_kept_if_it_is_new_enough_and_replaced_as_a_pair_if_not(host, wanted):
    assert COLAB["to_install"](PINS, host) == wanted


def test_what_the_host_lacks_is_installed_as_pinned_and_what_it_has_is_left_alone():
    host = {name: version for name, version in (HOST | NEW).items() if name not in ("safetensors", "clean-fid")}
    assert COLAB["to_install"](PINS, host) == [f"{name}=={PINS[name]}" for name in ("clean-fid", "safetensors")]


def test_all_that_the_labs_import_is_looked_for_and_nothing_else():
    imported = set()
    for path in [*(ROOT / "starter").rglob("*.py"), *(ROOT / "notebooks").glob("[0-9]*.py")]:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(re.sub(r"(?m)^%.*$", "", text))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    theirs = imported - sys.stdlib_module_names - {"starter", "IPython", "jupyterlab_server"}  # of any notebook's host
    of = packages_distributions()
    assert {of[name][0].lower() for name in theirs} == {*COLAB["IMPORTED"], *COLAB["PAIR"]}


class Shell:
    """A stand-in for the kernel: notes what the cell asks of it."""

    def __init__(self):
        self.asked = []

    def system(self, command):
        self.asked.append(command)

    def run_line_magic(self, name, line):
        self.asked.append(f"%{name} {line}")


@pytest.mark.parametrize(("folder", "begins"), [(".", True), ("course/notebooks", False), ("course", False)])
def test_the_cell_fetches_the_course_where_it_is_missing_and_else_does_nothing(tmp_path, monkeypatch, folder, begins):
    (tmp_path / "course/notebooks").mkdir(parents=True)
    (tmp_path / "course/starter/support").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    page = (ROOT / "docs/installing.md").read_text(encoding="utf-8")
    cell, shell = re.search(r"## Colab.*?```\n(.*?)```", page, re.DOTALL)[1], Shell()
    exec(TransformerManager().transform_cell(cell), {"get_ipython": lambda: shell})
    assert [one.split()[:2] for one in shell.asked] == ([["git", "clone"], ["%cd", "-q"], ["%run", SCRIPT]] * begins)


SCRIPT = "../docs/colab.py"


def test_pip_is_asked_for_what_is_missing_and_a_failure_is_one_line(monkeypatch, capsys):
    commands = []

    class Failed:
        returncode = 1

    monkeypatch.setattr("subprocess.run", lambda command: commands.append(command) or Failed())
    monkeypatch.setitem(COLAB["main"].__globals__, "installed", lambda: HOST | NEW | {"torchvision": "0.1"})
    COLAB["main"]()
    assert commands == [[sys.executable, "-m", "pip", "install", "--quiet", *BOTH]]
    assert capsys.readouterr().out.count("\n") == 2
    monkeypatch.setitem(COLAB["main"].__globals__, "installed", lambda: HOST | NEW)
    COLAB["main"]()
    assert len(commands) == 1 and capsys.readouterr().out == "Everything that the labs need is here.\n"
