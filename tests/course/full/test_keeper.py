"""What a full-size run measures, says and leaves behind, and what it refuses."""

import errno
import json
import math
import os
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from starter.support import data, recipes, runs, training
from starter.support.full import assemble, cli, folder, gallery, keeper, record, scores
from starter.support.full import train as full
from starter.support.full.checkpoint import LAST, PREVIOUS
from starter.support.full.job import Job, JobError
from starter.support.recipes import Recipe, parts

SHAPE = (1, 8, 8)
EPOCH = 12  # steps: 1,200 of 1,500 digits in batches of 100, a fifth is held out


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    small = partial(Recipe, "ours: small", ("digits",), SHAPE, reported="nothing", epochs=2, batch_size=100)
    made = {
        "vae": small(parts.mlp_vae(SHAPE, 16, 3), pictures=(2,), columns=5),
        "vae-all": small(parts.mlp_vae(SHAPE, 16, 3), held_out=0),
        "vae-best": small(parts.mlp_vae(SHAPE, 16, 3), scored="best"),
        "vae-patient": small(parts.mlp_vae(SHAPE, 16, 3), patience=3, epochs=9),
        "vae-annealed": small(parts.mlp_vae(SHAPE, 16, 3), patience=2, warmup=4, plateau="loss", epochs=9),
        "vae-reported": small(parts.mlp_vae(SHAPE, 16, 3), targets={"digits": {"validation loss": 20.0}}),
        "game": small(parts.mlp_gan(SHAPE, 3, (16,), (16,)), lr=None, held_out=300),
        "game-all": small(parts.mlp_gan(SHAPE, 3, (16,), (16,)), lr=None, held_out=0),
    }
    monkeypatch.setattr(recipes, "RECIPES", made)


@pytest.fixture
def job(tmp_path) -> Job:
    return Job("vae", "digits", tmp_path / "run", "starter", tensorboard=False)


def state(job: Job, name: str = LAST) -> dict:
    return torch.load(job.out / name, weights_only=True)


def same_weights(one: Job, other: Job) -> bool:
    return all(torch.equal(weight, state(other)["model"][name]) for name, weight in state(one)["model"].items())


# ---- what is measured


