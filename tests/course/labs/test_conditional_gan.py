"""Lab 10's reference against scikit-learn, autograd, finite differences and loops."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import recall_score
from torch import nn

from grading.content import known_answers
from solutions import conditional_gan as cg
from solutions import gan
from starter.support.nets import Conv


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


Y = torch.tensor([2, 0, 4, 2, 1])
PLANS = {
    "halving": cg.halving(2, (3, 4, 5)),
    "patches": (Conv(2, 3, 4, 2), Conv(3, 2), Conv(2, 1, 1, padding=0)),
    "uneven": (Conv(2, 3, 5, 3, 2), Conv(3, 2, 2, 2), Conv(2, 2, 3, 1, 0)),
}


def small_gan(weight: float = 10.0, **settings) -> cg.ConditionalGAN:
    generator = cg.conditional_generator((1, 8, 12), 3, 5, (4, 3, 2))
    discriminator = cg.ConditionalDiscriminator((1, 8, 12), 5, cg.halving(2, (2, 3, 4)))
    return cg.ConditionalGAN(generator, discriminator, 3, weight, **settings)


def test_a_linear_layer_on_the_input_adds_one_learned_vector_per_class():
    """W h + b = W_z z + b + (the column of W that belongs to the label)."""
    z, layer = double(5, 3), nn.Linear(3 + 6, 4, dtype=torch.float64)
    columns = layer.weight[:, 3:].T  # (classes, 4)
    expected = F.linear(z, layer.weight[:, :3], layer.bias) + torch.stack([columns[label] for label in Y.tolist()])
    torch.testing.assert_close(layer(cg.generator_input(z, Y, 6)), expected)


def test_a_convolution_of_the_input_is_that_of_the_image_plus_that_of_the_map():
    x, maps, conv = double(5, 2, 4, 6), double(6, 4, 6), nn.Conv2d(3, 4, 3, padding=1, dtype=torch.float64)
    found = conv(cg.discriminator_input(x, Y, maps))
    for b, label in enumerate(Y.tolist()):
        image = F.conv2d(x[b], conv.weight[:, :2], conv.bias, padding=1)
        torch.testing.assert_close(found[b], image + F.conv2d(maps[label][None], conv.weight[:, 2:], padding=1))


def test_only_maps_of_labels_in_the_batch_learn():
    maps = double(6, 4, 6).requires_grad_()
    (cg.discriminator_input(double(5, 2, 4, 6), Y, maps)[:, -1] ** 2).sum().backward()
    times = torch.bincount(Y, minlength=6)
    torch.testing.assert_close(maps.grad, 2 * maps.detach() * times[:, None, None])


BAD_LABELS = {
    "12": (torch.tensor([0, 12, 1, 2, 3]), r"0 \.\. 5, one of them is 12"),
    "minus one": (torch.tensor([0, 1, -1, 2, 3]), r"0 \.\. 5, one of them is -1"),
    "a column": (Y[:, None], r"shape \(5,\), one per example, not \(5, 1\)"),
    "too few": (Y[:4], r"shape \(5,\), one per example, not \(4,\)"),
    "fractions": (Y / 2, r"torch.int64\), not torch.float32"),
    "bytes": (Y.byte(), r"torch.int64\), not torch.uint8"),  # as an index they would be a mask
}


@pytest.mark.parametrize("name", BAD_LABELS)
@pytest.mark.parametrize(
    "function",
    [
        lambda y: cg.generator_input(torch.zeros(5, 3), y, 6),
        lambda y: cg.discriminator_input(torch.zeros(5, 1, 4, 6), y, torch.zeros(6, 4, 6)),
        lambda y: cg.class_accuracy(torch.full((5, 6), 1 / 6), y),
    ],
    ids=["generator_input", "discriminator_input", "class_accuracy"],
)
def test_labels_that_are_no_classes_are_refused_with_what_was_seen(function, name):
    y, message = BAD_LABELS[name]
    with pytest.raises(ValueError, match=message):
        function(y)


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"maps of \(6, 4\) do not fit images of \(4, 6\)"):
        cg.discriminator_input(torch.zeros(5, 1, 4, 6), Y, torch.zeros(6, 6, 4))


def test_feature_matching_is_a_loop_over_features():
    real, fake = double(5, 2, 3), double(5, 2, 3)
    gaps = [abs(sum(real[:, i, j]) / 5 - sum(fake[:, i, j]) / 5) for i in range(2) for j in range(3)]
    torch.testing.assert_close(cg.feature_matching_loss(real, fake), sum(gaps) / 6)


def test_feature_matching_does_not_know_the_order_of_a_batch():
    real, fake = double(5, 4), double(5, 4)
    torch.testing.assert_close(cg.feature_matching_loss(real, fake), cg.feature_matching_loss(real, fake.flip(0)))
    assert cg.feature_matching_loss(real, real.flip(0)).item() == pytest.approx(0, abs=1e-15)


def test_feature_matching_has_a_gradient_at_the_generated_side_alone():
    """1 / (D B) in the direction of the sign, the same for every example."""
    real, fake = double(5, 4).requires_grad_(), double(5, 4).requires_grad_()
    cg.feature_matching_loss(real, fake).backward()
    assert real.grad is None
    torch.testing.assert_close(fake.grad, ((fake.mean(0) - real.mean(0)).sign() / 20).expand(5, 4).detach())
    assert torch.autograd.gradcheck(lambda f: cg.feature_matching_loss(real.detach(), f), fake)


@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (5, 4, 1)])
def test_features_that_would_broadcast_are_refused(shape):
    with pytest.raises(ValueError, match=r"not \(5, 4\) and"):
        cg.feature_matching_loss(torch.zeros(5, 4), torch.zeros(shape))


def layers_of(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    return [double(*shape) for shape in shapes]


def test_the_objective_is_cross_entropy_to_real_plus_weighted_matching():
    logits, shapes = double(5), [(5, 2, 3), (5, 4), (5, 1, 2, 2)]
    real, fake = layers_of(*shapes), layers_of(*shapes)
    terms = cg.generator_objective(logits, real, fake, weight=2.5)
    expected = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    matching = sum((r.mean(0) - f.mean(0)).abs().mean() for r, f in zip(real, fake))
    torch.testing.assert_close(terms.adversarial, expected)
    torch.testing.assert_close(terms.matching, matching)
    torch.testing.assert_close(terms.loss, expected + 2.5 * matching)


def test_every_patch_of_every_image_counts_the_same():
    logits, features = double(5, 3, 2), layers_of((5, 4))
    of_images = [cg.generator_objective(image, features, features).adversarial for image in logits]
    expected = torch.stack(of_images).mean()
    torch.testing.assert_close(cg.generator_objective(logits, features, features).adversarial, expected)


def test_reported_matching_is_never_weighted_and_weight_zero_is_the_plain_loss():
    logits, real, fake = double(5), layers_of((5, 4)), layers_of((5, 4))
    zero, ten = (cg.generator_objective(logits, real, fake, weight) for weight in (0.0, 10.0))
    assert zero.matching == ten.matching > 0 and zero.loss == zero.adversarial == ten.adversarial


def test_gradients_of_the_objective_are_those_of_finite_differences():
    real, inputs = layers_of((5, 4), (5, 2, 3)), [v.requires_grad_() for v in layers_of((5,), (5, 4), (5, 2, 3))]
    assert torch.autograd.gradcheck(lambda v, *fake: cg.generator_objective(v, real, list(fake)).loss, inputs)


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_a_weight_below_zero_is_refused(weight):
    with pytest.raises(ValueError, match=f"weight must be at least 0, not {weight}"):
        cg.generator_objective(torch.zeros(5), [], [], weight)


def test_different_numbers_of_layers_are_refused():
    with pytest.raises(ValueError, match="2 layers of real features, but 1 of fake ones"):
        cg.generator_objective(torch.zeros(5), layers_of((5, 2), (5, 3)), layers_of((5, 2)))


def test_a_generator_step_is_one_descent_of_the_loss_and_moves_nothing_else():
    """SGD by hand: every weight of the generator moves by -lr times its derivative of the loss."""
    gan, lr = small_gan(), 0.3
    h, real = cg.generator_input(torch.randn(5, 3), Y, 5), torch.rand(5, 1, 8, 12) * 2 - 1
    generator, critic = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
    logits, features = critic(generator(h), Y)
    loss = cg.generator_objective(logits, critic(real, Y).features, features).loss
    slopes = torch.autograd.grad(loss, list(generator.parameters()))

    optimizer = torch.optim.SGD(gan.generator.parameters(), lr=lr)
    for weight in gan.generator.parameters():
        weight.grad = torch.ones_like(weight)  # of an earlier step
    terms = cg.generator_step(gan.generator, gan.discriminator, optimizer, h, Y, real)
    for weight, old, slope in zip(gan.generator.parameters(), generator.parameters(), slopes, strict=True):
        torch.testing.assert_close(weight, old - lr * slope)
    for weight, old in zip(gan.discriminator.parameters(), critic.parameters(), strict=True):
        assert torch.equal(weight, old)
    torch.testing.assert_close(terms.loss, loss.detach())
    assert not any(term.requires_grad for term in terms) and gan.generator.training


def test_class_accuracy_is_recall():
    y, probs = torch.randint(0, 4, (60,)), torch.rand(60, 4)
    expected = recall_score(y.numpy(), probs.argmax(dim=1).numpy(), average=None)
    np.testing.assert_allclose(cg.class_accuracy(probs, y).numpy(), expected, rtol=1e-6)


def test_a_class_that_nobody_asked_for_has_no_accuracy():
    accuracy = cg.class_accuracy(torch.eye(3)[[0, 2, 1]], torch.tensor([0, 2, 2]))
    assert accuracy[0] == 1 and accuracy[1].isnan() and accuracy[2] == 0.5


@pytest.mark.parametrize("name", PLANS)
def test_the_receptive_field_is_where_a_logit_has_a_gradient(name):
    """Convolutions with positive weights: no gradient cancels. What lies in the padding has none."""
    plan, side = PLANS[name], 40
    field = cg.receptive_field(plan)
    net = nn.Sequential(*(nn.Conv2d(*conv[:5], dtype=torch.float64) for conv in plan))
    for weight in net.parameters():
        nn.init.uniform_(weight, 0.5, 1)
    x = torch.rand(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    maps = net(x)
    for row in range(maps.shape[2]):
        (slope,) = torch.autograd.grad(maps[0, 0, row, 1], x, retain_graph=True)
        rows, columns = (slope[0, 0] != 0).nonzero().T
        for seen, i in ((rows, row), (columns, 1)):
            first = field.start + i * field.step
            assert (seen.min(), seen.max()) == (max(first, 0), min(first + field.size, side) - 1)


def test_a_patch_discriminator_gives_a_logit_for_every_place_of_its_field():
    plan, head = cg.halving(2, (3,)), Conv(3, 1, 1, padding=0)
    whole = cg.ConditionalDiscriminator((1, 8, 12), 5, plan)
    patches = cg.ConditionalDiscriminator((1, 8, 12), 5, plan, head)
    x = torch.rand(5, 1, 8, 12)
    assert whole(x, Y).logits.shape == (5,)
    assert patches(x, Y).logits.shape == (5, 4, 6)
    assert cg.receptive_field((*plan, head)) == (3, 2, -1)


def test_features_are_the_convolutions_and_neither_the_input_nor_the_logit():
    judged = cg.ConditionalDiscriminator((1, 8, 12), 5, cg.halving(2, (2, 3, 4)))(torch.rand(5, 1, 8, 12), Y)
    assert [tuple(feature.shape[1:]) for feature in judged.features] == [(2, 4, 6), (3, 2, 3), (4, 1, 2)]


@pytest.mark.parametrize("patch", [False, True])
def test_an_update_moves_every_weight_of_both_networks(patch):
    plan = cg.halving(2, (2, 3))
    discriminator = cg.ConditionalDiscriminator((1, 8, 12), 5, plan, Conv(3, 1, 1, padding=0) if patch else None)
    model = cg.ConditionalGAN(cg.conditional_generator((1, 8, 12), 3, 5, (4, 3, 2)), discriminator, 3)
    before = copy.deepcopy(dict(model.named_parameters()))
    terms = model.update(torch.rand(5, 1, 8, 12), torch.arange(5))
    assert all(torch.isfinite(term) for term in terms)
    assert [name for name, weight in model.named_parameters() if torch.equal(weight, before[name])] == []


def test_a_round_is_both_steps_on_the_same_images():
    model, x = small_gan(), torch.rand(5, 1, 8, 12)
    model.opt_g, model.opt_d = (torch.optim.SGD(net.parameters(), 0.1) for net in model.children())
    apart, h = copy.deepcopy(model), cg.generator_input(torch.randn(5, 3), Y, 5)
    optimizers = [torch.optim.SGD(net.parameters(), 0.1) for net in apart.children()]
    nets = apart.generator, lambda x: apart.discriminator(x, Y).logits
    d_loss = gan.discriminator_step(*nets, optimizers[1], 2 * x - 1, h)
    terms = cg.generator_step(*apart.children(), optimizers[0], h, Y, 2 * x - 1)
    torch.testing.assert_close(cg.conditional_step(model, x, Y, h), cg.ConditionalTerms(d_loss, *terms[1:]))
    torch.testing.assert_close([*model.parameters()], [*apart.parameters()])


def test_wrong_pairs_are_fakes_in_one_batch_with_the_generated_ones():
    model, x, h = small_gan(), torch.rand(5, 1, 8, 12), cg.generator_input(torch.randn(5, 3), Y, 5)
    wrong = (Y + 1) % 5
    with torch.no_grad():
        pairs = [(2 * x - 1, Y), (model.generator(h), Y), (2 * x - 1, wrong)]
        real, *fakes = (model.discriminator(*pair).logits.sigmoid() for pair in pairs)
        expected = -real.log().mean() - (1 - torch.cat(fakes)).log().mean()
    torch.testing.assert_close(cg.conditional_step(model, x, Y, h, wrong).discriminator, expected)


@pytest.mark.parametrize("i", range(len(known_answers.answers("right")["cgan-8"])))
def test_an_update_with_any_right_answer_is_that_of_the_reference_and_draws_once(i):
    x, found = torch.rand(3, 5, 1, 8, 12), []
    for module in (cg, known_answers.variant("right", "cgan-8", i)):
        torch.manual_seed(1)
        model, terms = module.ConditionalGAN(small_gan().generator, small_gan().discriminator, 3), []
        model.opt_g, model.opt_d = (torch.optim.SGD(net.parameters(), 0.1) for net in model.children())
        for step in range(3):
            torch.manual_seed(step)  # some answers draw numbers that nobody needs
            terms += model.update(x[step], Y)
        assert model.generator[2].num_batches_tracked == 3
        found.append([*terms, *model.state_dict().values()])
    torch.testing.assert_close(*found)


def test_the_label_of_an_update_reaches_both_networks():
    """The same batch and the same noise under other labels: other losses for both."""
    x = torch.rand(5, 1, 8, 12)
    found = []
    for y in (Y, Y.flip(0)):
        torch.manual_seed(1)
        found.append(small_gan().update(x, y))
    assert all(one != other for one, other in zip(*found))


def test_samples_are_images_of_the_classes_asked_for_in_evaluation_mode():
    gan, z = small_gan(), torch.randn(5, 3)
    images = gan.sample(z, Y)
    assert images.shape == (5, 1, 8, 12) and 0 <= images.min() and images.max() <= 1 and not images.requires_grad
    assert gan.generator.training
    torch.testing.assert_close(gan.sample(z[:1], Y[:1]), images[:1])  # normalised by running statistics, alone or not
    assert not torch.equal(gan.sample(z, Y.flip(0))[0], images[0])


def test_samples_of_unknown_classes_are_refused():
    with pytest.raises(ValueError, match=r"classes 0 \.\. 4, one of them is 7"):
        small_gan().sample(torch.zeros(2, 3), torch.tensor([1, 7]))


def test_a_grid_has_every_noise_under_every_class():
    z = torch.randn(4, 3)
    noise, y = cg.class_grid(z, 5)
    for row, (rows, classes) in enumerate(zip(noise.split(4), y.split(4), strict=True)):
        assert torch.equal(rows, z) and classes.tolist() == [row] * 4


@pytest.mark.parametrize("shape", [(1, 30, 28), (1, 28, 30)])
def test_sides_that_two_doublings_cannot_reach_are_refused(shape):
    with pytest.raises(ValueError, match="multiple of 4"):
        cg.conditional_generator(shape, 3, 5)
