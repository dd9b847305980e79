/* cpu/pool: what max and average pooling share. */
#ifndef LOCKSTEP_CPU_POOL_H
#define LOCKSTEP_CPU_POOL_H

#include "plan.h"

Status pool_steps(StepPlan *plan, bool average);

#endif
