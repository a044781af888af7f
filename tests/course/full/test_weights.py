"""Weights of finished runs: what samples is kept, small, and draws the same images again."""

import json
from pathlib import Path

import pytest
import torch

from grading.content.overlay import ROOT
from starter.support import data, full, recipes
from starter.support.full import cli, load, previews, weights
from starter.support.full.job import JobError
from starter.support.nets import mlp_decoder, mlp_discriminator, mlp_encoder, mlp_generator
from starter.support.recipes import Recipe, parts
from starter.support.velocity_nets import UNet

SHAPE = (1, 8, 8)


def autoencoder(lab):
    return lab("autoencoder").Autoencoder(mlp_encoder(SHAPE, (16,), 4), mlp_decoder(4, (16,), SHAPE))


def vae(lab):
    return lab("vae").VAE(mlp_encoder(SHAPE, (16,), 6), mlp_decoder(3, (16,), SHAPE))


def gan(lab):
    return lab("gan").GAN(mlp_generator(5, (16,), SHAPE), mlp_discriminator(SHAPE, (16,)), 5)


def conditional(lab):
    cgan = lab("conditional_gan")
    shape = (1, 16, 16)
    generator = cgan.conditional_generator(shape, 5, 10, (8, 6, 4))
    discriminator = cgan.ConditionalDiscriminator(shape, 10, cgan.halving(2, (4, 8)))
    return cgan.ConditionalGAN(generator, discriminator, 5, ema=0.9)


def flow(lab):
    return lab("realnvp").two_nets(SHAPE, 17, hidden=4, count=2)


def flow_matching(lab):
    return lab("flow_matching").FlowMatching(UNet(SHAPE, 10, channels=4), SHAPE, ema=0.9, steps=2)


def vqvae(lab):
    return parts.vqvae(SHAPE, 8, 3, 4, prior={"channels": 4, "blocks": 1})(lab)


BUILDS = {
    **{"ae": autoencoder, "vae": vae, "gan": gan, "cgan": conditional},
    **{"realnvp": flow, "fm": flow_matching, "vqvae": vqvae},
}
SHAPES = {"cgan": (1, 16, 16)}


@pytest.fixture(autouse=True)
def known(monkeypatch, tmp_path):
    """Tiny systems, and a repository of their own."""
    made = {
        f"{name}-tiny": Recipe(
            data=("digits",), shape=SHAPES.get(name, SHAPE), build=build, reported="", source="ours", epochs=1
        )
        for name, build in BUILDS.items()
    }
    monkeypatch.setattr(recipes, "RECIPES", made)
    monkeypatch.setattr(data, "course", lambda: tmp_path / "repository")


def run(home: Path, name: str, tested: int = 30) -> torch.nn.Module:
    """A finished run of 30 steps with random weights; the model whose weights were tested."""
    folder = home / f"{name}-digits"
    folder.mkdir(parents=True)
    for file, step in (("last.pt", 30), ("best.pt", 20)):
        torch.manual_seed(step)
        model = recipes.build(name).eval()
        for key, value in model.state_dict().items():
            if key.endswith(("running_mean", "running_var")):
                value.uniform_(0.5, 1.5)
        torch.save({"recipe": name, "step": step, "model": model.state_dict()}, folder / file)
        if step == tested:
            chosen = model
    result = {"recipe": name, "data": "digits", "steps": 30, "tested_step": tested}
    (folder / "results.json").write_text(json.dumps(result))
    return chosen


@pytest.mark.parametrize("name", [f"{name}-tiny" for name in BUILDS])
def test_what_is_kept_draws_the_images_of_the_trained_model(name, tmp_path, capsys):
    model = run(tmp_path, name)
    assert cli.keep([f"{name}-digits", "--home", str(tmp_path)]) == 0
    assert f"{name}-digits.safetensors: 0.0" in capsys.readouterr().out
    kept = load(name, "digits")
    torch.manual_seed(0)
    z = kept.noise(12)
    x = kept.sample(z)
    y = (torch.arange(12) % 10,) if name.startswith(("cgan", "fm")) else ()
    with torch.no_grad():
        expected = model.sample(z, *y) if hasattr(model, "sample") else model.images(z)
    assert x.shape == (12, *recipes.RECIPES[name].shape) and 0 <= x.min() and x.max() <= 1
    torch.testing.assert_close(x, expected, atol=1 / 16 if name.startswith("realnvp") else 2e-3, rtol=0)


