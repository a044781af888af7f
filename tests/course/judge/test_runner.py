"""Strangers' code runs in a process of its own, and nothing that it does makes a wrong answer right."""

import os
import platform
import re
import struct
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from grading.content import known_answers
from grading.content.reference_text import published
from grading.content.tasks import tasks_of
from grading.judge import server
from grading.judge.runner import Limits, Runner, ServerError, plain_launch
from grading.judge.verdicts import judged, needed, readable, seeds
from grading.judge.wire import parse_reports
from starter.support import compare, probes
from starter.support.verdict import Outcome

RIGHT_1 = "return mu + torch.exp(0.5 * log_var) * eps"
ARRAYS = {"result": np.arange(6, dtype=np.float32).reshape(2, 3), "says": np.array("a list"), "kept": np.array([True])}
REPORT = server.packed(b"A", ARRAYS)


def with_answer(solution: str, body: str, before: str = "") -> str:
    """The solution with another answer to vae-1."""
    return before + known_answers.changed(solution, {"id": "vae-1-test", "task": "vae-1", "region": body})


def test_the_reference_is_right_on_every_task(runner, solution):
    verdicts = judged(runner, "02_vae", solution.encode(), seeds(b"secret", "anna"))
    assert {task: verdict.state for task, verdict in verdicts.items()} == dict.fromkeys(verdicts, "right")
    assert list(verdicts) == tasks_of("02_vae")


def test_a_blank_is_named_with_its_line(graded_as, blank):
    verdict = graded_as(blank)
    line = next(n for n, text in enumerate(blank.splitlines(), 1) if 'Error("vae-1")' in text)
    assert verdict.state == "blank" and f"vae-1 is still blank: starter/vae.py, line {line}." in verdict.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return mu + torch.exp(log_var) * eps", "variance|log_var"),
        ("return 3 * mu", "numbers are right|times|gradient"),
        ("return (mu + eps).tolist()", "a list, a tensor is expected"),
        ("return (mu + eps).double()", "float64, expected float32"),
        ("return (mu + eps).int()", "torch.int32"),
        ("return mu * float('nan')", "nan or infinite"),
        ("return mu + torch.exp(0.5 * log_var) * torch.randn_like(eps)", "Two calls with the same inputs differ"),
        ("z = mu + torch.exp(0.5 * log_var) * eps\nmu += 1\nreturn z", "changes one of its inputs"),
        ("return None", "None, a tensor is expected"),
        ("return mu[0]", "shape"),
        ("return mu.unknown", "of starter/vae.py raises AttributeError"),
        ("raise SystemExit", "raises SystemExit"),
        ("import os; os._exit(0)", "ended its own process"),
        ("import os; os.abort()", "ended its own process"),
        ("while True: pass", "stopped after 2 seconds"),
        ("torch.zeros(10**11); " + RIGHT_1, "raises RuntimeError"),
        ("import warnings; warnings.simplefilter('ignore'); " + RIGHT_1, "changes which warnings are shown"),
        ("return torch.zeros(1).expand(10**10)", r"returns a tensor of shape \(10000000000,\): far too much"),
        ("return torch.nn.Parameter(mu)", "numbers are right|differ"),
        ("open('/tmp/x' * 999)", "raises OSError"),
    ],
)
def test_a_wrong_answer_is_wrong_and_named(graded_as, solution, body, says):
    verdict = graded_as(with_answer(solution, body))
    assert verdict.state == "wrong" and re.search(says, verdict.message), verdict


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("x = (", "line 1 of starter/vae.py raises SyntaxError"),
        ("import sys; sys.exit()", "raises SystemExit"),
        ("import os; os._exit(0)", "ended its own process"),
        ("import solutions.vae", "No module named 'solutions'"),
        ("import grading", "No module named 'grading'"),
        ("def elbo(): pass", "has no function reparameterize"),
        ("raise ValueError('\\u202eright\\x1b[2J')", "raises ValueError: \N{REPLACEMENT CHARACTER}right"),
        ("raise ValueError('x' * 10**6)", "raises ValueError: xxx"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "line 3 of starter/vae.py raises E"),
        ("", "has no function reparameterize"),
        ("\0", "starter/vae.py raises"),
    ],
)
def test_a_module_that_cannot_be_used_is_wrong_with_a_reason(graded_as, module, says):
    verdict = graded_as(module)
    assert verdict.state == "wrong" and says in verdict.message and len(verdict.message) < 600, verdict


