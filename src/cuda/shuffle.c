/* cuda/shuffle: channels of all groups in turn. Backward deals them out again into C / groups
 * groups, which is where they were. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_shuffle_channels(call->at[1], call->at[0], plan_type(plan), plan_rows(plan),
                                  plan_channels(plan), plan->base.desc.layer->args.shuffle.groups,
                                  false, call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    int64_t channels = plan_channels(plan);
    TRY_CUDA(gpu_shuffle_channels(call->at[1], call->at[0], plan_type(plan), plan_rows(plan),
                                  channels, channels / desc->layer->args.shuffle.groups,
                                  desc->grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status shuffle_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(shuffle);
