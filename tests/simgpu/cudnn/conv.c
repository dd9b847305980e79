/* conv: convolution forward and both gradients. Each is the same walk over output places, window
 * places and channels of a group; they differ in which of the three tensors is summed into. The
 * filter has the channels of one group. */
#include <stdlib.h>

#include "desc.h"

typedef struct Conv {
    View x, y, w; /* x is dx, y is dy, w is dw where these are computed */
    const Operation *op;
    Execution *e;
} Conv;

typedef enum Sum { INTO_X, INTO_Y, INTO_W } Sum;

/* Adds the products of one output place (n, p, q) of channel k. */
static void visit(const Conv *c, Sum into, double *sum, int64_t n, int64_t k, int64_t p,
                  int64_t q) {
    const int64_t *x = c->x.tensor->dim, *y = c->y.tensor->dim, *w = c->w.tensor->dim;
    int64_t iy = ((n * y[1] + k) * y[2] + p) * y[3] + q;
    int64_t first = k / (y[1] / (x[1] / w[1])) * w[1]; /* channel of X in k's group */
    for (int64_t r = 0; r < w[2]; r++) {
        int64_t h = p * c->op->stride[0] - c->op->pad[0] + r * c->op->dilation[0];
        for (int64_t s = 0; h >= 0 && h < x[2] && s < w[3]; s++) {
            int64_t v = q * c->op->stride[1] - c->op->pad[1] + s * c->op->dilation[1];
            for (int64_t ch = 0; v >= 0 && v < x[3] && ch < w[1]; ch++) {
                int64_t ix = ((n * x[1] + first + ch) * x[2] + h) * x[3] + v;
                int64_t iw = ((k * w[1] + ch) * w[2] + r) * w[3] + s;
                if (into == INTO_Y)
                    sum[iy] += (double)c->x.value[ix] * c->w.value[iw];
                else if (into == INTO_X)
                    sum[ix] += (double)c->y.value[iy] * c->w.value[iw];
                else
                    sum[iw] += (double)c->x.value[ix] * c->y.value[iy];
            }
        }
    }
}

static void round_inputs(Execution *e, View view) {
    for (int64_t i = 0; i < view.tensor->count; i++)
        view.value[i] = execution_rounded(e, view.value[i]);
}

void run_convolution(Execution *e, const Operation *op) {
    Sum into = op->tensor[P_Y].present ? INTO_Y : op->tensor[P_DX].present ? INTO_X : INTO_W;
    Conv c = {.op = op, .e = e};
    Place out = into == INTO_Y ? P_Y : into == INTO_X ? P_DX : P_DW;
    c.x = into == INTO_X ? execution_start(e, op, P_DX) : execution_load(e, op, P_X);
    c.y = into == INTO_Y ? execution_start(e, op, P_Y) : execution_load(e, op, P_DY);
    c.w = into == INTO_W ? execution_start(e, op, P_DW) : execution_load(e, op, P_W);
    View result = into == INTO_Y ? c.y : into == INTO_X ? c.x : c.w;
    View before = op->beta != 0 ? execution_load(e, op, out) : result;
    if (into != INTO_X)
        round_inputs(e, c.x);
    if (into != INTO_Y)
        round_inputs(e, c.y);
    if (into != INTO_W)
        round_inputs(e, c.w);
    double *sum = calloc((size_t)result.tensor->count, sizeof *sum);
    if (!sum)
        sim_report("out of host memory");
    const int64_t *y = c.y.tensor->dim;
    for (int64_t n = 0; n < y[0]; n++)
        for (int64_t k = 0; k < y[1]; k++)
            for (int64_t p = 0; p < y[2]; p++)
                for (int64_t q = 0; q < y[3]; q++)
                    visit(&c, into, sum, n, k, p, q);
    for (int64_t i = 0; i < result.tensor->count; i++) {
        double old = op->beta != 0 ? (double)op->beta * before.value[i] : 0;
        result.value[i] = (float)execution_sum(e, op->alpha * sum[i] + old);
    }
    free(sum);
    execution_store(e, op, result);
}
