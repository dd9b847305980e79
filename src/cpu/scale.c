/* cpu/scale: factor x. */
#include "plan.h"

static Status scale_steps(CpuPlan *plan) {
    return plan_pointwise(plan, POINTWISE_SCALE, plan->base.desc.layer->args.scale.factor);
}

CPU_OP(scale);
