/* ref/concat: the channels of all inputs, one behind the other. */
#include "ref.h"

static Status concat_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_concat), desc, 0, plan);
}

/* Index in the output of element `i` of input k, whose first channel there is `first`. */
static int64_t place(Shape out, Shape in, int64_t first, int64_t i) {
    int64_t image = in.c * in.h * in.w;
    return ref_at(out, i / image, first, 0, i % image);
}

static Status concat_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    real *y = bound->memory.out.data;
    int64_t first = 0;
    for (int k = 0; k < bound->plan->desc.n_in; k++) {
        const real *x = bound->memory.in[k].data;
        Shape in = bound->memory.in[k].shape;
        for (int64_t i = 0; i < shape_count(in); i++)
            y[place(bound->memory.out.shape, in, first, i)] = x[i];
        first += in.c;
    }
    return ST_OK;
}

static Status concat_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *grad_y = bound->memory.grad_out.data;
    int64_t first = 0;
    for (int k = 0; k < bound->plan->desc.n_in; k++) {
        GradMode mode = bound->plan->desc.grad_in[k];
        real *grad_x = bound->memory.grad_in[k].data;
        Shape in = bound->memory.in[k].shape;
        for (int64_t i = 0; mode != GRAD_NONE && i < shape_count(in); i++)
            ref_put(mode, &grad_x[i], grad_y[place(bound->memory.out.shape, in, first, i)]);
        first += in.c;
    }
    return ST_OK;
}

const Op REF(op_concat) = {
    .plan = concat_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = concat_forward,
    .backward = concat_backward,
};
