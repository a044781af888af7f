"""bfloat16 inside of networks: what is computed in it, what never is, and who gets it."""

from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from starter.support import recipes, training
from starter.support.coupling_nets import GatedConvNet
from starter.support.full import cli, precision
from starter.support.full import train as full
from starter.support.full.job import Job, JobError
from starter.support.nets import mlp_decoder, mlp_encoder
from starter.support.recipes import Recipe, parts

SHAPE = (1, 8, 8)
X, Y = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0)), torch.arange(6)
lab = partial(recipes.lab_module, "starter")


def planar_vae(lab):
    flows = lab("flow_vae").planar_flows(3, 2)
    return lab("flow_vae").FlowVAE(mlp_encoder(SHAPE, (16,), 6), mlp_decoder(3, (16,), SHAPE), flows)


def conditional_gan(lab):
    cgan = lab("conditional_gan")
    discriminator = cgan.ConditionalDiscriminator(SHAPE, 10, cgan.halving(2, (4, 8)))
    return cgan.ConditionalGAN(cgan.conditional_generator(SHAPE, 3, 10, (8, 4, 4)), discriminator, 3, 10.0)


def flow(lab):
    return lab("realnvp").multiscale(SHAPE, 17, GatedConvNet, (4, 4, 4), (1, 1, 1), noise=1)


BUILDS = {
    "vae": parts.mlp_vae(SHAPE, 16, 3),
    "planar-vae": planar_vae,
    "flow": flow,
    "gan": parts.mlp_gan(SHAPE, 3, (16,), (16,)),
    "cgan": conditional_gan,
    "wgan": parts.conv_wgan(SHAPE, 3, (8,), n_critic=1),
}


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    small = partial(Recipe, "ours: small", ("digits",), SHAPE, reported="", epochs=1, batch_size=100)
    made = {name: small(build=build) for name, build in BUILDS.items()}
    monkeypatch.setattr(recipes, "RECIPES", recipes.RECIPES | made)
    return Job("vae", "digits", tmp_path / "run", "starter", steps=3, tensorboard=False, measure=50)


def in_bfloat16(name: str):
    torch.manual_seed(0)
    model = BUILDS[name](lab)
    if not hasattr(model, "update"):
        adam = torch.optim.Adam(model.parameters())
        return model, precision.faster(training.descent(model, adam, training.History()), model, "bfloat16", "cpu")
    return model, precision.faster(model.update, model, "bfloat16", "cpu")


@pytest.mark.parametrize("name", ["vae", "planar-vae", "gan", "cgan", "wgan"])
def test_layers_compute_in_bfloat16_and_terms_weights_and_gradients_are_float32(name):
    (model, update), seen = in_bfloat16(name), set()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, _, y: seen.add(y.dtype))
    terms = update(X, Y)
    assert seen == {torch.bfloat16}
    assert {term.dtype for term in terms} == {torch.float32}
    assert {value.dtype for w in model.parameters() for value in (w, w.grad)} == {torch.float32}


@pytest.mark.parametrize("name", ["vae", "planar-vae", "cgan"])
def test_losses_are_computed_in_float32_from_what_the_networks_say(name, monkeypatch):
    seen, (_, update) = [], in_bfloat16(name)
    for loss in ("binary_cross_entropy_with_logits", "softplus"):
        function = getattr(F, loss)
        monkeypatch.setattr(F, loss, lambda x, *a, f=function, **b: seen.append(x.dtype) or f(x, *a, **b))
    update(X, Y)
    assert seen and set(seen) == {torch.float32}


def test_an_update_in_bfloat16_is_near_the_one_in_float32_and_not_the_same():
    found = []
    for choice in ("float32", "bfloat16"):
        torch.manual_seed(1)
        model = BUILDS["cgan"](lab)
        update = precision.faster(model.update, model, choice, "cpu")
        torch.manual_seed(2)
        found.append(torch.stack([*update(X, Y)]))
    torch.testing.assert_close(*found, rtol=0.02, atol=0.01)
    assert not found[0].equal(found[1])


def test_whole_numbers_that_a_network_answers_stay_whole():
    found = precision.lowered(lambda x: (x @ x, x.argmax(dim=1)), "cpu")(torch.rand(3, 3))
    assert [answer.dtype for answer in found] == [torch.float32, torch.int64]


def test_between_two_updates_a_model_computes_in_float32():
    model, update = in_bfloat16("vae")
    update(X, Y)
    assert model.encoder(X).dtype == torch.float32 and "forward" not in vars(model.encoder)


def test_convolutions_get_the_layout_that_they_like_best():
    model = BUILDS["cgan"](lab)
    precision.faster(model.update, model, "float32", "cpu")
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in model.parameters() if w.dim() == 4)


@pytest.mark.parametrize(("name", "lowered"), [("vae", 2), ("planar-vae", 2), ("gan", 2), ("flow", 0)])
def test_the_maps_of_a_flow_and_the_networks_inside_stay_in_float32(name, lowered):
    nets = precision.networks(BUILDS[name](lab))
    assert len(nets) == lowered
    assert not any(isinstance(layer, precision.Flow) for net in nets for layer in net.modules())


@pytest.mark.parametrize(
    ("processor", "device", "name", "choice"),
    [
        ({"avx512_bf16": True}, "cpu", "gan", "bfloat16"),
        ({"amx_bf16": True}, "cpu", "planar-vae", "bfloat16"),
        ({"avx512_bf16": False, "avx2": True}, "cpu", "gan", "float32"),
        ({}, "cpu", "gan", "float32"),
        ({"avx512_bf16": True}, "cuda", "gan", "float32"),
        ({"avx512_bf16": True}, "cpu", "flow", "float32"),
    ],
)
def test_auto_is_bfloat16_where_this_processor_multiplies_it(job, monkeypatch, processor, device, name, choice):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert precision.chosen(job, BUILDS[name](lab), device) == choice


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
def test_what_was_asked_for_is_what_results_say(job, asked):
    assert full.train(replace(job, precision=asked))["settings"]["precision"] == asked


def test_bfloat16_for_a_flow_is_refused(job):
    with pytest.raises(JobError, match="--precision bfloat16: flow is a flow, whose density wants float32"):
        full.train(replace(job, recipe="flow", precision="bfloat16"))
    assert not job.out.exists()


def test_a_run_that_goes_on_in_another_precision_says_so(job, capsys):
    full.train(replace(job, precision="bfloat16"))
    assert "bfloat16, modules of starter/" in capsys.readouterr().out
    full.train(replace(job, precision="float32", steps=5, resume=True))
    assert "--precision was bfloat16 until step 3, and is float32 from now on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "choice"), [([], None), (["--amp"], "bfloat16"), (["--precision", "float32"], "float32")]
)
def test_amp_is_another_spelling_of_bfloat16(given, choice):
    assert cli.options_of_train().parse_args(["--recipe", "vae", *given]).precision == choice
