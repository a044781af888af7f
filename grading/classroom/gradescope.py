"""A Gradescope autograder: the zip that it takes, and what runs in its container, which judges one submission."""

import ast
import json
import re
import secrets
import sys
import time
import traceback
from importlib.metadata import packages_distributions
from pathlib import Path

from ..content.edition import edition
from ..content.harmless_text import line
from ..content.mistake import Mistake, lab_named
from ..content.overlay import ROOT
from ..content.tasks import QUESTIONS, files_of, rubric_of, tasks_of
from ..judge.job import judge, judged_by
from .course_folder import Course, replace
from .downloads import Refused
from .gradescope_points import Points, Shown, found, result, shipped
from .rules import Rules, used
from .uploads import handed_in

SETUP = """#!/usr/bin/env bash
# Runs once, as root, with a network, when Gradescope builds the image. AUTOGRADER and OPT: to try it elsewhere.
set -euo pipefail
source="${AUTOGRADER:-/autograder}/source"
opt="${OPT:-/opt}"
chmod 700 "$source"  # solutions lie here
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y bubblewrap python3 python3-venv tzdata  # time zones of due dates
# The image's own Python may be too old (Ubuntu 22.04: 3.10). Then uv fetches one, to where submitted code may read.
export UV_PYTHON_INSTALL_DIR="$opt/python"
python3 -m venv "$opt/uv"
"$opt/uv/bin/python" -m pip install uv==0.13.9
uv="$opt/uv/bin/uv"
"$uv" venv --allow-existing --python '>=3.11,<3.14' "$opt/course"
install() {
    "$uv" pip install --no-cache --python "$opt/course/bin/python" \\
        -r "$source/requirements.txt" -c "$source/constraints.txt" "$@"
}
install --torch-backend cpu || install  # PyTorch's own index has torch without CUDA, gigabytes less; PyPI has it with
"""
RUN = """#!/usr/bin/env bash
# Runs for every submission. AUTOGRADER and PYTHON: to try it elsewhere.
root="${{AUTOGRADER:-/autograder}}"
mkdir -p "$root/results"
# What stands there when the judge is killed, or never starts.
cat > "$root/results/results.json" <<'END'
{ended}
END
cd "$root/source"
OMP_NUM_THREADS=1 "${{PYTHON:-/opt/course/bin/python}}" -m {module} {lab} "$root"
"""
README = """# Autograder for {lab}

Upload this zip to a programming assignment on Gradescope. Base image: Ubuntu 22.04, variant Base (any Ubuntu or Debian
will do: `setup.sh` brings Python 3.11 or newer where the image has an older one). The image takes some minutes to build
(torch, without CUDA, is most of it); choose a container of at least 4 GB. Set the assignment's autograder points to
{points}. Learners hand in {files}. Written questions are not judged here: grade them on Gradescope
by the rubrics below, or with nbgrader.

Made by version {edition} of the course.

## Rules

Counted as `autograde` and `export` do, by your `course.toml` as it was when this was made (after a change, make it
again and upload it): points, tasks dropped and bonus (out of 0 here), partial credit, names of wrong answers, the due
date with grace, cost of late days, and extensions of learners, whom Gradescope knows by their addresses. What
lateness costs is taken off the points that are judged here; take the same share off written answers yourself.

Yours on Gradescope: a late due date there that lets late work in at all; whether the last or the best submission
counts; and whom you excuse. Free late days of the term are in no autograder's sight: with `free_days` a result says
how late it was, and nothing is taken off. To have them counted, `collect` a download of Gradescope and `autograde`
it.

## Security

The solutions are in the container, in `/autograder/source`, which only root can read. Submitted code runs in a process
of its own, on secret inputs that are drawn anew for each run, and hands out numbers; these are compared in another
process, so that nothing which it does to its own process makes a wrong answer right. What it can see depends on the
container: where bubblewrap works, it runs in a jail that shows no solutions, no results and no network (try
`/opt/course/bin/python -m grading doctor` in `/autograder/source` there). Where it does not, nothing is judged, and the
result says why, unless you add `--no-jail` to the last line of `run_autograder`: a learner's code can then read the
solutions, and can write to the results.

## Written questions

What must be said, and for how many points. Model answers and what is often written instead:
`grading/content/questions.toml`, in this zip, too.

{rubrics}
"""
OURS = "Nothing was judged, which is not your fault: please tell your instructor."
ENDED = "The autograder ended before it had judged. Was the container's memory or time too small? Is the image built?"


