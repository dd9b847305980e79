/* resample: max pooling. The index says which place of its window was the largest; its form is
 * ours, as cuDNN's is its own. */
#include <math.h>

#include "desc.h"

/* A window of output place (p, q): rows [top, bottom), columns [left, right) of the map. */
typedef struct Window {
    int64_t row, column; /* of its first place, perhaps outside */
} Window;

static bool inside(const SimTensor *x, int64_t h, int64_t w) {
    return h >= 0 && h < x->dim[2] && w >= 0 && w < x->dim[3];
}

static Window window_of(const Operation *op, const SimTensor *y, int64_t i) {
    int64_t p = i / y->dim[3] % y->dim[2], q = i % y->dim[3];
    return (Window){p * op->stride[0] - op->pad[0], q * op->stride[1] - op->pad[1]};
}

/* Element of x at place j of the window of y's element i; -1 outside. */
static int64_t element(const Operation *op, const SimTensor *x, const SimTensor *y, Window window,
                       int64_t i, int64_t j) {
    int64_t h = window.row + j / op->window[1], w = window.column + j % op->window[1];
    int64_t map = i / (y->dim[2] * y->dim[3]);
    return inside(x, h, w) ? (map * x->dim[2] + h) * x->dim[3] + w : -1;
}

static void forward(Execution *e, const Operation *op) {
    View x = execution_load(e, op, P_X), y = execution_start(e, op, P_Y);
    View index = execution_start(e, op, P_INDEX);
    for (int64_t i = 0; i < y.tensor->count; i++) {
        Window window = window_of(op, y.tensor, i);
        double most = -INFINITY;
        int64_t which = 0;
        for (int64_t j = 0; j < op->window[0] * op->window[1]; j++) {
            int64_t at = element(op, x.tensor, y.tensor, window, i, j);
            if (at >= 0 && (x.value[at] > most || (isnan(x.value[at]) && !isnan(most)))) {
                most = x.value[at];
                which = j;
            }
        }
        y.value[i] = (float)most;
        index.value[i] = (float)which;
    }
    execution_store(e, op, y);
    execution_store(e, op, index);
}

static void backward(Execution *e, const Operation *op) {
    View dx = execution_start(e, op, P_DX), dy = execution_load(e, op, P_DY);
    View index = execution_load(e, op, P_INDEX);
    for (int64_t i = 0; i < dy.tensor->count; i++) {
        Window window = window_of(op, dy.tensor, i);
        for (int64_t j = 0; j < op->window[0] * op->window[1]; j++) {
            int64_t at = element(op, dx.tensor, dy.tensor, window, i, j);
            if (at >= 0 && j == (int64_t)index.value[i])
                dx.value[at] += dy.value[i];
        }
    }
    execution_store(e, op, dx);
}

void run_resample(Execution *e, const Operation *op) {
    if (op->resample != CUDNN_RESAMPLE_MAXPOOL)
        sim_report("cuDNN's resample mode %d is not simulated", (int)op->resample);
    if (op->tensor[P_DX].present)
        backward(e, op);
    else
        forward(e, op);
}
