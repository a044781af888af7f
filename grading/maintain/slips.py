"""Slips of thought: changes of a formula that are larger than one name or number, each with what it does in words.

A bracket in the wrong place, two operations in the other order, a root that nobody asked for. Whoever makes one knows
what it is, so that a sentence needs no look at the result.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

from ..content.reference_text import Parameter
from .habits import SHARE
from .phrases import LIBRARY, Words, called, receiver

POINTWISE = (
    "square", "abs", "log", "exp", "sqrt", "sigmoid", "tanh", "softplus", "logsigmoid", "relu", "clamp", "log2",
)  # fmt: skip
REDUCING = ("sum", "mean", "amax", "amin", "prod", "norm", "cumsum", "softmax", "logsumexp")
INSTEAD = {  # functions that stand for each other in somebody's head, beside those of edits.SWAPS; each way round
    "any": "all", "all": "any", "argmax": "argmin", "argmin": "argmax", "mean": "median",
}  # fmt: skip
NOUN = {
    ast.Add: "a sum", ast.Sub: "a difference", ast.Mult: "a product", ast.Div: "a quotient",
    ast.FloorDiv: "a quotient", ast.Pow: "a power",
}  # fmt: skip
ACT = {
    ast.Add: "an addition", ast.Sub: "a subtraction", ast.Mult: "a factor", ast.Div: "a division",
    ast.FloorDiv: "a division", ast.Pow: "a power",
}  # fmt: skip
ADDITIVE, MULTIPLICATIVE = (ast.Add, ast.Sub), (ast.Mult, ast.Div)
CUTS = {"min=0": "below 0", "0, 1": "outside [0, 1]", "-1, 1": "outside [-1, 1]", "max=0": "above 0"}
LITTLE = 0.01, 0.001  # added so that nothing is divided by 0
IMAGES = "(B, C, H, W)"
Choices = Iterator[tuple[Any, str]]  # what may stand in a place, and what that does
PLAIN = (  # in the words of slips that people make every day
    " comes before ", "of two numbers", "1 too ", "is squared where", "square root of `", "a sigmoid should be",
    "are exchanged", "stands where", "made positive", "of the result is taken", "result is squared", "from 1",
    "is not used",
)  # fmt: skip


class Around(NamedTuple):
    """What must be known of a place."""

    words: Words
    known: dict[str, Parameter]
    given: frozenset[str]  # arguments that nothing is assigned to
    often: frozenset[str]  # those that stand in more than one place


def slips(tree: ast.Module, known: dict[str, Parameter], words: Words) -> Iterator[tuple[bool, str]]:
    """The tree, changed in one place after another: whether people do that every day, and what it does.

    Each change is undone before the next.
    """
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
    stored, places = {n.id for n in names if isinstance(n.ctx, ast.Store)}, Counter(n.id for n in names)
    often = frozenset(name for name in known if places[name] > 1)
    around = Around(words, known, frozenset(known) - stored, often)
    whole = tree.body
    for text, said in first_lines(tree, known):
        tree.body = [*ast.parse(text).body, *whole]
        yield any(word in said for word in PLAIN), said
    tree.body = whole
    for node in list(ast.walk(tree)):
        for field, old in list(ast.iter_fields(node)):
            for new, said in choices(old, node, around):
                setattr(node, field, new)
                yield any(word in said for word in PLAIN), said
            setattr(node, field, old)


def choices(old: Any, parent: ast.AST, around: Around) -> Choices:
    if not isinstance(old, list):
        if isinstance(old, ast.expr):
            yield from others(old, parent, around)
        return
    for i, item in enumerate(old):
        if isinstance(item, ast.expr):
            yield from (([*old[:i], new, *old[i + 1 :]], said) for new, said in others(item, parent, around))
    for i, (one, other) in enumerate(zip(old, old[1:])):
        if said := out_of_order(one, other):
            yield [*old[:i], other, one, *old[i + 2 :]], said


def others(old: ast.expr, parent: ast.AST, around: Around) -> Choices:
    words = around.words
    match old:
        case ast.BinOp():
            yield from brackets(old, words)
            yield from into_a_function(old, words)
            yield from transposed(old)
            if isinstance(old.op, ast.Sub):
                yield method(old, "abs"), "the size of a difference is taken, without its sign"
            if isinstance(old.op, ast.Div):
                yield from (
                    (
                        ast.BinOp(old.left, old.op, ast.BinOp(old.right, ast.Add(), ast.Constant(n))),
                        f"{n} is added to a divisor",
                    )
                    for n in LITTLE
                )
        case ast.UnaryOp(op=ast.USub(), operand=ast.BinOp(op=ast.Add() | ast.Sub()) as inner):
            left = ast.UnaryOp(ast.USub(), inner.left)
            yield ast.BinOp(left, inner.op, inner.right), "a minus holds for the first part alone of what it should"
        case ast.Call():
            yield from of_call(old, words)
        case ast.Name(ctx=ast.Load()) if old.id in around.given:
            yield from of_argument(old, around)
    if isinstance(parent, ast.Return) and not isinstance(old, ast.Tuple):
        yield from of_result(old, "the result")
    elif isinstance(parent, ast.Assign) and isinstance(old, ast.BinOp | ast.Call):
        target = parent.targets[0]
        yield from of_result(old, words.of(target) or "a value on the way" if isinstance(target, ast.Name) else "")


def method(node: ast.expr, name: str, arguments: str = "") -> ast.expr:
    call = ast.parse(f"x.{name}({arguments})", mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    call.func.value = node
    return call


def first_lines(tree: ast.Module, known: dict[str, Parameter]) -> Iterator[tuple[str, str]]:
    """What is done with an argument before anything else."""
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    used = {name: one for name, one in known.items() if name in names}
    for name, one in used.items():
        if one.type == "float" or re.search(SHARE, one.told):
            yield f"{name} = 1 - {name}", f"1 - `{name}` stands where `{name}` should"
        if one.type == "float":
            yield f"{name} = int({name})", f"`{name}` is cut to a whole number"
        if one.type in ("float", "int", "bool", "str") and one.default:
            yield f"{name} = {one.default}", f"`{name}` is not used, but always {one.default.strip(chr(39))}"
        if one.type == "Tensor" and "shape (B," in one.told:
            mean = f"{name}.mean(0, keepdim=True).expand_as({name})"
            yield f"{name} = {mean}", f"the mean of all `{name}` is taken for every one"
    tensors = [name for name, one in used.items() if one.type == "Tensor"]
    for first, second in combinations(tensors, 2):
        yield f"{first}, {second} = {second}, {first}", f"`{first}` and `{second}` are exchanged"
    yield from of_channels(
        [name for name in tensors if IMAGES in used[name].told or "same shape" in used[name].told], used
    )


def of_channels(names: list[str], used: dict[str, Parameter]) -> Iterator[tuple[str, str]]:
    """All images of a call, with one channel."""
    if any(IMAGES in used[name].told for name in names):
        for one, said in (
            ("[:, :1]", "only the first channel of an image counts"),
            (".mean(dim=1, keepdim=True)", "the channels of an image are averaged first"),
        ):
            yield f"{', '.join(names)} = {', '.join(name + one for name in names)}", said


def out_of_order(one: Any, other: Any) -> str | None:
    """Two neighbouring steps, exchanged."""
    if not all(isinstance(step, ast.Expr) and isinstance(step.value, ast.Call) for step in (one, other)):
        return None
    return f"{called(other.value)}() comes before {called(one.value)}()"


def of_argument(old: ast.Name, around: Around) -> Choices:
    kind, name = around.known[old.id].type, old.id
    if kind == "int":
        for op, said in ((ast.Add(), "large"), (ast.Sub(), "small")):
            where = " in one place" if name in around.often else ""
            yield ast.BinOp(old, op, ast.Constant(1)), f"`{name}` is taken 1 too {said}{where}"
    if kind in ("float", "Tensor"):
        yield ast.BinOp(old, ast.Pow(), ast.Constant(2)), f"`{name}` is squared where it should not be"
    if kind == "float":
        yield (
            ast.BinOp(old, ast.Pow(), ast.Constant(0.5)),
            f"the square root of `{name}` is taken where itself should stand",
        )


def of_result(old: ast.expr, what: str) -> Choices:
    """A value that is cut off, or of which a function is taken."""
    if not what:
        return
    for arguments, where in CUTS.items():
        yield method(old, "clamp", arguments), f"{what} is cut off {where}"
    if what == "the result":
        yield method(old, "abs"), "the result is made positive"
        yield method(old, "sqrt"), "the square root of the result is taken"
        yield method(old, "square"), "the result is squared"
        yield ast.BinOp(ast.Constant(1), ast.Sub(), old), "the result is taken away from 1"


def operation(node: ast.AST) -> tuple[str, ast.expr] | None:
    """The name of a function of one thing, and that thing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
        return "a power", node.left
    if isinstance(node, ast.Call) and called(node) in (*POINTWISE, *REDUCING):
        inner = receiver(node)
        return (f"{called(node)}()", inner) if isinstance(inner, ast.expr) else None
    return None


