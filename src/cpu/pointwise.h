/* cpu/pointwise: what element-wise functions of one input share. */
#ifndef LOCKSTEP_CPU_POINTWISE_H
#define LOCKSTEP_CPU_POINTWISE_H

#include "plan.h"

Status pointwise_steps(StepPlan *plan, Pointwise function, double factor);

#endif
