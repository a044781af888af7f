"""The course as a site, by Sphinx: `make site`. Nothing is executed, and no page asks anybody for anything."""

import json
import posixpath
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP))
from starter.support import course, desk  # noqa: E402

LABS = [f"notebooks/{name}" for name in course.labs()]
PARTS = {
    "Start": ["docs/installing"],
    "Labs": LABS,
    "Beyond the labs": ["docs/gallery", "docs/full-size", "RESULTS", "docs/glossary", "docs/tasks"],
    "Teaching": ["INSTRUCTOR", "docs/teaching"],
    "The course itself": ["ARCHITECTURE", "CONTRIBUTING", "datasets/README", "docs/measured", "CHANGELOG"],
}

project, author = "Deep generative models, hands on", "The course authors"
extensions = ["myst_nb"]
root_doc = "README"
include_patterns = [f"{page}.*" for pages in ([root_doc], *PARTS.values()) for page in pages]
exclude_patterns = ["**/*.py", ".venv", "datasets/cache", "runs", "course", "work", "site", "tests"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

nb_execution_mode, nb_merge_streams = "off", True
nb_code_prompt_show, nb_code_prompt_hide = "Code", "Hide the code"
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

html_theme, html_title = "furo", project
html_static_path, html_css_files = ["site.css"], ["site.css"]
html_math_renderer = "mathml"
html_copy_source = html_show_sourcelink = html_show_sphinx = html_show_copyright = html_use_index = False
html_show_search_summary = False  # excerpts are fetched, which a page that is opened from disk may not do
smartquotes = False

SPOKEN = {  # what the theme leaves out for those who hear a page, or use it by keys
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    '<div id="search-results">': '<h1>Search</h1><div id="search-results">',
}
MATHML = LatexToMathML(fancy_error=False)


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Change what the repository's pages and notebooks say into what the site shows."""
    if page in LABS:
        source[0] = json.dumps(as_shown(json.loads(source[0])))
        return
    folder = posixpath.dirname(page)

    def linked(link: re.Match[str]) -> str:
        """A file that is no page of the site is only named."""
        target = posixpath.normpath(posixpath.join(folder, link[2].partition("#")[0]))
        return link[0] if posixpath.splitext(target)[0] in app.project.docnames else link[1]

    source[0] = re.sub(r"(?<!!)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)", linked, source[0])
    if page == root_doc:
        lists = ["\n".join(pages) for pages in PARTS.values()]
        source[0] += "".join(
            f"\n```{{toctree}}\n:caption: {part}\n:hidden:\n{pages}\n```\n" for part, pages in zip(PARTS, lists)
        )


def as_shown(book: dict) -> dict:
    """Code is folded but for checks, pictures have their words, and lines for plain nbgrader are left out.

    The module that a lab fills is no page: it is only named.
    """
    for cell in (cell for cell in book["cells"] if cell["cell_type"] == "markdown"):
        cell["source"] = re.sub(r"\[([^\]]*)\]\(\.\./starter/[^)]*\)", r"\1", "".join(cell["source"]))
    for cell in (cell for cell in book["cells"] if cell["cell_type"] == "code"):
        lines = "".join(cell["source"]).splitlines()
        cell["source"] = "\n".join(line for line in lines if not line.startswith(desk.GRADED))
        if not cell["source"].startswith("check("):
            cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "hide-input"]
        pictures = [output for output in cell["outputs"] if "image/png" in output.get("data", {})]
        for picture in pictures[:1]:
            cell["metadata"]["mystnb"] = {"image": {"alt": picture["metadata"]["image/png"]["alt"]}}
    return book


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(MATHML.convert_with_local_state(node.astext(), displaystyle=False))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    formula = MATHML.convert_with_local_state(node.astext(), displaystyle=True)
    translator.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def finish(app: Sphinx, failed: Exception | None) -> None:
    """Pages are told apart by who hears them only, and a site begins at index.html."""
    if failed:
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for before, after in SPOKEN.items():
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", read)
    app.connect("build-finished", finish)
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
