"""hint, reset, solution: the next step, the blank as it was given, the reference once it is earned or given up."""

import json

import pytest

from grading.content import knife, known_answers
from grading.content.overlay import ROOT, blanks
from grading.content.tasks import TASKS, module_of
from starter.__main__ import main
from starter.support import blanks as given
from starter.support import course, ladder, progress

GIVEN = {path.stem: text for path, text in blanks().items()}
BLANK = 'raise NotImplementedError("vae-1")  # YOUR CODE HERE'


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A learner's starter/vae.py, as it was given."""
    folder = tmp_path / "starter"
    folder.mkdir()
    (folder / "vae.py").write_text(GIVEN["vae"])
    monkeypatch.setattr(course, "TOP", tmp_path)
    monkeypatch.setattr(course, "module_of", lambda lab: existing(folder / f"{lab.module}.py"))
    monkeypatch.setattr(ladder, "TRIES", tmp_path / "tries.json")
    monkeypatch.setattr(given, "SHOWN", tmp_path / "shown.json")
    monkeypatch.setattr(progress, "STORE", tmp_path / "verdicts.json")
    return folder / "vae.py"


def existing(path):
    if path.exists():
        return path
    raise course.Missing(f"There is no file starter/{path.name}.")


def test_every_blank_is_found_in_what_was_given():
    assert given.given() == GIVEN
    for task, row in TASKS.items():
        lines = GIVEN[module_of(task)].split("\n")
        own = lines[given.function(lines, row["symbol"])]
        assert own[0].startswith(f"def {row['symbol']}(") or own[0].startswith("@")
        assert sum(f'NotImplementedError("{task}")' in line for line in own) == 1


