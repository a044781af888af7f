"""nbgrader's settings of a course folder: the course's own, and the instructor's, which are never written over."""

import re

from ..content.mistake import Mistake
from ..content.overlay import ROOT
from ..content.tasks import MODULES, UNANSWERED
from .course_folder import COURSE_ID, Course, replace

OURS, HERS = "course_config.py", "nbgrader_config.py"
COURSE = '''"""The course's settings for nbgrader and formgrader, written by `python -m grading release`: change them in
nbgrader_config.py, which loads them first."""

import os
from pathlib import Path

os.environ.setdefault("MAX_STEPS", "2")  # whenever nbgrader runs a notebook: nothing trains
here = Path(__file__).resolve().parent
elsewhere = here / "gradebook.url"  # written by --db
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = {course_id!r}
c.CourseDirectory.root = str(here)
if elsewhere.exists():
    c.CourseDirectory.db_url = elsewhere.read_text().strip()
c.Exchange.root = str(here / "exchange")
c.ClearSolutions.text_stub = {unanswered!r}
c.Autograde.exclude_overwriting = {modules!r}  # what a learner edits: nbgrader would put the blank in its place
'''
OWN = '''"""Your settings for nbgrader and formgrader: what you add here stays. The course's own are loaded first."""

c = get_config()  # noqa: F821
load_subconfig("course_config.py")  # noqa: F821
'''
NAMES = """
import os
from pathlib import Path

here = Path(__file__).resolve().parent
"""
FIRST = re.compile(  # what the first edition wrote over nbgrader_config.py at each release
    r'"""Plain `nbgrader` and formgrader work in this folder\. Written by `python -m grading release`\."""\n\n'
    r"import os\nfrom pathlib import Path\n\n"
    r'os\.environ\.setdefault\("MAX_STEPS", "2"\)[^\n]*\n'
    r"here = Path\(__file__\)\.resolve\(\)\.parent\n"
    r'elsewhere = here / "gradebook\.url"[^\n]*\n'
    r"c = get_config\(\)[^\n]*\n"
    r"c\.CourseDirectory\.course_id = 'course'\n"
    r"c\.CourseDirectory\.root = str\(here\)\n"
    r"if elsewhere\.exists\(\):\n    c\.CourseDirectory\.db_url = elsewhere\.read_text\(\)\.strip\(\)\n"
    r'c\.Exchange\.root = str\(here / "exchange"\)\n'
    r"c\.ClearSolutions\.text_stub = 'Your answer\.'\n"
    r"c\.Autograde\.exclude_overwriting = \{[^\n]*\}[^\n]*\n"
)


def configure(course: Course) -> None:
    """Make the folder one that nbgrader knows.

    Raises:
        Mistake: as `own` does.
    """
    course.root.mkdir(parents=True, exist_ok=True)
    (course.root / "exchange").mkdir(exist_ok=True)
    hers = course.root / HERS
    before = hers.read_text(encoding="utf-8") if hers.exists() else ""
    if (after := own(before)) != before:
        replace(hers, after)
    modules = {lab: [f"starter/{module}.py"] for lab, module in MODULES.items()}
    replace(course.root / OURS, COURSE.format(course_id=COURSE_ID, unanswered=UNANSWERED, modules=modules))
    replace(course.root / "autotests.yml", (ROOT / "grading/classroom/autotests.yml").read_text(encoding="utf-8"))


def own(text: str) -> str:
    """nbgrader_config.py from what it holds now: all that an instructor wrote stays.

    Raises:
        Mistake: it is hers alone, and does not load the course's settings.
    """
    if OURS in text:
        return text
    if first := FIRST.match(text):
        added = text[first.end() :]
        return OWN + (NAMES + added if added.strip() else "")
    if text.strip():
        raise Mistake(
            f"{HERS} does not load the course's settings: "
            f'write `load_subconfig("{OURS}")` into it, behind `c = get_config()`, and what you set after it counts'
        )
    return OWN
