/* cuda/patches: squares of the map as tokens. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    TRY_CUDA(gpu_patches(call->at[1], call->at[0], plan_type(plan), desc->in[0].shape,
                         desc->layer->args.patches.kernel, call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    TRY_CUDA(gpu_patches_backward(call->at[1], call->at[0], plan_type(plan), desc->in[0].shape,
                                  desc->layer->args.patches.kernel, desc->grad_in[0] == GRAD_ADD,
                                  call_stream(call)));
    return ST_OK;
}

static Status patches_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(patches);
