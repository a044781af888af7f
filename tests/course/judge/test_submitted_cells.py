"""What is taken from a notebook that a stranger wrote: never more than a person makes, and never nothing in silence."""

import json

import pytest

from grading.judge import submitted_cells
from grading.judge.submitted_cells import cells_of, complaint

ONE = b'{"cells": [{"id": "a", "source": ["x = 1\\n", "y"], "metadata": {"nbgrader": {"grade_id": "q"}}}]}'
UNREADABLE = {
    "of no bytes": (b"", "it is empty"),
    "half": (ONE[:40], "not JSON from line 1 on"),
    "with a conflict": (ONE.replace(b'"a",', b'"a",\n<<<<<<< HEAD\n'), "marks of a merge conflict"),
    "of words": (b"I could not do it.", "not JSON"),
    "that is a module": (b"import torch\n\n\ndef elbo():\n    pass\n", "not JSON from line 1 on"),
    "null": (b"null", "JSON without cells"),
    "a list": (b"[]", "JSON without cells"),
    "without cells": (b'{"cells": []}', "JSON without cells"),
    "of texts": (b'{"cells": ["a", "b"]}', "JSON without cells"),
    "200,000 deep": (b"[" * 200_000, "nested too deep"),
    "of a long number": (b'{"cells": ' + b"9" * 9_000 + b"}", "number that is too long"),
    "of bytes": (b"\x89PNG\xff\xfe\xfd", "it is no text"),
    "of another age": (b'{"worksheets": [{"cells": []}]}', "old format"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_notebook_says_why_it_cannot_be_read(kind):
    notebook, says = UNREADABLE[kind]
    assert says in complaint(notebook) and "\n" not in complaint(notebook)
    assert cells_of(notebook) == []


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_notebook_is_read_in_whatever_unicode_it_is_written(coding):
    text = ONE.decode().replace("x = 1", '∀∢ Zoë 🎉 \\\\ \\" x')
    (cell,) = cells_of(text.encode(coding))
    assert complaint(text.encode(coding)) == ""
    assert cell["source"] == '∀∢ Zoë 🎉 \\ " x\ny' and cell["grade_id"] == "q"


def test_cells_are_counted_before_they_are_built(monkeypatch):
    """A packed kilobyte may be millions of cells, each of them a hundred times as large in memory."""
    monkeypatch.setattr(submitted_cells.json, "loads", lambda text: pytest.fail("it was built"))
    assert "more than 500,000 values" in complaint(b'{"cells": [' + b"{}," * 300_000 + b"{}]}")


def test_separators_within_a_text_are_no_values():
    numbers = ", ".join(["[0.1, {0.2}: 0.3]"] * 150_000)  # an output of 600,000 numbers, in one text
    (cell,) = cells_of(json.dumps({"cells": [{"source": "x", "outputs": [{"text": f'"{numbers}\\'}]}]}).encode())
    assert cell["outputs"][0]["text"].startswith('"[0.1, {0.2}: 0.3]')


def test_a_notebook_has_at_most_so_many_cells_and_a_cell_so_many_characters():
    assert "more than 2,000 cells" in complaint(b'{"cells": [' + b"{}," * 2_000 + b"{}]}")
    long = json.dumps({"cells": [{"source": "a" * 30_000}] * 2}).encode()
    assert [len(cell["source"]) for cell in cells_of(long)] == [25_000] * 2


@pytest.mark.parametrize(
    "odd",
    [{"metadata": None}, {"metadata": {"nbgrader": []}}, {"source": [["x"]]}, {"source": 7}, {"outputs": {"a": 1}}]
    + [{"outputs": [None, 1, {"data": []}]}, {"id": {}}],
)
def test_an_odd_cell_costs_no_other(odd):
    notebook = json.dumps({"cells": [odd, {"source": "mine"}]}).encode()
    assert cells_of(notebook)[1]["source"] == "mine" and complaint(notebook) == ""
