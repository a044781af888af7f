"""The first floor of `make check`: each defect that can be read is one line: which file, and what to put there."""

import os
import subprocess
import sys

import pytest

from grading.__main__ import main
from grading.content.overlay import ROOT
from grading.content.tasks import QUESTIONS, TABLE, TASKS, tasks_of
from grading.maintain import build, consistency, structure
from starter.support import checks, probes

VAE, PROBES, ANSWERS, ROWS = (
    "solutions/vae.py",
    "starter/support/probes/vae.py",
    "grading/content/answers/vae.toml",
    "grading/content/tasks.toml",
)
BOOK = "notebooks/02_vae.py"
BEGIN, END = "    # BEGIN SOLUTION vae-1\n", "    # END SOLUTION\n"
WRONG = 'id = "vae-1-variance-as-sigma"\nkind = "constant"\nbelieves = "log_var is log sigma"\nfind = "0.5 * log_var"'
MENDS = {  # file, old and new text -> what is said
    "Python": (VAE, "def elbo(", "def elbo((", f"{VAE}, line "),
    "marker": (VAE, END, "    # END  SOLUTION\n", "not a marker: '# END  SOLUTION'"),
    "TOML": (ANSWERS, 'kind = "constant"', "kind = constant", f"{ANSWERS}: Invalid value"),
    "whose": (ANSWERS, '"vae-1-no-exp"', '"vea-1-no-exp"', f"{ANSWERS}: vea-1-no-exp belongs to no task of tasks.toml"),
    "no id": (ANSWERS, 'id = "vae-1-no-exp"\n', "", f"{ANSWERS}: {{'kind': 'formula'"),
    "region": (VAE, BEGIN, "", "END SOLUTION without BEGIN SOLUTION"),
    "no region": (
        VAE,
        BEGIN + "    sigma = torch.exp(0.5 * log_var)\n    return mu + sigma * eps\n" + END,
        "    return mu\n",
        f"{VAE}: vae-1 has no region: put its answer between `# BEGIN SOLUTION vae-1` and `# END SOLUTION`, "
        "in reparameterize()",
    ),
    "function": (
        VAE,
        "def reparameterize(",
        "def drawn(",
        f"{VAE}: the region of vae-1 must stand in reparameterize(), the symbol of its row in {ROWS}",
    ),
    "docstring": (
        VAE,
        '"""Turn standard-normal',
        'f"""Turn standard-normal',
        f"{VAE}: reparameterize() has no docstring: write equation, shapes, units and source",
    ),
    "TODO": (
        VAE,
        "# TODO vae-1: scale the noise by the standard deviation, then shift it by the mean.",
        "# TODO vae-1:",
        f"{VAE}: no line `# TODO vae-1: ...` says what to do: write it above the region",
    ),
    "answer": (
        VAE,
        "    return mu + sigma * eps\n",
        '    raise NotImplementedError("vae-1")\n',
        f"{VAE}: vae-1 has no answer yet: write it between the markers",
    ),
    "another's": (
        VAE,
        BEGIN,
        BEGIN.replace("vae-1", "beta-1"),
        f"{VAE} marks beta-1, which belongs into solutions/beta_vae.py",
    ),
    "nobody's": (VAE, BEGIN, BEGIN.replace("vae-1", "vae-77"), f"{VAE} marks vae-77, which {ROWS} does not have"),
    "probe": (
        PROBES,
        '@probe("vae-1")\n',
        "",
        f'{PROBES}: vae-1 has no probe: write a function under `@probe("vae-1")`',
    ),
    "empty probe": (
        PROBES,
        '    b, latent_dim = draw.dims("B", "latent_dim")\n',
        '    raise NotImplementedError("vae-1")\n',
        f"{PROBES}: the probe of vae-1 is empty: call the blank on drawn inputs, return named arrays",
    ),
    "probe of none": (PROBES, '"vae-1"', '"vae-77"', f"has a probe for vae-77, which {ROWS} does not have"),
    "import": (
        "starter/support/probes/__init__.py",
        "    vae,\n",
        "",
        "starter/support/probes/__init__.py: import vae, which registers its probes",
    ),
    "what it says": (
        ANSWERS,
        'kind = "constant"\nbelieves',
        "believes",
        f"{ANSWERS}: vae-1-variance-as-sigma lacks kind",
    ),
    "what it does": (
        ANSWERS,
        'find = "0.5 * log_var"\n',
        "",
        f"{ANSWERS}: vae-1-variance-as-sigma lacks find and replace, or region",
    ),
    "name": (
        ANSWERS,
        '"vae-1-variance-as-sigma"',
        '"vae-1-"',
        f"{ANSWERS}: wrong answer 1 of vae-1 lacks an id with words",
    ),
    "fits": (
        ANSWERS,
        WRONG,
        WRONG.replace('"0.5 * log_var"', '"half * log_var"'),
        f"{ANSWERS}: vae-1-variance-as-sigma: 'half * log_var' occurs 0 times in the region of its task",
    ),
    "answer's Python": (
        ANSWERS,
        'replace = "log_var"',
        'replace = "log_var("',
        f"{ANSWERS}: vae-1-variance-as-sigma is no Python: ",
    ),
    "shown": (
        ANSWERS,
        'says = "This is what you get when',
        'says = "It is torch.exp(0.5 * log_var). This is what you get when',
        "shows a part of the answer, ",
    ),
    "cell": (BOOK, 'check("vae-1")', "check", f'{BOOK} lacks a cell for vae-1: begin one with `check("vae-1")`'),
    "cell's place": (BOOK, 'check("vae-1")', '1 + 1\ncheck("vae-1")', f"{BOOK} lacks a cell for vae-1"),
    "foreign cell": (BOOK, 'check("vae-1")', 'check("ae-1")', f"{BOOK} has a cell for another lab's ae-1"),
    "cell twice": (BOOK, 'check("vae-2")', 'check("vae-1")', f"{BOOK} uses a cell id twice: vae-1"),
    "question": (BOOK, 'answer="vae-q1"', "", f"{BOOK} lacks a cell for vae-q1: head one with "),
    "only questions": (
        "notebooks/11_comparison.py",
        f'answer="{next(name for name in QUESTIONS if QUESTIONS[name]["lab"] == "11_comparison")}"',
        "",
        "notebooks/11_comparison.py lacks a cell for ",
    ),
    "words": (BOOK, "# ## 2.11", "# TODO vae-9: why?\n#\n# ## 2.11", "write the text that leads to vae-9"),
    "minutes": (BOOK, "**Time:** ", "**Time:** 9", f"{BOOK}: its head must say `**Time:** "),
    "summary": (
        BOOK,
        'guesses.summary("vae", "vae-mlp", "mnist")\n',
        "",
        f"{BOOK} has no summary: its last cell of code is",
    ),
    "reading": (BOOK, "# **Time:**", "#" + 9000 * " word" + "\n# **Time:**", f"{ROWS}: 02_vae has "),
    "page": ("README.md", "<!-- labs -->\n", "", "README.md lacks the marks <!-- labs --> and <!-- /labs -->"),
}


