# `make demo` and `make test` need Python 3.11 or 3.12 and make, nothing else: they build their own
# virtual environment from requirements.lock. `make` alone lists all targets.
#
# Settings: PYTHON=interpreter  VENV=folder  DATA=source for demo  ARGS=for pytest  BENCH=short

VENV ?= .venv
PY := $(VENV)/bin/python
HEMOSTAT := $(VENV)/bin/hemostat
BUF := $(abspath $(VENV)/bin/buf)
PACKAGES := hemostat features scoring stream training
SOURCES := $(wildcard $(PACKAGES) benchmarks tests)
PROTOS := $(wildcard protos/hemostat/v1/*.proto)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export BENCH

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench parity soak protos docs lock venv warm clean distclean \
  check-format check-lint check-types check-imports check-protos check-layout

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: warm  ## Events in, scores out: simulated, or from DATA=../shared/data/online_retail
	@$(HEMOSTAT) demo $(if $(DATA),--data '$(DATA)')

# Two processes: half of the time goes to waiting for servers. ARGS='-n 0' runs in one.
test: warm  ## Run the tests; ARGS='-k name' goes to pytest
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/.stamp  ## All static checks; goes on after a failure, so that one run shows all
	@$(MAKE) --no-print-directory --keep-going check-format check-lint check-types check-imports \
	  check-protos check-layout

bench: warm  ## Run every benchmark (BENCH=short: minutes instead of tens); results in benchmarks/results
	@$(PY) -m benchmarks.run

bench-stream: warm  ## Events per second through the dataflow and in bulk
bench-serving: warm  ## Latency in process and over gRPC
bench-quality: warm  ## Real labels: does history help?
bench-upkeep: warm  ## Forgetting, backup and restore at scale
bench-simulation: warm  ## The simulated shop: honest, like published rates, fast?
bench-%: warm
	@$(PY) -m benchmarks.run $*

parity: warm  ## The core against the SQL twin: 100,000 vectors, a quarter through the store (BENCH=short: a tenth)
	@$(PY) -m benchmarks.twin

soak: warm  ## Kill the stream 200 times (KILLS=2000: hours) on LMDB and Redis, files and Kafka
	@HEMOSTAT_REQUIRE=all HEMOSTAT_KILLS=$(or $(KILLS),200) $(PY) -m pytest -q --timeout=0 \
	  -p no:cacheprovider tests/stream/test_crashes.py

# --- static checks ---------------------------------------------------------------------------

check-format: $(VENV)/.stamp
	@echo "== ruff format"; $(PY) -m ruff format --check $(SOURCES)

check-lint: $(VENV)/.stamp
	@echo "== ruff check"; $(PY) -m ruff check $(SOURCES)

check-types: $(VENV)/.stamp
	@echo "== mypy --strict"; $(PY) -m mypy $(SOURCES)

check-imports: $(VENV)/.stamp
	@echo "== import-linter"
	@$(PY) -c 'from importlinter.cli import lint_imports_command as main; main()' --no-logo

check-layout: $(VENV)/.stamp
	@echo "== layout and documented commands"
	@$(PY) -m pytest -q -p no:cacheprovider tests/test_layout.py tests/test_docs_commands.py -m 'not slow'

# Generated code is committed; this proves that it is what the sources generate.
check-protos: $(VENV)/.stamp
	@echo "== buf lint, generated code"
	@cd protos && $(BUF) lint
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call GENERATE,$$fresh) \
	  && diff -r -x __init__.py -x __pycache__ "$$fresh/hemostat/v1" hemostat/v1 \
	  || { echo "hemostat/v1 is not what protos/ generates: run 'make protos' and commit"; exit 1; }

# --- generated files -------------------------------------------------------------------------

# Messages for every file; stub and servicer only where a service stands.
PROTOC = $(PY) -m grpc_tools.protoc --proto_path=protos
GENERATE = $(PROTOC) --python_out=$(1) --pyi_out=$(1) $(PROTOS) \
  && $(PROTOC) --grpc_python_out=$(1) $$(grep -l '^service ' $(PROTOS))

protos: $(VENV)/.stamp  ## Generate hemostat/v1 from protos/hemostat/v1
	@$(call GENERATE,.)

docs: $(VENV)/.stamp  ## Write the pages of features and of the simulation's parameters
	@$(PY) -m hemostat.cli.feature_page >docs/FEATURES.md
	@$(PY) -m training.simulation.parameters >docs/SIMULATION_PARAMETERS.md

# Universal: one file for both Pythons. Hashes, and no index host (pip takes the user's own).
lock: $(VENV)/.stamp  ## Renew requirements.lock from pyproject.toml (UPGRADE=1: newest versions)
	@command -v uv >/dev/null || { $(PY) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install -qqq uv; }
	@PATH="$(VENV)-lock/bin:$$PATH" uv pip compile pyproject.toml --extra dev --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet \
	  --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --output-file requirements.lock

# --- virtual environment ---------------------------------------------------------------------

venv: $(VENV)/.stamp  ## Only the virtual environment
	@:

# A venv whose interpreter is gone, or a clone that was moved, is installed again.
ifneq ($(shell $(PY) -c 'print(1)' 2>/dev/null; cat $(VENV)/.stamp 2>/dev/null),1 $(CURDIR))
  $(shell rm -f $(VENV)/.stamp $(if $(shell $(PY) -c 'print(1)' 2>/dev/null),,$(VENV)/.locked))
endif

# Runs each candidate: a `python3.12` on the PATH may only print an error.
define PROBE
import sys
if sys.version_info[:2] not in ((3, 11), (3, 12)):
    sys.exit("is Python %d.%d" % sys.version_info[:2])
import ensurepip, venv
endef
export PROBE

define PICK_PYTHON
tried=; \
for candidate in "$$PYTHON" python3.12 python3.11 python3 python; do \
  [ -n "$$candidate" ] || continue; \
  if why=$$("$$candidate" -c "$$PROBE" 2>&1); then python=$$candidate; break; fi; \
  why=$$(printf '%s\n' "$$why" | grep -v -e '^Traceback' -e '^ ' | head -n 1); \
  tried="$$tried  $$candidate: $$why\n"; \
  [ "$$candidate" != "$$PYTHON" ] || echo "PYTHON=$$candidate is not usable ($$why); looking further"; \
done; \
if [ -z "$$python" ]; then \
  echo "No usable Python. hemostat needs Python 3.11 or 3.12 with the modules venv and ensurepip"; \
  printf '(Debian: the package python3-venv). Tried:\n%b' "$$tried"; \
  echo "Fix: install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; \
  exit 1; \
fi
endef
export PYTHON

# pip's warnings about the machine's own index settings are noise: the log is shown on failure.
define PIP_INSTALL
{ $(PY) -m pip install $(1) >$(VENV)/install.log 2>&1 \
  || { tail -n 30 $(VENV)/install.log; echo "Installation failed; the whole log: $(VENV)/install.log"; exit 1; }; }
endef

$(VENV)/.locked: requirements.lock
	@$(PICK_PYTHON); \
	  echo "Installing the locked packages into $(VENV) with $$($$python -V) (about 1 GB, a few minutes)"; \
	  $$python -m venv $(VENV)
	@$(call PIP_INSTALL,--require-hashes -r requirements.lock)
	@touch $@

# Editable and offline: setuptools comes from the lock. A new top-level package needs a new finder.
$(VENV)/.stamp: $(VENV)/.locked pyproject.toml $(wildcard $(PACKAGES:%=%/__init__.py))
	@$(call PIP_INSTALL,--no-deps --no-build-isolation --no-index -e .)
	@echo '$(CURDIR)' >$@

# numba compiles at first use; here, so that no demo, test or server waits for it.
warm: $(VENV)/.warm
$(VENV)/.warm: $(VENV)/.stamp $(shell find features -name '*.py') $(wildcard hemostat/v1/*_pb2.py) scoring/attribution.py stream/grouping.py stream/deduplication.py
	@if [ -f features/warm.py ]; then echo "Compiling the feature core"; $(PY) -m features.warm; fi
	@$(PY) -c 'import scoring.attribution, stream.deduplication, stream.grouping'
	@touch $@

clean:  ## Remove caches and results; keeps the virtual environment
	rm -rf out demo-out runs build dist *.egg-info benchmarks/results .mypy_cache .ruff_cache \
	  .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Also remove the virtual environments
	rm -rf $(VENV) $(VENV)-lock
