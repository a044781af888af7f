"""Runs at one price: a notebook's named runs become those of a data set of their own."""

import re
import shutil
from dataclasses import replace

import pytest

from grading.maintain import equal_budgets, notebooks
from starter.support import data, runs


def test_a_kept_run_is_read_under_its_new_name_with_its_samples(tmp_path, monkeypatch):
    for file in ("realnvp.json", "realnvp.png"):
        shutil.copy(runs.REFERENCE / "digits" / file, tmp_path)
    monkeypatch.setattr(runs, "REFERENCE", tmp_path / "reference_runs")
    monkeypatch.setenv("RUNS", str(tmp_path / "none"))
    equal_budgets.keep(tmp_path / "realnvp.json", equal_budgets.folder(1))
    found = runs.read(f"{data.default()}-equal-1")
    assert list(found) == ["realnvp"] and found["realnvp"].samples().shape[0] == runs.SAMPLES
    assert found["realnvp"].settings["cpu_seconds"] == runs.PRICE


def test_every_model_of_the_last_lab_had_the_price_that_its_text_names():
    for seed in equal_budgets.SEEDS:
        assert runs.at_one_price(f"{data.DEFAULT}-equal-{seed}")
    text = (notebooks.FOLDER / "11_comparison.py").read_text(encoding="utf-8")
    assert set(re.findall(r"(\d+) seconds", text)) == {str(runs.PRICE)}


@pytest.mark.parametrize("had", [None, 24.0])
def test_a_run_of_another_budget_is_refused_with_one_line(had, monkeypatch):
    other = runs.of_reference(f"{data.DEFAULT}-equal-0")["vae"]
    settings = {name: value for name, value in other.settings.items() if name != "cpu_seconds"}
    settings |= {} if had is None else {"cpu_seconds": had}
    monkeypatch.setattr(runs, "read", lambda name: {"vae": replace(other, settings=settings)})
    with pytest.raises(ValueError, match=f"^noise/vae had {had} seconds of a core, not 25: [^\n]+$"):
        runs.at_one_price("noise")
