/* cpu/softmax_ce: softmax cross-entropy with label smoothing: for each image the loss
 * -sum target_c log p_c, p = softmax(x), and the class of the largest logit. The gradient is
 * (p sum(target) - target) loss_scale; the sum is 1 unless classes have weights; a mixed image has
 * two labels in its target. A few logits an image: loops of our own, in double, rounded once. */
#include <inttypes.h>
#include <math.h>

#include "plan.h"
#include "rows.h"

/* Of class c; `second` may be NULL. */
static double target(const OpDesc *desc, int32_t label, const SecondLabel *second, int64_t c) {
    const SecondLabel none = {0, 0};
    double smoothing = desc->layer->args.loss.smoothing;
    double share = (double)mix_target(label, second ? *second : none, c) / MIX_ONE;
    const float *weights = desc->layer->args.loss.weights;
    double plain = share * (1 - smoothing) + smoothing / (double)desc->in[0].shape.c;
    return weights ? (double)weights[c] * plain : plain;
}

static double target_sum(const OpDesc *desc, int32_t label, const SecondLabel *second) {
    double sum = 0;
    if (!desc->layer->args.loss.weights)
        return 1;
    for (int64_t c = 0; c < desc->in[0].shape.c; c++)
        sum += target(desc, label, second, c);
    return sum;
}

/* Index of the largest, the lowest of equals. */
static int64_t largest(const float *x, int64_t count) {
    int64_t best = 0;
    for (int64_t c = 1; c < count; c++)
        best = x[c] > x[best] ? c : best;
    return best;
}

/* log of the sum of exp(x): log p_c is x_c minus it. The largest is taken out against overflow. */
static double log_sum_exp(const float *x, int64_t count) {
    double top = x[largest(x, count)], sum = 0;
    for (int64_t c = 0; c < count; c++)
        sum += exp(x[c] - top);
    return top + log(sum);
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    void *const *at = call->at;
    int64_t images = desc->in[0].shape.n, classes = desc->in[0].shape.c;
    const int32_t *labels = at[1];
    float *loss = at[2];
    int32_t *predicted = at[3];
    const SecondLabel *second = at[4];
    DType type = plan_type(call->plan);
    for (int64_t n = 0; n < images; n++) {
        const float *x = row_read(type, row_at(type, at[0], n * classes), classes, at[5]);
        double norm = log_sum_exp(x, classes), sum = 0;
        if (labels[n] < 0 || labels[n] >= classes)
            return FAIL(ST_INTERNAL,
                        "image %" PRId64 " of a batch has label %" PRId32
                        ", but the model has %" PRId64 " classes",
                        n, labels[n], classes);
        for (int64_t c = 0; c < classes; c++)
            sum -= target(desc, labels[n], second ? second + n : NULL, c) * (x[c] - norm);
        loss[n] = (float)sum;
        predicted[n] = (int32_t)largest(x, classes);
    }
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    void *const *at = call->at;
    int64_t images = desc->in[0].shape.n, classes = desc->in[0].shape.c;
    bool add = desc->grad_in[0] == GRAD_ADD;
    const int32_t *labels = at[1];
    const SecondLabel *second = at[3];
    DType type = plan_type(call->plan);
    float *room = at[4];
    for (int64_t n = 0; n < images; n++) {
        void *row = row_at(type, at[2], n * classes);
        const float *x = row_read(type, row_at(type, at[0], n * classes), classes, room);
        float *grad = row_open(type, row, classes, add, room + classes);
        const SecondLabel *other = second ? second + n : NULL;
        double norm = log_sum_exp(x, classes), whole = target_sum(desc, labels[n], other);
        for (int64_t c = 0; c < classes; c++) {
            double rest = exp(x[c] - norm) * whole - target(desc, labels[n], other, c);
            grad[c] = (float)((add ? grad[c] : 0) + rest * call->run->loss_scale);
        }
        row_close(type, row, classes, grad);
    }
    return ST_OK;
}

static Status softmax_ce_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    plan->base.backward_reads_in = READS_IN(0);
    steps_need_temp(plan, 2 * (size_t)desc->in[0].shape.c * sizeof(float));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_LABELS, AT_LOSS, AT_PREDICTED, AT_SECOND,
              AT_TEMP);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_LABELS, AT_GRAD_IN(0), AT_SECOND,
                  AT_TEMP);
    return ST_OK;
}

CPU_OP(softmax_ce);
