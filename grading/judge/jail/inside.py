"""The inner wall: what a process does to itself before it runs a stranger's first line.

Standard library alone, and by the C library's functions: it is copied to where it runs, on any processor. As a script
it tries itself out and says how that went.
"""

import ctypes
import json
import os
import platform
import signal
import struct
import sys
from pathlib import Path
from typing import TypedDict

try:
    import resource
except ImportError:  # Windows, where nothing is ever shut in
    resource = None  # type: ignore[assignment]  # what uses it runs on Linux and macOS alone

NEW_MOUNTS, NEW_CGROUP, NEW_HOSTNAME = 0x00020000, 0x02000000, 0x04000000
NEW_IPC, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x08000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, BIND = 1, 2, 4, 8, 4096  # of a mount
DEATH_SIGNAL, DUMPABLE, SECCOMP, NO_NEW_PRIVILEGES = 1, 4, 22, 38  # of prctl
OWN = "/own"  # the one place where a child can write, and nobody else
NOBODY = 65534  # who a child is in its own eyes; outside it is the user that the launcher chose

# Refused by the kernel besides: never needed by a right answer, and each has been the door of a break-out. The numbers
# of x86_64 and aarch64; on other processors the namespaces and the missing privileges have to do.
REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "keyctl": (250, 219),  # keyrings belong to the session that started the grader
    "add_key": (248, 217),
    "request_key": (249, 218),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "memfd_create": (319, 279),  # this and the next three: memory that no resource limit counts
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
}
CLONE, CLONE3, NEW_ANYTHING = (56, 220), (435, 435), 0x7E020080
PROCESSORS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, and the kernel's name for it


class Trial(TypedDict, total=False):
    """What was in the way of shutting a process in, if anything was; else what the kernel can do."""

    trouble: str
    calls: bool  # it filters system calls
    processes: bool  # it counts those of a jail by themselves


def call(name: str, *arguments: object) -> None:
    """A function of the C library that returns 0 when it worked. Raises OSError when it did not."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def prctl(option: int, value: int, more: int | ctypes.c_char_p = 0) -> None:
    call("prctl", option, ctypes.c_ulong(value), more, ctypes.c_ulong(0), ctypes.c_ulong(0))


def write(path: str, text: str) -> None:
    """In one piece, and not silently in vain, as a buffered file that is closed later would."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def fork() -> int:
    """os.fork, and the child is process 1 of its own: it can name no other process, and all of its own end with it."""
    here = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        call("unshare", NEW_PROCESSES)
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid:
            call("setns", here, NEW_PROCESSES)  # so that the next one gets another
        if pid < 0:
            raise BlockingIOError("no process can be started")
        return pid
    finally:
        os.close(here)


def enter(user: int, limits: dict[str, int]) -> None:
    """Shut this process in, for good. `user` is who it becomes; 0: it cannot become another.

    Raises:
        OSError: the kernel refuses; nothing of a stranger's may run then.
    """
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        prctl(DUMPABLE, 1)  # the change took /proc/self away
    user, group = os.getuid(), os.getgid()
    call("unshare", NEW_USERS | NEW_MOUNTS | NEW_IPC | NEW_NETWORK | NEW_HOSTNAME | NEW_CGROUP)
    write("/proc/self/setgroups", "deny")
    write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    write("/proc/self/uid_map", f"{NOBODY} {user} 1")
    write("/proc/self/oom_score_adj", "1000")  # when memory runs out, this one goes, not its server
    write("/proc/sys/user/max_user_namespaces", "0")  # nobody is root again in a namespace below
    restrict(limits, all_of_them=True)
    own = f"size={limits['disk']},nr_inodes=4096,mode=700".encode()
    call("mount", b"own", OWN.encode(), b"tmpfs", NO_SETUID | NO_DEVICES | NO_PROGRAMS, own)
    if not os.listdir("/tmp"):  # otherwise the environment lies there
        call("mount", OWN.encode(), b"/tmp", None, BIND, None)
    call("mount", b"none", b"/proc", b"tmpfs", READ_ONLY | NO_SETUID | NO_DEVICES | NO_PROGRAMS, b"size=4k")
    os.chdir(OWN)
    prctl(NO_NEW_PRIVILEGES, 1)
    die_with_parent()
    prctl(DUMPABLE, 0)
    filter_calls()
    call("capset", struct.pack("<Ii", 0x20080522, 0), bytes(24))  # and no privilege in here either


