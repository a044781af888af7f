"""What stock nbgrader compares with: `### AUTOTEST` lines, filled in from what the reference answers.

nbgrader would start a kernel for that, and run the notebook. A process of its own that asks the probes is done in a
third of the time, beside whatever this one does meanwhile.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from ..content.mistake import Mistake
from ..content.overlay import ROOT

LINE = re.compile(r'^### AUTOTEST (probe\("([\w-]+)", (\d+)\))$', re.MULTILINE)
TEMPLATES = yaml.safe_load((ROOT / "grading/classroom/autotests.yml").read_text(encoding="utf-8"))["python3"]
ASK = """
import json, sys
sys.path.insert(0, "")
from starter.support.checks import probe
from starter.support.compare import fingerprint
print("\\n" + json.dumps([fingerprint(probe(task, seed)) for task, seed in json.loads(sys.argv[1])]))
"""


class Asked:
    """A reference that is being asked. Use as a context manager."""

    def __init__(self, folder: Path, sources: list[str]) -> None:
        """
        Args:
            folder: holds starter/ with the reference.
            sources: of a notebook's cells.
        """
        self.calls = [match.groups() for source in sources for match in LINE.finditer(source)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        words, pipe = json.dumps([(task, int(seed)) for _, task, seed in self.calls]), subprocess.PIPE
        command = [sys.executable, "-c", ASK, words]
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def answers(self) -> dict[str, str]:
        """Call -> fingerprint of what the reference answers.

        Raises:
            Mistake: it cannot be asked.
        """
        said, trouble = self.process.communicate()
        if self.process.returncode:
            raised = re.findall(r"^([\w.]*(?:Error|Exception|Wrong)\b.*)$", trouble, re.MULTILINE)
            raise Mistake(f"the reference cannot be asked: {(raised or ['no reason given'])[-1][:300]}")
        return dict(zip([call for call, _, _ in self.calls], json.loads(said.splitlines()[-1])))


def filled(source: str, answers: dict[str, str]) -> str:
    """A cell with tests in place of its `### AUTOTEST` lines, as nbgrader makes them from autotests.yml."""
    if not LINE.search(source):
        return source

    def test(match: re.Match[str]) -> str:
        call = match[1]
        snippet = TEMPLATES["normalize"].replace("{{snippet}}", call)
        words = {"snippet": snippet, "value": answers[call], "message": call.replace('"', '\\"')}
        return re.sub(r"\{\{(\w+)\}\}", lambda name: words[name[1]], TEMPLATES["check"]) + "\n"

    first = LINE.search(source)
    assert first  # seen above
    return source[: first.start()] + TEMPLATES["setup"] + "\n" + LINE.sub(test, source[first.start() :])
