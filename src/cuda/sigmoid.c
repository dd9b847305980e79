/* cuda/sigmoid: y = 1 / (1 + exp(-x)). */
#include "activation.h"

static Status sigmoid_steps(StepPlan *plan) {
    return activation_steps(plan);
}

CUDA_OP(sigmoid);
