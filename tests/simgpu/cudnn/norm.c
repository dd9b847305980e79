/* norm: batch normalisation in training, forward and backward; statistics per channel. Layer
 * normalisation is in layernorm.c. */
#include <math.h>

#include "desc.h"

/* How many values a channel has, and where its i-th is. */
static int64_t channel_count(const SimTensor *x) {
    return x->count / x->dim[1];
}

static int64_t at(const SimTensor *x, int64_t channel, int64_t i) {
    int64_t map = x->count / x->dim[0] / x->dim[1];
    return (i / map * x->dim[1] + channel) * map + i % map;
}

static void new_running(Execution *e, const Operation *op, Place old_place, Place new_place,
                        const double *batch, double factor) {
    if (!op->tensor[new_place].present)
        return;
    View old = execution_load(e, op, old_place), now = execution_start(e, op, new_place);
    for (int64_t c = 0; c < now.tensor->count; c++)
        now.value[c] = (float)((1 - factor) * old.value[c] + factor * batch[c]);
    execution_store(e, op, now);
}

void run_norm_forward(Execution *e, const Operation *op) {
    enum { CHANNELS_MAX = 4096 };
    static __thread double means[CHANNELS_MAX], variances[CHANNELS_MAX];
    View x = execution_load(e, op, P_X), y = execution_start(e, op, P_Y);
    View scale = execution_load(e, op, P_SCALE), bias = execution_load(e, op, P_BIAS);
    View mean = execution_start(e, op, P_MEAN), rstd = execution_start(e, op, P_RSTD);
    double eps = execution_load(e, op, P_EPS).value[0];
    double factor = op->tensor[P_FACTOR].present ? execution_load(e, op, P_FACTOR).value[0] : 1;
    int64_t channels = x.tensor->dim[1], count = channel_count(x.tensor);
    if (channels > CHANNELS_MAX)
        sim_report("batch norm of more than %d channels", CHANNELS_MAX);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < count; i++)
            sum += x.value[at(x.tensor, c, i)];
        means[c] = execution_sum(e, sum / (double)count);
        for (int64_t i = 0; i < count; i++)
            squares += pow(x.value[at(x.tensor, c, i)] - means[c], 2);
        variances[c] = count > 1 ? squares / (double)(count - 1) : INFINITY;
        mean.value[c] = (float)means[c];
        rstd.value[c] = (float)(1 / sqrt(squares / (double)count + eps));
        for (int64_t i = 0; i < count; i++) {
            int64_t j = at(x.tensor, c, i);
            y.value[j] =
                scale.value[c] * (x.value[j] - mean.value[c]) * rstd.value[c] + bias.value[c];
        }
    }
    execution_store(e, op, y);
    execution_store(e, op, mean);
    execution_store(e, op, rstd);
    new_running(e, op, P_OLD_MEAN, P_NEW_MEAN, means, factor);
    new_running(e, op, P_OLD_VAR, P_NEW_VAR, variances, factor);
}

void run_norm_backward(Execution *e, const Operation *op) {
    View x = execution_load(e, op, P_X), dy = execution_load(e, op, P_DY);
    View scale = execution_load(e, op, P_SCALE);
    View mean = execution_load(e, op, P_MEAN), rstd = execution_load(e, op, P_RSTD);
    View dx = execution_start(e, op, P_DX);
    View dscale = execution_start(e, op, P_DSCALE), dbias = execution_start(e, op, P_DBIAS);
    int64_t count = channel_count(x.tensor);
    for (int64_t c = 0; c < x.tensor->dim[1]; c++) {
        double sum = 0, sum_normal = 0;
        for (int64_t i = 0; i < count; i++) {
            int64_t j = at(x.tensor, c, i);
            sum += dy.value[j];
            sum_normal += (double)dy.value[j] * (x.value[j] - mean.value[c]) * rstd.value[c];
        }
        sum = execution_sum(e, sum);
        dbias.value[c] = (float)sum;
        dscale.value[c] = (float)sum_normal;
        for (int64_t i = 0; i < count; i++) {
            int64_t j = at(x.tensor, c, i);
            double normal = (double)(x.value[j] - mean.value[c]) * rstd.value[c];
            double rest = dy.value[j] - sum / (double)count - normal * sum_normal / (double)count;
            dx.value[j] = (float)(scale.value[c] * rstd.value[c] * rest);
        }
    }
    execution_store(e, op, dx);
    execution_store(e, op, dscale);
    execution_store(e, op, dbias);
}
