"""Grading in numbers: `make bench`. The same submissions by the course's grader and by the stock nbgrader command.

    python tests/bench/bench_grading.py [PART ...] [--submissions 40] [--stock 40] [--class 300]
                                         [--term 1000] [--simulated 10000] [--already 100000]

Parts: speed (ours beside the stock command), again (what it costs to ask each task behind another call, too), memory (a
question's own, and growth over 1,000), class (300 of one lab), term (release, then what comes behind the grading of
1,000), simulated (recorded outcomes through the same scheduler and writer). All of them take half an hour.
"""

import argparse
import contextlib
import itertools
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from grading.classroom.autograde import autograde  # noqa: E402
from grading.classroom.course_folder import Course  # noqa: E402
from grading.classroom.release import release  # noqa: E402
from grading.content import known_answers  # noqa: E402
from grading.content.tasks import MODULES, TASKS, tasks_of  # noqa: E402
from grading.judge import job  # noqa: E402
from grading.judge.executors import finished  # noqa: E402
from grading.maintain import build  # noqa: E402

LAB = "02_vae"
LIMITS = {"cpu": 20, "wall": 120}


def modules(count: int) -> list[str]:
    """Right, blank and wrong ones in turn: half of a class makes one mistake."""
    right, blank = (
        known_answers.solution("vae").read_text("utf-8"),
        build.blanks()[known_answers.ROOT / "starter/vae.py"],
    )
    wrong = [e for task in tasks_of(LAB) for e in known_answers.answers("wrong")[task]]
    texts = [known_answers.changed(right, entry) for entry in wrong]
    return [(right, texts[7 * i % len(texts)], texts[11 * i % len(texts)], blank)[i % 4] for i in range(count)]


def handed_in(root: Path, count: int, notebook: bytes | None = None, texts: list[str] | None = None) -> Course:
    course = Course(root)
    release(course, LAB)
    filled_folder(course, count, notebook or (ROOT / f"notebooks/{LAB}.ipynb").read_bytes(), texts or modules(count))
    return course


def filled_folder(course: Course, count: int, notebook: bytes, texts: list[str]) -> None:
    for i in range(count):
        folder = course.folder("submitted", LAB, f"s{i:06}")
        (folder / "starter").mkdir(parents=True)
        (folder / f"{LAB}.ipynb").write_bytes(notebook)
        (folder / "starter/vae.py").write_text(texts[i % len(texts)])


def totals(course: Course) -> list[tuple]:
    with course.gradebook() as gradebook:
        return sorted((one.student_id, one.score) for one in gradebook.assignment_submissions(LAB))


def ours(course: Course, workers: int) -> tuple[float, float]:
    """Submissions a minute of `python -m grading autograde`, from start to end; CPU seconds for each."""
    command = ["autograde", LAB, "--course", str(course.root), "--workers", str(workers)]
    return timed(course, ["grading", *command], ROOT)


