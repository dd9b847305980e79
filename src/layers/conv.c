/* conv: two-dimensional convolution (cross-correlation, as everywhere in this field) with square
 * kernels and zero padding. Weight O,I/groups,KH,KW: of G groups each reads its own I/G channels
 * and gives its own O/G. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    const ConvArgs *a = &layer->args.conv;
    Shape in = layer->in[0];
    if (in.c % a->groups != 0 || a->channels % a->groups != 0) {
        return FAIL(ST_USAGE,
                    "conv: groups=%" PRId64 " must divide its input's channels, %" PRId64
                    ", and its own, c=%" PRId64,
                    a->groups, in.c, a->channels);
    }
    if (a->pad > a->kernel) {
        return FAIL(ST_USAGE, "conv: p=%" PRId64 " must not be larger than k=%" PRId64, a->pad,
                    a->kernel);
    }
    int64_t h = layer_windows(in.h, a->kernel, a->stride, a->pad);
    int64_t w = layer_windows(in.w, a->kernel, a->stride, a->pad);
    if (h == 0 || w == 0) {
        return FAIL(ST_USAGE,
                    "conv: a kernel of k=%" PRId64 " does not fit its input of %" PRId64
                    " x %" PRId64 ": give a smaller k or a larger p",
                    a->kernel, in.h, in.w);
    }
    layer->out = (Shape){1, a->channels, h, w};
    layer_set_weight(layer, 4, (int64_t[4]){a->channels, in.c / a->groups, a->kernel, a->kernel},
                     a->bias);
    return ST_OK;
}

static int64_t multiply_adds(const Layer *layer) {
    return param_count(&layer->param[0]) * layer->out.h * layer->out.w;
}

static const LayerArg args[] = {
    {"c", ARG_OUTPUTS, offsetof(Layer, args.conv.channels), 1, ARG_CHANNELS_MAX, 0, ABSENT_REFUSED,
     "output channels", NULL},
    {"k", ARG_INT, offsetof(Layer, args.conv.kernel), 1, ARG_KERNEL_MAX, 0, ABSENT_REFUSED,
     "side of the kernel", NULL},
    {"s", ARG_INT, offsetof(Layer, args.conv.stride), 1, ARG_KERNEL_MAX, 1, ABSENT_DEFAULT,
     "stride", NULL},
    {"p", ARG_INT, offsetof(Layer, args.conv.pad), 0, ARG_KERNEL_MAX, 0, ABSENT_DEFAULT,
     "zeros on each side", NULL},
    {"bias", ARG_FLAG, offsetof(Layer, args.conv.bias), 0, 1, 0, ABSENT_DEFAULT, "add a bias",
     NULL},
    {"groups", ARG_INT, offsetof(Layer, args.conv.groups), 1, ARG_CHANNELS_MAX, 1, ABSENT_DEFAULT,
     "groups of channels that are convolved apart; as many as channels: depthwise", NULL},
    {0},
};

const LayerType layer_conv = {
    .name = "conv",
    .help = "convolution",
    .shape = "c x h x w, h = (H + 2 p - k) / s + 1 rounded down, w alike",
    .formula =
        "out[o, y, x] = b[o] + sum over i, u, v of W[o, i, u, v] in[f + i, s y + u - p, s x + "
        "v - p], i below C / groups, f the first channel of o's group: C / groups times o / "
        "(c / groups) rounded down; outside of the input in = 0",
    .example = "conv c=64 k=3 p=1",
    .args = args,
    .init = &layer_init_weight,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .multiply_adds = multiply_adds,
};
