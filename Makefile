# lockstep's build. `make help` lists the targets. Everything made goes to $(BUILD).
#
# Variables:  CUDA=0 | 1 (without, or not without, the CUDA backend; default: where CUDA, cuDNN and NCCL are found)
#             MPICC=mpicc.mpich (the compiler wrapper of the MPI to take; default: the compiler itself, mpicc, pkg-config)
#             CC=clang   SANITIZE=address,undefined | thread   WERROR=1   BUILD=DIR   V=1 (show the commands)
#             NP= DATA= CONFIG= ARGS= NEW=1 RESUME=1 (make run)      SETUP=0 (install nothing)
#             KERNELS=build/obj/kernels (where nvcc's objects are: those of another build)
#
# src/*/*.c become liblockstep.a, src/main.c the program. All that needs CUDA (src/cuda, kernels/*.cu) becomes
# liblockstep_cuda.so beside it, which the program loads when it is asked for a GPU. Each src/ref/*.c is compiled twice:
# the second time with -DREF_DOUBLE, the float64 truth that the tests differentiate. Objects depend on the headers they
# include, on the flags and compiler they were made with, and on the libraries found (config.mk, remade when these change).

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
TOOL_GOALS := run setup test test-self test-slurm asan tsan fuzz fuzz-smoke lint format check-format check-text \
              check-includes check-circles check-headers check-scripts check-aarch64 clean help \
              timing-study checkpoint-study accuracy
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

# The CUDA backend takes lockstep's own functions from the program that loads it, and is looked for beside it.
EXPORT := -rdynamic -Wl,--enable-new-dtags -Wl,-rpath,'$$ORIGIN' -Wl,-rpath,'$$ORIGIN/../..'

ifdef COMPILING
CONFIG_MK := $(BUILD)/config.mk
-include $(CONFIG_MK)
# What is given to make on its command line is not in the environment of $(shell).
HOMES := $(patsubst %,%_HOME,CUDA CUDNN NCCL HDF5 DNNL YAML CJSON XXHASH CAIRO ZLIB CMOCKA)
CONFIGURE := CC='$(CC)' MPICC='$(MPICC)' CUDA='$(CUDA)' $(foreach home,$(HOMES),$(home)='$($(home))') scripts/configure.sh
ifneq ($(CONFIG_SIGNATURE),$(shell $(CONFIGURE) --signature))
# Here and not in a rule: the rest cannot be read without it. (Evaluated, not included: make remembers that a
# folder was not there a moment ago.)
PREPARED := $(shell $(CONFIGURE) $(CONFIG_MK) >&2)
$(eval $(file <$(CONFIG_MK)))
endif
ifneq ($(MISSING),)
$(error missing: $(MISSING). `make setup` installs what lockstep needs on Debian and Ubuntu; elsewhere: docs/cluster.md)
endif
ifeq ($(CUDA),1)
ifneq ($(CUDA_MISSING),)
$(error CUDA=1, but $(CUDA_MISSING))
endif
endif
$(shell scripts/version.sh $(BUILD)/version.h)

# The headers of a parallel HDF5 include MPI's.
DEP_CFLAGS += $(if $(PARALLEL_HDF5),$(MPI_CFLAGS))
# MPI's are apart, for src/comm alone sees its headers: the objects of a build for another MPI are the same but for those.
FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(LDFLAGS) $(DEP_CFLAGS) $(CAIRO_CFLAGS) $(DEP_LIBS) $(EXPORT)
ifneq ($(FLAGS_NOW),$(file <$(BUILD)/flags))
$(file >$(BUILD)/flags,$(FLAGS_NOW))
endif
MPI_FLAGS_NOW := $(MPI_CFLAGS) $(MPI_LIBS)
ifneq ($(MPI_FLAGS_NOW),$(file <$(BUILD)/mpi-flags))
$(file >$(BUILD)/mpi-flags,$(MPI_FLAGS_NOW))
endif
endif

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))
COMPILE = $(CC) $(ALL_CFLAGS) -Iinclude -I$(BUILD) $(DEP_CFLAGS) -MMD -MP
LINK = $(CC) $(ALL_CFLAGS) $(LDFLAGS) $(EXPORT)
LINK_LIBS = $(MPI_LIBS) $(DEP_LIBS)

