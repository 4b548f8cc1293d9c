# The one entry for people and for CI. What stands behind the targets is dev/: `python dev --help`.
# A machine needs git, make and a Python 3.11 to 3.13, nothing else.

LEGS ?=
SECONDS ?= 300
run = @python=$$(sh dev/find-python.sh) && exec "$$python" dev

.DEFAULT_GOAL := help
.PHONY: help venv demo check test bench fuzz matrix errors clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

venv: ## .venv with the newest Python and ansible-core, the collection in place, all tools of daily work
	$(run) venv

demo: ## the whole story on this machine: a SCEP server, ten devices with certificates, a mutual TLS handshake
	$(run) demo

check: ## the fast tests, without root: linters and unit tests, under two minutes
	$(run) check $(LEGS)

test: ## every test; LEGS="unit-newest interop" runs some of them
	$(run) test $(LEGS)

bench: ## how much the server costs, as ratios to what it cannot do without and to other servers
	$(run) bench $(LEGS)

fuzz: ## damaged and made-up messages for SECONDS=300 in all; LEGS="request csr" chooses targets
	$(run) fuzz $(SECONDS) $(LEGS)

matrix: ## docs/interop.md anew, of what the last run of the leg interop saw
	$(run) matrix

errors: ## docs/guides/errors.md anew, of the tables of errors and the source
	$(run) errors

clean: ## remove what make built: .venv, .cache, build
	$(run) clean
