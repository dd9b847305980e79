/* pointwise: functions of single elements; B is spread over the dimensions in which it has one. */
#include <math.h>

#include "desc.h"

static int64_t spread(const SimTensor *b, const SimTensor *out, int64_t i) {
    int64_t index[DIMS_MAX], place = 0;
    for (int d = out->dims - 1; d >= 0; d--) {
        index[d] = i % out->dim[d];
        i /= out->dim[d];
    }
    for (int d = 0; d < out->dims; d++)
        place = place * b->dim[d] + (b->dim[d] == 1 ? 0 : index[d]);
    return place;
}

static double relu(double x) {
    return x <= 0 ? 0 : x; /* NaN stays NaN */
}

static double gelu(double x) {
    return x * 0.5 * (1 + erf(x * M_SQRT1_2));
}

static double gelu_slope(double x) {
    return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * M_2_SQRTPI * M_SQRT1_2 * 0.5;
}

static double apply(const Operation *op, double x, double b, double dy) {
    switch (op->pointwise) {
    case CUDNN_POINTWISE_ADD:
        return x + b;
    case CUDNN_POINTWISE_MUL:
        return x * b;
    case CUDNN_POINTWISE_CMP_GT:
        return x > b;
    case CUDNN_POINTWISE_IDENTITY:
        return x;
    case CUDNN_POINTWISE_RELU_FWD:
        return relu(x);
    case CUDNN_POINTWISE_RELU_BWD:
        return x > 0 ? dy : 0;
    case CUDNN_POINTWISE_GELU_FWD:
        return gelu(x);
    case CUDNN_POINTWISE_GELU_BWD:
        return dy * gelu_slope(x);
    default:
        sim_report("cuDNN's pointwise mode %d is not simulated", (int)op->pointwise);
    }
}

void run_pointwise(Execution *e, const Operation *op) {
    View x = execution_load(e, op, P_X), b = x, dy = x;
    bool backward = op->tensor[P_DX].present;
    if (op->tensor[P_B].present)
        b = execution_load(e, op, P_B);
    if (backward)
        dy = execution_load(e, op, P_DY);
    View out = execution_start(e, op, backward ? P_DX : P_Y);
    for (int64_t i = 0; i < out.tensor->count; i++)
        out.value[i] =
            (float)apply(op, x.value[i], b.value[spread(b.tensor, out.tensor, i)], dy.value[i]);
    execution_store(e, op, out);
}
