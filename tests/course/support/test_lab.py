"""What JupyterLab and a container are told: names that the installed JupyterLab knows, commands that there are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema  # comes with nbformat
import pytest

from grading.content.overlay import ROOT
from starter.support import lab

SHARE = Path(sys.prefix) / "share/jupyter"
OVERRIDES = json.loads((lab.SETTINGS / "labconfig/default_setting_overrides.json").read_text(encoding="utf-8"))
NEWS, VIEWERS = "@jupyterlab/apputils-extension:notification", "@jupyterlab/docmanager-extension:plugin"
ASK = """
import json, sys
from jupyterlab_server.settings_utils import get_settings
for name in sys.argv[3:]:
    print(json.dumps(get_settings("", sys.argv[1], sys.argv[2], name)[0]["schema"]["properties"]))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Setting -> what it is by default, as JupyterLab's own reader sees it with the environment that `lab` gives."""
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab.subprocess, "run", lambda command, env: asked.append(env) or Done())
        lab.jupyterlab([])
    schemas, empty = SHARE / "lab/schemas", tmp_path_factory.mktemp("settings")
    command = [sys.executable, "-c", ASK, str(schemas), str(empty), NEWS, VIEWERS]
    said = subprocess.run(command, env=asked[0], capture_output=True, text=True, check=True, cwd=empty).stdout
    return {NEWS: json.loads(said.splitlines()[0]), VIEWERS: json.loads(said.splitlines()[1])}


class Done:
    returncode = 0


def test_the_news_is_off_and_markdown_opens_rendered(settings):
    assert settings[NEWS]["fetchNews"]["default"] == "false" and settings[NEWS]["checkForUpdates"]["default"] is False
    assert settings[VIEWERS]["defaultViewers"]["default"] == {"markdown": "Markdown Preview"}


@pytest.mark.parametrize("plugin", OVERRIDES)
def test_every_setting_is_one_of_the_installed_jupyterlab_with_a_value_that_it_takes(plugin):
    extension, name = plugin.split(":")
    schema = json.loads((SHARE / f"lab/schemas/{extension}/{name}.json").read_text(encoding="utf-8"))
    assert OVERRIDES[plugin].keys() <= schema["properties"].keys()
    jsonschema.validate(OVERRIDES[plugin], schema)


def test_every_extension_that_is_switched_off_is_there():
    page = json.loads((lab.SETTINGS / "labconfig/page_config.json").read_text(encoding="utf-8"))
    scripts = (SHARE / "labextensions/@jupyter/nbgrader/static").glob("*.js")
    there = "".join(path.read_text(encoding="utf-8") for path in scripts)
    off = page["disabledExtensions"]
    assert off and all(off.values()) and all(f'"{name}"' in there or f"'{name}'" in there for name in off)


def test_the_container_runs_commands_that_there_are():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    install, start = container["postCreateCommand"], container["postAttachCommand"]
    assert install in (ROOT / "docs/installing.md").read_text(encoding="utf-8")
    assert (ROOT / re.search(r"-r (\S+)", install)[1]).exists()
    module, command = re.fullmatch(r"python -m (\w+) (\w+) --no-browser", start).groups()
    said = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert re.search(rf"^ +{command} ", said, re.MULTILINE)
    assert container["forwardPorts"] == [8888]
