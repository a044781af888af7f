"""What of a wrong answer is right all the same: never of one that has done nothing."""

import numpy as np
import pytest

from grading.content import known_answers
from grading.content.tasks import TASKS, module_of
from grading.judge.agreement import PROPERTIES, WHOLE, agreed, property_of
from grading.judge.verdicts import expected, judged
from starter.support import probes
from tests.course.judge.test_verdicts import LAB, SEEDS, Here, clock  # noqa: F401  (time passes for Here alone)

ALL = tuple(PROPERTIES)
HALVES = np.array([0.5, -1.5, 2.5], dtype=np.float32)
WANT = {
    "result": HALVES,
    "inputs kept": np.array([True]),
    "gradient at x": 2 * HALVES,
    "result (one example)": HALVES[:1],
    "gradient at x (one example)": HALVES[:1],
}


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, ALL),
        ({"inputs kept": np.array([False])}, ALL),
        ({"setting: the number of threads": np.array(True)}, ALL),
        ({"gradient at x": 3 * HALVES}, ("value", "shape", "corners")),
        ({"gradient at x": None}, ("value", "shape", "corners")),
        ({"result (one example)": 9 * HALVES[:1]}, ("value", "shape", "gradient")),
        ({"result (one example)": np.float32(0.5)}, ("value", "gradient")),  # its dimension is dropped
        ({"result": HALVES[:, None]}, ("value", "gradient", "corners")),
        ({"result": HALVES.astype(np.float64)}, ("value", "gradient", "corners")),
        ({"item 1": HALVES}, ("value", "gradient", "corners")),  # something more is returned
        ({"result": HALVES[::-1].copy()}, ()),
        ({"result": HALVES[:2]}, ()),
        ({"result": np.full(3, np.nan, np.float32)}, ()),
        ({"result": np.array("None")}, ()),
        ({"result": None}, ()),
        ({"result": np.zeros(3, np.float32)}, ()),  # all else is right
    ],
)
def test_nothing_is_right_without_the_values_and_the_rest_is_told_apart(change, right):
    got = {name: array for name, array in (WANT | change).items() if array is not None}
    assert agreed(got, WANT) == right


def test_whole_numbers_and_texts_are_right_or_wrong():
    want = {"codes": np.array([1000, 2000]), "grad of the generator": np.array("None")}
    assert agreed(want, want) == ("value", "shape")
    assert agreed(want | {"codes": np.array([1000.0, 2000.0])}, want) == ("value",)
    assert agreed(want | {"codes": np.array([1000, 2001])}, want) == ()
    assert agreed(want | {"grad of the generator": np.array("a Tensor")}, want) == ()


IDLE = {
    "nothing": "lambda *given, **named: None",
    "the first argument": "lambda *given, **named: [*given, *named.values()][0]",
    "the second": "lambda *given, **named: [*given, *named.values()][1]",
    "the third": "lambda *given, **named: [*given, *named.values()][2]",
    "zeros of the right shapes": "_filled({symbol}, 0)",
    "ones of the right shapes": "_filled({symbol}, 1)",
}
PUT = '''
import torch

def _filled(function, number):
    """The right shapes and types, and a graph; for whoever returns nothing that could be filled, nothing at all."""
    def fill(term):
        if isinstance(term, torch.Tensor):
            return torch.full_like(term, number) + (0 * term if term.dtype.is_floating_point else 0)
        if isinstance(term, (tuple, list)):
            return type(term)(*map(fill, term)) if hasattr(term, "_fields") else type(term)(map(fill, term))
        if isinstance(term, (int, float)):
            return type(term)(number)
        raise TypeError("not to be filled")
    return lambda *given, **named: fill(function(*given, **named))

{symbol} = {made}
'''


def of_idle(task: str, made: str) -> tuple[str, ...]:
    """The properties that an answer has which does no work, on each of two seeds."""
    symbol, name = TASKS[task]["symbol"], module_of(task)
    text = known_answers.solution(name).read_text(encoding="utf-8")
    module = known_answers.module(name, text + PUT.replace("{made}", made).replace("{symbol}", symbol))
    found = set(ALL)
    for seed in SEEDS:
        tables, want = expected(task, seed)
        try:
            found &= {*agreed(probes.arrays(task, module, seed, tables), want)}
        except Exception:  # it stops: nothing is compared then
            return ()
    return tuple(found)


@pytest.mark.parametrize("task", TASKS)
def test_constants_arguments_handed_back_and_nothing_at_all_have_no_property(task):
    """But for tasks whose value is an argument: these are all or nothing, and no others are."""
    found = {what: right for what, made in IDLE.items() if (right := of_idle(task, made))}
    assert bool(found) == (task in WHOLE), found
    assert any(property_of(name) == "value" for name in expected(task, SEEDS[0])[1])


RIGHT = "mu + torch.exp(0.5 * log_var) * eps"


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (f"return {RIGHT.replace('log_var)', 'log_var).detach()')}", ("value", "shape", "corners")),
        (f"return ({RIGHT}).squeeze(0)", ("value", "gradient")),
        (f"return ({RIGHT}).double()", ("value", "gradient")),
        (f"mu += {RIGHT} - mu\nreturn mu", ("value", "shape", "gradient", "corners")),
        ("return mu + log_var * eps", ()),
        ("return torch.zeros_like(mu)", ()),
        ('raise NotImplementedError("vae-1")', ()),
        ("return 1 / 0", ()),
        (f"globals()['n'] = globals().get('n', 0) + 1\nreturn {RIGHT} * (1 if n < 5 else 2)", ()),
        (f"return {RIGHT} if mu.shape[1] == {{latent}} else None", ()),
    ],
    ids="detached squeezed float64 in-place wrong constant blank crash remembers one-size".split(),
)
def test_a_verdict_says_what_is_right_on_every_seed(body, right):
    sizes = {seed: probes.sizes("vae-1", known_answers.reference("vae"), seed)["latent_dim"] for seed in range(9)}
    seeds = [0, next(seed for seed in sizes if sizes[seed] != sizes[0])]
    region = body.replace("{latent}", str(sizes[0]))
    module = known_answers.answer_text({"task": "vae-1", "id": "vae-1-partly", "region": region})
    found = judged(Here(), LAB, module.encode(), seeds, ["vae-1"])["vae-1"]
    assert found.state in ("wrong", "blank") and {*found.agreed} == {*right}


def test_a_right_answer_has_its_points_and_no_part_of_them(solution):
    assert judged(Here(), LAB, solution.encode(), SEEDS, ["vae-1"])["vae-1"].agreed == ()
