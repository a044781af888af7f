"""The trusted end of the pipe: start the server, put questions, and believe nothing of what comes back."""

import ast
import importlib.util
import json
import marshal
import math
import os
import secrets
import select
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TypedDict

from starter.support.standins import Tables
from starter.support.verdict import Outcome

from ..content.overlay import NOT_FOR_A_JUDGE, overlay
from . import ready_made_calls, server
from .jail import inside, outside
from .scratch import Scratch
from .wire import parse_reports

Asked = tuple[str, int, Tables]  # task, seed, and tables for its neighbours
Launch = Callable[[Path, str, dict[str, str], int, int], subprocess.Popen[bytes]]
AT_START = {"lineno": 1, "end_lineno": 1, "col_offset": 0, "end_col_offset": 0}


class ServerError(RuntimeError):
    """The server itself does not start: our own trouble, not a learner's."""


@dataclass(frozen=True)
class Limits:
    """Of one process: one import of the module and its probes."""

    cpu: int = 20  # seconds; an import of torchvision alone takes 6
    wall: float = 40.0  # seconds, for a machine that is busy with others
    memory: int = 2 << 30  # bytes beyond those of the warm server
    processes: int = 32  # at a time, threads among them
    file: int = 16 << 20  # bytes of one file that it writes
    disk: int = 64 << 20  # bytes of all its files; they go when it ends


class SomeLimits(TypedDict, total=False):
    """Those of `Limits` that are not as there: plain data, which goes to other processes and machines."""

    cpu: int
    wall: float
    memory: int
    processes: int
    file: int
    disk: int


def plain_launch(
    folder: Path, script: str, environment: dict[str, str], memory: int, processes: int
) -> subprocess.Popen[bytes]:
    """Start the server without a jail: strangers' code can then do whatever the grader's user may."""
    pipe, command, own = subprocess.PIPE, [sys.executable, "-I", str(folder / script)], folder.with_name("own")
    own.mkdir(exist_ok=True)
    environment = environment | {"HOME": str(own), "TMPDIR": str(own)}
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=own)


