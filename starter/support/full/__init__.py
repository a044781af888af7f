"""Full-size training of the named systems: what the notebooks do in a minute, at the size of the reports."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .weights import Sampler


def load(recipe: str, data: str, impl: str = "starter") -> "Sampler":
    """A trained model of the repository that draws; see `weights.load`."""
    from .weights import load

    return load(recipe, data, impl)
