"""A run can end at any moment, by any death, and goes on: nothing is lost, and nothing is there twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.__main__ import Terminal
from grading.classroom import autograde as grade
from grading.classroom.autograde import autograde, progress
from grading.classroom.course_folder import Course
from grading.content import known_answers
from grading.content.overlay import ROOT
from grading.content.tasks import MODULES, tasks_of
from grading.judge import job
from grading.judge.executors import Local, as_done, finished

LAB = "02_vae"
TASKS = tasks_of(LAB)


def hand_in(course: Course, students: dict[str, str]) -> None:
    for student, module in students.items():
        folder = course.folder("submitted", LAB, student)
        (folder / "starter").mkdir(parents=True)
        (folder / f"{LAB}.ipynb").write_bytes(course.released(LAB).read_bytes())
        (folder / "starter/vae.py").write_text(module)


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("how", ["first", "regrade"])
def test_a_run_that_dies_before_any_of_its_writes_goes_on(course, tmp_path, how, forks):
    hand_in(course, {"anna": "# anna", "ben": "# ben"})
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(course.root), str(tmp_path / "scratch")]
    run = subprocess.run([*command, how], env=environment(), capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout)
    assert found["points"] > 20 and found["wrong"] == []


def children(pid: int) -> list[int]:
    """The processes that a process started, as the kernel has them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == pid and rest.split()[0] != "Z":
            found.append(int(path.parent.name))
    return found


def below(pid: int) -> list[int]:
    own = children(pid)
    return own + [inner for child in own for inner in below(child)]


def origin(pid: int) -> int | None:
    """The process that a grader's workers are forks of."""
    return next((one for one in children(pid) if b"forkserver" in Path(f"/proc/{one}/cmdline").read_bytes()), None)


def judges(pid: int) -> list[int]:
    return children(found) if (found := origin(pid)) else []


def until(condition, seconds: float = 120.0):
    """The first true value of a condition."""
    for _ in range(int(seconds / 0.05)):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def start(course: Course, jail: bool) -> subprocess.Popen:
    command = [sys.executable, "-m", "grading", "autograde", LAB, "--course", str(course.root)]
    return subprocess.Popen(
        command + ["--no-jail"] * (not jail), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )


def scores(course: Course) -> list[tuple[str, float]]:
    with course.gradebook() as gradebook:
        return sorted((one.student_id, one.score) for one in gradebook.assignment_submissions(LAB))


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="finds the processes that it kills in /proc, which is Linux only"
)
def test_kill_9_of_a_worker_of_its_server_and_of_the_grader(course, jail, solution, blank, points):
    wrong = known_answers.changed(solution, known_answers.answers("wrong")["vae-2"][0])
    hand_in(course, {f"s{i}": (solution, blank, wrong)[i % 3] for i in range(24)})
    expected = sorted((f"s{i}", (points(), 0, points(without="vae-2"))[i % 3]) for i in range(24))

    first = start(course, jail)
    judge, _ = until(lambda: len(found := judges(first.pid)) == 2 and found)
    until(lambda: course.graded(LAB))
    os.kill(judge, signal.SIGKILL)  # a worker
    until(lambda: len(found := judges(first.pid)) == 2 and judge not in found)
    server, *_ = until(lambda: [inner for one in judges(first.pid) for inner in children(one)])
    os.kill(server, signal.SIGKILL)  # its warm server
    until(lambda: len(course.graded(LAB)) > 2)
    first_origin, old = origin(first.pid), judges(first.pid)
    os.kill(first_origin, signal.SIGKILL)  # what they are forks of
    until(lambda: (found := judges(first.pid)) and not {*found} & {*old})
    until(lambda: not [pid for pid in old if Path(f"/proc/{pid}").exists() and not zombie(pid)])
    family = below(first.pid)
    first.kill()  # the grader
    first.communicate(timeout=60)
    until(lambda: not [pid for pid in family if Path(f"/proc/{pid}").exists() and not zombie(pid)])
    before = len(course.graded(LAB))
    assert 2 < before < 24

    second = start(course, jail)
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0
    assert f"{24 - before} of 24 submissions graded, {before} were graded before." in said
    assert scores(course) == expected


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_job_that_breaks_every_pool_ends_as_a_failure_and_its_neighbours_do_not(forks):
    def give(executor, job):
        return executor.submit(os._exit, 1) if job == "bad" else executor.submit(abs, job)

    found = {job: future for job, future in as_done(Local(1), give, [-1, "bad", -2, -3])}
    assert found.pop("bad").exception() is not None
    assert {job: future.result() for job, future in found.items()} == {-1: 1, -2: 2, -3: 3}


