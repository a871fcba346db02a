# Needs make and Python 3.11 or newer; everything else is installed into .venv: for `make demo` what the demo needs,
# for all other targets everything.
PYTHON ?= python3
BIN := .venv/bin
# what Python finds must be this checkout's, whatever the caller's shell has set up
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install demo test check format lint types layers links docs clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.ready ## set up .venv with everything, again whenever pyproject.toml changes

# Each file says what is installed. Everything includes what the demo needs; either may come first.
.venv/.ready: EXTRA := dev
.venv/.demo: EXTRA := demo
.venv/.ready .venv/.demo: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'foretell needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -qq --editable '.[$(EXTRA)]'
	@touch .venv/.demo $@

demo: .venv/.demo ## train, evaluate and use a small world model
	$(BIN)/foretell demo

test: install ## run all tests
	$(BIN)/python -m pytest

check: format lint types layers links docs ## all of these (make -k check: go on after the first failure)

format: install ## is the code formatted as ruff would?
	$(BIN)/ruff format --check .

lint: install ## ruff's rules
	$(BIN)/ruff check .

types: install ## pyrefly's types
	$(BIN)/pyrefly check

layers: install ## imports point down
	$(BIN)/lint-imports

links: install ## relative links in README and docs
	$(BIN)/python tools/links.py

docs: install ## build the documentation into site/
	$(BIN)/zensical build --clean --strict

clean: ## remove what can be made again; runs/ and demo/ stay
	rm -rf .venv site dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
