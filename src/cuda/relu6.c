/* cuda/relu6: y = min(max(x, 0), 6). */
#include "activation.h"

static Status relu6_steps(StepPlan *plan) {
    return activation_steps(plan);
}

CUDA_OP(relu6);
