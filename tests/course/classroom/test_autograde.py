"""A class is graded whatever it hands in; a run can be killed, and goes on where it was."""

import ast
import base64
import contextlib
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import textwrap
import zlib
from concurrent.futures import Future
from datetime import datetime
from html import unescape
from pathlib import Path

import nbformat
import pytest
from nbconvert.filters import markdown2html_mistune
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from grading.__main__ import COMMANDS, main
from grading.classroom import autograde as grade
from grading.classroom.autograde import autograde
from grading.classroom.course_folder import Course
from grading.classroom.demo import demo
from grading.classroom.feedback import as_written
from grading.classroom.graded_notebook import function, guided, rebuilt, scored
from grading.classroom.release import NOTEBOOKS
from grading.classroom.submissions import all_graded
from grading.content import known_answers
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.content.tasks import MODEL_ANSWERS, MODULES, tasks_of
from grading.content.tasks import TASKS as ALL_TASKS
from grading.judge.jail import outside
from grading.judge.job import judge, judged_by
from grading.judge.submitted_cells import cells_of
from grading.judge.submitted_cells import picture as fresh_picture

LAB = "02_vae"
TASKS = tasks_of(LAB)


@pytest.fixture
def three(course):
    """Three submissions, not graded yet."""
    for student in ("anna", "ben", "cleo"):
        folder = course.folder("submitted", LAB, student)
        (folder / "starter").mkdir(parents=True)
        (folder / f"{LAB}.ipynb").write_bytes(course.released(LAB).read_bytes())
        (folder / "starter/vae.py").write_text(f"# {student}")
    return course


@pytest.fixture
def full_points(monkeypatch, recorded):
    """Judging without a worker; the students that were judged."""
    pool = recorded({task: ["right", "right"] for task in TASKS})
    monkeypatch.setattr(grade, "Local", lambda: pool)
    return pool.students


def run(course: Course, **options) -> list[str]:
    said = []
    autograde(course, LAB, say=said.append, **options)
    return said


@pytest.mark.parametrize(("seconds", "wall"), [("4", 40), ("20", 40), ("60", 120)])
def test_the_clock_of_a_task_waits_for_a_busy_machine(three, monkeypatch, seconds, wall):
    given = []
    monkeypatch.setattr(grade, "autograde", lambda *_, limits, **options: given.append(limits))
    monkeypatch.setattr("grading.judge.executors.Local.prepared", lambda self: self)
    assert main(["autograde", LAB, "--no-jail", "--seconds", seconds, "--course", str(three.root)]) == 0
    assert given == [{"cpu": int(seconds), "wall": wall}]


def test_everybody_gets_what_the_work_is_worth(graded, points):
    with graded.gradebook() as gradebook:
        scores = {student: gradebook.find_submission(LAB, student).score for student in "12345"}
    assert scores == {"1": points(), "2": points(without="vae-2"), "3": 0, "4": 0, "5": 0}


def test_there_is_a_line_for_each_submission_and_one_for_all(graded, points):
    lines = (graded.root / "said.txt").read_text().splitlines()
    assert len(lines) == 6 and lines[-1] == "02_vae: 5 of 5 submissions graded."
    assert any(line.endswith(f"1 (Anna Arndt): {points()} of {points()} points") for line in lines)


def messages(course: Course, student: str) -> dict[str, str]:
    notebook = nbformat.read(course.folder("autograded", LAB, student) / f"{LAB}.ipynb", as_version=4)
    return {cell.id: cell.outputs[1].text for cell in notebook.cells if cell.id in TASKS}


def test_every_task_has_its_reason(graded):
    assert messages(graded, "2")["vae-2"] == known_answers.answers("wrong")["vae-2"][0]["says"]
    assert messages(graded, "2")["vae-1"].startswith("vae-1 is right")
    assert "vae-5 is still blank" in messages(graded, "3")["vae-5"]
    assert "it is empty" in messages(graded, "4")["vae-1"]
    assert "SyntaxError" in messages(graded, "5")["vae-7"]