def test_ssim_is_scikit_images():
    x, y = torch.rand(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = [
        structural_similarity(a.numpy(), b.numpy(), data_range=1.0, channel_axis=0, win_size=7)
        for a, b in zip(x, (x + y) / 2)
    ]
    assert scores.ssim(x, (x + y) / 2).tolist() == pytest.approx(expected, abs=1e-5)


def test_diversity_is_that_of_lab_7():
    from starter.gan import diversity

    x = torch.rand(30, 1, 8, 8)
    assert scores.spread(x, x)["diversity"] == pytest.approx(diversity(x).item(), rel=1e-5)


def test_every_epoch_has_a_point_of_every_curve_that_reports_draw(job):
    curves = full.train(job)["curves"]
    assert curves["validation"]["steps"] == curves["samples"]["steps"] == [EPOCH, 2 * EPOCH]
    for name in ("loss", "reconstruction", "kl", "SSIM", "1 - SSIM", "BCE", "squared error on [-1, 1]"):
        assert None not in curves["validation"][name]
    assert curves["validation"]["1 - SSIM"] == pytest.approx([1 - s for s in curves["validation"]["SSIM"]], abs=1e-4)
    assert None not in curves["samples"]["diversity"] and len(curves["training"]["loss"]) == 2 * EPOCH


def test_where_nothing_is_held_out_every_image_is_learned_and_curves_are_of_test_images(job):
    found = full.train(replace(job, recipe="vae-all"))
    assert found["images"] == {"train": 1500, "held_out": 0, "test": 297}
    assert "validation" not in found["curves"] and len(found["curves"]["test"]["loss"]) == 2
    assert not (job.out / "best.pt").exists()


def test_a_game_with_held_out_images_tells_both_losses_on_them_and_does_not_move(job, monkeypatch):
    seen = {}
    old = scores.mean_terms

    def watched(model, images, size):
        before = [weight.clone() for weight in model.state_dict().values()]
        found = old(model, images, size)
        torch.rand(1)
        assert found == old(model, images, size), "the noise is the same each time"
        assert all(map(torch.equal, before, model.state_dict().values()))
        seen["real"] = len(images)
        return found

    monkeypatch.setattr(scores, "mean_terms", watched)
    curves = full.train(replace(job, recipe="game"))["curves"]
    assert seen["real"] == 300 and set(curves["validation"]) == {"steps", "discriminator", "generator"}
    assert len(curves["validation"]["generator"]) == 2
    assert full.train(replace(job, recipe="game-all", out=job.out / "all"))["images"]["train"] == 1500


def test_losses_of_an_even_game_are_those_of_a_coin():
    game = recipes.recipe("game").build(partial(recipes.lab_module, "starter"))
    for weight in game.discriminator.parameters():
        torch.nn.init.zeros_(weight)
    found = scores.mean_terms(game, data.load("digits", "test"), 100)
    assert found == pytest.approx({"discriminator": 2 * math.log(2), "generator": math.log(2)})


def test_the_discriminator_is_judged_on_real_images_and_on_fakes():
    class Mean(torch.nn.Linear):  # its weights tell where noise is drawn, and nothing else
        def forward(self, x):
            return x.mean(dim=(1, 2, 3)) if x.ndim == 4 else torch.zeros(len(x), *SHAPE)

    game = recipes.recipe("game").build(partial(recipes.lab_module, "starter"))
    game.generator = game.discriminator = Mean(1, 1)  # fakes are grey, real images white
    white = data.Images(torch.full((7, *SHAPE), 16, dtype=torch.uint8), torch.zeros(7), 17, "white")
    expected = {"discriminator": math.log(1 + math.exp(-1)) + math.log(2), "generator": math.log(2)}
    assert scores.mean_terms(game, white, 4) == pytest.approx(expected)


def test_the_weights_with_the_lowest_validation_loss_are_tested_where_the_report_has_it_so(job, monkeypatch):
    losses, chosen = iter([1.0, 5.0]), []
    monkeypatch.setattr(scores, "mean_terms", lambda *_: {"loss": next(losses)})
    monkeypatch.setattr(scores, "test_scores", lambda model, *_: chosen.append(model.state_dict()) or {})
    found = full.train(replace(job, recipe="vae-best"))
    assert found["tested_step"] == EPOCH
    best = state(job, "best.pt")["model"]
    assert all(torch.equal(weight, best[name]) for name, weight in chosen[0].items())


def test_a_loss_that_falls_by_less_than_a_thousandth_has_settled(job, monkeypatch):
    losses = iter([100.0, 99.0, 98.95, 98.92, 98.905, 50.0, 40.0])
    monkeypatch.setattr(scores, "mean_terms", lambda *_: {"loss": next(losses)})
    monkeypatch.setattr(scores, "test_scores", lambda *_: {})
    found = full.train(replace(job, recipe="vae-patient"))
    assert (found["ended"], found["epochs"], found["as_reported"]) == ("settled", 5, True)


def test_epochs_of_a_warm_up_count_for_neither_patience_nor_the_learning_rate(job, monkeypatch):
    """A loss that never falls: with a patience of 2 the run would end behind epoch 3."""
    monkeypatch.setattr(keeper.scores, "mean_terms", lambda *_: {"loss": 1.0})
    monkeypatch.setattr(keeper.scores, "test_scores", lambda *_: {})
    full.train(replace(job, recipe="vae-annealed"))
    assert len(state(job)["history"]["terms"]["loss"]) == (4 + 2) * EPOCH
    assert state(job)["plateau"]["last_epoch"] == 2


def test_a_reported_validation_loss_stands_beside_the_test_scores(job):
    found = full.train(replace(job, recipe="vae-reported"))
    last = found["curves"]["validation"]["loss"][-1]
    assert found["test"]["validation loss"] == pytest.approx(last, abs=1e-2) != found["test"]["loss"]


def test_losses_that_are_compared_have_the_weight_1_and_no_allowance():
    from solutions import beta_vae
    from starter.support import nets

    torch.manual_seed(0)
    model = beta_vae.BetaVAE(nets.mlp_encoder(SHAPE, (8,), 6), nets.mlp_decoder(3, (8,), SHAPE), beta=0.1, floor=5.0)
    found = scores.mean_terms(model, data.load("digits", "test"), 100)
    assert found["loss"] == pytest.approx(found["reconstruction"] + found["kl"]) and found["kl"] < 3 * 5.0
    assert (model.beta, model.floor) == (0.1, 5.0)


def test_curves_have_at_most_200_points_and_keep_the_last():
    assert len(record.thinned(list(range(1, 1001)))) == 200 and record.thinned(list(range(1, 1001)))[-1] == 1000
    means = record.means({"loss": [float(step) for step in range(1, 1001)]})
    assert len(means["loss"]) == 200 and means["steps"][-1] == 1000
    assert means["loss"][0] == 3.0, "the mean of steps 1 to 5"
    assert record.means({"loss": []})["loss"] == [] and record.thinned([]) == []


def test_what_is_not_finite_is_null():
    text = record.dumped({"a": [1.0, math.nan], "b": {"c": math.inf}, 3: None}).decode()
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [1.0, None], "b": {"c": None}, "3": None}


