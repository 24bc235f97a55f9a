# Local Explanations, Reproduced.
#
#   make book                          install, run all notebooks (profile quick), build the book
#   make test                          lint, tests, all notebooks (profile ci), book, browser
#   make notebooks PROFILE=paper [PAPER=lipex]   run notebooks only
#   make bench                         speed against the lime package
#   make published                     build the committed book; executes nothing
#   make setup | lint | clean

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
PAPER ?=
DEVICE ?= auto
BIN := $(VENV)/bin
export XAI_CACHE_DIR ?= $(CURDIR)/.cache
# Compiled modules appear as they are first imported: installing without compiling everything
# saves a minute.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --no-compile --constraint constraints.txt

.PHONY: setup book test notebooks bench lint clean published
.DEFAULT_GOAL := book

setup: $(VENV)/.dev

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.book: constraints.txt pyproject.toml | $(VENV)/.python
	@echo "== installing what the book needs (some minutes, once)"
	@start=$$SECONDS; $(INSTALL) --editable '.[book]'; echo "   took $$((SECONDS - start)) s"
	@touch $@

$(VENV)/.dev: constraints.txt pyproject.toml | $(VENV)/.python
	@echo "== installing everything (some minutes, once)"
	@start=$$SECONDS; $(INSTALL) --editable '.[book,dev]'; echo "   took $$((SECONDS - start)) s"
	@touch $@ $(VENV)/.book

book: $(VENV)/.book
	@echo "== running the notebooks, profile quick"
	@$(BIN)/xai-lib run --profile quick --device $(DEVICE)
	@echo "== building the book"
	@$(BIN)/xai-lib book --profile quick

notebooks: $(VENV)/.book
	@$(BIN)/xai-lib run $(PAPER) --profile $(PROFILE) --device $(DEVICE)

published: $(VENV)/.book
	@$(BIN)/jupyter-book build . -W -n --keep-going

bench: $(VENV)/.dev
	@$(BIN)/xai-lib bench

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Each step prints its time; the two summary lines of pytest close the output.
test: $(VENV)/.dev
	@mkdir -p _build/ci
	@echo "== lint"
	@$(MAKE) lint
	@echo "== unit and conformance tests"
	@$(BIN)/python -m pytest -q --ignore=tests/book --cov --cov-report=term:skip-covered \
	  --cov-fail-under=90 --durations=10 | tee _build/ci/unit.log
	@echo "== notebooks, profile ci"
	@$(BIN)/xai-lib run --profile ci --device $(DEVICE)
	@echo "== building the book"
	@$(BIN)/xai-lib book --profile ci
	@echo "== the book and a browser"
	@$(BIN)/python -m pytest tests/book | tee _build/ci/book.log
	@echo "== summary"
	@tail -n 1 _build/ci/unit.log
	@tail -n 1 _build/ci/book.log

clean:
	rm -rf _build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
