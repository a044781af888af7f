"""check(): what a learner reads for blank, wrong and right answers, through its three doors."""

import os
import shutil
import subprocess
import sys

import pytest

from grading.content import known_answers
from grading.content.overlay import ROOT, blanks, overlay
from grading.content.tasks import LABS, MODULES, TASKS, module_of, tasks_of
from starter.support import checks, course, ladder, verdict

B, D = checks.fact("vae-1")["sizes"].values()
N, FEATURES = checks.fact("met-3")["sizes"].values()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Put a text in place of the module under check."""

    def write(text: str | bytes, name: str = "vae") -> None:
        path = tmp_path / f"{name}.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setattr(checks, "path_of", lambda task: path)

    monkeypatch.setattr(ladder, "TRIES", tmp_path / "tries.json")
    return write


def entry(kind: str, name: str) -> dict:
    return next(e for entries in known_answers.answers(kind).values() for e in entries if e["id"] == name)


def answer(region: str, task: str = "vae-1") -> str:
    return known_answers.answer_text({"task": task, "id": "mine", "region": region})


def message(task: str = "vae-1") -> str:
    with pytest.raises(checks.Wrong) as wrong:
        checks.check(task)
    return " ".join(str(wrong.value).split())


def test_a_right_answer_is_praised_with_the_tasks_statement(written, capsys):
    written(known_answers.solution("vae").read_text())
    checks.check("vae-1")
    assert capsys.readouterr().out == "vae-1 is right: mean plus standard deviation times noise.\n"


def test_a_blank_names_its_file_and_line(written):
    text = blanks()[ROOT / "starter/vae.py"]
    written(text)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if 'NotImplementedError("vae-1")' in row)
    assert message().startswith(f"vae-1 is still blank: starter/vae.py, line {line}.")


@pytest.mark.parametrize(("folder", "link"), [("notebooks", "../starter/vae.py"), ("other", "./starter/vae.py")])
def test_a_notebook_shows_file_and_line_as_jupyterlab_links_them(tmp_path, monkeypatch, folder, link):
    """Its pattern: a path that begins with a dot and a slash, a colon, the line. It breaks lines itself."""
    (tmp_path / folder).mkdir()
    monkeypatch.setattr(course, "TOP", tmp_path)
    words = "vae-1 is still blank: starter/vae.py, line 32. " + "x" * 20 + " see line 7 of starter/vae.py for it"
    (shown,) = checks.Wrong(words)._render_traceback_()
    assert f"{link}:32. " in shown and f"see {link}:7 for it" in shown and "\n" not in shown


def test_a_catalogued_mistake_is_named(written):
    written(known_answers.answer_text(entry("wrong", "vae-1-variance-as-sigma")))
    assert "log sigma^2 is read as log sigma" in message()


def test_hints_climb_one_level_per_different_failed_try_and_stay_at_the_top(written):
    tries = ["return mu.sin()", "return eps.cos() * mu", "return mu.cosh()", "return mu.sin() - eps.cos()"]
    levels = []
    for region in tries:
        written(answer(region))
        levels.append(message().split("Hint ")[1][0])
        assert message().split("Hint ")[1][0] == levels[-1]  # the same text again is the same try
    assert levels == ["1", "2", "3", "3"]


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("pass", "`result` is None, a tensor is expected: is there a `return`?"),
        ("return 3", "`result` is a int, a tensor is expected"),
        ("return [mu, log_var]", "`result` is a list, a tensor is expected"),
        (
            "return (mu + eps * (log_var / 2).exp()).sum(1)",
            f"`result` has shape ({B},), expected ({B}, {D}): latent_dim = {D} is gone: is a sum or a mean taken",
        ),
        ("return (mu + eps * (log_var / 2).exp()).double()", "`result` is float64, expected float32"),
        ("return (mu + eps * (log_var / 2).exp()).half()", "`result` is a tensor of torch.float16"),
        ("return mu + eps * (log_var / 2).exp() / 0 * 0", "numbers of `result` are nan or infinite"),
        (
            "return mu.shape[1] * (mu + eps * (log_var / 2).exp())",
            f"`result` is {D} times what it should be (latent_dim = {D}",
        ),
        (f"return {B} * (mu + eps * (log_var / 2).exp())", f"`result` is {B} times what it should be. "),
        ("return mu + eps * (log_var / 2).exp() + 7", "`result` is off by the constant +7"),
        ("return (mu + eps * (log_var / 2).exp()).flip(0)", "`result` runs backwards along dimension 0"),
        ("return mu + eps.relu() * (log_var / 2).exp()", f"of {B * D} numbers are right; the first wrong one, at ("),
        ("mu += eps * (log_var / 2).exp()\nreturn mu.clone()", "changes one of its inputs"),
        ("return mu + eps * (log_var.detach() / 2).exp() * log_var.exp() / log_var.exp()", "(`result`"),
        ("return mu + (log_var / 2).exp() * torch.randn(mu.shape)", "noise comes from what is given"),
        ("return mu + sigmo * eps", "raises NameError: name 'sigmo' is not defined"),
        ("return mu + mu.sum(1) * eps", f"B = {B} meets latent_dim = {D}: is a dimension of length 1 missing?"),
        (
            "sigma = (log_var / 2).exp()\nz = mu + eps * sigma\nsigma += 1\nreturn z * sigma",
            "an inplace operation",
        ),
        ("return torch.nn.BatchNorm1d(mu.shape[1])((mu * eps)[:1])", "should the network be in that mode?"),
        (
            "return torch.zeros(1).expand(10**10)",
            "reparameterize returns a tensor of shape (10000000000,): far too much for the inputs that it was given.",
        ),
        ("return torch.ones(10**15)", "raises RuntimeError: 4e+06 GB of memory are asked for, and not there."),
        ("return (mu + eps).to_sparse()", "`result` is a tensor of layout torch.sparse_coo, expected float32 of shape"),
        ("return torch.nested.nested_tensor([mu[0], eps[0]])", "`result` is a tensor of layout nested, expected"),
        ("return mu.to('meta')", "`result` is a tensor on meta, expected float32"),
        ("return mu + 1j * eps", "`result` is a tensor of torch.complex64, expected float32"),
        ("return (mu - 1j * eps.sin()).conj().imag", "`result`: 0 of"),
        ("return torch.quantize_per_tensor(mu.detach(), 0.1, 0, torch.qint8)", "`result` is a tensor of torch.qint8"),
        ("class T(torch.Tensor): pass\nreturn (mu + eps).as_subclass(T)", "`result`: 0 of"),
        ("return tuple(mu[0, 0] for _ in range(10**5))", "`result` is a tuple, a tensor is expected"),
        ("return lambda: mu", "`result` is a function, a tensor is expected"),
        ("yield mu", "`result` is a generator, a tensor is expected"),
        (
            "import warnings\nwarnings.simplefilter('ignore')\nreturn mu + (log_var / 2).exp() * eps",
            "which warnings are",
        ),
        ("raise SystemExit(3)", "raises SystemExit: 3"),
        ("raise NotImplementedError('mean() of Bool')", "raises NotImplementedError: mean() of Bool."),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "raises E. "),
        ("raise SystemError('mine')", "raises SystemError: mine"),
    ],
)
def test_a_mistake_that_nobody_catalogued_gets_its_property_and_the_numbers(written, region, words):
    written(answer(region))
    text = message()
    assert words in text and "Traceback" not in text and len(text) <= 420


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def reparameterize(mu, log_var, eps:\n    return mu\n", "line 1 of starter/vae.py raises SyntaxError"),
        ("x = 1\n", "starter/vae.py has no function reparameterize"),
        ("def reparameterize(mu, log_var): return mu\n", "TypeError"),
        ("import no_such_package\n", "line 1 of starter/vae.py raises ModuleNotFoundError"),
        ("raise NotImplementedError('on this device')\n", "raises NotImplementedError: on this device"),
        ("reparameterize = 3\n", "'int' object is not callable"),
        (b"x = '\xff'\n", "starter/vae.py raises SyntaxError"),
        ("", "starter/vae.py has no function reparameterize"),
    ],
)
def test_a_module_that_cannot_run_gets_one_sentence(written, text, words):
    written(text)
    assert words in message()


@pytest.mark.parametrize(
    ("task", "region", "words"),
    [
        ("ae-1", "pass", "is None, a list is expected: is there a `return`?"),
        ("dc-2", "pass", "is None, a list is expected: is there a `return`?"),
        ("beta-3", "pass", "is None, a float is expected: is there a `return`?"),
        ("ae-1", "return []", "`shapes of one plan` has shape (0,), expected (4, 3)"),
        ("ae-1", "return [shape] * 10**6", "feature_shapes returns a list of 1000000 rows: far too much"),
        ("ae-1", "return [[*range(10**6)]]", "feature_shapes returns a list with a row of more than 10000 numbers"),
        ("ae-1", "import itertools\nreturn itertools.repeat((1, 2, 3))", "is a repeat, a list is expected."),
        ("gan-6", "return 2.0", "is a float, an int is expected."),
        ("cgan-7", "return Field(2.0, 1.0, 0.5)", "is a float, a whole number is expected."),
        ("wgan-7", "return torch.tensor(True)", "is a tensor of shape (), True or False (a bool) is expected."),
        ("beta-3", "return torch.ones(5)", "is a tensor of shape (5,), a float is expected."),
        ("wgan-7", "pass", "is None, True or False (a bool) is expected: is there a `return`?"),
        ("nvp-2", "return x, torch.zeros(len(x))", "`z`: 60 of 120 numbers are right;"),
        ("nvp-2", "return x", "`z` is missing; you return result."),
        (
            "met-3",
            "return features.mean(0), torch.eye(len(features))",
            f"`S` has shape ({N}, {N}), expected ({FEATURES}, {FEATURES})",
        ),
        ("wgan-1", "return (real_scores - fake_scores).mean()", "The sign is flipped"),
    ],
)
def test_what_is_returned_has_the_name_and_the_kind_that_the_docstring_gives_it(written, task, region, words):
    written(answer(region, task), TASKS[task]["lab"])
    assert words in message(task)


def wrapped(task: str, *lines: str) -> str:
    """The solution's module, whose function does something more with its result, `out`."""
    name = TASKS[task]["symbol"]
    body = "\n".join(f"    {line}" for line in ("out = right(*args, **kwargs)", *lines))
    return (
        f"{known_answers.solution(module_of(task)).read_text()}\nright = {name}\ndef {name}(*args, **kwargs):\n{body}\n"
    )


