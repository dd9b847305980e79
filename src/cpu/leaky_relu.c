/* cpu/leaky_relu: x where it is positive, else slope x. Backward reads the output. */
#include "pointwise.h"

static Status leaky_relu_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_LEAKY_RELU,
                           plan->base.desc.layer->args.leaky_relu.slope);
}

CPU_OP(leaky_relu);
