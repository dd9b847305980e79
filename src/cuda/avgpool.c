/* cuda/avgpool: the mean of each window, padding not counted, or as zeros. */
#include "pool.h"

static Status avgpool_steps(StepPlan *plan) {
    return pool_steps(plan, true);
}

CUDA_OP(avgpool);
