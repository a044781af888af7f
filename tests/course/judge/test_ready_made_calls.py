"""Calls that do a whole task are found and told, and cost nothing."""

import pytest

from grading.classroom import autograde
from grading.content import known_answers
from grading.content.tasks import MODULES
from grading.judge import ready_made_calls
from grading.judge.executors import finished
from grading.judge.verdicts import NOTE, judged, seeds

KL = {"vae-2": {"symbol": "kl_divergence", "calls": ["torch.distributions.kl_divergence"]}}
NORMAL = {"vae-4": {"symbol": "gaussian_nll", "calls": ["torch.distributions.Normal.log_prob"]}}
ALL = "return torch.distributions.kl_divergence(p, q)"


def found(before: str, body: str, rules=KL, symbol="kl_divergence") -> dict[str, str]:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return ready_made_calls.handed_over(
        f"import torch\n{before}\ndef {symbol}(mu, log_var):\n{lines}\n".encode(), rules
    )


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", ALL),
        ("import torch.distributions as D", "return D.kl_divergence(p, q)"),
        ("from torch import distributions", "return distributions.kl.kl_divergence(p, q).sum(1)"),
        ("from torch.distributions import kl_divergence as kl", "return kl(p, q)"),
        ("", "from torch.distributions.kl import kl_divergence as kl\nreturn kl(p, q)"),
        ("both = torch.distributions.kl_divergence", "return both(p, q)"),
        (f"def helper(p, q):\n    {ALL}", "return helper(p, q)"),
    ],
)
def test_a_call_is_found_under_any_name(before, body):
    assert found(before, body) == {"vae-2": "torch.distributions.kl_divergence"}


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "return 0.5 * (mu**2).sum(1)"),
        ("", "return kl_divergence"),
        (f"def mine(p, q):\n    {ALL}", "return mu"),
        ("", "return mu.distributions.kl_divergence(p, q)"),
        ("", "# torch.distributions.kl_divergence(p, q)\nreturn 'torch.distributions.kl_divergence()'"),
    ],
)
def test_nothing_else_is(before, body):
    assert found(before, body) == {}


@pytest.mark.parametrize(
    "body",
    [
        "return torch.distributions.Normal(mu, 1).log_prob(x)",
        "p = torch.distributions.Normal(mu, 1)\nreturn p.log_prob(x)",
    ],
)
def test_a_method_belongs_to_what_made_its_object(body):
    assert found("", body, NORMAL, "gaussian_nll") == {"vae-4": "torch.distributions.Normal.log_prob"}


def test_a_neighbouring_blank_is_no_helper():
    rules = KL | {"vae-5": {"symbol": "elbo", "calls": KL["vae-2"]["calls"]}}
    assert found(f"def kl_divergence(p, q):\n    {ALL}", "return kl_divergence(p, q)", rules, "elbo") == {
        "vae-2": "torch.distributions.kl_divergence"
    }


@pytest.mark.parametrize("text", [b"def f(:", b"\0", b"(" * 5000, b"\xff", b"# coding: nonsense\n"])
def test_what_cannot_be_read_has_no_notes(text):
    assert ready_made_calls.handed_over(text, KL) == {}


@pytest.mark.parametrize("lab", MODULES)
def test_no_reference_hands_a_task_over(lab):
    text = known_answers.solution(MODULES[lab]).read_bytes()
    assert ready_made_calls.handed_over(text, known_answers.hands_over(lab)) == {}


def test_who_hands_a_task_over_keeps_the_points_and_it_is_told(runner, solution):
    region = (
        "from torch.distributions import Normal, kl_divergence as kl\n"
        "return kl(Normal(mu, (0.5 * log_var).exp()), Normal(torch.zeros_like(mu), 1.0)).sum(1)"
    )
    module = known_answers.changed(solution, {"id": "vae-2-test", "task": "vae-2", "region": region})
    verdicts = judged(runner, "02_vae", module.encode(), seeds(b"secret", "anna"), ["vae-1", "vae-2"])
    assert all(verdict.right for verdict in verdicts.values())
    assert f"{NOTE} torch.distributions.kl_divergence" in verdicts["vae-2"].message
    assert NOTE not in verdicts["vae-1"].message


def test_a_module_cannot_have_words_of_its_own_in_the_note(runner, solution):
    before = (
        "import sys\nserver = sys.modules['__main__']\n"
        "frame = sys._getframe()\nwhile 'notes' not in frame.f_locals: frame = frame.f_back\n"
        "import numpy\nframe.f_locals['notes']['vae-1'] = numpy.array('<b>full points</b>')\n"
        "frame.f_locals['notes']['vae-2'] = numpy.array('<b>full points</b>')\n"
    )
    verdicts = judged(runner, "02_vae", (before + solution).encode(), seeds(b"secret", "anna"), ["vae-1", "vae-2"])
    assert all(verdict.right and "<b>" not in verdict.message for verdict in verdicts.values())


def test_the_instructor_reads_it_in_the_line_of_the_learner(released, monkeypatch):
    tasks = {"vae-1": ["right", "right"], "vae-2": ["right", f"right {NOTE} a call"], "vae-3": ["wrong", NOTE]}
    monkeypatch.setattr(autograde.Run, "save", lambda *_: 5.0)
    found = autograde.Submission("anna", None, None, {}, None)
    run = autograde.Run(released, "02_vae", {}, True, autograde.used(released, "02_vae"))
    saved, words = run.settle(found, finished({"seconds": 1, "tasks": tasks, "cells": []}), None)
    assert saved and words.endswith("points (one call does it all: vae-2)")
