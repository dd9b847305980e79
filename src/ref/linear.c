/* ref/linear: y[n,o] = bias[o] + sum over i of weight[o,i] x[n,i], x flattened in C, H, W order. */
#include "ref.h"

static Status linear_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_linear), desc, 0, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

static int64_t features(const OpBound *bound) {
    Shape in = bound->memory.in[0].shape;
    return in.c * in.h * in.w;
}

static Status linear_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    int64_t n_in = features(bound), n_out = bound->memory.out.shape.c;
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data;
    bool has_bias = bound->plan->desc.layer->args.linear.bias;
    const real *bias = has_bias ? bound->memory.param[1].data : NULL;
    real *y = bound->memory.out.data;

    for (int64_t n = 0; n < bound->memory.out.shape.n; n++)
        for (int64_t o = 0; o < n_out; o++) {
            double sum = bias ? bias[o] : 0;
            for (int64_t i = 0; i < n_in; i++)
                sum += (double)weight[o * n_in + i] * x[n * n_in + i];
            y[n * n_out + o] = ref_result(bound, sum);
        }
    return ST_OK;
}

static Status linear_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    int64_t batch = bound->memory.out.shape.n;
    int64_t n_in = features(bound), n_out = bound->memory.out.shape.c;
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data;
    real *grad_x = bound->memory.grad_in[0].data;
    real *grad_weight = bound->memory.grad_param[0].data;
    real *grad_bias = desc->layer->args.linear.bias ? bound->memory.grad_param[1].data : NULL;

    for (int64_t n = 0; n < batch && desc->grad_in[0] != GRAD_NONE; n++)
        for (int64_t i = 0; i < n_in; i++) {
            double sum = 0;
            for (int64_t o = 0; o < n_out; o++)
                sum += weight[o * n_in + i] * ref_grad(bound, n * n_out + o);
            ref_put(desc->grad_in[0], &grad_x[n * n_in + i], sum);
        }
    for (int64_t o = 0; o < n_out; o++) {
        for (int64_t i = 0; i < n_in; i++) {
            double sum = 0;
            for (int64_t n = 0; n < batch; n++)
                sum += x[n * n_in + i] * ref_grad(bound, n * n_out + o);
            grad_weight[o * n_in + i] = (real)sum;
        }
        double sum = 0;
        for (int64_t n = 0; n < batch; n++)
            sum += ref_grad(bound, n * n_out + o);
        if (grad_bias)
            grad_bias[o] = (real)sum;
    }
    return ST_OK;
}

const Op REF(op_linear) = {
    .plan = linear_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = linear_forward,
    .backward = linear_backward,
};
