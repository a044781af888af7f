"""What was trained is kept, merged and shown; a list of runs survives whatever ends it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from starter.support import data
from starter.support.full import cli, folder, record, reproduce, table
from starter.support.full.reproduce import Place, Row
from starter.support.recipes import RECIPES

ROW = Row("vae-mlp", "mnist")


def result(row: Row, **changes) -> dict:
    """Of a run as reported."""
    return {
        "recipe": row.recipe,
        "data": row.data,
        "recipe_settings": record.settings_of(RECIPES[row.recipe], row.data),
        "settings": {"seed": 0, "epochs": None},
        "steps": 1000,
        "epochs": 50.0,
        "seconds": 1750.0,
        "cpu_seconds": 175.0,
        "environment": {"device": "cpu"},
        "ended": "trained",
        "as_reported": True,
        "test": {"loss": 102.25},
    } | changes


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path / "home", tmp_path / "results")


def leave(place: Place, row: Row = ROW, **changes) -> None:
    """As if the run in its home had ended so."""
    record.runs.replace(place.folder(row) / "results.json", record.dumped(result(row, **changes)))


def shown(place: Place, part: str) -> dict[tuple[str, str], list[str]]:
    """Recipe and data -> cells of the table under a heading of RESULTS.md."""
    text = (place.results.parent / "RESULTS.md").read_text(encoding="utf-8").split(f"## {part}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| `" in line]
    return {(line[0].strip("`"), line[1]): line[2:] for line in cells}


@pytest.fixture
def calls(monkeypatch):
    """`reproduce` with processes that take no time; their commands. Games fail."""
    commands = []

    def one(command):
        commands.append(command[3:])
        recipe, own, out = (command[command.index(option) + 1] for option in ("--recipe", "--data", "--out"))
        if "gan" in recipe:
            return f"train: {out}/last.pt is damaged"
        place = Place(reproduce.Path(out).parent, reproduce.Path(out).parent)
        budget = {"seconds": 60.0} if "--seconds" in command else {}
        leave(place, Row(recipe, own), as_reported=not budget, settings={"seed": 0, "epochs": None} | budget)
        return ""

    def load(name, split):
        if name == "cub":
            raise data.DataError("cub is not in the cache: python datasets/prepare.py cub")

    monkeypatch.setattr(reproduce, "one", one)
    monkeypatch.setattr(reproduce.data, "load", load)
    return commands


def reproduced(place: Place, *given: str) -> int:
    return cli.reproduce([*given, "--home", str(place.home), "--results", str(place.results)])


def test_what_a_run_has_to_show_is_kept_and_the_table_is_made_of_it(calls, place):
    assert reproduced(place, "vae-mlp", "ae-small") == 0
    assert json.loads((place.results / "vae-mlp-mnist.json").read_text())["settings"] == {"seed": 0}, "without defaults"
    assert shown(place, "Trained as reported")["vae-mlp", "mnist"][:3] == ["50", "3 min", "loss 102.2"]
    assert shown(place, "Built, and stepping only").keys() >= {("gan-mlp", "mnist"), ("cgan-fm", "fashion-mnist")}
    assert ("vae-mlp", "mnist") not in shown(place, "Built, and stepping only")


def test_a_failed_row_and_one_without_data_stop_no_other(calls, place, capsys):
    assert reproduced(place, "gan-mlp", "cub-gan", "vae-mlp") == 1
    said = capsys.readouterr().err
    assert "gan-mlp on mnist: train: " in said and "last.pt is damaged" in said
    assert "cub-gan on cub: not run: cub is not in the cache: python datasets/prepare.py cub" in said
    assert (place.results / "vae-mlp-mnist.json").exists() and len(list(place.results.iterdir())) == 1


def test_of_a_failed_run_nothing_older_is_shown_as_its_own(calls, place, capsys):
    leave(place, Row("gan-mlp", "mnist"), recipe="gan-mlp", settings={"seed": 0})
    assert reproduced(place, "gan-mlp", "--seed", "1") == 1
    assert capsys.readouterr().out == "gan-mlp on mnist\n" and not place.results.exists()


@pytest.mark.parametrize("given", [["--seconds", "60", "vae-mlp"], ["vae-mlp", "--seconds", "60"]])
def test_the_number_of_an_option_is_no_recipe_wherever_it_stands(calls, place, given):
    assert reproduced(place, *given) == 0
    assert calls[0][-2:] == ["--seconds", "60.0"]


def test_readmes_command_trains_every_recipe_for_a_minute(calls, place):
    reproduced(place, "--seconds", "60")
    assert {command[2] for command in calls} == {name for name, recipe in RECIPES.items() if recipe.data != ("cub",)}


def test_a_run_that_did_what_is_asked_for_is_not_run_again(calls, place):
    for _ in range(2):
        reproduced(place, "vae-mlp", "--seconds", "60")
    assert len(calls) == 1
    reproduced(place, "vae-mlp")
    assert len(calls) == 2, "it had trained for a minute only"


@pytest.mark.parametrize(
    ("stored", "new", "stays"),
    [
        ({"steps": 1000}, {"steps": 1000, "test": {"loss": 9.0}}, True),
        ({"steps": 1000}, {"steps": 2000, "as_reported": False}, True),
        ({"steps": 10, "as_reported": False}, {"steps": 9, "as_reported": False}, True),
        ({"steps": 10, "as_reported": False}, {"steps": 11, "as_reported": False}, False),
        ({"steps": 1000, "as_reported": False}, {"steps": 500}, False),
        ({"recipe_settings": {"epochs": 7}}, {"steps": 500}, False),  # the recipe has changed
        ({"steps": 10, "as_reported": False}, {"steps": 99, "ended": "stopped", "as_reported": False}, True),
    ],
)
def test_a_run_that_did_less_never_takes_the_place_of_a_stored_one(place, stored, new, stays):
    leave(place, **stored)
    place.publish(ROW)
    before = (place.results / "vae-mlp-mnist.json").read_bytes()
    leave(place, **new)
    place.publish(ROW)
    assert ((place.results / "vae-mlp-mnist.json").read_bytes() == before) == stays
    if new.get("ended") != "stopped":
        place.publish(ROW, anyway=True)
        assert (place.results / "vae-mlp-mnist.json").read_bytes() != before


def test_a_score_is_compared_with_a_number_of_its_own_name_only(place):
    best, other = Row("vae-cifar-2048", "cifar10"), Row("vae-cifar-10", "cifar10")
    for row in (best, other):
        leave(place, row, test={"SSIM": 0.89, "1 - SSIM": 0.11})
        place.publish(row)
    rows = shown(place, "Trained as reported")
    assert rows[tuple(best)][2:] == ["1 - SSIM 0.11", "1 - SSIM 0.22", "0.5"]
    assert rows[tuple(other)][3:] == ["", ""], "the report has no number for it"


def test_a_time_is_work_where_that_is_known(place):
    cases = {"cpu": {}, "gpu": {"environment": {"device": "cuda"}}, "older": {"cpu_seconds": None}}
    times = []
    for changes in cases.values():
        leave(place, **changes)
        place.publish(ROW, anyway=True)
        times.append(shown(place, "Trained as reported")[tuple(ROW)][1])
    assert times == ["3 min", "29 min by the clock", "29 min by the clock"]


def test_birds_of_another_edition_are_never_trained_as_reported(place):
    row = Row("cub-gan", "birds-2010")
    leave(place, row, as_reported=False)
    place.publish(row)
    assert ("cub-gan", "birds-2010 (6,030 photographs, not CUB-200-2011)") in shown(place, "Trained for less")
    needed = "cub (CUB-200-2011, 1.2 GB that `prepare.py` downloads)"
    assert ("cub-gan", needed) in shown(place, "Built, and stepping only")


def test_what_a_report_leaves_open_is_listed_and_its_paragraph_included(place):
    place.results.mkdir()
    (place.results / "report_004.md").write_text("The grids agree.\n")
    text = table.text(place.results)
    assert "## Report 004\n\nThe grids agree.\n" in text
    for recipe in RECIPES.values():
        assert recipe.source in text and recipe.reported in text and all(choice in text for choice in recipe.choices)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("vae-mlp-mnist.json", "{", "is not the result of a run"),
        ("vae-mlp-mnist.json", "[]", "is not the result of a run"),
        ("vae-mpl-mnist.json", json.dumps(result(ROW)), "is of no recipe that there is"),
    ],
)
def test_a_file_that_is_no_result_is_one_line(place, name, content, words, capsys):
    place.results.mkdir()
    (place.results / name).write_text(content)
    assert reproduced(place, "--table") == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not (place.results.parent / "RESULTS.md").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["vae-mpl"], "there is no recipe 'vae-mpl'; did you mean vae-mlp?"),
        (["vae-mlp", "--data", "cub"], "python datasets/prepare.py cub"),
        (["vae-mlp", "--seconds", "x"], "--seconds: must be a number above 0, not 'x'"),
        (["--queue", "--workers", "0"], "--workers: must be a whole number of at least 1, not '0'"),
    ],
)
def test_wrong_use_is_one_line_before_anything_runs(calls, place, given, words, capsys):
    try:
        code = reproduced(place, *given)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2 and words in said and said.count("\n") == 1 and not calls


def test_ctrl_c_waits_for_the_run_that_it_ends(monkeypatch):
    waits = []

    class Process:
        def communicate(self):
            waits.append(1)
            if len(waits) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(reproduce.subprocess, "Popen", lambda *_, **__: Process())
    with pytest.raises(KeyboardInterrupt):
        reproduce.one(["train"])
    assert len(waits) == 2, "subprocess.run would have killed it after a quarter of a second"


# ---- the queue, with processes that only pretend to train

FAKE = """
import json, signal, sys, time
from pathlib import Path
from starter.support.full import cli, folder, record
given = sys.argv[2:]
recipe, own, out = (given[given.index(option) + 1] for option in ("--recipe", "--data", "--out"))
if recipe == "gan-mlp":
    sys.exit("train: no luck")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
