/* ref/bn: y = weight (x - mean) rstd + bias a channel, rstd = 1 / sqrt(var + eps); without a
 * parameter the weight is 1, the bias 0. Training takes mean and biased variance of the lane or of
 * the batch, saves mean and rstd for backward, and reports mean and unbiased variance (0 of a
 * single value); evaluation takes the running ones.
 *
 * Over the batch, forward leaves what bn_sums.h says in memory.shared, and forward_rest finds there
 * that of all lanes; backward likewise. */
#include <math.h>

#include "lockstep/bn_sums.h"
#include "ref.h"

/* What backward needs of one channel; saved[C]. */
typedef struct Channel {
    double mean, rstd;
    double count; /* values that these are of */
} Channel;

static bool over_batch(const OpDesc *desc) {
    return desc->training && desc->layer->args.bn.over == BN_OVER_BATCH;
}

static Status bn_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    size_t saved = desc->training ? (size_t)desc->out.shape.c * sizeof(Channel) : 0;
    TRY(REF(plan_new)(&REF(op_bn), desc, saved, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    if (over_batch(desc))
        (*plan)->shared = bn_sums_count(desc->out.shape.c);
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
    return (Channel){mean, 1 / sqrt(squares / count + bound->plan->desc.layer->args.bn.eps), count};
}

static Channel running_channel(const OpBound *bound, int64_t c) {
    const real *mean = bound->memory.running[0].data;
    const real *var = bound->memory.running[1].data;
    return (Channel){mean[c], 1 / sqrt(var[c] + bound->plan->desc.layer->args.bn.eps), 0};
}

static void apply(const OpBound *bound, int64_t c, Channel channel) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    Affine at_param = affine(bound, bound->memory.param);
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++) {
            int64_t at = ref_at(s, n, c, 0, i);
            double normal = (x[at] - channel.mean) * channel.rstd;
            double bias = at_param.bias ? at_param.bias[c] : 0;
            y[at] = ref_result(bound, weight_of(at_param, c) * normal + bias);
        }
}

/* The lane's share of the batch's moments. */
static void share_moments(const OpBound *bound) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    BnSums sums = bn_sums(bound->memory.shared, s.c);
    *sums.count = (double)(s.n * s.h * s.w);
    for (int64_t c = 0; c < s.c; c++) {
        sums.first[c] = sums.second[c] = 0;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                double value = x[ref_at(s, n, c, 0, i)];
                sums.first[c] += value;
                sums.second[c] += value * value;
            }
    }
}

static Status bn_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    bool training = bound->plan->desc.training;
    Channel *saved = bound->memory.saved;
    if (over_batch(&bound->plan->desc)) {
        share_moments(bound);
        return ST_OK;
    }
    for (int64_t c = 0; c < bound->memory.in[0].shape.c; c++) {
        Channel channel = training ? batch_channel(bound, c) : running_channel(bound, c);
        if (training)
            saved[c] = channel;
        apply(bound, c, channel);
    }
    return ST_OK;
}

static Status bn_forward_rest(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    int64_t channels = bound->memory.in[0].shape.c;
    BnSums sums = bn_sums(bound->memory.shared, channels);
    Channel *saved = bound->memory.saved;
    for (int64_t c = 0; c < channels; c++) {
        BnMoments moments = bn_moments(&sums, c);
        saved[c] =
            (Channel){moments.mean, 1 / sqrt(moments.var + bound->plan->desc.layer->args.bn.eps),
                      *sums.count};
        ((real *)bound->memory.stats[0].data)[c] = (real)moments.mean;
        ((real *)bound->memory.stats[1].data)[c] = (real)moments.unbiased;
        apply(bound, c, saved[c]);
    }
    return ST_OK;
}

/* Sums over the lane of g and of g normal, which are the gradients of bias and weight. */
static void slopes(const OpBound *bound, int64_t c, double *sum, double *sum_normal) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    const Channel *saved = bound->memory.saved;
    Affine grad = affine(bound, bound->memory.grad_param);
    *sum = *sum_normal = 0;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++) {
            int64_t at = ref_at(s, n, c, 0, i);
            *sum += ref_grad(bound, at);
            *sum_normal += ref_grad(bound, at) * (x[at] - saved[c].mean) * saved[c].rstd;
        }
    if (grad.weight)
        grad.weight[c] = (real)*sum_normal;
    if (grad.bias)
        grad.bias[c] = (real)*sum;
}

/* grad_x = weight rstd (g - mean(g) - normal mean(g normal)): mean and variance move with x too, be
 * it of the lane or of the batch. */
static void give(const OpBound *bound, int64_t c, double sum, double sum_normal) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    Affine at_param = affine(bound, bound->memory.param);
    const Channel *saved = bound->memory.saved;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++) {
            int64_t at = ref_at(s, n, c, 0, i);
            double normal = (x[at] - saved[c].mean) * saved[c].rstd;
            double rest =
                ref_grad(bound, at) - sum / saved[c].count - normal * sum_normal / saved[c].count;
            ref_put(bound->plan->desc.grad_in[0], &grad_x[at],
                    weight_of(at_param, c) * saved[c].rstd * rest);
        }
}

static Status bn_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    int64_t channels = bound->memory.in[0].shape.c;
    BnSums sums = bn_sums(bound->memory.shared, channels);
    for (int64_t c = 0; c < channels; c++) {
        double sum, sum_normal;
        slopes(bound, c, &sum, &sum_normal);
        if (over_batch(desc)) {
            sums.first[c] = sum;
            sums.second[c] = sum_normal;
        } else if (desc->grad_in[0] != GRAD_NONE) {
            give(bound, c, sum, sum_normal);
        }
    }
    if (over_batch(desc))
        *sums.count = 0;
    return ST_OK;
}

static Status bn_backward_rest(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    int64_t channels = bound->memory.in[0].shape.c;
    BnSums sums = bn_sums(bound->memory.shared, channels);
    for (int64_t c = 0; c < channels && bound->plan->desc.grad_in[0] != GRAD_NONE; c++)
        give(bound, c, sums.first[c], sums.second[c]);
    return ST_OK;
}

const Op REF(op_bn) = {
    .plan = bn_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = bn_forward,
    .backward = bn_backward,
    .forward_rest = bn_forward_rest,
    .backward_rest = bn_backward_rest,
};
