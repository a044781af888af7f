"""Calls that do a whole task in one go, found in a submitted module: for the instructor to know, not to punish.

Standard library alone: it reads a stranger's text, so it runs where strangers' code runs.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..content.known_answers import Rule

NOTE = "Note:"  # how the word on such a call begins
Rules = dict[str, "Rule"]  # by task


def handed_over(text: bytes, rules: Rules) -> dict[str, str]:
    """Task -> the first such call in its function, or in a helper of the learner's own that it uses."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    names = full_names(tree)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    blanks = {rule["symbol"] for rule in rules.values()}
    found: dict[str, str] = {}
    for task, rule in rules.items():
        called = [full(node.func, names) for node in within(rule["symbol"], functions, blanks)]
        hits = [wanted for wanted in rule["calls"] for name in called if is_the_same(name, wanted)]
        found |= {task: hits[0]} if hits else {}
    return found


def full_names(tree: ast.AST) -> dict[str, str]:
    """What a name stands for: after imports, and after assignments of something that is known."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.split(".")[0]: alias.asname and alias.name or alias.name.split(".")[0]
                      for alias in node.names}  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and (known := full(node.value, names))
        ):
            names[node.targets[0].id] = known
    return names


def full(node: ast.AST, names: dict[str, str]) -> str:
    """torch.distributions.Normal.log_prob for D.Normal(mu, sigma).log_prob; empty for what is not known."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Call):
        return full(node.func, names)
    if isinstance(node, ast.Attribute) and (owner := full(node.value, names)):
        return f"{owner}.{node.attr}"
    return ""


def within(symbol: str, functions: Mapping[str, ast.AST], blanks: set[str]) -> Iterator[ast.Call]:
    """Calls in a function and in the helpers that it names, which are no blanks of their own."""
    open_, seen = [symbol], set[str]()
    while open_:
        name = open_.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Call):
                yield node
            elif isinstance(node, ast.Name) and node.id not in blanks:
                open_.append(node.id)


def is_the_same(name: str, wanted: str) -> bool:
    """Packages offer a function in several places: torch.distributions.kl.kl_divergence is kl_divergence, too."""
    owner, last = wanted.rsplit(".", 1)
    return name.startswith(f"{owner}.") and name.endswith(f".{last}")
