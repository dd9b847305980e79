/* linear: y = W x + b on the input flattened in C, H, W order. Weight O,I. */
#include "layers.h"

static Status infer(Layer *layer) {
    const LinearArgs *a = &layer->args.linear;
    layer->out = (Shape){1, a->channels, 1, 1};
    layer_set_weight(layer, 2, (int64_t[4]){a->channels, shape_count(layer->in[0]), 1, 1}, a->bias);
    return ST_OK;
}

static int64_t multiply_adds(const Layer *layer) {
    return param_count(&layer->param[0]);
}

static const LayerArg args[] = {
    {"c", ARG_OUTPUTS, offsetof(Layer, args.linear.channels), 1, ARG_CHANNELS_MAX, 0,
     ABSENT_REFUSED, "output features; classes: as many as the data set has classes", NULL},
    {"bias", ARG_FLAG, offsetof(Layer, args.linear.bias), 0, 1, 1, ABSENT_DEFAULT,
     "add a bias; bias=0: none", NULL},
    {0},
};

const LayerType layer_linear = {
    .name = "linear",
    .help = "fully connected",
    .shape = "c x 1 x 1",
    .formula = "out[o] = b[o] + sum over i of W[o, i] in[i]; i counts the input's elements in C, "
               "H, W order",
    .example = "maxpool k=8\nlinear c=10",
    .args = args,
    .init = &layer_init_weight,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .multiply_adds = multiply_adds,
};
