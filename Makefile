# Every target sets up .venv by itself, from hashes, and again only when a lock or the project's
# own metadata changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
INSTALLED := $(VENV)/.installed
EVALUATION := $(VENV)/.evaluation
KILLS := 60
SEEDS := 3000
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
  --no-emit-options $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench crash simulate evaluate serve demo-log lock clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(INSTALLED) ## install everything into .venv

$(INSTALLED): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked requirements into $(VENV) ..."
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(EVALUATION): $(INSTALLED) requirements/evaluation.txt
	@$(PIP) --require-hashes --requirement requirements/evaluation.txt
	@touch $@

demo: $(INSTALLED) ## replay real attacks and benign clients, print the incidents
	@$(BIN)/querywatch demo

serve: $(INSTALLED) ## serve the API on loopback (DATABASE=sqlite:///querywatch-demo.db: the demo's)
	@$(BIN)/querywatch serve $(if $(DATABASE),--database-url $(DATABASE))

test: $(EVALUATION) check ## check, then run every test and the simulator
	@mkdir -p build
	@# The simulator takes the time that the other tests wait for their servers.
	@nice $(BIN)/python -m tests.simulation --seeds $(SEEDS) --processes 1 \
	  >build/simulation.log 2>&1 & simulator=$$!; \
	$(BIN)/python -m pytest; tested=$$?; \
	wait $$simulator; simulated=$$?; cat build/simulation.log; \
	exit $$((tested > simulated ? tested : simulated))

check: $(INSTALLED) ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(INSTALLED) ## speed beside bare Kafka, a naive pipeline and PRADA; build/bench.json
	$(BIN)/python -m tests.bench

crash: $(INSTALLED) ## kill workers under load on a real broker and database (KILLS=60)
	@$(BIN)/python -m tests.crash --kills $(KILLS)

simulate: $(INSTALLED) ## run seeds of the deterministic simulator (SEEDS=3000)
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

evaluate: $(EVALUATION) ## measure detection on held-out models, attacks and benign clients
	$(BIN)/querywatch evaluate --split held_out --json build/evaluation.json \
	  --html build/evaluation.html

demo-log: $(EVALUATION) ## make the demo's log anew from real attacks
	$(BIN)/python -m detector.evaluation.demo

lock: $(INSTALLED) ## write the locks anew (UPGRADE=--upgrade for newer versions)
	$(COMPILE) --extra dev --output-file requirements/dev.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --extra evaluation \
	  --output-file requirements/evaluation.txt pyproject.toml

clean: ## remove what is made, .venv included
	rm -rf $(VENV) build dist ./*.egg-info tests/.services .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
