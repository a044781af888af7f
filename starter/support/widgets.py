"""Sliders over a latent code. Where no slider can be shown, a picture of the same tells the same."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from . import plots

if TYPE_CHECKING:
    import ipywidgets


def explore_latent(
    decode: Callable[..., Tensor],
    z: Tensor,
    dims: Sequence[int] | None = None,
    span: float = 3.0,
    title: str = "",
    pixels: int = 224,
    n_classes: int = 0,
) -> None:
    """Move through a latent space: a picture of what every latent does alone, then sliders to combine them.

    Args:
        decode: codes (N, latent_dim) to images (N, C, H, W) in [0, 1], such as `model.images`.
        z: the code to start from, shape (latent_dim,).
        dims: which latents get a row and a slider; the first six by default.
        span: each of them moves from -span to span.
        title: of the picture.
        pixels: width of the image beside the sliders, at least.
        n_classes: of a conditional model, whose `decode` also takes labels (N,): the picture is of class 0, and beside
            the sliders a menu picks the class.
    """
    dims = list(range(min(len(z), 6)) if dims is None else dims)
    draw_traversals(of_class(decode, 0) if n_classes else decode, z, dims, span, title)
    if live():
        show_sliders(decode, z, dims, span, pixels, n_classes)


def of_class(decode: Callable[[Tensor, Tensor], Tensor], y: int) -> Callable[[Tensor], Tensor]:
    """A conditional model's `decode` for one class."""
    return lambda z: decode(z, torch.full((len(z),), y))


def live() -> bool:
    """Is there a kernel that can talk to sliders? WIDGETS=off says no, for tools that run notebooks unwatched."""
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return False
    return os.environ.get("WIDGETS") != "off" and getattr(get_ipython(), "kernel", None) is not None


@torch.no_grad()
def draw_traversals(
    decode: Callable[[Tensor], Tensor], z: Tensor, dims: Sequence[int], span: float, title: str = "", steps: int = 11
) -> None:
    """One row per latent: it moves from -span to span, all others stay at z."""
    at = torch.linspace(-span, span, steps)
    codes = z.detach().repeat(len(dims), steps, 1)  # (dims, steps, latent_dim)
    for row, dim in enumerate(dims):
        codes[row, :, dim] = at
    labels = [f"{value:+.1f}".replace("-0.0", "+0.0") for value in at.tolist()]
    plots.grid(decode(codes.flatten(0, 1)), title, steps, [f"$z_{{{dim + 1}}}$" for dim in dims], labels)


@torch.no_grad()
def picture(
    decode: Callable[[Tensor], Tensor], z: Tensor, dims: Sequence[int], values: Sequence[float], pixels: int
) -> bytes:
    """PNG of the image of z with some latents replaced: what the sliders call."""
    code = z.detach().clone()
    code[list(dims)] = code.new_tensor(list(values))
    return plots.enlarged(decode(code[None]), pixels)


def show_sliders(
    decode: Callable[..., Tensor], z: Tensor, dims: Sequence[int], span: float, pixels: int, n_classes: int = 0
) -> None:
    import ipywidgets

    start = z[list(dims)].clamp(-span, span).tolist()
    sliders = [
        ipywidgets.FloatSlider(value, min=-span, max=span, step=0.1, description=f"z {dim + 1}", readout_format="+.1f")
        for dim, value in zip(dims, start)
    ]
    menus = [ipywidgets.Dropdown(options=range(n_classes), description="class")] if n_classes else []
    image = ipywidgets.Image(format="png")

    def update(_: object = None) -> None:
        shown = of_class(decode, menus[0].value) if menus else decode
        image.value = picture(shown, z, dims, [slider.value for slider in sliders], pixels)

    for control in (*menus, *sliders):
        control.observe(update, "value")
    update()
    place(ipywidgets.HBox([ipywidgets.VBox([*menus, *sliders]), image]))


def place(box: "ipywidgets.Box") -> None:
    from IPython.display import display

    bundle = box._repr_mimebundle_()
    del bundle["text/plain"]  # where the sliders do not show, the picture above says what they would
    display(bundle, raw=True)


def flip(rows: Tensor, name: str, pixels: int = 56) -> None:
    """A slider of this name through rows of images (S, N, C, H, W).

    Nothing where there is no kernel for it: show them before.
    """
    if not live():
        return
    import ipywidgets

    slider = ipywidgets.IntSlider(0, min=0, max=len(rows) - 1, description=name)
    image = ipywidgets.Image(format="png")

    def update(_: object = None) -> None:
        image.value = plots.enlarged(rows[slider.value], pixels)

    slider.observe(update, "value")
    update()
    place(ipywidgets.VBox([slider, image]))
