/* cuda/silu: y = x / (1 + exp(-x)). */
#include "activation.h"

static Status silu_steps(StepPlan *plan) {
    return activation_steps(plan);
}

CUDA_OP(silu);