def test_written_answers_and_unreadable_notebooks_wait_for_a_human_and_unchanged_answers_do_not(graded):
    with graded.gradebook() as gradebook:
        waiting = {student: gradebook.find_submission(LAB, student).needs_manual_grade for student in "1235"}
    assert waiting == {"1": False, "2": True, "3": True, "5": True}


def test_outputs_that_a_learner_wrote_into_graded_cells_do_not_count(graded):
    notebook = nbformat.read(graded.folder("autograded", LAB, "3") / f"{LAB}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.id in TASKS]
    assert [cell.outputs[0].data["text/plain"] for cell in cells] == ["0.0"] * len(TASKS)
    assert all(cell.source.startswith("check(") for cell in cells)


def test_nothing_active_is_left_of_a_hostile_notebook(graded):
    text = (graded.folder("autograded", LAB, "3") / f"{LAB}.ipynb").read_text()
    for part in (
        "<script",
        "<svg",
        "<form",
        "hidden words",
        "attachments",
        "remove-cell",
        "\u202e",
        "\\u202e",
        "[2J\\",
    ):
        assert part not in text, part
    notebook = nbformat.reads(text, as_version=4)
    kept = next(cell.outputs for cell in notebook.cells if cell.id == "training")
    assert [output.output_type for output in kept] == ["display_data", "stream"]
    assert "loss 1" in kept[1].text and "loss 2" in kept[1].text


def test_the_module_is_kept_as_it_came(graded, solution):
    assert (graded.folder("autograded", LAB, "1") / "starter/vae.py").read_text() == solution
    assert not [*graded.root.rglob(".*.new")]


def test_a_course_is_named_by_its_whole_path_since_nbgrader_changes_folders(three, full_points, monkeypatch):
    monkeypatch.chdir(three.root.parent)
    here = Course(Path("course"))
    assert here == three and here.root.is_absolute()
    assert run(here)[-1] == "02_vae: 3 of 3 submissions graded."


def test_a_second_run_grades_what_is_missing_alone(three, full_points):
    run(three)
    assert sorted(full_points) == ["anna", "ben", "cleo"]
    three.record(LAB, "ben").unlink()
    (three.folder("submitted", LAB, "cleo") / "starter/vae.py").write_text("# another try")
    said = run(three)
    assert sorted(full_points[3:]) == ["ben", "cleo"]
    assert said[-1] == "02_vae: 2 of 3 submissions graded, 1 were graded before."
    assert run(three)[-1].startswith("02_vae: 0 of 3")
    run(three, regrade=True, student="anna")
    assert full_points[5:] == ["anna"]


def test_trouble_with_one_submission_does_not_stop_the_others(three, recorded):
    class Odd(type(recorded({}))):
        def submit(self, function, **job):
            if job["student"] == "ben":
                raise KeyError("something that nobody thought of")
            return super().submit(function, **job)

    said = []
    assert autograde(three, LAB, pool=Odd({task: ["wrong", "wrong"] for task in TASKS}), say=said.append) == 1
    assert any("ben (unnamed): NOT SAVED: KeyError" in line for line in said) and "run it again" in said[-1]
    assert not three.record(LAB, "ben").exists() and three.record(LAB, "cleo").exists()


def test_what_a_scheduler_took_with_it_is_not_saved_and_says_so(three, recorded):
    class Gone(type(recorded({}))):
        def submit(self, function, **job):
            future = Future()
            future.cancel() and future.set_running_or_notify_cancel()
            return future

    said = []
    assert autograde(three, LAB, pool=Gone({}), say=said.append) == 3
    assert "NOT SAVED: the scheduler that was to have it judged is gone" in said[0] and len(said) == 4


def test_a_human_grade_survives_grading_again(three, full_points):
    run(three)
    with three.gradebook() as gradebook:
        grade_of_anna = gradebook.find_grade("vae-1", LAB, LAB, "anna")
        grade_of_anna.manual_score = 1
        gradebook.db.commit()
    run(three, regrade=True)
    with three.gradebook() as gradebook:
        assert gradebook.find_grade("vae-1", LAB, LAB, "anna").score == 1


def change_cell(path: Path, cell_id: str, change) -> None:
    notebook = json.loads(path.read_text())
    change(next(cell for cell in notebook["cells"] if cell["id"] == cell_id))
    path.chmod(0o644)
    path.write_text(json.dumps(notebook))


def write(course: Course, text: str, picture: str | None = None) -> None:
    """Anna's answer to the first question."""
    shown = {"attachments": {"a.png": {"image/png": picture}}} if picture else {}
    path = course.folder("submitted", LAB, "anna") / f"{LAB}.ipynb"
    change_cell(path, "vae-q1", lambda cell: cell.update({"source": text, "attachments": {}} | shown))


@pytest.fixture
def read(three, full_points, picture) -> Course:
    """A human has graded an answer, and a task that she saw more in than the grader did."""
    write(three, "Because **a < b** ![](attachment:a.png)", picture(4, 4))
    run(three)
    with three.gradebook() as gradebook:
        for name in ("vae-q1", "vae-1"):
            grade = gradebook.find_grade(name, LAB, LAB, "anna")
            assert grade.needs_manual_grade == (name == "vae-q1")
            grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    return three


def to_read(course: Course) -> list[str]:
    run(course, regrade=True, student="anna")
    with course.gradebook() as gradebook:
        grades = [gradebook.find_grade(name, LAB, LAB, "anna") for name in ("vae-q1", "vae-1")]
        assert [grade.score for grade in grades] == [1.5, 1.5]
        return [grade.name for grade in grades if grade.needs_manual_grade]


def test_what_a_human_graded_is_not_to_be_read_again_when_nothing_changed(read, picture):
    assert to_read(read) == [] and to_read(read) == []
    with read.gradebook() as gradebook:
        for student in ("ben", "cleo"):  # their answers were left as they were
            assert not gradebook.find_submission(LAB, student).needs_manual_grade


@pytest.mark.parametrize(
    ("what", "again"),
    [("text", "vae-q1"), ("picture", "vae-q1"), ("points", "vae-q1"), ("module", "vae-1"), ("verdict", "vae-1")],
)
def test_what_a_human_graded_is_to_be_read_again_when_it_changed(read, picture, full_points, what, again):
    text, folder = "Because **a < b** ![](attachment:a.png)", read.folder("submitted", LAB, "anna")
    if what == "text":
        write(read, text + " or so", picture(4, 4))
    elif what == "picture":
        write(read, text, picture(5, 5))
    elif what == "points":
        change_cell(read.released(LAB), "vae-q1", lambda cell: cell["metadata"]["nbgrader"].update(points=3))
    elif what == "module":
        (folder / "starter/vae.py").write_text("# better")
    else:
        grade.Local().tasks["vae-1"] = ["wrong", "wrong"]
    assert to_read(read) == [again]


def test_a_grade_of_the_first_edition_is_not_to_be_read_again_either(read):
    """It kept an answer's Markdown, all but one sign, and no pictures."""
    write(read, "Because **a < b**")
    run(read, student="anna")
    path = read.folder("autograded", LAB, "anna") / f"{LAB}.ipynb"
    change_cell(path, "vae-q1", lambda cell: cell.update(source="Because **a &lt; b**"))
    change_cell(path, "vae-q1", lambda cell: cell["metadata"].pop("written"))
    with read.gradebook() as gradebook:
        gradebook.find_grade("vae-q1", LAB, LAB, "anna").needs_manual_grade = False
        gradebook.db.commit()
    assert to_read(read) == []


class Closed:
    """A pool like a cluster at whose address nobody answers."""

    @contextlib.contextmanager
    def executor(self):
        raise Mistake("nobody answers")
        yield


def test_a_class_stays_graded_when_nobody_can_grade_it_again(three, full_points):
    run(three)
    with pytest.raises(Mistake, match="nobody answers"):
        run(three, pool=Closed(), regrade=True)
    assert three.graded(LAB) == ["anna", "ben", "cleo"]


def test_the_time_of_a_submission_reaches_the_gradebook(three, full_points):
    (three.folder("submitted", LAB, "anna") / "timestamp.txt").write_text("2026-03-01 10:00:00 UTC")
    run(three, student="anna")
    with three.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "anna").timestamp == datetime(2026, 3, 1, 10)