with folder.mine(Path(out)):
    (Path(out) / "begun").touch()
    while (Path(out).parent / "wait").exists():
        time.sleep(0.05)
    (Path(out) / "results.json").write_bytes((Path(out).parent / f"{recipe}-{own}.result").read_bytes())
"""


@pytest.fixture(autouse=True)
def in_front(monkeypatch):
    """The tests' own session keeps its priority."""
    monkeypatch.setattr(reproduce, "step_back", lambda *_: None)


@pytest.fixture
def queued(place, tmp_path, monkeypatch):
    """A queue of three rows, one of which always fails."""
    rows = [Row("vae-mlp", "mnist"), Row("gan-mlp", "mnist"), Row("ae-small", "cifar10")]
    place.home.mkdir()
    for row in rows:
        (place.home / f"{row.name}.result").write_bytes(record.dumped(result(row)))
    (tmp_path / "fake.py").write_text(FAKE)
    real = reproduce.command
    monkeypatch.setattr(
        reproduce, "command", lambda *given: [sys.executable, str(tmp_path / "fake.py"), *real(*given)[3:]]
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setattr(reproduce, "POLL", 0.05)
    monkeypatch.setattr(reproduce.data, "load", lambda *_: None)
    return rows


def log(place: Place) -> list[str]:
    return [line[20:] for line in (place.home / "queue.log").read_text().splitlines()]


def test_a_queue_trains_what_is_missing_and_a_failed_row_blocks_no_other(queued, place):
    assert reproduce.queue(queued, place, {}, workers=1) == 1
    assert [line for line in log(place) if line.startswith(("start", "failed"))] == [
        "start vae-mlp on mnist",
        "start gan-mlp on mnist",
        "failed gan-mlp on mnist: train: no luck",
        "start ae-small on cifar10",
    ]
    assert {path.name for path in place.results.iterdir()} == {"vae-mlp-mnist.json", "ae-small-cifar10.json"}
    assert shown(place, "Trained as reported").keys() == {("vae-mlp", "mnist"), ("ae-small", "cifar10")}
    said = reproduce.status(queued, place)
    assert "done: 50 epochs (loss 102.2)" in said and "failed: train: no luck" in said
    reproduce.queue(queued, place, {}, workers=1)
    assert log(place).count("start gan-mlp on mnist") == 2 and log(place).count("start vae-mlp on mnist") == 1


def test_the_process_of_a_queue_that_was_killed_is_left_to_end_and_its_result_is_kept(queued, place):
    (place.home / "wait").touch()
    row, out = queued[0], place.folder(queued[0])
    orphan = subprocess.Popen(reproduce.command(row, place, {}))
    while not (out / "begun").exists():
        time.sleep(0.05)
    assert folder.busy(out) and "runs: " in reproduce.status([row], place)
    (place.home / "wait").unlink()
    assert reproduce.queue([row], place, {}, workers=1) == 0
    assert orphan.wait() == 0 and not [line for line in log(place) if line.startswith("start")]
    assert place.done(row)


def test_sigterm_ends_a_queue_and_what_it_runs(queued, place):
    (place.home / "wait").touch()
    monitor = reproduce.Queue.fill

    def fill(queue, waiting):
        monitor(queue, waiting)
        if (place.folder(queued[0]) / "begun").exists():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce.Queue, "fill", fill)
        with pytest.raises(KeyboardInterrupt):
            reproduce.queue(queued[:1], place, {}, workers=1)
    assert log(place)[-1] == "stop vae-mlp on mnist" and not folder.busy(place.folder(queued[0]))


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system knows no priority of a session")
def test_a_process_of_the_queue_and_its_session_give_way_to_all_others():
    """In a process of its own: whoever steps back stays there."""
    script = (
        "import subprocess, sys\nfrom pathlib import Path\nfrom starter.support.full.reproduce import step_back\n"
        "step_back()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE, start_new_session=True)\n"
        "step_back(child.pid)\n"
        "print(Path(f'/proc/{child.pid}/autogroup').read_text().split()[-1])\n"
        "print(__import__('os').getpriority(0, child.pid))\nchild.communicate(b'')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, start_new_session=True
    )
    assert run.stdout.split() == ["19", "19"], run.stderr


def test_a_home_has_one_queue(place):
    with folder.mine(place.home), pytest.raises(ValueError, match="another process is at work in"):
        reproduce.queue([], place, {}, workers=1)


def test_a_set_that_is_not_prepared_is_skipped_with_a_line(calls, place):
    assert reproduce.queue([Row("cub-gan", "cub")], place, {}, workers=1) == 0
    assert log(place)[0] == "skip cub: cub is not in the cache: python datasets/prepare.py cub"


def test_the_shortest_rows_come_first():
    hours = [row.hours for row in reproduce.rows([], [])]
    assert hours == sorted(hours) and hours[0] < hours[-1]


def test_a_run_that_diverged_as_its_report_says_stands_with_the_whole_ones_and_says_where_it_ended(place):
    row = Row("realnvp-cifar", "cifar10")
    leave(place, row, ended="step 7: loss is nan", test={"loss": None})
    place.publish(row)
    assert shown(place, "Trained as reported")[row.recipe, row.data][2] == "ended at step 7: loss is nan"
    assert reproduce.fresh(place.found(row), row, {"seed": 0})
