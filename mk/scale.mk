# Scale on paper: the communication of a step on simulated clusters (SimGrid). See bench/scale/run.

SCALE_TOOLS := $(BUILD)/bench/scale/pattern $(BUILD)/bench/scale/replay
SCALE_STEP := $(BUILD)/bench/scale/step
TIMELINE := $(BUILD)/obj/bench/scale/timeline.o
$(eval $(call link_rule,$(SCALE_TOOLS),$(TIMELINE)))

# SMPI's wrapper brings an mpi.h of its own.
$(SCALE_STEP): bench/scale/step.c bench/scale/timeline.c bench/scale/timeline.h
	$(call say,SMPI,$@)
	@mkdir -p $(@D)
	$(Q)smpicc -O2 -std=gnu11 -Wall -Wextra -o $@ bench/scale/step.c bench/scale/timeline.c

SCALE := $(SCALE_TOOLS) $(if $(shell command -v smpicc),$(SCALE_STEP))
programs: $(SCALE)

bench-scale: $(SCALE) ## step time on simulated clusters of NODES="64 256 1024"
	@BUILD=$(BUILD) bench/scale/run

.PHONY: bench-scale
