/* dropout: in training sets each element to 0 with probability p and scales the others by
 * 1 / (1 - p); in evaluation the identity. */
#include "layers.h"

static Status infer(Layer *layer) {
    if (layer->args.dropout.rate >= 1)
        return FAIL(ST_USAGE, "dropout: p must be below 1, or nothing would be left");
    return layer_infer_same(layer);
}

static const LayerArg args[] = {
    {"p", ARG_REAL, offsetof(Layer, args.dropout.rate), 0, 1, 0, ABSENT_REFUSED,
     "probability of an element being dropped", NULL},
    {0},
};

const LayerType layer_dropout = {
    .name = "dropout",
    .help = "random zeros in training",
    .shape = "C x H x W",
    .formula = "training: out = 0 with probability p, else in / (1 - p); evaluation: out = in",
    .example = "dropout p=0.1",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
};
