"""Answers by people who saw no catalogue: what the checks are worth for mistakes that nobody listed."""

import pytest

from grading.content.tasks import TASKS
from grading.maintain import corpus

SEEDS, KINDS = corpus.SEEDS[:1], ("right", "subtle")  # everything: python -m grading audit --corpus


@pytest.fixture(scope="module")
def judged(forks):
    return [*corpus.judged(TASKS, SEEDS, told=False, kinds=KINDS)]


def test_every_right_answer_is_accepted(judged):
    assert [one.answer for one in judged if one.answer.kind == "right" and not one.passed] == []


def test_wrong_answers_that_pass_are_those_listed_with_a_reason(judged):
    assert [*corpus.complaints(judged, SEEDS)] == []
    known = {(answer.task, answer.words) for answer in corpus.answers() if answer.kind != "right"}
    assert corpus.accepted().keys() <= known and all(corpus.accepted().values())


def answer(region: str, kind: str = "subtle") -> corpus.Answer:
    return corpus.Answer(kind, "vae-1", "mine", region)


@pytest.mark.parametrize(
    ("region", "state", "words"),
    [
        ("return mu + (log_var / 2).exp() * eps", "none", "is right"),
        ("return mu", "all", "numbers are right"),
        ("return (mu", "all", "SyntaxError"),
        ("import os; os._exit(0)", "all", "it ended its own process"),
        (
            "global kept\nkept = globals().get('kept', mu + (log_var / 2).exp() * eps)\nreturn kept",
            "all",
            "numbers of the first",
        ),
        ("return mu + (log_var / 2).exp() * eps * (1 if mu.shape[1] > 4 or len(mu) == 1 else 2)", "some", ""),
    ],
)
def test_an_answer_is_caught_on_all_seeds_on_some_or_on_none_and_check_is_asked(
    monkeypatch, forks, region, state, words
):
    monkeypatch.setattr(corpus, "answers", lambda: (answer(region),))
    (one,) = corpus.judged(["vae-1"], corpus.SEEDS[:6])
    assert one.state(corpus.SEEDS[:6]) == state and words in one.told


def test_what_is_amiss_is_said_and_a_list_must_be_up_to_date(monkeypatch):
    refused = corpus.Judged(answer("return 3", "right"), (), "No.")
    passing, lucky, caught = (corpus.Judged(answer(""), seeds, "Yes.") for seeds in ((0, 1), (1,), ()))
    said = [*corpus.complaints([refused, passing, lucky, caught], [0, 1])]
    assert [line.split(": ")[2].split(".")[0] for line in said] == [
        "right, and refused on 2 of 2 seeds",
        "wrong, and passes on 2 of 2 seeds",
        "wrong, and passes on 1 of 2 seeds",
    ]
    monkeypatch.setattr(corpus, "accepted", lambda: {("vae-1", "mine"): "equal on paper"})
    assert [*corpus.complaints([passing], [0, 1])] == []
    assert "listed as accepted, and is caught on 1 of 2 seeds" in [*corpus.complaints([lucky], [0, 1])][0]