def test_links_in_a_submitted_folder_are_not_followed(three, full_points, tmp_path, links):
    (tmp_path / "secret.py").write_text("secret")
    path = three.folder("submitted", LAB, "anna") / "starter/vae.py"
    path.unlink()
    path.symlink_to(tmp_path / "secret.py")
    assert grade.submission(three, LAB, "anna").module is None


@pytest.mark.parametrize(
    "note", ["[]", "3", "{", "[" * 9999, '{"refused": {}, "name": 7, "other": 1}', '{"name": "a\\u202eb"}']
)
def test_a_note_that_somebody_else_wrote_is_only_words(three, note):
    (three.folder("submitted", LAB, "anna") / "intake.json").write_text(note)
    found = grade.submission(three, LAB, "anna").note
    assert all(isinstance(text, str) and text.isprintable() for text in found.values()) and "other" not in found


def test_a_notebook_that_cannot_be_read_is_noted_whoever_brought_it(graded):
    """Collected by us, and put into submitted/ by somebody else, or by an older version of us."""
    for student, says in (("2", "not JSON"), ("5", "nested too deep")):
        note = json.loads((graded.folder("autograded", LAB, student) / "intake.json").read_text())
        assert says in note["unreadable"]
    found = judge(
        lab=LAB,
        version=judged_by(LAB),
        module=b"",
        secret=b"secret",
        student="anna",
        limits={},
        jail=False,
        notebook=b"this is not JSON",
    )
    assert "not JSON" in found["unreadable"]


