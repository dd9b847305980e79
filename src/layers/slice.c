/* slice: some neighbouring channels of the input, as a split of a branch takes them (ShuffleNet V2:
 * Ma, Zhang, Zheng, Sun, 2018). */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    const SliceArgs *a = &layer->args.slice;
    int64_t in = layer->in[0].c;
    if (a->first + a->channels > in) {
        return FAIL(ST_USAGE,
                    "slice: channels %" PRId64 " to %" PRId64 ", but its input has %" PRId64
                    ", from 0 to %" PRId64,
                    a->first, a->first + a->channels - 1, in, in - 1);
    }
    layer->out = layer->in[0];
    layer->out.c = a->channels;
    return ST_OK;
}

static const LayerArg args[] = {
    {"c", ARG_INT, offsetof(Layer, args.slice.channels), 1, ARG_CHANNELS_MAX, 0, ABSENT_REFUSED,
     "output channels", NULL},
    {"first", ARG_INT, offsetof(Layer, args.slice.first), 0, ARG_CHANNELS_MAX, 0, ABSENT_DEFAULT,
     "the first of them in the input, counted from 0", NULL},
    {0},
};

const LayerType layer_slice = {
    .name = "slice",
    .help = "some neighbouring channels",
    .shape = "c x H x W; first + c is at most C",
    .formula = "out[i] = in[first + i]",
    .example = "conv c=16 k=3 p=1\nslice c=8 first=8",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
};
