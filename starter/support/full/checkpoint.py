"""A run on disk: everything that its next step depends on, as numbers, texts and tensors."""

import contextlib
import io
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch

from ..runs import replace
from .job import Job, JobError, Parts
from .parallel import Processes

LAST, PREVIOUS, BEST = "last.pt", "last.previous.pt", "best.pt"


def identity(job: Job, parts: Parts, group: Processes) -> dict:
    """What two calls must agree about, if the second is to go on with the first one's run."""
    same = {"recipe": job.recipe, "data": job.data, "seed": job.seed, "lr": job.lr}
    return same | {"processes": group.world, "images in a batch": parts.stream.size, "images": len(parts.stream.images)}


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

    The one before it stands in for a last checkpoint that is damaged; a line says so.

    Raises:
        JobError: there is none, or both are damaged, or it is of another run.
    """
    path, before = job.out / LAST, job.out / PREVIOUS
    if not path.exists() and not before.exists():
        raise JobError(f"--resume: there is no {path}; leave --resume out to begin")
    try:
        state = read(path)
    except JobError as damage:
        with contextlib.suppress(JobError):
            state, path = read(before), before
        if path != before:
            raise JobError(f"{damage}: delete it and begin again") from None
        if group.first:
            print(f"train: {damage}: going on from {before}, the checkpoint before it", flush=True)
    for key, now in identity(job, parts, group).items():
        if (then := state.get("run", {}).get(key)) != now:
            elsewhere = "name another folder (--out; of reproduce, --home)"
            raise JobError(f"{path} is of another run: {key} {then} there, {now} asked for: {elsewhere}")
    return put(state, job, parts, group, path)


def put(state: dict, job: Job, parts: Parts, group: Processes, path: Path) -> dict:
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


def read(path: Path) -> dict:
    """A file of `save`, without running code from it. Its zip has a checksum of every part; torch looks at none.

    Raises:
        JobError: it is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as parts:
            bad = parts.testzip()
        state = torch.load(path, map_location="cpu", weights_only=True)
        dict(state["model"])
    except Exception as damage:  # a zip, an unpickler and torch each have their own kinds of trouble with bad bytes
        raise JobError(f"{path} is damaged ({type(damage).__name__})") from None
    if bad:
        raise JobError(f"{path} is damaged (the checksum of {bad} is another)")
    return state


def save(state: dict, path: Path, before: Path | None = None) -> None:
    memory = io.BytesIO()
    torch.save(state, memory)
    replace(path, memory.getvalue(), before)
