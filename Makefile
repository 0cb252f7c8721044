# Every verb of the project; `make help` lists them. `make PYTHON=/path/to/python3.12 …` chooses the interpreter of a new .venv.

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

# Seconds for `make fuzz`, seeds for `make campaign`; for `make test`, extra arguments (ARGS="-k walls -x") and processes
# (JOBS=1: one after the other).
SECONDS ?= 60
FIRST ?= 0
COUNT ?= 1000
ARGS ?=
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types bench fuzz sanitise kernels races campaign tables clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv and install dad into it, editable, with everything needed here

# A stamp that is newer than pyproject.toml means that there is nothing to do. Candidates are run, not just looked up:
# a shim may stand on PATH with no interpreter behind it, or an interpreter without venv.
$(STAMP): pyproject.toml
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
	    for python in $${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do \
	        if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	            found=$$python; break; \
	        fi; \
	    done; \
	    if [ -z "$${found:-}" ]; then \
	        echo "make install: no Python 3.11 or newer with the venv module among: $${PYTHON:-python3.14 … python3.11, python3}" >&2; \
	        echo "              give one with  make install PYTHON=/path/to/python" >&2; exit 1; \
	    fi; \
	    echo "make install: $(VENV) with $$($$found --version), from $$found"; \
	    $$found -m venv $(VENV); \
	fi; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev,demo,bench]'; \
	touch $@

export PYTHON

# What is compiled here is kept here, not among the user's files.
test fuzz sanitise kernels races campaign: export DAD_CACHE_DIR ?= $(CURDIR)/build/cache

# What the command line says, not the environment: others use this name, too.
demo: export DAD_TARGET := $(if $(filter command line,$(origin TARGET)),$(TARGET))
demo: $(STAMP) ## fit Old Faithful, fit lynx and hare, solve a CAD sketch; pictures go to build/; TARGET=cuda: on a GPU
	@$(BIN)/python examples/demo.py

test: $(STAMP) ## run all tests (ARGS="…" goes to pytest)
	@$(BIN)/python -m pytest -q -n $(JOBS) $(ARGS)

lint: $(STAMP) ## ruff
	@$(BIN)/ruff check .

types: $(STAMP) ## mypy --strict over the package, its tests, examples and benchmarks
	@$(BIN)/mypy

bench: $(STAMP) ## gradients beside peers and C, from text to gradient, time of `dad check`, compile time
	@$(BIN)/python benchmarks/run.py

fuzz: $(STAMP) ## mutate programs for 60 s (SECONDS=…); anything but diagnostics that escapes is a failure
	@$(BIN)/python tests/fuzz.py --seconds $(SECONDS)

sanitise: $(STAMP) ## C from loops under sanitisers: programs of the tests, and COUNT=1000 generated ones from seed FIRST=0 on
	@$(BIN)/python -m dad.tests.native.sanitised --files all --first $(FIRST) --count $(COUNT)

kernels: $(STAMP) ## CUDA C on the processor, in three orders, and compiled for cards; COUNT=1000 generated programs from FIRST=0 on
	@$(BIN)/python -m dad.tests.cuda.campaign --files all --first $(FIRST) --count $(COUNT) --nvrtc

races: $(STAMP) ## CUDA C on the processor under the sanitisers of threads and of addresses; COUNT, FIRST as above
	@$(BIN)/python -m dad.tests.cuda.campaign --files all --first $(FIRST) --count $(COUNT) --sanitiser races
	@$(BIN)/python -m dad.tests.cuda.campaign --files all --first $(FIRST) --count $(COUNT) --sanitiser addresses

campaign: $(STAMP) ## generate COUNT=1000 programs from seed FIRST=0 on; derivatives in 50 digits, NumPy, vmap must agree
	@$(BIN)/python -m dad.tests.programs.campaign --first $(FIRST) --count $(COUNT)

tables: $(STAMP) ## rebuild the parser tables that are shipped, after an edit of grammar.lark
	@$(BIN)/python -m dad.lang.surface.tables

clean: ## remove what was built: build/, caches, .venv
	@rm -rf build dist *.egg-info $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
