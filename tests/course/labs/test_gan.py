"""Lab 7's reference against PyTorch's own cross-entropy, torch.distributions, updates by hand and loops over pairs."""

import copy
import itertools
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli

from grading.content import known_answers
from solutions import gan
from starter.support.nets import frozen

RIGHT = known_answers.answers("right")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def networks() -> tuple[nn.Module, nn.Module]:
    norm = nn.BatchNorm1d(12)  # a mode matters
    generator = nn.Sequential(nn.Linear(3, 12), norm, nn.Tanh(), nn.Unflatten(1, (1, 3, 4)))
    return generator, nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))


def weights(net: nn.Module) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in net.parameters()]


def sgd(net: nn.Module) -> torch.optim.Optimizer:
    """With gradients of an earlier step at the weights."""
    for weight in net.parameters():
        weight.grad = torch.ones_like(weight)
    return torch.optim.SGD(net.parameters(), lr=0.1)


@pytest.mark.parametrize("a", [1.0, 0.9, 0.5])
@pytest.mark.parametrize("patch", [(), (2, 3)])
def test_discriminator_loss_is_that_of_pytorch(a, patch):
    real, fake = 5 * double(4, *patch), 5 * double(7, *patch)
    expected = F.binary_cross_entropy_with_logits(real, torch.full_like(real, a))
    expected = expected + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    torch.testing.assert_close(gan.discriminator_loss(real, fake, a), expected)


def test_generator_losses_are_logarithms_of_probabilities():
    logits = double(6)
    fake = Bernoulli(logits=logits)
    torch.testing.assert_close(gan.generator_loss(logits), -fake.log_prob(torch.ones(6).double()).mean())
    torch.testing.assert_close(gan.saturating_loss(logits), fake.log_prob(torch.zeros(6).double()).mean())


def test_losses_of_an_undecided_discriminator_are_known():
    """All logits 0: D = 1/2 everywhere, the equilibrium, with a loss of log 4."""
    zeros = torch.zeros(5, dtype=torch.float64)
    assert gan.discriminator_loss(zeros, zeros).item() == pytest.approx(math.log(4))
    assert gan.generator_loss(zeros).item() == pytest.approx(math.log(2))
    assert gan.saturating_loss(zeros).item() == pytest.approx(-math.log(2))


def test_only_the_non_saturating_loss_has_a_gradient_where_the_discriminator_is_sure():
    logit = torch.tensor([-20.0], requires_grad=True)
    (steep,) = torch.autograd.grad(gan.generator_loss(logit), logit)
    (flat,) = torch.autograd.grad(gan.saturating_loss(logit), logit)
    assert steep.item() == pytest.approx(-1) and -1e-8 < flat.item() < 0


def test_large_logits_cost_what_they_are():
    far = torch.tensor([1000.0])
    assert gan.discriminator_loss(-far, far) == 2000
    assert gan.generator_loss(-far) == 1000
    assert gan.saturating_loss(far) == -1000


def test_the_best_discriminator_of_smoothed_labels_is_less_sure():
    """With equally many real and fake images at one point the loss is least where D = a / 2."""
    logits = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    losses = torch.stack([gan.discriminator_loss(v.view(1), v.view(1), 0.8) for v in logits])
    assert logits[losses.argmin()].sigmoid().item() == pytest.approx(0.4, abs=1e-3)


def test_gradients_are_those_of_finite_differences():
    real, fake = double(3).requires_grad_(), double(4).requires_grad_()
    assert torch.autograd.gradcheck(lambda r, f: gan.discriminator_loss(r, f, 0.8), (real, fake))
    assert torch.autograd.gradcheck(gan.generator_loss, fake)
    assert torch.autograd.gradcheck(gan.saturating_loss, fake)


