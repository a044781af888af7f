"""What is said of arrays that no catalogue knows: every sentence must be true of the numbers that it is about."""

import os
import re

import numpy as np
import pytest

from grading.content import known_answers
from grading.content.tasks import TASKS, module_of
from grading.maintain import mutants
from starter.support import checks, compare
from starter.support.differences import Seen, explain, firsts, stripes

WANT = np.float32([[0.0, 0.5, 1.0], [0.0, 0.25, 2.0]])
SAMPLED = int(os.environ.get("SAMPLED", 25))  # every so many of the changes of a reference; 1: all, for minutes
SEEDS = (checks.PUBLIC_SEED, checks.AUTOTEST_SEED)


def told(got, want=WANT, sizes=None, other=None) -> str:
    got, want = (np.asarray(a, dtype=np.float32) for a in (got, want))
    seen = Seen({"a": got}, {"a": want}, sizes or {})
    others = other and Seen({"a": np.float32(other[0])}, {"a": np.float32(other[1])}, other[2])
    return explain(seen, others)


def test_a_factor_must_hold_where_0_is_expected_too():
    """A clip that is missing below 0, or a mask that is not turned: no factor, least of all 1 or 0."""
    assert "times" not in told(WANT - (WANT == 0) * 0.3) and "all zero" not in told(1.0 * (WANT == 0))
    assert told(0 * WANT) == "`a` is 0 everywhere." and "2 times" in told(2 * WANT)


def test_zero_and_one_exchanged_are_called_that():
    mask = np.float32([[0, 1], [1, 0]])
    assert told(1 - mask, mask) == "`a` has 0 and 1 exchanged, everywhere."


def test_an_offset_is_no_factor_near_1():
    want = np.float32([100, 101, 102.5])
    assert told(want + 1, want).startswith("`a` is off by the constant +1")
    assert told(1.01 * want, want) == "`a` is 1.01 times what it should be."


def test_a_wrong_order_is_said_of_numbers_that_differ_and_not_of_a_few_sizes_that_recur():
    assert "the right numbers in the wrong order" in told(WANT[:, [1, 2, 0]])
    few = np.array([3.0, 1.0, 2.0, 4.0] * 3)
    assert "wrong order" not in told(few[[1, 0, *range(2, 12)]], few)


def test_a_lone_number_near_1_over_b_is_not_explained_by_it():
    lone = told(0.25, 1.0, {"B": 4})
    assert lone == "`a` is 0.25, expected 1; sizes here: B = 4."
    assert told(0.25, 1.0, {"B": 4}, (0.3, 1.0, {"B": 5})) == lone


def test_a_lone_number_is_explained_where_other_inputs_agree():
    assert "(1/B = 1/4, as a mean" in told(0.25, 1.0, {"B": 4, "K": 7}, (0.4, 2.0, {"B": 5, "K": 6}))
    assert told(0.25, 0.5, {}, (4.0, 2.0, {})) == "`a` is the square of what it should be."
    assert "(the sign is flipped, and a factor 1/2 too many)" in told(0.18, -0.36, {"B": 5}, (0.3, -0.6, {"B": 4}))


def test_a_size_is_named_only_where_no_other_one_fits():
    sizes = {"B": 6, "H": 3, "W": 2}
    assert told(WANT / 6, sizes=sizes) == "`a` is 0.1667 times what it should be."
    assert "(1/(H * W) = 1/6" in told(WANT / 6, WANT, sizes, (WANT / 8, WANT, {"B": 5, "H": 4, "W": 2}))


