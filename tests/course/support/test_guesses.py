"""predict, outcome, summary: a guess is kept until the outcome is known, and told beside it."""

import json
import re

import pytest
import torch

from grading.content.overlay import ROOT
from starter.support import course, ending, full, guesses, kernel, progress, runs
from starter.support.full import weights

SUMMARY = "guesses.summary("


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("starter.support.widgets.live", lambda: False)
    return tmp_path / "runs/guesses-gan.json"


def asked():
    guesses.predict("gan-slope", "How steep?", ["flat", "steep"])


def test_a_question_is_asked_with_its_choices(capsys):
    asked()
    assert capsys.readouterr().out == "How steep?\n  a) flat\n  b) steep\n"


def test_a_guess_is_told_beside_the_outcome(capsys):
    asked()
    guesses.guess("gan-slope", "flat")
    guesses.outcome("gan-slope", "steep")
    assert capsys.readouterr().out.splitlines()[-1] == "Outcome: steep. You expected: flat."


def test_who_did_not_guess_reads_the_outcome_alone(capsys):
    asked()
    guesses.outcome("gan-slope", "steep")
    assert capsys.readouterr().out.splitlines()[-1] == "Outcome: steep."


def test_a_guess_after_the_outcome_is_not_kept():
    asked()
    guesses.outcome("gan-slope", "steep")
    guesses.guess("gan-slope", "steep")
    assert "guess" not in guesses.read("gan")["gan-slope"]


def test_asking_again_forgets_nothing():
    asked()
    guesses.guess("gan-slope", "flat")
    asked()
    assert guesses.read("gan")["gan-slope"]["guess"] == "flat"


def test_a_summary_has_the_questions_of_one_lab(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data["text/html"]))
    asked()
    guesses.guess("gan-slope", "flat")
    guesses.predict("vae-gap", "How wide?", ["narrow", "wide"])
    guesses.summary("gan")
    assert re.findall(r"<th scope='row'>(.*?)</th>", shown[0]) == ["How steep?"] and "<td>flat</td>" in shown[0]


def test_who_has_no_guesses_gets_no_table(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: pytest.fail("something is shown"))
    guesses.summary("gan")


@pytest.mark.parametrize(("prefix", "says"), [("gan", "Lab 8, DCGAN and LSGAN"), ("cmp", "")])
def test_who_reads_along_is_told_how_far_the_lab_is_and_what_comes_after(monkeypatch, capsys, prefix, says):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data["text/html"]))
    monkeypatch.setattr(kernel, "is_watched", lambda: True)
    monkeypatch.setattr(
        progress, "verdicts", lambda lab: (dict.fromkeys(lab.tasks, progress.Standing("right", "")), "")
    )
    guesses.summary(prefix)
    lab = course.lab_named(prefix)
    assert f"Lab {lab.number}: " in capsys.readouterr().out
    assert f"submit {lab.number}</code>" in shown[0] and says in shown[0]
    assert ("The lab after this one" in shown[0]) is bool(says)


@pytest.fixture
def drawn(monkeypatch):
    """Of every picture the title, and label of a row -> its images."""
    pictures = []

    def grid(images, title, columns, labels, **_):
        pictures.append((title, dict(zip(labels, images.split(columns), strict=True))))

    monkeypatch.setattr("starter.support.plots.grid", grid)
    return pictures


def test_own_samples_are_drawn_beside_the_references(drawn):
    ending.draw({"vae": "mnist16", "never-trained": "mnist16"})
    assert [*drawn[0][1]] == ["vae, the course's"]  # of one's own there is none in this folder
    course_s = runs.of_reference("mnist16")["vae"]
    runs.save(course_s)
    (runs.folder() / "mnist16/vae.png").write_bytes((course_s.folder / "vae.png").read_bytes())
    ending.draw({"vae": "mnist16"})
    rows = drawn[1][1]
    assert [*rows] == ["vae, yours", "vae, the course's"] and rows["vae, yours"].shape == (12, 1, 16, 16)
    assert drawn[1][0] == "Drawn by models of this lab, on mnist16: none is chosen"


def test_the_model_of_full_size_draws_below_where_its_weights_are_here(drawn, monkeypatch, capsys):
    asked_for = []
    large = torch.rand(12, 1, 28, 28)
    monkeypatch.setattr("starter.support.full.samples", lambda *what: asked_for.append(what) or large)
    ending.draw({"vae": "mnist16"}, "vae-mlp", "mnist")
    (title, rows), course_s = drawn[0], runs.of_reference("mnist16")["vae"].samples()[:12]
    assert title == "Drawn by models of this lab, on mnist16, and of full size, on mnist: none is chosen"
    assert [*rows] == ["vae, the course's", "vae-mlp, full size"] and asked_for == [("vae-mlp", "mnist", 12)]
    small = rows["vae, the course's"]
    assert small.shape == (12, 1, 112, 112)  # 16 times 7, and 28 times 4: every pixel is a square
    assert torch.equal(small[:, :, ::7, ::7], course_s) and torch.equal(small[:, :, 6::7, 6::7], course_s)
    assert torch.equal(rows["vae-mlp, full size"][:, :, 3::4, 1::4], large)


