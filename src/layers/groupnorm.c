/* groupnorm: normalisation of each image over the map and the channels of one group, with a learned
 * scale and offset of each channel (Wu, He, "Group normalization", 2018). One group: layer
 * normalisation over C, H, W. The same in training and evaluation. */
#include "layers.h"

static Status infer(Layer *layer) {
    int64_t channels = layer->in[0].c;
    TRY(layer_check_groups(layer, layer->args.groupnorm.groups));
    layer->out = layer->in[0];
    layer->n_params = 2;
    layer->param[0] = layer_channel_param("weight", channels, INIT_ONE);
    layer->param[1] = layer_channel_param("bias", channels, INIT_ZERO);
    return ST_OK;
}

static const LayerArg args[] = {
    {"groups", ARG_INT, offsetof(Layer, args.groupnorm.groups), 1, ARG_CHANNELS_MAX, 0,
     ABSENT_REFUSED, "groups of channels; groups=1: over all of them", NULL},
    {"eps", ARG_REAL, offsetof(Layer, args.groupnorm.eps), 1e-12, 1, 1e-5, ABSENT_DEFAULT,
     "added to the variance", NULL},
    {0},
};

const LayerType layer_groupnorm = {
    .name = "groupnorm",
    .help = "normalisation of each image over groups of channels",
    .shape = "C x H x W; groups divides C",
    .formula =
        "out = W[c] (in - mean[g]) / sqrt(var[g] + eps) + b[c]; mean and biased var over H, W "
        "and the C / groups channels of c's group g",
    .example = "conv c=32 k=3 p=1\ngroupnorm groups=8",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
};
