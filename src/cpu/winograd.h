/* cpu/winograd: convolutions by Winograd's algorithm in code of our own: in bfloat16 on processors
 * with AVX512-BF16 (bf16_winograd.c), in fp32 on those with AVX2 and no wider vectors
 * (f32_winograd.c). Elsewhere oneDNN computes them. Local. */
#ifndef LOCKSTEP_CPU_WINOGRAD_H
#define LOCKSTEP_CPU_WINOGRAD_H

#include "plan.h"
#include "winograd_passes.h"

/* What such a device has; NULL: nothing. */
const WinogradPasses *winograd_of(const CpuDevice *device);

/* Whether a convolution goes this way: the device has it, the rule takes it, and its maps are in
 * NHWC or in blocks. */
bool winograd_takes(const StepPlan *plan);

/* Appends the steps of such a convolution: weights are transformed in packing, bias and ReLU
 * applied before outputs are rounded; gradients are added to before they are. */
Status winograd_steps(StepPlan *plan);

#endif
