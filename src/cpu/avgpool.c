/* cpu/avgpool: the mean of each window; padding does not count. */
#include "pool.h"

static Status avgpool_steps(StepPlan *plan) {
    return pool_steps(plan, true);
}

CPU_OP(avgpool);
