/* ref/patches: a square of k x k positions becomes a token, whose values are in the order row,
 * column, channel. */
#include "ref.h"

static Status patches_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_patches), desc, 0, plan);
}

/* Where element `channel` of token `l` stands in the input. */
static int64_t source(const OpBound *bound, int64_t n, int64_t channel, int64_t l) {
    Shape s = bound->memory.in[0].shape;
    int64_t k = bound->plan->desc.layer->args.patches.kernel, across = s.w / k;
    int64_t row = channel / s.c / k, column = channel / s.c % k;
    return ref_at(s, n, channel % s.c, l / across * k + row, l % across * k + column);
}

static Status patches_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape out = bound->memory.out.shape;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t l = 0; l < out.h; l++)
                y[ref_at(out, n, c, l, 0)] = x[source(bound, n, c, l)];
    return ST_OK;
}

static Status patches_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape out = bound->memory.out.shape;
    const real *g = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t n = 0; n < out.n && mode != GRAD_NONE; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t l = 0; l < out.h; l++)
                ref_put(mode, &grad_x[source(bound, n, c, l)], g[ref_at(out, n, c, l, 0)]);
    return ST_OK;
}

const Op REF(op_patches) = {
    .plan = patches_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = patches_forward,
    .backward = patches_backward,
};