@pytest.mark.parametrize("task", ["ae-1", "ae-2", "dc-2", "dc-3"])
def test_a_generator_is_no_list(written, task):
    """The lab, which asks for its length, would fail on it."""
    written(wrapped(task, "yield from out"), module_of(task))
    assert "is a generator, a list is expected." in message(task)


@pytest.mark.parametrize(
    "task", ["vae-1", "vae-7", "flow-1", "flow-2", "flow-4", "ae-4", "wgan-4", "nvp-2", "nvp-3", "fm-3", "fm-4", "vq-8"]
)
def test_one_latent_or_channel_is_a_dimension_of_its_own(written, task):
    squeezed = ("x, log_det = out", "return x.squeeze(1), log_det") if task in ("flow-4", "nvp-2", "nvp-3") else None
    written(wrapped(task, *(squeezed or ("return out.squeeze(1)",))), module_of(task))
    assert "dimensions of length 1" in message(task)


def test_a_result_that_fills_the_memory_is_made_once(written):
    written(
        answer(
            "global calls\ncalls = globals().get('calls', 0) + 1\nassert calls == 1\nreturn mu.expand(10**8, *mu.shape)"
        )
    )
    assert "far too much" in message()


def test_a_constant_is_no_multiple_of_what_another_mistake_gives(written):
    for region in ("return 2.0", "return 0.3 + 0 * step"):
        written(answer(region, "beta-3"), "beta_vae")
        assert "times the numbers" not in message("beta-3")


