"""A change of a reference in words: what the numbers of whoever makes the same mistake come from.

The sentence speaks of what changed and of names that a learner knows, the arguments and the words of the docstring. It
shows no code, and where nothing certain can be said of a change, nothing is.
"""

import ast
import re
from typing import Any, NamedTuple

REDUCTIONS = ("sum", "mean", "logsumexp", "softmax", "log_softmax", "max", "min", "amax", "amin", "var", "std", "norm")
LEFT_OUT = {
    ast.Add: "{right} is left out",
    ast.Sub: "{right} is left out, which is to be taken away",
    ast.Mult: "{right} is left out as a factor",
    ast.Div: "the division by {right} is left out",
    ast.FloorDiv: "the division by {right} is left out",
    ast.Mod: "the remainder is not taken",
    ast.Pow: "a power is left out",
    ast.MatMult: "the product with {right} is left out",
}
OPERATORS = {
    (ast.Add, ast.Sub): "{right} is taken away instead of added",
    (ast.Sub, ast.Add): "{right} is added instead of taken away",
    (ast.Mult, ast.Div): "{left} is divided by {right} instead of multiplied with it",
    (ast.Div, ast.Mult): "{left} is multiplied with {right} instead of divided by it",
    (ast.Mult, ast.Pow): "{left} is raised to the power of {right} instead of multiplied with it",
    (ast.Pow, ast.Mult): "{left} is multiplied where it should be raised to a power",
    (ast.Div, ast.FloorDiv): "a division is rounded down",
    (ast.FloorDiv, ast.Div): "a division is not rounded down",
    (ast.FloorDiv, ast.Mod): "a remainder stands where a division rounded down should",
    (ast.Mod, ast.FloorDiv): "a division rounded down stands where a remainder should",
    (ast.MatMult, ast.Mult): "numbers are multiplied one by one where it should be matrices",
}
EXCHANGED = {
    ast.Sub: "the two sides of a difference are exchanged, {left} and {right}",
    ast.Div: "numerator and denominator are exchanged, {left} and {right}",
    ast.FloorDiv: "numerator and denominator are exchanged, {left} and {right}",
    ast.Pow: "base and exponent are exchanged",
    ast.Mod: "the two sides of a remainder are exchanged",
    ast.MatMult: "the two sides of a product of matrices are exchanged",
}
COMPARISONS = {
    (ast.Lt, ast.LtE): "two numbers that are equal count as well",
    (ast.Gt, ast.GtE): "two numbers that are equal count as well",
    (ast.LtE, ast.Lt): "two numbers that are equal do not count",
    (ast.GtE, ast.Gt): "two numbers that are equal do not count",
    (ast.And, ast.Or): "one of two conditions is enough where both should hold",
    (ast.Or, ast.And): "both of two conditions must hold where one should be enough",
}
LIBRARY = ("torch", "F", "math", "np", "nn", "itertools")
WITHOUT = {
    "sum": "no sum is taken", "mean": "no mean is taken", "detach": "nothing is detached there",
    "flatten": "nothing is flattened there", "float": "truth values are not made numbers",
}  # fmt: skip


class Changed(NamedTuple):
    """The smallest part of a program that a change is about."""

    old: Any  # a node, a list of them, or a name
    new: Any
    parents: tuple[ast.AST, ...]  # from the whole to the nearest


def smallest(old: Any, new: Any, parents: tuple[ast.AST, ...] = ()) -> Changed:
    """Go down where exactly one child differs, and is of the same kind."""
    if isinstance(old, ast.AST) and type(old) is type(new):
        pairs = [(getattr(old, f, None), getattr(new, f, None)) for f in old._fields]
        differing = [pair for pair in pairs if text(pair[0]) != text(pair[1])]
        if len(differing) == 1:
            return smallest(*differing[0], (*parents, old))
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        differing = [pair for pair in zip(old, new) if text(pair[0]) != text(pair[1])]
        if len(differing) == 1:
            return smallest(*differing[0], parents)
    return Changed(old, new, parents)


def text(node: Any) -> str:
    if isinstance(node, list):
        return ", ".join(map(text, node))
    return ast.dump(node) if isinstance(node, ast.AST) else repr(node)


