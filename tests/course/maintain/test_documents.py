"""Pages for people: what they name is there."""

import re
from pathlib import Path

import pytest

from grading.__main__ import COMMANDS
from grading.content.overlay import ROOT

PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("datasets/*.md")])
FOLDERS = ("grading", "starter", "solutions", "notebooks", "tests", "datasets", "docs")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_path_in_a_page_is_one_of_the_repository(page):
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./]*)`", page.read_text(encoding="utf-8"))
    made = ("datasets/cache", "starter/.tries.json")  # not in the repository, but there after use
    assert [path for path in named if not path.startswith(made) and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_in_a_page_is_one(page):
    text = page.read_text(encoding="utf-8")
    known = {run.__name__.replace("_", "-") for run in COMMANDS}
    assert set(re.findall(r"python -m grading ([a-z-]+)", text)) <= known
    targets = set(re.findall(r"^([a-z-]+):", Path(ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= targets
