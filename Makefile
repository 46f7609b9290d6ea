# The same commands for people and for CI. `make` alone lists them.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.cache/node/bin:$(PATH)
export PYTHONPATH :=

.DEFAULT_GOAL := help
.PHONY: help setup fmt check test demo devnet bench soak deep lock clean
.NOTPARALLEL: # the checks share caches

# All tests in two processes, file by file: most of their time is waiting for the blocks of chains.
TOGETHER := --numprocesses 2 --dist loadfile

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: ## bring everything the others need (once; a second run is instant)
	@./scripts/setup

demo: setup ## move shares over all six routes on local chains (ARGS="--transfers 30")
	@.venv/bin/relayer demo $(ARGS)

devnet: setup ## keep the three local chains running, with endpoints and funded keys (ARGS=...)
	@.venv/bin/relayer devnet $(ARGS)

fmt: setup ## format and mend what can be mended by itself
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

check: setup ## formatting, lint, types, layers
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/lint-imports

test: check ## everything that CI runs: the checks, then all tests (ARGS="tests/domain -x")
	@.venv/bin/pytest $(or $(ARGS),$(TOGETHER))

deep: setup ## the same tests with many more random histories (fuzzing, stateful properties)
	@HYPOTHESIS_PROFILE=deep FOUNDRY_PROFILE=deep .venv/bin/pytest --timeout=1800 $(ARGS)

bench: setup ## measure speed, latency and memory (ARGS=...)
	@.venv/bin/python -m benchmarks $(ARGS)

soak: setup ## an hour of mixed traffic and random faults (ARGS="--minutes 5 --rate 3")
	@.venv/bin/python -m benchmarks.soak $(ARGS)

lock: setup ## renew the lock files after a change of dependencies
	@./scripts/lock

clean: ## remove all that was brought or built
	@rm -rf .venv .cache .state dist .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache contracts/node_modules benchmarks/peers/node_modules contracts/out contracts/cache
