"""What the solutions say, read and not run: where a task's answer stands, and what would give it away."""

import ast
import copy
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from .knife import regions
from .overlay import ROOT
from .tasks import MODULES, module_of

WORK = (ast.BinOp, ast.Call, ast.Compare, ast.Subscript)


def solution(module: str) -> Path:
    return ROOT / "solutions" / f"{module}.py"


@cache
def tree(text: str) -> ast.Module:
    """A source file, to be read only."""
    return ast.parse(text)


@lru_cache(maxsize=32)
def functions(text: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree(text)) if isinstance(node, ast.FunctionDef)]


def region_text(task: str) -> str | None:
    """The lines between a task's markers; None where there are none."""
    source = solution(module_of(task)).read_text(encoding="utf-8")
    region = regions(source).get(task)
    return region and "\n".join(source.splitlines()[region])


def function_of(task: str) -> ast.FunctionDef | None:
    """The innermost function that a task's region stands in; None: it stands in none."""
    source = solution(module_of(task)).read_text(encoding="utf-8")
    region = regions(source)[task]
    around = [function for function in functions(source) if begins(function, region)]
    return around[-1] if around else None


def begins(function: ast.FunctionDef, region: slice) -> bool:
    """Does a function begin before a region, and end with it or later?"""
    return function.lineno <= region.start and region.stop <= (function.end_lineno or 0) + 1


def parsed(task: str) -> tuple[ast.Module, list[str]]:
    """The statements of a region, and the parameters of the function that it stands in; none where it is in none."""
    function = copy.deepcopy(function_of(task))  # whoever makes mutants changes it
    if function is None:
        return ast.Module([], []), []
    region = regions(solution(module_of(task)).read_text(encoding="utf-8"))[task]
    blocks = [getattr(node, name, []) for node in ast.walk(function) for name in ("body", "orelse")]
    found = (
        [s for s in block if region.start < s.lineno <= region.stop] for block in blocks if isinstance(block, list)
    )
    parameters = [a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)]
    return ast.Module(next(filter(None, found), []), []), parameters


class Parameter(NamedTuple):
    """What is known of an argument of a task's function, as text."""

    type: str
    default: str  # empty: none
    told: str  # what the docstring says of it


def parameters(task: str) -> dict[str, Parameter]:
    if (function := function_of(task)) is None:
        return {}
    given = [*function.args.posonlyargs, *function.args.args]
    defaults = dict(zip([a.arg for a in given[::-1]], function.args.defaults[::-1]))
    told = described(ast.get_docstring(function) or "")
    return {a.arg: Parameter(as_text(a.annotation), as_text(defaults.get(a.arg)), told.get(a.arg, "")) for a in given}


def as_text(node: ast.expr | None) -> str:
    return ast.unparse(node) if node else ""


def described(docstring: str) -> dict[str, str]:
    """Argument -> what stands behind it, from the lines `mu, log_var: ...` below `Args:`."""
    lines = docstring.partition("Args:\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?= {4}\S)", "\n" + lines):
        names, _, words = entry.partition(":")
        found |= {name.strip(): " ".join(words.split()) for name in names.split(",")}
    return found


def expressions(task: str) -> set[str]:
    """Parts of a region that would give it away, without spaces: of two operations or calls at least."""
    nodes = [node for node in ast.walk(parsed(task)[0]) if isinstance(node, WORK)]
    return {"".join(ast.unparse(n).split()) for n in nodes if sum(isinstance(m, WORK) for m in ast.walk(n)) > 1}


@cache
def published(lab: str) -> frozenset[str]:
    """Earlier modules that a lab's module imports, and what they import: learners of this lab may know them."""
    known = set(MODULES.values())
    found, open_ = set[str](), [MODULES[lab]] if lab in MODULES else []
    while open_:
        for node in ast.walk(tree(solution(open_.pop()).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = {node.module} if node.module else {alias.name for alias in node.names}
                open_ += (names & known) - found
                found |= names & known
    return frozenset(found)
