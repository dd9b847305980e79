/* cuda/maxpool: the largest value of each window. */
#include "pool.h"

static Status maxpool_steps(StepPlan *plan) {
    return pool_steps(plan, false);
}

CUDA_OP(maxpool);
