/* ref/shuffle: channels of all groups in turn. */
#include "ref.h"

static Status shuffle_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_shuffle), desc, 0, plan);
}

/* Index in the output of element `i` of the input. */
static int64_t place(const OpBound *bound, int64_t i) {
    Shape s = bound->memory.out.shape;
    int64_t groups = bound->plan->desc.layer->args.shuffle.groups, each = s.c / groups;
    int64_t map = s.h * s.w, c = i / map % s.c;
    return ref_at(s, i / (map * s.c), c % each * groups + c / each, 0, i % map);
}

static Status shuffle_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[place(bound, i)] = x[i];
    return ST_OK;
}

static Status shuffle_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t i = 0; mode != GRAD_NONE && i < shape_count(bound->memory.out.shape); i++)
        ref_put(mode, &grad_x[i], grad_y[place(bound, i)]);
    return ST_OK;
}

const Op REF(op_shuffle) = {
    .plan = shuffle_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = shuffle_forward,
    .backward = shuffle_backward,
};
