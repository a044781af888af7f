"""`new-task` begins a task in five files, and the first floor of `make check` leads through the rest."""

import shutil
import subprocess
import sys
import tomllib

import pytest

from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.content.tasks import TASKS
from grading.maintain import new_task, structure

ROWS, VAE, PROBES = "grading/content/tasks.toml", "solutions/vae.py", "starter/support/probes/vae.py"
ANSWERS, BOOK = "grading/content/answers/vae.toml", "notebooks/02_vae.py"
FILLED = {  # file -> what stands there at first, and what is written instead
    ROWS: [
        ("points = 0\nminutes = 0\ndifficulty = 0\n", "points = 1\nminutes = 5\ndifficulty = 1\n"),
        ('statement = ""\nhints = []\n', 'statement = "nats per pixel"\nhints = ["How many pixels has an image?"]\n'),
    ],
    VAE: [
        (
            'def elbo_per_dim() -> Tensor:\n    """"""\n',
            'def elbo_per_dim(loss: Tensor, x: Tensor) -> Tensor:\n    """loss / D."""\n',
        ),
        ("# TODO vae-9:\n", "# TODO vae-9: divide by the number of pixels.\n"),
        ('    raise NotImplementedError("vae-9")\n', "    return loss / x[0].numel()\n"),
    ],
    PROBES: [
        (
            '    raise NotImplementedError("vae-9")\n',
            '    b, c, h, w = draw.batch()\n    inputs = {"loss": draw.mixed(b), "x": draw.uniform(b, c, h, w)}\n'
            '    return observe(module.elbo_per_dim, inputs, ("loss",))\n',
        )
    ],
    ANSWERS: [],
    BOOK: [("# TODO vae-9: the idea, and what to predict\n", "# Nats of images of two sizes cannot be compared.\n")],
}
WRONG = {"all-pixels": "x.numel()", "batch": "len(x)", "channels": "x.shape[1]", "rows": "x.shape[2]", "not": "1"}
RIGHT = {"flat": "x.flatten(1).shape[1]", "product": "x.shape[1:].numel()", "share": "(x.numel() / len(x))"}
KINDS = ("reduction", "axis", "ignored", "constant", "formula")


