/* ref/softmax_ce: for each image the loss -sum target_c log p_c, p = softmax(x), and the class of
 * the largest logit. target = (1 - smoothing) one_hot(label) + smoothing / classes sums to 1, so
 * that the gradient is (p - target) loss_scale; of a mixed image one_hot is the weighted mean of
 * its two labels'. Where classes have weights each target is multiplied by its own, and the
 * gradient is (p sum(target) - target) loss_scale. Backward computes p again from the logits. */
#include <inttypes.h>
#include <math.h>

#include "ref.h"

static Status softmax_ce_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_softmax_ce), desc, 0, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

/* Of image n and class c. */
static double target(const OpBound *bound, int64_t n, int64_t c) {
    const SecondLabel none = {0, 0}, *second = bound->memory.second.data;
    int32_t label = ((const int32_t *)bound->memory.labels.data)[n];
    double smoothing = bound->plan->desc.layer->args.loss.smoothing;
    double share = (double)mix_target(label, second ? second[n] : none, c) / MIX_ONE;
    const float *weights = bound->plan->desc.layer->args.loss.weights;
    double plain = share * (1 - smoothing) + smoothing / (double)bound->memory.in[0].shape.c;
    return weights ? (double)weights[c] * plain : plain;
}

static double target_sum(const OpBound *bound, int64_t n) {
    double sum = 0;
    if (!bound->plan->desc.layer->args.loss.weights)
        return 1;
    for (int64_t c = 0; c < bound->memory.in[0].shape.c; c++)
        sum += target(bound, n, c);
    return sum;
}

/* Index of the largest, the lowest of equals. */
static int64_t largest(const real *x, int64_t count) {
    int64_t best = 0;
    for (int64_t c = 1; c < count; c++)
        best = x[c] > x[best] ? c : best;
    return best;
}

/* log of the sum of exp(x): log p_c = x_c minus it. The largest is taken out against overflow. */
static double log_sum_exp(const real *x, int64_t count) {
    double top = x[largest(x, count)], sum = 0;
    for (int64_t c = 0; c < count; c++)
        sum += exp(x[c] - top);
    return top + log(sum);
}

static Status softmax_ce_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape in = bound->memory.in[0].shape;
    const int32_t *labels = bound->memory.labels.data;
    real *loss = bound->memory.loss.data;
    int32_t *predicted = bound->memory.predicted.data;

    for (int64_t n = 0; n < in.n; n++) {
        const real *x = (const real *)bound->memory.in[0].data + n * in.c;
        double norm = log_sum_exp(x, in.c), sum = 0;
        if (labels[n] < 0 || labels[n] >= in.c)
            return FAIL(ST_INTERNAL,
                        "image %" PRId64 " of a batch has label %" PRId32
                        ", but the model has %" PRId64 " classes",
                        n, labels[n], in.c);
        for (int64_t c = 0; c < in.c; c++)
            sum -= target(bound, n, c) * (x[c] - norm);
        loss[n] = (real)sum;
        predicted[n] = (int32_t)largest(x, in.c);
    }
    return ST_OK;
}

static Status softmax_ce_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    const OpDesc *desc = &bound->plan->desc;
    Shape in = bound->memory.in[0].shape;
    if (desc->grad_in[0] == GRAD_NONE)
        return ST_OK;
    for (int64_t n = 0; n < in.n; n++) {
        const real *x = (const real *)bound->memory.in[0].data + n * in.c;
        real *grad_x = (real *)bound->memory.grad_in[0].data + n * in.c;
        double norm = log_sum_exp(x, in.c), whole = target_sum(bound, n);
        for (int64_t c = 0; c < in.c; c++) {
            double p = exp(x[c] - norm);
            ref_put(desc->grad_in[0], &grad_x[c],
                    (p * whole - target(bound, n, c)) * run->loss_scale);
        }
    }
    return ST_OK;
}

const Op REF(op_softmax_ce) = {
    .plan = softmax_ce_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = softmax_ce_forward,
    .backward = softmax_ce_backward,
};
