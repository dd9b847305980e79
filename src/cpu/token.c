/* cpu/token: one run of C elements of each image; the gradient of the others is 0. */
#include <string.h>

#include "tokens.h"

/* Where image n's token begins in the input. */
static int64_t token_at(const OpDesc *desc, int64_t n) {
    Shape s = desc->in[0].shape;
    return (n * s.h * s.w + desc->layer->args.token.index) * s.c;
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Shape out = desc->out.shape;
    DType type = plan_type(call->plan);
    for (int64_t n = 0; n < out.n; n++)
        token_put(type, row_at(type, call->at[0], token_at(desc, n)), out.c, false,
                  row_at(type, call->at[1], n * out.c));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Shape out = desc->out.shape;
    DType type = plan_type(call->plan);
    bool add = desc->grad_in[0] == GRAD_ADD;
    if (!add)
        memset(call->at[1], 0, (size_t)shape_count(desc->in[0].shape) * dtype_size(type));
    for (int64_t n = 0; n < out.n; n++)
        token_put(type, row_at(type, call->at[0], n * out.c), out.c, add,
                  row_at(type, call->at[1], token_at(desc, n)));
    return ST_OK;
}

static Status token_steps(StepPlan *plan) {
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (plan->base.desc.training && plan->base.desc.grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(token);
