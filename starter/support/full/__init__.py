"""Full-size training of the named systems: what the notebooks do in a minute, at the size of the reports."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from .weights import Sampler


def load(recipe: str, data: str, impl: str | None = None) -> "Sampler":
    """A trained model of the repository that draws; see `weights.load`."""
    from .weights import load

    return load(recipe, data, impl)


def samples(recipe: str, data: str, count: int) -> "Tensor | None":
    """New images (count, C, H, W) of a trained model of the repository; None, and a line that says why, without."""
    import torch

    from .job import JobError

    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = load(recipe, data)
            return model.sample(model.noise(count))
    except JobError as reason:
        print(f"Not shown: {reason}")
    except Exception as wrong:  # of the learner's modules, which build the model
        print(f"Not shown: {recipe} of your modules raises {type(wrong).__name__}: {' '.join(str(wrong).split())}")
    return None


def preview(recipe: str, data: str) -> None:
    """Images of a trained model, from a picture beside the labs: nothing has to be filled in for it."""
    from .previews import show

    show(recipe, data)


def drawn() -> "dict[str, Tensor]":
    """300 new images (N, C, H, W) in [0, 1] of a trained model of each family, from pictures beside the labs."""
    from .previews import all_drawn

    return all_drawn()


def beside(models: "Mapping[str, Tensor]", title: str) -> None:
    """Samples (N, C, H, W) of several models, a row for each; with a kernel, a slider goes through all of them."""
    from .previews import beside

    beside(models, title)
