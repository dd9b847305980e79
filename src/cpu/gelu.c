/* cpu/gelu: x / 2 (1 + erf(x / sqrt(2))). Backward reads the input. */
#include "plan.h"

static Status gelu_steps(CpuPlan *plan) {
    return plan_pointwise(plan, POINTWISE_GELU, 0);
}

CPU_OP(gelu);