@pytest.mark.parametrize("name", [f"{name}-tiny" for name in BUILDS])
def test_a_preview_walks_from_a_sample_to_another_one(name, tmp_path):
    run(tmp_path, name)
    cli.keep([f"{name}-digits", "--home", str(tmp_path)])
    kept, rows, count = load(name, "digits"), previews.read(name, "digits"), previews.COUNT
    assert rows.shape == (previews.STEPS, count, 3, *recipes.RECIPES[name].shape[1:])
    if name == "ae-tiny":
        x = data.load("digits", "test").pixels(slice(2 * count))
        first, last = kept.model.reconstruct(x).clamp(0, 1).chunk(2)
    else:
        torch.manual_seed(0)
        ends = kept.noise(count), kept.noise(count)  # a turn by 90 degrees leads from the one to the other
        first, last = (kept.sample(z, torch.arange(count)) for z in ends)
    for row, expected in ((rows[0], first), (rows[-1], last)):
        near = 1 / 16 if name.startswith("realnvp") else 1 / 100
        torch.testing.assert_close(row, expected.expand_as(row), atol=near, rtol=0)


@pytest.mark.parametrize("name", [f"{name}-tiny" for name in BUILDS])
def test_what_is_drawn_is_samples_of_their_own_noise(name, tmp_path, capsys):
    run(tmp_path, name)
    cli.keep([f"{name}-digits", "--home", str(tmp_path)])
    if name == "ae-tiny":
        assert previews.DRAWN_FOLDER not in capsys.readouterr().out  # nobody can draw its codes
        return
    kept, images = load(name, "digits"), previews.drawn(name, "digits")
    torch.manual_seed(0)
    expected = kept.sample(kept.noise(previews.DRAWN))
    near = 1 / 16 if name.startswith("realnvp") else 1 / 500
    torch.testing.assert_close(images, expected, atol=near, rtol=0)


def test_what_is_no_preview_is_one_line(capsys):
    previews.show("vae-tiny", "mnist")
    assert capsys.readouterr().out == "Not shown: there is no preview of vae-tiny on mnist\n"


def test_samples_of_all_families_stand_beside_each_other_and_what_is_not_here_is_said(monkeypatch, capsys):
    monkeypatch.setattr(data, "course", lambda: ROOT)
    shown, slid = [], []
    monkeypatch.setattr("starter.support.plots.rows", lambda rows, title, says: shown.append((rows, title)))
    monkeypatch.setattr("starter.support.widgets.flip", lambda rows, name: slid.append(rows))
    full.beside(images := full.drawn(), "All")
    assert [*images] == [*previews.FAMILIES] and shown[0][1] == "All" and not capsys.readouterr().out
    assert {len(row) for row in shown[0][0].values()} == {previews.COUNT}
    assert torch.equal(slid[0][7], torch.stack([own[7] for own in images.values()]))  # at each place one of each
    monkeypatch.setattr(previews, "DRAWN_FOLDER", "nowhere")
    full.beside(full.drawn(), "None")
    assert capsys.readouterr().out.startswith("Not shown: there are no samples of VAE, β-VAE, ") and len(shown) == 1


def test_only_what_samples_is_kept_in_half_precision(tmp_path):
    from safetensors.torch import load_file

    dropped = {"vae-tiny": "encoder", "gan-tiny": "discriminator", "ae-tiny": "nothing", "fm-tiny": "net."}
    dropped |= {"cgan-tiny": ("discriminator", "generator."), "vqvae-tiny": "encoder"}  # an average draws for cgan
    for name, part in dropped.items():
        whole = run(tmp_path, name).state_dict()
        numbers = load_file(weights.keep(tmp_path / f"{name}-digits"))
        assert numbers.keys() == {key for key in whole if not key.startswith(part)}
        assert {value.dtype for value in numbers.values()} <= {torch.float16, torch.int64}
    with pytest.raises(AttributeError, match="encoder"):
        load("vae-tiny", "digits").model.reconstruct(torch.zeros(1, *SHAPE))
    assert load("ae-tiny", "digits").model.reconstruct(torch.zeros(1, *SHAPE)).shape == (1, *SHAPE)


