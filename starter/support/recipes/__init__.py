"""Named systems: models that somebody built and wrote up, with the layers and the settings of the report.

Five reports of course work, numbered 000 to 004, each with a module here, and `ours`. What a report does not say is a
choice of ours, and each recipe lists its choices: `python -m starter recipes NAME` prints them.
"""

import difflib
import inspect
import re
from collections.abc import Iterable
from functools import partial

from ..models import Model
from . import ours, report_000, report_001, report_002, report_003, report_004
from .core import SCHEDULES, SQUARED, SSIM_LOSS, Lab, Recipe, lab_module

__all__ = ["RECIPES", "SCHEDULES", "SQUARED", "SSIM_LOSS", "Lab", "Recipe", "lab_module"]

MODULES = (report_000, report_001, report_002, report_003, report_004, ours)
RECIPES = {name: recipe for module in MODULES for name, recipe in module.RECIPES.items()}


def recipe(name: str) -> Recipe:
    """
    Raises:
        ValueError: no such recipe; names one that is spelt much alike, if there is one.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name.lower(), RECIPES, n=1)
        guess = f"did you mean {near[0]}? All: python -m starter recipes" if near else "see python -m starter recipes"
        raise ValueError(f"there is no recipe {name!r}; {guess}")
    return RECIPES[name]


def build(name: str, package: str = "starter") -> Model:
    """The model of a recipe, from the modules of a package (blanks of its labs must be filled); see `recipe`."""
    return recipe(name).build(partial(lab_module, package))


def blanks(package: str, labs: Iterable[str]) -> list[str]:
    """Ids of the tasks that are still blank in lab modules, and in the lab modules that these import."""
    found, open_, seen = [], list(labs), set()
    while open_:
        if (name := open_.pop(0)) in seen:
            continue
        seen.add(name)
        text = inspect.getsource(lab_module(package, name))
        found += re.findall(r"""raise NotImplementedError\(["']([a-z]+-\d+)["']\)""", text)
        open_ += re.findall(r"^from \.(\w+) import", text, re.MULTILINE)
    return found
