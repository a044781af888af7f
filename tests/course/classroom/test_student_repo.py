"""What students clone: whole enough to work in, and without a line of an answer."""

import os
import shutil
import subprocess
import sys
import textwrap

import nbformat
import pytest
import yaml

from grading.classroom.student_repo import student_repo
from grading.content import knife, known_answers
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT, blanks
from grading.content.tasks import LABS, MODULES, TABLE, TASKS


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    return student_repo(tmp_path_factory.mktemp("students") / "course")


@pytest.fixture(scope="module")
def texts(repo) -> dict[str, str]:
    return {
        path.relative_to(repo).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in repo.rglob("*")
        if path.is_file()
    }


def test_no_line_of_a_reference_is_in_it(texts):
    allowed = "\n".join(blanks().values()) + "\n".join(text for name, text in texts.items() if "/support/" in name)
    everything = "\n".join(texts.values())
    for module in MODULES.values():
        source = known_answers.solution(module).read_text(encoding="utf-8")
        for region in knife.regions(source).values():
            for line in map(str.strip, source.splitlines()[region]):
                assert len(line) < 12 or line in allowed or line not in everything, line


def test_no_model_answer_no_grading_and_no_output_is_in_it(repo, texts):
    answers = (ROOT / "grading/content/questions.toml").read_text(encoding="utf-8")
    first = textwrap.dedent(answers.split('answer = """\n', 1)[1]).splitlines()[0]
    assert first not in "\n".join(texts.values())
    assert not [name for name in texts if name.split("/")[0] in ("grading", "solutions", "tests", "results", "course")]
    for lab in LABS:
        notebook = nbformat.read(repo / f"notebooks/{lab}.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells)
        assert "AUTOTEST" not in texts[f"notebooks/{lab}.ipynb"]


def test_a_learner_can_check_in_it(repo):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "starter", "check", next(iter(TASKS))]
    run = subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True)
    assert "blank" in run.stdout + run.stderr and "Traceback" not in run.stderr


def test_a_push_shows_a_learner_how_far_she_is_and_may_write_nothing(repo, tmp_path):
    """What the workflow runs, but for the installation."""
    workflow = yaml.load((repo / ".github/workflows/progress.yml").read_text(), yaml.BaseLoader)
    assert workflow["on"] == "push" and workflow["permissions"] == {"contents": "read"}
    *_, install, last = (step["run"] for step in workflow["jobs"]["progress"]["steps"] if "run" in step)
    assert install.startswith("pip install -r requirements.txt ") and (repo / "requirements.txt").is_file()
    clone, summary = tmp_path / "clone", tmp_path / "summary.md"
    shutil.copytree(repo, clone)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary), "VIRTUAL_ENV": sys.prefix}
    environment |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if "site-packages" in path)}
    subprocess.run(["bash", "-e", "-c", last], cwd=clone, env=environment, check=True, capture_output=True)
    told = summary.read_text()
    assert told.startswith("```\n") and told.endswith("```\n") and "0 of" in told


def test_its_page_names_every_lab_and_its_licence_is_there(texts):
    assert all(f"notebooks/{lab}.ipynb" in texts["README.md"] for lab in LABS)
    assert texts["LICENSE"].startswith("MIT") and "datasets/prepare.py" in texts
    assert TABLE["lab"][0]["teaches"] in texts["README.md"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Mistake, match="is not empty"):
        student_repo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_half_made_stays(tmp_path, monkeypatch):
    def refused(_):
        raise Mistake("an answer")

    monkeypatch.setattr("grading.classroom.student_repo.put_blanks", refused)
    with pytest.raises(Mistake, match="an answer"):
        student_repo(tmp_path / "new")
    assert not (tmp_path / "new").exists()