@pytest.mark.parametrize("defect", MENDS)
def test_a_defect_that_can_be_read_is_one_line_that_names_the_file(edit, capsys, defect):
    name, old, new, words = MENDS[defect]
    edit(name, old, new)
    assert consistency.main(fast=True) == 1
    said = capsys.readouterr()
    assert any(words in line and line.startswith("    ") for line in said.err.splitlines()), said.err
    assert said.out.splitlines()[-1].startswith("make check: ")


@pytest.mark.parametrize("defect", ["Python", "no region", "probe", "fits", "cell", "only questions", "nobody's"])
def test_nothing_is_built_before_what_can_be_read_is_mended(course, edit, capsys, defect):
    edit(*MENDS[defect][:3])
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    assert main(["build"]) == 1
    assert capsys.readouterr().err.endswith("\nbuild: nothing is written; what is above comes first.\n")
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (VAE, f"{VAE} is missing, a lab of {ROWS} names it"),
        (BOOK, f"{BOOK} is missing: write the lab's notebook"),
    ],
)
def test_a_missing_file_is_one_line(course, capsys, missing, words):
    (course / missing).unlink()
    assert consistency.main(fast=True) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"lab": "02_vea"}, "vae-9 is of the lab '02_vea', which is none of 01_autoencoder, "),
        ({"lab": "11_comparison"}, "vae-9 is of 11_comparison, which has no module: only questions can stand there"),
    ],
)
def test_a_row_in_no_lab_is_one_line_and_ends_the_check(monkeypatch, capsys, row, words):
    monkeypatch.setitem(TASKS, "vae-9", TASKS["vae-1"] | row)
    assert consistency.main() == 1 and consistency.buildable()
    said = capsys.readouterr()
    assert words in said.err and "rows are complete" not in said.out


def test_a_task_is_called_as_its_answers_can_be_found(monkeypatch):
    monkeypatch.setitem(TASKS, "elbo", TASKS["vae-1"])
    assert list(structure.rows_have_their_place()) == [
        f"{ROWS}: a task is called like vae-1, letters and a number, not 'elbo'"
    ]


