/* cpu/sigmoid: 1 / (1 + exp(-x)). Backward reads the output. */
#include "pointwise.h"

static Status sigmoid_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_SIGMOID, 0);
}

CPU_OP(sigmoid);
