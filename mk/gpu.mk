# Checks of the CUDA path: without a GPU (check-plans) and on one (check-gpu, bench-gpu).

# cuDNN's planner on the backend's own graphs; the driver's stand-in lies in a folder of its own.
PLANS := $(if $(CUDA_LIB),$(BUILD)/tests/plans/check_plans $(BUILD)/tests/plans/driver/libcuda.so.1)

$(BUILD)/obj/tests/plans/%.o: COMPILE += -Isrc/cuda -Ikernels $(CUDA_CFLAGS)

$(BUILD)/tests/plans/check_plans: $(BUILD)/obj/tests/plans/check_plans.o $(CUDA_LIB) $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< $(CUDA_LIB) $(LIB) $(CUDA_LIBS) $(DEP_LIBS)

$(BUILD)/tests/plans/driver/libcuda.so.1: tests/plans/libcuda.c $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -Wl,-soname,libcuda.so.1 -o $@ $<

check-plans: $(PLANS) ## every cuDNN graph of every recipe, planned for five GPUs that need not be there
	@TEST_SHOW=1 tests/run tests/plans/plans.sh tests/plans/refused.sh

.PHONY: check-plans
