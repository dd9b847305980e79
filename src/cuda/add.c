/* cuda/add: the sum of two inputs of one shape, a ReLU fused behind it. Both get the gradient of
 * the output. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_add(call->at[2], call->at[0], call->at[1], plan_type(plan), plan_count(plan),
                     plan->base.desc.relu, call_stream(call)));
    return ST_OK;
}

/* From the output's gradient to an input's. */
static Status give(const StepCall *call) {
    const StepPlan *plan = call->plan;
    bool add = plan->base.desc.grad_in[call->step->arg[1].operand.index] == GRAD_ADD;
    TRY_CUDA(gpu_scale(call->at[1], call->at[0], 1, plan_type(plan), plan_count(plan), add,
                       call_stream(call)));
    return ST_OK;
}

static Status add_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_IN(1), AT_OUT);
    plan_grad_relu(plan);
    for (int input = 0; desc->training && input < 2; input++) {
        if (desc->grad_in[input] != GRAD_NONE)
            LAUNCH_STEP(plan, PASS_BACKWARD, give, AT_GRAD_OUT, AT_GRAD_IN(input));
    }
    return ST_OK;
}

CUDA_OP(add);
