"""A run on disk: everything that its next step depends on, as numbers, texts and tensors."""

import io
from dataclasses import asdict
from pathlib import Path

import torch

from ..runs import replace
from .job import Job, JobError, Parts
from .parallel import Processes


def identity(job: Job, parts: Parts, group: Processes) -> dict:
    """What two calls must agree about, if the second is to go on with the first one's run."""
    same = {"recipe": job.recipe, "data": job.data, "seed": job.seed}
    return same | {"images in a batch": parts.stream.size, "processes": group.world}


def snapshot(job: Job, parts: Parts, group: Processes, kept: dict) -> dict:
    """`torch.load(weights_only=True)` reads it back, so that no file has to be trusted; `kept` is up to the caller."""
    return {
        "run": identity(job, parts, group),
        "model": parts.model.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in parts.optimizers.items()},
        "plateau": parts.plateau.state_dict() if parts.plateau else {},
        "stream": parts.stream.state_dict(),
        "noise": group.gathered(torch.get_rng_state()),
        "noise_cuda": group.gathered(torch.cuda.get_rng_state() if torch.cuda.is_available() else torch.zeros(0)),
        "history": asdict(parts.history),
        "kept": kept,
    }


def restored(job: Job, parts: Parts, group: Processes) -> dict:
    """Put a checkpoint's state into the parts; what else the run had kept.

    Raises:
        JobError: there is none, or it is damaged, or of another run.
    """
    path = job.out / "last.pt"
    if not path.exists():
        raise JobError(f"--resume: there is no {path}; leave --resume out to begin")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = dict(state["run"])
    except Exception as damage:  # a zip, an unpickler and torch each have their own kinds of trouble with bad bytes
        raise JobError(f"{path} is damaged ({type(damage).__name__}): delete it and begin again") from None
    for key, now in identity(job, parts, group).items():
        if found.get(key) != now:
            raise JobError(f"{path} is of another run: {key} {found.get(key)} there, {now} asked for")
    try:
        parts.model.load_state_dict(state["model"])
        for name, optimizer in parts.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        if parts.plateau:
            parts.plateau.load_state_dict(state["plateau"])
        parts.stream.load_state_dict(state["stream"])
        torch.set_rng_state(state["noise"][group.rank])
        if torch.cuda.is_available() and len(state["noise_cuda"][group.rank]):
            torch.cuda.set_rng_state(state["noise_cuda"][group.rank])
        for name, value in state["history"].items():
            setattr(parts.history, name, value)
        return state["kept"]
    except Exception as other:  # whatever torch says of numbers and sizes that it did not expect
        why = " ".join(str(other).split())[:200]
        raise JobError(f"{path} does not fit {job.recipe} as it is now ({why}): delete it and begin again") from None


def save(state: dict, path: Path) -> None:
    memory = io.BytesIO()
    torch.save(state, memory)
    replace(path, memory.getvalue())
