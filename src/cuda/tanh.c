/* cuda/tanh: y = tanh(x). */
#include "activation.h"

static Status tanh_steps(StepPlan *plan) {
    return activation_steps(plan);
}

CUDA_OP(tanh);
