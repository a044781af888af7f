"""Where strangers' code runs: a warm server that forks one process per question. It decides nothing.

Started as a script with a folder that holds `starter/`: support and published labs, no answer to the lab in question.
It imports nothing of the grader. Requests come in on stdin, answers leave on stdout, both as length-prefixed frames.
A child gets one pipe and nothing else; what it writes there is anybody's word, and is read with suspicion elsewhere.
"""

import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import struct
import sys
import time
import warnings

PR_SET_PDEATHSIG = 1
LIMIT = 1 << 20  # bytes of one report
KINDS = ("text", "float32", "float64", "int64", "bool")  # an array's type on the wire is its place in this list
HEADER, ITEM = struct.Struct("<cQ"), struct.Struct("<HBBQ")  # kind and length; name, type, dimensions, bytes


def packed(kind: bytes, arrays: dict) -> bytes:
    """Named arrays as plain bytes: no pickle, no container that somebody has to unpack."""
    body = b""
    for name, array in arrays.items():
        text = array.dtype.kind == "U"
        data = str(array).encode("utf-8", "replace") if text else array.tobytes()
        kind_of = 0 if text else KINDS.index(array.dtype.name)
        shape = () if text else array.shape
        words = name.encode("utf-8", "replace")
        body += ITEM.pack(len(words), kind_of, len(shape), len(data))
        body += struct.pack(f"<{len(shape)}I", *shape) + words + data
    return HEADER.pack(kind, len(body)) + body


def confine(limits: dict) -> None:
    """What a child may use, set before it reads a stranger's first line. What it may see, the launcher decides."""
    for name, value in (
        ("RLIMIT_CPU", limits["cpu"]),
        ("RLIMIT_DATA", limits["memory"]),
        ("RLIMIT_FSIZE", limits["file"]),
        ("RLIMIT_NOFILE", 256),
        ("RLIMIT_CORE", 0),
    ):
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))  # hard at once: SIGXCPU could be caught, SIGKILL cannot


def observed(request: dict) -> bytes:
    """Import the module and put the question; a report of arrays, or of what was raised."""
    import numpy as np
    import torch

    import starter
    from starter.support import checks, probes

    folder, module = request["folder"], request["module"]
    starter.__path__[:] = [f"{folder}/starter"]  # `from .autoencoder import ...` finds the published labs
    pack, stop, raised, arrays = packed, checks.stop, probes.raised, probes.arrays
    torch.seed()  # a blank that draws its own noise draws another one every time
    try:
        answer = importlib.import_module(f"starter.{module}")
        if request["task"] is None:
            return pack(b"A", {})
        return pack(b"A", arrays(request["task"], answer, request["seed"], request["tables"]))
    except BaseException as mistake:
        found = stop(mistake, f"{folder}/starter/{module}.py")
        words = {"kind": np.array(found.kind[:80]), "words": np.array(found.words), "line": np.array(found.line)}
        return pack(b"E", words | raised(mistake))


def child(request: dict, pipe: int) -> None:
    """Never returns. Its output goes nowhere, and it inherits one descriptor."""
    report = b""
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # whoever ends the server ends this too
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        pipe = os.dup2(pipe, 3)
        os.closerange(4, 4096)
        confine(request["limits"])
        report = observed(request)
        while report:
            report = report[os.write(pipe, report) :]
    finally:
        os._exit(0 if not report else 1)


def taken(pipe: int, room: int) -> bytes | None:
    """What the pipe holds now; None at its end."""
    try:
        return os.read(pipe, min(room, 1 << 16)) or None
    except BlockingIOError:
        return b""


def watched(pid: int, pipe: int, seconds: float) -> tuple[str, bytes]:
    """How a child ended, and what it wrote: until it exits, its time is up, or it has written too much."""
    os.set_blocking(pipe, False)
    raw, end, deadline = b"", "time", time.monotonic() + seconds
    exited = False
    while time.monotonic() < deadline:
        exited = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None  # look first, then drain
        while len(raw) <= LIMIT and (more := taken(pipe, LIMIT + 1 - len(raw))):
            raw += more
        if exited or len(raw) > LIMIT:
            end = "flood" if len(raw) > LIMIT else "exit"
            break
        if more is None:
            time.sleep(0.005)  # it closed the pipe and lives on
        else:
            select.select([pipe], [], [], 0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # its children too; before it is reaped, so that the id is still its own
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return (f"exit {status}" if end == "exit" else end), raw


def run(request: dict) -> tuple[str, bytes]:
    receive, send = os.pipe()
    pid = os.fork()
    if not pid:
        child(request, send)
    os.close(send)
    try:
        return watched(pid, receive, request["limits"]["wall"])
    finally:
        os.close(receive)


def read_frame(descriptor: int) -> bytes | None:
    """One frame; None when the other side is gone."""

    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data

    head = exactly(4)
    return exactly(struct.unpack("<I", head)[0]) if len(head) == 4 else None


def write_frame(descriptor: int, data: bytes) -> None:
    data = struct.pack("<I", len(data)) + data
    while data:
        data = data[os.write(descriptor, data) :]


def main(folder: str) -> None:
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    import torch

    from starter.support import checks, compare, nets, probes, standins  # noqa: F401  (every child needs them)

    torch.set_num_threads(1)
    assert len(os.listdir("/proc/self/task")) == 1, "a process with several threads must not fork"
    write_frame(1, b"ready")
    while (frame := read_frame(0)) is not None:
        request = json.loads(frame)
        end, raw = run(request)
        write_frame(1, f"{request['ticket']} {end}\n".encode() + raw)


if __name__ == "__main__":
    main(sys.argv[1])
