/* ref/positions: y[n,c,l] = x[n,c,l] + weight[l,c], l counting positions row by row. */
#include "ref.h"

static Status positions_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_positions), desc, 0, plan);
}

static Status positions_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data, *weight = bound->memory.param[0].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t l = 0; l < s.h * s.w; l++) {
                int64_t at = ref_at(s, n, c, 0, l);
                y[at] = x[at] + weight[l * s.c + c];
            }
    return ST_OK;
}

static Status positions_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape s = bound->memory.in[0].shape;
    const real *g = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    real *grad_weight = bound->memory.grad_param[0].data;
    for (int64_t l = 0; l < s.h * s.w; l++)
        for (int64_t c = 0; c < s.c; c++) {
            double sum = 0;
            for (int64_t n = 0; n < s.n; n++)
                sum += g[ref_at(s, n, c, 0, l)];
            grad_weight[l * s.c + c] = (real)sum;
        }
    for (int64_t i = 0; i < shape_count(s) && mode != GRAD_NONE; i++)
        ref_put(mode, &grad_x[i], g[i]);
    return ST_OK;
}

const Op REF(op_positions) = {
    .plan = positions_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = positions_forward,
    .backward = positions_backward,
};
