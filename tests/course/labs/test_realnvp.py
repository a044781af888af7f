"""Lab 5 against independent oracles: the autograd Jacobian, numerical integration, enumeration, torch.distributions."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, TransformedDistribution, Uniform
from torch.distributions.transforms import SigmoidTransform
from torch.nn import functional as F

from grading.content import known_answers
from solutions import realnvp as nvp
from starter.support import coupling_nets, data

torch.manual_seed(0)


def double(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def random_net(size: int, shape: tuple[int, ...]):
    """log s and t that depend on every number of the example."""
    weight = double(size, 2 * size) / size**0.5
    return lambda h: tuple(half.reshape(-1, *shape) for half in torch.tanh(h.flatten(1) @ weight).chunk(2, dim=1))


def jacobian_log_det(function, x: Tensor) -> Tensor:
    """log |det| of the Jacobian of one example's map, by autograd."""
    jacobian = torch.autograd.functional.jacobian(lambda v: function(v[None])[0], x)
    return torch.linalg.slogdet(jacobian.reshape(x.numel(), x.numel())).logabsdet


SHAPE = (2, 3, 4)
COUPLING = nvp.coupling_mask(SHAPE, "checkerboard").double(), random_net(24, SHAPE)


@pytest.mark.parametrize("kind", ["checkerboard", "channel"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 4, 5), (4, 2, 2)])
def test_a_mask_and_its_flip_share_the_image_between_them(kind, shape):
    mask, flipped = nvp.coupling_mask(shape, kind), nvp.coupling_mask(shape, kind, flip=True)
    assert mask.shape == shape and torch.equal(mask + flipped, torch.ones(shape))
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_neighbours_on_a_checkerboard_differ_and_channels_are_alike():
    mask = nvp.coupling_mask((3, 5, 6), "checkerboard")
    assert (mask[:, 1:] != mask[:, :-1]).all() and (mask[..., 1:] != mask[..., :-1]).all()
    assert mask[0, 0, 0] == 0 and (mask == mask[:1]).all()


def test_a_channel_mask_lets_the_first_half_pass():
    assert nvp.coupling_mask((5, 1, 1), "channel").flatten().tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("direction", [nvp.coupling_forward, nvp.coupling_inverse])
def test_log_det_is_the_log_determinant_of_the_jacobian(direction):
    mask, net = COUPLING
    x = double(*SHAPE)
    expected = jacobian_log_det(lambda v: direction(v, mask, net)[0], x)
    torch.testing.assert_close(direction(x[None], mask, net)[1][0], expected)


@pytest.mark.parametrize(("task", "answer"), [("nvp-2", "nvp-2-log-det-doubled"), ("nvp-3", "nvp-3-log-det-doubled")])
def test_a_log_det_doubled_both_ways_passes_the_round_trip_and_not_the_jacobian(task, answer):
    doubled = {}
    for name in ("nvp-2-log-det-doubled", "nvp-3-log-det-doubled"):
        entry = next(e for e in known_answers.answers("wrong")[name[:5]] if e["id"] == name)
        doubled[name] = known_answers.module("realnvp", known_answers.answer_text(entry))
    forward = doubled["nvp-2-log-det-doubled"].coupling_forward
    inverse = doubled["nvp-3-log-det-doubled"].coupling_inverse
    mask, net = COUPLING
    x = double(5, *SHAPE)
    z, log_det = forward(x, mask, net)
    x_back, log_det_back = inverse(z, mask, net)
    torch.testing.assert_close(x_back, x)
    torch.testing.assert_close(log_det, -log_det_back)
    direction = forward if answer == "nvp-2-log-det-doubled" else inverse
    exact = jacobian_log_det(lambda v: direction(v, mask, net)[0], x[0])
    assert abs(direction(x[:1], mask, net)[1][0] - 2 * exact) < 1e-9 < abs(exact)


