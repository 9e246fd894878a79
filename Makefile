# make demo   set everything up, build the page, start the server
# make test   set everything up, check and test everything
# make check  lint, types, import contracts and the tests of the engine: within a minute
# make mutants   break the important behaviours one by one and see that the tests of their own room notice
# make soak   what takes long: kill tables, long fuzzing, reaches over many seeds
# make conformance   hold the server to its own OpenAPI document for ten minutes (part of make soak)
# make test-adapters   install verifiers and Inspect, each into an environment of its own; vf-eval, inspect eval and scripts against a server
# make smollm2   teach SmolLM2 on random laws, reinforce it and write its adapter (CPU, one thread, about an hour and a half of it)
# make nano   train the nano model from nothing on this machine (CPU, about an hour), with its report
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The environment's own node (see tools/ensure-node) is found first.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

PAGE := physix/api/static/index.html
PAGE_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) \
	$(wildcard web/*.ts web/*.json web/*.html web/scripts/*)

.PHONY: help demo page test check lint mutants soak test-web test-e2e test-python test-adapters conformance types nano smollm2 clean

help:
	@sed -n 's/^# make/make/p' Makefile

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "PhysiX-Live needs Python 3.11 or newer; set PYTHON=/path/to/python3." >&2; exit 1; }
	tools/ensure-packages venv
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,train,wandb]'
	touch $@

web/node_modules/.installed: web/package.json web/package-lock.json .venv/installed
	tools/ensure-node
	cd web && npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(PAGE): web/node_modules/.installed $(PAGE_SOURCES)
	cd web && npm run --silent build

page: $(PAGE)

demo: .venv/installed $(PAGE)
	$(BIN)/physix serve

# Last in line is pytest: its summary closes the output.
test: lint test-web test-e2e test-python

# What sweeps over many laws, files or threads waits for `make test`.
SWEEPS := $(addprefix tests/engine/,systems/measured verifier/test_fuzz.py verifier/test_profiles.py \
	verifier/test_determinism.py verifier/test_wrong_laws.py verifier/test_measured.py verifier/test_along.py \
	verifier/test_mismatch.py)
check: lint
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/engine $(addprefix --ignore=,$(SWEEPS))

mutants: .venv/installed-dev $(PAGE)
	tools/ensure-packages postgres
	$(BIN)/python -m tests.mutants --write docs/testing.md

soak: .venv/installed-dev $(PAGE) conformance
	tools/ensure-packages postgres
	tools/ensure-packages compose
	$(BIN)/python -m pytest -m soak --timeout=0

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-web: .venv/installed-dev $(PAGE)
	cd web && npm run --silent lint && npm run --silent types:check && npm run --silent test

test-e2e: .venv/installed-dev $(PAGE)
	tools/ensure-packages chromium
	cd web && npm run --silent e2e

test-python: .venv/installed-dev $(PAGE)
	tools/ensure-packages postgres
	$(BIN)/python -m pytest

# Schemathesis has pins of its own. (Inside .venv: `openenv validate .` refuses links elsewhere.)
.venv/conformance/bin/schemathesis: | .venv/installed-dev
	.venv/bin/python -m venv .venv/conformance
	.venv/conformance/bin/python -m pip --disable-pip-version-check install --quiet 'schemathesis>=4,<5'

conformance: .venv/conformance/bin/schemathesis
	tools/conformance .venv/bin/python $< 600

# What `vf-eval` needs beside: the package that it loads by name, and uv, which its harnesses run in.
WITH_verifiers := ./adapters/environments/physix_discovery uv

.venv/adapters/%: adapters/pyproject.toml | .venv/installed-dev
	.venv/bin/python -m venv $@
	$@/bin/python -m pip --disable-pip-version-check install --quiet './adapters[$*]' $(WITH_$*)
	touch $@

test-adapters: .venv/adapters/verifiers .venv/adapters/inspect
	$(BIN)/python -m pytest -m "soak or not soak" tests/api/test_adapters.py

# Stages whose results are in runs/nano are not run again; remove the folder to start afresh.
nano: .venv/installed-dev
	$(BIN)/physix train nano --out runs/nano
	$(BIN)/physix train report --weights runs/nano/nano.npz --out runs/nano/report --run runs/nano/nano-sft \
		--other-episodes 40 --search-episodes 34

# The adapter that ships: SmolLM2 on random laws, three stages of supervised training (about half a CPU hour).
SMOLLM2 := runs/smollm2
LESSONS := $(BIN)/physix dataset lessons --db sqlite:///$(SMOLLM2)/lessons.db --synthetic 1400 --systems 150
ALL := --begin plain --plane-firsts 0.4 --line-firsts 0.4
REPAIRS := --begin even --plane-firsts 0.25 --line-firsts 0.1 --system-firsts 0.35 --lines 0.4
A := --first-seed 10000 --run-id lessons-a
B := --first-seed 30000 --run-id lessons-b
TEACH := $(BIN)/physix train sft --profile smollm2 --backend peft --batch 8
smollm2: .venv/installed-dev
	mkdir -p $(SMOLLM2)
	$(BIN)/physix models pull smollm2 --unpack
	$(LESSONS) $(A) $(ALL) --out $(SMOLLM2)/lessons-a1
	$(LESSONS) $(B) $(ALL) --out $(SMOLLM2)/lessons-b1
	$(LESSONS) $(A) $(REPAIRS) --out $(SMOLLM2)/lessons-a2
	$(LESSONS) $(B) $(REPAIRS) --out $(SMOLLM2)/lessons-b2
	$(TEACH) --dataset $(SMOLLM2)/lessons-a1 --dataset $(SMOLLM2)/lessons-b1 --output-dir $(SMOLLM2)/sft-1 --num-steps 240
	$(TEACH) --model $(SMOLLM2)/sft-1/model --dataset $(SMOLLM2)/lessons-a2 --dataset $(SMOLLM2)/lessons-b2 \
		--output-dir $(SMOLLM2)/sft-2 --num-steps 280 --learning-rate 7e-4
	$(BIN)/physix train gguf --model $(SMOLLM2)/sft-2/model --out $(SMOLLM2) --name smollm2-sft
	$(BIN)/physix train grpo --profile smollm2 --backend peft --model $(SMOLLM2)/sft-2/model --num-steps 20 --group 8 \
		--prompts-per-step 3 --random-laws 0.34 --max-turns 3 --learning-rate 1e-4 --save-every 5 --db sqlite:///$(SMOLLM2)/rollouts.db --output-dir $(SMOLLM2)/grpo
	$(BIN)/physix train gguf --model $(SMOLLM2)/grpo/model --out $(SMOLLM2) --name smollm2-physix

types: web/node_modules/.installed .venv/installed-dev
	$(BIN)/python -m physix.api.openapi > web/src/api/openapi.json
	cd web && npm run --silent types

clean:
	rm -rf .venv web/node_modules physix/api/static