@pytest.mark.parametrize("encode", [str.encode, lambda t: b"\xef\xbb\xbf" + t.encode()], ids=["plain", "mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "mine", ["return mu + eps", "return (mu +  # never closed", "z = mu\n\n    return z", "x = '''\n    return mu"]
)
def test_reset_gives_the_blank_back_and_keeps_the_text(module, mine, end, encode):
    original = encode(GIVEN["vae"].replace("\n", end))
    module.write_bytes(original.replace(BLANK.encode(), mine.encode()))
    said = given.reset("vae-1")
    assert said.startswith("vae-1 is blank again: starter/vae.py, line ") and "kept in kept/vae-1.txt" in said
    assert module.read_bytes().decode("utf-8-sig").split() == original.decode("utf-8-sig").split()
    assert mine in (module.parents[1] / "kept/vae-1.txt").read_text()
    if "never" not in mine and "'''" not in mine:
        assert module.read_bytes() == original


def test_what_else_is_in_the_module_stays_and_each_text_is_kept(module):
    for mine in ("return mu", "return eps"):
        text = module.read_text().replace(BLANK, mine).replace('raise NotImplementedError("vae-2")', "return log_var")
        module.write_text(text)
        given.reset("vae-1")
    assert "return log_var" in module.read_text() and BLANK in module.read_text()
    kept = module.parents[1] / "kept"
    assert "return mu" in (kept / "vae-1.txt").read_text() and "return eps" in (kept / "vae-1-2.txt").read_text()


def test_a_missing_or_spoiled_module_is_given_back_whole(module):
    module.write_bytes(b"\xff\xfe no text")
    assert "kept in kept/vae.txt" in given.reset_module(course.labs()["02_vae"])
    assert (
        module.read_text() == GIVEN["vae"] and (module.parents[1] / "kept/vae.txt").read_bytes() == b"\xff\xfe no text"
    )
    module.unlink()
    assert main(["reset", "2"]) == 0 and module.read_text() == GIVEN["vae"]


@pytest.mark.parametrize(
    ("spoil", "typed", "words"),
    [
        (lambda path: None, "reset vae-1", "vae-1 is as it was given: there is nothing to reset"),
        (lambda path: None, "reset vae", "starter/vae.py is as it was given: there is nothing to reset"),
        (lambda path: path.write_bytes(b"\xff"), "reset vae-1", "vae.py cannot be read as text: `reset vae` gives"),
        (
            lambda path: path.write_text("x = 1\n"),
            "reset vae-1",
            "starter/vae.py has no function reparameterize: `reset",
        ),
        (lambda path: path.unlink(), "reset vae-1", "There is no file starter/vae.py"),
        (lambda path: None, "reset 11", "11_comparison has no module"),
        (lambda path: None, "solution vae-1", "this copy of the course has no solutions"),
        (lambda path: None, "complete 3", "this copy of the course has no solutions: ask whoever gave it to you"),
        (lambda path: None, "complete 1", "lab 1 builds on no other lab: begin with it as it is"),
        (lambda path: None, "hint 2", "'2' is a whole lab: name one of its tasks, vae-1 to vae-8"),
        (lambda path: None, "watch 11", "that lab has no module, only questions"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(module, spoil, typed, words, capsys):
    spoil(module)
    before = {path: path.is_file() and path.read_bytes() for path in module.parents[1].rglob("*")}
    assert main(typed.split()) == 2
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and not said.out
    assert {path: path.is_file() and path.read_bytes() for path in module.parents[1].rglob("*")} == before


def test_each_hint_comes_with_those_before_it_and_behind_the_last_one_stands_the_way_out(module, capsys):
    hints, said = TASKS["vae-1"]["hints"], []
    for _ in range(len(hints) + 1):
        assert main(["hint", "vae1"]) == 0
        said.append(capsys.readouterr().out.splitlines())
    for level in range(len(hints)):
        assert said[level] == [f"Hint {n} of {len(hints)}: {words}" for n, words in enumerate(hints[: level + 1], 1)]
    assert said[-1][:-1] == said[-2] and "`solution vae-1 --give-up` shows" in said[-1][-1]


def test_a_failed_try_climbs_the_same_ladder(module):
    assert ladder.climbed("vae-1", "first text") == 1 == ladder.climbed("vae-1", "first text")
    assert ladder.hint("vae-1").count("Hint ") == 2
    assert ladder.climbed("vae-1", "second text") == 3


def test_the_reference_is_shown_for_a_right_task_or_one_that_is_given_up_and_that_is_recorded(module, monkeypatch):
    (module.parents[1] / "solutions").symlink_to(ROOT / "solutions")
    states = dict.fromkeys(course.labs()["02_vae"].tasks, "wrong") | {"vae-1": "right"}
    found = {task: progress.Standing(state, "") for task, state in states.items()}
    monkeypatch.setattr(progress, "verdicts", lambda lab: (found, ""))
    region = "sigma = torch.exp(0.5 * log_var)"
    assert region in known_answers.solution("vae").read_text()
    assert region in given.solution("vae-1") and "SOLUTION" not in given.solution("vae-1") and given.shown() == []
    with pytest.raises(given.Refused, match="vae-2 is not right yet: `hint vae-2` helps; `solution vae-2 --give-up`"):
        given.solution("vae-2")
    yours = given.solution("vae-1").partition("Yours, starter/vae.py, line ")[2]
    assert yours and "TODO" not in yours and [line.strip() for line in yours.splitlines()[2:] if line]
    assert "square" in given.solution("vae-2", give_up=True) and given.shown() == ["vae-2"]
    assert "square" in given.solution("vae-2")
    assert json.loads((module.parents[1] / "shown.json").read_text()) == ["vae-2"]
    table = progress.table([course.labs()["02_vae"]])
    assert [line.split()[0] for line in table.splitlines() if line.endswith(", given up")] == ["vae-2"]


def test_what_a_lab_builds_on_is_completed_marked_and_earns_nothing(module, capsys):
    top, own = module.parents[1], GIVEN["vae"].replace(BLANK, "return mu  # mine")
    (top / "solutions").symlink_to(ROOT / "solutions")
    module.write_text(own)
    assert main(["complete", "beta_vae"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("starter/vae.py is complete, and marked as given: lab 2 earns no points with it.")
    assert (top / "kept/vae.txt").read_text() == own and "Your text is kept in kept/vae.txt." in said
    text = module.read_text()
    assert text.startswith("# Given by the course, and not written by you: `python -m starter reset vae`")
    assert not knife.LOOSE.search(text) and "NotImplementedError" not in text
    lines = known_answers.solution("vae").read_text().splitlines()
    assert text.splitlines()[1:] == [line for line in lines if not knife.LOOSE.search(line)]
    found = progress.of_lab(course.labs()["02_vae"])
    assert {one.state for one in found.tasks.values()} == {"given"} and (found.points, found.is_begun) == (0, False)
    assert found.summary().startswith("given by the course, ") and ", 0 of " in found.summary()
    assert progress.after("vae-1").startswith("No points: starter/vae.py is given by the course. Lab 2 is given")
    assert given.shown() == [*course.labs()["02_vae"].tasks]
    assert given.complete(course.labs()["03_beta_vae"]) == "Lab 3 can begin: what it builds on is complete."
    assert given.reset_module(course.labs()["02_vae"]) and module.read_text() == GIVEN["vae"]


def test_an_untouched_module_is_completed_without_a_text_to_keep(module):
    (module.parents[1] / "solutions").symlink_to(ROOT / "solutions")
    module.write_bytes(GIVEN["vae"].replace("\n", "\r\n").encode())
    assert "kept" not in given.complete(course.labs()["03_beta_vae"]) and not (module.parents[1] / "kept").exists()


def test_a_module_whose_tasks_are_right_is_left_alone(module, monkeypatch):
    right = dict.fromkeys(course.labs()["02_vae"].tasks, progress.Standing("right", ""))
    monkeypatch.setattr(progress, "verdicts", lambda lab: (right, ""))
    before = module.read_bytes()
    assert given.complete(course.labs()["03_beta_vae"]).startswith("Lab 3 can begin")
    assert module.read_bytes() == before
