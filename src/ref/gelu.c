/* ref/gelu: y = x Phi(x), Phi the normal distribution: the exact form, with erf. */
#include <math.h>

#include "ref.h"

static Status gelu_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_gelu), desc, 0, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

static double normal_below(double x) {
    return 0.5 * (1 + erf(x * M_SQRT1_2));
}

static double normal_density(double x) {
    return exp(-0.5 * x * x) * (0.5 * M_2_SQRTPI * M_SQRT1_2); /* 1 / sqrt(2 pi) */
}

static Status gelu_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = (real)(x[i] * normal_below(x[i]));
    return ST_OK;
}

static Status gelu_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    const real *x = bound->memory.in[0].data;
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    if (mode == GRAD_NONE)
        return ST_OK;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        ref_put(mode, &grad_x[i], grad_y[i] * (normal_below(x[i]) + x[i] * normal_density(x[i])));
    return ST_OK;
}

const Op REF(op_gelu) = {
    .plan = gelu_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = gelu_forward,
    .backward = gelu_backward,
};
