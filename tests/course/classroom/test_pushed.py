"""From a push to a grade: what stood in a repository at a time is packed; a workflow runs what a hand would."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from grading.__main__ import main, parser
from grading.classroom.collect import collect
from grading.content.overlay import ROOT

LAB = "02_vae"
FIRST, SECOND = "2026-10-18T10:00:00+02:00", "2026-10-20T10:00:00+02:00"
WORKFLOW = ROOT / ".github/workflows/grade.yml"

if not shutil.which("git"):
    pytest.skip("git is not installed: apt install git", allow_module_level=True)


def committed(repo: Path, files: dict[str, str | bytes], time: str) -> None:
    for name, content in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = os.environ | who | {"GIT_COMMITTER_DATE": time, "GIT_AUTHOR_DATE": time}
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "work"]):
        subprocess.run(["git", "-C", repo, *words], env=environment, check=True)


@pytest.fixture
def clones(tmp_path, released_notebook) -> Path:
    """Anna pushed twice, Ben once and late, Cem something else."""
    folder = tmp_path / "clones"
    for name in ("anna", "ben", "cem"):
        (folder / name).mkdir(parents=True)
    work = {f"work/{LAB}.ipynb": released_notebook, "work/starter/vae.py": "x = 1", "work/starter/gan.py": "y = 1"}
    committed(folder / "anna", work, FIRST)
    committed(folder / "anna", {"work/starter/vae.py": "x = 2"}, SECOND)
    committed(folder / "ben", work, SECOND)
    committed(folder / "cem", {"README.md": "hello"}, FIRST)
    return folder


def test_what_was_committed_in_time_is_packed_and_collected_with_its_time(course, clones, capsys):
    options = ["--course", str(course.root)]
    assert main(["pushed", LAB, str(clones), "--before", "2026-10-19T23:59:00+02:00", *options]) == 0
    said = capsys.readouterr().out
    assert "ben: nothing was committed before 2026-10-19T23:59:00+02:00" in said
    assert f"cem: work/ has neither of {LAB}.ipynb, starter/vae.py" in said and "1 of 3 repositories: python -m" in said
    folder = course.root / f"pushed-{LAB}"
    assert [path.name for path in folder.iterdir()] == ["anna.zip"]
    with zipfile.ZipFile(folder / "anna.zip") as packed:
        names = [name for name in packed.namelist() if not name.endswith("/")]
        assert sorted(names) == [f"work/{LAB}.ipynb", "work/starter/vae.py"]
    collect(course, LAB, folder, times=folder.with_suffix(".csv"), say=lambda words: None)
    taken = course.folder("submitted", LAB, "anna")
    assert (taken / "starter/vae.py").read_text() == "x = 1"
    assert (taken / "timestamp.txt").read_text().startswith("2026-10-18 08:00:00")


def test_without_a_time_all_that_was_committed_counts_and_what_was_packed_before_is_gone(course, clones, capsys):
    (course.root / f"pushed-{LAB}").mkdir()
    (course.root / f"pushed-{LAB}/old.zip").write_text("old")
    assert main(["pushed", LAB, str(clones), "--course", str(course.root)]) == 0
    assert sorted(path.name for path in (course.root / f"pushed-{LAB}").iterdir()) == ["anna.zip", "ben.zip"]
    with zipfile.ZipFile(course.root / f"pushed-{LAB}/anna.zip") as packed:
        assert packed.read("work/starter/vae.py") == b"x = 2"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "nowhere holds no clone: `git clone` each student's repository into it"),
        (["--before", "soon", "clones"], "--before 'soon' is no time: write it as 2026-"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(course, clones, words, says, capsys, monkeypatch):
    monkeypatch.chdir(clones.parent)
    before = {path.name for path in course.root.iterdir()}
    assert main(["pushed", LAB, *words, "--course", str(course.root)]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and {path.name for path in course.root.iterdir()} == before


@pytest.fixture(scope="module")
def workflow() -> dict:
    return yaml.load(WORKFLOW.read_text(encoding="utf-8"), yaml.BaseLoader)


@pytest.fixture(scope="module")
def steps(workflow) -> dict[str, dict]:
    return {step.get("name", step.get("uses", step.get("run"))): step for step in workflow["jobs"]["grade"]["steps"]}


def test_grades_are_made_by_hand_in_a_private_fork_and_nowhere_else(workflow):
    assert [*workflow["on"]] == ["workflow_dispatch"]
    assert workflow["jobs"]["grade"]["if"] == "github.event.repository.private"
    assert workflow["concurrency"]["cancel-in-progress"] == "false"


def test_one_step_has_the_secret_and_no_text_of_a_form_is_put_into_a_script(workflow, steps):
    with_secret = [name for name, step in steps.items() if "secrets." in str(step)]
    assert with_secret == ["Clone what learners pushed, named as they are"]
    assert not any("${{" in step.get("run", "") for step in steps.values())
    guide = (ROOT / "INSTRUCTOR.md").read_text(encoding="utf-8")
    assert "`STUDENT_REPOS`" in guide and "never run on GitHub" in guide and "secrets.STUDENT_REPOS" in str(steps)


def program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{says}\n")
    (folder / name).chmod(0o755)


def run(step: dict, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """As GitHub runs a step that names no shell."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    words = ["bash", "-e", "-c", step["run"]]
    return subprocess.run(
        words, cwd=folder, env={**os.environ, "PATH": path, **environment}, capture_output=True, text=True
    )