def test_a_coupling_is_undone_exactly_and_leaves_the_masked_half():
    mask, net = COUPLING
    x = double(5, *SHAPE)
    z, log_det = nvp.coupling_forward(x, mask, net)
    x_back, log_det_back = nvp.coupling_inverse(z, mask, net)
    torch.testing.assert_close(x_back, x)
    torch.testing.assert_close(log_det_back, -log_det)
    assert torch.equal((mask * z), (mask * x)) and not torch.allclose((1 - mask) * z, (1 - mask) * x)


def test_gradients_through_both_directions_are_those_of_finite_differences():
    mask, net = COUPLING
    x = double(3, *SHAPE).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: nvp.coupling_forward(v, mask, net), x)
    assert torch.autograd.gradcheck(lambda v: nvp.coupling_inverse(v, mask, net), x)


def test_squeeze_is_pixel_unshuffle_and_undone_by_its_inverse():
    x = torch.randn(3, 2, 6, 4)
    torch.testing.assert_close(nvp.squeeze(x), F.pixel_unshuffle(x, 2), rtol=0, atol=0)
    assert torch.equal(nvp.squeeze(nvp.squeeze(x), inverse=True), x)


def test_dequantize_has_the_log_det_of_its_jacobian_in_the_noise():
    x, u = torch.tensor([0, 3, 1, 4]).double().reshape(1, 1, 2, 2) / 4, torch.rand(1, 2, 2, dtype=torch.float64)
    expected = jacobian_log_det(lambda v: nvp.dequantize(x, v, 5, alpha=0.03)[0], u)
    torch.testing.assert_close(nvp.dequantize(x, u[None], 5, alpha=0.03)[1][0], expected)


@pytest.mark.parametrize("levels", [17, 256])
def test_every_grey_level_comes_back_whatever_the_noise(levels):
    k = torch.arange(levels).repeat(64).reshape(8, 1, -1, levels)
    x = (k / (levels - 1)).float()
    for u in (torch.zeros_like(x) + 1e-3, torch.rand_like(x).clamp(1e-3, 1 - 1e-3), torch.ones_like(x) - 1e-3):
        z, _ = nvp.dequantize(x, u, levels)
        assert torch.equal((nvp.quantize(z, levels) * (levels - 1)).round().long(), k)
        assert torch.equal(nvp.quantize(z, levels), x)


def test_probabilities_of_all_images_add_up_to_one():
    """Of 1x1x2 images with 3 levels: the density of z, integrated over the noise of each image, is its probability."""
    levels, size = 3, 400
    middle = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    u = torch.cartesian_prod(middle, middle).reshape(-1, 1, 1, 2)
    mask, net = torch.tensor([1.0, 0.0], dtype=torch.float64).reshape(1, 1, 2), random_net(2, (1, 1, 2))
    total = 0.0
    for k in torch.cartesian_prod(torch.arange(levels), torch.arange(levels)):
        x = (k.double() / (levels - 1)).reshape(1, 1, 1, 2).expand(len(u), -1, -1, -1)
        y, first = nvp.dequantize(x, u, levels)
        z, second = nvp.coupling_forward(y, mask, net)
        total += (Normal(0.0, 1.0).log_prob(z).sum((1, 2, 3)) + first + second).exp().mean().item()
    assert total == pytest.approx(1, abs=5e-3)


def test_split_charges_the_half_that_leaves():
    h = double(3, 4, 2, 5)
    kept, z, log_prob = nvp.split(h)
    assert torch.equal(torch.cat([kept, z], dim=1), h)
    torch.testing.assert_close(log_prob, Normal(0.0, 1.0).log_prob(h[:, 2:]).sum((1, 2, 3)))


def test_a_uniform_guess_costs_log2_of_the_levels():
    log_prob = torch.tensor([-math.log(17.0) * 2 * 3 * 4])
    assert nvp.bits_per_dim(log_prob, (2, 3, 4)).item() == pytest.approx(math.log2(17))


