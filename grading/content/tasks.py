"""The one table of labs, tasks and questions: tasks.toml, read without torch, so that looking something up is quick."""

import tomllib

from .overlay import ROOT

TABLE = tomllib.loads((ROOT / "grading/content/tasks.toml").read_text(encoding="utf-8"))
LABS = {lab["name"]: lab for lab in TABLE["lab"]}
TASKS = {task["id"]: task for task in TABLE["task"]}
QUESTIONS = {question["id"]: question for question in TABLE["question"]}
UNANSWERED = "Your answer."  # stands where an answer is to be written: whoever leaves it has given none

MODULES = {name: lab["module"] for name, lab in LABS.items() if "module" in lab}  # the last lab only asks questions


def module_of(task: str) -> str:
    return MODULES[TASKS[task]["lab"]]


def files_of(lab: str) -> dict[str, str]:
    """Suffix -> path of what a learner hands in: the notebook, and the module when the lab has one."""
    module = {".py": f"starter/{MODULES[lab]}.py"} if lab in MODULES else {}
    return {".ipynb": f"{lab}.ipynb"} | module


def tasks_of(lab: str) -> list[str]:
    return [task for task, row in TASKS.items() if row["lab"] == lab]
