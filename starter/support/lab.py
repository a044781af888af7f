"""Open JupyterLab on the notebooks: python -m starter lab. What a learner does not need is hidden, Validate stays."""

import os
import subprocess
import sys
from pathlib import Path

from . import data

COURSE = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Check the embedded data, then run JupyterLab until it is stopped; its exit code."""
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # kernels and nbgrader's tools are there
    print(data.verify(), flush=True)
    settings = [str(Path(__file__).with_name("jupyter")), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    environment = os.environ | {
        "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, settings)),
        "PATH": os.pathsep.join(path),
    }
    print("Opening JupyterLab on notebooks/; stop it with Ctrl-C.", flush=True)
    where = [f"--ServerApp.root_dir={COURSE}", "--LabApp.default_url=/lab/tree/notebooks"]
    command = [sys.executable, "-m", "jupyterlab", *where]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often nobody else
    try:
        code = subprocess.run([*command, *arguments], env=environment).returncode
    except KeyboardInterrupt:
        code = 0
    print(
        "JupyterLab has stopped." if code == 0 else f"JupyterLab ended with exit code {code}; its last lines say why."
    )
    return code
