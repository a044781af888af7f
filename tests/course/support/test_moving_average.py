"""The moving average of a generator's weights: against the recursion by hand, in every GAN of the course."""

import copy

import pytest
import torch
from torch import nn

from solutions import conditional_gan as cgan
from solutions import dcgan, gan, wgan_gp
from starter.support import data, nets, training

SHAPE, DECAY = (1, 8, 8), 0.5
X, Y = torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3


def networks(batch_norm: bool) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    config = dcgan.DCGANConfig(SHAPE, 3, (4,))
    return dcgan.generator(config), dcgan.discriminator(dcgan.DCGANConfig(SHAPE, 3, (4,), batch_norm))


def new_gan(kind: str, ema: float | None = DECAY) -> gan.GAN:
    if kind == "gan":
        return gan.GAN(*networks(True), 3, lr=0.01, ema=ema)
    if kind == "wgan":
        return wgan_gp.WGAN(*networks(False), 3, lr=0.01, n_critic=3, ema=ema)
    torch.manual_seed(0)
    generator = cgan.conditional_generator(SHAPE, 3, 3, (4, 4, 4))
    return cgan.ConditionalGAN(generator, cgan.ConditionalDiscriminator(SHAPE, 3, cgan.halving(2, (4,))), 3, ema=ema)


def states(module: nn.Module) -> list[torch.Tensor]:
    """Weights, and what BatchNorm counts, without the number of batches."""
    return [value.detach().double() for value in module.state_dict().values() if value.is_floating_point()]


def draw(model: gan.GAN) -> torch.Tensor:
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    return model.sample(z, Y[:5]) if isinstance(model, cgan.ConditionalGAN) else model.sample(z)


@pytest.mark.parametrize("kind", ["gan", "wgan", "cgan"])
def test_the_average_follows_the_generator_after_each_of_its_steps(kind):
    torch.manual_seed(0)
    model, expected, moved = new_gan(kind), [], 0
    for _ in range(15):
        before = copy.deepcopy(model.generator)
        model.update(X, Y)
        if all(map(torch.equal, before.parameters(), model.generator.parameters())):
            continue  # the critic's turn
        now, d = states(model.generator), min(DECAY, (1 + moved) / (10 + moved))
        expected = [d * old + (1 - d) * new for old, new in zip(expected, now)] if moved else now
        moved += 1
    assert moved == (5 if kind == "wgan" else 15)
    assert expected and (1 + moved) / (10 + moved) > DECAY or kind == "wgan", "both regimes were seen"
    assert len(states(model.average.module)) == len(expected)
    for value, by_hand in zip(states(model.average.module), expected):
        torch.testing.assert_close(value, by_hand, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["gan", "wgan", "cgan"])
def test_samples_come_from_the_average_and_training_does_not_notice_it(kind):
    with_average, without = new_gan(kind), new_gan(kind, ema=None)
    for model in (with_average, without):
        torch.manual_seed(0)
        model.terms = [torch.stack(model.update(X, Y)) for _ in range(6)]
    assert all(map(torch.equal, with_average.terms, without.terms))
    assert all(map(torch.equal, states(with_average.generator), states(without.generator)))
    assert not torch.allclose(draw(with_average), draw(without))
    without.generator.load_state_dict(with_average.average.module.state_dict())
    assert torch.equal(draw(with_average), draw(without))


def test_the_average_has_no_weights_to_train_and_is_a_part_of_the_model():
    model, plain = new_gan("gan"), new_gan("gan", ema=None)
    assert nets.parameter_count(model) == nets.parameter_count(plain)
    model.update(X, Y)
    kept = training.Checkpoint(model)
    before = draw(model)
    model.update(X, Y)
    assert not torch.equal(draw(model), before)
    kept.restore(model)
    assert torch.equal(draw(model), before), "a run that goes back takes its average along"


def test_sampling_leaves_the_average_in_the_mode_it_was_in():
    images = data.Images((255 * X).byte(), Y, 256, "noise")
    model = new_gan("gan")
    training.play(model, images, steps=2, batch_size=4)
    for mode in (True, False):
        model.train(mode)
        draw(model)
        assert model.average.module.training == mode == model.generator.training


@pytest.mark.parametrize("decay", [-0.5, 1.0, 99])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises(ValueError, match=f"decay must lie between 0 and 1, and is {decay}"):
        new_gan("gan", ema=decay)
