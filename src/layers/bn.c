/* bn: batch normalisation over N, H and W of each channel (arXiv:1502.03167), with a learned scale
 * and offset, either of which may be fixed, and running statistics for evaluation. N is a lane's
 * images or those of the whole step (PyTorch's SyncBatchNorm). */
#include "layers.h"

static Status infer(Layer *layer) {
    int64_t channels = layer->in[0].c;
    layer->out = layer->in[0];
    layer->n_params = 0;
    if (layer->args.bn.scale)
        layer->param[layer->n_params++] = layer_channel_param("weight", channels, INIT_ONE);
    if (layer->args.bn.bias)
        layer->param[layer->n_params++] = layer_channel_param("bias", channels, INIT_ZERO);
    layer->n_running = 2;
    layer->running[0] = layer_channel_param("running_mean", channels, INIT_ZERO);
    layer->running[1] = layer_channel_param("running_var", channels, INIT_ONE);
    layer->running[0].momentum = layer->running[1].momentum = layer->args.bn.momentum;
    return ST_OK;
}

static const char *const over_words[] = {"lane", "batch", NULL}; /* in the order of BnOver */

static const LayerArg args[] = {
    {"eps", ARG_REAL, offsetof(Layer, args.bn.eps), 1e-12, 1000, 1e-5, ABSENT_DEFAULT,
     "added to the variance", NULL},
    {"momentum", ARG_REAL, offsetof(Layer, args.bn.momentum), 0, 1, 0.1, ABSENT_DEFAULT,
     "weight of the new batch in the running statistics", NULL},
    {"scale", ARG_FLAG, offsetof(Layer, args.bn.scale), 0, 1, 1, ABSENT_DEFAULT,
     "learn a scale; scale=0: fixed at 1", NULL},
    {"bias", ARG_FLAG, offsetof(Layer, args.bn.bias), 0, 1, 1, ABSENT_DEFAULT,
     "learn an offset; bias=0: fixed at 0", NULL},
    {"over", ARG_WORD, offsetof(Layer, args.bn.over), 0, 0, BN_OVER_LANE, ABSENT_DEFAULT,
     "whose images the mean and var of training are of: a lane's own, or the whole batch's, of all "
     "lanes of all ranks",
     over_words},
    {0},
};

const LayerType layer_bn = {
    .name = "bn",
    .help = "batch normalisation",
    .shape = "C x H x W",
    .formula = "out = W[c] (in - mean[c]) / sqrt(var[c] + eps) + b[c]; mean and var: in training "
               "of the images that over= says, biased; in evaluation the running ones, running = "
               "(1 - momentum) running + momentum (mean over lanes; of unbiased var)",
    .example = "conv c=64 k=3 p=1\nbn",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
};
