"""`make check` refuses a written question or an exercise that leaves grader or learner alone."""

import copy

import pytest

from grading.content.tasks import GUIDE
from grading.maintain import build, consistency, questions


@pytest.fixture
def guide(monkeypatch):
    """A copy of questions.toml to be spoilt."""
    spoilt = copy.deepcopy(GUIDE)
    monkeypatch.setattr(questions, "GUIDE", spoilt)
    return spoilt


def complaints() -> list[str]:
    return [*questions.questions_are_guided(), *questions.exercises_are_guided()]


def test_every_question_and_every_exercise_is_guided():
    assert complaints() == [] and [*consistency.model_answers_are_current()] == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows: rows.pop(0), "ae-q1 has no answer: write a model answer"),
        (lambda rows: rows[0].update(answer=" \n"), "ae-q1 has no answer"),
        (lambda rows: rows[0].pop("misconceptions"), "ae-q1 has no misconceptions"),
        (lambda rows: rows[0].update(rubric=[]), "ae-q1 has no rubric"),
        (lambda rows: rows[0]["rubric"].pop(), "the rubric of ae-q1 has 1 points, tasks.toml gives it 2"),
        (lambda rows: rows[0]["rubric"][0].update(points=0.5), "the rubric of ae-q1 has 1.5 points"),
        (lambda rows: rows[0]["rubric"][0].update(says=""), "each line of the rubric of ae-q1 needs says, and points"),
        (lambda rows: rows[0]["rubric"][0].update(points=0), "each line of the rubric of ae-q1 needs says, and points"),
        (lambda rows: rows[0].update(id="ae-q9"), "ae-q9 is no question of tasks.toml"),
        (lambda rows: rows.append(rows[0]), "has 2 rows of question ae-q1"),
    ],
)
def test_a_question_that_lacks_something_is_seen(guide, spoil, words):
    spoil(guide["question"])
    assert any(words in line for line in complaints())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows: rows.pop(0), "exercise 1 of notebooks/01_autoencoder.py has no row"),
        (lambda rows: rows[0].update(number=7), "notebooks/01_autoencoder.py has no exercise 7"),
        (lambda rows: rows[0].update(lab="12_none"), "notebooks/12_none.py has no exercise 1"),
        (lambda rows: rows[0].update(expected=" "), "exercise 1 of 01_autoencoder has no expected"),
        (lambda rows: rows.append(rows[0]), "has 2 rows of exercise 1 of 01_autoencoder"),
    ],
)
def test_an_exercise_that_lacks_something_is_seen(guide, spoil, words):
    guide["exercise"].sort(key=lambda row: row["lab"])
    spoil(guide["exercise"])
    assert any(words in line for line in complaints())


def test_exercises_are_read_from_their_list_alone(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    text = "# 1. no exercise\n\n# %% [markdown]\n# ## 1.9 Exercises\n#\n# 1. **A.** With\n#    2. parts.\n# 2. **B.**\n"
    (tmp_path / "notebooks/a.py").write_text(text + "#\n# ## References\n#\n# 3. a book\n")
    monkeypatch.setattr(questions, "ROOT", tmp_path)
    assert questions.exercises("a") == [1, 2] and questions.exercises("b") == []


def test_model_answers_of_other_words_are_seen(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ANSWERS", tmp_path / "questions.json")
    assert [*consistency.model_answers_are_current()] and build.write(build.ANSWERS, build.answers())
    assert not [*consistency.model_answers_are_current()]
