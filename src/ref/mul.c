/* ref/mul: y = a b. Of a gate one element meets a whole channel of the other input. */
#include "ref.h"

static Status mul_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_mul), desc, 0, plan));
    for (int k = 0; k < 2; k++) /* either gradient needs the other input */
        (*plan)->backward_reads_in |= desc->grad_in[k] != GRAD_NONE ? READS_IN(1 - k) : 0;
    return ST_OK;
}

/* How many elements of the output meet each element of input k. */
static int64_t spread(const OpBound *bound, int k) {
    return shape_count(bound->memory.out.shape) / shape_count(bound->memory.in[k].shape);
}

static Status mul_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *a = bound->memory.in[0].data, *b = bound->memory.in[1].data;
    int64_t per_a = spread(bound, 0), per_b = spread(bound, 1);
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = a[i / per_a] * b[i / per_b];
    return ST_OK;
}

static Status mul_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *grad_y = bound->memory.grad_out.data;
    for (int k = 0; k < 2; k++) {
        GradMode mode = bound->plan->desc.grad_in[k];
        const real *other = bound->memory.in[1 - k].data;
        real *grad_x = bound->memory.grad_in[k].data;
        int64_t mine = spread(bound, k), others = spread(bound, 1 - k);
        for (int64_t i = 0; mode != GRAD_NONE && i < shape_count(bound->memory.in[k].shape); i++) {
            double sum = 0;
            for (int64_t j = i * mine; j < (i + 1) * mine; j++)
                sum += (double)grad_y[j] * other[j / others];
            ref_put(mode, &grad_x[i], sum);
        }
    }
    return ST_OK;
}

const Op REF(op_mul) = {
    .plan = mul_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = mul_forward,
    .backward = mul_backward,
};
