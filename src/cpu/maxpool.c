/* cpu/maxpool: the largest of each window; of equals the first in row-major order, which alone gets
 * the gradient. oneDNN keeps its place in `saved`. */
#include "plan.h"

static Status maxpool_steps(CpuPlan *plan) {
    return plan_pool(plan, false);
}

CPU_OP(maxpool);
