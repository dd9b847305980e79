/* attention: multi-head self-attention (Vaswani et al., "Attention Is All You Need", 2017) of
 * tokens whose queries, keys and values come in as channels: all queries, head by head, then all
 * keys, then all values. With `temperature` the factor of the scores is learned, and with
 * `mask_diagonal` a token does not see itself: locality self-attention (Lee, Lee and Song, "Vision
 * Transformer for Small-Size Datasets", 2021). */
#include <inttypes.h>
#include <math.h>

#include "layers.h"

static Status infer(Layer *layer) {
    const AttentionArgs *a = &layer->args.attention;
    Shape in = layer->in[0];
    if (in.c % (3 * a->heads) != 0) {
        return FAIL(ST_USAGE,
                    "attention: its input's %" PRId64 " channels are not 3 x %" PRId64
                    " heads of equal size (queries, keys, values): give the layer before it a "
                    "multiple of %" PRId64 " channels",
                    in.c, a->heads, 3 * a->heads);
    }
    if (a->mask_diagonal && layer_tokens(in) == 1) {
        return FAIL(ST_USAGE, "attention: with mask_diagonal a token does not see itself, and "
                              "there is no other: leave mask_diagonal out");
    }
    layer->out = (Shape){1, in.c / 3, in.h, in.w};
    layer->n_params = a->temperature ? 1 : 0;
    layer->param[0] = (ParamSpec){
        .role = "weight",
        .ndim = 1,
        .dim = {1, 1, 1, 1},
        .init = INIT_CONSTANT,
        .init_arg = -log((double)(in.c / 3 / a->heads)) / 2,
    };
    return ST_OK;
}

/* Scores, and the sums they weigh. */
static int64_t multiply_adds(const Layer *layer) {
    int64_t tokens = layer_tokens(layer->out);
    return 2 * tokens * tokens * layer->out.c;
}

static const LayerArg args[] = {
    {"heads", ARG_INT, offsetof(Layer, args.attention.heads), 1, 1024, 0, ABSENT_REFUSED, "heads",
     NULL},
    {"mask_diagonal", ARG_FLAG, offsetof(Layer, args.attention.mask_diagonal), 0, 1, 0,
     ABSENT_DEFAULT, "a token does not see itself", NULL},
    {"temperature", ARG_FLAG, offsetof(Layer, args.attention.temperature), 0, 1, 0, ABSENT_DEFAULT,
     "the factor of the scores is exp(W), W learned, from ln(1 / sqrt(D)) on", NULL},
    {0},
};

const LayerType layer_attention = {
    .name = "attention",
    .help = "multi-head self-attention of tokens that hold queries, keys and values",
    .shape = "C / 3 x H x W",
    .formula =
        "out[head, d, l] = sum over m of P[l, m] v[head, d, m], P = softmax over m of (s sum "
        "over d of q[head, d, l] k[head, d, m]), s = 1 / sqrt(D), D = C / (3 heads); in = "
        "q, k, v, each head by head",
    .example = "patches k=4\nconv c=96 k=1\nattention heads=4",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .along_channels = true,
    .infer = infer,
    .multiply_adds = multiply_adds,
};
