/* cpu/tanh: tanh(x). Backward reads the output. */
#include "pointwise.h"

static Status tanh_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_TANH, 0);
}

CPU_OP(tanh);
