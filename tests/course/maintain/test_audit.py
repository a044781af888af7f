"""The audit itself: it sees a loose check, a strict one, a misleading hint; and what it shows an instructor."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from grading import __main__ as command
from grading.content import known_answers
from grading.content.mistake import Mistake
from grading.judge.jail import outside
from grading.maintain import audit, mutants, structure
from grading.maintain import met_in_class as met
from grading.maintain import surroundings as styles
from starter.support import compare, probes

TASK = "vae-1"


@pytest.fixture
def entries(monkeypatch):
    """The catalogue with one entry more, and nothing remembered from before."""

    def put(which: str, region: str, **more: str) -> None:
        entry = {"task": TASK, "id": f"{TASK}-mine", "region": region} | more
        known = {k: {task: list(found) for task, found in known_answers.answers(k).items()} for k in ("wrong", "right")}
        known[which][TASK].append(entry)
        monkeypatch.setattr(known_answers, "answers", lambda kind: known[kind])
        known_answers.variant.cache_clear()

    yield put
    known_answers.variant.cache_clear()


def lacking(score: audit.Score) -> set[tuple[str, str]]:
    return {(flaw.lacks, flaw.answer) for flaw in score.flaws}


def test_a_task_of_the_course_lacks_nothing(forks):
    score = audit.audited(TASK, audit.Seeds(8, 2))  # one seed in each of the surroundings
    assert score.complaints == [] and score.row[1] == f"{score.wrong}/{score.wrong}" and score.mutants > 40


def test_a_wrong_answer_that_passes_on_some_seeds_is_counted_with_their_number(entries):
    entries(
        "wrong",
        "return mu + (log_var / 2).exp() * eps * (1 if mu.shape[1] > 4 or len(mu) == 1 else 2)",
        says="Doubled.",
    )
    few = [seed for seed in range(30) if probes.sizes(TASK, known_answers.reference("vae"), seed)["latent_dim"] > 4]
    score = audit.answers_judged(TASK, range(30))
    assert score.flaws == {audit.Flaw("caught", "vae-1-mine", "passes"): len(few)}
    assert score.row[1] == f"{score.wrong - 1}/{score.wrong}"


def test_a_probe_that_leaves_the_defaults_as_they_are_does_not_pass(entries, monkeypatch):
    entries("right", "return mu + (log_var / 2).exp() * torch.tensor([1.0]) * eps")
    assert audit.audit(range(3), [TASK]) == []
    monkeypatch.setattr(probes.core, "at_home", torch.enable_grad)
    found = audit.audit(range(2), [TASK])  # the first seed in float64, the second on another device
    assert [line for line in found if "vae-1-mine fails (on 2 seeds)" in line]


@pytest.mark.parametrize("surroundings", [styles.in_float64, styles.on_another_device, styles.two_threads])
def test_surroundings_go_as_they_came(surroundings):
    def state():
        return torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()

    before = state()
    with pytest.raises(KeyError), surroundings():
        assert state() != before
        raise KeyError
    assert state() == before


def test_a_probe_asks_the_same_in_all_surroundings_and_restores_them():
    want = probes.arrays(TASK, known_answers.reference("vae"), 5, {})
    with styles.in_float64(), styles.on_another_device(), torch.no_grad():
        got = probes.arrays(TASK, known_answers.reference("vae"), 5, {})
        assert torch.zeros(1).dtype == torch.float64 and torch.zeros(1).is_meta and not torch.is_grad_enabled()
    assert compare.distance(got, want) == 0


def test_the_reference_is_right_in_every_style():
    assert len(styles.restyled("vae-2")) == 3 and len(styles.restyled("vae-7")) == 2  # its network is float32
    result = styles.in_another_layout(lambda x: (x, 3, audit.Flaw(x, "", "")))(torch.ones(2, 3))
    assert not result[0].is_contiguous() and result[1] == 3 and not result[2].lacks.is_contiguous()


def test_two_mistakes_that_cancel_are_seen(monkeypatch):
    doubled = {"task": "vae-2", "id": "a", "find": "0.5 *", "replace": "1.0 *", "says": "Doubled."}
    halved = {"task": "vae-2", "id": "b", "find": ".sum(dim=1)", "replace": ".sum(dim=1) / 2", "says": "Halved."}
    monkeypatch.setattr(known_answers, "answers", lambda kind: {"vae-2": [doubled, halved] if kind == "wrong" else []})
    known_answers.variant.cache_clear()
    score = audit.Score("vae-2", 2, 0)
    audit.judge_pairs(score)
    known_answers.variant.cache_clear()
    assert score.flaws == {audit.Flaw("paired", "a + b", "passes"): audit.PAIRED}


def test_two_mistakes_that_are_told_a_third_one_are_seen(monkeypatch):
    monkeypatch.setattr(mutants, "equivalents", lambda: {"nvp-1": {}})
    score = audit.Score("nvp-1", 0, 0)
    audit.judge_pairs(score)
    assert ("paired", "nvp-1-board-starts-white + nvp-1-flip-turned-round") in lacking(score)


def test_edits_of_the_same_place_are_no_pair():
    places = {entry["id"]: entry["find"] for entry in known_answers.answers("wrong")["vae-2"] if "find" in entry}
    found = list(audit.pairs("vae-2"))
    assert found and all(places[one] != places[other] for one, other, _ in found)


def test_mutants_change_operators_constants_dimensions_arguments_and_gradients():
    found = {change.split(" => ")[1] for change in mutants.mutants("vae-2")}
    for new in (
        "return 0.5 * (mu.square() + log_var.exp() - 1 + log_var).sum(dim=1)",
        "return 1.0 * (mu.square() + log_var.exp() - 1 - log_var).sum(dim=1)",
        "return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(dim=0)",
        "return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum()",
        "return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).mean(dim=1)",
        "return 0.5 * (mu.abs() + log_var.exp() - 1 - log_var).sum(dim=1)",
        "return 0.5 * (mu + log_var.exp() - 1 - log_var).sum(dim=1)",
        "return 0.5 * (mu.square_() + log_var.exp() - 1 - log_var).sum(dim=1)",
        "return 0.5 * (mu.square() + log_var.exp().detach() - 1 - log_var).sum(dim=1)",
        "return 0.5 * (mu.square() + mu.exp() - 1 - log_var).sum(dim=1)",
        "return 0.5 * (mu.square() + log_var.exp() - log_var).sum(dim=1)",
        "return (0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(dim=1)).double()",
        "pass",
    ):
        assert new in found, new


def test_every_mutant_is_python_and_differs_from_the_reference():
    for task in ("ae-2", "vae-5", "flow-4"):
        texts = list(mutants.mutants(task).values())
        assert len(set(texts)) == len(texts) and ast.unparse(mutants.parsed(task)[0]) not in texts
        assert all(ast.parse(text) for text in texts)


def test_a_mutant_that_never_ends_is_stopped_and_no_time_is_left_running(monkeypatch, forks):
    monkeypatch.setattr(mutants, "mutants", lambda task: {"endless": "while True:\n    pass", "none": "return mu"})
    monkeypatch.setattr(mutants, "SECONDS", 0.2)
    found = dict(mutants.arrays_of_each(TASK, [0, 1], [{}, {}]))
    assert "raises" in found["endless"][0] and len(found["none"]) == 2
    assert mutants.signal.getitimer(mutants.signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_a_survivor_is_a_complaint_until_it_is_listed_and_a_stale_entry_is_one_too(monkeypatch, forks):
    same = {"return mu => return eps + mu - eps": "return mu + torch.exp(0.5 * log_var) * eps + 0"}
    monkeypatch.setattr(mutants, "mutants", lambda task: same)
    score = audit.Score(TASK, 0, 0)
    audit.judge_mutants(score)
    assert ("killed", *same) in lacking(score)
    monkeypatch.setattr(mutants, "equivalents", lambda: {TASK: dict.fromkeys(same, "why") | {"old => new": "why"}})
    score = audit.Score(TASK, 0, 0)
    audit.judge_mutants(score)
    assert lacking(score) == {("listed", "old => new")} and score.mutants == 0


def test_a_wrong_answer_that_is_loaded_first_is_not_what_other_modules_import():
    code = (
        "from grading.content import known_answers as known; "
        "wrong = next(e for e in known.answers('wrong')['gan-2'] if e['id'] == 'gan-2-sign'); "
        "loaded = known.module('gan', known.answer_text(wrong)); "
        "import torch; others, logit = known.reference('conditional_gan').gan, torch.zeros(1); "
        "assert others.generator_loss(logit) > 0 > loaded.generator_loss(logit)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=structure.ROOT)


@pytest.mark.parametrize(
    ("task", "left_out", "change"),
    [
        ("vae-7", "temperature is 0", " => temperature = temperature or 1.0"),
        ("vae-7", "above 1", " => temperature = min(temperature, 1)"),
        ("vae-7", "can be trained", " => decoder.requires_grad_(False)"),
        ("vae-7", "evaluation", " => decoder.eval()"),
        ("vae-7", "one example", "(temperature * eps)).squeeze()"),
        ("vae-7", "one example|not given|above 1", "setdefault('result', torch.sigmoid"),
        ("vae-6", "one example", "setdefault('size', len(log_w))"),
        ("vae-2", "extreme", " => log_var = log_var.clamp(-10, 10)"),
        ("vae-2", "gradient at mu", " => mu = mu.data"),
        ("vae-5", "is 0", "if not log_sigma else"),
        ("gan-4", "second step", " => optimizer.state.clear()"),
        ("wgan-3", compare.SETTING, "=> torch.set_grad_enabled(False) |"),
        ("flow-3", "near 0", ".clamp(min=0.001).log()"),
        ("fm-6", "extreme t", "(1 - t).clamp(min=0.01)"),
        ("nvp-2", "log s of 40", ".exp().prod(dim=1).log()"),
        ("beta-2", "4 images", "correction=0"),
    ],
)
def test_every_class_of_changes_finds_the_hole_that_is_made_for_it(monkeypatch, forks, task, left_out, change):
    """A probe that leaves something out. (On one seed: that stands for sizes that are always the same.)"""
    found = {text: region for text, region in mutants.mutants(task).items() if change in text}
    monkeypatch.setattr(mutants, "mutants", lambda task: found)
    monkeypatch.setattr(mutants, "equivalents", lambda: {task: {}})

    def survivors() -> set[str]:
        score = audit.Score(task, 0, 0)
        audit.judge_mutants(score, 1)
        return {flaw.answer for flaw in score.flaws if flaw.lacks == "killed"}

    assert len(found) == 1 and survivors() == set()
    ask = probes.arrays
    monkeypatch.setattr(
        probes, "arrays", lambda *asked: {n: a for n, a in ask(*asked).items() if not re.search(left_out, n)}
    )
    assert survivors() == set(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "wrong"}, "needs a kind"),
        ({"believes": ""}, "lacks believes"),
        ({"says": "Use the square of mu."}, "first say in a sentence what is wrong"),
        ({"says": "Something " + 40 * "is wrong "}, "its message can reach"),
        ({"says": "The right one is torch.exp(0.5 * log_var)."}, "shows a part of the answer"),
    ],
)
def test_an_entry_that_does_not_describe_its_mistake_is_refused(entries, change, words):
    good = {"kind": "sign", "believes": "signs are free", "says": "The sign is wrong."}
    entries("wrong", "return mu", **good)
    assert list(structure.answers_are_described([TASK])) == []
    known_answers.answers("wrong")[TASK][-1] |= change
    assert any(words in line for line in structure.answers_are_described([TASK]))


ALL = "def reparameterize(mu, log_var, eps):\n    '''Doc.'''\n    sigma = log_var.exp()\n    return mu + sigma * eps\n"


@pytest.mark.parametrize("text", [ALL, "    sigma = log_var.exp()\n    return mu + sigma * eps\n"])
def test_an_answer_may_be_pasted_with_or_without_its_function(text):
    assert met.region_of(TASK, text.encode()) == "sigma = log_var.exp()\nreturn mu + sigma * eps"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"return (mu", "line 1 of the answer"),
        (b"", "there is no answer"),
        (b"\xff\xfe", "the answer is no Python"),
        (b"return mu\0", "the answer .*is no Python"),
    ],
)
def test_an_answer_that_cannot_be_judged_is_one_line(answer, words):
    with pytest.raises(Mistake, match=words):
        met.region_of(TASK, answer)


def met_in_class(*words: str, path: Path) -> int:
    path.write_text("return mu + log_var.exp() * eps")
    return command.main(["audit", "--add", TASK, "--file", str(path), *words])


def test_where_the_system_does_not_say_which_processors_are_ours_all_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert audit.processors() == (os.cpu_count() or 1)


def test_an_answer_met_in_class_is_not_judged_without_a_jail_unless_one_says_so(tmp_path, capsys, monkeypatch, forks):
    monkeypatch.setattr(outside, "complaint", lambda: "there is none")
    assert met_in_class(path=tmp_path / "answer.py") == 2
    said = capsys.readouterr().err
    assert said.startswith("audit: no jail: there is none; --no-jail") and said.count("\n") == 1
    assert met_in_class("--no-jail", path=tmp_path / "answer.py") == 0
    said = capsys.readouterr()
    assert "named: yes" in said.out and "with all your rights" in said.err


def test_an_answer_that_is_no_python_is_told_before_a_missing_jail(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(outside, "complaint", lambda: "there is none")
    (tmp_path / "answer.py").write_text("return (mu")
    assert command.main(["audit", "--add", TASK, "--file", str(tmp_path / "answer.py")]) == 2
    assert "line 1 of the answer is no Python" in capsys.readouterr().err


def test_a_known_answer_is_named_and_an_unknown_one_gets_an_entry(runner, capsys):
    assert met.met(runner, TASK, "return mu + log_var.exp() * eps", {}, False) == 0
    assert "named: yes" in capsys.readouterr().out
    assert met.met(runner, TASK, "return mu + 3 * eps", {"kind": "constant"}, False) == 1
    printed = capsys.readouterr().out
    assert "differs in: result, gradient at mu, gradient at log_var" in printed or "differs in: result" in printed
    assert 'kind = "constant"' in printed and "region = '''\nreturn mu + 3 * eps\n'''" in printed


def test_an_answer_that_remembers_its_first_call_is_caught(runner, capsys):
    region = "global kept\nkept = globals().get('kept', mu + (0.5 * log_var).exp() * eps)\nreturn kept"
    assert met.met(runner, TASK, region, {}, False) == 1
    said = capsys.readouterr().out
    assert "caught: on 4 of 4 seeds" in said and "differs in: result (one example)" in said
    assert "gave the numbers of the first" in said


def test_an_answer_that_is_accepted_is_said_to_be_right_or_the_probe_weak(runner, capsys):
    assert met.met(runner, TASK, "return torch.exp(log_var / 2) * eps + mu", {}, False) == 1
    assert "The checks accept it" in capsys.readouterr().out


def test_a_hostile_answer_ends_its_own_process_only(runner, capsys):
    assert met.met(runner, TASK, "import os\nos._exit(0)", {}, False) == 1
    assert "caught: on 4 of 4 seeds" in capsys.readouterr().out


def test_nothing_is_written_before_all_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(known_answers, "ROOT", tmp_path)
    (tmp_path / "grading/content/answers").mkdir(parents=True)
    with pytest.raises(Mistake, match="nothing written"):
        met.offered(TASK, met.entry(TASK, "return 3", {}, ("kind",), ("says",)), True)
    assert not list((tmp_path / "grading/content/answers").iterdir())
    text = met.entry(TASK, "return 3", {"id": "three", "kind": "constant", "says": "It is 3."}, ("kind",), ("says",))
    assert met.offered(TASK, text, True) == 0
    kept = known_answers.tomllib.loads((tmp_path / "grading/content/answers/vae.toml").read_text())["wrong"]
    assert kept == [{"id": "vae-1-three", "kind": "constant", "region": "return 3\n", "says": "It is 3."}]


def test_wrong_use_is_one_line_and_exit_code_2(capsys):
    assert command.main(["audit", "vae-99"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_the_table_of_one_task(forks):
    found = subprocess.run(
        [sys.executable, "-m", "grading", "audit", "vae-7"], cwd=known_answers.ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert "vae-7-no-sigmoid (formula)" in found.stdout and "nothing amiss" in found.stdout