def test_pictures_are_of_the_epochs_and_the_size_that_the_report_shows(job):
    full.train(replace(job, epochs=3))
    assert [path.name for path in sorted((job.out / "samples").iterdir())] == ["step-000024.png", "step-000036.png"]
    with Image.open(job.out / "samples/step-000024.png") as picture:
        assert picture.width == picture.height == (5 * 9 - 1) * gallery.SCALE


# ---- what is kept


def test_the_checkpoint_before_a_damaged_one_is_used_and_a_line_says_so(job, tmp_path, capsys):
    whole = replace(job, out=tmp_path / "whole", steps=20)
    full.train(whole)
    full.train(replace(job, steps=20, save_every=8))
    assert len(state(job, PREVIOUS)["history"]["terms"]["loss"]) == 16
    content = bytearray((job.out / LAST).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    (job.out / LAST).write_bytes(content)
    capsys.readouterr()
    full.train(replace(job, steps=20, resume=True))
    said = capsys.readouterr().out
    assert "last.pt is damaged (the checksum of" in said and f"going on from {job.out / PREVIOUS}" in said
    assert same_weights(job, whole)


def test_a_checkpoint_is_written_after_five_minutes_however_few_steps_they_were(job, monkeypatch):
    monkeypatch.setattr(keeper, "SAVE_AFTER", -1.0)
    monkeypatch.setattr(keeper.Keeper, "results", lambda *_: {})
    monkeypatch.setattr(keeper.Keeper, "watch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        full.train(job)
    assert len(state(job)["history"]["terms"]["loss"]) == EPOCH - 1


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def half(path, content):
        with path.open("wb") as file:
            file.write(content[:3])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    runs.replace(tmp_path / "file", b"old")
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError):
        runs.replace(tmp_path / "file", b"newer", before=tmp_path / "before")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"old"


def test_drafts_of_a_process_that_was_killed_are_removed_by_the_next(job):
    job.out.mkdir()
    (job.out / f".{LAST}.4711").write_bytes(b"half")
    full.train(replace(job, steps=1))
    assert not list(job.out.glob(".*.4711")) and (job.out / LAST).exists()


def test_a_folder_belongs_to_one_process(job, monkeypatch):
    monkeypatch.setattr(folder, "TRIES", 1)
    with folder.mine(job.out), pytest.raises(JobError, match="another process is at work in .*run: wait for it"):
        full.train(job)


def test_a_test_score_that_is_not_finite_is_a_failure(job, monkeypatch, capsys):
    monkeypatch.setattr(scores, "test_scores", lambda *_: {"loss": math.nan, "SSIM": 0.5})
    assert cli.reported(replace(job, steps=1)) == 1
    assert "test: loss is not finite" in capsys.readouterr().err
    assert json.loads((job.out / "results.json").read_text())["test"] == {"loss": None, "SSIM": 0.5}


@pytest.mark.parametrize("unstable", [False, True])
def test_a_run_that_became_nan_leaves_its_curves_and_is_as_reported_only_where_the_report_says_so(
    job, monkeypatch, capsys, unstable
):
    monkeypatch.setitem(recipes.RECIPES, "vae", replace(recipes.recipe("vae"), unstable=unstable))
    descent = training.descent

    def poisoned(*given, **named):
        update = descent(*given, **named)
        return lambda x, y: update(x, y)._replace(kl=torch.tensor(math.nan if job.out.exists() else 1.0))

    monkeypatch.setattr(training, "descent", poisoned)
    assert cli.reported(job) == (0 if unstable else 1)
    assert ("could not train it to the end either" in capsys.readouterr().err) is unstable
    found = json.loads((job.out / "results.json").read_text(), parse_constant=pytest.fail)
    assert found["ended"] == "step 1: kl is nan" and found["as_reported"] is unstable


def test_the_work_of_all_calls_is_counted(job, monkeypatch):
    monkeypatch.setattr(keeper.time, "process_time", lambda: 100.0)
    assert full.train(replace(job, steps=3))["cpu_seconds"] == 100.0
    assert full.train(replace(job, steps=6, resume=True))["cpu_seconds"] == 200.0
    kept = state(job)
    del kept["kept"]["cpu"]
    torch.save(kept, job.out / LAST)
    assert full.train(replace(job, steps=9, resume=True))["cpu_seconds"] is None, "of an older version"


def test_a_commit_is_marked_where_the_code_is_another_and_not_where_results_are(tmp_path, monkeypatch):
    def git(*arguments: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", "-C", str(tmp_path), *named, *arguments], capture_output=True, text=True).stdout

    monkeypatch.setattr(record.data, "course", lambda: tmp_path)
    assert record.commit() is None
    for name in ("starter/vae.py", "RESULTS.md"):
        runs.replace(tmp_path / name, b"one")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert record.commit() == git("rev-parse", "--short=10", "HEAD").strip()
    (tmp_path / "RESULTS.md").write_text("two")
    assert "dirty" not in record.commit()
    (tmp_path / "starter/vae.py").write_text("two")
    assert record.commit().endswith("-dirty")


# ---- what is asked for


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "game", "clip": 1.0}, "--clip: game is a game, whose networks have steps of their own"),
        ({"recipe": "game", "patience": 3}, "--patience: game has no validation loss that could stop falling"),
        ({"recipe": "vae-all", "patience": 3}, "--patience: vae-all has no validation loss"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(job, change, words):
    with pytest.raises(JobError, match=words):
        full.train(replace(job, **change))
    assert not job.out.exists()


@pytest.mark.parametrize("recipe", ["vae", "game"])
def test_a_learning_rate_that_is_asked_for_is_that_of_every_network(job, recipe, capsys):
    full.train(replace(job, recipe=recipe, lr=0.0125, steps=1))
    rates = [group["lr"] for kept in state(job)["optimizers"].values() for group in kept["param_groups"]]
    assert set(rates) == {0.0125}
    with pytest.raises(JobError, match="last.pt is of another run: lr 0.0125 there, None asked for"):
        full.train(replace(job, recipe=recipe, steps=2, resume=True))


def test_what_changed_since_the_run_was_stopped_is_said_and_recorded(job, capsys):
    full.train(replace(job, steps=3))
    capsys.readouterr()
    found = full.train(replace(job, steps=6, clip=2.0, resume=True))
    said = capsys.readouterr().out
    assert "--clip was None until step 3, and is 2.0 from now on" in said
    assert "--steps was 3 until step 3, and is 6 from now on" in said
    assert [(session["step"], session["settings"]["clip"]) for session in found["sessions"]] == [(0, None), (3, 2.0)]


def test_another_number_of_processes_is_named_as_what_it_is(job):
    full.train(replace(job, steps=1))
    kept = state(job)
    kept["run"] |= {"processes": 2, "images in a batch": 200}
    torch.save(kept, job.out / LAST)
    with pytest.raises(JobError, match="last.pt is of another run: processes 2 there, 1 asked for"):
        full.train(replace(job, resume=True))


def test_a_run_says_at_its_start_what_it_will_do(job, capsys):
    full.train(replace(job, seconds=500.0, impl=None, precision="float32"))
    said = capsys.readouterr().out
    assert "vae on digits: 2,294 parameters; 1,200 images to learn, 300 held out, 297 to test" in said
    assert "24 steps (2 epochs of 12), at most 500 s, batches of 100; cpu, " in said
    assert f"float32, modules of starter/; {job.out}" in said


def test_blanks_of_yours_are_filled_by_the_reference_and_a_line_says_so(job, monkeypatch, capsys):
    def empty(*_, **__):
        raise NotImplementedError("vae-8")

    monkeypatch.setattr("starter.vae.vae_terms", empty)
    found = full.train(replace(job, impl=None, steps=1))
    said = capsys.readouterr().out
    assert "still blank in starter/: vae-8; the modules of solutions/ are taken" in said
    assert found["settings"]["impl"] == "solutions"
    monkeypatch.setattr(assemble.importlib.util, "find_spec", lambda name: name == "starter" or None)
    with pytest.raises(JobError, match="vae: still blank in starter/: vae-8: fill what it needs"):
        full.train(replace(job, impl=None, out=job.out / "none"))


def test_the_bar_counts_seconds_where_they_are_the_budget(job, monkeypatch):
    bars = []
    budget = training.budget
    monkeypatch.setattr(training, "budget", lambda *given: bars.append((budget(*given), given)) or bars[-1][0])
    full.train(replace(job, steps=2, seconds=500.0))
    assert bars[0][0].total == 500.0 and bars[0][1] == (500.0, 0.0)


def test_the_command_of_report_004_trains_both_of_its_models(monkeypatch, tmp_path):
    monkeypatch.setattr(recipes, "RECIPES", {name: recipes.recipe("vae") for name in ("gan-mlp", "vae-mlp")})
    jobs = []
    monkeypatch.setattr(cli, "reported", lambda job: jobs.append(job) or 0)
    assert cli.train(["--model", "both", "--epochs", "50", "--out", str(tmp_path)]) == 0
    assert [(job.recipe, job.epochs, job.print_every) for job in jobs] == [("gan-mlp", 50, 400), ("vae-mlp", 50, 400)]
    assert len({job.out for job in jobs}) == 2
    assert cli.train(["--model", "gan"]) == 0 and (jobs[-1].recipe, jobs[-1].epochs) == ("gan-mlp", None)


def test_losses_are_printed_every_so_many_steps(job, capsys):
    full.train(replace(job, steps=10, print_every=4))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line.split(":")[0] for line in said] == ["epoch 0.33, step 4 of 10", "epoch 0.67, step 8 of 10"]
    assert "kl " in said[0]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "make room there, or name another place with --out"), (errno.EROFS, ": name another place")],
)
def test_advice_fits_the_trouble(job, monkeypatch, capsys, number, advice):
    def trouble(_):
        raise OSError(number, os.strerror(number), str(job.out))

    monkeypatch.setattr(full, "train", trouble)
    assert cli.reported(job) == 2 and advice in (said := capsys.readouterr().err)
    assert ("make room" in said) == (number == errno.ENOSPC)


def test_a_model_without_scores_ends_without_an_empty_list(job, monkeypatch, capsys):
    monkeypatch.setattr(full, "train", lambda _: {"steps": 1, "seconds": 2.0, "test": {}, "ended": "trained"})
    assert cli.reported(job) == 0
    assert capsys.readouterr().out == f"vae on digits: 1 steps in 2 s; {job.out}\n"


def test_of_several_processes_the_first_complains_before_the_others(monkeypatch):
    waited = []
    monkeypatch.setattr(cli.time, "sleep", waited.append)
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        assert cli.train(["--recipe", "vea"]) == 2 and waited == [cli.WAIT] * int(rank)
