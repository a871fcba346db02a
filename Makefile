# Needs make and Python 3.11 or newer; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
# what Python finds must be this checkout's, whatever the caller's shell has set up
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install demo test check docs clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.ready ## set up .venv, again whenever pyproject.toml changes

.venv/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'foretell needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -qq --editable '.[dev]'
	@touch $@

demo: install ## train, evaluate and use a small world model
	$(BIN)/foretell demo

test: install ## run all tests
	$(BIN)/python -m pytest

check: install ## format, lint, types, layers, documentation, links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports
	$(BIN)/python tools/links.py
	$(BIN)/zensical build --clean --strict

docs: install ## build the documentation into site/
	$(BIN)/zensical build --clean --strict

clean: ## remove what can be made again; runs/ and demo/ stay
	rm -rf .venv site dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
