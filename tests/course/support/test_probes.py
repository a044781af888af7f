"""Probes, stand-ins and comparison: what decides between right and wrong."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from grading.content import known_answers
from grading.content.tasks import TASKS, module_of
from grading.maintain import audit
from starter.support import checks, compare, differences, probes, standins

FIXED = {"beta-2": {"latent_dim"}, "beta-6": {"bins"}, "vq-5": {"B", "w", "K"}}  # sizes that do not change
REFERENCE = {task: known_answers.reference(module_of(task)) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_every_wrong_answer_differs_and_every_right_one_agrees(task):
    assert audit.audit(range(3), [task]) == []


@pytest.mark.parametrize("task", TASKS)
def test_inputs_change_with_the_seed_and_only_with_it(task):
    def arrays(seed):
        return probes.arrays(task, REFERENCE[task], seed, known_answers.tables(task, seed, ()))

    assert compare.distance(arrays(3), arrays(3)) == 0
    assert not compare.same(arrays(3), arrays(4))


@pytest.mark.parametrize("task", TASKS)
def test_sizes_are_different_from_each_other_and_change_with_the_seed(task):
    found = [probes.sizes(task, REFERENCE[task], seed) for seed in range(20)]
    assert all(len(set(sizes.values())) == len(sizes) for sizes in found)
    assert len({tuple(sizes.values()) for sizes in found}) > 1 or not found[0]
    public, autotest = found[checks.PUBLIC_SEED], found[checks.AUTOTEST_SEED]
    alike = {name for name, size in public.items() if autotest.get(name) == size}
    assert alike == FIXED.get(task, set()), "a coincidence of this size would hold on both seeds"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("returned", ["torch.zeros(2), torch.ones(3)", "None"])
def test_what_is_returned_may_be_anything(task, returned):
    """A probe that fails on it would speak of itself, not of the answer."""
    entry = {"task": task, "id": "odd", "region": f"return {returned}"}
    module = known_answers.module(module_of(task), known_answers.answer_text(entry))
    tables = known_answers.tables(task, checks.PUBLIC_SEED)
    assert "raises" not in known_answers.probe_arrays(task, module, checks.PUBLIC_SEED, tables)


@pytest.mark.parametrize("task", TASKS)
def test_arrays_are_of_order_one(task):
    """A large one would hide a small mistake in float32 noise. (Sums over a batch of images reach 150.)"""
    for seed in range(5):
        for name, array in probes.arrays(task, REFERENCE[task], seed, known_answers.tables(task, seed, ())).items():
            largest = np.nanmax(np.abs(array)) if array.dtype.kind == "f" and np.isfinite(array).any() else 1
            if "+-60" not in name and not (largest == 0 and "is 0" in name):
                assert 1e-2 < largest < 200, name


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ("torch.manual_seed(0)", "the seed of torch's random numbers"),
        ("torch.set_default_dtype(torch.float64)", "the default type of new tensors"),
        ("torch.set_grad_enabled(False)", "whether gradients are recorded"),
        ("torch.set_num_threads(torch.get_num_threads() + 1)", "the number of threads"),
        ("torch.use_deterministic_algorithms(True)", "whether torch is deterministic"),
        ("torch.backends.cudnn.deterministic = True", "whether cuDNN is deterministic"),
        ("torch.backends.cudnn.benchmark = True", "whether cuDNN tries what is fastest"),
        ("torch.autograd.set_detect_anomaly(True)", "whether torch looks for anomalies"),
        ("import numpy; numpy.random.seed(0)", "the seed of NumPy's random numbers"),
        ("import random; random.seed(0)", "the seed of Python's random numbers"),
        ("import warnings; warnings.simplefilter('ignore')", "which warnings are shown"),
        ("import warnings; warnings.filterwarnings('error')", "which warnings are shown"),
    ],
)
def test_a_setting_that_an_answer_changes_is_told_and_put_back(line, setting):
    text = known_answers.answer_text(
        {"task": "vae-1", "id": "", "region": f"sigma = (log_var / 2).exp()\n{line}\nreturn mu + sigma * eps"}
    )
    state, before = torch.get_rng_state(), [value() for value, _ in probes.core.SETTINGS.values()]
    got = probes.arrays("vae-1", known_answers.module("vae", text), 3, {})
    assert [value() for value, _ in probes.core.SETTINGS.values()] == before
    assert torch.equal(torch.get_rng_state(), state)
    want = probes.arrays("vae-1", REFERENCE["vae-1"], 3, {})
    assert not compare.same(got, want) and f"Your code changes {setting}," in differences.explain(
        differences.Seen(got, want, {})
    )


def streams() -> list:
    return [torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random()]


def test_drawing_random_numbers_changes_no_setting_and_not_the_callers_stream():
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    expected = streams()
    torch.set_rng_state(before[0]), np.random.set_state(before[1]), random.setstate(before[2])
    with probes.core.settings() as changed:
        streams()
    assert changed == {} and streams() == expected


def test_a_warning_that_a_library_hides_or_a_block_for_itself_changes_no_setting():
    with probes.core.settings() as changed:
        warnings.filterwarnings("ignore", message="numpy.ndarray size changed")
        warnings.filterwarnings("always", category=DeprecationWarning)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
    assert changed == {}


def linear(x, scale, kind="up"):
    """A neighbour with a batch, a scalar and a word."""
    return (x * scale).sum(dim=1) * (1 if kind == "up" else -1)


def recorded(*calls):
    table = {}
    function = standins.recorder(linear, table)
    for args in calls:
        function(*args)
    return standins.replay("linear", table), table


def test_a_stand_in_answers_recorded_calls_in_any_grouping_with_values_and_gradients():
    x, scale = torch.randn(4, 3, requires_grad=True), torch.tensor(1.5, requires_grad=True)
    replayed, _ = recorded((x, scale), (x, scale, "down"))
    for call in (lambda: replayed(x, scale), lambda: torch.cat([replayed(row[None], scale=scale) for row in x])):
        torch.testing.assert_close(call(), linear(x, scale))
        got = torch.autograd.grad((call() * torch.arange(4.0)).sum(), (x, scale))
        want = torch.autograd.grad((linear(x, scale) * torch.arange(4.0)).sum(), (x, scale))
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(replayed(x, scale, kind="down"), -linear(x, scale))


def test_a_stand_in_whose_examples_are_vectors_has_their_whole_jacobian():
    def turned(x, y):
        return x.flip(1) * y.sum(dim=1, keepdim=True)

    x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    table = {}
    standins.recorder(turned, table)(x, y)
    replayed, weights = standins.replay("turned", table), torch.randn(4, 3)
    torch.testing.assert_close(replayed(x, y), turned(x, y))
    got = torch.autograd.grad((replayed(x, y) * weights).sum(), (x, y))
    torch.testing.assert_close(got, torch.autograd.grad((turned(x, y) * weights).sum(), (x, y)))


def test_a_stand_in_of_a_function_that_cuts_an_argument_off_has_no_slope_there():
    x, y, table = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True), {}
    standins.recorder(lambda x, y: (x - y.detach()).square(), table)(x, y)
    found = standins.replay("pulled", table)(x, y)
    at_x, at_y = torch.autograd.grad(found.sum(), (x, y), allow_unused=True)
    torch.testing.assert_close(at_x, 2 * (x - y).detach())
    assert at_y is None


def test_a_stand_in_serves_an_answer_that_works_in_float64():
    x, scale = torch.randn(4, 3, requires_grad=True), torch.tensor(1.5)
    replayed, _ = recorded((x, scale))
    wide = x.detach().double().requires_grad_()
    torch.testing.assert_close(replayed(wide, scale), linear(wide, scale), rtol=1e-5, atol=1e-5)  # in float64, too
    (got,) = torch.autograd.grad(replayed(wide, scale).sum(), wide)
    torch.testing.assert_close(got, torch.full_like(wide, 1.5))


@pytest.mark.parametrize("change", [lambda x: x + 0.1, lambda x: x.flip(1), lambda x: torch.randn(5, 3)])
def test_a_stand_in_knows_nothing_else(change):
    x = torch.randn(4, 3)
    replayed, table = recorded((x, 2.0))
    with pytest.raises(standins.UnknownCall, match=r"linear\(\) is called with another"):
        replayed(change(x), 2.0)
    with pytest.raises(standins.UnknownCall):
        replayed(x, 2.5)
    assert not any(callable(value) for row in table["rows"] for value in row.values())


def test_swapped_names_come_back_also_after_an_error():
    module = known_answers.module("vae")
    kept = module.elbo
    with pytest.raises(RuntimeError), standins.swapped(module, {"elbo": 1, "unheard_of": 2}):
        assert (module.elbo, module.unheard_of) == (1, 2)
        raise RuntimeError
    assert module.elbo is kept and not hasattr(module, "unheard_of")


ONE = np.array([1.0, -2.0, 3.0], dtype=np.float32)


@pytest.mark.parametrize(
    ("got", "want", "same"),
    [
        (ONE, ONE + np.float32(1e-4), True),
        (ONE, ONE * np.float32(1.01), False),
        (ONE, ONE.astype(float), False),
        (ONE, ONE[:2], False),
        (ONE, np.array([1, -2, np.nan], dtype=np.float32), False),
        (np.array([np.inf, 1.0]), np.array([np.inf, 1.0]), True),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]), False),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), True),
        (np.array([64, 32]), np.array([64, 33]), False),
        (np.array([True]), np.array([False]), False),
        (np.zeros(3), np.full(3, 1e-5), False),
        (np.zeros(0), np.zeros(0), True),
    ],
)
def test_sameness_is_one_tolerance_relative_to_the_largest_number(got, want, same):
    assert compare.same({"a": got}, {"a": want}) is same


@pytest.mark.parametrize("share", [1.002e-3, 1.5e-3, 1e-2, 1.0])
def test_whatever_is_not_the_same_can_be_explained(share):
    got = {"number": np.array(2.0 * (1 + share)), "row": ONE + np.float32([0, 0, 3 * share])}
    for name, want in {"number": np.array(2.0), "row": ONE}.items():
        assert not compare.same({name: got[name]}, {name: want})
        assert "is" in differences.explain(differences.Seen({name: got[name]}, {name: want}, {}))


def test_fingerprints_recognise_arrays_within_the_tolerance_and_nothing_else():
    mark = compare.fingerprint({"a": ONE, "b": np.array("a list")})
    assert compare.alike(mark, compare.fingerprint({"b": np.array("a list"), "a": ONE * np.float32(1 + 1e-5)}))
    assert not compare.alike(mark, compare.fingerprint({"a": ONE[::-1], "b": np.array("a list")}))
    assert not compare.alike(mark, compare.fingerprint({"a": ONE, "b": np.array("a dict")}))


def test_stored_arrays_come_back_as_they_were():
    arrays = {"a": ONE, "b": np.array([[1, 2]]), "c": np.array(True), "d": np.float64(np.pi) * np.ones(2)}
    assert compare.distance(compare.restored(compare.stored(arrays)), arrays) < 1e-6


def test_of_a_fingerprint_like_known_arrays_only_the_difference_is_kept():
    known = {"a": ONE, "b": np.array("a list")}
    assert compare.fingerprint(known, known).startswith(" | ")
    other = {"a": ONE[None], "c": np.array(True)}
    assert compare.fingerprint(other, known | {"c": np.array(False)}).startswith("a float32[1, 3], no b | ")
    assert compare.fingerprint({"raises": np.array("ValueError")}, known).startswith("raises ValueError | ")
    assert compare.fingerprint(other, known).rsplit(" | ", 1)[0] == compare.fingerprint(other).rsplit(" | ", 1)[0]


def test_what_is_stored_of_all_tasks_is_short_and_has_a_line_for_each_wrong_answer():
    path = Path(checks.__file__).with_name("checks.json")
    assert path.stat().st_size < 1_200_000
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum('"says":' in line for line in lines) == sum(len(fact["wrong"]) for fact in checks.facts().values())
