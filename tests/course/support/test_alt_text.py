"""starter/support/alt_text.py: words that say what is drawn, shortly, and no two curves alike."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from starter.support import alt_text, densities, plots, ring

X = np.linspace(-3, 3, 61)


@pytest.fixture
def said(monkeypatch):
    """The words of every figure that was shown."""
    words = []
    monkeypatch.setattr(plots, "show", lambda fig, alt="", drawing=False: words.append(alt or alt_text.described(fig)))
    return words


def test_a_curve_turns_where_it_is_lowest_or_highest(said):
    plots.lines({"": (X, X**2 / 2)}, x="μ", y="nats")
    plots.lines({"": (X, np.exp(-(X**2) / 2))}, x="z", y="density")
    plots.lines({"": (X, np.sin(X))}, x="z", y="height")
    assert said == [
        "a line from 4.5 down to 0 at x = 0, up to 4.5; across: μ; up: nats",
        "a line from 0.0111 up to 1 at x = 0, down to 0.0111; across: z; up: density",
        "a line from -0.141 down to -1 at x = -1.6, up to 1 at x = 1.6, down to 0.141; across: z; up: height",
    ]


def test_wiggles_are_no_turns_and_what_nobody_sees_is_zero(said):
    plots.lines({"a": (range(4), [9.0, 5.0, 0.9, 1.0]), "b": (range(4), [3e-17, 1.0, 2.0, 3.0])}, x="step", y="nats")
    assert said == ["a from 9 to 1; b from 0 to 3; across: step; up: nats"]


def test_a_level_lies_somewhere_and_a_run_that_diverged_ends(said):
    plots.lines({"flat": ([0, 1], [2, 2]), "lost": ([0, 1, 2], [1.0, 3.0, float("nan")])}, x="step", y="nats")
    assert said == ["flat at 2; lost from 1 to 3, then nothing; across: step; up: nats"]


def test_curves_with_the_same_ends_say_where_they_rise(said):
    counts = np.arange(1, 61)
    plots.lines({"near": (counts, counts), "far": (counts + 50, counts)}, x="distance", y="images")
    assert said == [
        "near from 1 to 60, half way at x = 31; far from 1 to 60, half way at x = 81; across: distance; up: images"
    ]


@pytest.mark.parametrize("shape", [lambda x: x, lambda x: x**3, lambda x: np.sin(np.pi * x / 2)])
def test_no_two_different_curves_of_a_panel_read_the_same(said, shape):
    x = np.linspace(-1, 1, 81)  # half way at 0, all of them
    plots.lines({"one": (x, shape(x)), "other": (x, np.sign(x) * abs(x) ** 0.5), "copy": (x, shape(x))}, x="x", y="y")
    one, other, copy, *_ = said[0].split("; ")
    assert one.removeprefix("one") != other.removeprefix("other") and copy == "copy like one"


def test_single_curves_of_several_panels_are_told_apart(said):
    early, late = [0, 1, 1, 1, 1], [0, 0, 0, 0, 1]
    plots.panels({"early": {"": (range(5), early)}, "late": {"": (range(5), late)}}, x="step", y="β")
    assert said == [
        "early; a line from 0 to 1, half way at x = 1. late; a line from 0 to 1, half way at x = 4. across: step; up: β"
    ]


def test_unnamed_lines_are_counted(said):
    with plots.figure(3, 3) as axes:
        axes[0, 0].plot(np.arange(12.0).reshape(2, 6), np.arange(12.0).reshape(2, 6))
        plots.finish(axes[0, 0], "x", "y")
    with plots.figure(3, 3) as axes:  # a cloud, lines through it, and a ring that adorns it
        axes[0, 0].scatter(X, X)
        axes[0, 0].plot(np.cos(X * np.pi), np.sin(X * np.pi))
        axes[0, 0].plot([[0, 0], [1, 2]], [[0, 0], [1, 2]])
        axes[0, 0].quiver(X, X, X, X)
        plots.finish(axes[0, 0], "x", "y")
    assert said == [
        "6 lines between 0 and 11; across: x; up: y",
        "2 lines between 0 and 2; 61 points, x from -3 to 3, y from -3 to 3; 61 arrows; across: x; up: y",
    ]


def test_points_have_a_name_a_number_and_a_place(said):
    corner = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    with plots.figure(3, 3) as axes:
        plots.clouds(axes[0, 0], {"real": corner, "fake": corner + 1})
        plots.finish(axes[0, 0], "x", "y")
    plots.scatter({"codes": (corner.repeat(4, 1), torch.arange(8) // 2)})
    plots.points({"VAE": (0.5, 0.9), "GAN": (0.6, 0.25)}, "", "recall", "precision")
    plots.lines({"β = 1": ([8.5], [68.0]), "β = 2": ([6, 7], [9.0, 5.0])}, x="R", y="D", style="o")
    assert said == [
        "real: 2 points, x from 0 to 1, y from 0 to 2; fake: 2 points, x from 1 to 2, y from 1 to 3; across: x; up: y",
        "codes; " + "".join(f"{i}: 2 points around (0.5, 1); " for i in range(4)) + "across: z_1; up: z_2",
        "VAE (0.5, 0.9), GAN (0.6, 0.25); across: recall; up: precision",
        "β = 2 from 9 to 5; β = 1 (8.5, 68); across: R; up: D",
    ]


def test_every_column_of_dots_has_its_mean_for_every_kind(said):
    runs = {"VAE": {"bound": [0.0, 2.0], "KL": [4.0]}, "planar,\ncontext": {"bound": [3.0], "KL": [6.0, 8.0]}}
    densities.dots(runs, y="nats")
    assert said == ["bound, on average: VAE 1, planar, context 3; KL, on average: VAE 4, planar, context 7; up: nats"]


def test_many_panels_are_told_row_by_row(said):
    torch.manual_seed(0)
    clouds = {f"step {200 * i}": torch.rand(1000, 2) for i in range(9)}
    ring.snapshots({"generator faster": clouds, "discriminator faster": clouds})
    low, high = torch.tensor([0.1, 0.4, 0.2, 0.3]), torch.tensor([0.1, 0.2, 0.3, 0.4])
    densities.maps({"target": [("U_1", low), ("U_2", high)], "flow": [("1 nat", high)] * 2})
    steps = ", ".join(clouds)
    assert said[0] == f"generator faster: {steps}; 1000 points. discriminator faster: {steps}; 1000 points"
    assert said[1] == (
        "target: U_1; a map from 0.1 to 0.4, highest at (2.5, 2.5). U_2; a map from 0.1 to 0.4, highest at (2.5, -2.5)."
        " flow: 1 nat, 1 nat; a map from 0.1 to 0.4, highest at (2.5, -2.5). across: -5 to 5; up: -5 to 5"
    )


def test_much_is_told_in_brief(said):
    plots.lines({f"model {i}": (X, np.sin(X + i)) for i in range(9)}, "Waves", "x", "y")
    y = torch.arange(500) % 10
    plots.scatter({f"step {i}": (torch.randn(500, 2), y) for i in range(4)})
    plots.scatter({"codes of test images": (torch.stack([y + 0.25, y + 10.2], dim=1), y)}, "What " * 9)
    assert all(len(words) <= alt_text.LONGEST for words in said)
    assert said[0] == f"Waves. {', '.join(f'model {i}' for i in range(9))} between -1 and 1; across: x; up: y"
    assert "step 3; 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: 500 points" in said[1]
    assert "codes of test images; 500 points, the middle of 0 (0.25, 10.2), 1 (1.25, 11.2)," in said[2]


def test_single_points_keep_name_and_place_however_many_they_are(said):
    plots.points({f"a model of the {i}th lab": (i / 10, i) for i in range(1, 15)}, "Cost", "seconds", "FID")
    assert all(f"a model of the {i}th lab ({i / 10:g}, {i})" in said[0] for i in range(1, 15))


@pytest.mark.parametrize(
    ("value", "scale", "words"),
    [
        (1024, 0, "1024"),
        (123456.0, 0, "123456"),
        (0.000335, 0, "0.000335"),
        (3.17e-17, 0, "3.17e-17"),
        (3.17e-7, 0, "3.17e-7"),
        (3.17e-17, 1, "0"),
        (1.5e8, 0, "1.5e8"),
        (-0.0, 0, "0"),
        (162.34, 120, "162"),
        (1000.1, 0.5, "1000.1"),
        (2.0, 1, "2"),
    ],
)
def test_numbers_are_as_long_as_the_picture_tells(value, scale, words):
    assert alt_text.number(value, scale) == words


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (r"$2 \log 2 - 2$ JS", "2 log 2 - 2 JS"),
        (r"$z_{10}$ and $\lambda\,\Sigma$", "z_10 and λ Σ"),
        (r"$\mathcal{N}(0, \varepsilon) \times \mathrm{KL}$", "N(0, ε) × KL"),
    ],
)
def test_tex_becomes_words(label, words):
    fig = Figure()
    fig.suptitle(label)
    assert alt_text.described(fig) == words


def test_maps_with_numbers_at_their_axes_need_labels_and_grids_of_images_do_not(said):
    with plots.figure(3, 3) as axes:
        axes[0, 0].imshow([[0.1, 0.3, 0.9, 0.1], *[[0.2] * 4] * 3], extent=(-3, 3, -3, 3))
        axes[0, 0].scatter([0], [0])
    plots.grid(torch.rand(6, 1, 2, 5), columns=3, row_labels=["0", "1"], column_labels=["0", "0", "3"])
    assert said == [
        f"a map from 0.1 to 0.9, highest at (0.8, 2.2); across: {alt_text.NO_LABEL}, -3 to 3; "
        f"up: {alt_text.NO_LABEL}, -3 to 3",
        "6 images in 2 rows of 3, 2×5 pixels each; rows: 0, 1; columns: 0, 0, 3",
    ]


def test_images_are_counted_and_a_human_may_add_what_is_to_be_seen(said):
    plots.grid(torch.rand(1, 1, 6, 6), "A matrix", says="a white diagonal")
    plots.grid(torch.rand(5, 1, 4, 4))
    plots.rows({"small": torch.rand(2, 1, 4, 4), "large": torch.rand(2, 3, 6, 6)})
    plots.manifold(lambda z: z[:, :1, None, None].sigmoid(), steps=3, span=2.0)
    assert said == [
        "A matrix. an image of 6×6 pixels; a white diagonal",
        "5 images in a row, 4×4 pixels each",
        "4 images in 2 rows of 2, 4×4 or 6×6 pixels each; rows: small, large",
        "9 images in 3 rows of 3, 1×1 pixels each; z_1 grows to the right, z_2 upwards, both from -2 to 2",
    ]
