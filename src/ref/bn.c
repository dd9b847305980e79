/* ref/bn: y = weight (x - mean) rstd + bias a channel, rstd = 1 / sqrt(var + eps). Training takes
 * mean and biased variance of the batch, saves mean and rstd for backward, and reports mean and
 * unbiased variance (0 of a single value); evaluation takes the running ones. */
#include <math.h>

#include "ref.h"

/* What backward needs of one channel; saved[C]. */
typedef struct Channel {
    double mean, rstd;
} Channel;

static Status bn_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    size_t saved = desc->training ? (size_t)desc->out.shape.c * sizeof(Channel) : 0;
    TRY(REF(plan_new)(&REF(op_bn), desc, saved, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

/* Mean and rstd of the batch; writes the layer's statistics. */
static Channel batch_channel(const OpBound *bound, int64_t c) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    int64_t map = s.h * s.w;
    double count = (double)(s.n * map), sum = 0, squares = 0;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < map; i++)
            sum += x[ref_at(s, n, c, 0, i)];
    double mean = sum / count;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < map; i++) {
            double d = x[ref_at(s, n, c, 0, i)] - mean;
            squares += d * d;
        }
    ((real *)bound->memory.stats[0].data)[c] = (real)mean;
    ((real *)bound->memory.stats[1].data)[c] = (real)(count > 1 ? squares / (count - 1) : 0);
    return (Channel){mean, 1 / sqrt(squares / count + bound->plan->desc.layer->args.bn.eps)};
}

static Channel running_channel(const OpBound *bound, int64_t c) {
    const real *mean = bound->memory.running[0].data;
    const real *var = bound->memory.running[1].data;
    return (Channel){mean[c], 1 / sqrt(var[c] + bound->plan->desc.layer->args.bn.eps)};
}

static Status bn_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data, *bias = bound->memory.param[1].data;
    real *y = bound->memory.out.data;
    Channel *saved = bound->memory.saved;

    for (int64_t c = 0; c < s.c; c++) {
        bool training = bound->plan->desc.training;
        Channel channel = training ? batch_channel(bound, c) : running_channel(bound, c);
        if (training)
            saved[c] = channel;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = ref_at(s, n, c, 0, i);
                double normal = (x[at] - channel.mean) * channel.rstd;
                y[at] = ref_result(bound, weight[c] * normal + bias[c]);
            }
    }
    return ST_OK;
}

/* grad_x = weight rstd (g - mean(g) - normal mean(g normal)): the batch's mean and variance move
 * with x too. */
static Status bn_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data;
    const Channel *saved = bound->memory.saved;
    real *grad_x = bound->memory.grad_in[0].data;
    real *grad_weight = bound->memory.grad_param[0].data;
    real *grad_bias = bound->memory.grad_param[1].data;
    int64_t map = s.h * s.w;
    double count = (double)(s.n * map);

    for (int64_t c = 0; c < s.c; c++) {
        double sum = 0, sum_normal = 0;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < map; i++) {
                int64_t at = ref_at(s, n, c, 0, i);
                sum += ref_grad(bound, at);
                sum_normal += ref_grad(bound, at) * (x[at] - saved[c].mean) * saved[c].rstd;
            }
        grad_weight[c] = (real)sum_normal;
        grad_bias[c] = (real)sum;
        if (desc->grad_in[0] == GRAD_NONE)
            continue;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < map; i++) {
                int64_t at = ref_at(s, n, c, 0, i);
                double normal = (x[at] - saved[c].mean) * saved[c].rstd;
                double rest = ref_grad(bound, at) - sum / count - normal * sum_normal / count;
                ref_put(desc->grad_in[0], &grad_x[at], weight[c] * saved[c].rstd * rest);
            }
    }
    return ST_OK;
}

const Op REF(op_bn) = {
    .plan = bn_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = bn_forward,
    .backward = bn_backward,
};