def test_no_more_is_given_out_than_keeps_the_pool_busy(recorded):
    given = []
    jobs = (given.append(number) or number for number in range(100))
    for count, _ in enumerate(as_done(recorded({}), lambda executor, job: finished(job), jobs), 1):
        assert len(given) <= count + 4


def test_a_record_that_a_power_cut_emptied_is_no_record(course, recorded):
    hand_in(course, {"anna": "# anna"})
    pool = recorded({task: ["right", "right"] for task in TASKS})
    autograde(course, LAB, pool=pool, say=lambda words: None)
    record = course.record(LAB, "anna")
    record.unlink()
    record.write_text("")
    autograde(course, LAB, pool=pool, say=lambda words: None)
    assert pool.students == ["anna", "anna"]


def test_a_change_of_a_probe_is_said_and_one_flag_grades_again(course, recorded, monkeypatch):
    hand_in(course, {"anna": "# anna", "ben": "# ben"})
    pool, said = recorded({task: ["right", "right"] for task in TASKS}), []
    autograde(course, LAB, pool=pool, say=said.append)
    monkeypatch.setattr(grade, "judged_by", lambda lab: "another version")
    autograde(course, LAB, pool=pool, say=said.append)
    assert "2 were graded by other probes or answers than today's: --regrade" in said[-2] and len(pool.students) == 2
    autograde(course, LAB, pool=pool, regrade=True, say=said.append)
    assert len(pool.students) == 4
    autograde(course, LAB, pool=pool, say=said.append)
    assert not any("other probes" in words for words in said[-2:]) and len(pool.students) == 4


def test_a_worker_with_another_version_of_the_course_judges_nothing():
    with pytest.raises(job.OtherVersion, match="bring its checkout of the course up to date"):
        job.judge(lab=LAB, version="another version", module=b"", secret=b"", student="anna", limits={})


def test_the_version_is_that_of_the_labs_own_probes_and_answers():
    assert job.judged_by(LAB) == job.judged_by.__wrapped__(LAB) != job.judged_by("01_autoencoder")


READ = """
import os, sys
root, lab, read = os.getcwd() + os.sep, sys.argv[1], set()
sys.addaudithook(lambda event, given: read.add(str(given[0])) if event == "open" else None)
sys.path.insert(0, root)
from grading.judge.runner import Limits, Runner, plain_launch
from grading.judge.verdicts import judged, needed
from grading.content.reference_text import published
from grading.content import known_answers
with Runner(set(published(lab)), Limits(), plain_launch, needed(lab)) as runner:
    assert not judged(runner, lab, b"x = 1", [1, 2])["beta-1"].right
paths = [os.path.relpath(path, root) for path in read if path.startswith(root)]
print(*(path for path in paths if path.split(os.sep)[0] in ("starter", "solutions", "grading")), sep="\\n")
"""


TABLES = {
    "grading/content/tasks.toml",
    "grading/content/questions.toml",
}  # a task's row counts; a question is not judged


def test_the_version_is_that_of_every_file_that_is_read_for_a_verdict(tmp_path):
    """Derived here by watching what a judge opens, there from what it imports and copies."""
    unseen = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", READ, "03_beta_vae"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | unseen, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read, known = set(done.stdout.split()), {str(path.relative_to(ROOT)) for path in job.sources("03_beta_vae")}
    others = {f"grading/content/answers/{name}.toml" for name in MODULES.values() if name != "beta_vae"}
    assert len(read & known) > 50 and read - known - others == TABLES


def test_a_change_of_any_of_these_files_changes_the_version(tmp_path, monkeypatch):
    for folder in ("starter", "solutions", "grading"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    files = job.sources(LAB, tmp_path)
    monkeypatch.setattr(job, "sources", lambda lab: files)
    marks = [job.judged_by.__wrapped__(LAB)]
    for path in files:
        path.write_bytes(path.read_bytes() + b"\n")
        marks.append(job.judged_by.__wrapped__(LAB))
    monkeypatch.setitem(job.TASKS, TASKS[0], job.TASKS[TASKS[0]] | {"symbol": "other"})
    marks.append(job.judged_by.__wrapped__(LAB))
    assert len(set(marks)) == len(files) + 2 > 60


def test_progress_says_done_failed_rate_and_time_left():
    assert progress(30, 120, 2, 20.0) == "30/120, 2 failed, 90 a minute, 1:00 left"
    assert progress(1, 1, 0, 0.0).endswith("0:00 left")


def test_a_terminal_shows_progress_on_one_line_that_is_written_over(capsys):
    words = Terminal()
    for number in range(3):
        words.show(f"{number} " + "x" * 500)
    words.say("done")
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1 and shown.endswith("\r\x1b[Kdone\n")
    assert all(len(part) < 500 for part in shown.split("\r"))
