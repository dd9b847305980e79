/* patches: cuts the map into squares that become tokens, row by row. A token's values are those of
 * its square in the order row, column, channel. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    int64_t k = layer->args.patches.kernel;
    Shape in = layer->in[0];
    if (in.h % k != 0 || in.w % k != 0) {
        return FAIL(ST_USAGE,
                    "patches: k=%" PRId64 " does not divide its input of %" PRId64 " x %" PRId64
                    ": give a k that divides both sides",
                    k, in.h, in.w);
    }
    if (k * k * in.c > ARG_CHANNELS_MAX) {
        return FAIL(ST_USAGE,
                    "patches: %" PRId64 " x %" PRId64 " x %" PRId64
                    " values a token are more than %d: give a smaller k",
                    k, k, in.c, ARG_CHANNELS_MAX);
    }
    layer->out = (Shape){1, k * k * in.c, in.h / k * (in.w / k), 1};
    return ST_OK;
}

static const LayerArg args[] = {
    {"k", ARG_INT, offsetof(Layer, args.patches.kernel), 1, ARG_KERNEL_MAX, 0, ABSENT_REFUSED,
     "side of a patch", NULL},
    {0},
};

const LayerType layer_patches = {
    .name = "patches",
    .help = "squares of the map as tokens",
    .shape = "k k C x (H / k) (W / k) x 1",
    .formula = "out[(y k + x) C + c, l] = in[c, i k + y, j k + x], token l = i W / k + j",
    .example = "patches k=4",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .infer = infer,
};
