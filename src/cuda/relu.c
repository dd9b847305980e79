/* cuda/relu: y = max(x, 0), where it stands alone. */
#include "pointwise.h"

static Status relu_steps(StepPlan *plan) {
    return pointwise_steps(plan, GRAPH_RELU);
}

CUDA_OP(relu);