def test_a_lab_whose_weights_are_not_here_ends_as_others_do(drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("starter.support.full.weights.folder", lambda: tmp_path)
    ending.draw({"vae": "mnist16"}, "vae-mlp", "mnist")
    assert [*drawn[0][1]] == ["vae, the course's"] and "full size" not in drawn[0][0]
    said = capsys.readouterr().out
    assert said.startswith("Not shown: there are no weights of vae-mlp on mnist: they come with the repository")
    assert said.count("\n") == 1
    ending.draw({}, "vae-mlp", "mnist")
    assert len(drawn) == 1


def test_a_stored_notebook_shows_the_model_of_full_size_and_no_standing(drawn, monkeypatch, capsys):
    monkeypatch.setattr("starter.support.full.samples", lambda *what: torch.rand(12, 3, 8, 8))
    monkeypatch.setattr(runs, "measured", {"vae": "mnist16"})
    guesses.summary("vae", "vae-mlp", "mnist")
    assert [*drawn[0][1]] == ["vae", "vae-mlp, full size"] and not capsys.readouterr().out
    assert drawn[0][1]["vae"].shape == (12, 3, 16, 16)  # grey as colours


def test_a_mistake_in_her_modules_is_one_line_at_the_end_of_a_lab(drawn, monkeypatch, capsys):
    def load(*what):
        raise RuntimeError("shapes\ndiffer")

    monkeypatch.setattr("starter.support.full.load", load)
    ending.draw({}, "vae-mlp", "mnist")
    assert capsys.readouterr().out == "Not shown: vae-mlp of your modules raises RuntimeError: shapes differ\n"


def test_the_model_of_full_size_draws_the_same_and_leaves_other_noise_as_it_is(monkeypatch):
    real = full.load
    monkeypatch.setattr(full, "load", lambda recipe, data: real(recipe, data, "solutions"))
    before = torch.get_rng_state()
    one, other = full.samples("vae-mlp", "mnist", 3), full.samples("vae-mlp", "mnist", 3)
    assert one.shape == (3, 1, 28, 28) and torch.equal(one, other) and 0 <= one.min() < one.max() <= 1
    assert torch.equal(before, torch.get_rng_state())


def test_labs_whose_weights_of_full_size_are_kept_end_with_what_these_draw():
    kept, shown = weights.kept(), []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cell = next(
            cell for cell in json.loads(path.read_text())["cells"] if "".join(cell["source"]).startswith(SUMMARY)
        )
        if named := re.search(r'"[a-z]+", "(.+)", "(.+)"\)', "".join(cell["source"])):
            shown.append("-".join(named.groups()))
            (picture,) = [output for output in cell["outputs"] if "image/png" in output["data"]]
            assert f"{named[1]}, full size" in picture["metadata"]["image/png"]["alt"]
    assert {"ae-gelu-32-mnist", "vae-mlp-mnist", "gan-mlp-mnist"} <= set(shown) <= set(kept)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"gan-slope": 3}'])
def test_a_damaged_file_is_begun_again(mine, text):
    mine.parent.mkdir()
    mine.write_text(text)
    asked()
    assert guesses.read("gan") == {"gan-slope": {"question": "How steep?"}}


def test_notebooks_that_run_at_once_lose_no_guess_of_each_other(mine, monkeypatch):
    """Another lab's question is kept between our reading and our writing."""
    replace = runs.replace

    def meanwhile(path, data):
        monkeypatch.setattr(runs, "replace", replace)
        guesses.predict("vae-gap", "How wide?", ["narrow", "wide"])
        replace(path, data)

    monkeypatch.setattr(runs, "replace", meanwhile)
    asked()
    assert guesses.read("vae") == {"vae-gap": {"question": "How wide?"}}
    assert guesses.read("gan") == {"gan-slope": {"question": "How steep?"}}


def test_an_outcome_without_its_question_is_passed_over(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: pytest.fail("something is shown"))
    guesses.outcome("gan-slope", "steep")
    guesses.summary("gan")


def test_buttons_keep_the_choice(monkeypatch):
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed: pip install -r requirements.txt")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    asked()
    guesses.show_buttons("gan-slope", ["flat", "steep"])
    shown[0].value = "b"
    assert guesses.read("gan")["gan-slope"]["guess"] == "steep"
