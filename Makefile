# Every target works on a fresh machine with Python 3.11 or newer, git and make:
# the first one that needs it builds .venv from requirements.lock, whose hashes pip checks.
#
#   make demo ARGS="--seconds 20 --check"     arguments are passed on
#   make test ARGS="tests/schemas -x"

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-long check house bench bench-large replay lock system-packages clean

# Where the environment forbids compiled modules, every process that a test starts would compile
# the product anew, a second each time.
unexport PYTHONDONTWRITEBYTECODE

ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.tocsin-is-ready

# Debian packages that the tests use beside what the wheels bring: BIND signs and serves a zone,
# Unbound validates it, ip makes the networks that are cut, faketime gives a process a wrong clock.
# Knot hands policy zones to BIND and Unbound; Suricata and rsyslog read what is exported for them.
SYSTEM_PACKAGES ?= bind9 bind9-utils unbound knot knot-dnsutils suricata rsyslog rsyslog-gnutls \
	iproute2 faketime

# The house tests are part of the test suite: `make check test` runs them once, in `test`.
CHECK_HOUSE := $(if $(filter test,$(MAKECMDGOALS)),,house)

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Build .venv; the other targets do it when it is needed

$(STAMP): requirements.lock pyproject.toml deploy/venv.sh
	@deploy/venv.sh $(VENV)
	@touch $@

demo: $(STAMP) ## Run three nodes on this machine and narrate what they share and withhold
	@$(BIN)/tocsin demo $(ARGS)

test: $(STAMP) ## Run the tests, but for the long ones
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

test-long: $(STAMP) ## Run the long tests alone
	$(BIN)/python -m pytest -m long $(ARGS)

check: $(STAMP) ## Lint, format, types, import contracts and house tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(if $(CHECK_HOUSE),$(BIN)/python -m pytest -q tests/house)

house: $(STAMP) ## Run the house tests alone
	$(BIN)/python -m pytest -q tests/house $(ARGS)

bench: $(STAMP) ## Measure the TAXII server beside its peers, and what passes between nodes
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench-large: $(STAMP) ## Measure a million objects on SQLite and PostgreSQL (minutes)
	$(BIN)/python -m tests.benchmarks.large $(ARGS)

replay: $(STAMP) ## Judge verdicts on real names beside simpler rules (needs ../shared/data)
	$(BIN)/python -m tests.benchmarks.replay $(ARGS)

lock: ## Write the locks anew from pyproject.toml (ARGS=--upgrade takes newer releases)
	deploy/lock.sh $(ARGS)

system-packages: ## Install what the tests need of the system (as root, where apt is there)
	@deploy/system-packages.sh $(SYSTEM_PACKAGES)

clean: ## Remove .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
