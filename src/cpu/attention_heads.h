/* cpu/attention_heads: attention head by head, in code of our own: in bfloat16 on processors with
 * AVX512-BF16 (attention_bf16.c), in fp32 on those with AVX2 and no wider vectors
 * (attention_f32.c). What these do not take oneDNN multiplies (attention.c). Local. */
#ifndef LOCKSTEP_CPU_ATTENTION_HEADS_H
#define LOCKSTEP_CPU_ATTENTION_HEADS_H

#include "attention_passes.h"
#include "plan.h"

/* Whether a layer goes this way: the device has it, and the rule takes it. */
bool attention_heads_takes(const StepPlan *plan);

/* Appends the layer's steps. */
Status attention_heads_steps(StepPlan *plan);

#endif
