# The house's commands. `make help` lists them. Nothing here needs root or a running server.
# PYTHON=/path/to/python3.13 make setup   chooses another Python (3.11 or newer).

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := python3.13 python3.12 python3.11 python3.14 python3 python
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(PYTHONS); do if $$p -c '$(RECENT)' >/dev/null 2>&1; then command -v $$p; break; fi; done)
WORKERS ?= 2
ARGS ?=

.PHONY: help setup run demo test quick rest browser chaos check bench pins clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r n t; do printf 'make %-7s %s\n' "$$n" "$$t"; done

setup: $(VENV)/.done ## make .venv with everything that running and testing need (instant when nothing changed)

$(VENV)/.done: pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(RECENT)' >/dev/null 2>&1; then \
		echo "The hub needs Python 3.11 or newer. Install one, or say which: make setup PYTHON=/path/to/python3.13" >&2; exit 1; fi
	@if ! $(BIN)/python -c '$(RECENT)' >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		if ! "$(PYTHON)" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
			if ! uv venv -q --seed --python "$(PYTHON)" $(VENV) >/dev/null 2>&1; then \
				echo "$(PYTHON) cannot make a virtual environment: its ensurepip is missing." >&2; \
				echo "On Debian and Ubuntu: apt install python3-venv. Or choose another Python: make setup PYTHON=…" >&2; \
				rm -rf $(VENV); exit 1; fi; \
		else "$(PYTHON)" -m venv $(VENV); fi; fi
	@if command -v uv >/dev/null 2>&1 && uv pip install -q --python $(BIN)/python -c constraints.txt --group test -e '.[all]' 2>/dev/null; \
	then echo "installed with uv"; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1' && \
		$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --group test -e '.[all]'; fi
	@touch $@
	@echo "ready: make demo shows it, make run serves it"

run: setup ## serve on the built-in defaults (SQLite in ./data, http://localhost:8080)
	$(BIN)/hub serve $(ARGS)

demo: setup ## serve a throw-away database with sample data and simulated providers
	$(BIN)/hub demo $(ARGS)

test: setup ## every test but those that take minutes: quick, rest and browser
	@result=0; for suite in quick rest browser; do $(MAKE) --no-print-directory $$suite || result=1; done; exit $$result

quick: setup ## the quick suite: two thirds of it on SQLite, one on PostgreSQL
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not slow and not chaos and not browser and not rest' $(ARGS)

rest: setup ## the quick suite on the other database each, and what takes longer
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'rest and not slow and not chaos and not browser' $(ARGS)

browser: setup ## the tests in Chromium
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m 'browser and not slow' $(ARGS)

chaos: setup ## kill, freeze and cut off real servers (some minutes)
	$(BIN)/python -m pytest -m chaos $(ARGS)

check: setup ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_arrows.py

bench: setup ## the load figures of the README
	$(BIN)/python -m bench $(ARGS)

pins: ## look up the newest versions that pyproject.toml allows and pin them in constraints.txt
	rm -rf $(VENV)/pins && $(BIN)/python -m venv $(VENV)/pins
	$(VENV)/pins/bin/python -m pip install -qq --upgrade 'pip>=25.1'
	$(VENV)/pins/bin/python -m pip install -qq --group test -e '.[all]'
	sed -n '/^#/p' constraints.txt > $(VENV)/pins.txt
	$(VENV)/pins/bin/python -m pip freeze --exclude-editable | LC_ALL=C sort -f >> $(VENV)/pins.txt
	mv $(VENV)/pins.txt constraints.txt && rm -rf $(VENV)/pins

clean: ## remove .venv and caches, never ./data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
