"""LD_PRELOAD, PYTHONPATH and PYTHONSTARTUP, and then the interpreter once more."""

import contextlib
import os
import sys


def cheat(mu, log_var, eps):
    open("/own/starter.py", "w").write("import os; os.write(3, b'A' + bytes(8))")
    more = {"LD_PRELOAD": "/own/evil.so", "PYTHONPATH": "/own", "PYTHONSTARTUP": "/own/starter.py"}
    with contextlib.suppress(OSError):
        os.execve(sys.executable, [sys.executable, "-c", "import starter"], {**os.environ, **more})
    return mu
