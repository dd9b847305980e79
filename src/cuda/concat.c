/* cuda/concat: the channels of all inputs, one behind the other. */
#include "plan.h"

/* The first channel of input k in the output. */
static int64_t first_of(const OpDesc *desc, int k) {
    int64_t first = 0;
    for (int before = 0; before < k; before++)
        first += desc->in[before].shape.c;
    return first;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    int k = call->step->arg[0].operand.index;
    int64_t channels = desc->in[k].shape.c;
    TRY_CUDA(gpu_move_channels(call->at[1], plan_channels(plan), first_of(desc, k), channels,
                               call->at[0], channels, 0, plan_type(plan), plan_rows(plan), false,
                               call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    int k = call->step->arg[1].operand.index;
    int64_t channels = desc->in[k].shape.c;
    TRY_CUDA(gpu_move_channels(call->at[1], channels, 0, channels, call->at[0], plan_channels(plan),
                               first_of(desc, k), plan_type(plan), plan_rows(plan),
                               desc->grad_in[k] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status concat_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    for (int k = 0; k < desc->n_in; k++) {
        LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(k), AT_OUT);
        if (desc->training && desc->grad_in[k] != GRAD_NONE)
            LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(k));
    }
    return ST_OK;
}

CUDA_OP(concat);
