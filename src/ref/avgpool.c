/* ref/avgpool: the mean of the values of each window; padding does not count, or as zeros. */

#include "ref.h"

/* The part of a window that lies on the map. */
typedef struct Window {
    int64_t top, bottom, left, right; /* bottom and right are exclusive */
} Window;

static Window window_of(const PoolArgs *args, Shape in, int64_t i, int64_t j) {
    int64_t h = i * args->stride - args->pad, w = j * args->stride - args->pad;
    Window window = {h, h + args->kernel, w, w + args->kernel};
    window.top = window.top < 0 ? 0 : window.top;
    window.left = window.left < 0 ? 0 : window.left;
    window.bottom = window.bottom > in.h ? in.h : window.bottom;
    window.right = window.right > in.w ? in.w : window.right;
    return window;
}

static double window_count(const PoolArgs *args, Window window) {
    if (args->count_pad)
        return (double)(args->kernel * args->kernel);
    return (double)((window.bottom - window.top) * (window.right - window.left));
}

static Status avgpool_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_avgpool), desc, 0, plan);
}

static Status avgpool_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const PoolArgs *args = &bound->plan->desc.layer->args.pool;
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;

    for (int64_t n = 0; n < out.n; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t i = 0; i < out.h; i++)
                for (int64_t j = 0; j < out.w; j++) {
                    Window window = window_of(args, in, i, j);
                    double sum = 0;
                    for (int64_t h = window.top; h < window.bottom; h++)
                        for (int64_t w = window.left; w < window.right; w++)
                            sum += x[ref_at(in, n, c, h, w)];
                    y[ref_at(out, n, c, i, j)] = (real)(sum / window_count(args, window));
                }
    return ST_OK;
}

/* The gradient of x[n, c, h, w]: its share of each window it lies in. */
static double avgpool_grad_x(const OpBound *bound, int64_t n, int64_t c, int64_t h, int64_t w) {
    const PoolArgs *args = &bound->plan->desc.layer->args.pool;
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *grad_y = bound->memory.grad_out.data;
    double sum = 0;
    for (int64_t i = 0; i < out.h; i++)
        for (int64_t j = 0; j < out.w; j++) {
            Window window = window_of(args, in, i, j);
            if (h >= window.top && h < window.bottom && w >= window.left && w < window.right)
                sum += grad_y[ref_at(out, n, c, i, j)] / window_count(args, window);
        }
    return sum;
}

static Status avgpool_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape in = bound->memory.in[0].shape;
    real *grad_x = bound->memory.grad_in[0].data;
    if (mode == GRAD_NONE)
        return ST_OK;
    for (int64_t n = 0; n < in.n; n++)
        for (int64_t c = 0; c < in.c; c++)
            for (int64_t h = 0; h < in.h; h++)
                for (int64_t w = 0; w < in.w; w++)
                    ref_put(mode, &grad_x[ref_at(in, n, c, h, w)],
                            avgpool_grad_x(bound, n, c, h, w));
    return ST_OK;
}

const Op REF(op_avgpool) = {
    .plan = avgpool_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = avgpool_forward,
    .backward = avgpool_backward,
};
