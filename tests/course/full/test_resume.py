"""Of every kind of system: a run that was stopped goes on as if it had not been, to the last bit."""

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist

from starter.support import recipes, training
from starter.support.coupling_nets import GatedConvNet
from starter.support.full import parallel, precision
from starter.support.full import train as full
from starter.support.full.job import Job
from starter.support.nets import mlp_decoder, mlp_encoder
from starter.support.recipes import Recipe, parts

SHAPE, LARGE = (1, 8, 8), (1, 16, 16)  # digits, digits16
STEPS, EPOCH = 30, 12  # of 100 images
STOPS = (6, 15)  # neither ends an epoch, or a turn of the critic's 4 steps


def flow_vae(lab):
    flows = lab("flow_vae").planar_flows(3, 2)
    return lab("flow_vae").FlowVAE(mlp_encoder(SHAPE, (16,), 6), mlp_decoder(3, (16,), SHAPE), flows)


def free_bits(lab):
    return lab("beta_vae").BetaVAE(mlp_encoder(SHAPE, (16,), 6), mlp_decoder(3, (16,), SHAPE))


def autoencoder(lab):
    return lab("autoencoder").Autoencoder(mlp_encoder(SHAPE, (16,), 4), mlp_decoder(4, (16,), SHAPE))


def flow(lab):
    return lab("realnvp").multiscale(SHAPE, 17, GatedConvNet, (4, 4, 4), (1, 1, 1), noise=1)


def conditional_gan(lab):
    cgan = lab("conditional_gan")
    discriminator = cgan.ConditionalDiscriminator(SHAPE, 10, cgan.halving(2, (4, 8)))
    return cgan.ConditionalGAN(cgan.conditional_generator(SHAPE, 3, 10, (8, 4, 4)), discriminator, 3, 10.0)


KINDS = {
    "autoencoder": (SHAPE, autoencoder, {}),
    "vae": (SHAPE, parts.mlp_vae(SHAPE, 16, 3), {"schedule": "linear-10-epochs", "plateau": "loss"}),
    "beta-vae": (SHAPE, free_bits, {"schedule": "free-bits-0.5", "weight_decay": 0.1}),
    "flow-vae": (SHAPE, flow_vae, {"schedule": "cosine-100-epochs"}),
    "realnvp": (SHAPE, flow, {}),
    "gan": (SHAPE, parts.mlp_gan(SHAPE, 3, (16,), (16,), dropout=0.3, lr_d=1e-3), {"lr": None}),
    "dcgan": (LARGE, parts.conv_gan(LARGE, 3, (8, 4)), {"lr": None}),
    "lsgan": (LARGE, parts.conv_gan(LARGE, 3, (8, 4), least_squares=True), {"lr": None}),
    "wgan-gp": (LARGE, parts.conv_wgan(LARGE, 3, (8, 4), n_critic=4), {"lr": None}),
    "cgan": (SHAPE, conditional_gan, {"lr": None}),
}
LOWERED = [kind for kind in KINDS if kind != "realnvp"]


@pytest.fixture(params=[(kind, "float32") for kind in KINDS] + [(kind, "bfloat16") for kind in LOWERED], ids="-".join)
def job(request, tmp_path, monkeypatch) -> Job:
    kind, precision = request.param
    shape, build, settings = KINDS[kind]
    data = "digits" if shape == SHAPE else "digits16"
    recipe = Recipe("ours: small", (data,), shape, build, "nothing", epochs=2, batch_size=100, **settings)
    monkeypatch.setattr(recipes, "RECIPES", {kind: recipe})
    monkeypatch.setattr(full.Keeper, "results", lambda self, ended: {})  # pictures and scores have tests of their own
    settings = {"fid_every": 10, "pictures": 1, "precision": precision, "tensorboard": False}
    return Job(kind, data, tmp_path / "whole", "starter", steps=STEPS, **settings)


def state(job: Job) -> dict:
    """All that a run goes on from."""
    return torch.load(job.out / "last.pt", weights_only=True)


