# The kit for a machine that has a GPU and nothing of what lockstep needs: docs/gpu-first-hour.md.

KIT := $(BUILD)/lockstep-gpu-kit.tar.xz
KIT_PROGRAMS := tests/ops/test_cuda_vs_ref $(basename $(wildcard tests/cuda/test_kernels*.c)) tests/cuda/nccl_program \
    tests/gpu/gpu_properties tests/gpu/all_reduce tests/gpu/same_gpu.so tests/plans/check_plans tests/plans/driver/libcuda.so.1 tests/dist/make_cifar
KIT_NEEDS := $(PROGRAM) $(CUDA_LIB) $(if $(CUDA_LIB),$(addprefix $(BUILD)/,$(KIT_PROGRAMS)))

gpu-kit: $(KIT_NEEDS) ## an archive that tests and measures on a bare machine with a GPU: docs/gpu-first-hour.md
	$(if $(CUDA_LIB),,$(error gpu-kit: this build has no CUDA backend: make CUDA=1 says why))
	@BUILD=$(BUILD) scripts/gpu-kit/make $(KIT) $(KIT_PROGRAMS)

# Where it can be made: the check skips itself without one.
packed-kit: $(if $(CUDA_LIB),$(if $(shell command -v patchelf),gpu-kit))

check-kit: packed-kit $(if $(CUDA_LIB),$(SIM_NEEDS)) ## the kit's first stage in a bare root, on simulated CUDA libraries (root)
	@tests/run tests/kit/collect.sh tests/kit/stage.sh

.PHONY: gpu-kit packed-kit check-kit
