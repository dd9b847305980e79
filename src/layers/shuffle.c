/* shuffle: the channels of groups dealt out in turn, so that a convolution in groups behind it
 * reads of each (ShuffleNet: Zhang, Zhou, Lin, Sun, 2018; torch.nn.ChannelShuffle). */
#include "layers.h"

static Status infer(Layer *layer) {
    TRY(layer_check_groups(layer, layer->args.shuffle.groups));
    layer->out = layer->in[0];
    return ST_OK;
}

static const LayerArg args[] = {
    {"groups", ARG_INT, offsetof(Layer, args.shuffle.groups), 1, ARG_CHANNELS_MAX, 0,
     ABSENT_REFUSED, "groups of channels", NULL},
    {0},
};

const LayerType layer_shuffle = {
    .name = "shuffle",
    .help = "channels of all groups in turn",
    .shape = "C x H x W; groups divides C",
    .formula = "out[i groups + g] = in[g C / groups + i], g < groups, i < C / groups",
    .example = "conv c=16 k=3 p=1\nshuffle groups=2",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
};
