"""Full-size training of the named systems: what the notebooks do in a minute, at the size of the reports."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .weights import Sampler


def load(recipe: str, data: str, impl: str = "starter") -> "Sampler":
    """A trained model of the repository that draws; see `weights.load`."""
    from .weights import load

    return load(recipe, data, impl)


def show(recipe: str, data: str, count: int = 24) -> None:
    """Draw samples of a trained model of the repository, or say in one line why that cannot be done."""
    import torch

    from .. import plots
    from .job import JobError

    try:
        model = load(recipe, data)
    except JobError as reason:
        print(f"Not shown: {reason}")
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plots.grid(model.sample(model.noise(count)), f"{recipe}, trained to the end on {data}", inches=0.65)


def preview(recipe: str, data: str) -> None:
    """Images of a trained model, from a picture beside the labs: nothing has to be filled in for it."""
    from .previews import show

    show(recipe, data)
