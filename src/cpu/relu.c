/* cpu/relu: max(x, 0). Backward reads the output. */
#include "plan.h"

static Status relu_steps(CpuPlan *plan) {
    return plan_pointwise(plan, POINTWISE_RELU, 0);
}

CPU_OP(relu);