@pytest.mark.parametrize(
    "before",
    [
        "from starter.support import checks, compare, verdict\ncompare.same = lambda *a: True\n"
        "compare.error = lambda *a: 0\nverdict.stop = verdict.decide = checks.probe = lambda *a: None\n",
        "from starter.support import probes\nprobes.PROBES['vae-1'] = lambda *a: {}\n",
        "from starter.support import probes\nprobes.arrays = lambda *a: {}\n",
        "import os\nos.write(3, b'A' + bytes(8))\nos._exit(0)\n",
        "import os\nos.write(3, b'A' + bytes(8))\n",
        "import os\nos.write(3, b'E' + bytes(8))\nos._exit(0)\n",
        "import os\nos.write(3, b'x' * 10**7)\n",
        "import os\nos.close(3)\n",
        "import torch\ntorch.Tensor.__eq__ = lambda *a: True\ntorch.equal = torch.allclose = lambda *a: True\n",
        "import numpy\nnumpy.array_equal = lambda *a, **k: True\n",
        "import sys\nsys.modules['grading'] = sys.modules['starter.support.compare'] = None\n",
        "class Always(float):\n    __eq__ = __le__ = __lt__ = lambda *a: True\n",
    ],
)
def test_what_a_module_does_to_its_own_process_makes_nothing_right(graded_as, solution, before):
    assert not graded_as(with_answer(solution, "return mu", before)).right


def test_a_second_report_spoils_the_first(graded_as, solution):
    assert "cannot be read" in graded_as(f"import os\nos.write(3, {REPORT!r})\n" + solution).message


@pytest.mark.parametrize(
    "before",
    [
        "import os, time\nif not os.fork():\n    time.sleep(60)\n",
        "import os, time\nif not os.fork():\n    os.setsid(); time.sleep(5); os._exit(0)\n",
        "for _ in range(200):\n    print('x' * 10**6)\n",
        "import sys\nsys.stdout.close(); sys.stderr.close()\n",
        "import warnings\nwarnings.warn('old')\n",
        "from starter import vae\nimport starter.vae\n",
        "import torch\ntorch.set_default_device('cpu')\n",
    ],
)
def test_odd_habits_beside_a_right_answer_cost_nothing(graded_as, solution, before):
    begun = time.monotonic()
    assert graded_as(before + solution).right
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    "module",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: ("# coding: latin-1\n# Zoë\n" + text.replace("…", "...")).encode("latin-1"),
        lambda text: ("# Zoë\n" + text.replace("…", "...")).encode("latin-1"),
    ],
    ids=["BOM", "CRLF", "Latin-1", "Latin-1 that does not say so"],
)
def test_how_a_module_is_encoded_does_not_matter(graded_as, solution, module):
    assert graded_as(module(solution)).right


def test_a_module_is_not_decoded_by_a_codec_of_its_choice():
    strange = b"# coding: punycode\n\xff"
    assert readable(strange) == strange


def test_an_answer_that_is_right_for_the_public_inputs_alone_is_wrong(runner, graded_as, solution):
    before = (
        "import types\nimport torch\nfrom starter.support import probes\nPUBLIC = []\n"
        "def seen(mu, log_var, eps):\n    PUBLIC.append(mu.detach().clone())\n"
        "    return mu + torch.exp(0.5 * log_var) * eps\n"
        "probes.arrays('vae-1', types.SimpleNamespace(reparameterize=seen), 0, {})\n"
    )
    known = "any(mu.shape == one.shape and torch.equal(mu, one) for one in PUBLIC)"
    module = with_answer(solution, f"if not {known}:\n    return mu\n{RIGHT_1}", before)
    public = runner.ask("vae", module.encode(), "vae-1", 0, {}).arrays
    assert compare.same(public, probes.arrays("vae-1", known_answers.reference("vae"), 0, {}))
    assert graded_as(module).state == "wrong"


