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
MEAN_OVER_PIXELS = """
each = 0.5 * ((x - x_hat) / log_sigma.exp()) ** 2 + log_sigma + 0.5 * math.log(2 * math.pi)
return each.flatten(1).mean(dim=1)
"""
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
        ("x if mu is None else mu", "x if not mu else mu", "`mu` of 0 is taken for one that is not given"),
        ("x if mu else 0", "x if not mu else 0", "a condition is turned round"),
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


def elsewhere(task: str, module) -> differences.Seen | None:
    """On other inputs, as check() asks where the first give few numbers."""
    known = checks.fact(task)
    got = known_answers.probe_arrays(task, module, checks.AUTOTEST_SEED, known["tables"][str(checks.AUTOTEST_SEED)])
    want = compare.restored(known["elsewhere"]["reference"])
    return None if "raises" in got else differences.Seen(got, want, known["elsewhere"]["sizes"])


@pytest.mark.parametrize("task", ["vae-2", "vae-5", "nvp-2", "met-2", "gan-1"])
def test_a_change_of_the_reference_is_found_by_its_numbers(task):
    """With a sentence of its own, or that of another change which gives the same numbers."""
    catalogue, told = [entry["says"] for entry in checks.fact(task)["wrong"]], 0
    said = made.said(task)
    for change, region in [item for item in mutants.mutants(task).items() if item[0] in said][::SAMPLED]:
        text = known_answers.answer_text({"task": task, "id": change, "region": region})
        module = known_answers.module(module_of(task), text)
        found = seen(task, module)
        idle = "raises" in found.got or not mistakes.finite(found.got) or compare.same(found.got, found.want)
        if idle or checks.recognised(task, found.got):
            continue
        told += 1
        assert mistakes.made(task, found, elsewhere(task, module), catalogue), change
    assert told


def test_no_sentence_misses_a_call_that_only_another_right_answer_has():
    assert not made.is_known("ae-5", "maximum() is left out") and made.is_known("ae-5", "clamp() is left out")
    assert made.is_known("flow-1", "logsumexp() is taken of `w`, where another function should be")  # hers, maybe
    reference = {task: {change.said for change in made.said(task).values()} for task in TASKS}
    for task, table in mistakes.known().items():
        missed = [text for text in table["says"] if re.search(r"\) is (left out|not called)", text)]
        assert [text for text in missed if text not in reference[task] and not made.is_known(task, text)] == []


def test_two_catalogued_mistakes_at_once_are_both_told():
    """Variance for sigma, and noise that is subtracted."""
    text = known_answers.answer_text({"task": "vae-1", "id": "two", "region": "return mu - torch.exp(log_var) * eps"})
    catalogue = [entry["says"] for entry in checks.fact("vae-1")["wrong"]]
    told = mistakes.made("vae-1", seen("vae-1", known_answers.module("vae", text)), None, catalogue)
    assert "two mistakes together" in told and "log sigma^2 is read as log sigma" in told and "subtracted" in told


LEAST_SQUARES = """real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
return 0.5 * torch.mean((real - b) ** 2) + torch.mean((fake - a) ** 2)
"""
CRITIC_STEP = """fake = generator(z).detach()
loss = critic_loss(critic(real), critic(fake))
slope = penalty(critic, real)
optimizer.zero_grad()
(loss + 10 * slope).backward()
optimizer.step()
return CriticTerms(-loss.detach(), slope.detach())
"""


@pytest.mark.parametrize(
    ("task", "region", "said"),
    [
        ("vae-1", "return torch.exp(-0.5 * log_var) * eps", ("the exponent has the other sign", "`mu` is left out")),
        (
            "vae-1",
            "return eps + log_var.exp() * mu",
            ("log sigma^2 is read as log sigma", "`mu` and `eps` are exchanged"),
        ),
        (
            "wgan-2",
            "return -fake_scores.sigmoid().sum()",
            ("pass through a sigmoid", "a sum stands where a mean should"),
        ),
        (
            "ls-1",
            LEAST_SQUARES,
            ("taken of probabilities", "a constant is left out"),
        ),  # the first is no change of a line
        ("wgan-6", CRITIC_STEP, ("fixed at 10", "in real images only")),  # its second step can still be asked
    ],
)
def test_a_change_beside_a_catalogued_mistake_is_told_with_it(task, region, said):
    text = known_answers.answer_text({"task": task, "id": "two", "region": region})
    catalogue = [entry["says"] for entry in checks.fact(task)["wrong"]]
    told = mistakes.made(task, seen(task, known_answers.module(module_of(task), text)), None, catalogue)
    assert told.startswith("These are the numbers of two mistakes together. One: ") and all(one in told for one in said)


def test_a_second_mistake_has_its_own_words_where_it_is_another_one_than_in_the_reference():
    """In nvp-6 one minus stands before the whole density; where the constant is counted once, before a square."""
    log_prob = "0.5 * z.square().flatten(1).sum(dim=1) - 0.5 * math.log(2 * math.pi)"
    region = f"kept, z = h.chunk(2, dim=1)\nreturn Split(kept, z, {log_prob})"
    text = known_answers.answer_text({"task": "nvp-6", "id": "two", "region": region})
    catalogue = [entry["says"] for entry in checks.fact("nvp-6")["wrong"]]
    told = mistakes.made("nvp-6", seen("nvp-6", known_answers.module("realnvp", text)), None, catalogue)
    assert "counted once per image" in told and "-log N" not in told


