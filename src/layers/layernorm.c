/* layernorm: each position is normalised over its channels, with a learned scale and offset of each
 * channel (Ba, Kiros and Hinton, "Layer Normalization", 2016): PyTorch's LayerNorm(C) on tokens. */
#include "layers.h"

static Status infer(Layer *layer) {
    int64_t channels = layer->in[0].c;
    layer->n_params = 2;
    layer->param[0] =
        (ParamSpec){.role = "weight", .ndim = 1, .dim = {channels, 1, 1, 1}, .init = INIT_ONE};
    layer->param[1] =
        (ParamSpec){.role = "bias", .ndim = 1, .dim = {channels, 1, 1, 1}, .init = INIT_ZERO};
    return layer_infer_same(layer);
}

static const LayerArg args[] = {
    {"eps", ARG_REAL, offsetof(Layer, args.layernorm.eps), 1e-12, 1, 1e-5, ABSENT_DEFAULT,
     "added to the variance", NULL},
    {0},
};

const LayerType layer_layernorm = {
    .name = "layernorm",
    .help = "layer normalisation over the channels of each position",
    .shape = "C x H x W",
    .formula = "out = W (in - mean) / sqrt(variance + eps) + b, mean and biased variance of each "
               "position's channels",
    .example = "layernorm",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .infer = infer,
};
