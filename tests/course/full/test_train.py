"""Full-size training: a run can be stopped anywhere and goes on bit for bit; trouble is one line."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from grading.content.overlay import ROOT
from starter.support import data, recipes, runs, training
from starter.support.coupling_nets import GatedConvNet
from starter.support.full import cli, gallery, keeper
from starter.support.full import train as full
from starter.support.full.job import Job, JobError
from starter.support.full.parallel import own_device
from starter.support.nets import mlp_decoder, mlp_encoder
from starter.support.recipes import Recipe, parts


def tiny_autoencoder(lab):
    shape = (1, 8, 8)
    return lab("autoencoder").Autoencoder(mlp_encoder(shape, (16,), 4), mlp_decoder(4, (16,), shape))


def tiny_beta(lab):
    return lab("beta_vae").BetaVAE(mlp_encoder((1, 8, 8), (16,), 6), mlp_decoder(3, (16,), (1, 8, 8)))


class Game(nn.Module):
    """All that pictures want of one."""

    latent_dim = 3

    def sample(self, z):
        return z.sum(dim=1)[:, None, None, None].sigmoid().expand(-1, 1, 8, 8)


class Labelled(nn.Module):
    latent_dim, n_classes = 2, 3

    def sample(self, z, y):
        return y.float()[:, None, None, None].expand(-1, 1, 2, 2) + 0 * z[:, :1, None, None]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Systems that train in a second."""
    made = {
        "ae-tiny": Recipe("ours: small", ("digits",), (1, 8, 8), tiny_autoencoder, "nothing", epochs=2, batch_size=100),
        "vae-tiny": Recipe(
            "ours: small",
            ("digits",),
            (1, 8, 8),
            parts.mlp_vae((1, 8, 8), 16, 3),
            "nothing",
            epochs=2,
            batch_size=100,
            schedule="linear-10-epochs",
            plateau="loss",
        ),
    }
    monkeypatch.setattr(recipes, "RECIPES", recipes.RECIPES | made)


@pytest.fixture
def job(tmp_path) -> Job:
    return Job("vae-tiny", "digits", tmp_path / "run", "starter", steps=30, tensorboard=False)


def state(job: Job) -> dict:
    return torch.load(job.out / "last.pt", weights_only=True)


def test_sigterm_ends_a_run_with_a_checkpoint_that_goes_on(job, monkeypatch, capsys):
    steps = []
    monkeypatch.setattr(
        full.Keeper,
        "between",
        lambda self, step: steps.append(step) or (os.kill(os.getpid(), signal.SIGTERM) if step == 7 else None),
    )
    assert cli.reported(job) == 130 and "stopped; --resume goes on" in capsys.readouterr().err
    assert json.loads((job.out / "results.json").read_text())["ended"] == "stopped"
    assert list(job.out.glob("samples/*.png"))
    assert steps[-1] in (7, 8) and len(state(job)["history"]["terms"]["loss"]) == steps[-1]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    full.train(replace(job, resume=True))
    assert steps[-1] == 30


def test_a_run_leaves_results_pictures_and_the_best_weights(job):
    found = full.train(replace(job, tensorboard=True))
    assert found == json.loads((job.out / "results.json").read_text(), parse_constant=pytest.fail), (
        "no Infinity, no NaN"
    )
    assert found["steps"] == 30 and found["parameters"] == 64 * 16 + 16 + 16 * 6 + 6 + 3 * 16 + 16 + 16 * 64 + 64
    assert {"loss", "kl", "squared error on [-1, 1]", "SSIM"} <= found["test"].keys()
    assert found["environment"]["torch"] == torch.__version__ and found["settings"]["seed"] == 0
    names = {path.relative_to(job.out).as_posix() for path in job.out.rglob("*.png")}
    assert {"samples/step-000030.png", "reconstructions/step-000030.png", "interpolation.png", "traversal.png"} <= names
    assert torch.load(job.out / "best.pt", weights_only=True)["recipe"] == "vae-tiny"
    assert list((job.out / "tensorboard").iterdir())


def test_the_best_weights_are_those_of_the_lowest_validation_loss_and_patience_ends_the_run(job, monkeypatch):
    losses = iter([5.0, 3.0, 4.0, 4.0, 1.0])
    monkeypatch.setattr(keeper.scores, "mean_terms", lambda *_: {"loss": next(losses)})
    monkeypatch.setattr(keeper.scores, "test_scores", lambda *_: {})
    full.train(replace(job, steps=1000, patience=2))
    best = torch.load(job.out / "best.pt", weights_only=True)
    assert best["step"] == 2 * 12 and len(state(job)["history"]["terms"]["loss"]) == 4 * 12


