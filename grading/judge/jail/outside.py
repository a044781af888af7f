"""The outer wall: start a process that sees an interpreter, one folder, and nothing else of this machine."""

import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from . import cgroups, inside

HOME = "/course"  # where the one folder is seen
SERVER = 2 << 30  # bytes that the server itself may need beside what a question may use: torch with all its libraries
USERS = 1 << 20  # the first of the user ids that questions get where the grader is root: no account has one so high
NEEDED = ("SYS_ADMIN", "SETUID", "SETGID", "SETFCAP", "KILL")  # by `inside`; no child keeps any
JOIN = 'for group in $JOIN; do echo $$ > "$group/cgroup.procs" || exit 1; done; unset JOIN; exec "$@"'


class Jailed(subprocess.Popen[bytes]):
    """A process whose control groups go when it does."""

    groups: tuple[Path, ...] = ()

    def wait(self, timeout: float | None = None) -> int:
        code = super().wait(timeout)
        cgroups.remove(self.groups)
        return code


def launch(folder: Path, script: str, environment: dict[str, str], memory: int, processes: int) -> Jailed:
    """Start a script of a folder in the jail; `JAIL` in its environment tells `inside` which user to become.

    Args:
        folder: what it sees of this machine, for reading, beside the interpreter and its libraries.
        script: name of a file in the folder.
        environment: all of its environment.
        memory: bytes for all its processes together, where the kernel can be told so.
        processes: at most, at a time.
    """
    groups = cgroups.make(memory + SERVER, processes + 16)
    environment = environment | {"JAIL": becomes(), "HOME": inside.OWN, "TMPDIR": inside.OWN}
    command = [*wall(folder), sys.executable, "-I", f"{HOME}/{script}"]
    pipe = subprocess.PIPE
    process = Jailed(
        ["/bin/sh", "-c", JOIN, "sh", *command],
        env=environment | {"JOIN": " ".join(str(group) for group in set(groups.values()))},
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the grader, who ends its workers in order
    )
    process.groups = tuple(groups.values())
    return process


def becomes() -> str:
    """Which user a question becomes: another one of its own, or 0 where only root could change it."""
    return str(USERS + os.getpid() if os.getuid() == 0 else 0)


def wall(folder: Path) -> list[str]:
    """bubblewrap and its options. All that is shown is for reading."""
    seen = {path: path for path in libraries() if os.path.exists(path)}
    seen[sys.executable] = os.path.realpath(sys.executable)
    above = dict.fromkeys(str(folder) for path in seen for folder in reversed(Path(path).parents[:-1]))
    shown = [part for path in above for part in ("--dir", path)]  # by itself bubblewrap shuts them for other users
    shown += [part for path, source in seen.items() for part in ("--ro-bind", source, path)]
    apart = [f"--unshare-{what}" for what in ("pid", "net", "ipc", "uts", "cgroup-try")]
    apart += [] if os.getuid() == 0 else ["--unshare-user", "--uid", "0", "--gid", "0"]
    powers = ["--cap-drop", "ALL", *(part for name in NEEDED for part in ("--cap-add", f"CAP_{name}"))]
    own = ["--dev", "/dev", "--proc", "/proc", "--ro-bind", str(folder), HOME, "--dir", inside.OWN, "--chdir", "/"]
    sealed = ["--remount-ro", "/dev", "--remount-ro", "/tmp", "--remount-ro", "/"]
    bound = ["--hostname", "jail", "--new-session", "--die-with-parent", "--"]
    return [program(), "--tmpfs", "/tmp", *shown, *own, *apart, *powers, *sealed, *bound]


def libraries() -> Iterator[str]:
    """Paths that Python with its packages needs: no programs, no configuration, no home."""
    yield from ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/alternatives")
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        yield from (f"{prefix}/{name}" for name in ("lib", "lib64", "pyvenv.cfg"))
    yield from site.getsitepackages()


def program() -> str:
    return shutil.which("bwrap") or "bwrap"


@cache
def complaint() -> str:
    """Why strangers' code cannot be run here; empty when it can."""
    if sys.platform != "linux":
        return f"only Linux can shut strangers' code in, this is {sys.platform}"
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed (its program is bwrap): install it with the system's package manager"
    if shown := [path for path in libraries() if Path(__file__).resolve().is_relative_to(os.path.realpath(path))]:
        return f"the course lies in {shown[0]}, which strangers' code may read: move it elsewhere"
    found = tried()
    return f"this machine does not let a process shut itself in ({found['trouble']})" if found["trouble"] else ""


@cache
def tried() -> inside.Trial:
    """What `inside` says when it tries itself out behind the outer wall."""
    given = {"PATH": os.defpath, "LANG": "C.UTF-8", "JAIL": becomes()}
    command = [*wall(Path(__file__).parent), sys.executable, "-I", f"{HOME}/{Path(inside.__file__).name}"]
    try:
        done = subprocess.run(command, env=given, capture_output=True, timeout=60, cwd="/", stdin=subprocess.DEVNULL)
        return json.loads(done.stdout or json.dumps({"trouble": last_line(done.stderr)}))
    except (OSError, ValueError, subprocess.TimeoutExpired) as trouble:
        return {"trouble": str(trouble)}


def last_line(output: bytes) -> str:
    return (output.decode("utf-8", "replace").strip().splitlines() or ["it ended without a word"])[-1]


def table() -> list[tuple[str, str, str]]:
    """What this machine can enforce: property, yes, partly or no, by what."""
    reason = complaint()
    if reason:
        return [("jail", "no", reason)]
    version = subprocess.run([program(), "--version"], capture_output=True, text=True).stdout.split()
    found, groups = tried(), cgroups.places()
    by = {name: f"control group {groups[name][0]}" for name in groups}
    own = "the one who started the grader, without rights"
    each = "each process of a submission by itself, not all together (resource limit)"
    count = "resource limit" if found["processes"] else ""
    return [
        ("files, network, processes, IPC, users", "yes", f"namespaces, bubblewrap {version[-1] if version else ''}"),
        ("another user", "yes" if os.getuid() == 0 else "partly", "an id of no account" if os.getuid() == 0 else own),
        ("system calls", "yes" if found["calls"] else "no", "seccomp" if found["calls"] else "unknown processor"),
        ("memory", "yes" if "memory" in by else "partly", by.get("memory", each)),
        ("number of processes", "yes" if count or "pids" in by else "no", count or by.get("pids", "")),
        ("computing time, size of files", "yes", "resource limits"),
        ("wall clock, output", "yes", "the server counts"),
    ]


def doctor() -> int:
    """Print the table; 0 when strangers' code can be run, else 2."""
    rows = table()
    width = max(len(name) for name, _, _ in rows)
    for name, answer, by in rows:
        print(f"{name:{width}}  {answer:6}  {by}")
    print(f"doctor: {'grading is possible.' if not complaint() else f'no grading without --no-jail: {complaint()}.'}")
    return 2 if complaint() else 0
