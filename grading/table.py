"""The one table of labs, tasks and questions: tasks.toml, read without torch, so that looking something up is quick."""

import tomllib

from .overlay import ROOT

TABLE = tomllib.loads((ROOT / "grading/tasks.toml").read_text(encoding="utf-8"))
LABS = {lab["name"]: lab for lab in TABLE["lab"]}
TASKS = {task["id"]: task for task in TABLE["task"]}
QUESTIONS = {question["id"]: question for question in TABLE["question"]}


def module_of(task: str) -> str:
    return LABS[TASKS[task]["lab"]]["module"]


def tasks_of(lab: str) -> list[str]:
    return [task for task, row in TASKS.items() if row["lab"] == lab]
