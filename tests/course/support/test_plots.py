"""starter/support/plots.py: pictures show what they are given, in the order and the colours they are given."""

import base64
import io
import re

import matplotlib.colors
import numpy as np
import pytest
import torch
from matplotlib.text import Text

from starter.support import plots


@pytest.fixture
def shown(monkeypatch):
    """Every figure that was shown, as the figure and its PNG."""
    figures = []
    monkeypatch.setattr(plots, "show", lambda fig, alt="", drawing=False: figures.append((fig, plots.png(fig))))
    return figures


def only(shown):
    assert len(shown) == 1
    fig, png = shown[0]
    assert png.startswith(b"\x89PNG")
    return fig


def constant_images(*values: float, channels: int = 1, height: int = 2, width: int = 3) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, channels, height, width).clone()


def test_tiles_go_left_to_right_then_top_to_bottom():
    canvas = plots.tile(constant_images(0.0, 0.2, 0.4, 0.6, 0.8), columns=3, gap=1)
    assert canvas.shape == (2 * 2 + 1, 3 * 3 + 2, 4)
    assert [round(canvas[0, left, 0], 3) for left in (0, 4, 8)] == [0.0, 0.2, 0.4]
    assert [round(canvas[3, left, 0], 3) for left in (0, 4)] == [0.6, 0.8]


def test_an_image_in_a_tile_is_neither_turned_nor_mirrored():
    image = torch.arange(6.0).view(1, 1, 2, 3) / 6
    np.testing.assert_allclose(plots.tile(image, 1)[..., 0], image[0, 0].numpy(), atol=1e-6)


def test_gaps_and_missing_tiles_are_transparent_and_images_are_not():
    alpha = plots.tile(constant_images(0.0, 0.0, 0.0), columns=2, gap=1)[..., 3]
    assert alpha[:2, :3].all() and alpha[:2, 4:].all() and alpha[3:, :3].all()
    assert not alpha[2].any() and not alpha[:, 3].any() and not alpha[3:, 4:].any()


def test_no_gap_joins_the_tiles():
    assert plots.tile(constant_images(0.1, 0.2), columns=2, gap=0).shape == (2, 6, 4)


def test_colours_keep_their_channels():
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 1
    assert plots.tile(red, 1)[0, 0].tolist() == [1, 0, 0, 1]


def test_values_outside_the_range_are_clipped_and_the_title_says_so(shown):
    logits = constant_images(-3.0, 0.5, 4.0)
    assert plots.tile(logits, 3)[0, [0, 4, 8], 0].tolist() == [0, 0.5, 1]
    plots.grid(logits, "logits")
    assert only(shown).get_suptitle() == "logits  (values -3.0 to 4.0, clipped to [0, 1])"


def test_values_inside_the_range_need_no_remark(shown):
    plots.grid(constant_images(0.0, 1.0), "fine")
    assert only(shown).get_suptitle() == "fine"


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 2, 4, 4), (4, 4)])
def test_another_shape_is_refused_with_that_shape(shape):
    with pytest.raises(ValueError, match=r"\(N, 1 or 3, H, W\)"):
        plots.tile(torch.zeros(shape), 1)


def test_a_gradient_does_not_disturb(shown):
    plots.grid(torch.rand(2, 1, 4, 4, requires_grad=True))
    plots.lines({"loss": ([1, 2], torch.rand(2, requires_grad=True))})
    assert len(shown) == 2


def test_rows_put_each_name_beside_its_images(shown):
    plots.rows({"black": constant_images(0.0, 0.0), "white": constant_images(1.0, 1.0)})
    ax = only(shown).axes[0]
    picture = ax.images[0].get_array()
    for label, place, value in zip(ax.get_yticklabels(), ax.get_yticks(), (0.0, 1.0), strict=True):
        assert label.get_text() == ("white" if value else "black")
        assert picture[int(place), 0, 0] == value


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"not \[1, 2\]"):
        plots.rows({"x": constant_images(0.0), "x_hat": constant_images(0.0, 1.0)})


def test_z_1_grows_to_the_right_and_z_2_upwards():
    codes = plots.plane(5).view(5, 5, 2)  # row, column, (z_1, z_2)
    assert (codes[:, 1:, 0] > codes[:, :-1, 0]).all()
    assert (codes[:-1, :, 1] > codes[1:, :, 1]).all()


