"""The arithmetic of a step: bfloat16 inside of networks where that is faster, float32 for all else."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from ..flows import Flow
from ..training import Update
from .job import Job, JobError

PRECISIONS = ("auto", "float32", "bfloat16")
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # processors without one of these imitate it, and are slower


def chosen(job: Job, model: nn.Module, device: str) -> str:
    """What "auto" means for this model on this machine.

    Raises:
        JobError: bfloat16 was asked for, and nothing of the model would be in it.
    """
    lowerable = bool(networks(model))
    if job.precision == "bfloat16" and not lowerable:
        raise JobError(f"--precision bfloat16: {job.recipe} is a flow, whose density wants float32: leave it out")
    if job.precision != "auto":
        return job.precision
    return "bfloat16" if lowerable and device == "cpu" and multiplies_bfloat16() else "float32"


def multiplies_bfloat16() -> bool:
    return any(torch.cpu.get_capabilities().get(name) for name in BFLOAT16)


def networks(model: nn.Module) -> list[nn.Module]:
    """The parts that hold no flow: its maps are inverted, and their log-determinants are sums of small differences."""
    return [part for part in model.children() if not any(isinstance(layer, Flow) for layer in part.modules())]


def faster(update: Update, model: nn.Module, precision: str, device: str) -> Update:
    """The same update with convolutions in the layout that they like best, and its networks in a precision."""
    if any(isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) for layer in model.modules()):
        model.to(memory_format=torch.channels_last)
    if precision == "float32":
        return update

    def update_in_bfloat16(x: Tensor, y: Tensor) -> NamedTuple:
        with in_bfloat16(networks(model), torch.device(device).type):
            return update(x, y)

    return update_in_bfloat16


@contextlib.contextmanager
def in_bfloat16(nets: list[nn.Module], device: str) -> Iterator[None]:
    """Meanwhile each call of a network computes in bfloat16 and answers in float32: losses never see the other."""
    for net in nets:
        net.forward = lowered(net.forward, device)
    try:
        yield
    finally:
        for net in nets:
            del net.forward  # the class's own shows again


def lowered(forward: Callable, device: str) -> Callable:
    """Autocast for one call: around a whole update it would reach the losses, and keep weights cast before a step."""

    def lowered_forward(*inputs: Any) -> Any:
        with torch.autocast(device, torch.bfloat16):
            return tree_map_only(Tensor, in_float32, forward(*inputs))

    return lowered_forward


def in_float32(answer: Tensor) -> Tensor:
    """Whole numbers, such as the codes of a codebook, stay whole."""
    return answer.float() if answer.is_floating_point() else answer
