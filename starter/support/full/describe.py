"""Recipes in words: python -m starter recipes [NAME]"""

import importlib.util
from functools import partial

import torch
from torch import nn

from .. import recipes
from ..nets import parameter_count
from ..recipes import RECIPES, Recipe
from .record import settings_of

OURS = "ours"


def listing() -> str:
    """Every recipe under its report: name, data sets, and where in the report it stands."""
    groups: dict[str, list[tuple[str, Recipe]]] = {}
    for name, recipe in RECIPES.items():
        groups.setdefault(group(recipe), []).append((name, recipe))
    width = max(map(len, RECIPES))
    lines = []
    for title, members in sorted(groups.items(), key=lambda item: (item[0] == OURS, item[0])):
        lines.append(f"{title[:1].upper()}{title[1:]}")
        lines += [
            f"  {name:{width}}  {', '.join(recipe.data):21}  {place(recipe)}{took(recipe)}" for name, recipe in members
        ]
    return "\n".join([*lines, "", "python -m starter recipes NAME tells what a report says of one, and what we chose."])


def group(recipe: Recipe) -> str:
    """ "report 001" of "report 001, vanilla GAN"; "ours"."""
    return recipe.source.split(",")[0].split(":")[0]


def place(recipe: Recipe) -> str:
    return recipe.source.removeprefix(group(recipe)).lstrip(",: ")


def took(recipe: Recipe) -> str:
    return f"; about {recipe.hours:g} CPU h" if recipe.hours else ""


def description(name: str) -> str:
    """Source, what is reported, choices, settings, layers and parameters of one.

    Raises:
        ValueError: no such recipe; names the nearest.
    """
    recipe = recipes.recipe(name)
    lines = [f"{name}: {recipe.source}", f"reported: {recipe.reported}"]
    lines += [f"choice: {choice}" for choice in recipe.choices]
    for own in recipe.data:
        settings = {key: value for key, value in settings_of(recipe, own).items() if value is not None}
        lines.append(f"on {own}: {', '.join(f'{key} {value}' for key, value in settings.items())}")
        lines += [f"reported on {own}: {score} {value:g}" for score, value in recipe.targets.get(own, {}).items()]
    return "\n".join(
        [*lines, *([f"time: about {recipe.hours:g} hours of one CPU thread"] if recipe.hours else []), layers(recipe)]
    )


def rates(model: nn.Module) -> list[str]:
    """Of a game, whose networks bring their optimisers along."""
    found = {name: value for name, value in vars(model).items() if isinstance(value, torch.optim.Optimizer)}
    return [
        f"{name}: {type(optimizer).__name__}, lr {optimizer.defaults['lr']:g}, betas {optimizer.defaults['betas']}"
        for name, optimizer in found.items()
    ]


def layers(recipe: Recipe) -> str:
    """As PyTorch prints them, of your modules, or of the reference's where yours are blank."""
    blank = ""
    for impl in [impl for impl in ("starter", "solutions") if importlib.util.find_spec(impl)]:
        try:
            model = recipe.build(partial(recipes.lab_module, impl))
        except NotImplementedError as empty:
            blank = blank or f"layers: {empty} is still blank in {impl}/"
            continue
        return "\n".join([*rates(model), f"{parameter_count(model):,} parameters", str(model)])
    return blank
