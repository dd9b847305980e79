/* ref/slice: some neighbouring channels. */
#include "ref.h"

static Status slice_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_slice), desc, 0, plan);
}

/* Index in the input of element `i` of the output. */
static int64_t place(const OpBound *bound, int64_t i) {
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    int64_t image = out.c * out.h * out.w;
    return ref_at(in, i / image, bound->plan->desc.layer->args.slice.first, 0, i % image);
}

static Status slice_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = x[place(bound, i)];
    return ST_OK;
}

/* Channels that are not taken have no gradient. */
static Status slice_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t i = 0; mode == GRAD_ASSIGN && i < shape_count(bound->memory.in[0].shape); i++)
        grad_x[i] = 0;
    for (int64_t i = 0; mode != GRAD_NONE && i < shape_count(bound->memory.out.shape); i++)
        ref_put(mode, &grad_x[place(bound, i)], grad_y[i]);
    return ST_OK;
}

const Op REF(op_slice) = {
    .plan = slice_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = slice_forward,
    .backward = slice_backward,
};
