/* cpu/maxpool: the largest of each window; of equals the first in row-major order, which alone gets
 * the gradient. oneDNN keeps its place in `saved`. */
#include "pool.h"

static Status maxpool_steps(StepPlan *plan) {
    return pool_steps(plan, false);
}

CPU_OP(maxpool);
