/* ref/pad_channels: zeros, the input's channels, zeros. */
#include "ref.h"

static Status pad_channels_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_pad_channels), desc, 0, plan);
}

/* Index in the output of element `i` of the input. */
static int64_t place(const OpBound *bound, int64_t i) {
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    int64_t image = in.c * in.h * in.w;
    return ref_at(out, i / image, (out.c - in.c) / 2, 0, i % image);
}

static Status pad_channels_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = 0;
    for (int64_t i = 0; i < shape_count(bound->memory.in[0].shape); i++)
        y[place(bound, i)] = x[i];
    return ST_OK;
}

static Status pad_channels_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t i = 0; mode != GRAD_NONE && i < shape_count(bound->memory.in[0].shape); i++)
        ref_put(mode, &grad_x[i], grad_y[place(bound, i)]);
    return ST_OK;
}

const Op REF(op_pad_channels) = {
    .plan = pad_channels_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = pad_channels_forward,
    .backward = pad_channels_backward,
};
