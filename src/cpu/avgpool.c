/* cpu/avgpool: the mean of each window; padding does not count. */
#include "plan.h"

static Status avgpool_steps(CpuPlan *plan) {
    return plan_pool(plan, true);
}

CPU_OP(avgpool);
