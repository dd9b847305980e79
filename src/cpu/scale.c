/* cpu/scale: factor x. */
#include "pointwise.h"

static Status scale_steps(StepPlan *plan) {
    return pointwise_steps(plan, POINTWISE_SCALE, plan->base.desc.layer->args.scale.factor);
}

CPU_OP(scale);