class Words(NamedTuple):
    """What may be named: arguments of the function, and words of its docstring."""

    names: frozenset[str]
    locals: frozenset[str] = frozenset()  # those of them that are no arguments

    def of(self, node: Any) -> str | None:
        """A part of a formula, by the names in it."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return "a constant"
        plain = isinstance(node, ast.Name | ast.Attribute) and re.fullmatch(r"[\w.]+", ast.unparse(node))
        if plain and plain[0].partition(".")[0] in self.names:
            return f"`{plain[0]}`"
        inside = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)] if isinstance(node, ast.AST) else []
        found = [f"`{name}`" for name in dict.fromkeys(inside) if name in self.names]
        if not found or len(found) > 3:
            return None
        return f"the part with {' and '.join([', '.join(found[:-1]), found[-1]] if len(found) > 1 else found)}"


def words_of(function: ast.FunctionDef) -> Words:
    parameters = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    written = set(re.findall(r"[A-Za-z_]\w*", ast.get_docstring(function) or ""))
    local = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    on_the_way = written & local - parameters - {"self", "a", "i", "s"}
    return Words(frozenset(parameters - {"self"} | on_the_way), frozenset(on_the_way))


def phrase(old: ast.AST, new: ast.AST, words: Words) -> tuple[int, str] | None:
    """How telling a change is, 0 the most, and what it does; None where nothing certain can be said."""
    change = smallest(old, new)
    for rank, rule in enumerate(RULES):
        if said := rule(change, words):
            return rank, said
    return None


def filled(template: str, words: Words, **nodes: Any) -> str | None:
    """A template with the parts it speaks of; None where one has no name."""
    needed = {name: words.of(node) for name, node in nodes.items() if f"{{{name}}}" in template}
    return None if None in needed.values() else template.format(**needed)


def of_what(node: Any, words: Words) -> str:
    found = words.of(node)
    return f" of {found}" if found and found != "a constant" else ""


def called(node: Any) -> str:
    return getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))


def receiver(call: ast.Call) -> ast.AST | None:
    """What a function is taken of: the object of a method, or the first argument."""
    owner = getattr(call.func, "value", None)
    library = owner is None or isinstance(owner, ast.Name) and owner.id in LIBRARY
    return next(iter(call.args), None) if library else owner


def function_swapped(change: Changed, words: Words) -> str | None:
    """`sum` for `mean`, `tanh` for `sigmoid`."""
    parents = [p for p in change.parents[-2:] if isinstance(p, ast.Call)]
    texts = isinstance(change.old, str) and isinstance(change.new, str)
    if not (texts and parents and isinstance(change.parents[-1], ast.Attribute)):
        return None
    call, old, new = parents[0], change.old, change.new
    if called(call) != old or new.endswith("_"):  # a changed input is told by itself
        return None
    what = of_what(receiver(call), words)
    if {old, new} <= {"sum", "mean"}:
        return f"a {new} stands where a {old} should{what and f', {what[1:]}'}"
    return f"{new}() is taken{what}, where another function should be"


def call_gone(change: Changed, words: Words) -> str | None:
    old, new = change.old, change.new
    if not isinstance(old, ast.Call) or not isinstance(new, ast.AST) or text(new) != text(receiver(old)):
        return None
    said = WITHOUT.get(called(old), f"{called(old)}() is left out")
    return said + of_what(new, words) if called(old) in ("sum", "mean") else said


def cut_off(change: Changed, words: Words) -> str | None:
    new = change.new
    if not (isinstance(new, ast.Call) and called(new) == "detach" and text(receiver(new)) == text(change.old)):
        return None
    return filled("{what} is cut off the graph, so that no gradient passes there", words, what=change.old)


def operand_gone(change: Changed, words: Words) -> str | None:
    old, new = change.old, change.new
    if not isinstance(old, ast.BinOp) or type(old.op) not in LEFT_OUT:
        return None
    if text(new) == text(old.left):
        return filled(LEFT_OUT[type(old.op)], words, right=old.right)
    if text(new) == text(old.right) and isinstance(old.op, ast.Add | ast.Mult):
        return filled(LEFT_OUT[type(old.op)], words, right=old.left)
    if text(new) == text(old.right) and isinstance(old.op, ast.Sub):
        return filled(
            "{left} is left out, and {right} is not taken away but stands alone", words, left=old.left, right=old.right
        )
    return None


def sign(change: Changed, words: Words) -> str | None:
    old, new = change.old, change.new
    if isinstance(old, ast.AST) and any(isinstance(node, ast.Compare) for node in ast.walk(old)):
        return None  # truth values have no sign
    for one, other in ((old, new), (new, old)):
        if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.USub) and text(one.operand) == text(other):
            return filled("the sign of {what} is the other way round", words, what=other)
    return None


def operator(change: Changed, words: Words) -> str | None:
    key = type(change.old), type(change.new)
    parent = change.parents[-1] if change.parents else None
    if key in OPERATORS and isinstance(parent, ast.BinOp):
        return filled(OPERATORS[key], words, left=parent.left, right=parent.right)
    if key in COMPARISONS:
        return COMPARISONS[key]
    negated = change.new.operand if isinstance(change.new, ast.UnaryOp) and isinstance(change.new.op, ast.Not) else None
    missing = change.old if isinstance(change.old, ast.Compare) and isinstance(change.old.ops[0], ast.Is) else None
    if negated and missing and text(negated) == text(missing.left):
        return filled("{what} of 0 is taken for one that is not given", words, what=negated)
    turned = isinstance(change.old, ast.cmpop) and isinstance(change.new, ast.cmpop)
    return "a condition is turned round" if turned or (negated and text(negated) == text(change.old)) else None


def exchanged(change: Changed, words: Words) -> str | None:
    """Two sides of an operation, two arguments, two parts of a tuple."""
    old, new = change.old, change.new
    sides = isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp) and type(old.op) in EXCHANGED
    if sides and (text(old.left), text(old.right)) == (text(new.right), text(new.left)):
        return filled(EXCHANGED[type(old.op)], words, left=old.left, right=old.right)
    if not (isinstance(old, list) and isinstance(new, list) and len(old) == len(new)):
        return None
    moved = [i for i in range(len(old)) if text(old[i]) != text(new[i])]
    if len(moved) == 2 and text(old[moved[0]]) == text(new[moved[1]]) and text(old[moved[1]]) == text(new[moved[0]]):
        if isinstance(old[moved[0]], ast.Constant):
            call = next((p for p in reversed(change.parents) if isinstance(p, ast.Call)), None)
            dims = called(call) in ("permute", "reshape")
            return f"two dimensions are exchanged in {called(call)}()" if dims else None
        return filled("{one} and {other} are exchanged", words, one=old[moved[0]], other=old[moved[1]])
    return None


def arguments_gone(change: Changed, words: Words) -> str | None:
    """A dimension, or an option, that is not given."""
    call = next((p for p in reversed(change.parents) if isinstance(p, ast.Call)), None)
    if call is None or not (isinstance(change.old, list) and isinstance(change.new, list)):
        return None
    left = [item for item in change.old if text(item) not in [text(n) for n in change.new]]
    if len(left) != 1 or len(change.new) != len(change.old) - 1:
        return None
    given, name = getattr(left[0], "arg", None), called(call)
    positional = given is None and isinstance(left[0], ast.Constant)
    if name in REDUCTIONS[:2] and (given == "dim" or positional):
        return f"a {name} goes over all dimensions at once{of_what(receiver(call), words)}"
    if name == "flatten" and positional:
        return "the batch is flattened with the rest"
    return f"{given} is not given to {name}()" if given in ("keepdim", "dim", "correction", "unbiased") else None


def constant(change: Changed, words: Words) -> str | None:
    old, new, parent = change.old, change.new, (change.parents or (None,))[-1]
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (old, new))
    outer = next((p for p in reversed(change.parents) if not isinstance(p, ast.Constant)), None)
    if not numbers or not isinstance(parent, ast.Constant):
        return None
    dim = isinstance(outer, ast.keyword) and outer.arg == "dim"
    if dim or isinstance(outer, ast.Call) and called(outer) in REDUCTIONS:
        call = next(p for p in reversed(change.parents) if isinstance(p, ast.Call))
        return f"the {called(call)} goes over dimension {new}" if called(call) in REDUCTIONS[:2] else None
    if not isinstance(outer, ast.BinOp):
        return None
    other = outer.right if outer.left is parent else outer.left
    near = words.of(other)
    where = f" beside {near}" if near and near != "a constant" else " of the formula"
    for factor, said in ((2, "twice"), (0.5, "half of")):
        if isinstance(old, float) and new == factor * old:
            return f"the constant{where} is {said} what it should be"
    if new == -old:
        return f"the constant{where} has the other sign"
    return f"the constant{where} is {abs(new - old):g} too {'large' if new > old else 'small'}"


def name(change: Changed, words: Words) -> str | None:
    """One argument in the place of another."""
    old, new = change.old, change.new
    place = change.parents[-1] if change.parents else None
    if isinstance(old, str) and isinstance(new, str) and isinstance(place, ast.Name) and new in words.names:
        known = old in words.names and new not in words.locals  # a value on the way has the right numbers by accident
        return f"`{new}` stands where `{old}` should" if known else None
    if isinstance(old, str) and isinstance(place, ast.Attribute) and isinstance(place.value, ast.Name):
        base = place.value.id
        if called_in(place, change.parents):
            return None
        return f"`{base}.{new}` stands where `{base}.{old}` should" if base in words.names else None
    return None


def called_in(place: ast.Attribute, parents: tuple[ast.AST, ...]) -> bool:
    """Is this attribute a method that is called?"""
    return any(isinstance(p, ast.Call) and p.func is place for p in parents)


def case(change: Changed, words: Words) -> str | None:
    if isinstance(change.old, ast.IfExp) and text(change.new) in (text(change.old.body), text(change.old.orelse)):
        return "one of two cases is treated like the other"
    if isinstance(change.old, ast.Subscript) and text(change.new) == text(change.old.value):
        return filled("all of {what} is used where a part of it should be", words, what=change.old.value)
    return None


def step_gone(change: Changed, words: Words) -> str | None:
    """A statement that is not there."""
    old, new = change.old, change.new
    if isinstance(old, ast.Expr) and isinstance(new, ast.Pass) and isinstance(old.value, ast.Call):
        return f"{called(old.value)}() is not called" + of_step(old.value, words)
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.Pass):
        return filled("{what} stays as it is in a step that should change it", words, what=old.target)
    return None


def of_step(call: ast.Call, words: Words) -> str:
    owner = getattr(call.func, "value", None)
    return f" on {words.of(owner)}" if isinstance(owner, ast.Name) and words.of(owner) else ""


CUT = {
    "clamp(min=0)": "{what} is cut off below 0", "clamp(0, 1)": "{what} is cut off outside [0, 1]",
    "clamp(max=1)": "{what} is cut off above 1", "clamp(-10, 10)": "{what} is cut off outside [-10, 10]",
    "round()": "{what} is rounded to whole numbers",
    "data": "{what} is cut off the graph, so that no gradient passes there",
}  # fmt: skip


def argument(change: Changed, words: Words) -> str | None:
    """An argument that is changed before anything else is done with it."""
    old, new = change.old, change.new
    added = isinstance(old, list) and isinstance(new, list) and len(new) == len(old) + 1 and text(new[1:]) == text(old)
    if not added or not isinstance(new[0], ast.Assign) or not isinstance(new[0].targets[0], ast.Name):
        return None
    name, value = new[0].targets[0].id, ast.unparse(new[0].value)
    if value in (f"max({name}, 1)", f"min({name}, 1)"):
        return f"`{name}` is taken for 1 where it is {'less' if value[:3] == 'max' else 'more'}"
    if value.startswith(f"{name} or "):
        return f"`{name}` of 0 is taken for one that is not given"
    if value.startswith(f"{name}[:1]"):
        return f"the first of all `{name}` is taken for every one"
    cut = CUT.get(value.removeprefix(f"{name}."))
    return cut and cut.format(what=f"`{name}`")


def forgotten(change: Changed, words: Words) -> str | None:
    """An optimiser without the memory of the steps before."""
    old, new = change.old, change.new
    added = isinstance(old, list) and isinstance(new, list) and len(new) == len(old) + 1
    cleared = [n for n in new if ast.unparse(n).endswith(".state.clear()")] if added else []
    return f"`{ast.unparse(cleared[0]).partition('.')[0]}` forgets the steps before" if cleared else None


RULES = (  # the most telling first
    *(function_swapped, arguments_gone, operand_gone, call_gone, sign, operator, exchanged, step_gone, case),
    *(constant, name, cut_off, argument, forgotten),
)
