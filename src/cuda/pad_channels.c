/* cuda/pad_channels: zeros, the input's channels, zeros. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    int64_t in = plan->base.desc.in[0].shape.c, out = plan_channels(plan);
    TRY_CUDA(gpu_move_channels(call->at[1], out, 0, out, call->at[0], in, -(out - in) / 2,
                               plan_type(plan), plan_rows(plan), false, call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    int64_t in = desc->in[0].shape.c, out = plan_channels(plan);
    TRY_CUDA(gpu_move_channels(call->at[1], in, 0, in, call->at[0], out, (out - in) / 2,
                               plan_type(plan), plan_rows(plan), desc->grad_in[0] == GRAD_ADD,
                               call_stream(call)));
    return ST_OK;
}

static Status pad_channels_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(pad_channels);
