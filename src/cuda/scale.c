/* cuda/scale: y = factor x. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_scale(at[1], at[0], plan->base.desc.layer->args.scale.factor, plan_type(plan),
                       plan_count(plan), false, call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    const OpDesc *desc = &plan->base.desc;
    TRY_CUDA(gpu_scale(at[1], at[0], desc->layer->args.scale.factor, plan_type(plan),
                       plan_count(plan), desc->grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status scale_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(scale);
