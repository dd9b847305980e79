/* cpu/avgpool: the mean of each window; padding does not count, or as zeros. */
#include "pool.h"

static Status avgpool_steps(StepPlan *plan) {
    return pool_steps(plan, true);
}

CPU_OP(avgpool);
