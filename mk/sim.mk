# The program on simulated CUDA libraries: tests/simgpu. Their test programs are found through the same folder as the
# libraries, by LD_LIBRARY_PATH, which wins over the program's own RUNPATH.

SIM := $(BUILD)/simgpu
SIM_LIBS := $(SIM)/libcudart.so.13 $(SIM)/libcudnn.so.9 $(SIM)/libnccl.so.2
SIM_TESTS := tests/simgpu/bugs.sh tests/simgpu/ops.sh tests/cuda/nccl.sh tests/simgpu/train.sh tests/simgpu/threads.sh \
    tests/simgpu/oracle.sh tests/simgpu/real.sh tests/simgpu/devices.sh tests/simgpu/preflight.sh tests/simgpu/autotune.sh tests/simgpu/plans.sh \
    tests/simgpu/study.sh tests/simgpu/elastic.sh tests/simgpu/histograms.sh tests/simgpu/counts.sh tests/simgpu/gpu_scripts.sh
# -march=native: the interpreter of kernels is all loops over 32 lanes, and it runs where it is built.
SIM_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O3 -march=native -g $(WARNINGS) -ffp-contract=off -fno-math-errno -fPIC \
    $(patsubst -I%,-isystem %,$(CUDA_CFLAGS)) -MMD -MP
SIM_LINK = $(CC) -shared $(filter %.o,$^) -Wl,-soname,$(@F)
sim_objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(foreach folder,$(1),$(wildcard tests/simgpu/$(folder)/*.c)))
BUGS := $(filter-out tests/simgpu/bugs/main.cu,$(sort $(wildcard tests/simgpu/bugs/*.cu)))

$(BUILD)/obj/tests/simgpu/%.o: tests/simgpu/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SIM_CFLAGS) -c $< -o $@

$(SIM)/libcudart.so.13: $(call sim_objects,cudart ptx) tests/simgpu/cudart/cudart.map
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(SIM_LINK) -o $@ -Wl,--version-script=tests/simgpu/cudart/cudart.map -lpthread -lm

$(SIM)/libcudnn.so.9: $(call sim_objects,cudnn) tests/simgpu/cudnn/cudnn.map $(SIM)/libcudart.so.13
	$(call say,LINK,$@)
	$(Q)$(SIM_LINK) -o $@ -Wl,--version-script=tests/simgpu/cudnn/cudnn.map -L$(SIM) -l:libcudart.so.13 -lpthread -ldl -lm

$(SIM)/libnccl.so.2: $(call sim_objects,nccl) $(SIM)/libcudart.so.13
	$(call say,LINK,$@)
	$(Q)$(SIM_LINK) -o $@ -L$(SIM) -l:libcudart.so.13 -lpthread

$(SIM)/all.inc: $(BUGS) tests/simgpu/bugs/make-list
	@mkdir -p $(@D)
	$(Q)tests/simgpu/bugs/make-list $(BUGS) >$@

$(SIM)/bugs: tests/simgpu/bugs/main.cu $(SIM)/all.inc $(wildcard tests/simgpu/bugs/*.h) $(SIM_LIBS)
	$(call say,NVCC,$@)
	$(Q)$(NVCC) -std=c++17 -O2 -cudart none --compress-mode=none -gencode arch=compute_80,code=compute_80 \
	    -I$(SIM) -Itests/simgpu/bugs $(CUDA_CFLAGS) $< -o $@ -L$(SIM) -Xlinker -l:libcudart.so.13 -Xlinker -l:libcudnn.so.9 -Xlinker -l:libnccl.so.2

# Without CUDA to build with, the tests say SKIP.
SIM_NEEDS := $(if $(HAVE_CUDA),$(SIM_LIBS) $(SIM)/bugs $(BUILD)/tests/ops/test_cuda_vs_ref $(CUDA_TESTS) \
    $(BUILD)/tests/gpu/gpu_properties $(BUILD)/tests/gpu/same_gpu.so \
    $(if $(wildcard tests/plans/libcuda.c),$(BUILD)/tests/plans/driver/libcuda.so.1))

check-sim: all $(TOOLS) $(DIST) $(SIM_NEEDS) ## the program on simulated CUDA, cuDNN and NCCL
	@SIMGPU_LIBS=$(abspath $(SIM)) tests/run $(SIM_TESTS)

.PHONY: check-sim
