/* ref/class_token: token 0 is the weight, token l + 1 the input's token l. */
#include "ref.h"

static Status class_token_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_class_token), desc, 0, plan);
}

static Status class_token_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *x = bound->memory.in[0].data, *weight = bound->memory.param[0].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++) {
            y[ref_at(out, n, c, 0, 0)] = weight[c];
            for (int64_t l = 0; l < s.h * s.w; l++)
                y[ref_at(out, n, c, l + 1, 0)] = x[ref_at(s, n, c, 0, l)];
        }
    return ST_OK;
}

static Status class_token_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape s = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *g = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    real *grad_weight = bound->memory.grad_param[0].data;
    for (int64_t c = 0; c < s.c; c++) {
        double sum = 0;
        for (int64_t n = 0; n < s.n; n++)
            sum += g[ref_at(out, n, c, 0, 0)];
        grad_weight[c] = (real)sum;
    }
    for (int64_t n = 0; n < s.n && mode != GRAD_NONE; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t l = 0; l < s.h * s.w; l++)
                ref_put(mode, &grad_x[ref_at(s, n, c, 0, l)], g[ref_at(out, n, c, l + 1, 0)]);
    return ST_OK;
}

const Op REF(op_class_token) = {
    .plan = class_token_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = class_token_forward,
    .backward = class_token_backward,
};