# ---- Sources ----
# What needs CUDA, cuDNN or NCCL is a shared object of its own.
LIB_SRC := $(filter-out src/cuda/%,$(sort $(wildcard src/*/*.c)))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) \
           $(patsubst src/ref/%.c,$(BUILD)/obj/ref64/%.o,$(wildcard src/ref/*.c))
LIB := $(BUILD)/liblockstep.a
# Sanitized programs run on the CPU alone.
CUDA_SRC := $(if $(HAVE_CUDA),$(if $(SANITIZE),,$(wildcard src/cuda/*.c)))
# What backends share is compiled once more, as part of it.
CUDA_OBJ := $(CUDA_SRC:%.c=$(BUILD)/obj/%.o) $(if $(CUDA_SRC),$(BUILD)/obj/cuda/steps.o)
# nvcc makes them alike for any CC, so that a build may take those of another: KERNELS=build/obj/kernels.
KERNELS ?= $(BUILD)/obj/kernels
KERNEL_OBJ := $(if $(CUDA_SRC),$(patsubst kernels/%.cu,$(KERNELS)/%.o,$(wildcard kernels/*.cu)))
KERNEL_LIB := $(if $(KERNEL_OBJ),$(KERNELS)/libkernels.a)
CUDA_LIB := $(if $(CUDA_SRC),$(BUILD)/liblockstep_cuda.so)
PROGRAM := $(patsubst src/main.c,$(BUILD)/lockstep,$(wildcard src/main.c))

# A test program is one file test_*.c with main; the other .c files of its folder are helpers linked into each.
programs = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard $(1))))
helpers = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out tests/$(1)/test_%.c,$(wildcard tests/$(1)/*.c)))
UNIT := $(call programs,tests/unit/test_*.c)
OPS := $(call programs,tests/ops/test_*.c)
GOLDEN := $(call programs,tests/golden/test_*.c)
TOOLS := $(call programs,tests/*.c)
DIST := $(call programs,tests/dist/*.c)
# Programs that call kernels and NCCL themselves; each is linked with the kernels and NCCL's data plane.
CUDA_TESTS := $(if $(CUDA_LIB),$(call programs,tests/cuda/test_*.c tests/cuda/*_program.c))
BENCH := $(call programs,bench/*.c)
# With clang's SANITIZE=fuzzer,... libFuzzer brings main; else driver.c does.
FUZZ_MAIN := $(if $(findstring fuzzer,$(SANITIZE)),,$(BUILD)/obj/tests/fuzz/driver.o)
FUZZ := $(call programs,tests/fuzz/fuzz_*.c)
# What calls of the program go wrong by; a sanitizer must be loaded before anything else.
FAULT_SHIM := $(if $(SANITIZE),,$(BUILD)/tests/faults/shim.so)
TEST_PROGRAMS := $(TOOLS) $(UNIT) $(OPS) $(GOLDEN) $(DIST) $(FUZZ) $(CUDA_TESTS) $(FAULT_SHIM)

all: $(LIB) $(PROGRAM) $(CUDA_LIB) ## build the library and build/lockstep (the default)

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
	$(Q)$(LINK) -o $@ $< $(LIB) $(LINK_LIBS)

# ---- The CUDA backend ----
# Machine code for these GPUs, and PTX that the driver compiles for later ones; the PTX stays as it is in the file.
SM := 80 90 100 120
NVCC_FLAGS := -std=c++17 -O3 -lineinfo -Iinclude -Ikernels -fmad=false -cudart shared --compress-mode=none \
    -Xcompiler -fPIC,-fvisibility=hidden,-Wall -Xptxas -v,-warn-spills $(foreach sm,$(SM),-gencode arch=compute_$(sm),code=sm_$(sm)) \
    -gencode arch=compute_80,code=compute_80
ifneq ($(KERNEL_OBJ),)
NVCC_NOW := $(NVCC) $(NVCC_FLAGS)
ifneq ($(NVCC_NOW),$(file <$(KERNELS)/flags))
$(shell mkdir -p $(KERNELS))$(file >$(KERNELS)/flags,$(NVCC_NOW))
endif
endif

# A backend of a build that had one must not be found by one that is to have none.
ifeq ($(CUDA_LIB),)
$(if $(COMPILING),$(if $(wildcard $(BUILD)/liblockstep_cuda.so),$(shell rm $(BUILD)/liblockstep_cuda.so)))
endif

# It shows a few entries alone: the program exports all it has, and of two functions of one name (the CPU backend's
# plan_make, say) the program's would be called from here as well.
$(CUDA_OBJ): COMPILE += -fPIC -fvisibility=hidden -Ikernels $(CUDA_CFLAGS)

$(BUILD)/liblockstep_cuda.so: $(CUDA_OBJ) $(KERNEL_OBJ) $(BUILD)/flags
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -Wl,-z,lazy $(LDFLAGS) -o $@ $(CUDA_OBJ) $(KERNEL_OBJ) $(CUDA_LIBS) -lstdc++

CUDA_TEST_OBJ := $(BUILD)/obj/tests/cuda/gpu_array.o $(BUILD)/obj/src/cuda/nccl.o $(BUILD)/obj/src/cuda/check.o $(KERNEL_LIB)
$(BUILD)/obj/tests/cuda/%.o: COMPILE += -Ikernels $(CUDA_CFLAGS)
$(CUDA_TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(CUDA_TEST_OBJ) $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< $(CUDA_TEST_OBJ) $(LIB) $(CUDA_LIBS) $(TEST_LIBS) $(LINK_LIBS) -lstdc++

# For test programs, which take those that they call.
$(KERNEL_LIB): $(KERNEL_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcsD $@ $^

# What ptxas says of each kernel is kept for check-ptxas; whatever else nvcc says is shown.
$(KERNELS)/%.o: kernels/%.cu $(KERNELS)/flags
	$(call say,NVCC,$<)
	$(Q)$(NVCC) $(NVCC_FLAGS) -MD -MF $(@:.o=.d) -c $< -o $@ 2>$(@:.o=.ptxas); code=$$?; \
	    grep -vE '^(ptxas info|    [0-9]+ bytes stack frame)' $(@:.o=.ptxas) >&2; exit $$code

$(BUILD)/obj/cuda/%.o: src/backend/%.c $(BUILD)/flags
	$(call say,CC,"$< (CUDA)")
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c $< -o $@

$(BUILD)/obj/ref64/%.o: src/ref/%.c $(BUILD)/flags
	$(call say,CC,"$< (float64)")
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -DREF_DOUBLE -c $< -o $@

$(BUILD)/obj/src/comm/%.o: COMPILE += $(MPI_CFLAGS)
$(filter $(BUILD)/obj/src/comm/%,$(LIB_OBJ)): $(BUILD)/mpi-flags
$(BUILD)/obj/src/plot/%.o: COMPILE += $(CAIRO_CFLAGS)
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

$(BUILD)/tests/faults/shim.so: tests/faults/shim.c $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -shared -fPIC -o $@ $< -ldl

# $(1): programs, $(2): objects that each of them needs besides its own.
define link_rule
$(1): $(BUILD)/%: $(BUILD)/obj/%.o $(2) $(LIB) $(BUILD)/flags
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(LINK) -o $$@ $$< $(2) $$(or $$(WHOLE_LIB),$(LIB)) $$(TEST_LIBS) $$(LINK_LIBS)
endef
# The CUDA backend takes lockstep's functions from the program that loads it.
$(filter %/test_cuda_vs_ref,$(OPS)): WHOLE_LIB = -Wl,--whole-archive $(LIB) -Wl,--no-whole-archive
$(if $(UNIT),$(eval $(call link_rule,$(UNIT),$(call helpers,unit))))
$(if $(OPS),$(eval $(call link_rule,$(OPS),$(call helpers,ops))))
$(if $(GOLDEN),$(eval $(call link_rule,$(GOLDEN),$(call helpers,golden))))
$(if $(DIST)$(TOOLS),$(eval $(call link_rule,$(DIST) $(TOOLS),)))
$(if $(BENCH),$(eval $(call link_rule,$(BENCH),)))
$(if $(FUZZ),$(eval $(call link_rule,$(FUZZ),$(FUZZ_MAIN))))
$(FUZZ): LDFLAGS += $(if $(FUZZ_MAIN),,-fsanitize=fuzzer)

-include $(shell find $(sort $(wildcard $(BUILD)/obj $(KERNELS))) /dev/null -name '*.d')
.SECONDARY:

include mk/emulated.mk
include mk/check.mk
include mk/sim.mk
include mk/gpu.mk
include mk/kit.mk
include mk/scale.mk
include mk/study.mk