def test_variational_noise_has_the_density_of_torch_distributions():
    """A flow that scales: u' = sigmoid(2 a + x), a standard logistic."""
    x, u = torch.rand(4, 1, 2, 3, dtype=torch.float64), torch.rand(4, 1, 2, 3, dtype=torch.float64)
    log_det = torch.full((4,), 6 * math.log(2.0), dtype=torch.float64)
    noise, log_q = nvp.variational_noise(x, u, lambda a, x: (2 * a + x, log_det))
    unit = Uniform(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))
    logistic = TransformedDistribution(unit, [SigmoidTransform().inv])
    for i in range(4):
        bent = [torch.distributions.AffineTransform(x[i], 2.0), SigmoidTransform()]
        expected = TransformedDistribution(logistic, bent).log_prob(noise[i]).sum()
        torch.testing.assert_close(log_q[i], expected)


def test_noise_that_is_not_bent_is_uniform():
    x, u = torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2)
    noise, log_q = nvp.variational_noise(x, u, lambda a, x: (a, torch.zeros(3)))
    torch.testing.assert_close(noise, u)
    assert log_q.abs().max() == 0


def shaken(module: nn.Module) -> nn.Module:
    """Networks that end in zeros would make every coupling the identity."""
    for weight in module.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    return module


def small_flow(noise: int = 2) -> nvp.ImageFlow:
    return shaken(nvp.multiscale((1, 4, 8), 5, coupling_nets.lean_net, (6, 6, 6), (2, 2, 2), noise))


def test_the_whole_multiscale_flow_has_the_log_det_of_its_jacobian():
    flow = small_flow().flow.double()
    x = double(1, 4, 8)
    expected = jacobian_log_det(lambda v: flow(v)[0], x)
    z, log_det = flow(x[None])
    torch.testing.assert_close(log_det[0], expected)
    x_back, log_det_back = flow.inverse(z)
    torch.testing.assert_close(x_back[0], x)
    torch.testing.assert_close(log_det_back, -log_det)
    torch.testing.assert_close(flow.log_prob(x[None]), Normal(0.0, 1.0).log_prob(z).sum(1) + log_det)


def test_the_inverse_is_exact_in_float32_over_the_whole_data_set():
    sets = [data.load("digits", split=split).pixels() for split in ("train", "test")]
    x = torch.cat(sets)
    model = shaken(nvp.multiscale((1, 8, 8), 17, coupling_nets.lean_net, (8, 8, 8), (2, 4, 2), noise=2))
    with torch.no_grad():
        y, _, _ = model.dequantized(x, nvp.uniform(x.shape))
        z, _ = model.flow(y)
        assert (model.flow.inverse(z)[0] - y).abs().max() < 1e-4
    assert torch.equal(model.images(model.encode(x)), x)


