"""`make check` refuses an inconsistent course: each of its checks, shown a defect, complains."""

import json
import subprocess
import tomllib

import pytest

from grading.content import known_answers
from grading.content.tasks import LABS, TASKS
from grading.maintain import bands, consistency, repository, structure
from starter.support import checks, data, probes


def test_a_consistent_course_has_no_complaints(course, capsys):
    assert consistency.main(fast=True) == 0
    assert "NO" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("room", "line", "words"),
    [
        (
            "content",
            "from ..judge import ready_made_calls",
            "imports grading.judge.ready_made_calls: grading/content may know no room",
        ),
        ("judge", "from ..classroom.course_folder import Course", "grading/judge may know content"),
        ("classroom", "from grading.maintain import build", "grading/classroom may know content, judge"),
        ("maintain", "def f():\n    from ..classroom import demo", "grading/maintain may know content, judge"),
    ],
)
def test_a_room_that_knows_another_the_wrong_way_is_seen(course, room, line, words):
    (course / "grading" / room).mkdir(exist_ok=True)
    (course / "grading" / room / "new.py").write_text(f"from ..content import tasks\n{line}\n")
    complaints = list(repository.rooms_know_each_other_one_way())
    assert len(complaints) == 1 and words in complaints[0] and complaints[0].startswith(f"grading/{room}/new.py")


def test_the_rooms_are_all_the_folders_that_hold_code():
    held = {path.parent.name for path in (consistency.ROOT / "grading").glob("*/__init__.py")}
    assert held == set(repository.ROOMS)


def test_a_filled_blank_is_seen(edit):
    edit("starter/vae.py", 'raise NotImplementedError("vae-1")', "return mu")
    assert list(consistency.starter_is_cut()) == [
        "starter/vae.py differs from what solutions/vae.py builds: run `make build`"
    ]


def test_a_solution_changed_without_a_build_is_seen(edit):
    edit("solutions/vae.py", "Each number of the noise", "Every number of the noise")
    assert "starter/vae.py differs" in next(consistency.starter_is_cut())


def test_stored_checks_of_another_reference_are_seen(monkeypatch):
    stored = json.loads(json.dumps(checks.facts()))
    stored["vae-2"]["reference"]["result"][2][0] *= 1.01
    monkeypatch.setattr(checks, "facts", lambda: stored)
    assert list(consistency.checks_are_current(["vae-1", "vae-2"])) == [
        "starter/support/checks.json does not fit vae-2 any more: run `make build`"
    ]


@pytest.mark.parametrize("key", structure.WANTED)
@pytest.mark.parametrize("value", [None, 0, "", []])
def test_a_task_without_its_facts_is_seen(monkeypatch, key, value):
    monkeypatch.setitem(TASKS, "vae-1", TASKS["vae-1"] | {key: value})
    said = f"grading/content/tasks.toml: vae-1 has no {key}: write {structure.WANTED[key][1]}"
    assert list(structure.rows_are_complete(TASKS)) == [said]


@pytest.fixture
def entries(monkeypatch):
    """The catalogue with one entry more, and nothing remembered from before."""

    def put(kind: str, entry: dict) -> None:
        known = {k: {task: list(found) for task, found in known_answers.answers(k).items()} for k in ("wrong", "right")}
        known[kind][entry["task"]].append(entry)
        monkeypatch.setattr(known_answers, "answers", lambda which: known[which])
        known_answers.variant.cache_clear()

    yield put
    known_answers.variant.cache_clear()


def test_a_wrong_answer_that_passes_is_seen(entries):
    region = "return torch.exp(log_var / 2) * eps + mu"
    entries("wrong", {"task": "vae-1", "id": "vae-1-not-wrong", "region": region, "says": "Nothing is wrong."})
    assert any("vae-1-not-wrong passes" in line for line in consistency.answers_are_judged_rightly(["vae-1"]))
    assert any("vae-1-not-wrong is not named" in line for line in consistency.wrong_answers_are_named(["vae-1"]))


def test_a_right_answer_that_fails_is_seen(entries):
    entries("right", {"task": "vae-1", "id": "vae-1-not-right", "region": "return mu + eps"})
    assert any("vae-1-not-right fails" in line for line in consistency.answers_are_judged_rightly(["vae-1"]))


