"""A stranger's Markdown as HTML that does nothing and loads nothing: text, lists, tables, code, formulas, pictures.

Links and addresses become text, formulas become MathML, which browsers draw without a script. Raw HTML is shown as it
was typed. Then nh3 removes whatever is not on the lists below, whoever put it there.
"""

import re
from html import escape
from typing import Any
from urllib.parse import unquote

import nh3
from math_core import LatexError, LatexToMathML
from mistune import HTMLRenderer, import_plugin
from mistune.util import striptags, unescape
from nbconvert.filters.markdown_mistune import MarkdownWithMath, MathBlockParser, MathInlineParser

from ..content.harmless_text import line, plain, visible

LIMIT, ADDRESS = 20_000, 300  # characters at most: of a text, of an address
FORMULA = 2_000  # characters of one, at most: the converter's stack is safe to a nesting of 3,000
DEFINES = re.compile(r"\\(g?def|let|(re)?newcommand|providecommand)(?![A-Za-z])")  # a way to nest deeper
PICTURE = ("data:image/png;base64,", "data:image/jpeg;base64,")
INVISIBLE = "\u2061\u2062\u2063\u2064"  # between a function and its argument, and the like: MathML's own
OPEN, CLOSE = '<div class="tex2jax_ignore" style="overflow:auto">', "</div>"  # no MathJax inside, nothing sticks out

TEXT = set("p br hr h3 h4 h5 h6 strong em del code pre blockquote ul ol li table thead tbody tr th td div".split())
MATH = set(
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot mstyle mpadded mphantom msub msup msubsup mover munder "
    "munderover mmultiscripts mprescripts mtable mtr mtd menclose semantics annotation".split()
)
LOOKS = set(  # attributes of MathML
    "display displaystyle scriptlevel stretchy symmetric largeop movablelimits fence separator form lspace rspace "
    "minsize maxsize width height depth voffset linethickness accent accentunder mathvariant notation style".split()
)
STYLES = set("text-align justify-items color width margin-left padding-left padding-right overflow".split()) | {
    f"border-{side}" for side in ("top", "right", "bottom", "left")
}
ATTRIBUTES = {tag: LOOKS for tag in MATH} | {"img": {"src", "alt"}, "ol": {"start"}, "div": {"style"}}
CLEANER = nh3.Cleaner(
    tags=TEXT | MATH | {"img"},
    attributes=ATTRIBUTES | {tag: {"style"} for tag in ("th", "td")},
    attribute_filter=lambda tag, name, value: value if name != "src" or value.startswith(PICTURE) else None,
    allowed_classes={"div": {"tex2jax_ignore"}},
    filter_style_properties=STYLES,
    url_schemes={"data"},
)
LATEX = LatexToMathML(fancy_error=False, annotation=True)  # with its TeX, which JupyterLab shows: it draws no MathML


def bounded(rules: dict[str, str]) -> dict[str, str]:
    """Nobody's formula is longer: a thousand that only begin must not each be looked for to the end of the text."""
    return {name: rule.replace(".*?", f".{{0,{FORMULA}}}?") for name, rule in rules.items() if isinstance(rule, str)}


class Blocks(MathBlockParser):
    SPECIFICATION = MathBlockParser.SPECIFICATION | bounded({"multiline_math": MathBlockParser.MULTILINE_MATH})


class Inline(MathInlineParser):
    SPECIFICATION = MathInlineParser.SPECIFICATION | bounded(
        {name: rule for name, rule in MathInlineParser.SPECIFICATION.items() if "math" in name or "latex" in name}
    )


class Inert(HTMLRenderer):
    """HTML without anything to click, to load or to run.

    Args:
        pictures: the data URI of each attachment, by its name.
    """

    def __init__(self, pictures: dict[str, str]) -> None:
        super().__init__(escape=True)
        self.pictures = pictures

    def text(self, text: str) -> str:
        return escape(plain(unescape(text), LIMIT))

    def link(self, text: str, url: str, title: str | None = None) -> str:
        shown = address(url)
        return shown if bare(text) == unquote(url) else f"{text} ({shown})"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        name, alt = unquote(url).removeprefix("attachment:"), escape(bare(text))
        if url.startswith("attachment:") and name in self.pictures:
            return f'<img alt="{alt}" src="{self.pictures[name]}">'
        return f"[picture not shown: {alt} ({address(url)})]"

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        return super().heading(text, min(level + 2, 6))  # below those of the page

    def inline_math(self, tex: str) -> str:
        return formula(tex, f"${tex}$", display=False)

    def block_math(self, tex: str) -> str:
        return formula(tex, f"$${tex}$$", display=True)

    def latex_environment(self, name: str, body: str) -> str:
        source = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return formula(source, source, display=True)


def bare(html: str) -> str:
    return unescape(striptags(html))


def address(url: str) -> str:
    return f"<code>{escape(line(unquote(url), ADDRESS))}</code>"


def formula(tex: str, source: str, display: bool) -> str:
    """As MathML; what cannot be read as a formula stays what was typed."""
    if len(tex) <= FORMULA and not DEFINES.search(tex):
        try:
            return LATEX.convert_with_local_state(tex, displaystyle=display)
        except LatexError:
            pass
    return f"<code>{escape(source)}</code>"


def rendered(text: str, pictures: dict[str, str] | None = None) -> str:
    """Safe to put into any page, whoever wrote the text. Never fails."""
    text = plain(text, LIMIT)
    try:
        plugins = map(import_plugin, ("strikethrough", "table"))
        html = MarkdownWithMath(Inert(pictures or {}), Blocks(), Inline(), plugins).render(text)
    except Exception:  # thousands of brackets in each other, and whatever else a parser stumbles over
        html = f"<pre>{escape(text)}</pre>"
    return cleaned(html)


def cleaned(html: str) -> str:
    return visible(CLEANER.clean(html), but=INVISIBLE)


def code(text: str) -> str:
    """A stranger's code as a part of a Markdown cell: shown as it was typed."""
    return as_cell(cleaned(f"<pre>{escape(text)}</pre>"))


def as_cell(html: str) -> str:
    """The same as the source of a Markdown cell: one block of HTML, in which no viewer finds Markdown or TeX."""
    for mark in "\n$\\`":
        html = html.replace(mark, f"&#{ord(mark)};")
    return f"{OPEN}{html}{CLOSE}"
