"""Runs at one price: a notebook's named runs become those of a data set of their own."""

import shutil

from grading.maintain import equal_budgets
from starter.support import data, runs


def test_a_kept_run_is_read_under_its_new_name_with_its_samples(tmp_path, monkeypatch):
    for file in ("realnvp.json", "realnvp.png"):
        shutil.copy(runs.REFERENCE / "digits" / file, tmp_path)
    monkeypatch.setattr(runs, "REFERENCE", tmp_path / "reference_runs")
    monkeypatch.setenv("RUNS", str(tmp_path / "none"))
    equal_budgets.keep(tmp_path / "realnvp.json", equal_budgets.folder(1))
    found = runs.read(f"{data.default()}-equal-1")
    assert list(found) == ["realnvp"] and found["realnvp"].samples().shape[0] == runs.SAMPLES
