"""Windows and macOS: what needs no Linux works without it, and the rest says so. Seen here on a Python made poorer."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grading.__main__ import COMMANDS, main

ELSEWHERE = Path(__file__).with_name("elsewhere.py")


@pytest.fixture(scope="module")
def found() -> tuple[dict, dict, list]:
    """Modules that cannot be imported, exit codes of --help, and what pytest collects."""
    run = subprocess.run([sys.executable, str(ELSEWHERE)], capture_output=True, text=True, timeout=600)
    assert not run.returncode, run.stderr[-3000:]
    return json.loads(run.stdout)


def test_every_module_of_the_course_can_be_imported(found):
    assert found[0] == {}


def test_every_command_explains_itself(found):
    assert found[1] == dict.fromkeys((run.__name__.replace("_", "-") for run in COMMANDS), 0)


def test_every_test_is_collected(found):
    code, said = found[2]
    assert code == 0, said


@pytest.mark.tools
def test_what_pytest_hides_is_found_by_nobody(pytestconfig):
    names = [*filter(None, pytestconfig.getoption("without").split(","))]
    code = "import shutil, sys\nprint([n for n in sys.argv[1:] if shutil.which(n)])\n"
    code += "for n in sys.argv[1:]:\n    try: __import__(n)\n    except ModuleNotFoundError: pass\n    else: print(n)"
    run = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("[]\n", "") and not any(map(shutil.which, names))


@pytest.mark.parametrize(
    "words",
    [["autograde", "02_vae", "--no-jail"], ["demo", "--no-jail"], ["audit", "vae-1"], ["audit", "--add", "vae-1"]],
)
def test_what_has_to_fork_says_so_in_one_line_where_nothing_can(words, course, tmp_path, monkeypatch, capsys):
    course.folder("submitted", "02_vae", "anna").mkdir(parents=True)
    (tmp_path / "answer.py").write_text("return mu")
    more = {"autograde": ["--course", str(course.root)], "audit": ["--file", str(tmp_path / "answer.py")]}
    monkeypatch.delattr(os, "fork")
    assert main([*words, *more.get(words[0], [])]) == 2
    said = capsys.readouterr().err
    assert "in forked processes" in said and "WSL" in said and said.count("\n") == 1
