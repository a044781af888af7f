"""In a notebook a module that does not parse is one line, and the last version that did stays in use."""

import os
import subprocess
import sys

import pytest

from starter.support import kernel

CELLS = """
import os, pathlib, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
path = pathlib.Path("starter/vae.py")
def run(title, cell):
    print(f"== {title}")
    shell.run_cell(cell)
def save(text, seconds=[0]):
    path.write_text(text)
    seconds[0] += 10  # autoreload goes by the time of a file
    later = path.stat().st_mtime + seconds[0]
    os.utime(path, (later, later))
run("setup", "%load_ext autoreload\\n%autoreload 2\\nfrom starter.support import kernel")
run("twice", "kernel.install(); kernel.install()")
save("answer = (1")
run("import", "from starter import vae")
save("def answer(): return 1")
run("first", "from starter import vae\\nprint('got', vae.answer())")
save("def answer(): return (2")
run("broken", "print('got', vae.answer())")
run("check", "check('vae-1') if 0 else None")
save("def answer(): return 3")
run("mended", "print('got', vae.answer())")
run("other", "x = )")
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    from grading.content.overlay import overlay

    folder = overlay(tmp_path_factory.mktemp("kernel"), {"vae": ""})
    environment = os.environ | {"PYTHONPATH": "", "IPYTHONDIR": str(folder / "ipython"), "NO_COLOR": "1"}
    run = subprocess.run([sys.executable, "-c", CELLS], cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    parts = (part.partition("\n") for part in f"\n{run.stdout}".split("\n== ")[1:])
    return {title: text.strip() for title, _, text in parts}


def test_an_import_says_the_line_alone(said):
    assert said["import"] == "starter/vae.py, line 1 cannot be read: '(' was never closed"


def test_a_cell_says_it_once_and_uses_what_could_be_read(said):
    assert said["first"] == "got 1"
    assert said["broken"].splitlines() == [
        f"starter/vae.py, line 1 cannot be read: '(' was never closed; {kernel.LEFT}.",
        "got 1",
    ]


def test_a_check_says_it_itself(said):
    assert "cannot be read" not in said["check"]


def test_a_mended_module_is_taken_at_once(said):
    assert said["mended"] == "got 3"


def test_other_syntax_errors_are_shown_as_ever(said):
    assert "SyntaxError" in said["other"] and "x = )" in said["other"]
