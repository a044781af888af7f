"""A blank as it was given, and the reference's answer to it."""

import ast
import contextlib
import io
import json
import re
import textwrap
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from . import course, progress

GIVEN = Path(__file__).with_name("given.json")  # generated: python -m grading build
MARK = "SOLUTION"  # of regions; apart from BEGIN, for a release refuses every file that holds a region
COMPLETE = "# Given by the course, and not written by you: `python -m starter reset {module}` brings its blanks back.\n"
SHOWN = Path(__file__).parents[1] / ".solutions_shown.json"


class Refused(ValueError):
    """Nothing was done: why, in one line."""


@cache
def given() -> dict[str, str]:
    """Module -> its text with every blank."""
    return json.loads(GIVEN.read_text(encoding="utf-8"))


def function(lines: list[str], name: str) -> slice | None:
    """The lines of a function at the top of a module, decorators included; also of a module that does not parse."""
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.parse("\n".join(lines)).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return slice(min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1, node.end_lineno)
        return None
    start = next((n for n, line in enumerate(lines) if re.match(rf"def {name}\b", line)), None)
    if start is None:
        return None
    end = next(
        (n for n in range(start + 1, len(lines)) if re.match(r"(@|def |class |[A-Z_]+ = )", lines[n])), len(lines)
    )
    while start and lines[start - 1].startswith("@"):
        start -= 1
    while not lines[end - 1].strip():
        end -= 1
    return slice(start, end)


def read(path: Path) -> tuple[list[str], str, str]:
    """Lines of a module, its encoding, and the end of its lines.

    Raises:
        Refused: it is no text.
    """
    data = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        raise Refused(f"{path.name} cannot be read as text: `reset {path.stem}` gives back the whole module") from None
    end = "\r\n" if "\r\n" in text else "\n"
    return text.replace("\r\n", "\n").split("\n"), encoding, end


def reset(task: str) -> str:
    """Make a task blank again. Its text is kept in a file.

    Raises:
        Refused: it is as it was given, or the module cannot be read.
    """
    lab = course.lab_of(task)
    symbol = lab.tasks[task].symbol
    path = located(lab)
    lines, encoding, end = read(path)
    original = given()[str(lab.module)].split("\n")
    given_place, place = function(original, symbol), function(lines, symbol)
    if place is None or given_place is None:
        raise Refused(f"{lab.place} has no function {symbol}: `reset {lab.module}` gives back the whole module")
    old, blank = lines[place], original[given_place]
    if old == blank:
        raise Refused(f"{task} is as it was given: there is nothing to reset")
    kept = keep(task, "\n".join([*old, ""]).encode())
    lines[place] = blank
    write(path, end.join(lines).encode(encoding))
    return f"{task} is blank again: {progress.line_of(task)}. Your text is kept in {kept}."


def reset_module(lab: course.Lab) -> str:
    """Give a lab's whole module back. What stood there is kept in a file.

    Raises:
        Refused: it is as it was given, or the lab has none.
    """
    if lab.module is None:
        raise Refused(f"{lab.name} has no module")
    fresh = given()[lab.module].encode()
    try:
        path = course.module_of(lab)
    except course.Missing:
        path = course.own() / str(lab.place)
        write(path, fresh)
        return f"{lab.place} is there again, with every blank."
    if path.read_bytes() == fresh:
        raise Refused(f"{lab.place} is as it was given: there is nothing to reset")
    kept = keep(lab.module, path.read_bytes())
    write(path, fresh)
    return f"{lab.place} is as it was given, every task is blank. Your text is kept in {kept}."


def complete(lab: course.Lab) -> str:
    """Put the reference's answers into the modules that a lab builds on and that are not finished; texts are kept.

    Raises:
        Refused: it builds on no other lab; or this copy of the course has no solutions.
    """
    if not lab.builds_on:
        raise Refused(f"lab {lab.number} builds on no other lab: begin with it as it is")
    earlier = [course.labs()[name] for name in lab.builds_on]
    said = [put_complete(one) for one in earlier if not progress.of_lab(one).is_usable]
    return "\n".join(said) or f"Lab {lab.number} can begin: what it builds on is complete."