def test_a_number_that_may_be_written_down_is_named_only_where_other_sizes_give_another():
    """An answer that multiplies by a literal 7 is not told that it sums over 7 latents."""
    seven, size = "`a` is 7 times what it should be", "(latent_dim = 7, as a sum"
    assert told(7 * WANT, sizes={"latent_dim": 7}) == f"{seven}."
    assert told(7 * WANT, WANT, {"latent_dim": 7}, (7 * WANT, WANT, {"latent_dim": 7})) == f"{seven}."
    assert told(7 * WANT, WANT, {"latent_dim": 7}, (7 * WANT, WANT, {"latent_dim": 5})) == f"{seven}."
    assert size in told(7 * WANT, WANT, {"latent_dim": 7}, (5 * WANT, WANT, {"latent_dim": 5}))
    assert "(B * C = 14" in told(14 * WANT, sizes={"B": 7, "C": 2})


def test_a_factor_of_2_is_called_a_half_only_where_it_is_no_ratio_of_two_sizes():
    half, sizes = "(a factor 1/2 is missing)", {"B": 6, "C": 3}
    assert half in told(2 * WANT, sizes={"B": 5, "C": 3})
    assert told(2 * WANT, sizes=sizes) == "`a` is 2 times what it should be."
    other = (1.25 * WANT, WANT, {"B": 5, "C": 4})
    assert "(B/C = 6/3, as a mean over C, not over B, gives)" in told(2 * WANT, WANT, sizes, other)
    assert half in told(2 * WANT, WANT, sizes, (2 * WANT, WANT, {"B": 5, "C": 4}))


def test_of_large_arrays_the_first_numbers_tell_what_a_factor_is_called():
    """Only these are stored of other inputs."""
    want = np.linspace(1, 2, 20, dtype=np.float32)
    here = Seen({"a": want / 4}, {"a": want}, {"B": 4})
    there = Seen({"a": want / 5}, {}, {"B": 5}, firsts({"a": want}))
    assert "(1/B = 1/4, as a mean" in explain(here, there)
    assert explain(here, there._replace(got={"a": want / 4})) == "`a` is 0.25 times what it should be."
    assert firsts({"a": want[:8], "b": want > 1}) == {} and len(firsts({"a": want})["a"]) == 3


def test_constants_of_a_formula_are_named_with_products_of_sizes():
    sizes = {"C": 3, "H": 4, "W": 5, "levels": 11}
    assert "(C * H * W * log levels)" in told(WANT + 60 * np.log(11), sizes=sizes)
    assert "(-2 log K)" in told(WANT - 2 * np.log(7), sizes={"K": 7})


def test_truth_values_are_yes_and_no():
    want = np.array([True, True])
    said = explain(Seen({"a": ~want[:1].reshape(())}, {"a": want[:1].reshape(())}, {}))
    assert said == "`a` is no, and must be yes."
    assert explain(Seen({"a": np.array([True, False])}, {"a": want}, {})) == "`a` is (yes, no), and must be (yes, yes)."


def test_places_and_limits_of_wrong_numbers_are_told():
    want = np.float32([[1.0, 2, 3], [4, 5, 6]])
    assert "is right but at 2 of dimension 1; the first, at (0, 2)," in told(
        want + np.float32([0, 0, 1.5]) * [[1.0], [2]], want
    )
    assert "and all others are 9;" in told(np.where(want > 4, np.float32(9), want), want)
    assert told(want.clip(max=4), want) == "`a` is cut off above 4."


def test_where_more_is_wrong_a_cut_is_told_all_the_same():
    want = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    other = want[::-1] + 0.3 * want
    assert "0 of 30 numbers are right; " in told(other, want)
    assert "0 of 30 numbers are right, and none is below -1 or above 1 (is something cut off?); " in told(
        other.clip(-1, 1), want
    )
    assert ", and none is below 0 (" in told(other.clip(min=0), want)
    assert "cut off" not in told(np.tanh(other), want) + told(np.round(want.clip(-9, 9)) + 9, want)


