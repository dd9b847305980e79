/* dropout: in training sets each element to 0 with probability p and scales the others by
 * 1 / (1 - p); in evaluation the identity. Holds what it shares with droppath. */
#include "layers.h"

Status layer_infer_dropout(Layer *layer) {
    if (layer->args.dropout.rate >= 1)
        return FAIL(ST_USAGE, "%s: p must be below 1, or nothing would be left",
                    layer_type(layer->kind)->name);
    return layer_infer_same(layer);
}

const LayerArg layer_dropout_args[] = {
    {"p", ARG_REAL, offsetof(Layer, args.dropout.rate), 0, 1, 0, ABSENT_REFUSED,
     "probability of being dropped", NULL},
    {0},
};

const LayerType layer_dropout = {
    .name = "dropout",
    .help = "random zeros in training",
    .shape = "C x H x W",
    .formula = "training: out = 0 with probability p, else in / (1 - p); evaluation: out = in",
    .example = "dropout p=0.1",
    .args = layer_dropout_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_dropout,
};