@pytest.mark.parametrize("before", ["", FIRST])
def test_its_commands_are_those_of_the_course_in_their_order(steps, tmp_path, before):
    program(tmp_path / "bin", "python", 'echo "$*" >> log')
    assert run(steps["Grade"], tmp_path, LAB=LAB, BEFORE=before).returncode == 0
    commands = [words.removeprefix("-m grading ").split() for words in (tmp_path / "log").read_text().splitlines()]
    given = [parser().parse_args(words) for words in commands]
    order = ["release", "pushed", "collect", "autograde", "feedback", "report", "export"]
    assert [one.command for one in given] == order
    assert all(one.lab == LAB for one in given[:-1]) and given[1].before == (before or None)
    assert (given[2].folder, given[2].times) == (Path(f"course/pushed-{LAB}"), Path(f"course/pushed-{LAB}.csv"))
    assert not given[3].no_jail and not given[3].regrade


def test_what_is_released_stays_so_and_a_command_that_fails_is_the_last(steps, tmp_path):
    (tmp_path / "course/release").mkdir(parents=True)
    (tmp_path / f"course/release/{LAB}.zip").touch()
    program(tmp_path / "bin", "python", 'echo "$3" >> log; test "$3" != collect')
    assert run(steps["Grade"], tmp_path, LAB=LAB, BEFORE="").returncode != 0
    assert (tmp_path / "log").read_text().split() == ["pushed", "collect"]


def test_each_repository_of_the_list_is_cloned_and_the_token_stays_in_no_clone(steps, tmp_path):
    (tmp_path / "course").mkdir()
    (tmp_path / "course/repositories.txt").write_text("# id repository\n5001 uni/course-anna\n\n5002 uni/course-ben\n")
    program(tmp_path / "bin", "git", 'echo "$*" >> log')
    assert run(steps["Clone what learners pushed, named as they are"], tmp_path, TOKEN="hidden").returncode == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert [words.split("clone ")[1] for words in lines] == [
        "--quiet https://github.com/uni/course-anna.git clones/5001",
        "--quiet https://github.com/uni/course-ben.git clones/5002",
    ]
    assert all(words.startswith("-c http.extraheader=") and "hidden" not in words for words in lines)


def test_the_course_folder_is_committed_whatever_came_of_grading(steps, tmp_path):
    step = next(step for name, step in steps.items() if name.startswith("Keep"))
    assert step["if"] == "always()"
    course, origin = tmp_path / "course", tmp_path / "origin.git"
    course.mkdir()
    committed(course, {"course.toml": ""}, FIRST)
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    branch = subprocess.run(["git", "-C", course, "branch", "--show-current"], capture_output=True, text=True)
    for words in (["remote", "add", "origin", origin], ["push", "-q", "-u", "origin", branch.stdout.strip()]):
        subprocess.run(["git", "-C", course, *words], check=True)
    (course / "gradebook.db").write_text("grades")
    for _ in range(2):  # the second time there is nothing new
        assert run(step, tmp_path, LAB=LAB).returncode == 0
    log = subprocess.run(["git", "-C", origin, "log", "--all", "--format=%s"], capture_output=True, text=True).stdout
    assert log.splitlines() == ["Grade 02_vae", "work"]
