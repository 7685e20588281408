# `make cosim` and `make test` are all a newcomer needs; both make .venv first, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.apical-installed
# Further options of the command behind a target: make test ARGS="-k store -x"
ARGS ?=
# Processes that share the tests.
JOBS ?= 2

# One BLAS thread: small products run faster so, and timings can be compared.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: help venv cosim test test-all lint clean

help:
	@echo "make cosim     run the default network on the simulated gateware, compare every bit"
	@echo "make test      run the tests"
	@echo "make test-all  run the tests, slow ones included"
	@echo "make lint      check the style"
	@echo "make clean     remove what was built here; .venv and the cache of the user stay (apical cache)"

venv: $(STAMP)

# System tools are checked here, where a missing one gives one clear line, not deep in a C++ build.
$(STAMP): requirements.lock pyproject.toml setup.py
	@command -v $(PYTHON) >/dev/null || { \
	  echo "apical: no '$(PYTHON)' here; install Python 3.11 or newer (apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "apical: Python 3.11 or newer is needed, '$(PYTHON)' is $$($(PYTHON) -c 'import platform; print(platform.python_version())'); name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "apical: the venv module of '$(PYTHON)' is missing; install it (apt install python3-venv)" >&2; exit 1; }
	@command -v g++ >/dev/null || { \
	  echo "apical: Verilator needs g++, not found here; install it (apt install g++)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $(STAMP)

cosim: $(STAMP)
	@mkdir -p build
	$(BIN)/apical cosim --json build/cosim.json $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-all: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) -m "" $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
