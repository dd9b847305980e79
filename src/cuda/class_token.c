/* cuda/class_token: the weight in front of each image's tokens. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    Shape s = plan->base.desc.in[0].shape;
    TRY_CUDA(gpu_class_token(call->at[2], call->at[0], call->at[1], plan_type(plan), s.n, s.h * s.w,
                             s.c, call_stream(call)));
    return ST_OK;
}

/* Where the input's gradient is not wanted its address is NULL, which is what the kernel asks. */
static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    TRY_CUDA(gpu_class_token_backward(call->at[1], call->at[2], call->at[0], plan_type(plan), s.n,
                                      s.h * s.w, s.c, desc->grad_in[0] == GRAD_ADD,
                                      call_stream(call)));
    return ST_OK;
}

static Status class_token_steps(StepPlan *plan) {
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_OUT);
    if (plan->base.desc.training)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0),
                    AT_GRAD_PARAM(WEIGHT));
    return ST_OK;
}

CUDA_OP(class_token);
