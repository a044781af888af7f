"""Where strangers' code runs: a warm server that forks one process for each question. It decides nothing.

Started as a script from a folder that holds `starter/`, support and published labs, no answer to the lab in question,
and the jail's `inside`. It imports nothing of the grader. Limits, question and ticket come in on stdin, answers leave
on stdout, all as length-prefixed frames. A child gets one file to write to and nothing else; what stands there is
anybody's word, and is read with suspicion elsewhere.
"""

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import select
import shutil
import signal
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from starter.support.compare import Arrays
    from starter.support.standins import Tables

    from .ready_made_calls import Rules

READY = b"ready"
LIMIT = 1 << 20  # bytes of the reports of one process
KINDS = ("text", "float32", "float64", "int64", "bool")  # an array's type on the wire is its place in this list
HEADER, ITEM = struct.Struct("<cQ"), struct.Struct("<HBBQ")  # kind and length; name, type, dimensions, bytes


class Question(TypedDict):
    """What one child is asked, as JSON."""

    module: str
    text: str  # of the module: its bytes as Latin-1
    asked: "list[tuple[str, int, Tables]]"  # task, seed, and stand-ins for its neighbours
    rules: "Rules"


def packed(kind: bytes, arrays: "Arrays") -> bytes:
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


class Handed(importlib.machinery.SourceFileLoader):
    """A module whose text came with the question: no file holds it."""

    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self.text = text

    def get_data(self, path: str) -> bytes:
        return self.text


def imported(module: str, text: bytes) -> ModuleType:
    """As `import starter.<module>` would, had the text been in that file."""
    import starter

    name, path = f"starter.{module}", f"/starter/{module}.py"
    loader = Handed(name, path, text)
    found = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert found, "there is one for whatever has a loader"
    sys.modules[name] = importlib.util.module_from_spec(found)
    setattr(starter, module, sys.modules[name])
    loader.exec_module(sys.modules[name])
    return sys.modules[name]


def reports_on(question: Question) -> Iterator[bytes]:
    """Import the module, then probe it for each task that is asked: reports of arrays, or of what was raised."""
    import numpy as np
    import torch

    from starter.support import probes, verdict

    module, text = question["module"], question["text"].encode("latin-1")
    ready_made_calls = importlib.import_module("ready_made_calls")  # it lies beside this file where it runs
    pack, stop, raised, arrays = packed, verdict.stop, probes.raised, probes.arrays

    def report(observe: "Callable[..., Arrays]", *given: object) -> bytes:
        try:
            return pack(b"A", observe(*given))
        except BaseException as mistake:
            found = stop(mistake, f"/starter/{module}.py")
            words = {"kind": np.array(found.kind[:80]), "words": np.array(found.words), "line": np.array(found.line)}
            return pack(b"E", words | raised(mistake))

    def begin() -> "Arrays":
        imported(module, text)
        return notes

    notes = {task: np.array(name) for task, name in ready_made_calls.handed_over(text, question["rules"]).items()}
    torch.seed()  # a blank that draws its own noise draws another one every time
    yield (first := report(begin))
    for task, seed, tables in question["asked"] if first.startswith(b"A") else ():
        yield report(arrays, task, sys.modules[f"starter.{module}"], seed, tables)


def child(report: int, ready: int, limits: dict[str, Any], own: str) -> None:
    """Never returns. Its output goes nowhere, and what it inherits is one file for its report.

    Args:
        own: a folder of its own, where no jail makes one.
    """
    left = b"nothing reported yet"
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        question = json.loads(read_frame(0) or b"")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(report, 1023), os.dup2(ready, 1022)  # out of the way of the numbers that they get
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        report, ready = os.dup2(1023, 3), os.dup2(1022, 4)
        os.closerange(5, 1024)
        shut_in(ready, limits, own)
        for left in reports_on(question):
            while left:
                left = left[os.write(report, left) :]
    finally:
        os._exit(0 if not left else 1)


