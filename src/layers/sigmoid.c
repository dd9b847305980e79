/* sigmoid: y = 1 / (1 + exp(-x)), the logistic function. */
#include "layers.h"

const LayerType layer_sigmoid = {
    .name = "sigmoid",
    .help = "1 / (1 + exp(-x))",
    .shape = "C x H x W",
    .formula = "out = 1 / (1 + exp(-in))",
    .example = "linear c=16\nsigmoid",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