def test_an_id_that_stands_twice_in_the_table_is_seen(monkeypatch):
    monkeypatch.setitem(TABLE, "task", [*TABLE["task"], TASKS["vae-3"]])
    assert list(structure.rows_have_their_place()) == [f"{ROWS} has 2 rows with the id vae-3: one of them must go"]


def test_a_row_alone_leads_to_every_file_that_it_needs(monkeypatch, capsys):
    monkeypatch.setitem(TASKS, "vae-9", {"id": "vae-9", "lab": "02_vae", "symbol": "elbo_per_dim"})
    real = structure.known_answers.answers
    monkeypatch.setattr(structure.known_answers, "answers", lambda kind: {"vae-9": []} | real(kind))
    assert consistency.main() == 1
    said = capsys.readouterr()
    places = [line.strip().split(":")[0] for line in said.err.splitlines()]
    assert [*dict.fromkeys(places)] == [ROWS, VAE, PROBES, ANSWERS, f"{BOOK} lacks a cell for vae-9"]
    assert said.out.endswith(" complaints; what builds on it is not looked at before.\n") and "judged" not in said.out


def test_what_can_be_read_is_checked_without_torch():
    program = (
        "import sys; from grading.__main__ import main; main(['check', '--fast']); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)


def test_one_task_is_checked_alone(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        consistency.build, "task_facts", lambda task, real=build.task_facts: asked.append(task) or real(task)
    )
    assert main(["check", "vae-2"]) == 0 and {*asked} == {"vae-2"}
    assert capsys.readouterr().out.splitlines()[-1] == "make check: vae-2 is consistent."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "vae-88"], "check: there is no task or lab 'vae-88'; did you mean vae-"),
        (["check", "11_comparison"], "check: 11_comparison has no task; without a name all of the course is checked"),
    ],
)
def test_a_name_without_tasks_is_one_line(capsys, arguments, words):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(words)


def test_a_lab_stands_for_its_tasks(capsys):
    assert main(["check", "--fast", "02_vae"]) == 0
    named = ", ".join(tasks_of("02_vae"))
    assert capsys.readouterr().out.endswith(f"make check: {named} are consistent, as far as can be read.\n")


def test_a_probe_that_fails_on_the_reference_is_one_line_and_nothing_is_built(monkeypatch, capsys, edit, course):
    def broken(module, draw):
        raise IndexError("index 3 is out\nof range")

    edit("docs/tasks.md", "| `vae-1` |", "| `vae-one` |")
    monkeypatch.setitem(probes.PROBES, "vae-1", broken)
    build.task_facts.cache_clear()
    words = f"{PROBES}: vae-1's probe fails on its answer: IndexError: index 3 is out of range"
    assert list(consistency.probes_run(["vae-1"])) == [words]
    assert main(["build"]) == 2 and capsys.readouterr().err == f"build: nothing is written: {words}\n"
    assert "| `vae-one` |" in (course / "docs/tasks.md").read_text(encoding="utf-8")


def test_a_task_that_is_not_built_yet_is_one_line(monkeypatch, capsys):
    known = {task: fact for task, fact in checks.facts().items() if task != "vae-2"}
    monkeypatch.setattr(checks, "facts", lambda: known)
    said = ["starter/support/checks.json does not have vae-2 yet: run `make build`"]
    assert list(consistency.checks_are_current(["vae-2"])) == said
    assert list(consistency.wrong_answers_are_named(["vae-2"])) == []
    if hasattr(os, "fork"):
        assert main(["audit", "vae-1", "vae-2"]) == 2
        assert capsys.readouterr().err == "audit: check() does not know vae-2 yet: run `make build` first\n"


def test_a_task_that_is_gone_but_still_built_is_one_line(monkeypatch):
    monkeypatch.setattr(consistency, "TASKS", {task: row for task, row in TASKS.items() if task != "vae-7"})
    said = "starter/support/checks.json has vae-7, which tasks.toml does not have: run `make build`"
    assert list(consistency.checks_are_current([])) == [said]


def test_no_more_than_some_complaints_of_one_check_are_shown(capsys):
    def a_check_complains():
        yield from map(str, range(consistency.SHOWN + 2))

    assert consistency.said(a_check_complains, ()) == consistency.SHOWN + 2
    said = capsys.readouterr()
    assert said.out == "NO  a check complains\n" and said.err.splitlines()[-2:] == ["    19", "    and 2 more"]


def test_judging_says_nothing_of_torch_itself():
    program = "from grading.maintain import audit; assert audit.audit(range(4), ['nvp-5']) == []"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stderr == ""
