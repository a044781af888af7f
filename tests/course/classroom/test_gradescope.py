"""Gradescope's autograder judges as the grader does, needs little, and always has a result to show."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from grading.classroom import gradescope
from grading.classroom.course_folder import Course
from grading.content import known_answers, tasks
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.content.tasks import tasks_of

LAB = "02_vae"
TASKS = tasks_of(LAB)


@pytest.fixture(scope="module")
def archive(tmp_path_factory, solution) -> Path:
    """Packed by an instructor who has solved the lab in her own starter/, as README tells people to."""
    root = tmp_path_factory.mktemp("instructor")
    for top in ("grading", "solutions", "starter"):
        shutil.copytree(ROOT / top, root / top, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    (root / "starter/vae.py").write_text(solution)
    (root / "starter/mine.py").write_text(solution)
    command = [sys.executable, "-m", "grading", "gradescope", LAB, "--course", str(root / "course")]
    subprocess.run(command, cwd=root, check=True, timeout=300, env={**os.environ, "PYTHONPATH": ""})
    return root / f"course/gradescope/{LAB}.zip"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory, archive, forks) -> Path:
    """Laid out as Gradescope does: the zip in source/, and run_autograder beside it."""
    root = tmp_path_factory.mktemp("autograder")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(root / "source")
        modes = {info.filename: info.external_attr >> 16 for info in opened.infolist()}
    assert modes["setup.sh"] & modes["run_autograder"] & stat.S_IXUSR
    (root / "run_autograder").write_bytes((root / "source/run_autograder").read_bytes())
    return root


@pytest.fixture
def autograder(unpacked, needs_jail) -> Path:
    return unpacked


@pytest.fixture
def open_autograder(unpacked, tmp_path) -> Path:
    """As an instructor makes it who adds --no-jail to the last line."""
    shutil.copytree(unpacked, tmp_path / "autograder")
    run = tmp_path / "autograder/run_autograder"
    run.write_text(run.read_text().rstrip() + " --no-jail\n")
    return tmp_path / "autograder"


def test_weights_of_full_size_runs_stay_in_the_repository(archive):
    with zipfile.ZipFile(archive) as opened:
        held = {name for name in opened.namelist() if name.endswith(".safetensors")}
    assert held == {f"starter/support/features{kind}.safetensors" for kind in ("", "_mnist", "_colour")}


def test_the_instructor_finds_the_rubrics_of_written_questions_in_the_zip(archive):
    with zipfile.ZipFile(archive) as opened:
        text = opened.read("README.md").decode()
        assert "grading/content/questions.toml" in opened.namelist()
    for name in ("vae-q1", "vae-q2"):
        assert all(line in text for line in tasks.rubric_of(name))
    assert tasks.rubric_of("ae-q1")[0] not in text


def judged(root: Path, files: dict[str, str], **more: str) -> dict:
    folder = root / "submission"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_text(content)
    shutil.rmtree(root / "results", ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"AUTOGRADER": str(root), "PYTHON": sys.executable, **more}
    subprocess.run(["bash", root / "run_autograder"], cwd=root, env=environment, timeout=300)
    return json.loads((root / "results/results.json").read_text())


def test_points_messages_and_what_they_are_out_of_are_shown(autograder, solution):
    entry = known_answers.answers("wrong")["vae-2"][0]
    found = judged(autograder, {"vae.py": known_answers.changed(solution, entry), "02_vae.ipynb": "{}"})
    points = [tasks.TASKS[task]["points"] for task in TASKS]
    assert [test["name"].split(":")[0] for test in found["tests"]] == TASKS
    assert [test["max_score"] for test in found["tests"]] == points
    assert [test["score"] for test in found["tests"]] == [n * (task != "vae-2") for task, n in zip(TASKS, points)]
    assert found["tests"][1]["output"] == entry["says"] and found["tests"][1]["status"] == "failed"
    assert {test["visibility"] for test in found["tests"]} == {"visible"}
    assert isinstance(found["execution_time"], int)


def test_a_submission_of_something_else_is_a_result_too(autograder):
    found = judged(autograder, {"other.py": "", "notes.txt": "hello"})
    assert [test["score"] for test in found["tests"]] == [0] * len(TASKS)
    assert "neither 02_vae.ipynb nor vae.py is in it" in found["output"]


def test_no_module_is_no_points_though_the_instructors_own_starter_is_filled(autograder):
    found = judged(autograder, {"02_vae.ipynb": '{"cells": []}'})
    assert "vae.py was not in what you handed in" in found["output"]
    assert [test["score"] for test in found["tests"]] == [0] * len(TASKS)
    assert "still blank" in found["tests"][0]["output"]


def test_the_instructors_own_work_is_not_in_it(archive, blank):
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("starter/vae.py").decode() == blank
        assert "starter/mine.py" not in opened.namelist()


def test_the_image_gets_what_judging_takes_and_no_more(archive):
    with zipfile.ZipFile(archive) as opened:
        lines = opened.read("requirements.txt").decode().splitlines()
        assert opened.read("constraints.txt") == (ROOT / "requirements.txt").read_bytes()
    pins = [text for text in lines if not text.startswith("#")]
    assert set(pins) < set((ROOT / "requirements.txt").read_text().splitlines())
    packages = {pin.partition("==")[0] for pin in pins}
    assert {"torch", "numpy", "pillow", "matplotlib"} <= packages
    assert not packages & {"jupyterlab", "nbgrader", "nbformat", "tensorboard", "ipykernel", "pytest"}


ONLY = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


def hidden(folder: Path, modules: set[str]) -> dict[str, str]:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(ONLY.format(hidden=modules))
    return {"PYTHONPATH": str(folder)}


def test_it_judges_where_nothing_else_is_installed(open_autograder, archive, solution, tmp_path):
    """With every package hidden that the slim list neither names nor brings along."""
    with zipfile.ZipFile(archive) as opened:
        lines = opened.read("requirements.txt").decode().splitlines()
    todo, seen = [text.partition("==")[0] for text in lines if not text.startswith("#")], set()
    while todo:
        name = gradescope.canonical(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        wanted = [Requirement(text) for text in distribution(name).requires or ()]
        todo += [one.name for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]
    known = packages_distributions()
    others = {module for module, of in known.items() if not {gradescope.canonical(name) for name in of} & seen}
    assert {"nbformat", "nbgrader", "jupyterlab", "sqlalchemy"} <= others
    found = judged(open_autograder, {"vae.py": solution}, **hidden(tmp_path / "site", others))
    assert all(test["status"] == "passed" for test in found["tests"]), found["output"]


def test_where_no_jail_starts_the_result_names_the_way_out(unpacked, solution, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho bwrap: no permission >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    found = judged(unpacked, {"vae.py": solution}, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert [test["score"] for test in found["tests"]] == [0] * len(TASKS)
    assert "bwrap: no permission" in found["output"] and "--no-jail" in found["output"]
    assert "not your fault" in found["output"] and "\n" not in found["output"]


def test_a_package_that_is_missing_is_named_in_the_result(open_autograder, solution, tmp_path):
    found = judged(open_autograder, {"vae.py": solution}, **hidden(tmp_path / "site", {"torch"}))
    assert "No module named 'torch'" in found["output"] and "is the image built" in found["output"]
    assert [test["max_score"] for test in found["tests"]] == [tasks.TASKS[task]["points"] for task in TASKS]


def test_a_judge_that_never_starts_or_is_killed_leaves_a_result(unpacked, solution, tmp_path):
    (tmp_path / "killed").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "killed").chmod(0o755)
    for python in (tmp_path / "nothing", tmp_path / "killed"):
        found = judged(unpacked, {"vae.py": solution}, PYTHON=str(python))
        assert "ended before it had judged" in found["output"] and len(found["tests"]) == len(TASKS)
        assert not any(test["score"] for test in found["tests"])


STUB = """#!/bin/sh
echo "$0 $*" >> {log}
case "$*" in
    *"--torch-backend cpu"*) exit {cpu} ;;
    *"-m venv"*) mkdir -p {opt}/uv/bin && cp "$0" {opt}/uv/bin/python && cp "$0" {opt}/uv/bin/uv ;;
