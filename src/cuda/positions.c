/* cuda/positions: plus the weight, whose rows lie like an image's tokens. */
#include "plan.h"

static int64_t image_of(const StepPlan *plan) {
    Shape s = plan->base.desc.in[0].shape;
    return s.c * s.h * s.w;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_positions(call->at[2], call->at[0], call->at[1], plan_type(plan),
                           plan->base.desc.in[0].shape.n, image_of(plan), call_stream(call)));
    return ST_OK;
}

static Status weight_gradient(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_sum_rows(call->at[1], call->at[0], NULL, plan_type(plan),
                          plan->base.desc.in[0].shape.n, image_of(plan), call->at[2],
                          call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_scale(call->at[1], call->at[0], 1, plan_type(plan), plan_count(plan),
                       plan->base.desc.grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status positions_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_OUT);
    if (!desc->training)
        return ST_OK;
    steps_need_workspace(plan, gpu_rows_scratch(desc->in[0].shape.n, image_of(plan)));
    LAUNCH_STEP(plan, PASS_BACKWARD, weight_gradient, AT_GRAD_OUT, AT_GRAD_PARAM(WEIGHT),
                AT_WORKSPACE);
    if (desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CUDA_OP(positions);
