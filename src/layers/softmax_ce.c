/* softmax_ce: softmax and cross-entropy with label smoothing: always the last layer. Its output is
 * the loss of the image, a single number. */
#include "layers.h"

static Status infer(Layer *layer, Shape with) {
    (void)with;
    if (layer->args.loss.smoothing >= 1)
        return FAIL(ST_USAGE, "softmax_ce: smoothing must be below 1");
    if (layer->in.h != 1 || layer->in.w != 1) {
        return FAIL(ST_USAGE,
                    "softmax_ce: wants one number a class, its input is %lld x %lld x %lld: put a "
                    "linear layer before it",
                    (long long)layer->in.c, (long long)layer->in.h, (long long)layer->in.w);
    }
    layer->out = (Shape){1, 1, 1, 1};
    return ST_OK;
}

static const LayerArg args[] = {
    {"smoothing", ARG_REAL, offsetof(Layer, args.loss.smoothing), 0, 1, 0, false,
     "label smoothing; the option label-smoothing unless given"},
    {0},
};

const LayerType layer_softmax_ce = {"softmax_ce", "softmax and cross-entropy loss", args, infer,
                                    layer_no_multiply_adds};
