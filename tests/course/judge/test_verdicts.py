"""How a verdict comes about: who is asked what, how often, for how long; judged in this process, by what it reports."""

import types
from collections.abc import Callable
from functools import partial

import pytest

from grading.content import known_answers
from grading.content.overlay import ROOT
from grading.content.tasks import TASKS, module_of, tasks_of
from grading.judge import verdicts
from grading.judge.runner import Limits
from grading.judge.verdicts import judged
from starter.support import checks, probes, verdict
from starter.support.verdict import Outcome

SEEDS = [11, 12]
LAB = "02_vae"


class Here:
    """Stands in for a runner: a process is a fresh module. `deaths`: task -> how the process ends that is asked it."""

    def __init__(self, deaths: dict[str, str] | None = None, seconds: float = 0) -> None:
        self.limits, self.deaths, self.seconds, self.asked = Limits(), deaths or {}, seconds, []

    def begin(self) -> None:
        pass

    def ask(self, name: str, text: bytes, rules: dict, deadline: float) -> Outcome:
        return self.ask_all(name, text, [], rules, 1, deadline)[0]

    def ask_all(self, name, text, asked, rules, share, deadline) -> list[Outcome]:
        self.asked.append([(task, seed) for task, seed, _ in asked])
        if verdicts.time.monotonic() >= deadline:
            return [Outcome(ended="late")] * (1 + len(asked))
        verdicts.time.passed += share * self.seconds
        module, found = known_answers.module(name, text.decode()), [Outcome(arrays={})]
        for task, seed, tables in asked:
            if task in self.deaths:
                return found + [Outcome(ended=self.deaths[task])] * (1 + len(asked) - len(found))
            found.append(reported(partial(probes.arrays, task, module, seed, tables)))
        return found


def reported(call: Callable) -> Outcome:
    try:
        return Outcome(arrays=call())
    except Exception as mistake:
        return Outcome(stop=verdict.stop(mistake, "elsewhere"), raises=probes.raised(mistake))


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time that passes only when somebody is asked."""
    clock = types.SimpleNamespace(passed=0.0, monotonic=lambda: clock.passed)
    monkeypatch.setattr(verdicts, "time", clock)
    return clock


REMEMBERS = """

