/* maxpool: the largest value of each window. Holds what both kinds of pooling share. */
#include <inttypes.h>

#include "layers.h"

Status layer_infer_pool(Layer *layer) {
    PoolArgs *a = &layer->args.pool;
    Shape in = layer->in[0];
    const char *name = layer_type(layer->kind)->name;
    if (a->global) {
        if (a->kernel != 0 || a->stride != 0 || a->pad != 0)
            return FAIL(ST_USAGE, "%s: global takes the whole map: leave k, s and p out", name);
        if (in.h != in.w) {
            return FAIL(ST_USAGE,
                        "%s: global wants a square map, the input is %" PRId64 " x %" PRId64, name,
                        in.h, in.w);
        }
        a->kernel = in.h;
    }
    if (a->kernel == 0)
        return FAIL(ST_USAGE, "%s: give k=, the side of the window, or global", name);
    if (a->stride == 0)
        a->stride = a->kernel;
    if (a->pad > a->kernel / 2) {
        return FAIL(ST_USAGE, "%s: p=%" PRId64 " must be at most half of k=%" PRId64, name, a->pad,
                    a->kernel);
    }
    int64_t h = layer_windows(in.h, a->kernel, a->stride, a->pad);
    int64_t w = layer_windows(in.w, a->kernel, a->stride, a->pad);
    if (h == 0 || w == 0) {
        return FAIL(ST_USAGE,
                    "%s: a window of k=%" PRId64 " does not fit its input of %" PRId64
                    " x %" PRId64,
                    name, a->kernel, in.h, in.w);
    }
    layer->out = (Shape){1, in.c, h, w};
    return ST_OK;
}

bool layer_pool_implies(const Layer *layer, const LayerArg *arg) {
    const PoolArgs *a = &layer->args.pool;
    bool is_kernel = arg->offset == offsetof(Layer, args.pool.kernel);
    bool is_stride = arg->offset == offsetof(Layer, args.pool.stride);
    return (is_kernel && a->global) || (is_stride && a->stride == a->kernel);
}

/* Rows of two tables. */
/* clang-format off */
#define WINDOW_ARGS \
    {"k", ARG_INT, offsetof(Layer, args.pool.kernel), 1, ARG_KERNEL_MAX, 0, ABSENT_DEFAULT, \
     "side of the window", NULL}, \
    {"s", ARG_INT, offsetof(Layer, args.pool.stride), 1, ARG_KERNEL_MAX, 0, ABSENT_DEFAULT, \
     "stride; k unless given", NULL}, \
    {"p", ARG_INT, offsetof(Layer, args.pool.pad), 0, ARG_KERNEL_MAX / 2, 0, ABSENT_DEFAULT, \
     "padding on each side", NULL}, \
    {"global", ARG_FLAG, offsetof(Layer, args.pool.global), 0, 1, 0, ABSENT_DEFAULT, \
     "over the whole map", NULL}
/* clang-format on */

const LayerArg layer_maxpool_args[] = {WINDOW_ARGS, {0}};

const LayerArg layer_avgpool_args[] = {WINDOW_ARGS,
                                       {"count_pad", ARG_FLAG, offsetof(Layer, args.pool.count_pad),
                                        0, 1, 0, ABSENT_DEFAULT, "padding counts, as zeros", NULL},
                                       {0}};

const LayerType layer_maxpool = {
    .name = "maxpool",
    .help = "maximum over windows",
    .shape = "C x h x w, h = (H + 2 p - k) / s + 1 rounded down, w alike; global: C x 1 x 1",
    .formula =
        "out[c, y, x] = max over u, v < k of in[c, s y + u - p, s x + v - p]; padding never wins",
    .example = "maxpool k=2",
    .args = layer_maxpool_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_pool,
    .implies = layer_pool_implies,
};