def test_the_plane_has_equal_shares_of_the_prior_or_equal_steps():
    shares = torch.distributions.Normal(0.0, 1.0).cdf(plots.plane(4).view(4, 4, 2)[0, :, 0])
    torch.testing.assert_close(shares, torch.tensor([0.125, 0.375, 0.625, 0.875]))
    torch.testing.assert_close(plots.plane(3, span=6.0).view(3, 3, 2)[0, :, 0], torch.tensor([-6.0, 0.0, 6.0]))


def test_the_manifold_shows_each_code_where_it_lies(shown):
    plots.manifold(lambda z: z.sigmoid()[:, :1, None, None].expand(-1, 1, 2, 2), steps=3)
    picture = only(shown).axes[0].images[0].get_array()
    assert picture[0, 0, 0] < picture[0, 3, 0] < picture[0, 6, 0]
    assert picture[0, 0, 0] == picture[6, 0, 0]


def test_lines_draw_the_values_and_name_them(shown):
    plots.lines({"a": ([1, 2, 3], [4, 5, 6]), "b": ([1, 2, 3], [6, 5, 4])}, levels={"floor": 2.5})
    ax = only(shown).axes[0]
    assert ax.lines[1].get_ydata().tolist() == [6, 5, 4]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "floor"]
    assert set(ax.lines[2].get_ydata()) == {2.5}


def test_training_shows_each_term_in_a_panel_with_its_last_mean(shown):
    plots.training({"loss": [5.0] * 30, "kl": [1.0] * 30})
    assert [ax.get_title() for ax in only(shown).axes] == ["loss 5", "kl 1"]


def test_training_of_one_or_two_steps_is_still_a_picture(shown):
    plots.training({"loss": [5.0], "kl": [0.0]})
    plots.training({"loss": [5.0, 4.0]})
    assert len(shown) == 2


def test_a_running_mean_has_no_delay_at_the_start():
    np.testing.assert_allclose(plots.running_mean([1.0, 2.0, 3.0, 4.0], count=2), [1.0, 1.5, 2.5, 3.5])


def test_stacked_bars_stand_on_each_other(shown):
    plots.bars({"a": {"reconstruction": 3.0, "KL": 1.0}, "b": {"reconstruction": 2.0}})
    kl = only(shown).axes[0].containers[1]
    assert [(bar.get_y(), bar.get_height()) for bar in kl] == [(3.0, 1.0), (2.0, 0.0)]


def test_names_of_bars_do_not_touch_however_long_they_are(shown):
    plots.bars({"digits": 1, "upside down": 2, "drawn shapes": 3, "pixels shuffled": 4, "mirrored": 5})
    fig = only(shown)
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_xticklabels()]
    assert len(boxes) == 5
    assert all(left.x1 + 2 < right.x0 for left, right in zip(boxes, boxes[1:]))


def test_a_cloud_of_something_else_than_codes_says_what_its_axes_are(shown):
    plots.scatter({"features": torch.randn(5, 2)}, axes=("widest direction", "second widest"))
    ax = only(shown).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("widest direction", "second widest")


def test_clouds_share_one_scale_and_classes_their_colours(shown):
    near, far, y = torch.randn(9, 2), 10 * torch.randn(9, 2), torch.arange(9) % 3
    plots.scatter({"near": (near, y), "far": far}, circle=True)
    left, right = only(shown).axes
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()
    assert [text.get_text() for text in left.texts] == ["0", "1", "2"]


def test_pictures_are_dark_on_white_twice_as_sharp_as_the_page_and_none_is_too_wide(shown):
    import matplotlib.image

    plots.rows({"a long name of a row": constant_images(*[0.5] * 30)}, "title")
    plots.panels({f"plot {i}": {"": ([0, 1], [0, 1])} for i in range(3)})
    for _, png in shown:
        picture = matplotlib.image.imread(io.BytesIO(png))
        assert 150 * plots.WIDEST < picture.shape[1] <= 200 * (plots.WIDEST + 0.5)
        assert picture[0, 0].tolist() == [1, 1, 1, 1]


