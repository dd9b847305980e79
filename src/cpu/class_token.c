/* cpu/class_token: the weight, and behind it the tokens of the image. */
#include "tokens.h"

static Status forward(const StepCall *call) {
    Shape out = call->plan->base.desc.out.shape;
    DType type = plan_type(call->plan);
    int64_t rest = out.c * (out.h - 1), image = out.c + rest;
    for (int64_t n = 0; n < out.n; n++) {
        row_close(type, row_at(type, call->at[2], n * image), out.c, call->at[1]);
        token_put(type, row_at(type, call->at[0], n * rest), rest, false,
                  row_at(type, call->at[2], n * image + out.c));
    }
    return ST_OK;
}

static Status weight_gradient(const StepCall *call) {
    Shape out = call->plan->base.desc.out.shape;
    token_sum(plan_type(call->plan), call->at[0], out.n, out.c * out.h, out.c, call->at[1]);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Shape out = desc->out.shape;
    DType type = plan_type(call->plan);
    int64_t rest = out.c * (out.h - 1), image = out.c + rest;
    for (int64_t n = 0; n < out.n; n++)
        token_put(type, row_at(type, call->at[0], n * image + out.c), rest,
                  desc->grad_in[0] == GRAD_ADD, row_at(type, call->at[1], n * rest));
    return ST_OK;
}

static Status class_token_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_OUT);
    if (!desc->training)
        return ST_OK;
    LOOP_STEP(plan, PASS_BACKWARD, weight_gradient, AT_GRAD_OUT, AT_GRAD_PARAM(WEIGHT));
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(class_token);
