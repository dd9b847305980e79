/* class_token: one learned token in front of the others, the same for each image, from which the
 * image is classified in the end (Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020). */
#include "layers.h"

static Status infer(Layer *layer) {
    Shape in = layer->in[0];
    layer->out = (Shape){1, in.c, layer_tokens(in) + 1, 1};
    layer->n_params = 1;
    layer->param[0] = (ParamSpec){
        .role = "weight",
        .ndim = 1,
        .dim = {in.c, 1, 1, 1},
    };
    layer_set_init(layer, &layer->param[0]);
    return ST_OK;
}

const LayerType layer_class_token = {
    .name = "class_token",
    .help = "a learned token in front of the others",
    .shape = "C x (H W + 1) x 1",
    .formula = "out[c, 0] = W[c]; out[c, l + 1] = in[c, l], position l counted row by row",
    .example = "patches k=4\nclass_token",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .init = &layer_init_vector,
    .infer = infer,
};
