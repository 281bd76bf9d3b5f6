# `make run` starts Frontdesk, `make test` proves it. Both set up .venv first; a second call installs
# nothing again.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# The engine for this machine: vLLM for an NVIDIA GPU where there is one, else for the CPU.
ENGINE ?= $(if $(wildcard /dev/nvidia0),gpu,cpu)
TORCH := torch==2.13.0
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: help run setup test coverage lint format lock bench-serving bench-channels bench-log bench-checks bench-answers bench-injection train-checks bench-retrieval bench-policies bench-off-policy bench-ranking-time bench-replies bench-intents bench-discovery bench-ranking-page bench-analysis-page bench-alerts prove clean
.DEFAULT_GOAL := help

help:
	@echo "make run      set up and start everything: model, pages, Telegram, Slack (Ctrl-C stops)"
	@echo "make setup    install into .venv only"
	@echo "make test     the whole suite        make lint   linters and types     make coverage"
	@echo "make prove    the promises of docs/delivery.md, tried for hours"

run: setup
	@$(BIN)/frontdesk run

setup: $(VENV)/.engine-$(ENGINE)

# A process for each core, a file in one of them. Single files: `.venv/bin/pytest tests/test_model.py`.
test: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist loadfile

# Apart from `make test`, which it slows down.
coverage: $(VENV)/.dev
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# For example: make bench-serving ARGS="--url http://127.0.0.1:8000/v1 --model SmolLM2-135M-Instruct"
bench-serving: setup
	$(BIN)/python -m serving.benchmark --chats 1 8 32 $(ARGS)

# For example: make bench-channels ARGS="--quick"
bench-channels: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.channels $(ARGS)

# For example: make bench-retrieval DATA=../shared/data ARGS="--quick"
bench-retrieval: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.retrieval --data $(DATA) $(ARGS)

# For example: make bench-replies DATA=../shared/data ARGS="--quick"
bench-replies: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.replies --data $(DATA) $(ARGS)

# Half an hour of a core, less what an earlier run left: make bench-policies ARGS="--quick"
bench-policies: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.policies $(ARGS)

# For example: make bench-off-policy DATA=../data ARGS="--quick"
bench-off-policy: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.off_policy --data $(DATA) $(ARGS)

# For example: make bench-ranking-time ARGS="--decisions 20000"
bench-ranking-time: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.ranking_time $(ARGS)

# For example: make bench-intents DATA=../shared/data ARGS="--only banking77 --shots 10 --seeds 0"
bench-intents: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.intents --data $(DATA) $(ARGS)

# For example: make bench-discovery DATA=folder-with-the-sets ARGS="--quick"
bench-discovery: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.discovery --data $(DATA) $(ARGS)

bench-alerts: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.alerts $(ARGS)

# For example: make bench-analysis-page ARGS="--turns 20000", or ARGS="--turns 100000 --times 10"
bench-analysis-page: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.analysis_page $(ARGS)

# For example: make bench-ranking-page ARGS="--decisions 20000"
bench-ranking-page: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.ranking_page $(ARGS)

# For example: make prove ARGS="--only R1,R2 --seed 7 --short --write"
prove: $(VENV)/.dev
	@$(BIN)/python -m tests.prove $(ARGS)

# A quarter of an hour and 9 GB in /tmp; for a first look: make bench-log ARGS="--turns 1000 10000"
bench-log: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.log $(ARGS)

# The public sets are no part of the project: make bench-checks DATA=folder-with-the-sets
bench-checks: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.checks --data $(DATA) $(ARGS)

train-checks: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.checks --data $(DATA) --train $(ARGS)

# For example: make bench-answers DATA=../shared/data ARGS="--every 5"
bench-answers: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.answers --data $(DATA) $(ARGS)

bench-injection: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks.injection --data $(DATA) $(ARGS)

lock:
	sh requirements/lock.sh

clean:
	rm -rf $(VENV) .cache

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

# torch by itself and with what it needs: which build pip finds, and so its hash, depends on the
# index. The CPU build is the smaller one; with the GPU build the CPU engine runs as well.
$(VENV)/.torch: $(BIN)/python
	@echo "Installing $(TORCH) (the first time, this and what follows take some minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	@touch $@

$(VENV)/.engine-cpu: requirements/engine-cpu.lock pyproject.toml | $(VENV)/.torch
	@echo "Installing Frontdesk and vLLM for the CPU ..."
	@$(INSTALL) --require-hashes -r requirements/engine-cpu.lock
	@$(INSTALL) --no-build-isolation -e .
	@touch $@

$(VENV)/.engine-gpu: requirements/engine-gpu.lock pyproject.toml | $(BIN)/python
	@echo "Installing Frontdesk and vLLM for the GPU ..."
	@$(INSTALL) --require-hashes -r requirements/engine-gpu.lock
	@$(INSTALL) --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/.torch
	@echo "Installing Frontdesk, vLLM for the CPU and the test tools ..."
	@$(INSTALL) --require-hashes -r requirements/dev.lock
	@$(INSTALL) --no-build-isolation -e .
	@touch $@ $(VENV)/.engine-cpu