def put_complete(lab: course.Lab) -> str:
    text = completed(str(lab.module), reference(lab))
    path = course.own() / str(lab.place)
    with contextlib.suppress(course.Missing):
        path = course.module_of(lab)
    old = path.read_bytes() if path.exists() else given()[str(lab.module)].encode()
    is_hers = old.replace(b"\r\n", b"\n") != given()[str(lab.module)].encode()
    kept = f" Your text is kept in {keep(str(lab.module), old)}." if is_hers else ""
    note_shown(lab.tasks)
    write(path, text.encode())
    return f"{lab.place} is complete, and marked as given: lab {lab.number} earns no points with it.{kept}"


def completed(module: str, reference: str) -> str:
    """A reference as whoever goes on without a lab gets it: marked, and without the marks of its regions."""
    return COMPLETE.format(module=module) + re.sub(rf"^ *# (BEGIN|END) {MARK}.*\n", "", reference, flags=re.MULTILINE)


def is_completed(text: bytes) -> bool:
    return text.startswith(COMPLETE.partition(",")[0].encode())


def reference(lab: course.Lab) -> str:
    """
    Raises:
        Refused: this copy of the course has no solutions.
    """
    path = course.TOP / "solutions" / f"{lab.module}.py"
    if not path.exists():
        raise Refused("this copy of the course has no solutions: ask whoever gave it to you")
    return path.read_text(encoding="utf-8")


def located(lab: course.Lab) -> Path:
    try:
        return course.module_of(lab)
    except course.Missing as missing:
        raise Refused(str(missing)) from None


def keep(name: str, content: bytes) -> str:
    """Write a text to a file of its own; the file, from the learner's folder. No .py: nobody takes it for a module."""
    folder = course.own() / "kept"
    folder.mkdir(exist_ok=True)
    names = (f"{name}{n and f'-{n + 1}' or ''}.txt" for n in range(10_000))
    path = next(path for name in names if not (path := folder / name).exists())
    path.write_bytes(content)
    return path.relative_to(course.own()).as_posix()


def write(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def solution(task: str, give_up: bool = False) -> str:
    """The reference's lines for a task that is right, or given up, which is recorded.

    Raises:
        Refused: neither; or this copy of the course has no solutions.
    """
    lab = course.lab_of(task)
    text, before = reference(lab), shown()
    if task not in before and progress.of_lab(lab).tasks[task].state != "right":
        if not give_up:
            words = f"`hint {task}` helps; `solution {task} --give-up` shows it, and that is recorded"
            raise Refused(f"{task} is not right yet: {words}")
        note_shown([task])
    region = re.search(rf"# BEGIN {MARK} {task}\n(.*?)\n *# END {MARK}", text, re.DOTALL)
    texts = {
        f"{task}, {lab.tasks[task].symbol}, as the reference has it": region[1] if region else "",
        f"Yours, {progress.line_of(task)}": "\n".join(answer(task)),
    }
    return "\n".join(f"{head}:\n\n{textwrap.indent(textwrap.dedent(text), '    ')}\n" for head, text in texts.items())


def answer(task: str) -> list[str]:
    """What she wrote: her function's lines behind the TODO, or all of them where she has removed that."""
    lab = course.lab_of(task)
    lines, _, _ = read(located(lab))
    place = function(lines, lab.tasks[task].symbol)
    own = lines[place] if place else []
    behind = [n + 1 for n, line in enumerate(own) if line.lstrip().startswith(f"# TODO {task}:")]
    return own[behind[0] :] if behind else own


def note_shown(tasks: Iterable[str]) -> None:
    with contextlib.suppress(OSError):
        SHOWN.write_text(json.dumps([*dict.fromkeys([*shown(), *tasks])]), encoding="utf-8")


def shown() -> list[str]:
    """The tasks that were given up."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(SHOWN.read_text(encoding="utf-8"))
        if isinstance(found, list):
            return found
    return []