def _of_the_first_call(function, kept=[]):
    def cached(*args, **kwargs):
        kept or kept.append(function(*args, **kwargs))
        return kept[0]
    return cached
{symbol} = _of_the_first_call({symbol})
"""


def remembering(task: str) -> bytes:
    """The reference, but for a task that gives its first result for ever."""
    text = known_answers.solution(module_of(task)).read_text(encoding="utf-8")
    return (text + REMEMBERS.format(symbol=TASKS[task]["symbol"])).encode()


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_that_is_right_in_its_first_call_alone_is_wrong(task):
    assert judged(Here(), TASKS[task]["lab"], remembering(task), SEEDS, [task])[task].state == "wrong"


@pytest.mark.parametrize("task", TASKS)
def test_check_refuses_what_is_right_in_its_first_call_alone(task, monkeypatch):
    text = remembering(task).decode()
    monkeypatch.setattr(checks, "load", lambda task: known_answers.module(module_of(task), text))
    assert checks.verdict(task).state == "wrong"


FIRST = "The second call, with other inputs, gave the numbers of the first"
WRONG = "Right in the first call, and wrong in a second one with other inputs"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("if 'first' not in globals():\n    globals()['first'] = {right}\nreturn first", FIRST),
        (
            "reparameterize.n = getattr(reparameterize, 'n', 0) + 1\nreturn {right} * (1 + reparameterize.n // 5)",
            WRONG,
        ),
        (
            "key = str((len(mu) > 1, log_var.max() < -9, log_var.min() > 9))\n"
            "return mu + globals().setdefault(key, torch.exp(0.5 * log_var)) * eps",
            WRONG + " (",
        ),
        ("print(open) if 'asked' in globals() else globals().update(asked=1, open=open)\nreturn {right}", "is right"),
    ],
    ids=["cached", "counted", "a part of it cached", "a state that changes nothing"],
)
def test_what_lasts_from_call_to_call_is_told_to_its_author(body, says, monkeypatch, solution):
    region = body.format(right="(mu + torch.exp(0.5 * log_var) * eps)")
    module = known_answers.answer_text({"task": "vae-1", "id": "vae-1-lasting", "region": region})
    assert says in judged(Here(), LAB, module.encode(), SEEDS, ["vae-1"])["vae-1"].message
    monkeypatch.setattr(checks, "load", lambda task: known_answers.module("vae", module))
    assert says in checks.verdict("vae-1").message


def test_an_answer_that_is_wrong_for_some_inputs_is_not_said_to_remember(monkeypatch, solution):
    """Right when there are 5 or more latents: a case left out, no state."""
    sizes = {seed: probes.sizes("vae-1", known_answers.reference("vae"), seed)["latent_dim"] for seed in range(60)}
    many = next(seed for seed in sizes if sizes[seed] >= 5)
    few = next(seed for seed in sizes if sizes[seed] < 5)
    region = "return mu + torch.exp(0.5 * log_var) * eps * (1 if mu.shape[1] >= 5 or len(mu) == 1 else 2)"
    module = known_answers.answer_text({"task": "vae-1", "id": "vae-1-some", "region": region}).encode()
    told = judged(Here(), LAB, module, [many, few], ["vae-1"])["vae-1"]
    assert told.state == "wrong" and "call" not in told.message and "numbers are right" in told.message


def test_a_right_module_is_asked_in_two_processes_first_and_behind_another_call(solution):
    runner, tasks = Here(), tasks_of(LAB)
    assert all(verdict.right for verdict in judged(runner, LAB, solution.encode(), SEEDS).values())
    first, second = runner.asked
    assert first == [(task, seed) for task in tasks for seed in SEEDS]
    assert second == [(task, SEEDS[1]) for task in reversed(tasks)]


@pytest.mark.parametrize("end", ["exit -9", "time", "exit 0"])
def test_tasks_behind_one_that_ends_its_process_share_another(solution, end):
    runner, tasks = Here({"vae-2": end}), tasks_of(LAB)
    found = judged(runner, LAB, solution.encode(), SEEDS)
    assert [task for task in tasks if not found[task].right] == ["vae-2"]
    assert len(runner.asked) == 4  # both halves, all of them backwards, vae-2 by itself


def test_a_submission_has_so_many_seconds_and_no_more(solution, clock):
    """Every task hangs: each process takes all the time that a question has."""
    tasks = tasks_of(LAB)
    found = judged(Here(dict.fromkeys(tasks, "time"), Limits().wall), LAB, solution.encode(), SEEDS)
    assert clock.passed <= (verdicts.SUBMISSION + 1) * Limits().wall and {found[t].state for t in tasks} == {"wrong"}
    late = f"Not run to the end: a submission has {verdicts.SUBMISSION * Limits().wall:g} seconds, used up"
    assert found["vae-1"].message.startswith("It did not end") and found["vae-7"].message.startswith(late)


def test_20_hostile_submissions_take_two_workers_less_than_an_hour():
    assert 20 / 2 * verdicts.SUBMISSION * Limits().wall < 3600


def test_an_instructor_reads_how_long_a_submission_may_take():
    page = (ROOT / "INSTRUCTOR.md").read_text(encoding="utf-8")
    assert f"a submission {verdicts.SUBMISSION * Limits().wall:g} seconds in all" in " ".join(page.split())


@pytest.mark.parametrize(("cpu", "share"), [(20, 0.5), (40, 0.5), (4, 1.0), (10, 1.0)])
def test_all_tasks_together_have_half_the_time_of_a_question_or_ten_seconds(solution, monkeypatch, cpu, share):
    runner, given = Here(), []
    runner.limits = Limits(cpu=cpu)
    monkeypatch.setattr(runner, "ask_all", lambda *words: (given.append(words[4]), Here.ask_all(runner, *words))[1])
    judged(runner, LAB, solution.encode(), SEEDS)
    assert given == [share, share]


def test_the_grader_names_what_nobody_catalogued_as_check_does(monkeypatch):
    """Numbers of changed references are stored for the public inputs: the grader asks about these, too."""
    region = "return mu - torch.exp(log_var) * eps"
    module = known_answers.answer_text({"task": "vae-1", "id": "vae-1-two", "region": region})
    told = judged(Here(), LAB, module.encode(), SEEDS, ["vae-1"])["vae-1"].message
    monkeypatch.setattr(checks, "load", lambda task: known_answers.module("vae", module))
    assert "two mistakes together" in told and told == checks.verdict("vae-1").message
