"""What a learner types: names are understood as people write them, and wrong use is one line."""

import pytest

from grading.content.tasks import LABS, QUESTIONS, TASKS, tasks_of
from starter.__main__ import main
from starter.support import course

LAST = {lab: tuple(tasks_of(lab))[-1] for lab in ("02_vae", "03_beta_vae")}


@pytest.mark.parametrize(
    ("typed", "lab"),
    [
        *[(text, "02_vae") for text in ("2", "02", "vae", "VAE", "02_vae", "02-vae", "lab2", "lab 2", "Lab-2")],
        *[(text, "02_vae") for text in ("notebooks/02_vae.ipynb", "notebooks\\02_vae.ipynb", "starter/vae.py", "'2'")],
        *[(text, "03_beta_vae") for text in ("beta", "beta-vae", "beta_vae.py", "BETA VAE", ".\\starter\\beta_vae.py")],
        *[(text, "05_realnvp") for text in ("nvp", "real", "realnvp", "05")],
        *[(text, "09_wgan_gp") for text in ("wgan", "wgan-gp", "wgan–gp")],
        *[(text, "11_comparison") for text in ("11", "comp", "comparison")],
        *[(text, "13_vqvae") for text in ("13", "vq", "lab 13", "vqvae.py")],
    ],
)
def test_a_lab_is_known_by_all_its_names(typed, lab):
    assert course.named(typed) is course.labs()[lab]


@pytest.mark.parametrize("typed", ["vae-1", "VAE_1", "vae1", "vae 1", "Vae–1", "vae-01", "vae.1", " vae-1 ", "VAE-1"])
def test_a_task_is_known_as_people_write_it(typed):
    assert course.task_named(typed) == "vae-1"


def test_every_task_question_lab_and_number_is_its_own_name():
    assert [course.named(name) for name in (*TASKS, *QUESTIONS)] == [*TASKS, *QUESTIONS]
    for name in LABS:
        assert course.named(name).name == course.named(name.partition("_")[0]).name == name
        for other in (*course.labs()[name].names,):
            assert course.named(other).name == name


def test_the_totals_are_those_of_the_table():
    assert sum(lab.points for lab in course.labs().values()) == sum(
        row["points"] for row in (*TASKS.values(), *QUESTIONS.values())
    )
    assert {name: lab.minutes for name, lab in course.labs().items()} == {n: row["minutes"] for n, row in LABS.items()}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("chek vae-1", "there is no command 'chek'; did you mean check?"),
        ("Submit 2", "there is no command 'Submit'; did you mean submit?"),
        ("vae-1", "there is no command 'vae-1'; there are check,"),
        ("check", "the following arguments are required: NAME"),
        ("check vea-1", "there is no task, question or lab 'vea-1'; did you mean vae-1? Labs: 01_autoencoder, 02_vae"),
        ("check xyz", "there is no task, question or lab 'xyz'; name a lab or one of its tasks"),
        (
            "check vae-99",
            f"there is no 'vae-99': lab 2 has the tasks vae-1 to {LAST['02_vae']}, and the questions vae-q1 and",
        ),
        ("check beta_vae-1", f"there is no 'beta_vae-1': lab 3 has the tasks beta-1 to {LAST['03_beta_vae']}"),
        ("check vae-q1", "vae-q1 is a written question, which a human grades"),
        ("check 11", "11_comparison has no tasks, only questions"),
        ("check 99", "there is no task, question or lab '99'; name a lab"),
        ("check dcgna", "did you mean 08_dcgan_lsgan?"),
        ("check --all vae", "it has no option --all"),
        ("check vae-1 --verbose", "it has no option --verbose"),
        ("progress 02_vea", "did you mean 02_vae?"),
        ("progress --json", "it has no option --json"),
        ("submit", "the following arguments are required: NAME"),
        ("submit 2 3", "it has no option 3"),
        ("submit starter/var.py", "there is no task, question or lab 'starter/var.py'; did you mean"),
        ("submit 0", "there is no task, question or lab '0'"),
        ("answer", "the following arguments are required: NAME"),
        ("answer vae-q9", f"lab 2 has the tasks vae-1 to {LAST['02_vae']}, and the questions vae-q1 and vae-q2"),
        ("answer vae-1", "vae-1 is a task"),
        ("recipes vae-mpl", "there is no recipe 'vae-mpl'; did you mean vae-mlp?"),
        ("recipes nothing", "there is no recipe 'nothing'; see python -m starter recipes"),
    ],
)
def test_a_typing_mistake_is_one_line(typed, words, capsys):
    try:
        code = main(typed.split())
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert code == 2 and words in said.err
    assert said.err.count("\n") == 1 and not said.out
