# zroot: what can be built, shown and tested. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
PYTEST := $(RUN) pytest -rs
# Minutes after which no further VM test is started, so that CI ends in time; test-all has no limit.
VM_BUDGET ?= 55
# Two machines side by side, with one processor each; tests of one machine stay together and in their order.
SIDE_BY_SIDE := -n 2 --dist loadgroup --no-loadscope-reorder
# More words for the benchmarks in machines: --processors N, and what else their --help says.
BENCH ?=
# Once more only where the emulator itself failed: tests/vm/serial.py says how that is known.
EMULATED := --reruns 1 --only-rerun "the emulator lost a race"

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: host
host:
	@iso/host-packages iso/host-packages.list

.PHONY: test-host
test-host:
	@iso/host-packages iso/host-packages.list tests/host-packages.list

# What test-fast can do without, one by one: a test skips itself and names the package that it needs.
.PHONY: fast-host
fast-host:
	@iso/host-packages tests/host-packages.list || echo "Until then the tests that need one of them are skipped, each with its name."

# Only packages with the hashes of the lock; nothing of it is installed outside .venv.
$(BIN)/zroot-environment: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "zroot needs Python 3.11 or newer: make PYTHON=python3.x")'
	@$(RUN) pip --version > /dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	touch $@

.PHONY: iso
iso: host $(BIN)/zroot-environment ## dist/zroot-amd64.iso
	@mkdir -p .cache/vm  # before root makes .cache its own
	@if [[ $$(id -u) == 0 ]]; then iso/build; else \
		echo "Building the image needs root: a Debian is unpacked and entered (chroot) in .cache/iso."; \
		sudo iso/build && sudo chown --recursive "$$(id -u):$$(id -g)" dist; fi

# What emulates the machines; the installed one serves where it cannot be had.
.PHONY: emulator
emulator: host
	@tests/vm/newer-qemu

.PHONY: vm
vm: iso emulator ## the main job: a recipe becomes two disks that boot, shown from the first command to zpool status
	@$(RUN) tests.vm.demo

.PHONY: vm-guided
vm-guided: iso emulator ## the same machine with the guided install on this terminal, as over a serial line
	@$(RUN) tests.vm.guided

.PHONY: demo
demo: $(BIN)/zroot-environment ## the guided install over a recorded machine: no root, nothing written
	@$(RUN) screens --machine tests/machines/synthetic-two-blank.json

.PHONY: check
check: $(BIN)/zroot-environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy -p installer -p screens -p tests.vm -p tests.faults
	$(BIN)/lint-imports --no-cache

# Side by side, each with its own output: a test of a screen or of a dialogue waits as much as it works.
TOGETHER := $(MAKE) --no-print-directory --jobs=6 --output-sync=target
# A command whose time stands in the table at the end of `make test`.
STEP := @$(RUN) tests.times step
PARTS := part-unit part-runs part-screens part-flows part-states
MARKS := not vm and not sweep

.PHONY: test-fast
test-fast: fast-host $(BIN)/zroot-environment ## without virtual machines and without what is tried in every combination; 2 min 20 s on two cores
	@$(TOGETHER) check $(PARTS)

# Whole runs, dialogues and programs that hang: they wait for seconds of the clock.
RUNS := $(wildcard tests/unit/test_run_*.py tests/unit/test_process.py)
# The states of the catalogue share one app, and their pictures are taken once.
STATES := $(addprefix tests/screens/test_,console_fitness.py keys.py resize.py snapshots.py)
FLOWS := $(addprefix tests/screens/test_,encryption.py flows.py forgetting.py home.py replay.py shipped.py uses.py)

.PHONY: $(PARTS)
part-unit: $(BIN)/zroot-environment
	$(PYTEST) -m "$(MARKS)" $(addprefix --ignore=,$(RUNS)) tests/unit tests/vm

part-runs: $(BIN)/zroot-environment
	$(PYTEST) -m "$(MARKS)" $(RUNS)

part-screens: $(BIN)/zroot-environment
	$(PYTEST) -m "$(MARKS)" $(addprefix --ignore=,$(STATES) $(FLOWS)) tests/screens

part-flows: $(BIN)/zroot-environment
	$(PYTEST) -m "$(MARKS)" $(FLOWS)

part-states: $(BIN)/zroot-environment
	$(PYTEST) -m "$(MARKS)" $(STATES)

.PHONY: test
test: test-host $(BIN)/zroot-environment ## what CI runs: all that test-fast leaves out too, the image, and virtual machines
	@$(RUN) tests.times begin
	$(STEP) "linters, types, unit tests, screens" $(TOGETHER) check $(PARTS) MARKS="not vm"
	$(STEP) "image" $(MAKE) --no-print-directory iso
	$(STEP) "emulator" $(MAKE) --no-print-directory emulator
	$(PYTEST) $(EMULATED) $(SIDE_BY_SIDE) -m "vm and not slow" --vm-budget $(VM_BUDGET) tests/vm

.PHONY: test-all
test-all: test-host $(BIN)/zroot-environment ## every test, hours, in as many sittings as it takes; fails if plan/, run/ or iso/ changed since the last full run
	@$(TOGETHER) check $(PARTS) MARKS="not vm"
	$(MAKE) iso emulator
	@$(RUN) tests.vm.full_run

.PHONY: faults
faults: $(BIN)/zroot-environment ## every fault that zroot must survive, the tests that hold it, and what became of them here
	@$(RUN) tests.faults.table

.PHONY: bench
bench: iso emulator ## the figures in README; with BASE=REVISION or BASE=IMAGE.iso installs by that image and this one in turn
	@$(RUN) $(if $(BASE),tests.vm.bench.pairs $(BENCH) -- $(BASE),tests.vm.bench.floor)

.PHONY: bench-disks
bench-disks: iso ## storage alone over 4, 12 and 24 disks
	@$(RUN) tests.vm.bench.disks $(BENCH)

.PHONY: bench-boot
bench-boot: iso ## the start of the installed machine beside a plain Debian's
	@$(RUN) tests.vm.bench.boot

.PHONY: bench-screens
bench-screens: $(BIN)/zroot-environment ## how long the guided install takes to its first picture, what a key costs; plan and review with 90 disks
	@$(RUN) tests.screens.bench

# pip's own settings are left out: an index or a folder of wheels that only this machine has must not get into the locks.
COMPILE := env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	.cache/lock/bin/pip-compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	--strip-extras --allow-unsafe

.PHONY: reproducible
reproducible: iso ## the image built once more from nothing, and every file compared
	@$(if $(filter 0,$(shell id -u)),,sudo) iso/twice

.PHONY: pictures
pictures: $(BIN)/zroot-environment ## the pictures in README, from the states that the tests look at
	@$(RUN) tests.screens.readme_pictures

.PHONY: lock
lock: ## requirements.lock and requirements-dev.lock anew, from pyproject.toml
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/pip install --quiet pip-tools
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml
