/* scale: y = by x with a constant, not learned, factor. */
#include "layers.h"

static const LayerArg args[] = {
    {"by", ARG_REAL, offsetof(Layer, args.scale.factor), -1e6, 1e6, 0, ABSENT_REFUSED, "the factor",
     NULL},
    {0},
};

const LayerType layer_scale = {
    .name = "scale",
    .help = "times a constant",
    .shape = "C x H x W",
    .formula = "out = by in",
    .example = "linear c=10\nscale by=0.125",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
