/* ref/scale: y = factor x. */
#include "ref.h"

static Status scale_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_scale), desc, 0, plan);
}

static Status scale_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    double factor = bound->plan->desc.layer->args.scale.factor;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = (real)(factor * x[i]);
    return ST_OK;
}

static Status scale_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    double factor = bound->plan->desc.layer->args.scale.factor;
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    if (mode == GRAD_NONE)
        return ST_OK;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        ref_put(mode, &grad_x[i], factor * grad_y[i]);
    return ST_OK;
}

const Op REF(op_scale) = {
    .plan = scale_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = scale_forward,
    .backward = scale_backward,
};
