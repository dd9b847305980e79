/* cpu/attention_bf16: attention in bf16 where there are vectors for it (plan_vectors). Local. */
#ifndef LOCKSTEP_CPU_ATTENTION_BF16_H
#define LOCKSTEP_CPU_ATTENTION_BF16_H

#include "plan.h"

/* What OpPlan.arithmetic calls it. */
#define ATTENTION_BF16_NAME "own bf16"

/* Whether it computes this layer: heads of whole vectors. */
bool attention_bf16_takes(const StepPlan *plan);

/* Appends the layer's steps. */
Status attention_bf16_steps(StepPlan *plan);

#endif