@pytest.fixture
def copied(tmp_path):
    """All of the repository that a maintainer writes in."""
    for name in ("grading", "solutions", "starter", "notebooks", "docs", "README.md", "requirements.txt"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def asked(folder, *arguments: str) -> tuple[int, list[str], list[str]]:
    command = [sys.executable, "-m", "grading", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return run.returncode, run.stdout.splitlines(), [line.strip() for line in run.stderr.splitlines()]


def fill(folder, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    for old, new in FILLED[name]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    if name == ANSWERS:
        text = text[: text.index('\n[[wrong]]\nid = "vae-9-"')] + "".join(
            f'\n[[{kind}]]\nid = "vae-9-{name}"\nkind = "{category}"\nbelieves = "that"\nfind = "x[0].numel()"\n'
            f'replace = "{code}"\nsays = "This counts something else."\n'
            for kind, codes in (("wrong", WRONG), ("right", RIGHT))
            for category, (name, code) in zip(KINDS, codes.items())
        )
    (folder / name).write_text(text, encoding="utf-8")


def test_the_check_leads_through_a_new_task_file_by_file_and_is_then_silent(copied):
    before = tomllib.loads((copied / ROWS).read_text(encoding="utf-8"))
    code, said, _ = asked(copied, "new-task", "vae-9", "--symbol", "elbo_per_dim")
    assert (
        code == 0
        and said[:-2] == [*FILLED]
        and "make check ARGS=vae-9" in said[-2]
        and "make audit ARGS=vae-9" in said[-1]
    )
    table = tomllib.loads((copied / ROWS).read_text(encoding="utf-8"))
    names = [row["id"] for row in table["task"]]
    assert names[names.index("vae-8") + 1] == "vae-9"
    assert table | {"task": [row for row in table["task"] if row["id"] != "vae-9"]} == before
    for number, name in enumerate(FILLED):
        code, _, complaints = asked(copied, "check", "--fast", "vae-9")
        places = dict.fromkeys(line.split(":")[0].split(",")[0] for line in complaints)
        assert code == 1 and [*places] == [*FILLED][number:]
        fill(copied, name)
    code, said, complaints = asked(copied, "check", "--fast", "vae-9")
    assert (code, complaints) == (0, []) and said[-1] == "make check: vae-9 is consistent, as far as can be read."


def test_a_task_may_follow_another_than_the_last(copied):
    assert asked(copied, "new-task", "vae-9", "--symbol", "elbo_per_dim", "--after", "vae-3")[0] == 0
    for name, marks in {
        ROWS: ['id = "vae-3"', 'id = "vae-9"', 'id = "vae-4"'],
        VAE: ["# BEGIN SOLUTION vae-3", "# BEGIN SOLUTION vae-9", "# BEGIN SOLUTION vae-4"],
        PROBES: ['@probe("vae-3")', '@probe("vae-9")', '@probe("vae-4")'],
        BOOK: ['check("vae-3")', 'check("vae-9")', 'check("vae-4")'],
    }.items():
        text = (copied / name).read_text(encoding="utf-8")
        places = [text.index(mark) for mark in marks]
        assert places == sorted(places), name
    code, _, complaints = asked(copied, "check", "--fast", "02_vae")
    assert code == 1 and all("vae-9" in line or "elbo_per_dim" in line for line in complaints)


def test_a_task_can_follow_each_other_one(copied, monkeypatch):
    for after, row in TASKS.items():
        prefix = after.partition("-")[0]
        start = new_task.begun(f"{prefix}-99", "quite_new", after)
        for name, write in (
            (ROWS, new_task.with_row),
            (f"solutions/{start.module}.py", new_task.with_function),
            (f"starter/support/probes/{start.module}.py", new_task.with_probe),
            (f"notebooks/{row['lab']}.py", new_task.with_cell),
        ):
            text = write(start, (ROOT / name).read_text(encoding="utf-8"))
            assert f"{prefix}-99" in text
            if name.endswith(".py"):
                compile(text, name, "exec")


@pytest.mark.parametrize(
    ("task", "symbol", "after", "words"),
    [
        ("vae-7", "new", None, "there is a vae-7 already, sample_prior() of 02_vae"),
        ("vea-1", "new", None, "no lab with a module has tasks called vea-1: it is one of ae (01_autoencoder), "),
        ("cmp-1", "new", None, "no lab with a module has tasks called cmp-1: "),
        ("vae8", "new", None, "a task is called like vae-1, letters and a number, not 'vae8'"),
        ("vae-9", "elbo", None, "solutions/vae.py has a function elbo() already: rename it, or take another name"),
        ("vae-9", "a b", None, "--symbol is the name of a function, not 'a b'"),
        ("vae-9", "new", "ae-1", "--after names a task of 02_vae, one of vae-1, "),
    ],
)
def test_a_task_that_cannot_begin_is_one_line(task, symbol, after, words):
    with pytest.raises(Mistake) as refused:
        new_task.begun(task, symbol, after)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (BOOK, 'check("vae-8")', "check", f"{BOOK} has no cell for vae-8: put that right first"),
        (VAE, "SOLUTION vae-8", "SOLUTION vae-88", f"{VAE} has no region of vae-8 in a function: put that right first"),
        (PROBES, "def elbo(", "def elbo((", f"{PROBES}, line "),
    ],
)
def test_nothing_is_half_written(course, edit, monkeypatch, name, old, new, words):
    (course / ROWS).write_text((ROOT / ROWS).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(new_task, "ROOT", course)
    edit(name, old, new)
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    with pytest.raises(Mistake) as refused:
        new_task.new_task("vae-9", "elbo_per_dim")
    assert str(refused.value).startswith(words)
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before


def test_a_table_that_is_no_toml_or_lacks_a_name_is_one_line(copied):
    rows = (copied / ROWS).read_text(encoding="utf-8")
    for old, new, words in (
        ('id = "vae-1"\n', "id = vae-1\n", f"{ROWS}: Invalid value (at line "),
        ('id = "vae-1"\n', "", f"{ROWS}: [[task]] number "),
    ):
        (copied / ROWS).write_text(rows.replace(old, new), encoding="utf-8")
        code, _, said = asked(copied, "check", "--fast")
        assert code == 1 and len(said) == 1 and said[0].startswith(words)


def test_as_many_answers_are_begun_as_a_task_needs():
    text = new_task.with_answers(new_task.Start("vae-9", "02_vae", "vae", "elbo_per_dim", "vae-8"), "")
    assert {kind: len(entries) for kind, entries in tomllib.loads(text).items()} == {
        "wrong": structure.LEAST_WRONG,
        "right": structure.LEAST_RIGHT,
    }
