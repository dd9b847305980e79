/* softmax_ce: softmax and cross-entropy with label smoothing: always the last layer. Its output is
 * the loss of the image, a single number. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    if (layer->args.loss.smoothing >= 1)
        return FAIL(ST_USAGE, "softmax_ce: smoothing must be below 1");
    if (layer->in[0].h != 1 || layer->in[0].w != 1) {
        return FAIL(ST_USAGE,
                    "softmax_ce: wants one number a class, its input is %" PRId64 " x %" PRId64
                    " x %" PRId64 ": put a linear layer before it",
                    layer->in[0].c, layer->in[0].h, layer->in[0].w);
    }
    layer->out = (Shape){1, 1, 1, 1};
    return ST_OK;
}

static const LayerArg args[] = {
    {"smoothing", ARG_REAL, offsetof(Layer, args.loss.smoothing), 0, 1, 0, ABSENT_LABEL_SMOOTHING,
     "label smoothing; the option label-smoothing unless given", NULL},
    {0},
};

const LayerType layer_softmax_ce = {
    .name = "softmax_ce",
    .help = "softmax and cross-entropy loss",
    .shape = "1 x 1 x 1, from C x 1 x 1",
    .formula = "out = - sum over c of t[c] log softmax(in)[c], t[c] = (1 - smoothing) (1 if c is "
               "the label, else 0) + smoothing / C; each t[c] times the class's weight, where the "
               "option class-weights gives any",
    .example = "linear c=10\nsoftmax_ce smoothing=0.1",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .is_loss = true,
    .elements = ELEMENTS_REAL,
    .infer = infer,
};
