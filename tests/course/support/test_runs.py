"""Runs: what fit and play write down, and the last lab reads."""

import itertools
import json

import pytest
import torch
from torch import nn

from starter.support import runs, training
from starter.support.data import Images
from tests.course.support.test_training import Duel, Mean


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path / "mine"))
    monkeypatch.setattr(runs, "REFERENCE", tmp_path / "reference")
    return tmp_path / "mine"


def images(shape=(1, 3, 2)) -> Images:
    return Images(torch.zeros(40, *shape, dtype=torch.uint8), torch.zeros(40, dtype=torch.int64), 256, "noise")


def test_fit_writes_a_run_down_and_another_one_over_it():
    for steps in (2, 3):
        training.fit(Mean(), images(), steps=steps, batch_size=20, lr=0.1, run="mean")
    run = runs.read("noise")["mean"]
    assert (run.model, run.parameters, run.steps, run.shape, run.yours) == ("Mean", 1, 3, (1, 3, 2), True)
    assert set(run.terms) == {"loss", "twice"} and run.settings["lr"] == 0.1 and run.seconds >= 0


def test_play_writes_a_run_down():
    training.play(Duel(), images(), steps=2, batch_size=20, run="duel")
    assert runs.read("noise")["duel"].parameters == 2


def test_samples_come_back_as_they_were_up_to_256_levels():
    for name, channels in (("grey", 1), ("colour", 3)):
        data = images((channels, 4, 3))
        training.fit(Mean(), data, steps=1, run=name)
        x = torch.rand(runs.SAMPLES, *data.shape, generator=torch.Generator().manual_seed(0))
        runs.measure(name, data, lambda count, x=x: x[:count], bits_per_dim=1.5)
        run = runs.read("noise")[name]
        torch.testing.assert_close(run.samples(), x, atol=0.5 / 255 + 1e-6, rtol=0)
        assert run.scores == {"bits_per_dim": 1.5} and run.sampling_seconds >= 0


def test_samples_of_another_shape_are_refused():
    training.fit(Mean(), images(), steps=1, run="mean")
    with pytest.raises(ValueError, match=r"samples of mean have shape \(300, 6\), expected \(300, 1, 3, 2\)"):
        runs.measure("mean", images(), lambda count: torch.zeros(count, 6))


def test_the_reference_stands_in_for_a_run_that_you_do_not_have(mine, monkeypatch):
    monkeypatch.setenv("RUNS", str(runs.REFERENCE))
    for name in ("vae", "gan"):
        training.fit(Mean(), images(), steps=1, run=name)
    monkeypatch.setenv("RUNS", str(mine))
    training.fit(Mean(), images(), steps=2, run="gan")
    assert {name: (run.yours, run.steps) for name, run in runs.read("noise").items()} == {
        "vae": (False, 1),
        "gan": (True, 2),
    }
    assert runs.read("noise")["vae"].samples() is None


def test_a_run_that_max_steps_cut_short_is_not_written(mine, monkeypatch):
    monkeypatch.setenv("MAX_STEPS", "2")
    training.fit(Mean(), images(), run="mean")
    runs.measure("mean", images(), lambda count: torch.zeros(count, 1, 3, 2))
    assert not mine.exists()


def test_seconds_of_the_processor_are_the_budget_of_named_runs_alone(mine, monkeypatch):
    spent = itertools.count()
    monkeypatch.setattr("time.process_time", lambda: next(spent))  # every look at the clock is a second later
    monkeypatch.setenv("MAX_STEPS", "2")
    monkeypatch.setenv("RUN_CPU_SECONDS", "7")
    assert training.fit(Mean(), images()).steps == 2
    assert training.fit(Mean(), images(), run="mean").steps == 7
    runs.measure("mean", images(), lambda count: torch.zeros(count, 1, 3, 2))
    assert runs.read("noise")["mean"].steps == 7 and runs.read("noise")["mean"].samples() is not None


@pytest.mark.parametrize("name", ["", "../gan", "GAN", "a b", "-x"])
def test_a_name_that_is_no_file_name_is_refused(name):
    with pytest.raises(ValueError, match="small letters, digits and dashes"):
        runs.write(name, nn.Identity(), images(), training.History())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1}', json.dumps({"shape": 3})])
def test_a_damaged_record_says_which_file_it_is(mine, text):
    path = mine / "noise" / "gan.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"gan\.json is not the record of a run .*: delete it and train again"):
        runs.read("noise")
