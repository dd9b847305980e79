/* ref/maxpool: the largest value of each window, the first in row-major order of equals; padding
 * never wins. Forward saves where it stood (an index into the input's map). */
#include <math.h>
#include <string.h>

#include "ref.h"

static Status maxpool_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    size_t saved = desc->training ? (size_t)shape_count(desc->out.shape) * sizeof(int32_t) : 0;
    return REF(plan_new)(&REF(op_maxpool), desc, saved, plan);
}

/* Where in the map of (n, c) the window of output (i, j) has its largest value. */
static int32_t window_argmax(const PoolArgs *args, Shape in, const real *map, int64_t i,
                             int64_t j) {
    int64_t best = -1;
    for (int64_t ky = 0; ky < args->kernel; ky++)
        for (int64_t kx = 0; kx < args->kernel; kx++) {
            int64_t h = i * args->stride - args->pad + ky;
            int64_t w = j * args->stride - args->pad + kx;
            if (h < 0 || h >= in.h || w < 0 || w >= in.w)
                continue;
            int64_t at = h * in.w + w;
            if (best < 0 || map[at] > map[best] || (isnan(map[at]) && !isnan(map[best])))
                best = at;
        }
    return (int32_t)best; /* pad is at most kernel / 2, so that each window meets the map */
}

static Status maxpool_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    const PoolArgs *args = &desc->layer->args.pool;
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    int32_t *saved = bound->memory.saved;

    for (int64_t n = 0; n < out.n; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t i = 0; i < out.h; i++)
                for (int64_t j = 0; j < out.w; j++) {
                    const real *map = x + ref_at(in, n, c, 0, 0);
                    int32_t best = window_argmax(args, in, map, i, j);
                    y[ref_at(out, n, c, i, j)] = map[best];
                    if (desc->training)
                        saved[ref_at(out, n, c, i, j)] = best;
                }
    return ST_OK;
}

/* Windows may overlap: a place that won several times gets the sum, added up in the order of the
 * windows in `real`. */
static Status maxpool_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *grad_y = bound->memory.grad_out.data;
    const int32_t *saved = bound->memory.saved;
    real *grad_x = bound->memory.grad_in[0].data;
    if (mode == GRAD_NONE)
        return ST_OK;
    if (mode == GRAD_ASSIGN)
        memset(grad_x, 0, (size_t)shape_count(in) * sizeof *grad_x);
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t i = 0; i < out.h * out.w; i++) {
                int64_t at = ref_at(out, n, c, 0, i);
                grad_x[ref_at(in, n, c, 0, saved[at])] += grad_y[at];
            }
    return ST_OK;
}

const Op REF(op_maxpool) = {
    .plan = maxpool_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = maxpool_forward,
    .backward = maxpool_backward,
};
