/* cuda/pool: what max and average pooling share. */
#ifndef LOCKSTEP_CUDA_POOL_H
#define LOCKSTEP_CUDA_POOL_H

#include "plan.h"

Status pool_steps(StepPlan *plan, bool average);

#endif