def test_two_wrong_answers_that_cannot_be_told_apart_are_seen(entries):
    region = "return mu + torch.exp(log_var) * eps"
    entries("wrong", {"task": "vae-1", "id": "vae-1-twin", "region": region, "says": "Something else."})
    twins = "vae-1-twin and vae-1-variance-as-sigma look alike"
    assert any(twins in line for line in consistency.answers_are_judged_rightly(["vae-1"]))
    assert any("vae-1-twin is not named" in line for line in consistency.wrong_answers_are_named(["vae-1"]))


def test_an_entry_that_no_longer_fits_the_solution_is_refused():
    with pytest.raises(ValueError, match="occurs 0 times"):
        known_answers.answer_text({"task": "vae-1", "id": "vae-1-old", "find": "no such text", "replace": ""})


def test_a_notebook_that_differs_from_its_twin_is_seen(edit):
    edit("notebooks/02_vae.py", "# %% [markdown]\n", "# %% [markdown]\n# New words.\n#\n")
    assert "02_vae.ipynb differs from notebooks/02_vae.py" in next(consistency.notebooks_are_current())


def test_pictures_of_other_plots_are_seen(edit):
    edit("starter/support/plots.py", "import", "# a new colour\nimport")
    found = list(consistency.notebooks_are_current())
    assert len(found) == len(LABS) and all("was drawn by another plots.py" in line for line in found)


@pytest.mark.parametrize(
    "name", ["starter/notes.py", "starter/support/old.py", "solutions/vae_2.py", "notebooks/x.ipynb"]
)
def test_an_unknown_file_is_seen(course, name):
    for words in (["init", "-q"], ["add", "starter"]):
        subprocess.run(["git", *words], cwd=course, check=True)
    (course / name).touch()
    (said,) = repository.files_are_known()
    assert said.startswith((f"{name} is in no lab", f"{name} is not in the repository"))


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=2",
        "numpy==2.*",
        "numpy>=2,==2.1",
        "git+https://example.org/x",
        "scipy==1.18.0",
        "scipy==1.18rc1",
    ],
)
def test_an_unpinned_requirement_is_seen(course, line):
    with (course / "requirements.txt").open("a") as file:
        file.write(line + "\n")
    assert len(list(repository.requirements_are_pinned())) == 1


@pytest.mark.parametrize("line", ["numpy==2.0rc1", "numpy==2.0.post1", "psycopg[binary]==3.3.9  # why"])
def test_any_exact_version_is_a_pin(course, line):
    with (course / "grading/requirements.txt").open("a") as file:
        file.write(line + "\n")
    assert list(repository.requirements_are_pinned()) == []


def test_a_requirement_that_leaves_out_a_python_is_seen(monkeypatch):
    assert list(repository.requirements_run_on_every_python()) == []
    monkeypatch.setattr(repository, "PYTHONS", ("3.9", "3.13"))
    found = list(repository.requirements_run_on_every_python())
    assert any("numpy==" in line and line.endswith("README promises 3.9") for line in found)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("solutions/autoencoder.py", "from .vae import elbo"),
        ("starter/support/plots.py", "from starter import vae"),
        ("starter/support/plots.py", "from ..vae import elbo"),
        ("starter/support/data.py", "import solutions.vae"),
        ("solutions/vae.py", "from grading import overlay"),
    ],
)
def test_an_import_against_the_direction_is_seen(course, name, line):
    path = course / name
    path.write_text(path.read_text() + f"\n{line}\n")
    assert any("earlier labs only" in complaint for complaint in repository.imports_point_one_way())


@pytest.mark.parametrize(("page", "text"), [("docs/tasks.md", "| `vae-1` |"), ("README.md", "| [`02_vae`]")])
def test_a_table_of_a_page_that_is_out_of_date_is_seen(edit, page, text):
    edit(page, text, text.replace("vae", "other"))
    assert list(consistency.tables_are_current()) == [f"{page}: its table differs from tasks.toml: run `make build`"]


def test_results_that_are_not_shown_are_seen(course, edit):
    edit("RESULTS.md", "| `vae-mlp` |", "| `vae-mlp`, well trained |")
    complaint = "RESULTS.md is not what results/ and the recipes make of it: run `make build`"
    assert list(consistency.results_are_shown()) == [complaint]
    (course / "results/vae-mlp-mnist.json").write_text("{")
    assert "vae-mlp-mnist.json is not the result of a run" in next(consistency.results_are_shown())


