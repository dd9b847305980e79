/* cpu/relu: max(x, 0). Backward reads the output. */
#include "pointwise.h"

static Status relu_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_RELU, 0);
}

CPU_OP(relu);
