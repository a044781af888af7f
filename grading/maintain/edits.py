"""Every small change of a few statements, one at a time, as a tired programmer might make it."""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from ..content.reference_text import Parameter
from .habits import begun, forgetting, is_length, kept, sizes_of

SWAPS = (  # names and operators that stand for each other in somebody's head; each way round
    *(("sum", "mean"), ("log", "exp"), ("log", "log2"), ("sqrt", "square"), ("square", "abs"), ("max", "min")),
    *(("amax", "amin"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("new_zeros", "new_ones"), ("var", "std")),
    *(("softplus", "relu"), ("tanh", "sigmoid"), ("logsigmoid", "sigmoid"), ("sin", "cos"), ("values", "indices")),
    *(("floor", "round"), ("train", "eval"), ("logsumexp", "sum"), ("log_softmax", "softmax"), ("eigvalsh", "svdvals")),
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.Mult, ast.Pow), (ast.Div, ast.FloorDiv), (ast.FloorDiv, ast.Mod)),
    *((ast.MatMult, ast.Mult), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Lt, ast.GtE), (ast.Gt, ast.LtE)),
    *((ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn), (ast.And, ast.Or)),
)
OTHERS: dict[Any, list[Any]] = {
    one: [b for a, b in SWAPS if a == one] + [a for a, b in SWAPS if b == one] for pair in SWAPS for one in pair
}
COUNTED = ("range", "arange", "linspace")  # functions whose ends people miss by one
IN_PLACE = {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}
ONE_WAY = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)


class Scope(NamedTuple):
    """Names that a change may put in each other's place, and what they stand for."""

    variables: set[str]
    arguments: set[str]  # tensors of the caller: working on them in place is a mistake
    fields: set[str]  # such as conv.stride, which has siblings
    sizes: set[str]  # names of lengths
    known: dict[str, Parameter]
    returned: set[int]  # tuples that are returned


def changes(tree: ast.Module, parameters: list[str], known: dict[str, Parameter] | None = None) -> Iterator[None]:
    """The tree, changed in one place after another; each change is undone before the next."""
    local = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    fields = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and is_field(tree, n)}
    returned = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)}
    scope = Scope(
        {*parameters, *local} - {"self"}, {*parameters} - local, fields, sizes_of(tree), known or {}, returned
    )
    whole = tree.body
    for body in begun(tree, scope.known):
        tree.body = body
        yield
        tree.body = whole
    choices: Iterator[list[Any]] | Iterator[ast.AST]
    for node in list(ast.walk(tree)):
        for field, old in list(ast.iter_fields(node)):
            if isinstance(old, list):
                choices = lists(node, field, old, scope)
            else:
                choices = others(old, node, scope)
            for new in choices:
                setattr(node, field, new)
                yield
            setattr(node, field, old)


def is_field(tree: ast.AST, node: ast.Attribute) -> bool:
    """A field such as conv.stride, which has siblings to be confused with; no method, nothing of a library."""
    called = any(isinstance(n, ast.Call) and n.func is node for n in ast.walk(tree))
    return not called and isinstance(node.value, ast.Name) and not is_library(node.value)


def is_library(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "math", "np", "nn", "itertools")


def lists(node: ast.AST, field: str, old: list, scope: Scope) -> Iterator[list]:
    """Statements, arguments and keywords: one changed, one gone, two neighbours exchanged."""
    for i, item in enumerate(old):
        yield from ([*old[:i], new, *old[i + 1 :]] for new in others(item, node, scope))
        if isinstance(item, ast.stmt) and not isinstance(item, ast.Pass):
            yield [*old[:i], *(inner(item) or [ast.Pass()]), *old[i + 1 :]]
            yield from ([*old[:i], *before, *old[i:]] for before in forgetting(item, scope.known))
            if isinstance(item, ast.With) and "no_grad" in ast.unparse(item.items[0]):
                yield [*old[:i], *ast.parse("torch.set_grad_enabled(False)").body, *item.body, *old[i + 1 :]]
        elif isinstance(item, ast.keyword) or field in ("elts", "args", "values") and len(old) > 1:
            yield old[:i] + old[i + 1 :]
    exchanged = field in ("args", "elts") and not isinstance(getattr(node, "ctx", None), ast.Store)
    for i in range(len(old) - 1) if exchanged else ():
        yield [*old[:i], old[i + 1], old[i], *old[i + 2 :]]


def inner(statement: ast.stmt) -> list[ast.stmt]:
    """What is left of a block when its head goes; nothing of a plain statement."""
    return [] if isinstance(statement, ast.For | ast.While | ast.FunctionDef) else getattr(statement, "body", [])


