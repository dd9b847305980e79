/* cuda/token: one token of each image. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    TRY_CUDA(gpu_token(call->at[1], call->at[0], plan_type(plan), s.n, s.h * s.w, s.c,
                       desc->layer->args.token.index, call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    TRY_CUDA(gpu_token_backward(call->at[1], call->at[0], plan_type(plan), s.n, s.h * s.w, s.c,
                                desc->layer->args.token.index, desc->grad_in[0] == GRAD_ADD,
                                call_stream(call)));
    return ST_OK;
}

static Status token_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(token);
