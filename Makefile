# make lab, make test: everything else is for maintainers. ARGS is passed on: make lab ARGS=--no-browser
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*##/ {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: $(VENV)/.ready  ## set everything up and open JupyterLab on the notebooks
	$(BIN)/python -m starter lab $(ARGS)

test: $(VENV)/.ready  ## set everything up and run all tests, the notebooks included
	$(BIN)/python -m pytest --nbval --nbval-sanitize-with notebooks/sanitize.cfg -n 2 --dist loadfile $(ARGS)
	@echo "make test: everything passed."

test-mine: $(VENV)/.ready  ## test your own starter/ (ARGS="--nbval notebooks/02_vae.ipynb": a notebook, too)
	$(BIN)/python -m pytest --impl=starter tests/lessons $(ARGS)

check: $(VENV)/.ready  ## is the course consistent? (ARGS=vae-2: one task, in seconds; ARGS=--fast: what can be read)
	$(BIN)/python -m grading check $(ARGS)

audit: $(VENV)/.ready  ## are the checks neither loose nor strict? (a quarter of an hour; ARGS=--full: on 1,000 seeds, hours)
	$(BIN)/python -m grading audit $(ARGS)

build: $(VENV)/.ready  ## regenerate starter/, its checks, tables of pages and the notebooks that changed
	$(BIN)/python -m grading build

demo: $(VENV)/.ready  ## a class of eight: released, collected, graded, with feedback
	$(BIN)/python -m grading demo $(ARGS)

bands: $(VENV)/.ready  ## measure the notebooks' bands again (an hour)
	$(BIN)/python -m grading bands $(ARGS)

bench: $(VENV)/.ready  ## time what is ours against others, into docs/measured.md (their pins: tests/bench/requirements.txt; an hour and a half)
	$(BIN)/python tests/bench/record.py $(ARGS)

site: $(VENV)/.site  ## the course as pages for a browser, in site/: open site/index.html
	rm -rf site
	$(BIN)/python -m sphinx -q -W --keep-going -c docs . site
	rm -rf jupyter_execute  # where MyST-NB puts outputs before they are copied into site/
	@echo "The site is ready: site/index.html"

clean:  ## remove the environment and what tests leave behind
	rm -rf $(VENV) site .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# A half-made environment is made again: the mark is written last.
$(VENV)/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Setting up $(VENV) from requirements.txt (a few minutes the first time) ..."
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && uv pip install --python $(BIN)/python -r requirements.txt; \
	else \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt; \
	fi
	@touch $@
	@echo "The environment is ready: $(VENV)"

$(VENV)/.site: $(VENV)/.ready docs/requirements.txt
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(BIN)/python -r docs/requirements.txt; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt; \
	fi
	@touch $@

.PHONY: help lab test test-mine check audit build demo bands bench site clean