def test_two_runs_at_once_are_refused(three):
    with three.alone(), pytest.raises(Mistake, match="another command"):
        run(three)


def test_wrong_use_is_one_line(course, tmp_path):
    with pytest.raises(Mistake, match="collect 02_vae"):
        run(course)
    with pytest.raises(Mistake, match="release 02_vae"):
        run(Course(tmp_path / "nothing"))


def test_an_unknown_student_is_one_line(three):
    with pytest.raises(Mistake, match="there are anna, ben, cleo"):
        run(three, student="dora")


def test_the_grader_finds_a_guide_behind_each_written_answer_and_nbgrader_none_of_its_cells(three, full_points):
    run(three)
    notebook = nbformat.read(three.folder("autograded", LAB, "anna") / f"{LAB}.ipynb", as_version=4)
    nbformat.validate(notebook)
    behind = {a.id: b for a, b in zip(notebook.cells, notebook.cells[1:]) if a.id in ("vae-q1", "vae-q2")}
    for name, cell in behind.items():
        assert cell.cell_type == "markdown" and "nbgrader" not in cell.metadata and not cell.metadata.editable
        row = MODEL_ANSWERS[name]
        assert row["answer"] in cell.source + "\n" and row["misconceptions"].strip() in cell.source
        assert all(line["says"] in cell.source for line in row["rubric"])
    assert len(behind) == 2 and len(notebook.cells) == 2 + len(nbformat.read(three.released(LAB), as_version=4).cells)


def test_a_cell_without_a_verdict_gets_no_points(released):
    notebook = scored(nbformat.read(released.released(LAB), as_version=4), {})
    assert {cell.outputs[0].data["text/plain"] for cell in notebook.cells if cell.id in TASKS} == {"0.0"}


