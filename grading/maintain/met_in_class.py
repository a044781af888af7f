"""A wrong answer met in class: is it caught and named, and what would its entry in the catalogue be?

It is a stranger's code: it runs where submissions run, in the grader's server, and only its numbers come back.
"""

import ast
import json
import textwrap
from typing import NamedTuple

from starter.support import checks, compare
from starter.support.verdict import Verdict

from ..content import known_answers
from ..content.mistake import Mistake
from ..content.tasks import MODULES, TASKS, module_of
from ..judge.runner import Runner
from ..judge.verdicts import expected, judged
from . import audit

SEEDS, OTHER = (checks.PUBLIC_SEED, 101, 102, 103), 1000  # and from each of them to the next that is asked
GAP = "..."  # stands in an entry for what only whoever met the answer can say


class Seen(NamedTuple):
    """Of one seed."""

    verdict: Verdict
    arrays: compare.Arrays | None  # None: no report of numbers came back
    want: compare.Arrays


def met(runner: Runner, task: str, region: str, says: dict[str, str], write: bool) -> int:
    """Report, and print the entry or append it. 0 when the catalogue knows the answer already, or does now."""
    found = [seen(runner, task, region, seed) for seed in SEEDS]
    wrong = [one for one in found if not one.verdict.right]
    print(f"caught: on {len(wrong)} of {len(SEEDS)} seeds")
    if len(wrong) < len(SEEDS):
        return passed(task, region, says, bool(wrong))
    for line in dict.fromkeys(differing(one) for one in wrong):
        print(f"differs in: {line}")
    known = [hint for hint in audit.hints(task).values() if all(one.verdict.message.startswith(hint) for one in wrong)]
    print(f"named: {'yes' if known else 'no'}\na learner reads: {wrong[0].verdict.message}\n")
    if known:
        print("The catalogue knows it: nothing to add.")
        return 0
    return offered(task, entry(task, region, says, ("kind", "believes"), ("says",)), write)


def region_of(task: str, answer: bytes) -> str:
    """What belongs between the markers: the answer itself, or the body of the task's function in it.

    Raises:
        Mistake: it is empty, or Python cannot read it.
    """
    symbol = TASKS[task]["symbol"]
    try:
        text = textwrap.dedent(answer.decode("utf-8-sig")).strip("\n")
        body = ast.parse(text).body
    except SyntaxError as wrong:
        raise Mistake(f"line {wrong.lineno} of the answer is no Python: {wrong.msg}") from None
    except ValueError as wrong:  # not UTF-8, or with null bytes
        raise Mistake(f"the answer is no Python: {wrong}") from None
    whole = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == symbol]
    statements = whole[0].body if whole else body
    if whole and ast.get_docstring(whole[0]) is not None:
        statements = statements[1:]
    if not statements:
        raise Mistake(f"there is no answer: paste what stands in place of the blank, or all of {symbol}()")
    return textwrap.dedent("\n".join(text.splitlines()[statements[0].lineno - 1 : statements[-1].end_lineno]))


def seen(runner: Runner, task: str, region: str, seed: int) -> Seen:
    """As a submission is graded, on this seed and another; with the arrays that it gives on this one."""
    lab = TASKS[task]["lab"]
    module = known_answers.answer_text({"task": task, "id": f"{task}-met", "region": region}).encode()
    verdict = judged(runner, lab, module, [seed, seed + OTHER], [task])[task]
    tables, want = expected(task, seed)
    return Seen(verdict, runner.ask(MODULES[lab], module, task, seed, tables).arrays, want)


def differing(one: Seen) -> str:
    if one.arrays is None:
        return "everything: no numbers came back"
    return audit.differing(one.arrays, one.want) or "nothing, when it is called once: look at what the learner reads"


def passed(task: str, region: str, says: dict[str, str], sometimes: bool) -> int:
    """It is right, or the probe is too weak; only a human can tell."""
    if sometimes:
        print(f"It is right for some inputs only: make the probe of {task} show it on every seed.")
    else:
        print(f"The checks accept it. If it is wrong, the probe of {task} must learn to see it; if it is right:\n")
        print(entry(task, region, says, (), ()))
    return 1


def entry(task: str, region: str, says: dict[str, str], first: tuple[str, ...], last: tuple[str, ...]) -> str:
    """An entry of the catalogue."""
    quoted = "'''" if "'''" not in region else '"""'
    rows = [f"id = {json.dumps(task + '-' + says.get('id', GAP))}"]
    rows += [f"{key} = {json.dumps(says.get(key, GAP), ensure_ascii=False)}" for key in first]
    rows += [f"region = {quoted}\n{region}\n{quoted}"]
    rows += [f"{key} = {json.dumps(says.get(key, GAP), ensure_ascii=False)}" for key in last]
    return f"[[{'wrong' if first else 'right'}]]\n" + "\n".join(rows)


def offered(task: str, text: str, write: bool) -> int:
    """
    Raises:
        Mistake: something that belongs into the entry was not said.
    """
    where = f"grading/content/answers/{module_of(task)}.toml"
    print(text)
    if not write:
        print(f"\nTo add it: fill in what is {GAP!r}, put it into {where}, run `make build`.")
        return 1
    if GAP in text:
        raise Mistake("nothing written: --write needs --id, --kind, --believes and --says")
    with (known_answers.ROOT / where).open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    print(f"\nWritten to {where}: run `make build`, then `make audit ARGS={task}`.")
    return 0
