"""A learner's way through a lab in JupyterLab, by keyboard alone: one journey, of which each test tells a fact."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from grading.content.knife import regions, stub
from grading.content.overlay import ROOT, overlay
from grading.content.reference_text import solution
from grading.content.tasks import LABS, tasks_of

EXTENSION = ROOT / "starter/support/jupyter/labextensions/course-notebooks"
LAB, TASK, NEXT = "02_vae", "vae-1", "03_beta_vae"
ANSWERS = ("vae-q1", "vae-q2")
RIGHT, WRONG = "    return mu + (0.5 * log_var).exp() * eps", "    return mu + log_var * eps"
SLIDER = """widgets.explore_latent(lambda z: z[:, :1, None, None].expand(-1, 1, 8, 8).sigmoid(), torch.zeros(2))"""
RUN = """train = data.load()
model = vae.VAE(nets.mlp_encoder(train.shape, (8,), 4), nets.mlp_decoder(2, (8,), train.shape))
training.fit(model, train, steps=2, run="vae")
runs.measure("vae", train, lambda n: vae.sample_prior(model.decoder, torch.randn(n, 2)))"""
PANEL = "jupyterapp.shell.currentWidget"
OPEN = f"{PANEL}?.context?.path === '{{path}}' && {PANEL}.context.isReady"
FOCUS = "css => Boolean(document.activeElement?.matches(css))"
CHOSEN = "label => document.querySelector('.lm-CommandPalette-item.lm-mod-active')?.innerText.includes(label)"
IDLE = f"{PANEL}?.sessionContext?.session?.kernel?.status === 'idle' && {PANEL}.node.contains(document.activeElement)"
ACTIVE = f"{PANEL}.content.activeCell.model.id"
IN_SIGHT = f"""id => {{
  if ({ACTIVE} !== id) return false;
  const box = {PANEL}.content.activeCell.node.getBoundingClientRect();
  const around = {PANEL}.node.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
  return box.top >= around.top && box.bottom <= around.bottom;
}}"""
SAID = f"""id => {PANEL}.content.widgets.find(cell => cell.model.id === id).outputArea.node.innerText.trim()"""
COUNTS = (
    f"""() => Object.fromEntries({PANEL}.content.widgets.map(cell => [cell.model.id, cell.model.executionCount]))"""
)
RAN = f"""([id, before]) => {{
  const {{executionCount, executionState}} = {PANEL}.content.widgets.find(cell => cell.model.id === id).model;
  return executionCount && executionCount !== before && executionState === 'idle';
}}"""
FRAMED = f"""() => Object.fromEntries({PANEL}.content.widgets
  .map(cell => [cell.model.id, getComputedStyle(cell.node).borderLeftWidth]).filter(([, width]) => width !== '0px'))"""
VISIBLE = """() => Object.fromEntries([...jupyterapp.shell.widgets('main')].filter(widget => widget.isVisible)
  .map(widget => [widget.context.path, widget.node.getBoundingClientRect().left]))"""
TOO_WIDE = """() => [...document.querySelectorAll('.jp-OutputArea-output img')]
  .filter(image => image.getBoundingClientRect().width > image.closest('.jp-OutputArea').clientWidth + 1).length"""


def notebook() -> nbformat.NotebookNode:
    """The real lab's beginning and end; between them little training, and a slider."""
    book = nbformat.read(ROOT / f"notebooks/{LAB}.ipynb", as_version=4)
    ids = [cell.id for cell in book.cells]
    end = next(i for i, cell in enumerate(book.cells) if cell.source.startswith("guesses.summary("))
    between = [new_code_cell(SLIDER, id="slider"), new_code_cell(RUN, id="run")]
    book.cells[end].id = "end"
    answers = [cell for cell in book.cells if cell.id in ANSWERS]
    book.cells = [*book.cells[: ids.index("vae-2") + 2], *between, *answers, *book.cells[end:]]
    return book