def shut_in(ready: int, limits: dict[str, Any], own: str) -> None:
    """Says on `ready` that it is done, or why not; then nothing of a stranger's runs."""
    try:
        if "JAIL" in os.environ:
            inside().enter(int(os.environ["JAIL"]), limits)
        else:
            os.chdir(own)
            os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = own
            inside().die_with_parent()
            inside().restrict(limits)
    except BaseException as trouble:
        os.write(ready, str(trouble).encode()[:500])
        os._exit(1)
    os.write(ready, READY)
    os.close(ready)


def inside() -> ModuleType:
    """The jail's own module, which lies beside this one where it runs."""
    return importlib.import_module("inside")


def ended(pid: int, alarm: int, seconds: float) -> str:
    """Wait for a child to end, or to stop, and end it when its time is up, with all that it started."""
    end = "exit" if select.select([alarm], [], [], seconds)[0] else "time"
    for kill in (os.killpg, os.kill):  # before it is reaped, so that the id is still its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"exit {status}" if end == "exit" else end


def run(limits: dict[str, Any]) -> tuple[str, int]:
    """How the child ended that answered the next question, and the open file that holds its report.

    The child reads the question itself, and writes to a file: whatever the server held in its memory, a question, a
    seed, a report, the next learner's child could find there.
    """
    own = "" if "JAIL" in os.environ else tempfile.mkdtemp()
    report, (said, ready), (alarm, bell) = nameless(), os.pipe(), os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell)  # rings when the child ends
    try:
        pid = inside().fork() if "JAIL" in os.environ else os.fork()
        if not pid:
            child(report, ready, limits, own)
        os.close(ready)
        end = ended(pid, alarm, limits["wall"])
        words = os.read(said, 500)
        return (end if words == READY else f"jail {words.decode('utf-8', 'replace')}"), report
    except OSError as trouble:  # no child: the question is still to be read, and this server to be replaced
        read_frame(0)
        return f"jail {trouble}", report
    finally:
        signal.set_wakeup_fd(-1)
        for pipe in (said, alarm, bell):
            os.close(pipe)
        if own:
            shutil.rmtree(own, ignore_errors=True)


def nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("report")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def pass_on(ticket: bytes, end: str, report: int) -> None:
    """Send a report to the grader, on Linux without looking at it."""
    size = os.fstat(report).st_size
    end, size = ("flood", 0) if size > LIMIT else (end, size)
    head = ticket + f" {' '.join(end.split())}\n".encode()
    write_all(1, struct.pack("<I", len(head) + size) + head)
    sent = 0
    while sys.platform == "linux" and sent < size and (more := os.sendfile(1, report, sent, size - sent)):
        sent += more
    if sent < size:
        write_all(1, os.pread(report, size - sent, sent).ljust(size - sent))
    os.close(report)


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
    write_all(descriptor, struct.pack("<I", len(data)) + data)


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def main() -> None:
    warnings.filterwarnings("ignore", message=".*")  # by their words, as in check()
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import torch

    from starter.support import compare, nets, probes, standins, verdict  # noqa: F401  (every child needs them)

    os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ["HOME"]  # it would make a folder where none can be made
    for name in ("inside", "ready_made_calls", *os.environ.pop("WARM", "").split()):
        importlib.import_module(name)
    torch.set_num_threads(1)
    tasks = "/proc/self/task"
    assert not os.path.isdir(tasks) or len(os.listdir(tasks)) == 1, "a process with several threads must not fork"
    signal.signal(signal.SIGCHLD, lambda *_: None)  # otherwise the bell does not ring
    write_frame(1, b"ready")
    while (limits := read_frame(0)) is not None:
        end, report = run(json.loads(limits))
        pass_on(read_frame(0) or b"", end, report)  # the ticket is read last: no child has it in its memory


if __name__ == "__main__":
    main()
