"""starter/support/widgets.py: the image beside the sliders is the image of the code that the sliders show."""

import io
import sys

import matplotlib.image
import pytest
import torch

from starter.support import plots, widgets


def decode(z: torch.Tensor) -> torch.Tensor:
    """Pixel i is latent i squashed into [0, 1]: an image from which the code can be read. (N, 4) to (N, 1, 2, 2)."""
    return ((z + 4) / 8).view(-1, 1, 2, 2)


Z = torch.tensor([0.5, -1.0, 1.5, 2.0])


def pixels(png: bytes) -> list[float]:
    picture = matplotlib.image.imread(io.BytesIO(png))
    half = len(picture) // 2
    return [8 * float(picture[row, column, 0]) - 4 for row in (0, half) for column in (0, half)]


@pytest.fixture
def shown(monkeypatch):
    figures, bundles = [], []
    monkeypatch.setattr(plots, "show", lambda fig, alt, drawing: figures.append(fig))
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return figures, bundles


@pytest.fixture
def made(monkeypatch):
    """The sliders and the image that were built."""
    import ipywidgets

    parts = {"sliders": [], "image": []}

    def recorded(kind, make):
        def build(*args, **kwargs):
            parts[kind].append(make(*args, **kwargs))
            return parts[kind][-1]

        return build

    monkeypatch.setattr(ipywidgets, "FloatSlider", recorded("sliders", ipywidgets.FloatSlider))
    monkeypatch.setattr(ipywidgets, "Image", recorded("image", ipywidgets.Image))
    return parts


def test_the_picture_is_of_exactly_the_code_that_is_set():
    got = pixels(widgets.picture(decode, Z, dims=[2, 0], values=[-3.0, 1.0], pixels=8))
    assert got == pytest.approx([1.0, -1.0, -3.0, 2.0], abs=0.03)


def test_the_start_is_not_changed(shown):
    z = Z.clone()
    widgets.picture(decode, z, [0], [3.0], 8)
    widgets.draw_traversals(decode, z, [0], 3.0)
    assert torch.equal(z, Z)


def test_sliders_start_at_the_code_and_move_the_image(shown, made):
    widgets.show_sliders(decode, Z, dims=[3, 1], span=3.0, pixels=8)
    sliders, (image,) = made["sliders"], made["image"]
    assert [slider.value for slider in sliders] == [2.0, -1.0]
    assert pixels(image.value) == pytest.approx(Z.tolist(), abs=0.03)
    sliders[0].value = -2.5
    assert pixels(image.value) == pytest.approx([0.5, -1.0, 1.5, -2.5], abs=0.03)


def test_a_menu_picks_the_class_of_a_conditional_model(shown, made, monkeypatch):
    import ipywidgets

    menus, make = [], ipywidgets.Dropdown
    monkeypatch.setattr(ipywidgets, "Dropdown", lambda **settings: menus.append(make(**settings)) or menus[-1])
    widgets.show_sliders(lambda z, y: decode(z + y[:, None]), Z, [0], 3.0, 8, n_classes=3)
    (menu,), (image,) = menus, made["image"]
    assert menu.options == (0, 1, 2) and pixels(image.value) == pytest.approx(Z.tolist(), abs=0.03)
    menu.value = 2
    assert pixels(image.value) == pytest.approx((Z + 2).clamp(max=4).tolist(), abs=0.03)


def test_a_code_outside_the_span_is_still_a_slider(shown, made):
    widgets.show_sliders(decode, torch.tensor([9.0, 0.0, 0.0, 0.0]), dims=[0], span=3.0, pixels=8)
    assert made["sliders"][0].value == 3.0


def test_the_sliders_leave_no_text_behind(shown, made):
    widgets.show_sliders(decode, Z, [0], 3.0, 8)
    (bundle,) = shown[1]
    assert list(bundle) == ["application/vnd.jupyter.widget-view+json"]


def test_traversals_move_one_latent_per_row(shown):
    widgets.draw_traversals(decode, Z, dims=[1, 3], span=2.0, steps=3)
    (fig,) = shown[0]
    picture = fig.axes[0].images[0].get_array()[..., 0] * 8 - 4  # tiles of 2x2 with a gap of 1
    tiles = [[picture[3 * row : 3 * row + 2, 3 * k : 3 * k + 2].ravel().tolist() for k in range(3)] for row in range(2)]
    for row, dim in enumerate([1, 3]):
        for k, value in enumerate([-2.0, 0.0, 2.0]):
            expected = Z.tolist()
            expected[dim] = value
            assert tiles[row][k] == pytest.approx(expected, abs=0.03)


def test_without_a_kernel_there_is_the_picture_alone(shown):
    widgets.explore_latent(decode, Z)
    assert len(shown[0]) == 1 and shown[1] == []


def test_with_a_kernel_both_come_and_the_picture_first(monkeypatch):
    order = []
    monkeypatch.setattr(widgets, "live", lambda: True)
    monkeypatch.setattr(widgets, "draw_traversals", lambda *a: order.append("picture"))
    monkeypatch.setattr(widgets, "show_sliders", lambda *a: order.append("sliders"))
    widgets.explore_latent(decode, Z)
    assert order == ["picture", "sliders"]


class Shell:
    kernel = object()


@pytest.mark.parametrize("setting, expected", [("off", False), ("", True)])
def test_tools_can_turn_sliders_off(monkeypatch, setting, expected):
    monkeypatch.setattr("IPython.get_ipython", Shell)
    monkeypatch.setenv("WIDGETS", setting)
    assert widgets.live() is expected


def test_without_ipywidgets_there_is_the_picture_alone(monkeypatch, shown):
    monkeypatch.setattr("IPython.get_ipython", Shell)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    widgets.explore_latent(decode, Z)
    assert len(shown[0]) == 1


def test_a_latent_that_does_not_exist_is_an_error_at_once(shown):
    with pytest.raises(IndexError):
        widgets.explore_latent(decode, Z, dims=[4])


def test_six_rows_are_the_default(monkeypatch):
    rows = []
    monkeypatch.setattr(widgets, "draw_traversals", lambda decode, z, dims, *rest: rows.append(list(dims)))
    for size in (3, 20):
        widgets.explore_latent(decode, torch.zeros(size))
    assert rows == [[0, 1, 2], [0, 1, 2, 3, 4, 5]]