def module(body: str) -> str:
    """Everything of the lab's module but one task."""
    source = solution("vae").read_text(encoding="utf-8")
    lines = source.splitlines()
    lines[regions(source)[TASK]] = [body]
    return "\n".join(line for line in lines if "SOLUTION" not in line) + "\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a server that a learner has started in a course with one blank, and the course's folder."""
    top = overlay(tmp_path_factory.mktemp("learner"), {"vae": module("    " + stub(TASK))})
    (top / "notebooks").mkdir()
    for lab in LABS:
        book = notebook() if lab == LAB else nbformat.read(ROOT / f"notebooks/{lab}.ipynb", as_version=4)
        nbformat.write(book, top / f"notebooks/{lab}.ipynb")
    tools = ("JUPYTER", "IPYTHON", "PYTHONPATH", "TQDM_DISABLE", "WIDGETS", "RUNS", "MAX_STEPS", "DATA")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(tools)}
    environment |= {f"JUPYTER_{kind}_DIR": str(top / f"jupyter-{kind}") for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment |= {"IPYTHONDIR": str(top / "ipython"), "JUPYTER_TOKEN": secrets.token_hex()}
    options = ["--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--LabApp.expose_app_in_browser=True"]
    command = [sys.executable, "-m", "starter", "lab", *options]
    with (top / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=top, env=environment, stdout=log, stderr=log, start_new_session=os.name == "posix"
        )
    try:
        yield SimpleNamespace(url=f"{started(server, top)}?token={environment['JUPYTER_TOKEN']}", top=top)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def started(server: subprocess.Popen, top) -> str:
    """The address, as soon as it can be asked."""
    while server.poll() is None:
        for path in top.glob("jupyter-RUNTIME/jpserver-*.json"):
            if (text := path.read_text()).endswith("}"):
                return json.loads(text)["url"]
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: {(top / 'log').read_text()[-2000:]}")


class Learner:
    """Her page, and what she does on it."""

    def __init__(self, page) -> None:
        self.page, self.asked = page, []
        page.on("request", lambda request: self.asked.append(request.url))

    def wait(self, condition: str, of=None) -> None:
        self.until(condition, lambda: None, of)

    def keys(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)

    def until(self, condition: str, do: Callable[[], object], of=None, patience: int = 15) -> None:
        """Again until it is seen: a page that is still busy loses keys, and she would press them again."""
        for tick in range(900):
            if tick % patience == 0:
                do()
            if self.page.evaluate(condition, of):
                return
            self.page.wait_for_timeout(200)
        at = self.page.evaluate("document.activeElement?.outerHTML.slice(0, 200)")
        pytest.fail(f"never seen: {condition}; focus: {at}; page: {self.page.inner_text('body')[:500]}")

    def tab_to(self, css: str) -> bool:
        """Is it reached by the Tab key?"""
        for _ in range(200):
            if self.page.evaluate(FOCUS, css):
                return True
            self.keys("Tab")
        return False

    def command(self, label: str) -> None:
        """By the command palette."""
        palette = "#command-palette input"

        def ask() -> None:
            self.keys("Control+Shift+c")
            self.page.wait_for_timeout(200)
            if self.page.locator(f"{palette}:focus").count():
                self.keys("Control+a")
                self.page.keyboard.type(label)

        self.until(CHOSEN, ask, label)
        # Twice would be two runs, and what is left of the second when the first one fails selects the last cell.
        self.until(f"css => !({FOCUS})(css)", lambda: self.keys("Enter"), palette, patience=150)

    def run_all(self, last: str) -> None:
        """Until a cell has run that is the last to do so."""
        before = self.page.evaluate(COUNTS)[last]
        self.command("Run All Cells")
        self.wait(RAN, [last, before])

    def check(self) -> str:
        """Run the cell that is selected, and what it then says."""
        before = self.page.evaluate(COUNTS)[TASK]
        self.keys("Escape", "Control+Enter")
        self.wait(RAN, [TASK, before])
        return self.page.evaluate(SAID, TASK)

    def show(self, path: str) -> None:
        """Her other window. (The palette would give its focus back to the one that it left.)"""
        self.until(OPEN.format(path=path), lambda: self.keys("Control+Shift+Period"))

    def wait_for(self, path: str) -> None:
        self.wait(OPEN.format(path=path))

    def open_notebook(self) -> None:
        self.show(f"{LAB}.ipynb")
        self.wait(IDLE)

    def write(self, text: str) -> None:
        """Into the editor beside the notebook, and back to the check."""
        self.show("starter/vae.py")
        self.wait(FOCUS, ".jp-FileEditor .cm-content")
        self.keys("Control+a")
        self.page.keyboard.insert_text(text)
        self.keys("Control+s")
        self.wait(f"!{PANEL}.context.model.dirty")
        self.open_notebook()


@pytest.fixture(scope="module")
def seen(browser, address, barriers):
    """What the learner meets, in the order of meeting it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(180_000)  # of a machine that does other things, too
    learner = Learner(context.new_page())
    page, seen = learner.page, SimpleNamespace(asked=learner.asked)
    page.goto(address.url)
    start = page.locator(".jp-MarkdownViewer")
    start.locator("table").first.wait_for()
    seen.start, seen.barriers = start.inner_text(), barriers(page, ".jp-MarkdownViewer")
    link = f".jp-MarkdownViewer a[href*='{LAB}.ipynb']"
    seen.link_reached = learner.tab_to(link)
    learner.until(OPEN.format(path=f"{LAB}.ipynb"), lambda: learner.tab_to(link) and learner.keys("Enter"))
    learner.wait(IDLE)
    learner.run_all(TASK)
    learner.wait(IN_SIGHT, TASK)
    seen.stop, seen.counts = page.evaluate(ACTIVE), page.evaluate(COUNTS)
    seen.blank = page.evaluate(SAID, TASK)
    page.locator(".jp-OutputArea-output a", has_text="vae.py:").focus()
    learner.keys("Enter")
    learner.wait_for("starter/vae.py")
    seen.place = page.evaluate(f"{PANEL}.content.editor.getCursorPosition().line")
    seen.beside = page.evaluate(VISIBLE)
    learner.open_notebook()
    kernel = page.evaluate(f"{PANEL}.sessionContext.session.kernel.id")
    for name, body in (("wrong", WRONG), ("hint", f"{WRONG}  # again"), ("right", RIGHT)):
        learner.write(module(body))
        setattr(seen, name, learner.check())
    seen.framed = page.evaluate(FRAMED)
    learner.run_all("end")
    seen.same_kernel = kernel == page.evaluate(f"{PANEL}.sessionContext.session.kernel.id")
    seen.all_run = page.evaluate(COUNTS)
    seen.slider = moved(page)
    seen.end = page.evaluate(SAID, "end")
    end = page.locator(".jp-Cell", has_text="guesses.summary(").locator(".jp-OutputArea").last
    seen.pictures = [image.get_attribute("alt") for image in end.locator("img").all()]
    seen.wide = {}
    for width, height in ((1024, 700), (720, 450)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(500)
        seen.wide[width] = page.evaluate(TOO_WIDE)
    page.set_viewport_size({"width": 1440, "height": 900})
    seen.barriers_of = {}
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate("theme => { jupyterapp.commands.execute('apputils:change-theme', {theme}); }", theme)
        page.locator(f"body[data-jp-theme-name='{theme}']").wait_for(state="attached")
        seen.barriers_of[theme] = barriers(page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output")
    seen.next = end.locator(f"a[href*='{NEXT}']").count()
    yield seen
    context.close()


def moved(page) -> bool:
    """Does the picture change when its slider does?"""
    cell = page.locator(".jp-Cell", has_text="explore_latent(lambda z")
    picture, handle = cell.locator("img.widget-image"), cell.locator(".widget-slider .noUi-handle").first
    picture.wait_for()
    before = picture.get_attribute("src")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    page.wait_for_function("([img, before]) => img.src !== before", arg=[picture.element_handle(), before])
    return True


def test_our_extension_may_be_the_first_that_is_loaded(browser):
    page = browser.new_page()
    page.add_script_tag(path=EXTENSION / "static/remoteEntry.js")
    assert page.evaluate("Object.keys(window._JUPYTERLAB)") == [EXTENSION.name]
    page.close()


def test_the_start_page_names_every_lab_and_what_is_next(seen):
    assert all(f"{int(lab.split('_')[0])} · " in seen.start for lab in LABS) and "Next: " in seen.start


def test_nobody_is_barred_from_the_start_page(seen):
    assert seen.barriers == []


def test_a_lab_is_opened_by_keyboard(seen):
    assert seen.link_reached


def test_run_all_stops_at_the_first_blank_in_sight(seen):
    assert seen.stop == TASK and seen.counts["setup"] and not seen.counts["vae-2"]


def test_a_blank_is_a_line_with_a_link(seen):
    assert "vae-1 is still blank" in seen.blank and "Traceback" not in seen.blank and "save the file" in seen.blank
    assert "raise NotImplementedError" in module("    " + stub(TASK)).splitlines()[seen.place]


def test_its_module_opens_to_the_right_of_the_notebook(seen):
    assert sorted(seen.beside, key=seen.beside.get) == [f"{LAB}.ipynb", "starter/vae.py"]


def test_a_wrong_answer_is_named_and_then_a_hint_is_given(seen):
    assert "vae-1 is not right yet" in seen.wrong and "Hint" not in seen.wrong
    assert "Hint 2 of 3" in seen.hint


def test_a_right_answer_needs_no_restart(seen):
    assert "vae-1 is right" in seen.right and "+2 points" in seen.right and seen.same_kernel


def test_written_answers_have_a_frame(seen):
    assert seen.framed == {answer: "4px" for answer in ANSWERS}


def test_all_cells_run_then(seen):
    begun = [seen.all_run[name] for name in ("setup", TASK, "vae-2", "slider", "run", "end")]
    assert all(begun) and begun == sorted(begun)


def test_a_slider_moves_the_picture(seen):
    assert seen.slider


def test_the_end_tells_tasks_points_guesses_and_links_the_next_lab(seen):
    count = len(tasks_of(LAB))
    assert f"{count} of {count} tasks right" in seen.end and "Not written yet: vae-q1, vae-q2." in seen.end
    assert "Which of the three is the furthest" in seen.end and "narrow" in seen.end
    assert seen.next == 1 and "submit 2" in seen.end


def test_own_samples_stand_beside_the_courses(seen):
    (alt,) = seen.pictures
    assert "vae, yours" in alt and "vae, the course's" in alt


@pytest.mark.parametrize("width", [1024, 720])  # 720: as 1440 at 200 %
def test_pictures_fit_a_narrow_window(seen, width):
    assert seen.wide[width] == 0


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_nobody_is_barred_from_what_cells_show(seen, theme):
    assert seen.barriers_of[theme] == []


def test_nothing_is_asked_of_anybody_else(seen):
    hosts = {urlsplit(url).hostname for url in seen.asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
