"""Open JupyterLab on your own copy of the labs: python -m starter lab [2]. Of nbgrader only Validate is shown."""

import os
import subprocess
import sys
from pathlib import Path

from . import course, data, desk

SETTINGS = Path(__file__).with_name("jupyter")


def main(arguments: list[str]) -> int:
    """Check the data, prepare the learner's copy, then run JupyterLab until it is stopped; its exit code.

    Raises:
        ValueError: there is no such lab or data set.
    """
    named = arguments[:1] if arguments[:1] and not arguments[0].startswith("-") else []
    lab = course.lab_named(named[0]) if named else None
    print(data.verify(), flush=True)
    if (name := data.default()) != data.DEFAULT:
        data.load(name)
        print(f"DATA={name}: the notebooks take these images.", flush=True)
    said_of(desk.prepare())
    address = desk.lay_out(lab)
    print(f"Opening JupyterLab on {course.own()}; stop it with Ctrl-C.", flush=True)
    where = [f"--ServerApp.root_dir={course.own()}", f"--LabApp.default_url={address}"]
    where.append(f"--LabApp.workspaces_dir={desk.workspaces()}")
    where.append(f"--LabApp.extra_labextensions_path={SETTINGS / 'labextensions'}")
    return jupyterlab([*where, *arguments[len(named) :]])


def said_of(made: list[str]) -> None:
    if books := [name for name in made if name.endswith(".ipynb")]:
        labs = f"{len(books)} notebook{'s' * (len(books) > 1)}, {books[0]} to {books[-1]}" if books[1:] else books[0]
        print(f"Prepared your own copy, {course.own()}: {labs}, and the modules with blanks.", flush=True)


def jupyterlab(options: list[str]) -> int:
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # kernels and nbgrader's tools are there
    settings = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    environment = os.environ | {
        "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, settings)),
        "PATH": os.pathsep.join(path),
    }
    command = [sys.executable, "-m", "jupyterlab", *options]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often nobody else
    try:
        code = subprocess.run(command, env=environment).returncode
    except KeyboardInterrupt:
        code = 0
    print(
        "JupyterLab has stopped." if code == 0 else f"JupyterLab ended with exit code {code}; its last lines say why."
    )
    return code
