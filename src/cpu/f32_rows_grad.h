/* cpu/f32_rows_grad: the gradients of weights and bias of a linear layer of many rows, which is
 * what a 1x1 convolution of places is, in fp32: our own code for processors with AVX2 and FMA.
 * Local. */
#ifndef LOCKSTEP_CPU_F32_ROWS_GRAD_H
#define LOCKSTEP_CPU_F32_ROWS_GRAD_H

#include "plan.h"

/* Whether those of a convolution whose places are rows (rule_places_are_rows) are computed so: the
 * device's arithmetic has it, and the rule takes it (rule_rows_grad_f32). */
bool f32_rows_grad_takes(const StepPlan *plan);

/* Appends the step, which reads a gradient that a fused ReLU has masked already. */
void f32_rows_grad_step(StepPlan *plan);

#endif
