"""From text twins to notebooks: nbgrader's metadata, fixed ids, and what is refused."""

import json
import re

import nbformat
import pytest
from nbgrader.utils import is_grade, is_locked, is_solution

from grading.content import tasks
from grading.content.mistake import Mistake
from grading.content.overlay import ROOT
from grading.content.tasks import MODULES, tasks_of
from grading.maintain import notebooks
from starter.support import alt_text, features
from starter.support.full import previews

KERNEL = "#     display_name: Python 3\n#     language: python\n#     name: python3\n"
HEADER = f"# ---\n# jupyter:\n#   kernelspec:\n{KERNEL}# ---\n\n"
TASKS = tasks_of("02_vae")
QUESTIONS = [name for name, row in tasks.QUESTIONS.items() if row["lab"] == "02_vae"]
CHECKS = "".join(f'# %%\ncheck("{task}")  # a comment\n\n' for task in TASKS)
ANSWERS = "".join(f'# %% [markdown] answer="{name}"\n# Your answer.\n\n' for name in QUESTIONS)
SETUP = '# %% tags=["setup"]\nimport sys\nsys.path.append("..")\nfrom starter.support.checks import check\n\n'


def twin(tmp_path, *parts: str):
    path = tmp_path / "02_vae.py"
    path.write_text(HEADER + "".join(parts))
    return path


def test_graded_cells_get_points_from_the_table_and_their_line_for_plain_nbgrader(tmp_path):
    notebook = notebooks.read(twin(tmp_path, "# %% [markdown]\n# # 2 · VAE\n\n", SETUP, CHECKS, ANSWERS))
    cells = {cell.id: cell for cell in notebook.cells}
    for task in TASKS:
        assert cells[task].metadata.nbgrader.points == tasks.TASKS[task]["points"]
        assert is_grade(cells[task]) and is_locked(cells[task]) and not is_solution(cells[task])
        assert cells[task].source.splitlines()[-1] == f'### AUTOTEST probe("{task}", {notebooks.AUTOTEST_SEED})'
    for question in QUESTIONS:
        assert is_grade(cells[question]) and is_solution(cells[question]) and cells[question].cell_type == "markdown"
    assert cells["setup"].metadata.nbgrader.locked and not cells["setup"].metadata.nbgrader.grade
    assert "2-vae-0" in cells


def test_cell_ids_do_not_depend_on_the_text_of_a_cell(tmp_path):
    one = notebooks.read(twin(tmp_path, "# %% [markdown]\n# ## 2.1 A\n\n# %%\n1 + 1\n\n", SETUP, CHECKS, ANSWERS))
    two = notebooks.read(twin(tmp_path, "# %% [markdown]\n# ## 2.1 A\n\n# %%\n2 + 2\n\n", SETUP, CHECKS, ANSWERS))
    assert [cell.id for cell in one.cells] == [cell.id for cell in two.cells]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((SETUP, CHECKS.replace(TASKS[0], "vae-99"), ANSWERS), "vae-99 is not in tasks.toml"),
        ((SETUP, CHECKS, ANSWERS.replace(QUESTIONS[0], "vae-q99")), "vae-q99 is not in tasks.toml"),
        ((SETUP, CHECKS, ANSWERS.replace("Your answer.", "42", 1)), f"the cell of {QUESTIONS[0]} holds more .*: '42'"),
        ((SETUP, ANSWERS), f"02_vae.py lacks a cell for {', '.join(TASKS)}"),
        ((SETUP, CHECKS), f"02_vae.py lacks a cell for {', '.join(QUESTIONS)}"),
        ((SETUP, CHECKS, ANSWERS, '# %%\ncheck("ae-1")\n'), "has a cell for another lab's ae-1"),
        ((SETUP, CHECKS, CHECKS, ANSWERS), "uses a cell id twice:"),
    ],
)
def test_a_twin_that_does_not_fit_the_table_is_refused(tmp_path, parts, message):
    with pytest.raises(ValueError, match=message):
        notebooks.read(twin(tmp_path, *parts))


def test_nothing_is_written_when_a_cell_fails(tmp_path):
    text = twin(tmp_path, "# %%\n1 / 0\n\n", SETUP, CHECKS, ANSWERS)
    with pytest.raises(Mistake, match="02_vae.py: its cell top-0 fails on the reference: ZeroDivisionError: "):
        notebooks.build(text)
    assert not text.with_suffix(".ipynb").exists() and notebooks.stale(text)


