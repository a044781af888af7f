"""The knife and the overlay: the only ways in which a learner's text comes to be."""

import re

import nbformat
import pytest
from nbgrader.preprocessors import ClearSolutions

from grading.content import known_answers
from grading.content.knife import cut, regions, stub
from grading.content.overlay import blanks, overlay


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# BEGIN SOLUTION a\nx\n# BEGIN SOLUTION b\n", "line 3: b begins inside a"),
        ("# END SOLUTION\n", "line 1: END SOLUTION without"),
        ("x\n# BEGIN SOLUTION a\n", "line 2: a is never closed"),
        ("x = 1  # BEGIN SOLUTION a\n", "line 1: not a marker"),
        ("#BEGIN SOLUTION a\n", "line 1: not a marker"),
        ("### BEGIN SOLUTION\n", "line 1: not a marker"),
        ("# begin solution a\n", "line 1: not a marker"),
        ("# BEGIN SOLUTION a\nx\n# END SOLUTION\n# BEGIN SOLUTION a\nx\n# END SOLUTION\n", "line 4: a begins twice"),
        ("# BEGIN SOLUTION a\n# END SOLUTION\n", "line 2: a is empty"),
        ("# BEGIN SOLUTION a\nx\n# END SOLUTION a\n", "line 3: not a marker"),
    ],
)
def test_the_knife_refuses_what_it_does_not_know(source, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cut(source)


def test_a_region_becomes_one_line_at_its_indent_and_all_else_stays():
    region = "    # BEGIN SOLUTION a-1\n    y = x\n    return y / 2\n    # END SOLUTION\n"
    source = f"def f(x):\n    # TODO a-1: halve\n{region}\n\nz = 1\n"
    assert cut(source) == f"def f(x):\n    # TODO a-1: halve\n    {stub('a-1')}\n\n\nz = 1\n"


def test_the_knife_cuts_where_nbgrader_cuts():
    """ClearSolutions is the oracle: the lines outside the regions are the same."""
    source = known_answers.solution("vae").read_text()
    theirs = nbformat.v4.new_code_cell(re.sub(r"# (BEGIN|END) SOLUTION.*", r"### \1 SOLUTION", source))
    theirs.metadata["nbgrader"] = {"solution": True, "grade": False, "locked": False, "schema_version": 3}
    cleared, _ = ClearSolutions().preprocess_cell(theirs, {"language": "python"}, 0)
    stubs = [stub(task) for task in regions(source)]
    ours = [line for line in cut(source).splitlines() if line.strip() not in stubs]
    kept = [
        line
        for line in cleared.source.splitlines()
        if "YOUR CODE HERE" not in line and "NotImplementedError" not in line
    ]
    assert ours == kept


@pytest.mark.parametrize("path", blanks(), ids=lambda path: path.name)
def test_no_answer_survives_the_cut(path):
    """No line of a region that the text outside the regions does not have."""
    source, text = known_answers.solution(path.stem).read_text(), blanks()[path]
    for task, region in regions(source).items():
        lines = map(str.strip, source.splitlines()[region])
        secret = {line for line in lines if len(line) > 12 and not line.startswith(("with torch.", "for "))}
        assert secret and not secret & {line.strip() for line in text.splitlines()}, task


def test_the_overlay_is_the_reference_with_one_module_replaced(tmp_path):
    overlay(tmp_path, {"vae": "mine = 1\n"})
    assert (tmp_path / "starter/vae.py").read_text() == "mine = 1\n"
    assert (tmp_path / "starter/autoencoder.py").read_text() == known_answers.solution("autoencoder").read_text()
    assert (tmp_path / "starter/support/checks.py").exists()


def test_a_graded_overlay_holds_no_other_lab(tmp_path):
    overlay(tmp_path, {"autoencoder": "mine = 1\n"}, only={"autoencoder"})
    assert sorted(path.name for path in (tmp_path / "starter").glob("[!_]*.py")) == ["autoencoder.py"]
