# Atelier's tasks, as words. `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The first interpreter that Atelier runs on; `make setup PYTHON=/path/to/python` takes another.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python,\
	$(shell $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(p))))
# cpu, cu130, auto …: which PyTorch build to install. Empty: the package registry's own. By default the one that is there.
THERE := $(shell cat $(VENV)/backend 2>/dev/null)
TORCH_BACKEND ?= $(THERE)
ARGS ?=

export UV_LINK_MODE ?= copy
UV := $(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --quiet

# The blocks of requirements.lock whose first line matches the pattern $(1), or with $(2) = 0 those that do not.
pick = awk -v pattern='$(1)' -v keep=$(or $(2),1) '/^[a-z0-9]/ { hit = ($$0 ~ pattern) } hit == keep' requirements.lock
TORCH := ^(torch|torchvision|triton|cuda-.*|nvidia-.*)==

.DEFAULT_GOAL := help
.PHONY: help setup train results gallery test test-slow test-browser test-slurm lint lock check-lock schema bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## make .venv from requirements.lock

ifneq ($(TORCH_BACKEND),$(THERE))
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Atelier needs Python 3.11, 3.12 or 3.13; found none. Name one: make setup PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (a few minutes the first time) ..."
	@$(PYTHON) -m venv --clear $(or $(realpath $(VENV)),$(VENV)) # of a link, venv would empty the folder and then fail
	@$(call pick,^uv==) > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
ifeq ($(TORCH_BACKEND),)
	@$(UV) --require-hashes -r requirements.lock
else
	@$(call pick,$(TORCH),0) > $(VENV)/rest.lock
	@$(UV) --torch-backend $(TORCH_BACKEND) $$(sed -n 's/^\(torch\(vision\)\{0,1\}==[^ ]*\).*/\1/p' requirements.lock)
	@$(UV) --require-hashes --no-deps -r $(VENV)/rest.lock
endif
	@$(UV) --no-deps --no-build-isolation --editable .
	@echo $(TORCH_BACKEND) > $(VENV)/backend
	@touch $@

train: $(READY) ## train the network that tells the time (ARGS="trainer.max_epochs=3" adds overrides)
	$(BIN)/python src/train.py experiment=clock_multihead $(ARGS)

results: $(READY) ## do what is missing of conf/results.yaml (ARGS=status tells how far it is; ARGS=claims, ARGS=export)
	$(BIN)/python src/results.py $(ARGS)

gallery: $(READY) ## remake the pictures of docs/gallery.md (ARGS="disk vae": of these folders of docs/gallery/)
	$(BIN)/python docs/gallery.py $(ARGS)

test: $(READY) ## run the tests that do not take long
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(READY) ## run the checks that take too long for every time
	$(BIN)/python -m pytest -m slow $(ARGS)

test-browser: $(READY) ## test the HTML report in a headless Chromium, installed where apt-get can
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver; }
	$(BIN)/python -m pytest -n 0 -m browser $(ARGS)

test-slurm: $(READY) ## test on a Slurm of two nodes that is brought up for it (root, Debian)
	tests/slurm/cluster.sh with $(BIN)/python -m pytest -n 0 tests/slurm $(ARGS)

lint: $(READY) ## ruff check, ruff format, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

RESOLVE := $(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet

lock: $(READY) ## resolve pyproject.toml anew into requirements.lock
	$(RESOLVE) --upgrade -o requirements.lock

check-lock: $(READY) ## tell whether requirements.lock fits pyproject.toml
	@cp requirements.lock $(VENV)/check.lock && $(RESOLVE) -o $(VENV)/check.lock && cmp requirements.lock $(VENV)/check.lock

schema: $(READY) ## write JSON schemas of conf/, with which an editor completes and checks its files
	$(BIN)/python -m atelier.schema

bench: $(READY) ## time what a run, a start, a sweep and a report cost (COMPARE=logs/bench/FILE.json: beside then)
	$(BIN)/python tests/bench $(if $(COMPARE),--compare $(COMPARE)) $(ARGS)

clean: ## remove the environment and caches; data and logs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
