# Everything that this repository does, from one place. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
RETHINK := $(VENV)/bin/rethink

.PHONY: help install demo test lint bench clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Create .venv with the tested versions

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another with make PYTHON=...")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: install ## Networks memorize noise, on real CIFAR-10, in four minutes on two cores
	@$(RETHINK) data get cifar10
	@$(RETHINK) sweep run demo
	@$(RETHINK) report demo

test: install ## Run the tests (CPU, no network)
	$(VENV)/bin/python -m pytest

lint: install ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: install ## Measure the speed, as ratios
	$(VENV)/bin/python experiments/speed/bench.py

clean: ## Remove results, caches and the environment; keep data/ and runs/
	rm -rf $(VENV) results build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find rethink tests experiments -name __pycache__ -type d -prune -exec rm -rf {} +
