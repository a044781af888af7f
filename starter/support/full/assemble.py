"""What a run is made of, from what was asked for: model, optimisers, batches."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import torch

from .. import recipes, training
from ..data import Images
from ..history import History
from ..models import Model
from ..recipes import Lab, Recipe
from ..training import Stream
from . import gallery, precision
from .job import Job, JobError, Parts
from .parallel import Processes
from .record import say


def assembled(job: Job, recipe: Recipe, images: Images, device: str, group: Processes) -> tuple[Parts, Job]:
    """Also the job with the package whose modules are taken, and with the precision.

    Raises:
        JobError: blanks of the recipe's labs are empty, or there are fewer images than a batch has.
    """
    model, lab, job = built(job, recipe, images, group)
    model = model.to(device).train()
    group.same_weights(model)
    torch.manual_seed(job.seed + group.rank)  # of the noise: each process draws its own
    size = job.batch_size or recipe.batch_size
    stream = Stream(images, size, job.seed, device, drop_last=True, shard=(group.rank, group.world))
    if len(images) < size * group.world:
        raise JobError(f"a batch of {size * group.world} is more than the {len(images)} images that there are")
    plateau, history = None, History()
    if recipe.lr is None:
        optimizers, update = optimizers_of(model), model.update
    else:
        fused = True if device != "mps" else None
        adam = torch.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(adam) if recipe.plateau else None
        beta = beta_of(recipe, model, lab, stream.steps_of_epoch)
        optimizers, update = {"adam": adam}, training.descent(model, adam, history, beta=beta, clip=job.clip)
    for optimizer in optimizers.values():
        group.average_gradients(optimizer)
    if job.lr is not None:
        for settings in (settings for optimizer in optimizers.values() for settings in optimizer.param_groups):
            settings["lr"] = job.lr
    job = replace(job, precision=precision.chosen(job, model, device))
    update = precision.faster(update, model, job.precision, device)
    return Parts(model, optimizers, update, plateau, stream, history), job


def built(job: Job, recipe: Recipe, images: Images, group: Processes) -> tuple[Model, Lab, Job]:
    """The model, from modules in which nothing that the run will call is blank."""
    packages, empty = [job.impl] if job.impl else ["starter", "solutions"], ""
    for impl in [impl for impl in packages if importlib.util.find_spec(impl)]:
        lab, used = partial(recipes.lab_module, impl), list[str]()

        def noted(name: str, lab: Lab = lab, used: list[str] = used) -> ModuleType:
            used.append(name)
            return lab(name)

        torch.manual_seed(job.seed)
        try:
            model = recipe.build(noted)
            rehearse(recipe, noted, images)
        except NotImplementedError as blank:
            empty = empty or f"still blank in {impl}/: {', '.join(recipes.blanks(impl, used) or [str(blank)])}"
            continue
        if empty and group.first:
            say(f"{empty}; the modules of {impl}/ are taken")
        return model, lab, replace(job, impl=impl)
    raise JobError(f"{job.recipe}: {empty}: fill what it needs, or take --impl solutions")


def rehearse(recipe: Recipe, lab: Lab, images: Images) -> None:
    """All that a run will call, on a model of its own: blanks show only when they are called.

    Raises:
        NotImplementedError: one is empty.
    """
    model, x, y = recipe.build(lab), images.pixels(slice(4)).cpu(), images.y[:4].cpu()
    if beta := beta_of(recipe, model, lab, 1):
        beta(0)
    for _ in range(getattr(model, "n_critic", 1)):  # a turn of everybody
        model.terms(x) if recipe.lr else model.update(x, y)
    model.eval()
    gallery.samples(model, x, 2)
    gallery.reconstructions(model, x)


def optimizers_of(game: Model) -> dict[str, torch.optim.Optimizer]:
    return {name: value for name, value in vars(game).items() if isinstance(value, torch.optim.Optimizer)}


def beta_of(recipe: Recipe, model: Model, lab: Lab, epoch: int) -> Callable[[int], float] | None:
    """The recipe's schedule of the KL's weight; sets the model's free bits."""
    if recipe.schedule == "constant":
        return None
    if own := recipes.SCHEDULES.get(recipe.schedule):
        return own(lab, model.beta, epoch)
    schedule = lab("beta_vae").SCHEDULES[recipe.schedule]
    model.floor = schedule.floor
    return schedule.weights(model.beta, epoch)