def test_logits_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 1\) and fake_logits \(4,\) must have the same shape after the batch"):
        gan.discriminator_loss(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize("label", [0.0, -0.1, 1.1])
def test_a_label_that_is_no_target_is_refused(label):
    with pytest.raises(ValueError, match=f"at most 1, not {label}"):
        gan.discriminator_loss(torch.zeros(4), torch.zeros(4), label)


def test_a_step_of_the_discriminator_is_one_of_gradient_descent_and_leaves_the_generator_alone():
    generator, discriminator = networks()
    real, z = torch.rand(4, 1, 3, 4), torch.randn(6, 3)
    before, kept = weights(discriminator), weights(generator)
    value = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    slopes = torch.autograd.grad(value, list(discriminator.parameters()))
    got = gan.discriminator_step(generator, discriminator, sgd(discriminator), real, z)
    torch.testing.assert_close(weights(discriminator), [w - 0.1 * slope for w, slope in zip(before, slopes)])
    torch.testing.assert_close(got, value.detach())
    assert not got.requires_grad
    assert all(map(torch.equal, weights(generator), kept))
    assert all(weight.grad is None for weight in generator.parameters())


def test_a_step_of_the_generator_is_one_of_gradient_descent_and_leaves_the_discriminator_alone():
    generator, discriminator = networks()
    z = torch.randn(6, 3)
    before, kept = weights(generator), weights(discriminator)
    value = F.softplus(-discriminator(generator(z))).mean()
    slopes = torch.autograd.grad(value, list(generator.parameters()))
    got = gan.generator_step(generator, discriminator, sgd(generator), z)
    torch.testing.assert_close(weights(generator), [w - 0.1 * slope for w, slope in zip(before, slopes)])
    torch.testing.assert_close(got, value.detach())
    assert not got.requires_grad
    assert all(map(torch.equal, weights(discriminator), kept))
    assert generator.training and discriminator.training
    assert all(weight.requires_grad for weight in discriminator.parameters())


def test_modes_are_those_counted_by_hand():
    """Ten samples: five at the first centre, two at the second, one at the third, two at none; one of five is 3-4-5."""
    centres = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    samples = [[0, 0], [1, 0], [0, -2], [3, 4], [-3, -4], [20, 1], [21, 0], [0, 21], [9, 9], [50, 50]]
    samples = torch.tensor(samples, dtype=torch.float32)
    found = {least: gan.modes_covered(samples, centres, 5.5, least) for least in (0.02, 0.1, 0.15, 0.3, 0.6)}
    assert found == {0.02: 3, 0.1: 3, 0.15: 2, 0.3: 1, 0.6: 0}
    assert gan.modes_covered(samples, centres, 4.5, 0.4) == 0  # 3-4-5 is outside now: three are left
    assert type(gan.modes_covered(samples, centres, 5.5)) is int


def test_a_share_of_exactly_least_is_a_mode():
    samples = torch.cat([torch.zeros(1, 2), torch.full((15, 2), 9.0)])
    assert gan.modes_covered(samples, torch.zeros(1, 2), 1.0, 1 / 16) == 1


def test_diversity_is_the_mean_over_all_pairs():
    x = double(6, 2, 3, 4)
    pairs = [(a - b).square().sum() for a, b in itertools.combinations(x, 2)]
    torch.testing.assert_close(gan.diversity(x), torch.stack(pairs).mean())


def test_diversity_does_not_depend_on_the_number_of_images():
    """Pixels of a standard normal: two images differ by 2 C H W on average, in groups of two as in groups of 50."""
    x = double(20_000, 1, 2, 3)
    for size in (2, 5, 50):
        assert torch.stack([gan.diversity(part) for part in x.split(size)]).mean().item() == pytest.approx(12, abs=0.2)


def test_diversity_of_copies_is_zero_and_of_one_image_is_refused():
    assert gan.diversity(torch.rand(1, 1, 3, 4).expand(5, 1, 3, 4)) == 0
    with pytest.raises(ValueError, match="at least 2 images, not 1"):
        gan.diversity(torch.rand(1, 1, 3, 4))


def test_an_update_moves_both_networks_and_reports_the_losses_before_it():
    model = gan.GAN(*networks(), latent_dim=3)
    x, before = torch.rand(6, 1, 3, 4), [weights(model.generator), weights(model.discriminator)]
    state = torch.get_rng_state()
    z = model.noise(6)
    value = F.softplus(-model.discriminator(2 * x - 1)).mean() + F.softplus(model.discriminator(model.generator(z)))
    torch.set_rng_state(state)
    terms = model.update(x, torch.zeros(6))
    torch.testing.assert_close(terms.discriminator, value.mean().detach())
    torch.testing.assert_close(
        terms.generator, F.softplus(-model.discriminator(model.generator(z))).mean(), rtol=0.1, atol=0
    )
    for net, old in zip((model.generator, model.discriminator), before):
        assert not any(map(torch.equal, weights(net), old))


def test_an_update_is_the_two_steps_on_the_same_noise_with_images_drawn_once():
    model, x = gan.GAN(*networks(), latent_dim=3), torch.rand(6, 1, 3, 4)
    apart, state = copy.deepcopy(model), torch.get_rng_state()
    z = apart.noise(6)
    nets = apart.generator, apart.discriminator
    d = gan.discriminator_step(*nets, torch.optim.Adam(nets[1].parameters(), 2e-4, (0.5, 0.999)), 2 * x - 1, z)
    g = gan.generator_step(*nets, torch.optim.Adam(nets[0].parameters(), 2e-4, (0.5, 0.999)), z)
    torch.set_rng_state(state)
    torch.testing.assert_close(tuple(model.update(x, torch.zeros(6))), (d, g))
    torch.testing.assert_close(weights(model), weights(apart))
    assert (model.generator[1].num_batches_tracked, apart.generator[1].num_batches_tracked) == (1, 2)


@pytest.mark.parametrize("i", range(len(RIGHT["gan-8"])))
def test_an_update_with_any_right_answer_is_that_of_the_reference(i):
    """However it is written: of the two steps, with a held network, with closures, with one batch for both."""
    x, found = torch.rand(3, 6, 1, 3, 4), []
    for module in (gan, known_answers.variant("right", "gan-8", i)):
        torch.manual_seed(1)
        model, terms = module.GAN(*networks(), latent_dim=3), []
        model.opt_g, model.opt_d = sgd(model.generator), sgd(model.discriminator)
        for step in range(3):
            torch.manual_seed(step)  # some answers draw numbers that nobody needs
            terms += model.update(x[step], torch.zeros(6))
        assert all(weight.requires_grad for weight in model.parameters())
        found.append([*terms, *model.state_dict().values()])
    torch.testing.assert_close(*found)


def test_a_network_is_frozen_meanwhile_and_then_as_it_was():
    net = networks()[1]
    net[1].bias.requires_grad_(False)
    with pytest.raises(KeyError), frozen(net):
        assert not any(weight.requires_grad for weight in net.parameters())
        raise KeyError
    assert [weight.requires_grad for weight in net.parameters()] == [True, False, True, True]


def test_the_networks_have_their_own_rates_and_losses():
    model = gan.GAN(
        *networks(), latent_dim=3, lr=1e-4, lr_d=4e-4, d_loss=partial(gan.discriminator_loss, real_label=0.9)
    )
    assert (model.opt_g.param_groups[0]["lr"], model.opt_d.param_groups[0]["lr"]) == (1e-4, 4e-4)
    nn.init.zeros_(model.discriminator[-2].weight)
    nn.init.constant_(model.discriminator[-2].bias, 3.0)  # every logit is 3
    expected = math.log1p(math.exp(-3)) + 0.1 * 3 + math.log1p(math.exp(3))
    assert model.update(torch.rand(6, 1, 3, 4), torch.zeros(6)).discriminator.item() == pytest.approx(expected)


@pytest.mark.parametrize("training", [True, False])
def test_a_sample_depends_on_its_own_noise_only_and_leaves_the_mode(training):
    model = gan.GAN(*networks(), latent_dim=3).train(training)
    z = model.noise(6)
    images = model.sample(z)
    torch.testing.assert_close(images, torch.cat([model.sample(one) for one in z.split(1)]))
    assert images.min() >= 0 and images.max() <= 1 and not images.requires_grad
    assert model.generator.training is training