esac
"""


@pytest.mark.parametrize("cpu", [0, 1], ids=["the CPU index answers", "it does not"])
def test_torch_without_cuda_is_asked_for_first(unpacked, tmp_path, cpu):
    """The commands of setup.sh are written down, and none is run."""
    log, opt, programs = tmp_path / "log", tmp_path / "opt", tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "python3"):
        (programs / name).write_text(STUB.format(log=log, opt=opt, cpu=cpu))
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "AUTOGRADER": str(unpacked), "OPT": str(opt)}
    mode = (unpacked / "source").stat().st_mode
    try:
        subprocess.run(["bash", unpacked / "source/setup.sh"], env=environment, check=True, timeout=60)
        assert (unpacked / "source").stat().st_mode & 0o777 == 0o700
    finally:
        (unpacked / "source").chmod(mode)
    said = log.read_text().splitlines()
    installs = [words for words in said if "constraints.txt" in words]
    assert "--torch-backend cpu" in installs[0] and len(installs) == 1 + cpu
    assert any("bubblewrap" in words for words in said) and any(">=3.11" in words for words in said)


def test_a_lab_without_tasks_has_no_autograder(tmp_path, monkeypatch):
    monkeypatch.setattr(gradescope, "tasks_of", lambda lab: [])
    with pytest.raises(Mistake, match="written questions only"):
        gradescope.package(Course(tmp_path), LAB)