@pytest.mark.parametrize("task", [task for task in TASKS if task != "dc-4"])  # there pass does leave Sequential() out
def test_a_forgotten_return_is_not_told_as_another_mistake(written, task):
    written(answer("pass", task), TASKS[task]["lab"])
    assert "numbers" not in message(task).partition("`")[0] and "left out" not in message(task)


def test_an_unknown_call_of_a_neighbour_says_which_argument_is_another_and_how(written):
    text = known_answers.solution("flow_vae").read_text()
    written(text.replace("return z + u_hat(w, u) * h[:, None]", "return z + u_hat(w, 3 * u) * h[:, None]"), "flow_vae")
    assert "raises UnknownCall: u_hat() is called with another u (3 times it) than a right answer" in message("flow-2")
    written(text.replace("return z + u_hat(w, u) * h[:, None]", "return z + u_hat(w, w) * h[:, None]"), "flow_vae")
    assert "called with another u (the numbers of w) than a right answer" in message("flow-2")


def test_a_mistake_with_a_name_needs_no_hint_before_the_second_try(written):
    written(known_answers.answer_text(entry("wrong", "vae-1-variance-as-sigma")))
    assert "read as log sigma" in message() and "Hint" not in message()
    written(known_answers.answer_text(entry("wrong", "vae-1-minus")))
    assert "Hint 2 of 3" in message()


