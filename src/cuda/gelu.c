/* cuda/gelu: y = x Phi(x), the exact form. */
#include "pointwise.h"

static Status gelu_steps(StepPlan *plan) {
    return pointwise_steps(plan, GRAPH_GELU);
}

CUDA_OP(gelu);
