/* cuda/gelu: y = x Phi(x), the exact form. */
#include "plan.h"

static Status gelu_steps(CudaPlan *plan) {
    return plan_pointwise(plan, GRAPH_GELU);
}

CUDA_OP(gelu);
