"""One training run in several processes, started by `torchrun`: every process sees its share of each batch.

Gradients are averaged before every step of every optimiser. A hook does it, not DistributedDataParallel: that class
wants one `backward` behind every `forward`, while a game calls its discriminator twice, and the gradient penalty
differentiates a gradient.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    def same_weights(self, model: nn.Module) -> None:
        """Everybody starts with the weights and the buffers of the first process."""
        if self.world > 1:
            for value in model.state_dict().values():
                dist.broadcast(value, src=0)

    def average_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """From now on, before every step."""
        if self.world > 1:
            optimizer.register_step_pre_hook(averaged)

    def mean(self, terms: NamedTuple) -> NamedTuple:
        """The terms of the whole batch: shares are of equal size, so the mean of the means is the mean."""
        if self.world == 1:
            return terms
        values = torch.stack([value.detach().float() for value in terms])
        dist.all_reduce(values)
        return type(terms)(*(values / self.world))

    def gathered(self, state: Tensor) -> list[Tensor]:
        """A tensor of bytes from every process, in order, on the CPU."""
        if self.world == 1:
            return [state]
        states = [state] * self.world
        dist.all_gather_object(states, state)
        return states

    def agreed(self, stop: bool) -> bool:
        """Whether anybody wants to stop: all do or none does."""
        if self.world == 1:
            return stop
        votes = torch.tensor(float(stop), device=self.device)
        dist.all_reduce(votes)
        return votes.item() > 0


def averaged(optimizer: torch.optim.Optimizer, *_: object) -> None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None]
    if not weights:
        return
    flat = torch.cat([weight.grad.flatten() for weight in weights])  # one message instead of hundreds
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for weight, mean in zip(weights, flat.split([weight.numel() for weight in weights])):
        weight.grad.copy_(mean.view_as(weight))


def own_device(device: str) -> str:
    """A GPU for each process of a machine."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


@contextlib.contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join the other processes when `torchrun` has started several; nothing to join otherwise."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        yield Processes()
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(dist.get_rank(), world, device)
    finally:
        dist.destroy_process_group()
