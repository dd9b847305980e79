/* add: the sum of two layers' outputs of one shape: residual connections. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    Shape in = layer->in[0], with = layer->in[1];
    if (layer->input[0] == layer->input[1]) {
        return FAIL(ST_USAGE, "add reads the same layer twice: for twice its output use 'scale "
                              "by=2'");
    }
    if (in.c != with.c || in.h != with.h || in.w != with.w) {
        return FAIL(ST_USAGE,
                    "add: cannot add shapes %" PRId64 " x %" PRId64 " x %" PRId64 " and %" PRId64
                    " x %" PRId64 " x %" PRId64 ": both must be the same",
                    in.c, in.h, in.w, with.c, with.h, with.w);
    }
    return layer_infer_same(layer);
}

const LayerType layer_add = {
    .name = "add",
    .help = "sum with another layer, named by with=",
    .shape = "C x H x W, which both inputs must have",
    .formula = "out = in + in2",
    .example = "a: conv c=16 k=3 p=1\nconv c=16 k=3 p=1\nadd with=a",
    .args = layer_no_args,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
};
