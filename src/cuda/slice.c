/* cuda/slice: some neighbouring channels. */
#include "plan.h"

static int64_t first_of(const StepPlan *plan) {
    return plan->base.desc.layer->args.slice.first;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    int64_t in = plan->base.desc.in[0].shape.c, out = plan_channels(plan);
    TRY_CUDA(gpu_move_channels(call->at[1], out, 0, out, call->at[0], in, first_of(plan),
                               plan_type(plan), plan_rows(plan), false, call_stream(call)));
    return ST_OK;
}

/* Channels that are not taken have no gradient: as of all others that it has not, a 0 is moved. */
static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    bool add = desc->grad_in[0] == GRAD_ADD;
    int64_t in = desc->in[0].shape.c, out = plan_channels(plan), first = first_of(plan);
    TRY_CUDA(gpu_move_channels(call->at[1], in, add ? first : 0, add ? out : in, call->at[0], out,
                               add ? 0 : -first, plan_type(plan), plan_rows(plan), add,
                               call_stream(call)));
    return ST_OK;
}

static Status slice_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(slice);