def others(old: Any, parent: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    """What may stand in the place of one node."""
    idle = isinstance(parent, ast.Expr) or getattr(parent, "test", None) is old  # nobody asks for the sign
    negated = [] if idle else [ast.UnaryOp(ast.USub(), old)]
    yield from (new() for new in OTHERS.get(type(old), ()))
    if is_length(old) or isinstance(old, ast.Attribute) and old.attr in scope.fields - {"dtype", "device"}:
        yield kept(old, "size")
    match old:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            numbers = [value + 1, value - 1, *([-value] if is_number(parent) else [])]
            yield from map(ast.Constant, numbers)
        case ast.Constant(value=float(value)):
            yield from (ast.Constant(n) for n in (2 * value, value / 2, value + 1, -value) if n != value)
        case ast.Constant(value=str(value)) if isinstance(parent, ast.Compare):
            yield ast.Constant(f"not {value}")
        case ast.Constant(value="none"):
            yield from map(ast.Constant, ("mean", "sum"))
        case ast.Name(ctx=ast.Load()) if old.id in scope.variables:
            yield from (ast.Name(new) for new in sorted(scope.variables - {old.id}))
            yield from (
                *another_tensor(old, parent, scope.returned),
                *([kept(old, f"size {old.id}")] if old.id in scope.sizes else []),
            )
        case ast.Attribute() if not is_library(old.value):
            siblings = scope.fields - {old.attr} if old.attr in scope.fields else ()
            yield from (ast.Attribute(old.value, new) for new in [*sorted(siblings), *OTHERS.get(old.attr, ())])
        case ast.Attribute():
            yield from (ast.Attribute(old.value, new) for new in OTHERS.get(old.attr, ()))
        case ast.BinOp():
            yield from (old.left, old.right)
            if isinstance(old.op, ONE_WAY):
                yield ast.BinOp(old.right, old.op, old.left)
            if isinstance(old.op, ast.Div) and not isinstance(old.right, ast.Constant):
                yield ast.BinOp(old.left, old.op, called(old.right, "clamp", min=0.01))
            if isinstance(old.left, ast.Name) and old.left.id in scope.arguments and type(old.op) in IN_PLACE:
                yield ast.Call(ast.Attribute(old.left, IN_PLACE[type(old.op)]), [old.right], [])
            yield from (*negated, *another_tensor(old, parent, scope.returned))
        case ast.UnaryOp():
            yield old.operand
        case ast.BoolOp(values=values):
            yield from values
        case ast.IfExp():
            yield from (old.body, old.orelse)
        case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
            nothing = ast.UnaryOp(ast.Not(), old.left)
            yield from (ast.UnaryOp(ast.Not(), old), nothing if isinstance(old.ops[0], ast.Is) else old.left)
        case ast.Compare() | ast.BoolOp():
            yield ast.UnaryOp(ast.Not(), old)
        case ast.Call():
            yield from (*calls(old, scope), *near_the_ends(old))
            yield from (*negated, *another_tensor(old, parent, scope.returned))
        case ast.Slice():
            yield from (ast.Slice(None, old.upper, old.step), ast.Slice(old.lower, None, old.step))
        case ast.Subscript(ctx=ast.Load()):
            yield old.value


def is_number(parent: ast.AST) -> bool:
    """Does a whole number stand for a quantity here, rather than for a dimension or an index?"""
    return isinstance(parent, ast.BinOp | ast.Compare)


def another_tensor(old: ast.expr, parent: ast.AST, returned: set[int]) -> Iterator[ast.expr]:
    """The same numbers without a gradient, in another precision, kept from the first call, or of fewer dimensions."""
    cut = isinstance(old, ast.Call) and getattr(old.func, "attr", "") == "detach"
    if isinstance(parent, ast.BinOp | ast.Return | ast.Call | ast.Assign) and not cut:
        yield ast.Call(ast.Attribute(old, "detach"), [], [])
    if isinstance(parent, ast.Return):
        yield ast.Call(ast.Attribute(old, "double"), [], [])
        yield kept(old, "result")
    if isinstance(parent, ast.Return) or id(parent) in returned:
        yield ast.Call(ast.Attribute(old, "squeeze"), [], [])
        yield ast.Call(ast.Attribute(old, "squeeze"), [ast.Constant(1)], [])  # of one channel, or of one latent


def near_the_ends(old: ast.Call) -> Iterator[ast.expr]:
    """The same but near 0, for few, or for large numbers:

    a limit for safety, N for N - 1, a product of exponentials.
    """
    if not isinstance(old.func, ast.Attribute):
        return
    of, name = old.func.value, old.func.attr
    if name in ("log", "sqrt") and not is_library(of):
        yield called(called(of, "clamp", min=1e-3), name)
    if name in ("var", "std"):
        yield ast.Call(old.func, old.args, [*old.keywords, ast.keyword("correction", ast.Constant(0))])
    if name == "sum" and "log" in ast.unparse(of):
        exponentials = ast.Attribute(called(of, "exp"), "prod")
        yield called(ast.Call(exponentials, old.args, old.keywords), "log")


def called(of: ast.expr, name: str, **keywords: float) -> ast.Call:
    return ast.Call(ast.Attribute(of, name), [], [ast.keyword(k, ast.Constant(v)) for k, v in keywords.items()])


def calls(old: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    """The call left out; work done in place on an argument; the end of a count missed by one."""
    if isinstance(old.func, ast.Attribute) and not is_library(old.func.value):
        yield old.func.value
        mine = isinstance(old.func.value, ast.Name) and old.func.value.id in scope.arguments
        if mine and hasattr(torch.Tensor, f"{old.func.attr}_"):
            yield ast.Call(ast.Attribute(old.func.value, f"{old.func.attr}_"), old.args, old.keywords)
    yield from old.args[:1]
    name = getattr(old.func, "attr", getattr(old.func, "id", ""))
    for i, end in enumerate(old.args) if name in COUNTED else ():
        for op in (ast.Add(), ast.Sub()):
            missed = ast.BinOp(end, op, ast.Constant(1))
            yield ast.Call(old.func, [*old.args[:i], missed, *old.args[i + 1 :]], old.keywords)
