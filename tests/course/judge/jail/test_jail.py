"""Each limit of the jail, by a process that tries to exceed it: as root, and as a user without rights."""

import ctypes
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from grading.__main__ import allowed, main
from grading.content.overlay import ROOT
from grading.judge.jail import cgroups, inside, outside

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from cases import CASES  # noqa: E402

jailed = pytest.mark.usefixtures("needs_jail")


def unprivileged() -> list[str]:
    """Go on as nobody, who can read the course and its environment wherever root has put them."""
    closed = os.path.expanduser("~root")  # to everybody else
    needed = [path for path in (sys.base_prefix, sys.prefix, str(ROOT)) if path.startswith(f"{closed}/")]
    above = dict.fromkeys(str(folder) for path in needed for folder in reversed(Path(path).parents[:-1]))
    shown = [part for path in above for part in ("--dir", path)]
    shown += [part for path in needed for part in ("--ro-bind", path, path)]
    home = ["--tmpfs", closed] if needed else []
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    return ["bwrap", "--dev-bind", "/", "/", *home, *shown, "--", *nobody]


@pytest.fixture(scope="module")
def listener():
    """A server of this machine that nobody of the jail may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture(scope="module", params=["as it is", "nobody"])
def found(request, listener):
    """Case -> what it printed and how it ended."""
    if request.param == "nobody" and os.getuid():
        pytest.skip("only root can become another user; the jail of the user who runs this is tested")
    if request.param == "nobody" and not shutil.which("setpriv"):
        pytest.skip("setpriv (Debian: util-linux) is not installed: it would start the jail as another user")
    prefix = unprivileged() if request.param == "nobody" else []
    secrets = [
        str(ROOT / "solutions"),
        str(ROOT / "grading"),
        str(Path.home() / ".profile"),
        "/etc/passwd",
        "/home",
        "/var",
        "/var/lib",
        "/sys",
        "/usr/bin",
        "/bin",
    ]
    on_the_way = {str(parent) for path in [*outside.libraries(), sys.executable] for parent in Path(path).parents}
    secrets = [path for path in secrets if path not in on_the_way]  # the way to this environment is there, and empty
    tops = {Path(path).parts[1] for path in outside.libraries()} | {Path(sys.executable).parts[1]}
    known = {"PORT": listener.getsockname()[1], "SECRETS": secrets, "TOPS": sorted(tops)}
    known["KEYCTL"] = inside.REFUSED["keyctl"][platform.machine() == "aarch64"]
    done = subprocess.run(
        [*prefix, sys.executable, "-B", str(HERE / "guard.py"), json.dumps(known)], capture_output=True, text=True
    )
    if done.returncode and request.param == "nobody":
        pytest.skip(f"this machine lets users without rights make no jail: {done.stderr.strip().splitlines()[-1:]}")
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@jailed
@pytest.mark.parametrize("name", CASES)
def test_nobody_gets_out_or_more_than_allowed(found, name):
    assert re.search(CASES[name][1], found[name]), found[name]


@jailed
def test_no_connection_was_made(found, listener):
    with pytest.raises(BlockingIOError):
        listener.accept()


def in_jail(tmp_path, script: str, memory: int = 1 << 28, processes: int = 8) -> outside.Jailed:
    """A script that is only behind the outer wall: what the server itself, once taken over, could do."""
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "script.py").write_text(script)
    for path in (tmp_path, folder):
        path.chmod(0o755)
    return outside.launch(folder, "script.py", {"LANG": "C.UTF-8"}, memory, processes)


@jailed
def test_even_the_server_has_no_network(tmp_path, listener):
    port = listener.getsockname()[1]
    script = f"import socket\ntry: socket.create_connection(('127.0.0.1', {port}))\nexcept OSError as e: print(e)"
    process = in_jail(tmp_path, script)
    assert "refused" in process.communicate()[0].decode()
    with pytest.raises(BlockingIOError):
        listener.accept()


@jailed
def test_even_the_server_can_write_nowhere(tmp_path):
    script = (
        "import os\nfor root, inner, _ in os.walk('/'):\n    if root.count('/') > 3: inner.clear()\n"
        "    if not root.startswith('/proc'):\n"
        "        try: open(root + '/written', 'w'); print(root)\n        except OSError: pass"
    )
    process = in_jail(tmp_path, script)
    assert process.communicate()[0] == b""


@jailed
def test_the_server_ends_with_the_one_who_started_it(tmp_path):
    script = "import sys, time\nprint('on', flush=True)\ntime.sleep(60)"
    (tmp_path / "course").mkdir()
    (tmp_path / "course/script.py").write_text(script)
    starter = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom grading.judge.jail import outside\n"
        f"p = outside.launch(Path({str(tmp_path / 'course')!r}), 'script.py', {{}}, 1 << 28, 8)\n"
        "p.stdout.readline(); print(p.pid, flush=True)\ntime.sleep(60)"
    )
    grader = subprocess.Popen([sys.executable, "-B", "-c", starter], stdout=subprocess.PIPE, text=True)
    server = int(grader.stdout.readline())
    grader.kill()
    grader.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{server}").exists() and "Z" not in Path(f"/proc/{server}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.05)


EATERS = """
import os, signal
for n in range(6):
    if not os.fork():
        eaten = bytearray(100 << 20)
        eaten[::4096] = b"x" * len(eaten[::4096])
        signal.pause()