def test_the_weights_that_were_tested_are_kept(tmp_path):
    best = run(tmp_path, "vae-tiny", tested=20)
    weights.keep(tmp_path / "vae-tiny-digits")
    kept = load("vae-tiny", "digits").model.decoder.state_dict()
    torch.testing.assert_close(kept, best.decoder.state_dict(), atol=1e-3, rtol=1e-3)


def test_weights_that_are_not_there_are_one_line_that_lists_those_that_are(tmp_path):
    with pytest.raises(JobError, match="^there are no weights of vae-tiny on digits: they come with the rep"):
        load("vae-tiny", "digits")
    for name in ("vae-tiny", "gan-tiny"):
        run(tmp_path, name)
        weights.keep(tmp_path / f"{name}-digits")
    with pytest.raises(JobError, match="^there are no weights of vae on mnist: there are gan-tiny-digits, vae-tiny-di"):
        load("vae", "mnist")


def test_a_file_that_does_not_fit_is_one_line(tmp_path, monkeypatch):
    run(tmp_path, "vae-tiny")
    path = weights.keep(tmp_path / "vae-tiny-digits")
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(JobError, match="vae-tiny-digits.safetensors is damaged, or not of vae-tiny as it is now"):
        load("vae-tiny", "digits")
    path.write_bytes(whole)
    monkeypatch.setitem(recipes.RECIPES, "vae-tiny", recipes.RECIPES["gan-tiny"])
    with pytest.raises(JobError, match="is not of vae-tiny as it is now"):
        load("vae-tiny", "digits")


def test_where_a_learners_blanks_are_empty_the_reference_builds_the_model(monkeypatch):
    asked = []

    def build(lab):
        asked.append(lab("vae").__name__)
        if asked[-1].startswith("starter"):
            raise NotImplementedError("vae-1")
        return "the model"

    recipe = Recipe(data=("digits",), shape=SHAPE, build=build, reported="", source="ours", epochs=1)
    monkeypatch.setitem(recipes.RECIPES, "half-blank", recipe)
    assert weights.built("half-blank", None) == "the model" and asked == ["starter.vae", "solutions.vae"]
    with pytest.raises(JobError, match="half-blank: still blank in starter/: vae-1"):
        weights.built("half-blank", "starter")


def test_a_model_with_blanks_names_them(tmp_path, monkeypatch):
    run(tmp_path, "vae-tiny")
    weights.keep(tmp_path / "vae-tiny-digits")

    def blank(lab):
        raise NotImplementedError("vae-1")

    recipe = Recipe(data=("digits",), shape=SHAPE, build=blank, reported="", source="ours", epochs=1)
    monkeypatch.setitem(recipes.RECIPES, "vae-tiny", recipe)
    with pytest.raises(JobError, match="^vae-tiny: still blank in starter/: vae-1: fill what it needs first$"):
        load("vae-tiny", "digits")


def test_what_a_repository_should_not_hold_is_refused(tmp_path, monkeypatch, capsys):
    run(tmp_path, "vae-tiny")
    (tmp_path / "empty").mkdir()
    assert cli.keep(["empty", "--home", str(tmp_path)]) == 2
    assert "empty holds no finished run (FileNotFoundError): train it to its end first" in capsys.readouterr().err
    last = tmp_path / "vae-tiny-digits" / "last.pt"
    whole = last.read_bytes()
    last.write_bytes(whole[:-100])
    assert cli.keep(["vae-tiny-digits", "--home", str(tmp_path)]) == 2
    assert "last.pt is damaged" in capsys.readouterr().err
    last.write_bytes(whole)
    for name in ("LARGEST", "ALL"):
        with monkeypatch.context() as patch:
            patch.setattr(weights, name, 1000)
            assert cli.keep(["vae-tiny-digits", "--home", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert said.startswith("keep: vae-tiny on digits takes 0.0 MB beside 0.0: ") and said.count("\n") == 1
    assert not weights.folder().exists()
    assert cli.keep(["vae-tiny-digits", "--home", str(tmp_path)]) == 0
