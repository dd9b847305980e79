/* ref/token: y = token `index` of x. */
#include "ref.h"

static Status token_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_token), desc, 0, plan);
}

static Status token_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape;
    int64_t index = bound->plan->desc.layer->args.token.index;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            y[n * s.c + c] = x[ref_at(s, n, c, 0, index)];
    return ST_OK;
}

static Status token_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape s = bound->memory.in[0].shape;
    int64_t index = bound->plan->desc.layer->args.token.index;
    const real *g = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t n = 0; n < s.n && mode != GRAD_NONE; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t l = 0; l < s.h * s.w; l++)
                ref_put(mode, &grad_x[ref_at(s, n, c, 0, l)], l == index ? g[n * s.c + c] : 0);
    return ST_OK;
}

const Op REF(op_token) = {
    .plan = token_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = token_forward,
    .backward = token_backward,
};
