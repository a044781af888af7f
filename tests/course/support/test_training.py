"""fit: what it minimises, records, and refuses."""

import dataclasses
from typing import NamedTuple

import pytest
import torch
from torch import nn

from starter.support import training
from starter.support.data import Images


class Terms(NamedTuple):
    loss: torch.Tensor
    twice: torch.Tensor


class Mean(nn.Module):
    """Learns the mean pixel: the loss has a known minimum."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(()))

    def terms(self, x: torch.Tensor) -> Terms:
        loss = (x - self.mean).square().mean()
        return Terms(loss, 2 * loss.detach())


def images(count: int = 50) -> Images:
    x = torch.randint(0, 256, (count, 1, 3, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Images(x=x, y=torch.zeros(count, dtype=torch.int64), levels=256, name="noise")


def test_fit_finds_the_minimum_and_records_every_term_at_every_step():
    model, data = Mean(), images()
    history = training.fit(model, data, epochs=60, batch_size=20, lr=0.03)
    assert model.mean.item() == pytest.approx(data.pixels().mean().item(), abs=0.02)
    assert history.steps == 60 * 3 and history.seconds > 0
    assert history.terms["twice"] == pytest.approx([2 * loss for loss in history.terms["loss"]])
    assert history.last(count=5) == pytest.approx(sum(history.terms["loss"][-5:]) / 5)
    assert not model.training


def test_the_same_seed_gives_the_same_history_and_another_one_another():
    runs = [training.fit(Mean(), images(), epochs=2, batch_size=7, seed=seed).terms["loss"] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(("budget", "steps"), [({"epochs": 2}, 6), ({"steps": 4}, 4), ({"steps": 7, "epochs": 1}, 7)])
def test_the_budget_is_in_epochs_or_in_steps(budget, steps):
    assert training.fit(Mean(), images(), batch_size=20, **budget).steps == steps


def test_max_steps_caps_training(monkeypatch):
    monkeypatch.setenv("MAX_STEPS", "2")
    assert training.fit(Mean(), images(), epochs=100).steps == 2


def test_nan_stops_the_run_and_names_step_and_term():
    model = Mean()

    def terms(x):
        good = model.terms(x)
        return good._replace(twice=good.twice / 0 * 0)

    with pytest.raises(training.TrainingError, match="step 1: twice is nan"):
        training.fit(model, images(), terms=terms)


def test_the_term_that_went_bad_is_named_before_the_loss_that_it_spoils():
    model = Mean()

    def terms(x):
        bad = model.terms(x).twice / 0
        return Terms(model.terms(x).loss + bad, bad)

    with pytest.raises(training.TrainingError, match="step 1: twice is inf"):
        training.fit(model, images(), terms=terms)


def test_after_a_nan_the_model_has_its_last_good_weights_and_says_of_which_step():
    model, weights = Mean(), []

    def terms(x):
        weights.append(model.mean.item())
        good = model.terms(x)
        return good if len(weights) < 50 else good._replace(loss=good.loss * float("nan"))

    with pytest.raises(training.TrainingError, match="step 50: loss is nan; the model is back at step 41, its"):
        training.fit(model, images(), terms=terms, epochs=100, batch_size=50)
    assert model.mean.item() == weights[40] != weights[49]
    assert not model.training


def test_beta_is_set_before_every_step():
    model, seen = Mean(), []
    model.beta = 1.0

    def terms(x):
        seen.append(model.beta)
        return model.terms(x)

    training.fit(model, images(), terms=terms, beta=lambda step: step / 4, epochs=5, batch_size=50)
    assert seen == [0, 0.25, 0.5, 0.75, 1]


def test_progress_is_not_written_to_stderr_and_leaves_nothing_behind(capsys):
    training.fit(Mean(), images(), epochs=3)
    out, err = capsys.readouterr()
    assert err == "" and out.split("\r")[-1].strip() == ""


def test_within_prints_the_same_line_for_every_value_inside(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "bands", lambda: {"loss": [1.0, 2.0]})
    monkeypatch.setenv("BANDS_LOG", str(tmp_path / "log"))
    for value in (1.2, 1.9, 2.34567):
        training.within("loss", value)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["loss within [1, 2]: yes"] * 2 + ["loss within [1, 2]: no, 2.346"]
    assert (tmp_path / "log").read_text().count("\n") == 3


def test_on_a_data_set_without_bands_nothing_is_printed_and_a_forgotten_band_is_seen(capsys, monkeypatch):
    monkeypatch.setenv("DATA", "fashion-mnist")
    training.within("loss", 1.0)
    assert capsys.readouterr().out == ""
    monkeypatch.delenv("DATA")
    training.within("never measured", 1.0)
    assert capsys.readouterr().out == "never measured within [-inf, inf]: yes\n"


class Duel(nn.Module):
    """A game with steps of its own: `a` counts the batches, `b` sums the labels."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.modes = []

    @torch.no_grad()
    def update(self, x, y):
        self.modes.append(self.training)
        self.a += 1
        self.b += y.sum()
        return Terms(self.a.clone(), self.b + torch.rand(()))


def test_a_game_takes_its_own_step_on_every_batch_and_sees_the_labels():
    duel, data = Duel(), images()
    labelled = dataclasses.replace(data, y=torch.ones(50, dtype=torch.int64))
    history = training.play(duel, labelled, steps=5, batch_size=20)
    assert duel.a == 5 and history.terms["loss"] == [1, 2, 3, 4, 5]
    assert duel.b == 50 + 20 + 20 and duel.modes == [True] * 5 and not duel.training


def test_a_game_is_watched_in_evaluation_mode_and_the_watching_changes_nothing():
    duel, modes = Duel(), []

    def watch(gan):
        modes.append(gan.training)
        return {"noise": torch.rand(()).item(), "a": gan.a.item()}

    seen = training.play(duel, images(), steps=5, batch_size=20, watch=watch, every=2)
    unseen = training.play(Duel(), images(), steps=5, batch_size=20)
    assert seen.curve("a") == ([0, 2, 4, 5], [0, 2, 4, 5]) and modes == [False] * 4
    assert seen.terms == unseen.terms


def test_a_game_that_breaks_goes_back_to_its_last_good_weights():
    class Broken(Duel):
        def update(self, x, y):
            terms = super().update(x, y)
            return terms if self.a < 30 else terms._replace(twice=self.a / 0)

    duel = Broken()
    with pytest.raises(training.TrainingError, match="step 30: twice is inf; the model is back at step 21, its"):
        training.play(duel, images(), steps=100)
    assert duel.a == 20
