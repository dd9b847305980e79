/* cuda/avgpool: the mean of each window, padding not counted. */
#include "plan.h"

static Status avgpool_steps(CudaPlan *plan) {
    return plan_pool(plan, true);
}

CUDA_OP(avgpool);
