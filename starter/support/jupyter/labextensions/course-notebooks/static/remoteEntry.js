// Five things that JupyterLab leaves out. It loads this file as it is; nothing is built.
(() => {
  let shared;
  const named = new WeakSet();

  // When all cells are run, JupyterLab selects the last one, and the blank that has stopped them is out of sight. On a
  // slow machine it is still on its way there when a cell fails, and pictures that arrive later push the cell out of
  // sight again: until she presses a key, clicks or turns the wheel, the failed cell is held.
  function showFailed(notebook, cell) {
    const show = () => {
      const index = notebook.widgets.indexOf(cell);
      notebook.deselectAll();
      notebook.activeCellIndex = index;
      if (notebook.node.contains(document.activeElement)) cell.node.focus({ preventScroll: true });
      notebook.scrollToItem(index, "center");
    };
    const sight = new IntersectionObserver(([{ intersectionRatio }]) => intersectionRatio < 1 && show(), { threshold: 1 });
    const release = () => {
      sight.disconnect();
      notebook.activeCellChanged.disconnect(show);
      for (const kind of ["keydown", "pointerdown", "wheel"]) document.removeEventListener(kind, release, true);
    };
    show();
    sight.observe(cell.node);
    notebook.activeCellChanged.connect(show);
    for (const kind of ["keydown", "pointerdown", "wheel"]) document.addEventListener(kind, release, true);
  }

  // The words that come with a picture are not passed on to who hears the page, and sliders have no names there.
  function nameOutputs(area) {
    area.widgets.forEach((output, i) => {
      const words = area.model.get(i)?.metadata?.["image/png"]?.alt ?? "what the sliders describe";
      output.node.querySelectorAll("img:not([alt])").forEach(image => { image.alt = words; });
    });
    area.node.querySelectorAll(".widget-slider").forEach(slider => {
      const label = slider.querySelector(".widget-label")?.textContent ?? "";
      slider.querySelector("[role=slider]:not([aria-label])")?.setAttribute("aria-label", label);
    });
  }

  function nameFromNowOn(area) {
    if (named.has(area)) return;
    named.add(area);
    const observer = new MutationObserver(() => nameOutputs(area));
    observer.observe(area.node, { childList: true, subtree: true });
    nameOutputs(area);
  }

  // A written answer has a frame: without one "Your answer." is a line of the text.
  const FRAME = ".course-answer { border: 1px solid var(--jp-border-color1); border-left: 4px solid var(--jp-brand-color1); }";

  // Drawings that are SVG reach over the edge of a narrow window, where a PNG is made to fit.
  const FIT = ".jp-RenderedSVG :is(img, svg) { max-width: 100%; height: auto; }";

  function frameAnswers(panel) {
    panel.content.widgets.filter(cell => /-q\d+$/.test(cell.model.id)).forEach(cell => cell.addClass("course-answer"));
  }

  // A module that is opened from a notebook covers it: it belongs to its right, beside the modules that are there already.
  const isNotebook = widget => /\.ipynb$/.test(widget?.context?.path);
  const isModule = widget => /(^|\/)starter\/\w+\.py$/.test(widget?.context?.path);

  function placeBeside(shell, notebook, module) {
    const other = [...shell.widgets("main")].find(widget => widget !== module && isModule(widget) && widget.isVisible);
    shell.add(module, "main", other ? { ref: other.id, mode: "tab-after" } : { ref: notebook.id, mode: "split-right" });
    notebook.parent.selectWidget(notebook); // in sight; the focus stays with the module
    shell.activateById(module.id);
  }

  const plugin = {
    id: "course-notebooks:plugin",
    autoStart: true,
    activate: async app => {
      document.head.append(Object.assign(document.createElement("style"), { textContent: FRAME + FIT }));
      const framed = { createNew: (panel, context) => { context.ready.then(() => frameAnswers(panel)); } };
      app.docRegistry.addWidgetExtension("Notebook", framed);
      const seen = new WeakSet();
      app.shell.currentChanged.connect((shell, { oldValue, newValue }) => {
        if (!isModule(newValue) || seen.has(newValue)) return; // she may put it elsewhere
        seen.add(newValue);
        const covered = isNotebook(oldValue) && oldValue.isAttached && !oldValue.isVisible;
        if (covered && shell.mode === "multiple-document") placeBeside(shell, oldValue, newValue);
      });
      const [notebooks] = Object.values(shared["@jupyterlab/notebook"]);
      const { NotebookActions } = (await notebooks.get())();
      NotebookActions.executed.connect((_, { notebook, cell, success, error }) => {
        if (cell.outputArea) nameFromNowOn(cell.outputArea);
        if (!success && error?.errorName) showFailed(notebook, cell); // cells that were never begun have no error
      });
    },
  };
  window._JUPYTERLAB ??= {}; // extensions are loaded side by side: any may come first
  window._JUPYTERLAB["course-notebooks"] = {
    init: scope => { shared = scope; },
    get: async () => () => plugin,
  };
})();
