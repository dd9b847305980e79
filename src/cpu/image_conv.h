/* cpu/image_conv: convolutions of an image, of few channels, in bfloat16, directly: our own code
 * for processors with AVX512-BF16. What makes them a kind of their own: channels fill no vector,
 * and no gradient goes back to the image. Local. */
#ifndef LOCKSTEP_CPU_IMAGE_CONV_H
#define LOCKSTEP_CPU_IMAGE_CONV_H

#include "plan.h"

/* What OpPlan.arithmetic says of an op that is computed so. */
#define IMAGE_CONV_NAME "bf16 direct"

/* Whether a convolution's forward, and the gradients of its weights and bias, go this way: the
 * device's arithmetic has it, the rule takes it (rule_image_conv_bf16 and _forward), nobody wants
 * its input's gradient, and its outputs are in NHWC or in blocks. Forward only where backward. */
bool image_conv_takes(const StepPlan *plan);
bool image_conv_takes_forward(const StepPlan *plan);

/* Append their steps. Forward applies bias and ReLU before outputs are rounded; backward masks
 * gradients by the ReLU, and sums them up for the bias, as it reads them. */
void image_conv_forward(StepPlan *plan);
void image_conv_backward(StepPlan *plan);

#endif
