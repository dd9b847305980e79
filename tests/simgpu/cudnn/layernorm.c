/* layernorm: layer normalisation in training, forward and backward; statistics per row, which has
 * channels alone. */
#include <math.h>

#include "desc.h"

void run_layernorm_forward(Execution *e, const Operation *op) {
    View x = execution_load(e, op, P_X), y = execution_start(e, op, P_Y);
    View scale = execution_load(e, op, P_SCALE), bias = execution_load(e, op, P_BIAS);
    View mean = execution_start(e, op, P_MEAN), rstd = execution_start(e, op, P_RSTD);
    double eps = execution_load(e, op, P_EPS).value[0];
    int64_t channels = x.tensor->dim[1];
    for (int64_t row = 0; row < x.tensor->dim[0]; row++) {
        const float *in = x.value + row * channels;
        double sum = 0, squares = 0;
        for (int64_t c = 0; c < channels; c++)
            sum += in[c];
        double middle = execution_sum(e, sum / (double)channels);
        for (int64_t c = 0; c < channels; c++)
            squares += pow(in[c] - middle, 2);
        mean.value[row] = (float)middle;
        rstd.value[row] = (float)(1 / sqrt(squares / (double)channels + eps));
        for (int64_t c = 0; c < channels; c++)
            y.value[row * channels + c] =
                scale.value[c] * (in[c] - mean.value[row]) * rstd.value[row] + bias.value[c];
    }
    execution_store(e, op, y);
    execution_store(e, op, mean);
    execution_store(e, op, rstd);
}

/* What the gradients of scale and bias are sums of, over all rows. */
static void sum_rows(Execution *e, const Operation *op, View x, View dy, View mean, View rstd) {
    View dscale = execution_start(e, op, P_DSCALE), dbias = execution_start(e, op, P_DBIAS);
    int64_t channels = x.tensor->dim[1];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, sum_normal = 0;
        for (int64_t row = 0; row < x.tensor->dim[0]; row++) {
            int64_t i = row * channels + c;
            sum += dy.value[i];
            sum_normal += (double)dy.value[i] * (x.value[i] - mean.value[row]) * rstd.value[row];
        }
        dbias.value[c] = (float)execution_sum(e, sum);
        dscale.value[c] = (float)sum_normal;
    }
    execution_store(e, op, dscale);
    execution_store(e, op, dbias);
}

void run_layernorm_backward(Execution *e, const Operation *op) {
    View x = execution_load(e, op, P_X), dy = execution_load(e, op, P_DY);
    View scale = execution_load(e, op, P_SCALE);
    View mean = execution_load(e, op, P_MEAN), rstd = execution_load(e, op, P_RSTD);
    View dx = execution_start(e, op, P_DX);
    int64_t channels = x.tensor->dim[1];
    for (int64_t row = 0; row < x.tensor->dim[0]; row++) {
        double sum = 0, sum_normal = 0;
        for (int64_t c = 0; c < channels; c++) {
            int64_t i = row * channels + c;
            double d = (double)scale.value[c] * dy.value[i];
            sum += d;
            sum_normal += d * (x.value[i] - mean.value[row]) * rstd.value[row];
        }
        for (int64_t c = 0; c < channels; c++) {
            int64_t i = row * channels + c;
            double normal = (double)(x.value[i] - mean.value[row]) * rstd.value[row];
            double rest = (double)scale.value[c] * dy.value[i] - sum / (double)channels -
                          normal * sum_normal / (double)channels;
            dx.value[i] = (float)(rstd.value[row] * rest);
        }
    }
    execution_store(e, op, dx);
    sum_rows(e, op, x, dy, mean, rstd);
}
