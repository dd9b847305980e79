/* concat: the channels of several layers' outputs one behind the other. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    layer->out = layer->in[0];
    for (int k = 1; k < layer->n_in; k++) {
        Shape in = layer->in[k];
        if (in.h != layer->out.h || in.w != layer->out.w) {
            return FAIL(ST_USAGE,
                        "concat: cannot join maps of %" PRId64 " x %" PRId64 " and %" PRId64
                        " x %" PRId64 ": all must have the same sides",
                        layer->out.h, layer->out.w, in.h, in.w);
        }
        layer->out.c += in.c;
    }
    return ST_OK;
}

const LayerType layer_concat = {
    .name = "concat",
    .help = "channels of several layers, named by with=, one behind the other",
    .shape = "(C + C2 + ...) x H x W; all inputs have H x W",
    .formula = "out[c] = in[c] for c < C, in2[c - C] behind it, and so on",
    .example = "a: conv c=16 k=3 p=1\nconv c=16 k=3 p=1\nconcat with=a",
    .args = layer_no_args,
    .min_inputs = 2,
    .max_inputs = LAYER_INPUTS_MAX,
    .infer = infer,
};