print(os.WTERMSIG(os.wait()[1]), flush=True)
"""


@jailed
def test_memory_of_all_processes_together_is_limited(tmp_path, monkeypatch):
    if "memory" not in cgroups.places():
        pytest.skip("this user may write no control group for memory (root may): each process is limited by itself")
    monkeypatch.setattr(outside, "SERVER", 64 << 20)
    process = in_jail(tmp_path, EATERS, memory=256 << 20)
    assert process.stdout.readline() == b"9\n"
    process.kill()
    process.wait()


@jailed
def test_all_processes_together_are_counted(tmp_path):
    if "pids" not in cgroups.places():
        pytest.skip("this user may write no control group for processes (root may): a resource limit counts them")
    script = "import os, time\ntry:\n    for n in range(500):\n        if not os.fork(): time.sleep(30); os._exit(0)\n"
    process = in_jail(tmp_path, script + "except BlockingIOError: print('enough', n, flush=True)", processes=8)
    assert 8 < int(process.stdout.readline().split()[1]) <= 24
    process.kill()
    process.wait()
    assert process.groups and not any(group.exists() for group in process.groups)


def version_2(root: Path, hands_on: str) -> Path:
    """A machine with control groups of version 2 alone, as systemd sets it up."""
    (root / "user.slice/mine").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory pids")
    for group, controllers in {".": "cpu memory pids", "user.slice": hands_on, "user.slice/mine": ""}.items():
        (root / group / "cgroup.subtree_control").write_text(controllers)
        (root / group / "cgroup.procs").touch()
    own = root / "own"
    own.write_text("0::/user.slice/mine\n")
    return own


@pytest.mark.parametrize(("hands_on", "place"), [("memory pids", "user.slice"), ("", ".")])
def test_version_2_is_limited_below_the_nearest_group_that_hands_on(tmp_path, hands_on, place):
    own = version_2(tmp_path, hands_on)
    made = cgroups.make(1000, 7, tmp_path, own)
    assert made["memory"] == made["pids"] and made["memory"].parent == tmp_path / place
    assert {name: (made["memory"] / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max")} == {
        "memory.max": "1000", "memory.swap.max": "0", "pids.max": "7"
    }  # fmt: skip


def test_a_group_that_cannot_be_joined_from_here_is_not_used(tmp_path):
    own = version_2(tmp_path, "memory pids")
    (tmp_path / "user.slice/cgroup.procs").unlink()
    assert cgroups.make(1000, 7, tmp_path, own) == {}


def test_where_no_group_may_be_written_there_is_none(tmp_path):
    assert cgroups.make(1, 1, tmp_path, tmp_path / "missing") == {}


def test_groups_of_a_killed_grader_are_swept_and_others_stay(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    old, own = tmp_path / f"jail-{gone.pid}-0", tmp_path / f"jail-{os.getpid()}-0"
    old.mkdir(), own.mkdir()
    cgroups.sweep(tmp_path)
    assert not old.exists() and own.exists()


def ran(program: list[tuple], processor: int, number: int, first: int = 0) -> int:
    """What a filter answers, by a machine of our own for the six instructions that it has."""
    data, at, held = {0: number, 4: processor, 16: first}, 0, 0
    while True:
        code, yes, no, operand = program[at]
        if code == 0x06:
            return operand
        if code == 0x20:
            held, at = data[operand], at + 1
            continue
        holds = {0x15: held == operand, 0x35: held >= operand, 0x45: bool(held & operand)}[code]
        at += 1 + (yes if holds else no)


@pytest.mark.parametrize("machine", inside.PROCESSORS)
def test_the_filter_refuses_what_it_names_and_nothing_else(machine):
    column, processor = inside.PROCESSORS[machine]
    program = inside.steps(column, processor)
    allowed, denied, unknown, killed = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    refused = {numbers[column] for numbers in inside.REFUSED.values()}
    for number in range(500):
        special = {inside.CLONE3[column]: unknown} | dict.fromkeys(refused, denied)
        assert ran(program, processor, number) == special.get(number, allowed), number
    assert ran(program, processor, inside.CLONE[column], 0x003D0F00) == allowed  # a thread
    assert ran(program, processor, inside.CLONE[column], 0x10000011) == denied  # a user namespace
    assert ran(program, 0x40000003, 1) == killed  # another processor's numbers
    assert ran(program, processor, 0x40000000 + 101) == killed


@pytest.mark.parametrize(("column", "header"), [(0, "x86_64-linux-gnu/asm/unistd_64.h"), (1, "asm-generic/unistd.h")])
def test_the_numbers_of_system_calls_are_the_kernels(column, header):
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip(f"{path} is not installed (Debian: linux-libc-dev): the numbers are compared with it")
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", path.read_text()))
    table = inside.REFUSED | {"clone": inside.CLONE, "clone3": inside.CLONE3}
    assert {name: str(numbers[column]) for name, numbers in table.items()} == {name: known[name] for name in table}


@pytest.fixture
def without_jail(monkeypatch, tmp_path):
    """Ways in which a machine can have none. Undone, and forgotten, afterwards."""

    def break_it(way: str):
        (tmp_path / "bin").mkdir()
        if way != "no bubblewrap":
            (tmp_path / "bin/bwrap").write_text(
                "#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2; exit 1\n"
            )
            (tmp_path / "bin/bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        for function in (outside.complaint, outside.tried):
            function.cache_clear()
        if way == "in a library":
            monkeypatch.setattr(outside.site, "getsitepackages", lambda: [str(ROOT.parent)])
        elif way == "macOS":
            monkeypatch.setattr(outside, "sys", SimpleNamespace(platform="darwin"))

    yield break_it
    monkeypatch.undo()
    for function in (outside.complaint, outside.tried):
        function.cache_clear()


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("macOS", "only Linux"),
        ("in a library", "move it elsewhere"),
        ("no bubblewrap", "bubblewrap is not installed"),
        ("forbidden", "No permissions to create"),
    ],
)
def test_without_a_jail_nothing_is_graded_and_one_line_says_why(without_jail, capsys, course, way, says, forks):
    course.folder("submitted", "02_vae", "anna").mkdir(parents=True)
    without_jail(way)
    assert main(["autograde", "02_vae", "--course", str(course.root)]) == 2
    said = capsys.readouterr().err
    assert says in said and "--no-jail" in said and said.count("\n") == 1
    assert main(["doctor"]) == 2
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("way", ["macOS", "forbidden"])
def test_no_jail_goes_on_and_says_what_that_means(without_jail, capsys, way, forks):
    without_jail(way)
    assert allowed(no_jail=True) is False
    assert "with all your rights" in capsys.readouterr().err


@jailed
def test_doctor_says_what_this_machine_enforces(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "grading is possible" in said and "namespaces" in said and "memory" in said


@jailed
def test_doctor_says_what_the_memory_limit_is_worth_without_control_groups(monkeypatch, capsys):
    monkeypatch.setattr(cgroups, "places", dict)
    main(["doctor"])
    (memory,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("memory"))
    assert "partly" in memory and "each process of a submission by itself, not all together" in memory


def test_a_call_that_fails_is_never_taken_for_done():
    with pytest.raises(OSError, match="setns"):
        inside.call("setns", ctypes.c_int(-1), 0)
