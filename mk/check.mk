# Everything that runs something: training, tests, checks.

export BUILD CC SANITIZE
# Targets that compile in a make of their own use all cores, unless told a number.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE = +@$(MAKE) $(JOBS)

SELF_TESTS := $(wildcard tests/self/*.sh)
DIST_TESTS := $(wildcard tests/dist/*.sh)
E2E_TESTS := $(wildcard tests/e2e/*.sh)
SLURM_TESTS := $(filter-out %/lib.sh,$(wildcard tests/slurm/*.sh))
# What several threads of one rank share; ThreadSanitizer cannot follow MPI and oneDNN.
THREADED := $(foreach word,thread loader reducer writer,$(wildcard tests/unit/test_*$(word)*.c))

run: ## set up, build, find the data, train (NP=4 CONFIG= DATA= ARGS=); never removes a run
	@scripts/run.sh

setup: ## install the packages that are missing (SETUP=0: only name them)
	@scripts/setup.sh build test

test: ## set up, build, run every test
	@scripts/setup.sh build test
	$(SUBMAKE) programs
	+@$(MAKE) check

check: programs ## every test, without the set-up
	@TEST_CLEAN=1 tests/run $(SELF_TESTS) $(UNIT) $(OPS) $(GOLDEN) tests/emulated/bf16.sh $(DIST_TESTS) $(E2E_TESTS) tests/fuzz/smoke.sh

test-unit: $(TOOLS) $(UNIT) ## the unit tests
	@tests/run $(UNIT)

test-ops: $(OPS) $(GOLDEN) $(EMULATED) ## the layers against references, finite differences, stored numbers
	@tests/run $(OPS) $(GOLDEN) tests/emulated/bf16.sh

test-dist: all $(TOOLS) $(DIST) ## the tests over several ranks
	@tests/run $(DIST_TESTS)

test-e2e: all $(TOOLS) ## whole runs: crash, resume, failure, output
	@tests/run $(E2E_TESTS)

test-faults: all $(TOOLS) $(DIST) $(FAULT_SHIM) ## a fault of every kind, and those that once failed; about 3 minutes
	@tests/run tests/faults/every_kind.sh

soak: all $(TOOLS) $(DIST) $(FAULT_SHIM) ## faults of all kinds at random, for SOAK_SECONDS=600 from seed SOAK_SEED=1 on; a table
	@. scripts/env.sh && tests/faults/campaign soak

test-slurm: ## jobs on an emulated Slurm cluster (root): launch, requeue, dying nodes; about 7 minutes
	@scripts/setup.sh build test && { [ "$$(id -u)" != 0 ] || scripts/setup.sh slurm; }
	$(SUBMAKE) all $(BUILD)/tests/dist/make_cifar
	@tests/run $(SLURM_TESTS)

test-self: ## the tests of the build, the runner and the checks
	@tests/run $(SELF_TESTS)

asan: ## unit tests and a two-rank run under AddressSanitizer and UndefinedBehaviorSanitizer
	$(SUBMAKE) SANITIZE=address,undefined BUILD=$(BUILD)/asan run-asan

tsan: ## the threaded unit tests under ThreadSanitizer
	$(SUBMAKE) SANITIZE=thread BUILD=$(BUILD)/tsan run-tsan

fuzz-smoke: ## each fuzz target for FUZZ_SECONDS=6 under the sanitizers
	$(SUBMAKE) SANITIZE=address,undefined BUILD=$(BUILD)/asan run-fuzz-smoke

fuzz: ## libFuzzer on TARGET=yaml, of tests/fuzz/fuzz_*.c, for FUZZ_SECONDS=600 under the sanitizers (clang)
	$(SUBMAKE) CC=clang SANITIZE=address,undefined,fuzzer BUILD=$(BUILD)/fuzz run-fuzz

run-asan: all $(TOOLS) $(UNIT)
	@TEST_SLOWER=5 tests/run $(UNIT) tests/sanitize/two-ranks.sh

run-tsan: $(TOOLS) $(THREADED:%.c=$(BUILD)/%)
	@TEST_SLOWER=5 tests/run $(THREADED:%.c=$(BUILD)/%)

run-fuzz-smoke: $(FUZZ)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-6} tests/run tests/fuzz/smoke.sh

# Inputs that reach new code stay in found/TARGET, those that fail in found/TARGET-crash-*.
run-fuzz: $(BUILD)/tests/fuzz/fuzz_$(TARGET)
	@mkdir -p $(BUILD)/found/$(TARGET)
	LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 $< -max_total_time=$${FUZZ_SECONDS:-600} -timeout=60 \
	    -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix=$(BUILD)/found/$(TARGET)- $(BUILD)/found/$(TARGET) tests/fuzz/corpus/$(TARGET)

bench: all $(BENCH) ## speed of RECIPE=quickstart: images/s, phases, GFLOP/s a layer, share of the floor, memory
	@BUILD=$(BUILD) bench/recipe $(or $(RECIPE),quickstart) $(or $(ROUNDS),3) $(ARGS)

lint: check-format check-text check-includes check-circles check-headers check-scripts ## all checks of the source

format: ## lay the C files out as .clang-format says
	@scripts/check-format --fix

check-format: ## the C files look as .clang-format says
	@scripts/check-format

check-text: ## every text file is as .editorconfig says
	@scripts/check-text

check-includes: ## no module includes what it may not
	@scripts/check-includes

check-circles: ## no files of a folder need each other, nor do two folders
	@scripts/check-circles

check-headers: ## each public header compiles alone, as C11 and C++17
	@scripts/check-headers

check-scripts: ## shellcheck over the scripts
	@scripts/check-scripts

check-aarch64: ## all of src/ compiles for aarch64, and its own arithmetic has the same bits there (a cross compiler, qemu-user)
	@tests/run scripts/check-aarch64

check-bare: $(BUILD)/tests/dist/make_cifar ## the README's commands and the Dockerfile on a bare Debian 12 (root); 4 minutes
	@tests/run tests/bare/bare_debian.sh

check-ptxas: $(KERNEL_OBJ) ## no kernel spills registers, on any GPU it is built for (nvcc; no GPU)
	@ARCHS='$(SM)' REPORTS='$(KERNEL_OBJ:.o=.ptxas)' tests/run scripts/check-ptxas

clean: ## remove the build directory
	rm -rf $(BUILD)

help: ## this list
	@echo 'usage: make [TARGET] [VARIABLE=VALUE]...'
	@sed -nE 's/^([a-z][a-z0-9-]*):.*## (.*)/\1\t\2/p' Makefile mk/*.mk | \
	    while IFS=$$'\t' read -r target text; do printf '  %-16s %s\n' "$$target" "$$text"; done
	@echo 'variables: CC=clang  SANITIZE=address,undefined|thread  WERROR=1  BUILD=DIR  V=1  SETUP=0'

.PHONY: all programs run setup test check test-unit test-ops test-dist test-e2e test-faults soak test-slurm test-self asan tsan \
        fuzz-smoke fuzz run-asan run-tsan run-fuzz-smoke run-fuzz bench lint format check-format \
        check-text check-includes check-circles check-headers check-scripts check-aarch64 check-bare check-ptxas clean help
