/* ref/add: y = a + b. */
#include "ref.h"

static Status add_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_add), desc, 0, plan);
}

static Status add_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *a = bound->memory.in[0].data, *b = bound->memory.in[1].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = ref_result(bound, a[i] + b[i]);
    return ST_OK;
}

static Status add_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    for (int k = 0; k < 2; k++) {
        real *grad_x = bound->memory.grad_in[k].data;
        if (desc->grad_in[k] == GRAD_NONE)
            continue;
        for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
            ref_put(desc->grad_in[k], &grad_x[i], ref_grad(bound, i));
    }
    return ST_OK;
}

const Op REF(op_add) = {
    .plan = add_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = add_forward,
    .backward = add_backward,
};
