/* ref/bn: y = weight (x - mean) rstd + bias a channel, rstd = 1 / sqrt(var + eps); without a
 * parameter the weight is 1, the bias 0. Training takes
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

/* The parameters' memory, and that of their gradients; NULL where the layer has no such parameter.
 */
typedef struct Affine {
    real *weight, *bias;
} Affine;

static Affine affine(const OpBound *bound, const Tensor param[LAYER_PARAMS_MAX]) {
    const Layer *layer = bound->plan->desc.layer;
    return (Affine){layer->args.bn.scale ? param[0].data : NULL,
                    layer->args.bn.bias ? param[bn_bias_param(layer)].data : NULL};
}

static double weight_of(Affine at, int64_t c) {
    return at.weight ? at.weight[c] : 1;
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
    Affine at_param = affine(bound, bound->memory.param);
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
                double bias = at_param.bias ? at_param.bias[c] : 0;
                y[at] = ref_result(bound, weight_of(at_param, c) * normal + bias);
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
    Affine at_param = affine(bound, bound->memory.param);
    Affine grad = affine(bound, bound->memory.grad_param);
    const Channel *saved = bound->memory.saved;
    real *grad_x = bound->memory.grad_in[0].data;
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
        if (grad.weight)
            grad.weight[c] = (real)sum_normal;
        if (grad.bias)
            grad.bias[c] = (real)sum;
        if (desc->grad_in[0] == GRAD_NONE)
            continue;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < map; i++) {
                int64_t at = ref_at(s, n, c, 0, i);
                double normal = (x[at] - saved[c].mean) * saved[c].rstd;
                double rest = ref_grad(bound, at) - sum / count - normal * sum_normal / count;
                ref_put(desc->grad_in[0], &grad_x[at],
                        weight_of(at_param, c) * saved[c].rstd * rest);
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
