/* cuda/leaky_relu: y = x > 0 ? x : slope x. */
#include "activation.h"

static Status leaky_relu_steps(StepPlan *plan) {
    return activation_steps(plan);
}

CUDA_OP(leaky_relu);
