"""What each child of a jail tries, and what must come of it. Run by `prisoner.py`, read by `test_jail.py`."""

LIMITS = {"cpu": 1, "memory": 256 << 20, "file": 1 << 20, "processes": 12, "disk": 4 << 20}
C = "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\n"
SAID = "print(result, os.strerror(ctypes.get_errno()))"

# name -> what a child runs, and a regular expression for all that it printed and how it ended
CASES = {
    "an ordinary computation": ("print(sum(range(10)))", r"45\nexit 0"),
    "a file of its own": ("open('a', 'w').write('x'); print(open('/own/a').read())", r"x\nexit 0"),
    "threads": ("import threading as t\nt = t.Thread(target=print, args=['ran'])\nt.start(); t.join()", r"ran\nexit 0"),
    "memory": ("bytearray(1 << 30)", "MemoryError"),
    "shared memory": ("import mmap\nmmap.mmap(-1, 1 << 30)", "Cannot allocate memory"),
    "memory without a name": ("import os\nos.memfd_create('a')", "PermissionError"),
    "shared memory of System V": (f"{C}result = c.shmget(0, 1 << 20, 0o1600)\n{SAID}", "-1 Operation not permitted"),
    "messages of System V": (f"{C}result = c.msgget(0, 0o1600)\n{SAID}", "-1 Operation not permitted"),
    "semaphores of System V": (f"{C}result = c.semget(0, 1, 0o1600)\n{SAID}", "-1 Operation not permitted"),
    "a pair of sockets": ("import socket\nsocket.socketpair()", "PermissionError"),
    "processes": (
        "import os, time\nfor n in range(1000):\n    if not os.fork():\n        time.sleep(9)",
        "Resource temporarily unavailable",
    ),
    "too many threads": (
        "import threading, time\nfor n in range(100):\n    threading.Thread(target=time.sleep, args=[9]).start()",
        "can't start new thread",
    ),
    "computing time": ("while True: pass", "exit -9"),
    "computing time, with a handler": (
        "import signal\nsignal.signal(signal.SIGXCPU, lambda *a: print('caught'))\nwhile True: pass",
        "^exit -9",
    ),
    "wall clock": ("import time\ntime.sleep(60)", "^late"),
    "wall clock, in processes of its own": (
        "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(60)\ntime.sleep(60)",
        "^late",
    ),
    "size of a file": ("open('a', 'wb').write(bytes(2 << 20))", "File too large"),
    "size of all files": ("for n in range(9):\n    open(f'{n}', 'wb').write(bytes(900_000))", "No space left"),
    "number of files": ("for n in range(9999):\n    open(f'{n}', 'w').close()", "No space left"),
    "number of open files": ("import os\nfor n in range(999):\n    os.dup(1)", "Too many open files"),
    "a higher limit": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (9, 9))",
        "not allowed to raise maximum limit",
    ),
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', PORT), 3)", "PermissionError"),
    "a datagram": ("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "PermissionError"),
    "a socket of this machine": ("import socket\nsocket.socket(socket.AF_UNIX)", "PermissionError"),
    "processes of others": ("import os\nprint(os.listdir('/proc'), os.getpid(), os.getppid())", r"\[\] 1 0\n"),
    "a signal to others": (
        "import os\nfor pid in [*range(2, 500)]:\n    try: os.kill(pid, 9); print('hit', pid)\n"
        "    except ProcessLookupError: pass\nos.kill(os.getppid() or 10**5, 9)",
        "^ProcessLookupError",
    ),
    "a signal to all": ("import os\ntry: os.kill(-1, 9)\nexcept ProcessLookupError: print('nobody there')", "nobody"),
    "ptrace": (f"{C}result = c.ptrace(16, 2, 0, 0)\n{SAID}", "-1 Operation not permitted"),
    "memory of others": (f"{C}result = c.process_vm_readv(2, 0, 0, 0, 0, 0)\n{SAID}", "-1 Operation not permitted"),
    "another user": ("import os\nos.setuid(0)", "OSError|PermissionError"),
    "a user namespace": (  # forbidden twice: by the filter, and by a limit of none
        f"{C}result = c.unshare(0x10000000)\n{SAID}",
        "-1 (Operation not permitted|No space left on device)",
    ),
    "a mount": (f"{C}result = c.mount(b'a', b'/own', b'tmpfs', 0, 0)\n{SAID}", "-1 Operation not permitted"),
    "what is mounted, away": (f"{C}result = c.umount2(b'/proc', 2)\n{SAID}", "-1 Operation not permitted"),
    "another root": ("import os\nos.chroot('/own')", "PermissionError"),
    "the name of the machine": ("import socket\nsocket.sethostname('x')", "PermissionError"),
    "the clock": ("import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)", "PermissionError"),
    "a device": ("import os\nos.mknod('/own/disk', 0o60600, os.makedev(8, 0))", "PermissionError"),
    "the kernel's keys": (f"{C}result = c.syscall(KEYCTL, 0, -3, 0)\n{SAID}", "-1 Operation not permitted"),
    "privileges": (
        f"{C}head = ctypes.create_string_buffer(b'\\x22\\x05\\x08\\x20' + bytes(4))\n"
        "data = ctypes.create_string_buffer(24)\n"
        "print(c.capget(head, data), data.raw == bytes(24), c.prctl(39, 0, 0, 0, 0), c.prctl(3, 0, 0, 0, 0))",
        "0 True 1 0",  # none held, none to come, not to be inspected
    ),
    "a program": ("import os\nos.execv('/bin/sh', ['sh'])", "FileNotFoundError"),
    "a program that it brings": (
        "import os, sys\nopen('/own/p', 'w').write('#!' + sys.executable)\nos.chmod('/own/p', 0o755)\n"
        "os.execv('/own/p', ['p'])",
        "PermissionError",
    ),
    "files of this machine": (
        "import os\nfor path in SECRETS:\n    print(os.path.exists(path))",
        r"^(False\n)+exit 0",
    ),
    "what is there": (
        "import os\nprint(sorted({*os.listdir('/')} - {'course', 'dev', 'own', 'proc', 'tmp'} - TOPS))",
        r"^\[\]",
    ),
    "files of others, to write": (
        "import os, sys\nfor root in ('/', '/dev', '/dev/shm', '/course', '/proc', sys.prefix, *sys.path):\n"
        "    try: open(f'{root}/written', 'w'); print('wrote', root)\n    except OSError: pass",
        "^exit 0",
    ),
    "the environment": (
        "import os\nprint(sorted({*os.environ} - {'HOME', 'JAIL', 'LANG', 'LC_CTYPE', 'PWD', 'TMPDIR'}))",
        r"^\[\]",
    ),
    "something for the next": (
        f"{C}import tempfile\nfor place in ('/tmp', '/own', '/dev/shm', '/var/tmp', '/dev/mqueue'):\n"
        "    try: open(f'{place}/left', 'w').write('x')\n    except OSError: pass\n"
        "print(c.shmget(4711, 4096, 0o1666) >= 0, c.semget(4711, 1, 0o1666) >= 0, c.msgget(4711, 0o1666) >= 0)\n"
        "if not os.fork():\n    os.setsid()\n    import time; time.sleep(60)",
        "False False False",
    ),
    "something from the one before": (
        f"{C}print([p for p in ('/tmp', '/own', '/dev/shm') if os.path.exists(p + '/left')])\n"
        "print(c.shmget(4711, 4096, 0), c.semget(4711, 1, 0), c.msgget(4711, 0))\n"
        "try: os.kill(-1, 0); print('somebody')\nexcept ProcessLookupError: print('alone')",
        r"^\[\]\n-1 -1 -1\nalone",
    ),
}  # fmt: skip
