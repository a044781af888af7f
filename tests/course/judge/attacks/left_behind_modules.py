"""Files that Python or pytest would run later: sitecustomize.py, conftest.py, torch.py, numpy.py."""

import contextlib
import os
import sys

EVIL = "open('CANARY_FILE', 'a').write('reached')"
for folder in {*sys.path, os.getcwd(), "/course", "/course/starter/support", "/tmp", os.path.expanduser("~")}:
    for name in ("sitecustomize", "usercustomize", "conftest", "torch", "numpy", "starter", "evil.pth"):
        with contextlib.suppress(OSError):
            path = os.path.join(folder, name if "." in name else f"{name}.py")
            open(path, "w").write(EVIL)


def cheat(mu, log_var, eps):
    return mu
