/* shift: the map, and behind it the map moved by one position to the right, left, down and up, with
 * zeros where it moved away: 5 C channels. Before `patches` it lets patches overlap: the shifted
 * patch tokenization of Lee, Lee and Song, "Vision Transformer for Small-Size Datasets", 2021. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    Shape in = layer->in[0];
    if (5 * in.c > ARG_CHANNELS_MAX) {
        return FAIL(ST_USAGE,
                    "shift: five times %" PRId64 " channels are more than %d: put it before the "
                    "layers that widen the map",
                    in.c, ARG_CHANNELS_MAX);
    }
    layer->out = (Shape){1, 5 * in.c, in.h, in.w};
    return ST_OK;
}

const LayerType layer_shift = {
    .name = "shift",
    .help = "the map and, as further channels, the map moved right, left, down and up",
    .shape = "5 C x H x W",
    .formula = "out = in, and behind it in moved by one position right, left, down and up, zeros "
               "where it moved away",
    .example = "shift",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .infer = infer,
};
