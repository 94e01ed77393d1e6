# Each target makes its own .venv: git, make and Python >= 3.11 are all a machine needs. uv is used when it is there.
ifndef PYTHON
PYTHON := $(shell for p in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif
BIN := .venv/bin
# `uv --version`, not `command -v`: version managers put a shim there that may have nothing behind it.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONPATH PYTHONHOME

ifdef UV
VENV = uv venv -q --python "$$(command -v $(PYTHON))" .venv
INSTALL = VIRTUAL_ENV="$(CURDIR)/.venv" uv pip install -q -c constraints.txt
else
VENV = $(PYTHON) -m venv .venv
INSTALL = { $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip -q; } && \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
endif

.PHONY: demo test check quick faults bench docs clean

# An environment that is there is kept; `make clean` is the way to a new one. One whose Python is gone is of no use.
$(shell [ -x $(BIN)/python ] || rm -rf .venv)
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Stretto needs Python 3.11 or newer; none was found on PATH."; exit 1; }
	@$(VENV) || { rm -rf .venv; echo "No environment could be made. On Debian and Ubuntu: apt install python3-venv."; exit 1; }

.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Stretto in .venv ..."
	@$(INSTALL) -e .
	@touch $@

.venv/.dev: .venv/.installed
	@echo "installing the development tools in .venv ..."
	@$(INSTALL) -e '.[dev]'
	@touch $@

.venv/.client: .venv/.dev
	@echo "installing Claude Code, for the tests with the real client, in .venv ..."
	@$(INSTALL) -e '.[claude]'
	@touch $@

.venv/.demo: .venv/.installed
	@$(BIN)/python -c 'import pytest' 2>/dev/null || $(INSTALL) pytest
	@touch $@

demo: .venv/.demo                 ## one sentence to committed work, killed and resumed, offline
	@$(BIN)/python examples/demo.py

check: .venv/.dev                 ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p stretto
	$(BIN)/mypy tests benchmarks
	$(BIN)/pyright

test: check .venv/.client          ## everything CI runs
	$(BIN)/pytest

quick: .venv/.dev                 ## the tests that take a minute
	$(BIN)/pytest -m "not slow"

faults: .venv/.dev                ## break everything it stands on, many times; rewrite the table of docs/reliability.md
	STRETTO_FAULTS=all STRETTO_FAULTS_TABLE=build/faults.json $(BIN)/pytest tests/faults --timeout 1800
	$(BIN)/python docs/make_reliability.py build/faults.json

bench: .venv/.dev                 ## every benchmark, one after the other
	@for b in benchmarks/bench_*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

docs: .venv/.dev                  ## rewrite what is generated in docs/: the table of modules, the pictures
	$(BIN)/python docs/make_modules.py
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .demo
