"""Slips of thought: each is found in a formula, and what it does is said truly."""

import ast

import pytest

from grading.content import reference_text
from grading.content.reference_text import Parameter
from grading.content.tasks import TASKS
from grading.maintain import made, phrases, slips

WORDS = phrases.Words(frozenset({"mu", "x", "t", "beta", "step"}))
FLOAT, INT = Parameter("float", "0.5", "weight"), Parameter("int", "", "number of the step")
IMAGES = Parameter("Tensor", "", "images in [0, 1], shape (B, C, H, W)")


def found(text: str, **known: Parameter) -> dict[str, tuple[bool, str]]:
    """Text with a slip -> whether it is an everyday one, and what it does."""
    tree = ast.parse(text)
    slipped = {ast.unparse(tree): slip for slip in slips.slips(tree, known, WORDS)}
    assert ast.unparse(tree) == text, "each change is undone"
    return slipped


@pytest.mark.parametrize(
    ("text", "new", "said"),
    [
        ("mu.square().sum()", "mu.sum().square()", "sum() comes before square(), where it should come after it"),
        ("torch.log(mu).mean()", "torch.log(mu.mean())", "mean() comes before log(), where it should come after it"),
        ("(x - mu) / t", "x - mu / t", "a division holds for `mu` alone, not for all of a difference"),
        ("x * t + mu", "(x + mu) * t", "an addition comes before a factor, where it should come after it"),
        ("x + mu / t", "(x + mu) / t", "a division holds for all of a sum, where it should for one part"),
        ("x / (t * mu)", "x / t * mu", "a division holds for the first part alone of a product"),
        ("-(x - mu)", "-x - mu", "a minus holds for the first part alone of what it should"),
        ("mu.log() + t", "(mu + t).log()", "log() is taken of `t` as well"),
        ("(x + t).sum()", "x.sum() + t", "sum() is taken without `t`, which comes after it"),
        ("max(x, t)", "min(x, t)", "the smaller of two numbers is taken where the other should be"),
        ("x.any()", "x.all()", "all() stands where any() should"),
        ("x.sigmoid()", "x.clamp(0, 1)", "the value is cut off outside [0, 1] where a sigmoid should be"),
        ("mu.T @ x @ mu", "mu @ x @ mu.T", "the transposed matrix stands on the other side of the product"),
        ("mu @ x", "mu.T @ x", "a matrix is transposed where it should not be"),
        ("x / t", "x / (t + 0.01)", "0.01 is added to a divisor"),
        ("mu.log()", "(mu + 0.001).log()", "0.001 is added inside log()"),
        ("x - mu", "(x - mu).abs()", "the size of a difference is taken, without its sign"),
        ("return x + mu", "return (x + mu).clamp(min=0)", "the result is cut off below 0"),
        ("t = x + mu", "t = (x + mu).clamp(0, 1)", "`t` is cut off outside [0, 1]"),
        ("zero_grad()\nbackward()", "backward()\nzero_grad()", "backward() comes before zero_grad()"),
    ],
)
def test_a_slip_is_found_and_said_in_words(text, new, said):
    assert found(text)[new][1] == said


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("beta = int(beta)\nbeta * step", "`beta` is cut to a whole number"),
        ("beta = 0.5\nbeta * step", "`beta` is not used, but always 0.5"),
        ("beta ** 2 * step", "`beta` is squared where it should not be"),
        ("beta ** 0.5 * step", "the square root of `beta` is taken where itself should stand"),
        ("beta * (step + 1)", "`step` is taken 1 too large"),
    ],
)
def test_an_argument_is_taken_for_another_number(new, said):
    assert found("beta * step", beta=FLOAT, step=INT)[new][1] == said


def test_an_argument_that_stands_in_two_places_is_another_number_in_one():
    assert found("step % n - n", step=INT, n=INT)["step % (n + 1) - n"][1] == "`n` is taken 1 too large in one place"


def test_of_images_only_a_part_counts():
    says = [said for _, said in found("x.sum()", x=IMAGES).values()]
    assert "only the first channel of an image counts" in says and "the mean of all `x` is taken for every one" in says


def test_a_bracket_that_changes_nothing_is_no_slip():
    assert not found("x + (mu + t)") and not found("x * mu * t")


@pytest.mark.parametrize("task", TASKS)
def test_all_changes_of_right_answers_have_words_that_show_no_code(task):
    expressions = {part for part in reference_text.expressions(task) if len(part) > 8}
    for change in made.slipped(task, ast.unparse(reference_text.parsed(task)[0])):
        assert not any(part in "".join(change.said.split()) for part in expressions), change.said