def test_what_was_filled_in_stands_beside_its_points(released):
    module = (ROOT / "solutions/vae.py").read_bytes()
    twice = b"def reparameterize(mu):\n    return '<b>'\n\n\nx = 1\n"  # the last of a name counts
    for text, first in (
        (module, "def reparameterize(mu: Tensor, log_var"),
        (module + twice, "def reparameterize(mu):"),
    ):
        notebook = scored(nbformat.read(released.released(LAB), as_version=4), {}, text)
        shown = {cell.id: cell.outputs[2].text for cell in notebook.cells if cell.id in TASKS}
        assert shown.keys() == set(TASKS) and shown["vae-1"].startswith(first)
        nbformat.validate(notebook)
    assert shown["vae-1"].endswith("    return '<b>'")
    for text in (b"", b"\xff def", b"def reparameterize", b"class VAE:"):
        notebook = scored(nbformat.read(released.released(LAB), as_version=4), {}, text)
        assert all(len(cell.outputs) < 4 for cell in notebook.cells if cell.id in TASKS)


def test_what_was_filled_in_stands_beside_the_answer_to_a_question_about_it(released):
    module = (ROOT / "solutions/vae.py").read_text(encoding="utf-8")
    bad = "def reparameterize(mu):\n    '</pre><script>alert(1)</script> $x$ **b** &amp;'\n\n\n    return `mu`\n"
    for text in (module, module + bad):
        notebook = guided(nbformat.read(released.released(LAB), as_version=4), text.encode())
        behind = {cell.id: cell.source for cell in notebook.cells if cell.id.endswith("-guide")}
        heads = {name: re.findall(r"before this question: (.+)\.\*\*", source) for name, source in behind.items()}
        assert {task for (names,) in heads.values() for task in names.split(", ")} == set(TASKS)
        for name, ((tasks,), source) in {name: (heads[name], behind[name]) for name in heads}.items():
            page = markdown2html_mistune(source)
            (shown,) = re.findall(r"<pre>(.+?)</pre>", page, re.DOTALL)
            functions = [function(text.splitlines(), ALL_TASKS[task]["symbol"]) for task in tasks.split(", ")]
            assert unescape(shown) == "\n\n".join(functions), name
            assert "<script" not in page and "<strong>b" not in page
    nothing = guided(nbformat.read(released.released(LAB), as_version=4), b"\xff")
    assert not any("Filled in" in cell.source for cell in nothing.cells)


@pytest.mark.parametrize("lab", MODULES)
def test_of_a_module_what_was_filled_in_is_found_by_its_indentation(lab):
    lines = (ROOT / f"solutions/{MODULES[lab]}.py").read_text(encoding="utf-8").splitlines()
    for task in tasks_of(lab):
        found = textwrap.dedent(function(lines, ALL_TASKS[task]["symbol"]))
        (tree,) = ast.parse(found).body
        assert tree.name == ALL_TASKS[task]["symbol"].rpartition(".")[2]
        assert ast.get_docstring(tree) is None and f"# BEGIN SOLUTION {task}" in found


@pytest.mark.parametrize(
    "handed_in",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"cells": 3}',
        b'{"cells": [3]}',
        b'{"cells": [{"source": 3, "metadata": 4}]}',
        b'{"cells": [{"metadata": {"nbgrader": []}}]}',
        b'{"worksheets": []}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"cells": [{"id": "training", "outputs": 7}, {"id": "training"}]}',
        b'{"cells": [{"id": "training", "outputs": [1, {}, {"data": 1}, {"data": {"image/png": [1]}}]}]}',
    ],
)
def test_what_is_no_notebook_leaves_the_released_one(released, handed_in):
    notebook = nbformat.read(released.released(LAB), as_version=4)
    assert rebuilt(notebook, cells_of(handed_in)) == notebook


def answers_of(released: Course, change) -> list[str]:
    """As a reader sees them."""
    notebook = nbformat.read(released.released(LAB), as_version=4)
    handed_in = json.loads(nbformat.writes(notebook))
    for cell in handed_in["cells"]:
        if cell.get("id", "").startswith("vae-q"):
            cell["source"] = ["Because\r\n", "of it."]
    change(handed_in)
    fresh = rebuilt(notebook, cells_of(json.dumps(handed_in).encode()))
    shown = [as_written(cell.source) for cell in fresh.cells if cell.id.startswith("vae-q")]
    return [re.sub("<[^>]+>", "", text).strip() for text in shown]


