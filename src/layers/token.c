/* token: one of the tokens, the others are dropped: a classifier's choice of the class token. */
#include <inttypes.h>

#include "layers.h"

static Status infer(Layer *layer) {
    int64_t index = layer->args.token.index, tokens = layer_tokens(layer->in[0]);
    if (index >= tokens) {
        return FAIL(ST_USAGE,
                    "token: index=%" PRId64 " is behind the last of its input's %" PRId64
                    " tokens, which are counted from 0",
                    index, tokens);
    }
    layer->out = (Shape){1, layer->in[0].c, 1, 1};
    return ST_OK;
}

static const LayerArg args[] = {
    {"index", ARG_INT, offsetof(Layer, args.token.index), 0, INT32_MAX, 0, ABSENT_DEFAULT,
     "which token, counted from 0", NULL},
    {0},
};

const LayerType layer_token = {
    .name = "token",
    .help = "one token",
    .shape = "C x 1 x 1",
    .formula = "out[c] = in[c, index], positions counted row by row",
    .example = "patches k=4\nclass_token\ntoken",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .infer = infer,
};