def test_where_only_some_cases_are_wrong_they_are_named_with_what_to_look_for():
    one = np.float32([2.0])
    want = {
        "result": WANT,
        "result (one example)": one,
        "result (extreme x)": one,
        "result (one example, extreme x)": one,
    }
    said = explain(Seen(want | {"result (one example)": one + 1}, want, {"B": 3}))
    assert said == (
        "Wrong only for: one example. `result` is 3, expected 2. "
        "Is a dimension of length 1 dropped, or a size written down?"
    )
    both = {"result (one example, extreme x)": one + 1, "result (extreme x)": one + 2}
    assert explain(Seen(want | both, want, {})).startswith(
        "Wrong only for: extreme x; one example, extreme x. `result` is"
    )
    assert "only" not in explain(Seen(want | both | {"result": WANT + [[1, 0, 0]]}, want, {}))


@pytest.mark.parametrize(
    ("got", "want", "said"),
    [
        ((), (6,), "B = 6 is gone: is a sum or a mean taken over too much?"),
        ((6,), (), "B = 6 is too much: is a sum or a mean missing?"),
        ((6, 2), (6,), "C = 2 is too much: is a sum or a mean missing?"),
        ((2,), (6, 2, 4), "B = 6 and H = 4 are gone: is a sum or a mean taken over too much?"),
        ((6, 9), (6,), "a dimension of length 9 is too much: is a sum or a mean missing?"),
        ((6, 1), (6,), "they differ in dimensions of length 1: look at keepdim, squeeze and unsqueeze."),
        ((6, 4, 2), (6, 2, 4), "the same dimensions in another order."),
        ((48,), (6, 2, 4), "as many numbers, in another form."),
    ],
)
def test_two_shapes_tell_what_is_gone_and_what_is_too_much(got, want, said):
    sizes = {"B": 6, "C": 2, "H": 4}
    assert told(np.ones(got), np.ones(want), sizes) == f"`a` has shape {got}, expected {want}: {said}"


def test_shapes_that_tell_nothing_come_with_the_sizes():
    words = "`a` has shape (6, 3), expected (5, 4); sizes here: N = 6, D = 5."
    assert told(np.ones((6, 3)), np.ones((5, 4)), {"N": 6, "D": 5}) == words


def test_a_case_of_two_conditions_asks_about_the_form_only_where_the_form_is_wrong():
    name = "a (one example, a step back)"
    for got, hint in ((np.ones((1, 2)), False), (np.ones(2), True)):
        told = explain(Seen({"a": np.ones(3), name: got}, {"a": np.ones(3), name: np.zeros((1, 2))}, {}))
        assert told.startswith("Wrong only for: one example, a step back.") and ("length 1" in told) == hint


SPREAD = np.array([-3.0, -2.0, -0.5, 0.25, 0.75, 2.0, 3.0])


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (SPREAD.clip(-1, 1), "is cut off below -1 and above 1."),
        (SPREAD.clip(-2.5, 9), None),  # one number alone may be off by anything
        (SPREAD.clip(-1.5, 9), "is cut off below -1.5."),
        (SPREAD.clip(-9, 2.5), None),
        (SPREAD[1:].clip(-9, 1), "is cut off above 1."),
        (1 - SPREAD, "is 1 minus what it should be."),
    ],
)
def test_numbers_that_are_cut_off_are_told_with_the_ends(got, said):
    text = explain(Seen({"a": got}, {"a": SPREAD[-len(got) :]}, {}))
    assert text == f"`a` {said}" if said else "cut off" not in text


def test_an_option_that_is_not_used_gives_the_numbers_of_another_case():
    want = {"a (bce)": np.array(2.5), "a (mse)": np.array(4.0)}
    told = explain(Seen(want | {"a (mse)": want["a (bce)"]}, want, {}))
    assert told == "Wrong only for: mse. `a` has the numbers that `a (bce)` should have."


def test_the_first_example_alone_is_right():
    want = np.arange(12.0).reshape(4, 3)
    told = explain(Seen({"a": want * np.array([[1], [2], [3], [5]]) + np.array([[0], [1], [1], [1]])}, {"a": want}, {}))
    assert told.endswith("Is one used for all?")


