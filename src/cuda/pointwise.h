/* cuda/pointwise: what element-wise functions of one input share. */
#ifndef LOCKSTEP_CUDA_POINTWISE_H
#define LOCKSTEP_CUDA_POINTWISE_H

#include "plan.h"

Status pointwise_steps(StepPlan *plan, GraphPointwise function);

#endif
