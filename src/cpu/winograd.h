/* cpu/winograd: convolutions of bfloat16 by Winograd's algorithm F(2x4, 3x3), our own code for
 * processors with AVX512-BF16. Local. */
#ifndef LOCKSTEP_CPU_WINOGRAD_H
#define LOCKSTEP_CPU_WINOGRAD_H

#include "plan.h"

/* What OpPlan.arithmetic says of an op that is computed so. */
#define WINOGRAD_NAME "bf16 F(2x4)"

/* Whether a convolution goes this way: the device's arithmetic has it, rule_winograd_bf16 takes it,
 * and its maps are in NHWC or in blocks. */
bool winograd_takes(const StepPlan *plan);

/* Appends the steps of such a convolution: weights are transformed in packing, bias and ReLU
 * applied before outputs are rounded; gradients are added to before they are. */
Status winograd_steps(StepPlan *plan);

#endif
