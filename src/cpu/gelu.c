/* cpu/gelu: x / 2 (1 + erf(x / sqrt(2))). Backward reads the input. */
#include "pointwise.h"

static Status gelu_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_GELU, 0);
}

CPU_OP(gelu);
