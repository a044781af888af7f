"""Lab 8's reference against statistics of its draws, torch's own layers, and closed forms of the least-squares game."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solutions import dcgan
from solutions.dcgan import DCGANConfig, Layer
from starter.support import recipes
from starter.support.data import unit
from starter.support.nets import parameter_count


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("layer", "mean"),
    [(nn.Conv2d(64, 100, 5), 0), (nn.ConvTranspose2d(64, 100, 5), 0), (nn.BatchNorm2d(40_000), 1)],
)
def test_weights_are_normal_with_the_paper_s_deviation_and_biases_are_zero(layer, mean):
    nn.init.ones_(layer.bias)
    dcgan.initialize(layer, torch.Generator().manual_seed(3))
    deviations = (layer.weight.detach().flatten() - mean) / 0.02
    assert deviations.mean().abs() < 5 / len(deviations) ** 0.5
    assert deviations.std().item() == pytest.approx(1, abs=0.02)
    inside = [(deviations.abs() < k).float().mean().item() for k in (1, 2, 3)]
    assert inside == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.012)
    assert not layer.bias.any() and all(weight.requires_grad for weight in layer.parameters())


def test_every_layer_gets_noise_of_its_own_and_the_same_stream_gives_the_same_network():
    def weights(seed):
        return [*dcgan.discriminator(DCGANConfig(channels=(8, 8, 8)), torch.Generator().manual_seed(seed)).parameters()]

    one, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(a, b) for a, b in zip(one, again))
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[2], one[5])  # two convolutions of one shape


def test_other_layers_stay_as_they_are():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
    before = [weight.clone() for weight in network.parameters()]
    network.apply(dcgan.initialize)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters()))


CONFIGS = {  # sides of the maps by hand
    "16x16": (DCGANConfig(), [(4, 4), (8, 8), (16, 16)]),
    "28x28": (DCGANConfig((1, 28, 28)), [(7, 7), (14, 14), (28, 28)]),
    "32x32 in colour": (DCGANConfig((3, 32, 32), 10, (12, 8, 4)), [(4, 4), (8, 8), (16, 16), (32, 32)]),
    "not square": (DCGANConfig((2, 24, 8), 5, (3, 6, 9), batch_norm=False), [(3, 1), (6, 2), (12, 4), (24, 8)]),
    "one doubling": (DCGANConfig((1, 6, 10), 7, (4,)), [(3, 5), (6, 10)]),
}
by_config = pytest.mark.parametrize(("config", "sides"), CONFIGS.values(), ids=CONFIGS)


def maps(network: nn.Module, x: torch.Tensor) -> list[tuple[int, ...]]:
    """Shape of what comes out of every convolution."""
    shapes = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda module, given, out: shapes.append(tuple(out.shape[1:])))
    network(x)
    return shapes


@by_config
def test_the_generator_doubles_its_map_up_to_the_image(config, sides):
    network = dcgan.generator(config)
    z = torch.randn(4, config.latent_dim)
    channels = [*config.channels, config.shape[0]]
    assert maps(network, z) == [(depth, *side) for depth, side in zip(channels, sides)]
    images = network(z)
    assert images.shape == (4, *config.shape) and images.abs().max() < 1


@by_config
def test_the_discriminator_goes_the_way_back_to_one_logit(config, sides):
    network = dcgan.discriminator(config)
    x = torch.randn(4, *config.shape)
    back = [*zip(config.channels[::-1], sides[-2::-1]), (1, (1, 1))]
    assert maps(network, x) == [(depth, *side) for depth, side in back]
    assert network(x).shape == (4,)


def norms(network: nn.Module) -> list[bool]:
    """Of every convolution: does BatchNorm follow it?"""
    layers = [layer for layer in network.modules() if not list(layer.children())]
    convolution = nn.Conv2d | nn.ConvTranspose2d
    return [isinstance(b, nn.BatchNorm2d) for a, b in zip(layers, layers[1:]) if isinstance(a, convolution)]


def test_pixels_and_logits_are_not_normalised():
    config = DCGANConfig((1, 32, 32), channels=(8, 8, 8))
    assert norms(dcgan.generator(config)) == [True, True, True, False]
    assert norms(dcgan.discriminator(config)) == [False, True, True, False]
    without = DCGANConfig((1, 32, 32), channels=(8, 8, 8), batch_norm=False)
    assert norms(dcgan.generator(without)) == norms(dcgan.discriminator(without)) == [False] * 4


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_block_is_convolution_norm_and_activation(transposed, batch_norm):
    built = dcgan.block(Layer(3, 5, (4, 3), 2, 1, batch_norm), nn.Tanh(), transposed)
    x, (convolution, *norm, _) = torch.randn(6, 3, 7, 9), built
    assert (convolution.bias is None) == batch_norm == bool(norm)
    function = F.conv_transpose2d if transposed else F.conv2d
    expected = function(x, convolution.weight, convolution.bias, stride=2, padding=1)
    if batch_norm:
        nn.init.normal_(norm[0].weight)
        mean, variance = expected.mean((0, 2, 3), keepdim=True), expected.var((0, 2, 3), correction=0, keepdim=True)
        expected = norm[0].weight.reshape(-1, 1, 1) * (expected - mean) / (variance + 1e-5).sqrt()
    torch.testing.assert_close(built(x), expected.tanh())


def test_the_default_networks_have_the_parameters_counted_by_hand():
    start, doubling, pixels = 100 * 64 * 16 + 2 * 64, 64 * 32 * 16 + 2 * 32, 32 * 1 * 16 + 1
    first, halving, logit = 1 * 32 * 16 + 32, 32 * 64 * 16 + 2 * 64, 64 * 1 * 16 + 1
    assert parameter_count(dcgan.generator(DCGANConfig())) == start + doubling + pixels == 135_873
    assert parameter_count(dcgan.discriminator(DCGANConfig())) == first + halving + logit == 34_465


def test_every_point_of_the_square_has_the_prior_s_distribution():
    """400,000 latents at once: every one is an independent draw of the four corners."""
    corners = torch.randn(4, 400_000)
    square = dcgan.interpolate_2d(*corners, steps=4)
    torch.testing.assert_close(square.mean(dim=2), torch.zeros(4, 4), atol=0.01, rtol=0)
    torch.testing.assert_close(square.var(dim=2), torch.ones(4, 4), atol=0.015, rtol=0)


def test_the_corners_of_the_square_are_the_corners_given_and_its_middle_their_scaled_mean():
    z00, z01, z10, z11 = corners = torch.randn(4, 5, dtype=torch.float64)
    square = dcgan.interpolate_2d(*corners, steps=5)
    assert square.shape == (5, 5, 5)
    torch.testing.assert_close(torch.stack([square[0, 0], square[0, -1], square[-1, 0], square[-1, -1]]), corners)
    torch.testing.assert_close(square[2, 2], corners.sum(dim=0) / 2)  # four weights of 1/4, root of their squares 1/2
    torch.testing.assert_close(square[2, 0], (z00 + z10) / 2**0.5)
    torch.testing.assert_close(square[0, 2], (z00 + z01) / 2**0.5)


def test_exchanging_corners_mirrors_the_square():
    z00, z01, z10, z11 = torch.randn(4, 3)
    square = dcgan.interpolate_2d(z00, z01, z10, z11, 4)
    torch.testing.assert_close(dcgan.interpolate_2d(z00, z10, z01, z11, 4), square.transpose(0, 1))
    torch.testing.assert_close(dcgan.interpolate_2d(z10, z11, z00, z01, 4), square.flip(0))


class Affine(nn.Module):
    """A generator whose best code is known: that of a ridge regression."""

    def __init__(self, size: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(latent_dim, *size, dtype=torch.float64) / 3)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bd,dchw->bchw", z, self.matrix)


@pytest.mark.parametrize("prior", [0.0, 0.7])
def test_the_search_ends_at_the_code_of_a_ridge_regression_on_the_known_pixels(prior):
    """|known (A z / 2 - (x - 1/2))|^2 + prior / 2 |z|^2 is smallest where the normal equations say."""
    generator = Affine((2, 3, 4), latent_dim=3)
    x, known = torch.rand(5, 2, 3, 4, dtype=torch.float64), torch.rand(5, 1, 3, 4) < 0.7
    found = dcgan.inpaint(generator, x, known, torch.randn(5, 3, dtype=torch.float64), prior, steps=4000, lr=0.1)
    for i in range(5):
        at = known[i].expand(2, 3, 4)
        half = generator.matrix.detach()[:, at].T / 2  # (known pixels, latent_dim)
        best = torch.linalg.solve(half.T @ half + prior / 2 * torch.eye(3), half.T @ (x[i][at] - 0.5))
        torch.testing.assert_close(found.codes[i], best)
        painted = (generator(best[None])[0].detach() + 1) / 2
        torch.testing.assert_close(found.images[i], torch.where(at, x[i], painted))


def test_one_step_goes_down_the_gradient_of_finite_differences():
    generator = Affine((1, 2, 3), latent_dim=2)
    x, known, z = torch.rand(1, 1, 2, 3).double(), torch.rand(1, 1, 2, 3) < 0.5, torch.randn(1, 2).double()

    def pays(code: torch.Tensor) -> float:
        missed = ((generator(code[None]) + 1) / 2 - x)[known].detach()
        return float((missed**2).sum() + 0.3 * (code**2).sum() / 2)

    h = 1e-5 * torch.eye(2, dtype=torch.float64)
    slope = torch.tensor([(pays(z[0] + step) - pays(z[0] - step)) / 2e-5 for step in h])
    found = dcgan.inpaint(generator, x, known, z, prior=0.3, steps=1, lr=0.2)
    torch.testing.assert_close(found.codes[0], z[0] - 0.2 * slope.double(), atol=1e-7, rtol=1e-6)


def test_an_image_is_inpainted_the_same_alone_and_in_a_batch_and_the_generator_is_left_as_it_was():
    generator = dcgan.generator(DCGANConfig((1, 8, 8), 3, (6, 4)))
    for _ in range(20):
        generator(torch.randn(32, 3))  # BatchNorm's statistics are then no longer those of its beginning
    x, known, z = torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8) < 0.5, torch.randn(4, 3)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    together = dcgan.inpaint(generator, x, known, z, steps=10)
    for i in range(4):
        alone = dcgan.inpaint(generator, *(part[i : i + 1] for part in (x, known, z)), steps=10)
        torch.testing.assert_close((alone.images[0], alone.codes[0]), (together.images[i], together.codes[i]))
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert all(layer.training for layer in generator.modules())
    assert all(weight.grad is None and weight.requires_grad for weight in generator.parameters())
    assert torch.equal(together.images[known], x[known]) and not together.codes.requires_grad


def test_a_sample_s_own_code_is_where_the_search_stays():
    generator = dcgan.generator(DCGANConfig((1, 8, 8), 3, (6, 4))).eval()
    z = torch.randn(4, 3)
    with torch.no_grad():
        own = unit(generator(z))
    found = dcgan.inpaint(generator, own, torch.zeros(1, 1, 8, 8) == 0, z, prior=0.0)
    torch.testing.assert_close(found.codes, z)
    without = dcgan.inpaint(generator, own, torch.zeros(1, 1, 8, 8) > 0, z, prior=0.0)
    torch.testing.assert_close((without.images, without.codes), (own, z))


def test_least_squares_losses_are_those_of_torch():
    real, fake = torch.randn(2, 7, dtype=torch.float64)
    d_loss = 0.5 * F.mse_loss(real, torch.full_like(real, 0.9)) + 0.5 * F.mse_loss(fake, torch.full_like(fake, -0.3))
    torch.testing.assert_close(dcgan.least_squares_discriminator_loss(real, fake, a=-0.3, b=0.9), d_loss)
    torch.testing.assert_close(
        dcgan.least_squares_generator_loss(fake, c=0.4), 0.5 * F.mse_loss(fake, torch.full_like(fake, 0.4))
    )


def test_patches_and_batches_of_different_sizes_are_averaged_over_all_numbers():
    real, fake = torch.randn(3, 1, 4, 5), torch.randn(6, 1, 4, 5)
    expected = 0.5 * ((real - 1) ** 2).sum() / 60 + 0.5 * (fake**2).sum() / 120
    torch.testing.assert_close(dcgan.least_squares_discriminator_loss(real, fake), expected)


def best_discriminator(p: torch.Tensor, q: torch.Tensor, a: float, b: float) -> torch.Tensor:
    """Found by gradient descent: D(x) for every x of a discrete world, p real and q fake."""
    count = 1000
    n_real, n_fake = (count * p).round().long(), (count * q).round().long()
    logits = torch.zeros(len(p), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe", tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = dcgan.least_squares_discriminator_loss(
            logits.repeat_interleave(n_real), logits.repeat_interleave(n_fake), a, b
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach()


P, Q = torch.tensor([0.1, 0.2, 0.3, 0.4]).double(), torch.tensor([0.4, 0.1, 0.25, 0.25]).double()


def test_the_best_discriminator_is_the_mean_of_the_targets_weighted_by_the_densities():
    torch.testing.assert_close(
        best_discriminator(P, Q, a=-0.5, b=2.0), (2.0 * P - 0.5 * Q) / (P + Q), atol=1e-6, rtol=0
    )


def test_with_the_pearson_coding_the_game_measures_a_chi_square():
    """Mao et al.: E_p + E_q of (D* - c)^2 is the Pearson chi-square of p + q against 2q for a, b, c = -1, 1, 0."""
    best = best_discriminator(P, Q, a=-1.0, b=1.0)
    n_p, n_q = (1000 * P).round().long(), (1000 * Q).round().long()
    got = sum(2 * dcgan.least_squares_generator_loss(best.repeat_interleave(n), c=0.0) for n in (n_p, n_q))
    assert got.item() == pytest.approx(((2 * Q - (P + Q)) ** 2 / (P + Q)).sum().item(), rel=1e-5)


def test_far_away_logits_keep_a_gradient():
    """Where cross-entropy is satisfied, least squares go on pulling: by the distance itself."""
    far = torch.tensor([9.0, 30.0], requires_grad=True)
    (pull,) = torch.autograd.grad(dcgan.least_squares_generator_loss(far), far)
    torch.testing.assert_close(pull, torch.tensor([8.0, 29.0]) / 2)
    (silence,) = torch.autograd.grad(F.softplus(-far).mean(), far)
    assert silence.abs().max() < 1e-4


def test_gradients_are_those_of_finite_differences():
    real, fake = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    corners = [torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    assert torch.autograd.gradcheck(dcgan.least_squares_discriminator_loss, (real, fake))
    assert torch.autograd.gradcheck(dcgan.least_squares_generator_loss, fake)
    assert torch.autograd.gradcheck(lambda *z: dcgan.interpolate_2d(*z, 3), corners)


def sought(**changed: torch.Tensor | float) -> dcgan.Inpainted:
    given = {"x": torch.zeros(2, 1, 4, 4), "known": torch.ones(1, 1, 4, 4).bool(), "z": torch.zeros(2, 3)}
    return dcgan.inpaint(nn.Identity(), **given | changed)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: DCGANConfig((1, 30, 28)), r"sides that 4 divides, not \(1, 30, 28\)"),
        (lambda: DCGANConfig(channels=()), "channels must not be empty"),
        (lambda: DCGANConfig(latent_dim=0), "every number at least 1"),
        (lambda: dcgan.discriminator(DCGANConfig())(torch.zeros(2, 1, 32, 32)), "images of another size"),
        (lambda: dcgan.interpolate_2d(*torch.zeros(4, 3), steps=1), "steps=1 must be at least 2"),
        (lambda: dcgan.interpolate_2d(*torch.zeros(3, 3), torch.zeros(1), steps=3), "vectors of one length"),
        (lambda: dcgan.interpolate_2d(*torch.zeros(4, 2, 3), steps=3), "vectors of one length"),
        (lambda: dcgan.least_squares_discriminator_loss(torch.zeros(7, 1), torch.zeros(7)), r"\(7, 1\) and \(7,\)"),
        (lambda: sought(known=torch.ones(1, 1, 4, 4)), "known must be bool"),
        (lambda: sought(known=torch.ones(4, 4).bool()), r"known \(4, 4\) of torch.bool"),
        (lambda: sought(known=torch.ones(3, 1, 4, 4).bool()), r"\(B or 1, 1, H, W\)"),
        (lambda: sought(z=torch.zeros(1, 3)), "a code for each image"),
        (lambda: sought(prior=-0.5), "prior must be at least 0, not -0.5"),
        (lambda: sought(steps=0), "steps must be at least 1, not 0"),
    ],
)
def test_bad_input_is_one_clear_sentence(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def leaves(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.modules() if not list(layer.children())]


def kernels(network: nn.Module) -> list[tuple]:
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    return [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0]) for c in convolutions]


@pytest.mark.parametrize("latent_dim", [10, 2000])
def test_dcgan_cifar_was_also_reported_with_other_latents(latent_dim):
    with torch.device("meta"):
        model = recipes.build(f"dcgan-cifar-{latent_dim}")
    assert kernels(model.generator)[0] == (latent_dim, 512, 4, 1, 0) and model.latent_dim == latent_dim


def test_dcgan_cifar_works_on_pixels_in_the_unit_range_and_speaks_the_course_s():
    model = recipes.build("dcgan-cifar").eval()
    seen = []
    hook = next(layer for layer in model.discriminator.modules() if isinstance(layer, nn.Conv2d))
    hook.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images = model.generator(torch.randn(3, 100))
    model.discriminator(images)
    assert -1 <= images.min() < 0 < images.max() <= 1 and 0 <= seen[0].min() and seen[0].max() <= 1
    torch.testing.assert_close(seen[0], unit(images))


@pytest.mark.parametrize("name", ["cub-gan", "cub-lsgan"])
def test_the_bird_gans_differ_in_their_loss_only(name):
    recipe, model = recipes.RECIPES[name], recipes.build(name)
    assert (recipe.shape, recipe.batch_size, recipe.steps) == ((3, 32, 32), 256, 30_000)
    assert kernels(model.generator) == [(100, 256, 4, 1, 0), (256, 128, 4, 2, 1), (128, 64, 4, 2, 1), (64, 3, 4, 2, 1)]
    assert kernels(model.discriminator) == [
        (3, 64, 4, 2, 1),
        (64, 128, 4, 2, 1),
        (128, 256, 4, 2, 1),
        (256, 1, 4, 1, 0),
    ]
    logits = torch.tensor([0.5, -1.0, 2.0])
    least_squares = 0.5 * ((logits - 1) ** 2).mean()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, torch.ones(3))
    torch.testing.assert_close(model.g_loss(logits), least_squares if name == "cub-lsgan" else cross_entropy)