def test_a_built_notebook_ran_on_the_reference_and_keeps_no_progress_bar(tmp_path):
    bar = 'print("  3%|#   \\r100%|####\\r", end="")\nprint("done")\n\n'
    text = twin(tmp_path, SETUP, CHECKS, f"# %% [markdown]\n# ## Bar\n\n# %%\n{bar}", ANSWERS)
    notebooks.build(text)
    assert not notebooks.stale(text)
    stored = {cell.id: cell for cell in nbformat.read(text.with_suffix(".ipynb"), as_version=4).cells}
    assert stored[TASKS[0]].outputs[0].text.startswith(f"{TASKS[0]} is right")
    assert stored["bar-1"].outputs[0].text == "done\n"
    text.write_text(text.read_text().replace("## Bar", "## Other"))
    assert notebooks.stale(text)


def test_new_words_need_no_run_and_new_code_does(tmp_path, monkeypatch):
    text = twin(tmp_path, SETUP, CHECKS, '# %% [markdown]\n# ## Bar\n\n# %%\nprint("done")\n\n', ANSWERS)
    assert not notebooks.reworded(text)
    notebooks.build(text)
    before = nbformat.read(text.with_suffix(".ipynb"), as_version=4)
    text.write_text(text.read_text().replace("# ## Bar", "# ## Other\n#\n# More."))
    assert notebooks.reworded(text) and not notebooks.stale(text)
    after = nbformat.read(text.with_suffix(".ipynb"), as_version=4)
    assert [cell.get("outputs") for cell in after.cells] == [cell.get("outputs") for cell in before.cells]
    assert any(cell.source == "## Other\n\nMore." for cell in after.cells)
    with monkeypatch.context() as changed:  # what draws the pictures
        changed.setattr(notebooks, "drawn_with", lambda text: "another")
        assert notebooks.stale(text) and not notebooks.reworded(text)
    text.write_text(text.read_text().replace("done", "over"))
    assert not notebooks.reworded(text) and notebooks.stale(text)


def test_what_a_notebook_shows_of_full_size_runs_is_part_of_its_mark(tmp_path, monkeypatch):
    for folder in (previews.FOLDER, previews.DRAWN_FOLDER, "results"):
        (tmp_path / folder).mkdir(parents=True)
    for name in notebooks.DRAWING:
        file = tmp_path / "starter/support" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    texts = {"preview": 'full.preview("a-b", "mnist")', "table": 'data.course() / "results"', "neither": "a-b results"}
    texts["all"] = "full.drawn()"
    for name, words in texts.items():
        (tmp_path / f"{name}.py").write_text(words)
    before = {name: notebooks.drawn_with(tmp_path / f"{name}.py") for name in texts}
    files = {f"{previews.FOLDER}/a-b-mnist.png": "preview", "results/a-b-mnist.json": "table"}
    for file, reader in (files | {f"{previews.DRAWN_FOLDER}/c-mnist.png": "all"}).items():
        (tmp_path / file).write_text(f'"{features.MNIST.score}": 3')
        now = {name: notebooks.drawn_with(tmp_path / f"{name}.py") for name in texts}
        assert [name for name in texts if now[name] != before[name]] == [reader]
        before = now
    (tmp_path / "results/d-mnist.json").write_text('"SSIM": 1')  # draws nothing of its own: the table has no such row
    assert before == {name: notebooks.drawn_with(tmp_path / f"{name}.py") for name in texts}


