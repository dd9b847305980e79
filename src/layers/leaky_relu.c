/* leaky_relu: y = x > 0 ? x : slope x. A slope below 0 would give outputs whose sign does not tell
 * the input's, which backward goes by. */
#include "layers.h"

static const LayerArg args[] = {
    {"slope", ARG_REAL, offsetof(Layer, args.leaky_relu.slope), 0, 1, 0.01, ABSENT_DEFAULT,
     "factor of negative inputs", NULL},
    {0},
};

const LayerType layer_leaky_relu = {
    .name = "leaky_relu",
    .help = "x where it is positive, else slope x",
    .shape = "C x H x W",
    .formula = "out = in > 0 ? in : slope in",
    .example = "conv c=16 k=3 p=1\nleaky_relu slope=0.1",
    .args = args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
