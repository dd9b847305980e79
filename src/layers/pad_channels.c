/* pad_channels: channels of zeros around the input's, half of them before and half behind: the
 * shortcut without parameters of residual networks that widen (option A of He, Zhang, Ren, Sun,
 * "Deep residual learning for image recognition", 2016). */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    int64_t in = layer->in[0].c, out = layer->args.pad_channels.channels;
    if (out < in) {
        return FAIL(ST_USAGE,
                    "pad_channels: c=%" PRId64 " is less than the %" PRId64
                    " channels of its input: 'conv c=%" PRId64 " k=1' takes channels away",
                    out, in, out);
    }
    if ((out - in) % 2 != 0) {
        return FAIL(ST_USAGE,
                    "pad_channels: half of the new channels come before, half behind: from %" PRId64
                    " channels to c=%" PRId64 " their number is odd: give c=%" PRId64 "",
                    in, out, out + 1);
    }
    layer->out = layer->in[0];
    layer->out.c = out;
    return ST_OK;
}

static const LayerArg args[] = {
    {"c", ARG_INT, offsetof(Layer, args.pad_channels.channels), 1, ARG_CHANNELS_MAX, 0,
     ABSENT_REFUSED, "output channels", NULL},
    {0},
};

const LayerType layer_pad_channels = {
    .name = "pad_channels",
    .help = "channels of zeros, half before and half behind",
    .shape = "c x H x W; c - C is even",
    .formula = "out[i] = in[i - (c - C) / 2] where the input has that channel, else 0",
    .example = "conv c=16 k=3 p=1\navgpool k=2\npad_channels c=32",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
};