def die_with_parent() -> None:
    if sys.platform == "linux":
        prctl(DEATH_SIGNAL, signal.SIGKILL)


def restrict(limits: dict[str, int], all_of_them: bool = False) -> None:
    """Resource limits, soft and hard at once: SIGXCPU could be caught, SIGKILL cannot."""
    space, data = in_use()
    wanted = {"CPU": limits["cpu"], "DATA": data + limits["memory"], "FSIZE": limits["file"], "NOFILE": 256, "CORE": 0}
    if all_of_them:
        wanted |= {"AS": space + limits["memory"], "MEMLOCK": 0, "MSGQUEUE": 0}
        wanted |= {"NPROC": limits["processes"]} if counted_apart() else {}
    for name, value in wanted.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def in_use() -> tuple[int, int]:
    """Bytes of address space and of data that the warm server had already: limits are on top of them."""
    try:
        pages = [int(number) for number in Path("/proc/self/statm").read_text().split()]
    except OSError:
        return 0, 0
    return pages[0] * resource.getpagesize(), pages[5] * resource.getpagesize()


def counted_apart() -> bool:
    """Since Linux 5.14 a user's processes are counted per namespace; before, all of the grader's own would count."""
    return tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2]) >= (5, 14)


def filter_calls() -> bool:
    """Have the kernel refuse the calls above; False on a processor whose numbers are not known."""
    if platform.machine() not in PROCESSORS:
        return False
    program = b"".join(struct.pack("<HBBI", *step) for step in steps(*PROCESSORS[platform.machine()]))
    buffer = ctypes.create_string_buffer(program, len(program))
    packed = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    prctl(SECCOMP, 2, ctypes.c_char_p(packed))
    return True


def steps(column: int, processor: int) -> list[tuple[int, int, int, int]]:
    """The filter: code, how many steps to skip when it holds and when not, operand."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allowed, denied, unknown, killed = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # EPERM, ENOSYS
    program = [(load, 0, 0, 4), (equal, 1, 0, processor), (answer, 0, 0, killed), (load, 0, 0, 0)]
    program += [(at_least, 0, 1, 0x40000000), (answer, 0, 0, killed)]  # a second set of numbers for the same calls
    for numbers in REFUSED.values():
        program += [(equal, 0, 1, numbers[column]), (answer, 0, 0, denied)]
    program += [(equal, 0, 1, CLONE3[column]), (answer, 0, 0, unknown)]  # its flags cannot be seen: use clone
    program += [(equal, 0, 3, CLONE[column]), (load, 0, 0, 16), (any_bit, 0, 1, NEW_ANYTHING), (answer, 0, 0, denied)]
    return [*program, (answer, 0, 0, allowed)]


def trial() -> Trial:
    """Enter as a question does; what was in the way, if anything was."""
    limits = {"cpu": 5, "memory": 1 << 28, "file": 1 << 20, "processes": 8, "disk": 1 << 20}
    receive, send = os.pipe()
    libraries = [path for path in sys.path if os.path.isdir(path)]
    pid = fork()
    if not pid:
        words = ""
        try:
            enter(int(os.environ["JAIL"]), limits)
            [os.listdir(path) for path in libraries]  # the user that it became must be able to read them
        except Exception as trouble:
            words = str(trouble) or type(trouble).__name__
        os.write(send, words.encode()[:500])
        os._exit(0)
    os.close(send)
    words = os.read(receive, 500).decode("utf-8", "replace")
    os.waitpid(pid, 0)
    return {"trouble": words, "calls": platform.machine() in PROCESSORS, "processes": counted_apart()}


if __name__ == "__main__":
    try:
        print(json.dumps(trial()))
    except OSError as trouble:
        print(json.dumps({"trouble": str(trouble)}))
        sys.exit(1)