def luminance(colour):
    channels = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    """WCAG 2: from 1 to 21."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_on_the_page_and_on_every_colour():
    texts = [value for key, value in plots.STYLE.items() if key in ("text.color", "axes.labelcolor", "xtick.color")]
    assert min(contrast(text, plots.STYLE["figure.facecolor"]) for text in texts) >= 4.5
    assert min(contrast(plots.on(colour), colour) for colour in plots.COLOURS) >= 4.5


def test_curves_differ_without_their_colour(shown):
    plots.lines({str(i): ([0, 1], [i, i]) for i in range(7)})
    plots.lines({str(i): ([0, 1], [i, i]) for i in range(7)}, style="o-")
    dashes, shapes = (fig.axes[0].lines for fig, _ in shown)
    assert len({str(line._dash_pattern) for line in dashes}) == 7
    assert len({line.get_marker() for line in shapes}) == 7


def test_levels_differ_by_their_dashes_and_the_legend_shows_which(shown):
    plots.lines({"test": ([0, 1], [0, 1])}, levels={str(i): i / 5 for i in range(5)})
    ax = only(shown).axes[0]
    dashes = [str(line._dash_pattern) for line in ax.lines[1:]]
    assert len(set(dashes)) == 5
    assert [str(handle._dash_pattern) for handle in ax.get_legend().get_lines()[1:]] == dashes
    assert all(contrast(line.get_color(), plots.STYLE["figure.facecolor"]) >= 4.5 for line in ax.lines[1:])


def test_a_panel_without_a_common_unit_is_labelled_with_its_name(shown):
    plots.panels({"FID": {"": ([0, 1], [0, 1])}, "nats": {"": ([0, 1], [0, 1])}}, x="step")
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in only(shown).axes] == [("step", "FID"), ("step", "nats")]


def test_panels_may_have_a_label_each(shown):
    plots.panels({"loss": {"": ([0, 1], [0, 1])}, "speed": {"": ([0, 1], [0, 1])}}, "", ("step", "σ"), ("nats", ""))
    plots.training({"kl": [1.0, 2.0], "perplexity": [3.0, 4.0]}, y=("nats", "codes"))
    labels = [[(ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) for ax in fig.axes] for fig, _ in shown]
    assert labels[0] == [("loss", "step", "nats"), ("", "σ", "speed")]
    assert labels[1] == [("kl 1.5", "step", "nats"), ("perplexity 3.5", "step", "codes")]


def test_a_legend_hides_nothing(shown):
    everywhere = {f"a curve {i}": (range(300), [i + step % 7 for step in range(300)]) for i in range(5)}
    plots.lines(everywhere, "Full", "step", "nats")
    roomy = {"one": ([0, 1], [0, 0.1]), "two": ([0, 1], [1, 1])}
    plots.panels({"full": everywhere, "empty": roomy}, "", "step", "nats")
    inside = []
    for ax in (ax for fig, _ in shown for ax in fig.axes):
        ax.figure.draw_without_rendering()
        box = ax.get_legend().get_window_extent()
        assert not plots.hides(box, ax) and not box.overlaps(ax.xaxis.label.get_window_extent())
        inside.append(box.overlaps(ax.bbox))
    assert inside == [False, False, True]  # where there is room, it stays


def test_every_marker_can_be_seen_on_white(shown):
    ten = torch.arange(10)
    plots.lines({str(i): ([i], [i]) for i in range(10)}, style="o")
    plots.points({str(i): (i, i) for i in range(10)})
    plots.scatter({"classes": (torch.stack([ten, ten], dim=1), ten)})
    first, *others = (fig.axes[0] for fig, _ in shown)
    edges = [line.get_markeredgecolor() for line in first.lines]
    edges += [dot.get_edgecolors()[0] for ax in others for dot in ax.collections]
    assert len(edges) == 30 and min(contrast(edge, plots.STYLE["axes.facecolor"]) for edge in edges) >= 3


def test_a_point_keeps_its_look_where_others_are_missing(shown):
    everyone = {name: (i, i) for i, name in enumerate("abcd")}
    plots.points(everyone)
    plots.points({name: everyone[name] for name in "db"}, among=list(everyone))
    everyone, some = ({dot.get_label(): dot for dot in fig.axes[0].collections} for fig, _ in shown)
    for name, dot in some.items():
        np.testing.assert_array_equal(dot.get_facecolors(), everyone[name].get_facecolors())
        np.testing.assert_array_equal(dot.get_paths()[0].vertices, everyone[name].get_paths()[0].vertices)


def test_enlarged_pixels_are_squares():
    import matplotlib.image

    picture = matplotlib.image.imread(io.BytesIO(plots.enlarged(constant_images(0.0, height=4, width=4), 30)))
    assert picture.shape[:2] == (32, 32)


@pytest.fixture
def displayed(monkeypatch):
    """What reaches the page: data, and what is said about it."""
    bundles = []
    keep = lambda data, metadata=None, raw=False: bundles.append((data, metadata or {}))  # noqa: E731
    monkeypatch.setattr("IPython.display.display", keep)
    return bundles


def test_a_picture_has_a_text_that_never_changes_and_words_that_say_what_is_seen(displayed):
    assert plots.grid(constant_images(0.5, 0.5), "Two greys", row_labels=["x"]) is None
    plots.lines({"loss": ([1, 2, 3], [5.0, 2.0, 1.0])}, "It falls", "step", levels={"floor": 0.5})
    plots.bars({"a": 1.0, "b": 2.0}, y="nats")
    assert [data["text/plain"] for data, _ in displayed] == ["picture"] * 3
    said = [about["image/png"]["alt"] for _, about in displayed]
    assert said[0] == "Two greys. 2 images in a row, 2×3 pixels each; rows: x"
    assert said[1] == "It falls. loss from 5 to 1; floor at 0.5; across: step; up: axis without a label"
    assert said[2] == "a 1, b 2; up: nats"


def test_a_curve_without_points_is_no_error(displayed):
    plots.lines({"nothing": ([], [])}, "Too short a run", "step", "nats")
    assert displayed[0][1]["image/png"]["alt"] == "Too short a run. across: step; up: nats"


def test_a_picture_is_shown_at_half_its_pixels(displayed):
    from PIL import Image

    plots.lines({"": ([0, 1], [0, 1])}, x="x", y="y")
    ((data, about),) = displayed
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.width // 2 == about["image/png"]["width"] and picture.height // 2 == about["image/png"]["height"]


def test_a_table_has_every_number_a_dash_for_none_and_the_best_in_bold(displayed):
    rows = {"a": {"FID": 3.0, "size": 1200}, "b": {"FID": 2.5, "size": None}, "<i>": {"FID": "0", "size": None}}
    plots.table(rows, "A <title>", better={"FID": "low"})
    ((data, _),) = displayed
    assert data["text/plain"] == "table"
    found = re.findall(r"<(?:th scope='row'|td)>(.*?)</t[hd]>", data["text/html"])
    assert found[1:] == ["a", "3", "1,200", "b", "<b>2.5</b>", "–", "&lt;i&gt;", "0", "–"]
    assert "A &lt;title&gt;" in data["text/html"]


def test_several_numbers_are_a_mean_and_a_spread_and_the_best_mean_stands_out(displayed):
    plots.table({"a": {"FID": [1.0, 3.0]}, "b": {"FID": [2.5, 2.5, 4.0]}}, better={"FID": "low"})
    assert re.findall(r"<td>(.*?)</td>", displayed[0][0]["text/html"].replace("\n", ""))[1:] == [
        "<b>2.0\xa0±\xa01.0</b>",
        "3.0\xa0±\xa00.8",
    ]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([0.0117, 0.0117 - 0.00855, 0.0117 + 0.00855], "0.012 ± 0.009"),
        ([33.5 - 24.2, 33.5 + 24.2], "34 ± 24"),
        ([1422, 2122], "1,772 ± 350"),
        ([33.5 - 14.2, 33.5 + 14.2], "34 ± 14"),
        ([0.348, 0.372], "0.360 ± 0.012"),
        ([4.0, 4.0], "4 ± 0"),
        ([0.00123, 0.00123], "0.00123 ± 0"),
        ([1.0, float("inf")], "inf ± inf"),
    ],
)
def test_of_a_mean_no_more_digits_are_shown_than_its_spread_leaves(numbers, said):
    assert plots.cell(numbers).replace("\xa0", " ") == said


def test_every_point_has_its_name(shown):
    plots.points({"vae": (1.0, 2.0), "gan": (torch.tensor(3.0), 4)}, "t", "x", "y")
    ax = only(shown).axes[0]
    assert {text.get_text(): text.xy for text in ax.texts} == {"vae": (1, 2), "gan": (3, 4)}


def test_names_of_near_points_do_not_cover_each_other(shown):
    near = {f"model {i}": (1 + 0.01 * (i % 2), 2 + 0.02 * i) for i in range(4)} | {"far": (3.0, 5.0)}
    plots.points(near, "t", "x", "y")
    boxes = [Text.get_window_extent(text) for text in only(shown).axes[0].texts]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