def with_inner(node: ast.expr, inner: ast.expr) -> ast.expr:
    """The same function of something else."""
    if isinstance(node, ast.BinOp):
        return ast.BinOp(inner, node.op, node.right)
    assert isinstance(node, ast.Call)
    owner = getattr(node.func, "value", None)
    if owner is None or isinstance(owner, ast.Name) and owner.id in LIBRARY:
        return ast.Call(node.func, [inner, *node.args[1:]], node.keywords)
    return ast.Call(ast.Attribute(inner, called(node)), node.args, node.keywords)


def of_call(old: ast.Call, words: Words) -> Choices:
    name = called(old)
    if name in ("min", "max") and isinstance(old.func, ast.Name) and len(old.args) == 2:
        instead, said = ("max", "larger") if name == "min" else ("min", "smaller")
        other = ast.Call(ast.Name(instead), old.args, old.keywords)
        yield other, f"the {said} of two numbers is taken where the other should be"
    if name in INSTEAD and isinstance(old.func, ast.Attribute):
        other = ast.Call(ast.Attribute(old.func.value, INSTEAD[name]), old.args, old.keywords)
        yield other, f"{INSTEAD[name]}() stands where {name}() should"
    if name == "sigmoid" and isinstance(logits := receiver(old), ast.expr):
        yield method(logits, "clamp", "0, 1"), "the value is cut off outside [0, 1] where a sigmoid should be"
    if not (outer := operation(old)):
        return
    yield from in_other_order(old, outer)
    inner = outer[1]
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, (*ADDITIVE, *MULTIPLICATIVE)):
        rest = words.of(inner.right)
        alone = (
            f"{outer[0]} is taken without {rest}, which comes after it"
            if rest
            else f"{outer[0]} is taken of the first part alone of {NOUN[type(inner.op)]}"
        )
        yield ast.BinOp(with_inner(old, inner.left), inner.op, inner.right), alone
    if name in ("log", "sqrt") and not isinstance(inner, ast.Constant):
        for n in LITTLE:
            yield with_inner(old, ast.BinOp(inner, ast.Add(), ast.Constant(n))), f"{n} is added inside {outer[0]}"