@pytest.mark.parametrize(
    "change",
    [
        lambda notebook: None,
        lambda notebook: [cell.update(id=f"new-{i}") for i, cell in enumerate(notebook["cells"])],
        lambda notebook: [cell.update(metadata={}) for cell in notebook["cells"]],
        lambda notebook: [(cell.pop("id"), cell.update(metadata={})) for cell in notebook["cells"]],
        lambda notebook: notebook["cells"].insert(3, {"cell_type": "raw", "source": "mine", "metadata": {}}),
        lambda notebook: notebook.update(cells=[c for c in notebook["cells"] if c["cell_type"] == "markdown"]),
    ],
    ids=["as released", "other ids", "no metadata", "neither", "a cell more", "code cells deleted"],
)
def test_written_answers_are_found_in_odd_notebooks(released, change):
    assert answers_of(released, change) == ["Because\nof it."] * 2


def test_an_answer_that_was_left_as_it_was_is_none(released):
    def left(notebook):
        for cell in notebook["cells"]:
            if cell.get("id", "").startswith("vae-q"):
                cell["source"] = [" Your answer.\n"]

    assert answers_of(released, left) == ["Your answer."] * 2


def test_the_size_of_a_picture_is_the_one_that_is_decoded(picture):
    """A second header that comes later counts: the first one may say anything."""
    raw = base64.b64decode(picture(4, 4))
    header = raw[8:33]  # length, type, 13 bytes, checksum
    large = header[:8] + struct.pack(">II", 9000, 9000) + header[16:21]
    large += struct.pack(">I", zlib.crc32(large[4:]))
    assert fresh_picture(base64.b64encode(raw[:33] + large + raw[33:]).decode()) is None


def test_a_picture_is_encoded_afresh_or_dropped(picture):
    assert "hidden" in str(base64.b64decode(picture(secret="hidden")))
    assert "hidden" not in str(base64.b64decode(fresh_picture(picture(secret="hidden"))))
    for bad in (picture(3000, 3000), picture()[:60], "no base64", "", base64.b64encode(b"GIF89a" + bytes(99)).decode()):
        assert fresh_picture(bad) is None


def test_a_picture_keeps_its_colours_and_lies_on_white():
    drawn = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    drawn.putpixel((1, 0), (0, 0, 0, 0))
    drawn.putpixel((2, 0), (0, 0, 0, 51))
    memory = io.BytesIO()
    drawn.save(memory, "PNG")
    fresh = base64.b64decode(fresh_picture(base64.b64encode(memory.getvalue()).decode()))
    with Image.open(io.BytesIO(fresh)) as image:
        assert image.mode == "RGB"
        assert [image.getpixel((x, 0)) for x in range(3)] == [(10, 20, 30), (255,) * 3, (204,) * 3]


@pytest.mark.parametrize(("clear", "mode"), [({}, "P"), ({"transparency": 1}, "RGB")], ids=["solid", "transparent"])
def test_a_picture_with_a_palette_keeps_it_and_nothing_that_was_hidden(clear, mode):
    """As the labs draw: with colours encoded one by one, grading a lab took twice as long."""
    drawn, memory, words = Image.new("P", (2, 1)), io.BytesIO(), PngInfo()
    drawn.putpalette([10, 20, 30, 40, 50, 60])
    drawn.putpixel((1, 0), 1)
    words.add_text("comment", "hidden words")
    drawn.save(memory, "PNG", pnginfo=words, icc_profile=b"hidden profile", dpi=(7, 7), **clear)
    memory.write(b"hidden end")
    fresh = base64.b64decode(fresh_picture(base64.b64encode(memory.getvalue()).decode()))
    with Image.open(io.BytesIO(fresh)) as image:
        assert (image.mode, image.info) == (mode, {})
        seen = [image.convert("RGB").getpixel((x, 0)) for x in range(2)]
    assert seen == [(10, 20, 30), (255,) * 3 if clear else (40, 50, 60)]
    assert b"hidden" not in fresh and b"iCCP" not in fresh


