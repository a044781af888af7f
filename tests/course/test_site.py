"""The course as a site, opened from disk: every page is there, no network is needed, and no solution is in it."""

import json
import re
import subprocess
import sys
from html import unescape

import pytest

from grading.content import knife
from grading.content.overlay import ROOT, blanks
from grading.content.reference_text import solution
from grading.content.tasks import LABS, MODULES

pytest.importorskip("furo", reason="Sphinx, myst-nb and furo are not installed: pip install -r docs/requirements.txt")
pytest.importorskip(
    "myst_nb", reason="Sphinx, myst-nb and furo are not installed: pip install -r docs/requirements.txt"
)

LOOKED_AT = ["index.html", "notebooks/02_vae.html", "docs/gallery.html", "INSTRUCTOR.html", "search.html?q=posterior"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built as `make site` does; a warning, such as a link that leads nowhere, is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", ".", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def words(page: str, but: str = "math|script") -> str:
    """What stands on it."""
    return unescape(re.sub(rf"<({but})\b.*?</\1>|<[^>]*>", "", page, flags=re.DOTALL))


def test_every_lab_and_every_page_for_people_is_there(pages):
    labs = {f"notebooks/{lab}.html" for lab in LABS}
    others = {f"docs/{name}.html" for name in ("gallery", "glossary", "full-size", "tasks", "teaching")}
    assert labs | others | {"index.html", "RESULTS.html", "INSTRUCTOR.html", "search.html"} <= pages.keys()
    start = pages["index.html"]
    assert all(f'href="{page}"' in start for page in labs | others)


def test_no_line_of_a_solution_is_in_it(site, pages):
    everything = "\n".join(map(words, pages.values())) + (site / "searchindex.js").read_text(encoding="utf-8")
    support = (path.read_text(encoding="utf-8") for path in (ROOT / "starter/support").rglob("*.py"))
    given = "\n".join([*blanks().values(), *support])
    for module in MODULES.values():
        source = solution(module).read_text(encoding="utf-8")
        for region in knife.regions(source).values():
            for line in map(str.strip, source.splitlines()[region]):
                assert len(line) < 12 or line in given or line not in everything, line
    assert "AUTOTEST" not in everything and not [path for path in site.rglob("*.py") if path.is_file()]


def test_code_is_folded_but_for_checks_and_its_output_is_shown(pages):
    page = pages["notebooks/02_vae.html"]
    assert page.count('<details class="admonition hide') > 30
    folded = "".join(re.findall(r'<details class="admonition hide.*?</details>', page, re.DOTALL))
    assert "torch.manual_seed" in words(folded) and 'check("vae-1")' not in words(folded)
    assert 'check("vae-1")' in words(page) and "vae-1 is right" in words(page)


def test_the_module_of_a_lab_is_named_and_not_linked(pages):
    for lab, module in MODULES.items():
        page = pages[f"notebooks/{lab}.html"]
        assert f"starter/{module}.py" in words(page) and not re.search(r'href="[^"]*\.py\b', page)


def test_every_formula_is_drawn(pages):
    for lab in LABS:
        notebook = json.loads((ROOT / f"notebooks/{lab}.ipynb").read_text(encoding="utf-8"))
        text = "".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        page = pages[f"notebooks/{lab}.html"]
        assert page.count('<div class="formula">') == text.count("$$") / 2
        assert not re.search(r"\$|\\[a-z]+", words(page, "math|script|pre|code"))


def test_every_picture_has_words(pages):
    for name, page in pages.items():
        assert [tag for tag in re.findall(r"<img[^>]*>", page) if not re.search(r'alt="[^"]{9,}', tag)] == [], name


@pytest.fixture(params=["light", "dark"])
def visited(request, browser):
    """A page without a network, and what it asked for beside its own files, or complained of."""
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900}, offline=True)
    context.set_default_timeout(120_000)
    page, trouble = context.new_page(), []
    page.on(
        "request", lambda asked: trouble.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None
    )
    page.on("requestfailed", lambda asked: trouble.append(asked.url))
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page, trouble
    context.close()


def test_from_disk_nothing_is_asked_of_anybody_and_nobody_is_barred(site, visited, barriers):
    page, trouble = visited
    for name in LOOKED_AT:
        page.goto(f"{site.as_uri()}/{name}")
        assert (name, barriers(page)) == (name, [])
    assert page.locator("#search-results a", has_text="Variational autoencoder").count()  # search works from disk, too
    page.goto(f"{site.as_uri()}/notebooks/02_vae.html")
    assert page.locator("math").first.bounding_box()["width"] > 5
    assert trouble == []


def test_the_theme_is_the_readers_choice(site, visited):
    page, _ = visited
    page.goto(f"{site.as_uri()}/index.html")
    seen = []
    for _ in range(3):  # as the system has it, then the two in turn
        seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.locator(".content-icon-container .theme-toggle").click()
    assert seen[0] != seen[1] != seen[2]


@pytest.mark.parametrize("width", [1024, 640])  # 640: as 1280 at 200 %
def test_a_narrow_window_scrolls_only_down(site, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name in LOOKED_AT:
        page.goto(f"{site.as_uri()}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.close()
