"""A Gradescope autograder: the zip that it takes, and what runs in its container, which judges one submission."""

import json
import secrets
import sys
import time
from pathlib import Path

from . import table
from .course import Course, Mistake, lab_named, replace
from .intake import Refused, Upload, accepted
from .names import Student
from .overlay import ROOT
from .release import zipped
from .work import judged_by, work

SETUP = """#!/usr/bin/env bash
# Runs once, as root, with a network, when Gradescope builds the image.
set -euo pipefail
apt-get update
apt-get install -y python3 python3-venv bubblewrap
chmod 700 /autograder/source  # solutions lie here
python3 -m venv /opt/course
/opt/course/bin/pip install -r /autograder/source/requirements.txt
"""
RUN = """#!/usr/bin/env bash
# Runs for every submission. AUTOGRADER and PYTHON are there to try it out elsewhere.
set -euo pipefail
root="${{AUTOGRADER:-/autograder}}"
cd "$root/source"
OMP_NUM_THREADS=1 exec "${{PYTHON:-/opt/course/bin/python}}" -m grading.gradescope {lab} "$root"
"""
README = """# Autograder for {lab}

Upload this zip to a programming assignment on Gradescope. The image takes some minutes to build (torch is large);
choose a container of at least 4 GB. Set the assignment's autograder points to {points}. Learners hand in {files}.
Written questions are not judged here: give them a rubric on Gradescope, or grade them with nbgrader.

## Security

The solutions are in the container, in `/autograder/source`, which only root can read. Submitted code runs in a process
of its own, on secret inputs that are drawn anew for each run, and hands out numbers; these are compared in another
process, so that nothing which it does to its own process makes a wrong answer right. What it can see depends on the
container: where bubblewrap works, it runs in a jail that shows no solutions, no results and no network (try
`python -m grading doctor` there). Where it does not, the run fails and says why, unless you add `--no-jail` to the last
line of `run_autograder`: a learner's code can then read the solutions, and can write to the results.
"""


def package(course: Course, lab: str) -> Path:
    """The zip of a lab's autograder.

    Raises:
        Mistake: there is nothing to judge in the lab.
    """
    tasks = table.tasks_of(lab)
    if not tasks:
        raise Mistake(f"{lab} has written questions only: there is nothing that an autograder could judge")
    points = sum(table.TASKS[task]["points"] for task in tasks)
    files = " and ".join(f"`{Path(path).name}`" for path in table.handed_in(lab).values())
    content = {
        "setup.sh": SETUP.encode(),
        "run_autograder": RUN.format(lab=lab).encode(),
        "README.md": README.format(lab=lab, points=points, files=files).encode(),
    }
    for top in ("grading", "solutions", "starter"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                content[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    content["requirements.txt"] = (ROOT / "requirements.txt").read_bytes()
    target = course.root / "gradescope" / f"{lab}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(target, zipped("", content, executable={"setup.sh", "run_autograder"}))
    return target


def results(lab: str, submitted: Path, jail: bool = True) -> dict:
    """What Gradescope shows of one submission. Bad input is a result, too."""
    begun, tasks, places = time.monotonic(), table.tasks_of(lab), table.handed_in(lab)
    names = {suffix: Path(path).name for suffix, path in places.items()}
    try:
        upload = Upload("submission", Student("learner", ""), (), [("submission", submitted)])
        parts = accepted(upload, names)
        module = parts.get(".py") or (ROOT / places[".py"]).read_bytes()  # the blanks
        judged = work(lab, judged_by(lab), module, secrets.token_bytes(32), "learner", {}, jail)["tasks"]
        words = "" if ".py" in parts else f"{names['.py']} was not in what you handed in."
    except Refused as reason:
        judged, words = {task: ["refused", "Nothing was graded."] for task in tasks}, f"Nothing was graded: {reason}"
    tests = [test(task, *judged[task]) for task in tasks]
    return {"tests": tests, "output": words, "execution_time": round(time.monotonic() - begun)}


def test(task: str, state: str, message: str) -> dict:
    row, right = table.TASKS[task], state == "right"
    return {
        "name": f"{task}: {row['statement']}",
        "score": row["points"] * right,
        "max_score": row["points"],
        "status": "passed" if right else "failed",
        "output": message,
        "output_format": "text",
        "visibility": "visible",
    }


def main(arguments: list[str]) -> int:
    lab, root, *more = arguments
    found = results(lab_named(lab), Path(root) / "submission", jail="--no-jail" not in more)
    replace(Path(root) / "results/results.json", json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
