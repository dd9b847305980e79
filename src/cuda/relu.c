/* cuda/relu: y = max(x, 0), where it stands alone. */
#include "plan.h"

static Status relu_steps(CudaPlan *plan) {
    return plan_pointwise(plan, GRAPH_RELU);
}

CUDA_OP(relu);