def different(one, other, name: str = "") -> list[str]:
    """Where two states differ; the clock and the list of calls are no part of them."""
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [name]
    if isinstance(one, (list, tuple)) and len(one) == len(other):
        one, other = dict(enumerate(one)), dict(enumerate(other))
    if isinstance(one, dict) and one.keys() == other.keys():
        return [
            bad
            for key in one
            if key not in ("seconds", "sessions", "cpu")
            for bad in different(one[key], other[key], f"{name}/{key}")
        ]
    return [] if one == other else [name]


def test_a_run_that_was_stopped_twice_ends_as_one_that_was_not(job, tmp_path):
    full.train(job)
    stopped = replace(job, out=tmp_path / "stopped")
    for stop in (*STOPS, STEPS):
        full.train(replace(stopped, steps=stop, resume=stop != STOPS[0]))
        torch.rand(7)  # what else the process draws in between does not matter
    assert len(next(iter(state(job)["history"]["terms"].values()))) == STEPS
    assert different(state(job), state(stopped)) == []


def test_a_run_that_died_goes_on_from_its_last_checkpoint(job, tmp_path, monkeypatch):
    full.train(job)
    died = replace(job, out=tmp_path / "died", save_every=STOPS[0])
    between = full.Keeper.between

    def die(keeper, step):
        if step == STOPS[1]:
            raise KeyboardInterrupt
        return between(keeper, step)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(full.Keeper, "between", die)
        full.train(died)
    assert sorted(path.name for path in died.out.glob("*last.pt*")) == ["last.pt"]
    full.train(replace(died, resume=True))
    assert different(state(job), state(died)) == []


def test_the_steps_of_an_epoch_are_those_that_these_tests_avoid(job):
    """An end of an epoch validates anyway: a stop there would not show what else a stop does."""
    images = full.fitted(full.data.load(job.data), recipes.recipe(job.recipe), job)
    held = int(full.HELD_OUT * len(images))
    stream = training.Stream(full.part(images, slice(held, None), "cpu"), 100, 0, "cpu", drop_last=True)
    assert stream.steps_of_epoch == EPOCH and not any(stop % EPOCH == 0 or stop % 4 == 0 for stop in STOPS)


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device to train on")


@cuda
def test_a_run_on_a_gpu_goes_on_there_as_if_it_had_not_been_stopped(job, tmp_path):
    """Near, not equal: sums of a GPU need not come in one order."""
    job = replace(job, device="cuda")
    full.train(job)
    stopped = replace(job, out=tmp_path / "stopped")
    for stop in (*STOPS, STEPS):
        full.train(replace(stopped, steps=stop, resume=stop != STOPS[0]))
    whole, parts = (state(each) for each in (job, stopped))
    assert {value.device.type for value in whole["model"].values()} == {"cpu"}, "a checkpoint opens everywhere"
    for name, terms in whole["history"]["terms"].items():
        seen, near = torch.tensor(parts["history"]["terms"][name]), 0.05 if job.precision == "bfloat16" else 0.01
        torch.testing.assert_close(seen, torch.tensor(terms), rtol=near, atol=near)


@cuda
@pytest.mark.parametrize("there", ["cuda", "cpu"])
def test_a_run_goes_on_on_another_device(job, tmp_path, there):
    here = "cpu" if there == "cuda" else "cuda"
    moved = replace(job, device=here, steps=STOPS[0])
    full.train(moved)
    full.train(replace(moved, device=there, steps=STEPS, resume=True))
    terms = state(moved)["history"]["terms"].values()
    assert all(len(values) == STEPS and torch.tensor(values).isfinite().all() for values in terms)


@cuda
def test_convolutions_on_a_gpu_keep_the_layout_that_they_like_best():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3)).cuda()
    precision.faster(lambda x, y: None, net, "float32", "cuda")
    seen = net(torch.rand(2, 1, 8, 8, device="cuda"))
    assert seen.is_contiguous(memory_format=torch.channels_last)


@cuda
def test_one_process_averages_its_gradients_over_nccl(tmp_path):
    """The same calls as of many: what one process says comes back."""
    dist.init_process_group("nccl", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        weight = torch.nn.Parameter(torch.ones(3, device="cuda"))
        weight.grad = torch.arange(3.0, device="cuda")
        parallel.averaged(torch.optim.SGD([weight], lr=1.0))
        assert weight.grad.tolist() == [0, 1, 2]
        assert parallel.Processes(0, 2, "cuda:0").agreed(stop=True)
    finally:
        dist.destroy_process_group()
