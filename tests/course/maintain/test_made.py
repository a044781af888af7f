"""Names for mistakes that nobody catalogued: true by construction, found again, and no solution in print."""

import ast
import re

import numpy as np
import pytest

from grading.content import known_answers, reference_text
from grading.content.tasks import TASKS, module_of
from grading.maintain import made, mutants, phrases
from starter.support import checks, compare, differences, mistakes

WORDS = phrases.Words(frozenset({"mu", "log_var", "x"}))
SAMPLED = 10  # every so many of the changes


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mu.sum(dim=1)", "mu.mean(dim=1)", "a mean stands where a sum should, of `mu`"),
        ("mu.sum(dim=1)", "mu.sum()", "a sum goes over all dimensions at once of `mu`"),
        ("mu.sum(dim=1)", "mu.sum(dim=0)", "the sum goes over dimension 0"),
        ("mu + log_var.exp()", "mu", "the part with `log_var` is left out"),
        ("mu + log_var.exp()", "mu - log_var.exp()", "the part with `log_var` is taken away instead of added"),
        ("mu - log_var", "log_var - mu", "the two sides of a difference are exchanged, `mu` and `log_var`"),
        ("mu + log_var.exp()", "mu + log_var", "exp() is left out"),
        ("0.5 * mu", "1.0 * mu", "the constant beside `mu` is twice what it should be"),
        ("mu * x", "log_var * x", "`log_var` stands where `mu` should"),
        ("mu * x", "mu.detach() * x", "`mu` is cut off the graph, so that no gradient passes there"),
        ("f(mu, x)", "f(x, mu)", "`mu` and `x` are exchanged"),
        ("mu >= x", "mu > x", "two numbers that are equal do not count"),
        ("optimizer.step()", "pass", "step() is not called"),
        ("f(mu)", "mu = mu.clamp(min=0)\nf(mu)", "`mu` is cut off below 0"),
        ("f(mu)", "mu = mu[:1].expand_as(mu)\nf(mu)", "the first of all `mu` is taken for every one"),
        ("f(mu)", "mu = min(mu, 1)\nf(mu)", "`mu` is taken for 1 where it is more"),
        ("f(mu)", "mu = mu or 2.0\nf(mu)", "`mu` of 0 is taken for one that is not given"),
        ("x.step()", "x.state.clear()\nx.step()", "`x` forgets the steps before"),
    ],
)
def test_a_change_is_said_in_words(old, new, said):
    assert phrases.phrase(ast.parse(old), ast.parse(new), WORDS)[1] == said


@pytest.mark.parametrize(
    ("old", "new"), [("secret + hidden", "secret - hidden"), ("(mu > x).any()", "-(mu > x).any()")]
)
def test_where_nothing_certain_can_be_said_nothing_is(old, new):
    """Names of the reference's own are unknown to a learner, and a truth value has no sign."""
    assert phrases.phrase(ast.parse(old), ast.parse(new), WORDS) is None


def seen(task: str, module) -> differences.Seen:
    tables = checks.fact(task)["tables"][str(checks.PUBLIC_SEED)]
    got = known_answers.probe_arrays(task, module, checks.PUBLIC_SEED, tables)
    return differences.Seen(got, compare.restored(checks.fact(task)["reference"]), checks.fact(task)["sizes"])


@pytest.mark.parametrize("task", ["vae-2", "vae-5", "nvp-2", "met-2", "gan-1"])
def test_a_change_of_the_reference_is_found_by_its_numbers(task):
    """With a sentence of its own, or that of another change which gives the same numbers."""
    catalogue, told = [entry["says"] for entry in checks.fact(task)["wrong"]], 0
    said = made.said(task)
    for change, region in [item for item in mutants.mutants(task).items() if item[0] in said][::SAMPLED]:
        text = known_answers.answer_text({"task": task, "id": change, "region": region})
        found = seen(task, known_answers.module(module_of(task), text))
        idle = "raises" in found.got or not mistakes.finite(found.got) or compare.same(found.got, found.want)
        if idle or checks.recognised(task, found.got):
            continue
        told += 1
        assert mistakes.made(task, found, None, catalogue), change
    assert told


def test_two_catalogued_mistakes_at_once_are_both_told():
    """Variance for sigma, and noise that is subtracted."""
    text = known_answers.answer_text({"task": "vae-1", "id": "two", "region": "return mu - torch.exp(log_var) * eps"})
    catalogue = [entry["says"] for entry in checks.fact("vae-1")["wrong"]]
    told = mistakes.made("vae-1", seen("vae-1", known_answers.module("vae", text)), None, catalogue)
    assert "two mistakes together" in told and "log sigma^2 is read as log sigma" in told and "subtracted" in told


def test_a_lone_number_that_other_inputs_contradict_is_not_named(monkeypatch):
    one = differences.Seen({"a": np.float64(2.0)}, {"a": np.float64(1.0)}, {})
    row = [mistakes.form(one.got), mistakes.numbers(one.got, one.want), [5.0, 5.0, 5.0], 0]
    monkeypatch.setattr(mistakes, "known", lambda: {"t": {"says": ["It is this."], "marks": [row]}})
    assert mistakes.made("t", one, None, []) == "It is this." and mistakes.made("t", one, one, []) is None


@pytest.fixture
def parts(monkeypatch):
    """Of a task with two outputs: what is right, and of each what one mistake gives."""
    z, log_det = np.arange(1.0, 7), np.array([3.0, 5.0, 4.0, 2.0])
    rows = {"z": [[mistakes.part(z[::-1]), None, 0]], "log_det": [[mistakes.part(log_det.cumsum()), None, [1]]]}
    table = {"says": [mistakes.WHEN + "`x` is left out."], "marks": [], "parts": rows}
    monkeypatch.setattr(mistakes, "known", lambda: {"t": table})
    return {"z": z, "log_det": log_det}


def parts_told(want: compare.Arrays, **got: np.ndarray) -> str | None:
    return mistakes.made("t", differences.Seen(want | got, want, {}), None, ["No.", "The sum runs."])


def test_of_two_mistakes_at_once_each_output_tells_its_own(parts):
    z, log_det = parts["z"][::-1], parts["log_det"].cumsum()
    left_out, runs = "`z` has the numbers you get when `x` is left out.", "`log_det` has the numbers of this mistake: "
    assert parts_told(parts, z=z, log_det=log_det) == f"{left_out} {runs}The sum runs."
    assert parts_told(parts, z=z, log_det=log_det + 1) == left_out
    again = mistakes.known()["t"]["parts"]
    again["log_det"][0][2] = 0
    assert parts_told(parts, z=z, log_det=log_det) == left_out


def test_a_factor_is_told_beside_the_mistake_only_where_it_cannot_be_chance(parts):
    told = parts_told(parts, z=-3 * parts["z"][::-1])
    assert told == "`z` has -3 times the numbers you get when `x` is left out."
    assert parts_told(parts, z=parts["z"][::-1][:2]) is None and parts_told(parts, z=0 * parts["z"]) is None


@pytest.mark.parametrize("task", TASKS)
def test_a_sentence_shows_no_part_of_the_solution(task):
    parts = {part for part in reference_text.expressions(task) if len(part) > 8}
    for text in mistakes.known()[task]["says"]:
        plain = "".join(re.sub(r"`[\w.]+`", "", text).split())
        assert not any(part in plain for part in parts), text


def test_every_table_was_made_from_the_sources_as_they_are():
    assert made.stale() == []