def timed(course: Course, module: list[str], folder: Path) -> tuple[float, float]:
    """The same of any module that is run as a command."""
    adopt()
    count, begun, cpu = len(course.students("submitted", LAB)), time.monotonic(), cpu_seconds()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": path}
    done = subprocess.run([sys.executable, "-m", *module], cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return 60 * count / seconds, (cpu_seconds() - cpu) / count


def adopt() -> None:
    """From now on a process whose parent has ended is this one's child, and its CPU seconds are counted."""
    from grading.judge.jail import inside

    inside.prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def cpu_seconds() -> float:
    """Of this process and of all that it has started, once they have ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def stock(course: Course) -> tuple[float, float]:
    """The same for `nbgrader autograde`, which runs the whole notebook in a kernel of its own, training cut short."""
    return timed(course, ["nbgrader", "autograde", LAB], course.root)


def speed(given, scratch: Path) -> None:
    course = handed_in(scratch / "ours", given.submissions)
    rate, each = ours(course, given.workers)
    print(
        f"ours: {rate:.0f} submissions a minute ({given.submissions} of them, {given.workers} workers, start included)"
    )
    print(f"ours: {each:.2f} CPU seconds a submission, start of the workers included", flush=True)
    if given.stock:
        theirs = handed_in(scratch / "stock", given.stock)
        stock_rate, stock_each = stock(theirs)
        print(
            f"nbgrader autograde: {stock_rate:.1f} a minute ({given.stock} of them), {stock_each:.1f} CPU seconds each"
        )
        print(f"ours is {rate / stock_rate:.0f} times as fast; in CPU seconds {stock_each / each:.0f} times as cheap")
        both = [pair for pair in zip(totals(course), totals(theirs)) if pair[0] != pair[1]]
        print(f"the two disagree on the points of {len(both)} submissions")


def kilobytes(pid: int | str, pattern: str, file: str = "smaps_rollup") -> int:
    found = re.findall(rf"^{pattern}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
    return sum(map(int, found))


def memory(given, scratch: Path) -> None:
    runner = job.runner(LAB, LIMITS, True)
    right = known_answers.solution("vae").read_bytes()
    whose = {"student": "anna", "secret": b"secret", "module": right}
    job.judge(**whose, lab=LAB, version=job.judged_by(LAB), limits=LIMITS)
    server = served(runner.process.pid)
    found = []
    for number in range(given.questions + 1):
        ask(runner, right if number % 2 else b"x = (")
        if number in (100, given.questions):
            found.append((kilobytes(server, "Rss"), kilobytes("self", "Rss")))
    (first, own), (last, own_last) = found
    print(f"server: {first >> 10} MB after 100 questions, {last >> 10} MB after {given.questions}")
    print(f"grader: {own >> 10} MB after 100 questions, {own_last >> 10} MB after {given.questions}")
    print(f"a question has {private(server, runner) >> 10} MB of its own beside the server (Private, smaps_rollup)")
    job.cool()


def ask(runner, text: bytes) -> None:
    runner.ask("vae", text)


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def served(pid: int) -> int:
    """The server itself: behind a jail it is a child of the process that was started."""
    inner = [pid]
    while inner and kilobytes(inner[0], "Rss") < 100 << 10:
        inner = [child for one in inner for child in children(one)]
    return inner[0]


def private(server: int, runner) -> int:
    """Private memory of a child that has imported the reference, probed a task, and waits."""
    import threading

    slow = known_answers.solution("vae").read_text("utf-8") + "\nfrom starter.support import probes\n"
    slow += 'import sys, time\nprobes.arrays("vae-2", sys.modules[__name__], 1, {})\ntime.sleep(3)\n'
    thread = threading.Thread(target=ask, args=(runner, slow.encode()))
    thread.start()
    most = 0
    while thread.is_alive():
        for child in children(server):
            with contextlib.suppress(OSError):
                most = max(most, kilobytes(child, r"Private_\w+"))
        time.sleep(0.1)
    return most


def whole_class(given, scratch: Path) -> None:
    rate, each = ours(handed_in(scratch / "class", given.whole), given.workers)
    print(
        f"a class of {given.whole}: {given.whole / rate:.1f} minutes, {rate:.0f} a minute, {each:.2f} CPU seconds each"
    )


def again(given, scratch: Path) -> None:
    """CPU of a right submission when each process goes on to later seeds, over that when it is asked one: in turn."""
    from grading.judge import verdicts

    def one_seed(inquiry, number: int, *words):
        return turn(verdicts.replace(inquiry, seeds=inquiry.seeds[: number + 1]), number, *words)

    turn = verdicts.Inquiry.turn
    for lab in (LAB, "07_gan"):
        runner, text = job.runner(lab, LIMITS, True), known_answers.solution(MODULES[lab]).read_bytes()
        runner.begin()
        server, used = served(runner.process.pid), {one_seed: [], turn: []}
        for student in range(24):
            for how in used if student % 2 else reversed(used):
                verdicts.Inquiry.turn = how
                verdicts.expected.cache_clear()
                begun = time.process_time() + cpu_of(server)
                found = verdicts.judged(runner, lab, text, verdicts.seeds(b"bench", f"{student}"))
                used[how].append(time.process_time() + cpu_of(server) - begun)
                assert all(verdict.right for verdict in found.values())
        ratio = statistics.median(both / one for one, both in zip(*used.values()))
        print(
            f"{lab}: {ratio:.3f} times the CPU seconds, median of 24 pairs; {statistics.median(used[turn]):.2f} s each"
        )
        job.cool()
    verdicts.Inquiry.turn = turn


def cpu_of(pid: int) -> float:
    """Seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Recorded:
    """A pool that gives out recorded outcomes in turn; all is right where none are given."""

    def __init__(self, outcomes: list[dict] | None = None) -> None:
        right = {task: ["right", f"{task} is right: {TASKS[task]['statement']}."] for task in tasks_of(LAB)}
        self.outcomes = itertools.cycle(outcomes or [{"seconds": 1.0, "tasks": right, "cells": []}])

    @contextlib.contextmanager
    def executor(self):
        yield self, 4

    def submit(self, *_, **__) -> Future:
        return finished(next(self.outcomes))


def term(given, scratch: Path) -> None:
    """Seconds of each command, as it is typed, for a class with outputs in its notebooks."""
    course = Course(scratch / "term")
    print(f"release: {command(course, 'release', LAB):.1f} s")
    notebook = (ROOT / f"notebooks/{LAB}.ipynb").read_bytes()
    whose = {"lab": LAB, "version": job.judged_by(LAB), "secret": b"bench", "limits": LIMITS, "notebook": notebook}
    judged = [job.judge(**whose, module=text.encode(), student=f"{i}") for i, text in enumerate(modules(40))]
    job.cool()
    filled_folder(course, given.term, notebook, modules(given.term))
    autograde(course, LAB, pool=Recorded(judged), show=lambda words: None, say=print)
    print(f"autograde with nothing to do: {command(course, 'autograde', LAB):.1f} s")
    for name, *words in (["feedback", LAB], ["feedback", "all"], ["report", LAB], ["report", "all"], ["export"]):
        print(f"{name} {' '.join(words)}".strip() + f": {command(course, name, *words):.1f} s", flush=True)


def command(course: Course, *words: str) -> float:
    begun = time.monotonic()
    line = [sys.executable, "-m", "grading", *words, "--course", str(course.root)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return time.monotonic() - begun


def filled(course: Course, count: int) -> None:
    """Put the grades of so many other learners into the gradebook, as plain rows."""
    from nbgrader import api

    def rows(kind: type, found: list[dict]) -> None:
        gradebook.db.execute(kind.__table__.insert(), found)

    with course.gradebook() as gradebook:
        notebook = gradebook.find_notebook(LAB, LAB)
        grades, comments = ([cell.id for cell in cells] for cells in (notebook.grade_cells, notebook.solution_cells))
        lab, sheet = notebook.assignment.id, notebook.id
        for start in range(0, count, 5000):
            names = [f"x{i:07}" for i in range(start, min(start + 5000, count))]
            rows(api.Student, [{"id": name} for name in names])
            rows(api.SubmittedAssignment, [{"id": name, "assignment_id": lab, "student_id": name} for name in names])
            rows(api.SubmittedNotebook, [{"id": name, "assignment_id": name, "notebook_id": sheet} for name in names])
            for kind, cells in ((api.Grade, grades), (api.Comment, comments)):
                rows(kind, [{"notebook_id": name, "cell_id": cell} for name in names for cell in cells])
            gradebook.db.commit()


def simulated(given, scratch: Path) -> None:
    """Time of the grader for each submission, by tenths of the class."""
    course = handed_in(scratch / "simulated", 1, texts=[""])
    filled(course, given.already)
    notebook = course.released(LAB).read_bytes()
    for i in range(given.simulated):
        folder = course.folder("submitted", LAB, f"s{i:06}")
        (folder / "starter").mkdir(parents=True, exist_ok=True)
        (folder / f"{LAB}.ipynb").write_bytes(notebook)
        (folder / "starter/vae.py").write_text("x")
    window, marks = max(1, given.simulated // 10), [(time.process_time(), time.monotonic())]

    def show(words: str) -> None:
        if int(words[1:].split("/")[0]) % window == 0:
            marks.append((time.process_time(), time.monotonic()))
            cpu, wall = (1000 * (new - old) / window for new, old in zip(marks[-1], marks[-2]))
            done = window * (len(marks) - 1)
            print(f"{done - window:7} to {done:7}: {cpu:.0f} ms of CPU, {wall:.0f} ms a submission", flush=True)

    autograde(course, LAB, pool=Recorded(), show=show, say=lambda words: None)
    begun = time.process_time()
    autograde(course, LAB, pool=Recorded(), say=lambda words: None)
    print(f"a run that finds all of them graded: {1000 * (time.process_time() - begun) / given.simulated:.1f} ms each")
    print(f"grader at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


PARTS = {"speed": speed, "again": again, "memory": memory, "class": whole_class, "term": term, "simulated": simulated}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=", ".join(PARTS))
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--stock", type=int, default=40, help="how many the stock command gets; 0: none")
    parser.add_argument("--class", type=int, default=300, dest="whole")
    parser.add_argument("--term", type=int, default=1_000, help="how many whose grades are returned")
    parser.add_argument("--simulated", type=int, default=10_000)
    parser.add_argument("--already", type=int, default=0, help="learners in the gradebook before the simulated ones")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, Python {sys.version.split()[0]}")
    for name in given.parts or PARTS:
        print(f"\n{name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            PARTS[name](given, Path(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
