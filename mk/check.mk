# Everything that runs something: set-up, training, tests, checks.

SCRIPTS := scripts/*.sh scripts/check-* tests/run tests/*.sh tests/*/*.sh .ci/run bench/*.sh bench/run
export BUILD CC SANITIZE

run: ## train configs/quickstart.yaml with NP=4 ranks; CONFIG= ARGS= DATA= NP= ; starts over unless RESUME=1
	@scripts/run.sh

setup: ## install the packages that are missing (SETUP=0: only name them)
	@scripts/setup.sh build test

test: ## set up, build and run every test
	@scripts/setup.sh build test
	@$(MAKE) check

check: programs ## every test, without the set-up
	@tests/run $(UNIT) $(OPS) $(GOLDEN) $(wildcard tests/self/*.sh tests/dist/*.sh tests/e2e/*.sh)

test-unit: all $(UNIT) ## the unit tests alone
	@tests/run $(UNIT)

test-ops: all $(OPS) $(GOLDEN) ## layers against the references: ops and golden
	@tests/run $(OPS) $(GOLDEN)

test-dist: all $(DIST) ## tests over several ranks
	@tests/run $(wildcard tests/dist/*.sh)

test-e2e: all ## whole runs: crash, resume, failure, output
	@tests/run $(wildcard tests/e2e/*.sh)

clean: ## remove the build directory
	rm -rf $(BUILD)

help: ## this list
	@echo 'usage: make [TARGET] [VARIABLE=VALUE]...'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile mk/check.mk | while IFS=$$'\t' read -r target text; \
	    do printf '  %-15s %s\n' "$$target" "$$text"; done

.PHONY: all programs run setup test check test-unit test-ops test-dist test-e2e clean help