class Runner:
    """One warm server; starts again by itself when somebody has killed it. Use as a context manager."""

    def __init__(
        self,
        published: set[str],
        limits: Limits | None = None,
        launch: Launch = outside.launch,
        warm: tuple[str, ...] = (),
    ) -> None:
        """`warm`: modules that the server imports for all questions, beside what every one needs."""
        self.limits, self.launch, self.warm = limits or Limits(), launch, warm
        self.process: subprocess.Popen[bytes] | None = None
        self.abandoned = False
        self.base = Scratch()
        self.folder = self.base.path / "course"  # the folder around it keeps other users of this machine out
        graded_overlay(self.folder, published)
        for file in (server.__file__, inside.__file__, ready_made_calls.__file__):
            shutil.copy(file, self.folder)
        for path in (self.folder, *self.folder.rglob("*")):  # for another user, whatever our umask was
            path.chmod(0o755 if path.is_dir() else 0o644)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.base.remove()

    def start(self) -> None:
        environment = {"OMP_NUM_THREADS": "1", "LANG": "C.UTF-8", "PATH": os.defpath, "USER": "learner"}
        environment |= {"WARM": " ".join(self.warm)}
        limits = self.limits
        script = Path(server.__file__).name
        self.process = self.launch(self.folder, script, environment, limits.memory, limits.processes)
        if self.reply(time.monotonic() + 300) != b"ready":
            self.stop()
            raise ServerError(
                "the server does not start: does `python -c 'import torch'` work, and `python -m grading doctor`?"
            )

    def begin(self) -> None:
        """Have the server ready: its start takes nobody's time."""
        if self.abandoned:
            raise ServerError("grading was interrupted")
        if self.process is None:
            self.start()

    def abandon(self) -> None:
        """From another thread: end the question that is being answered, and take no more."""
        self.abandoned = True
        if self.process:
            self.process.kill()

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            for pipe in self.pipes():
                pipe.close()
            self.process.wait()
            self.process = None

    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """What the server reads from, and what it writes to."""
        assert self.process and self.process.stdin and self.process.stdout, "there is no server"
        return self.process.stdin, self.process.stdout

    def ask(
        self,
        module: str,
        text: bytes,
        task: str | None = None,
        seed: int = 0,
        tables: Tables | None = None,
        rules: ready_made_calls.Rules | None = None,
        deadline: float = math.inf,
    ) -> Outcome:
        """Put one question: import a module from its text and look for calls by rules, or with a task probe it."""
        asked = [] if task is None else [(task, seed, tables or {})]
        imported, *probed = self.ask_all(module, text, asked, rules, deadline=deadline)
        if task is None and imported.ended == "time":  # the machine's fault, maybe: once more, more patiently
            imported = self.ask_all(module, text, [], rules, 2, deadline)[0]
        return imported if imported.stop else [imported, *probed][-1]

    def ask_all(
        self,
        module: str,
        text: bytes,
        asked: list[Asked],
        rules: ready_made_calls.Rules | None = None,
        share: float = 1,
        deadline: float = math.inf,
    ) -> list[Outcome]:
        """Put several questions to one process: what came of the import, then of each task.

        Args:
            share: of the time that one question has; all of them together have it.
            deadline: of the monotonic clock. What it cuts off has ended "late": there was no time to tell.
        """
        question: server.Question = {
            "module": module,
            "text": text.decode("latin-1"),
            "asked": asked,
            "rules": rules or {},
        }
        limits = replace(self.limits, cpu=max(1, round(share * self.limits.cpu)), wall=share * self.limits.wall)
        outcomes = self.in_time(question, limits, deadline)
        return self.in_time(question, limits, deadline) if outcomes[0].ended == "server gone" else outcomes

    def in_time(self, question: server.Question, limits: Limits, deadline: float) -> list[Outcome]:
        left = deadline - time.monotonic()
        if left <= 0:
            return [Outcome(ended="late")] * (1 + len(question["asked"]))
        outcomes = self.exchange(question, replace(limits, wall=min(limits.wall, left)))
        cut_off = left < limits.wall and outcomes[0].ended == "time"
        return [replace(one, ended="late") for one in outcomes] if cut_off else outcomes

    def exchange(self, question: server.Question, limits: Limits) -> list[Outcome]:
        """
        Raises:
            ServerError: our own trouble, before anything of a stranger's ran.
        """
        ticket = secrets.token_hex(8).encode()  # a frame that somebody wrote in advance does not have it
        count = 1 + len(question["asked"])
        self.begin()
        try:
            for part in (json.dumps(asdict(limits)).encode(), json.dumps(question).encode(), ticket):
                server.write_frame(self.pipes()[0].fileno(), part)
            frame = self.reply(time.monotonic() + limits.wall + 10)
        except OSError:
            frame = None
        end, _, raw = (frame or b"").partition(b"\n")
        mark, _, said = end.partition(b" ")
        if mark != ticket:  # the server was killed, hangs, or is no longer the only one who speaks: get a new one
            self.stop()
            return [Outcome(ended="server gone")] * count
        ended = said.decode("ascii", "replace")
        if ended.startswith("jail"):
            self.stop()
            raise ServerError(f"a question could not be shut in: {ended[5:] or 'its process did not begin'}")
        return parse_reports(ended, raw, count)

    def reply(self, deadline: float) -> bytes | None:
        """One frame of the server; None when it ends, is late or says too much."""
        head = self.exactly(4, deadline)
        size = struct.unpack("<I", head)[0] if head else server.LIMIT * 2
        return self.exactly(size, deadline) if size < server.LIMIT * 2 else None

    def exactly(self, size: int, deadline: float) -> bytes | None:
        pipe, data = self.pipes()[1].fileno(), b""
        while len(data) < size:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            more = os.read(pipe, size - len(data)) if ready else b""
            if not more:
                return None
            data += more
        return data


def graded_overlay(folder: Path, published: set[str]) -> Path:
    """What a graded module may see: support without the stored answers, and the labs that it imports, compiled."""
    overlay(folder, only=published, without=NOT_FOR_A_JUDGE)
    for name in published:
        compiled(folder / f"starter/{name}.py")
    return folder


def compiled(path: Path) -> None:
    """Bytecode in a module's place: nobody reads the text of an earlier lab's solution in a later one's messages."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for name, value in AT_START.items() if hasattr(node, "lineno") else ():
            setattr(node, name, value)
    code = compile(tree, f"starter/{path.name}", "exec", dont_inherit=True, optimize=2)  # 2: without docstrings
    path.with_suffix(".pyc").write_bytes(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))
    path.unlink()