def package(course: Course, lab: str) -> Path:
    """The zip of a lab's autograder.

    Raises:
        Mistake: there is nothing to judge in the lab.
    """
    from .release import zipped  # with nbformat, which the container does not have

    if not tasks_of(lab):
        raise Mistake(f"{lab} has written questions only: there is nothing that an autograder could judge")
    points = Points(lab, used(course, lab))
    files = " and ".join(f"`{Path(path).name}`" for path in files_of(lab).values())
    content = sources()
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    texts = {
        "setup.sh": SETUP,
        "run_autograder": RUN.format(lab=lab, module=__name__, ended=json.dumps(unjudged(points, ENDED))),
        "README.md": README.format(
            lab=lab, points=f"{points.scale.out_of:g}", files=files, edition=edition(), rubrics=rubrics(lab)
        ),
        "requirements.txt": needed(content, pins),
        "constraints.txt": pins,
        **shipped(course, lab),
    }
    content |= {name: text.encode() for name, text in texts.items()}
    target = course.root / "gradescope" / f"{lab}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(target, zipped("", content, executable={"setup.sh", "run_autograder"}))
    return target


def rubrics(lab: str) -> str:
    names = [name for name, row in QUESTIONS.items() if row["lab"] == lab]
    parts = ["\n".join([f"**{name}**", "", *(f"- {says}" for says in rubric_of(name))]) for name in names]
    return "\n\n".join(parts)


def sources() -> dict[str, bytes]:
    """Path -> content of what judges. Lab modules of starter/ are the cut ones: the instructor's own may be filled."""
    from ..content.overlay import blanks

    paths = [*(ROOT / "starter").glob("__*__.py"), *(ROOT / "starter/support").rglob("*")]
    paths += [path for top in ("grading", "solutions") for path in (ROOT / top).rglob("*")]
    files = [path for path in paths if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."]
    content = {path: path.read_bytes() for path in files} | {path: text.encode() for path, text in blanks().items()}
    return {path.relative_to(ROOT).as_posix(): content[path] for path in sorted(content)}


def needed(content: dict[str, bytes], pins: str) -> str:
    """The pins of what starter/ and solutions/ import: what judges imports no more, and what is handed in may."""
    imported = set()
    for name, text in content.items():
        if name.endswith(".py") and not name.startswith("grading/"):
            for node in ast.walk(ast.parse(text)):
                found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                found += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                imported |= {module.partition(".")[0] for module in found}
    known = packages_distributions()
    wanted = {canonical(package) for module in imported for package in known.get(module, ())}
    lines = [text for text in pins.splitlines() if canonical(text.partition("==")[0]) in wanted]
    return "\n".join(["# Of constraints.txt, what judging takes.", *lines, ""])


def canonical(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


def results(points: Points, submitted: Path, jail: bool = True) -> Shown:
    """What Gradescope shows of one submission. Bad input is a result, too.

    Raises:
        Mistake: a jail is wanted, and there is none here.
    """
    from ..content.overlay import blanks
    from ..judge.jail import outside

    if jail and (reason := outside.complaint()):
        raise Mistake(f"no jail: {reason}; --no-jail, added to the last line of run_autograder, judges without one")
    lab, begun, agreed = points.lab, time.monotonic(), dict[str, list[str]]()
    tasks, places = tasks_of(lab), files_of(lab)
    names = {suffix: Path(path).name for suffix, path in places.items()}
    try:
        parts = handed_in(submitted, names)
        module = parts.get(".py") or blanks()[ROOT / places[".py"]].encode()
        judgement = judge(
            lab=lab,
            version=judged_by(lab),
            module=module,
            secret=secrets.token_bytes(32),
            student="learner",
            limits={},
            jail=jail,
        )
        judged, agreed = judgement["tasks"], judgement.get("agreed", {})
        words = "" if ".py" in parts else f"{names['.py']} was not in what you handed in."
    except Refused as reason:
        judged, words = {task: ["refused", "Nothing was graded."] for task in tasks}, f"Nothing was graded: {reason}"
    tests = [points.test(task, *judged[task], agreed=agreed.get(task, ())) for task in points.scale.worth]
    return result(points, tests, words) | {"execution_time": round(time.monotonic() - begun)}


def unjudged(points: Points, reason: str) -> Shown:
    """The result of trouble that is ours. Nobody gets points by it."""
    tests = [points.test(task, "unjudged", "Not judged.") for task in points.scale.worth]
    return {"tests": tests, "output": f"{OURS} {reason}"}


def main(arguments: list[str]) -> int:
    """Writes results.json whatever happens. 0: what Gradescope is to show is in that file."""
    lab, root, *more = arguments
    points = Points(lab, Rules())
    try:
        points = found(lab_named(lab), ROOT, Path(root) / "submission_metadata.json")
        shown = results(points, Path(root) / "submission", jail="--no-jail" not in more)
    except Exception as trouble:
        traceback.print_exc()  # instructors alone see it
        hint = "; is the image built to its end?" if isinstance(trouble, ImportError) else ""
        reason = trouble if isinstance(trouble, Mistake) else f"{type(trouble).__name__}: {trouble}{hint}"
        shown = unjudged(points, line(str(reason)))
    replace(Path(root) / "results/results.json", json.dumps(shown, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
