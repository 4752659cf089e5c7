# Everything starts here: `make demo` and `make test` need nothing but Python >= 3.11 and make.
# Each target makes or updates .venv by itself (tools/make_venv.sh).

VENV := .venv
BIN := $(VENV)/bin
# A worker that died is not replaced: what it was to run yet would be waited for, for ever.
WORKERS := --max-worker-restart 0
PYTEST := $(BIN)/python -m pytest -q -n 2 $(WORKERS) -m "not night"
# Branch coverage that unit and contract tests reach now; it only goes up.
COVERAGE_MIN := 91
# Simulated rollouts: seeds from 0 on, and seeds that never ran before (their first is printed).
SEEDS := 1000
FRESH_SEEDS := 100

# Tests start hundreds of interpreters. One that keeps no bytecode compiles the project each time,
# a third of what its start costs, and whoever runs them in a container often forbids bytecode.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.PHONY: help demo test fast night bench site fix system boots checks covered all

help:
	@printf '%s\n' \
	  'make demo    a local fleet of real SSH devices: a good release goes out, a bad one is stopped' \
	  'make test    everything that must hold for a change; under 10 minutes on 2 cores' \
	  'make fast    static checks, unit, contract and golden tests' \
	  'make night   long runs' \
	  'make site    the documents as a site, in site/' \
  'make bench   controller CPU and memory beside a bare SSH client doing the same' \
	  'make fix     lint fixes, format, golden files'

demo: $(VENV)/runtime.stamp
	@ROLLOUT=$(CURDIR)/$(BIN)/rollout tools/demo.sh

test: system checks all

fast: checks
	$(PYTEST) tests/unit tests/contract tests/device/test_source.py

checks: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	@echo '$(BIN)/mypy, and $(BIN)/pytest --collect-only beside it'
	@# One core types; the other compiles the tests, which each worker would do for itself later.
	@$(BIN)/python -m pytest -q --collect-only tests >$(VENV)/collected.txt 2>&1 & collecting=$$!; \
	  $(BIN)/mypy || exit; wait $$collecting || { tail -n 30 $(VENV)/collected.txt; exit 1; }
	$(BIN)/codespell
	$(BIN)/rollout validate playbooks
	tools/check_shell.sh

covered: $(VENV)/dev.stamp
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q -n 2 -m "not night" \
	  tests/unit tests/contract
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=$(COVERAGE_MIN)

# Four at once on two cores: many of these tests wait for devices, leases and soaks.
all: $(VENV)/dev.stamp
	$(PYTEST) -n 4 --dist loadgroup --seeds $(SEEDS) --fresh-seeds $(FRESH_SEEDS) tests

night: SEEDS := 100000
night: FRESH_SEEDS := 1000
night: system boots covered site $(VENV)/clouds.stamp
	HYPOTHESIS_PROFILE=night $(BIN)/python -m pytest -q -n 2 --dist loadgroup $(WORKERS) \
	  --timeout 3600 -o faulthandler_timeout=20000 --seeds $(SEEDS) --fresh-seeds $(FRESH_SEEDS) tests

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.bench

site: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'the documents are in site/index.html'

fix: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m pytest -q tests/unit/render --update-golden

system:
	@tools/system_packages.sh

boots: $(VENV)/dev.stamp
	@tools/vm_packages.sh $(VENV)/kernel

$(VENV)/runtime.stamp: requirements/runtime.txt requirements/build.txt pyproject.toml
	@tools/make_venv.sh $(VENV) requirements/runtime.txt requirements/build.txt
	@touch $@

$(VENV)/docs.stamp: requirements/docs.txt $(VENV)/runtime.stamp
	@tools/make_venv.sh $(VENV) requirements/docs.txt
	@touch $@

$(VENV)/clouds.stamp: requirements/clouds.txt $(VENV)/dev.stamp
	@tools/make_venv.sh $(VENV) requirements/clouds.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/runtime.stamp
	@tools/make_venv.sh $(VENV) requirements/dev.txt
	@touch $@
