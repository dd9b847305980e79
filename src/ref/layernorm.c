/* ref/layernorm: y = weight (x - mean) rstd + bias, rstd = 1 / sqrt(var + eps), with mean and
 * biased variance of the channels of each position. */
#include <math.h>

#include "ref.h"

static Status layernorm_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_layernorm), desc, 0, plan));
    (*plan)->backward_reads_in = true;
    return ST_OK;
}

/* Of one position. */
typedef struct Moments {
    double mean, rstd;
} Moments;

static Moments moments_of(const OpBound *bound, int64_t n, int64_t i) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < s.c; c++)
        sum += x[ref_at(s, n, c, 0, i)];
    double mean = sum / (double)s.c;
    for (int64_t c = 0; c < s.c; c++) {
        double d = x[ref_at(s, n, c, 0, i)] - mean;
        squares += d * d;
    }
    double eps = bound->plan->desc.layer->args.layernorm.eps;
    return (Moments){mean, 1 / sqrt(squares / (double)s.c + eps)};
}

static Status layernorm_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data, *bias = bound->memory.param[1].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++) {
            Moments m = moments_of(bound, n, i);
            for (int64_t c = 0; c < s.c; c++) {
                int64_t at = ref_at(s, n, c, 0, i);
                y[at] = (real)(weight[c] * ((x[at] - m.mean) * m.rstd) + bias[c]);
            }
        }
    return ST_OK;
}

/* With d = weight g: grad_x = rstd (d - mean(d) - normal mean(d normal)), means over channels: mean
 * and variance of the position move with x too. */
static void position_backward(const OpBound *bound, int64_t n, int64_t i) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data, *g = bound->memory.grad_out.data;
    const real *weight = bound->memory.param[0].data;
    real *grad_x = bound->memory.grad_in[0].data;
    Moments m = moments_of(bound, n, i);
    double sum = 0, sum_normal = 0, count = (double)s.c;
    for (int64_t c = 0; c < s.c; c++) {
        int64_t at = ref_at(s, n, c, 0, i);
        double d = (double)weight[c] * g[at];
        sum += d;
        sum_normal += d * ((x[at] - m.mean) * m.rstd);
    }
    for (int64_t c = 0; c < s.c; c++) {
        int64_t at = ref_at(s, n, c, 0, i);
        double normal = (x[at] - m.mean) * m.rstd;
        double rest = (double)weight[c] * g[at] - sum / count - normal * (sum_normal / count);
        ref_put(bound->plan->desc.grad_in[0], &grad_x[at], m.rstd * rest);
    }
}

static Status layernorm_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data, *g = bound->memory.grad_out.data;
    real *grad_weight = bound->memory.grad_param[0].data;
    real *grad_bias = bound->memory.grad_param[1].data;
    for (int64_t c = 0; c < s.c; c++) {
        double sum = 0, sum_normal = 0;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = ref_at(s, n, c, 0, i);
                Moments m = moments_of(bound, n, i);
                sum += g[at];
                sum_normal += g[at] * ((x[at] - m.mean) * m.rstd);
            }
        grad_weight[c] = (real)sum_normal;
        grad_bias[c] = (real)sum;
    }
    if (bound->plan->desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++)
            position_backward(bound, n, i);
    return ST_OK;
}

const Op REF(op_layernorm) = {
    .plan = layernorm_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = layernorm_forward,
    .backward = layernorm_backward,
};