@pytest.mark.parametrize("run", COMMANDS, ids=lambda run: run.__name__)
def test_every_command_explains_itself(run, capsys):
    with pytest.raises(SystemExit) as ended:
        main([run.__name__.replace("_", "-"), "--help"])
    assert ended.value.code == 0 and run.__doc__[:30] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["release", "02_vea"], "did you mean 02_vae?"),
        (["collect", "02_vae", "nowhere"], "is not released"),
        (["autograde", "02_vae"], "is not released"),
        (["autograde", "02_vae", "--cluster", "tcp://nowhere:1"], "is not released"),
        (["feedback", "02_vae"], "is not released"),
        (["report", "02_vae"], "is not released"),
        (["gradescope", "02_vea"], "did you mean 02_vae?"),
        (["export"], "there is no gradebook"),
    ],
)
def test_a_mistake_at_the_keyboard_is_one_line_and_exit_code_2(words, says, capsys, tmp_path):
    assert main([*words, "--course", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--student", "dora"]])
def test_a_wrong_command_is_told_before_a_missing_jail(three, words, capsys, monkeypatch):
    """Whoever puts one right and then meets the other has been sent the wrong way."""
    monkeypatch.setattr(outside, "complaint", lambda: "there is none")
    if not words:
        shutil.rmtree(three.root / "submitted")
    assert main(["autograde", LAB, *words, "--course", str(three.root)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and ("there are anna, ben, cleo" if words else "no submissions of 02_vae") in said


def test_a_demo_in_a_full_folder_is_told_before_a_missing_jail(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(outside, "complaint", lambda: "there is none")
    (tmp_path / "mine.txt").touch()
    assert main(["demo", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "many", ""])
@pytest.mark.parametrize("option", ["--workers", "--seconds"])
def test_a_number_that_makes_no_sense_is_one_line_and_exit_code_2(option, value, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["autograde", LAB, f"{option}={value}"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1
    assert f"argument {option}: a whole number from 1 up is needed, not {value!r}" in said


def test_the_demo_gives_everybody_what_is_expected(tmp_path, notebooks, jail, forks):
    real = NOTEBOOKS if (NOTEBOOKS / f"{LAB}.ipynb").exists() else notebooks
    said = []
    assert demo(tmp_path / "demo", real, said.append, jail=jail) == 0, "\n".join(said)
    with pytest.raises(Mistake, match="not empty"):
        demo(tmp_path / "demo", real)


def test_what_is_not_installed_is_one_line(released):
    words = ["feedback", LAB, "--course", str(released.root)]
    code = f"import sys; sys.modules['nh3'] = None; from grading.__main__ import main; sys.exit(main({words}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "feedback: nh3 is not installed: run `pip install -r requirements.txt`\n"


def test_where_nothing_is_left_to_grade_neither_nbgrader_nor_torch_is_loaded(graded):
    program = (
        "import sys; from grading.__main__ import main; "
        f"code = main(['autograde', '02_vae', '--course', {str(graded.root)!r}]); "
        "sys.exit(code or any(name in sys.modules for name in ('nbgrader', 'nbformat', 'torch')))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "02_vae: 0 of 5 submissions graded, 5 were graded before.\n"), run.stderr


def test_a_gradebook_that_lost_grades_is_looked_at_though_all_files_say_graded(graded, tmp_path):
    course = Course(tmp_path / "course")
    shutil.copytree(graded.root, course.root)
    assert all_graded(course, "02_vae", None) and all_graded(course, "02_vae", "1")
    with course.gradebook() as gradebook:
        gradebook.remove_submission("02_vae", "1")
    assert all_graded(course, "02_vae", None) is None and all_graded(course, "02_vae", "2")
