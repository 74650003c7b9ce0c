# Each target works alone on a bare Debian 12 or 13 with make, git and Python 3.10 to 3.13: it first makes the virtual
# environment (tools/bootstrap.sh), which costs nothing the second time.  What pip says goes to install.log there.
#
# Settings, all optional:
#   VENV=folder    the virtual environment (default .venv)
#   PYTHON=path    the interpreter it is made from (default: the first suitable one)
#   WHEELS=folder  install from this folder of wheels only, without an index
#   TORCH=what     the torch to install, as pip takes it: a version or the path of a wheel
#   JOBS=number    files of tests that run at the same time (default 6: many wait)
#   SLOW=1         all tests; without it, those not marked slow
#   ARGS=options   more options for pytest, the demo or the benchmark
#   TOPAZ=folder   environment of Topaz for the benchmark (default .venv-topaz; empty: pupicker alone)

VENV ?= .venv
JOBS ?= 6
SLOW ?= 0
TOPAZ ?= .venv-topaz
export PYTHON WHEELS TORCH
unexport PYTHONDONTWRITEBYTECODE  # else some hundred processes compile the package each for itself

WHICH_TESTS = $(if $(filter-out 0,$(SLOW)),,-m "not slow")

BIN = $(abspath $(VENV))/bin

.PHONY: help install lint test torture bench demo downstream templates weights wheels clean distclean
.DEFAULT_GOAL := help

help: ## this list
	@echo "make TARGET [VENV=folder] [PYTHON=path] [WHEELS=folder] [TORCH=what] [JOBS=number] [SLOW=1] [TOPAZ=folder] [ARGS=options]"
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | awk -F '\t' '{printf "  %-10s %s\n", $$1, $$2}'

install: ## the virtual environment with everything the other targets need
	@tools/bootstrap.sh "$(VENV)"

lint: install ## ruff and mypy
	@echo "lint: [1/2] ruff"
	@"$(BIN)/ruff" check .
	@echo "lint: [2/2] mypy"
	@"$(BIN)/mypy"

test: lint ## ruff, mypy and the tests not marked slow; with SLOW=1 all tests
	@echo "test: $(if $(WHICH_TESTS),all but the slow tests (all: make test SLOW=1),all tests)"
	@"$(BIN)/python" -m pytest --numprocesses "$(JOBS)" --dist loadfile --no-loadscope-reorder $(WHICH_TESTS) $(ARGS)

torture: install ## kills, bad and mutated files, the same picks in every way, hours; minutes: ARGS=--short
	"$(BIN)/python" -W ignore -m benchmarks.torture $(ARGS)

bench: install ## processor time, memory and accuracy beside Topaz, hours; some of it: ARGS="--only pick,train"
	@test -z "$(TOPAZ)" || test -x "$(TOPAZ)/bin/topaz" || benchmarks/topaz_environment.sh "$(TOPAZ)"
	"$(BIN)/python" -m benchmarks.speed $(if $(TOPAZ),--topaz "$(TOPAZ)/bin/topaz") $(ARGS)

demo: install ## simulate, train and pick in a Scipion project under demo/, and measure against the truth
	"$(BIN)/python" tools/demo.py $(ARGS)

downstream: install ## from picks at several thresholds to 2D classes and maps with RELION, beside the truth
	"$(BIN)/python" tools/downstream.py $(ARGS)

templates: install ## write the workflow templates of the plugin anew (pupicker/templates)
	"$(BIN)/python" tools/make_templates.py

weights: install ## train the general model anew that a training starts from (pupicker/weights, ten minutes and more)
	"$(BIN)/python" tools/pretrain.py $(ARGS)

wheels: install ## fill the folder wheels/ with all that an installation without an index needs (WHEELS=wheels)
	@tools/bootstrap.sh "$(VENV)" wheels

clean: ## remove what the targets made, but for the virtual environment
	rm -rf demo downstream build dist wheels *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pupicker tools benchmarks -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## clean, and remove the virtual environment too
	rm -rf "$(VENV)"