@pytest.mark.parametrize("typed", ["def reparameterize(mu, log_var, eps:\n", answer("return mu + sigmo * eps")])
def test_what_cannot_run_for_a_typing_mistake_uses_up_no_hint(written, typed):
    written(typed)
    assert "Hint" not in message()
    written(answer("return mu.sin()"))
    assert "Hint 1 of 3" in message()


def test_a_sentence_ends_before_the_hint_begins(written):
    written(answer("return mu + eps[99]"))
    assert f"index 99 is out of bounds for dimension 0 with size {B}. Hint 1 of 3:" in message()


def test_an_exception_that_the_catalogue_knows_comes_first_and_its_name_is_no_promise(written):
    """Any broadcasting error of wgan-4 has the words of the catalogued one: here eps meets the channels."""
    written(answer("return eps.view(1, -1, 1, 1) * real + (1 - eps.view(1, -1, 1, 1)) * fake", "wgan-4"), "wgan_gp")
    told = message("wgan-4")
    assert told.index("raises RuntimeError: The size of tensor a") < told.index("Often this means: eps meets the last")


def test_of_words_that_are_explained_a_named_exception_repeats_no_more():
    words = "a variable has been modified by an inplace operation: [torch.FloatTensor [3]] is at version 1; expected 0."
    raised = verdict.Outcome(stop=verdict.Stop("RuntimeError", words, 5), raises={})
    case = verdict.Case("vae-1", "", "f", "vae.py", dict, dict, lambda _: "Ah.", lambda: None, lambda *_: None)
    told = verdict.decide(case, raised, lambda: raised).message
    assert told.endswith(" has been modified by an inplace operation. Often this means: Ah.")


@pytest.mark.parametrize("encode", [lambda t: b"\xef\xbb\xbf" + t.encode(), lambda t: t.replace("\n", "\r\n").encode()])
def test_a_byte_order_mark_and_windows_line_ends_are_fine(written, encode, capsys):
    written(encode(known_answers.solution("vae").read_text()))
    checks.check("vae-1")
    assert "vae-1 is right" in capsys.readouterr().out


def test_a_neighbours_mistake_stays_his(written, capsys):
    """elbo calls kl_divergence: with a wrong one beside it, elbo is still right."""
    written(known_answers.answer_text(entry("wrong", "vae-2-negative")))
    checks.check("vae-5")
    assert "vae-5 is right" in capsys.readouterr().out
    assert "The sign is flipped" in message("vae-2")


