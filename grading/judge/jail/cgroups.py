"""Limits on all processes of a jail together, where this user may write control groups; version 1 and version 2."""

import contextlib
import itertools
import os
import time
from collections.abc import Iterable
from pathlib import Path

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
NAME, count = "jail", itertools.count()
FILES = {  # controller -> file and what it is given; those that a kernel may lack are tried last
    ("v1", "memory"): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ("v1", "pids"): ("pids.max",),
    ("v2", "memory"): ("memory.max", "memory.swap.max"),
    ("v2", "pids"): ("pids.max",),
}


def places(root: Path = ROOT, own: Path = OWN) -> dict[str, tuple[str, Path]]:
    """Controller -> version and the group below which this process may make others. Empty where there is none."""
    found: dict[str, tuple[str, Path]] = {}
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, names, path = line.split(":", 2)
            for name in {"memory", "pids"} & set(names.split(",")):
                here = root / name / path.strip("/")
                found[name] = ("v1", here if here.is_dir() else root / name)  # a container sees its own as the root
            if not names:
                found = {name: ("v2", place) for name, place in handed_on(root, path).items()} | found
    return {name: where for name, where in found.items() if may_join(where[1])}


def may_join(place: Path) -> bool:
    return os.access(place, os.W_OK) and os.access(place / "cgroup.procs", os.W_OK)


def handed_on(root: Path, path: str) -> dict[str, Path]:
    """Version 2: the nearest group above this process that hands a controller on to the groups below it."""
    top = next((top for top in (root, root / "unified") if (top / "cgroup.controllers").exists()), None)
    found: dict[str, Path] = {}
    if top is None:
        return found
    here = top / path.strip("/")
    while here.is_relative_to(top):
        with contextlib.suppress(OSError):
            for name in {"memory", "pids"} & set((here / "cgroup.subtree_control").read_text().split()):
                found.setdefault(name, here)
        here = here.parent
    return found


def make(memory: int, processes: int, root: Path = ROOT, own: Path = OWN) -> dict[str, Path]:
    """Groups with these limits, by controller; a controller that cannot be had is missing."""
    made, name = {}, f"{NAME}-{os.getpid()}-{next(count)}"
    for controller, (version, place) in places(root, own).items():
        sweep(place)
        group = place / name
        limit = {"memory": memory, "pids": processes}[controller]
        try:
            group.mkdir(exist_ok=True)
            first, *more = FILES[version, controller]
            (group / first).write_text(str(limit))
        except OSError:
            remove([group])
            continue
        for other in more:  # no swap beyond it, where swap is counted at all
            with contextlib.suppress(OSError):
                (group / other).write_text("0" if version == "v2" else str(limit))
        made[controller] = group
    return made


def remove(groups: Iterable[Path], patience: float = 2.0) -> None:
    """Once its last process is gone, which takes the kernel a moment."""
    deadline = time.monotonic() + patience
    for group in set(groups):
        while group.is_dir():
            try:
                group.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)


def sweep(place: Path) -> None:
    """Groups that a killed grader left behind."""
    for group in place.glob(f"{NAME}-*-*"):
        if not Path(f"/proc/{group.name.split('-')[1]}").exists():
            with contextlib.suppress(OSError):
                group.rmdir()
