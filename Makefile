# Each target makes its own .venv: git, make and Python >= 3.11 are all a machine needs. uv is used when it is there.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test check quick bench clean python

python:
	@test -n "$(PYTHON)" || { echo "Stretto needs Python 3.11 or newer; none was found on PATH."; exit 1; }

.venv/.installed: pyproject.toml constraints.txt | python
	@command -v uv >/dev/null 2>&1 && uv venv -q --clear --python $(PYTHON) .venv || $(PYTHON) -m venv --clear .venv
	@echo "installing Stretto in .venv ..."
	@if command -v uv >/dev/null 2>&1; then VIRTUAL_ENV=$(CURDIR)/.venv uv pip install -q -c constraints.txt -e .; \
	else $(BIN)/python -m pip install -q -c constraints.txt -e .; fi
	@touch $@

.venv/.dev: .venv/.installed
	@echo "installing the development tools in .venv ..."
	@if command -v uv >/dev/null 2>&1; then VIRTUAL_ENV=$(CURDIR)/.venv uv pip install -q -c constraints.txt -e '.[dev]'; \
	else $(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'; fi
	@touch $@

demo: .venv/.installed            ## one sentence to committed work, killed and resumed, offline
	$(BIN)/python examples/demo.py

check: .venv/.dev                 ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p stretto
	$(BIN)/mypy tests benchmarks
	$(BIN)/pyright

test: check                       ## everything CI runs
	$(BIN)/pytest

quick: .venv/.dev                 ## the tests that take a minute
	$(BIN)/pytest -m "not slow"

bench: .venv/.dev                 ## every benchmark, one after the other
	@for b in benchmarks/bench_*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .demo