def test_a_band_that_no_broken_model_leaves_is_seen(monkeypatch, tmp_path):
    record = json.loads(bands.RECORD.read_text())
    lab, runs = next(iter(record[data.DEFAULT].items()))
    name = next(iter(runs["reference"]))
    for model in runs:
        runs[model][name] = runs["reference"][name]
    monkeypatch.setattr(bands, "RECORD", tmp_path / "bands.json")
    bands.RECORD.write_text(json.dumps(record))
    assert any(f"{name} stays in" in line for line in bands.results_stay_in_their_bands())


def test_a_broken_model_that_leaves_no_band_of_a_data_set_is_seen(monkeypatch, tmp_path):
    record = json.loads(bands.RECORD.read_text())
    assert len(record) > 1
    for images in record:
        one = json.loads(json.dumps(record))
        runs = one[images]["08_dcgan_lsgan"]
        runs["dc-4-norm-never"] = {name: values[:1] for name, values in runs["reference"].items()}
        monkeypatch.setattr(bands, "RECORD", tmp_path / "bands.json")
        bands.RECORD.write_text(json.dumps(one))
        seen = f"08_dcgan_lsgan: dc-4-norm-never leaves no band on {images}"
        assert [line for line in bands.results_stay_in_their_bands() if line.startswith(seen)]


def test_a_result_may_be_excused_from_telling_on_one_data_set(monkeypatch):
    runs = {"reference": {"a": [1.0] * 5}, "broken": {"a": [1.0]}}
    rule = {"name": "a", "spread": 0.1, "digits16": {"spread": 0.1, "telling": False}}
    monkeypatch.setitem(bands.TABLE, "band", [rule])

    def said(images: str) -> list[str]:
        return [line for line in bands.on_one_set({"lab": runs}, {"a": [0.9, 1.1]}, images) if "stays in" in line]

    assert said("mnist16") and not said("digits16")


def test_a_rule_of_a_band_may_be_another_one_on_another_data_set(monkeypatch):
    rule = {"name": "a", "spread": 0.1, "digits16": {"factor": 3.0}}
    monkeypatch.setitem(bands.TABLE, "band", [rule])
    assert bands.band("a", [1.0, 2.0, 9.0], "mnist16") == (1.8, 2.2) == bands.band("a", [2.0])
    assert bands.band("a", [1.0, 2.0, 9.0], "digits16") == (0.0, 6.0)


def test_bands_of_one_data_set_are_measured_without_touching_those_of_another(monkeypatch, tmp_path):
    before, lab = json.loads(bands.RECORD.read_text()), "01_autoencoder"
    for name in ("RECORD", "BANDS"):
        path = tmp_path / getattr(bands, name).name
        path.write_text(getattr(bands, name).read_text())
        monkeypatch.setattr(bands, name, path)
    assert list(bands.results_stay_in_their_bands()) == []
    monkeypatch.setenv("DATA", "shapes")
    old = tomllib.loads(bands.BANDS.read_text())
    monkeypatch.setattr(
        bands, "measured", lambda lab, seed, answer=None: {"reconstruction loss": 500 if answer else 50}
    )
    assert bands.main([lab]) == 0
    record, known = json.loads(bands.RECORD.read_text()), tomllib.loads(bands.BANDS.read_text())
    assert {name: record[name] for name in before} == before and record["shapes"].keys() == {lab}
    assert known == old | {"shapes": {"reconstruction loss": [47.5, 52.5]}}


def test_a_default_data_set_without_bands_is_seen(monkeypatch):
    monkeypatch.setattr(data, "DEFAULT", "shapes")
    assert "shapes: no result was measured: run `DATA=shapes make bands`" in bands.results_stay_in_their_bands()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: probes.core.SPARED["vae-6"].update(extreme="why not"), "spares 'extreme', and asks it"),
        (lambda: probes.core.SPARED["vae-6"].update(evaluation="why not"), "and it does not concern the task"),
        (lambda: probes.core.SPARED["vae-6"].update(weather="it rains"), "spares 'weather', which is no class"),
        (lambda: checks.facts()["vae-6"]["reference"].clear(), "no array of its probe has the words 'one example'"),
    ],
)
def test_a_class_of_holes_that_a_probe_forgets_is_seen(monkeypatch, change, words):
    monkeypatch.setitem(probes.core.SPARED, "vae-6", dict(probes.core.SPARED["vae-6"]))
    row = checks.facts()["vae-6"]
    monkeypatch.setitem(checks.facts(), "vae-6", row | {"reference": dict(row["reference"])})
    assert [*consistency.probes_ask_every_class(TASKS)] == []
    change()
    assert any("vae-6" in line and words in line for line in consistency.probes_ask_every_class(["vae-6"]))
