"""Habits that make an answer right for some inputs only: an argument cut off, a size written down, a memory lost."""

import ast
import re
from collections.abc import Iterator

from ..content.reference_text import Parameter

CUTS = ("clamp(min=0)", "clamp(0, 1)")  # of an argument, so that "nothing can go wrong"
ENDS = ("clamp(max=1)", "clamp(-10, 10)")  # of what is in nats, or a logit: large numbers are its daily business
FAR = r"log_|.*logits|.*scores|nll"
SHARE = r"0, 1[\])]|at most 1"  # what docstrings call numbers from 0 to 1
BOUNDED = rf"{SHARE}|0s and 1s|probabilit|p\(class|images"  # and tensors of such
WHOLE = "int64|classes|0s and 1s"


def sizes_of(tree: ast.AST) -> set[str]:
    """Names that are given lengths: of `b, c = x.shape`, or `n = len(x)`."""
    given = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and is_length(node.value)]
    return {n.id for node in given for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def is_length(node: ast.AST) -> bool:
    """`x.shape`, a part of it, `len(x)`, `x.size(0)`, `x.numel()`."""
    if isinstance(node, ast.Subscript):
        return is_length(node.value)
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", "")) in ("len", "size", "numel")
    return isinstance(node, ast.Attribute) and node.attr == "shape" and isinstance(node.ctx, ast.Load)


def begun(tree: ast.Module, known: dict[str, Parameter]) -> Iterator[list[ast.stmt]]:
    """The statements, after a first one that takes an argument for less than it may be, or leaves it changed."""
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for name, one in [item for item in known.items() if item[0] in used]:
        texts: list[str] = []
        bounded = re.search(BOUNDED, one.told) and not re.match(FAR, name)
        if one.type.startswith("Tensor"):
            new = [] if bounded or re.search(WHOLE, one.told) else [*CUTS, *(ENDS if re.match(FAR, name) else ())]
            new += ["data"] + ([] if re.search(WHOLE, one.told) else ["round()"])
            texts += (f"{name} = {name}.{call}" for call in [*new, f"[:1].expand_as({name})"])
        if one.type == "float" and not re.search(SHARE, one.told):
            texts += (f"{name} = {end}({name}, 1)" for end in ("min", "max"))
        if one.type in ("float", "int") and one.default not in ("", "0.0"):
            texts.append(f"{name} = {name} or {one.default}")
        if "Module" in one.type or one.type == "Flow":
            texts += (f"{name}.{call}" for call in ("eval()", "train()", "requires_grad_(False)"))
        yield from ([*ast.parse(text.replace(".[", "[")).body, *tree.body] for text in texts)


def kept(node: ast.expr, name: str) -> ast.expr:
    """A value as it was when it was computed first: what somebody read off and wrote down, or a cached result."""
    return ast.Call(ast.parse("globals().setdefault", mode="eval").body, [ast.Constant(name), node], [])


def forgetting(statement: ast.stmt, known: dict[str, Parameter]) -> Iterator[list[ast.stmt]]:
    """What makes a step one of a fresh optimiser, without the memory of the steps before."""
    called = ast.unparse(statement).partition(".step(")
    if called[1] and "Optimizer" in getattr(known.get(called[0]), "type", ""):
        yield ast.parse(f"{called[0]}.state.clear()").body