def test_beta_follows_the_schedule_of_the_recipe_across_a_stop(job):
    full.train(replace(job, steps=13))
    full.train(replace(job, steps=27, resume=True))
    terms = state(job)["history"]["terms"]
    beta = [(loss - nll) / kl for loss, nll, kl in zip(terms["loss"], terms["reconstruction"], terms["kl"])]
    assert beta == pytest.approx([step / 120 for step in range(27)], abs=1e-3)


def test_the_gradient_is_clipped(job):
    sizes = []
    hook = torch.optim.Adam.step

    def step(self, *args, **kwargs):
        sizes.append(math.hypot(*(w.grad.norm() for group in self.param_groups for w in group["params"])))
        return hook(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", step)
        full.train(replace(job, steps=3, clip=0.01))
    assert sizes == pytest.approx([0.01] * 3, rel=1e-3)


def test_nan_stops_the_run_and_keeps_the_last_checkpoint(job, monkeypatch, capsys):
    full.train(replace(job, steps=5))
    before = (job.out / "last.pt").read_bytes()
    descent = training.descent

    def poisoned(*given, **named):
        update = descent(*given, **named)
        return lambda x, y: update(x, y)._replace(kl=torch.tensor(math.nan))

    monkeypatch.setattr(training, "descent", poisoned)
    assert cli.reported(replace(job, resume=True)) == 1
    said = capsys.readouterr().err
    assert "step 6: kl is nan" in said and "the last checkpoint is" in said and said.count("\n") == 1
    assert (job.out / "last.pt").read_bytes() == before


def test_a_full_disk_is_one_line_and_loses_no_checkpoint(job, monkeypatch, capsys):
    full.train(replace(job, steps=5))
    before = (job.out / "last.pt").read_bytes()

    def no_room(path, data, before=None):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("starter.support.full.checkpoint.replace", no_room)
    assert cli.reported(replace(job, resume=True)) == 2
    assert "No space left on device: make room" in (said := capsys.readouterr().err) and "is kept: --resume" in said
    assert (job.out / "last.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "vae-tyni"}, "there is no recipe 'vae-tyni'; did you mean vae-tiny"),
        ({"resume": True}, "there is no .*last.pt; leave --resume out"),
        ({"device": "cuda:7"}, "has no CUDA device"),
        ({"device": "gpu"}, "--device gpu: torch .* has none here: take auto, cpu or cuda"),
        ({"batch_size": 5000}, "a batch of 5000 is more than the 1200 images"),
    ],
)
def test_what_cannot_start_says_why(job, monkeypatch, change, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(JobError, match=words):
        full.train(replace(job, **change))
    assert not job.out.exists()


def test_colours_do_not_become_grey_in_silence(job):
    colour = data.Images(torch.zeros(9, 3, 8, 8, dtype=torch.uint8), torch.zeros(9), 256, "colour")
    with pytest.raises(
        JobError, match=r"vae-tiny takes grey images \(1, 8, 8\), those of digits have colours: take digits"
    ):
        full.fitted(colour, recipes.recipe("vae-tiny"), job)


def test_a_run_is_never_overwritten_by_accident(job):
    full.train(replace(job, steps=1))
    with pytest.raises(JobError, match="holds a run: add --resume"):
        full.train(job)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "ae-tiny"}, "recipe vae-tiny there, ae-tiny asked for"),
        ({"data": "digits16"}, "data digits there, digits16 asked for"),
        ({"seed": 3}, "seed 0 there, 3 asked for"),
        ({"batch_size": 50}, "images in a batch 100 there, 50 asked for"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(job, change, words):
    full.train(replace(job, steps=1))
    with pytest.raises(JobError, match=f"last.pt is of another run: {words}: name another folder"):
        full.train(replace(job, resume=True, **change))


def flipped(content: bytes) -> bytes:
    """64 bytes of some weights are others."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 64]) + content[middle + 64 :]


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[:100], lambda b: b[:-2000], lambda b: b"x" * 5000, flipped]
)
def test_a_damaged_checkpoint_is_one_line(job, damage):
    full.train(replace(job, steps=1))
    path = job.out / "last.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(JobError, match="last.pt is damaged"):
        full.train(replace(job, resume=True))


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("model", {"encoder.1.weight": torch.zeros(2)}, "[Mm]issing key"),
        ("optimizers", {"adam": 3}, "copy"),
        ("optimizers", {}, "'adam'"),
        ("noise", [torch.zeros(3)], "ByteTensor"),
        ("history", "x", "items"),
    ],
)
def test_a_checkpoint_with_something_else_inside_is_one_line(job, part, value, words):
    full.train(replace(job, steps=1))
    torch.save(state(job) | {part: value}, job.out / "last.pt")
    with pytest.raises(JobError, match=f"does not fit vae-tiny as it is now .*{words}.*: delete it") as wrong:
        full.train(replace(job, resume=True))
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "one of the arguments --recipe --model is required"),
        (["--recipe", "vae-tyni"], "there is no recipe 'vae-tyni'; did you mean vae-tiny?"),
        (["--recipe", "vae-tiny", "--steps", "0"], "--steps: must be a whole number of at least 1, not '0'"),
        (["--recipe", "vae-tiny", "--epochs", "1.5"], "--epochs: must be a whole number of at least 1, not '1.5'"),
        (["--recipe", "vae-tiny", "--seconds", "-3"], "--seconds: must be a number above 0, not '-3'"),
        (["--recipe", "vae-tiny", "--clip", "nan"], "--clip: must be a number above 0, not 'nan'"),
        (["--recipe", "vae-tiny", "--data", "digit"], "there is no data set 'digit': did you mean digits"),
        (["--recipe", "vae-tiny", "--data", "mnist"], "prepare it with: python datasets/prepare.py mnist"),
        (["--recipe", "vae-tiny", "--stepps", "3"], "unrecognized arguments: --stepps 3"),
    ],
)
def test_wrong_use_is_one_line_and_two(given, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATASETS_CACHE", str(tmp_path))
    try:
        code = cli.train(given)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2 and words in said and said.count("\n") == 1


def test_a_place_that_nothing_can_be_written_to_is_found_before_the_training(job, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(full, "run", None)
    assert cli.reported(replace(job, out=tmp_path / "file")) == 2
    said = capsys.readouterr().err
    assert "file: File exists: name another place with --out" in said and "kept" not in said


def test_a_checkpoint_runs_no_code(job):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(job.out / "owned"),))

    full.train(replace(job, steps=1))
    torch.save({"recipe": Evil()}, job.out / "last.pt")
    with pytest.raises(JobError, match="damaged"):
        full.train(replace(job, resume=True))
    assert not (job.out / "owned").exists()


def test_blanks_are_named_before_anything_is_written(job, tmp_path):
    """With the stubs of the repository, in a process of its own: here `starter` is the reference."""

    code = "from starter.support.full import cli; import sys; sys.exit(cli.train(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--recipe", "vae-mlp", "--data", "digits", "--out", str(tmp_path / "x")]
    command += ["--impl", "starter"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    if "NotImplementedError" in (ROOT / "starter/vae.py").read_text():
        assert run.returncode == 2 and "vae-1, vae-2" in run.stderr and "--impl solutions" in run.stderr
    assert not (tmp_path / "x").exists() or run.returncode == 0


def wgan(lab):
    return parts.conv_wgan((1, 8, 8), 3, (8,), n_critic=5)(lab)


def flow(lab):
    return lab("realnvp").multiscale((1, 8, 8), 17, GatedConvNet, (4, 4, 4), (1, 1, 1))


@pytest.mark.parametrize(
    ("build", "settings", "blank"),
    [
        (tiny_autoencoder, {}, "autoencoder.reconstruction_loss"),
        (parts.mlp_vae((1, 8, 8), 16, 3), {"schedule": "linear-10-epochs"}, "beta_vae.linear_warmup"),
        (tiny_beta, {"schedule": "free-bits-0.5"}, "beta_vae.free_bits"),
        (wgan, {"lr": None}, "wgan_gp.generator_loss"),
        (flow, {}, "realnvp.coupling_inverse"),  # only samples need it
    ],
)
def test_a_blank_is_found_before_the_run_that_would_call_it_late(job, monkeypatch, build, settings, blank):
    def empty(*_, **__):
        raise NotImplementedError("the-task")

    monkeypatch.setitem(
        recipes.RECIPES, "x", Recipe("ours: x", ("digits",), (1, 8, 8), build, "", epochs=1, **settings)
    )
    monkeypatch.setattr(f"starter.{blank}", empty)
    with pytest.raises(JobError, match="x: still blank in starter/: the-task: fill what it needs"):
        full.train(replace(job, recipe="x"))
    assert not job.out.exists()


def test_two_processes_give_the_curve_of_one_with_the_doubled_batch(job, tmp_path):
    """An autoencoder without noise and without batch normalisation: shares of a batch must add up to the batch."""
    one = replace(job, recipe="ae-tiny", batch_size=100, steps=20, precision="float32")
    full.train(one)
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from starter.support import recipes\nfrom starter.support.full.job import Job\n"
        "from starter.support.full.train import train\nfrom starter.support.nets import mlp_decoder, mlp_encoder\n"
        "def build(lab):\n    shape = (1, 8, 8)\n"
        "    return lab('autoencoder').Autoencoder(mlp_encoder(shape, (16,), 4), mlp_decoder(4, (16,), shape))\n"
        "recipes.RECIPES['ae-tiny'] = recipes.Recipe('ours: x', ('digits',), (1, 8, 8), build, '', epochs=2)\n"
        "settings = {'batch_size': 50, 'steps': 20, 'tensorboard': False, 'precision': 'float32'}\n"
        "train(Job('ae-tiny', 'digits', Path(sys.argv[1]), 'starter', **settings))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [*command, str(tmp_path / "two")], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr  # the processes speak first, torchrun last
    two = replace(one, out=tmp_path / "two")
    losses = [state(which)["history"]["terms"]["loss"] for which in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, weight in state(one)["model"].items():
        torch.testing.assert_close(state(two)["model"][name], weight, rtol=1e-4, atol=1e-6)


def test_every_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert own_device("cuda") == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own_device("cuda") == "cuda:3" and own_device("cpu") == "cpu"


def test_pictures_come_from_what_a_model_can_do():
    x = torch.rand(20, 1, 8, 8)
    ae, game = tiny_autoencoder(partial(recipes.lab_module, "starter")), Game()
    assert gallery.reconstructions(game, x) is None and gallery.traversal(game, x) is None
    assert gallery.samples(ae, x, 3) is None and gallery.grid(ae, x) is None
    assert gallery.samples(game, x, 7).shape == (7, 1, 8, 8) and gallery.grid(game, x).shape == (100, 1, 8, 8)
    assert gallery.interpolation(game, x).shape == (100, 1, 8, 8)
    assert gallery.reconstructions(ae, x)[:10].equal(x[:10])


def test_an_autoencoder_interpolates_between_its_reconstructions():
    x, ae = torch.rand(20, 1, 8, 8), tiny_autoencoder(partial(recipes.lab_module, "starter"))
    rows = gallery.interpolation(ae, x).unflatten(0, (10, 10))
    torch.testing.assert_close(rows[:, [0, -1]].flatten(0, 1), ae.reconstruct(x))


def test_a_flow_vae_interpolates_behind_its_flow():
    lab = partial(recipes.lab_module, "starter")
    nets = mlp_encoder((1, 8, 8), (16,), 6), mlp_decoder(3, (16,), (1, 8, 8))
    x, vae = torch.rand(20, 1, 8, 8), lab("flow_vae").FlowVAE(*nets, lab("flow_vae").planar_flows(3, 2))
    torch.testing.assert_close(gallery.interpolation(vae, x)[0], vae.reconstruct(x)[0])


def test_a_traversal_moves_one_number_of_a_code_in_each_row():
    x, ae = torch.rand(20, 1, 8, 8), tiny_autoencoder(partial(recipes.lab_module, "starter"))
    ae.images = lambda z: z[:, :, None, None]
    z = gallery.traversal(ae, x)[..., 0, 0].unflatten(0, (-1, 10))
    assert ((z != z[:, :1]).any(dim=1).sum(dim=1) == 1).all() and len(z) == 4


def test_a_square_between_noises_has_them_in_its_corners_and_no_noise_less_likely():
    noises = []

    class Shown(Game):
        def sample(self, z):
            noises.append(z)
            return super().sample(z)

    Shown.latent_dim = 4000
    gallery.interpolation(Shown(), torch.rand(20, 1, 8, 8))
    z = noises[0].unflatten(0, (10, 10))
    torch.testing.assert_close(z.square().mean(dim=2), torch.ones(10, 10), rtol=0.15, atol=0)
    corners = z[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (torch.corrcoef(corners) - torch.eye(4)).abs().max() < 0.1


def test_labels_go_round_in_samples_and_are_the_rows_of_a_grid():
    model, x = Labelled(), torch.zeros(2, 1, 2, 2)
    assert gallery.samples(model, x, 7)[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    for picture in (gallery.grid, gallery.interpolation):
        assert picture(model, x)[:, 0, 0, 0].tolist() == [0] * 10 + [1] * 10 + [2] * 10


@pytest.mark.parametrize(
    ("asked", "reported", "steps"),
    [
        ({}, {"epochs": 3}, 30),
        ({}, {"steps": 7}, 7),
        ({"epochs": 2}, {"steps": 7}, 20),
        ({"steps": 5, "epochs": 2}, {"epochs": 3}, 5),
    ],
)
def test_a_run_is_as_long_as_asked_or_else_as_reported(job, asked, reported, steps):
    job, recipe = replace(job, **{"steps": None, **asked}), replace(recipes.recipe("ae-tiny"), epochs=None)
    assert full.total_steps(job, replace(recipe, **reported), epoch=10) == steps


def test_a_run_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a" / "file"
    runs.replace(path, b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full", str(path))))
    with pytest.raises(OSError):
        runs.replace(path, b"new")
    assert path.read_bytes() == b"old"
