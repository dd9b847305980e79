/* ref/relu: y = max(x, 0); the slope at 0 is 0. */
#include "ref.h"

static Status relu_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_relu), desc, 0, plan));
    (*plan)->backward_reads_out = true;
    return ST_OK;
}

static Status relu_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = ref_relu(x[i]);
    return ST_OK;
}

static Status relu_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    const real *y = bound->memory.out.data;
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    if (mode == GRAD_NONE)
        return ST_OK;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        ref_put(mode, &grad_x[i], y[i] <= 0 ? 0 : grad_y[i]);
    return ST_OK;
}

const Op REF(op_relu) = {
    .plan = relu_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = relu_forward,
    .backward = relu_backward,
};
