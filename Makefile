# Everything from a bare machine: Python 3.11 or newer with venv, and make. No target needs another one before it.
#
# `.venv` is made in two steps, each with a stamp: the runtime (enough for `make demo`), then the tools of a developer.
# Another Python: make PYTHON=/path/to/python3.12 TARGET. Another folder than .venv: make VENV=DIR TARGET.

VENV    ?= .venv
WORKERS ?= 2
BIN     := $(VENV)/bin
PY      := $(BIN)/python
PIP     := $(PY) -m pip --disable-pip-version-check --no-input -q
RUNTIME := $(VENV)/.runtime-installed
DEV     := $(VENV)/.dev-installed
CLIENTS := $(VENV)/.clients-installed
MADE    := $(VENV)/.made

.DEFAULT_GOAL := help
.PHONY: help install dev demo test check bench torture format lock clean
.DELETE_ON_ERROR:

help: ## Show what there is.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

install: $(RUNTIME) ## Make .venv with innkeeper in it.

dev: $(DEV) $(CLIENTS) ## The same, with the tools that test and check.

demo: $(RUNTIME) ## A hotel with a year of guests, its story told.
	$(BIN)/innkeeper demo --exit

test: $(DEV) $(CLIENTS) ## Run the tests.
	$(PY) -m pytest -q -n $(WORKERS)

check: $(DEV) ## Formatting, lint, types, import rules, sizes, documents.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PY) -m pytest -q tests/architecture
	$(PY) tests/architecture/sizes.py

bench: $(DEV) ## Measure; prints a table.
	$(PY) -m benchmarks

torture: $(DEV) ## The long runs: random cases and kills by the thousand, each with its seed.
	INNKEEPER_WILD=1 $(PY) -m pytest -q -n $(WORKERS) -m torture

format: $(DEV) ## Put the code into shape.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(DEV) ## Choose the versions of all packages again.
	$(PIP) install uv
	$(PY) -m uv pip compile -q -U --universal --python-version 3.11 --no-header --no-annotate \
	  pyproject.toml requirements/build.in -o requirements/runtime.txt
	$(PY) -m uv pip compile -q -U --universal --python-version 3.11 --no-header --no-annotate \
	  --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(PY) -m uv pip compile -q -U --universal --python-version 3.11 --no-header --no-annotate \
	  requirements/clients.in -o requirements/clients.txt

clean: ## Remove .venv and what the tools left behind.
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

# The Python that makes .venv: $(PYTHON) if given, else the first of these that runs and is 3.11 or newer.
CANDIDATES := python3.13 python3.12 python3.11 python3.14 python3 python

$(MADE):
	@chosen='$(PYTHON)'; \
	if [ -z "$$chosen" ]; then \
	  for name in $(CANDIDATES); do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then chosen=$$name; break; fi; \
	  done; \
	fi; \
	if [ -z "$$chosen" ]; then \
	  echo "error: Innkeeper needs Python 3.11 or newer; none of $(CANDIDATES) is. Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	if ! "$$chosen" -c 'import sys' >/dev/null 2>&1; then \
	  echo "error: PYTHON=$$chosen does not run. Name one that does: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	if ! "$$chosen" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "error: $$chosen is $$("$$chosen" -V 2>&1); Innkeeper needs 3.11 or newer. Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	if ! "$$chosen" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	  echo "error: $$chosen cannot make virtual environments: install its venv package (on Debian: apt install python3-venv), or name another: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$chosen" -V)"; \
	"$$chosen" -m venv "$(VENV)" && touch $@

# Nothing is built in a hidden environment: what builds the package is pinned in runtime.txt like the rest.
$(RUNTIME): requirements/runtime.txt pyproject.toml $(MADE)
	@echo 'installing Innkeeper and what it runs on'
	$(PIP) install -r requirements/runtime.txt
	$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo 'installing the tools that test and check'
	$(PIP) install -r requirements/dev.txt
	@touch $@

# Other people's SDKs, which tests/clients sends with. What of it this machine cannot have, those tests leave out.
$(CLIENTS): requirements/clients.txt tests/clients/package-lock.json $(MADE)
	@echo 'installing the SDKs that the tests send with'
	$(PY) -m venv $(VENV)/clients
	$(VENV)/clients/bin/python -m pip --disable-pip-version-check --no-input -q install -r requirements/clients.txt
	@if sh tests/clients/install.sh; then touch $@; fi
