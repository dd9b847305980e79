/* cuda/maxpool: the largest value of each window. */
#include "plan.h"

static Status maxpool_steps(CudaPlan *plan) {
    return plan_pool(plan, false);
}

CUDA_OP(maxpool);
