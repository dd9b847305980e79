/* cpu/bn_batch: training of batch norm over the whole step, by loops of our own. */
#ifndef LOCKSTEP_CPU_BN_BATCH_H
#define LOCKSTEP_CPU_BN_BATCH_H

#include "plan.h"

/* Appends the steps of a bn with over=batch; as a ListSteps. */
Status bn_batch_steps(StepPlan *plan);

#endif
