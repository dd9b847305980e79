# Checks of the CUDA path: without a GPU (check-plans) and on one (check-gpu, bench-gpu).

# cuDNN's planner on the backend's own graphs; the driver's stand-in lies in a folder of its own.
PLANS := $(if $(CUDA_LIB),$(BUILD)/tests/plans/check_plans $(BUILD)/tests/plans/driver/libcuda.so.1 \
                      $(BUILD)/tests/gpu/gpu_properties)
GPU_TOOLS := $(if $(CUDA_LIB),$(BUILD)/tests/gpu/gpu_properties $(BUILD)/tests/gpu/all_reduce)
GPU_TESTS := $(addprefix tests/gpu/,properties.sh ops.sh train.sh ranks.sh sanitizer.sh)

$(BUILD)/obj/tests/plans/%.o $(BUILD)/obj/tests/gpu/%.o: COMPILE += -Isrc/cuda -Ikernels $(CUDA_CFLAGS)

ifneq ($(CUDA_LIB),)
# The backend's objects themselves: the shared object hides all but its entries.
$(BUILD)/tests/plans/check_plans: $(CUDA_OBJ) $(KERNEL_OBJ)
$(sort $(filter-out %.so.1,$(PLANS)) $(GPU_TOOLS)): $(BUILD)/%: $(BUILD)/obj/%.o $(CUDA_LIB) $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(if $(filter %/all_reduce,$@),-L$(BUILD) -l:$(notdir $(CUDA_LIB))) $(LIB) \
	    $(CUDA_LIBS) $(DEP_LIBS) -lstdc++

$(BUILD)/tests/plans/driver/libcuda.so.1: tests/plans/libcuda.c $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -Wl,-soname,libcuda.so.1 -o $@ $<
endif

check-plans: $(PLANS) ## cuDNN graphs of the recipes, planned for five GPUs that need not be there (FULL=1: in all precisions for each)
	@TEST_SHOW=1 tests/run tests/plans/plans.sh tests/plans/refused.sh tests/plans/properties.sh

check-gpu: programs $(PLANS) $(GPU_TOOLS) ## the CUDA path on the GPUs of this machine; without one every item is skipped, and counted
	@tests/run $(GPU_TESTS)

bench-gpu: all $(GPU_TOOLS) ## speed on the GPUs of this machine: recipes x precisions, sums over GPUs, time to 94 %
	@TEST_SHOW=1 tests/run tests/gpu/bench.sh

.PHONY: check-plans check-gpu bench-gpu