def test_an_answer_that_is_right_once_is_wrong(graded_as, solution):
    seed = seeds(b"secret", "anna")[0]
    before = (
        f"from starter.support.probes import Draw\ndraw = Draw('vae-1', {seed})\nSIZES = draw.dims('B', 'latent_dim')\n"
    )
    body = f"if not torch.equal(mu, FIRST):\n    return mu\n{RIGHT_1}"
    assert graded_as(with_answer(solution, body, before + "FIRST = draw.mixed(*SIZES)\n")).state == "wrong"


@pytest.mark.parametrize(
    "harm",
    [
        "import os; os._exit(1)",
        "while True: pass",
        "import os; os.write(3, bytes(1 << 21))",
        "global kl_divergence; kl_divergence = None",
        "raise SystemExit",
    ],
    ids=["crash", "hang", "flood", "mess", "exit"],
)
def test_what_a_task_does_costs_itself_alone(runner, solution, harm):
    module = with_answer(solution, f"{harm}\nreturn mu").encode()
    verdicts = judged(runner, "02_vae", module, seeds(b"secret", "anna"), ["vae-3", "vae-1", "vae-2"])
    assert [verdict.state for verdict in verdicts.values()] == ["right", "wrong", "right"]


@pytest.mark.parametrize("others", [["vae-1", "vae-2"], ["vae-2", "vae-1"]])
def test_an_answer_that_lives_on_what_was_asked_before_is_wrong(runner, solution, others):
    before = "from starter.support import probes\nprobe, asked = probes.arrays, []\n"
    before += "probes.arrays = lambda *given: (asked.append(1), probe(*given))[1]\n"
    module = with_answer(solution, f"if len(asked) < 2:\n    return mu\n{RIGHT_1}", before).encode()
    verdicts = judged(runner, "02_vae", module, seeds(b"secret", "anna"), others)
    assert {task: verdict.state for task, verdict in verdicts.items()} == {"vae-1": "wrong", "vae-2": "right"}


@pytest.mark.parametrize(("text", "processes"), [("right", 2), ("blank", 1), ("import sys; sys.exit()", 1)])
def test_few_processes_are_started_for_a_module_without_a_mistake(
    runner, solution, blank, monkeypatch, text, processes
):
    asked, exchange = [], runner.exchange
    monkeypatch.setattr(runner, "exchange", lambda *given: (asked.append(1), exchange(*given))[1])
    module = {"right": solution, "blank": blank}.get(text, text).encode()
    judged(runner, "02_vae", module, seeds(b"secret", "anna"))
    assert len(asked) == processes


def test_a_module_whose_import_hangs_is_asked_once_for_all_tasks(runner):
    begun = time.monotonic()
    verdicts = judged(runner, "02_vae", b"while True: pass", seeds(b"secret", "anna"))
    assert {verdict.state for verdict in verdicts.values()} == {"wrong"} and [*verdicts] == tasks_of("02_vae")
    assert time.monotonic() - begun < 25


def test_sleeping_is_ended_by_the_clock(runner):
    patient = runner.limits
    try:
        runner.limits = replace(patient, wall=0.5)
        assert runner.ask("vae", b"import time\ntime.sleep(1000)").ended == "time"
    finally:
        runner.limits = patient


def test_a_worker_that_was_killed_is_replaced_and_its_learner_is_not_charged(runner, graded_as, solution):
    if runner.process:
        runner.process.kill()
    assert graded_as(solution).right


def test_without_a_jail_the_same_questions_are_answered(solution):
    with Runner(set(), Limits(cpu=2, wall=30), plain_launch) as runner:
        found = runner.ask("vae", solution.encode(), "vae-1", 5, {})
        assert compare.same(found.arrays, probes.arrays("vae-1", known_answers.reference("vae"), 5, {}))
        assert runner.ask("vae", b"while True: pass").ended == "exit -9"
        runner.limits = replace(runner.limits, wall=0.5)
        assert runner.ask("vae", b"import time\ntime.sleep(1000)").ended == "time"