def test_a_task_is_understood_as_people_type_it_and_an_unknown_one_is_named(written, capsys):
    written(known_answers.solution("vae").read_text())
    checks.check("VAE_1")
    assert capsys.readouterr().out.startswith("vae-1 is right")
    with pytest.raises(course.Unknown, match="did you mean vae-1?"):
        checks.check("vea-1")


@pytest.fixture(scope="module")
def blank_course(tmp_path_factory):
    """starter/ with the answer of vae-1 wrong and everything else blank."""
    text = known_answers.answer_text(entry("wrong", "vae-1-variance-as-sigma"))
    stubs = {path.stem: text for path, text in blanks().items()}
    start, end = text.index("def reparameterize"), text.index("def kl_divergence")
    rest = stubs["vae"]
    mixed = rest[: rest.index("def reparameterize")] + text[start:end] + rest[rest.index("def kl_divergence") :]
    return overlay(tmp_path_factory.mktemp("course"), stubs | {"vae": mixed})


def shell(course, *words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": ""}
    return subprocess.run(
        [sys.executable, "-m", "starter", *words], cwd=course, env=environment, capture_output=True, text=True
    )


def test_the_shell_says_the_same_and_tells_it_in_its_exit_code(blank_course):
    wrong, unknown = shell(blank_course, "check", "vae-1", "vae-2"), shell(blank_course, "check", "vae-99")
    assert wrong.returncode == 1 and "read as log sigma" in wrong.stdout and "vae-2 is still blank" in wrong.stdout
    assert unknown.returncode == 2 and "there is no 'vae-99': lab 2 has the tasks vae-1 to" in unknown.stderr
    assert not wrong.stderr and "Traceback" not in unknown.stderr


def test_progress_counts_blank_wrong_and_right(blank_course):
    table = shell(blank_course, "progress", *LABS).stdout.splitlines()
    assert any(line.split()[:2] == ["vae-1", "wrong"] for line in table)
    assert sum(line.split()[1] == "blank" for line in table[:-1]) == len(TASKS) - 1
    assert table[-1].startswith(f"0 of {len(TASKS)} tasks right, 0 of ")


def reach(module: str) -> str:
    tasks = [task for task in TASKS if module_of(task) == module]
    return f"{tasks[0]} to {tasks[-1]} cannot be checked"


def test_progress_has_one_line_for_a_module_that_cannot_run(blank_course, tmp_path):
    copy = shutil.copytree(blank_course, tmp_path / "copy")
    (copy / "starter/vae.py").unlink()
    for module, text in {
        "realnvp": b"x = (",
        "metrics": b"\xff",
        "gan": b"raise SystemExit(3)",
        "wgan_gp": b"import warnings\nwarnings.warn('old')\n1 / 0",
    }.items():
        (copy / f"starter/{module}.py").write_bytes(text)
    run = shell(copy, "progress")
    assert run.returncode == 0 and run.stderr == ""
    broken = [row.strip() for row in run.stdout.splitlines() if row.endswith("cannot be checked)")]
    assert broken == [
        f"There is no file starter/vae.py: `python -m starter reset vae` restores it, blank. ({reach('vae')})",
        *(row for row in broken if "No module named 'starter.vae'" in row),
        f"line 1 of starter/realnvp.py raises SyntaxError: '(' was never closed. ({reach('realnvp')})",
        *(row for row in broken if row.startswith("starter/metrics.py raises SyntaxError")),
        f"line 1 of starter/gan.py raises SystemExit: 3. ({reach('gan')})",
        f"line 3 of starter/wgan_gp.py raises ZeroDivisionError: division by zero. ({reach('wgan_gp')})",
        *(row for row in broken if row.startswith("line 18 of starter/conditional_gan.py")),
    ]
    assert len(broken) == 5 and f"01_autoencoder: 0 of {len(tasks_of('01_autoencoder'))} tasks right" in run.stdout


@pytest.mark.parametrize("module", list(MODULES.values()))
def test_importing_a_lab_costs_torch_and_nothing_else(module):
    heavy = ("torchvision", "matplotlib", "scipy", "sklearn", "IPython", "cleanfid")
    code = f"import sys, starter.{module}; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