def test_values_that_are_those_of_a_mistake_are_told_where_a_gradient_is_gone():
    text = known_answers.answer_text(
        {"task": "vae-4", "id": "two", "region": "log_sigma = log_sigma.detach()\n" + MEAN_OVER_PIXELS}
    )
    catalogue = [entry["says"] for entry in checks.fact("vae-4")["wrong"]]
    told = mistakes.made("vae-4", seen("vae-4", known_answers.module("vae", text)), None, catalogue)
    assert told.startswith("What comes back has the numbers of this mistake: Averaged over pixels")


def row(numbers: np.ndarray, which: tuple[int, int], place: int = 0, there: float = np.nan) -> tuple:
    return place, which, tuple(numbers), there


def table(seen: differences.Seen, *rows: tuple, **parts: list[tuple]) -> dict:
    """Of a task with one catalogued answer."""
    found = {name: mistakes.packed(of_one) for name, of_one in parts.items()}
    forms = {"forms": [mistakes.form(seen.got)], "spoils": [0b01, 0b10, 0b11]}
    return {
        "says": ["`x` is left out", "`y` is twice there"],
        "rows": mistakes.packed(list(rows)),
        "parts": found,
        **forms,
    }


def test_a_lone_number_is_named_only_where_other_inputs_agree(monkeypatch):
    one = differences.Seen({"a": np.float64(2.0)}, {"a": np.float64(1.0)}, {})
    here = mistakes.numbers(one.got, one.want)
    monkeypatch.setattr(mistakes, "known", lambda: {"t": table(one, row(here, (1, -1), there=here[0]))})
    assert mistakes.made("t", one, one, ["No."]) == "These are the numbers you get when `x` is left out."
    other = differences.Seen({"a": np.float64(3.0)}, {"a": np.float64(1.0)}, {})
    assert mistakes.made("t", one, None, ["No."]) is None and mistakes.made("t", one, other, ["No."]) is None


def test_two_changes_at_once_are_both_told(monkeypatch):
    one = differences.Seen({"a": np.arange(4.0)}, {"a": np.ones(4)}, {})
    both = row(mistakes.numbers(one.got, one.want), (0, 2))
    monkeypatch.setattr(mistakes, "known", lambda: {"t": table(one, both)})
    told = mistakes.made("t", one, None, ["The sign is wrong."])
    assert "One: The sign is wrong." in told and told.endswith("you get when `y` is twice there.")


def test_two_changes_of_two_numbers_are_told_only_where_other_inputs_agree(monkeypatch):
    one = differences.Seen({"a": np.arange(3.0)}, {"a": np.ones(3)}, {})
    here = mistakes.numbers(one.got, one.want)
    monkeypatch.setattr(mistakes, "known", lambda: {"t": table(one, row(here, (0, 2), there=here[0]))})
    assert "two mistakes" in mistakes.made("t", one, one, ["No."]) and mistakes.made("t", one, None, ["No."]) is None


Z, LOG_DET = np.arange(1.0, 7), np.array([3.0, 5.0, 4.0, 2.0])


@pytest.fixture
def parts(monkeypatch):
    """Of a task with two outputs: what is right, and of each what one mistake gives; the one of z spoils z alone."""
    want = {"z": Z, "log_det": LOG_DET}
    rows = {
        "z": [row(mistakes.part(Z[::-1]), (1, -1), 0)],
        "log_det": [row(mistakes.part(LOG_DET.cumsum()), (0, -1), 1)],
    }
    found = table(differences.Seen(want, want, {}), **rows)
    monkeypatch.setattr(mistakes, "known", lambda: {"t": found})
    return found


def parts_told(**got: np.ndarray) -> str | None:
    want = {"z": Z, "log_det": LOG_DET}
    return mistakes.made("t", differences.Seen(want | got, want, {}), None, ["The sum runs."])


def test_of_two_mistakes_at_once_each_output_tells_its_own(parts):
    z, log_det = Z[::-1], LOG_DET.cumsum()
    left_out = "`z` has the numbers you get when `x` is left out."
    runs = "`log_det` has the numbers that this mistake gives: "
    assert parts_told(z=z, log_det=log_det) == f"{left_out} {runs}The sum runs."
    assert parts_told(z=z, log_det=log_det + 1) == left_out
    assert parts_told(z=z, log_det=log_det * np.inf) == left_out, "what is infinite hides nothing"
    parts["parts"]["log_det"] = mistakes.packed([row(mistakes.part(log_det), (1, -1), 1)])
    assert parts_told(z=z, log_det=log_det) == left_out, "what is said of one output is not said of another"


def test_a_mistake_that_would_spoil_what_is_right_is_not_told(parts):
    parts["spoils"] = [0b11, 0b10]
    assert parts_told(z=Z[::-1]) is None
    assert parts_told(z=Z[::-1], log_det=LOG_DET + 1)


def test_a_factor_is_told_beside_the_mistake_only_where_it_cannot_be_chance(parts):
    assert parts_told(z=-3 * Z[::-1]) == "`z` has -3 times the numbers you get when `x` is left out."
    assert parts_told(z=Z[::-1][:2]) is None and parts_told(z=0 * Z) is None


@pytest.mark.parametrize("task", TASKS)
def test_a_sentence_shows_no_part_of_the_solution(task):
    parts = {part for part in reference_text.expressions(task) if len(part) > 8}
    for text in mistakes.known()[task]["says"]:
        plain = "".join(re.sub(r"`[\w.]+`", "", text).split())
        assert not any(part in plain for part in parts), text


def test_every_table_was_made_from_the_sources_as_they_are():
    assert made.stale() == []
