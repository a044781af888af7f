"""Weights of finished runs that labs and README show: what samples, in half precision, small enough for a repository.

    python -m starter keep vae-mlp-mnist                     from a run's folder into the repository
    starter.support.full.load("vae-mlp", "mnist").sample(z)  images in [0, 1], a second later

An autoencoder is kept whole, of other models only what draws: a decoder, a generator, a flow. The layers are those of
the recipe, built by the lab modules.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from .. import data, recipes
from ..models import Model
from ..runs import replace
from . import gallery
from .checkpoint import BEST, LAST, read
from .job import JobError

FOLDER = "results/weights"  # of the repository, beside what goes into a lab's zip
LARGEST, ALL = 7_500_000, 30_000_000  # bytes of a file, and of all of them
SUFFIX = ".safetensors"


class Sampler(nn.Module):
    """A trained model that draws."""

    def __init__(self, model: Model, z_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.model, self.z_shape = model, z_shape
        self.n_classes = getattr(model, "n_classes", None)

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, *self.z_shape)

    @torch.no_grad()
    def sample(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [0, 1] from noise z (N, *z_shape); where it knows classes, of the labels y (N,).

        Without labels the classes take turns.
        """
        return gallery.decode(self.model, z, torch.arange(len(z)) if y is None else y)


def folder() -> Path:
    return data.course() / FOLDER


def kept() -> list[str]:
    """RECIPE-DATA of all that are there."""
    return sorted(path.stem for path in folder().glob(f"*{SUFFIX}"))


def there() -> str:
    return f"there are {', '.join(kept())}" if kept() else "they come with the repository, not with a lab's zip"


def load(name: str, own: str, impl: str | None = None) -> Sampler:
    """A recipe's model as it was trained on a data set, in evaluation mode.

    Args:
        impl: package of the lab modules that build it; by default the learner's, or where blank the reference.

    Raises:
        JobError: there are no such weights, or they do not fit the model, or blanks are empty that it needs.
    """
    path = folder() / f"{name}-{own}{SUFFIX}"
    if not path.exists():
        raise JobError(f"there are no weights of {name} on {own}: {there()}")
    model = built(name, impl).eval().requires_grad_(False)
    x = torch.zeros(2, *recipes.recipe(name).shape)
    with torch.no_grad():
        codes = None if hasattr(model, "latent_dim") else gallery.codes(model, x)
    z_shape = (model.latent_dim,) if codes is None else tuple(codes.shape[1:])
    try:
        absent, unknown = model.load_state_dict(load_file(path), strict=False)
    except (SafetensorError, RuntimeError) as unfit:
        raise JobError(f"{path} is damaged, or not of {name} as it is now: {str(unfit).splitlines()[0]}") from None
    if wrong := [*unknown, *(key for key in absent if not key.startswith(unused(model)))]:
        raise JobError(f"{path} is not of {name} as it is now: {wrong[0]}")
    for part in unused(model):
        delattr(model, part.rstrip("."))  # it has learned nothing
    return Sampler(model, z_shape)


def built(name: str, impl: str | None) -> Model:
    """The model of a recipe, from the learner's modules or, where these are blank, the reference's, if it is here.

    Raises:
        JobError: blanks are empty that it needs; says which.
    """
    complaint = ""
    for package in [impl] if impl else [each for each in ("starter", "solutions") if find_spec(each)]:
        used: list[str] = []

        def lab(module: str, package: str = package, used: list[str] = used) -> ModuleType:
            used.append(module)
            return recipes.lab_module(package, module)

        try:
            return recipes.recipe(name).build(lab)
        except NotImplementedError as blank:
            empty = ", ".join(recipes.blanks(package, used) or [str(blank)])
            complaint = complaint or f"{name}: still blank in {package}/: {empty}: fill what it needs first"
    raise JobError(complaint)


def unused(model: Model) -> tuple[str, ...]:
    """Beginnings of the names of all weights that samples do not depend on."""
    averaged = getattr(model, "average", None)  # draws in place of the network itself
    if hasattr(model, "discriminator"):
        return ("discriminator.", "generator.") if averaged else ("discriminator.",)
    if hasattr(model, "net") and averaged:
        return ("net.",)
    return ("encoder.",) if hasattr(model, "encoder") and hasattr(model, "encode") else ()


def keep(run: Path, impl: str | None = None) -> Path:
    """Write what samples of a finished run, the weights that were tested, into the repository; the file.

    Raises:
        JobError: no finished run, a damaged checkpoint, or more bytes than a repository should hold.
    """
    try:
        result = json.loads((run / "results.json").read_text(encoding="utf-8"))
        name, own, step = result["recipe"], result["data"], result.get("tested_step", result["steps"])
    except (OSError, ValueError, KeyError) as missing:
        raise JobError(f"{run} holds no finished run ({type(missing).__name__}): train it to its end first") from None
    state = read(run / (LAST if step == result["steps"] else BEST))["model"]
    model = built(name, impl)
    chosen = {key: half(value) for key, value in state.items() if not key.startswith(unused(model))}
    if bad := [key for key, value in chosen.items() if not value.isfinite().all()]:
        raise JobError(f"{run}: {bad[0]} does not fit into half precision")
    told = {"recipe": name, "data": own, "step": str(step), "made by": "python -m starter keep"}
    content = save(chosen, metadata=told)
    target = folder() / f"{name}-{own}{SUFFIX}"
    others = sum(path.stat().st_size for path in folder().glob(f"*{SUFFIX}") if path != target)
    if len(content) > LARGEST or len(content) + others > ALL:
        limits = f"{LARGEST / 1e6:g} MB for one, {ALL / 1e6:g} MB for all"
        raise JobError(f"{name} on {own} takes {len(content) / 1e6:.1f} MB beside {others / 1e6:.1f}: {limits}")
    replace(target, content)
    return target


def half(value: Tensor) -> Tensor:
    return (value.half() if value.is_floating_point() else value).contiguous()