@pytest.mark.parametrize(
    ("key", "factor", "kept"), [("seconds", 2, True), ("bits", 1.0001, True), ("bits", 1.01, False), (None, 1, True)]
)
def test_a_run_is_written_again_only_when_its_numbers_changed(tmp_path, key, factor, kept):
    record = {"steps": 3, "seconds": 1.5, "scores": {"bits": 2.0}, "sampling_seconds": 0.1, "shape": [1, 8, 8]}
    for name, number in (("old", 1), ("new", factor)):
        (tmp_path / name / "digits").mkdir(parents=True)
        (tmp_path / name / "digits/vae.png").write_text(name)
        now = record | {"seconds": 1.5 * (number if key == "seconds" else 1)}
        now["scores"] = {"bits": 2.0 * (number if key == "bits" else 1)}
        (tmp_path / name / "digits/vae.json").write_text(json.dumps(now))
    notebooks.keep_changed(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old/digits/vae.png").read_text() == ("old" if kept else "new")
    assert (json.loads((tmp_path / "old/digits/vae.json").read_text())["scores"]["bits"] == 2.0) is kept


@pytest.mark.parametrize("text", notebooks.texts(), ids=lambda path: path.stem)
def test_every_picture_says_what_is_to_be_seen_and_every_axis_has_a_label(text):
    notebook = nbformat.read(text.with_suffix(".ipynb"), as_version=4)
    outputs = [(cell.id, output) for cell in notebook.cells for output in cell.get("outputs", [])]
    words = {
        f"{cell} {i}": output.metadata["image/png"]["alt"]
        for i, (cell, output) in enumerate(outputs)
        if "image/png" in output.get("data", {})
    }
    assert words
    assert not {place: alt for place, alt in words.items() if len(alt) < 12 or wrong(alt)}
    assert not {place: labels for place, alt in words.items() if (labels := unclear(alt))}


def wrong(alt: str) -> bool:
    """An axis without a label, TeX, a whole number with an exponent, a course that says nothing, or two alike.

    Or no word of what an image shows.
    """
    panels = [re.findall(r" (from -?\d\S* .*?)(?:; |$)", panel) for panel in re.split(r"\. (?!\d)", alt)]
    alike = any(len(set(courses)) < len(courses) for courses in panels)
    idle = re.search(r"from (-?\d\S*) to \1(?!\S)", re.sub("[;,] |\\. ", " ", alt))
    bare = re.search(r"(?:^|[.;] )(?:images?|a map)(?=[.;]|$)", alt, re.IGNORECASE)
    return bool(alike or idle or bare or alt_text.NO_LABEL in alt or re.search(r"\\|\de\+0", alt))


UNIT = re.compile(r"%|\b(nats?|bits?|pixels?|(micro)?seconds|standard deviations|codes in use)\b")
WITHOUT = """
    step steps epoch round moves calls draws rows image images batch layer class digits numbers units modes
    latent latents feature features coupling K direction widest logit score says weight weights temperature
    x x_1 x_2 z z_1 z_2 u w·u w·z a c t f(x) g(z) θ μ σ β β_t A_j log_var log10
    FID KID SSIM IS MIG precision recall share density probability slope penalty distance velocity error value
""".split()


def unclear(alt: str) -> list[str]:
    """Labels of axes that name no unit, nor anything that has none; or two things, one for each of two panels."""
    labels = re.findall(r"(?<=[.;] )(?:across|up): (.+?)(?=; up: |\. (?!\d)|$)", f". {alt}")
    quantities = [re.sub(r"(, |^)-?[\d.]+ to -?[\d.]+$", "", label) for label in labels]  # of a map, how far it reaches
    known = [UNIT.search(name) or set(re.findall(r"[^\s,;]+", name)) & {*WITHOUT} for name in quantities]
    shared = [re.search(r"\bor\b|\bon the (left|right)\b", name) for name in quantities]
    return [name for name, one, two in zip(quantities, known, shared) if name and (two or not one)]


@pytest.mark.parametrize(
    ("alt", "labels"),
    [
        ("Loss. a from 1 to 2; across: step; up: nats per image", []),
        ("Field. highest at (0, 1); across: x_1, -3 to 3; up: x_2 (standard deviations), -3 to 3", []),
        ("Density. highest at (0, 1). across: -5 to 5; up: -5 to 5", []),
        ("Share. across: step; up: accuracy, %. b from 1 to 2; across: rows in; up: JS in nats; W_1", []),
        ("A net: noise z to up: 4×4, 64 channels to up: 8×8", []),
        ("Loss. a from 1 to 2; across: step; up: loss at target 1. b at 3; across: t; up: nats", ["loss at target 1"]),
        ("Rate. across: rate R; up: generator of GAN (lab 7)", ["rate R", "generator of GAN (lab 7)"]),
        ("KL. across: μ, or σ; up: nats", ["μ, or σ"]),
        ("Growth. across: step; on the right, coupling; up: nats", ["step; on the right, coupling"]),
    ],
)
def test_a_label_names_a_unit_or_something_that_has_none(alt, labels):
    assert unclear(alt) == labels


@pytest.mark.parametrize(
    ("alt", "is_wrong"),
    [
        ("Cost. a from 4.5 down to 0.5 at x = 0, up to 4.5; b from 1 to 2; across: μ; up: nats", False),
        ("Cost. a from 1 to 60, half way at x = 3; b from 1 to 60, half way at x = 5", False),
        ("a; from 16 numbers from 1 to 2. b; from 16 numbers from 1 to 2", False),
        ("Cost. a from 1 to 60; b from 1 to 60; across: x", True),
        ("Cost. a line from 4.5 to 4.5; across: μ, or σ", True),
        ("Cost. a from 4.5 to 4.52; across: μ, or σ", False),
        ("Loss; 2 \\log 2. a at 3", True),
        ("Numbers. 16×8×8 1.02e+03, code 16", True),
        (f"Two maps. across: {alt_text.NO_LABEL}", True),
        ("DCGAN: FID 1.8. Images", True),
        ("Images; rows: x, from 16 numbers", True),
        ("Density. A map; across: x_1, -3 to 3", True),
        ("Digits. 60 images in 5 rows of 12, 28×28 pixels each; each column walks", False),
        ("Density. U_1; a map from 0 to 0.4, highest at (0, 2). across: x_1, -3 to 3; up: x_2, -3 to 3", False),
    ],
)
def test_words_that_say_nothing_are_wrong(alt, is_wrong):
    assert wrong(alt) is is_wrong


def test_a_new_run_is_kept(tmp_path):
    for file in ("vae.json", "vae.png"):
        (tmp_path / "new/digits16").mkdir(parents=True, exist_ok=True)
        (tmp_path / "new/digits16" / file).write_text("{}")
    notebooks.keep_changed(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old/digits16/vae.png").exists() and (tmp_path / "old/digits16/vae.json").exists()


@pytest.mark.parametrize("lab", MODULES)
def test_a_labs_first_cell_links_the_module_that_is_filled(lab):
    head = nbformat.read(notebooks.FOLDER / f"{lab}.ipynb", as_version=4).cells[0].source
    (link,) = re.findall(r"\[starter/\w+\.py\]\((.+?)\)", head)
    assert (notebooks.FOLDER / link).resolve() == ROOT / f"starter/{MODULES[lab]}.py"


def test_labs_open_with_pictures_that_lie_beside_them():
    texts = [path.read_text(encoding="utf-8") for path in notebooks.FOLDER.glob("*.py")]
    named = {previews.file(*match) for text in texts for match in re.findall(r'full\.preview\("(.+)", "(.+)"\)', text)}
    described = {previews.file(recipe, "mnist") for recipe in previews.SEEN}
    assert named == set((ROOT / previews.FOLDER).iterdir()) == described


@pytest.mark.parametrize("text", notebooks.texts(), ids=lambda path: path.stem)
def test_two_cells_of_a_lab_ask_to_change_a_number(text):
    cells, asked = notebooks.read(text).cells, []
    for before, cell in zip(cells, cells[1:]):
        for name, value, others in re.findall(r"^(\w+) = (\S+)  # try (.+)$", cell.source, re.MULTILINE):
            words = before.source.rpartition("**Change a number.**")[2]
            assert f"`{name}`" in words and before.source != words and "?" in words, f"{cell.id}: {name}"
            tries = [float(other.replace("_", "").replace(",", "")) for other in others.split(", ")]
            assert 2 <= len(tries) <= 4 and float(value.replace("_", "")) not in tries
            asked.append(name)
    assert len(asked) == 2 and sum(cell.source.count("**Change a number.**") for cell in cells) == 2


def test_every_family_has_drawn():
    drawn = {path.stem.removesuffix("-mnist") for path in (ROOT / previews.DRAWN_FOLDER).iterdir()}
    assert drawn == set(previews.FAMILIES.values())


def test_the_comparison_runs_on_data_of_which_it_has_no_runs_at_one_price():
    run = notebooks.executed(notebooks.FOLDER / "11_comparison.py", DATA="digits16")
    assert "As the labs trained them, on digits16" in json.dumps([cell.get("outputs", []) for cell in run.cells])
