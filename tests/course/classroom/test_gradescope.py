"""Gradescope's autograder judges as the grader does, needs little, and always has a result to show."""

import csv
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

from grading.__main__ import main
from grading.classroom import gradescope
from grading.classroom.autograde import autograde
from grading.classroom.collect import collect
from grading.classroom.course_folder import Course
from grading.classroom.export import export
from grading.classroom.gradescope_points import Points, found, result, shipped
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


RULES = """zone = "UTC"
[late]
per_day = 10
grace = 60
[partial]
value = 40
gradient = 20
[lab.02_vae]
due = "2026-10-19 12:00"
points = { vae-1 = 7, vae-3 = 0.5 }
drop = ["vae-4", "vae-q1", "vae-q2"]
bonus = ["vae-5"]
[[extension]]
student = "5001"
lab = "02_vae"
days = 1
"""
ROSTER = "id,name,email\n5001,Anna Arndt,Anna@uni.example\n5002,Ben Berg,ben@uni.example\n"
STATES = {task: ["wrong", "No."] if task in ("vae-2", "vae-3") else ["right", "Yes."] for task in TASKS}
AGREED = {"vae-2": ["value", "shape", "gradient"], "vae-3": []}


def there(course: Course, tmp_path: Path, address: str, time: str) -> Points:
    """What the container finds of the rules, and of who handed in when, as Gradescope's documentation has it."""
    for name, text in shipped(course, LAB).items():
        (tmp_path / name).write_text(text)
    told = {"id": 1, "created_at": time, "users": [{"email": address, "id": 2, "name": "Somebody"}]}
    (tmp_path / "submission_metadata.json").write_text(json.dumps(told))
    return found(LAB, tmp_path, tmp_path / "submission_metadata.json")


@pytest.mark.parametrize("who", ["5001", "5002"])
def test_the_rules_make_the_same_points_as_in_the_gradebook(course, tmp_path, recorded, packed, released_notebook, who):
    """Both by the same verdicts: nbgrader's gradebook read out by `export`, and the container's result."""
    (course.root / "course.toml").write_text(RULES)
    (course.root / "roster.csv").write_text(ROSTER)
    assert main(["roster", str(course.root / "roster.csv"), "--course", str(course.root)]) == 0
    time, address = "2026-10-20T14:30:00+02:00", {"5001": "anna@uni.example", "5002": "ben@uni.example"}[who]
    (tmp_path / "uploads").mkdir()
    files = {f"{LAB}.ipynb": released_notebook, "starter/vae.py": "x = 1"}
    (tmp_path / f"uploads/{who}.zip").write_bytes(packed(files))
    (tmp_path / "times.csv").write_text(f"{who},{time}\n")
    collect(course, LAB, tmp_path / "uploads", times=tmp_path / "times.csv", say=lambda words: None)
    pool = recorded(STATES)
    pool.agreed = AGREED
    assert autograde(course, LAB, pool=pool, say=lambda words: None) == 0
    assert main(["course", "--apply", "--course", str(course.root)]) == 0
    export(course, lambda words: None, partial=True)
    rows = csv.DictReader((course.root / "grades.csv").open(encoding="utf-8-sig"))
    row = next(row for row in rows if row["student"] == who and row["total"])
    points = there(course, tmp_path, address, time)
    tests = [points.test(task, *STATES[task], agreed=AGREED.get(task, ())) for task in points.scale.worth]
    shown = result(points, tests, "")
    total = shown.get("score", sum(test["score"] for test in shown["tests"]))
    assert total == pytest.approx(float(row["total"])) and float(row["total"]) > 0
    assert sum(test["max_score"] for test in shown["tests"]) == pytest.approx(float(row["out_of"]))
    assert {test["name"].split(":")[0]: test["score"] for test in tests} == pytest.approx(
        {task: float(row[task]) for task in TASKS if row[task]}
    )
    late = "10 % of the points that are judged here" in shown["output"]
    assert late == (who == "5002") == (row["penalty"] != "0") == ("score" in shown)
    assert "vae-4" not in {test["name"].split(":")[0] for test in tests}


