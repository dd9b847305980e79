# lockstep's build. `make help` lists the targets. Everything made goes to $(BUILD).
#
# Variables:  CC=clang   SANITIZE=address,undefined | thread   WERROR=1   BUILD=DIR   V=1 (show the commands)
#             NP= DATA= CONFIG= ARGS= RESUME=1 (make run)      SETUP=0 (install nothing)
#
# src/*/*.c become liblockstep.a, src/main.c the program. Each src/ref/*.c is compiled twice: the second
# time with -DREF_DOUBLE, the float64 truth that the tests differentiate. Objects depend on the headers they include, on
# the flags and compiler they were made with, and on the libraries found (config.mk, remade when these change).

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
PREFIX ?= /usr/local

ifeq ($(SANITIZE),)
BUILD ?= build
else ifeq ($(SANITIZE),thread)
BUILD ?= build/tsan
else ifneq ($(findstring fuzzer,$(SANITIZE)),)
BUILD ?= build/fuzz
else
BUILD ?= build/asan
endif

# ---- Targets that need no compiler: they run before or without the libraries. ----
TOOL_GOALS := run setup test test-self asan tsan fuzz fuzz-smoke lint format check-format check-includes \
              check-headers check-scripts clean help
ifneq ($(filter-out $(TOOL_GOALS),$(or $(MAKECMDGOALS),all)),)
COMPILING := 1
endif

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla $(if $(filter 1,$(WERROR)),-Werror)
# No contraction to FMA: every target_clones variant of a loop must give the same bits.
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) -ffp-contract=off -fno-math-errno
ifneq ($(SANITIZE),)
ALL_CFLAGS += -fsanitize=$(subst fuzzer,fuzzer-no-link,$(SANITIZE)) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
ifneq ($(findstring thread,$(SANITIZE)),)
# The functions that choose a clone run before ThreadSanitizer is ready, and crash: no clones there.
ALL_CFLAGS += "-Dtarget_clones(...)=noinline"
endif

ifdef COMPILING
CONFIG_MK := $(BUILD)/config.mk
-include $(CONFIG_MK)
ifneq ($(CONFIG_SIGNATURE),$(shell CC='$(CC)' scripts/configure.sh --signature))
# Here and not in a rule: the rest cannot be read without it. (Evaluated, not included: make remembers that a
# folder was not there a moment ago.)
PREPARED := $(shell CC='$(CC)' scripts/configure.sh $(CONFIG_MK) >&2)
$(eval $(file <$(CONFIG_MK)))
endif
ifneq ($(MISSING),)
$(error missing: $(MISSING). `make setup` installs what lockstep needs)
endif
$(shell scripts/version.sh $(BUILD)/version.h)

FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(LDFLAGS) $(DEP_CFLAGS) $(DEP_LIBS)
ifneq ($(FLAGS_NOW),$(file <$(BUILD)/flags))
$(file >$(BUILD)/flags,$(FLAGS_NOW))
endif
endif

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))
COMPILE = $(CC) $(ALL_CFLAGS) -Iinclude -I$(BUILD) $(DEP_CFLAGS) -MMD -MP
LINK = $(CC) $(ALL_CFLAGS) $(LDFLAGS)

# ---- Sources ----
LIB_SRC := $(sort $(wildcard src/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) \
           $(patsubst src/ref/%.c,$(BUILD)/obj/ref64/%.o,$(wildcard src/ref/*.c))
LIB := $(BUILD)/liblockstep.a
PROGRAM := $(patsubst src/main.c,$(BUILD)/lockstep,$(wildcard src/main.c))

# A test program is one file test_*.c with main; the other .c files of its folder are helpers linked into each.
programs = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard $(1))))
helpers = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out tests/$(1)/test_%.c,$(wildcard tests/$(1)/*.c)))
UNIT := $(call programs,tests/unit/test_*.c)
OPS := $(call programs,tests/ops/test_*.c)
GOLDEN := $(call programs,tests/golden/test_*.c)
TOOLS := $(call programs,tests/*.c)
DIST := $(call programs,tests/dist/*.c)
BENCH := $(call programs,bench/*.c)
# With clang's SANITIZE=fuzzer,... libFuzzer brings main; else driver.c does.
FUZZ_MAIN := $(if $(findstring fuzzer,$(SANITIZE)),,$(BUILD)/obj/tests/fuzz/driver.o)
FUZZ := $(call programs,tests/fuzz/fuzz_*.c)
TEST_PROGRAMS := $(TOOLS) $(UNIT) $(OPS) $(GOLDEN) $(DIST) $(FUZZ)

all: $(LIB) $(PROGRAM) ## build the library and build/lockstep (the default)

programs: all $(TEST_PROGRAMS) $(BENCH) ## build every test and bench program as well

# A file that was added or removed changes the library as well.
ifneq ($(LIB_OBJ),$(file <$(BUILD)/sources))
$(if $(COMPILING),$(file >$(BUILD)/sources,$(LIB_OBJ)))
endif

# q and not r: backends have files of the same names.
$(LIB): $(LIB_OBJ) $(BUILD)/sources
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) qcsD $@ $(LIB_OBJ)

$(BUILD)/lockstep: $(BUILD)/obj/src/main.o $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $< $(LIB) $(DEP_LIBS)

$(BUILD)/obj/ref64/%.o: src/ref/%.c $(BUILD)/flags
	$(call say,CC,"$< (float64)")
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -DREF_DOUBLE -c $< -o $@

$(BUILD)/obj/src/%.o: src/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

$(BUILD)/obj/tests/%.o $(BUILD)/obj/bench/%.o: COMPILE += -Itests
$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

$(BUILD)/obj/bench/%.o: bench/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

# $(1): programs, $(2): objects that each of them needs besides its own.
define link_rule
$(1): $(BUILD)/%: $(BUILD)/obj/%.o $(2) $(LIB) $(BUILD)/flags
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(LINK) -o $$@ $$< $(2) $(LIB) $$(TEST_LIBS) $$(DEP_LIBS)
endef
$(if $(UNIT),$(eval $(call link_rule,$(UNIT),$(call helpers,unit))))
$(if $(OPS),$(eval $(call link_rule,$(OPS),$(call helpers,ops))))
$(if $(GOLDEN),$(eval $(call link_rule,$(GOLDEN),$(call helpers,golden))))
$(if $(DIST)$(TOOLS),$(eval $(call link_rule,$(DIST) $(TOOLS),)))
$(if $(BENCH),$(eval $(call link_rule,$(BENCH),)))
$(if $(FUZZ),$(eval $(call link_rule,$(FUZZ),$(FUZZ_MAIN))))
$(FUZZ): LDFLAGS += $(if $(FUZZ_MAIN),,-fsanitize=fuzzer)

-include $(shell test -d $(BUILD)/obj && find $(BUILD)/obj -name '*.d')
.SECONDARY:

include mk/check.mk
include mk/scale.mk