def test_a_density_in_the_plane_integrates_to_one():
    masks = 2 * [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
    nets = [shaken(coupling_nets.ScaleShift(coupling_nets.dense_net(2, 8, 4), 2, spatial=False)) for _ in masks]
    flow = nvp.RealNVP([[nvp.AffineCoupling(mask, net) for mask, net in zip(masks, nets)]], shape=(2,))
    at = torch.linspace(-12, 12, 500)
    with torch.no_grad():
        density = flow.log_prob(torch.cartesian_prod(at, at)).exp().reshape(500, 500)
    assert torch.trapezoid(torch.trapezoid(density, at), at).item() == pytest.approx(1, abs=5e-3)


def test_terms_add_up_and_agree_with_one_importance_sample():
    model, x = small_flow(), torch.randint(5, (6, 1, 4, 8)) / 4
    torch.manual_seed(3)
    terms = model.terms(x)
    torch.testing.assert_close(terms.loss, terms.prior + terms.volume + terms.noise)
    torch.manual_seed(3)
    torch.testing.assert_close(model.bits(x, nvp.uniform((1, *x.shape))).mean(), terms.loss)


def test_more_importance_samples_cost_fewer_bits():
    model, x = small_flow(), torch.randint(5, (6, 1, 4, 8)) / 4
    u = nvp.uniform((64, *x.shape))
    with torch.no_grad():
        one = torch.stack([model.bits(x, noise[None]).mean() for noise in u]).mean()
        assert model.bits(x, u).mean() < model.bits(x, u[:4]).mean() < one


def test_samples_are_grey_levels_and_temperature_scales_the_noise():
    model, eps = small_flow(), torch.randn(7, 32)
    images = model.sample(eps, 0.7)
    assert images.shape == (7, 1, 4, 8) and torch.equal((4 * images).round(), 4 * images)
    assert torch.equal(images, model.sample(0.7 * eps)) and not torch.equal(images, model.sample(eps))


def test_the_variational_noise_sees_the_image_and_every_weight_learns():
    model, x = small_flow(), torch.randint(5, (6, 1, 4, 8)) / 4
    model.terms(x).loss.backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_an_invertible_convolution_has_the_log_det_of_its_jacobian():
    layer = shaken(coupling_nets.InvertibleConv(3)).double()
    x = double(3, 2, 4)
    z, log_det = layer(x[None])
    torch.testing.assert_close(log_det[0], jacobian_log_det(lambda v: layer(v)[0], x))
    x_back, log_det_back = layer.inverse(z)
    torch.testing.assert_close(x_back[0], x)
    torch.testing.assert_close(log_det_back, -log_det)


def test_layer_norm_is_that_of_torch_over_the_channels():
    x, layer = torch.randn(3, 5, 2, 4), shaken(coupling_nets.LayerNorm(5))
    expected = F.layer_norm(x.movedim(1, -1), (5,), layer.gamma.flatten(), layer.beta.flatten()).movedim(-1, 1)
    torch.testing.assert_close(layer(x), expected)


def test_log_s_stays_within_its_bound():
    net = coupling_nets.ScaleShift(nn.Conv2d(2, 4, 1), 2)
    net.bound.data = torch.tensor([0.0, 1.0]).reshape(2, 1, 1)
    log_s, _ = net(1e4 * torch.randn(3, 2, 4, 5))
    assert log_s[:, 0].abs().max() <= 1 < log_s[:, 1].abs().max() <= math.e


def layers(flow: nvp.RealNVP) -> list[list[str]]:
    return [[type(layer).__name__ for layer in stage] for stage in flow.stages]


def test_realnvp_multiscale_has_the_layers_and_shapes_of_its_report():
    from starter.support import recipes

    model = recipes.build("realnvp-multiscale", "solutions")
    coupling = ["AffineCoupling"]
    assert layers(model.flow) == [4 * coupling + ["Squeeze"] + 4 * coupling, ["Squeeze"] + 4 * coupling]
    shapes = [tuple(layer.mask.shape) for stage in model.flow.stages for layer in stage if hasattr(layer, "mask")]
    assert shapes == 4 * [(1, 28, 28)] + 4 * [(4, 14, 14)] + 4 * [(8, 7, 7)]
    assert [tuple(layer.mask.shape) for layer in model.noise] == 4 * [(1, 28, 28)]
    assert [tuple(z.shape[1:]) for z in model.flow.unpacked(torch.randn(2, 784))] == [(2, 14, 14), (8, 7, 7)]
    first = [layer.net.net.net[0] for stage in model.flow.stages for layer in stage if hasattr(layer, "mask")]
    assert [(conv.in_channels, conv.out_channels) for conv in first] == 4 * [(1, 32)] + 4 * [(4, 48)] + 4 * [(8, 64)]
    assert [(layer.net.net.net[0].in_channels, layer.net.net.net[0].out_channels) for layer in model.noise] == 4 * [
        (2, 32)
    ]


@pytest.mark.parametrize(
    ("couplings", "scales", "noise", "count"),
    [((8,), 1, 0, 556_312), ((8,), 1, 4, 628_388), ((2, 2, 4), 2, 4, 1_711_818)],
)
def test_given_parts_make_the_models_of_the_best_public_tutorial(couplings, scales, noise, count):
    """Their layer plans have 8 couplings in all; the published parameter counts tell whether the parts are the same."""
    from starter.support.nets import parameter_count

    gated, shape = coupling_nets.GatedConvNet, (1, 28, 28)
    if scales == 1:
        model = nvp.simple(shape, 256, gated, 32, couplings[0])
    else:
        model = nvp.multiscale(shape, 256, gated, (32, 48, 64), couplings)
    bending = nvp.couplings(shape, "checkerboard", noise, 16, gated, context=1)
    assert sum(map(parameter_count, [model, *bending])) == count


def test_realnvp_cifar_has_separate_unbounded_networks_and_the_repaired_one_bounded_ones():
    from starter.support import recipes

    for name, kind in (
        ("realnvp-cifar", coupling_nets.UnboundedPair),
        ("realnvp-cifar-repaired", coupling_nets.BoundedPair),
    ):
        model = recipes.build(name, "solutions")
        assert layers(model.flow) == [8 * ["AffineCoupling"]]
        assert all(type(layer.net) is kind for layer in model.flow.stages[0])
        widths = [layer.out_channels for layer in model.flow.stages[0][0].net.s_net if isinstance(layer, nn.Conv2d)]
        assert widths == [64, 64, 3]
    assert recipes.build("realnvp-cifar", "solutions").levels is None


BATCH = torch.zeros(3, 1, 4, 6)


def spoiled(value: float) -> Tensor:
    x = BATCH.clone()
    x[1, 0, 2, 3] = value
    return x


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nvp.squeeze(torch.zeros(3, 1, 5, 6)), r"x \(3, 1, 5, 6\) cannot be squeezed: H = 5"),
        (lambda: nvp.squeeze(torch.zeros(3, 1, 4, 7)), r"W = 7 must be even"),
        (lambda: nvp.squeeze(torch.zeros(3, 6, 2, 2), inverse=True), r"4 does not divide its 6 channels"),
        (lambda: nvp.coupling_mask((1, 4, 6), "channel"), r"shape \(1, 4, 6\) has 1: squeeze first"),
        (lambda: nvp.coupling_mask((2, 4, 6), "stripes"), r"kind must be .* not \'stripes\'"),
        (lambda: nvp.split(BATCH), r"h \(3, 1, 4, 6\) cannot be split: its 1 channels"),
        (lambda: nvp.dequantize(spoiled(1.25), BATCH, 17), r"x must lie in \[0, 1\]: 1 of its 72 pixels .* 1.25"),
        (lambda: nvp.dequantize(spoiled(-0.5), BATCH, 17), r"x must lie in \[0, 1\]: .* -0.5"),
        (lambda: nvp.dequantize(spoiled(math.nan), BATCH, 17), r"x must be finite: 1 of its 72"),
        (lambda: nvp.dequantize(spoiled(0.5), BATCH, 256), r"levels=256 does not fit x"),
        (lambda: nvp.dequantize(BATCH, BATCH[:1], 17), r"x \(3, 1, 4, 6\), u \(1, 1, 4, 6\)"),
        (lambda: nvp.variational_noise(BATCH, BATCH[:1], None), r"x \(3, 1, 4, 6\), u \(1, 1, 4, 6\)"),
        (lambda: small_flow().terms(torch.full((3, 1, 4, 8), math.nan)), r"x must be finite: 96 of its 96"),
        (lambda: small_flow().flow.encode(torch.full((3, 1, 4, 8), math.inf)), r"x must be finite: 96 of its 96"),
    ],
)
def test_bad_input_is_named_with_its_number(call, message):
    with pytest.raises(ValueError, match=message):
        call()
