/* seqpool: the mean of the tokens, weighted by the softmax of a learned score of each: sequence
 * pooling (Hassani et al., "Escaping the Big Data Paradigm with Compact Transformers", 2021).
 * score = weight x + bias, weight O,I with one output. */
#include "layers.h"

static Status infer(Layer *layer) {
    int64_t channels = layer->in[0].c;
    layer->out = (Shape){1, channels, 1, 1};
    layer_set_weight(layer, 2, (int64_t[4]){1, channels, 1, 1}, true);
    return ST_OK;
}

/* The scores, and the sum they weigh. */
static int64_t multiply_adds(const Layer *layer) {
    return 2 * shape_count(layer->in[0]);
}

const LayerType layer_seqpool = {
    .name = "seqpool",
    .help = "mean of the tokens, weighted by a learned score",
    .shape = "C x 1 x 1",
    .formula = "out[c] = sum over positions l of s[l] in[c, l], s = softmax over l of (b + sum "
               "over c of W[c] in[c, l])",
    .example = "conv c=16 k=4 s=4\nseqpool",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .init = &layer_init_weight,
    .infer = infer,
    .multiply_adds = multiply_adds,
};