def test_numbers_of_another_output_are_told():
    one, other = np.float32(1.5), np.float32(2.5)
    seen = Seen({"loss": one, "kl": one}, {"loss": one, "kl": other}, {})
    assert explain(seen) == "`kl` has the numbers that `loss` should have. (`loss`: right.)"


def test_what_is_right_by_chance_and_not_quite_is_not_called_right():
    right, wrong = np.float32(2), np.float32(3.3)
    seen = Seen({"loss": wrong, "kl": right * np.float32(1.0005)}, {"loss": right, "kl": right}, {})
    assert "right" not in explain(seen)
    assert "(`kl`: right.)" in explain(seen._replace(got={"loss": wrong, "kl": right * np.float32(1.00005)}))


def right_ones(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    if want.dtype.kind != "f":
        return got == want
    room = 1e-3 * max(np.abs(want[np.isfinite(want)]).max(initial=0), 1e-3)
    return np.isclose(got, want, rtol=0, atol=room, equal_nan=True)


def claims(text: str, got: compare.Arrays, want: compare.Arrays) -> list[bool]:
    """Every statement of a sentence that can be computed, computed with nothing of the code that made it."""
    (cases, text), (text, _, rest) = cased(text), cased(text)[1].partition(" (`")
    found = [bool(right_ones(got[word], want[word]).all()) for word in re.findall(r"`([^`]+)`", "`" + rest)]
    if missing := re.match(r"No gradient reaches (.+?):", text):
        names = [f"gradient at {missing[1]}{f' ({case})' if case else ''}" for case in cases or [""]]
        return [*found, all(name not in got for name in names) and any(name in want for name in names)]
    if cases:
        wrong = [name for name in want if name not in got or not right_ones_of(got[name], want[name])]
        found.append({name.partition(" (")[2].replace(") (", ", ")[:-1] for name in wrong} == set(cases))
    name = re.match(r"`(.+?)`", text)
    meant = [n for n in want if cases and name and n.startswith(f"{name[1]} (") and cases[0] in n]
    full = min(meant, key=len, default=name and name[1])  # a longer one has another condition, too
    return found + claimed(text, got[full], want[full], want) if name and full in got else found


def cased(text: str) -> tuple[list[str], str]:
    """The cases that are said to be all that is wrong, and the rest of a message."""
    said = re.fullmatch(r"Wrong only for: (.+?)(?<! )\. (.*)", text, re.DOTALL)
    return (said[1].split("; "), said[2]) if said else ([], text)


def right_ones_of(got: np.ndarray, want: np.ndarray) -> bool:
    return got.shape == want.shape and got.dtype == want.dtype and bool(right_ones(got, want).all())


def claimed(text: str, a: np.ndarray, b: np.ndarray, want: compare.Arrays) -> list[bool]:
    """About one array."""
    found = []
    if value := re.search(r"is (\S+) times what it should be", text):
        found.append(np.allclose(a, float(value[1]) * b, rtol=2e-3, atol=3e-5 * np.abs(a).max()))
    if value := re.search(r"off by the constant ([-+]\d+(?:\.\d+)?(?:e[-+]\d+)?)", text):
        found.append(np.allclose(a - b, float(value[1]), rtol=2e-3, atol=3e-5 * np.abs(b).max()))
    for side, end in re.findall(r"(below|above) (-?\d+\.?\d*)", text.partition("is cut off")[2].partition(". ")[0]):
        kept = b >= float(end) if side == "below" else b <= float(end)
        cut = np.broadcast_to(np.isclose(a, float(end), rtol=1e-3), a.shape)
        found += [bool(cut[~kept].all()), bool((~kept).any())]
    if "Is one used for all?" in text:
        found += [right_ones(a, b)[0].all(), not any(row.all() for row in right_ones(a, b)[1:])]
    if value := re.search(r"is 1 (minus|over) what it should be", text):
        found.append(np.allclose(a, 1 - b if value[1] == "minus" else 1 / b, rtol=2e-3, atol=1e-4))
    if "is 0 everywhere" in text or "is 0, and should not be" in text:
        found.append(not a.any())
    if value := re.search(r"has shape (\(.*?\)), expected (\(.*?\))[.;:]", text):
        found.append(value.groups() == (str(a.shape), str(b.shape)))
    if value := re.search(r": (\d+) of (\d+) (?:numbers|values) are right", text):
        found += [int(value[2]) == b.size, int(value[1]) == right_ones(a, b).sum()]
    if value := re.search(r"is right but at ([\d, to]+) of dimension (\d);", text):
        runs = [[int(n) for n in run.split(" to ")] for run in value[1].split(", ")]
        wrong = {n for run in runs for n in range(run[0], run[-1] + 1)}
        found.append(wrong == set(np.argwhere(~right_ones(a, b))[:, int(value[2])]))
    if value := re.search(r"is ([-+.e\d]+), expected ([-+.e\d]+)[;.]", text) if b.size == 1 else None:
        found += [np.isclose(a, float(value[1]), rtol=1e-4), np.isclose(b, float(value[2]), rtol=1e-4)]
    if value := re.search(r"all others are ([-+.e\d]+);", text):
        found.append(np.allclose(a[~right_ones(a, b)], float(value[1]), rtol=1e-3))
    for word, value in re.findall(r"(?:none is|or) (above|below) ([-+.e\d]+)", text):
        sign = 1 if word == "above" else -1
        found.append((sign * a).max() <= sign * float(value) + 1e-4 * abs(float(value)) < (sign * b).max())
    if value := re.search(r"has the numbers that `(.+?)` should have", text):
        found.append(np.allclose(a, want[value[1]], rtol=1e-3))
    if "wrong order" in text or "backwards" in text:
        found.append(np.allclose(np.sort(a, axis=None), np.sort(b, axis=None), rtol=1e-3, atol=1e-4))
    return found


def wrong_answers(task: str, every: int):
    """What catalogued answers and some changes of the reference give on the public seed, and on the other one."""
    tables = [checks.fact(task)["tables"][str(seed)] for seed in SEEDS]

    def asked(module) -> list[compare.Arrays]:
        return [known_answers.probe_arrays(task, module, seed, known) for seed, known in zip(SEEDS, tables)]

    for i, entry in enumerate(known_answers.answers("wrong")[task]):
        yield entry["id"], *asked(known_answers.variant("wrong", task, i))
    for change, region in list(mutants.mutants(task).items())[::every]:
        try:
            text = known_answers.answer_text({"task": task, "id": change, "region": region})
            with mutants.in_time(mutants.SECONDS):
                yield change, *asked(known_answers.module(module_of(task), text))
        except (mutants.Endless, SyntaxError):
            continue


def untrue(task: str, every: int) -> tuple[int, list[str]]:
    """How many statements were computed, and the sentences with one that does not hold."""
    known = checks.fact(task)
    want, there = compare.restored(known["reference"]), known["elsewhere"]
    others, firsts = compare.restored(there["reference"]), compare.restored(there["firsts"])
    asked, found = 0, []
    for name, got, other in wrong_answers(task, every):
        if "raises" in got or compare.same(got, want):
            continue
        elsewhere = None if "raises" in other else Seen(other, others, there["sizes"], firsts)
        for text in {explain(Seen(got, want, known["sizes"]), seen, known["expects"]) for seen in (None, elsewhere)}:
            said = claims(text, got, want)
            asked += len(said)
            found += [] if all(said) else [f"{name}: {text}"]
    return asked, found


@pytest.mark.parametrize("task", TASKS)
def test_every_sentence_about_a_wrong_answer_is_true_of_it(task):
    asked, found = untrue(task, SAMPLED)
    assert asked and not found


def test_places_that_are_wrong_are_all_named_or_none():
    right = np.ones((3, 20), dtype=bool)
    right[:, 4:12] = False
    assert stripes(right) == "at 4 to 11 of dimension 1"
    right[:, ::2] = False
    right[:, 1::2] = True
    assert stripes(right) == ""
