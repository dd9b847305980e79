/* positions: adds a learned vector to each token, by its place (Dosovitskiy et al., "An Image is
 * Worth 16x16 Words", 2020). Weight L,C: a row a token. */
#include "layers.h"

static Status infer(Layer *layer) {
    Shape in = layer->in[0];
    layer->n_params = 1;
    layer->param[0] = (ParamSpec){
        .role = "weight",
        .ndim = 2,
        .dim = {layer_tokens(in), in.c, 1, 1},
    };
    layer_set_init(layer, &layer->param[0]);
    return layer_infer_same(layer);
}

const LayerType layer_positions = {
    .name = "positions",
    .help = "plus a learned vector of each token's place",
    .shape = "C x H x W",
    .formula = "out[c, l] = in[c, l] + W[l, c], position l counted row by row",
    .example = "patches k=4\npositions",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .init = &layer_init_vector,
    .infer = infer,
};