def test_without_a_jail_a_question_has_a_folder_of_its_own_that_goes_with_it(solution):
    write = (
        "import os, tempfile\nopen('left', 'w').close(), tempfile.mkstemp(), os.mkdir(os.environ['HOME'] + '/more')\n"
    )
    with Runner(set(), Limits(cpu=5, wall=60), plain_launch) as runner:
        words = runner.ask("vae", f"{write}raise ValueError(os.getcwd(), os.listdir())".encode()).stop.words
        assert str(runner.base.path / "own") in words and "'left'" in words and "'more'" in words
        assert [*(runner.base.path / "own").iterdir()] == [] and not os.path.exists("/left")
        assert runner.ask("vae", b"import os\nassert os.listdir() == []").arrays is not None


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 has a second set of numbers for its calls")
def test_a_system_call_that_the_jail_ends_is_named(needs_jail, graded_as, solution):
    harm = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39); return mu"
    assert "(SIGSYS)" in graded_as(with_answer(solution, harm)).message


def test_what_cannot_be_shut_in_does_not_run_and_is_our_own_trouble(monkeypatch, runner):
    def refuse():
        raise OSError("the kernel says no")

    read = []
    monkeypatch.setenv("JAIL", "0")
    monkeypatch.setattr(server, "inside", lambda: SimpleNamespace(fork=refuse))
    monkeypatch.setattr(server, "read_frame", read.append)
    end, report = server.run({"wall": 1})
    os.close(report)
    assert end == "jail the kernel says no" and read == [0]
    monkeypatch.setattr(runner, "reply", lambda deadline: ticket.encode() + b" jail the kernel says no\n")
    monkeypatch.setattr("grading.judge.runner.secrets.token_hex", lambda size: ticket)
    ticket = "a"
    with pytest.raises(ServerError, match="could not be shut in: the kernel says no"):
        runner.ask("vae", b"")
    assert runner.process is None


def test_a_frame_that_was_written_in_advance_answers_no_question(runner, solution, monkeypatch):
    runner.ask("vae", b"")  # a worker is there
    honest, read = runner.exactly, []

    def forged(size, deadline):
        frame = b"guessed exit 0\n" + REPORT
        read.append(size)
        return {1: struct.pack("<I", len(frame)), 2: frame}.get(len(read)) or honest(size, deadline)

    monkeypatch.setattr(runner, "exactly", forged)
    outcome = runner.ask("vae", solution.encode(), "vae-2", 5, {})
    assert outcome.arrays.keys() == probes.arrays("vae-2", known_answers.reference("vae"), 5, {}).keys()


def test_seeds_belong_to_a_run_and_a_learner():
    anna = seeds(b"secret", "anna")
    assert anna == seeds(b"secret", "anna") and len(set(anna)) == 2
    assert not set(anna) & set(seeds(b"secret", "ben")) and not set(anna) & set(seeds(b"other", "anna"))


def test_a_lab_sees_only_the_labs_that_it_imports():
    assert "vae" not in published("02_vae") and published("01_autoencoder") == frozenset()


SPY = """
import glob, inspect, linecache, os
import starter
from starter import vae

def tried(look):
    try:
        return str(look())
    except Exception:
        return ""

files = [open(path, "rb").read().decode("latin-1") for path in glob.glob(os.path.dirname(starter.__file__) + "/*.*")]
functions = [vae, vae.reparameterize, vae.kl_divergence, vae.VAE]
codes = [function.__code__ for function in functions[1:3]]
seen = [*files, vae.__file__, *(tried(lambda: inspect.getsource(one)) for one in functions)]
seen += [tried(lambda: linecache.getlines(vae.__file__)), *(str(one.__doc__) for one in functions)]
seen += [str({line for _, _, line in code.co_lines()} - {1} or "") for code in codes]
assert len(files) == 3
"""