def in_other_order(old: ast.expr, outer: tuple[str, ast.expr]) -> Choices:
    """`.sum().square()` for `.square().sum()`."""
    name, inner = outer
    below = operation(inner)
    if below and (below[0].strip("()") in REDUCING) != (name.strip("()") in REDUCING):
        yield (
            with_inner(inner, with_inner(old, below[1])),
            f"{name} comes before {below[0]}, where it should come after it",
        )


def brackets(old: ast.BinOp, words: Words) -> Choices:
    """A part of a formula that an operation holds for, and should not; or the other way round."""
    op = type(old.op)
    if op not in NOUN:
        return
    if isinstance(old.left, ast.BinOp) and type(old.left.op) in NOUN and rank(old.left.op) != rank(old.op):
        a, first, b = old.left.left, old.left.op, old.left.right
        part = words.of(b) or "the second part"
        yield (
            ast.BinOp(a, first, ast.BinOp(b, old.op, old.right)),
            f"{ACT[op]} holds for {part} alone, not for all of {NOUN[type(first)]}",
        )
        if {rank(first), rank(old.op)} == {1, 2}:
            yield (
                ast.BinOp(ast.BinOp(a, old.op, old.right), first, b),
                f"{ACT[op]} comes before {ACT[type(first)]}, where it should come after it",
            )
    if isinstance(old.right, ast.BinOp) and type(old.right.op) in NOUN:
        b, second, c = old.right.left, old.right.op, old.right.right
        if rank(second) != rank(old.op):
            yield (
                ast.BinOp(ast.BinOp(old.left, old.op, b), second, c),
                f"{ACT[type(second)]} holds for all of {NOUN[op]}, where it should for one part",
            )
        elif isinstance(old.op, ast.Sub | ast.Div):
            yield (
                ast.BinOp(ast.BinOp(old.left, old.op, b), second, c),
                f"{ACT[op]} holds for the first part alone of {NOUN[type(second)]}",
            )


def rank(op: ast.operator) -> int:
    return 1 if isinstance(op, ADDITIVE) else 2 if isinstance(op, (*MULTIPLICATIVE, ast.FloorDiv)) else 3


def into_a_function(old: ast.BinOp, words: Words) -> Choices:
    """`log(a + b)` for `log(a) + b`."""
    for side, rest in ((old.left, old.right), (old.right, old.left)):
        if (
            (found := operation(side))
            and not isinstance(side, ast.BinOp)
            and isinstance(old.op, (*ADDITIVE, *MULTIPLICATIVE))
        ):
            inside = ast.BinOp(found[1], old.op, rest) if side is old.left else ast.BinOp(rest, old.op, found[1])
            name = words.of(rest)
            yield (
                with_inner(side, inside),
                f"{found[0]} is taken of {name} as well" if name else f"{found[0]} is taken of more than it should",
            )


def transposed(old: ast.BinOp) -> Choices:
    """`A @ S @ A.T` for `A.T @ S @ A`, and one transposed matrix less or more."""
    if not isinstance(old.op, ast.MatMult):
        return
    if isinstance(old.left, ast.BinOp) and isinstance(old.left.op, ast.MatMult):
        first = old.left.left
        if isinstance(first, ast.Attribute) and first.attr == "T" and ast.dump(first.value) == ast.dump(old.right):
            inner = ast.BinOp(first.value, ast.MatMult(), old.left.right)
            yield (
                ast.BinOp(inner, ast.MatMult(), first),
                "the transposed matrix stands on the other side of the product",
            )
    for left, side in ((True, old.left), (False, old.right)):
        turned = isinstance(side, ast.Attribute) and side.attr == "T"
        new = side.value if isinstance(side, ast.Attribute) and turned else ast.Attribute(side, "T")
        said = "is not transposed where it should be" if turned else "is transposed where it should not be"
        yield (ast.BinOp(new, old.op, old.right) if left else ast.BinOp(old.left, old.op, new)), f"a matrix {said}"
