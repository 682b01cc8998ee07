# Everything that this repository does, from one place. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
RETHINK := $(VENV)/bin/rethink

# make fig1b SCALE=demo SEEDS=0 LAUNCHER=slurm
SCALE ?= full
SEEDS ?=
LAUNCHER ?= local
LAUNCHER_CONFIG ?=
RULE ?= accuracy>=0.99

PAPER := fig1a fig1b fig1c fig2b table1 table3 table4 theorem1 paper
BEYOND := regularizer_effects early_stopping strong_and_weak memorization_order open_choices batch_norm_statistics label_draws first_picture \
	complexity inside
IMAGENET := table2 fig2a
DATA := cifar10
ARTEFACTS := $(PAPER) $(BEYOND)

RUNS := --scale $(SCALE) --seeds "$(SEEDS)"
REPORT := $(RUNS) --rule "$(RULE)"
SWEEP := $(RUNS) --launcher $(LAUNCHER) $(if $(LAUNCHER_CONFIG),--launcher-config $(LAUNCHER_CONFIG))

.PHONY: help install demo all report publish test torture lint docs bench clean $(ARTEFACTS) $(IMAGENET)
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nA figure or table: what is missing of its runs, then the artefact, in results/SCALE/NAME/\n'
	@for name in $(ARTEFACTS) $(IMAGENET); do \
		printf '  make %-20s %s\n' $$name "$$(sed -n 's/^title: *"\{0,1\}\([^"]*\)"\{0,1\}$$/\1/p' experiments/$$name/sweep.yaml)"; done
	@printf '\nVariables: SCALE=demo (minutes on two cores) SEEDS=0,1,2 LAUNCHER=local|slurm|kubernetes|print LAUNCHER_CONFIG=FILE RULE="loss<0.1"\n'

install: $(VENV)/installed ## Create .venv with the tested versions

$(VENV)/installed: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another with make PYTHON=...")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet -c constraints.txt -e '.[dev]'
	@# Where PYTHONDONTWRITEBYTECODE is set, as in most containers, every process would compile torch and Lightning anew.
	@# A few packages ship templates that are not Python; compileall then says 1.
	@echo "compiling to bytecode, once: every later start takes half as long"
	@$(VENV)/bin/python -m compileall -q -j 0 $(VENV)/lib rethink >/dev/null || true
	@test -n "$$(find $(VENV)/lib -path '*lightning/pytorch/__pycache__/*.pyc' -print -quit)" || { echo "nothing was compiled: no room?" >&2; exit 1; }
	@touch $@

demo: install ## Networks memorize noise, on real CIFAR-10, in about three minutes on two cores
	@$(RETHINK) data get cifar10
	@$(RETHINK) sweep run demo --scale demo
	@$(RETHINK) report demo fig1a fig1b fig1c --scale demo

# A run that fails stops neither the others nor the artefact; the target fails all the same.
# What LAUNCHER=print prints goes to a shell, so nothing else is on its standard output.
table3 paper complexity all: DATA += mnist
# ImageNet itself is nobody's to download: docs/imagenet.md. The demo has CIFAR-10's images as JPEGs.
$(IMAGENET): DATA = $(if $(filter demo,$(SCALE)),cifar10 cifar10-jpeg)
$(ARTEFACTS) $(IMAGENET): install
	@$(if $(DATA),$(RETHINK) data get $(DATA) >&2)
	@failed=0; $(RETHINK) sweep run $@ $(SWEEP) || failed=$$?; \
	case $(LAUNCHER) in local|slurm) $(RETHINK) report $@ $(REPORT) || failed=$$?;; esac; exit $$failed

all: install ## Every figure and table but ImageNet's, and the report
	@$(RETHINK) data get $(DATA) >&2
	@failed=0; $(RETHINK) sweep run $(ARTEFACTS) $(SWEEP) || failed=$$?; \
	case $(LAUNCHER) in local|slurm) $(RETHINK) report $(REPORT) || failed=$$?;; esac; exit $$failed

report: install ## One HTML page of every artefact, from whatever runs there are
	@$(RETHINK) report $(REPORT)

publish: install ## Full-scale artefacts into experiments/*/results
	@$(RETHINK) publish

test: install ## Run the tests (CPU, no network), on two cores
	@share=$$(mktemp -d); trap "rm -rf $$share" EXIT; failed=0; \
	$(VENV)/bin/python -m pytest --share=$$share >$$share/output 2>&1 & second=$$!; \
	$(VENV)/bin/python -m pytest --share=$$share || failed=$$?; wait $$second || failed=$$?; \
	echo "the second process:"; cat $$share/output; exit $$failed

lint: install ## Check style and types, and the Dockerfile
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/hadolint Dockerfile

docs: $(VENV)/docs ## Build the site, in build/site; a warning is an error
	@rm -rf docs/api  # written anew: a module that has gone must not stay
	$(VENV)/bin/python -m sphinx -W --keep-going --quiet -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

$(VENV)/docs: $(VENV)/installed
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

torture: install ## Kill, damage and interrupt runs for MINUTES (30): nothing may be lost or wrong
	PYTHONPATH=tests $(VENV)/bin/python -m torture --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(OUTPUT),--markdown $(OUTPUT))

bench: install ## Measure the speed, as ratios
	$(VENV)/bin/python experiments/speed/bench.py

clean: ## Remove results, caches and the environment; keep data/ and runs/
	rm -rf $(VENV) results build dist docs/api *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find rethink tests experiments -name __pycache__ -type d -prune -exec rm -rf {} +