@pytest.fixture(scope="module")
def later_lab(launch):
    with Runner(set(published("03_beta_vae")), Limits(cpu=10, wall=60), launch) as runner:
        yield runner


@pytest.mark.parametrize("words", ["SOLUTION", "0.5 * log_var", "Args:", "sigma * eps", "def reparameterize(mu"])
def test_an_earlier_labs_solution_cannot_be_read_in_a_later_lab(later_lab, words, solution):
    spy = SPY + f"raise ValueError([text[-99:] for text in seen if {words!r} in text])"
    assert words in solution and later_lab.ask("beta_vae", spy.encode()).stop.words == "[]"


def test_a_later_lab_is_judged_on_what_it_imports(later_lab):
    module = known_answers.solution("beta_vae").read_bytes()
    assert all(verdict.right for verdict in judged(later_lab, "03_beta_vae", module, seeds(b"s", "anna")).values())
    wrong = b"from .vae import elbo\nelbo(1, 2, 3, 4)"
    assert "line 2 of starter/beta_vae.py raises AttributeError" in str(
        judged(later_lab, "03_beta_vae", wrong, seeds(b"s", "anna"), ["beta-1"])
    )


def test_what_the_probes_of_a_lab_import_late_is_imported_before_the_first_question():
    loaded = "import sys\nassert 'torch._dynamo' in sys.modules"
    assert needed("02_vae") == () and needed("07_gan") == ("torch._dynamo",)
    with Runner(set(), launch=plain_launch, warm=needed("07_gan")) as runner:
        assert runner.ask("gan", loaded.encode()).arrays is not None


def test_arrays_come_back_as_they_were_packed():
    (outcome,) = parse_reports("exit 0", REPORT)
    assert outcome.arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(outcome.arrays[name], ARRAYS[name]) for name in ARRAYS)
    assert all(outcome.arrays[name].dtype == ARRAYS[name].dtype for name in ARRAYS)


def item(name=b"result", kind=1, shape=(2,), data=bytes(8), size=None) -> bytes:
    head = server.ITEM.pack(len(name), kind, len(shape), len(data) if size is None else size)
    return head + struct.pack(f"<{len(shape)}I", *shape) + name + data


def report(body: bytes, kind: bytes = b"A", size: int | None = None) -> bytes:
    return server.HEADER.pack(kind, len(body) if size is None else size) + body


@pytest.mark.parametrize(
    "raw",
    [
        b"A",
        b"A" * 9,
        report(item())[:-1],
        report(item()) + b"x",
        report(item()) * 2,
        report(item(), size=2**63),
        report(item(), kind=b"Z"),
        report(item(), kind=b"E"),
        report(item() * 2),
        report(item(kind=9)),
        report(item(size=2**64 - 1)),
        report(item(size=4)),
        report(item(shape=(2**32 - 1, 2**32 - 1))),
        report(item(shape=(1,) * 200)),
        report(item(name=b"\xff")),
        report(item(name=b"n" * 5000)),
        report(item(kind=0, shape=(), data=b"\xff")),
        report(item(kind=0, shape=(), data=b"x" * 5000)),
        report(item(kind=4, data=b"\2\1")),
        report(b"".join(item(name=b"%d" % i) for i in range(100))),
    ],
)
def test_bytes_that_are_not_exactly_one_report_are_no_report(raw):
    assert parse_reports("exit 0", raw) == [Outcome(ended="unreadable")]


def test_of_several_questions_those_that_were_reported_count():
    first, second, third = parse_reports("exit 1", REPORT * 2, 3)
    assert first.arrays.keys() == second.arrays.keys() == ARRAYS.keys() and third == Outcome(ended="exit 1")
    assert parse_reports("exit 0", REPORT * 3, 2) == [Outcome(ended="unreadable")] * 2
    first, second = parse_reports("time", REPORT, 2)
    assert first.arrays.keys() == ARRAYS.keys() and second == Outcome(ended="time")
    assert parse_reports("time", REPORT + REPORT[:-3], 2) == [Outcome(ended="time")] * 2