def test_what_was_earned_in_part_is_said_in_one_sentence(course, tmp_path):
    (course.root / "course.toml").write_text(RULES.partition("[[extension]]")[0])
    points = there(course, tmp_path, "anna@uni.example", "2026-10-19T12:00:00+00:00")
    shown = points.test("vae-2", "wrong", "No.", agreed=AGREED["vae-2"])
    worth = tasks.TASKS["vae-2"]["points"]
    words = "Right all the same: the numbers on ordinary inputs, shapes and types, the gradients."
    assert shown["output"] == f"No.\n{words} By this course's rules that is {0.6 * worth:g} of {worth} points."
    assert shown["status"] == "failed" and "(bonus)" in points.test("vae-5", "right", "Yes.")["name"]


@pytest.mark.parametrize(
    ("late", "time", "says", "cost"),
    [
        ("per_day = 10\nfree_days = 3", "2026-10-20T13:00:00Z", "Free late days are counted over the whole term", 0),
        ("per_day = 10\nfree_days = 3\nclosed_after = 1", "2026-10-21T13:00:00Z", "100 % of the points", 1),
        ("per_day = 10", "", "Gradescope does not say here when", 0),
        ("per_day = 10", "2026-10-19T12:59:00Z", "", 0),  # an hour's grace
        ("", "2026-10-20T13:00:00Z", "", 0),
    ],
)
def test_lateness_is_said_and_costs_what_one_zip_can_know(course, tmp_path, late, time, says, cost):
    text = f'zone = "UTC"\n[late]\ngrace = 60\n{late}\n[lab.02_vae]\ndue = "2026-10-19 12:00"\n'
    (course.root / "course.toml").write_text(text)
    points = there(course, tmp_path, "anna@uni.example", time)
    taken, words = points.lateness()
    assert taken == cost * points.scale.out_of and (says in words if says else not words)


def test_an_extension_of_somebody_without_an_address_is_one_line(course):
    (course.root / "course.toml").write_text(RULES)
    with pytest.raises(Mistake, match="Gradescope knows learners by their address, and '5001' is none: write it there"):
        shipped(course, LAB)


def test_the_readme_says_what_gradescope_and_the_instructor_do_themselves(archive):
    with zipfile.ZipFile(archive) as opened:
        readme, setup = (opened.read(name).decode() for name in ("README.md", "setup.sh"))
        assert {"course.toml", "addresses.json"} <= {*opened.namelist()}
    for words in (
        "Base image: Ubuntu 22.04",
        "a late due date there",
        "whether the last or the best submission counts",
        "whom you excuse",
        "free_days",
    ):
        assert words in " ".join(readme.split())
    assert "tzdata" in setup, "a slim image has no time zones"


def test_the_zip_counts_by_the_course_toml_in_it(autograder, solution):
    """From the zip's own files to results.json."""
    source = autograder / "source"
    before = (source / "course.toml").read_text()
    told = {"created_at": "2026-10-20T15:00:00Z", "users": [{"email": "ben@uni.example"}]}
    (autograder / "submission_metadata.json").write_text(json.dumps(told))
    (source / "course.toml").write_text(RULES.partition("[[extension]]")[0])
    try:
        shown = judged(autograder, {"vae.py": solution})
    finally:
        (source / "course.toml").write_text(before)
        (autograder / "submission_metadata.json").unlink()
    worth = {task: tasks.TASKS[task]["points"] for task in TASKS if task != "vae-4"} | {"vae-1": 7, "vae-3": 0.5}
    assert [test["score"] for test in shown["tests"]] == [*worth.values()]
    out_of = sum(worth.values()) - worth["vae-5"]
    assert (
        shown["score"] == pytest.approx(sum(worth.values()) - 0.2 * out_of) and "20 % of the points" in shown["output"]
    )


def test_a_lab_without_tasks_has_no_autograder(tmp_path, monkeypatch):
    monkeypatch.setattr(gradescope, "tasks_of", lambda lab: [])
    with pytest.raises(Mistake, match="written questions only"):
        gradescope.package(Course(tmp_path), LAB)
