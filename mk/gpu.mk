# Checks of the CUDA path: without a GPU (check-plans) and on one (check-gpu, bench-gpu).

comma := ,

# cuDNN's planner on the backend's own graphs; the driver's stand-in lies in a folder of its own.
# The second one looks for CUDA where NVIDIA's wheels would lie, beside itself.
PLANS := $(if $(CUDA_LIB),$(BUILD)/tests/plans/check_plans $(BUILD)/tests/plans/wheels/check_plans $(BUILD)/tests/plans/driver/libcuda.so.1 \
                      $(BUILD)/tests/gpu/gpu_properties)
GPU_TOOLS := $(if $(CUDA_LIB),$(BUILD)/tests/gpu/gpu_properties $(BUILD)/tests/gpu/all_reduce $(BUILD)/tests/gpu/same_gpu.so)
GPU_TESTS := $(addprefix tests/gpu/,properties.sh ops.sh train.sh ranks.sh one_card.sh sanitizer.sh)

$(BUILD)/obj/tests/plans/%.o $(BUILD)/obj/tests/gpu/%.o: COMPILE += -Isrc/cuda -Ikernels $(CUDA_CFLAGS)

ifneq ($(CUDA_LIB),)
# The backend's objects themselves: the shared object hides all but its entries.
PLANS_OBJ := $(BUILD)/obj/tests/ops/op_table.o $(BUILD)/obj/tests/ops/op_run.o $(CUDA_OBJ) $(KERNEL_OBJ)
$(BUILD)/tests/plans/check_plans: $(PLANS_OBJ)
$(sort $(filter-out %.so.1 %/wheels/check_plans,$(PLANS)) $(filter-out %.so,$(GPU_TOOLS))): $(BUILD)/%: $(BUILD)/obj/%.o $(CUDA_LIB) $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(if $(filter %/all_reduce,$@),-L$(BUILD) -l:$(notdir $(CUDA_LIB))) $(LIB) \
	    $(CUDA_LIBS) $(LINK_LIBS) -lstdc++

WHEELS := -Wl,-rpath,'$$ORIGIN/nvidia/cu13/lib:$$ORIGIN/nvidia/cudnn/lib:$$ORIGIN/nvidia/nccl/lib'
$(BUILD)/tests/plans/wheels/check_plans: $(BUILD)/obj/tests/plans/check_plans.o $(PLANS_OBJ) $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(LIB) $(filter-out -Wl$(comma)-rpath%,$(CUDA_LIBS)) $(WHEELS) $(LINK_LIBS) -lstdc++

$(BUILD)/tests/gpu/same_gpu.so: tests/gpu/same_gpu.c $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(CUDA_CFLAGS) -fPIC -shared -o $@ $< -ldl

$(BUILD)/tests/plans/driver/libcuda.so.1: tests/plans/libcuda.c $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -Wl,-soname,libcuda.so.1 -o $@ $<
endif

cuda-programs: $(PLANS) $(GPU_TOOLS) $(SIM_NEEDS) ## every program that check-plans, check-sim and check-gpu run

check-plans: $(PLANS) ## cuDNN graphs of the recipes, planned for GPUs that need not be there (FULL=1: all of them for each)
	@TEST_SHOW=1 tests/run tests/plans/plans.sh tests/plans/refused.sh tests/plans/properties.sh tests/plans/wheels.sh

check-gpu: programs $(PLANS) $(GPU_TOOLS) ## the CUDA path on the GPUs of this machine; without one every item is skipped, and counted
	@tests/run $(GPU_TESTS)

bench-gpu: all $(GPU_TOOLS) ## speed on the GPUs of this machine: recipes x precisions, sums over GPUs, time to 94 %
	@TEST_SHOW=1 tests/run tests/gpu/bench.sh

.PHONY: cuda-programs check-plans check-gpu bench-gpu
