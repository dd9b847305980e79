/* cpu/dropout_bf16: dropout of bfloat16 where there are vectors for it (plan_vectors). Local. */
#ifndef LOCKSTEP_CPU_DROPOUT_BF16_H
#define LOCKSTEP_CPU_DROPOUT_BF16_H

#include "plan.h"

/* Appends the steps of a dropout layer in training. */
Status dropout_bf16_steps(StepPlan *plan);

#endif
