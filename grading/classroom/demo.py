"""A class of eight from release to grades: does everything work on this machine, and what does it look like?"""

import io
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat

from ..content import known_answers
from ..content.mistake import Mistake
from ..content.overlay import blanks
from ..content.tasks import TASKS, tasks_of
from .autograde import autograde
from .collect import collect
from .course_folder import Course
from .export import export
from .feedback import feedback
from .graded_notebook import is_test
from .release import NOTEBOOKS, release

LAB, MODULE = "02_vae", "vae"
FULL = sum(TASKS[task]["points"] for task in tasks_of(LAB))
EXPECTED = {  # points, and what the first complaint says
    "perfect": (FULL, "is right"),
    "alternative": (FULL, "is right"),
    "blank": (0, "still blank"),
    "wrong": (FULL - 2, "log_var"),
    "syntax": (0, "SyntaxError"),
    "crash": (FULL - 2, "ended its own process"),
    "hang": (FULL - 2, "never ends"),
    "empty": (0, "Nothing was graded"),
}


def modules() -> dict[str, str]:
    """Learner -> module. `empty` hands in an empty zip."""
    right = known_answers.solution(MODULE).read_text(encoding="utf-8")

    def before(line: str, more: str) -> str:
        return right.replace(line, f"{more}\n{line}", 1)

    variance = next(e for e in known_answers.answers("wrong")["vae-1"] if "variance" in e["id"] or "sigma" in e["id"])
    alternative = right
    for task in tasks_of(LAB):
        alternative = known_answers.changed(alternative, known_answers.answers("right")[task][0])
    return {
        "perfect": right,
        "alternative": alternative,
        "blank": blanks()[known_answers.ROOT / f"starter/{MODULE}.py"],
        "wrong": known_answers.changed(right, variance),
        "syntax": right.replace("def elbo(", "def elbo((", 1),
        "crash": before("    per_pixel = F.binary_cross", "    import os\n    os._exit(1)"),
        "hang": before("    per_pixel = 0.5", "    while True:\n        pass"),
    }


def hand_in(folder: Path, notebook: bytes) -> None:
    """Zips with the names that Canvas gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (learner, module) in enumerate([*modules().items(), ("empty", None)]):
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as archive:
            if module is not None:
                archive.writestr(f"{LAB}/{LAB}.ipynb", notebook)
                archive.writestr(f"{LAB}/starter/{MODULE}.py", module)
        (folder / f"{learner}_{1000 + number}_{2000 + number}_{LAB}.zip").write_bytes(memory.getvalue())


def empty(folder: Path) -> None:
    """
    Raises:
        Mistake: something is in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Mistake(f"{folder} is not empty: name a folder that can be filled")


def demo(
    root: Path,
    notebooks: Path = NOTEBOOKS,
    say: Callable[[str], None] = print,
    jail: bool = True,
) -> int:
    """Run the class through; 0 when every learner got what was expected.

    Raises:
        Mistake: something is in the folder.
    """
    empty(root)
    started, course = time.monotonic(), Course(root / "course")
    say(f"released {release(course, LAB, notebooks).name}")
    hand_in(root / "uploads", course.released(LAB).read_bytes())
    for line in collect(course, LAB, root / "uploads"):
        say(line)
    autograde(course, LAB, limits={"cpu": 5, "wall": 30}, jail=jail, say=say)
    feedback(course, LAB, say)
    export(course, say)
    unexpected = table(course, say)
    say(f"{time.monotonic() - started:.0f} s; {unexpected or 'no'} learners got something else than expected.")
    return 1 if unexpected else 0


def table(course: Course, say: Callable[[str], None]) -> int:
    """Print what everybody got; how many of them are not as expected."""
    with course.gradebook() as gradebook:
        names = {student.id: student.last_name for student in gradebook.students}
    tasks, unexpected = tasks_of(LAB), 0
    say(f"{'':12} {' '.join(f'{task:>5}' for task in tasks)}")
    for student in course.students("autograded", LAB):
        notebook = nbformat.read(course.folder("autograded", LAB, student) / f"{LAB}.ipynb", as_version=4)
        cells = [cell for cell in notebook.cells if is_test(cell)]
        points = [float(cell.outputs[0].data["text/plain"]) for cell in cells]
        messages = [cell.outputs[1].text for cell in cells]
        first = next((m for m, p in zip(messages, points) if not p), messages[0])
        most, says = EXPECTED[names[student]]
        good = sum(points) == most and re.search(re.escape(says), first)
        unexpected += not good
        say(f"{names[student]:12} {' '.join(f'{p:5g}' for p in points)}  {'' if good else 'UNEXPECTED '}{first[:90]}")
    return unexpected + abs(len(EXPECTED) - len(names))
