/* cuda/activation: the element-wise functions of one input that are kernels of our own.
 *
 * cuDNN has operations for them too. But a function that stands alone costs a pass over memory in
 * either, cuDNN's clipped ReLU turns NaN into a number, and these kernels' gradients of sigmoid and
 * tanh follow from the output, which whoever reads it may keep anyway. */
#ifndef LOCKSTEP_CUDA_ACTIVATION_H
#define LOCKSTEP_CUDA_ACTIVATION_H

#include "plan.h"

/* The function is that of the layer's kind. */
Status activation_steps(StepPlan *plan);

#endif
