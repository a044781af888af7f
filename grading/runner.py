"""The trusted end of the pipe: start the worker, put questions, and believe nothing of what comes back."""

import contextlib
import json
import os
import secrets
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import numpy as np

from starter.support.checks import Stop
from starter.support.compare import Arrays

from . import worker
from .overlay import overlay

NAMES, DIMENSIONS, WORDS = 64, 8, 1000  # at most: arrays in a report, dimensions of one, bytes of a text


class WorkerError(RuntimeError):
    """The worker itself does not start: our own trouble, not a learner's."""


class Unreadable(ValueError):
    """Bytes that are not exactly one report."""


@dataclass(frozen=True)
class Limits:
    """Of one question: one import of the module and one probe."""

    cpu: int = 20  # seconds; an import of torchvision alone takes 6
    wall: float = 40.0  # seconds, for a machine that is busy with others
    memory: int = 4 << 30  # bytes of private data
    file: int = 16 << 20  # bytes of one file that it writes


@dataclass(frozen=True)
class Outcome:
    """What came of one question. Both None: the process ended without a report, and `ended` says how."""

    arrays: Arrays | None = None
    stop: Stop | None = None
    raises: Arrays | None = None  # of a stop: what the catalogue knows wrong answers by
    ended: str = ""


def plain_launch(command: list[str], environment: dict[str, str]) -> subprocess.Popen:
    """Start the worker without a jail. A jail replaces this function, and is entered before the first line runs."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd="/")


class Runner:
    """One warm worker; starts again by itself when somebody has killed it. Use as a context manager."""

    def __init__(
        self, published: set[str], limits: Limits | None = None, launch: Callable[..., subprocess.Popen] = plain_launch
    ) -> None:
        self.limits, self.launch, self.process = limits or Limits(), launch, None
        self.abandoned = False
        self.base = tempfile.TemporaryDirectory(prefix="worker-")
        graded_overlay(Path(self.base.name), published)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        self.base.cleanup()

    def start(self) -> None:
        command = [sys.executable, "-I", worker.__file__, self.base.name]
        environment = {"OMP_NUM_THREADS": "1", "LANG": "C.UTF-8", "HOME": self.base.name, "PATH": os.defpath}
        self.process = self.launch(command, environment)
        if self.reply(time.monotonic() + 300) != b"ready":
            self.stop()
            raise WorkerError("the worker does not start: does `python -c 'import torch'` work in this environment?")

    def abandon(self) -> None:
        """From another thread: end the question that is being answered, and take no more."""
        self.abandoned = True
        if self.process:
            self.process.kill()

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.process = None

    def ask(
        self, folder: Path, module: str, task: str | None = None, seed: int = 0, tables: dict | None = None
    ) -> Outcome:
        """Put one question: import the module of a folder, and with a task also probe it."""
        request = {"folder": str(folder), "module": module, "task": task, "seed": seed, "tables": tables}
        outcome = self.answer(request, self.limits.wall)
        slow_import = task is None and outcome.ended == "time"
        if slow_import or outcome.ended == "worker gone":  # the machine's fault, maybe: once more, more patiently
            outcome = self.answer(request, 2 * self.limits.wall)
        return outcome

    def answer(self, request: dict, seconds: float) -> Outcome:
        ticket = secrets.token_hex(8)  # a frame that somebody wrote in advance does not have it
        request |= {"limits": asdict(self.limits) | {"wall": seconds}, "ticket": ticket}
        if self.abandoned:
            raise WorkerError("grading was interrupted")
        if self.process is None:
            self.start()
        try:
            worker.write_frame(self.process.stdin.fileno(), json.dumps(request).encode())
            frame = self.reply(time.monotonic() + seconds + 10)
        except OSError:
            frame = None
        end, _, raw = (frame or b"").partition(b"\n")
        mark, _, ended = end.decode("ascii", "replace").partition(" ")
        if mark != ticket:  # the worker was killed, hangs, or is no longer the only one who speaks: get a new one
            self.stop()
            return Outcome(ended="worker gone")
        return opened(ended, raw)

    def reply(self, deadline: float) -> bytes | None:
        """One frame of the worker; None when it ends, is late or says too much."""
        head = self.exactly(4, deadline)
        size = struct.unpack("<I", head)[0] if head else worker.LIMIT * 2
        return self.exactly(size, deadline) if size < worker.LIMIT * 2 else None

    def exactly(self, size: int, deadline: float) -> bytes | None:
        pipe, data = self.process.stdout.fileno(), b""
        while len(data) < size:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(pipe, size - len(data)) if ready else b""
            if not more:
                return None
            data += more
        return data


def graded_overlay(folder: Path, published: set[str]) -> Path:
    """What a graded module may see: support without the stored answers, and the labs that it imports."""
    overlay(folder, only=published)
    with contextlib.suppress(FileNotFoundError):
        (folder / "starter/support/checks.json").unlink()
    return folder


def opened(ended: str, raw: bytes) -> Outcome:
    """A child's bytes as an outcome. Whatever is not exactly one well-formed report is no report."""
    if ended in ("time", "flood") or not raw:
        return Outcome(ended=ended)
    try:
        kind, arrays = unpacked(raw)
        if kind == b"A":
            return Outcome(arrays=arrays, ended=ended)
        words = {name: str(arrays[name]) for name in ("kind", "words", "raises")}
        stop = Stop(words["kind"], words["words"], int(arrays["line"]))
        return Outcome(stop=stop, raises={"raises": np.array(words["raises"])}, ended=ended)
    except Exception:  # whatever goes wrong here, of any type, was caused by the bytes
        return Outcome(ended="unreadable")


def unpacked(raw: bytes) -> tuple[bytes, Arrays]:
    """
    Raises:
        Unreadable: not exactly one report of known types, sizes and names.
    """
    kind, size = worker.HEADER.unpack_from(raw)
    if kind not in (b"A", b"E") or size != len(raw) - worker.HEADER.size or len(raw) > worker.LIMIT:
        raise Unreadable("not one report of the announced size")
    arrays, at = {}, worker.HEADER.size
    while at < len(raw):
        name_size, type_index, ndim, size = worker.ITEM.unpack_from(raw, at)
        at += worker.ITEM.size
        if type_index >= len(worker.KINDS) or ndim > DIMENSIONS or name_size > WORDS or size > len(raw):
            raise Unreadable("a header that no honest report has")
        shape = struct.unpack_from(f"<{ndim}I", raw, at)
        at += 4 * ndim
        name, data = raw[at : at + name_size].decode(), raw[at + name_size : at + name_size + size]
        at += name_size + size
        if at > len(raw) or name in arrays or len(arrays) >= NAMES:
            raise Unreadable("an array that is cut off, comes twice, or is one too many")
        arrays[name] = array(worker.KINDS[type_index], shape, data)
    return kind, arrays


def array(kind: str, shape: tuple[int, ...], data: bytes) -> np.ndarray:
    if kind == "text":
        if shape or len(data) > WORDS:
            raise Unreadable("a text of unusual form")
        return np.array(data.decode())
    if prod(shape) * np.dtype(kind).itemsize != len(data):
        raise Unreadable("a shape that does not fit its bytes")
    if kind == "bool" and data.translate(None, b"\0\1"):
        raise Unreadable("a truth value that is neither")
    return np.frombuffer(data, dtype=kind).reshape(shape)
