/* cpu/silu: x / (1 + exp(-x)), oneDNN's swish. Backward reads the input. */
#include "pointwise.h"

static Status silu_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_SILU, 0);
}

CPU_OP(silu);
