/* cpu/f32_image_grad: the gradients of weights and bias of a convolution of an image, of few
 * channels, in fp32: our own code for processors with AVX2 and FMA. Local. */
#ifndef LOCKSTEP_CPU_F32_IMAGE_GRAD_H
#define LOCKSTEP_CPU_F32_IMAGE_GRAD_H

#include "plan.h"

/* Whether a convolution's are computed so: the device's arithmetic has it, the rule takes it
 * (rule_image_grad_f32), and its outputs are whole vectors, in NHWC or in blocks. */
bool f32_image_grad_takes(const StepPlan *plan);

/* Appends the step, which masks gradients by a fused ReLU as it reads them. */
void f32_image_grad_step(StepPlan *plan);

#endif
