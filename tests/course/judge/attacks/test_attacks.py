"""Every attack of this folder scores 0 for the task that it cheats, harms nobody, and leaves the machine as it was.

An attack is the beginning of a module; the rest is the reference, but for vae-1, whose answer is the attack's `cheat`.
CANARY_FILE, CANARY_PID and CANARY_PORT stand for a file, a process and a server of this machine.
"""

import hashlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from grading.classroom.collect import collect
from grading.content import known_answers
from grading.content.tasks import tasks_of
from grading.judge.verdicts import judged, seeds

LAB, TASK = "02_vae", "vae-1"
ATTACKS = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_"))
pytestmark = pytest.mark.usefixtures("needs_jail")


class Canary:
    """A file, a process and a server that an attack would love to meet."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "canary.txt"
        self.file.write_text("untouched")
        self.file.chmod(0o666)
        self.process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.setblocking(False)

    def named(self, text: str) -> str:
        names = {"FILE": self.file, "PID": self.process.pid, "PORT": self.server.getsockname()[1]}
        for name, value in names.items():
            text = text.replace(f"CANARY_{name}", str(value))
        return text

    def assert_untouched(self) -> None:
        assert self.file.read_text() == "untouched" and [*self.file.parent.iterdir()] == [self.file]
        assert self.process.poll() is None
        with pytest.raises(BlockingIOError):
            self.server.accept()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.server.close()


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    bird = Canary(tmp_path_factory.mktemp("canary"))
    yield bird
    bird.close()


@pytest.fixture(scope="module")
def honest(solution):
    """A right answer in words of its own: whoever finds them in memory has found another learner's work."""
    region = "sigma_of_an_honest_learner = torch.exp(0.5 * log_var)\nreturn mu + sigma_of_an_honest_learner * eps"
    return known_answers.changed(solution, {"id": "vae-1-honest", "task": TASK, "region": region}).encode()


def vae_1(runner, module: bytes, student: str, tasks: list[str] | None = None):
    return judged(runner, LAB, module, seeds(b"secret", student), tasks or [TASK])[TASK]


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.stem)
def test_a_cheat_earns_nothing_and_the_next_learner_loses_nothing(runner, canary, honest, solution, path):
    answer = {"id": "vae-1-cheat", "task": TASK, "region": "return cheat(mu, log_var, eps)"}
    module = canary.named(path.read_text()) + known_answers.changed(solution, answer)
    before = runner.process.pid if runner.process else None
    verdict = vae_1(runner, module.encode(), "mallory", tasks_of(LAB))
    assert verdict.state == "wrong", verdict
    assert vae_1(runner, honest, "anna").right
    assert before in (None, runner.process.pid), "the warm server did not live through it"
    canary.assert_untouched()


def test_every_attack_says_what_it_tries():
    assert len(ATTACKS) > 50
    for path in ATTACKS:
        first = path.read_text().splitlines()[0]
        assert first.startswith('"""') and first.endswith('."""') and len(first) > 20, path.name


def test_a_proof_of_success_would_be_right(runner, solution):
    """What attacks return when they find what they look for is the right answer: a success would be seen."""
    region = "return mu + (0.5 * log_var).exp() * eps  # proof"
    module = known_answers.changed(solution, {"id": "vae-1-proof", "task": TASK, "region": region})
    assert vae_1(runner, module.encode(), "mallory").right


SERVER = """
import json, os, re
attack = {}
exec(open(ATTACK).read(), attack)
receive, send = os.pipe()
if not os.fork():
    line = "sigma_of_an_honest" + "_learner = torch.exp(0.5 * log_var)"
    os.write(send, json.dumps({"text": f"{line:>20000}"}).encode())
    os._exit(0)
os.wait()
question = json.loads(os.read(receive, 60_000))
del question
if not os.fork():
    print(any(re.search(attack["MARK"], page) for page in attack["readable_pages"]()), flush=True)
    os._exit(0)
os.wait()
"""


def test_the_search_of_memory_finds_what_a_server_once_read():
    """Why the server never reads a question itself: freed memory goes on to the children."""
    script = f"ATTACK = {str(Path(__file__).with_name('heap_search.py'))!r}\n{SERVER}"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "True\n"


EXTRAS = {
    name: b"open('/tmp/reached', 'w'); raise SystemExit"
    for name in (
        "sitecustomize.py", "conftest.py", "torch.py", "numpy.py", "numpy/__init__.py", "starter/__init__.py",
        "starter/support/__init__.py", "starter/support/probes/vae.py", "starter/support/compare.py",
        "starter/autoencoder.py", "ipykernel_launcher.py", ".git/hooks/post-checkout", "nbgrader_config.py",
        "gradebook.db", "-rf", "--help", "02_vae.html", "grading/__init__.py",
    )
}  # fmt: skip


@pytest.mark.parametrize("student", ["-rf", "--student", "$(reboot)", "`id`", "a\nb", "%s%n", "name;ls", "*"])
def test_a_submission_is_its_two_files_whatever_else_it_brings(course, packed, released_notebook, honest, student):
    uploads = course.root.parent / "uploads" / f"{student}_5_assignsubmission_file_"
    uploads.mkdir(parents=True)
    files = {f"{LAB}.ipynb": released_notebook, "starter/vae.py": honest} | EXTRAS
    (uploads / "work.zip").write_bytes(packed(files))
    assert "5, accepted" in collect(course, LAB, uploads.parent)[-1]
    taken = course.folder("submitted", LAB, "5")
    found = {path.relative_to(taken).as_posix() for path in taken.rglob("*") if path.is_file()}
    assert found == {f"{LAB}.ipynb", "starter/vae.py", "timestamp.txt", "intake.json"}
    digest = hashlib.sha256((taken / "starter/vae.py").read_bytes()).digest()
    assert digest == hashlib.sha256(honest).digest()
